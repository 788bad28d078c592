//! Finance lists what cannot be read, or does not answer at all: nothing is lost, nothing else is held
//! up, and nobody is stormed.

use std::sync::Arc;
use std::time::Duration;

use daifa::engine::{self, Observer};
use daifa::flow::Lane;
use tokio_util::sync::CancellationToken;

use crate::counter::Turn;
use crate::county::{Bad, Draft, Ear, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, SECOND};

async fn three(bad: Bad) -> House {
    let mut house = House::open().await;
    for (id, lines) in [("A", 1), ("B", 2), ("C", 3)] {
        house.county.offer(Draft::new(id, 1).lines(CALLS, lines).declared());
    }
    house.county.unreadable("B", 1, Some(bad));
    house.run().await;
    house
}

async fn known(house: &House) -> Vec<String> {
    house.texts("SELECT id FROM register ORDER BY id").await
}

#[tokio::test]
async fn i15_a_register_that_cannot_be_read_holds_up_none_behind_it() {
    for bad in [Bad::Missing, Bad::Garbage, Bad::Breaks] {
        let mut house = three(bad).await;
        house.pass(MINUTE).await;
        assert_eq!(known(&house).await, ["A", "C"], "{bad:?}");
        let alert = house.alert("unread").await.expect("somebody is told");
        assert!(alert.text.contains("清册 B（第 1 版）无法读取"), "{}", alert.text);
        assert!(house.alert("finance").await.is_none(), "finance itself answers");
        let told = house.texts("SELECT body FROM journal WHERE kind = 'register.unread'").await;
        assert!(
            !told.is_empty() && told.iter().all(|one| one.contains("\"id\":\"B\"")),
            "{told:?}"
        );
        // It is not forgotten, also not by a restart, and tried less and less often.
        house.restart().await;
        house.live(3 * HOUR, MINUTE).await;
        assert_eq!(known(&house).await, ["A", "C"]);
        let tries = house.number("SELECT tries FROM unread").await;
        assert!((6..=12).contains(&tries), "{tries}");
        house.county.unreadable("B", 1, None);
        house.live(HOUR, MINUTE).await;
        assert_eq!(known(&house).await, ["A", "B", "C"]);
        assert!(house.alert("unread").await.is_none());
        assert_eq!(house.number("SELECT COUNT(*) FROM unread").await, 0);
        house.live(HOUR, 10 * MINUTE).await;
        house.finished().await;
    }
}

