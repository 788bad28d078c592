//! A bank that calls us: what it called in is durable before anybody looks at it, is taken like any
//! other answer, and says nothing that only the answer to a question can say.

use std::sync::Arc;

use bytes::Bytes;
use daifa::flow::sealed::seal_evidence;
use daifa::flow::{Progress, Step};
use daifa::format::{Format, MessageKind, example};
use daifa::guard::digest::sha256;
use daifa::model::attempt::Answer;
use daifa::model::notice::NoticeState;
use daifa::model::reason::Reason;

use crate::counter::{Counter, Fate, Reply, Turn};
use crate::county::{Draft, person};
use crate::house::{CALLS, HOUR, House, MINUTE, VISIBLE};
use crate::matching::described_anew;

/// Keeps a call as the listener does; says whether it is new.
async fn push(house: &House, bytes: &Bytes) -> bool {
    let ctx = house.ctx();
    let digest = sha256(bytes);
    let sealed = seal_evidence(&ctx.sealer, CALLS, &digest, bytes);
    let kept = ctx.store.keep_push(CALLS, &digest, bytes.len(), sealed, ctx.now_ms()).await;
    kept.expect("it is kept")
}

/// A register of three payments to the bank that is called, sent in one batch.
async fn sent(house: &mut House) -> String {
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.calls.batches()[0].reference.clone()
}

/// The bank's results, as it would also answer when it is asked.
fn results(house: &House, reference: &str) -> Bytes {
    let rows = house.calls.told(reference, MessageKind::StatusAnswer);
    house.calls.body(MessageKind::StatusAnswer, reference, Answer::Done, "", &rows)
}

/// A message with other bytes in one place of it.
fn changed(message: &Bytes, from: &str, to: &str) -> Bytes {
    let from = from.as_bytes();
    let at = message.windows(from.len()).position(|piece| piece == from).expect("it is there");
    Bytes::from([&message[..at], to.as_bytes(), &message[at + from.len()..]].concat())
}

async fn states(house: &House) -> Vec<String> {
    house.texts("SELECT state FROM pushed ORDER BY pushed_no").await
}

async fn attempt(house: &House) -> String {
    house.texts("SELECT state FROM attempt ORDER BY attempt_no").await.join(",")
}

#[tokio::test]
async fn f33_results_that_are_pushed_are_applied_once_and_nobody_asks() {
    let mut house = House::open().await;
    house.calls.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    let reference = sent(&mut house).await;
    let said = results(&house, &reference);
    assert!(push(&house, &said).await);
    // Before anybody has looked, and again after that.
    assert!(!push(&house, &said).await);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    house.run().await;
    assert_eq!(states(&house).await, ["taken"]);
    let settled = house.five(1).await;
    assert_eq!((settled[1], settled[2]), (0, 202), "{settled:?}");
    assert!(!push(&house, &said).await);
    // The same content in other bytes, as from a bank that writes it anew each time.
    assert!(push(&house, &results(&house, &reference)).await);
    house.run().await;
    assert_eq!(house.five(1).await, settled);
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome").await, 3);
    assert_eq!(house.number("SELECT COUNT(*) FROM result").await, 1);
    let asked = house.calls.book().asked.clone();
    assert!(asked.iter().all(|(kind, _)| *kind != MessageKind::StatusQuery), "{asked:?}");
    assert_eq!(house.calls.batches().len(), 1);
    house.live(30 * MINUTE, MINUTE).await;
    house.finished().await;
}

#[tokio::test]
async fn f25_a_push_ends_not_knowing() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    let reference = sent(&mut house).await;
    assert_eq!(attempt(&house).await, "unknown");
    push(&house, &results(&house, &reference)).await;
    house.run().await;
    assert_eq!(attempt(&house).await, "accepted");
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("unknown").await.is_none());
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1, "nothing goes twice");
    assert!(house.calls.credits().values().all(|times| *times == 1));
    house.finished().await;
}

#[tokio::test]
async fn i2_not_found_that_nobody_asked_for_sends_nothing_again() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    for _ in 0..60 {
        house.calls.reply(Reply::Fail);
    }
    let reference = sent(&mut house).await;
    house.live(2 * VISIBLE, MINUTE).await;
    assert_eq!(attempt(&house).await, "unknown");
    for kind in [MessageKind::StatusAnswer, MessageKind::Acknowledgement] {
        let said = house.calls.body(kind, &reference, Answer::NotFound, "无此批次", &[]);
        push(&house, &said).await;
    }
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!((attempt(&house).await.as_str(), states(&house).await.len()), ("unknown", 2));
    assert_eq!(house.calls.batches().len(), 1, "it is not sent again");
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 2);
    assert!(house.alert("result_held").await.is_some(), "somebody is told");
    // Its answer to a question is another thing.
    house.live(3 * HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.calls.credits().values().all(|times| *times == 1));
    house.sound().await;
}

