//! Leftover, refunds, late answers and the end of a register; and that money is conserved at every
//! moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daifa::guard::digest::sha256;
use daifa::model::alert::AlertKind;
use daifa::model::attempt::{AttemptEvent, AttemptState};
use daifa::model::id::{RefundNo, RegisterNo};
use daifa::model::money::Fen;
use daifa::model::refund::{LeftoverCause, RefundState};
use daifa::model::register::RegisterState;
use daifa::store::attempts::{Attempt, Conclusion};
use daifa::store::holds::Decision;
use daifa::store::refunds::WayBack;
use daifa::store::settle::REFUND_RETRY_MS;

use crate::base::Base;
use crate::samples::{
    BANK, CREDITED, FAILED, HOUR, KEY, NOW, OTHER, RETURNED, line, lines, moved, no_reports, parts,
    payment, refused, row, shared,
};
use crate::samples::{acceptance, answer, head};

pub async fn i7_the_database_refuses_what_does_not_add_up(base: &Base) {
    base.accept("2026-1", 1, &lines(&[100])).await;
    for set in [
        "unsent_fen = unsent_fen + 1",
        "unsent_fen = -1, in_flight_fen = 101",
        "in_flight_fen = -1, unsent_fen = 101",
        "credited_fen = -1, unsent_fen = 101",
        "refundable_fen = -1, unsent_fen = 101",
        "refunded_fen = -1, unsent_fen = 101",
        "disputed_fen = -1",
        "approved_fen = 101",
        "held = -1",
        "waiting = -1",
        "uncut = -1",
    ] {
        let error = base.alter(&format!("UPDATE share SET {set}")).await.expect_err(set);
        assert!(error.to_string().to_lowercase().contains("check"), "{set}: {error}");
    }
    base.alter("UPDATE share SET unsent_fen = 40, credited_fen = 60").await.expect("adds up");
}

pub async fn i7_a_reader_sees_conserved_places_while_a_writer_works(base: &Base) {
    let stop = Arc::new(AtomicBool::new(false));
    let store = base.attached().await;
    let told = Arc::clone(&stop);
    let reader = tokio::spawn(async move {
        let mut looks = 0;
        while !told.load(Ordering::SeqCst) || looks < 5 {
            let overview = store.overview(100).await.expect("reads");
            assert!(overview.places.conserved(), "{:?}", overview.places);
            let sum = overview.registers.iter().fold(Fen::ZERO, |sum, row| {
                assert!(row.places.conserved(), "{}: {:?}", row.no, row.places);
                sum.checked_add(row.places.approved).expect("small")
            });
            assert_eq!(sum, overview.places.approved, "one snapshot per page (I28)");
            if let Some(row) = overview.registers.first() {
                let page = store.register_page(row.no).await.expect("reads").expect("is there");
                let shares: Vec<_> = page.shares.iter().map(|share| share.places).collect();
                let sum =
                    shares.iter().fold(daifa::model::place::Places::default(), |a, b| a.plus(*b));
                assert_eq!(sum, page.row.places);
            }
            let found = store.verify().await.expect("reads");
            assert_eq!(found.problems, Vec::<String>::new());
            looks += 1;
        }
        looks
    });
    for round in 0..4 {
        whole_road(base, &format!("2026-{round}")).await;
    }
    stop.store(true, Ordering::SeqCst);
    assert!(reader.await.expect("saw nothing wrong") >= 5);
    assert!(base.clean().await.places.refunded.is_positive());
}

