//! A bank that refuses or leaves unanswered what it is sent is left alone, and seen after by one batch.
//! The counting bank says how many batches it saw.

use std::collections::BTreeSet;

use daifa::flow::Step;
use daifa::format::MessageKind;
use daifa::model::attempt::Answer;
use daifa::model::profile::BreakerState;
use daifa::model::reason::Reason;

use crate::counter::{Counter, Fate, Turn};
use crate::county::{Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, REST, SECOND};

/// As many batches of one payment as there are payments.
async fn one_by_one(bank: &str, payments: i64) -> House {
    let mut house = House::open().await;
    house.rows_max = 1;
    house.restart().await;
    house.county.offer(Draft::new("A", 1).lines(bank, payments).declared());
    house
}

async fn state(house: &House, bank: &str) -> Option<BreakerState> {
    house.store().breaker(bank).await.expect("reads").map(|breaker| breaker.state)
}

async fn stands(house: &House) -> bool {
    house.alert("breaker").await.is_some()
}

fn paid_once(counter: &Counter, payments: usize) {
    let credits = counter.credits();
    assert_eq!(credits.len(), payments);
    assert!(credits.values().all(|times| *times == 1), "{credits:?}");
}

/// Nothing is sent for as long as the bank rests, also not after a restart.
async fn rests(house: &mut House, sent: usize) {
    house.live(REST / 2, MINUTE).await;
    house.restart().await;
    house.live(REST / 2 - 2 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), sent, "sent while the breaker is open");
    assert_eq!(state(house, CALLS).await, Some(BreakerState::Open));
    assert!(stands(house).await);
}

#[tokio::test]
async fn f27_three_answers_that_are_none_stop_the_sending_and_one_batch_goes_to_see() {
    let mut house = one_by_one(CALLS, 6).await;
    (0..3).for_each(|_| house.calls.next(Turn::Garbage("<html>请登录</html>")));
    house.calls.next(Turn::Lose { booked: true });
    house.run().await;
    assert_eq!(house.calls.batches().len(), 3);
    let alert = house.alert("breaker").await.expect("somebody is told");
    for word in ["示例city", "连续 3 次", "没有得到明确答复", "daifa bank resume city"]
    {
        assert!(alert.text.contains(word), "{word}: {}", alert.text);
    }
    let asked = house.calls.book().asked.len();
    rests(&mut house, 3).await;
    // Asking goes on, and that they had arrived says nothing about the next one.
    assert!(house.calls.book().asked.len() > asked);
    assert_eq!(house.number("SELECT COUNT(*) FROM attempt WHERE state = 'unknown'").await, 0);
    // One batch, to see; it is lost as well.
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 4, "half open by one batch");
    rests(&mut house, 4).await;
    // The next one is answered.
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(state(&house, CALLS).await, Some(BreakerState::Closed));
    assert!(!stands(&house).await);
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 6);
    paid_once(&house.calls, 6);
    let told = "SELECT kind FROM journal WHERE chain = 'bank:city' ORDER BY seq";
    let told: Vec<String> = house.texts(told).await;
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let (failed, open, half) = ("breaker.failed", "breaker.opened", "breaker.half_open");
    assert_eq!(told, [failed, failed, failed, open, half, failed, half, "breaker.closed"]);
    house.finished().await;
}

#[tokio::test]
async fn f27_refusals_in_a_row_stop_the_sending_and_the_deadline_goes_on() {
    let mut house = one_by_one(CALLS, 5).await;
    (0..400).for_each(|_| house.calls.next(Turn::Refuse("系统维护")));
    house.run().await;
    assert_eq!(house.calls.batches().len(), 3);
    // What is not cut yet stays unsent: it is not dated today to lie about.
    let waits = house.five(1).await;
    assert_eq!((waits[0] + waits[1], waits[2]), (510, 0));
    house.live(13 * HOUR, 5 * MINUTE).await;
    let seen = house.calls.batches().len();
    assert_eq!(seen, 5, "what is left went one by one, to see");
    assert!(house.alert("deadline").await.expect("the clock goes on").level >= 50);
    house.sound().await;
}

#[tokio::test]
async fn f24_what_never_left_opens_no_breaker() {
    let mut house = one_by_one(CALLS, 4).await;
    (0..30).for_each(|_| house.calls.next(Turn::NotSent));
    house.run().await;
    house.live(20 * MINUTE, 10 * SECOND).await;
    assert!(!stands(&house).await);
    assert_eq!(state(&house, CALLS).await, None);
    house.live(40 * MINUTE, MINUTE).await;
    paid_once(&house.calls, 4);
    house.finished().await;
}

#[tokio::test]
async fn i1_what_answers_in_between_begins_the_count_anew() {
    let mut house = one_by_one(CALLS, 8).await;
    for _ in 0..4 {
        house.calls.next(Turn::Lose { booked: true });
        house.calls.next(Turn::Take);
    }
    house.run().await;
    assert_eq!(house.calls.batches().len(), 8);
    assert!(!stands(&house).await);
    house.live(30 * MINUTE, MINUTE).await;
    paid_once(&house.calls, 8);
    house.finished().await;
}

#[tokio::test]
async fn an_operator_s_word_closes_the_breaker() {
    let mut house = one_by_one(CALLS, 5).await;
    (0..3).for_each(|_| house.calls.next(Turn::Lose { booked: true }));
    house.run().await;
    assert!(stands(&house).await);
    let now = daifa::clock::Clock::now_ms(&house.clock);
    let store = house.store();
    assert!(store.resume_bank(CALLS, "运维岗04", "与银行核对", now).await.expect("resumes"));
    assert!(!store.resume_bank(CALLS, "运维岗04", "与银行核对", now).await.expect("reads"));
    assert!(!stands(&house).await);
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 5);
    house.live(30 * MINUTE, MINUTE).await;
    paid_once(&house.calls, 5);
    house.finished().await;
}

