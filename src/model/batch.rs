//! What goes to one bank in one file or message: part of one register.

words! {
    /// Where a batch is. A batch exists from its first INTENT on; before that its payments are
    /// simply unsent.
    BatchState {
        /// Handed over or about to be; some payments have no final answer.
        Open = "open",
        /// Every payment has an answer.
        Settled = "settled",
        /// The bank refused all of it; its payments are unsent until an operator cuts them again.
        Refused = "refused",
        /// Refused, and cut again as another batch.
        Recut = "recut",
    }
}

impl BatchState {
    /// Do its payments count as sent by it (I3)?
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::Settled)
    }

    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Open => "进行中",
            Self::Settled => "已完结",
            Self::Refused => "未受理，待重新组批",
            Self::Recut => "已重新组批",
        }
    }
}
