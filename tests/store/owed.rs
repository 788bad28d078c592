//! Answers that banks owe, and banks that are left alone.

use daifa::model::attempt::AttemptEvent;
use daifa::model::profile::BreakerState;
use daifa::store::breaker::Breaker;

use crate::base::Base;
use crate::samples::{BANK, CREDITED, HOUR, NOW, lines, moved};

pub async fn f30_an_answer_is_late_once_and_ends_with_the_answer(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1, 2])).await;
    assert_eq!(base.store.late_answers(NOW + HOUR - 1, 9).await.expect("reads"), []);
    let late = base.store.late_answers(NOW + HOUR, 9).await.expect("reads").pop().expect("late");
    assert_eq!((late.attempt, late.pending, late.bank.as_str()), (attempt.no, 2, BANK));
    base.store.overdue(&late, "逾期", NOW + HOUR).await.expect("tells");
    moved(base.store.overdue(&late, "逾期", NOW + HOUR).await);
    assert_eq!(base.store.late_answers(NOW + 9 * HOUR, 9).await.expect("reads"), []);
    base.take(&attempt, &[(1, CREDITED)]).await;
    assert_eq!(base.alerts().await, ["overdue"], "one is still missing");
    base.take(&attempt, &[(2, CREDITED)]).await;
    assert_eq!(base.alerts().await, [""; 0]);
    base.clean().await;
}

pub async fn f30_an_answer_that_came_meanwhile_is_not_called_late(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1])).await;
    let late = base.store.late_answers(NOW + HOUR, 9).await.expect("reads").pop().expect("late");
    base.take(&attempt, &[(1, CREDITED)]).await;
    moved(base.store.overdue(&late, "逾期", NOW + HOUR).await);
    assert_eq!(base.alerts().await, [""; 0]);
    base.clean().await;
}

pub async fn i18_a_batch_that_nobody_waits_for_is_told(base: &Base) {
    base.under_way("2026-1", &lines(&[1])).await;
    base.alter("DELETE FROM expectation").await.expect("altered");
    let found = base.store.verify().await.expect("reads").problems;
    assert!(found.iter().any(|what| what.contains("nobody expects")), "{found:?}");
}

async fn breaker(base: &Base) -> Breaker {
    base.store.breaker(BANK).await.expect("reads").expect("it was in trouble")
}

pub async fn f27_a_run_is_counted_and_one_attempt_is_chosen_to_see(base: &Base) {
    assert_eq!(base.store.breaker(BANK).await.expect("reads"), None);
    let register = base.accept("2026-1", 1, &lines(&[1, 2, 3, 4])).await;
    for run in 1..=2 {
        let cut = base.cut(register, BANK, 1).await;
        let sending = base.started(&cut).await;
        base.concluded(&sending, AttemptEvent::Lost).await;
        assert_eq!(
            (breaker(base).await.run, breaker(base).await.state),
            (run, BreakerState::Closed)
        );
    }
    let [third, fourth] = [base.cut(register, BANK, 1).await, base.cut(register, BANK, 1).await];
    moved(base.store.probe(&third, NOW).await);
    moved(base.store.open_breaker(BANK, 1, "连续失败", NOW).await);
    base.store.open_breaker(BANK, 2, "连续失败", NOW).await.expect("opens");
    moved(base.store.open_breaker(BANK, 2, "连续失败", NOW).await);
    base.store.probe(&third, NOW + 1).await.expect("chosen");
    moved(base.store.probe(&fourth, NOW + 1).await);
    let half = breaker(base).await;
    assert_eq!(
        (half.state, half.probe, half.since_ms),
        (BreakerState::HalfOpen, Some(third.no), NOW + 1)
    );
    base.clean().await;
    // It is lost as well: the bank rests again, from then on.
    let sending = base.started(&third).await;
    base.concluded(&sending, AttemptEvent::Lost).await;
    assert_eq!((breaker(base).await.state, breaker(base).await.run), (BreakerState::Open, 3));
    assert_eq!(base.alerts().await, ["breaker", "unknown", "unknown", "unknown"]);
    // The next one is left with the bank: what was wrong was the line.
    base.store.probe(&fourth, NOW + 2).await.expect("chosen");
    base.sent(&fourth).await;
    assert_eq!((breaker(base).await.state, breaker(base).await.run), (BreakerState::Closed, 0));
    assert_eq!(base.alerts().await, ["unknown", "unknown", "unknown"]);
    base.clean().await;
}
