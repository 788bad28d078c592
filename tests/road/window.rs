//! A bank recognises our reference for so long and no longer: after that nothing goes again by itself
//! (design 4.2, I2).

use daifa::model::attempt::Answer;
use daifa::model::decision::{Subject, Verdict};
use daifa::model::id::AttemptNo;

use crate::counter::{Reply, Turn};
use crate::county::Draft;
use crate::deciding::decided;
use crate::house::{CALLS, DUPLICATE, HOUR, House, MINUTE};

/// A batch whose answer was lost before the bank had it, at a bank that cannot be asked.
async fn lost() -> House {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: false });
    (0..50_000).for_each(|_| house.calls.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house
}

/// From now on the bank says that it does not know it.
fn not_found(house: &House) {
    let mut book = house.calls.book();
    book.replies.clear();
    book.replies.extend((0..5_000).map(|_| Reply::Say(Answer::NotFound)));
}

async fn stays_unknown(house: &House) {
    stays_unknown_after(house, 1).await;
}

async fn stays_unknown_after(house: &House, tries: usize) {
    assert_eq!(house.calls.batches().len(), tries, "it went again");
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"]);
    assert_eq!(house.five(1).await, [0, 201, 0, 0, 0]);
    let alert = house.alert("too_late").await.expect("two people are told");
    assert!(alert.text.contains("请两人与银行核对台账"), "{}", alert.text);
    house.sound().await;
}

#[tokio::test]
async fn i2_within_the_duplicate_window_it_goes_again() {
    let mut house = lost().await;
    house.live(DUPLICATE - HOUR, HOUR).await;
    not_found(&house);
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 2);
    assert!(house.alert("too_late").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn i2_after_the_duplicate_window_nothing_goes_again() {
    let mut house = lost().await;
    house.live(DUPLICATE, HOUR).await;
    not_found(&house);
    house.live(20 * MINUTE, MINUTE).await;
    stays_unknown(&house).await;
    house.restart().await;
    house.live(HOUR, 5 * MINUTE).await;
    stays_unknown(&house).await;
    // It is asked on all the same, and once the bank answers for it, it is over.
    house.calls.book().replies.clear();
    house.calls.reply(Reply::Say(Answer::Processing));
    house.live(HOUR, 5 * MINUTE).await;
    assert!(house.alert("too_late").await.is_none());
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    house.sound().await;
}

#[tokio::test]
async fn i2_the_window_runs_from_the_first_time_that_it_may_have_arrived() {
    let mut house = lost().await;
    not_found(&house);
    // The bank cannot be reached any more when the same bytes shall go again.
    (0..10_000).for_each(|_| house.calls.next(Turn::NotSent));
    house.live(DUPLICATE - HOUR, 10 * MINUTE).await;
    let tries = house.calls.batches().len();
    assert!(tries > 10, "it is tried: {tries}");
    house.live(HOUR, MINUTE).await;
    let tries = house.calls.batches().len();
    house.calls.book().turns.clear();
    house.live(10 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.calls.batches().len(), tries, "it went again after the window");
    stays_unknown_after(&house, tries).await;
    // What the bank cannot say, people can.
    let attempt = Subject::Attempt(AttemptNo(1));
    decided(&mut house, attempt, Verdict::NotReceived).await;
    assert_eq!(house.calls.batches().len(), tries + 1, "two people said so");
    house.calls.book().replies.clear();
    house.live(HOUR, MINUTE).await;
    assert!(house.alert("too_late").await.is_none());
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f54_what_never_left_goes_however_long_the_bank_was_away() {
    let mut house = House::open().await;
    (0..10_000).for_each(|_| house.calls.next(Turn::NotSent));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house.live(DUPLICATE + HOUR, 10 * MINUTE).await;
    house.calls.book().turns.clear();
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn i16_a_clock_that_is_set_back_keeps_the_window_as_short_as_it_is() {
    for answered in [false, true] {
        let mut house = lost().await;
        house.live(DUPLICATE - HOUR, HOUR).await;
        house.clock.jump_ms(-24 * HOUR);
        house.run().await;
        if answered {
            let anchor = daifa::store::clock::Anchor::of(&house.clock);
            house.store().accept_clock(&anchor, "运维岗04").await.expect("accepted");
        }
        house.live(HOUR, 10 * MINUTE).await;
        not_found(&house);
        house.live(HOUR, 5 * MINUTE).await;
        stays_unknown(&house).await;
    }
}
