//! The head of a register: read whole, or every fault of it named.
//!
//! Whoever signed a head meant it. Where it cannot be a register's, asking again brings the same, so
//! all that is wrong with it is found at once, and what could be read is kept beside it: finance gets a
//! refusal that says what to mend, and the page shows which register it was.

use serde_json::{Map, Value};

use crate::finance::spoken::{When, amount_words};
use crate::finance::wire::{HeadWire, json_words, read};
use crate::finance::{Faulty, FinanceError};
use crate::guard::digest::sha256;
use crate::guard::key::unhex;
use crate::model::money::Fen;
use crate::model::register::{Fault, RegisterHead};

/// Reads the head of a register that was asked for by its id and revision.
///
/// # Errors
/// [`FinanceError::Faulty`] with every fault, where it is no head of this register.
pub fn read_head(body: &[u8], id: &str, revision: i64) -> Result<RegisterHead, FinanceError> {
    let read = read::<HeadWire>(body).map(RegisterHead::from);
    let mut found = Found::new(id, revision, body);
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(fields)) => found.look(&fields),
        Ok(_) => found.fault("id", "a head is a JSON object", "表头的写法不符合接口约定"),
        Err(error) => found.fault("id", &json_words(&error), "表头的写法不符合接口约定"),
    }
    match read {
        Ok(head) if found.0.faults.is_empty() => Ok(head),
        Ok(_) => Err(FinanceError::Faulty(Box::new(found.0))),
        Err(cause) => {
            if found.0.faults.is_empty() {
                found.fault("id", &cause.to_string(), "表头的写法不符合接口约定");
            }
            Err(FinanceError::Faulty(Box::new(found.0)))
        }
    }
}

/// A head of which nothing is known but whose it is.
pub fn nothing_read(id: &str, revision: i64) -> Faulty {
    Found::new(id, revision, &[]).0
}

/// The fields of a head that are text.
const TEXTS: [&str; 12] = [
    "id",
    "programme_code",
    "programme_name",
    "summary",
    "department",
    "town",
    "document_no",
    "period",
    "entered_by",
    "reviewed_by",
    "pool_account",
    "voucher_no",
];
/// And those that are not.
const OTHERS: [&str; 6] =
    ["revision", "approved_at", "funded_at", "declared_count", "declared_sum", "digest"];

/// What is found on the way through a head.
struct Found(Faulty);

impl Found {
    fn new(id: &str, revision: i64, body: &[u8]) -> Self {
        let head = RegisterHead {
            id: id.to_owned(),
            revision,
            programme_code: String::new(),
            programme_name: String::new(),
            summary: String::new(),
            department: String::new(),
            town: String::new(),
            document_no: String::new(),
            period: String::new(),
            entered_by: String::new(),
            reviewed_by: String::new(),
            approved_at_ms: 0,
            funded_at_ms: None,
            pool_account: String::new(),
            voucher_no: String::new(),
            declared_count: 0,
            declared_sum: Fen::ZERO,
            // The same head again is known by its bytes where it states no digest of its own.
            digest: sha256(body),
        };
        Self(Faulty { head, faults: Vec::new() })
    }

    fn fault(&mut self, field: &'static str, what: &str, chinese: &str) {
        let chinese = format!("{chinese}。请更正后重新下达");
        self.0.faults.push(Fault::new(None, field, what, chinese));
    }

    fn look(&mut self, fields: &Map<String, Value>) {
        for field in TEXTS {
            self.text(fields, field);
        }
        self.identity(fields);
        self.number(fields);
        self.sum(fields);
        self.times(fields);
        self.digest(fields);
        let known = |name: &str| TEXTS.contains(&name) || OTHERS.contains(&name);
        if !fields.keys().all(|name| known(name)) {
            let chinese = "表头中有接口约定没有的项目";
            self.fault("id", "it has a field that the contract does not know", chinese);
        }
    }

