//! What two people decide, from a bank that says nothing to finance that is told: the bank's own book
//! says how often anybody was paid (design 4.2, I2, I11).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use daifa::flow::decide::{Wish, confirm, entry, foresee, look, propose, stands, undecided};
use daifa::flow::sealed::open_decision;
use daifa::format::{Format, MessageKind, example};
use daifa::model::alert::AlertKind;
use daifa::model::attempt::{Answer, Committed};
use daifa::model::decision::{Subject, Verdict};
use daifa::model::id::{AttemptNo, BatchNo, DecisionNo, PaymentId, RegisterNo};
use daifa::model::reason::Reason;
use daifa::store::operators::{TOLD_FROM, WRITTEN_MAX};
use daifa::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

use crate::counter::{Counter, Fate, Reply, Turn};
use crate::county::{Draft, person};
use crate::house::{CALLS, DUPLICATE, FILES, HOUR, House, MINUTE, VISIBLE};

const ONE: &str = "wang";
const OTHER: &str = "li";
const STATES: &str = "SELECT state FROM attempt ORDER BY attempt_no";

/// The format of the city bank without some of its messages.
fn without(kinds: &[MessageKind]) -> Format {
    let text = example::example("example-city-xml").expect("an example");
    let mut messages = text.split("\n[[message]]");
    let head = messages.next().expect("a head").to_owned();
    let is_left_out = |message: &&str| {
        kinds.iter().any(|kind| message.starts_with(&format!("\nkind = \"{kind}\"")))
    };
    let kept = messages.filter(|message| !is_left_out(message));
    let text = kept.fold(head, |text, message| text + "\n[[message]]" + message);
    let format = Format::compile("without", &text).expect("compiles");
    assert!(kinds.iter().all(|kind| !format.has(*kind)));
    format
}

/// Without any way to ask about a batch or a refund.
fn mute() -> Format {
    without(&[MessageKind::StatusQuery, MessageKind::RefundQuery])
}

/// Three payments at a bank that cannot be asked; what became of the first hand-over is lost.
async fn lost(booked: bool) -> House {
    let mut house = House::open().await;
    house.calls = Arc::new(Counter::speaking(mute()));
    house.restart().await;
    house.calls.next(Turn::Lose { booked });
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["unknown"]);
    assert_eq!(house.calls.batches().len(), 1, "nothing goes again by itself");
    house
}

pub fn wish(subject: Subject, verdict: Verdict) -> Wish {
    let reason = (verdict == Verdict::Failed).then_some(Reason::AccountClosed);
    Wish { subject, verdict, reason }
}

async fn proposed(house: &House, subject: Subject, verdict: Verdict) -> DecisionNo {
    let wish = wish(subject, verdict);
    let foreseen = foresee(house.ctx(), &wish).await.expect("can be decided");
    assert!(!foreseen.words.is_empty());
    let evidence = "电话核实，柜员甲，流水已核对";
    propose(house.ctx(), &wish, &foreseen, evidence.as_bytes(), ONE).await.expect("proposed")
}

pub async fn decided(house: &mut House, subject: Subject, verdict: Verdict) {
    let no = proposed(house, subject, verdict).await;
    confirm(house.ctx(), no, OTHER).await.expect("confirmed");
    house.run().await;
}

pub async fn refused(house: &House, subject: Subject, verdict: Verdict) -> String {
    foresee(house.ctx(), &wish(subject, verdict)).await.expect_err("is refused").to_string()
}

fn paid_once(house: &House, people: usize) {
    let credits = house.calls.credits();
    assert_eq!(credits.len(), people);
    assert!(credits.values().all(|times| *times == 1), "paid twice: {credits:?}");
}

