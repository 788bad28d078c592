//! Attempts: what leaves, what may leave again, and what a bank's answer to the whole does.

use std::collections::BTreeSet;

use daifa::clock::Clock as _;
use daifa::flow::{Progress, Step};
use daifa::format::{Format, MessageKind};
use daifa::model::attempt::Answer;
use daifa::model::id::BatchNo;
use daifa::model::reason::Reason;

use crate::counter::{Counter, Fate, Reply, Turn};
use crate::county::{Draft, Offer, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, NOW, SECOND, VISIBLE};

fn offer(bank: &str) -> Offer {
    Draft::new("A", 1).lines(bank, 3).declared()
}

async fn attempt_state(house: &House) -> String {
    house.texts("SELECT state FROM attempt ORDER BY attempt_no").await.join(",")
}

/// Every payment of the register was credited once, and everybody agrees.
async fn paid_once(house: &House, counter: &Counter) {
    let credits = counter.credits();
    assert_eq!(credits.len(), 3);
    assert!(credits.values().all(|times| *times == 1), "{credits:?}");
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("unknown").await.is_none());
    house.finished().await;
}

/// Lets the bank with folders tell its results, and time pass.
async fn to_the_end(house: &mut House, bank: &str) {
    if bank == FILES && house.files.waiting() == 0 {
        house.files.leave_all(0);
    }
    house.live(30 * MINUTE, MINUTE).await;
}

#[tokio::test]
async fn f3_a_crash_between_intent_and_sending_sends_the_same_bytes_once() {
    for bank in [FILES, CALLS] {
        let mut house = House::open().await;
        house.county.offer(offer(bank));
        house.only(Step::Intake).await;
        house.only(Step::Convert).await;
        assert_eq!(attempt_state(&house).await, "intent");
        let kept = house.texts("SELECT hex(sha256) FROM part ORDER BY part_no").await;
        // It starts again hours later, with another text of the bank's format.
        house.stop();
        house.clock.advance_ms(6 * HOUR);
        let changed = format!("# another text\n{}", house.files.format.text());
        let counter = if bank == FILES { &house.files } else { &house.calls };
        let text = if bank == FILES { changed } else { format!("#\n{}", counter.format.text()) };
        let format = Format::compile("changed", &text).expect("compiles");
        let door: std::sync::Arc<dyn daifa::transport::Transport> = counter.clone();
        house.doors.insert(bank.to_owned(), (door, std::sync::Arc::new(format)));
        house.restart().await;
        house.run().await;
        let counter = if bank == FILES { house.files.clone() } else { house.calls.clone() };
        let sent = counter.batches();
        assert_eq!(sent.len(), 1);
        let digests: Vec<String> = sent[0]
            .parts
            .iter()
            .map(|part| daifa::guard::digest::sha256(&part.bytes))
            .map(|digest| daifa::guard::key::hex(&digest).to_uppercase())
            .collect();
        assert_eq!(digests, kept);
        to_the_end(&mut house, bank).await;
        paid_once(&house, &counter).await;
    }
}

/// A crash in the middle of sending, before or after the bank booked it.
async fn crash(bank: &str, booked: bool) {
    let mut house = House::open().await;
    let counter = if bank == FILES { house.files.clone() } else { house.calls.clone() };
    counter.next(Turn::Hang { booked });
    house.county.offer(offer(bank));
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    house.crash_while_sending(&counter).await;
    assert_eq!(attempt_state(&house).await, "unknown");
    assert!(house.alert("unknown").await.is_some());
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    // Nothing is sent again before the bank said that it does not know it, late enough.
    house.live(VISIBLE - MINUTE, MINUTE).await;
    assert_eq!(counter.batches().len(), 1, "{bank} {booked}");
    assert!(!counter.book().asked.is_empty());
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(counter.batches().len(), if booked { 1 } else { 2 });
    let digests: BTreeSet<[u8; 32]> = counter.batches().iter().map(|sent| sent.digest).collect();
    assert_eq!(digests.len(), 1, "a repeat is byte-identical");
    if bank == FILES && !booked {
        counter.leave_all(1);
        house.pass(MINUTE).await;
    }
    paid_once(&house, &counter).await;
}

#[tokio::test]
async fn f4_a_crash_in_the_middle_of_sending_is_asked_about() {
    crash(CALLS, false).await;
    crash(FILES, false).await;
}