    fn text(&mut self, fields: &Map<String, Value>, field: &'static str) {
        match fields.get(field) {
            None => self.fault(field, "it is missing", "缺少这一项"),
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                self.fault(field, "it holds a control character", "含有控制字符（如换行、制表符）");
            }
            Some(Value::String(text)) => {
                if let Some(place) = self.place(field) {
                    text.clone_into(place);
                }
            }
            Some(_) => self.fault(field, "it is text", "应为文字"),
        }
    }

    /// Where a text is kept; the identity stays what was asked for.
    fn place(&mut self, field: &str) -> Option<&mut String> {
        let head = &mut self.0.head;
        Some(match field {
            "programme_code" => &mut head.programme_code,
            "programme_name" => &mut head.programme_name,
            "summary" => &mut head.summary,
            "department" => &mut head.department,
            "town" => &mut head.town,
            "document_no" => &mut head.document_no,
            "period" => &mut head.period,
            "entered_by" => &mut head.entered_by,
            "reviewed_by" => &mut head.reviewed_by,
            "pool_account" => &mut head.pool_account,
            "voucher_no" => &mut head.voucher_no,
            _ => return None,
        })
    }

    fn identity(&mut self, fields: &Map<String, Value>) {
        let asked = &self.0.head;
        if fields.get("id").is_some_and(|id| id.is_string() && id.as_str() != Some(&asked.id)) {
            self.fault("id", "it is another register's", "表头中的清册编号与列表不同");
        }
        let revision = self.0.head.revision;
        if fields.get("revision").and_then(Value::as_i64) != Some(revision) {
            self.fault(
                "revision",
                "it is not the revision that is listed",
                "表头中的版本与列表不同",
            );
        }
    }

    fn number(&mut self, fields: &Map<String, Value>) {
        match fields.get("declared_count").map(Value::as_i64) {
            Some(Some(count)) => self.0.head.declared_count = count,
            None => self.fault("declared_count", "it is missing", "缺少这一项"),
            Some(None) => self.fault("declared_count", "it is a whole number", "应为整数"),
        }
    }

    fn sum(&mut self, fields: &Map<String, Value>) {
        let field = "declared_sum";
        match fields.get(field) {
            None => self.fault(field, "it is missing", "缺少这一项"),
            Some(Value::String(text)) => match Fen::parse_yuan(text) {
                Ok(sum) => self.0.head.declared_sum = sum,
                Err(error) => {
                    let chinese = "金额写法不对或超出系统上限：应为数字，最多两位小数，不带逗号和单位，例如 1234.50";
                    self.fault(field, amount_words(&error), chinese);
                }
            },
            Some(_) => {
                let what = "an amount is a decimal string, never a JSON number";
                self.fault(field, what, "金额应以文字写出，例如 \"1234.50\"");
            }
        }
    }

    fn times(&mut self, fields: &Map<String, Value>) {
        let what = "a time is RFC 3339 with its offset and at most milliseconds";
        let chinese = "时间写法不对：应带时区，例如 2026-11-23T15:49:04+08:00";
        let read = |value: &Value| value.as_str().and_then(When::parse);
        match fields.get("approved_at").map(read) {
            Some(Some(When(at_ms))) => self.0.head.approved_at_ms = at_ms,
            None => self.fault("approved_at", "it is missing", "缺少这一项"),
            Some(None) => self.fault("approved_at", what, chinese),
        }
        match fields.get("funded_at") {
            None => self.fault("funded_at", "it is missing", "缺少这一项；未到账时写 null"),
            Some(Value::Null) => {}
            Some(value) => match read(value) {
                Some(When(at_ms)) => self.0.head.funded_at_ms = Some(at_ms),
                None => self.fault("funded_at", what, chinese),
            },
        }
    }

    fn digest(&mut self, fields: &Map<String, Value>) {
        let stated = fields.get("digest").and_then(Value::as_str).and_then(unhex);
        if let Some(digest) = stated {
            self.0.head.digest = digest;
        } else {
            let what = "a digest is 64 hexadecimal digits";
            self.fault("digest", what, "校验摘要缺失或写法不对：应为 64 位十六进制数字");
        }
    }
}
