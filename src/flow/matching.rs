//! Matching: lines of a bank's answer to payments of the batch, by their place in it or by what they
//! say of the payment, and only where account and amount are those that were sent (I12).

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::flow::sealed::seal_words;
use crate::flow::spoken::{data_error, key_name};
use crate::flow::twice::Once;
use crate::flow::values::RowValues;
use crate::format::{DataError, Format, Item, Key, MessageKind, Part, Record, Source, Value};
use crate::guard::seal::Sealer;
use crate::model::id::AttemptNo;
use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::OutcomeKind;
use crate::model::reason::Reason;
use crate::model::report::harmless;
use crate::store::bank_references::REFERENCES_MAX;
use crate::store::payment_serials::Doubled;
use crate::store::results::{CREDITED_TWICE, Quarantined, TakenRow};
use crate::transport::names;

/// The rows of an answer, matched.
#[derive(Debug, Default)]
pub struct Matched {
    pub rows: Vec<TakenRow>,
    pub quarantined: Vec<Quarantined>,
    /// What the bank calls what we sent: several numbers where it split it.
    pub bank_references: Vec<String>,
    /// What the bank calls single payments, where a later answer names them by that: line and number, as
    /// far as that is new.
    pub serials: BTreeMap<i64, String>,
}

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// It does not close as a whole, in Chinese: it is held, and changes nothing (design 4.4).
    Held(String),
    /// It names payments by numbers of the bank that no answer has told yet: it waits for that one.
    Early,
}

impl From<String> for NotTaken {
    fn from(why: String) -> Self {
        Self::Held(why)
    }
}

/// What a batch is known by.
pub struct Sent<'a> {
    pub attempt: AttemptNo,
    pub reference: &'a str,
    /// In their order: the ordinal of a payment is its place here, from 1.
    pub members: &'a [RowValues],
    /// What the bank called its payments so far: number and line.
    pub serials: &'a HashMap<String, i64>,
    /// Where it was handed over again after nobody knew what became of it: what the bank told of its payments. None
    /// where they are matched by these numbers.
    pub doubled: Option<&'a Doubled>,
}

/// Reads an answer and matches its rows to the members of the batch, which are in their order.
///
/// # Errors
/// Why it is not taken now, or not at all.
pub fn match_rows(
    format: &Format,
    kind: MessageKind,
    parts: &[Part],
    sent: &Sent<'_>,
    sealer: &Sealer,
) -> Result<Matched, NotTaken> {
    let Sent { attempt, members, .. } = *sent;
    let mut matched = Matched::default();
    let mut told = HashSet::new();
    let unread = |fault: DataError| {
        tracing::warn!(%attempt, %fault, "a result cannot be read");
        data_error(&fault)
    };
    let mut reading = format.read(kind, parts).map_err(unread)?;
    let places = Places::new(format, kind, sent);
    let tells_serials = format.tells_serials(kind);
    let mut credited = Credited::default();
    let mut once = Once::of(sent.doubled);
    let mut row_no = 0;
    while let Some(item) = reading.next().map_err(unread)? {
        note_reference(&item, &mut matched.bank_references)?;
        match item {
            Item::Head(record) | Item::Tail(record) if of_another(record, sent) => {
                return Err(ANOTHER.to_owned().into());
            }
            Item::Head(record) | Item::Tail(record) => credited.note(record),
            Item::BadRow(fault) => {
                row_no += 1;
                matched.quarantined.push(aside(row_no, ("unreadable", unread(fault), None)));
            }
            Item::Row(record) if of_another(record, sent) => {
                row_no += 1;
                let other = ("other_batch", ANOTHER.to_owned(), None);
                matched.quarantined.push(aside(row_no, other));
            }
            Item::Row(record) => {
                row_no += 1;
                match match_row(format, kind, record, attempt, &places, sealer) {
                    Ok(row) => {
                        if let Some((cause, detail)) = once.is_doubtful(record, &row) {
                            let why = (cause, detail, Some(row.line));
                            matched.quarantined.push(aside(row_no, why));
                            continue;
                        }
                        if tells_serials {
                            note_serial(record, row.line, sent.serials, &mut matched.serials)?;
                        }
                        // The same line with the same word twice in one file is one.
                        if told.insert((row.line, row.kind, row.notice)) {
                            matched.rows.push(row);
                        }
                    }
                    Err((UNKNOWN, ..)) if places.wait_for_serials(sent) => {
                        return Err(NotTaken::Early);
                    }
                    Err(why) => matched.quarantined.push(aside(row_no, why)),
                }
            }
        }
    }
    if format.failures_only(kind) {
        infer_credits(&mut matched, &credited, attempt, members, sealer)?;
    } else if format.rows_without_account(kind) {
        names_all(&matched, members)?;
    }
    one_payment_each(&matched.serials)?;
    if !tells_serials {
        matched.serials = once.new_serials(sent.serials);
    }
    Ok(matched)
}

