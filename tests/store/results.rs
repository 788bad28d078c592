//! What a bank says about payments: in any order, any number of times, all or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use daifa::clock::Dice;
use daifa::guard::digest::sha256;
use daifa::model::attempt::{AttemptEvent, AttemptState};
use daifa::model::batch::BatchState;
use daifa::model::id::ResultNo;
use daifa::model::money::Fen;
use daifa::model::notice::NoticeState;
use daifa::model::outcome::{Folded, OutcomeKind, Seen};
use daifa::model::place::Places;
use daifa::model::report::{Recipient, RecipientKind, ReportKind};
use daifa::store::reports::NewReport;
use daifa::store::results::{Effects, Taken};
use daifa::store::{Durable, StoreError};

use crate::base::Base;
use crate::samples::{
    BANK, CREDITED, FAILED, NOW, RETURNED, Says, answer, answer_of, line, lines, moved, no_reports,
    payment, quarantined, row, shared,
};

const DELIVERED: Says = Says::Notice(NoticeState::Delivered);
const UNDELIVERED: Says = Says::Notice(NoticeState::Failed);

fn places(approved: i64, in_flight: i64, credited: i64, refundable: i64) -> Places {
    Places {
        approved: Fen::new(approved),
        in_flight: Fen::new(in_flight),
        credited: Fen::new(credited),
        refundable: Fen::new(refundable),
        ..Places::default()
    }
}

pub async fn i7_every_answer_moves_its_money_once(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10, 100])).await;
    let taken = base.take(&attempt, &[(1, CREDITED), (2, FAILED)]).await;
    assert!(matches!(taken, Taken::Applied { outcomes: 2, notices: 0, .. }), "{taken:?}");
    assert_eq!(base.places(register).await, places(111, 100, 1, 10));
    assert_eq!(base.page(register).await.batches[0].state, BatchState::Open);
    base.take(&attempt, &[(3, CREDITED)]).await;
    assert_eq!(base.places(register).await, places(111, 0, 101, 10));
    let row = base.page(register).await.batches[0].clone();
    assert_eq!((row.state, row.pending, row.credited, row.failed), (BatchState::Settled, 0, 2, 1));
    assert_eq!(row.credited_sum, Fen::new(101));
    let counts = base.stands(register).await.counts;
    assert_eq!((counts.credited, counts.failed, counts.finished()), (2, 1, 3));
}

pub async fn i9_a_return_moves_the_money_once_and_the_credit_stays_in_history(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    base.take(&attempt, &[(1, CREDITED), (2, CREDITED)]).await;
    base.take(&attempt, &[(1, RETURNED)]).await;
    let again = base.take(&attempt, &[(1, RETURNED), (1, CREDITED)]).await;
    assert_eq!(again, Taken::Repeated);
    assert_eq!(base.places(register).await, places(11, 0, 10, 1));
    let kinds = "SELECT kind FROM outcome WHERE line = 1 ORDER BY kind";
    assert_eq!(base.texts(kinds).await, ["credited", "returned"]);
    let roads = "SELECT from_place || '>' || to_place || ' ' || amount_fen FROM posting ORDER BY posting_no";
    assert_eq!(
        base.texts(roads).await,
        [
            "finance>unsent 11",
            "unsent>in_flight 11",
            "in_flight>credited 11",
            "credited>refundable 1"
        ]
    );
    let life = base.store.life(payment(register, 1)).await.expect("reads").expect("is there");
    assert!(life.standing.starts_with("returned"), "{}", life.standing);
}

pub async fn i10_the_same_bytes_again_change_nothing(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let rows = base.rows(&attempt, &[(1, CREDITED), (2, FAILED)]).await;
    let digest = sha256(b"one file");
    let take = async || {
        let attempt = base.again(&attempt).await;
        let answer = answer_of(rows.clone(), digest);
        base.store.take_result(&attempt, answer, &no_reports, NOW).await.expect("takes")
    };
    assert!(matches!(take().await, Taken::Applied { .. }));
    let before = base.state_of_things().await;
    let entries = base.clean().await.entries;
    assert_eq!(take().await, Taken::Repeated);
    assert_eq!(base.state_of_things().await, before);
    assert_eq!(base.clean().await.entries, entries);
    assert_eq!(base.number("SELECT COUNT(*) FROM result").await, 1);
    // Other bytes that say nothing new leave no trace either.
    assert_eq!(base.take(&attempt, &[(2, FAILED)]).await, Taken::Repeated);
    assert_eq!(base.number("SELECT COUNT(*) FROM result").await, 1);
}

