//! A bank that refuses what it does, or says that it did what it refused: nothing goes out again and no money goes
//! back before two people have looked (I1, I8, I11).

use std::collections::BTreeSet;

use bytes::Bytes;
use daifa::clock::Clock as _;
use daifa::flow::Step;
use daifa::flow::decide::{foresee, undecided};
use daifa::format::{MessageKind, Part};
use daifa::model::attempt::Answer;
use daifa::model::decision::{Subject, Verdict};
use daifa::model::id::{AttemptNo, BatchNo, PaymentId, RegisterNo};
use daifa::model::outcome::OutcomeKind;
use daifa::model::reason::Reason;
use daifa::store::holds::Decision;

use crate::counter::{Fate, Reply, Told, Turn};
use crate::county::{Delivery, Draft, Offer, person};
use crate::deciding::{decided, refused, wish};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

const STATES: &str = "SELECT state FROM attempt ORDER BY attempt_no";
const FIRST: Subject = Subject::Attempt(AttemptNo(1));

/// A batch of three that the bank of files answered like this.
async fn answered(answer: Answer) -> (House, String) {
    let mut house = House::open().await;
    house.files.next(Turn::Say(answer));
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let reference = house.files.batches()[0].reference.clone();
    (house, reference)
}

/// Its results, but for the last row: they do not close.
fn cut(house: &House, reference: &str) -> Vec<Part> {
    let told = house.files.told(reference, MessageKind::Result);
    let mut parts = house.files.say(MessageKind::Result, reference, Answer::Done, "", &told, "700");
    let data = &mut parts[0].bytes;
    data.truncate(data.len() - 152);
    parts
}

pub async fn dismiss_all(house: &mut House) {
    // One word is about all that was put aside of a result.
    let aside = undecided(house.ctx(), 9).await.expect("reads").aside;
    for result in aside.iter().map(|aside| aside.result).collect::<BTreeSet<_>>() {
        decided(house, Subject::Result(result), Verdict::Dismissed).await;
    }
}

async fn recut(house: &House) -> Result<i64, String> {
    let now = house.ctx().now_ms();
    house.store().recut(BatchNo(1), "wang", now).await.map_err(|why| why.to_string())
}

#[tokio::test]
async fn i1_a_refused_batch_of_which_more_is_said_is_frozen_until_two_people_decide() {
    for results in [true, false] {
        let (mut house, reference) = answered(Answer::Refused).await;
        assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
        (0..99).for_each(|_| house.files.reply(Reply::Say(Answer::Refused)));
        if results {
            house.files.leave_all(0);
        } else {
            let kind = MessageKind::Acknowledgement;
            house.files.leave(house.files.say(kind, &reference, Answer::Accepted, "", &[], "1"));
        }
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
        assert!(house.alert("batch_refused").await.is_none());
        let told = house.alert("contradiction").await.expect("somebody is told");
        let again = recut(&house).await.expect_err("it may be paid");
        assert!(again.contains("only a batch that the bank refused"), "{again}");
        let open = undecided(house.ctx(), 9).await.expect("reads");
        assert_eq!((open.attempts.len(), open.aside.len()), (1, 1), "{}", told.text);
        // A refusal once more, and a command to look at it, change nothing.
        let kind = MessageKind::Acknowledgement;
        house.files.leave(house.files.say(kind, &reference, Answer::Refused, "", &[], "2"));
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
        let seen = foresee(house.ctx(), &wish(FIRST, Verdict::Never)).await.expect("can be said");
        assert!(seen.words.iter().any(|line| line.contains("look at that first")), "{seen:?}");
        decided(&mut house, FIRST, Verdict::Never).await;
        assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
        assert_eq!(recut(&house).await, Ok(3), "two people have looked");
        house.sound().await;
    }
}

/// What was held first and is taken last keeps its number, and is the last thing that the bank said all the same: a
/// report of it does not call credited what came back meanwhile.
#[tokio::test]
async fn f34_results_that_were_held_and_are_taken_behind_a_return_are_told_as_they_stand_then() {
    let (mut house, reference) = answered(Answer::Refused).await;
    (0..99).for_each(|_| house.files.reply(Reply::Say(Answer::Processing)));
    let told = house.files.told(&reference, MessageKind::Result);
    let results = house.files.say(MessageKind::Result, &reference, Answer::Done, "", &told, "7");
    house.files.leave(results.clone());
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts("SELECT state FROM result").await, ["held"]);
    assert_eq!(house.texts(STATES).await, ["accepted"], "the batch is frozen");
    house.files.book().returned.push(person(2).account);
    let back = house.files.told(&reference, MessageKind::LateReturn);
    let kind = MessageKind::LateReturn;
    house.files.leave(house.files.say(kind, &reference, Answer::Done, "", &back, "8"));
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(
        house.texts("SELECT state FROM result ORDER BY result_no").await,
        ["held", "applied"]
    );
    house.files.leave(results);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(
        house.texts("SELECT state FROM result ORDER BY result_no").await,
        ["applied", "applied"]
    );
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    let told = house.county.told("results", "finance");
    let of_line_2 = told.iter().flat_map(Delivery::rows).filter(|row| row["line"] == 2);
    let outcomes: Vec<_> = of_line_2.map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes, ["returned"], "the credit that it had before is no news");
    house.sound().await;
}