/// Everything that can happen to a register, until it is closed.
async fn whole_road(base: &Base, id: &str) -> RegisterNo {
    let all = [
        line(1, 1),
        line(2, 2),
        line(3, 4).held(),
        line(4, 8).held(),
        line(5, 16).at(OTHER),
        line(6, 32),
        line(7, 64),
    ];
    let register = base.accept(id, 1, &all).await;
    let decide = async |line, decision| {
        let id = payment(register, line);
        base.store.decide_hold(id, decision, "finance", "checked", NOW).await.expect("decides");
    };
    decide(3, Decision::Release).await;
    decide(4, Decision::Drop).await;
    let listed = base.cut(register, BANK, 2).await;
    let range = base.cut(register, BANK, 2).await;
    let rest = base.cut(register, BANK, 9).await;
    let other = base.cut(register, OTHER, 9).await;
    for attempt in [&listed, &range, &rest, &other] {
        base.sent(attempt).await;
    }
    base.take(&range, &[(1, CREDITED), (2, FAILED)]).await;
    base.concluded(&rest, AttemptEvent::Refused).await;
    base.store.recut(rest.batch.expect("a batch"), "op", NOW).await.expect("orders");
    let again = base.cut(register, BANK, 9).await;
    base.sent(&again).await;
    base.take(&again, &[(6, CREDITED), (7, CREDITED)]).await;
    base.take(&again, &[(7, RETURNED)]).await;
    base.take(&listed, &[(3, CREDITED)]).await;
    base.take(&other, &[(5, FAILED)]).await;
    for bank in [BANK, OTHER] {
        let refund = base.give_back(register, bank).await;
        base.started(&refund).await;
        base.refund_answer(&refund, AttemptEvent::Accepted).await;
    }
    let closing = base.store.due_to_close().await.expect("reads").pop().expect("has ended");
    base.store.close_register(&closing, &[], NOW).await.expect("closes");
    base.clean().await;
    register
}

pub async fn i7_writers_side_by_side_do_not_stop_each_other(base: &Base) {
    // The steps of one daemon, and commands beside it, work on the same register at once.
    let all: Vec<_> =
        (1..=24).map(|no| if no % 2 == 0 { line(no, no).held() } else { line(no, no) }).collect();
    let register = base.accept("2026-1", 1, &all).await;
    let mut attempts = Vec::new();
    for _ in 0..6 {
        let attempt = base.cut(register, BANK, 2).await;
        attempts.push(base.sent(&attempt).await);
    }
    let attached = base.attached().await;
    let mut hands = Vec::new();
    for (at, attempt) in attempts.into_iter().enumerate() {
        let store = if at % 2 == 0 { shared(base) } else { Arc::clone(&attached) };
        let members = store.members(attempt.batch.expect("a batch")).await.expect("reads");
        hands.push(tokio::spawn(async move {
            for member in members {
                let now = store.attempt_by_reference(&attempt.bank, &attempt.reference).await;
                let now = now.expect("reads").expect("is there");
                let rows = vec![row(member.line, member.amount.get(), CREDITED)];
                store.take_result(&now, answer(rows), &no_reports, NOW).await.expect("takes");
            }
        }));
    }
    for line in (2..=24).step_by(2) {
        let store = if line % 4 == 0 { shared(base) } else { Arc::clone(&attached) };
        hands.push(tokio::spawn(async move {
            let decision = if line % 3 == 0 { Decision::Drop } else { Decision::Release };
            let id = payment(register, line);
            store.decide_hold(id, decision, "finance", "checked", NOW).await.expect("decides");
        }));
    }
    // And what touches nothing but the register's chain.
    for at in 0..12 {
        let store = if at % 2 == 0 { shared(base) } else { Arc::clone(&attached) };
        hands.push(tokio::spawn(async move {
            let subject = format!("subject {at}");
            let raised = store.raise_alert(AlertKind::Convert, &subject, Some(register), "", NOW);
            assert!(raised.await.expect("raises"));
        }));
    }
    for hand in hands {
        hand.await.expect("nobody is stopped");
    }
    base.clean().await;
    let places = base.places(register).await;
    assert_eq!(places.credited, Fen::new((1..=23).step_by(2).sum()));
    assert_eq!(places.refundable, Fen::new(6 + 12 + 18 + 24));
}

pub async fn i25_one_register_offered_twice_at_once_is_there_once(base: &Base) {
    let lines = lines(&[100]);
    let head = head("2026-1", 1, &lines);
    let hands = [shared(base), base.attached().await].map(|store| {
        let head = head.clone();
        tokio::spawn(async move { store.begin_register("county", &head, [1; 32], NOW).await })
    });
    for hand in hands {
        hand.await.expect("runs").expect("begins");
    }
    assert_eq!(base.number("SELECT COUNT(*) FROM register").await, 1);
}

