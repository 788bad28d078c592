//! Why a payment failed or was set aside, who must act, and what to do (domain.md 4).

words! {
    /// Our reason for a payment that did not reach its card. A bank's own code and words are kept
    /// beside it; this is what finance, department and town can act on.
    Reason {
        AccountNotFound = "account_not_found",
        NameMismatch = "name_mismatch",
        AccountClosed = "account_closed",
        AccountFrozen = "account_frozen",
        CreditBlocked = "credit_blocked",
        CardState = "card_state",
        WrongAccountType = "wrong_account_type",
        IdMismatch = "id_mismatch",
        LimitExceeded = "limit_exceeded",
        BankDetails = "bank_details",
        Returned = "returned",
        BankSide = "bank_side",
        Held = "held",
        Other = "other",
    }
}

words! {
    /// Who can mend it.
    Actor {
        Town = "town",
        Department = "department",
        Finance = "finance",
        Bank = "bank",
    }
}

impl Reason {
    /// The reason in plain Chinese, for the page and the reports.
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::AccountNotFound => "账号不存在或位数不符",
            Self::NameMismatch => "户名不符",
            Self::AccountClosed => "账户已销户",
            Self::AccountFrozen => "账户被冻结",
            Self::CreditBlocked => "账户状态异常，不能入账",
            Self::CardState => "卡片挂失、作废或未激活",
            Self::WrongAccountType => "账户类型不符（非结算户）",
            Self::IdMismatch => "证件号码不符",
            Self::LimitExceeded => "超过账户限额",
            Self::BankDetails => "开户行信息有误",
            Self::Returned => "入账后被退回",
            Self::BankSide => "银行方面原因",
            Self::Held => "已停发或暂缓发放",
            Self::Other => "其他原因（见银行原文）",
        }
    }

    /// Who must act.
    pub const fn actor(self) -> Actor {
        match self {
            Self::AccountNotFound
            | Self::NameMismatch
            | Self::AccountClosed
            | Self::CardState
            | Self::WrongAccountType
            | Self::IdMismatch
            | Self::LimitExceeded
            | Self::BankDetails
            | Self::Returned => Actor::Town,
            Self::Held => Actor::Department,
            Self::AccountFrozen | Self::CreditBlocked | Self::BankSide | Self::Other => Actor::Bank,
        }
    }

    /// What to do next, in plain Chinese.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::AccountNotFound => "由镇（街道）重新采集卡号，核实后按程序重新申请发放",
            Self::NameMismatch => "由镇（街道）核对姓名（生僻字、间隔号），或由持卡人到柜台更正",
            Self::AccountClosed => "由镇（街道）指导办理新卡并更新名册后重新申请",
            Self::AccountFrozen => "由持卡人向开户行或法院了解冻结原因，解冻后重新申请",
            Self::CreditBlocked => "由持卡人到银行柜台恢复账户状态后重新申请",
            Self::CardState => "激活或补办卡片后重新申请",
            Self::WrongAccountType => "更换为结算账户后重新申请",
            Self::IdMismatch => "由镇（街道）更正证件号码后重新申请",
            Self::LimitExceeded => "更换为Ⅰ类账户后重新申请，不得拆分",
            Self::BankDetails => "更正开户行信息后重新申请",
            Self::Returned => "核实账户后按程序重新申请发放",
            Self::BankSide => "由代发银行查明原因并处理",
            Self::Held => "由业务主管部门核实后决定",
            Self::Other => "由代发银行说明原因",
        }
    }
}

impl Actor {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Town => "镇（街道）",
            Self::Department => "业务主管部门",
            Self::Finance => "财政部门",
            Self::Bank => "代发银行",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_says_what_who_and_what_to_do() {
        for reason in Reason::ALL {
            assert!(!reason.chinese().is_empty() && !reason.remedy().is_empty());
            assert!(!reason.actor().chinese().is_empty());
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
        }
    }
}