/// What is told of an answer, or a row of one, that names another batch than the one it is taken for.
pub const ANOTHER: &str = "报文中的流水号不是所问的流水号";

/// Does it name another batch? Line, account and amount are the same from month to month of one programme: they do
/// not tell that an answer on a line is about something else (I12).
fn of_another(record: &Record, sent: &Sent<'_>) -> bool {
    let mut named = [Key::Reference, Key::OriginalReference].into_iter();
    named.any(|key| record.text(key).is_some_and(|reference| reference != sent.reference))
}

/// Takes up what the bank calls a payment.
///
/// # Errors
/// In Chinese, that it called it otherwise, or another one so: nothing can be matched by such numbers.
fn note_serial(
    record: &Record,
    line: i64,
    known: &HashMap<String, i64>,
    new: &mut BTreeMap<i64, String>,
) -> Result<(), String> {
    let Some(serial) = record.text(Key::BankSerial) else { return Ok(()) };
    let other = "同一个银行流水号先后对应两笔明细，不能据此核对以后的结果".to_owned();
    match known.get(serial) {
        Some(named) if *named == line => return Ok(()),
        Some(_) => return Err(other),
        None => {}
    }
    match new.insert(line, serial.to_owned()) {
        Some(before) if before != serial => {
            Err("同一笔明细在一份答复中有两个银行流水号".to_owned())
        }
        _ => Ok(()),
    }
}

/// # Errors
/// As of [`note_serial`].
fn one_payment_each(serials: &BTreeMap<i64, String>) -> Result<(), String> {
    let different: HashSet<&String> = serials.values().collect();
    if different.len() == serials.len() {
        return Ok(());
    }
    Err("一份答复中有两笔明细的银行流水号相同，不能据此核对以后的结果".to_owned())
}

/// Rows that name payments by their places alone are about this batch only where they are about all of it,
/// to the fen: the amounts were compared one by one.
fn names_all(matched: &Matched, members: &[RowValues]) -> Result<(), String> {
    // An answer about the whole may have no rows, and then says nothing of any payment.
    if matched.rows.is_empty() && matched.quarantined.is_empty() {
        return Ok(());
    }
    // A second credit is about a payment of it too.
    let twice = |aside: &Quarantined| aside.cause == CREDITED_TWICE;
    let again =
        matched.quarantined.iter().filter(|aside| twice(aside)).filter_map(|aside| aside.line);
    let named: HashSet<i64> = matched.rows.iter().map(|row| row.line).chain(again).collect();
    if matched.quarantined.iter().all(twice) && named.len() == members.len() {
        return Ok(());
    }
    let (named, all) = (named.len(), members.len());
    Err(format!(
        "明细只有序号、没有账号，应逐笔列出本批全部 {all} 笔且金额相符，实际对上 {named} 笔，不予采信"
    ))
}

/// Takes up what a record calls the attempt.
///
/// # Errors
/// In Chinese, that these are no numbers of parts of it: there are too many.
pub fn note_reference(item: &Item<'_>, known: &mut Vec<String>) -> Result<(), String> {
    let record = match item {
        Item::Head(record) | Item::Tail(record) | Item::Row(record) => record,
        Item::BadRow(_) => return Ok(()),
    };
    if let Some(reference) = record.text(Key::BankReference)
        && !known.iter().any(|other| other == reference)
    {
        if known.len() == REFERENCES_MAX {
            return Err(format!(
                "银行编号超过 {REFERENCES_MAX} 个；逐笔的银行流水号在格式中应为 bank_serial"
            ));
        }
        known.push(reference.to_owned());
    }
    Ok(())
}

/// What the bank says it credited, where it lists what it did not.
#[derive(Default)]
struct Credited {
    count: Option<i64>,
    sum: Option<Fen>,
}

impl Credited {
    fn note(&mut self, record: &Record) {
        self.count = record.int(Key::CreditedCount).or(self.count);
        self.sum = record.amount(Key::CreditedSum).or(self.sum);
    }
}

