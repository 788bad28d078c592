//! Batches and attempts: live once, durable before a byte leaves, numbers that never repeat.

use std::sync::Arc;

use daifa::model::attempt::{AttemptEvent, AttemptKind, AttemptState, Heard};
use daifa::model::batch::BatchState;
use daifa::model::id::BatchNo;
use daifa::model::money::Fen;
use daifa::store::StoreError;
use daifa::store::attempts::{Attempt, BankWords, Conclusion};
use daifa::store::cut::NewBatch;
use daifa::store::holds::Decision;
use daifa::store::numbers::Reference;

use crate::base::Base;
use crate::samples::{
    BANK, CREDITED, NOW, OTHER, batch_of, line, lines, moved, no_reports, payment, refused, row,
    shared,
};
use crate::samples::{RETURNED, answer, expected};

pub async fn i3_a_range_only_moves_forward(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 2, 3, 4])).await;
    let first = base.next_batch(register, BANK, 2).await;
    let mut second = base.next_batch(register, BANK, 2).await;
    base.store.intend_batch(&first, NOW).await.expect("cuts");
    moved(base.store.intend_batch(&second, NOW).await);
    assert_eq!(base.number("SELECT COUNT(*) FROM batch").await, 1);
    assert_eq!(base.number("SELECT COUNT(*) FROM attempt").await, 1, "nothing of it is durable");
    // Read again, it is the rest.
    second = base.next_batch(register, BANK, 9).await;
    assert_eq!(second.members.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4]);
    base.store.intend_batch(&second, NOW).await.expect("cuts");
    assert_eq!(base.places(register).await.in_flight, Fen::new(10));
    assert!(base.next_batch(register, BANK, 9).await.members.is_empty());
    base.clean().await;
}

pub async fn i3_two_that_cut_the_same_at_once_make_one_batch(base: &Base) {
    let attached = base.attached().await;
    for round in 0..20 {
        let register = base.accept(&format!("2026-{round}"), 1, &lines(&[1, 2])).await;
        let batches =
            [base.next_batch(register, BANK, 9).await, base.next_batch(register, BANK, 9).await];
        let [one, other] = batches;
        let (left, right) = (shared(base), Arc::clone(&attached));
        let left = tokio::spawn(async move { left.intend_batch(&one, NOW).await });
        let right = tokio::spawn(async move { right.intend_batch(&other, NOW).await });
        let ended = [left.await.expect("runs"), right.await.expect("runs")];
        assert_eq!(ended.iter().filter(|end| end.is_ok()).count(), 1, "{ended:?}");
        let lost = ended.into_iter().find(Result::is_err).expect("one lost");
        moved(lost);
        assert_eq!(base.places(register).await.in_flight, Fen::new(3));
    }
    base.clean().await;
}

/// A register with lines 1 and 2 waiting for a listed batch: both were set aside and released.
async fn waiting(base: &Base) -> NewBatch {
    let held = [line(1, 100).held(), line(2, 200).held()];
    let register = base.accept("2026-1", 1, &held).await;
    for line in 1..=2 {
        base.store
            .decide_hold(payment(register, line), Decision::Release, "finance", "checked", NOW)
            .await
            .expect("releases");
    }
    let new = base.next_batch(register, BANK, 9).await;
    assert!(new.listed && new.members.len() == 2);
    new
}

pub async fn i3_a_listed_payment_is_live_in_one_batch(base: &Base) {
    let new = waiting(base).await;
    let again = NewBatch {
        reference: Reference { number: 1, text: "D-other".to_owned() },
        members: new.members.clone(),
        format: new.format.clone(),
        numbered: None,
        parts: new.parts.clone(),
        bank: new.bank.clone(),
        ..new
    };
    base.store.intend_batch(&new, NOW).await.expect("cuts");
    let twice = base.store.intend_batch(&again, NOW).await;
    assert!(twice.is_err(), "it is in a batch already");
    // The database refuses it even to one who does not ask the store.
    let beside =
        "INSERT INTO batch_payment (batch_no, line, register_no, live) VALUES (99, 1, 1, 1)";
    let error = base.alter(beside).await.expect_err("is refused").to_string().to_lowercase();
    assert!(error.contains("unique"), "{error}");
    assert_eq!(base.number("SELECT COUNT(*) FROM batch").await, 1);
    base.clean().await;
}

