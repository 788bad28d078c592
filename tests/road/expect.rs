//! Every answer that a bank owes is waited for with a time, and who is late is told of: the bank, the
//! batch, and what to do. Nothing waits silently.

use std::num::NonZeroU32;
use std::sync::Arc;

use daifa::clock::{Clock as _, SystemClock};
use daifa::flow::BankRules;
use daifa::format::MessageKind;
use daifa::model::attempt::Answer;
use daifa::model::notice::NoticeState;
use daifa::model::profile::AskBy;
use daifa::model::reason::Reason;
use daifa::transport::Transport;
use daifa::transport::limit::{Limited, Limits};
use daifa::transport::manner::With;
use daifa::web::metrics::Metrics;

use crate::counter::{Fate, Reply, Told, Turn};
use crate::county::{Draft, Offer, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

fn offer(bank: &str) -> Offer {
    Draft::new("A", 1).lines(bank, 3).declared()
}

/// A house in which something else is agreed with the banks.
async fn agreed(with: fn(&str, &mut BankRules)) -> House {
    let mut house = House::open().await;
    house.agreed = Some(with);
    house.restart().await;
    house
}

fn is_not_asked(_: &str, rules: &mut BankRules) {
    rules.answers.ask = AskBy::None;
}

/// State of each answer of the first attempt.
async fn waits(house: &House) -> Vec<String> {
    let sql = "SELECT kind || ' ' || state FROM expectation WHERE attempt_no = 1 ORDER BY kind";
    house.texts(sql).await
}

#[tokio::test]
async fn f30_results_that_do_not_come_are_missed_by_their_time_and_end_with_the_answer() {
    let mut house = House::open().await;
    house.calls.next(Turn::Say(Answer::Processing));
    (0..2_000).for_each(|_| house.calls.reply(Reply::Say(Answer::Processing)));
    house.take(offer(CALLS)).await;
    house.live(4 * HOUR - MINUTE, MINUTE * 3).await;
    assert!(house.alert("overdue").await.is_none(), "it is not time yet");
    assert_eq!(waits(&house).await, ["result open"]);
    house.restart().await;
    house.live(5 * MINUTE, MINUTE).await;
    let alert = house.alert("overdue").await.expect("somebody is told");
    for word in ["示例city", "批次 B1", "3 笔没有结果", "请联系该行"] {
        assert!(alert.text.contains(word), "{word}: {}", alert.text);
    }
    assert_eq!(alert.batch.map(|no| no.0), Some(1));
    assert_eq!((house.calls.batches().len(), house.five(1).await), (1, [0, 303, 0, 0, 0]));
    assert_eq!(waits(&house).await, ["result overdue"]);
    let totals = house.store().totals().await.expect("reads");
    let late = ("result".to_owned(), "overdue".to_owned(), 1);
    assert_eq!(totals.expectations, [late]);
    // The alert stands until the answer comes, also over a restart, and is raised once.
    house.restart().await;
    house.live(HOUR, 10 * MINUTE).await;
    let raised = "SELECT COUNT(*) FROM journal WHERE kind = 'expectation.overdue'";
    assert_eq!(house.number(raised).await, 1);
    let told = house.life(1, 1).await.events;
    let late = "the bank's result for A1 did not come in time";
    assert!(told.iter().any(|event| event.what.starts_with(late)), "{told:#?}");
    house.calls.book().replies.clear();
    house.live(20 * MINUTE, MINUTE).await;
    assert!(house.alert("overdue").await.is_none());
    assert_eq!(waits(&house).await, ["notice open", "result met", "return open"]);
    house.finished().await;
}

#[tokio::test]
async fn f38_a_file_that_never_becomes_whole_is_not_taken_and_is_missed() {
    let mut house = agreed(is_not_asked).await;
    house.take(offer(FILES)).await;
    let reference = house.files.batches()[0].reference.clone();
    let rows = house.files.told(&reference, MessageKind::Result);
    let parts = house.files.say(MessageKind::Result, &reference, Answer::Done, "", &rows, "");
    let incoming = house.dir.path().join("bank/incoming");
    // Half of it, and nothing that says it is whole.
    let half = &parts[0].bytes[..parts[0].bytes.len() / 2];
    std::fs::write(incoming.join(&parts[0].name), half).expect("written");
    house.live(4 * HOUR + MINUTE, 10 * MINUTE).await;
    house.pass(MINUTE).await;
    assert_eq!(house.files.waiting(), 1, "it is not taken");
    let alert = house.alert("overdue").await.expect("somebody is told");
    assert!(alert.text.contains("文件是否完整"), "{}", alert.text);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    // The rest of it comes.
    for part in &parts {
        std::fs::write(incoming.join(&part.name), &part.bytes).expect("written");
    }
    house.live(5 * MINUTE, MINUTE).await;
    assert!(house.alert("overdue").await.is_none());
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.files.book().asked.is_empty(), "it cannot be asked");
    house.finished().await;
}

