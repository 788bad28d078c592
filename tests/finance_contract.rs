//! Keeps `src/finance/openapi.yaml` true: what really passes between our client and the practice
//! finance is held against the file, field by field, in both directions.

#[path = "finance_contract/proxy.rs"]
mod proxy;
#[path = "finance_contract/reports.rs"]
mod reports;
#[path = "finance_contract/schema.rs"]
mod schema;

use std::collections::BTreeSet;
use std::sync::Arc;

use daifa::clock::ManualClock;
use daifa::finance::http::{HttpFinance, Settings};
use daifa::finance::{Finance, FinanceError};
use daifa::guard::key::Key;
use daifa::model::register::RegisterHead;
use daifa::sandbox::finance::{Handle, Options, start};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::proxy::{Exchange, Proxy};
use crate::schema::Contract;

const NOW: i64 = 1_795_420_144_000;

/// A practice finance, a proxy in front of it that keeps and replaces what passes, and our client.
struct Sides {
    handle: Handle,
    proxy: Arc<Proxy>,
    client: HttpFinance,
    stranger: HttpFinance,
    _data: tempfile::TempDir,
}

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

async fn sides() -> Sides {
    let data = tempfile::tempdir().expect("folder");
    let clock = Arc::new(ManualClock::at(NOW));
    let options = Options {
        payments: 40,
        data: data.path().to_owned(),
        key_id: "k1".to_owned(),
        key: key(3),
        ..Options::practice()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let handle = start(options, listener, clock.clone()).expect("starts");
    let client = |base: &str, key| {
        let settings = Settings::new("practice", base, "k1", key);
        HttpFinance::new(settings, clock.clone()).expect("client")
    };
    // The first client also installs the provider of TLS that the proxy's own needs.
    drop(client(&handle.base_url(), key(3)));
    let proxy = Proxy::start(handle.base_url(), key(3)).await;
    let stranger = client(&proxy.base_url(), key(4));
    let client = client(&proxy.base_url(), key(3));
    Sides { handle, proxy, client, stranger, _data: data }
}

impl Sides {
    fn register(&self, at: usize) -> String {
        self.handle.finance().registers().id(at)
    }

    /// Reads a whole stream; a line that is refused makes it an error as well.
    async fn payments(&self, client: &HttpFinance) -> Result<usize, String> {
        let head = self.handle.finance().registers().head(1);
        let mut lines = client.lines(&head).await.map_err(|error| error.to_string())?;
        let mut count = 0;
        loop {
            let some = lines.next(100).await.map_err(|error| error.to_string())?;
            if some.is_empty() {
                return Ok(count);
            }
            for line in some {
                line.map_err(|fault| format!("{} {}", fault.field, fault.what))?;
                count += 1;
            }
        }
    }

    /// Calls one operation as `client` does, with a report that is already known.
    async fn call(&self, client: &HttpFinance, operation: &str) -> Result<(), String> {
        let words = |error: FinanceError| error.to_string();
        match operation {
            "listRegisters" => client.listed(None, 10).await.map(drop).map_err(words),
            "readRegister" => client.head(&self.register(1), 1).await.map(drop).map_err(words),
            "streamPayments" => self.payments(client).await.map(drop),
            "listDecisions" => client.decisions(None, 10).await.map(drop).map_err(words),
            "takeReport" => {
                let (id, body) = reports::receipt(self.handle.finance().registers(), 1);
                client.deliver(&id, body).await.map(drop).map_err(words)
            }
            other => panic!("no call for {other}"),
        }
    }

    /// Everything that our side ever does, and what finance refuses.
    async fn everything(&self) -> Vec<Exchange> {
        let registers = self.handle.finance().registers();
        for (id, body) in reports::all(registers, 1) {
            self.client.deliver(&id, body).await.expect("taken");
        }
        for operation in OPERATIONS {
            self.call(&self.client, operation).await.expect("answered");
            self.call(&self.stranger, operation).await.expect_err("no stranger is answered");
        }
        self.client.listed(Some("1"), 1).await.expect("a page");
        let no = |result: Result<(), FinanceError>, expected: u16| {
            let error = result.expect_err("refused");
            let right =
                matches!(error, FinanceError::Rejected { status, .. } if status == expected);
            assert!(right, "{error}");
        };
        no(self.client.listed(Some("x"), 1).await.map(drop), 400);
        no(self.client.decisions(Some("x"), 1).await.map(drop), 400);
        no(self.client.head("unknown", 1).await.map(drop), 404);
        let head = RegisterHead { id: "unknown".to_owned(), ..registers.head(0) };
        no(self.client.lines(&head).await.map(drop), 404);
        let (id, body) = reports::receipt(registers, 1);
        let text = String::from_utf8(body.to_vec()).expect("text");
        let other = |from: &str, to: &str| bytes::Bytes::from(text.replacen(from, to, 1));
        no(self.client.deliver(&id, other("true", "false")).await.map(drop), 409);
        let unknown = other(&registers.id(1), "unknown");
        let unknown_id = String::from_utf8(unknown.to_vec()).expect("text");
        no(
            self.client
                .deliver("r-404", unknown_id.replacen(&id, "r-404", 1).into())
                .await
                .map(drop),
            404,
        );
        no(self.client.deliver("r-422", other("x", "x")).await.map(drop), 422);
        self.proxy.take()
    }
}

const OPERATIONS: [&str; 5] =
    ["listRegisters", "readRegister", "streamPayments", "listDecisions", "takeReport"];

#[test]
fn the_file_says_something_about_every_field() {
    let contract = Contract::load();
    let operations: BTreeSet<&str> = contract.operations().iter().map(|o| o.id.as_str()).collect();
    assert_eq!(operations, BTreeSet::from(OPERATIONS));
    let mut fields = 0;
    for (name, schema) in contract.schemas() {
        assert!(schema["description"].is_string(), "{name} has no description");
        if schema["type"] != "object" {
            continue;
        }
        assert_eq!(schema["additionalProperties"], false, "{name} is open");
        for (field, of) in schema["properties"].as_object().expect("properties") {
            let described = contract.resolve(of)["description"].as_str().unwrap_or_default();
            assert!(described.len() > 3, "{name}.{field} has no description");
            fields += 1;
        }
        for required in schema["required"].as_array().expect("required") {
            let field = required.as_str().expect("text");
            assert!(schema["properties"][field].is_object(), "{name}.{field} is required only");
        }
    }
    assert!(fields > 100, "{fields}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_passes_is_as_described() {
    let (contract, sides) = (Contract::load(), sides().await);
    let mut seen = BTreeSet::new();
    for exchange in sides.everything().await {
        let operation = contract.find(&exchange.method, &exchange.path);
        seen.insert((operation.id.clone(), exchange.status));
        let checked = contract
            .check_request(operation, &exchange)
            .and_then(|()| contract.check_response(operation, &exchange));
        assert_eq!(checked, Ok(()), "{} {}", operation.id, exchange.status);
    }
    let described: BTreeSet<(String, u16)> = contract
        .operations()
        .iter()
        .flat_map(|o| o.statuses().into_iter().map(|status| (o.id.clone(), status)))
        .collect();
    assert_eq!(seen, described, "every described answer was seen, and no other");
}

/// One change to a JSON document, with what it is called.
type Change = (String, Value);

/// Every document that differs from `value` by one field: removed, of another type, or unknown.
fn changes(value: &Value, path: &str, wrap: &dyn Fn(Value) -> Value, out: &mut Vec<Change>) {
    match value {
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("unknown_field".to_owned(), json!(1));
            out.push((format!("{path}.unknown_field added"), wrap(Value::Object(more))));
            for (name, field) in fields {
                let with = |field: Option<Value>| {
                    let mut changed = fields.clone();
                    match field {
                        Some(field) => changed.insert(name.clone(), field),
                        None => changed.remove(name),
                    };
                    wrap(Value::Object(changed))
                };
                out.push((format!("{path}.{name} removed"), with(None)));
                for other in [json!(null), json!(7.5), json!({ "a": [] })] {
                    out.push((format!("{path}.{name} is {other}"), with(Some(other))));
                }
                changes(field, &format!("{path}.{name}"), &|field| with(Some(field)), out);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                let with = |item: Value| {
                    let mut changed = items.clone();
                    changed[0] = item;
                    wrap(Value::Array(changed))
                };
                changes(first, &format!("{path}[0]"), &with, out);
            }
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_side_refuses_every_answer_that_the_file_does_not_describe() {
    let (contract, sides) = (Contract::load(), sides().await);
    let (id, body) = reports::set_aside(sides.handle.finance().registers(), 1);
    sides.client.deliver(&id, body).await.expect("so that there are decisions");
    for id in OPERATIONS {
        sides.proxy.take();
        sides.call(&sides.client, id).await.expect("answered");
        let exchange = sides.proxy.take().remove(0);
        let operation = contract.find(&exchange.method, &exchange.path);
        let schema = contract.response_schema(operation, 200);
        let first = exchange.response.split(|b| *b == b'\n').next().expect("a line");
        let mut document: Value = serde_json::from_slice(first).expect("JSON");
        let ending: &[u8] = if id == "streamPayments" {
            document["replaces"] = json!({ "register": "2026-001", "revision": 1, "line": 1 });
            b"\n"
        } else {
            b""
        };
        let mut all = vec![("unchanged".to_owned(), document.clone())];
        changes(&document, id, &|value| value, &mut all);
        assert!(all.len() > 8, "{id}: {}", all.len());
        for (what, changed) in all {
            let mut body = serde_json::to_vec(&changed).expect("JSON");
            body.extend_from_slice(ending);
            sides.proxy.replace(Some(body));
            let taken = sides.call(&sides.client, id).await;
            let described = contract.validate(schema, &changed);
            assert_eq!(taken.is_ok(), described.is_ok(), "{what}: {taken:?} / {described:?}");
        }
        sides.proxy.replace(None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finance_refuses_every_report_that_the_file_does_not_describe() {
    let (contract, sides) = (Contract::load(), sides().await);
    let operation = contract.find("PUT", "/v1/reports/x");
    let mut refused = 0;
    for (id, body) in reports::all(sides.handle.finance().registers(), 1) {
        let lines: Vec<Value> = body
            .strip_suffix(b"\n")
            .expect("ends")
            .split(|b| *b == b'\n')
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect();
        for at in 0..lines.len() {
            let mut all = Vec::new();
            changes(&lines[at], &format!("{id} line {at}"), &|value| value, &mut all);
            for (what, changed) in all {
                let mut lines = lines.clone();
                lines[at] = changed;
                let text: String =
                    lines.iter().flat_map(|l| [l.to_string(), "\n".into()]).collect();
                if contract.check_report(operation, text.as_bytes()).is_ok() {
                    continue;
                }
                refused += 1;
                let answer = sides.client.deliver(&id, text.into()).await;
                let right = matches!(answer, Err(FinanceError::Rejected { status: 422, .. }));
                assert!(right, "{what}: {answer:?}");
            }
        }
    }
    assert!(refused > 400, "{refused}");
}

#[test]
fn the_validator_of_this_test_sees_what_is_wrong() {
    let contract = Contract::load();
    let schema = contract.schema("Payment");
    let good = json!({
        "line": 1, "name": "甲", "document_kind": "id", "document_number": "1", "bank": "a",
        "account": "2", "phone": "", "village": "610728001001", "amount": "1.00"
    });
    assert_eq!(contract.validate(schema, &good), Ok(()));
    for (field, value) in [
        ("line", json!(0)),
        ("line", json!(1.5)),
        ("name", json!(null)),
        ("amount", json!("1.005")),
        ("amount", json!(1)),
        ("replaces", json!(null)),
        ("other", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(contract.validate(schema, &bad).is_err(), "{bad}");
    }
}
