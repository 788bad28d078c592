//! Registers on their way in: identity, revisions, what is set aside, doubles and reissues.

use daifa::model::hold::{HoldEvent, HoldReason};
use daifa::model::id::RegisterNo;
use daifa::model::money::Fen;
use daifa::model::register::{Fault, RegisterState};
use daifa::store::StoreError;
use daifa::store::doubles::{Double, PersonKey};
use daifa::store::holds::{Decision, Standing};
use daifa::store::intake::{Acceptance, Begun, NewHold};

use crate::base::Base;
use crate::samples::{
    BANK, CREDITED, FAILED, HOUR, KEY, NOW, OTHER, SOURCE, acceptance, head, line, lines, moved,
    payment, refused,
};

pub async fn f1_a_broken_stream_leaves_nothing_and_the_register_comes_again(base: &Base) {
    let lines = lines(&[100, 200]);
    let head = head("2026-1", 1, &lines);
    let broken = base.receive(&head, &lines).await.register;
    assert!(base.store.register_page(broken).await.expect("reads").is_none(), "it is invisible");
    assert_eq!(base.clean().await.payments, 0);
    // The same again takes its place.
    let register = base.accept_head(&head, &lines).await;
    assert_eq!(base.number("SELECT COUNT(*) FROM payment").await, 2);
    assert_eq!(base.number("SELECT COUNT(*) FROM person_key").await, 2);
    assert_eq!(base.stands(register).await.counts.payments, 2);
    // Another one breaks and never comes again: the sweep at the start removes it.
    base.receive(&crate::samples::head("2026-2", 1, &lines), &lines).await;
    assert_eq!(base.store.sweep_receiving().await.expect("sweeps"), 1);
    assert_eq!(base.store.sweep_receiving().await.expect("sweeps"), 0);
    assert_eq!(base.number("SELECT COUNT(*) FROM register").await, 1);
    assert_eq!(base.number("SELECT COUNT(*) FROM payment").await, 2);
    assert_eq!(base.number("SELECT COUNT(*) FROM person_key").await, 2);
    base.clean().await;
}

pub async fn f2_i25_the_same_again_is_answered_as_before(base: &Base) {
    let lines = lines(&[100, 200]);
    let register = base.accept("2026-1", 1, &lines).await;
    let before = base.store.verify().await.expect("reads");
    let again = base.begin(&head("2026-1", 1, &lines)).await;
    assert!(matches!(again, Begun::Same(same) if same == register));
    assert_eq!(base.store.verify().await.expect("reads"), before, "nothing was written");
    // A refused one stays refused, too.
    let head = head("2026-2", 1, &lines);
    let refused = base.receive(&head, &lines).await.register;
    let fault = Fault::new(Some(2), "amount", "must be above zero", "");
    base.store.refuse_register(refused, &[fault], &[], NOW).await.expect("refuses");
    assert!(matches!(base.begin(&head).await, Begun::Same(same) if same == refused));
}

pub async fn i25_the_same_identity_with_other_content_is_refused_and_told(base: &Base) {
    let first = lines(&[100, 200]);
    let register = base.accept("2026-1", 1, &first).await;
    let entries = base.clean().await.entries;
    let other = base.begin(&head("2026-1", 1, &lines(&[100, 201]))).await;
    assert!(matches!(other, Begun::Different(kept) if kept == register));
    assert_eq!(base.alerts().await, ["register_conflict"]);
    assert_eq!(base.clean().await.entries, entries + 2, "it and its alert are in the journal");
    let kind = "SELECT kind FROM journal ORDER BY seq DESC LIMIT 1";
    assert_eq!(base.texts(kind).await, ["register.different"]);
    assert_eq!(base.places(register).await.approved, Fen::new(300));
    assert_eq!(base.number("SELECT COUNT(*) FROM register").await, 1);
}

