//! An answer that somebody owes: what it is, and whether it came in time. Nothing waits silently.

words! {
    /// What is waited for.
    ExpectationKind {
        /// The bank's word that it has a file, where it agreed to give one.
        Acknowledgement = "acknowledgement",
        /// What became of every payment of a batch.
        Result = "result",
        /// What became of the SMS of every credit.
        Notice = "notice",
        /// The bank's word about late returns, while it is asked for them.
        Return = "return",
        /// That the money of a refund went back.
        RefundAnswer = "refund_answer",
    }
}

words! {
    /// Where an expectation is.
    ExpectationState {
        /// Its time has not come.
        Open = "open",
        /// Its time has come and the answer has not; an alert stands.
        Overdue = "overdue",
        /// The answer came.
        Met = "met",
        /// Nobody can answer any more, or nobody needs to: what was asked about never arrived.
        Dropped = "dropped",
    }
}

impl ExpectationKind {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Acknowledgement => "受理回执",
            Self::Result => "逐笔结果",
            Self::Notice => "短信结果",
            Self::Return => "退票查询答复",
            Self::RefundAnswer => "退款答复",
        }
    }
}

impl ExpectationState {
    /// Is the answer still waited for?
    pub const fn waits(self) -> bool {
        matches!(self, Self::Open | Self::Overdue)
    }
}

/// An answer that is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub kind: ExpectationKind,
    /// UTC epoch milliseconds.
    pub due_at_ms: i64,
}
