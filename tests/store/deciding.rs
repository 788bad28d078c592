//! What two people decide: never one alone (I31), never about what moved on (F65), and with the money in
//! the same places as if a bank had said it (I2, I7, I11).

use daifa::guard::digest::sha256;
use daifa::model::attempt::{AttemptEvent, AttemptState};
use daifa::model::batch::BatchState;
use daifa::model::decision::{DecisionState, Subject, Verdict};
use daifa::model::id::{DecisionNo, RegisterNo, ResultNo};
use daifa::model::outcome::{Folded, OutcomeKind};
use daifa::model::reason::Reason;
use daifa::store::attempts::{Attempt, Conclusion};
use daifa::store::decide::{Case, CasePayment, Effect, NewDecision};
use daifa::store::quarantine::SettledBy;
use daifa::store::refunds::WayBack;
use daifa::store::results::{Taken, TakenRow};
use daifa::store::{Store, StoreError};

use crate::base::Base;
use crate::samples::{
    BANK, CREDITED, FAILED, HOUR, NOW, RETURNED, Says, answer, answer_of, lines, no_reports,
    payment, quarantined, refused, row,
};

const ONE: &str = "wang";
const OTHER: &str = "li";

async fn case(base: &Base, subject: Subject) -> Case {
    base.store.case(subject).await.expect("reads").expect("is there")
}

async fn proposed(base: &Base, subject: Subject, verdict: Verdict, by: &str) -> DecisionNo {
    let case = case(base, subject).await;
    let reason = (verdict == Verdict::Failed).then_some(Reason::Other);
    let evidence = b"sealed".to_vec();
    let new = NewDecision { subject, verdict, reason, case: &case, evidence, by };
    let no = base.store.propose(new, NOW).await.expect("proposes");
    base.clean().await;
    no
}

fn says(verdict: Verdict, one: &CasePayment) -> TakenRow {
    let kind = verdict.outcome(one.folded == Folded::Conflict);
    let failed = kind.is_some_and(|kind| !kind.is_credit());
    TakenRow {
        line: one.line,
        amount: one.amount,
        kind,
        reason: failed.then_some(Reason::Other),
        code: "D".to_owned(),
        words: None,
        notice: None,
    }
}

async fn confirm(store: &Store, no: DecisionNo, by: &str) -> Result<(), StoreError> {
    let decision = store.decision(no).await.expect("reads").expect("is there");
    let case = store.case(decision.subject).await.expect("reads").expect("is there");
    let follow = |result: ResultNo, effects: &_| no_reports(result, effects);
    let effect = match decision.verdict.event() {
        Some(event) => Effect::Conclude(Conclusion {
            refund_done: event == AttemptEvent::DecidedReceived,
            ..Conclusion::of(event, None)
        }),
        None if decision.verdict == Verdict::Dismissed => Effect::Dismiss,
        None => {
            let rows = case.payments.iter().map(|one| says(decision.verdict, one)).collect();
            Effect::Say(rows, &follow)
        }
    };
    // Later than what it is about.
    store.confirm(no, by, effect, NOW + 1).await
}

/// Proposed by one and confirmed by another.
async fn decided(base: &Base, subject: Subject, verdict: Verdict) {
    let no = proposed(base, subject, verdict, ONE).await;
    confirm(&base.store, no, OTHER).await.expect("confirms");
    base.clean().await;
}