#[tokio::test]
async fn i15_leftover_that_a_bank_has_no_message_for_is_given_back_by_people() {
    let mut house = House::open().await;
    let none = [MessageKind::RefundRequest, MessageKind::RefundQuery, MessageKind::RefundAnswer];
    house.calls = Arc::new(Counter::speaking(without(&none)));
    house.restart().await;
    house.calls.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
    assert_eq!(house.texts(STATES).await, ["accepted", "by_hand"]);
    let task = house.alert("refund_by_hand").await.expect("somebody is told");
    for word in ["R1", "101.00 元", "1 笔", "退款 F1", "daifa decide propose A2 received"] {
        assert!(task.text.contains(word), "{word}: {}", task.text);
    }
    // Nothing of it leaves, however long it takes, and none is done before people say so.
    house.restart().await;
    house.live(100 * HOUR, 10 * HOUR).await;
    assert_eq!(house.calls.refunds().len(), 0);
    assert_eq!(house.texts(STATES).await, ["accepted", "by_hand"]);
    assert_eq!(house.state(1).await, "accepted");
    assert_eq!(house.county.told("refund", "finance").len(), 0);
    let of_refund = |no| Subject::Attempt(AttemptNo(no));
    let waits = undecided(house.ctx(), 9).await.expect("reads");
    let subjects: Vec<Subject> = waits.attempts.iter().map(|case| case.subject).collect();
    assert_eq!(subjects, [of_refund(2)]);
    let words = refused(&house, of_refund(2), Verdict::NotReceived).await;
    assert!(words.contains("by_hand"), "{words}");
    // That it will not be made makes the money free again, and another task of it.
    decided(&mut house, of_refund(2), Verdict::Never).await;
    assert!(house.alert("refund_by_hand").await.is_none(), "it is over");
    assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "refused", "by_hand"]);
    house.sound().await;
    decided(&mut house, of_refund(3), Verdict::Received).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "refused", "accepted"]);
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    assert_eq!(house.state(1).await, "closed");
    assert!(!house.county.told("refund", "finance").is_empty(), "finance is told");
    for kind in ["refund_by_hand", "refund_refused", "settle"] {
        assert!(house.alert(kind).await.is_none(), "{kind}");
    }
    house.sound().await;
}

#[tokio::test]
async fn i2_a_bank_that_cannot_be_asked_had_it_and_its_payments_are_decided() {
    let mut house = lost(true).await;
    let batch = Subject::Batch(BatchNo(1));
    let words = refused(&house, batch, Verdict::Credited).await;
    assert!(words.contains("decide A1 first"), "{words}");
    decided(&mut house, Subject::Attempt(AttemptNo(1)), Verdict::Received).await;
    assert_eq!(house.texts(STATES).await, ["accepted"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "nobody has said what became of it");
    // Its results may still come in another way: as long as they are not late, nobody decides.
    let words = refused(&house, batch, Verdict::Credited).await;
    assert!(words.contains("is not late yet"), "{words}");
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert!(house.alert("overdue").await.is_some(), "{:?}", house.alerts().await);
    let waits = undecided(house.ctx(), 9).await.expect("reads");
    assert_eq!(
        waits.attempts.iter().map(|case| case.subject).collect::<Vec<_>>(),
        [Subject::Attempt(AttemptNo(1))]
    );
    let first = Subject::Payment(PaymentId { register: RegisterNo(1), line: 1 });
    decided(&mut house, first, Verdict::Failed).await;
    decided(&mut house, batch, Verdict::Credited).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.alert("overdue").await.is_none(), "{:?}", house.alerts().await);
    assert_eq!(house.five(1).await, [0, 0, 203, 0, 100]);
    assert_eq!(house.calls.batches().len(), 1);
    paid_once(&house, 3);
    // Finance is told as of any result: who, why, and that people decided it.
    let told = house.county.told("results", "finance");
    let rows: Vec<_> = told.iter().flat_map(crate::county::Delivery::rows).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0]["failure"]["code"], "D2");
    assert_eq!(rows[0]["failure"]["bank_text"], "两人核定，非银行答复");
    let words = refused(&house, batch, Verdict::Failed).await;
    assert!(words.contains("every payment of B1 has its answer"), "{words}");
    let life = house.life(1, 1).await;
    let told: Vec<&str> = life.events.iter().map(|event| event.what.as_str()).collect();
    assert!(told.contains(&"wang and li decided about A1 (D1): the bank has it"), "{told:#?}");
    assert!(
        told.contains(&"wang and li decided failed because of account_closed (D2)"),
        "{told:#?}"
    );
    house.finished().await;
}