#[tokio::test]
async fn i1_a_frozen_batch_goes_out_in_no_revision_and_back_with_no_revocation() {
    for revised in [true, false] {
        let (mut house, _) = answered(Answer::Refused).await;
        house.files.leave_all(0);
        house.live(HOUR, 10 * MINUTE).await;
        if revised {
            house.take(Draft::new("A", 2).lines(FILES, 3).declared()).await;
        } else {
            house.county.revoke("A", 1);
        }
        house.live(3 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.batches().len(), 1, "nobody is paid twice");
        assert!(house.files.refunds().is_empty(), "what may be paid does not go back");
        decided(&mut house, Subject::Batch(BatchNo(1)), Verdict::Credited).await;
        house.live(3 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.batches().len(), 1);
        assert!(house.files.refunds().is_empty());
        assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
        house.sound().await;
    }
}

/// Finance took the register back, before or behind the refusal: what may be paid does not go back to it.
#[tokio::test]
async fn i8_a_refused_batch_of_a_revoked_register_is_frozen_where_the_bank_says_more() {
    for before in [true, false] {
        let mut house = House::open().await;
        house.files.next(Turn::Say(if before { Answer::Accepted } else { Answer::Refused }));
        house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
        let reference = house.files.batches()[0].reference.clone();
        (0..99).for_each(|_| house.files.reply(Reply::Fail));
        let kind = MessageKind::Acknowledgement;
        // Other money of that share keeps what is free from going back at once.
        house.county.revoke("A", 1);
        if before {
            house.only(Step::Intake).await;
            house.files.leave(house.files.say(kind, &reference, Answer::Refused, "", &[], "2"));
            house.only(Step::Collect).await;
        } else {
            house.only(Step::Intake).await;
        }
        assert_eq!(house.five(1).await, [0, 0, 0, 303, 0], "free, and not given back yet");
        house.files.leave_all(0);
        house.only(Step::Collect).await;
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
        house.live(3 * HOUR, 10 * MINUTE).await;
        assert!(house.files.refunds().is_empty(), "what may be paid does not go back");
        house.sound().await;
        if before {
            decided(&mut house, FIRST, Verdict::Never).await;
            house.files.book().replies.clear();
            house.live(3 * HOUR, 10 * MINUTE).await;
            assert_eq!(house.five(1).await, [0, 0, 0, 0, 303], "it never was paid");
        } else {
            decided(&mut house, Subject::Batch(BatchNo(1)), Verdict::Credited).await;
            house.live(3 * HOUR, 10 * MINUTE).await;
            assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
        }
        assert_eq!(house.files.batches().len(), 1);
        assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
        house.sound().await;
    }
}

/// Releases a line of the second revision.
async fn release(house: &House, line: i64, why: &str) {
    let line = PaymentId { register: RegisterNo(2), line };
    let now = house.ctx().now_ms();
    house.store().decide_hold(line, Decision::Release, "op", why, now).await.expect("can be said");
}

/// The second revision: line 5 is new, and the person of line 1 stands in line 4 now.
fn second() -> Offer {
    Draft::new("A", 2)
        .lines(FILES, 5)
        .line(1, |line| line.person = person(4))
        .line(4, |line| line.person = person(1))
        .declared()
}

