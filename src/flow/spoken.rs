//! What operators, clerks and finance read of a trouble: every sentence in Chinese.
//!
//! Errors are written in English where they are made, for logs and commands. What is kept for the page
//! or told to finance goes through here first. A closed error has its own words; one that carries a
//! sentence is looked up in [`phrases`]. A sentence that nobody has put into Chinese yet is never
//! shown as it is: the reader is sent to the log, which has it. Making every error of every room
//! bilingual was rejected: a reader of code would have met two languages in each line.

pub mod phrases;

use crate::finance::FinanceError;
use crate::flow::FlowError;
use crate::flow::spoken::phrases::{PARTS, PHRASES, SIGNS};
use crate::format::{DataError, FieldError, FieldFault, Key, MessageKind, PartRole};
use crate::model::attempt::{AttemptEvent, AttemptState};
use crate::model::batch::BatchState;
use crate::model::hold::HoldEvent;
use crate::model::refund::RefundState;
use crate::model::register::RegisterState;
use crate::transport::DoorError;

/// Stands for what has no Chinese here.
const SEE_LOG: &str = "详细原因见系统日志";
/// How deep a sentence may name another as its cause.
const DEPTH_MAX: usize = 4;

/// The Chinese of a sentence of another room.
pub fn chinese(text: &str) -> String {
    say(text.trim(), DEPTH_MAX).unwrap_or_else(|| SEE_LOG.to_owned())
}

/// Is this a sentence in English: three words of latin letters in a row? Codes, file names and ids
/// are none, and neither is a command of ours that a reader is to type.
pub fn is_english(text: &str) -> bool {
    let (mut run, mut command) = (0, false);
    for word in text.split_ascii_whitespace() {
        let bare = word.trim_matches(|c: char| c.is_ascii_punctuation());
        let is_word = bare.len() > 1 && bare.bytes().all(|b| b.is_ascii_alphabetic() || b == b'\'');
        command = is_word && (command || bare == "daifa");
        run = if is_word && !command { run + 1 } else { 0 };
        if run == 3 {
            return true;
        }
    }
    false
}

/// Why one value cannot be written into a bank's file, and what the field is.
pub fn field_error(error: &FieldError) -> String {
    let field =
        error.key.map_or_else(|| format!("“{}”", error.field), |key| key_name(key).to_owned());
    match &error.fault {
        FieldFault::Missing => format!("{field}没有填写"),
        FieldFault::NotEncodable { character } => {
            format!("{field}中的 U+{:04X} 不能写入该行文件", u32::from(*character))
        }
        FieldFault::TooWide { needed, there } => {
            format!("{field}需要 {needed} 字节，该行文件只有 {there} 字节")
        }
        FieldFault::TooShort { taken, there } => {
            format!("{field}应恰好 {there} 字节，实为 {taken} 字节")
        }
        FieldFault::Padding { pad } => {
            format!("{field}的开头或结尾是填充字符 U+{:04X}，写入后读不回原样", u32::from(*pad))
        }
        FieldFault::OutOfRange { expected } => format!("{field}应为{}", chinese(expected)),
    }
}

/// What is wrong with a message, and where.
pub fn data_error(error: &DataError) -> String {
    let part = error.part.map(|part| format!("的{}", part_name(part)));
    let record = (error.record > 0).then(|| format!("第 {} 条记录", error.record));
    let field = (!error.field.is_empty()).then(|| format!("字段 {}", error.field));
    let byte = error.offset.map(|offset| format!("（第 {offset} 字节）"));
    let place: String = [part, record, field, byte].into_iter().flatten().collect();
    let kind = kind_name(error.message);
    let found = say(&error.found, DEPTH_MAX).filter(|found| !found.is_empty());
    match (say(&error.expected, DEPTH_MAX), found) {
        (Some(expected), Some(found)) => format!("{kind}{place}：应为{expected}，实为{found}"),
        (Some(expected), None) => format!("{kind}{place}：应为{expected}"),
        (None, _) => format!("{kind}{place}：与该行格式的约定不符"),
    }
}