#[tokio::test]
async fn i2_what_never_arrived_goes_again_once_with_the_same_bytes() {
    let mut house = lost(false).await;
    decided(&mut house, Subject::Attempt(AttemptNo(1)), Verdict::NotReceived).await;
    let sent = house.calls.batches();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].digest, sent[1].digest, "other bytes");
    assert_eq!(house.texts(STATES).await, ["accepted"]);
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.calls.batches().len(), 2);
    paid_once(&house, 3);
    decided(&mut house, Subject::Batch(BatchNo(1)), Verdict::Credited).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.finished().await;
}

/// A bank that is not asked has no window in which it would recognise a repeat: what people found holds for a day.
#[tokio::test]
async fn i2_what_people_found_holds_for_a_day_where_a_bank_has_no_window() {
    for (away, sends) in [(0, 2), (20 * HOUR, 3), (30 * HOUR, 2)] {
        let mut house = House::open().await;
        house.calls = Arc::new(Counter::speaking(mute()));
        house.agreed = Some(|_, rules| rules.duplicate_window_ms = 0);
        house.restart().await;
        house.calls.next(Turn::Lose { booked: false });
        house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
        house.live(2 * HOUR, 10 * MINUTE).await;
        if away > 0 {
            house.calls.next(Turn::NotSent);
        }
        let attempt = Subject::Attempt(AttemptNo(1));
        decided(&mut house, attempt, Verdict::NotReceived).await;
        // It was tried once, and then nobody was here.
        house.clock.advance_ms(away);
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.calls.batches().len(), sends, "{away}");
        if away > 24 * HOUR {
            assert!(house.alert("too_late").await.is_some());
            decided(&mut house, attempt, Verdict::NotReceived).await;
        }
        assert_eq!(house.texts(STATES).await, ["accepted"], "{away}");
        paid_once(&house, 3);
        house.sound().await;
    }
}

/// A bank that can be asked, and takes every message for a new one.
#[tokio::test]
async fn i2_a_bank_that_recognises_no_repeat_gets_nothing_again_by_itself() {
    let mut house = House::open().await;
    house.agreed = Some(|_, rules| rules.duplicate_window_ms = 0);
    house.restart().await;
    house.calls.next(Turn::Lose { booked: false });
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    // What it has may not be visible yet.
    house.live(VISIBLE - MINUTE, MINUTE).await;
    assert!(house.alert("too_late").await.is_none());
    let asked = house.number("SELECT asks FROM attempt").await;
    assert!(asked > 1, "it is asked at its pace: {asked}");
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert!(house.calls.credits().is_empty(), "it never arrived, and the bank said so");
    assert_eq!(house.number("SELECT sends FROM attempt").await, 1);
    let alert = house.alert("too_late").await.expect("somebody is told");
    assert!(alert.text.contains("不识别重复报文"), "{}", alert.text);
    decided(&mut house, Subject::Attempt(AttemptNo(1)), Verdict::NotReceived).await;
    house.live(HOUR, 10 * MINUTE).await;
    paid_once(&house, 3);
    house.finished().await;
}

