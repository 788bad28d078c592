//! What finance sends: the JSON of the contract, and how it becomes the model's words.
//!
//! A field that the contract does not know is refused like one that is missing: both mean that the
//! two sides speak of different contracts, and a payment is no place to find that out. Errors say
//! where and what was expected, and never repeat what was found, because a shifted column may put
//! a person's number anywhere (I27).

mod head;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::finance::report::ReplacesRef;
use crate::finance::spoken::{self, Sha256, When, Yuan, amount_words};
use crate::finance::{Acknowledged, Decision, FinanceError, Listed, Page, RegisterEvent, Verdict};
use crate::model::money::Fen;
use crate::model::payment::{Line, Replaces};
use crate::model::person::Person;
use crate::model::register::{Fault, RegisterHead};

pub use crate::finance::wire::head::{nothing_read, read_head};

/// A part of a list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageWire<T> {
    pub items: Vec<T>,
    #[serde(deserialize_with = "spoken::nullable")]
    pub next: Option<String>,
}

/// An entry of the list of registers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedWire {
    pub cursor: String,
    pub id: String,
    pub revision: i64,
    #[serde(with = "spoken::register_event")]
    pub event: RegisterEvent,
}

/// A decision on a payment that was set aside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionWire {
    pub cursor: String,
    pub register: String,
    pub revision: i64,
    pub line: i64,
    #[serde(with = "spoken::verdict")]
    pub action: Verdict,
    pub by: String,
    pub reason: String,
}

/// The head of a register.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadWire {
    pub id: String,
    pub revision: i64,
    pub programme_code: String,
    pub programme_name: String,
    pub summary: String,
    pub department: String,
    pub town: String,
    pub document_no: String,
    pub period: String,
    pub entered_by: String,
    pub reviewed_by: String,
    pub approved_at: When,
    #[serde(deserialize_with = "spoken::nullable")]
    pub funded_at: Option<When>,
    pub pool_account: String,
    pub voucher_no: String,
    pub declared_count: i64,
    pub declared_sum: Yuan,
    pub digest: Sha256,
}

/// A line of a register. Personal data: not `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineWire {
    pub line: i64,
    pub name: String,
    pub document_kind: String,
    pub document_number: String,
    pub bank: String,
    pub account: String,
    pub phone: String,
    pub village: String,
    pub amount: Yuan,
    #[serde(
        default,
        deserialize_with = "spoken::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub replaces: Option<ReplacesRef>,
}

/// Finance has a report.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgedWire {
    pub report_id: String,
    pub acknowledged_at: When,
}

/// Why finance says no. Never holds personal data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// A word for programs.
    pub error: String,
    /// A sentence for people.
    pub what: String,
}

/// May this stand as an id in a path, a file name and a report? 1 to 64 letters, digits, points,
/// dashes and underscores, and not only points.
pub fn id_is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && id.bytes().any(|b| b != b'.')
}

/// Reads an answer that is one JSON document.
///
/// # Errors
/// [`FinanceError::Protocol`] with the place, and nothing of what was found there.
pub fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, FinanceError> {
    let mut input = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let path = error.path().to_string();
        FinanceError::Protocol(format!("at {path}: {}", json_words(error.inner())))
    })?;
    input.end().map_err(|error| FinanceError::Protocol(json_words(&error)))?;
    Ok(read)
}