pub async fn i8_only_free_leftover_goes_back(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10, 100])).await;
    base.take(&attempt, &[(1, FAILED), (2, CREDITED)]).await;
    let mut new = base.next_refund(register, BANK).await;
    assert_eq!(new.members, [(1, Fen::new(1))]);
    // In flight, credited, of another amount, not there: none of them can be listed.
    for wrong in [(3, 100), (2, 10), (1, 2), (9, 1)] {
        new.members = vec![(1, Fen::new(1)), (wrong.0, Fen::new(wrong.1))];
        if wrong.0 == 1 {
            new.members.remove(0);
        }
        moved(base.store.intend_refund(&new, NOW).await);
    }
    assert_eq!(base.number("SELECT COUNT(*) FROM refund").await, 0, "nothing of it is durable");
    assert_eq!(base.number("SELECT COUNT(*) FROM attempt").await, 1);
    let refund = base.give_back(register, BANK).await;
    assert_eq!(base.places(register).await.refundable, Fen::new(1), "until the bank confirms");
    assert_eq!(base.store.open_leftovers(register, BANK, 9).await.expect("reads"), []);
    // Listed once, it is not free any more.
    new.members = vec![(1, Fen::new(1))];
    moved(base.store.intend_refund(&new, NOW).await);
    base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Accepted).await;
    let places = base.places(register).await;
    assert_eq!((places.refundable, places.refunded), (Fen::ZERO, Fen::new(1)));
    assert_eq!((places.in_flight, places.credited), (Fen::new(100), Fen::new(10)));
}

pub async fn i8_leftover_waits_for_its_time_but_not_for_money_in_flight(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let due = async |at| base.store.due_to_settle(at).await.expect("reads").len();
    assert_eq!(due(NOW + 99 * HOUR).await, 0, "money in flight is never leftover");
    base.take(&attempt, &[(1, FAILED)]).await;
    assert_eq!(due(NOW + 47 * HOUR).await, 0, "some is in flight, and the settle time is not come");
    assert_eq!(due(NOW + 48 * HOUR).await, 1, "the settle time has come");
    base.take(&attempt, &[(2, CREDITED)]).await;
    assert_eq!(due(NOW).await, 1, "all has ended");
    let leftovers = base.store.open_leftovers(register, BANK, 9).await.expect("reads");
    assert_eq!(leftovers[0].cause, LeftoverCause::Failed);
    assert_eq!(leftovers[0].original_reference.as_deref(), Some(attempt.reference.as_str()));
}

pub async fn i8_only_what_was_funded_goes_back(base: &Base) {
    let all = [line(1, 1).held()];
    let mut head = head("2026-1", 1, &all);
    head.funded_at_ms = None;
    let register = base.accept_head(&head, &all).await;
    let id = payment(register, 1);
    base.store.decide_hold(id, Decision::Drop, "finance", "wrong", NOW).await.expect("drops");
    assert_eq!(base.store.due_to_settle(NOW + 99 * HOUR).await.expect("reads"), []);
    base.store.set_funded(register, NOW, None, None, NOW).await.expect("writes");
    assert_eq!(base.store.due_to_settle(NOW).await.expect("reads").len(), 1);
    let leftovers = base.store.open_leftovers(register, BANK, 9).await.expect("reads");
    assert_eq!(leftovers[0].original_reference, None, "it was never sent");
}

pub async fn a_refund_is_confirmed_once(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    base.take(&attempt, &[(1, FAILED), (2, FAILED)]).await;
    let refund = base.give_back(register, BANK).await;
    base.started(&refund).await;
    // Accepted is not yet confirmed.
    base.concluded(&refund, AttemptEvent::Accepted).await;
    assert_eq!(base.places(register).await.refunded, Fen::ZERO);
    for _ in 0..2 {
        base.refund_answer(&refund, AttemptEvent::Accepted).await;
        assert_eq!(base.places(register).await.refunded, Fen::new(11));
    }
    let page = base.page(register).await;
    assert_eq!(
        (page.refunds[0].state, page.refunds[0].sum),
        (RefundState::Confirmed, Fen::new(11))
    );
    let (head, rows) = base.store.refund_rows(RefundNo(1)).await.expect("reads");
    assert_eq!((head.reference, head.sum), (refund.reference.clone(), Fen::new(11)));
    let causes: Vec<_> = rows.iter().map(|(line, _, _, cause)| (*line, *cause)).collect();
    assert_eq!(causes, [(1, LeftoverCause::Failed), (2, LeftoverCause::Failed)]);
    // The bank does not get to refuse it afterwards.
    let confirmed = base.again(&refund).await;
    let refusal = daifa::store::attempts::Conclusion::of(AttemptEvent::Refused, None);
    let words = refused(base.store.conclude(&confirmed, &refusal, NOW).await);
    assert!(words.contains("confirmed"), "{words}");
    assert_eq!(base.places(register).await.refunded, Fen::new(11));
    base.clean().await;
}