pub async fn i3_a_batch_has_one_attempt_that_may_be_at_the_bank(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[100])).await;
    let beside = format!(
        "INSERT INTO attempt (kind, batch_no, register_no, bank, reference, format_digest, state, state_at_ms, made_at_ms, sends, asks, bank_code) \
         SELECT kind, batch_no, register_no, bank, 'another', format_digest, 'intent', 0, 0, 0, 0, '' FROM attempt WHERE attempt_no = {}",
        attempt.no.0
    );
    let error = base.alter(&beside).await.expect_err("is refused").to_string().to_lowercase();
    assert!(error.contains("unique"), "{error}");
}

pub async fn i3_what_was_set_aside_is_in_no_range(base: &Base) {
    let all = [line(1, 1), line(2, 2).held(), line(3, 3).at(OTHER), line(4, 4), line(5, 5).held()];
    let register = base.accept("2026-1", 1, &all).await;
    let attempt = base.cut(register, BANK, 9).await;
    let members = base.store.members(attempt.batch.expect("a batch")).await.expect("reads");
    assert_eq!(members.iter().map(|member| member.line).collect::<Vec<_>>(), [1, 4]);
    // Released later, it goes in another batch, and the first one stays as it was frozen.
    base.store
        .decide_hold(payment(register, 2), Decision::Release, "finance", "checked", NOW)
        .await
        .expect("releases");
    let later = base.cut(register, BANK, 9).await;
    let listed = base.store.members(later.batch.expect("a batch")).await.expect("reads");
    assert_eq!(listed.iter().map(|member| member.line).collect::<Vec<_>>(), [2]);
    let members = base.store.members(attempt.batch.expect("a batch")).await.expect("reads");
    assert_eq!(members.len(), 2);
    let due = base.store.due_to_cut(true).await.expect("reads");
    assert_eq!(due.iter().map(|share| share.bank.as_str()).collect::<Vec<_>>(), [OTHER]);
}

pub async fn an_empty_batch_is_never_made(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1])).await;
    let new = base.next_batch(register, BANK, 0).await;
    assert!(new.members.is_empty());
    let made = base.store.intend_batch(&new, NOW).await;
    assert!(matches!(made, Err(StoreError::Inconsistent { .. })), "{made:?}");
}

pub async fn i4_the_token_is_given_only_before_anything_left(base: &Base) {
    use AttemptEvent as E;
    use AttemptState as S;
    // How an attempt comes into each state, from INTENT.
    let roads: [(S, &[E]); 6] = [
        (S::Intent, &[]),
        (S::Sending, &[E::Start]),
        (S::Accepted, &[E::Start, E::Accepted]),
        (S::Refused, &[E::Start, E::Refused]),
        (S::NotSent, &[E::Start, E::NotSent]),
        (S::Unknown, &[E::Start, E::Lost]),
    ];
    for (state, road) in roads {
        let register = base.accept(&format!("2026-{state}"), 1, &lines(&[100])).await;
        let mut attempt = base.cut(register, BANK, 9).await;
        for event in road {
            attempt = match event {
                E::Start => base.started(&attempt).await,
                other => base.concluded(&attempt, *other).await,
            };
        }
        assert_eq!(attempt.state, state);
        let token = base.store.start(&attempt, &expected(), NOW + 5).await;
        if matches!(state, S::Intent | S::NotSent) {
            assert_eq!(token.expect("may be sent").attempt(), attempt.no);
            let now = base.again(&attempt).await;
            assert_eq!((now.state, now.sends), (S::Sending, attempt.sends + 1));
            assert_eq!(now.sent_at_ms, Some(NOW + 5));
        } else {
            refused(token);
            assert_eq!(base.again(&attempt).await.state, state, "nothing moved");
        }
        base.clean().await;
    }
}

pub async fn i4_a_stale_hand_gets_no_token_and_concludes_nothing(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[100])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let other = base.attached().await;
    base.store.start(&attempt, &expected(), NOW).await.expect("starts");
    moved(other.start(&attempt, &expected(), NOW).await);
    let sending = base.again(&attempt).await;
    base.concluded(&sending, AttemptEvent::Lost).await;
    // Who still believes that it is being sent is late.
    let late = Conclusion::of(AttemptEvent::NotSent, None);
    moved(base.store.conclude(&sending, &late, NOW).await);
    assert_eq!(base.again(&attempt).await.state, AttemptState::Unknown);
    assert_eq!(base.again(&attempt).await.sends, 1);
    base.clean().await;
}