pub async fn i10_bytes_that_were_taken_are_not_read_again_in_another_way(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let digest = sha256(b"one file");
    let take = async |said: &[(i64, Says)]| {
        let rows = base.rows(&attempt, said).await;
        let attempt = base.again(&attempt).await;
        let answer = answer_of(rows, digest);
        base.store.take_result(&attempt, answer, &no_reports, NOW).await.expect("takes")
    };
    assert!(matches!(take(&[(1, CREDITED)]).await, Taken::Applied { outcomes: 1, .. }));
    let before = base.state_of_things().await;
    let entries = base.clean().await.entries;
    // The same bytes, read by another release or another text of the format: they were taken, and the
    // journal says what they said.
    assert_eq!(take(&[(1, FAILED), (2, FAILED)]).await, Taken::Repeated);
    assert_eq!(base.state_of_things().await, before);
    assert_eq!(base.clean().await.entries, entries);
    assert_eq!(base.number("SELECT COUNT(*) FROM result").await, 1);
}

pub async fn i10_equal_bytes_about_another_batch_are_another_answer(base: &Base) {
    // A file that names neither batch nor day is the same for July and for August.
    let (july, first) = base.under_way("2026-7", &lines(&[1, 10])).await;
    let (august, second) = base.under_way("2026-8", &lines(&[1, 10])).await;
    let digest = sha256(b"the same people, the same amounts");
    for attempt in [&first, &second] {
        let rows = base.rows(attempt, &[(1, CREDITED), (2, FAILED)]).await;
        let attempt = base.again(attempt).await;
        let taken =
            base.store.take_result(&attempt, answer_of(rows, digest), &no_reports, NOW).await;
        assert!(matches!(taken, Ok(Taken::Applied { outcomes: 2, .. })), "{taken:?}");
        base.clean().await;
    }
    for register in [july, august] {
        assert_eq!(base.places(register).await, places(11, 0, 1, 10));
    }
    // So it is with answers that cannot be used: each of them is kept, and told.
    let rubbish = sha256(b"busy");
    for attempt in [&first, &second] {
        let attempt = Some(base.again(attempt).await);
        let held = base
            .store
            .hold_result(BANK, "answer", &rubbish, attempt.as_ref(), "why", vec![1], NOW)
            .await;
        assert!(held.expect("writes"));
    }
    assert_eq!(base.alerts().await, ["result_held"; 2]);
    base.clean().await;
}

pub async fn i10_bytes_held_as_nobody_s_twice_are_taken_once(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let digest = sha256(b"one file");
    let hold = async || {
        let held = base.store.hold_result(BANK, "x", &digest, None, "unknown", vec![1], NOW).await;
        held.expect("writes")
    };
    assert!(hold().await);
    let rows = base.rows(&attempt, &[(1, CREDITED)]).await;
    let take = async || {
        let attempt = base.again(&attempt).await;
        let answer = answer_of(rows.clone(), digest);
        base.store.take_result(&attempt, answer, &no_reports, NOW).await.expect("takes")
    };
    assert!(matches!(take().await, Taken::Applied { .. }));
    assert_eq!(base.alerts().await, [""; 0], "it is known what they are about");
    // Under a name that says nothing they come once more.
    assert!(hold().await);
    assert_eq!(take().await, Taken::Repeated);
    assert_eq!(base.places(register).await, places(11, 10, 1, 0));
    base.clean().await;
}

pub async fn f34_an_answer_to_an_older_look_opens_nothing_that_is_over(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let (looked, rows) = (base.again(&attempt).await, base.rows(&attempt, &[(1, DELIVERED)]).await);
    assert_eq!(looked.pending, 2);
    base.take(&attempt, &[(1, CREDITED), (2, CREDITED)]).await;
    let waits =
        "SELECT COUNT(*) FROM expectation WHERE kind = 'result' AND state IN ('open', 'overdue')";
    assert_eq!(base.number(waits).await, 0);
    // Another answer, of a question that was asked before the first one came.
    let answer = answer_of(rows, sha256(b"another"));
    let taken = base.store.take_result(&looked, answer, &no_reports, NOW).await.expect("takes");
    assert!(matches!(taken, Taken::Applied { notices: 1, .. }), "{taken:?}");
    assert_eq!(base.number(waits).await, 0, "every payment is answered for");
    let again = "SELECT COUNT(*) FROM attempt WHERE next_at_ms IS NOT NULL";
    assert_eq!(base.number(again).await, 0, "nothing is left to ask");
    base.clean().await;
}