/// The bank refused a batch, finance revised the register, and then the bank says more of what it refused: the
/// revision does not send the lines that it took over, and what may be paid is in flight again.
#[tokio::test]
async fn i1_what_a_revision_took_over_is_set_aside_where_the_bank_says_more_of_it() {
    for (before, results, verdict) in [
        (true, true, Verdict::Credited),
        (false, true, Verdict::Credited),
        (false, true, Verdict::Never),
        (false, false, Verdict::Credited),
    ] {
        let mut house = House::open().await;
        house.files.next(Turn::Say(if before { Answer::Accepted } else { Answer::Refused }));
        house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
        let reference = house.files.batches()[0].reference.clone();
        (0..99).for_each(|_| house.files.reply(Reply::Fail));
        let kind = MessageKind::Acknowledgement;
        house.county.offer(second());
        house.only(Step::Intake).await;
        assert_eq!(house.state(1).await, "superseded");
        if before {
            // It was in flight as the revision came, so its lines wait for a person already.
            house.files.leave(house.files.say(kind, &reference, Answer::Refused, "", &[], "2"));
            house.only(Step::Collect).await;
        }
        assert_eq!(house.five(1).await, [0, 0, 0, 0, 0], "the revision has it");
        if results {
            house.files.leave_all(0);
        } else {
            house.files.leave(house.files.say(kind, &reference, Answer::Accepted, "", &[], "1"));
        }
        house.only(Step::Collect).await;
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
        let holds = house.holds(2).await;
        assert_eq!(holds.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4], "{holds:?}");
        assert!(holds.values().all(|reason| reason == "sent_earlier"), "{holds:?}");
        house.sound().await;
        // It is settled before anything of the revision is cut: that changes nothing for those lines.
        let subject = if verdict == Verdict::Never { FIRST } else { Subject::Batch(BatchNo(1)) };
        decided(&mut house, subject, verdict).await;
        house.files.book().replies.clear();
        house.live(3 * HOUR, 10 * MINUTE).await;
        assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
        assert_eq!(house.files.batches().len(), 2, "what is new goes out");
        assert_eq!(house.holds(2).await.len(), 4);
        let all = if verdict == Verdict::Never { [0, 0, 0, 0, 0] } else { [0, 0, 303, 0, 0] };
        assert_eq!(house.five(1).await, all);
        // It was looked at: what a person releases now goes out.
        release(&house, 4, "looked at").await;
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.batches().len(), 3);
        house.sound().await;
    }
}

/// The same, where the revision's batch is made already and has not left, or waits in a list.
#[tokio::test]
async fn i1_what_a_revision_could_not_send_yet_is_withdrawn_and_set_aside() {
    let (mut house, _) = answered(Answer::Refused).await;
    (0..99).for_each(|_| house.files.reply(Reply::Fail));
    (0..9).for_each(|_| house.files.next(Turn::NotSent));
    house.take(second()).await;
    assert_eq!(house.texts(STATES).await, ["refused", "not_sent"]);
    house.files.leave_all(0);
    house.only(Step::Collect).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "closed"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
    assert_eq!(house.five(2).await, [510, 0, 0, 0, 0]);
    assert_eq!(house.holds(2).await.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    house.files.book().turns.clear();
    house.live(3 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "closed", "accepted"]);
    assert_eq!(house.five(2).await, [406, 104, 0, 0, 0], "what is new goes out, and nothing else");
    house.sound().await;
}

/// What the revision took over does not go back to finance either before it is known whether it was paid.
#[tokio::test]
async fn i8_what_a_revision_took_over_does_not_go_back_while_it_may_be_paid() {
    let (mut house, _) = answered(Answer::Refused).await;
    (0..99).for_each(|_| house.files.reply(Reply::Fail));
    house.county.offer(Draft::new("A", 2).lines(FILES, 3).declared());
    house.only(Step::Intake).await;
    house.files.leave_all(0);
    house.only(Step::Collect).await;
    house.county.revoke("A", 2);
    house.live(80 * HOUR, HOUR).await;
    assert_eq!(house.five(2).await, [0, 0, 0, 303, 0]);
    assert!(house.files.refunds().is_empty(), "what may be paid does not go back");
    decided(&mut house, FIRST, Verdict::Never).await;
    house.files.book().replies.clear();
    house.live(3 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(2).await, [0, 0, 0, 0, 303], "it never was paid");
    house.sound().await;
}

/// What the revision sent before the bank said more is nothing to freeze any more: people are told.
#[tokio::test]
async fn i11_what_a_revision_sent_is_not_frozen_in_the_earlier_one() {
    let (mut house, _) = answered(Answer::Refused).await;
    house.take(Draft::new("A", 2).lines(FILES, 4).declared()).await;
    assert_eq!(house.files.batches().len(), 2);
    house.files.leave_all(0);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 0, 0, 0]);
    assert!(house.alert("contradiction").await.is_some());
    house.sound().await;
}

