//! A register that can be identified is accepted or refused with its reasons; only what passes by itself
//! is tried again.

use daifa::finance::Verdict;
use daifa::model::money::Fen;
use daifa::model::register::RegisterHead;
use serde_json::{Value, json};

use crate::county::{Bad, Delivery, Draft};
use crate::house::{FILES, HOUR, House, MINUTE};

fn draft(id: &str) -> Draft {
    Draft::new(id, 1).lines(FILES, 3)
}

/// What finance does wrong.
type Change<T> = fn(&mut T);

/// (line, field) of the faults that a receipt lists.
fn places(receipt: &Delivery) -> Vec<(Option<i64>, String)> {
    let place =
        |row: &Value| (row["line"].as_i64(), row["field"].as_str().expect("text").to_owned());
    receipt.rows().iter().map(place).collect()
}

/// What finance was told of the only register, which was refused; nothing is tried again.
async fn receipt(house: &mut House) -> Delivery {
    let calls = house.county.calls();
    house.live(3 * HOUR, 10 * MINUTE).await;
    // A list and the decisions each half hour or more often; no head and no line.
    assert!(house.county.calls() - calls <= 2 * 18, "{}", house.county.calls() - calls);
    assert_eq!(house.state(1).await, "refused");
    assert_eq!(house.number("SELECT COUNT(*) FROM unread").await, 0);
    assert_eq!(house.number("SELECT COUNT(*) FROM payment").await, 0);
    assert!(house.alert("unread").await.is_none());
    let mut told = house.county.told("receipt", "finance");
    assert_eq!(told.len(), 1);
    let receipt = told.remove(0);
    let head = receipt.head();
    assert_eq!((&head["about"]["accepted"], &head["register"]), (&json!(false), &json!("A")));
    for row in receipt.rows() {
        assert!(row["what"].as_str().expect("text").contains('请'), "{row}");
    }
    house.sound().await;
    receipt
}

#[tokio::test]
async fn f63_a_head_that_is_none_is_refused_with_every_fault_and_never_tried_again() {
    let changes: [(Change<Value>, &[&str]); 5] = [
        (|head| head["declared_sum"] = json!("99999999999999999999.00"), &["declared_sum"]),
        (|head| head["declared_count"] = json!(1e20), &["declared_count"]),
        (|head| head["summary"] = json!("地力\u{0}补贴"), &["summary"]),
        (|head| head["more"] = json!(1), &["id"]),
        (
            |head| {
                head["declared_sum"] = json!(303.0);
                head["approved_at"] = json!("yesterday");
                head.as_object_mut().expect("an object").remove("town");
            },
            &["town", "declared_sum", "approved_at"],
        ),
    ];
    for (change, fields) in changes {
        let mut house = House::open().await;
        house.county.offer(draft("A").declared());
        house.county.spell("A", 1, change);
        house.run().await;
        let told = places(&receipt(&mut house).await);
        let expected: Vec<_> = fields.iter().map(|field| (None, (*field).to_owned())).collect();
        assert_eq!(told, expected);
        // The page names it by what could be read.
        assert_eq!(house.page(1).await.row.programme_name, "耕地地力保护补贴");
        // Offered again it is the same; mended under the same revision it is another register.
        house.county.offer(draft("A").declared());
        house.county.spell("A", 1, change);
        house.run().await;
        assert_eq!(house.county.told("receipt", "finance").len(), 1);
        // A higher revision is what finance is asked for, and it is paid.
        house.take(Draft::new("A", 2).lines(FILES, 3).declared()).await;
        assert_eq!(house.five(2).await, [0, 303, 0, 0, 0]);
        house.sound().await;
    }
}

#[tokio::test]
async fn f43_a_line_that_is_too_long_is_refused_with_its_place() {
    let mut house = House::open().await;
    let long = draft("A").spelled(1, |line| line["name"] = json!("张".repeat(6_000)));
    let mut offer = long.signed();
    offer.head.declared_count = 3;
    offer.head.declared_sum = Fen::new(30_300);
    house.take(offer).await;
    // Count, sum and digest would be others too, and only because of it.
    assert_eq!(places(&receipt(&mut house).await), [(Some(2), "line".to_owned())]);
}

#[tokio::test]
async fn f38_a_register_without_its_last_line_end_is_refused_with_its_place() {
    let mut house = House::open().await;
    let mut offer = draft("A").declared();
    offer.unended = true;
    house.take(offer).await;
    assert_eq!(places(&receipt(&mut house).await), [(Some(3), "line".to_owned())]);
}