/// Twelve payments with everything a bank can say of them, in every combination that occurs.
fn everything() -> Vec<(i64, Says)> {
    let of = |line: i64, said: &[Says]| said.iter().map(|says| (line, *says)).collect::<Vec<_>>();
    [
        of(1, &[CREDITED]),
        of(2, &[FAILED]),
        of(3, &[RETURNED]),
        of(4, &[CREDITED, RETURNED]),
        of(5, &[FAILED, RETURNED]),
        of(6, &[CREDITED, FAILED]),
        of(7, &[CREDITED, FAILED, RETURNED]),
        of(8, &[CREDITED, DELIVERED]),
        of(9, &[CREDITED, UNDELIVERED, DELIVERED]),
        of(10, &[FAILED, UNDELIVERED]),
        of(11, &[DELIVERED]),
    ]
    .concat()
}

pub async fn i10_shuffled_repeated_and_split_results_end_alike(base: &Base) {
    let all = lines(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]);
    let mut ends: Vec<Vec<String>> = Vec::new();
    let seeds = if std::env::var_os("DAIFA_TEST_LONG").is_some() { 200 } else { 12 };
    for seed in 0..seeds {
        let fresh = base.another().await;
        let (_, attempt) = fresh.under_way("2026-1", &all).await;
        let mut dice = Dice::seeded(seed);
        let mut said = everything();
        if seed > 0 {
            // Some of it twice, all of it shuffled.
            for _ in 0..dice.below(8) {
                said.push(said[usize::try_from(dice.below(said.len() as u64)).expect("small")]);
            }
            for at in (1..said.len()).rev() {
                said.swap(at, usize::try_from(dice.below(at as u64 + 1)).expect("small"));
            }
        }
        let mut rest = said.as_slice();
        while !rest.is_empty() {
            let most =
                if seed == 0 { rest.len() as u64 } else { 1 + dice.below(rest.len() as u64) };
            let (file, after) = rest.split_at(usize::try_from(most).expect("small"));
            fresh.take(&attempt, file).await;
            rest = after;
        }
        ends.push(fresh.state_of_things().await);
    }
    assert!(ends[0].len() > 20);
    for (seed, end) in ends.iter().enumerate() {
        assert_eq!(*end, ends[0], "seed {seed}");
    }
}

pub async fn i11_every_ordered_pair_of_answers_folds_alike(base: &Base) {
    let kinds = OutcomeKind::SAID;
    let pairs: Vec<_> = kinds.iter().flat_map(|a| kinds.iter().map(move |b| (*a, *b))).collect();
    let amounts: Vec<i64> = (0..pairs.len()).map(|at| 1 << at).collect();
    let (register, attempt) = base.under_way("2026-1", &lines(&amounts)).await;
    for which in 0..2 {
        let said: Vec<_> = (1..)
            .zip(&pairs)
            .map(|(line, pair)| (line, Says::Kind(if which == 0 { pair.0 } else { pair.1 })))
            .collect();
        base.take(&attempt, &said).await;
    }
    let mut expected =
        Places { approved: amounts.iter().map(|fen| Fen::new(*fen)).sum(), ..Places::default() };
    let mut conflicts = 0;
    for ((a, b), amount) in pairs.iter().zip(&amounts) {
        let place = match Seen::default().with(*a).with(*b).fold() {
            Folded::Credited => &mut expected.credited,
            Folded::Failed | Folded::Returned => &mut expected.refundable,
            Folded::Conflict => {
                conflicts += 1;
                &mut expected.in_flight
            }
            Folded::Pending => unreachable!("two answers came"),
        };
        *place = [*place, Fen::new(*amount)].into_iter().sum();
    }
    assert_eq!(base.places(register).await, expected);
    assert_eq!((conflicts, base.stands(register).await.counts.conflicts), (2, 2));
    let alerts = base.alerts().await;
    assert_eq!(alerts.iter().filter(|kind| *kind == "conflict").count(), 2, "{alerts:?}");
    assert_eq!(base.page(register).await.batches[0].state, BatchState::Open, "two people decide");
}

