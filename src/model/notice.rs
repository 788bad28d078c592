//! SMS notices: what became of the bank's free message to the payee. Never money (I26).

words! {
    /// What the bank says became of the SMS for a credit.
    NoticeState {
        Delivered = "delivered",
        Failed = "failed",
        NoNumber = "no_number",
        Unknown = "unknown",
    }
}

impl NoticeState {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Delivered => "已送达",
            Self::Failed => "未送达",
            Self::NoNumber => "无手机号",
            Self::Unknown => "银行未说明",
        }
    }
}