pub async fn f62_equal_content_under_another_id_is_paid_and_flagged(base: &Base) {
    let same = lines(&[100, 200]);
    let first = base.accept("2026-7", 1, &same).await;
    let twin = base.accept("2026-8", 1, &same).await;
    let other = base.accept("2026-9", 1, &lines(&[100, 201])).await;
    assert_eq!(base.page(first).await.twin, None);
    assert_eq!(base.page(twin).await.twin, Some(first));
    assert_eq!(base.page(other).await.twin, None);
    assert_eq!(base.places(twin).await.unsent, Fen::new(300), "it is paid like any other");
    // A higher revision of itself is no twin.
    let revised = base.accept("2026-9", 2, &lines(&[100, 201])).await;
    assert_eq!(base.page(revised).await.twin, None);
}

pub async fn f61_a_higher_revision_takes_over_what_is_unsent_only(base: &Base) {
    let first =
        [line(1, 100), line(2, 200).held(), line(3, 300), line(4, 400), line(5, 500).at(OTHER)];
    let old = base.accept("2026-1", 1, &first).await;
    let attempt = base.cut(old, BANK, 1).await;
    base.store
        .decide_hold(payment(old, 2), Decision::Release, "finance", "checked", NOW)
        .await
        .expect("releases");
    let new = base.accept("2026-1", 2, &lines(&[100, 201])).await;
    assert_eq!(base.number("SELECT COUNT(*) FROM waiting").await, 0, "nothing waits any more");
    let places = base.places(old).await;
    assert_eq!((places.approved, places.in_flight), (Fen::new(100), Fen::new(100)));
    assert_eq!(base.stands(old).await.state, RegisterState::Superseded);
    assert_eq!(base.places(new).await.unsent, Fen::new(301));
    let ids: Vec<_> = (1..=5).map(|line| payment(old, line)).collect();
    let standings = base.store.standings(&ids).await.expect("reads");
    let gone = Standing::Withdrawn;
    assert_eq!(standings, [Standing::Sent, gone, gone, gone, gone]);
    // What was sent goes on; both versions are still there, and nothing of the old one is cut.
    base.sent(&attempt).await;
    base.take(&attempt, &[(1, CREDITED)]).await;
    assert_eq!(base.places(old).await.credited, Fen::new(100));
    assert_eq!(base.number("SELECT COUNT(*) FROM payment").await, 7);
    let due = base.store.due_to_cut(true).await.expect("reads");
    assert!(due.iter().all(|share| share.register == new), "{due:?}");
    let stale = base.next_batch(old, BANK, 10).await;
    moved(base.store.intend_batch(&stale, NOW).await);
    let words = refused(
        base.store.decide_hold(payment(old, 2), Decision::Drop, "finance", "late", NOW).await,
    );
    assert!(words.contains("already released"), "{words}");
    base.clean().await;
}

pub async fn f61_a_lower_revision_that_comes_late_is_not_paid_beside_the_higher(base: &Base) {
    let new = base.accept("2026-1", 2, &lines(&[100, 200])).await;
    let old = base.accept("2026-1", 1, &[line(1, 100), line(9, 900).of(9).held()]).await;
    assert_eq!(base.stands(old).await.state, RegisterState::Superseded);
    assert_eq!(base.places(old).await.approved, Fen::ZERO, "finance approved it no longer");
    assert_eq!(base.places(new).await.unsent, Fen::new(300));
    assert_eq!(base.store.due_to_cut(true).await.expect("reads").len(), 1);
    // Neither is one that comes after its successor was revoked.
    base.store.revoke_register(SOURCE, "2026-1", 2, NOW).await.expect("revokes");
    let third = base.accept("2026-1", 0, &lines(&[700])).await;
    assert_eq!(base.stands(third).await.state, RegisterState::Superseded);
    base.clean().await;
}

pub async fn f61_a_refused_revision_takes_nothing_over(base: &Base) {
    let lines = lines(&[100, 200]);
    let old = base.accept("2026-1", 1, &lines).await;
    let bad = base.receive(&head("2026-1", 2, &lines), &lines).await.register;
    let fault = Fault::new(None, "declared_sum", "differs", "");
    base.store.refuse_register(bad, &[fault], &[], NOW).await.expect("refuses");
    assert_eq!(base.stands(old).await.state, RegisterState::Accepted);
    assert_eq!(base.places(old).await.unsent, Fen::new(300));
    let page = base.page(bad).await;
    assert!(page.faults.contains("differs"), "{}", page.faults);
    assert_eq!(base.number("SELECT COUNT(*) FROM payment").await, 2, "its lines are not kept");
    assert_eq!(base.number("SELECT COUNT(*) FROM person_key").await, 2);
    base.clean().await;
}

