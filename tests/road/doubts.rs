//! What is made and has not left when the bank says something else: it does not leave as it is (I1, I8, F34).

use std::collections::BTreeMap;

use daifa::finance::Verdict as Action;
use daifa::flow::Step;
use daifa::format::MessageKind;
use daifa::model::attempt::Answer;
use daifa::model::decision::{Subject, Verdict};
use daifa::model::id::{AttemptNo, PaymentId, RegisterNo};
use daifa::model::money::Fen;
use daifa::model::reason::Reason;

use crate::contradicted::dismiss_all;
use crate::counter::{Fate, Reply, Turn};
use crate::county::{Draft, person};
use crate::deciding::decided;
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

const LAST: &str = "SELECT state FROM attempt ORDER BY attempt_no DESC LIMIT 1";

fn fails(house: &House, number: u64) {
    house.files.fate(&person(number).account, Fate::Failed(Reason::AccountClosed, "已销户"));
}

/// The bank corrects itself: this person's credit of the first batch arrived after all.
async fn credited_after_all(house: &mut House, number: u64) {
    let batch = house.files.batches()[0].reference.clone();
    house.files.fate(&person(number).account, Fate::Credited);
    let rows = house.files.told(&batch, MessageKind::Result);
    house.files.leave_result(&batch, &rows, "8");
    house.clock.advance_ms(MINUTE);
    house.only(Step::Collect).await;
}

#[tokio::test]
async fn i8_a_refund_that_has_not_left_leaves_without_what_was_credited_after_all() {
    let mut house = House::open().await;
    for number in [2, 3] {
        fails(&house, number);
    }
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    house.files.leave_all(0);
    house.clock.advance_ms(MINUTE);
    house.only(Step::Collect).await;
    house.only(Step::Settle).await;
    assert_eq!(house.texts(LAST).await, ["intent"], "a refund of both is made");
    credited_after_all(&mut house, 2).await;
    house.live(HOUR, 10 * MINUTE).await;
    let refunds = "SELECT state FROM refund ORDER BY refund_no";
    assert_eq!(house.texts(refunds).await, ["withdrawn"]);
    assert_eq!(house.files.refunds().len(), 0, "it did not leave");
    assert_eq!(house.five(1).await, [0, 101, 100, 102, 0]);
    let payment = PaymentId { register: RegisterNo(1), line: 2 };
    decided(&mut house, Subject::Payment(payment), Verdict::Credited).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(refunds).await, ["withdrawn", "confirmed"]);
    assert_eq!(house.files.refunds().len(), 1, "what was not credited went back");
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 102]);
    assert_eq!(house.state(1).await, "closed");
    house.sound().await;
}

#[tokio::test]
async fn i8_a_second_refund_that_has_not_left_waits_where_the_bank_says_more_of_the_first() {
    for made in [true, false] {
        let mut house = House::open().await;
        fails(&house, 2);
        house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
        house.files.next(Turn::Say(Answer::Refused));
        house.files.leave_all(0);
        house.live(20 * MINUTE, MINUTE).await;
        let first = house.files.refunds()[0].reference.clone();
        house.clock.advance_ms(HOUR);
        house.only(Step::Settle).await;
        assert_eq!(house.texts(LAST).await, ["intent"], "another one is made");
        let kind = MessageKind::RefundAnswer;
        house.files.leave(house.files.say(kind, &first, Answer::Done, "", &[], "9"));
        house.clock.advance_ms(MINUTE);
        house.only(Step::Collect).await;
        house.live(5 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.refunds().len(), 1, "the first may have been made");
        assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
        if made {
            decided(&mut house, Subject::Attempt(AttemptNo(2)), Verdict::Received).await;
        }
        dismiss_all(&mut house).await;
        house.live(5 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.refunds().len(), if made { 1 } else { 2 });
        assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
        assert_eq!(house.state(1).await, "closed");
        house.sound().await;
    }
}