/// A batch of two whose fate nobody knows.
async fn unknown(base: &Base) -> (RegisterNo, Attempt) {
    let register = base.accept("2026-1", 1, &lines(&[1, 10])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let attempt = base.started(&attempt).await;
    (register, base.concluded(&attempt, AttemptEvent::Lost).await)
}

/// Unsent, in flight, credited, refundable.
async fn places(base: &Base, register: RegisterNo) -> [i64; 4] {
    let places = base.places(register).await;
    [places.unsent, places.in_flight, places.credited, places.refundable]
        .map(daifa::model::money::Fen::get)
}

pub async fn i31_the_database_refuses_that_one_person_decides_alone(base: &Base) {
    let (register, attempt) = unknown(base).await;
    let no = proposed(base, Subject::Attempt(attempt.no), Verdict::Never, ONE).await;
    let before = base.state_of_things().await;
    let words = refused(confirm(&base.store, no, ONE).await);
    assert!(words.contains("another operator"), "{words}");
    // Nor does it let it be written beside the daemon.
    for sql in [
        "UPDATE decision SET state = 'confirmed', confirmed_by = proposed_by, confirmed_at_ms = 1",
        "UPDATE decision SET confirmed_by = 'li'",
        "UPDATE decision SET state = 'confirmed'",
        "UPDATE decision SET state = 'confirmed', confirmed_by = 'li'",
    ] {
        let refused = base.alter(sql).await.expect_err(sql).to_string();
        assert!(refused.contains("decision_"), "{sql}: {refused}");
    }
    assert_eq!(base.state_of_things().await, before, "nothing moved");
    assert_eq!(base.again(&attempt).await.state, AttemptState::Unknown);
    base.clean().await;
    confirm(&base.store, no, OTHER).await.expect("another confirms");
    assert_eq!(base.again(&attempt).await.state, AttemptState::Refused);
    assert_eq!(places(base, register).await, [11, 0, 0, 0]);
    let kept = base.store.decision(no).await.expect("reads").expect("is kept");
    assert_eq!((kept.proposed_by.as_str(), kept.confirmed_by.as_deref()), (ONE, Some(OTHER)));
    base.clean().await;
}

pub async fn f65_a_decision_about_what_moved_on_changes_nothing(base: &Base) {
    let (register, attempt) = unknown(base).await;
    let subject = Subject::Attempt(attempt.no);
    let shown = case(base, subject).await;
    let no = proposed(base, subject, Verdict::NotReceived, ONE).await;
    // The bank answers after all.
    base.concluded(&attempt, AttemptEvent::Accepted).await;
    let words = refused(confirm(&base.store, no, OTHER).await);
    assert!(words.contains("is not as it was"), "{words}");
    assert_eq!(base.again(&attempt).await.state, AttemptState::Accepted);
    let kept = base.store.decision(no).await.expect("reads").expect("is kept");
    assert_eq!(kept.state, DecisionState::Proposed, "nobody confirmed it");
    base.clean().await;
    // What was shown before cannot be proposed any more either.
    base.store.take_back(no, OTHER, NOW).await.expect("withdraws");
    let evidence = b"sealed".to_vec();
    let late = NewDecision {
        subject,
        verdict: Verdict::NotReceived,
        reason: None,
        case: &shown,
        evidence,
        by: ONE,
    };
    let words = refused(base.store.propose(late, NOW).await);
    assert!(words.contains("moved on"), "{words}");
    assert_eq!(places(base, register).await, [0, 11, 0, 0]);
    base.clean().await;
}

pub async fn f65_a_decision_is_proposed_confirmed_and_withdrawn_once(base: &Base) {
    let (_, attempt) = unknown(base).await;
    let subject = Subject::Attempt(attempt.no);
    let no = proposed(base, subject, Verdict::Received, ONE).await;
    let shown = case(base, subject).await;
    let evidence = b"sealed".to_vec();
    let verdict = Verdict::Never;
    let second = NewDecision { subject, verdict, reason: None, case: &shown, evidence, by: OTHER };
    let words = refused(base.store.propose(second, NOW).await);
    assert!(words.contains("D1 proposes something about A1 already"), "{words}");
    base.store.take_back(no, ONE, NOW).await.expect("withdraws");
    for again in [base.store.take_back(no, ONE, NOW).await, confirm(&base.store, no, OTHER).await] {
        let words = refused(again);
        assert!(words.contains("was withdrawn by wang"), "{words}");
    }
    // It is confirmed by whoever opens the database next, and then over.
    let no = proposed(base, subject, Verdict::Received, OTHER).await;
    let beside = base.attached().await;
    confirm(&beside, no, ONE).await.expect("confirms");
    base.clean().await;
    for again in [base.store.take_back(no, ONE, NOW).await, confirm(&beside, no, ONE).await] {
        let words = refused(again);
        assert!(words.contains("was confirmed by wang"), "{words}");
    }
    assert_eq!(base.again(&attempt).await.state, AttemptState::Accepted);
    refused(base.store.take_back(DecisionNo(9), ONE, NOW).await);
    base.clean().await;
}

pub async fn f65_two_who_confirm_at_once_carry_it_out_once(base: &Base) {
    let (register, attempt) = unknown(base).await;
    let no = proposed(base, Subject::Attempt(attempt.no), Verdict::Never, ONE).await;
    let (first, second) = (base.attached().await, base.attached().await);
    let (a, b) = tokio::join!(confirm(&first, no, OTHER), confirm(&second, no, "zhao"));
    assert_eq!([&a, &b].iter().filter(|done| done.is_ok()).count(), 1, "{a:?} {b:?}");
    assert_eq!(places(base, register).await, [11, 0, 0, 0]);
    base.clean().await;
}

pub async fn i2_two_people_end_what_no_bank_can_say(base: &Base) {
    for (verdict, state, expected) in [
        (Verdict::Received, AttemptState::Accepted, [0, 11, 0, 0]),
        (Verdict::NotReceived, AttemptState::NotSent, [0, 11, 0, 0]),
        (Verdict::Never, AttemptState::Refused, [11, 0, 0, 0]),
    ] {
        let base = base.another().await;
        let (register, attempt) = unknown(&base).await;
        assert_eq!(base.alerts().await, ["unknown"]);
        decided(&base, Subject::Attempt(attempt.no), verdict).await;
        let after = base.again(&attempt).await;
        assert_eq!(after.state, state, "{verdict}");
        assert_eq!(places(&base, register).await, expected, "{verdict}");
        // The bank's window runs anew, or nothing would ever go again; and it never counts as unsent.
        let goes_again = verdict == Verdict::NotReceived;
        assert_eq!(after.lost_at_ms > attempt.lost_at_ms, goes_again, "{verdict}");
        assert!(!after.never_left(), "{verdict}");
        let left = if verdict == Verdict::Never { vec!["batch_refused"] } else { vec![] };
        assert_eq!(base.alerts().await, left, "{verdict}");
        if goes_again {
            base.sent(&after).await;
        }
    }
}

pub async fn i2_a_refund_that_no_bank_answers_for_is_decided(base: &Base) {
    for verdict in [Verdict::Received, Verdict::NotReceived, Verdict::Never] {
        let base = base.another().await;
        let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
        base.take(&attempt, &[(1, CREDITED), (2, FAILED)]).await;
        let refund = base.give_back(register, BANK).await;
        let refund = base.started(&refund).await;
        let refund = base.concluded(&refund, AttemptEvent::Lost).await;
        decided(&base, Subject::Attempt(refund.no), verdict).await;
        let places = base.places(register).await;
        let (refundable, refunded) = (places.refundable.get(), places.refunded.get());
        let expected = if verdict == Verdict::Received { (0, 10) } else { (10, 0) };
        assert_eq!((refundable, refunded), expected, "{verdict}");
        let free = base.store.open_leftovers(register, BANK, 9).await.expect("reads").len();
        assert_eq!(free, usize::from(verdict == Verdict::Never), "{verdict}");
    }
}

pub async fn i8_a_refund_that_people_carry_out_takes_no_number_and_moves_money_once_two_said_so(
    base: &Base,
) {
    for verdict in [Verdict::Received, Verdict::Never] {
        let base = base.another().await;
        let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
        base.take(&attempt, &[(1, CREDITED), (2, FAILED)]).await;
        let mut new = base.next_refund(register, BANK).await;
        new.way = WayBack::ByHand { task: "退回".to_owned() };
        let to_come = base.store.reference_to_come(BANK).await.expect("reads");
        let (_, no) = base.store.intend_refund(&new, NOW).await.expect("intends");
        base.clean().await;
        assert_eq!(base.store.reference_to_come(BANK).await.expect("reads"), to_come);
        assert_eq!(base.attempt(no).await.state, AttemptState::ByHand);
        assert_eq!(base.alerts().await, ["refund_by_hand"]);
        // No step picks it up, and no bank answers for it.
        for state in AttemptState::ALL {
            let due = base.store.due_attempts(BANK, &[*state; 2], NOW + 99 * HOUR, 9).await;
            assert!(due.expect("reads").iter().all(|due| due.no != no), "{state}");
        }
        for event in AttemptEvent::ALL.iter().filter(|event| !event.is_decided()) {
            let conclusion = Conclusion::of(*event, None);
            let concluded = base.store.conclude(&base.attempt(no).await, &conclusion, NOW).await;
            refused(concluded);
        }
        assert_eq!(places(&base, register).await, [0, 0, 1, 10], "until two have said so");
        decided(&base, Subject::Attempt(no), verdict).await;
        let places = base.places(register).await;
        let expected = if verdict == Verdict::Received { (0, 10) } else { (10, 0) };
        assert_eq!((places.refundable.get(), places.refunded.get()), expected, "{verdict}");
        assert!(!base.alerts().await.contains(&"refund_by_hand".to_owned()), "{verdict}");
    }
}

pub async fn i2_what_the_bank_has_as_something_else_is_closed_and_cut_again(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 10])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let stopped = base.concluded(&attempt, AttemptEvent::OtherContent).await;
    let batch = stopped.batch.expect("a batch");
    refused(base.store.recut(batch, "op", NOW).await);
    decided(base, Subject::Attempt(stopped.no), Verdict::Never).await;
    let alerts = base.alerts().await;
    assert!(!alerts.contains(&"other_content".to_owned()), "{alerts:?}");
    assert!(alerts.contains(&"bank_stopped".to_owned()), "the bank is another matter");
    assert_eq!(base.store.recut(batch, "op", NOW).await.expect("orders"), 2);
    let again = base.cut(register, BANK, 9).await;
    assert_ne!(again.reference, stopped.reference);
    base.sent(&again).await;
    assert_eq!(places(base, register).await, [0, 11, 0, 0]);
}