#[tokio::test]
async fn f5_a_crash_behind_sending_is_asked_about() {
    crash(CALLS, true).await;
    crash(FILES, true).await;
}

#[tokio::test]
async fn f6_a_crash_before_the_answer_is_durable_is_asked_about() {
    let mut house = House::open().await;
    house.county.offer(offer(CALLS));
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    // The database fails between the bank's answer and its commit.
    house
        .tamper(
            "CREATE TRIGGER broken BEFORE UPDATE ON attempt WHEN NEW.state = 'accepted' \
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .await;
    let failed = house.step(Step::Submit).await.expect_err("a storage error");
    assert!(failed.is_fatal(), "the process must stop");
    house.stop();
    house.tamper("DROP TRIGGER broken").await;
    house.restart().await;
    assert_eq!(attempt_state(&house).await, "unknown");
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn i2_not_found_counts_only_after_the_visibility_delay() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    // The bank has it and does not see it yet.
    for _ in 0..9 {
        house.calls.reply(Reply::Say(Answer::NotFound));
    }
    house.take(offer(CALLS)).await;
    house.live(9 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.book().asked.len(), 9);
    assert_eq!(house.calls.batches().len(), 1);
    assert_eq!(attempt_state(&house).await, "unknown");
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    paid_once(&house, &house.calls).await;
}

/// An answer says how things stood when it was asked for, however late it comes.
#[tokio::test]
async fn i2_not_found_counts_by_when_it_was_asked_and_not_by_when_it_is_read() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    house.calls.reply(Reply::Fail);
    let late = 2 * VISIBLE;
    house.calls.reply(Reply::Slow(Answer::NotFound, house.clock.clone(), late));
    house.take(offer(CALLS)).await;
    let asked = |house: &House| house.calls.book().asked.len();
    for _ in 0..5 {
        if asked(&house) < 2 {
            house.pass(MINUTE).await;
        }
    }
    assert_eq!(asked(&house), 2, "the second one was asked early and read late");
    assert_eq!(house.calls.batches().len(), 1);
    assert_eq!(attempt_state(&house).await, "unknown");
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1, "it was there");
    paid_once(&house, &house.calls).await;
}

/// On a connection that stays, the answer to a question that was given up comes late, to whatever is asked then.
#[tokio::test]
async fn i2_on_a_connection_that_stays_a_late_answer_counts_as_that_to_the_earlier_question() {
    let mut house = House::open().await;
    house.calls.book().session = true;
    house.calls.next(Turn::Lose { booked: false });
    house.calls.next(Turn::Lose { booked: true });
    // The first is given up, the second answered; it goes again, and the answer to the first comes.
    for reply in [Reply::Fail, Reply::Say(Answer::NotFound), Reply::Say(Answer::NotFound)] {
        house.calls.reply(reply);
    }
    house.take(offer(CALLS)).await;
    house.live(VISIBLE - MINUTE, MINUTE).await;
    assert!(house.calls.book().asked.is_empty(), "nobody could tell the answer from a later one");
    house.live(40 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 2, "the second time was taken");
    assert!(house.calls.book().asked.len() >= 4);
    paid_once(&house, &house.calls).await;
}

/// In a folder nobody sees which question an answer is to: one that may be to an early question does not count.
#[tokio::test]
async fn i2_a_file_that_may_answer_an_early_question_does_not_count() {
    let mut house = House::open().await;
    house.files.next(Turn::Lose { booked: true });
    house.files.reply(Reply::Posted);
    (0..40).for_each(|_| house.files.reply(Reply::Fail));
    house.take(offer(FILES)).await;
    house.live(VISIBLE + 5 * MINUTE, MINUTE).await;
    let reference = house.files.batches()[0].reference.clone();
    let not_found = |serial: &str| {
        let kind = MessageKind::StatusAnswer;
        house.files.leave(house.files.say(kind, &reference, Answer::NotFound, "", &[], serial));
    };
    not_found("1");
    // And one that nobody asked for at all.
    not_found("2");
    house.live(3 * MINUTE, MINUTE).await;
    assert_eq!(house.files.batches().len(), 1);
    assert_eq!(attempt_state(&house).await, "unknown");
    house.files.book().replies.clear();
    house.files.leave_all(0);
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.files.batches().len(), 1, "it was there");
    paid_once(&house, &house.files).await;
}