pub async fn a_refused_refund_frees_its_leftover_and_is_tried_later(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    base.take(&attempt, &[(1, FAILED), (2, CREDITED)]).await;
    let refund = base.give_back(register, BANK).await;
    base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Refused).await;
    assert_eq!(base.alerts().await, ["refund_refused"]);
    assert_eq!(base.places(register).await.refundable, Fen::new(1));
    assert_eq!(base.store.open_leftovers(register, BANK, 9).await.expect("reads").len(), 1);
    let due = async |at| base.store.due_to_settle(at).await.expect("reads").len();
    assert_eq!(due(NOW + REFUND_RETRY_MS - 1).await, 0, "not at once");
    assert_eq!(due(NOW + REFUND_RETRY_MS).await, 1);
    let again = base.give_back(register, BANK).await;
    assert_ne!(again.reference, refund.reference);
    base.started(&again).await;
    base.refund_answer(&again, AttemptEvent::Accepted).await;
    assert_eq!(base.places(register).await.refunded, Fen::new(1));
}

pub async fn f34_a_credit_takes_free_leftover_back_and_freezes_it(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[100])).await;
    base.take(&attempt, &[(1, FAILED)]).await;
    base.take(&attempt, &[(1, CREDITED)]).await;
    let places = base.places(register).await;
    assert_eq!(
        (places.in_flight, places.refundable, places.disputed),
        (Fen::new(100), Fen::ZERO, Fen::ZERO)
    );
    assert_eq!(base.store.due_to_settle(NOW + 99 * HOUR).await.expect("reads"), []);
    // A return settles it: the money is leftover again.
    base.take(&attempt, &[(1, RETURNED)]).await;
    let places = base.places(register).await;
    assert_eq!((places.in_flight, places.refundable), (Fen::ZERO, Fen::new(100)));
    let leftovers = base.store.open_leftovers(register, BANK, 9).await.expect("reads");
    assert_eq!(leftovers[0].cause, LeftoverCause::Returned);
}

pub async fn f34_a_credit_after_a_refund_is_disputed_until_a_return(base: &Base) {
    for confirmed in [false, true] {
        let id = format!("2026-{confirmed}");
        let (register, attempt) = base.under_way(&id, &lines(&[100])).await;
        base.take(&attempt, &[(1, FAILED)]).await;
        let refund = base.give_back(register, BANK).await;
        base.started(&refund).await;
        if confirmed {
            base.refund_answer(&refund, AttemptEvent::Accepted).await;
        }
        base.take(&attempt, &[(1, CREDITED)]).await;
        let places = base.places(register).await;
        assert_eq!(places.disputed, Fen::new(100));
        assert!(places.conserved(), "disputed stands outside the five: {places:?}");
        assert_eq!(places.approved, Fen::new(100));
        assert!(base.alerts().await.contains(&"disputed".to_owned()));
        assert_eq!(base.stands(register).await.counts.conflicts, 1);
        // Late, the refund is confirmed, too.
        base.refund_answer(&refund, AttemptEvent::Accepted).await;
        assert_eq!(base.places(register).await.refunded, Fen::new(100));
        base.take(&attempt, &[(1, RETURNED)]).await;
        let places = base.places(register).await;
        assert_eq!((places.disputed, places.refunded), (Fen::ZERO, Fen::new(100)));
        assert_eq!(places.refundable, Fen::ZERO, "it goes back once");
    }
}