/// Payments that a list of failures does not name were credited - if every row of it was understood,
/// and the bank's own count and sum of its credits are those of the payments that are left (design
/// 4.5). Otherwise the file is held, and changes nothing.
fn infer_credits(
    matched: &mut Matched,
    credited: &Credited,
    attempt: AttemptNo,
    members: &[RowValues],
    sealer: &Sealer,
) -> Result<(), String> {
    if !matched.quarantined.is_empty() {
        return Err("失败清单中有无法对应的行，不能据此推定其余各笔已入账".to_owned());
    }
    let failed: HashSet<i64> = matched.rows.iter().map(|row| row.line).collect();
    if matched.rows.iter().any(|row| row.kind == Some(OutcomeKind::Credited)) {
        return Err("失败清单中有成功的行，与格式约定不符".to_owned());
    }
    let left: Vec<&RowValues> =
        members.iter().filter(|member| !failed.contains(&member.line)).collect();
    let sum = left.iter().try_fold(Fen::ZERO, |sum, member| sum.checked_add(member.amount));
    let count = i64::try_from(left.len()).unwrap_or(i64::MAX);
    if credited.count != Some(count) || credited.sum.is_none() || credited.sum != sum {
        let told = |count: Option<i64>, sum: Option<Fen>| {
            let sum = sum.map_or_else(|| "无".to_owned(), Fen::yuan);
            format!("{} 笔 {sum} 元", count.unwrap_or(0))
        };
        return Err(format!(
            "银行所报成功 {}，与除失败清单外的 {} 不符，不能推定其余各笔已入账",
            told(credited.count, credited.sum),
            told(Some(count), sum)
        ));
    }
    matched.rows.extend(left.into_iter().map(|member| TakenRow {
        line: member.line,
        amount: member.amount,
        kind: Some(OutcomeKind::Credited),
        reason: None,
        code: String::new(),
        words: seal_words(sealer, attempt, member.line, ""),
        notice: None,
    }));
    Ok(())
}

/// The cause of a row that is about no payment of the batch.
const UNKNOWN: &str = "unknown_payment";

/// Where in a batch each payment is found.
struct Places<'m> {
    members: &'m [RowValues],
    by: &'m [Key],
    /// By the values that tell payments apart; several where they do not.
    known: HashMap<Vec<String>, Vec<usize>>,
}

impl<'m> Places<'m> {
    fn new(format: &'m Format, kind: MessageKind, sent: &Sent<'m>) -> Self {
        let Sent { reference, members, serials, .. } = *sent;
        let by = format.matching(kind);
        let mut known: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        if by.contains(&Key::BankSerial) {
            let places: HashMap<i64, usize> =
                members.iter().enumerate().map(|(at, member)| (member.line, at)).collect();
            for (serial, line) in serials {
                let at = places.get(line).copied();
                known.entry(vec![serial.clone()]).or_default().extend(at);
            }
        } else if !by.contains(&Key::Ordinal) {
            let named = by.contains(&Key::RowReference);
            for (at, row) in members.iter().enumerate() {
                let reference =
                    named.then(|| format.row_reference(reference, row.ordinal)).flatten();
                let member = Member { row, reference };
                known.entry(telling(by, &member)).or_default().push(at);
            }
        }
        Self { members, by, known }
    }

    fn find(&self, record: &Record) -> Result<&'m RowValues, Mismatch> {
        if self.by.contains(&Key::Ordinal) {
            let place = record
                .int(Key::Ordinal)
                .and_then(|ordinal| usize::try_from(ordinal).ok())
                .and_then(|ordinal| ordinal.checked_sub(1));
            return place.and_then(|at| self.members.get(at)).ok_or_else(|| {
                let detail = format!("本批只有序号 1 到 {}", self.members.len());
                (UNKNOWN, detail, None)
            });
        }
        let names: Vec<&str> = self.by.iter().map(|key| key_name(*key)).collect();
        let names = names.join("、");
        match self.known.get(&telling(self.by, record)).map(Vec::as_slice) {
            Some([at]) => Ok(&self.members[*at]),
            Some(several) => {
                let detail = format!("本批有 {} 笔{names}与它相同", several.len());
                Err(("ambiguous", detail, None))
            }
            None => Err((UNKNOWN, format!("本批没有{names}与它相同的明细"), None)),
        }
    }

    /// Are rows matched by numbers of the bank, and does it still owe some of them?
    fn wait_for_serials(&self, sent: &Sent<'_>) -> bool {
        if !self.by.contains(&Key::BankSerial) {
            return false;
        }
        let named: HashSet<i64> = sent.serials.values().copied().collect();
        named.len() < self.members.len()
    }
}