pub async fn i2_payments_that_were_made_elsewhere_are_decided_one_by_one(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 10, 100])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let stopped = base.concluded(&attempt, AttemptEvent::OtherContent).await;
    decided(base, Subject::Payment(payment(register, 1)), Verdict::Credited).await;
    assert_eq!(places(base, register).await, [0, 110, 1, 0]);
    // Of what is partly answered for, nothing can be taken back as a whole.
    let no = proposed(base, Subject::Attempt(stopped.no), Verdict::Never, ONE).await;
    refused(confirm(&base.store, no, OTHER).await);
    base.store.take_back(no, ONE, NOW).await.expect("withdraws");
    decided(base, Subject::Batch(stopped.batch.expect("a batch")), Verdict::Failed).await;
    assert_eq!(places(base, register).await, [0, 0, 1, 110]);
    assert_eq!(base.page(register).await.batches[0].state, BatchState::Settled);
    assert_eq!(base.again(&stopped).await.state, AttemptState::Stopped);
    assert_eq!(base.alerts().await, ["bank_stopped"]);
    let told = base.store.life(payment(register, 1)).await.expect("reads").expect("is there");
    let told: Vec<String> = told.events.into_iter().map(|event| event.what).collect();
    assert!(told.iter().any(|what| what == "wang and li decided credited (D1)"), "{told:#?}");
}