pub async fn f34_a_refund_that_is_refused_after_a_late_credit_leaves_no_money_twice(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[100])).await;
    base.take(&attempt, &[(1, FAILED)]).await;
    let refund = base.give_back(register, BANK).await;
    base.started(&refund).await;
    base.take(&attempt, &[(1, CREDITED)]).await;
    assert_eq!(base.places(register).await.disputed, Fen::new(100));
    base.refund_answer(&refund, AttemptEvent::Refused).await;
    // The money never went back, so the credit is not beyond what was approved: it is a
    // contradiction like any other, frozen in flight, and not leftover.
    let places = base.places(register).await;
    assert_eq!((places.disputed, places.refundable), (Fen::ZERO, Fen::ZERO), "{places:?}");
    assert_eq!(places.in_flight, Fen::new(100));
    assert_eq!(base.store.open_leftovers(register, BANK, 9).await.expect("reads"), []);
    base.take(&attempt, &[(1, RETURNED)]).await;
    assert_eq!(base.places(register).await.refundable, Fen::new(100));
}

pub async fn i2_only_a_refund_that_never_left_is_withdrawn(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[100, 10])).await;
    base.take(&attempt, &[(1, FAILED), (2, FAILED)]).await;
    let refund = base.give_back(register, BANK).await;
    let withdraw = async |attempt: &Attempt| {
        base.store.withdraw(attempt, "daifa", "its day is over", NOW).await
    };
    // Under way, and of unknown fate, and not found: it may have arrived.
    let sending = base.started(&refund).await;
    refused(withdraw(&sending).await);
    moved(withdraw(&refund).await);
    let lost = base.concluded(&sending, AttemptEvent::Lost).await;
    refused(withdraw(&lost).await);
    let not_found = base.concluded(&lost, AttemptEvent::NotFound).await;
    assert!(refused(withdraw(&not_found).await).contains("may have reached the bank"));
    assert_eq!(base.store.open_leftovers(register, BANK, 9).await.expect("reads"), []);
    base.clean().await;
    // Another one never left; one of its payments was credited meanwhile.
    let other = base.another().await;
    let (register, attempt) = other.under_way("2026-2", &lines(&[100, 10])).await;
    other.take(&attempt, &[(1, FAILED), (2, FAILED)]).await;
    let refund = other.give_back(register, BANK).await;
    let sending = other.started(&refund).await;
    let waits = other.concluded(&sending, AttemptEvent::NotSent).await;
    other.take(&attempt, &[(1, CREDITED)]).await;
    let free = other.store.withdraw(&waits, "daifa", "its day is over", NOW).await;
    assert_eq!(free.expect("it never left"), 1, "the other is frozen in flight");
    let places = other.places(register).await;
    assert_eq!((places.disputed, places.refundable), (Fen::ZERO, Fen::new(10)), "{places:?}");
    assert_eq!(places.in_flight, Fen::new(100));
    other.clean().await;
    moved(other.store.withdraw(&waits, "daifa", "its day is over", NOW).await);
    let open = other.store.open_leftovers(register, BANK, 9).await.expect("reads");
    assert_eq!(open.iter().map(|one| one.line).collect::<Vec<_>>(), [2]);
    let next = other.give_back(register, BANK).await;
    other.started(&next).await;
    other.refund_answer(&next, AttemptEvent::Accepted).await;
    assert_eq!(other.places(register).await.refunded, Fen::new(10));
    other.clean().await;
}

pub async fn i15_a_register_is_closed_when_all_has_ended_and_opened_by_a_late_return(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 10])).await;
    let due = async || base.store.due_to_close().await.expect("reads");
    base.take(&attempt, &[(1, CREDITED)]).await;
    assert_eq!(due().await.len(), 0, "some is in flight");
    base.take(&attempt, &[(2, CREDITED)]).await;
    let closing = due().await.pop().expect("has ended");
    assert_eq!((closing.register, closing.places.credited), (register, Fen::new(11)));
    assert_eq!((closing.counts.payments, closing.declared_sum), (2, Fen::new(11)));
    base.store.close_register(&closing, &[], NOW).await.expect("closes");
    base.clean().await;
    assert_eq!(base.stands(register).await.state, RegisterState::Closed);
    assert_eq!(due().await.len(), 0);
    // Days later a payment comes back.
    base.take(&attempt, &[(1, RETURNED)]).await;
    assert_eq!(base.stands(register).await.state, RegisterState::Accepted);
    assert_eq!(due().await.len(), 0, "some is refundable");
    moved(base.store.close_register(&closing, &[], NOW).await);
    let refund = base.give_back(register, BANK).await;
    base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Accepted).await;
    let second = due().await.pop().expect("has ended again");
    assert!(second.last_posting > closing.last_posting);
    assert_eq!(second.places.refunded, Fen::new(1));
    base.store.close_register(&second, &[], NOW).await.expect("closes");
    assert_eq!(base.stands(register).await.state, RegisterState::Closed);
    base.clean().await;
}