pub async fn i11_a_contradiction_in_one_file_freezes_the_payment(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    base.take(&attempt, &[(1, FAILED), (1, CREDITED), (2, CREDITED)]).await;
    assert_eq!(base.places(register).await, places(11, 1, 10, 0));
    assert_eq!(base.alerts().await, ["conflict"]);
    assert_eq!(base.store.open_leftovers(register, BANK, 9).await.expect("reads"), []);
    assert_eq!(base.store.due_to_settle(i64::MAX / 2).await.expect("reads"), []);
}

pub async fn i12_what_does_not_match_is_put_aside_and_the_rest_applies(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let take = async |bytes: &[u8], line| {
        let attempt = base.again(&attempt).await;
        let mut answer = answer_of(vec![row(line, 1, CREDITED)], sha256(bytes));
        answer.quarantined = vec![quarantined(2), quarantined(3)];
        answer.evidence = Some(b"sealed".to_vec());
        let taken = base.store.take_result(&attempt, answer, &no_reports, NOW).await;
        base.clean().await;
        taken.expect("takes")
    };
    assert!(matches!(take(b"1", 1).await, Taken::Applied { outcomes: 1, .. }));
    assert_eq!(base.places(register).await, places(11, 10, 1, 0));
    assert_eq!(base.alerts().await, ["quarantine"]);
    let page = base.store.batch_page(attempt.batch.expect("a batch"), 9).await;
    let page = page.expect("reads").expect("is there");
    let kept: Vec<_> = page.quarantined.iter().map(|row| (row.row, row.cause.as_str())).collect();
    assert_eq!(kept, [(2, "amount_differs"), (3, "amount_differs")]);
    assert_eq!(base.number("SELECT COUNT(*) FROM result WHERE evidence IS NOT NULL").await, 1);
    // The same complaint in other bytes is not put aside again.
    assert_eq!(take(b"2", 1).await, Taken::Repeated);
    assert_eq!(base.number("SELECT COUNT(*) FROM quarantine").await, 2);
}

pub async fn i12_what_does_not_close_is_held_whole(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let before = base.state_of_things().await;
    let digest = sha256(b"bad file");
    let hold = async |attempt| {
        let evidence = b"sealed".to_vec();
        let why = "总金额不符";
        let held =
            base.store.hold_result(BANK, "r.txt", &digest, attempt, why, evidence, NOW).await;
        base.clean().await;
        held.expect("writes")
    };
    assert!(hold(Some(&attempt)).await, "it is new");
    assert!(!hold(Some(&attempt)).await, "the same bytes again are the same");
    assert_eq!(base.alerts().await, ["result_held"]);
    assert_eq!(base.state_of_things().await, before, "it changes nothing");
    assert_eq!(base.page(register).await.alerts.len(), 1);
    // What belongs to no attempt is held as well, in the bank's own chain.
    let other = sha256(b"another branch's file");
    let held = base.store.hold_result(BANK, "x", &other, None, "unknown", vec![1], NOW).await;
    assert!(held.expect("writes"));
    let chain = format!("SELECT kind FROM journal WHERE chain = 'bank:{BANK}'");
    assert_eq!(base.texts(&chain).await, ["result.held"]);
    base.clean().await;
}

pub async fn i13_bytes_that_were_held_are_never_counted_as_applied(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 10])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let sending = base.started(&attempt).await;
    let unknown = base.concluded(&sending, AttemptEvent::Lost).await;
    let digest = sha256(b"held first");
    // Whoever counts beside the database is never ahead of it (F16).
    let counted = Arc::new(AtomicI64::new(0));
    let counts = Arc::clone(&counted);
    base.store.witnessed(Box::new(move |what| {
        if let Durable::Answer(result) = what {
            counts.fetch_max(result.0, Ordering::SeqCst);
        }
    }));
    let held =
        base.store.hold_result(BANK, "r", &digest, Some(&unknown), "why", vec![1], NOW).await;
    assert!(held.expect("writes"));
    // Taking the very same bytes must not say that the bank has the batch and then drop the rows.
    let rows = base.rows(&attempt, &[(1, CREDITED), (2, CREDITED)]).await;
    let taken = base.store.take_result(&unknown, answer_of(rows, digest), &no_reports, NOW).await;
    base.clean().await;
    let applied = matches!(taken, Ok(Taken::Applied { outcomes: 2, .. }));
    let untouched = base.again(&attempt).await.state == AttemptState::Unknown;
    assert!(applied || untouched, "{taken:?}: accepted, and its answers are lost");
    let (_, known) = base.store.hand_overs_and_answers().await.expect("reads");
    assert_eq!(counted.load(Ordering::SeqCst), known);
}