#[tokio::test]
async fn i1_what_releases_a_payment_again_stays_where_that_was_credited_after_all() {
    for made in [false, true] {
        let mut house = House::open().await;
        fails(&house, 2);
        house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
        house.files.leave_all(0);
        house.live(20 * MINUTE, MINUTE).await;
        let again = Draft::new("B", 1).lines(FILES, 2).line(1, |line| {
            line.person = person(2);
            line.amount = Fen::new(10_100);
        });
        let again = again.line(2, |line| line.person = person(60)).replacing(1, "A", 1, 2);
        house.county.offer(again.head(|head| head.period = "2026-B".to_owned()).declared());
        house.clock.advance_ms(MINUTE);
        house.only(Step::Intake).await;
        assert_eq!(house.holds(2).await, BTreeMap::new(), "it may be released again");
        if made {
            house.only(Step::Convert).await;
            assert_eq!(house.texts(LAST).await, ["intent"]);
        }
        credited_after_all(&mut house, 2).await;
        house.live(HOUR, 10 * MINUTE).await;
        let holds = house.holds(2).await;
        assert_eq!(holds.get(&1).map(String::as_str), Some("replaced_not_open"), "made: {made}");
        assert!(house.files.credits().values().all(|credits| *credits == 1), "made: {made}");
        // Whoever has looked, and says so, is obeyed.
        house.county.decide("B", 1, 1, Action::Release);
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.credits()[&person(2).account], 2, "made: {made}");
        house.sound().await;
    }
}

#[tokio::test]
async fn i7_another_sum_than_was_asked_back_is_no_answer() {
    let mut house = House::open().await;
    fails(&house, 2);
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    // It takes the refund, and is at work on it for long.
    house.files.next(Turn::Say(Answer::Accepted));
    (0..99).for_each(|_| house.files.reply(Reply::Say(Answer::Processing)));
    house.files.leave_all(0);
    house.live(20 * MINUTE, MINUTE).await;
    let refund = house.files.refunds()[0].reference.clone();
    for (fen, back) in [(10_099, false), (10_101, false), (10_100, true)] {
        house.files.leave(house.files.gave_back(&refund, Fen::new(fen)));
        house.live(HOUR, 10 * MINUTE).await;
        let five = if back { [0, 0, 202, 0, 101] } else { [0, 0, 202, 101, 0] };
        assert_eq!(house.five(1).await, five, "{fen}");
        let alert = house.alert("contradiction").await.map(|alert| alert.text);
        assert!(back || alert.is_some_and(|text| text.contains("退款金额")), "{fen}");
    }
    assert_eq!(house.files.refunds().len(), 1);
    house.sound().await;
}

#[tokio::test]
async fn i27_leftover_of_a_bank_that_is_gone_from_the_config_is_asked_of_no_other() {
    let mut house = House::open().await;
    house.calls.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.county.offer(Draft::new("A", 1).lines(CALLS, 3).declared());
    for step in [Step::Intake, Step::Convert, Step::Submit] {
        house.only(step).await;
    }
    for _ in 0..15 {
        house.clock.advance_ms(MINUTE);
        house.only(Step::Collect).await;
    }
    assert_eq!(
        house.five(1).await,
        [0, 0, 202, 101, 0],
        "it failed, and nothing is asked back yet"
    );
    house.forget_bank(CALLS);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.files.refunds().len(), 0, "the bank of the pool account never had this money");
    let alert = house.alert("settle").await.expect("somebody is told");
    assert!(alert.text.contains("请恢复该行的配置"), "{}", alert.text);
    house.restart().await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!((house.files.refunds().len(), house.calls.refunds().len()), (0, 1));
    assert!(house.alert("settle").await.is_none());
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.sound().await;
}

#[tokio::test]
async fn i1_people_of_another_key_are_seen_before_the_daemon_begins_with_a_new_one() {
    let mut house = House::open().await;
    assert_eq!(house.store().blinded_with_another(7).await.expect("read"), None, "nobody yet");
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    for (id, other) in [(0, Some(1)), (1, None), (2, Some(1)), (255, Some(1))] {
        assert_eq!(house.store().blinded_with_another(id).await.expect("read"), other, "{id}");
    }
}