pub async fn i15_a_register_that_moved_since_it_was_read_is_not_closed(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1])).await;
    base.take(&attempt, &[(1, CREDITED)]).await;
    let closing = base.store.due_to_close().await.expect("reads").pop().expect("has ended");
    base.take(&attempt, &[(1, RETURNED)]).await;
    moved(base.store.close_register(&closing, &[], NOW).await);
    assert_eq!(base.stands(register).await.state, RegisterState::Accepted);
    base.clean().await;
}

pub async fn f61_a_closed_register_can_be_revoked_and_nothing_moves(base: &Base) {
    let register = whole_road(base, "2026-1").await;
    let before = base.places(register).await;
    let revoked = base.store.revoke_register("county", "2026-1", 1, NOW).await.expect("revokes");
    assert_eq!(revoked, Some(register));
    assert_eq!(base.places(register).await, before);
    base.clean().await;
}

pub async fn a_register_of_a_bank_that_nobody_knows_goes_back_through_another(base: &Base) {
    let all = [line(1, 5).at("nobody").held()];
    let receiving = base.receive(&head("2026-1", 1, &all), &all).await;
    let register = receiving.register;
    base.store
        .accept_register(*receiving, acceptance(register, &[]), KEY, NOW)
        .await
        .expect("accepts");
    let id = payment(register, 1);
    base.store.decide_hold(id, Decision::Drop, "finance", "wrong", NOW).await.expect("drops");
    let mut new = base.next_refund(register, "nobody").await;
    BANK.clone_into(&mut new.via_bank);
    new.way = WayBack::Asked { reference: base.reference(BANK).await, parts: parts() };
    let (_, no) = base.store.intend_refund(&new, NOW).await.expect("intends");
    let refund = base.attempt(no).await;
    assert_eq!((refund.bank.as_str(), refund.state), (BANK, AttemptState::Intent));
    base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Accepted).await;
    assert_eq!(base.places(register).await.refunded, Fen::new(5));
    assert!(
        refused(base.store.take_result(&refund, answer(vec![]), &no_reports, NOW).await)
            .contains("carries no payments")
    );
}

/// Until that is settled nothing of the share goes back; and a refund lists what it listed, also once it is refused.
pub async fn i8_what_a_bank_refused_and_says_more_of_goes_back_by_nobody(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[10, 100])).await;
    base.concluded(&attempt, AttemptEvent::Refused).await;
    base.store.revoke_register("county", "2026-1", 1, NOW).await.expect("revokes");
    let due = || async { base.store.due_to_settle(NOW).await.expect("reads").len() };
    assert_eq!(due().await, 1);
    let attempt = base.again(&attempt).await;
    let digest = sha256(b"results");
    let held = base.store.hold_weighing(BANK, "x", &digest, &attempt, "refused", vec![1], NOW);
    assert!(held.await.expect("writes"));
    assert_eq!(due().await, 0, "it may have been paid");
    base.concluded(&attempt, AttemptEvent::AfterAll).await;
    assert_eq!(base.places(register).await.in_flight, Fen::new(110));
    assert_eq!(due().await, 0);
    base.concluded(&attempt, AttemptEvent::DecidedNever).await;
    assert_eq!(base.places(register).await.refundable, Fen::new(110));
}

pub async fn i8_a_refused_refund_is_taken_back_with_the_payments_that_it_listed(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[10, 10, 10])).await;
    base.take(&attempt, &[(1, FAILED), (2, CREDITED), (3, CREDITED)]).await;
    let refund = base.give_back(register, BANK).await;
    base.started(&refund).await;
    base.refund_answer(&refund, AttemptEvent::Refused).await;
    // As much of it, and as many: but it is another payment, of the same instant.
    base.take(&attempt, &[(1, CREDITED), (3, RETURNED)]).await;
    let refund = base.again(&refund).await;
    let conclusion = Conclusion::of(AttemptEvent::AfterAll, None);
    let refused = base.store.conclude(&refund, &conclusion, NOW).await.expect_err("moved on");
    assert!(refused.to_string().contains("given back"), "{refused}");
    base.clean().await;
}