/// Each such file counts for one question, whatever restarts between: the bytes went again since, and were taken.
#[tokio::test]
async fn i2_a_file_that_says_not_found_once_more_answers_no_later_question() {
    for counted in [true, false] {
        let mut house = House::open().await;
        house.files.next(Turn::Lose { booked: false });
        house.files.next(Turn::Lose { booked: true });
        // So many of its questions arrive, and then none.
        let arrive = |house: &House, questions: usize| {
            house.files.book().replies.clear();
            (0..questions).for_each(|_| house.files.reply(Reply::Posted));
            (0..500).for_each(|_| house.files.reply(Reply::Fail));
        };
        arrive(&house, 0);
        house.take(offer(FILES)).await;
        house.live(VISIBLE + 2 * MINUTE, MINUTE).await;
        arrive(&house, 2);
        house.live(5 * MINUTE, MINUTE).await;
        let reference = house.files.batches()[0].reference.clone();
        let not_found = |serial: &str| {
            let kind = MessageKind::StatusAnswer;
            house.files.say(kind, &reference, Answer::NotFound, "", &[], serial)
        };
        let (first, second) = (not_found("1"), not_found("2"));
        house.files.leave(first.clone());
        house.live(5 * MINUTE, MINUTE).await;
        assert_eq!(house.files.batches().len(), 2, "not found, and sent again");
        if !counted {
            // The answer to the second question says nothing about the second time.
            house.files.leave(second.clone());
            house.live(5 * MINUTE, MINUTE).await;
        }
        house.restart().await;
        house.live(VISIBLE + 2 * MINUTE, MINUTE).await;
        arrive(&house, 1);
        for _ in 0..60 {
            house.files.leave(if counted { first.clone() } else { second.clone() });
            house.live(MINUTE, MINUTE).await;
        }
        assert_eq!(house.files.batches().len(), 2, "it was taken");
        assert_eq!(attempt_state(&house).await, "unknown");
        assert!(house.alert("contradiction").await.is_some(), "people look");
        house.files.book().replies.clear();
        house.files.leave_all(1);
        house.live(20 * MINUTE, MINUTE).await;
        paid_once(&house, &house.files).await;
    }
}

/// Whoever was just given it cannot say that there is none: it is of unknown fate, and asked about.
#[tokio::test]
async fn i2_what_is_not_found_as_it_is_handed_over_is_asked_about() {
    let mut house = House::open().await;
    house.calls.next(Turn::Say(Answer::NotFound));
    house.take(offer(CALLS)).await;
    assert_eq!(attempt_state(&house).await, "unknown");
    assert!(house.alert("unknown").await.expect("told of").text.contains("查无此笔"));
    house.live(20 * MINUTE, MINUTE).await;
    assert!(!house.calls.book().asked.is_empty());
    assert_eq!(house.calls.batches().len(), 1, "it was there");
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn i2_a_bank_that_cannot_be_asked_gets_nothing_again() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: false });
    for _ in 0..200 {
        house.calls.reply(Reply::Fail);
    }
    house.take(offer(CALLS)).await;
    house.live(3 * HOUR, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    assert_eq!(attempt_state(&house).await, "unknown");
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f24_what_was_not_sent_goes_again_with_the_same_bytes() {
    for bank in [FILES, CALLS] {
        let mut house = House::open().await;
        let counter = if bank == FILES { house.files.clone() } else { house.calls.clone() };
        for _ in 0..12 {
            counter.next(Turn::NotSent);
        }
        house.take(offer(bank)).await;
        let alert = house.alert("not_sent").await.expect("an alert with the cause");
        assert!(alert.text.contains("对方拒绝连接"), "{}", alert.text);
        house.live(2 * MINUTE, SECOND).await;
        house.restart().await;
        house.live(20 * MINUTE, 30 * SECOND).await;
        let sent = counter.batches();
        assert_eq!(sent.len(), 13);
        let digests: BTreeSet<[u8; 32]> = sent.iter().map(|sent| sent.digest).collect();
        let names: BTreeSet<Vec<&str>> =
            sent.iter().map(|one| one.parts.iter().map(|p| p.name.as_str()).collect()).collect();
        assert_eq!((digests.len(), names.len()), (1, 1));
        assert!(house.alert("not_sent").await.is_none());
        to_the_end(&mut house, bank).await;
        paid_once(&house, &counter).await;
    }
}

#[tokio::test]
async fn f24_waits_grow_and_stay_below_a_minute() {
    let mut house = House::open().await;
    for _ in 0..400 {
        house.calls.next(Turn::NotSent);
    }
    house.take(offer(CALLS)).await;
    house.live(10 * MINUTE, SECOND).await;
    let sends = house.calls.batches().len();
    assert!((13..=18).contains(&sends), "{sends} sends in ten minutes");
    house.sound().await;
}

#[tokio::test]
async fn f25_an_answer_that_is_lost_is_asked_for() {
    for booked in [true, false] {
        let mut house = House::open().await;
        house.calls.next(Turn::Lose { booked });
        house.take(offer(CALLS)).await;
        assert_eq!(attempt_state(&house).await, "unknown");
        house.live(40 * MINUTE, MINUTE).await;
        assert_eq!(house.calls.batches().len(), if booked { 1 } else { 2 });
        paid_once(&house, &house.calls).await;
    }
}

#[tokio::test]
async fn i2_a_payment_s_life_tells_that_its_fate_was_unknown_and_how_that_ended() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    house.calls.reply(Reply::Fail);
    house.calls.reply(Reply::Say(Answer::NotFound));
    house.take(offer(CALLS)).await;
    house.live(30 * MINUTE, MINUTE).await;
    paid_once(&house, &house.calls).await;
    let life = house.life(1, 1).await;
    let told: Vec<(i64, &str)> = life
        .events
        .iter()
        .map(|event| ((event.at_ms - NOW) / MINUTE, event.what.as_str()))
        .collect();
    let road = [
        (0, "A1 goes out to the bank (send 1)"),
        (0, "A1 is UNKNOWN"),
        (1, "asked about A1 (question 1): no answer"),
        (2, "asked about A1 (question 2): not found, and it is too early"),
        (3, "asked about A1: it has it, and told its results"),
        (3, "the bank says credited"),
    ];
    let mut rest = told.iter();
    for (minute, words) in road {
        let found = rest.any(|(at, what)| *at == minute && what.contains(words));
        assert!(found, "{words} is not in its place:\n{told:#?}");
    }
    assert!(told.is_sorted_by_key(|(at, _)| *at));
}

