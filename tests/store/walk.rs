//! Every table and every column of the schema, changed behind the daemon's back, and rows that were added
//! or taken away: verification tells of it, or the database refuses it (I18). The tables are read from the schema itself, so that a new
//! column without a guard fails here until it has one, or a reason why it can have none.

use std::collections::{BTreeMap, BTreeSet};

use daifa::guard::digest::sha256;
use daifa::model::alert::AlertKind;
use daifa::model::attempt::{AttemptEvent, AttemptState};
use daifa::model::decision::{Subject, Verdict};
use daifa::model::id::ResultNo;
use daifa::model::notice::NoticeState;
use daifa::model::register::Fault;
use daifa::store::decide::{Effect, NewDecision};
use daifa::store::holds::Decision;
use daifa::store::unread::Unread;
use daifa::store::{Location, StoreError};

use crate::base::Base;
use crate::samples::{
    BANK, CREDITED, FAILED, HOUR, NOW, RETURNED, SOURCE, Says, answer_of, head, line, lines,
    no_reports, payment, quarantined, row,
};

/// Columns that nothing vouches for, and why.
const WITHOUT: &[(&str, &str, &str)] = &[
    (
        "lease",
        "name",
        "whose turn it is to write, asked by every transaction; without it nobody writes",
    ),
    (
        "lease",
        "epoch",
        "whose turn it is to write, asked by every transaction; another's ends the daemon",
    ),
    (
        "attempt",
        "next_at_ms",
        "when it is looked at next, moved at every look; a deadline that passes is told",
    ),
    (
        "attempt",
        "asks",
        "how often it was asked about, counted at every question; no step sends by it",
    ),
    (
        "pushed",
        "next_at_ms",
        "when it is looked at next, moved where it cannot be taken; the alert about it stands",
    ),
    (
        "report",
        "next_at_ms",
        "when it is sent next, moved at every try; what is not acknowledged is told",
    ),
    ("report", "tries", "how often it was sent; no step decides by it but how long it waits"),
    ("report", "trouble", "why the last try was in vain, for people"),
    (
        "unread",
        "next_at_ms",
        "when it is tried next, moved at every try; the alert about it stands",
    ),
];

/// Columns whose change is another than the usual one, as an expression.
const OTHERWISE: &[(&str, &str, &str)] = &[
    // Words that the column knows: one that it does not know is no trouble to find.
    ("register", "state", "CASE state WHEN 'closed' THEN 'accepted' ELSE 'closed' END"),
    ("hold", "event", "CASE event WHEN 'dropped' THEN 'released' ELSE 'dropped' END"),
    ("hold", "reason", "CASE reason WHEN 'double' THEN 'too_wide' ELSE 'double' END"),
    ("batch", "state", "CASE state WHEN 'settled' THEN 'open' ELSE 'settled' END"),
    ("batch", "listed", "1 - listed"),
    ("batch_payment", "live", "1 - live"),
    ("attempt", "state", "CASE state WHEN 'accepted' THEN 'not_sent' ELSE 'accepted' END"),
    ("attempt", "kind", "CASE kind WHEN 'refund' THEN 'payment' ELSE 'refund' END"),
    ("part", "committing", "1 - committing"),
    ("free_number", "state", "CASE state WHEN 'free' THEN 'taken' ELSE 'free' END"),
    ("pushed", "state", "CASE state WHEN 'taken' THEN 'waiting' ELSE 'taken' END"),
    ("result", "state", "CASE state WHEN 'held' THEN 'applied' ELSE 'held' END"),
    ("outcome", "kind", "CASE kind WHEN 'credited' THEN 'failed' ELSE 'credited' END"),
    ("notice", "state", "CASE state WHEN 'delivered' THEN 'failed' ELSE 'delivered' END"),
    ("leftover", "cause", "CASE cause WHEN 'dropped' THEN 'failed' ELSE 'dropped' END"),
    ("leftover", "state", "CASE state WHEN 'open' THEN 'withdrawn' ELSE 'open' END"),
    ("refund", "state", "CASE state WHEN 'open' THEN 'confirmed' ELSE 'open' END"),
    ("posting", "from_place", "CASE from_place WHEN 'unsent' THEN 'finance' ELSE 'unsent' END"),
    ("posting", "to_place", "CASE to_place WHEN 'unsent' THEN 'finance' ELSE 'unsent' END"),
    ("decision", "subject", "subject || '.1'"),
    ("decision", "verdict", "CASE verdict WHEN 'never' THEN 'received' ELSE 'never' END"),
    ("decision", "state", "CASE state WHEN 'proposed' THEN 'withdrawn' ELSE 'proposed' END"),
    ("report", "state", "CASE state WHEN 'due' THEN 'acknowledged' ELSE 'due' END"),
    ("report", "kind", "CASE kind WHEN 'receipt' THEN 'closing' ELSE 'receipt' END"),
];

