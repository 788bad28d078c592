//! What a format cannot write is not sent, and somebody is told; once the format is mended, the alert
//! is over and the money goes. That the finished bytes are read back is shown beside the reading.

use std::sync::Arc;

use daifa::format::Format;
use daifa::model::reason::Reason;
use daifa::transport::Transport;

use crate::counter::Fate;
use crate::county::{Draft, person};
use crate::house::{FILES, HOUR, House, MINUTE};

fn draft() -> Draft {
    Draft::new("A", 1).lines(FILES, 2)
}

/// From now on the bank's format is another one.
async fn reformed(house: &mut House, changes: &[(&str, &str)]) {
    let mut text = house.files.format.text().to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let format = Format::compile("broken", &text).expect("compiles");
    let door: Arc<dyn Transport> = Arc::clone(&house.files) as Arc<dyn Transport>;
    house.doors.insert(FILES.to_owned(), (door, Arc::new(format)));
    house.restart().await;
}

/// Refunds have no room for the pool account.
const NARROW: [(&str, &str); 2] = [
    ("length = 196", "length = 174"),
    (
        "{ key = \"pool_account\", width = 32, only = \"ascii\", pad = \" \", side = \"left\" },\n  \
         { key = \"count\", width = 8, pad = \"0\", side = \"right\" },\n  \
         { key = \"sum\", width = 17, unit = \"yuan\", scale = 2, point = true, pad = \"0\", side = \"right\" },\n  \
         { key = \"voucher_no\", width = 32, only = \"ascii\", optional = true, pad = \" \", side = \"left\" },\n  \
         { key = \"document_no\"",
        "{ key = \"pool_account\", width = 10, only = \"ascii\", pad = \" \", side = \"left\" },\n  \
         { key = \"count\", width = 8, pad = \"0\", side = \"right\" },\n  \
         { key = \"sum\", width = 17, unit = \"yuan\", scale = 2, point = true, pad = \"0\", side = \"right\" },\n  \
         { key = \"voucher_no\", width = 32, only = \"ascii\", optional = true, pad = \" \", side = \"left\" },\n  \
         { key = \"document_no\"",
    ),
];
async fn mended(house: &mut House) {
    house.doors.clear();
    house.restart().await;
    house.live(2 * MINUTE, MINUTE).await;
}

#[tokio::test]
async fn an_alert_about_leftover_ends_with_its_refund() {
    let mut house = House::open().await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.take(draft().declared()).await;
    reformed(&mut house, &NARROW).await;
    house.files.leave_all(0);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 101, 100, 0]);
    assert!(house.files.refunds().is_empty());
    let alert = house.alert("settle").await.expect("somebody is told");
    assert!(alert.text.contains("pool_account"), "{}", alert.text);
    house.sound().await;
    mended(&mut house).await;
    assert!(house.alert("settle").await.is_none(), "it is over");
    assert_eq!(house.files.refunds().len(), 1);
    assert_eq!(house.five(1).await, [0, 0, 101, 0, 100]);
    house.finished().await;
}

/// A register whose head was altered after it was taken, so that no batch can be made of it.
async fn altered() -> House {
    let mut house = House::open().await;
    let unfunded = draft().head(|head| head.funded_at_ms = None);
    house.take(unfunded.declared()).await;
    house.tamper("UPDATE register SET summary = 'x' || summary").await;
    house.county.change("A", 1, |offer| offer.head.funded_at_ms = Some(crate::house::NOW));
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [201, 0, 0, 0, 0]);
    assert!(house.files.batches().is_empty());
    assert!(house.alert("convert").await.is_some());
    house
}

#[tokio::test]
async fn an_alert_about_a_share_ends_with_its_batch() {
    let mut house = altered().await;
    house.tamper("UPDATE register SET summary = substr(summary, 2)").await;
    house.pass(MINUTE).await;
    assert!(house.alert("convert").await.is_none(), "it is over");
    assert_eq!(house.files.batches().len(), 1);
    house.files.leave_all(0);
    house.live(2 * MINUTE, MINUTE).await;
    house.finished().await;
}

#[tokio::test]
async fn an_alert_about_a_share_ends_with_the_share() {
    let mut house = altered().await;
    house.county.revoke("A", 1);
    house.live(2 * MINUTE, MINUTE).await;
    assert!(house.alert("convert").await.is_none(), "nothing of it is to be sent any more");
}

#[tokio::test]
async fn an_alert_about_a_share_stays_while_nobody_looks_whether_it_is_over() {
    let mut house = altered().await;
    let raised = house.alert("convert").await.expect("it stands").raised_at_ms;
    let now = daifa::clock::Clock::now_ms(&house.clock);
    house.store().stop_bank(FILES, "已停止", now).await.expect("stopped");
    house.live(3 * MINUTE, MINUTE).await;
    let alert = house.alert("convert").await.expect("its cause is not over");
    assert_eq!(alert.raised_at_ms, raised, "it went and came again");
    // Its cause is over, and the bank is sent to again.
    house.tamper("UPDATE register SET summary = substr(summary, 2)").await;
    house.store().resume_bank(FILES, "运维岗04", "已核对", now).await.expect("resumed");
    house.pass(MINUTE).await;
    assert!(house.alert("convert").await.is_none());
    house.files.leave_all(0);
    house.live(2 * MINUTE, MINUTE).await;
    house.finished().await;
}