pub async fn i4_two_that_start_the_same_at_once_get_one_token(base: &Base) {
    let attached = base.attached().await;
    for round in 0..20 {
        let register = base.accept(&format!("2026-{round}"), 1, &lines(&[1])).await;
        let attempt = base.cut(register, BANK, 9).await;
        let hands = [shared(base), Arc::clone(&attached)].map(|store| {
            let attempt = attempt.clone();
            tokio::spawn(async move { store.start(&attempt, &expected(), NOW).await })
        });
        let mut tokens = 0;
        for hand in hands {
            match hand.await.expect("runs") {
                Ok(_) => tokens += 1,
                lost => moved(lost),
            }
        }
        assert_eq!(tokens, 1);
    }
    base.clean().await;
}

pub async fn i5_parts_are_kept_as_they_were_written(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[100])).await;
    let new = base.next_batch(register, BANK, 9).await;
    let (_, attempt) = base.store.intend_batch(&new, NOW).await.expect("cuts");
    let parts = base.store.parts(attempt).await.expect("reads");
    assert_eq!(parts.len(), new.parts.len());
    for (kept, written) in parts.iter().zip(&new.parts) {
        assert_eq!((&kept.role, &kept.name), (&written.role, &written.name));
        assert_eq!((kept.committing, kept.size), (written.committing, written.size));
        assert_eq!((kept.sha256, &kept.chunks), (written.sha256, &written.chunks));
    }
    let text = base.store.format_text(&new.format.digest).await.expect("reads").expect("is kept");
    assert_eq!((text.name, text.text), (new.format.name, new.format.text));
    assert!(base.store.format_text(&[7; 32]).await.expect("reads").is_none());
}

/// Two processes at one database are not allowed, and two tasks of one are: both look which number comes next.
pub async fn i6_of_two_that_take_a_number_one_looks_again(base: &Base) {
    const EACH: usize = 10;
    let attached = base.attached().await;
    let mut registers = Vec::new();
    for hand in 0..8 {
        registers.push(base.accept(&format!("2026-{hand}"), 1, &lines(&[1; EACH])).await);
    }
    let hands: Vec<_> = registers
        .iter()
        .enumerate()
        .map(|(hand, register)| {
            let store = if hand % 2 == 0 { shared(base) } else { Arc::clone(&attached) };
            let register = *register;
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while mine.len() < EACH {
                    let new = batch_of(&store, register, BANK, 1).await;
                    match store.intend_batch(&new, NOW).await {
                        Ok(_) => mine.push(new.reference.number),
                        Err(StoreError::Moved { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                mine
            })
        })
        .collect();
    let mut all = Vec::new();
    for hand in hands {
        let mine = hand.await.expect("runs");
        assert!(mine.is_sorted(), "each one sees them ascend");
        all.extend(mine);
    }
    all.sort_unstable();
    assert!(all.iter().copied().eq(1..=80), "none twice, and no gap: {all:?}");
    assert_eq!(base.store.reference_to_come("beta").await.expect("counts"), 1);
    base.clean().await;
}

pub async fn i6_numbers_never_repeat(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 2, 4])).await;
    let unmade = base.next_batch(register, BANK, 1).await;
    let first = base.next_batch(register, BANK, 1).await;
    assert_eq!(unmade.reference, first.reference, "what was not made uses up no number");
    base.store.intend_batch(&first, NOW).await.expect("cuts");
    let second = base.next_batch(register, BANK, 1).await;
    assert_eq!(second.reference.number, first.reference.number + 1);
    let bearing = async |number: i64| {
        let mut batch = base.next_batch(register, BANK, 1).await;
        batch.reference = Reference { number, text: format!("D99{number:010}") };
        base.store.intend_batch(&batch, NOW).await
    };
    for number in [first.reference.number - 1, first.reference.number] {
        let taken = bearing(number).await;
        assert!(matches!(taken, Err(StoreError::Moved { .. })), "{number}: {taken:?}");
    }
    assert_eq!(base.places(register).await.in_flight, Fen::new(1), "nothing of it is durable");
    base.store.intend_batch(&second, NOW).await.expect("cuts");
    // Behind what the bank got under another code, and on from there.
    bearing(second.reference.number + 40).await.expect("cuts");
    let to_come = base.store.reference_to_come(BANK).await.expect("reads");
    assert_eq!(to_come, second.reference.number + 41);
    base.clean().await;
}