/// A column as the database has it.
struct Column {
    name: String,
    kind: String,
    is_key: bool,
}

/// `table -> columns`, without what belongs to the database itself.
async fn schema(base: &Base) -> BTreeMap<String, Vec<Column>> {
    let sql = match base.location {
        Location::Sqlite(_) => {
            "SELECT m.name || ' ' || p.name || ' ' || lower(p.type) || ' ' || p.pk FROM sqlite_master m \
             JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_' \
             AND substr(m.name, 1, 5) <> '_sqlx' ORDER BY m.name, p.cid"
        }
        Location::Postgres(_) => {
            "SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, NULL) || ' ' || \
             CASE WHEN a.attnum = ANY (i.indkey) THEN 1 ELSE 0 END FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
             WHERE c.relkind = 'r' AND c.relnamespace = CAST(current_schema() AS regnamespace) \
             AND left(c.relname, 5) <> '_sqlx' AND a.attnum > 0 ORDER BY c.relname, a.attnum"
        }
    };
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for text in base.texts(sql).await {
        let words: Vec<&str> = text.split(' ').collect();
        let [table, name, kind, key] = words[..] else { panic!("{text}") };
        let column = Column { name: name.to_owned(), kind: kind.to_owned(), is_key: key != "0" };
        tables.entry(table.to_owned()).or_default().push(column);
    }
    assert!(tables.len() > 25, "{:?}", tables.keys());
    tables
}

/// Something in every table, in every state that a row can be in.
async fn everything(base: &Base) {
    let all = [line(1, 1), line(2, 10), line(3, 100).held(), line(4, 1000).held(), line(5, 7)];
    let first = base.accept("2026-1", 1, &all).await;
    for (line, decision) in [(3, Decision::Drop), (4, Decision::Release)] {
        let id = payment(first, line);
        base.store.decide_hold(id, decision, "finance", "checked", NOW).await.expect("decides");
    }
    let listed = base.cut(first, BANK, 9).await;
    let mut numbered = base.next_batch(first, BANK, 9).await;
    numbered.numbered = Some(("day:alpha:20261127".to_owned(), 1));
    base.store.intend_batch(&numbered, NOW).await.expect("cuts");
    // Two that never left: their numbers are free.
    let never = base.accept("2026-8", 1, &lines(&[11, 12])).await;
    for number in [2, 3] {
        let mut batch = base.next_batch(never, BANK, 1).await;
        batch.numbered = Some(("day:alpha:20261127".to_owned(), number));
        base.store.intend_batch(&batch, NOW).await.expect("cuts");
    }
    for attempt in
        base.store.due_attempts(BANK, &[AttemptState::Intent; 2], NOW, 9).await.expect("reads")
    {
        if attempt.register == never {
            base.store.withdraw(&attempt, "op", "checked", NOW).await.expect("never left");
        }
    }
    let range = base.by_reference(BANK, &numbered.reference.text).await;
    base.sent(&listed).await;
    base.sent(&range).await;
    let numbers = ["B-1", "B-2"].map(str::to_owned);
    base.store.keep_bank_references(&range, &numbers, NOW).await.expect("writes");
    base.take(&range, &[(1, CREDITED), (1, Says::Notice(NoticeState::Delivered))]).await;
    base.take(&range, &[(1, RETURNED), (2, FAILED)]).await;
    // A contradiction takes leftover back; a result is put aside in part.
    base.take(&range, &[(2, CREDITED)]).await;
    let taking = base.again(&range).await;
    let mut answer = answer_of(vec![row(5, 7, FAILED)], sha256(b"part"));
    answer.quarantined = vec![quarantined(2), quarantined(3)];
    answer.evidence = Some(b"sealed".to_vec());
    answer.serials = BTreeMap::from([(1, "S-1".to_owned()), (5, "S-5".to_owned())]);
    base.store.take_result(&taking, answer, &no_reports, NOW).await.expect("takes");
    let refund = base.give_back(first, BANK).await;
    base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Accepted).await;

    // One that replaces a line, waits in part, and is cut again in part.
    let second =
        [line(1, 100).replacing(payment(first, 3)), line(2, 20).held(), line(3, 30), line(4, 40)];
    let (second, attempt) = base.under_way("2026-2", &second).await;
    base.concluded(&attempt, AttemptEvent::Refused).await;
    base.store.recut(attempt.batch.expect("a batch"), "op", NOW).await.expect("orders");
    let again = base.cut(second, BANK, 1).await;
    let sending = base.started(&again).await;
    let lost = base.concluded(&sending, AttemptEvent::Lost).await;
    base.store.not_found_earlier(&lost, &sha256(b"not found"), NOW).await.expect("writes");
    let id = payment(second, 2);
    base.store
        .decide_hold(id, Decision::Release, "finance", "checked", NOW)
        .await
        .expect("decides");

    refuse_and_tell(base).await;
    base.clean().await;
}