#[tokio::test]
async fn i1_a_bank_whose_held_results_say_that_it_paid_cannot_refuse() {
    let (mut house, reference) = answered(Answer::Accepted).await;
    (0..99).for_each(|_| house.files.reply(Reply::Say(Answer::Refused)));
    house.files.leave(cut(&house, &reference));
    house.pass(MINUTE).await;
    let kind = MessageKind::Acknowledgement;
    house.files.leave(house.files.say(kind, &reference, Answer::Refused, "", &[], "2"));
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    assert!(house.alert("contradiction").await.is_some());
    recut(&house).await.expect_err("it may be paid");
    // The whole of it comes at last.
    house.files.leave_all(0);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
    assert_eq!(house.state(1).await, "closed");
    house.sound().await;
}

/// "Not found", or a refusal, that lists payments which were made: nothing goes again, and people look.
#[tokio::test]
async fn i2_an_answer_that_says_nothing_was_done_and_lists_what_was_is_no_answer() {
    for answer in [Answer::NotFound, Answer::Refused] {
        let mut house = House::open().await;
        house.calls.next(Turn::Lose { booked: true });
        (0..9).for_each(|_| house.calls.reply(Reply::Fail));
        house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
        house.live(HOUR, 10 * MINUTE).await;
        house.calls.book().replies.clear();
        let kind = MessageKind::StatusAnswer;
        let reference = house.calls.batches()[0].reference.clone();
        let rows = house.calls.told(&reference, kind);
        for _ in 0..30 {
            let said = house.calls.body(kind, &reference, answer, "", &rows);
            house.calls.reply(Reply::Bytes(said));
        }
        house.live(3 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.calls.batches().len(), 1, "it was paid");
        assert_eq!(house.texts(STATES).await, ["unknown"]);
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
        let told = house.alert("contradiction").await.expect("somebody is told");
        assert!(told.text.contains("明细中却有已办理的款项"), "{}", told.text);
        // What it says without rows counts for nothing while that is not looked at.
        house.calls.book().replies.clear();
        (0..30).for_each(|_| house.calls.reply(Reply::Say(answer)));
        house.live(3 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.calls.batches().len(), 1, "it was paid");
        assert_eq!(house.texts(STATES).await, ["unknown"]);
        // The bank mends it.
        house.calls.book().replies.clear();
        house.live(9 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
        assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
        house.sound().await;
    }
}

/// A refusal to the hand-over itself that may be of the first time: nobody knows what became of the second, and it
/// is asked about at once, not at the next start.
#[tokio::test]
async fn f31_a_refusal_to_a_hand_over_that_may_be_of_the_first_time_leaves_it_of_unknown_fate() {
    let mut house = House::open().await;
    house.calls.book().session = true;
    house.calls.next(Turn::Lose { booked: false });
    house.calls.next(Turn::Say(Answer::Refused));
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    for _ in 0..60 {
        if house.calls.batches().len() < 2 {
            house.live(MINUTE, MINUTE).await;
        }
    }
    assert_eq!(house.calls.batches().len(), 2, "not found, and sent again");
    assert_eq!(house.texts(STATES).await, ["unknown"]);
    assert!(house.alert("contradiction").await.is_some());
    house.sound().await;
}

#[tokio::test]
async fn i2_not_found_does_not_count_against_results_that_are_held() {
    let mut house = House::open().await;
    house.files.next(Turn::Lose { booked: true });
    (0..99).for_each(|_| house.files.reply(Reply::Say(Answer::NotFound)));
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    assert_eq!(house.texts(STATES).await, ["unknown"]);
    let reference = house.files.batches()[0].reference.clone();
    house.files.leave(cut(&house, &reference));
    house.live(6 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.files.batches().len(), 1, "it may have been paid");
    assert_eq!(house.texts(STATES).await, ["unknown"]);
    assert!(house.alert("contradiction").await.is_some());
    // The bank is no help: two people say what it had.
    decided(&mut house, FIRST, Verdict::Received).await;
    house.files.book().replies.clear();
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f31_a_refusal_of_the_first_time_says_nothing_of_the_second() {
    for lost in [false, true] {
        let mut house = House::open().await;
        house.files.next(Turn::Lose { booked: false });
        if lost {
            house.files.next(Turn::Lose { booked: true });
        }
        house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
        for _ in 0..60 {
            if house.files.batches().len() < 2 {
                house.live(MINUTE, MINUTE).await;
            }
        }
        assert_eq!(house.files.batches().len(), 2, "not found, and sent again");
        // From now on the bank says nothing that would mend it.
        (0..200).for_each(|_| house.files.reply(Reply::Fail));
        let stands = if lost { "unknown" } else { "accepted" };
        assert_eq!(house.texts(STATES).await, [stands]);
        let reference = house.files.batches()[0].reference.clone();
        // The refusal of the first time was slow.
        let kind = MessageKind::Acknowledgement;
        house.files.leave(house.files.say(kind, &reference, Answer::Refused, "", &[], "2"));
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.texts(STATES).await, [stands]);
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
        recut(&house).await.expect_err("the second was taken");
        house.files.leave_all(1);
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
        house.sound().await;
    }
}

#[tokio::test]
async fn i1_two_people_say_that_a_refused_batch_was_paid_after_all() {
    let (mut house, _) = answered(Answer::Refused).await;
    house.live(HOUR, 10 * MINUTE).await;
    // It says so whenever it is asked.
    (0..99).for_each(|_| house.files.reply(Reply::Say(Answer::Refused)));
    decided(&mut house, FIRST, Verdict::Received).await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    let next = house.alert("contradiction").await.expect("what comes next is told");
    assert!(next.text.contains("daifa decide propose B1 credited"), "{}", next.text);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "two people have said otherwise");
    assert_eq!(house.texts(STATES).await, ["accepted"]);
    recut(&house).await.expect_err("it was paid");
    decided(&mut house, Subject::Batch(BatchNo(1)), Verdict::Credited).await;
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert_eq!(house.files.batches().len(), 1, "nothing went again");
    assert_eq!(house.state(1).await, "closed");
    house.sound().await;
}