#[tokio::test]
async fn i2_what_people_let_go_again_is_never_written_anew() {
    let mut house = lost(false).await;
    // It cannot be handed over until its day is over: people may be wrong, and then it is its reference
    // alone by which the bank knows it again.
    let away = std::iter::repeat_n(Turn::NotSent, 5_000);
    house.calls.book().turns.extend(away);
    decided(&mut house, Subject::Attempt(AttemptNo(1)), Verdict::NotReceived).await;
    house.live(20 * HOUR, 5 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["not_sent"], "it is not closed");
    let refused = house.store().recut(BatchNo(1), "op", house.ctx().now_ms()).await;
    assert!(refused.is_err(), "nor at somebody's wish");
    house.calls.book().turns.clear();
    house.live(HOUR, MINUTE).await;
    let sent = house.calls.batches();
    assert!(sent.len() > 2 && sent.iter().all(|each| each.digest == sent[0].digest), "other bytes");
    assert_eq!(house.texts(STATES).await, ["accepted"]);
    paid_once(&house, 3);
    house.sound().await;
}

#[tokio::test]
async fn f31_what_two_people_closed_is_cut_again_and_a_late_answer_is_told_at_once() {
    let mut house = House::open().await;
    house.files.next(Turn::Lose { booked: false });
    (0..50_000).for_each(|_| house.files.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    // The bank is asked and does not answer; it is not for people to decide.
    let attempt = Subject::Attempt(AttemptNo(1));
    for verdict in [Verdict::Received, Verdict::NotReceived, Verdict::Never] {
        let words = refused(&house, attempt, verdict).await;
        assert!(words.contains("can be asked about A1, and is"), "{words}");
    }
    // Its duplicate window ends, and it says that it does not know it.
    let reference = house.files.batches()[0].reference.clone();
    house.live(DUPLICATE, HOUR).await;
    {
        let mut book = house.files.book();
        book.replies.clear();
        book.replies.extend((0..200).map(|_| Reply::Say(Answer::NotFound)));
    }
    house.live(20 * MINUTE, MINUTE).await;
    assert!(house.alert("too_late").await.is_some(), "{:?}", house.alerts().await);
    decided(&mut house, attempt, Verdict::Never).await;
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    assert_eq!(house.files.batches().len(), 1);
    house.files.book().replies.clear();
    let now = house.ctx().now_ms();
    assert_eq!(house.store().recut(BatchNo(1), "op", now).await.expect("cut again"), 3);
    house.run().await;
    let sent = house.files.batches();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[1].reference, reference, "the old reference is never used again");
    // Now the bank credits the first one after all: nothing moves, and everybody is told at once.
    let rows = house.files.told(&sent[1].reference, MessageKind::Result);
    house.files.leave_result(&reference, &rows, "9");
    house.run().await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    let alert = house.alert("contradiction").await.expect("is told");
    assert!(alert.text.contains("可能重复入账"), "{}", alert.text);
    assert!(daifa::model::alert::AlertKind::Contradiction.is_urgent(), "on page one, at the top");
    assert!(house.alert("result_held").await.is_some(), "kept as evidence");
    house.files.leave_all(1);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn i2_after_the_duplicate_window_two_people_let_the_same_bytes_go_again() {
    let mut house = House::open().await;
    house.calls.next(Turn::Lose { booked: false });
    (0..50_000).for_each(|_| house.calls.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house.live(DUPLICATE, HOUR).await;
    {
        let mut book = house.calls.book();
        book.replies.clear();
        book.replies.extend((0..200).map(|_| Reply::Say(Answer::NotFound)));
    }
    house.live(20 * MINUTE, MINUTE).await;
    assert!(house.alert("too_late").await.is_some());
    assert_eq!(house.calls.batches().len(), 1);
    house.calls.book().replies.clear();
    let no = proposed(&house, Subject::Attempt(AttemptNo(1)), Verdict::NotReceived).await;
    // It waits for the second person over a restart, and says what it will do.
    house.restart().await;
    let (decision, words) = look(house.ctx(), no).await.expect("is kept");
    assert!(words.join(" ").contains("the same bytes, under the same reference"), "{words:?}");
    let evidence = open_decision(&house.ctx().sealer, &decision).expect("opens");
    assert_eq!(String::from_utf8(evidence).expect("text"), "电话核实，柜员甲，流水已核对");
    let alone = confirm(house.ctx(), no, ONE).await.expect_err("not alone").to_string();
    assert!(alone.contains("another operator"), "{alone}");
    confirm(house.ctx(), no, OTHER).await.expect("confirmed");
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.calls.batches().len(), 2);
    paid_once(&house, 2);
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    assert!(house.alert("too_late").await.is_none());
    house.finished().await;
}

#[tokio::test]
async fn f35_a_contradiction_is_settled_by_two_people_and_finance_is_told() {
    for (verdict, five) in
        [(Verdict::Credited, [0, 0, 201, 0, 0]), (Verdict::Failed, [0, 0, 101, 0, 100])]
    {
        let mut house = House::open().await;
        house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
        let reference = house.files.batches()[0].reference.clone();
        let ok = house.files.told(&reference, MessageKind::Result);
        house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
        let no = house.files.told(&reference, MessageKind::Result);
        house.files.leave_result(&reference, &ok, "1");
        house.run().await;
        house.files.leave_result(&reference, &no[..1], "2");
        house.run().await;
        let subject = Subject::Payment(PaymentId { register: RegisterNo(1), line: 1 });
        let waits = undecided(house.ctx(), 9).await.expect("reads");
        assert_eq!(waits.conflicts.iter().map(|case| case.subject).collect::<Vec<_>>(), [subject]);
        let unclear = Wish { subject, verdict: Verdict::Failed, reason: None };
        assert!(foresee(house.ctx(), &unclear).await.is_err(), "a failure has a reason");
        decided(&mut house, subject, verdict).await;
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.five(1).await, five, "{verdict}");
        assert!(house.alert("conflict").await.is_none());
        let told = house.county.told("results", "finance");
        let last = told.last().expect("is told").rows();
        assert_eq!(last.last().expect("a row")["outcome"], verdict.as_str());
        assert!(undecided(house.ctx(), 9).await.expect("reads").conflicts.is_empty());
        house.finished().await;
    }
}