#[tokio::test]
async fn f2_a_stop_between_the_200_and_its_taking_loses_nothing() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    push(&house, &results(&house, &reference)).await;
    house.restart().await;
    assert_eq!(states(&house).await, ["waiting"]);
    // Applied, and the process dies before that is noted: it is taken once more.
    house.only(Step::Collect).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
    house.tamper("CREATE TRIGGER broken BEFORE UPDATE ON pushed BEGIN SELECT RAISE(ABORT, 'broken'); END").await;
    push(&house, &results(&house, &reference)).await;
    assert!(house.step(Step::Collect).await.expect_err("a storage error").is_fatal());
    house.stop();
    house.tamper("DROP TRIGGER broken").await;
    house.restart().await;
    house.run().await;
    assert_eq!(states(&house).await, ["taken", "taken"]);
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome").await, 3);
    house.live(30 * MINUTE, MINUTE).await;
    house.finished().await;
}

#[tokio::test]
async fn f36_what_cannot_be_taken_is_held_and_holds_up_nothing() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    let strange = Bytes::from_static(b"<html>please sign in</html>");
    push(&house, &strange).await;
    let stranger = house.calls.body(MessageKind::StatusAnswer, "ZZ-1", Answer::Done, "", &[]);
    push(&house, &stranger).await;
    push(&house, &results(&house, &reference)).await;
    house.run().await;
    assert_eq!(states(&house).await, ["taken"; 3]);
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    let held = house.texts("SELECT why FROM result WHERE state = 'held' ORDER BY result_no").await;
    assert_eq!(held, ["报文不合乎该行格式中的任何一种答复", "我方没有这个流水号"]);
    house.sound().await;
}

#[tokio::test]
async fn f39_a_push_that_does_not_close_is_held_for_its_batch_and_settled_by_the_right_one() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    let right = results(&house, &reference);
    assert!(push(&house, &right).await);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(push(&house, &changed(&right, "count=\"3\"", "count=\"4\"")).await);
    house.run().await;
    let held = "SELECT COUNT(*) FROM result WHERE state = 'held' AND attempt_no = 1";
    assert_eq!(house.number(held).await, 1, "it is known what it is about");
    assert!(house.alert("result_held").await.is_some());
    // The right one once more, with the same bytes.
    assert!(!push(&house, &right).await);
    house.run().await;
    assert_eq!(states(&house).await, ["taken"; 2]);
    assert!(house.alert("result_held").await.is_none());
    house.live(30 * MINUTE, MINUTE).await;
    house.finished().await;
}

/// A bank whose returns bear its own number alone.
fn by_number() -> Format {
    let name = "example-city-xml";
    let text = example::example(name).expect("an example");
    let (before, returns) = text.split_once("kind = \"late_return\"").expect("it has returns");
    let ours = "key = \"reference\", width_max = 32, only = \"ascii\"";
    let returns = returns.replacen(ours, &format!("{ours}, optional = true"), 1);
    let text = format!("{before}kind = \"late_return\"{returns}");
    Format::compile(name, &text).expect("compiles")
}

#[tokio::test]
async fn f34_a_push_that_comes_before_the_number_it_names_waits_for_it() {
    let mut house = House::open().await;
    house.calls = Arc::new(Counter::speaking(by_number()));
    house.restart().await;
    let reference = sent(&mut house).await;
    push(&house, &results(&house, &reference)).await;
    house.run().await;
    house.calls.book().returned.push(person(1).account);
    let kind = MessageKind::LateReturn;
    let back = house.calls.told(&reference, kind);
    let back = house.calls.body(kind, &reference, Answer::Done, "", &back);
    let ours = format!("<Reference>{reference}</Reference>");
    for number in ["YB-8", "YB-9"] {
        let theirs = format!("<BankReference>{number}</BankReference></Head>");
        push(&house, &changed(&changed(&back, &ours, ""), "</Head>", &theirs)).await;
    }
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(states(&house).await, ["taken", "waiting", "waiting"]);
    let (store, now) = (house.store(), house.ctx().now_ms());
    let attempt = store.attempt_by_reference(CALLS, &reference).await.expect("reads");
    let (attempt, known) = (attempt.expect("is there"), ["YB-9".to_owned()]);
    store.keep_bank_references(&attempt, &known, now).await.expect("kept");
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(states(&house).await, ["taken", "waiting", "taken"]);
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome WHERE kind = 'returned'").await, 1);
    assert!(house.alert("result_held").await.is_none());
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(states(&house).await, ["taken"; 3]);
    assert!(house.alert("result_held").await.is_some(), "nobody tells that number");
    house.sound().await;
}

