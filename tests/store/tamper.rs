//! What an administrator of the database could change behind the daemon's back, and that
//! verification tells of it (I18).

use daifa::model::alert::AlertKind;
use daifa::model::attempt::AttemptEvent;
use daifa::model::id::RegisterNo;
use daifa::store::Location;
use daifa::store::holds::Decision;

use crate::base::Base;
use crate::samples::{BANK, CREDITED, FAILED, NOW, RETURNED, Says, line, lines, payment};

/// A register with something in every table, verified.
async fn full(base: &Base) -> RegisterNo {
    let all = [line(1, 1), line(2, 10), line(3, 100).held(), line(4, 1000).held(), line(5, 7)];
    let register = base.accept("2026-1", 1, &all).await;
    for (line, decision) in [(3, Decision::Drop), (4, Decision::Release)] {
        let id = payment(register, line);
        base.store.decide_hold(id, decision, "finance", "checked", NOW).await.expect("decides");
    }
    let listed = base.cut(register, BANK, 9).await;
    let range = base.cut(register, BANK, 9).await;
    base.sent(&listed).await;
    base.sent(&range).await;
    let delivered = Says::Notice(daifa::model::notice::NoticeState::Delivered);
    base.take(&range, &[(1, CREDITED), (1, delivered), (2, FAILED)]).await;
    base.take(&range, &[(1, RETURNED)]).await;
    let refund = base.give_back(register, BANK).await;
    base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Accepted).await;
    base.clean().await;
    register
}