#[tokio::test]
async fn f36_f39_what_was_put_aside_is_settled_by_the_right_file() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let reference = house.files.batches()[0].reference.clone();
    let mut rows = house.files.told(&reference, MessageKind::Result);
    rows[0].fen += 1;
    house.files.leave_result(&reference, &rows, "1");
    let mut parts =
        house.files.say(MessageKind::Result, &reference, Answer::Done, "", &rows[1..], "2");
    let half = parts[0].bytes.len() / 2;
    parts[0].bytes.truncate(half);
    house.files.leave(parts);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 100, 203, 0, 0]);
    let waits = undecided(house.ctx(), 9).await.expect("reads");
    assert_eq!(waits.aside_open, 2, "a line, and a file");
    assert!(
        house.alert("quarantine").await.is_some() && house.alert("result_held").await.is_some()
    );
    house.files.leave_all(0);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert_eq!(undecided(house.ctx(), 9).await.expect("reads").aside_open, 0);
    assert!(
        house.alert("quarantine").await.is_none() && house.alert("result_held").await.is_none()
    );
    // So it is where the wrong file comes behind the right one, and the right one once more.
    let told = house.files.told(&reference, MessageKind::Result);
    let mut parts = house.files.say(MessageKind::Result, &reference, Answer::Done, "", &told, "3");
    parts[0].bytes.truncate(half);
    house.files.leave(parts);
    house.run().await;
    assert!(house.alert("result_held").await.is_some());
    house.files.leave_all(0);
    house.run().await;
    assert!(house.alert("result_held").await.is_none());
    house.finished().await;
}