/// A payment with the reference that its request gave it.
struct Member<'m> {
    row: &'m RowValues,
    reference: Option<String>,
}

impl Source for Member<'_> {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        match key {
            Key::RowReference => self.reference.as_deref().map(Value::Text),
            _ => self.row.get(key),
        }
    }
}

/// The values that tell a payment from others, as texts.
pub fn telling(by: &[Key], source: &dyn Source) -> Vec<String> {
    let text = |key: &Key| match source.get(*key) {
        Some(Value::Text(text)) => text.to_owned(),
        Some(Value::Amount(fen)) => fen.yuan(),
        Some(Value::Int(number) | Value::Decimal(number)) => number.to_string(),
        Some(Value::Moment(moment)) => moment.to_string(),
        None => String::new(),
    };
    by.iter().map(text).collect()
}

type Mismatch = (&'static str, String, Option<i64>);

fn aside(row: i64, (cause, detail, line): Mismatch) -> Quarantined {
    Quarantined { row, cause, detail, line }
}

fn match_row(
    format: &Format,
    kind: MessageKind,
    record: &Record,
    attempt: AttemptNo,
    places: &Places<'_>,
    sealer: &Sealer,
) -> Result<TakenRow, Mismatch> {
    let member = places.find(record)?;
    let line = Some(member.line);
    // What is there is compared. An account may be missing only where the description says so, or where
    // the row has a reference of ours, or one that the bank told beside the account.
    let account = record.text(Key::Account);
    let named = [Key::RowReference, Key::BankSerial].iter().any(|key| places.by.contains(key))
        || format.rows_without_account(kind);
    if account != Some(member.person.account.as_str()) && !(named && account.is_none()) {
        return Err(("account_differs", "应为发送时的账号".to_owned(), line));
    }
    if record.amount(Key::Amount).is_some_and(|amount| amount != member.amount) {
        return Err(("amount_differs", format!("应为发送时的 {} 元", member.amount), line));
    }
    let (mut outcome, mut reason): (Option<OutcomeKind>, Option<Reason>) = (None, None);
    let code = record.text(Key::Code).unwrap_or_default();
    if !code.is_empty() {
        let Some(meaning) = format.row_meaning(kind, code) else {
            return Err(("code_unknown", unknown_code("返回码", code), line));
        };
        outcome = meaning.outcome;
        reason = meaning.reason;
    }
    let mut notice: Option<NoticeState> = None;
    let notice_code = record.text(Key::NoticeCode).unwrap_or_default();
    if !notice_code.is_empty() {
        notice = format.notice(kind, notice_code);
        if notice.is_none() {
            return Err(("code_unknown", unknown_code("短信状态码", notice_code), line));
        }
    }
    let reason = match outcome {
        Some(OutcomeKind::Failed) => reason.or(Some(Reason::Other)),
        Some(OutcomeKind::Returned) => reason.or(Some(Reason::Returned)),
        // A format knows no decisions of people.
        Some(OutcomeKind::Credited | OutcomeKind::SettledCredited | OutcomeKind::SettledFailed)
        | None => None,
    };
    let words = match outcome {
        Some(OutcomeKind::Failed | OutcomeKind::Returned) => {
            record.text(Key::Text).unwrap_or_default()
        }
        Some(_) | None => "",
    };
    Ok(TakenRow {
        line: member.line,
        amount: member.amount,
        kind: outcome,
        reason,
        code: code.to_owned(),
        words: seal_words(sealer, attempt, member.line, words),
        notice,
    })
}

/// A code that the format does not know, without what may be a person's where columns are shifted (I27).
pub(super) fn unknown_code(what: &str, code: &str) -> String {
    let shown = names::shown(&harmless(code, []));
    format!("{what} {shown:?} 不在格式的代码表中")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i27_an_unknown_code_is_told_without_what_may_be_a_persons() {
        let told = |code| unknown_code("返回码", code);
        assert_eq!(told("E105"), "返回码 \"E105\" 不在格式的代码表中");
        assert_eq!(told("6200000000000106252"), "返回码 \"***\" 不在格式的代码表中");
        assert_eq!(told("张三"), "返回码 \"**\" 不在格式的代码表中");
    }
}