pub async fn f61_a_revocation_drops_what_is_unsent_only(base: &Base) {
    let all = [line(1, 100), line(2, 200).held(), line(3, 300), line(4, 400).at(OTHER)];
    let register = base.accept("2026-1", 1, &all).await;
    let attempt = base.cut(register, BANK, 1).await;
    base.store
        .decide_hold(payment(register, 2), Decision::Release, "finance", "checked", NOW)
        .await
        .expect("releases");
    let stale = base.next_batch(register, BANK, 10).await;
    assert!(stale.listed, "what was released waits for a batch of its own");
    let revoked = base.store.revoke_register(SOURCE, "2026-1", 1, NOW).await.expect("revokes");
    assert_eq!(revoked, Some(register));
    moved(base.store.intend_batch(&stale, NOW).await);
    assert_eq!(base.number("SELECT COUNT(*) FROM waiting").await, 0, "nothing waits any more");
    let places = base.places(register).await;
    assert_eq!((places.in_flight, places.refundable), (Fen::new(100), Fen::new(900)));
    assert_eq!(places.approved, Fen::new(1000));
    base.sent(&attempt).await;
    base.take(&attempt, &[(1, CREDITED)]).await;
    assert_eq!(base.store.due_to_cut(true).await.expect("reads"), []);
    // Revoked again, or what is not here: nothing.
    for (id, revision) in [("2026-1", 1), ("2026-1", 2), ("none", 1)] {
        let again = base.store.revoke_register(SOURCE, id, revision, NOW).await.expect("reads");
        assert_eq!(again, None, "{id} {revision}");
    }
    base.clean().await;
}

pub async fn i25_a_register_is_accepted_or_refused_once(base: &Base) {
    let lines = lines(&[100]);
    let register = base.accept("2026-1", 1, &lines).await;
    let fault = Fault::new(None, "digest", "another", "");
    moved(base.store.refuse_register(register, &[fault], &[], NOW).await);
    assert_eq!(base.number("SELECT COUNT(*) FROM payment").await, 1, "its lines stay");
    base.clean().await;
}

pub async fn f63_a_line_is_in_a_register_once_and_sums_do_not_wrap(base: &Base) {
    let twice = [line(1, 100), line(1, 200)];
    let head_of = head("2026-1", 1, &twice);
    let Begun::Fresh(mut receiving) = base.begin(&head_of).await else { panic!("is new") };
    let mut rows = vec![one(1, 100)];
    rows.push(one(1, 200));
    let kept = base.store.append_payments(&mut receiving, rows, NOW).await;
    assert!(matches!(kept, Err(StoreError::Query { .. })), "the database refuses it");
    let Begun::Fresh(mut receiving) = base.begin(&head_of).await else { panic!("is new") };
    let rows = vec![one(1, i64::MAX), one(2, 1)];
    let words = refused(base.store.append_payments(&mut receiving, rows, NOW).await);
    assert!(words.contains("sum"), "{words}");
    assert_eq!(base.number("SELECT COUNT(*) FROM payment").await, 0);
}

fn one(line: i64, fen: i64) -> daifa::store::intake::NewPayment {
    daifa::store::intake::NewPayment {
        line,
        bank: BANK.to_owned(),
        town: 0,
        amount: Fen::new(fen),
        person: b"sealed".to_vec(),
        hold: None,
        replaces: None,
    }
}

pub async fn a_register_of_many_lines_is_kept_whole(base: &Base) {
    // More than one statement can bind, so that they come in several.
    let count = 12_000;
    let head = head("2026-1", 1, &[]);
    let Begun::Fresh(mut receiving) = base.begin(&head).await else { panic!("is new") };
    let register = receiving.register;
    let rows = (1..=count).map(|line| one(line, 7)).collect();
    base.store.append_payments(&mut receiving, rows, NOW).await.expect("writes");
    assert_eq!(receiving.totals(), (count, Fen::new(7 * count)));
    base.store
        .accept_register(*receiving, acceptance(register, &[]), KEY, NOW)
        .await
        .expect("accepts");
    assert_eq!(base.places(register).await.unsent, Fen::new(7 * count));
    let attempt = base.cut(register, BANK, 10_000).await;
    let members = base.store.members(attempt.batch.expect("a batch")).await.expect("reads");
    assert!(members.iter().map(|member| member.line).eq(1..=10_000));
}