pub async fn i11_two_people_settle_every_contradiction_either_way(base: &Base) {
    let orders = [[CREDITED, FAILED], [FAILED, CREDITED]];
    let later = [None, Some(CREDITED), Some(FAILED), Some(RETURNED)];
    let verdicts = [Verdict::Credited, Verdict::Failed];
    let mut plan = Vec::new();
    for order in orders {
        plan.extend(verdicts.iter().flat_map(|v| later.iter().map(move |l| (order, *v, *l))));
    }
    let amounts: Vec<i64> = (0..plan.len()).map(|at| 1 << at).collect();
    let (register, attempt) = base.under_way("2026-1", &lines(&amounts)).await;
    for which in 0..2 {
        let said: Vec<_> = (1..).zip(&plan).map(|(line, one)| (line, one.0[which])).collect();
        base.take(&attempt, &said).await;
    }
    let all: i64 = amounts.iter().sum();
    assert_eq!(places(base, register).await, [0, all, 0, 0], "frozen, all of them");
    for (line, (_, verdict, _)) in (1..).zip(&plan) {
        decided(base, Subject::Payment(payment(register, line)), *verdict).await;
    }
    let said: Vec<_> = (1..).zip(&plan).filter_map(|(line, one)| Some((line, one.2?))).collect();
    base.take(&attempt, &said).await;
    let (mut credited, mut refundable) = (0, 0);
    for ((_, verdict, later), amount) in plan.iter().zip(&amounts) {
        match (verdict, later) {
            (Verdict::Credited, None | Some(CREDITED | FAILED)) => credited += amount,
            _ => refundable += amount,
        }
    }
    assert_eq!(places(base, register).await, [0, 0, credited, refundable]);
    assert_eq!(base.stands(register).await.counts.conflicts, 0);
    assert!(!base.alerts().await.contains(&"conflict".to_owned()));
    assert_eq!(base.page(register).await.batches[0].state, BatchState::Settled);
    // Both answers stay in history, and so do the two who decided.
    let both = base.number("SELECT COUNT(*) FROM outcome WHERE kind IN ('credited', 'failed')");
    assert_eq!(both.await, 2 * i64::try_from(plan.len()).expect("few"));
    // What is settled is no contradiction, and is not decided again.
    let first = case(base, Subject::Payment(payment(register, 1))).await;
    assert_eq!(first.payments[0].folded, Folded::Credited);
}