pub async fn i6_a_reference_is_used_once_at_a_bank(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 2])).await;
    let first = base.next_batch(register, BANK, 1).await;
    base.store.intend_batch(&first, NOW).await.expect("cuts");
    let mut second = base.next_batch(register, BANK, 1).await;
    second.reference.text.clone_from(&first.reference.text);
    let twice = base.store.intend_batch(&second, NOW).await;
    assert!(matches!(twice, Err(StoreError::Query { .. })), "{twice:?}");
    assert_eq!(base.places(register).await.in_flight, Fen::new(1), "nothing of it is durable");
    base.clean().await;
}

pub async fn f3_what_was_being_sent_when_the_process_died_is_unknown(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 2])).await;
    let intent = base.cut(register, BANK, 1).await;
    let sending = base.cut(register, BANK, 1).await;
    base.started(&sending).await;
    assert_eq!(base.store.recover_sending(NOW + 9).await.expect("recovers"), 1);
    assert_eq!(base.store.recover_sending(NOW + 9).await.expect("recovers"), 0);
    assert_eq!(base.again(&intent).await.state, AttemptState::Intent);
    assert_eq!(base.again(&sending).await.state, AttemptState::Unknown);
    assert_eq!(base.alerts().await, ["unknown"]);
    let due = base
        .store
        .due_attempts(BANK, &[AttemptState::Unknown, AttemptState::Accepted], NOW + 9, 10)
        .await
        .expect("reads");
    assert_eq!(due.iter().map(|due| due.no).collect::<Vec<_>>(), [sending.no]);
    // The bank's answer ends the alert.
    base.concluded(&sending, AttemptEvent::Accepted).await;
    assert_eq!(base.alerts().await, [""; 0]);
}

pub async fn attempts_are_due_in_their_states_and_times(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 2, 3])).await;
    for _ in 0..3 {
        base.cut(register, BANK, 1).await;
    }
    let states = [AttemptState::Intent, AttemptState::NotSent];
    let due =
        async |at, limit| base.store.due_attempts(BANK, &states, at, limit).await.expect("reads");
    assert_eq!(due(NOW - 1, 10).await.len(), 0);
    let all = due(NOW, 10).await;
    assert_eq!(all.len(), 3);
    assert_eq!(due(NOW, 2).await.len(), 2);
    assert!(all.iter().all(|attempt| attempt.kind == AttemptKind::Payment && attempt.pending == 1));
    base.started(&all[0]).await;
    let sending = base.again(&all[0]).await;
    let later = Conclusion::of(AttemptEvent::NotSent, Some(NOW + 7));
    base.store.conclude(&sending, &later, NOW).await.expect("concludes");
    assert_eq!(due(NOW, 10).await.len(), 2);
    let again = due(NOW + 7, 10).await;
    assert_eq!(again.last().map(|attempt| attempt.no), Some(sending.no), "oldest first");
    assert_eq!(base.store.next_due_at(BANK, &states).await.expect("reads"), Some(NOW));
    let none = [AttemptState::Unknown, AttemptState::Accepted];
    assert_eq!(base.store.next_due_at(BANK, &none).await.expect("reads"), None);
    // Another bank has its own.
    assert_eq!(base.store.next_due_at(OTHER, &states).await.expect("reads"), None);
    assert_eq!(base.store.banks_with_attempts().await.expect("reads"), [BANK]);
    let another = base.accept("2026-2", 1, &[line(1, 5).at(OTHER)]).await;
    let theirs = base.cut(another, OTHER, 1).await;
    let due_there = base.store.due_attempts(OTHER, &states, NOW, 10).await.expect("reads");
    assert_eq!(due_there.iter().map(|due| due.no).collect::<Vec<_>>(), [theirs.no]);
    assert!(due(NOW + 7, 10).await.iter().all(|attempt| attempt.bank == BANK));
    let banks = base.store.banks_with_attempts().await.expect("reads");
    assert_eq!(banks, if BANK < OTHER { [BANK, OTHER] } else { [OTHER, BANK] });
    // A question is counted and delays the next one, while the attempt is as it was.
    let not_sent = base.again(&sending).await;
    base.store.asked(&not_sent, Some(NOW + 99), Heard::Same, NOW).await.expect("writes");
    assert_eq!(base.again(&sending).await.asks, 1);
    assert_eq!(due(NOW + 98, 10).await.len(), 2);
    let elsewhere = Attempt { state: AttemptState::Unknown, ..not_sent };
    base.store.asked(&elsewhere, None, Heard::Same, NOW).await.expect("writes");
    assert_eq!(base.again(&sending).await.asks, 1, "it is in another state");
    assert!(base.store.attempt_by_reference(BANK, "none").await.expect("reads").is_none());
}