pub async fn i13_a_result_that_fails_on_the_way_leaves_nothing(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let sending = base.accept("2026-2", 1, &lines(&[5])).await;
    let sending = base.started(&base.cut(sending, BANK, 9).await).await;
    let before = base.state_of_things().await;
    let verified = base.clean().await;
    // A line too many: the batch cannot have three answers.
    for attempt in [&base.again(&attempt).await, &sending] {
        let rows = vec![row(1, 1, CREDITED), row(2, 10, CREDITED), row(3, 100, CREDITED)];
        let taken = base.store.take_result(attempt, answer(rows), &no_reports, NOW).await;
        assert!(matches!(taken, Err(StoreError::Query { .. })), "{taken:?}");
        assert_eq!(base.state_of_things().await, before);
        assert_eq!(base.clean().await, verified);
        assert_eq!(base.number("SELECT COUNT(*) FROM result").await, 0);
    }
    base.take(&attempt, &[(1, CREDITED), (2, CREDITED)]).await;
    assert_eq!(base.places(register).await.credited, Fen::new(11));
}

pub async fn i13_a_result_that_is_broken_off_is_whole_or_not_there(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1; 61])).await;
    // How long it takes when it is left alone, on this machine and now.
    let alone = tokio::time::Instant::now();
    base.take(&attempt, &[(61, CREDITED), (61, DELIVERED)]).await;
    let step = alone.elapsed() / 30;
    let mut whole_before = 1;
    for line in 1..=60 {
        let rows = base.rows(&attempt, &[(line, CREDITED), (line, DELIVERED)]).await;
        let (store, attempt) = (shared(base), base.again(&attempt).await);
        let taking = tokio::spawn(async move {
            store.take_result(&attempt, answer(rows), &no_reports, NOW).await.map(|_| ())
        });
        tokio::time::sleep(step * u32::try_from(line).expect("small")).await;
        taking.abort();
        // Broken off or done: the store goes on, and nothing is half.
        drop(taking.await);
        base.clean().await;
        // In one look: the server may still be at a commit that nobody waited for.
        let sql = "SELECT (SELECT COUNT(*) FROM outcome) || ' ' || (SELECT COUNT(*) FROM notice) \
                   || ' ' || (SELECT COUNT(*) FROM result)";
        let looked = base.texts(sql).await.remove(0);
        let counts: Vec<i64> = looked.split(' ').map(|n| n.parse().expect("a number")).collect();
        let whole = counts.iter().all(|count| *count == counts[0]);
        assert!(whole && (whole_before..=line + 1).contains(&counts[0]), "{looked} at {line}");
        whole_before = counts[0];
    }
    assert!(whole_before > 1, "none went through; it was broken off too soon to prove anything");
    base.store.set_cursor("county", "registers", "9", NOW).await.expect("the writer still writes");
}

pub async fn an_answer_accepts_an_attempt_whose_own_answer_was_lost(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 10])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let sending = base.started(&attempt).await;
    base.concluded(&sending, AttemptEvent::Lost).await;
    assert_eq!(base.alerts().await, ["unknown"]);
    base.take(&attempt, &[(1, CREDITED)]).await;
    assert_eq!(base.again(&attempt).await.state, AttemptState::Accepted);
    assert_eq!(base.alerts().await, [""; 0]);
    assert_eq!(base.places(register).await, places(11, 10, 1, 0));
}

