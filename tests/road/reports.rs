//! Reports and settling: everybody is told what concerns them until they have it, and leftover goes
//! back without waiting for money in flight.

use std::collections::BTreeMap;

use bytes::Bytes;
use daifa::finance::Verdict;
use daifa::flow::{Progress, Step};
use daifa::format::MessageKind;
use daifa::model::money::Fen;
use daifa::model::payment::Line;
use daifa::model::reason::Reason;
use serde_json::{Value, json};

use crate::counter::{Fate, Reply};
use crate::county::{DEPARTMENT, Draft, Ear, OTHER_TOWN, TOWN, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, SECOND};

/// The lines of the reports of a kind that one recipient got.
fn lines(house: &House, kind: &str, recipient: &str, name: &str) -> Vec<i64> {
    let told = house.county.told(kind, recipient).into_iter();
    told.filter(|one| one.head()["recipient"]["name"] == name)
        .flat_map(|one| one.rows())
        .map(|row| row["line"].as_i64().expect("a line"))
        .collect()
}

#[tokio::test]
async fn i15_failures_go_out_as_each_result_is_applied() {
    let mut house = House::open().await;
    house.rows_max = 2;
    house.restart().await;
    house
        .files
        .fate(&person(2).account, Fate::Failed(Reason::NameMismatch, "户名不符，原户名为[赵钱孙]"));
    house.take(Draft::new("A", 1).lines(FILES, 4).declared()).await;
    house.files.leave_all(0);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 205, 100, 101, 0], "the second batch is open");
    for (recipient, name) in [("finance", ""), ("department", DEPARTMENT), ("town", TOWN)] {
        assert_eq!(lines(&house, "results", recipient, name), [1, 2], "{recipient}");
    }
    let report = house.county.told("results", "town").pop().expect("told");
    let failed = &report.rows()[1];
    let failure = &failed["failure"];
    let payee = person(2);
    assert_eq!(failed["outcome"], "failed");
    assert_eq!(failed["amount"], "101.00");
    assert_eq!(failure["name"], payee.name);
    assert_eq!(failure["document_number"], payee.document_number);
    assert_eq!(failure["account"], payee.account);
    assert_eq!((&failure["reason"], &failure["code"]), (&json!("name_mismatch"), &json!("1002")));
    assert_eq!(
        (&failure["actor"], &failure["bank_text"]),
        (&json!("town"), &json!("户名不符，原户名为[***]"))
    );
    assert!(!failure["remedy"].as_str().expect("words").is_empty());
    house.files.leave_all(1);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 305, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn a_town_sees_its_own_people_alone() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1)
        .lines(FILES, 4)
        .line(2, |line| line.village = format!("{OTHER_TOWN}001"))
        .line(4, |line| line.village = format!("{OTHER_TOWN}002"));
    for number in [1, 2] {
        house.files.fate(&person(number).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    }
    house.take(draft.declared()).await;
    house.files.leave_all(0);
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(lines(&house, "results", "town", TOWN), [1, 3]);
    assert_eq!(lines(&house, "results", "town", OTHER_TOWN), [2, 4]);
    assert_eq!(lines(&house, "results", "finance", ""), [1, 2, 3, 4]);
    assert_eq!(lines(&house, "refund", "town", TOWN), [1]);
    assert_eq!(lines(&house, "refund", "town", OTHER_TOWN), [2]);
    // And nothing of the others' in any other way.
    for told in house.county.deliveries() {
        let recipient = &told.head()["recipient"];
        if recipient["kind"] == "town" {
            let text = std::str::from_utf8(&told.body).expect("UTF-8").to_owned();
            let other = if recipient["name"] == TOWN { 2 } else { 1 };
            assert!(!text.contains(&person(other).name), "{text}");
            assert!(!text.contains(&person(other).account), "{text}");
        }
    }
    house.finished().await;
}

