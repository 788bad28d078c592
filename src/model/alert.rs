//! What somebody must look at: a closed list, so that pages and metrics know every kind.

words! {
    /// Kinds of alerts.
    AlertKind {
        /// The 24 hours run out.
        Deadline = "deadline",
        BatchRefused = "batch_refused",
        RefundRefused = "refund_refused",
        /// Leftover waits for people to give it back: its bank has no message for that.
        RefundByHand = "refund_by_hand",
        /// A bank's file or answer was held whole.
        ResultHeld = "result_held",
        /// Some lines of a result changed nothing.
        Quarantine = "quarantine",
        /// Credited and failed at once: frozen.
        Conflict = "conflict",
        /// A credit beyond what was approved.
        Disputed = "disputed",
        /// Nobody knows whether an attempt arrived; the bank is being asked.
        Unknown = "unknown",
        /// The bank does not know an attempt, and would not recognise a second one as the same: nothing
        /// goes again by itself.
        TooLate = "too_late",
        /// Nobody knows whether an attempt arrived, and the bank cannot be asked: two people decide.
        CannotAsk = "cannot_ask",
        /// A bank refused or left unanswered several attempts in a row: it is left alone for a while.
        Breaker = "breaker",
        /// An answer that was agreed did not come in time.
        Overdue = "overdue",
        /// A bank is not reached; nothing left.
        NotSent = "not_sent",
        /// The bank has our reference with other content than this database would send.
        OtherContent = "other_content",
        /// Nothing is sent to a bank until an operator's word: it knows more than this database.
        BankStopped = "bank_stopped",
        /// The bank contradicts what it said of a whole attempt.
        Contradiction = "contradiction",
        /// A bank credited, under another number of its own, what it had credited before.
        PaidTwice = "paid_twice",
        /// The bank had it and does not know it any more.
        Vanished = "vanished",
        /// The same register came with other content.
        RegisterConflict = "register_conflict",
        /// Finance is not reached, or its answers are not what was agreed.
        Finance = "finance",
        /// A register that finance lists cannot be read.
        Unread = "unread",
        /// A decision of finance cannot be carried out.
        Decision = "decision",
        /// A report is not acknowledged.
        Report = "report",
        /// Payments cannot be made into a batch.
        Convert = "convert",
        /// An attempt cannot be handed over: its stored bytes do not open.
        Submit = "submit",
        /// What a bank said cannot be taken: what is kept about its batch does not open.
        Collect = "collect",
        /// What a bank called in is read by nobody: it has left the config.
        Unheard = "unheard",
        /// Leftover cannot go back.
        Settle = "settle",
        /// A bank does not pick up the files that lie ready for it.
        NotFetched = "not_fetched",
        /// Data of a bank lies there without the control file that says it is whole.
        NoControl = "no_control",
        /// A bank's folder cannot be read.
        Door = "door",
        /// A file of a bank was moved away unread.
        DoorFile = "door_file",
        /// A file beside a message is not there, or there and named by no message.
        SideFile = "side_file",
        /// Somebody was several times not let in as an operator.
        NotLetIn = "not_let_in",
        /// The time of day was set by more than time passed: nobody knows which is right.
        ClockStep = "clock_step",
        /// The calendar of a bank does not have the year that it is, or comes.
        Calendar = "calendar",
    }
}

impl AlertKind {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Deadline => "办结时限",
            Self::BatchRefused => "银行拒绝受理",
            Self::RefundRefused => "银行拒绝退款",
            Self::RefundByHand => "结余须由人工退回",
            Self::ResultHeld => "回盘文件暂扣",
            Self::Quarantine => "回盘待核对",
            Self::Conflict => "结果矛盾",
            Self::Disputed => "争议款",
            Self::Unknown => "结果不明",
            Self::TooLate => "超期不再重发",
            Self::CannotAsk => "结果不明，无法查询",
            Self::Breaker => "暂停向该行发送",
            Self::Overdue => "银行逾期未答复",
            Self::NotSent => "银行连接不上",
            Self::OtherContent => "同号内容不同",
            Self::BankStopped => "已停止向银行发送",
            Self::Contradiction => "银行答复矛盾",
            Self::PaidTwice => "可能重复入账",
            Self::Vanished => "银行查无此笔",
            Self::RegisterConflict => "清册冲突",
            Self::Finance => "财政连接",
            Self::Unread => "清册无法读取",
            Self::Decision => "决定无法执行",
            Self::Report => "报告未签收",
            Self::Convert => "无法组批",
            Self::Submit => "无法送出",
            Self::Collect => "结果无法处理",
            Self::Unheard => "来报无人读取",
            Self::Settle => "无法退回",
            Self::NotFetched => "银行未取件",
            Self::NoControl => "文件缺少标志文件",
            Self::Door => "结果目录",
            Self::DoorFile => "文件无法读取",
            Self::SideFile => "附带文件",
            Self::NotLetIn => "操作员未通过验证",
            Self::ClockStep => "系统时钟跳变",
            Self::Calendar => "节假日安排缺年份",
        }
    }

    /// Must somebody act at once, or is it enough to keep an eye on it?
    pub const fn is_urgent(self) -> bool {
        matches!(
            self,
            Self::BatchRefused
                | Self::RefundRefused
                | Self::RefundByHand
                | Self::Conflict
                | Self::Disputed
                | Self::TooLate
                | Self::CannotAsk
                | Self::Breaker
                | Self::OtherContent
                | Self::BankStopped
                | Self::Contradiction
                | Self::PaidTwice
                | Self::Vanished
                | Self::RegisterConflict
                | Self::Convert
                | Self::Submit
                | Self::Collect
                | Self::Unheard
                | Self::Settle
                | Self::NotLetIn
                | Self::ClockStep
        )
    }
}