/// They were wrong, and say so: the batch is unsent again.
#[tokio::test]
async fn i1_a_refusal_that_two_people_took_back_comes_back_by_two_people_alone() {
    let (mut house, _) = answered(Answer::Refused).await;
    decided(&mut house, FIRST, Verdict::Received).await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    decided(&mut house, FIRST, Verdict::Never).await;
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    assert_eq!(recut(&house).await, Ok(3));
    let why = refused(&house, FIRST, Verdict::Received).await;
    assert!(why.contains("cut again"), "{why}");
    house.live(20 * MINUTE, MINUTE).await;
    house.files.leave_all(1);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

/// A refund that the bank refused and of which it says more is not asked for again by itself.
#[tokio::test]
async fn i8_a_refused_refund_of_which_more_is_said_is_frozen_until_two_people_decide() {
    for made in [true, false] {
        let mut house = House::open().await;
        house.files.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
        house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
        house.files.next(Turn::Say(Answer::Refused));
        house.files.leave_all(0);
        house.live(20 * MINUTE, MINUTE).await;
        let reference = house.files.refunds()[0].reference.clone();
        let kind = MessageKind::RefundAnswer;
        house.files.leave(house.files.say(kind, &reference, Answer::Done, "", &[], "9"));
        house.live(5 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.five(1).await, [0, 0, 202, 101, 0]);
        assert!(house.alert("contradiction").await.is_some());
        assert_eq!(house.files.refunds().len(), 1, "it may have been made");
        let said = if made { Verdict::Received } else { Verdict::Never };
        decided(&mut house, Subject::Attempt(AttemptNo(2)), said).await;
        dismiss_all(&mut house).await;
        house.live(5 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
        assert_eq!(house.files.refunds().len(), if made { 1 } else { 2 });
        for recipient in ["finance", "department", "town"] {
            assert_eq!(house.county.told("refund", recipient).len(), 1, "{recipient}, {made}");
        }
        assert!(house.alert("refund_refused").await.is_none());
        assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
        assert!(undecided(house.ctx(), 9).await.expect("reads").aside.is_empty());
        assert_eq!(house.state(1).await, "closed");
        house.sound().await;
    }
}

#[tokio::test]
async fn i10_a_refusal_behind_results_is_kept_and_over_once_it_is_dismissed() {
    let (mut house, reference) = answered(Answer::Accepted).await;
    house.files.leave_all(0);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    let kind = MessageKind::Acknowledgement;
    house.files.leave(house.files.say(kind, &reference, Answer::Refused, "", &[], "2"));
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("contradiction").await.is_some());
    assert_eq!(undecided(house.ctx(), 9).await.expect("reads").aside.len(), 1, "it is kept");
    dismiss_all(&mut house).await;
    assert!(house.alert("contradiction").await.is_none());
    house.sound().await;
}

/// What cannot be frozen, since something of it moved, is not asked for again either.
#[tokio::test]
async fn i8_what_is_left_of_a_refused_refund_waits_where_the_bank_says_more() {
    let mut house = House::open().await;
    for number in [2, 3] {
        house.files.fate(&person(number).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    }
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    house.files.next(Turn::Say(Answer::Refused));
    house.files.leave_all(0);
    house.live(20 * MINUTE, MINUTE).await;
    let (batch, refund) =
        (house.files.batches()[0].reference.clone(), house.files.refunds()[0].reference.clone());
    house.files.fate(&person(2).account, Fate::Credited);
    let rows = house.files.told(&batch, MessageKind::Result);
    house.files.leave_result(&batch, &rows, "8");
    let kind = MessageKind::RefundAnswer;
    house.pass(MINUTE).await;
    let payment = PaymentId { register: RegisterNo(1), line: 2 };
    decided(&mut house, Subject::Payment(payment), Verdict::Credited).await;
    house.files.leave(house.files.say(kind, &refund, Answer::Done, "", &[], "9"));
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.files.refunds().len(), 1, "it may have been made");
    assert!(house.alert("contradiction").await.is_some());
    dismiss_all(&mut house).await;
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.files.refunds().len(), 2, "two people have looked");
    house.sound().await;
}