/// What belongs to no payment: refused, held, told, read and set.
async fn refuse_and_tell(base: &Base) {
    let third = head("2026-3", 1, &lines(&[5]));
    let receiving = base.receive(&third, &lines(&[5])).await;
    let fault = Fault::new(None, "digest", "is another", "摘要不符");
    let refused = base.store.refuse_register(receiving.register, &[fault], &[], NOW).await;
    refused.expect("refuses");
    let digest = sha256(b"nobody's");
    let held = base.store.hold_result(BANK, "x", &digest, None, "unknown", vec![1], NOW).await;
    assert!(held.expect("writes"));
    let subject = Subject::Result(ResultNo(base.number("SELECT MAX(result_no) FROM result").await));
    let case = base.store.case(subject).await.expect("reads").expect("is there");
    for by in ["wang", "li"] {
        let evidence = b"sealed".to_vec();
        let verdict = Verdict::Dismissed;
        let new = NewDecision { subject, verdict, reason: None, case: &case, evidence, by };
        let no = base.store.propose(new, NOW).await.expect("proposes");
        match by {
            "wang" => base.store.take_back(no, by, NOW).await.expect("withdraws"),
            _ => base.store.confirm(no, "zhao", Effect::Dismiss, NOW).await.expect("confirms"),
        }
    }
    for (said, taken) in [(b"first", true), (b"again", false)] {
        let kept = base.store.keep_push(BANK, &sha256(said), 5, vec![1], NOW).await;
        assert!(kept.expect("writes"));
        if taken {
            let due = base.store.due_pushes(BANK, NOW, 1).await.expect("reads");
            base.store.push_taken(BANK, due[0].no, NOW).await.expect("writes");
        }
    }
    let due = base.store.due_reports(NOW, 1, &[]).await.expect("reads");
    base.store.acknowledge(&due, NOW).await.expect("writes");
    let raised = base.store.raise_alert(AlertKind::Finance, "county", None, "text", NOW).await;
    assert!(raised.expect("writes"));
    base.store.clear_alert(AlertKind::Finance, "county", NOW).await.expect("writes");
    base.store.set_cursor(SOURCE, "registers", "7", NOW).await.expect("writes");
    let unread =
        Unread { source: SOURCE.to_owned(), id: "2026-9".to_owned(), revision: 1, tries: 0 };
    let kept =
        base.store.keep_unread(&unread, None, "is not there", "读不到", NOW, NOW + HOUR).await;
    kept.expect("writes");
    base.store.meta_once("install", "a", NOW).await.expect("writes");
}

/// The first and the last row of a table, each as the condition that finds it alone.
async fn rows(base: &Base, table: &str, columns: &[Column]) -> Vec<String> {
    let found = |column: &&Column| match base.location {
        Location::Sqlite(_) => format!("'{0} = ' || quote({0})", column.name),
        Location::Postgres(_) => {
            format!("'CAST({0} AS TEXT) = ' || quote_literal(CAST({0} AS TEXT))", column.name)
        }
    };
    let keys: Vec<&Column> = columns.iter().filter(|column| column.is_key).collect();
    let condition: Vec<String> = keys.iter().map(found).collect();
    let order: Vec<&str> = keys.iter().map(|column| column.name.as_str()).collect();
    let sql = format!(
        "SELECT {} FROM {table} ORDER BY {}",
        condition.join(" || ' AND ' || "),
        order.join(", ")
    );
    let all = base.texts(&sql).await;
    assert!(!all.is_empty(), "{table} has no row to change; put one into `everything`");
    let ends: BTreeSet<&String> = all.first().into_iter().chain(all.last()).collect();
    ends.into_iter().cloned().collect()
}

