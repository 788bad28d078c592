//! What the journal tells: every chain walked, and its facts gathered for comparison.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::guard::chain::{GENESIS, head_of_heads, link};
use crate::guard::key::hex;
use crate::store::StoreError;
use crate::store::sql::{Work, params};
use crate::store::verify::Verification;
use crate::store::vouch;

/// One entry as it was read.
struct Entry {
    at_ms: i64,
    kind: String,
    body: Value,
    rows: [u8; 32],
}

/// What the journal said, gathered for comparison.
#[derive(Default)]
pub(super) struct Told {
    /// Per register: the state it came into last.
    pub(super) registers: BTreeMap<i64, &'static str>,
    /// Per register: the deadline that was first known.
    pub(super) deadlines: BTreeMap<i64, i64>,
    /// Per refund: the state it came into last.
    pub(super) refund_states: BTreeMap<i64, &'static str>,
    /// Per register: its postings in order, as the journal words them.
    pub(super) postings: BTreeMap<i64, Vec<Value>>,
    /// The last state of each attempt.
    pub(super) attempts: HashMap<i64, &'static str>,
    /// Attempts and batches that the journal knows.
    pub(super) batches: BTreeSet<i64>,
    pub(super) results: BTreeMap<i64, [u8; 32]>,
    /// Per accepted register: what was told of it, and the digest of its rows.
    pub(super) accepted: BTreeMap<i64, (Value, [u8; 32])>,
    pub(super) intents: Vec<(Value, [u8; 32])>,
    pub(super) refunds: Vec<(Value, [u8; 32])>,
    /// Decisions about held payments: (register, line, event).
    pub(super) decisions: BTreeSet<(i64, i64, &'static str)>,
    /// Per register: the times at which payments of it were dropped.
    pub(super) drops: BTreeMap<i64, BTreeSet<i64>>,
    /// The last number of each counter that an INTENT took.
    pub(super) counters: BTreeMap<String, i64>,
    /// Reports that finance acknowledged.
    pub(super) acknowledged: i64,
    /// By table and row: what each chain said of it last. A result may be told of by two: held by the
    /// bank's, and applied by its register's.
    pub(super) vouched: BTreeMap<&'static str, HashMap<String, Vec<Voucher>>>,
}

/// What a chain said last of a row.
pub(super) struct Voucher {
    chain: usize,
    /// The digest of the row; nothing where it was taken away.
    pub(super) digest: Option<String>,
}

/// Walks every chain: numbers without gaps, hashes that follow, heads that are the last.
pub(super) async fn walk_chains(
    work: &mut Work,
    found: &mut Verification,
    told: &mut Told,
) -> Result<(), StoreError> {
    let sql = "SELECT chain, seq, hash FROM journal_head ORDER BY chain";
    let heads =
        work.rows(sql, params![], |row| Ok((row.string(0)?, row.int(1)?, row.digest(2)?))).await?;
    found.chains = heads.len();
    found.head =
        hex(&head_of_heads(heads.iter().map(|(chain, seq, hash)| (chain.as_str(), *seq, hash))));
    let orphans = work
        .rows("SELECT DISTINCT chain FROM journal WHERE chain NOT IN (SELECT chain FROM journal_head)", params![], |row| row.string(0))
        .await?;
    found
        .problems
        .extend(orphans.into_iter().map(|chain| format!("chain {chain} has entries but no head")));
    for (at, (chain, last, head)) in heads.into_iter().enumerate() {
        let (mut previous, mut expected) = (GENESIS, 0);
        let mut problems = Vec::new();
        let mut entries = Vec::new();
        let sql = "SELECT seq, at_ms, kind, body, rows_digest, hash FROM journal WHERE chain = $1 ORDER BY seq";
        let whole = work
            .rows(sql, params![&chain], |row| {
                let (seq, kind, body, rows, hash) =
                    (row.int(0)?, row.text(2)?, row.text(3)?, row.digest(4)?, row.digest(5)?);
                expected += 1;
                if seq != expected {
                    problems.push(format!("chain {chain}: entry {expected} is missing"));
                    expected = seq;
                } else if link(&previous, &chain, seq, row.int(1)?, kind, body, &rows) != hash {
                    problems.push(format!("chain {chain}: entry {seq} is not what its hash says"));
                }
                previous = hash;
                let body = serde_json::from_str(body).unwrap_or(Value::Null);
                entries.push(Entry { at_ms: row.int(1)?, kind: kind.to_owned(), body, rows });
                Ok(())
            })
            .await?;
        found.entries += whole.len();
        if expected != last || previous != head {
            problems.push(format!(
                "chain {chain}: its head is not its last entry; entries are missing at the end"
            ));
        }
        found.problems.append(&mut problems);
        let register = chain.strip_prefix("register:").and_then(|no| no.parse().ok());
        for mut entry in entries {
            gather_vouched(told, at, &mut entry.body);
            gather(told, register, entry);
        }
    }
    Ok(())
}

/// Takes up what an entry vouches for; the last word of a chain stands.
fn gather_vouched(told: &mut Told, chain: usize, body: &mut Value) {
    let Some(Value::Object(tables)) = body.get_mut("vouched").map(Value::take) else { return };
    for (name, rows) in tables {
        let Some(table) = vouch::ALL.iter().find(|table| table.table == name) else { continue };
        let Value::Object(rows) = rows else { continue };
        let known = told.vouched.entry(table.table).or_default();
        for (row, digest) in rows {
            let digest = digest.as_str().map(str::to_owned);
            let vouchers = known.entry(row).or_default();
            match vouchers.iter_mut().find(|voucher| voucher.chain == chain) {
                Some(voucher) => voucher.digest = digest,
                None => vouchers.push(Voucher { chain, digest }),
            }
        }
    }
}

fn gather(told: &mut Told, register: Option<i64>, entry: Entry) {
    let Entry { at_ms, kind, body, rows } = entry;
    let int = |name: &str| body.get(name).and_then(Value::as_i64);
    if let (Some(register), Some(postings)) =
        (register, body.get("postings").and_then(Value::as_array))
    {
        let event = Value::from(kind.as_str());
        let with_event = postings.iter().map(|posting| serde_json::json!([posting, event, at_ms]));
        told.postings.entry(register).or_default().extend(with_event);
    }
    if let Some(register) = register {
        gather_register(told, register, &kind, &body);
    }
    if let Some(attempt) = int("attempt") {
        let state = match kind.as_str() {
            "batch.intent" | "refund.intent" => Some("intent"),
            "refund.by_hand" => Some("by_hand"),
            "attempt.sending" => Some("sending"),
            "attempt.accepted" => Some("accepted"),
            "attempt.refused" => Some("refused"),
            "attempt.not_sent" => Some("not_sent"),
            "attempt.unknown" => Some("unknown"),
            "attempt.stopped" => Some("stopped"),
            "batch.withdrawn" | "refund.withdrawn" => Some("closed"),
            "result.applied" if body.get("accepted_from").is_some() => Some("accepted"),
            _ => None,
        };
        if let Some(state) = state {
            told.attempts.insert(attempt, state);
        }
    }
    if let (
        Some(register),
        "hold.dropped" | "register.revoked" | "attempt.refused" | "batch.withdrawn",
    ) = (register, kind.as_str())
    {
        told.drops.entry(register).or_default().insert(at_ms);
    }
    if let (Some(counter), Some(number)) =
        (body.get("counter").and_then(Value::as_str), int("number"))
    {
        let last = told.counters.entry(counter.to_owned()).or_default();
        *last = number.max(*last);
    }
    if kind == "report.acknowledged" {
        let reports = body.get("reports").and_then(Value::as_array).map_or(0, Vec::len);
        told.acknowledged += i64::try_from(reports).unwrap_or(i64::MAX);
    }
    match (kind.as_str(), register) {
        ("register.accepted", Some(register)) => {
            told.accepted.insert(register, (body, rows));
        }
        ("result.applied", _) => {
            if let Some(result) = int("result") {
                told.results.insert(result, rows);
            }
        }
        ("batch.intent", _) => {
            told.batches.extend(int("batch"));
            told.intents.push((body, rows));
        }
        ("refund.intent" | "refund.by_hand", _) => told.refunds.push((body, rows)),
        ("hold.released", Some(register)) => {
            told.decisions.extend(int("line").map(|line| (register, line, "released")));
        }
        ("hold.placed", Some(register)) => {
            let lines = body.get("lines").and_then(Value::as_array).into_iter().flatten();
            let lines = lines.filter_map(Value::as_i64).map(|line| (register, line, "placed"));
            told.decisions.extend(lines);
        }
        ("hold.dropped", Some(register)) => {
            told.decisions.extend(int("line").map(|line| (register, line, "dropped")));
        }
        _ => {}
    }
}

/// What an entry says of the register that it belongs to, and of its refunds.
fn gather_register(told: &mut Told, register: i64, kind: &str, body: &Value) {
    let int = |name: &str| body.get(name).and_then(Value::as_i64);
    let before = told.registers.get(&register).copied();
    let state = match kind {
        "register.accepted" => Some("accepted"),
        "register.refused" => Some("refused"),
        "register.superseded" => Some("superseded"),
        "register.revoked" => Some("revoked"),
        "register.closed" if before == Some("accepted") => Some("closed"),
        // A late answer opens it again where it moved money.
        "result.applied" if before == Some("closed") && body.get("postings").is_some() => {
            Some("accepted")
        }
        _ => None,
    };
    if let Some(state) = state {
        told.registers.insert(register, state);
    }
    if matches!(kind, "register.accepted" | "register.funded")
        && let Some(deadline) = int("deadline_at_ms")
    {
        told.deadlines.entry(register).or_insert(deadline);
    }
    let refund_state = match kind {
        "refund.intent" | "refund.by_hand" => Some("open"),
        "attempt.refused" => Some("refused"),
        "refund.withdrawn" => Some("withdrawn"),
        "attempt.accepted" => Some("confirmed"),
        _ => None,
    };
    if let (Some(refund), Some(state)) = (int("refund"), refund_state) {
        told.refund_states.insert(refund, state);
    }
}
