//! The 24-hour duty: when it starts, that it stays, and who is told when it runs out.

use daifa::clock::Clock as _;
use daifa::finance::Verdict;
use daifa::flow::Duty;
use daifa::model::deadline::StartEvent;
use daifa::model::reason::Reason;

use crate::counter::{Fate, Reply, Turn};
use crate::county::{Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, NOW, SECOND, duty};

async fn clock(house: &House) -> (Option<i64>, Option<i64>) {
    let row = house.page(1).await.row;
    (row.start_at_ms, row.deadline_at_ms)
}

async fn batch_deadline(house: &House) -> Vec<String> {
    house.texts("SELECT COALESCE(CAST(deadline_at_ms AS TEXT), '-') FROM batch").await
}

#[tokio::test]
async fn i16_each_start_event_starts_the_clock() {
    for (start, at) in [
        (StartEvent::Received, NOW),
        (StartEvent::Approved, NOW - MINUTE),
        (StartEvent::Funded, NOW - 30 * SECOND),
        (StartEvent::LaterOfReceivedAndFunded, NOW),
    ] {
        let mut house = House::with(Duty { start, ..duty() }).await;
        house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
        assert_eq!(clock(&house).await, (Some(at), Some(at + 24 * HOUR)), "{start}");
        assert_eq!(batch_deadline(&house).await, [(at + 24 * HOUR).to_string()]);
        house.sound().await;
    }
}

#[tokio::test]
async fn i16_funding_known_later_starts_it_later() {
    let funded = NOW + 2 * HOUR;
    for (start, before, after) in [
        (StartEvent::Received, Some(NOW), NOW),
        (StartEvent::Approved, Some(NOW - MINUTE), NOW - MINUTE),
        (StartEvent::Funded, None, funded),
        (StartEvent::LaterOfReceivedAndFunded, None, funded),
    ] {
        // Here it is sent before it is funded, so the batch is there before its clock runs.
        let mut house = House::with(Duty { start, funded_only: false, ..duty() }).await;
        let draft = Draft::new("A", 1).lines(FILES, 2).head(|head| head.funded_at_ms = None);
        (0..500).for_each(|_| house.files.reply(Reply::Fail));
        house.take(draft.declared()).await;
        assert_eq!(clock(&house).await.0, before, "{start}");
        house.live(3 * HOUR, HOUR).await;
        house.county.change("A", 1, |offer| offer.head.funded_at_ms = Some(funded));
        house.pass(MINUTE).await;
        assert_eq!(clock(&house).await, (Some(after), Some(after + 24 * HOUR)), "{start}");
        assert_eq!(batch_deadline(&house).await, [(after + 24 * HOUR).to_string()]);
        // What was once known is not moved by another word of finance.
        house.county.change("A", 1, |offer| offer.head.funded_at_ms = Some(funded + HOUR));
        house.pass(MINUTE).await;
        assert_eq!(clock(&house).await.0, Some(after));
        house.sound().await;
    }
}

#[tokio::test]
async fn i16_it_is_frozen_with_the_batch_and_survives_a_restart() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    let before = (clock(&house).await, batch_deadline(&house).await);
    house.duty = Duty { allowed_ms: HOUR, start: StartEvent::Approved, ..duty() };
    house.clock.advance_ms(5 * HOUR);
    house.restart().await;
    house.run().await;
    assert_eq!((clock(&house).await, batch_deadline(&house).await), before);
    assert!(house.alert("deadline").await.is_none(), "5 of 24 hours");
    house.sound().await;
}

async fn levels(house: &House) -> Vec<String> {
    let sql = "SELECT json_extract(body, '$.level') || ' at ' || ((at_ms - 1795420144000) / 60000) FROM journal \
               WHERE kind = 'deadline.alert' ORDER BY seq";
    house.texts(sql).await
}