pub async fn a_bank_s_words_about_the_whole_are_kept(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[100])).await;
    let words = BankWords {
        code: "E9".to_owned(),
        text: Some(b"sealed".to_vec()),
        bank_references: vec!["B-1".to_owned(), "B-2".to_owned()],
    };
    let refusal = Conclusion {
        words,
        alert: "银行拒绝".to_owned(),
        ..Conclusion::of(AttemptEvent::Refused, None)
    };
    base.store.conclude(&attempt, &refusal, NOW).await.expect("concludes");
    assert_eq!(base.texts("SELECT bank_code FROM attempt").await, ["E9"]);
    let known = base.store.bank_references(attempt.no).await.expect("reads");
    assert_eq!(known, ["B-1", "B-2"]);
    let by = |reference| base.store.attempts_by_bank_reference(BANK, reference);
    assert_eq!(by("B-2").await.expect("reads").len(), 1);
    assert_eq!(by("B-3").await.expect("reads").len(), 0);
    assert_eq!(base.alerts().await, ["batch_refused"]);
    let page = base.page(register).await;
    assert_eq!(page.alerts[0].text, "银行拒绝");
    assert_eq!(page.batches[0].state, BatchState::Refused);
    assert_eq!(page.row.places.unsent, Fen::new(100), "it is unsent again");
    base.clean().await;
}

pub async fn i2_only_what_never_left_is_withdrawn(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 2, 3])).await;
    let attempt = base.cut(register, BANK, 1).await;
    let moved = base.store.withdraw(&attempt, "op", "checked", NOW).await;
    assert_eq!(moved.expect("no byte left"), 1);
    let again = base.store.withdraw(&attempt, "op", "checked", NOW).await;
    assert!(matches!(again, Err(StoreError::Moved { .. })), "{again:?}");
    assert_eq!(base.again(&attempt).await.state, AttemptState::Closed);
    // Sent, lost, and not found: it may have arrived once.
    let sending = base.started(&base.cut(register, BANK, 1).await).await;
    for attempt in [&sending, &base.concluded(&sending, AttemptEvent::Lost).await] {
        assert!(base.store.withdraw(attempt, "op", "checked", NOW).await.is_err());
    }
    let lost = base.again(&sending).await;
    let unfound = base.concluded(&lost, AttemptEvent::NotFound).await;
    assert_eq!(unfound.state, AttemptState::NotSent);
    assert!(
        refused(base.store.withdraw(&unfound, "op", "checked", NOW).await).contains("may have")
    );
    // Not even where somebody believes that it was never lost.
    let believed = Attempt { lost_at_ms: None, ..unfound };
    let moved = base.store.withdraw(&believed, "op", "checked", NOW).await;
    assert!(matches!(moved, Err(StoreError::Moved { .. })), "{moved:?}");
    assert_eq!(base.again(&sending).await.state, AttemptState::NotSent);
    base.clean().await;
}

pub async fn i6_a_number_that_was_given_back_is_taken_first_and_once(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1, 2, 3])).await;
    let other = base.accept("2026-2", 1, &lines(&[5, 6])).await;
    let day = "day:alpha:20261127".to_owned();
    let mut made = Vec::new();
    for number in 1..=3 {
        let mut batch = base.next_batch(register, BANK, 1).await;
        assert_eq!(base.store.number_to_come(&day).await.expect("reads"), number);
        batch.numbered = Some((day.clone(), number));
        base.store.intend_batch(&batch, NOW).await.expect("cuts");
        made.push(base.by_reference(BANK, &batch.reference.text).await);
    }
    assert!(base.store.lower_number_waits(made[1].no).await.expect("reads"));
    assert!(!base.store.lower_number_waits(made[0].no).await.expect("reads"));
    base.store.withdraw(&made[1], "op", "checked", NOW).await.expect("it never left");
    // Another register's batch takes it.
    for number in [2, 4] {
        let mut batch = base.next_batch(other, BANK, 1).await;
        assert_eq!(base.store.number_to_come(&day).await.expect("reads"), number);
        batch.numbered = Some((day.clone(), number));
        base.store.intend_batch(&batch, NOW).await.expect("cuts");
        assert!(base.store.intend_batch(&batch, NOW).await.is_err(), "once");
    }
    base.clean().await;
}