#[tokio::test]
async fn i2_a_payment_s_life_tells_that_it_was_sent_again_and_why() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: false });
    house.take(offer(CALLS)).await;
    house.live(40 * MINUTE, MINUTE).await;
    let life = house.life(1, 1).await;
    let mut rest = life.events.iter();
    for words in [
        "A1 goes out to the bank (send 1)",
        "A1 is UNKNOWN",
        "it does not know it (the bank's code B404); the same bytes go again",
        "A1 goes out to the bank (send 2)",
        "A1 is accepted",
    ] {
        assert!(rest.any(|event| event.what.contains(words)), "{words}: {:#?}", life.events);
    }
}

#[tokio::test]
async fn f27_an_answer_that_is_none_is_no_answer_and_is_kept_sealed() {
    let page = "<html><body>请登录 6217000000000000123</body></html>";
    for turn in [Turn::Garbage(page), Turn::Garbage(""), Turn::Unclear(page)] {
        let mut house = House::open().await;
        house.calls.next(turn.clone());
        house.take(offer(CALLS)).await;
        assert_eq!(attempt_state(&house).await, "unknown", "{turn:?}");
        let held = "SELECT COUNT(*) FROM result WHERE state = 'held' AND evidence IS NOT NULL";
        assert_eq!(house.number(held).await, 1);
        assert!(house.alert("result_held").await.is_some());
        let plain = "SELECT COUNT(*) FROM result WHERE instr(evidence, CAST('html' AS BLOB)) > 0";
        assert_eq!(house.number(plain).await, 0);
        house.live(30 * MINUTE, MINUTE).await;
        assert_eq!(house.calls.batches().len(), 1);
        paid_once(&house, &house.calls).await;
    }
}