#[tokio::test]
async fn reports_are_repeated_with_the_same_bytes_until_they_are_taken() {
    let mut house = House::open().await;
    house.county.ear(Ear::Lossy);
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    let draft = Draft::new("A", 1).lines(FILES, 4).line(3, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    house.files.leave_all(0);
    house.live(5 * MINUTE, 10 * SECOND).await;
    // Meanwhile more happens: a return, a decision, a restart.
    house.files.book().returned.push(person(2).account);
    let reference = house.files.batches()[0].reference.clone();
    let back = house.files.told(&reference, MessageKind::LateReturn);
    let parts = house.files.say(
        MessageKind::LateReturn,
        &reference,
        daifa::model::attempt::Answer::Done,
        "",
        &back,
        "",
    );
    house.files.leave(parts);
    house.county.decide("A", 1, 3, Verdict::Drop);
    house.live(30 * MINUTE, MINUTE).await;
    house.restart().await;
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert!(house.alert("report").await.is_some());
    house.county.ear(Ear::Open);
    house.live(HOUR, 10 * MINUTE).await;
    let mut by_id: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
    for told in house.county.deliveries() {
        by_id.entry(told.id).or_default().push(told.body);
    }
    let repeated = by_id.values().map(|bodies| bodies.len() - 1).sum::<usize>();
    assert!(repeated > 10, "they were repeated: {repeated}");
    for (id, bodies) in &by_id {
        assert!(bodies.iter().all(|body| body == &bodies[0]), "{id} says another thing");
    }
    assert!(house.alert("report").await.is_none(), "they were taken");
    assert_eq!(house.five(1).await, [0, 0, 103, 0, 303]);
    house.finished().await;
}

#[tokio::test]
async fn f53_finance_is_down_for_a_while_and_money_goes_on() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    house.county.ear(Ear::Down);
    house.county.reachable(false);
    house.files.leave_all(0);
    house.live(20 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    assert!(house.reports_due().await > 0);
    // The page says which side it is.
    let kinds = house.texts("SELECT DISTINCT kind FROM alert WHERE cleared_at_ms IS NULL").await;
    assert!(kinds.contains(&"finance".to_owned()), "{kinds:?}");
    assert!(!kinds.contains(&"not_sent".to_owned()), "{kinds:?}");
    // A try now and then, not a storm.
    let tries = house.county.deliveries().len();
    assert!(tries < 20 * 6 * 12, "{tries}");
    house.county.ear(Ear::Open);
    house.county.reachable(true);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.state(1).await, "closed");
    assert!(house.alerts().await.is_empty(), "{:?}", house.alerts().await);
    house.finished().await;
}

#[tokio::test]
async fn a_report_that_finance_refuses_is_told_to_a_person() {
    let mut house = House::open().await;
    house.county.ear(Ear::Refusing);
    house.take(Draft::new("A", 1).lines(FILES, 1).declared()).await;
    house.live(HOUR, MINUTE).await;
    let alert = house.alert("report").await.expect("an alert");
    assert!(alert.text.contains("422"), "{}", alert.text);
    house.county.ear(Ear::Open);
    house.live(HOUR, MINUTE).await;
    house.files.leave_all(0);
    house.live(5 * MINUTE, MINUTE).await;
    house.finished().await;
}

#[tokio::test]
async fn i8_settle_time_gives_back_what_is_leftover_and_leaves_what_is_in_flight() {
    let mut house = House::open().await;
    house.calls.fate(&person(1).account, Fate::Processing);
    house.calls.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.live(71 * HOUR, HOUR).await;
    assert!(house.calls.refunds().is_empty());
    assert_eq!(house.five(1).await, [0, 100, 102, 101, 0]);
    house.live(2 * HOUR, HOUR).await;
    assert_eq!(house.five(1).await, [0, 100, 102, 0, 101]);
    assert_eq!(lines(&house, "refund", "finance", ""), [2]);
    assert!(house.county.told("closing", "finance").is_empty());
    house.sound().await;
    // The last one fails too: a further refund.
    house.calls.fate(&person(1).account, Fate::Failed(Reason::AccountFrozen, "冻结"));
    house.live(2 * HOUR, HOUR).await;
    assert_eq!(house.five(1).await, [0, 0, 102, 0, 201]);
    assert_eq!(house.calls.refunds().len(), 2);
    assert_eq!(house.county.told("closing", "finance").len(), 1);
    house.finished().await;
}