pub async fn f34_disputed_money_ends_where_there_was_no_credit(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    base.take(&attempt, &[(1, CREDITED), (2, FAILED)]).await;
    let refund = base.give_back(register, BANK).await;
    base.take(&attempt, &[(2, CREDITED)]).await;
    assert_eq!(base.places(register).await.disputed.get(), 10);
    decided(base, Subject::Payment(payment(register, 2)), Verdict::Failed).await;
    let places = base.places(register).await;
    assert_eq!((places.disputed.get(), places.refundable.get()), (0, 10));
    assert_eq!(base.alerts().await, Vec::<String>::new());
    // A refund that is refused then is leftover again, and nothing is frozen.
    let refund = base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Refused).await;
    assert_eq!(base.store.open_leftovers(register, BANK, 9).await.expect("reads").len(), 1);
}

pub async fn i12_a_later_answer_settles_what_was_put_aside(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let mut first = answer(vec![row(2, 10, CREDITED)]);
    first.quarantined = vec![quarantined(2)];
    let taking = base.again(&attempt).await;
    base.store.take_result(&taking, first, &no_reports, NOW).await.expect("takes");
    let held = [9; 32];
    let kept = base.store.hold_result(BANK, "x", &held, Some(&taking), "坏", vec![1], NOW).await;
    assert!(kept.expect("writes"));
    assert_eq!(base.alerts().await, ["quarantine", "result_held"]);
    let page = base.store.quarantine_page(None, false, 9).await.expect("reads");
    let open: Vec<_> = page.items.iter().map(|one| (one.result.0, one.row)).collect();
    assert_eq!((open, page.open, page.more), (vec![(2, 0), (1, 2)], 2, false));
    assert_eq!(base.store.totals().await.expect("reads").quarantine_open, 2);
    base.take(&attempt, &[(1, CREDITED)]).await;
    assert_eq!(base.alerts().await, Vec::<String>::new(), "nothing is left to look at");
    let page = base.store.quarantine_page(None, false, 9).await.expect("reads");
    assert_eq!((page.items.len(), page.open), (0, 0));
    assert_eq!(base.store.totals().await.expect("reads").quarantine_open, 0);
    // What settled it, and when, can be looked up.
    let page = base.store.quarantine_page(None, true, 1).await.expect("reads");
    assert!(page.more);
    let behind = Some((page.items[0].result, page.items[0].row));
    let rest = base.store.quarantine_page(behind, true, 9).await.expect("reads");
    for one in page.items.iter().chain(&rest.items) {
        assert_eq!(one.settled, Some((SettledBy::Result(ResultNo(3)), NOW)), "{one:?}");
    }
    assert_eq!(rest.items.len(), 1);
}