#[tokio::test]
async fn f27_a_question_answered_with_rubbish_leaves_it_unknown() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: false });
    for text in ["<html/>", "", "<Message><Head></Head></Message>", "busy"] {
        house.calls.reply(Reply::Bytes(bytes::Bytes::from_static(text.as_bytes())));
    }
    house.take(offer(CALLS)).await;
    house.live(4 * MINUTE, MINUTE).await;
    assert_eq!(attempt_state(&house).await, "unknown");
    house.live(40 * MINUTE, MINUTE).await;
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn f27_an_answer_about_another_reference_is_no_answer() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    let other =
        house.calls.body(MessageKind::StatusAnswer, "T000000000099", Answer::NotFound, "", &[]);
    house.take(offer(CALLS)).await;
    house.clock.advance_ms(VISIBLE + MINUTE);
    house.calls.reply(Reply::Bytes(other));
    house.run().await;
    assert_eq!(house.calls.batches().len(), 1, "not found said of another one frees nothing");
    house.live(30 * MINUTE, MINUTE).await;
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn f28_a_redirect_is_not_followed_and_is_unknown() {
    use daifa::transport::https::{Https, HttpsOptions};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let to = elsewhere.local_addr().expect("an address");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        loop {
            let (mut peer, _) = listener.accept().await.expect("accepts");
            let mut seen = Vec::new();
            let mut some = [0; 4096];
            while !String::from_utf8_lossy(&seen).contains("</Message>") {
                let count = peer.read(&mut some).await.expect("reads");
                seen.extend_from_slice(&some[..count]);
            }
            let answer = format!(
                "HTTP/1.1 307 X\r\nlocation: http://{to}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            peer.write_all(answer.as_bytes()).await.expect("writes");
        }
    });
    drop(rustls::crypto::ring::default_provider().install_default());
    let door = Https::new(&HttpsOptions {
        url,
        content_type: "application/xml".to_owned(),
        ca_file: None,
        identity: None,
        signing: None,
        connect_ms: 1_000,
        total_ms: 2_000,
        answer_bytes_max: 1 << 20,
    })
    .expect("a door");
    let mut house = House::open().await;
    let format = house.calls.format.clone();
    house.doors.insert(CALLS.to_owned(), (std::sync::Arc::new(door), format));
    house.restart().await;
    house.take(offer(CALLS)).await;
    assert_eq!(attempt_state(&house).await, "unknown");
    let alert = house.alert("unknown").await.expect("somebody is told");
    assert!(alert.text.contains("307") && alert.text.contains("地址"), "{}", alert.text);
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.number("SELECT sends FROM attempt").await, 1);
    let second = tokio::time::timeout(std::time::Duration::from_millis(50), elsewhere.accept());
    assert!(second.await.is_err(), "nobody went there");
    house.sound().await;
}

#[tokio::test]
async fn f29_duplicate_means_that_the_first_was_received() {
    let mut house = House::open().await;
    house.calls.next(Turn::Say(Answer::Duplicate));
    house.take(offer(CALLS)).await;
    assert_eq!(attempt_state(&house).await, "accepted");
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn f29_sent_again_after_not_found_and_the_bank_had_it() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: true });
    for _ in 0..11 {
        house.calls.reply(Reply::Say(Answer::NotFound));
    }
    house.take(offer(CALLS)).await;
    house.live(40 * MINUTE, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 2);
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn f30_processing_for_ever_stays_in_flight_and_raises_its_voice() {
    let mut house = House::open().await;
    house.calls.next(Turn::Say(Answer::Processing));
    for _ in 0..2_000 {
        house.calls.reply(Reply::Say(Answer::Processing));
    }
    house.take(offer(CALLS)).await;
    house.live(25 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.calls.batches().len(), 1);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    assert_eq!(house.alert("deadline").await.expect("late").level, 100);
    house.calls.book().replies.clear();
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.alert("deadline").await.is_none());
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn f31_results_that_come_before_the_resend_stop_it() {
    let mut house = House::open().await;
    // The bank says "not found" too long, and keeps no watch over doubles.
    house.files.book().no_dedup = true;
    house.files.next(Turn::Lose { booked: true });
    for _ in 0..30 {
        house.files.reply(Reply::Say(Answer::NotFound));
    }
    house.files.next(Turn::NotSent);
    house.take(offer(FILES)).await;
    for _ in 0..30 {
        house.pass(MINUTE).await;
        if attempt_state(&house).await == "not_sent" {
            break;
        }
    }
    assert_eq!(attempt_state(&house).await, "not_sent");
    house.files.leave_all(0);
    house.only(Step::Collect).await;
    house.live(20 * MINUTE, MINUTE).await;
    let credits = house.files.credits();
    assert!(credits.values().all(|times| *times == 1), "paid twice: {credits:?}");
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f31_a_bank_that_had_it_after_all_is_told_when_it_vanishes() {
    let mut house = House::open().await;
    house.take(offer(CALLS)).await;
    assert_eq!(attempt_state(&house).await, "accepted");
    for _ in 0..30 {
        house.calls.reply(Reply::Say(Answer::NotFound));
    }
    house.live(20 * MINUTE, MINUTE).await;
    // What was accepted is never sent again because it is not found.
    assert_eq!(house.calls.batches().len(), 1);
    assert!(house.alert("vanished").await.is_some());
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    house.sound().await;
}

/// Something about a payment is altered in the database before it is sent.
async fn altered(sql: &str) {
    let mut house = House::open().await;
    house.county.offer(offer(CALLS));
    house.only(Step::Intake).await;
    house.tamper(sql).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.calls.batches().is_empty(), "{sql}");
    assert!(house.alert("convert").await.is_some(), "{sql}");
    let problems = house.store().verify().await.expect("verified").problems;
    assert!(!problems.is_empty(), "{sql}");
}