#[tokio::test]
async fn f1_a_stream_that_always_breaks_holds_up_none_behind_it() {
    let mut house = House::open().await;
    let mut broken = Draft::new("A", 1).lines(FILES, 3).declared();
    broken.breaks_after = Some(2);
    house.county.offer(broken);
    house.take(Draft::new("B", 1).lines(FILES, 1).declared()).await;
    house.pass(MINUTE).await;
    assert_eq!(house.store().overview(10).await.expect("read").registers_total, 1);
    assert_eq!(house.files.batches().len(), 1);
    assert!(house.alert("unread").await.is_some());
    house.county.change("A", 1, |offer| offer.breaks_after = None);
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.files.batches().len(), 2);
    assert!(house.alert("unread").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn f61_what_is_revoked_before_it_could_be_read_is_never_taken() {
    let mut house = three(Bad::Missing).await;
    house.county.revoke("B", 1);
    house.pass(MINUTE).await;
    assert!(house.alert("unread").await.is_none());
    house.county.unreadable("B", 1, None);
    house.live(HOUR, MINUTE).await;
    assert_eq!(known(&house).await, ["A", "C"]);
    let told = house.number("SELECT COUNT(*) FROM journal WHERE kind = 'register.unread_revoked'");
    assert_eq!(told.await, 1);
    house.finished().await;
}

#[tokio::test]
async fn i15_funding_that_cannot_be_read_holds_up_no_other() {
    for bad in [Bad::Missing, Bad::Breaks] {
        let mut house = House::open().await;
        for id in ["A", "B"] {
            let draft = Draft::new(id, 1).lines(CALLS, 1).head(|head| head.funded_at_ms = None);
            house.county.offer(draft.declared());
        }
        house.run().await;
        house.county.unreadable("A", 1, Some(bad));
        let funded = crate::house::NOW;
        for id in ["A", "B"] {
            house.county.change(id, 1, |offer| offer.head.funded_at_ms = Some(funded));
        }
        house.live(2 * MINUTE, MINUTE).await;
        assert_eq!(house.calls.batches().len(), 1, "{bad:?}");
        let alert = house.alert("unread").await.expect("somebody is told");
        assert_eq!(alert.register.map(|no| no.0), Some(1));
        house.county.unreadable("A", 1, None);
        house.live(5 * MINUTE, MINUTE).await;
        assert_eq!(house.calls.batches().len(), 2);
        assert!(house.alerts().await.is_empty(), "{:?}", house.alerts().await);
        house.sound().await;
    }
}

#[tokio::test]
async fn i25_funding_of_another_content_under_the_same_identity_is_not_taken() {
    let draft = |count| Draft::new("A", 1).lines(CALLS, count);
    let mut house = House::open().await;
    house.take(draft(2).head(|head| head.funded_at_ms = None).declared()).await;
    for other in [
        draft(3),
        draft(2).head(|head| head.pool_account = "1".to_owned()),
        draft(2).line(1, |line| line.person = person(7)),
    ] {
        house.county.change("A", 1, |offer| *offer = other.declared());
        house.live(2 * MINUTE, MINUTE).await;
        assert!(house.calls.batches().is_empty());
        let alert = house.alert("unread").await.expect("somebody is told");
        assert_eq!(alert.register.map(|no| no.0), Some(1));
    }
    house.county.change("A", 1, |offer| *offer = draft(2).declared());
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    assert!(house.alert("unread").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn f53_while_finance_is_down_the_tries_per_hour_are_bounded() {
    let mut house = House::open().await;
    for number in 0..20 {
        house.county.offer(Draft::new(&format!("R{number:02}"), 1).lines(CALLS, 1).declared());
    }
    let unfunded = Draft::new("U", 1).lines(CALLS, 1).head(|head| head.funded_at_ms = None);
    house.county.offer(unfunded.declared());
    house.county.ear(Ear::Down);
    house.county.reachable(false);
    house.run().await;
    house.county.reachable(true);
    house.live(5 * MINUTE, 10 * SECOND).await;
    assert!(house.reports_due().await > 60);
    house.county.reachable(false);
    house.live(HOUR, 10 * SECOND).await;
    for hour in 0..3 {
        let before = (house.county.calls(), house.county.deliveries().len());
        house.live(HOUR, 10 * SECOND).await;
        let calls = house.county.calls() - before.0;
        let delivered = house.county.deliveries().len() - before.1;
        assert!((10..=50).contains(&calls), "{calls} calls in hour {hour}");
        assert!(delivered >= 5, "{delivered} reports were tried in hour {hour}");
    }
    // Once it is back, everything is told soon.
    house.county.ear(Ear::Open);
    house.county.reachable(true);
    house.live(20 * MINUTE, 10 * SECOND).await;
    assert_eq!(house.reports_due().await, 0);
    assert!(house.alerts().await.is_empty(), "{:?}", house.alerts().await);
    house.sound().await;
}

struct Nobody;

impl Observer for Nobody {
    fn stepped(&self, _: &Lane, _: &'static str, _: u64, _: i64) {}
    fn rests(&self, _: &Lane, _: i64) {}
}

#[tokio::test]
async fn f53_finance_is_asked_as_often_as_was_agreed() {
    let mut house = House::open().await;
    let ctx = Arc::new({
        let mut ctx = house.leave();
        ctx.clock = Arc::new(daifa::clock::SystemClock);
        ctx
    });
    let cancel = CancellationToken::new();
    let running =
        tokio::spawn(engine::run(ctx, Arc::new(Nobody), cancel.clone(), CancellationToken::new()));
    // Longer than the engine's heartbeat, and shorter than the thirty seconds that were agreed.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    cancel.cancel();
    running.await.expect("it ends").expect("without trouble");
    assert_eq!(house.county.calls(), 2, "the registers once and the decisions once");
}

#[tokio::test]
async fn f25_a_bank_that_hangs_holds_up_nobody_else() {
    let mut house = House::open().await;
    house.rows_max = 1;
    house.restart().await;
    for (id, bank) in [("A", CALLS), ("B", FILES)] {
        house.county.offer(Draft::new(id, 1).lines(bank, 6).declared());
    }
    house.calls.next(Turn::Hang { booked: false });
    let ctx = Arc::new({
        let mut ctx = house.leave();
        ctx.clock = Arc::new(daifa::clock::SystemClock);
        ctx
    });
    let cancel = CancellationToken::new();
    let running =
        tokio::spawn(engine::run(ctx, Arc::new(Nobody), cancel.clone(), CancellationToken::new()));
    house.calls.hanging.notified().await;
    let files = Arc::clone(&house.files);
    let all = async {
        while files.batches().len() < 6 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), all).await;
    assert!(done.is_ok(), "{} of 6 batches left", house.files.batches().len());
    assert_eq!(house.calls.batches().len(), 1, "the first has not come back");
    running.abort();
}