#[tokio::test]
async fn an_acknowledgement_that_was_agreed_is_missed_and_ends_with_any_word() {
    fn with(bank: &str, rules: &mut BankRules) {
        is_not_asked(bank, rules);
        rules.answers.acknowledged_within_ms = Some(30 * MINUTE);
    }
    for by_result in [false, true] {
        let mut house = agreed(with).await;
        house.take(offer(FILES)).await;
        assert_eq!(waits(&house).await, ["acknowledgement open", "result open"]);
        house.live(29 * MINUTE, MINUTE).await;
        assert!(house.alert("overdue").await.is_none());
        house.live(2 * MINUTE, MINUTE).await;
        let alert = house.alert("overdue").await.expect("somebody is told");
        assert!(alert.text.contains("受理回执"), "{}", alert.text);
        let reference = house.files.batches()[0].reference.clone();
        if by_result {
            house.files.leave_all(0);
        } else {
            let kind = MessageKind::Acknowledgement;
            let word = house.files.say(kind, &reference, Answer::Accepted, "", &[], "01");
            house.files.leave(word);
        }
        house.pass(MINUTE).await;
        assert!(house.alert("overdue").await.is_none());
        let result = if by_result { "met" } else { "open" };
        let told = waits(&house).await;
        assert_eq!(told[0], "acknowledgement met");
        assert_eq!(told.last(), Some(&format!("result {result}")));
        assert_eq!(house.files.batches().len(), 1);
        house.sound().await;
    }
}

#[tokio::test]
async fn i26_sms_of_which_the_bank_says_nothing_are_missed_and_move_no_money() {
    let mut house = House::open().await;
    house.take(offer(FILES)).await;
    house.files.leave_all(0);
    house.pass(MINUTE).await;
    assert_eq!(waits(&house).await, ["notice open", "result met"]);
    house.live(73 * HOUR, 2 * HOUR).await;
    let alert = house.alert("overdue").await.expect("somebody is told");
    assert!(alert.text.contains("有 3 笔已入账"), "{}", alert.text);
    let reference = house.files.batches()[0].reference.clone();
    let rows = house.files.notices(&reference, NoticeState::Delivered);
    let files = house.files.clone();
    let leave = |rows: &[Told], serial| {
        let (kind, done) = (MessageKind::Notice, Answer::Done);
        files.leave(files.say(kind, &reference, done, "", rows, serial));
    };
    leave(&rows[..2], "31");
    house.pass(MINUTE).await;
    assert!(house.alert("overdue").await.is_some(), "one is still missing");
    leave(&rows[2..], "32");
    house.pass(MINUTE).await;
    assert!(house.alert("overdue").await.is_none());
    assert_eq!(waits(&house).await, ["notice met", "result met"]);
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f32_a_bank_that_falls_silent_about_returns_is_missed() {
    fn with(_: &str, rules: &mut BankRules) {
        rules.answers.notice_within_ms = None;
    }
    let mut house = agreed(with).await;
    house.take(offer(CALLS)).await;
    house.live(48 * HOUR, 30 * MINUTE).await;
    assert!(house.alert("overdue").await.is_none(), "it answers");
    // Asked every quarter of an hour, it is written down twice a day.
    let renewed = "SELECT COUNT(*) FROM journal WHERE kind = 'expectation.renewed'";
    let renewed = house.number(renewed).await;
    assert!((2..=5).contains(&renewed), "{renewed}");
    (0..5_000).for_each(|_| house.calls.reply(Reply::Fail));
    house.live(25 * HOUR, 30 * MINUTE).await;
    let alert = house.alert("overdue").await.expect("somebody is told");
    assert!(alert.text.contains("退票查询"), "{}", alert.text);
    house.calls.book().replies.clear();
    house.live(HOUR, 15 * MINUTE).await;
    assert!(house.alert("overdue").await.is_none());
    // Once no return can come any more, none is waited for.
    house.live(170 * HOUR, 2 * HOUR).await;
    assert_eq!(waits(&house).await, ["result met", "return met"]);
    assert!(house.alert("overdue").await.is_none());
    house.finished().await;
}

#[tokio::test]
async fn i8_a_refund_that_nobody_confirms_is_missed_and_stays_reserved() {
    let mut house = House::open().await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.take(offer(FILES)).await;
    house.files.next(Turn::Say(Answer::Processing));
    (0..3_000).for_each(|_| house.files.reply(Reply::Say(Answer::Processing)));
    house.files.leave_all(0);
    house.live(26 * HOUR, 30 * MINUTE).await;
    assert_eq!(house.files.refunds().len(), 1);
    let alert = house.alert("overdue").await.expect("somebody is told");
    assert!(alert.text.contains("退款 F1"), "{}", alert.text);
    assert_eq!(house.five(1).await[3], 100, "it is not gone back yet");
    house.files.book().replies.clear();
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await[4], 100);
    assert!(house.alert("overdue").await.is_none());
    house.sound().await;
}