pub async fn i12_the_right_answer_told_once_more_settles_what_is_held(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let digest = sha256(b"the right one");
    let take = async |said: &[(i64, Says)], digest: [u8; 32], at| {
        let rows = base.rows(&attempt, said).await;
        let attempt = base.again(&attempt).await;
        let taken =
            base.store.take_result(&attempt, answer_of(rows, digest), &no_reports, at).await;
        base.clean().await;
        taken.expect("takes")
    };
    let hold = async |bytes: u8| {
        let (attempt, digest) = (base.again(&attempt).await, [bytes; 32]);
        let held = base.store.hold_result(BANK, "x", &digest, Some(&attempt), "坏", vec![1], NOW);
        assert!(held.await.expect("writes"));
    };
    assert!(matches!(take(&[(2, FAILED)], digest, NOW).await, Taken::Applied { .. }));
    hold(7).await;
    // While a payment is open, or where nothing is said of any, it is not the right answer.
    assert_eq!(take(&[(2, FAILED)], digest, NOW).await, Taken::Repeated);
    assert_eq!(base.alerts().await, ["result_held"]);
    let whole = sha256(b"the whole");
    let taken = take(&[(1, CREDITED), (2, FAILED)], whole, NOW).await;
    let Taken::Applied { result, .. } = taken else { panic!("{taken:?}") };
    assert_eq!(base.alerts().await, Vec::<String>::new());
    hold(8).await;
    assert_eq!(take(&[], [1; 32], NOW).await, Taken::Repeated);
    assert_eq!(base.alerts().await, ["result_held"], "it names nobody");
    // The same bytes, and others that say the same.
    assert_eq!(take(&[(1, CREDITED), (2, FAILED)], whole, NOW + HOUR).await, Taken::Repeated);
    assert_eq!(base.alerts().await, Vec::<String>::new());
    hold(9).await;
    hold(10).await;
    assert_eq!(base.alerts().await, ["result_held"; 2], "what comes after it is another matter");
    let other = sha256(b"the whole, at another time");
    assert_eq!(take(&[(1, CREDITED), (2, FAILED)], other, NOW + 2 * HOUR).await, Taken::Repeated);
    assert_eq!(base.alerts().await, Vec::<String>::new());
    let page = base.store.quarantine_page(None, true, 9).await.expect("reads");
    let settled: Vec<_> = page.items.iter().map(|one| one.settled).collect();
    let by = |at| Some((SettledBy::Result(result), at));
    let last = by(NOW + 2 * HOUR);
    assert_eq!(settled, [last, last, by(NOW + HOUR), by(NOW)]);
    assert_eq!((page.open, base.number("SELECT COUNT(*) FROM result").await), (0, 6));
}

