//! The clock is set: forwards, back, over midnight, while the daemon runs and while it does not. No
//! jump moves a fen (I16, F22).

use daifa::clock::Clock as _;
use daifa::flow::{Duty, Step};
use daifa::model::attempt::Answer;
use daifa::model::reason::Reason;
use daifa::store::clock::Anchor;

use crate::counter::{Fate, Reply, Turn};
use crate::county::{Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, VISIBLE, duty};

const DAY: i64 = 24 * HOUR;
/// Back over midnight is 16 hours: it is 15:49 in the county.
const JUMPS: [i64; 6] = [HOUR, -HOUR, DAY, -DAY, 9 * HOUR, -16 * HOUR];

/// A bank that has a batch, lost its answer, and does not see the batch yet.
async fn lagging() -> House {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    (0..500).for_each(|_| house.calls.reply(Reply::Say(Answer::NotFound)));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house
}

#[tokio::test]
async fn i16_a_jump_does_not_make_not_found_count_early() {
    for jump in JUMPS {
        let mut house = lagging().await;
        house.live(2 * MINUTE, MINUTE).await;
        let before = house.places().await;
        house.clock.jump_ms(jump);
        house.live(VISIBLE - 3 * MINUTE, MINUTE).await;
        assert_eq!(
            house.calls.batches().len(),
            1,
            "after a jump of {jump} it went again too early"
        );
        assert_eq!(house.places().await, before);
        // Back from a jump it is asked on all the same, and the bank sees it in time.
        house.calls.book().replies.clear();
        house.live(5 * MINUTE, MINUTE).await;
        assert_eq!(house.five(1).await, [0, 0, 201, 0, 0], "after a jump of {jump}");
        assert_eq!(house.calls.batches().len(), 1);
        house.sound().await;
    }
}

#[tokio::test]
async fn i16_a_restart_makes_the_wait_longer_and_never_shorter() {
    let mut house = lagging().await;
    house.live(2 * MINUTE, MINUTE).await;
    house.stop();
    house.clock.jump_ms(DAY);
    house.restart().await;
    house.live(VISIBLE - MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 2, "it is long enough now, and goes again");
    house.sound().await;
}

/// A register with leftover, with money in flight for long, and with a payment set aside.
async fn three_kinds() -> House {
    let settle_after_ms = 72 * HOUR;
    let drop_held_after_ms = Some(72 * HOUR);
    let mut house = House::with(Duty { settle_after_ms, drop_held_after_ms, ..duty() }).await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    let draft = Draft::new("A", 1).lines(FILES, 4).line(4, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    let reference = house.files.batches()[0].reference.clone();
    let some = house.files.told(&reference, daifa::format::MessageKind::Result);
    (0..5_000).for_each(|_| house.files.reply(Reply::Fail));
    house.files.leave_result(&reference, &some[..2], "1");
    house.run().await;
    assert_eq!(house.five(1).await, [103, 102, 101, 100, 0]);
    house
}

/// What is due by time, as it was: nothing of it moved.
async fn untouched(house: &House) {
    assert_eq!(house.five(1).await, [103, 102, 101, 100, 0]);
    assert!(house.files.refunds().is_empty());
    assert_eq!(house.files.batches().len(), 1);
}

#[tokio::test]
async fn i16_a_jump_neither_sends_leftover_back_nor_drops_what_is_set_aside() {
    for jump in [HOUR, -HOUR, DAY, -DAY, -16 * HOUR] {
        let mut house = three_kinds().await;
        // With the hour or the day, the 72 hours would be over.
        house.live(71 * HOUR + 30 * MINUTE - jump.max(HOUR) + HOUR, 30 * MINUTE).await;
        untouched(&house).await;
        house.clock.jump_ms(jump);
        house.run().await;
        untouched(&house).await;
        let alert = house.alert("clock_step").await.expect("the operator is told");
        assert!(alert.text.contains("daifa clock accept"), "{}", alert.text);
        assert!(house.store().totals().await.expect("read").clock_stepped);
        // Neither does a restart, nor one of the machine.
        house.restart().await;
        house.run().await;
        untouched(&house).await;
        house.clock.reboot();
        house.restart().await;
        house.run().await;
        untouched(&house).await;
        assert!(house.alert("clock_step").await.is_some());
        house.sound().await;
    }
}

#[tokio::test]
async fn i16_what_is_due_by_time_is_due_once_that_time_has_passed() {
    let mut house = three_kinds().await;
    house.clock.jump_ms(DAY);
    house.live(71 * HOUR, HOUR).await;
    untouched(&house).await;
    house.live(2 * HOUR, HOUR).await;
    assert_eq!(house.five(1).await, [0, 102, 101, 0, 203], "72 hours have passed");
    assert!(house.alert("clock_step").await.is_some(), "which clock is right is not known");
    house.sound().await;
}

#[tokio::test]
async fn i16_a_clock_that_goes_back_to_what_it_was_is_believed_again() {
    let mut house = three_kinds().await;
    house.clock.jump_ms(DAY);
    house.run().await;
    assert!(house.alert("clock_step").await.is_some());
    house.clock.jump_ms(-DAY);
    house.run().await;
    assert!(house.alert("clock_step").await.is_none());
    assert!(!house.store().totals().await.expect("read").clock_stepped);
    // What was put off to a time of the wrong clock is looked at again by the right one.
    house.files.book().replies.clear();
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await[1], 0, "the bank was asked");
    house.sound().await;
}