pub async fn doubles_are_the_same_person_programme_and_period(base: &Base) {
    let first = [line(1, 100).of(7), line(2, 200).of(8)];
    let old = base.accept("2026-1", 1, &first).await;
    // Within one register, and with another.
    let second = [line(1, 10).of(7), line(2, 20).of(9), line(3, 30).of(9), line(4, 40).of(10)];
    let head_of_second = head("2026-2", 1, &second);
    let new = base.receive(&head_of_second, &second).await.register;
    let mut found = base.store.doubles(new, &head_of_second, KEY).await.expect("reads");
    found.sort_by_key(|double| (double.line, double.other));
    let double = |line, other| Double { line, other };
    assert_eq!(
        found,
        [double(1, payment(old, 1)), double(2, payment(new, 3)), double(3, payment(new, 2))]
    );
    // Another programme, another period, another key: nobody is a double.
    for change in 0..3 {
        let mut head = head(&format!("2026-{}", change + 3), 1, &first);
        let mut key = KEY;
        match change {
            0 => "P02".clone_into(&mut head.programme_code),
            1 => "2026-12".clone_into(&mut head.period),
            _ => key = KEY + 1,
        }
        let Begun::Fresh(mut receiving) = base.begin(&head).await else { panic!("is new") };
        let keys = vec![PersonKey { blind: [7; 16], line: 1 }];
        let register = receiving.register;
        base.store.append_person_keys(&mut receiving, &head, key, keys).await.expect("writes");
        assert_eq!(base.store.doubles(register, &head, key).await.expect("reads"), []);
    }
}

pub async fn doubles_are_not_those_of_refused_or_broken_registers(base: &Base) {
    let lines = [line(1, 100).of(7)];
    let head_of = |id: &str| head(id, 1, &lines);
    base.receive(&head_of("broken"), &lines).await;
    let refused = base.receive(&head_of("refused"), &lines).await.register;
    let fault = Fault::new(None, "digest", "another", "");
    base.store.refuse_register(refused, &[fault], &[], NOW).await.expect("refuses");
    let head = head_of("good");
    let good = base.receive(&head, &lines).await.register;
    assert_eq!(base.store.doubles(good, &head, KEY).await.expect("reads"), []);
}

pub async fn a_double_is_set_aside_with_its_register(base: &Base) {
    let all = [line(1, 100), line(2, 200), line(3, 400).held()];
    let receiving = base.receive(&head("2026-1", 1, &all), &all).await;
    let register = receiving.register;
    let hold = NewHold { reason: HoldReason::Double, detail: "is in R1-1".to_owned() };
    let accepted = Acceptance { doubles: vec![(2, hold)], ..acceptance(register, &all) };
    base.store.accept_register(*receiving, accepted, KEY, NOW).await.expect("accepts");
    let held = base.store.held(register).await.expect("reads");
    let reasons: Vec<_> = held.iter().map(|held| (held.payment.line, held.reason)).collect();
    assert_eq!(reasons, [(2, HoldReason::Double), (3, HoldReason::AccountShape)]);
    assert_eq!(base.store.set_aside_rows(register).await.expect("reads").len(), 2);
    assert_eq!(base.store.set_aside_count().await.expect("reads"), 2);
    let attempt = base.cut(register, BANK, 10).await;
    let members = base.store.members(attempt.batch.expect("a batch")).await.expect("reads");
    assert_eq!(members.iter().map(|member| member.line).collect::<Vec<_>>(), [1]);
    assert_eq!(base.stands(register).await.counts.held, 2);
}