/// What serde says, as far as it repeats nothing of the input but names of fields.
pub fn json_words(error: &serde_json::Error) -> String {
    const SAFE: [&str; 8] = [
        "missing field",
        "unknown field",
        "duplicate field",
        "an amount",
        "the amount",
        "a time",
        "a digest",
        "not a word",
    ];
    let text = error.to_string();
    if error.is_data() && SAFE.iter().any(|safe| text.starts_with(safe)) {
        return text.chars().take(200).collect();
    }
    let what = match error.classify() {
        serde_json::error::Category::Data => "not of the type that the contract says",
        serde_json::error::Category::Eof => "it ends too early",
        _ => "it is not JSON",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

impl From<PageWire<ListedWire>> for Page<Listed> {
    fn from(page: PageWire<ListedWire>) -> Self {
        let items = page.items.into_iter().map(|item| Listed {
            cursor: item.cursor,
            id: item.id,
            revision: item.revision,
            event: item.event,
        });
        Self { items: items.collect(), next: page.next }
    }
}

impl From<PageWire<DecisionWire>> for Page<Decision> {
    fn from(page: PageWire<DecisionWire>) -> Self {
        let items = page.items.into_iter().map(|item| Decision {
            cursor: item.cursor,
            register: item.register,
            revision: item.revision,
            line: item.line,
            action: item.action,
            by: item.by,
            reason: item.reason,
        });
        Self { items: items.collect(), next: page.next }
    }
}

impl From<HeadWire> for RegisterHead {
    fn from(head: HeadWire) -> Self {
        Self {
            id: head.id,
            revision: head.revision,
            programme_code: head.programme_code,
            programme_name: head.programme_name,
            summary: head.summary,
            department: head.department,
            town: head.town,
            document_no: head.document_no,
            period: head.period,
            entered_by: head.entered_by,
            reviewed_by: head.reviewed_by,
            approved_at_ms: head.approved_at.0,
            funded_at_ms: head.funded_at.map(|at| at.0),
            pool_account: head.pool_account,
            voucher_no: head.voucher_no,
            declared_count: head.declared_count,
            declared_sum: head.declared_sum.0,
            digest: head.digest.0,
        }
    }
}

impl From<&RegisterHead> for HeadWire {
    fn from(head: &RegisterHead) -> Self {
        Self {
            id: head.id.clone(),
            revision: head.revision,
            programme_code: head.programme_code.clone(),
            programme_name: head.programme_name.clone(),
            summary: head.summary.clone(),
            department: head.department.clone(),
            town: head.town.clone(),
            document_no: head.document_no.clone(),
            period: head.period.clone(),
            entered_by: head.entered_by.clone(),
            reviewed_by: head.reviewed_by.clone(),
            approved_at: When(head.approved_at_ms),
            funded_at: head.funded_at_ms.map(When),
            pool_account: head.pool_account.clone(),
            voucher_no: head.voucher_no.clone(),
            declared_count: head.declared_count,
            declared_sum: Yuan(head.declared_sum),
            digest: Sha256(head.digest),
        }
    }
}

impl From<AcknowledgedWire> for Acknowledged {
    fn from(wire: AcknowledgedWire) -> Self {
        Self { report_id: wire.report_id, acknowledged_at_ms: wire.acknowledged_at.0 }
    }
}

impl From<LineWire> for Line {
    fn from(wire: LineWire) -> Self {
        Self {
            line: wire.line,
            person: Person {
                name: wire.name,
                document_kind: wire.document_kind,
                document_number: wire.document_number,
                account: wire.account,
                phone: wire.phone,
            },
            bank: wire.bank,
            village: wire.village,
            amount: wire.amount.0,
            replaces: wire.replaces.map(|replaced| Replaces {
                register_id: replaced.register,
                revision: replaced.revision,
                line: replaced.line,
            }),
        }
    }
}

impl From<Line> for LineWire {
    fn from(line: Line) -> Self {
        Self {
            line: line.line,
            name: line.person.name,
            document_kind: line.person.document_kind,
            document_number: line.person.document_number,
            bank: line.bank,
            account: line.person.account,
            phone: line.person.phone,
            village: line.village,
            amount: Yuan(line.amount),
            replaces: line.replaces.map(|replaced| ReplacesRef {
                register: replaced.register_id,
                revision: replaced.revision,
                line: replaced.line,
            }),
        }
    }
}

/// Reads one line of a register; `ordinal` counts the lines of the stream from 1.
///
/// # Errors
/// A fault with the line, the field, and what was expected there.
pub fn read_line(raw: &[u8], ordinal: i64) -> Result<Line, Fault> {
    serde_json::from_slice::<LineWire>(raw)
        .map(Line::from)
        .map_err(|error| locate(raw, ordinal, &error))
}

/// The fields of a line that are text.
const TEXTS: [&str; 7] =
    ["name", "document_kind", "document_number", "bank", "account", "phone", "village"];

/// Finds what is wrong with a line that could not be read. Slow, and only for such lines.
fn locate(raw: &[u8], ordinal: i64, error: &serde_json::Error) -> Fault {
    let fault =
        |line, field, what: &str| Fault::new(Some(line), field, what, unreadable_chinese(field));
    let Ok(value) = serde_json::from_slice::<Value>(raw) else {
        return fault(ordinal, "line", &format!("{} (row {ordinal})", json_words(error)));
    };
    let Value::Object(fields) = value else {
        return fault(ordinal, "line", "a payment is a JSON object");
    };
    let line = fields.get("line").and_then(Value::as_i64).unwrap_or(ordinal);
    let wrong = wrong_number(&fields)
        .or_else(|| TEXTS.into_iter().find_map(|name| wrong_text(&fields, name)))
        .or_else(|| wrong_amount(&fields))
        .or_else(|| wrong_replaced(&fields));
    let known =
        |name: &str| TEXTS.contains(&name) || ["line", "amount", "replaces"].contains(&name);
    match wrong {
        Some((field, what)) => fault(line, field, what),
        None if !fields.keys().all(|name| known(name)) => {
            fault(line, "line", "it has a field that the contract does not know")
        }
        None => fault(line, "line", "it has not the shape of the contract"),
    }
}

/// What a person does about a line that cannot be read.
const fn unreadable_chinese(field: &str) -> &'static str {
    match field.as_bytes() {
        b"amount" => {
            "金额缺失或写法不对：应为大于零的数字，最多两位小数，不带逗号和单位，例如 1234.50。请更正"
        }
        b"line" => "这一行的行号缺失，或整行的写法不符合接口约定。请财政技术人员检查这一行",
        b"replaces" => "“替换原明细”应写明清册编号、版本和行号。请补全",
        _ => "这一项缺失或不是文字。请补填或更正",
    }
}

type Wrong = Option<(&'static str, &'static str)>;

fn wrong_number(fields: &Map<String, Value>) -> Wrong {
    match fields.get("line") {
        None => Some(("line", "it is missing")),
        Some(value) if value.as_i64().is_none() => Some(("line", "a line number is an integer")),
        Some(_) => None,
    }
}

fn wrong_text(fields: &Map<String, Value>, name: &'static str) -> Wrong {
    match fields.get(name) {
        None => Some((name, "it is missing")),
        Some(Value::String(_)) => None,
        Some(_) => Some((name, "it is text")),
    }
}

fn wrong_amount(fields: &Map<String, Value>) -> Wrong {
    match fields.get("amount") {
        None => Some(("amount", "it is missing")),
        Some(Value::String(text)) => {
            Fen::parse_yuan(text).err().map(|error| ("amount", amount_words(&error)))
        }
        Some(_) => Some(("amount", "an amount is a decimal string, never a JSON number")),
    }
}

fn wrong_replaced(fields: &Map<String, Value>) -> Wrong {
    let replaces = fields.get("replaces")?;
    let read = serde_json::from_value::<ReplacesRef>(replaces.clone());
    read.is_err().then_some(("replaces", "it names register, revision and line"))
}

#[cfg(test)]
mod tests;
