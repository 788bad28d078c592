//! Setting a payment aside: it is reported, never sent until released, and stays unsent money.

words! {
    /// Why a single payment is set aside at intake (the rest of its register goes on).
    HoldReason {
        IdCheckDigit = "id_check_digit",
        RegionCode = "region_code",
        AccountShape = "account_shape",
        NotEncodable = "not_encodable",
        TooWide = "too_wide",
        /// A field that the bank demands is empty.
        Missing = "missing",
        /// The bank's field takes no such value.
        NotAccepted = "not_accepted",
        /// The name holds a character that nobody sees: a blank of another kind, one without width.
        Invisible = "invisible",
        BankUnknown = "bank_unknown",
        /// The same person, programme and period is already paid or under way.
        Double = "double",
        /// The line that this one says it replaces is not there, or its money is not back.
        ReplacedNotOpen = "replaced_not_open",
        /// Released again with another amount than the one that it replaces.
        ReplacedAmount = "replaced_amount",
        /// This line was already sent under an earlier revision, with other content.
        SentEarlier = "sent_earlier",
    }
}

words! {
    /// What happened to a hold. Append-only: a release does not erase the placing.
    HoldEvent {
        Placed = "placed",
        Released = "released",
        Dropped = "dropped",
    }
}

impl HoldReason {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::IdCheckDigit => "证件号码校验位不符",
            Self::RegionCode => "行政区划代码不存在",
            Self::AccountShape => "账号格式不符",
            Self::NotEncodable => "含有银行字符集无法表示的字",
            Self::TooWide => "超过银行格式允许的长度",
            Self::Missing => "缺少必填内容",
            Self::NotAccepted => "内容不符合银行格式的要求",
            Self::Invisible => "姓名中有看不见的字符",
            Self::BankUnknown => "未配置该代发银行",
            Self::Double => "同一人、同一项目、同一期已发放或正在发放",
            Self::ReplacedNotOpen => "所替换的原明细不存在或资金尚未退回",
            Self::ReplacedAmount => "金额与所替换的原明细不同",
            Self::SentEarlier => "该明细已按前一版本发送",
        }
    }

    pub const fn remedy(self) -> &'static str {
        match self {
            Self::IdCheckDigit
            | Self::RegionCode
            | Self::AccountShape
            | Self::Missing
            | Self::Invisible => "由镇（街道）核对更正后，财政放行或撤下，再按程序重新申请",
            Self::NotEncodable | Self::TooWide | Self::NotAccepted => {
                "户名由代发银行确认在本行的写法，其他内容由业务主管部门更正，再由财政撤下并重新申请"
            }
            Self::BankUnknown => "由财政核对代发银行代码，或由银行配置后放行",
            Self::Double => "由业务主管部门核实是否重复，再由财政放行或撤下",
            Self::ReplacedNotOpen | Self::ReplacedAmount | Self::SentEarlier => {
                "由财政核对后放行或撤下"
            }
        }
    }
}

impl HoldEvent {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Placed => "暂缓",
            Self::Released => "放行",
            Self::Dropped => "撤下",
        }
    }
}