#[tokio::test]
async fn i2_a_bank_that_cannot_be_asked_is_not_and_two_people_are_told() {
    for crash in [false, true] {
        let mut house = agreed(is_not_asked).await;
        if crash {
            let calls = house.calls.clone();
            calls.next(Turn::Hang { booked: true });
            house.county.offer(offer(CALLS));
            house.only(daifa::flow::Step::Intake).await;
            house.only(daifa::flow::Step::Convert).await;
            house.crash_while_sending(&calls).await;
            house.run().await;
        } else {
            house.calls.next(Turn::Lose { booked: true });
            house.take(offer(CALLS)).await;
        }
        let alert = house.alert("cannot_ask").await.expect("people are told at once");
        assert!(alert.text.contains("两人与银行核对"), "{}", alert.text);
        house.restart().await;
        house.live(5 * HOUR, 10 * MINUTE).await;
        assert!(house.calls.book().asked.is_empty(), "it was asked");
        assert_eq!(house.calls.batches().len(), 1, "it went again");
        assert_eq!(house.texts("SELECT state FROM attempt").await, ["unknown"]);
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
        let late = house.alert("overdue").await.expect("its results are missed as well");
        assert!(late.text.contains("请两人与银行核对"), "{}", late.text);
        house.sound().await;
    }
}

#[tokio::test]
async fn i16_a_clock_that_is_set_brings_an_alert_and_moves_nothing() {
    for jump in [30 * HOUR, -30 * HOUR] {
        let mut house = House::open().await;
        house.calls.next(Turn::Say(Answer::Processing));
        (0..500).for_each(|_| house.calls.reply(Reply::Say(Answer::Processing)));
        house.take(offer(CALLS)).await;
        let before = house.five(1).await;
        house.clock.jump_ms(jump);
        house.run().await;
        assert_eq!(house.alert("overdue").await.is_some(), jump > 0);
        assert_eq!((house.five(1).await, house.calls.batches().len()), (before, 1));
        house.clock.jump_ms(-jump);
        house.run().await;
        house.calls.book().replies.clear();
        house.live(31 * HOUR, HOUR).await;
        assert!(house.alert("overdue").await.is_none());
        assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
        house.sound().await;
    }
}

#[tokio::test]
async fn f31_what_was_not_found_and_is_answered_in_part_is_waited_for_again() {
    fn with(_: &str, rules: &mut BankRules) {
        rules.resend_after_ms = HOUR;
    }
    let mut house = agreed(with).await;
    house.files.next(Turn::Lose { booked: true });
    (0..30).for_each(|_| house.files.reply(Reply::Say(Answer::NotFound)));
    house.take(offer(FILES)).await;
    // Found not to be there, and the bank cannot be reached when it shall go again.
    (0..10).for_each(|_| house.files.next(Turn::NotSent));
    house.live(12 * MINUTE, MINUTE).await;
    assert_eq!(waits(&house).await, ["result dropped"]);
    let reference = house.files.batches()[0].reference.clone();
    let rows = house.files.told(&reference, MessageKind::Result);
    house.files.leave_result(&reference, &rows[..1], "01");
    house.pass(10).await;
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    assert_eq!(waits(&house).await, ["result open"]);
    house.sound().await;
}