#[tokio::test]
async fn the_closing_account_says_what_became_of_everything() {
    let mut house = House::open().await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    let draft = Draft::new("A", 1)
        .lines(FILES, 5)
        .line(3, |line| line.village = "x".to_owned())
        .line(4, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    house.county.decide("A", 1, 3, Verdict::Drop);
    house.county.decide("A", 1, 4, Verdict::Release);
    house.run().await;
    house.files.leave_all(0);
    house.files.leave_all(1);
    house.live(5 * MINUTE, MINUTE).await;
    let about =
        house.county.told("closing", "finance").pop().expect("told").head()["about"].clone();
    let expected = [
        ("approved_sum", json!("510.00")),
        ("credited_sum", json!("308.00")),
        ("refunded_sum", json!("202.00")),
        ("disputed_sum", json!("0.00")),
        ("withdrawn_sum", json!("0.00")),
    ];
    for (name, value) in expected {
        assert_eq!(about[name], value, "{name}");
    }
    let counts = &about["counts"];
    let of = |name: &str| counts[name].as_i64();
    assert_eq!((of("payments"), of("credited"), of("failed")), (Some(5), Some(3), Some(1)));
    assert_eq!((of("dropped"), of("set_aside"), of("withdrawn")), (Some(1), Some(2), Some(0)));
    for recipient in ["department", "town"] {
        assert_eq!(house.county.told("closing", recipient).len(), 1);
    }
    house.finished().await;
}

/// A register of one line that replaces a payment, for the same programme and period.
fn again(id: &str, replaces: (&str, i64)) -> Draft {
    let draft = Draft::new(id, 1).lines(CALLS, 1).head(|head| head.period = "2026-A".to_owned());
    let again = |line: &mut Line| {
        line.person = person(2);
        line.amount = Fen::new(10_100);
    };
    draft.line(1, again).replacing(1, replaces.0, 1, replaces.1)
}

/// A register whose second line failed and is back.
async fn failed_once() -> House {
    let mut house = House::open().await;
    house.calls.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 100, 0, 101]);
    house
}

#[tokio::test]
async fn a_failed_payment_is_released_again_and_its_chain_is_kept() {
    let mut house = failed_once().await;
    house.take(again("B", ("A", 2)).declared()).await;
    assert!(house.holds(2).await.is_empty());
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.five(2).await, [0, 0, 0, 0, 101]);
    house.calls.fate(&person(2).account, Fate::Credited);
    house.take(again("C", ("B", 1)).declared()).await;
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.five(3).await, [0, 0, 101, 0, 0]);
    let (first, second, third) =
        (house.life(1, 2).await, house.life(2, 1).await, house.life(3, 1).await);
    assert_eq!(first.replaced_by.map(|id| id.to_string()).as_deref(), Some("R2-1"));
    let number = |life: &daifa::store::life::Life| {
        life.replaces.map(|(id, number)| (id.to_string(), number))
    };
    assert_eq!(number(&second), Some(("R1-2".to_owned(), 2)));
    assert_eq!(number(&third), Some(("R2-1".to_owned(), 3)));
    let row = |id: &str| -> Value {
        let told = house.county.told("results", "finance").into_iter();
        let mut mine = told.filter(|one| one.head()["register"] == id);
        mine.next().expect("told").rows()[0].clone()
    };
    assert_eq!(row("A").get("attempt_number"), None);
    assert_eq!(row("B")["attempt_number"], 2);
    assert_eq!(row("C")["attempt_number"], 3);
    assert_eq!(row("C")["replaces"], json!({ "register": "B", "revision": 1, "line": 1 }));
    house.finished().await;
}