#[tokio::test]
async fn i16_each_level_is_told_once_and_journalled() {
    let mut house = House::open().await;
    (0..5_000).for_each(|_| house.calls.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    for hour in 0..30 {
        house.live(HOUR, 6 * MINUTE).await;
        if hour % 7 == 3 {
            house.restart().await;
            house.run().await;
        }
    }
    let of = |percent: i64| 24 * 60 * percent / 100;
    let on_time = [50, 80, 95, 100].map(|percent| {
        // Looked at every six minutes.
        let at = (of(percent) + 5) / 6 * 6;
        format!("{percent} at {at}")
    });
    assert_eq!(levels(&house).await, on_time);
    let alert = house.alert("deadline").await.expect("it stands");
    assert_eq!((alert.level, alert.subject.as_str()), (100, "R1"));
    let standing = house.alerts().await.into_iter().filter(|a| a.kind == "deadline").count();
    assert_eq!(standing, 1, "the lower ones are replaced by it");
    // Once the money has come to an end, it is over.
    house.calls.book().replies.clear();
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert!(house.alert("deadline").await.is_none());
    assert_eq!(levels(&house).await.len(), 4);
    house.finished().await;
}

#[tokio::test]
async fn i16_after_a_long_stop_the_highest_level_is_told() {
    let mut house = House::open().await;
    (0..50).for_each(|_| house.calls.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(CALLS, 1).declared()).await;
    house.stop();
    house.clock.advance_ms(23 * HOUR);
    house.restart().await;
    house.run().await;
    assert_eq!(levels(&house).await, ["95 at 1380"]);
    house.sound().await;
}

/// Else nobody would be told again before as many days have passed.
#[tokio::test]
async fn i16_days_that_a_clock_was_ahead_are_taken_back() {
    let mut house = House::open().await;
    (0..9_000).for_each(|_| house.calls.reply(Reply::Fail));
    house.calls.fate(&person(1).account, Fate::Processing);
    house.take(Draft::new("A", 1).lines(CALLS, 1).declared()).await;
    house.live(25 * HOUR, HOUR).await;
    for (jump, level) in [(9 * 24 * HOUR, 109), (-9 * 24 * HOUR, 100), (0, 100)] {
        house.clock.jump_ms(jump);
        house.live(MINUTE, MINUTE).await;
        let alert = house.alert("deadline").await.expect("late");
        assert_eq!(alert.level, level);
        assert_eq!(alert.text.contains("满 9 天"), level == 109, "{}", alert.text);
    }
    assert_eq!(levels(&house).await.len(), 6, "four on the way, one by the jump, one by its end");
    house.sound().await;
}

#[tokio::test]
async fn i16_what_is_set_aside_and_undecided_is_not_silent_either() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1).lines(FILES, 2).line(2, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    house.files.leave_all(0);
    house.live(13 * HOUR, HOUR).await;
    assert_eq!(house.alert("deadline").await.expect("open").level, 50);
    house.county.decide("A", 1, 2, Verdict::Drop);
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.alert("deadline").await.is_none());
    house.finished().await;
}

#[tokio::test]
async fn i16_jumps_of_the_clock_move_no_money() {
    let day = 24 * HOUR;
    for jump in [HOUR, -HOUR, day, -day, 9 * HOUR, -16 * HOUR] {
        let mut house = House::open().await;
        house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
        house.take(Draft::new("A", 1).lines(FILES, 3).lines(CALLS, 2).declared()).await;
        let reference = house.files.batches()[0].reference.clone();
        let some = house.files.told(&reference, daifa::format::MessageKind::Result);
        house.files.leave_result(&reference, &some[..2], "1");
        (0..50).for_each(|_| house.calls.reply(Reply::Fail));
        (0..50).for_each(|_| house.files.reply(Reply::Fail));
        house.run().await;
        let before = (house.places().await, clock(&house).await);
        house.clock.jump_ms(jump);
        house.run().await;
        house.restart().await;
        house.run().await;
        assert_eq!((house.places().await, clock(&house).await), before, "{jump}");
        house.clock.jump_ms(-jump);
        house.live(3 * MINUTE, MINUTE).await;
        assert_eq!((house.places().await, clock(&house).await), before, "{jump}");
        assert_eq!((house.files.batches().len(), house.calls.batches().len()), (1, 1));
        assert!(house.files.refunds().is_empty());
        let told = levels(&house).await;
        assert!(told.len() <= 1, "{told:?}");
        house.sound().await;
    }
}

#[tokio::test]
async fn i16_a_jump_back_repeats_no_alert_and_sends_nothing_again() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    (0..500).for_each(|_| house.calls.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(CALLS, 1).declared()).await;
    house.live(13 * HOUR, HOUR).await;
    assert_eq!(levels(&house).await.len(), 1);
    house.clock.jump_ms(-20 * HOUR);
    house.run().await;
    house.live(21 * HOUR, HOUR).await;
    assert_eq!(levels(&house).await.len(), 1);
    assert_eq!(house.calls.batches().len(), 1);
    assert_eq!(house.clock.now_ms(), NOW + 14 * HOUR);
    house.sound().await;
}