/// What is changed, and words of what must be said about it.
const CHANGES: &[(&str, &str, &str)] = &[
    ("a journal entry is gone", "DELETE FROM journal WHERE seq = 3", "entry 3 is missing"),
    ("a journal body", "UPDATE journal SET body = '{}' WHERE seq = 2", "not what its hash says"),
    ("a journal kind", "UPDATE journal SET kind = 'x' WHERE seq = 2", "not what its hash says"),
    (
        "a journal time",
        "UPDATE journal SET at_ms = at_ms + 1 WHERE seq = 2",
        "not what its hash says",
    ),
    (
        "two entries change places",
        "UPDATE journal SET seq = 1002 WHERE seq = 2; UPDATE journal SET seq = 2 WHERE seq = 3; \
         UPDATE journal SET seq = 3 WHERE seq = 1002",
        "not what its hash says",
    ),
    (
        "the last entry is gone",
        "DELETE FROM journal WHERE seq = (SELECT MAX(seq) FROM journal)",
        "entries are missing at the end",
    ),
    ("a head is gone", "DELETE FROM journal_head", "has entries but no head"),
    (
        "a chain is gone with its head",
        "DELETE FROM journal_head; DELETE FROM journal",
        "the journal does not tell of its acceptance",
    ),
    (
        "the last entries are gone, and the head agrees",
        "DELETE FROM journal WHERE seq > 4; UPDATE journal_head SET seq = 4, \
         hash = (SELECT hash FROM journal WHERE seq = 4)",
        "which its journal does not tell",
    ),
    (
        "an amount",
        "UPDATE payment SET amount_fen = 2 WHERE line = 1",
        "not those that were accepted",
    ),
    ("a bank", "UPDATE payment SET bank = 'beta' WHERE line = 5", "not those that were accepted"),
    ("a town", "UPDATE payment SET town = 1 WHERE line = 5", "not those that were accepted"),
    (
        "a person",
        "UPDATE payment SET person = (SELECT person FROM payment WHERE line = 2) WHERE line = 1",
        "not those that were accepted",
    ),
    ("a payment is gone", "DELETE FROM payment WHERE line = 5", "not those that were accepted"),
    (
        "a payment is added",
        "INSERT INTO payment SELECT register_no, 6, bank, town, 5, person FROM payment WHERE line = 5",
        "not those that were accepted",
    ),
    (
        "amounts change places",
        "UPDATE payment SET amount_fen = 11 - amount_fen WHERE line IN (1, 2)",
        "not those that were accepted",
    ),
    (
        "a hold's reason",
        "UPDATE hold SET reason = 'double' WHERE line = 3 AND event_no = 1",
        "not those that were accepted",
    ),
    (
        "a hold is gone",
        "DELETE FROM hold WHERE line = 3 AND event_no = 1",
        "not those that were accepted",
    ),
    (
        "a decision",
        "UPDATE hold SET event = 'released' WHERE line = 3 AND event_no = 2",
        "decisions about payments set aside",
    ),
    (
        "a decision is gone",
        "DELETE FROM hold WHERE event_no = 2",
        "decisions about payments set aside",
    ),
    (
        "a decision is added",
        "INSERT INTO hold VALUES (1, 5, 2, 'dropped', 'double', '', 'nobody', 0)",
        "decisions about payments set aside",
    ),
    ("an outcome", "UPDATE outcome SET kind = 'credited' WHERE line = 2", "outcomes or notices"),
    (
        "an outcome's reason",
        "UPDATE outcome SET reason = 'held' WHERE line = 2",
        "outcomes or notices",
    ),
    ("an outcome's code", "UPDATE outcome SET code = 'E2' WHERE line = 2", "outcomes or notices"),
    ("an outcome's words", "UPDATE outcome SET words = NULL WHERE line = 2", "outcomes or notices"),
    (
        "an outcome is gone",
        "DELETE FROM outcome WHERE line = 1 AND kind = 'credited'",
        "outcomes or notices",
    ),
    (
        "an outcome is added",
        "INSERT INTO outcome SELECT attempt_no, 5, 'credited', 99, NULL, NULL, NULL FROM outcome WHERE line = 2",
        "outcomes that no result told",
    ),
    ("a notice", "UPDATE notice SET state = 'failed'", "outcomes or notices"),
    ("a notice is gone", "DELETE FROM notice", "outcomes or notices"),
    (
        "a posting's amount",
        "UPDATE posting SET amount_fen = amount_fen + 1 WHERE posting_no = 3",
        "its postings are not",
    ),
    (
        "a posting's place",
        "UPDATE posting SET to_place = 'disputed' WHERE posting_no = 2",
        "its postings are not",
    ),
    (
        "a posting's event",
        "UPDATE posting SET event = 'x' WHERE posting_no = 2",
        "its postings are not",
    ),
    ("a posting is gone", "DELETE FROM posting WHERE posting_no = 2", "its postings are not"),
    (
        "places that add up",
        "UPDATE share SET unsent_fen = unsent_fen + in_flight_fen, in_flight_fen = 0",
        "its postings add up to",
    ),
    (
        "an attempt's state",
        "UPDATE attempt SET state = 'unknown' WHERE attempt_no = 1",
        "A1 is unknown",
    ),
    (
        "an attempt's reference",
        "UPDATE attempt SET reference = 'x' WHERE attempt_no = 1",
        "not what its INTENT tells",
    ),
    ("an attempt is gone", "DELETE FROM attempt WHERE attempt_no = 3", "attempts are missing"),
    (
        "a part's digest",
        "UPDATE part SET sha256 = content FROM batch WHERE attempt_no = 1",
        "not what its INTENT tells",
    ),
    (
        "a part's name",
        "UPDATE part SET name = 'y' WHERE attempt_no = 2",
        "not what its INTENT tells",
    ),
    (
        "a refund's part is gone",
        "DELETE FROM part WHERE attempt_no = 3 AND part_no = 1",
        "not what its INTENT tells",
    ),
    (
        "a batch's sum",
        "UPDATE batch SET sum_fen = sum_fen + 1 WHERE batch_no = 2",
        "not what its INTENT tells",
    ),
    (
        "a batch's digest",
        "UPDATE batch SET content = format_digest WHERE batch_no = 2",
        "not what its INTENT tells",
    ),
    (
        "a batch's range",
        "UPDATE batch SET first_line = 2 WHERE batch_no = 2",
        "not what its INTENT tells",
    ),
    (
        "a batch's counters",
        "UPDATE batch SET returned = returned - 1, credited = credited + 1 WHERE batch_no = 2",
        "its counters are not",
    ),
    ("a batch's members", "DELETE FROM batch_payment", "it was frozen with"),
    ("a batch's exceptions", "DELETE FROM batch_except WHERE line = 3", "it was frozen with"),
    (
        "a leftover's amount",
        "UPDATE leftover SET amount_fen = 2 WHERE line = 1",
        "payments and outcomes make it",
    ),
    (
        "a leftover's state",
        "UPDATE leftover SET state = 'open' WHERE line = 1",
        "payments and outcomes make it",
    ),
    ("a leftover is gone", "DELETE FROM leftover WHERE line = 3", "payments and outcomes make it"),
    ("a refund's sum", "UPDATE refund SET sum_fen = 1", "F1"),
    ("a refund's line is gone", "DELETE FROM refund_line WHERE refund_no = 1", "F1 or its files"),
    (
        "a refund's line is of no refund",
        "INSERT INTO refund_line (refund_no, line, amount_fen) VALUES (9, 1, 1)",
        "of no such batch or refund",
    ),
    (
        "a refund carries another's leftover",
        "UPDATE leftover SET refund_no = NULL, state = 'open' WHERE refund_no = 1",
        "F1 carries other leftover",
    ),
    ("a refund's state", "UPDATE refund SET state = 'refused'", "F1"),
    ("a result is gone", "DELETE FROM result WHERE result_no = 2", "the results that were applied"),
    (
        "a result's state",
        "UPDATE result SET state = 'held' WHERE result_no = 2",
        "the results that were applied",
    ),
    ("a register's state", "UPDATE register SET state = 'revoked'", "R1 is revoked"),
    ("a register's digest", "UPDATE register SET digest = head_digest", "R1: its head"),
    ("a register's head", "UPDATE register SET head_digest = digest", "R1: its head"),
    (
        "a register's deadline",
        "UPDATE register SET deadline_at_ms = deadline_at_ms + 1",
        "R1: its head",
    ),
    ("a register's identity", "UPDATE register SET id = 'x'", "R1: its head"),
    (
        "a register is gone",
        "DELETE FROM register",
        "the registers are not those that the journal tells",
    ),
];