#[tokio::test]
async fn f63_what_follows_from_a_fault_is_not_told_beside_it() {
    let told = async |draft: Draft| {
        let mut house = House::open().await;
        let mut offer = draft.signed();
        offer.head.declared_count = 3;
        offer.head.declared_sum = Fen::new(30_300);
        house.take(offer).await;
        places(&receipt(&mut house).await)
    };
    let spelled = draft("A").spelled(1, |line| line["amount"] = json!("1,000.00"));
    assert_eq!(told(spelled).await, [(Some(2), "amount".to_owned())]);
    let nameless = draft("A").spelled(0, |line| line["name"] = json!(7));
    assert_eq!(told(nameless).await, [(Some(1), "name".to_owned())]);
}

#[tokio::test]
async fn f63_a_town_that_is_no_code_and_a_summary_with_what_nobody_sees() {
    let changes: [(Change<RegisterHead>, &str); 2] = [
        (|head: &mut RegisterHead| "泾洋街道".clone_into(&mut head.town), "town"),
        (|head: &mut RegisterHead| head.summary.push('\u{200b}'), "summary"),
    ];
    for (change, field) in changes {
        let mut house = House::open().await;
        house.take(draft("A").head(change).declared()).await;
        assert_eq!(places(&receipt(&mut house).await), [(None, field.to_owned())]);
    }
}

#[tokio::test]
async fn i15_a_register_that_finance_lists_and_never_gives_out_is_refused_within_a_day() {
    let mut house = House::open().await;
    house.county.offer(draft("A").declared());
    house.county.unreadable("A", 1, Some(Bad::Missing));
    house.live(12 * HOUR, 10 * MINUTE).await;
    assert!(house.county.told("receipt", "finance").is_empty());
    assert!(house.alert("unread").await.is_some());
    house.live(18 * HOUR, 10 * MINUTE).await;
    assert_eq!(places(&receipt(&mut house).await), [(None, "id".to_owned())]);
    // Not reached at all is another matter: that is waited for.
    let mut house = House::open().await;
    house.county.offer(draft("A").declared());
    house.county.unreadable("A", 1, Some(Bad::Breaks));
    house.live(40 * HOUR, 10 * MINUTE).await;
    assert!(house.county.told("receipt", "finance").is_empty());
    house.county.unreadable("A", 1, None);
    house.live(2 * HOUR, 10 * MINUTE).await;
    assert_eq!(house.state(1).await, "closed", "read at last, and paid");
    house.sound().await;
}

#[tokio::test]
async fn names_with_what_nobody_sees_are_set_aside_with_code_point_and_place() {
    let mut house = House::open().await;
    let named = draft("A")
        .line(1, |line| line.person.name = "张\u{200b}三".to_owned())
        .line(2, |line| line.person.name = "\u{feff}李四".to_owned())
        .line(3, |line| line.person.name = "王\u{a0}五".to_owned());
    house.take(named.declared()).await;
    house.live(HOUR, 10 * MINUTE).await;
    assert!(house.files.batches().is_empty());
    let page = house.page(1).await;
    let told: Vec<_> =
        page.holds.iter().map(|hold| (hold.reason.as_str(), hold.detail.as_str())).collect();
    let expected = [("U+200B", 2), ("U+FEFF", 1), ("U+00A0", 2)]
        .map(|(point, place)| format!("姓名第 {place} 个字符是 {point}，看不见或不应出现在这里"));
    assert_eq!(told, expected.each_ref().map(|detail| ("invisible", detail.as_str())));
    house.sound().await;
}

#[tokio::test]
async fn an_empty_name_is_called_empty() {
    let mut house = House::open().await;
    house.take(draft("A").line(2, |line| line.person.name.clear()).declared()).await;
    assert_eq!(house.holds(1).await.get(&2).map(String::as_str), Some("missing"));
    assert_eq!(house.page(1).await.holds[0].detail, "姓名没有填写");
    house.sound().await;
}

#[tokio::test]
async fn f65_a_decision_by_nobody_is_not_carried_out() {
    let mut house = House::open().await;
    house.take(draft("A").line(2, |line| line.village = "bad".to_owned()).declared()).await;
    for by in [" ", "财政岗\u{0}03"] {
        house.county.decide_as(by, "A", 1, 2, Verdict::Drop);
        house.pass(MINUTE).await;
    }
    let alerts = house.alerts().await.into_iter().filter(|alert| alert.kind == "decision");
    assert_eq!(alerts.count(), 2);
    assert_eq!(house.page(1).await.holds[0].event.as_str(), "placed");
    house.county.decide("A", 1, 2, Verdict::Drop);
    house.pass(MINUTE).await;
    assert_eq!(house.page(1).await.holds[0].event.as_str(), "dropped");
    house.sound().await;
}