#[tokio::test]
async fn f34_disputed_money_is_listed_and_not_decided_away() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    let reference = house.files.batches()[0].reference.clone();
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.files.leave_all(0);
    house.live(2 * MINUTE, MINUTE).await;
    house.files.fate(&person(1).account, Fate::Credited);
    house.files.leave_result(&reference, &house.files.told(&reference, MessageKind::Result), "2");
    house.run().await;
    assert_eq!(house.places().await.disputed.get(), 10_000);
    assert_eq!(undecided(house.ctx(), 9).await.expect("reads").disputed, [RegisterNo(1)]);
    let subject = Subject::Payment(PaymentId { register: RegisterNo(1), line: 1 });
    let words = refused(&house, subject, Verdict::Credited).await;
    assert!(words.contains("only money that comes back ends"), "{words}");
    decided(&mut house, subject, Verdict::Failed).await;
    assert_eq!(house.places().await.disputed.get(), 0);
    assert_eq!(house.five(1).await, [0, 0, 101, 0, 100]);
    house.sound().await;
}

#[tokio::test]
async fn i2_nothing_is_decided_that_the_bank_can_be_asked_about() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    assert_eq!(house.texts(STATES).await, ["accepted"]);
    for (subject, verdicts) in [
        (Subject::Attempt(AttemptNo(1)), [Verdict::Received, Verdict::Never]),
        (Subject::Batch(BatchNo(1)), [Verdict::Credited, Verdict::Failed]),
        (
            Subject::Payment(PaymentId { register: RegisterNo(1), line: 2 }),
            [Verdict::Credited, Verdict::Failed],
        ),
    ] {
        for verdict in verdicts {
            let words = refused(&house, subject, verdict).await;
            assert!(words.contains("can be asked about A1"), "{subject} {verdict}: {words}");
        }
    }
    for (subject, verdict) in [
        (Subject::Attempt(AttemptNo(1)), Verdict::Credited),
        (Subject::Attempt(AttemptNo(9)), Verdict::Never),
        (Subject::Payment(PaymentId { register: RegisterNo(1), line: 9 }), Verdict::Credited),
        (Subject::Batch(BatchNo(1)), Verdict::Dismissed),
    ] {
        refused(&house, subject, verdict).await;
    }
    // A bank that had it and does not know it any more has said all it can.
    house.calls.book().replies.extend((0..500).map(|_| Reply::Say(Answer::NotFound)));
    house.live(HOUR, 5 * MINUTE).await;
    assert!(house.alert("vanished").await.is_some());
    let case = house.store().case(Subject::Attempt(AttemptNo(1))).await.expect("reads");
    let told = stands(&case.expect("is there"));
    assert!(told.contains("took it, and answers now that it does not find it"), "{told}");
    decided(&mut house, Subject::Batch(BatchNo(1)), Verdict::Credited).await;
    assert!(house.alert("vanished").await.is_none());
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    house.sound().await;
}

/// A bank behind a door that may be able to look at what lies there.
struct Looking {
    counter: Arc<Counter>,
    can: bool,
}

#[async_trait]
impl Transport for Looking {
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent {
        self.counter.send(committed, parts).await
    }

    fn may_be_earlier(&self) -> bool {
        self.counter.may_be_earlier()
    }

    fn can_look(&self) -> bool {
        self.can
    }

    fn unasked(&self) -> Vec<Bytes> {
        Vec::new()
    }

    async fn lies_there(&self, _parts: &[OutPart]) -> bool {
        assert!(self.can, "it was asked to look and cannot");
        false
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        self.counter.ask(parts).await
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        self.counter.arrivals(limit).await
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        self.counter.fetch(name).await
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        self.counter.archive(arrival).await
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        self.counter.set_aside(name).await
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        self.counter.halves().await
    }

    async fn crowded_out(&self) -> Vec<String> {
        self.counter.crowded_out().await
    }

    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        self.counter.unfetched().await
    }

    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _parts: &[OutPart]) -> Result<usize, DoorError> {
        Ok(0)
    }

    fn opens_at(&self, now_ms: i64) -> Option<i64> {
        self.counter.opens_at(now_ms)
    }

    fn commit_point(&self) -> &'static str {
        self.counter.commit_point()
    }
}