#[tokio::test]
async fn f55_after_a_restart_a_bank_is_asked_at_its_own_pace() {
    const BATCHES: u32 = 40;
    const PER_SECOND: u32 = 25;
    let mut house = agreed(|_, rules| rules.breaker.after = 1_000).await;
    house.rows_max = 1;
    let limits =
        Limits { per_second: NonZeroU32::new(PER_SECOND).expect("some"), at_once: NonZeroU32::MIN };
    let bank: Arc<dyn Transport> = house.calls.clone();
    let door: Arc<dyn Transport> = Arc::new(With::new(bank, Limited::new(limits)));
    house.doors.insert(CALLS.to_owned(), (door, house.calls.format.clone()));
    house.restart().await;
    (0..BATCHES).for_each(|_| house.calls.next(Turn::Lose { booked: true }));
    house.county.offer(Draft::new("A", 1).lines(CALLS, i64::from(BATCHES)).declared());
    house.run().await;
    let unknown = "SELECT COUNT(*) FROM attempt WHERE state = 'unknown'";
    assert_eq!(house.number(unknown).await, i64::from(BATCHES));
    let metrics = Metrics::new("0", &[]);
    let shown = async |house: &House, state: &str| {
        let totals = house.store().totals().await.expect("reads");
        metrics.refresh(&totals, &[], 1);
        let (text, name) = (metrics.text().expect("text"), format!("{{state=\"{state}\"}} "));
        let line =
            text.lines().find_map(|line| line.strip_prefix("daifa_attempts")?.strip_prefix(&name));
        line.map(str::to_owned)
    };
    assert_eq!(
        shown(&house, "unknown").await.as_deref(),
        Some("40"),
        "how much is still to be asked"
    );
    house.restart().await;
    house.clock.advance_ms(2 * MINUTE);
    let began = SystemClock.running_ms();
    house.only(daifa::flow::Step::Collect).await;
    let took_ms = SystemClock.running_ms() - began;
    let least_ms = i64::from((BATCHES - 2) * 1_000 / PER_SECOND);
    assert!(took_ms >= least_ms, "{BATCHES} questions within {took_ms} ms");
    assert_eq!(house.calls.book().asked.len(), BATCHES as usize, "each was asked about once");
    assert_eq!(house.number(unknown).await, 0);
    assert_eq!(shown(&house, "unknown").await.as_deref(), Some("0"));
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), BATCHES as usize, "none was sent again");
    assert!(house.calls.credits().values().all(|times| *times == 1));
    house.finished().await;
}

#[tokio::test]
async fn f54_a_bank_that_is_away_for_longer_than_the_duty_is_told_once_by_level() {
    let mut house = House::open().await;
    house.rows_max = 1;
    house.restart().await;
    (0..10_000).for_each(|_| house.calls.next(Turn::NotSent));
    house.take(offer(CALLS)).await;
    house.live(30 * HOUR, 10 * MINUTE).await;
    let raised = "SELECT COUNT(*) FROM journal WHERE chain = 'alerts' AND kind = 'alert.raised' AND body LIKE '%\"alert\":\"deadline\"%'";
    assert_eq!(
        house.number(raised).await,
        4,
        "at 50, 80, 95 and 100 percent, once for all batches"
    );
    assert_eq!(house.alert("deadline").await.expect("late").level, 100);
    assert!(house.alert("overdue").await.is_none(), "nothing left, so nobody owes an answer");
    // What is still open is told of every day, with what is open then.
    for day in 1..=3 {
        house.live(24 * HOUR, HOUR).await;
        assert_eq!(house.number(raised).await, 4 + day);
        let alert = house.alert("deadline").await.expect("late");
        assert_eq!(alert.level, 100 + day);
        let words = format!("满 {day} 天，仍有 303.00 元未办结");
        assert!(alert.text.contains(&words), "{}", alert.text);
    }
    house.calls.book().turns.clear();
    house.live(2 * HOUR, MINUTE).await;
    assert!(house.calls.credits().values().all(|times| *times == 1));
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("deadline").await.is_none());
    house.finished().await;
}

#[tokio::test]
async fn f30_a_bank_that_may_be_asked_later_on_is_asked_about_what_it_still_owes() {
    let mut house = House::open().await;
    house.agreed = Some(|code, rules| {
        if code == CALLS {
            rules.answers.ask = AskBy::None;
        }
    });
    house.restart().await;
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house.live(5 * HOUR, 15 * MINUTE).await;
    assert!(house.calls.book().asked.is_empty());
    assert_eq!(house.five(1).await, [0, 201, 0, 0, 0]);
    // It owes them still, and people may not decide what it can be asked about.
    house.agreed = None;
    house.restart().await;
    house.live(HOUR, 15 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    assert_eq!(house.calls.batches().len(), 1);
    house.sound().await;
}
