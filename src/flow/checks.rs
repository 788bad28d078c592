//! The checks of intake (Notice, sections 2.3, 2.7 and 2.10): what refuses a register as a whole,
//! and what sets a single payment aside.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::flow::Bank;
use crate::flow::opening::{Item, Opening};
use crate::flow::spoken::field_error;
use crate::flow::values::{IntakeHead, LineValues};
use crate::format::{DataError, FieldError, Fitter, MessageKind, Source};
use crate::model::hold::HoldReason;
use crate::model::money::Fen;
use crate::model::payment::Line;
use crate::model::person::{
    RESIDENT_ID, account_has_shape, id_number_closes, id_region_exists, invisible, luhn_closes,
    town_code_is_whole, village_code_is_plausible,
};
use crate::model::register::{Fault, RegisterHead};
use crate::store::intake::NewHold;

/// Faults that are listed; a register with more says how many there are.
pub const FAULTS_LISTED_MAX: usize = 100;

/// Texts of a line that are longer than this are not a person's (bytes).
const FIELD_BYTES_MAX: usize = 1_000;

/// What the head alone shows.
fn head_faults(head: &RegisterHead) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |field, what: String, chinese: String| {
        faults.push(Fault::new(None, field, what, chinese));
    };
    if head.entered_by.trim() == head.reviewed_by.trim() {
        fault(
            "reviewed_by",
            "entered and reviewed by the same person; two people are required".to_owned(),
            "录入人和复核人是同一人。请由另一人复核后重新下达".to_owned(),
        );
    }
    if head.declared_count <= 0 {
        fault(
            "declared_count",
            format!("{} payments are declared; at least one is required", head.declared_count),
            format!("表头声明 {} 笔，至少应有一笔。请核对表头笔数", head.declared_count),
        );
    }
    if !head.declared_sum.is_positive() {
        fault(
            "declared_sum",
            format!("a sum of {} yuan is declared; it must be above zero", head.declared_sum),
            format!("表头声明合计 {} 元，应大于零。请核对表头金额", head.declared_sum),
        );
    }
    if !town_code_is_whole(&head.town) {
        fault(
            "town",
            "a town is its nine-digit code".to_owned(),
            "镇（街道）应为九位行政区划代码，例如 610728101。请更正后重新下达".to_owned(),
        );
    }
    if let Some((place, character)) = invisible(&head.summary) {
        let point = u32::from(character);
        fault(
            "summary",
            format!("U+{point:04X} at place {place} is not seen and would be printed"),
            format!("存折摘要第 {place} 个字符 U+{point:04X} 看不见。请删去后重新下达"),
        );
    }
    for (field, text) in [
        ("id", &head.id),
        ("programme_code", &head.programme_code),
        ("pool_account", &head.pool_account),
        ("period", &head.period),
        ("entered_by", &head.entered_by),
        ("reviewed_by", &head.reviewed_by),
    ] {
        if text.trim().is_empty() {
            fault(field, "is empty".to_owned(), "没有填写。请补填后重新下达".to_owned());
        }
    }
    faults
}

/// Watches lines as they stream by for what refuses the register as a whole.
#[derive(Debug, Default)]
pub struct WholeCheck {
    last_line: i64,
    count: i64,
    /// Lines that could not be read: they count, and what they are worth nobody knows.
    unread: i64,
    sum: Option<Fen>,
    overflowed: bool,
    pub faults: Vec<Fault>,
    /// Faults beyond those listed.
    pub more: usize,
}

impl WholeCheck {
    /// Begins with what the head alone shows.
    pub fn of(head: &RegisterHead) -> Self {
        Self { faults: head_faults(head), ..Self::default() }
    }