pub async fn a_decision_about_a_held_payment_is_taken_once(base: &Base) {
    let all = [line(1, 100).held(), line(2, 200).held(), line(3, 400), line(4, 800).held()];
    let register = base.accept("2026-1", 1, &all).await;
    let decide = async |line, decision| {
        let id = payment(register, line);
        let done = base.store.decide_hold(id, decision, "finance", "checked", NOW + 1).await;
        base.clean().await;
        done
    };
    decide(1, Decision::Release).await.expect("releases");
    decide(1, Decision::Release).await.expect("the same again changes nothing");
    assert!(refused(decide(1, Decision::Drop).await).contains("already released"));
    decide(2, Decision::Drop).await.expect("drops");
    decide(2, Decision::Drop).await.expect("the same again changes nothing");
    assert!(refused(decide(2, Decision::Release).await).contains("already dropped"));
    assert!(refused(decide(3, Decision::Release).await).contains("is not set aside"));
    assert!(refused(decide(99, Decision::Drop).await).contains("is not set aside"));
    assert_eq!(base.number("SELECT COUNT(*) FROM hold").await, 5, "holds are append-only");
    let places = base.places(register).await;
    assert_eq!((places.unsent, places.refundable), (Fen::new(1300), Fen::new(200)));
    let counts = base.stands(register).await.counts;
    assert_eq!((counts.held, counts.dropped), (1, 1));
    let page = base.page(register).await;
    let events: Vec<_> = page.holds.iter().map(|hold| (hold.line, hold.event)).collect();
    assert_eq!(events, [(1, HoldEvent::Released), (2, HoldEvent::Dropped), (4, HoldEvent::Placed)]);
    // Only what is still set aside is dropped by time, and only once that is over.
    let since = async |at| base.store.held_since(at, 10).await.expect("reads");
    assert_eq!(since(NOW).await, []);
    assert_eq!(since(NOW + 1).await, [payment(register, 4)]);
    // What was released is sent in a listed batch; what was dropped never is.
    let attempt = base.cut(register, BANK, 10).await;
    let members = base.store.members(attempt.batch.expect("a batch")).await.expect("reads");
    assert_eq!(members.iter().map(|member| member.line).collect::<Vec<_>>(), [1]);
    let attempt = base.cut(register, BANK, 10).await;
    let members = base.store.members(attempt.batch.expect("a batch")).await.expect("reads");
    assert_eq!(members.iter().map(|member| member.line).collect::<Vec<_>>(), [3]);
}

pub async fn standings_say_whether_a_person_may_be_paid_again(base: &Base) {
    let all: Vec<_> =
        (1..=6).map(|no| if no == 5 { line(no, 100).held() } else { line(no, 100) }).collect();
    let register = base.accept("2026-1", 1, &all).await;
    let attempt = base.cut(register, BANK, 4).await;
    base.sent(&attempt).await;
    base.take(&attempt, &[(1, CREDITED), (2, FAILED), (3, FAILED)]).await;
    base.take(&attempt, &[(3, CREDITED)]).await;
    let fault = Fault::new(None, "digest", "another", "");
    let refused = base.receive(&head("2026-2", 1, &all), &all).await.register;
    base.store.refuse_register(refused, &[fault], &[], NOW).await.expect("refuses");
    let mut ids: Vec<_> = (1..=7).map(|line| payment(register, line)).collect();
    ids.push(payment(refused, 1));
    ids.push(payment(RegisterNo(99), 1));
    let standings = base.store.standings(&ids).await.expect("reads");
    let (sent, absent) = (Standing::Sent, Standing::Absent);
    assert_eq!(
        standings,
        [
            sent,
            Standing::Back,
            sent,
            sent,
            Standing::Held,
            Standing::Unsent,
            absent,
            absent,
            absent
        ],
        "credited, failed, in conflict, pending, held, unsent, and three that are not there"
    );
    let named = async |id: &str, revision, line| {
        base.store.payment_named(SOURCE, id, revision, line).await.expect("reads")
    };
    assert_eq!(named("2026-1", 1, 6).await, Some(payment(register, 6)));
    assert_eq!(named("2026-1", 1, 7).await, None);
    assert_eq!(named("2026-1", 2, 1).await, None);
    assert_eq!(named("2026-2", 1, 1).await, None, "its lines were not kept");
}