pub async fn a_refused_batch_is_cut_again_by_command_only(base: &Base) {
    let all = [line(1, 1), line(2, 2).held(), line(3, 3), line(4, 4)];
    let (register, attempt) = base.under_way("2026-1", &all).await;
    let batch = attempt.batch.expect("a batch");
    assert!(refused(base.store.recut(batch, "op", NOW).await).contains("only a batch that"));
    base.concluded(&attempt, AttemptEvent::Refused).await;
    assert_eq!(base.store.due_to_cut(true).await.expect("reads"), [], "nobody ordered it");
    assert_eq!(base.store.recut(batch, "op", NOW).await.expect("orders"), 3);
    assert_eq!(base.store.recut(batch, "op", NOW).await.expect("again"), 0, "changes nothing");
    base.clean().await;
    assert_eq!(base.alerts().await, [""; 0]);
    // In smaller ones, and each says where it comes from.
    let (one, two) = (base.cut(register, BANK, 2).await, base.cut(register, BANK, 2).await);
    let page = base.page(register).await;
    let origins: Vec<_> = page.batches.iter().map(|row| (row.payments, row.recut_of)).collect();
    assert_eq!(origins, [(3, None), (2, Some(batch)), (1, Some(batch))]);
    assert_ne!(one.reference, two.reference);
    base.sent(&one).await;
    base.take(&one, &[(1, CREDITED), (3, CREDITED)]).await;
    // Refused again, cut again.
    base.sent(&two).await;
    base.concluded(&two, AttemptEvent::Refused).await;
    base.store.recut(two.batch.expect("a batch"), "op", NOW).await.expect("orders");
    base.clean().await;
    let three = base.cut(register, BANK, 2).await;
    base.sent(&three).await;
    base.take(&three, &[(4, CREDITED)]).await;
    assert_eq!(base.places(register).await.credited, Fen::new(8));
    assert!(refused(base.store.recut(BatchNo(99), "op", NOW).await).contains("no batch"));
}

pub async fn a_refused_batch_of_a_revoked_register_is_not_cut_again(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 2])).await;
    base.concluded(&attempt, AttemptEvent::Refused).await;
    base.store.revoke_register("county", "2026-1", 1, NOW).await.expect("revokes");
    base.clean().await;
    let words = refused(base.store.recut(attempt.batch.expect("a batch"), "op", NOW).await);
    assert!(words.contains("revoked"), "{words}");
    assert_eq!(base.places(register).await.refundable, Fen::new(3));
}

pub async fn a_refusal_after_a_revocation_drops_what_comes_back(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 2])).await;
    base.store.revoke_register("county", "2026-1", 1, NOW).await.expect("revokes");
    assert_eq!(base.places(register).await.in_flight, Fen::new(3));
    base.concluded(&attempt, AttemptEvent::Refused).await;
    let places = base.places(register).await;
    assert_eq!(
        (places.unsent, places.refundable),
        (Fen::ZERO, Fen::new(3)),
        "nobody will ever send it, so it goes back"
    );
}

pub async fn a_bank_cannot_refuse_what_it_answered_for(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 2])).await;
    base.take(&attempt, &[(1, CREDITED)]).await;
    let attempt = base.again(&attempt).await;
    let refusal = Conclusion::of(AttemptEvent::Refused, None);
    let words = refused(base.store.conclude(&attempt, &refusal, NOW).await);
    assert!(words.contains("has results"), "{words}");
    assert_eq!(base.again(&attempt).await.state, AttemptState::Accepted);
    assert_eq!(base.places(register).await.credited, Fen::new(1));
    base.clean().await;
}

pub async fn i2_a_result_is_not_taken_where_the_bank_cannot_know_the_attempt(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[100])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let rows = || vec![row(1, 100, RETURNED)];
    refused(base.store.take_result(&attempt, answer(rows()), &no_reports, NOW).await);
    assert_eq!(base.number("SELECT COUNT(*) FROM result").await, 0);
    // A stale hand moves nothing either.
    let sending = base.started(&attempt).await;
    base.concluded(&sending, AttemptEvent::NotSent).await;
    moved(base.store.take_result(&sending, answer(rows()), &no_reports, NOW).await);
    assert_eq!(base.places(register).await.in_flight, Fen::new(100));
    assert_eq!(base.number("SELECT COUNT(*) FROM outcome").await, 0);
    base.clean().await;
}