    /// Adds a fault; beyond those that are listed it is only counted.
    pub fn add(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_LISTED_MAX {
            self.faults.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// How many lines were read, and what they are worth as far as that can be kept.
    pub fn read(&self) -> (i64, Fen) {
        (self.count, self.sum.unwrap_or_default())
    }

    /// Notes a line that could not be read.
    pub fn unread(&mut self, fault: Fault) {
        self.unread += 1;
        self.add(fault);
    }

    /// Notes a line; says whether it may be kept.
    pub fn line(&mut self, line: &Line) -> bool {
        let at = Some(line.line);
        let before = self.faults.len() + self.more;
        if line.line < 1 {
            let chinese = "行号应从 1 开始。请更正行号";
            self.add(Fault::new(at, "line", "line numbers start at 1", chinese));
        } else if line.line == self.last_line {
            let what = format!("line {} is there twice", line.line);
            let chinese = "这个行号出现了两次。请检查是否重复录入，更正后重新下达";
            self.add(Fault::new(at, "line", what, chinese));
        } else if line.line < self.last_line {
            let what = format!(
                "line {} comes after line {}; numbers ascend and do not repeat",
                line.line, self.last_line
            );
            let chinese =
                format!("行号排在第 {} 行之后，顺序颠倒或重复。请按行号排好", self.last_line);
            self.add(Fault::new(at, "line", what, chinese));
        }
        self.last_line = self.last_line.max(line.line);
        if !line.amount.is_positive() {
            let what = format!("an amount of {} yuan; it must be above zero", line.amount);
            let chinese = format!("金额为 {} 元，应大于零。请更正，或删除这一行", line.amount);
            self.add(Fault::new(at, "amount", what, chinese));
        }
        let person = &line.person;
        let texts = [
            &person.name,
            &person.document_kind,
            &person.document_number,
            &person.account,
            &person.phone,
            &line.village,
            &line.bank,
        ];
        if line.bank.chars().any(char::is_control) {
            let chinese = "代发银行代码含有控制字符。请更正";
            self.add(Fault::new(at, "bank", "a bank's code holds no control characters", chinese));
        }
        if texts.iter().any(|text| text.len() > FIELD_BYTES_MAX) {
            let what = format!("a text is longer than {FIELD_BYTES_MAX} bytes");
            let chinese = "有一项文字过长，不像姓名、证件或账号。请检查是否串列";
            self.add(Fault::new(at, "line", what, chinese));
        }
        self.count += 1;
        let sum = self.sum.unwrap_or_default().checked_add(line.amount);
        if sum.is_none() && !self.overflowed {
            // From here on nothing more is kept: no column could hold what it adds up to.
            let what = "with this line the sum is larger than can be kept".to_owned();
            let chinese = "加上这一行后合计超出系统上限。请检查这一行的金额";
            self.add(Fault::new(at, "amount", what, chinese));
            self.overflowed = true;
        }
        self.sum = sum.or(self.sum);
        before == self.faults.len() + self.more
    }

    /// Compares what came with what the head says. What only follows from another fault is not told
    /// beside it: whoever mends the cause would look for a second one.
    pub fn end(&mut self, head: &RegisterHead, digest: &[u8; 32]) {
        let sum = self.sum.unwrap_or_default();
        let came = self.count + self.unread;
        let told = |faults: &[Fault], field| faults.iter().any(|fault| fault.field == field);
        if came == 0 {
            let chinese = "清册没有明细。请补充明细后重新下达";
            self.add(Fault::new(None, "payments", "the register has no lines", chinese));
        } else {
            if came != head.declared_count && !told(&self.faults, "declared_count") {
                let what = format!("{} payments are declared, {came} came", head.declared_count);
                let said = head.declared_count;
                let chinese =
                    format!("表头声明 {said} 笔，实际收到 {came} 笔。请核对表头笔数和明细是否齐全");
                self.add(Fault::new(None, "declared_count", what, chinese));
            }
            let known = self.unread == 0 && !self.overflowed;
            if known && sum != head.declared_sum && !told(&self.faults, "declared_sum") {
                let what =
                    format!("{} yuan are declared, the lines add up to {sum}", head.declared_sum);
                let said = head.declared_sum;
                let chinese =
                    format!("表头声明合计 {said} 元，明细合计 {sum} 元。请核对表头金额和明细");
                self.add(Fault::new(None, "declared_sum", what, chinese));
            }
        }
        if *digest != head.digest && self.faults.is_empty() {
            let what = "the digest over head and lines is another; something changed on the way"
                .to_owned();
            let chinese = "校验摘要与表头、明细对不上，内容在传送途中变了或生成有误。请重新生成并下达；再次出现请财政技术人员检查";
            self.add(Fault::new(None, "digest", what, chinese));
        }
        if self.more > 0 {
            let what = format!("{} more faults are not listed", self.more);
            let chinese = format!("另有 {} 处问题没有列出。请先更正已列出的问题", self.more);
            self.faults.push(Fault::new(None, "payments", what, chinese));
        }
    }
}

/// Checks single payments, with one reused measure per bank.
pub struct PaymentCheck<'a> {
    head: &'a RegisterHead,
    banks: &'a BTreeMap<String, Bank>,
    opening: &'a Opening,
    fitters: BTreeMap<&'a str, Fitter<'a>>,
    /// Accounts that fail Luhn: only ever a warning.
    pub luhn_warnings: i64,
}

impl<'a> PaymentCheck<'a> {
    /// Begins with the head of the register that the payments are of.
    pub fn new(
        head: &'a RegisterHead,
        banks: &'a BTreeMap<String, Bank>,
        opening: &'a Opening,
    ) -> Self {
        let fitters = banks
            .iter()
            .map(|(code, bank)| (code.as_str(), bank.format.fitter(MessageKind::PaymentRequest)))
            .collect();
        Self { head, banks, opening, fitters, luhn_warnings: 0 }
    }