#[tokio::test]
async fn i20_what_was_altered_since_approval_is_not_sent() {
    altered("UPDATE payment SET amount_fen = amount_fen + 1 WHERE line = 2").await;
    let byte = "CASE WHEN substr(person, 31, 1) = x'00' THEN x'01' ELSE x'00' END";
    let flipped = format!("CAST(substr(person, 1, 30) || {byte} || substr(person, 32) AS BLOB)");
    altered(&format!("UPDATE payment SET person = {flipped} WHERE line = 2")).await;
    altered(
        "UPDATE payment SET person = (SELECT person FROM payment WHERE line = 1) WHERE line = 3",
    )
    .await;
    altered("UPDATE payment SET bank = 'city', line = 7 WHERE line = 3").await;
}

#[tokio::test]
async fn i20_a_head_that_was_altered_is_not_sent() {
    for sql in [
        "UPDATE register SET summary = '别的补贴'",
        "UPDATE register SET pool_account = '6107280000000000009'",
        "UPDATE register SET head_digest = zeroblob(32)",
    ] {
        let mut house = House::open().await;
        house.county.offer(offer(CALLS));
        house.only(Step::Intake).await;
        house.tamper(sql).await;
        house.live(HOUR, 10 * MINUTE).await;
        assert!(house.calls.batches().is_empty(), "{sql}");
        assert!(house.alert("convert").await.is_some(), "{sql}");
        let problems = house.store().verify().await.expect("verified").problems;
        assert!(!problems.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn i20_finished_bytes_that_were_altered_do_not_leave() {
    let mut house = House::open().await;
    house.county.offer(offer(CALLS));
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    house.tamper("UPDATE part_chunk SET bytes = zeroblob(length(bytes))").await;
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.calls.batches().is_empty());
    assert!(house.alert("submit").await.is_some(), "somebody is told");
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
}

#[tokio::test]
async fn a_refused_batch_waits_for_an_operator_and_is_paid_once() {
    for bank in [FILES, CALLS] {
        let mut house = House::open().await;
        let counter = if bank == FILES { house.files.clone() } else { house.calls.clone() };
        counter.next(Turn::Refuse("内部户余额不足"));
        house.take(offer(bank)).await;
        assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
        let alert = house.alert("batch_refused").await.expect("an alert");
        assert!(house.life(1, 1).await.standing.starts_with("unsent: the bank refused B1"));
        // The bank's own words may name people: they are on the page of the batch, without them.
        assert!(alert.text.contains("返回码 [") && !alert.text.contains("余额"), "{}", alert.text);
        // Nothing moves by itself.
        house.live(5 * HOUR, 10 * MINUTE).await;
        assert_eq!(counter.batches().len(), 1);
        assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
        let now = house.clock.now_ms();
        let again = house.store().recut(BatchNo(1), "operator", now).await.expect("cut again");
        assert_eq!(again, 3);
        house.store().recut(BatchNo(1), "operator", now).await.expect("the same again");
        house.run().await;
        assert_eq!(counter.batches().len(), 2);
        let references: BTreeSet<String> =
            counter.batches().into_iter().map(|sent| sent.reference).collect();
        assert_eq!(references.len(), 2, "another attempt has another reference");
        assert_eq!(house.number("SELECT recut_of FROM batch WHERE batch_no = 2").await, 1);
        if bank == FILES {
            counter.leave_all(1);
        }
        house.live(20 * MINUTE, MINUTE).await;
        assert!(house.alert("batch_refused").await.is_none());
        paid_once(&house, &counter).await;
    }
}

#[tokio::test]
async fn a_refusal_said_twice_is_no_contradiction() {
    let mut house = House::open().await;
    house.files.next(Turn::Refuse("内部户余额不足"));
    house.take(offer(FILES)).await;
    let reference = house.files.batches()[0].reference.clone();
    let again = house.files.say(
        MessageKind::Acknowledgement,
        &reference,
        Answer::Refused,
        "内部户余额不足",
        &[],
        "9",
    );
    house.files.leave(again);
    house.run().await;
    assert!(house.alert("contradiction").await.is_none());
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    // That it was taken in after all is one.
    let other =
        house.files.say(MessageKind::Acknowledgement, &reference, Answer::Accepted, "", &[], "10");
    house.files.leave(other);
    house.run().await;
    assert!(house.alert("contradiction").await.is_some());
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen: it may be paid");
    house.sound().await;
}

#[tokio::test]
async fn a_batch_with_results_cannot_be_refused_any_more() {
    let mut house = House::open().await;
    house.take(offer(FILES)).await;
    let reference = house.files.batches()[0].reference.clone();
    let some = house.files.told(&reference, MessageKind::Result)[..1].to_vec();
    house.files.leave_result(&reference, &some, "");
    house.run().await;
    let no =
        house.files.say(MessageKind::Acknowledgement, &reference, Answer::Refused, "", &[], "2");
    house.files.leave(no);
    house.run().await;
    assert!(house.alert("contradiction").await.is_some());
    assert_eq!(house.five(1).await, [0, 203, 100, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn a_recut_after_a_part_was_dropped_by_a_higher_revision_is_refused() {
    let mut house = House::open().await;
    house.files.next(Turn::Refuse("内部户余额不足"));
    house.take(offer(FILES)).await;
    house.take(Draft::new("A", 2).lines(FILES, 3).declared()).await;
    let now = house.clock.now_ms();
    house.store().recut(BatchNo(1), "operator", now).await.expect_err("superseded");
    assert!(house.life(1, 1).await.standing.starts_with("withdrawn: a higher revision has it"));
    assert_eq!(house.files.batches().len(), 2);
    house.files.leave_all(1);
    house.pass(MINUTE).await;
    assert_eq!(house.five(2).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

/// One payment fails, so that there is money to give back.
async fn leftover(bank: &str) -> (House, std::sync::Arc<Counter>) {
    let mut house = House::open().await;
    let counter = if bank == FILES { house.files.clone() } else { house.calls.clone() };
    counter.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.take(offer(bank)).await;
    (house, counter)
}

#[tokio::test]
async fn a_refused_refund_is_tried_again_after_an_hour() {
    for bank in [FILES, CALLS] {
        let (mut house, counter) = leftover(bank).await;
        counter.next(Turn::Refuse("凭证号有误"));
        if bank == FILES {
            counter.leave_all(0);
        }
        house.live(20 * MINUTE, MINUTE).await;
        assert_eq!(counter.refunds().len(), 1);
        assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
        let alert = house.alert("refund_refused").await.expect("an alert");
        assert!(alert.text.contains("拒绝受理退款") && alert.text.contains("返回码 ["));
        house.live(30 * MINUTE, MINUTE).await;
        assert_eq!(counter.refunds().len(), 1);
        house.live(20 * MINUTE, MINUTE).await;
        assert_eq!(counter.refunds().len(), 2);
        assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
        assert_eq!(house.state(1).await, "closed");
        assert!(house.alert("refund_refused").await.is_none(), "it is over");
        house.finished().await;
    }
}

#[tokio::test]
async fn a_refund_without_an_answer_is_asked_about() {
    for (bank, booked) in [(FILES, true), (CALLS, true), (FILES, false), (CALLS, false)] {
        let (mut house, counter) = leftover(bank).await;
        counter.next(Turn::Lose { booked });
        if bank == FILES {
            counter.leave_all(0);
        }
        house.live(10 * MINUTE, MINUTE).await;
        assert_eq!(counter.refunds().len(), 1);
        house.live(HOUR, MINUTE).await;
        let sent = counter.refunds();
        assert_eq!(sent.len(), if booked { 1 } else { 2 }, "{bank} {booked}");
        let digests: BTreeSet<[u8; 32]> = sent.iter().map(|sent| sent.digest).collect();
        assert_eq!(digests.len(), 1);
        assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
        house.finished().await;
    }
}

#[tokio::test]
async fn a_refund_that_was_confirmed_and_is_refused_later_changes_nothing() {
    let (mut house, counter) = leftover(FILES).await;
    counter.leave_all(0);
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    let reference = counter.refunds()[0].reference.clone();
    counter.leave(counter.say(
        MessageKind::RefundAnswer,
        &reference,
        Answer::Refused,
        "凭证号有误",
        &[],
        "77",
    ));
    house.pass(MINUTE).await;
    assert_eq!(counter.waiting(), 0, "the file is out of the way");
    assert!(house.alert("contradiction").await.is_some());
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn a_register_is_split_by_the_banks_limits() {
    let mut house = House::open().await;
    house.rows_max = 4;
    house.restart().await;
    let draft = Draft::new("A", 1).lines(FILES, 11).line(6, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    let sizes: Vec<usize> =
        (0..house.files.batches().len()).map(|at| house.files.accounts(at).len()).collect();
    assert_eq!(sizes, [4, 4, 2]);
    let all: BTreeSet<String> = (0..3).flat_map(|at| house.files.accounts(at)).collect();
    assert_eq!(all.len(), 10);
    for at in [2, 0, 1] {
        house.files.leave_all(at);
        house.run().await;
    }
    assert_eq!(house.five(1).await, [105, 0, 1050, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn a_batch_stays_below_the_formats_highest_sum() {
    use daifa::model::money::Fen;
    let mut house = House::open().await;
    house.rows_max = 5_000;
    house.restart().await;
    let mut draft = Draft::new("A", 1).lines(CALLS, 1_200);
    for line in &mut draft.lines {
        line.amount = Fen::new(999_999_999);
    }
    house.take(draft.declared()).await;
    // 9,999,999,999.99 yuan in one message are a thousand payments of 9,999,999.99.
    let sizes: Vec<usize> =
        (0..house.calls.batches().len()).map(|at| house.calls.accounts(at).len()).collect();
    assert_eq!(sizes, [1_000, 200]);
    house.sound().await;
}

#[tokio::test]
async fn nothing_is_sent_before_its_register_is_funded() {
    let mut house = House::open().await;
    let unfunded = Draft::new("A", 1).lines(FILES, 2).head(|head| head.funded_at_ms = None);
    house.take(unfunded.declared()).await;
    house.live(3 * HOUR, 10 * MINUTE).await;
    assert!(house.files.batches().is_empty());
    // Money that comes later than now is not there yet.
    house.county.change("A", 1, |offer| offer.head.funded_at_ms = Some(NOW + 5 * HOUR));
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.files.batches().is_empty());
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.files.batches().len(), 1);
    house.sound().await;
}

#[tokio::test]
async fn i4_no_byte_leaves_where_sending_cannot_be_made_durable() {
    let mut house = House::open().await;
    house.county.offer(offer(CALLS));
    house.only(Step::Intake).await;
    house.only(Step::Convert).await;
    house
        .tamper(
            "CREATE TRIGGER full BEFORE UPDATE ON attempt WHEN NEW.state = 'sending' \
             BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )
        .await;
    assert!(house.step(Step::Submit).await.expect_err("no").is_fatal());
    assert!(house.calls.batches().is_empty());
    house.stop();
    house.tamper("DROP TRIGGER full").await;
    house.restart().await;
    house.live(30 * MINUTE, MINUTE).await;
    paid_once(&house, &house.calls).await;
}

#[tokio::test]
async fn i3_the_database_knows_one_live_attempt_per_batch() {
    let mut house = House::open().await;
    house.take(offer(CALLS)).await;
    let columns = "kind, batch_no, register_no, bank, format_digest, state, state_at_ms, made_at_ms, sends, asks, bank_code";
    let second = format!(
        "INSERT OR IGNORE INTO attempt (reference, {columns}) SELECT 'another', {columns} FROM attempt"
    );
    house.tamper(&second).await;
    assert_eq!(house.number("SELECT COUNT(*) FROM attempt").await, 1);
    assert_eq!(house.step(Step::Submit).await.expect("idle"), Progress::Idle { until_ms: None });
    house.sound().await;
}