const TABLES: &[&str] = &[
    "journal",
    "journal_head",
    "register",
    "payment",
    "hold",
    "share",
    "batch",
    "batch_except",
    "batch_payment",
    "attempt",
    "part",
    "result",
    "outcome",
    "notice",
    "leftover",
    "refund",
    "refund_line",
    "posting",
];

pub async fn i18_every_change_behind_the_daemon_s_back_is_told(base: &Base) {
    full(base).await;
    let saved = |table: &&str| format!("CREATE TABLE saved_{table} AS SELECT * FROM {table};");
    base.alter(&TABLES.iter().map(saved).collect::<String>()).await.expect("saves");
    let numbers = match base.location {
        Location::Sqlite(_) => "",
        Location::Postgres(_) => "OVERRIDING SYSTEM VALUE",
    };
    let restored = |table: &&str| {
        format!("DELETE FROM {table}; INSERT INTO {table} {numbers} SELECT * FROM saved_{table};")
    };
    let restore = format!("BEGIN; {} COMMIT", TABLES.iter().map(restored).collect::<String>());
    let mut silent = Vec::new();
    for (what, sql, words) in CHANGES {
        base.alter(sql).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        match base.store.verify().await {
            Ok(found) if found.problems.iter().any(|problem| problem.contains(words)) => {}
            Ok(found) => silent.push(format!("{what}: {:?}", found.problems)),
            Err(error) => silent.push(format!("{what}: {error}")),
        }
        base.alter(&restore).await.expect("restores");
        base.clean().await;
    }
    assert!(silent.is_empty(), "not told:\n{}", silent.join("\n"));
}

pub async fn i19_what_the_journal_alone_cannot_tell_the_head_over_heads_does(base: &Base) {
    full(base).await;
    let due = base.store.due_reports(NOW, 1, &[]).await.expect("reads");
    let before = base.store.verify().await.expect("reads");
    base.store.acknowledge(&due, NOW).await.expect("writes");
    let after = base.store.verify().await.expect("reads");
    assert_ne!(before.head, after.head);
    // The last entry goes together with its head: only an anchor outside can know.
    let sql = "DELETE FROM journal WHERE kind = 'report.acknowledged'; UPDATE journal_head SET seq = seq - 1, \
               hash = (SELECT j.hash FROM journal j WHERE j.chain = journal_head.chain AND j.seq = journal_head.seq - 1)";
    base.alter(sql).await.expect("alters");
    let found = base.store.verify().await.expect("reads");
    assert_eq!(found.head, before.head, "compared with an anchored head it is older");
}

pub async fn i18_an_untouched_database_verifies_clean(base: &Base) {
    assert_eq!(base.clean().await.chains, 0, "an empty one");
    full(base).await;
    base.accept("2026-2", 1, &lines(&[5])).await;
    base.store.raise_alert(AlertKind::Finance, "county", None, "text", NOW).await.expect("writes");
    let found = base.clean().await;
    assert_eq!((found.chains, found.payments), (3, 6));
    assert!(found.entries > 10 && found.postings > 8);
    assert_eq!(found.head, base.clean().await.head);
    assert_eq!(base.attached().await.verify().await.expect("reads"), found);
}