#[tokio::test]
async fn i4_a_stop_between_choosing_the_batch_and_sending_it_sends_that_one_alone() {
    let mut house = one_by_one(CALLS, 6).await;
    (0..3).for_each(|_| house.calls.next(Turn::Lose { booked: true }));
    house.run().await;
    house.clock.advance_ms(REST + MINUTE);
    house.only(Step::Convert).await;
    let waiting = "SELECT reference FROM attempt WHERE state = 'intent' ORDER BY attempt_no";
    let chosen = house.texts(waiting).await.pop().expect("one waits");
    let store = house.store();
    let attempt = store.attempt_by_reference(CALLS, &chosen).await.expect("reads").expect("there");
    store.probe(&attempt, daifa::clock::Clock::now_ms(&house.clock)).await.expect("chosen");
    house.restart().await;
    house.calls.next(Turn::Lose { booked: false });
    house.only(Step::Submit).await;
    let sent: Vec<String> =
        house.calls.batches().into_iter().skip(3).map(|sent| sent.reference).collect();
    assert_eq!(sent, [chosen]);
    assert_eq!(state(&house, CALLS).await, Some(BreakerState::Open));
    house.live(2 * HOUR, MINUTE).await;
    paid_once(&house.calls, 6);
    house.finished().await;
}

#[tokio::test]
async fn a_folder_that_takes_files_is_no_word_of_the_bank() {
    let mut house = one_by_one(FILES, 5).await;
    (0..3).for_each(|_| house.files.next(Turn::Refuse("账户不符")));
    house.run().await;
    // Each could be left in the folder, which says nothing about whether it is taken.
    house.pass(MINUTE).await;
    assert_eq!(house.files.batches().len(), 3);
    assert!(stands(&house).await);
    house.county.offer(Draft::new("B", 1).lines(FILES, 2).declared());
    house.live(REST - 2 * MINUTE, MINUTE).await;
    assert_eq!(house.files.batches().len(), 3);
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.files.batches().len(), 4, "one file is left, to see");
    assert_eq!(state(&house, FILES).await, Some(BreakerState::HalfOpen));
    // Its acknowledgement is the bank's word.
    let last = house.files.batches().pop().expect("sent").reference;
    let word =
        house.files.say(MessageKind::Acknowledgement, &last, Answer::Accepted, "", &[], "77");
    house.files.leave(word);
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(state(&house, FILES).await, Some(BreakerState::Closed));
    assert_eq!(house.files.batches().len(), 7);
    house.sound().await;
}

#[tokio::test]
async fn f53_a_bank_that_is_down_is_tried_by_one_batch_and_gets_all_once_it_is_back() {
    const BATCHES: i64 = 20;
    let mut house = one_by_one(CALLS, BATCHES).await;
    (0..10_000).for_each(|_| house.calls.next(Turn::NotSent));
    house.run().await;
    house.live(10 * MINUTE, 10 * SECOND).await;
    for hour in 0..2 {
        let before = house.calls.batches().len();
        house.live(HOUR, 20 * SECOND).await;
        let tries = house.calls.batches().len() - before;
        assert!((40..=150).contains(&tries), "{tries} tries in hour {hour}");
    }
    // The page says which side it is.
    let alert = house.alert("not_sent").await.expect("somebody is told");
    assert!(alert.text.contains(&format!("示例{CALLS}")), "{}", alert.text);
    assert!(house.alert("finance").await.is_none());
    // Not always the same one: it may not be the bank.
    let tried: BTreeSet<String> =
        house.calls.batches().into_iter().map(|sent| sent.reference).collect();
    assert!(tried.len() > 5, "{}", tried.len());
    house.calls.book().turns.clear();
    house.live(5 * MINUTE, 10 * SECOND).await;
    assert!(house.alert("not_sent").await.is_none());
    house.live(30 * MINUTE, MINUTE).await;
    paid_once(&house.calls, BATCHES as usize);
    house.finished().await;
}

/// A refund is sent to see where nothing else is due. That it is refused says nothing of how the bank takes batches.
#[tokio::test]
async fn f27_a_refund_that_was_sent_to_see_and_is_refused_holds_up_nobody() {
    let mut house = one_by_one(CALLS, 1).await;
    house.calls.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.run().await;
    (0..4).for_each(|_| house.calls.next(Turn::Refuse("系统维护")));
    house
        .take(Draft::new("B", 1).lines(CALLS, 3).head(|head| head.period = "2".into()).declared())
        .await;
    assert_eq!(house.calls.batches().len(), 4);
    assert!(stands(&house).await);
    house.live(2 * REST, MINUTE).await;
    assert_eq!(house.calls.refunds().len(), 1, "it was sent to see");
    assert_eq!(house.texts("SELECT state FROM refund").await, ["refused"]);
    assert_eq!(state(&house, CALLS).await, Some(BreakerState::Open));
    house
        .take(Draft::new("C", 1).lines(CALLS, 1).head(|head| head.period = "3".into()).declared())
        .await;
    house.live(REST + 2 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 5, "then a batch goes");
    assert_eq!(state(&house, CALLS).await, Some(BreakerState::Closed));
    assert!(!stands(&house).await);
    house.sound().await;
}