/// Why something that a bank left could not be read.
pub fn door_error(error: &DoorError) -> String {
    match error {
        DoorError::Settings(_) => "该通道的设置有误".to_owned(),
        DoorError::Remote { doing: _, cause } => {
            format!("银行服务器上的文件不能访问（{}）", chinese(cause))
        }
        DoorError::Io { path, source, .. } => {
            format!("{} 不能访问（{}）", path.display(), chinese(&source.to_string()))
        }
        DoorError::Name(name) => format!("文件名 {name} 不合规定"),
        DoorError::Gone(name) => format!("{name} 已不在目录中"),
        DoorError::NotAFile(name) => format!("{name} 不是普通文件"),
        DoorError::TooLarge { name, bytes, bytes_max } => {
            format!("{name} 有 {bytes} 字节，超过上限 {bytes_max} 字节")
        }
        DoorError::Changing(name) => format!("{name} 还在写入"),
        DoorError::NoArrivals => "该通道不收文件".to_owned(),
        DoorError::Interrupted => "读取被中断".to_owned(),
        DoorError::Hangs { seconds } => format!("目录在 {seconds} 秒内没有响应"),
    }
}

/// What a call to finance came to.
pub fn finance_error(error: &FinanceError) -> String {
    match error {
        FinanceError::Unreachable(why) => {
            format!("财政系统没有答复或连接中断（{}）", chinese(why))
        }
        FinanceError::Rejected { status, words } => {
            format!("财政系统不予提供（状态 {status}，{}）", chinese(words))
        }
        FinanceError::Protocol(why) => {
            format!("财政系统的答复不符合接口约定（{}）", chinese(why))
        }
        FinanceError::Faulty(faulty) => {
            let faults: Vec<&str> =
                faulty.faults.iter().map(|fault| fault.chinese.as_str()).collect();
            format!("清册表头有误（{}）", faults.join("；"))
        }
        FinanceError::Signature(why) => {
            format!("答复的签名不对，不予采信（{}）", chinese(&why.to_string()))
        }
        FinanceError::Config(_) => "本系统与财政的连接设置有误".to_owned(),
    }
}

/// Why a step could not go on.
pub fn flow_error(error: &FlowError) -> String {
    chinese(&error.to_string())
}

/// A value of the road, as people call it.
pub const fn key_name(key: Key) -> &'static str {
    match key {
        Key::Reference | Key::OriginalReference | Key::RowReference => "流水号",
        Key::BankReference | Key::BankSerial => "银行流水号",
        Key::Serial | Key::DaySequence | Key::Ordinal => "序号",
        Key::Count | Key::CreditedCount => "笔数",
        Key::Sum | Key::CreditedSum => "合计金额",
        Key::Moment => "时间",
        Key::Summary => "存折摘要",
        Key::ProgrammeCode => "补贴项目代码",
        Key::ProgrammeName => "补贴项目名称",
        Key::Department => "主管部门",
        Key::Town => "镇（街道）",
        Key::PoolAccount => "内部代发账户",
        Key::VoucherNo => "凭证号",
        Key::DocumentNo => "文号",
        Key::Period => "发放期间",
        Key::RegisterId => "清册编号",
        Key::Bank => "代发银行",
        Key::PayeeName => "姓名",
        Key::DocumentKind => "证件种类",
        Key::DocumentNumber => "证件号码",
        Key::Account => "账号",
        Key::Phone => "手机号",
        Key::Village => "村代码",
        Key::Amount => "金额",
        Key::Code => "返回码",
        Key::Text => "返回说明",
        Key::NoticeCode => "短信状态码",
        Key::Section => "查询种类",
    }
}

