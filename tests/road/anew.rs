//! Written anew: what provably never left is closed when its day is over, or when somebody wants it cut
//! again, and goes under a new reference; a bank that counts what it is sent sees no gap. What may have
//! arrived goes as it is, or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use daifa::flow::Step;
use daifa::format::{Format, Item, Key, MessageKind, Moment, Part, PartRole, example};
use daifa::model::attempt::Answer;
use daifa::model::id::BatchNo;
use daifa::model::reason::Reason;
use daifa::store::restore::NamedBank;
use daifa::transport::Transport;

use crate::counter::{Counter, Fate, Reply, SentThing, Turn};
use crate::county::{Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, NOW, SECOND};

/// From 15:49 to ten minutes past midnight in the county.
const TO_THE_NEXT_DAY: i64 = 8 * HOUR + 21 * MINUTE;

/// The example of messages, of a bank that numbers what it is sent in a day.
fn counted() -> Format {
    let text = example::example("example-city-xml").expect("it ships");
    let head = "  { path = \"Body/PoolAccount\"";
    let number = "  { path = \"Head/Number\", key = \"day_sequence\" },\n";
    let text = text.replacen(head, &format!("{number}{head}"), 1);
    Format::compile("counted", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A house whose message bank is such a bank.
async fn house() -> (House, Arc<Counter>) {
    let mut house = House::open().await;
    let counter = Arc::new(Counter::speaking(counted()));
    let door: Arc<dyn Transport> = counter.clone();
    house.doors.insert(CALLS.to_owned(), (door, Arc::clone(&counter.format)));
    house.restart().await;
    (house, counter)
}

/// Nobody can reach the bank from now on.
fn is_away(counter: &Counter) {
    counter.book().turns.extend(std::iter::repeat_n(Turn::NotSent, 5_000));
}

fn is_back(counter: &Counter) {
    counter.book().turns.clear();
}

/// The number of the day and the day itself, as what was sent says them.
fn number_and_day(counter: &Counter, sent: &SentThing) -> (i64, u8) {
    let (number, day) = head_of(counter, sent);
    (number.expect("a number"), day)
}

fn head_of(counter: &Counter, sent: &SentThing) -> (Option<i64>, u8) {
    let part = Part {
        role: PartRole::Message,
        name: String::new(),
        bytes: sent.parts[0].bytes.to_vec(),
        committing: true,
    };
    let parts = [part];
    let mut reading = counter.format.read(sent.kind, &parts).expect("reads");
    while let Some(item) = reading.next().expect("reads") {
        if let Item::Head(head) = item {
            let Some(Moment { day, .. }) = head.moment() else { panic!("a moment") };
            return (head.int(Key::DaySequence), day);
        }
    }
    panic!("no head")
}

/// What the bank booked: number, day and reference of each batch, in order.
fn booked(counter: &Counter) -> Vec<(i64, u8, String)> {
    let references: Vec<String> =
        counter.book().booked.iter().map(|one| one.reference.clone()).collect();
    let batches = counter.batches();
    let told = |reference: &String| {
        let sent = batches.iter().rfind(|sent| sent.reference == *reference).expect("it was sent");
        let (number, day) = number_and_day(counter, sent);
        (number, day, reference.clone())
    };
    references
        .iter()
        .filter(|one| batches.iter().any(|sent| sent.reference == **one))
        .map(told)
        .collect()
}

async fn attempts(house: &House) -> Vec<String> {
    house.texts("SELECT reference || ' ' || state FROM attempt ORDER BY attempt_no").await
}

/// Each of the three people of so many registers is credited once for each.
async fn all_paid_once(house: &mut House, counter: &Counter, registers: usize) {
    house.live(HOUR, MINUTE).await;
    let credits = counter.credits();
    assert_eq!(credits.len(), 3);
    assert!(credits.values().all(|times| *times == registers), "{credits:?}");
    house.finished().await;
}

fn draft(id: &str) -> crate::county::Offer {
    Draft::new(id, 1).lines(CALLS, 3).declared()
}

#[tokio::test]
async fn i16_a_clock_that_was_set_to_another_day_makes_nothing_out_of_date() {
    for jump in [24 * HOUR, -24 * HOUR] {
        let (mut house, counter) = house().await;
        is_away(&counter);
        house.take(draft("A")).await;
        house.live(10 * MINUTE, MINUTE).await;
        let before = attempts(&house).await;
        assert_eq!(before, ["T000000000001 not_sent"]);
        house.clock.jump_ms(jump);
        house.live(30 * MINUTE, MINUTE).await;
        assert_eq!(attempts(&house).await, before, "it may still be that day");
        house.clock.jump_ms(-jump);
        is_back(&counter);
        all_paid_once(&mut house, &counter, 1).await;
        assert_eq!(counter.batches().last().map(|sent| number_and_day(&counter, sent).0), Some(1));
    }
}

#[tokio::test]
async fn f54_what_never_left_before_midnight_goes_with_the_next_day_s_date_and_number() {
    let (mut house, counter) = house().await;
    is_away(&counter);
    house.take(draft("A")).await;
    house.live(8 * HOUR, 10 * MINUTE).await;
    assert_eq!(attempts(&house).await, ["T000000000001 not_sent"], "the same all day");
    let digests: BTreeSet<[u8; 32]> = counter.batches().iter().map(|sent| sent.digest).collect();
    assert!(counter.batches().len() > 10 && digests.len() == 1, "in the same bytes");
    house.live(TO_THE_NEXT_DAY - 8 * HOUR, MINUTE).await;
    assert_eq!(
        attempts(&house).await,
        ["T000000000001 closed", "T000000000002 not_sent"],
        "its day is over"
    );
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    house.sound().await;
    is_back(&counter);
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(booked(&counter), [(1, 24, "T000000000002".to_owned())]);
    let told = house.life(1, 1).await.events;
    assert!(told.iter().any(|event| event.what.contains("never left and was closed by daifa")));
    all_paid_once(&mut house, &counter, 1).await;
}

#[tokio::test]
async fn f3_an_intent_of_yesterday_is_written_anew_as_well() {
    let (mut house, counter) = house().await;
    house.county.offer(draft("A"));
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    assert_eq!(attempts(&house).await, ["T000000000001 intent"]);
    house.stop();
    house.clock.advance_ms(TO_THE_NEXT_DAY);
    house.restart().await;
    // Closed, and the process dies before it is cut again.
    house.step(Step::Submit).await.expect("goes on");
    assert_eq!(attempts(&house).await, ["T000000000001 closed"]);
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    house.restart().await;
    house.run().await;
    assert_eq!(booked(&counter), [(1, 24, "T000000000002".to_owned())]);
    all_paid_once(&mut house, &counter, 1).await;
}

#[tokio::test]
async fn i2_what_a_bank_did_not_find_is_never_written_anew() {
    let (mut house, counter) = house().await;
    counter.next(Turn::Lose { booked: false });
    house.take(draft("A")).await;
    is_away(&counter);
    // Asked, not found after its delay, and then it cannot be sent.
    house.live(TO_THE_NEXT_DAY, 5 * MINUTE).await;
    assert_eq!(attempts(&house).await, ["T000000000001 not_sent"], "it may have arrived once");
    let refused = house.store().recut(BatchNo(1), "op", NOW).await;
    assert!(refused.expect_err("is refused").to_string().contains("only a batch that"));
    is_back(&counter);
    house.live(30 * MINUTE, MINUTE).await;
    let digests: BTreeSet<[u8; 32]> = counter.batches().iter().map(|sent| sent.digest).collect();
    assert_eq!(digests.len(), 1, "the same bytes, whatever the day");
    assert_eq!(attempts(&house).await, ["T000000000001 accepted"]);
    all_paid_once(&mut house, &counter, 1).await;
}

#[tokio::test]
async fn f54_a_bank_that_counts_sees_no_gap() {
    let (mut house, counter) = house().await;
    house.take(draft("A")).await;
    is_away(&counter);
    house.take(draft("B")).await;
    house.take(draft("C")).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted", "not_sent", "intent"]);
    // The second waits for its next try: the third must not come before it.
    is_back(&counter);
    house.only(Step::Submit).await;
    assert_eq!(counter.book().booked.len(), 1);
    // An operator has the second cut again; its number is nobody's, and it takes it again.
    let by_hand = house.store().recut(BatchNo(2), "op", NOW).await;
    assert_eq!(by_hand.expect("it never left"), 3);
    house.live(5 * MINUTE, 5 * SECOND).await;
    let seen: Vec<(i64, u8)> =
        booked(&counter).into_iter().map(|(number, day, _)| (number, day)).collect();
    assert_eq!(seen.iter().map(|(number, _)| *number).collect::<BTreeSet<_>>(), [1, 2, 3].into());
    assert_eq!(house.number("SELECT COUNT(*) FROM free_number WHERE state = 'free'").await, 0);
    assert_eq!(house.number("SELECT value FROM counter WHERE name LIKE 'day:%'").await, 3);
    all_paid_once(&mut house, &counter, 3).await;
}

#[tokio::test]
async fn f54_numbers_leave_in_their_order() {
    let (mut house, counter) = house().await;
    for _ in 0..3 {
        counter.next(Turn::NotSent);
    }
    for id in ["A", "B", "C"] {
        house.take(draft(id)).await;
    }
    house.live(5 * MINUTE, SECOND).await;
    let numbers: Vec<i64> = booked(&counter).into_iter().map(|(number, ..)| number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    all_paid_once(&mut house, &counter, 3).await;
}

/// One of unknown fate may never have arrived, and a bank that counts would refuse the number behind it.
#[tokio::test]
async fn f54_a_number_waits_for_the_one_before_it_of_which_nobody_knows() {
    let (mut house, counter) = house().await;
    counter.next(Turn::Lose { booked: false });
    house.take(draft("A")).await;
    house.take(draft("B")).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown", "intent"]);
    assert_eq!(counter.book().booked.len(), 0);
    house.live(40 * MINUTE, MINUTE).await;
    let numbers: Vec<i64> = booked(&counter).into_iter().map(|(number, ..)| number).collect();
    assert_eq!(numbers, [1, 2]);
    all_paid_once(&mut house, &counter, 2).await;
}

#[tokio::test]
async fn f54_a_new_day_begins_its_numbers_whatever_is_unknown_of_the_day_before() {
    let (mut house, counter) = house().await;
    counter.next(Turn::Lose { booked: true });
    (0..50_000).for_each(|_| counter.reply(Reply::Fail));
    house.take(draft("A")).await;
    house.take(draft("B")).await;
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown", "intent"]);
    house.live(TO_THE_NEXT_DAY, 5 * MINUTE).await;
    let last = booked(&counter).pop().expect("two");
    assert_eq!(last, (1, 24, "T000000000003".to_owned()), "with the new day's date and number");
    counter.book().replies.clear();
    all_paid_once(&mut house, &counter, 2).await;
}

#[tokio::test]
async fn f16_what_a_restored_database_has_not_sent_is_not_written_anew() {
    let (mut house, counter) = house().await;
    is_away(&counter);
    house.take(draft("A")).await;
    house.take(draft("B")).await;
    house.store().recut(BatchNo(2), "op", NOW).await.expect("it never left");
    assert_eq!(house.number("SELECT COUNT(*) FROM free_number WHERE state = 'free'").await, 1);
    let banks = [NamedBank { code: CALLS.to_owned(), name: "示例".to_owned() }];
    house.store().meta_once("epoch", "0", NOW).await.expect("noted");
    house.store().begin_epoch(1, &banks, NOW).await.expect("adopted");
    // The one that was lost may have used it.
    assert_eq!(house.number("SELECT COUNT(*) FROM free_number WHERE state = 'free'").await, 0);
    house.epoch = 1;
    house.restart().await;
    house.store().resume_bank(CALLS, "op", "compared", NOW).await.expect("resumed");
    house.live(TO_THE_NEXT_DAY, 10 * MINUTE).await;
    let first = attempts(&house).await.remove(0);
    assert_eq!(first, "T000000000001 not_sent", "it may have been sent by the one that was lost");
    let refused = house.store().recut(BatchNo(1), "op", NOW).await;
    assert!(refused.expect_err("is refused").to_string().contains("restored"));
    is_back(&counter);
    house.live(30 * MINUTE, MINUTE).await;
    all_paid_once(&mut house, &counter, 2).await;
}

/// A bank that was not in the config when the database was restored: what the lost one sent it, nobody knows either.
#[tokio::test]
async fn f16_a_bank_that_comes_into_the_config_behind_a_restore_is_stopped_too() {
    let (house, _) = house().await;
    let named = |code: &str| NamedBank { code: code.to_owned(), name: "示例".to_owned() };
    let (first, both) = ([named(FILES)], [named(FILES), named(CALLS)]);
    let store = house.store();
    let stopped = async || -> Vec<String> {
        store.stopped_banks().await.expect("read").into_iter().collect()
    };
    for _ in 0..2 {
        store.begin_epoch(0, &both, NOW).await.expect("begun");
        assert!(stopped().await.is_empty(), "nothing was restored");
    }
    store.begin_epoch(1, &first, NOW).await.expect("adopted");
    assert_eq!(stopped().await, [FILES]);
    store.resume_bank(FILES, "op", "compared", NOW).await.expect("resumed");
    store.begin_epoch(1, &both, NOW).await.expect("as before");
    assert_eq!(stopped().await, [CALLS], "the other was compared with");
    store.resume_bank(CALLS, "op", "compared", NOW).await.expect("resumed");
    store.begin_epoch(1, &both, NOW).await.expect("as before");
    assert!(stopped().await.is_empty());
    assert!(store.begin_epoch(0, &both, NOW).await.is_err());
    house.sound().await;
}

#[tokio::test]
async fn f31_a_bank_that_answers_for_what_never_left_is_sent_nothing_more() {
    let (mut house, counter) = house().await;
    is_away(&counter);
    house.take(draft("A")).await;
    let old = counter.batches()[0].reference.clone();
    house.store().recut(BatchNo(1), "op", NOW).await.expect("it never left");
    let said = counter.body(MessageKind::StatusAnswer, &old, Answer::Accepted, "", &[]);
    let (ctx, digest) = (house.ctx(), daifa::guard::digest::sha256(&said));
    let sealed = daifa::flow::sealed::seal_evidence(&ctx.sealer, CALLS, &digest, &said);
    ctx.store.keep_push(CALLS, &digest, said.len(), sealed, NOW).await.expect("kept");
    house.run().await;
    assert!(house.store().stopped_banks().await.expect("read").contains(CALLS));
    is_back(&counter);
    house.live(HOUR, 5 * MINUTE).await;
    assert!(counter.book().booked.is_empty(), "people compare first");
    house.sound().await;
}

/// A house whose bank was sent three payments, of which one failed; the bank has not told it yet.
async fn with_leftover() -> (House, Arc<Counter>) {
    let (mut house, counter) = house().await;
    counter.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.take(draft("A")).await;
    assert_eq!(attempts(&house).await, ["T000000000001 accepted"]);
    (house, counter)
}

/// The day in each refund request that was handed over, in order, and how many of the bytes differ.
fn refund_days(counter: &Counter) -> (Vec<u8>, usize) {
    let refunds = counter.refunds();
    let digests: BTreeSet<[u8; 32]> = refunds.iter().map(|sent| sent.digest).collect();
    (refunds.iter().map(|sent| head_of(counter, sent).1).collect(), digests.len())
}

#[tokio::test]
async fn f54_a_refund_that_never_left_before_midnight_goes_with_the_next_day_s_date() {
    let (mut house, counter) = with_leftover().await;
    is_away(&counter);
    house.live(8 * HOUR, 10 * MINUTE).await;
    let first = ["T000000000001 accepted", "T000000000002 not_sent"];
    assert_eq!(attempts(&house).await, first, "the same all day");
    let (days, written) = refund_days(&counter);
    assert!(days.len() > 10 && written == 1 && days[0] == 23, "in the same bytes: {days:?}");
    assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
    house.live(TO_THE_NEXT_DAY - 8 * HOUR, MINUTE).await;
    let next = ["T000000000001 accepted", "T000000000002 closed", "T000000000003 not_sent"];
    assert_eq!(attempts(&house).await, next, "its day is over");
    let states = house.texts("SELECT state FROM refund ORDER BY refund_no").await;
    assert_eq!(states, ["withdrawn", "open"]);
    assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
    assert_eq!(house.page(1).await.refunds.len(), 2, "both stay to be seen");
    house.sound().await;
    is_back(&counter);
    house.live(30 * MINUTE, MINUTE).await;
    let (days, written) = refund_days(&counter);
    assert_eq!((days.last(), written), (Some(&24), 2));
    let booked = counter.book().booked.clone();
    let refunds = booked.iter().filter(|one| one.kind == MessageKind::RefundRequest);
    assert_eq!(refunds.map(|one| one.reference.as_str()).collect::<Vec<_>>(), ["T000000000003"]);
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn f3_the_intent_of_a_refund_of_yesterday_is_written_anew_as_well() {
    let (mut house, counter) = with_leftover().await;
    house.clock.advance_ms(HOUR);
    for step in [Step::Collect, Step::Settle] {
        house.only(step).await;
    }
    assert_eq!(attempts(&house).await, ["T000000000001 accepted", "T000000000002 intent"]);
    house.stop();
    house.clock.advance_ms(TO_THE_NEXT_DAY);
    house.restart().await;
    // Closed, and the process dies before it is written anew.
    house.step(Step::Submit).await.expect("goes on");
    assert_eq!(attempts(&house).await, ["T000000000001 accepted", "T000000000002 closed"]);
    assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
    house.sound().await;
    house.restart().await;
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(refund_days(&counter), (vec![24], 1));
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn i2_a_refund_that_a_bank_did_not_find_is_never_written_anew() {
    let (mut house, counter) = with_leftover().await;
    counter.next(Turn::Lose { booked: false });
    is_away(&counter);
    // Asked, not found after its delay, and then it cannot be sent.
    house.live(TO_THE_NEXT_DAY + HOUR, 5 * MINUTE).await;
    let kept = ["T000000000001 accepted", "T000000000002 not_sent"];
    assert_eq!(attempts(&house).await, kept, "it may have arrived once");
    is_back(&counter);
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(refund_days(&counter).1, 1, "the same bytes, whatever the day");
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.finished().await;
}
