//! Leftover money on its way back to finance.

words! {
    /// Why a payment's money is leftover (design 4.6). Money in flight never is.
    LeftoverCause {
        Dropped = "dropped",
        Failed = "failed",
        Returned = "returned",
    }
}

words! {
    /// Where one payment's leftover money is.
    LeftoverState {
        /// Refundable and free.
        Open = "open",
        /// Listed in a refund that the bank has not confirmed.
        Reserved = "reserved",
        /// Back at finance.
        Refunded = "refunded",
        /// A later answer contradicted the failure before the money was on its way: frozen, in flight.
        Withdrawn = "withdrawn",
        /// Its register was revoked before any money came: there is nothing that could go back.
        Absent = "absent",
    }
}

words! {
    /// Where a refund is.
    RefundState {
        Open = "open",
        Confirmed = "confirmed",
        /// The bank refused it; its payments are refundable again.
        Refused = "refused",
        /// It never left and its day is over; its payments are refundable again.
        Withdrawn = "withdrawn",
    }
}

impl LeftoverCause {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Dropped => "撤下",
            Self::Failed => "发放失败",
            Self::Returned => "入账后退回",
        }
    }
}

impl RefundState {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Open => "退款中",
            Self::Confirmed => "已退回",
            // By the bank, or because two people decided that it is not made.
            Self::Refused => "未退（银行拒绝或两人裁定）",
            Self::Withdrawn => "已作废（从未送出）",
        }
    }
}