    /// The first reason to set the payment aside, if there is one.
    pub fn hold(&mut self, line: &Line) -> Option<NewHold> {
        let hold = |reason, detail: &str| Some(NewHold { reason, detail: detail.to_owned() });
        let person = &line.person;
        if person.document_kind == RESIDENT_ID && !id_number_closes(&person.document_number) {
            return hold(HoldReason::IdCheckDigit, "应为 18 位且校验位相符，或旧的 15 位号码");
        }
        if person.document_kind == RESIDENT_ID && !id_region_exists(&person.document_number) {
            return hold(HoldReason::RegionCode, "证件号码的前两位不是任何省份的代码");
        }
        if !village_code_is_plausible(&line.village) {
            return hold(HoldReason::RegionCode, "村代码应为 12 位：县 6 位、镇 3 位、村 3 位");
        }
        if !account_has_shape(&person.account) {
            return hold(HoldReason::AccountShape, "账号应为 8 到 32 位数字");
        }
        if person.name.is_empty() {
            return hold(HoldReason::Missing, "姓名没有填写");
        }
        if let Some((place, character)) = invisible(&person.name) {
            let point = u32::from(character);
            let detail = format!("姓名第 {place} 个字符是 U+{point:04X}，看不见或不应出现在这里");
            return hold(HoldReason::Invisible, &detail);
        }
        let code = line.bank.as_str();
        let (Some(bank), Some(fitter)) = (self.banks.get(code), self.fitters.get_mut(code)) else {
            return hold(HoldReason::BankUnknown, "本系统没有配置这个代码的银行");
        };
        if !luhn_closes(&person.account) {
            self.luhn_warnings += 1;
        }
        let head = IntakeHead { head: self.head, bank: &line.bank };
        let RegisterHead { id, revision, .. } = self.head;
        let item = || {
            let place = format!("{id}/{revision}/{}", line.line);
            Item::new(&["line", &place], bank.format.digest())
        };
        let fits = self.opening.open(item, || misfit(fitter, &head, &LineValues(line)));
        fits.unwrap_or_else(|_| Some(defect()))
    }
}

/// A field that cannot be written sets its payment aside, whatever the fault: nothing is cut,
/// guessed or substituted (design 4.7).
fn hold_for(fault: &FieldError) -> NewHold {
    NewHold { reason: fault.hold_reason(), detail: field_error(fault) }
}

/// Why a payment cannot be written by itself, where it cannot. One that breaks the writer down is set aside
/// like any other: it would stop the daemon each time that it comes up again, and everybody behind it (F56).
pub(super) fn misfit(
    fitter: &mut Fitter<'_>,
    head: &dyn Source,
    row: &dyn Source,
) -> Option<NewHold> {
    match catch_unwind(AssertUnwindSafe(|| fitter.check(head, row))) {
        Ok(fits) => fits.err().map(|fault| hold_for(&fault)),
        Err(_) => Some(defect()),
    }
}

/// A payment that breaks the program down waits like one that its bank does not take.
pub(super) fn defect() -> NewHold {
    NewHold {
        reason: HoldReason::NotAccepted,
        detail: "系统写不出这一笔，原因在程序，请银行技术人员检查".to_owned(),
    }
}

/// That a message broke the writer down is a fault of the message, and not the end of the daemon (F56).
pub(super) fn broke_down(kind: MessageKind) -> DataError {
    DataError {
        message: kind,
        part: None,
        record: 0,
        field: String::new(),
        offset: None,
        found: String::new(),
        expected: "what this program can write".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::spoken::data_error;
    use crate::format::{Format, Key, Value, example};

    /// A payment; one of nobody breaks down whoever wants to know the payee.
    struct Payment(Option<&'static str>);

    impl Source for Payment {
        fn get(&self, key: Key) -> Option<Value<'_>> {
            match key {
                Key::PayeeName => Some(Value::Text(self.0.expect("a payee"))),
                Key::Account => Some(Value::Text("6217000000000000001")),
                Key::Amount => Some(Value::Amount(Fen::new(100))),
                Key::Summary => Some(Value::Text("补贴")),
                Key::DocumentNumber => Some(Value::Text("11010519491231002X")),
                Key::PoolAccount => Some(Value::Text("6107280000000000001")),
                _ => None,
            }
        }
    }

    #[test]
    fn f56_a_payment_that_breaks_the_writer_down_is_set_aside_and_the_others_go() {
        let text = example::example("example-city-xml").expect("it ships");
        let format = Format::compile("example-city-xml", text).expect("compiles");
        let mut fitter = format.fitter(MessageKind::PaymentRequest);
        let payments = [Payment(Some("王一")), Payment(None), Payment(Some("李三"))];
        let mut held =
            |payment: &Payment| misfit(&mut fitter, &payments[0], payment).map(|hold| hold.reason);
        let reasons: Vec<_> = payments.iter().map(&mut held).collect();
        assert_eq!(reasons, [None, Some(HoldReason::NotAccepted), None]);
        // All of them at once, as convert writes them.
        let words = data_error(&broke_down(MessageKind::PaymentRequest));
        assert!(words.contains("本程序写得出的内容"), "{words}");
    }
}