#[tokio::test]
async fn f16_a_push_about_what_was_never_sent_from_here_stops_sending() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    let later = format!("{}9", reference.strip_suffix('1').expect("the first number"));
    let said = house.calls.body(MessageKind::StatusAnswer, &later, Answer::Accepted, "", &[]);
    push(&house, &said).await;
    house.run().await;
    let stopped = house.store().stopped_banks().await.expect("read");
    assert!(stopped.contains(CALLS), "{stopped:?}");
    house.sound().await;
}

#[tokio::test]
async fn f32_returns_notices_and_refusals_are_pushed_as_well() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    push(&house, &results(&house, &reference)).await;
    house.run().await;
    let notices = house.calls.notices(&reference, NoticeState::Delivered);
    let kind = MessageKind::Notice;
    push(&house, &house.calls.body(kind, &reference, Answer::Done, "", &notices)).await;
    house.calls.book().returned.push(person(1).account);
    let kind = MessageKind::LateReturn;
    let back = house.calls.told(&reference, kind);
    push(&house, &house.calls.body(kind, &reference, Answer::Done, "", &back)).await;
    house.run().await;
    assert_eq!(house.number("SELECT COUNT(*) FROM notice").await, 3);
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome WHERE kind = 'returned'").await, 1);
    assert_eq!(states(&house).await, ["taken"; 3]);
    house.live(30 * MINUTE, MINUTE).await;
    house.finished().await;

    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    let kind = MessageKind::Acknowledgement;
    push(&house, &house.calls.body(kind, &reference, Answer::Refused, "余额不足", &[])).await;
    house.run().await;
    assert_eq!(attempt(&house).await, "refused");
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn i20_a_push_that_does_not_open_waits_and_others_do_not() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    push(&house, &results(&house, &reference)).await;
    house.tamper("UPDATE pushed SET bytes = x'0102'").await;
    push(&house, &results(&house, &reference)).await;
    house.run().await;
    assert_eq!(states(&house).await, ["waiting", "taken"]);
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    let alert = house.alert("collect").await.expect("somebody is told");
    assert!(alert.text.contains("push-1"), "{}", alert.text);
    let found = house.store().verify().await.expect("verified").problems;
    assert_eq!(found, ["pushed 1 is not what the journal tells"]);
}

/// The bank calls in the envelope that it had when the batch was sent.
#[tokio::test]
async fn f57_a_call_in_the_earlier_envelope_is_still_one_of_the_bank_s() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    let said = results(&house, &reference);
    described_anew(&mut house, &[("path = \"Head/Status\"", "path = \"Head/State\"")]).await;
    push(&house, &said).await;
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0], "{:?}", house.alerts().await);
    house.sound().await;
}

#[tokio::test]
async fn i15_what_a_bank_pushed_that_left_the_config_is_told_of_until_it_is_back() {
    let mut house = House::open().await;
    let reference = sent(&mut house).await;
    push(&house, &results(&house, &reference)).await;
    house.forget_bank(CALLS);
    house.run().await;
    assert_eq!(states(&house).await, ["waiting"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    let alert = house.alert("unheard").await.expect("somebody is told");
    let text = &alert.text;
    assert!(text.contains(CALLS) && text.contains("有 1 份无人读取"), "{text}");
    assert!(text.contains("请恢复该行的配置"), "{text}");
    // It is told once, and nobody is kept busy by it.
    let raised = alert.raised_at_ms;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.alert("unheard").await.expect("it stands").raised_at_ms, raised);
    let now = house.ctx().now_ms();
    let found = house.step(Step::Collect).await.expect("goes on");
    assert!(
        matches!(found, Progress::Idle { until_ms: Some(until) } if until > now),
        "it would look again and again: {found:?}"
    );
    house.restart().await;
    house.run().await;
    assert!(house.alert("unheard").await.is_none(), "it is over");
    assert_eq!(states(&house).await, ["taken"]);
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.live(30 * MINUTE, MINUTE).await;
    house.finished().await;
}
