//! A database that is older than what was sent. What the bank knows more than it must never be paid
//! again: the batch stops, and with it everything for that bank, until a person has compared (F16, I6).

use std::collections::BTreeSet;
use std::path::PathBuf;

use daifa::flow::Step;
use daifa::format::MessageKind;
use daifa::model::id::BatchNo;
use daifa::model::outcome::OutcomeKind;
use daifa::store::StoreError;

use crate::beside;
use crate::counter::Told;
use crate::county::{Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

const STANDS: &str = "SELECT state FROM attempt ORDER BY attempt_no";

/// A register of three was paid, and the database of the time before is back. The same register is
/// listed again, and is cut otherwise: the first reference has other content.
async fn restored() -> House {
    let mut house = House::open().await;
    let backup: PathBuf = house.backup("before.sqlite").await;
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.rows_max = 2;
    house.bring_back(&backup).await;
    house.run().await;
    house
}

/// The bank tells that the first payment is credited.
fn credit(house: &House) -> Told {
    Told {
        ordinal: 1,
        account: person(1).account,
        fen: 10_000,
        code: house.files.code(MessageKind::Result, Some(OutcomeKind::Credited), None),
        text: String::new(),
        notice: String::new(),
        number: String::new(),
    }
}

async fn recut_refused(house: &House) {
    let refused = house.store().recut(BatchNo(1), "op", 1).await.expect_err("is refused");
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    let words = refused.to_string();
    assert!(words.contains("with other content") && words.contains("do not recut"), "{words}");
}

#[tokio::test]
async fn f16_a_reference_that_the_bank_has_with_other_content_stops_the_batch_and_the_bank() {
    let mut house = restored().await;
    assert_eq!(house.texts(STANDS).await, ["stopped"], "and nothing else was cut");
    assert_eq!(house.five(1).await, [102, 201, 0, 0, 0], "nobody knows, so it is in flight");
    for kind in ["other_content", "bank_stopped"] {
        let alert = house.alert(kind).await.expect("somebody is told");
        for words in ["数据库可能比实际发出的旧", "切勿重新组批", "daifa bank resume city"]
        {
            assert!(alert.text.contains(words), "{}", alert.text);
        }
    }
    recut_refused(&house).await;
    // Neither time nor a restart lets anything go, and the other bank goes on.
    house.live(3 * HOUR, 10 * MINUTE).await;
    house.restart().await;
    house.take(Draft::new("B", 1).lines(CALLS, 1).lines(FILES, 1).declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.calls.batches().len(), 2, "the paid one, and the one that was stopped");
    assert_eq!(house.files.batches().len(), 1);
    assert!(house.calls.credits().values().all(|times| *times == 1), "paid twice");
    assert_eq!(house.texts(STANDS).await[0], "stopped");
    house.sound().await;
}

#[tokio::test]
async fn f16_sending_goes_on_at_an_operator_s_word_and_the_batch_stays_stopped() {
    let mut house = restored().await;
    // Compared with the bank: all of it was paid. Finance takes back what is unsent.
    house.county.revoke("A", 1);
    house.pass(MINUTE).await;
    let now = house.ctx().now_ms();
    assert!(house.store().resume_bank(CALLS, "op", "compared", now).await.expect("writes"));
    assert!(!house.store().resume_bank(CALLS, "op", "again", now).await.expect("reads"));
    let told = "SELECT body FROM journal WHERE chain = 'bank:city' AND kind = 'bank.resumed'";
    assert_eq!(house.texts(told).await, [r#"{"by":"op","why":"compared"}"#]);
    house.take(Draft::new("B", 1).lines(CALLS, 1).declared()).await;
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.five(2).await, [0, 0, 100, 0, 0]);
    assert!(house.alert("bank_stopped").await.is_none());
    assert!(house.alert("other_content").await.is_some(), "two people decide about it");
    assert_eq!(house.texts(STANDS).await, ["stopped", "accepted"]);
    recut_refused(&house).await;
    house.sound().await;
}

#[tokio::test]
async fn f16_an_answer_about_a_reference_that_was_never_sent_stops_the_bank() {
    for (reference, ours) in [("T000000000007", true), ("X000000000007", false)] {
        let mut house = House::open().await;
        house.files.leave_result(reference, &[credit(&house)], "1");
        house.run().await;
        assert!(house.alert("result_held").await.is_some(), "it is kept either way");
        assert_eq!(house.alert("bank_stopped").await.is_some(), ours, "{reference}");
        house.take(Draft::new("A", 1).lines(FILES, 1).lines(CALLS, 1).declared()).await;
        house.live(10 * MINUTE, MINUTE).await;
        assert_eq!(house.files.batches().len(), usize::from(!ours), "{reference}");
        assert_eq!(house.calls.batches().len(), 1, "another bank goes on");
        if ours {
            let now = house.ctx().now_ms();
            assert!(house.store().resume_bank(FILES, "op", "compared", now).await.expect("writes"));
            house.live(10 * MINUTE, MINUTE).await;
            assert_eq!(house.files.batches().len(), 1);
        }
        house.sound().await;
    }
}

#[tokio::test]
async fn f16_an_answer_about_what_was_not_sent_yet_keeps_it_from_being_sent() {
    let mut house = House::open().await;
    house.county.offer(Draft::new("A", 1).lines(FILES, 1).declared());
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    let reference = house.texts("SELECT reference FROM attempt").await.remove(0);
    house.files.leave_result(&reference, &[credit(&house)], "1");
    house.only(Step::Collect).await;
    assert_eq!(house.texts(STANDS).await, ["stopped"]);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(
        house.files.batches().len(),
        0,
        "a bank that knows by reference alone would take it"
    );
    assert!(house.alert("bank_stopped").await.is_some());
    recut_refused(&house).await;
    // What is said under that reference is kept, and credits nobody.
    house.files.leave_result(&reference, &[credit(&house)], "2");
    house.run().await;
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 2);
    assert_eq!(house.five(1).await, [0, 100, 0, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn i6_what_is_told_after_a_restore_is_another_report() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    let backup = house.backup("before.sqlite").await;
    let reference = house.files.batches()[0].reference.clone();
    house.files.leave_all(0);
    house.live(5 * MINUTE, MINUTE).await;
    let told = |house: &House| {
        let told = house.county.told("results", "finance");
        told.iter().map(|told| told.head()["report_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&house).len(), 1);
    house.epoch += 1;
    house.bring_back(&backup).await;
    let rows = house.files.told(&reference, MessageKind::Result);
    house.files.leave_result(&reference, &rows[..1], "2");
    house.live(5 * MINUTE, MINUTE).await;
    // Its result bears the number that the one before had.
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE result_no = 1").await, 1);
    let told = told(&house);
    let other: BTreeSet<String> = told.iter().map(ToString::to_string).collect();
    assert!(told.len() > 1 && other.len() == told.len(), "finance would not take it: {told:?}");
}

#[tokio::test]
async fn i6_after_a_restore_no_reference_is_used_again() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).lines(CALLS, 2).declared()).await;
    let backup = house.backup("before.sqlite").await;
    house.take(Draft::new("B", 1).lines(FILES, 2).lines(CALLS, 2).declared()).await;
    house.county.revoke("B", 1);
    house.epoch += 1;
    house.bring_back(&backup).await;
    house.take(Draft::new("C", 1).lines(FILES, 2).lines(CALLS, 2).declared()).await;
    for counter in [&house.files, &house.calls] {
        let sent: Vec<String> = counter.batches().into_iter().map(|one| one.reference).collect();
        let references: BTreeSet<&String> = sent.iter().collect();
        assert!(sent.len() >= 3, "{sent:?}");
        assert_eq!(references.len(), sent.len(), "{sent:?}");
    }
}

/// It has what it was sent under its code of before: none of those references comes again, and what it answers to
/// them waits until it has that code back.
#[tokio::test]
async fn i6_a_bank_whose_code_was_changed_gets_no_reference_twice() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let first = house.files.batches()[0].reference.clone();
    house.renamed = Some("rural-2");
    house.restart().await;
    house.take(Draft::new("B", 1).lines("rural-2", 3).declared()).await;
    let second = house.files.batches()[1].reference.clone();
    assert_eq!([first.as_str(), second.as_str()], ["T000000000001", "T000000000002"]);
    house.files.leave_all(0);
    house.files.leave_all(1);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    assert_eq!(house.five(2).await, [0, 0, 303, 0, 0]);
    let told = house.alert("collect").await.expect("somebody is told");
    assert!(told.text.contains("行代号 rural 发送的"), "{}", told.text);
    assert!(house.alert("bank_stopped").await.is_none(), "the database is no older than it was");
    assert!(house.files.waiting() > 0, "it waits");
    house.renamed = None;
    house.restart().await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("collect").await.is_none(), "{:?}", house.alerts().await);
    assert_eq!(house.files.waiting(), 0);
    // It has its code back, and got a reference under the other one meanwhile.
    house.take(Draft::new("C", 1).lines(FILES, 3).declared()).await;
    assert_eq!(house.files.batches()[2].reference, "T000000000003");
    house.sound().await;
}

/// Between what was made durable and what is sent it was stopped, and another daemon has taken over meanwhile.
#[tokio::test]
async fn i17_who_was_stopped_before_it_sends_asks_whose_turn_it_is() {
    for taken_over in [false, true] {
        let mut house = House::open().await;
        let (clock, location) = (house.clock.clone(), house.database().clone());
        house.store().witnessed(Box::new(move |_| {
            clock.advance_ms(MINUTE);
            if taken_over {
                let location = location.clone();
                let other = std::thread::spawn(move || {
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = runtime.enable_all().build().expect("a runtime");
                    let sql = "UPDATE lease SET epoch = epoch + 1";
                    runtime.block_on(beside::alter(&location, sql)).expect("takes over");
                });
                other.join().expect("it did");
            }
        }));
        house.county.offer(Draft::new("A", 1).lines(CALLS, 3).declared());
        house.only(Step::Intake).await;
        house.only(Step::Convert).await;
        let sent = house.step(Step::Submit).await;
        if taken_over {
            let cause = sent.expect_err("it is another's turn");
            assert!(cause.is_fatal() && cause.to_string().contains("another instance"), "{cause}");
            assert!(house.calls.batches().is_empty(), "nothing left");
        } else {
            sent.expect("it goes on");
            assert_eq!(house.calls.batches().len(), 1);
        }
    }
}