pub async fn i26_a_notice_is_kept_once_and_moves_no_money(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    base.take(&attempt, &[(1, CREDITED), (1, UNDELIVERED)]).await;
    let before = (base.places(register).await, base.number("SELECT COUNT(*) FROM posting").await);
    let taken = base.take(&attempt, &[(1, DELIVERED), (1, DELIVERED), (2, DELIVERED)]).await;
    assert!(matches!(taken, Taken::Applied { outcomes: 0, notices: 2, .. }), "{taken:?}");
    assert_eq!(base.take(&attempt, &[(1, UNDELIVERED), (2, DELIVERED)]).await, Taken::Repeated);
    let after = (base.places(register).await, base.number("SELECT COUNT(*) FROM posting").await);
    assert_eq!(after, before);
    let Taken::Applied { result, .. } = taken else { unreachable!("was applied") };
    let (_, rows) = base.store.notice_rows(result).await.expect("reads");
    assert_eq!(
        rows,
        [(1, 610_728_101, NoticeState::Delivered), (2, 610_728_101, NoticeState::Delivered)]
    );
}

pub async fn what_a_result_said_stays_what_its_report_says(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &[line(1, 1), line(2, 10)]).await;
    let rows = base.rows(&attempt, &[(1, FAILED), (2, CREDITED)]).await;
    let follow = |result: ResultNo, effects: &Effects| {
        assert_eq!(effects.outcomes, [1, 2]);
        vec![NewReport {
            report_id: "results-1".to_owned(),
            register: attempt.register,
            kind: ReportKind::Results,
            recipient: Recipient { kind: RecipientKind::Town, name: "610728101".to_owned() },
            subject: result.0,
            body: String::new(),
        }]
    };
    base.store.take_result(&attempt, answer(rows), &follow, NOW).await.expect("takes");
    let due = base.store.due_reports(NOW, 9, &[]).await.expect("reads");
    let report = due.iter().find(|due| due.report_id == "results-1").expect("is due");
    let first = ResultNo(report.subject);
    // A later answer contradicts the first; the first report still says what it said.
    base.take(&attempt, &[(1, CREDITED)]).await;
    let (head, rows) = base.store.outcome_rows(first).await.expect("reads");
    assert_eq!((head.attempt, head.bank.as_str()), (attempt.no, BANK));
    let said: Vec<_> = rows.iter().map(|row| (row.line, row.kind, row.folded)).collect();
    assert_eq!(
        said,
        [(1, OutcomeKind::Failed, Folded::Failed), (2, OutcomeKind::Credited, Folded::Credited)]
    );
    assert!(rows[0].person.is_some() && rows[1].person.is_none(), "who was paid is not repeated");
    let later = ResultNo(base.number("SELECT MAX(result_no) FROM result").await);
    let (_, rows) = base.store.outcome_rows(later).await.expect("reads");
    assert_eq!(rows[0].folded, Folded::Conflict);
}

pub async fn i8_a_result_and_a_refund_at_once_do_not_both_have_the_money(base: &Base) {
    for round in 0..12 {
        let (register, attempt) = base.under_way(&format!("2026-{round}"), &lines(&[100])).await;
        base.take(&attempt, &[(1, FAILED)]).await;
        let new = base.next_refund(register, BANK).await;
        let rows = base.rows(&attempt, &[(1, CREDITED)]).await;
        let attempt = base.again(&attempt).await;
        let (left, right) = (shared(base), base.attached().await);
        let refund = tokio::spawn(async move { left.intend_refund(&new, NOW).await.map(|_| ()) });
        let credit = tokio::spawn(async move {
            right.take_result(&attempt, answer(rows), &no_reports, NOW).await.map(|_| ())
        });
        let (refund, credit) = (refund.await.expect("runs"), credit.await.expect("runs"));
        base.clean().await;
        let now = base.places(register).await;
        match (&refund, &credit) {
            // The refund was first: the credit is more than was approved.
            (Ok(()), Ok(())) => {
                assert_eq!((now.refundable, now.disputed), (Fen::new(100), Fen::new(100)));
            }
            // The credit was first: it is a contradiction, and nothing is leftover.
            (Err(_), Ok(())) => {
                assert_eq!((now.in_flight, now.disputed), (Fen::new(100), Fen::ZERO));
                moved(refund);
            }
            (Ok(()), Err(_)) => moved(credit),
            (Err(_), Err(_)) => panic!("one must win: {refund:?} {credit:?}"),
        }
    }
}