#[tokio::test]
async fn what_replaces_a_payment_whose_money_is_not_back_is_set_aside() {
    let mut house = House::open().await;
    house.calls.fate(&person(1).account, Fate::Processing);
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house.live(20 * MINUTE, MINUTE).await;
    // In flight; credited; not there at all; there at another finance.
    let other = house.another_county("province").await;
    for (id, replaces) in [("B", ("A", 1)), ("C", ("A", 2)), ("D", ("A", 9)), ("E", ("X", 1))] {
        house.county.offer(again(id, replaces).declared());
    }
    other.offer(again("F", ("A", 2)).head(|head| head.period = "other".to_owned()).declared());
    house.run().await;
    for register in 2..=6 {
        let holds = house.holds(register).await;
        assert_eq!(holds.get(&1).map(String::as_str), Some("replaced_not_open"), "R{register}");
    }
    assert_eq!(house.calls.batches().len(), 1);
    house.sound().await;
}

#[tokio::test]
async fn i20_what_is_released_again_with_another_amount_is_set_aside() {
    let mut house = failed_once().await;
    house.calls.fate(&person(2).account, Fate::Credited);
    let other = again("B", ("A", 2)).line(1, |line| line.amount = Fen::new(1_010_000));
    house.take(other.declared()).await;
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.holds(2).await.get(&1).map(String::as_str), Some("replaced_amount"));
    let hold = house.page(2).await.holds.pop().expect("a hold");
    assert_eq!(hold.detail, "原明细 R1-2 为 101.00 元，本行为 10,100.00 元");
    assert_eq!(house.five(2).await, [10_100, 0, 0, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn one_failed_payment_is_released_again_once() {
    let mut house = failed_once().await;
    house.calls.fate(&person(2).account, Fate::Credited);
    // Twice in one register, and once more in another, each for a period of its own.
    let mut twice = again("B", ("A", 2));
    twice = twice.lines(CALLS, 1).line(2, |line| line.person = person(50)).replacing(2, "A", 1, 2);
    twice = twice.line(2, |line| line.amount = Fen::new(10_100));
    house.take(twice.head(|head| head.period = "later".to_owned()).declared()).await;
    house
        .take(again("C", ("A", 2)).head(|head| head.period = "latest".to_owned()).declared())
        .await;
    house.live(20 * MINUTE, MINUTE).await;
    assert_eq!(house.holds(2).await.keys().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(house.holds(3).await.get(&1).map(String::as_str), Some("replaced_not_open"));
    assert_eq!(house.five(2).await, [101, 0, 101, 0, 0]);
    assert_eq!(house.five(3).await, [101, 0, 0, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn a_bank_that_says_nothing_for_ever_is_not_silent_here() {
    let mut house = House::open().await;
    (0..5_000).for_each(|_| house.calls.reply(Reply::Fail));
    house.take(Draft::new("A", 1).lines(CALLS, 1).declared()).await;
    house.live(100 * HOUR, HOUR).await;
    assert_eq!(house.five(1).await, [0, 100, 0, 0, 0]);
    assert!(house.alert("deadline").await.is_some());
    house.sound().await;
}

#[tokio::test]
async fn a_report_that_was_taken_is_work() {
    let mut house = House::open().await;
    house.county.offer(Draft::new("A", 1).lines(CALLS, 1).declared());
    house.only(Step::Intake).await;
    // The metric of the step counts what came of it.
    assert_eq!(house.step(Step::Report).await.expect("goes on"), Progress::More);
    assert_ne!(house.step(Step::Report).await.expect("goes on"), Progress::More);
    house.county.ear(Ear::Down);
    house.only(Step::Convert).await;
    assert_ne!(house.step(Step::Report).await.expect("goes on"), Progress::More);
    house.sound().await;
}
