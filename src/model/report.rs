//! What is told to finance, department and town, and their acknowledgement.

words! {
    /// What a report tells.
    ReportKind {
        /// The register was accepted or refused, and why.
        Receipt = "receipt",
        /// The payments set aside, each with its reason.
        SetAside = "set_aside",
        /// What became of payments, as one result of the bank said it.
        Results = "results",
        /// What became of the SMS notices.
        Notices = "notices",
        /// Leftover money that went back.
        Refund = "refund",
        /// The account of a finished register.
        Closing = "closing",
    }
}

words! {
    /// Who is told (Notice, section 2.5: department, town and finance).
    RecipientKind {
        Finance = "finance",
        Department = "department",
        Town = "town",
    }
}

/// One addressee.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient {
    pub kind: RecipientKind,
    /// The department's name, or the town's nine-digit code or name; empty for finance.
    pub name: String,
}

impl ReportKind {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Receipt => "接收回执",
            Self::SetAside => "暂缓清单",
            Self::Results => "发放结果",
            Self::Notices => "短信通知情况",
            Self::Refund => "结余退回",
            Self::Closing => "办结清单",
        }
    }
}

impl RecipientKind {
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Finance => "财政",
            Self::Department => "主管部门",
            Self::Town => "镇（街道）",
        }
    }
}

/// Removes what a bank printed about other people from its own words: a holder's true name in
/// `原户名为[…]` goes to finance only in the sense that it was said, never as the name (domain.md 4).
pub fn redact(text: &str) -> String {
    const MARKS: [&str; 6] = ["原户名", "户名为", "户名是", "实际户名", "真实姓名", "账户名称"];
    const OPEN: [char; 8] = ['[', '【', '(', '（', ':', '：', '“', '"'];
    const CLOSE: [char; 8] = [']', '】', ')', '）', ',', '，', '”', '"'];
    let Some(at) = MARKS.iter().filter_map(|mark| text.find(mark).map(|at| at + mark.len())).max()
    else {
        return text.to_owned();
    };
    let (head, rest) = text.split_at(at);
    let mut out = head.to_owned();
    // Words between the mark and the name ("为", "是", blanks) carry no name; from the first opening
    // sign on, everything up to its end is one.
    let opened = rest.find(OPEN);
    let (before, name) = opened.map_or(("", rest), |at| rest.split_at(at));
    if before.chars().count() <= 3 {
        out.push_str(before);
    }
    let mut chars = name.chars();
    if opened.is_some() {
        out.extend(chars.next());
    }
    let tail = chars.as_str();
    out.push_str("***");
    if let Some(close) = tail.find(CLOSE) {
        out.push_str(tail.get(close..).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn i27_another_persons_name_leaves_the_bank_words() {
        assert_eq!(redact("户名不符，原户名为[张三丰]"), "户名不符，原户名为[***]");
        assert_eq!(redact("原户名为[张三丰]，请核实"), "原户名为[***]，请核实");
        assert_eq!(redact("原户名：张三"), "原户名：***");
        assert_eq!(redact("原户名张三"), "原户名***");
        assert_eq!(redact("账户已销户"), "账户已销户");
        // Cut in the middle, as banks do at thirty bytes.
        assert_eq!(redact("户名不符，原户名为[张三"), "户名不符，原户名为[***");
    }
}