pub async fn i12_two_people_settle_what_was_put_aside(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let mut first = answer(vec![row(2, 10, CREDITED)]);
    let strange = |row| daifa::store::results::Quarantined { line: None, ..quarantined(row) };
    first.quarantined = vec![quarantined(2), strange(3), strange(4)];
    first.quarantined[2].cause = "unknown_payment";
    let taking = base.again(&attempt).await;
    base.store.take_result(&taking, first, &no_reports, NOW).await.expect("takes");
    let held = base.store.hold_result(BANK, "x", &[9; 32], None, "坏", vec![1], NOW).await;
    assert!(held.expect("writes"));
    // A line is applied to its payment, the others say nothing.
    decided(base, Subject::Row(ResultNo(1), 2), Verdict::Credited).await;
    assert_eq!(places(base, register).await, [0, 0, 11, 0]);
    decided(base, Subject::Row(ResultNo(1), 3), Verdict::Dismissed).await;
    assert_eq!(base.alerts().await, ["quarantine", "result_held"], "one line is left");
    decided(base, Subject::Result(ResultNo(1)), Verdict::Dismissed).await;
    assert_eq!(base.alerts().await, ["result_held"]);
    decided(base, Subject::Result(ResultNo(2)), Verdict::Dismissed).await;
    assert_eq!(base.alerts().await, Vec::<String>::new());
    let page = base.store.quarantine_page(None, true, 9).await.expect("reads");
    assert_eq!((page.items.len(), page.open), (4, 0));
    assert!(page.items.iter().all(|one| one.settled.is_some()), "{page:?}");
    assert_eq!(places(base, register).await, [0, 0, 11, 0]);
}

pub async fn i12_a_file_about_what_was_refused_before_is_not_settled_by_the_refusal(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let sending = base.started(&attempt).await;
    let early = base.store.hold_result(BANK, "x", &[8; 32], Some(&sending), "坏", vec![1], NOW);
    assert!(early.await.expect("writes"));
    let conclusion = Conclusion::of(AttemptEvent::Refused, None);
    base.store.conclude(&sending, &conclusion, NOW + HOUR).await.expect("concludes");
    assert!(!base.alerts().await.contains(&"result_held".to_owned()), "the refusal answers it");
    let after = base.again(&attempt).await;
    let late = base.store.hold_result(BANK, "x", &[9; 32], Some(&after), "坏", vec![1], NOW + HOUR);
    assert!(late.await.expect("writes"));
    assert!(
        base.alerts().await.contains(&"result_held".to_owned()),
        "that it answers nobody knows"
    );
    let waiting = base.store.waiting_for_people(9).await.expect("reads");
    assert_eq!(waiting.aside, 1);
    base.clean().await;
}

pub async fn i7_a_decision_is_taken_back_whole_where_it_does_not_fit(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let no =
        proposed(base, Subject::Batch(attempt.batch.expect("a batch")), Verdict::Failed, ONE).await;
    let before = base.state_of_things().await;
    // Somebody says other than what was proposed: a line that is not of the batch.
    let follow = |result: ResultNo, effects: &_| no_reports(result, effects);
    let wrong = vec![row(1, 1, FAILED), row(1, 1, FAILED)];
    refused(base.store.confirm(no, OTHER, Effect::Say(wrong, &follow), NOW).await);
    assert_eq!(base.state_of_things().await, before);
    assert_eq!(base.texts("SELECT state FROM decision").await, ["proposed"]);
    base.clean().await;
    confirm(&base.store, no, OTHER).await.expect("confirms");
    assert_eq!(places(base, register).await, [0, 0, 0, 11]);
    assert_eq!(base.number("SELECT COUNT(*) FROM result WHERE name = 'decision D1'").await, 1);
    let kinds = base.texts("SELECT DISTINCT kind FROM outcome").await;
    assert_eq!(kinds, [OutcomeKind::Failed.as_str()]);
    base.clean().await;
}