/// A second message behind an answer on a line: it is kept for people, and nothing is done by it.
#[tokio::test]
async fn f52_what_comes_behind_an_answer_on_a_line_is_kept_and_decides_nothing() {
    let mut house = House::open().await;
    (0..99).for_each(|_| house.calls.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    let reference = house.calls.batches()[0].reference.clone();
    let kind = MessageKind::Acknowledgement;
    let refusal = house.calls.body(kind, &reference, Answer::Refused, "", &[]);
    house.calls.book().unasked = vec![refusal, Bytes::from_static(b"<no message>")];
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    assert_eq!(house.texts("SELECT state FROM result ORDER BY result_no").await, ["held", "held"]);
    assert!(house.alert("result_held").await.is_some());
    assert!(house.calls.book().unasked.is_empty());
    house.sound().await;
}

/// The same behind a refusal: it says that the bank did what it refused.
#[tokio::test]
async fn f52_what_comes_behind_a_refusal_on_a_line_freezes_what_was_refused() {
    let mut house = House::open().await;
    (0..99).for_each(|_| house.calls.reply(Reply::Fail));
    house.calls.next(Turn::Say(Answer::Refused));
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    let reference = house.calls.batches()[0].reference.clone();
    let kind = MessageKind::Acknowledgement;
    let accepted = house.calls.body(kind, &reference, Answer::Accepted, "", &[]);
    house.calls.book().unasked = vec![accepted];
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
    assert!(house.alert("contradiction").await.is_some());
    recut(&house).await.expect_err("it may be paid");
    house.sound().await;
}

/// The operator had the batch cut anew, and then the bank says that it has the first one.
#[tokio::test]
async fn i1_what_was_cut_anew_stays_here_where_the_bank_says_more_of_what_it_refused() {
    for made in [false, true] {
        let (mut house, _) = answered(Answer::Refused).await;
        (0..99).for_each(|_| house.files.reply(Reply::Fail));
        assert_eq!(recut(&house).await, Ok(3));
        if made {
            house.only(Step::Convert).await;
        }
        house.files.leave_all(0);
        house.only(Step::Collect).await;
        assert_eq!(house.holds(1).await.len(), 3, "set aside");
        house.live(5 * HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.batches().len(), 1, "nobody is paid twice");
        assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
        assert!(house.alert("contradiction").await.is_some());
        house.sound().await;
        dismiss_all(&mut house).await;
        assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(house.files.batches().len(), 1, "until a person releases it");
        let line = PaymentId { register: RegisterNo(1), line: 2 };
        let now = house.ctx().now_ms();
        house
            .store()
            .decide_hold(line, Decision::Release, "op", "looked at", now)
            .await
            .expect("can be said");
        house.live(HOUR, 10 * MINUTE).await;
        assert_eq!(
            house.files.batches().len(),
            2,
            "what two people looked at goes where one releases it"
        );
        assert_eq!(house.five(1).await, [202, 101, 0, 0, 0]);
        house.sound().await;
    }
}

/// What was missed, or is released by one person, is found before it leaves.
#[tokio::test]
async fn i1_nothing_leaves_that_may_have_been_paid_under_an_earlier_revision() {
    let (mut house, _) = answered(Answer::Refused).await;
    (0..99).for_each(|_| house.files.reply(Reply::Fail));
    house.county.offer(second());
    house.only(Step::Intake).await;
    house.files.leave_all(0);
    house.only(Step::Collect).await;
    for line in [1, 4] {
        release(&house, line, "urgent").await;
    }
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "closed", "accepted"], "withdrawn");
    assert_eq!(house.five(2).await, [406, 104, 0, 0, 0], "but for the line that is new");
    assert_eq!(house.holds(2).await.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    house.sound().await;
    // A revision that another one replaced has a batch that did not leave: it stays.
    let (mut house, _) = answered(Answer::Refused).await;
    (0..99).for_each(|_| house.files.reply(Reply::Fail));
    (0..3).for_each(|_| house.files.next(Turn::NotSent));
    house.take(second()).await;
    assert_eq!(house.texts(STATES).await, ["refused", "not_sent"]);
    house.county.offer(Draft::new("A", 3).lines(FILES, 1).declared());
    house.only(Step::Intake).await;
    house.files.leave_all(0);
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "closed"], "what may be paid stays here");
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
    assert_eq!(house.five(2).await, [0, 0, 0, 0, 0], "the third revision has it");
    house.sound().await;
    decided(&mut house, Subject::Batch(BatchNo(1)), Verdict::Credited).await;
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "closed"]);
    house.sound().await;
}