pub async fn reissues_are_numbered_along_their_chain(base: &Base) {
    let mut replaced = None;
    for number in 1..=3 {
        let line = line(1, 100);
        let line = replaced.map_or(line, |before| line.replacing(before));
        let (register, attempt) = base.under_way(&format!("2026-{number}"), &[line]).await;
        base.take(&attempt, &[(1, FAILED)]).await;
        let result = base.number("SELECT MAX(result_no) FROM result").await;
        let (head, rows) =
            base.store.outcome_rows(daifa::model::id::ResultNo(result)).await.expect("reads");
        assert_eq!(head.attempt, attempt.no);
        assert_eq!(rows[0].number, number);
        let named = replaced.map(|_| (format!("2026-{}", number - 1), 1, 1));
        assert_eq!(rows[0].replaces, named);
        let life = base.store.life(payment(register, 1)).await.expect("reads").expect("is there");
        assert_eq!(life.replaces, replaced.map(|before| (before, number)));
        assert_eq!(life.replaced_by, None);
        if let Some(before) = replaced {
            let life = base.store.life(before).await.expect("reads").expect("is there");
            assert_eq!(life.replaced_by, Some(payment(register, 1)));
        }
        replaced = Some(payment(register, 1));
    }
}

pub async fn i16_the_clock_starts_when_funding_is_known_and_never_moves(base: &Base) {
    let all = lines(&[100, 200]);
    let mut head = head("2026-1", 1, &all);
    head.funded_at_ms = None;
    let receiving = base.receive(&head, &all).await;
    let register = receiving.register;
    let unknown =
        Acceptance { start_at_ms: None, deadline_at_ms: None, ..acceptance(register, &all) };
    base.store.accept_register(*receiving, unknown, KEY, NOW).await.expect("accepts");
    assert_eq!(base.store.due_to_cut(true).await.expect("reads"), [], "it is not funded");
    assert_eq!(base.store.due_to_cut(false).await.expect("reads").len(), 1);
    assert_eq!(base.store.unfunded().await.expect("reads")[0].register, register);
    // One batch goes without funding, where the settings allow it: it has no clock yet.
    base.cut(register, BANK, 1).await;
    assert_eq!(base.page(register).await.batches[0].deadline_at_ms, None);
    let funded = NOW + HOUR;
    base.store
        .set_funded(register, funded, Some(funded), Some(funded + 24 * HOUR), NOW)
        .await
        .expect("writes");
    let page = base.page(register).await;
    assert_eq!(page.row.deadline_at_ms, Some(funded + 24 * HOUR));
    assert_eq!(page.batches[0].deadline_at_ms, Some(funded + 24 * HOUR));
    moved(base.store.set_funded(register, funded + 1, Some(funded + 1), None, NOW).await);
    assert_eq!(base.store.unfunded().await.expect("reads"), []);
    assert_eq!(base.store.due_to_cut(true).await.expect("reads").len(), 1);
    base.clean().await;
}

pub async fn i16_a_clock_that_runs_is_not_moved_by_late_funding(base: &Base) {
    let all = lines(&[100]);
    let mut head = head("2026-1", 1, &all);
    head.funded_at_ms = None;
    let register = base.accept_head(&head, &all).await;
    base.cut(register, BANK, 1).await;
    let late = NOW + 5 * HOUR;
    base.store
        .set_funded(register, late, Some(late), Some(late + 24 * HOUR), late)
        .await
        .expect("writes");
    let page = base.page(register).await;
    assert_eq!(page.funded_at_ms, Some(late));
    assert_eq!(page.row.deadline_at_ms, Some(NOW + 24 * HOUR));
    assert_eq!(page.batches[0].deadline_at_ms, Some(NOW + 24 * HOUR));
}

pub async fn cursors_move_on(base: &Base) {
    let cursor = async |feed: &str| base.store.cursor(SOURCE, feed).await.expect("reads");
    assert_eq!(cursor("registers").await, None);
    for at in ["1", "2"] {
        base.store.set_cursor(SOURCE, "registers", at, NOW).await.expect("writes");
        assert_eq!(cursor("registers").await.as_deref(), Some(at));
    }
    assert_eq!(cursor("decisions").await, None);
    base.store.meta_once("install", "a", NOW).await.expect("writes");
    base.store.meta_once("install", "b", NOW).await.expect("writes");
    assert_eq!(base.store.meta("install").await.expect("reads").as_deref(), Some("a"));
}