/// What a column becomes.
fn changed(base: &Base, table: &str, column: &Column) -> String {
    let otherwise = OTHERWISE.iter().find(|(of, name, _)| *of == table && *name == column.name);
    if let Some((_, _, expression)) = otherwise {
        return (*expression).to_owned();
    }
    let name = &column.name;
    match (column.kind.as_str(), &base.location) {
        ("integer" | "bigint", _) => format!("COALESCE({name}, 0) + 1000"),
        ("text", _) => format!("COALESCE({name}, '') || 'x'"),
        (_, Location::Sqlite(_)) => "CAST('another' AS BLOB)".to_owned(),
        (_, Location::Postgres(_)) => "CAST('another' AS BYTEA)".to_owned(),
    }
}

/// A second row like one that is there, under another key.
fn added(base: &Base, table: &str, columns: &[Column], row: &str) -> String {
    let last = columns.iter().rposition(|column| column.is_key).expect("a key");
    let value = |(at, column): (usize, &Column)| {
        if at == last { changed(base, table, column) } else { column.name.clone() }
    };
    let values: Vec<String> = columns.iter().enumerate().map(value).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    format!(
        "INSERT INTO {table} ({}) {} SELECT {} FROM {table} WHERE {row}",
        names.join(", "),
        numbers(base),
        values.join(", ")
    )
}

/// PostgreSQL gives numbers of its own unless it is told.
const fn numbers(base: &Base) -> &'static str {
    match base.location {
        Location::Sqlite(_) => "",
        Location::Postgres(_) => "OVERRIDING SYSTEM VALUE",
    }
}

pub async fn i18_no_table_and_no_column_can_be_changed_unseen(base: &Base) {
    everything(base).await;
    let schema = schema(base).await;
    let saved = |table: &String| format!("CREATE TABLE saved_{table} AS SELECT * FROM {table};");
    base.alter(&schema.keys().map(saved).collect::<String>()).await.expect("saves");
    let without: BTreeSet<(&str, &str)> = WITHOUT.iter().map(|(t, c, _)| (*t, *c)).collect();
    for (table, column, _) in WITHOUT.iter().chain(OTHERWISE) {
        let known = schema.get(*table).is_some_and(|all| all.iter().any(|c| c.name == *column));
        assert!(known, "there is no column {table}.{column} any more");
    }
    let mut silent = Vec::new();
    for (table, columns) in &schema {
        let guarded: Vec<&Column> = columns
            .iter()
            .filter(|c| !without.contains(&(table.as_str(), c.name.as_str())))
            .collect();
        for row in rows(base, table, columns).await {
            for column in &guarded {
                let to = changed(base, table, column);
                let sql = format!("UPDATE {table} SET {} = {to} WHERE {row}", column.name);
                if !told(base, table, &sql).await {
                    silent.push(sql);
                }
            }
            let deleted = format!("DELETE FROM {table} WHERE {row}");
            for sql in [deleted, added(base, table, columns, &row)] {
                if !guarded.is_empty() && !told(base, table, &sql).await {
                    silent.push(sql);
                }
            }
        }
    }
    assert!(silent.is_empty(), "not told:\n{}", silent.join("\n"));
    base.clean().await;
}

/// Is a change refused by the database, or told by verification? It is undone again.
async fn told(base: &Base, table: &str, sql: &str) -> bool {
    match base.alter(sql).await {
        // The database itself keeps what adds up.
        Err(sqlx::Error::Database(_)) => return true,
        Err(cause) => panic!("{sql}: {cause}"),
        Ok(changed) => assert_eq!(changed, 1, "{sql}"),
    }
    let told = match base.store.verify().await {
        Ok(found) => !found.problems.is_empty(),
        // A digest of another length ends the verification, with the column's name.
        Err(StoreError::Inconsistent { .. }) => true,
        Err(cause) => panic!("{sql}: {cause}"),
    };
    let undo = format!(
        "BEGIN; DELETE FROM {table}; INSERT INTO {table} {} SELECT * FROM saved_{table}; COMMIT",
        numbers(base)
    );
    base.alter(&undo).await.expect("restores");
    told
}