/// A revision that finance took back has a batch that did not leave: what is in it is leftover, and waits.
#[tokio::test]
async fn i8_what_did_not_leave_of_a_revision_that_was_taken_back_is_leftover_that_waits() {
    let (mut house, _) = answered(Answer::Refused).await;
    (0..99).for_each(|_| house.files.reply(Reply::Fail));
    (0..3).for_each(|_| house.files.next(Turn::NotSent));
    house.take(Draft::new("A", 2).lines(FILES, 3).declared()).await;
    assert_eq!(house.texts(STATES).await, ["refused", "not_sent"]);
    house.county.revoke("A", 2);
    house.only(Step::Intake).await;
    house.files.leave_all(0);
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.texts(STATES).await, ["accepted", "closed"]);
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
    assert_eq!(house.five(2).await, [0, 0, 0, 303, 0], "it does not go back before it is settled");
    house.sound().await;
    decided(&mut house, FIRST, Verdict::Never).await;
    house.files.book().replies.clear();
    house.live(5 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(2).await, [0, 0, 0, 0, 303]);
    house.sound().await;
}

/// What failed in a batch that the bank contradicted, and that is settled since, is paid by a later revision like any other.
#[tokio::test]
async fn f61_what_failed_in_a_batch_that_was_doubted_once_is_paid_by_a_later_revision() {
    let (mut house, _) = answered(Answer::Refused).await;
    (0..99).for_each(|_| house.files.reply(Reply::Fail));
    let account = person(2).account;
    house.files.book().fates.insert(account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.files.leave_all(0);
    house.only(Step::Collect).await;
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "frozen");
    house.files.leave_all(0);
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.alert("contradiction").await.is_none(), "{:?}", house.alerts().await);
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.take(Draft::new("A", 2).lines(FILES, 3).declared()).await;
    assert_eq!(house.holds(2).await.keys().copied().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(house.files.batches().len(), 2, "the second line goes out");
    assert_eq!(house.five(2).await, [202, 101, 0, 0, 0]);
    house.sound().await;
}

/// The results of the first batch, each credit under a number of the bank that begins so.
fn numbered(house: &House, begin: &str) -> (String, Vec<Told>) {
    let reference = house.files.batches()[0].reference.clone();
    let told = house.files.told(&reference, MessageKind::Result).into_iter();
    let number = |row: Told| Told { number: format!("{begin}{}", row.ordinal), ..row };
    (reference, told.map(number).collect())
}

/// Three payments that the bank says it does not find, and credits twice, since it keeps no watch over doubles.
async fn paid_twice() -> House {
    let mut house = House::open().await;
    house.files.book().no_dedup = true;
    house.files.next(Turn::Lose { booked: true });
    (0..60).for_each(|_| house.files.reply(Reply::Say(Answer::NotFound)));
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    for _ in 0..60 {
        house.pass(MINUTE).await;
        if house.files.batches().len() == 2 {
            break;
        }
    }
    assert!(house.files.credits().values().all(|times| *times == 2), "it paid twice");
    house
}

const ASIDE: &str = "SELECT line || ' ' || cause FROM quarantine ORDER BY result_no, line";

async fn tell(house: &mut House, kind: MessageKind, rows: &[Told], serial: &str) {
    let (reference, _) = numbered(house, "");
    let parts = house.files.say(kind, &reference, Answer::Done, "", rows, serial);
    house.files.leave(parts);
    house.run().await;
}