/// A kind of message, as people call it.
pub const fn kind_name(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::PaymentRequest => "发放报文",
        MessageKind::Acknowledgement => "受理答复",
        MessageKind::StatusQuery => "查询报文",
        MessageKind::StatusAnswer => "查询答复",
        MessageKind::Result => "回盘",
        MessageKind::ReturnQuery => "退票查询",
        MessageKind::LateReturn => "退票通知",
        MessageKind::NoticeQuery => "短信查询",
        MessageKind::Notice => "短信回执",
        MessageKind::RefundRequest => "退款报文",
        MessageKind::RefundAnswer => "退款答复",
        MessageKind::RefundQuery => "退款查询",
        MessageKind::Statement => "对账单",
        MessageKind::AccountRequest => "开户报文",
        MessageKind::AccountAnswer => "开户答复",
    }
}

const fn part_name(part: PartRole) -> &'static str {
    match part {
        PartRole::Data => "数据文件",
        PartRole::Control => "控制文件",
        PartRole::Message => "正文",
        PartRole::Side => "附带文件",
        PartRole::Trigger => "触发文件",
    }
}

fn say(text: &str, depth: usize) -> Option<String> {
    if let Some(word) = word(text) {
        return Some(word.to_owned());
    }
    for (english, chinese) in PHRASES {
        if let Some(holes) = holes(english, text) {
            return Some(filled(chinese, &holes, depth));
        }
    }
    let lower = text.to_ascii_lowercase();
    if let Some((_, chinese)) = SIGNS.iter().find(|(sign, _)| lower.contains(sign)) {
        return Some((*chinese).to_owned());
    }
    (!is_english(text)).then(|| text.to_owned())
}

/// What the holes of a sentence stand for, where it is that sentence.
fn holes<'t>(sentence: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut pieces = sentence.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut pieces = pieces.peekable();
    let mut holes = Vec::new();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        let hole;
        (hole, rest) = match (last, piece) {
            (true, "") => (rest, ""),
            (true, piece) => (rest.strip_suffix(piece)?, ""),
            (false, piece) => rest.split_once(piece)?,
        };
        holes.push(hole);
    }
    rest.is_empty().then_some(holes)
}

fn filled(chinese: &str, holes: &[&str], depth: usize) -> String {
    let mut out = chinese.to_owned();
    for (at, hole) in holes.iter().enumerate() {
        let said = depth.checked_sub(1).and_then(|depth| say(hole, depth));
        out = out.replace(&format!("{{{at}}}"), said.as_deref().unwrap_or(SEE_LOG));
    }
    out
}

/// A word of a closed list, inside a sentence.
fn word(text: &str) -> Option<&'static str> {
    let part = PARTS.iter().find(|(english, _)| *english == text).map(|(_, chinese)| *chinese);
    part.or_else(|| RegisterState::parse(text).map(RegisterState::chinese))
        .or_else(|| AttemptState::parse(text).map(AttemptState::chinese))
        .or_else(|| BatchState::parse(text).map(BatchState::chinese))
        .or_else(|| RefundState::parse(text).map(RefundState::chinese))
        .or_else(|| HoldEvent::parse(text).map(HoldEvent::chinese))
        .or_else(|| AttemptEvent::parse(text).map(event))
        .or_else(|| Key::parse(text).map(key_name))
}

const fn event(event: AttemptEvent) -> &'static str {
    match event {
        AttemptEvent::Start => "开始发送",
        AttemptEvent::Accepted => "已受理",
        AttemptEvent::Refused => "拒绝受理",
        AttemptEvent::NotSent => "未送达",
        AttemptEvent::Lost => "结果不明",
        AttemptEvent::NotFound => "查无此笔",
        AttemptEvent::OtherContent => "内容不同",
        AttemptEvent::AfterAll => "银行拒绝后又有答复",
        AttemptEvent::DecidedReceived => "两人核定已收到",
        AttemptEvent::DecidedNotReceived => "两人核定未收到",
        AttemptEvent::DecidedNever => "两人核定未发放",
        AttemptEvent::Closed => "作废",
    }
}

#[cfg(test)]
mod tests;
