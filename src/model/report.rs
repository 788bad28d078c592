//! What is told to finance, department and town, and their acknowledgement.

use crate::model::person::Person;

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

/// Digits in a row, this many or more, may be an account, a document or a telephone.
const DIGITS_HIDDEN: usize = 7;

/// A bank's words for people to look at: without what they repeat of these payees, without other people's names, and
/// without long numbers.
pub fn harmless<'p>(words: &str, payees: impl IntoIterator<Item = &'p Person>) -> String {
    let mut text = words.to_owned();
    for person in payees {
        for part in [&person.account, &person.document_number, &person.phone, &person.name] {
            if !part.is_empty() && text.contains(part.as_str()) {
                text = text.replace(part.as_str(), "***");
            }
        }
    }
    let text = redact(&text);
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_numeric() {
            digits.push(c);
            continue;
        }
        let hidden = digits.chars().count() >= DIGITS_HIDDEN;
        out.push_str(if hidden { "***" } else { &digits });
        digits.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{harmless, redact};
    use crate::model::person::Person;

    #[test]
    fn i27_what_a_bank_repeats_of_payees_is_taken_out_of_its_words() {
        let person = |name: &str, account: &str| Person {
            name: name.to_owned(),
            document_kind: "id".to_owned(),
            document_number: "11010519491231002X".to_owned(),
            account: account.to_owned(),
            phone: "13800000000".to_owned(),
        };
        let payees =
            [person("另外一人", "6228480402564890034"), person("测试姓名", "6228480402564890018")];
        let said = "账号6228480402564890018户名测试姓名证件11010519491231002X手机13800000000有误";
        assert_eq!(harmless(said, &payees), "账号***户名***证件***手机***有误");
        assert_eq!(harmless("原户名为[张三丰]", &payees), "原户名为[***]");
        assert_eq!(harmless("应为账号6228480402564890026", []), "应为账号***");
        assert_eq!(harmless("RJ0123 第 120 行，另外一人", &payees), "RJ0123 第 120 行，***");
    }

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