#[tokio::test]
async fn i16_a_person_answers_for_the_clock() {
    let mut house = three_kinds().await;
    house.clock.jump_ms(80 * HOUR);
    house.run().await;
    untouched(&house).await;
    let anchor = Anchor::of(&house.clock);
    house.store().accept_clock(&anchor, "运维岗04").await.expect("accepted");
    house.run().await;
    assert!(house.alert("clock_step").await.is_none());
    assert_eq!(house.five(1).await, [0, 102, 101, 0, 203], "it is that late");
    let told = house.texts("SELECT body FROM journal WHERE kind = 'clock.accepted'").await;
    assert!(told.len() == 1 && told[0].contains("运维岗04"), "{told:?}");
    house.sound().await;
}

#[tokio::test]
async fn f22_a_clock_that_was_set_back_while_the_machine_was_off_is_noticed() {
    let mut house = three_kinds().await;
    house.live(HOUR, 30 * MINUTE).await;
    house.stop();
    house.clock.reboot();
    house.clock.jump_ms(-DAY);
    house.restart().await;
    house.run().await;
    assert!(house.alert("clock_step").await.is_some());
    untouched(&house).await;
    // A machine that was only off is none of that.
    let mut house = three_kinds().await;
    house.stop();
    house.clock.advance_ms(HOUR);
    house.clock.reboot();
    house.restart().await;
    house.run().await;
    assert!(house.alert("clock_step").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn f22_steps_below_a_minute_are_no_steps() {
    let mut house = three_kinds().await;
    house.clock.jump_ms(-59_000);
    house.run().await;
    assert!(house.alert("clock_step").await.is_none());
    // But they add up.
    house.clock.jump_ms(-2_000);
    house.only(Step::Watch).await;
    assert!(house.alert("clock_step").await.is_some());
    house.sound().await;
}

#[tokio::test]
async fn i16_funding_that_lies_ahead_is_waited_for_and_no_jump_brings_it() {
    let mut house = House::open().await;
    let ahead = house.clock.now_ms() + 2 * HOUR;
    let draft = Draft::new("A", 1).lines(CALLS, 1).head(|head| head.funded_at_ms = Some(ahead));
    house.take(draft.declared()).await;
    assert!(house.calls.batches().is_empty());
    // While the clock is wrong, finance refuses our requests: their time is too far from its own.
    house.county.reachable(false);
    house.clock.jump_ms(DAY);
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.calls.batches().is_empty());
    house.clock.jump_ms(-DAY);
    house.county.reachable(true);
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    house.sound().await;
}