#[tokio::test]
async fn f31_a_second_credit_that_shows_up_after_a_resend_is_told_of_and_two_people_look() {
    let mut house = paid_twice().await;
    let result = MessageKind::Result;
    let [(_, first), (_, second), (_, third)] =
        ["A", "B", "C"].map(|begin| numbered(&house, begin));
    tell(&mut house, result, &first[..2], "1").await;
    tell(&mut house, result, &first, "2").await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("paid_twice").await.is_none(), "told again is not paid again");
    let mut aside = Vec::new();
    for (rows, serial, new) in
        [(&second[1..2], "3", 1), (&second[1..2], "4", 0), (&second, "5", 2), (&third[..1], "6", 1)]
    {
        tell(&mut house, result, rows, serial).await;
        aside.extend(vec!["credited_twice"; new]);
        let told = house.texts("SELECT cause FROM quarantine").await;
        assert_eq!(told, aside, "each of them once");
        let alert = house.alert("paid_twice").await.expect("somebody is told");
        let lines = if serial < "5" { 1 } else { 3 };
        assert!(alert.text.contains(&format!("报 {lines} 笔已入账")), "{}", alert.text);
        assert_eq!(house.five(1).await, [0, 0, 303, 0, 0], "the books stay as they are");
    }
    assert_eq!(house.files.waiting(), 0, "all are put away");
    house.sound().await;
    // It stands until people have looked, whatever the bank says again.
    tell(&mut house, result, &first, "7").await;
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.alert("paid_twice").await.is_some());
    dismiss_all(&mut house).await;
    assert!(house.alert("paid_twice").await.is_none(), "{:?}", house.alerts().await);
    house.finished().await;
}

/// The second credit is taken back: that is no return of the first one, whose money stays where it is.
#[tokio::test]
async fn f31_what_takes_a_second_credit_back_moves_no_money() {
    let mut house = paid_twice().await;
    let back = |rows: &[Told]| -> Vec<Told> {
        let (kind, reason) = (MessageKind::LateReturn, Some(Reason::Returned));
        let code = house.files.code(kind, Some(OutcomeKind::Returned), reason);
        rows.iter().map(|row| Told { code: code.clone(), ..row.clone() }).collect()
    };
    let [(_, first), (_, second)] = ["A", "B"].map(|begin| numbered(&house, begin));
    let (first_back, second_back) = (back(&first), back(&second));
    tell(&mut house, MessageKind::Result, &first, "1").await;
    tell(&mut house, MessageKind::Result, &second, "2").await;
    let late = MessageKind::LateReturn;
    tell(&mut house, late, &second_back[..1], "3").await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0], "the card has it once");
    assert_eq!(house.texts(ASIDE).await.last().expect("aside"), "1 returned_one_of_two");
    assert!(house.alert("paid_twice").await.is_some(), "it stands all the same");
    // The bank may keep the second and take the first one back: the card still has the money.
    tell(&mut house, late, &first_back[1..2], "4").await;
    dismiss_all(&mut house).await;
    assert!(house.alert("paid_twice").await.is_none());
    // It comes back after people have looked: it is not what finance approved either.
    tell(&mut house, late, &second_back[2..], "5").await;
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome WHERE kind = 'returned'").await, 0);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("quarantine").await.is_some(), "and somebody is told");
    dismiss_all(&mut house).await;
    house.finished().await;
}

#[tokio::test]
async fn f31_a_first_credit_without_a_number_hides_no_second_one() {
    let mut house = paid_twice().await;
    for (begin, twice) in [("", 0), ("A", 0), ("", 0), ("B", 3)] {
        let (_, mut rows) = numbered(&house, begin);
        if begin.is_empty() {
            for row in &mut rows {
                row.number.clear();
            }
        }
        let serial = format!("{begin}{}", house.clock.now_ms());
        tell(&mut house, MessageKind::Result, &rows, &serial).await;
        house.clock.advance_ms(1);
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, twice, "{begin:?}");
    }
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.alert("paid_twice").await.is_some());
    house.sound().await;
}

#[tokio::test]
async fn f31_what_was_handed_over_once_is_not_paid_twice_whatever_it_is_called() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    for begin in ["A", "B"] {
        let (reference, rows) = numbered(&house, begin);
        house.files.leave_result(&reference, &rows, begin);
        house.run().await;
    }
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
    assert_eq!(house.number("SELECT COUNT(*) FROM payment_serial").await, 0, "nor is it kept");
    house.finished().await;
    // Nor was what was tried twice and left once.
    let mut house = House::open().await;
    house.files.next(Turn::NotSent);
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.number("SELECT sends FROM attempt").await, 2);
    for begin in ["A", "B"] {
        let (_, rows) = numbered(&house, begin);
        tell(&mut house, MessageKind::Result, &rows, begin).await;
    }
    assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0);
    house.finished().await;
}