#[tokio::test]
async fn f25_a_bank_is_asked_about_what_does_not_open_here_any_more() {
    for can in [true, false] {
        for altered in [
            "UPDATE part_chunk SET bytes = zeroblob(length(bytes))",
            "UPDATE part SET sha256 = zeroblob(32)",
        ] {
            let mut house = House::open().await;
            let counter = Arc::clone(&house.calls);
            let door = Looking { counter: Arc::clone(&counter), can };
            house.doors.insert(CALLS.to_owned(), (Arc::new(door), Arc::clone(&counter.format)));
            house.restart().await;
            counter.next(Turn::Lose { booked: true });
            house.county.offer(Draft::new("A", 1).lines(CALLS, 3).declared());
            house.run().await;
            assert_eq!(house.texts(STATES).await, ["unknown"]);
            house.tamper(altered).await;
            house.live(HOUR, 5 * MINUTE).await;
            assert_eq!(house.five(1).await, [0, 0, 303, 0, 0], "{can} {altered}");
            assert_eq!(counter.batches().len(), 1);
            assert!(!house.store().verify().await.expect("verified").problems.is_empty());
        }
    }
}

/// Somebody was not let in; what stands of that, by the names that they gave.
async fn not_let_in(house: &House, claimed: &str) -> Vec<String> {
    entry::not_let_in(house.ctx(), claimed, "wrong").await.expect("it is written down");
    house.store().standing_alerts(AlertKind::NotLetIn).await.expect("read")
}

#[tokio::test]
async fn i31_who_was_not_let_in_is_told_of_until_a_day_has_passed_without_it() {
    let mut house = House::open().await;
    for told in [&[][..], &[], &[ONE]] {
        assert_eq!(not_let_in(&house, ONE).await, told);
        house.pass(HOUR).await;
    }
    assert_eq!(not_let_in(&house, OTHER).await, [ONE], "once is a slip");
    // Three within a day, for as long as that is so: another one makes it longer.
    house.live(20 * HOUR, HOUR).await;
    assert_eq!(not_let_in(&house, ONE).await, [ONE]);
    house.live(HOUR, HOUR).await;
    assert!(house.alert("not_let_in").await.is_some(), "the last three were within a day");
    house.live(HOUR, HOUR).await;
    assert!(house.alert("not_let_in").await.is_none(), "{:?}", house.alerts().await);
    // It begins anew with the next three.
    house.live(25 * HOUR, HOUR).await;
    for told in [&[][..], &[], &[ONE]] {
        assert_eq!(not_let_in(&house, ONE).await, told);
    }
    house.live(25 * HOUR, HOUR).await;
    assert!(house.alerts().await.is_empty());
    house.sound().await;
}

#[tokio::test]
async fn i31_a_flood_of_tries_is_one_alert_and_leaves_room_for_the_others() {
    let house = House::open().await;
    for _ in 0..WRITTEN_MAX + 50 {
        not_let_in(&house, entry::NO_NAME).await;
    }
    for _ in 0..TOLD_FROM {
        not_let_in(&house, ONE).await;
    }
    let alerts = house.alerts().await;
    let subjects: Vec<_> = alerts.iter().map(|alert| alert.subject.as_str()).collect();
    assert!(subjects.len() == 2 && subjects.contains(&entry::NO_NAME) && subjects.contains(&ONE));
    let written = "SELECT COUNT(*) FROM journal WHERE chain = 'operators'";
    assert_eq!(house.number(written).await, WRITTEN_MAX + TOLD_FROM, "the rest is no news");
    let lately = entry::lately(house.ctx()).await.expect("read");
    let times: Vec<_> = lately.iter().map(|one| (one.claimed.as_str(), one.times)).collect();
    assert_eq!(times, [(entry::NO_NAME, WRITTEN_MAX), (ONE, TOLD_FROM)]);
    house.sound().await;
}
