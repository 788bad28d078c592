//! Payments set aside: each reason from real input, and what becomes of them.

use std::collections::BTreeMap;

use daifa::finance::Verdict;
use daifa::flow::Step;
use daifa::model::hold::HoldReason;
use daifa::model::id::{PaymentId, RegisterNo};
use daifa::model::money::Fen;
use daifa::model::reason::Reason;
use daifa::store::holds::Decision;

use crate::counter::Fate;
use crate::county::{Delivery, Draft, OTHER_TOWN, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE, duty};

/// Reasons by line, as a test writes them.
fn reasons<const N: usize>(of: [(i64, HoldReason); N]) -> BTreeMap<i64, String> {
    of.into_iter().map(|(line, reason)| (line, reason.to_string())).collect()
}

/// One line for each reason that a single line shows, and a good one.
fn troubled() -> Draft {
    let rural = |at: i64, draft: Draft, change: &dyn Fn(&mut daifa::model::payment::Line)| {
        draft.line(at, change)
    };
    let mut draft = Draft::new("A", 1).lines(FILES, 9).lines(CALLS, 3);
    draft = rural(2, draft, &|line| {
        line.person.document_number = "110105194912310021".to_owned();
    });
    draft = rural(3, draft, &|line| line.village = "990728101001".to_owned());
    draft = rural(4, draft, &|line| line.person.account = "6228-4804".to_owned());
    draft = rural(5, draft, &|line| line.person.name = "阿".repeat(31));
    draft = rural(6, draft, &|line| line.bank = "nowhere".to_owned());
    draft = rural(7, draft, &|line| line.amount = Fen::new(1_000_000_000));
    draft = rural(8, draft, &|line| line.person.name = "张三 ".to_owned());
    draft = rural(9, draft, &|line| line.person = person(1));
    // GB18030 has this character, GBK has not.
    draft.line(11, |line| line.person.name = "张𬱖".to_owned())
}

#[tokio::test]
async fn a_single_payment_is_set_aside_and_the_rest_goes() {
    let mut house = House::open().await;
    house.take(troubled().replacing(12, "X", 1, 1).declared()).await;
    let expected = reasons([
        (2, HoldReason::IdCheckDigit),
        (3, HoldReason::RegionCode),
        (4, HoldReason::AccountShape),
        (5, HoldReason::TooWide),
        (6, HoldReason::BankUnknown),
        (7, HoldReason::NotAccepted),
        (8, HoldReason::Invisible),
        (9, HoldReason::Double),
        (11, HoldReason::NotEncodable),
        (12, HoldReason::ReplacedNotOpen),
    ]);
    assert_eq!(house.holds(1).await, expected);
    // Line 1 goes to one bank, line 10 to the other, and nothing else ever.
    house.live(2 * HOUR, 20 * MINUTE).await;
    assert_eq!(house.files.accounts(0), [person(1).account]);
    assert_eq!(house.calls.accounts(0), [person(10).account]);
    assert_eq!((house.files.batches().len(), house.calls.batches().len()), (1, 1));
    house.sound().await;
}

#[tokio::test]
async fn a_summary_that_the_bank_cannot_print_sets_its_payments_aside() {
    let mut house = House::open().await;
    let rare = Draft::new("A", 1).lines(FILES, 1).lines(CALLS, 1);
    house.take(rare.head(|head| head.summary = "𬱖补贴".to_owned()).declared()).await;
    assert_eq!(house.holds(1).await, reasons([(2, HoldReason::NotEncodable)]));
    let wide = Draft::new("B", 1).lines(FILES, 1);
    house.take(wide.head(|head| head.summary = "补".repeat(21)).declared()).await;
    assert_eq!(house.holds(2).await, reasons([(1, HoldReason::TooWide)]));
    house.sound().await;
}

#[tokio::test]
async fn luhn_is_only_a_warning() {
    let mut house = House::open().await;
    let passbook = Draft::new("A", 1).lines(FILES, 2).line(2, |line| {
        line.person.account = "27000000000000000011".to_owned();
    });
    house.take(passbook.declared()).await;
    assert!(house.holds(1).await.is_empty());
    let receipt = house.county.told("receipt", "finance").pop().expect("a receipt").head();
    let warnings = receipt["about"]["warnings"].as_array().expect("a list").len();
    assert_eq!(warnings, 1);
    assert_eq!(house.five(1).await, [0, 201, 0, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn the_list_says_what_exactly_is_wrong_and_with_which_other_payment() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 1).declared()).await;
    let draft = Draft::new("B", 1)
        .head(|head| head.period = "2026-A".to_owned())
        .lines(FILES, 6)
        .line(6, |line| line.person = person(2))
        .line(3, |line| line.person.name = "张\u{200b}三".to_owned())
        .line(4, |line| line.person.name = "阿".repeat(31))
        .line(5, |line| line.person.document_number = "990728197001010012".to_owned());
    house.take(draft.declared()).await;
    let list = house.county.told("set_aside", "town").pop().expect("a list");
    let texts: Vec<String> = list
        .rows()
        .iter()
        .map(|row| row["reason_text"].as_str().expect("text").to_owned())
        .collect();
    let expected = [
        "同一人、同一项目、同一期已发放或正在发放：与清册 A 第 1 版第 1 行（R1-1）是同一人、同一项目、同一期",
        "姓名中有看不见的字符：姓名第 2 个字符是 U+200B，看不见或不应出现在这里",
        "超过银行格式允许的长度：姓名需要 62 字节，该行文件只有 60 字节",
        "行政区划代码不存在：证件号码的前两位不是任何省份的代码",
        "同一人、同一项目、同一期已发放或正在发放：与本清册第 2 行是同一人、同一项目、同一期",
    ];
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn the_list_of_payments_set_aside_reaches_whom_it_concerns() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1)
        .lines(FILES, 3)
        .line(1, |line| line.person.account = "6228-4804".to_owned())
        .line(3, |line| {
            line.village = format!("{OTHER_TOWN}001");
            line.person.account = "1".to_owned();
        });
    house.take(draft.declared()).await;
    let lines = |recipient: &str, town: &str| -> Vec<i64> {
        let told = house.county.told("set_aside", recipient).into_iter();
        told.filter(|one| one.head()["recipient"]["name"] == town || town.is_empty())
            .flat_map(|one| one.rows())
            .map(|row| row["line"].as_i64().expect("a line"))
            .collect()
    };
    assert_eq!(lines("finance", ""), [1, 3]);
    assert_eq!(lines("department", ""), [1, 3]);
    assert_eq!(lines("town", crate::county::TOWN), [1]);
    assert_eq!(lines("town", OTHER_TOWN), [3]);
    let row = &house.county.told("set_aside", "finance")[0].rows()[0];
    assert_eq!(row["name"], person(1).name);
    assert_eq!(row["document_number"], person(1).document_number);
    assert_eq!(row["account"], "6228-4804");
    assert_eq!(row["reason"], "account_shape");
    house.sound().await;
}

#[tokio::test]
async fn released_payments_go_out_in_a_batch_that_lists_them() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1)
        .lines(FILES, 5)
        .line(2, |line| line.person = person(1))
        .line(4, |line| line.person = person(3));
    house.take(draft.declared()).await;
    assert_eq!(house.holds(1).await, reasons([(2, HoldReason::Double), (4, HoldReason::Double)]));
    assert_eq!(house.five(1).await, [204, 306, 0, 0, 0]);
    for line in [2, 4] {
        house.county.decide("A", 1, line, Verdict::Release);
    }
    house.pass(MINUTE).await;
    assert_eq!(house.files.batches().len(), 2);
    assert_eq!(house.files.accounts(1), [person(1).account, person(3).account]);
    assert_eq!(house.number("SELECT listed FROM batch WHERE batch_no = 2").await, 1);
    for at in [0, 1] {
        house.files.leave_all(at);
    }
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 510, 0, 0]);
    let life = house.life(1, 2).await;
    let told: Vec<&str> = life.events.iter().map(|event| event.what.as_str()).collect();
    assert!(told.iter().any(|what| what.contains("set aside: double")), "{told:?}");
    assert!(told.iter().any(|what| what.contains("released by 财政岗03")), "{told:?}");
    assert_eq!(life.standing, "credited");
    house.finished().await;
}

#[tokio::test]
async fn every_reason_can_be_dropped_and_its_money_goes_back() {
    let mut house = House::open().await;
    house.take(troubled().replacing(12, "X", 1, 1).declared()).await;
    house.files.leave_all(0);
    house.pass(20 * MINUTE).await;
    let total = house.places().await.approved;
    for line in house.holds(1).await.into_keys() {
        house.county.decide("A", 1, line, Verdict::Drop);
    }
    house.live(2 * HOUR, 20 * MINUTE).await;
    let places = house.places().await;
    assert_eq!(places.credited, Fen::new(10_000 + 10_900));
    assert_eq!(places.refundable, Fen::ZERO, "{:?}", house.alerts().await);
    assert_eq!(Fen::new(places.refunded.get() + places.credited.get()), total);
    assert_eq!(house.state(1).await, "closed");
    house.finished().await;
}

#[tokio::test]
async fn f56_a_released_payment_that_still_cannot_be_written_does_not_block_the_others() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1)
        .lines(CALLS, 4)
        .line(2, |line| line.person.name = "张𬱖".to_owned())
        .line(3, |line| line.person = person(1));
    let unfunded = draft.head(|head| head.funded_at_ms = None).declared();
    house.take(unfunded).await;
    // Finance releases both by mistake; the name is still one that the bank cannot write.
    for line in [2, 3] {
        house.county.decide("A", 1, line, Verdict::Release);
    }
    house.county.change("A", 1, |offer| offer.head.funded_at_ms = Some(crate::house::NOW));
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [101, 0, 305, 0, 0], "{:?}", house.alerts().await);
    // It is set aside again, finance is told so, and can drop it.
    let told = house.county.told("set_aside", "finance");
    let lines: Vec<_> = told.iter().map(Delivery::rows).collect();
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(
        (&lines[1][0]["line"], &lines[1][0]["reason"]),
        (&2.into(), &"not_encodable".into())
    );
    house.county.decide("A", 1, 2, Verdict::Drop);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 305, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn the_configured_time_drops_what_nobody_decided() {
    let mut house =
        House::with(daifa::flow::Duty { drop_held_after_ms: Some(5 * HOUR), ..duty() }).await;
    let draft = Draft::new("A", 1).lines(FILES, 3).line(2, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    house.files.leave_all(0);
    house.live(5 * HOUR, HOUR).await;
    assert_eq!(house.five(1).await, [101, 0, 202, 0, 0]);
    house.pass(MINUTE).await;
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    let by = "SELECT by_whom FROM hold WHERE event = 'dropped'";
    assert_eq!(house.texts(by).await, ["daifa"]);
    // Who decides now is too late, and is told so.
    house.county.decide("A", 1, 2, Verdict::Release);
    house.pass(MINUTE).await;
    assert!(house.alert("decision").await.is_some());
    assert_eq!(house.files.batches().len(), 1);
    house.finished().await;
}

#[tokio::test]
async fn a_decision_said_twice_is_one() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1)
        .lines(FILES, 4)
        .line(2, |line| line.village = "x".to_owned())
        .line(3, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    for _ in 0..2 {
        house.county.decide("A", 1, 2, Verdict::Release);
        house.county.decide("A", 1, 3, Verdict::Drop);
    }
    house.run().await;
    let id = PaymentId { register: RegisterNo(1), line: 2 };
    let now = house.ctx().now_ms();
    house.store().decide_hold(id, Decision::Release, "op", "again", now).await.expect("the same");
    assert!(house.alerts().await.is_empty());
    assert_eq!(house.number("SELECT COUNT(*) FROM hold").await, 4);
    assert_eq!(house.files.batches().len(), 2);
    house.files.leave_all(0);
    house.files.leave_all(1);
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 304, 0, 102]);
    house.finished().await;
}

#[tokio::test]
async fn a_decision_about_a_payment_that_is_not_set_aside_blocks_nothing() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1).lines(FILES, 3).line(2, |line| line.village = "x".to_owned());
    house.take(draft.declared()).await;
    house.county.decide("A", 1, 1, Verdict::Drop);
    house.county.decide("nobody", 1, 1, Verdict::Drop);
    house.county.decide("A", 1, 99, Verdict::Release);
    house.county.decide("A", 1, 2, Verdict::Release);
    house.county.decide("A", 1, 2, Verdict::Drop);
    house.run().await;
    // Four cannot be done, each is told, and the good one in between is.
    let told: Vec<_> = house.alerts().await.into_iter().filter(|a| a.kind == "decision").collect();
    assert_eq!(told.len(), 4);
    assert_eq!(house.files.batches().len(), 2);
    house.files.leave_all(0);
    house.files.leave_all(1);
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.finished().await;
}

#[tokio::test]
async fn doubles_inside_one_register_the_first_stays() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1).lines(FILES, 5).line(3, |line| line.person = person(1)).line(
        5,
        |line| {
            line.person = person(1);
            line.bank = CALLS.to_owned();
        },
    );
    house.take(draft.declared()).await;
    assert_eq!(house.holds(1).await, reasons([(3, HoldReason::Double), (5, HoldReason::Double)]));
    house.sound().await;
}

/// One person is one: with the old number of 15 digits, in small letters, under another name of the
/// document.
#[tokio::test]
async fn doubles_under_another_spelling_of_the_number() {
    let mut house = House::open().await;
    let numbered = |draft: Draft, line: i64, kind: &'static str, number: &'static str| {
        draft.line(line, move |line| {
            line.person.document_kind = kind.to_owned();
            line.person.document_number = number.to_owned();
        })
    };
    let mut draft = Draft::new("A", 1).lines(FILES, 4);
    draft = numbered(draft, 1, "id", "11010519491231002X");
    draft = numbered(draft, 2, "id", "110105491231002");
    draft = numbered(draft, 3, "id", "11010519491231002x");
    draft = numbered(draft, 4, "居民身份证", "11010519491231002X");
    house.take(draft.declared()).await;
    let double = |line| (line, HoldReason::Double);
    assert_eq!(house.holds(1).await, reasons([double(2), double(3), double(4)]));
    house.sound().await;
}

#[tokio::test]
async fn doubles_where_the_first_is_itself_set_aside() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1)
        .lines(FILES, 3)
        .line(1, |line| line.village = "x".to_owned())
        .line(3, |line| line.person = person(1));
    house.take(draft.declared()).await;
    // The first is not under way; the third may go.
    assert_eq!(house.holds(1).await, reasons([(1, HoldReason::RegionCode)]));
    house.sound().await;
}

#[tokio::test]
async fn doubles_across_registers_programmes_and_periods() {
    let mut house = House::open().await;
    let of = |id: &str, programme: &str, period: &str| {
        Draft::new(id, 1).lines(FILES, 2).head(|head| {
            head.programme_code = programme.to_owned();
            head.period = period.to_owned();
        })
    };
    house.take(of("A", "P01", "2026-07").declared()).await;
    house.take(of("B", "P01", "2026-08").declared()).await;
    house.take(of("C", "P02", "2026-07").declared()).await;
    assert!(house.holds(2).await.is_empty() && house.holds(3).await.is_empty());
    house.take(of("D", "P01", "2026-07").declared()).await;
    assert_eq!(house.holds(4).await, reasons([(1, HoldReason::Double), (2, HoldReason::Double)]));
    // A small x as check digit is the same person, and so is another card.
    let mut e = of("E", "P03", "2026-07");
    e.lines[0].person.document_number = "11010519491231002X".to_owned();
    e.lines[1].person.document_number = "11010519491231002x".to_owned();
    house.take(e.declared()).await;
    assert_eq!(house.holds(5).await, reasons([(2, HoldReason::Double)]));
    house.sound().await;
}

#[tokio::test]
async fn doubles_of_money_that_came_back_are_none() {
    let mut house = House::open().await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    let of = |id: &str| {
        Draft::new(id, 1).lines(FILES, 2).head(|head| head.period = "2026-07".to_owned())
    };
    house.take(of("A").declared()).await;
    house.files.leave_all(0);
    house.run().await;
    house.take(of("B").declared()).await;
    // The first failed, the second was credited.
    assert_eq!(house.holds(2).await, reasons([(2, HoldReason::Double)]));
    house.sound().await;
}

#[tokio::test]
async fn doubles_are_found_through_a_refused_register_and_not_because_of_it() {
    let mut house = House::open().await;
    let of = |id: &str| Draft::new(id, 1).lines(FILES, 2).head(|head| head.period = "7".to_owned());
    let refused = of("A").head(|head| head.reviewed_by.clone_from(&head.entered_by));
    house.take(refused.declared()).await;
    house.take(of("B").declared()).await;
    assert!(house.holds(2).await.is_empty());
    house.take(of("C").declared()).await;
    assert_eq!(house.holds(3).await.len(), 2);
    house.sound().await;
}

#[tokio::test]
async fn a_payment_that_the_banks_new_format_cannot_write_is_set_aside_before_it_is_sent() {
    let mut house = House::open().await;
    let unfunded = Draft::new("A", 1).lines(CALLS, 3).head(|head| head.funded_at_ms = None);
    let long = unfunded.line(2, |line| line.person.name = "阿卜杜热合曼·阿卜杜克热木".to_owned());
    house.take(long.declared()).await;
    assert!(house.holds(1).await.is_empty());
    let narrower = house
        .calls
        .format
        .text()
        .replace("key = \"payee_name\", width_max = 60", "key = \"payee_name\", width_max = 20");
    let format = daifa::format::Format::compile("narrower", &narrower).expect("compiles");
    let door: std::sync::Arc<dyn daifa::transport::Transport> = house.calls.clone();
    house.doors.insert(CALLS.to_owned(), (door, std::sync::Arc::new(format)));
    house.restart().await;
    house.county.change("A", 1, |offer| offer.head.funded_at_ms = Some(crate::house::NOW));
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.holds(1).await, reasons([(2, HoldReason::TooWide)]));
    assert_eq!(house.five(1).await, [101, 0, 202, 0, 0]);
    assert_eq!(house.calls.batches().len(), 1);
    house.county.decide("A", 1, 2, Verdict::Drop);
    house.live(HOUR, 10 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn a_payment_of_a_bank_that_nobody_knows_is_not_released() {
    let mut house = House::open().await;
    let draft = Draft::new("A", 1).lines(FILES, 2).line(2, |line| line.bank = "nowhere".to_owned());
    house.take(draft.declared()).await;
    assert_eq!(house.holds(1).await, reasons([(2, HoldReason::BankUnknown)]));
    house.county.decide("A", 1, 2, Verdict::Release);
    house.pass(MINUTE).await;
    let alert = house.alert("decision").await.expect("somebody is told");
    assert!(alert.text.contains("nowhere 没有配置"), "{}", alert.text);
    assert_eq!(house.number("SELECT COUNT(*) FROM waiting").await, 0);
    assert_eq!(house.number("SELECT SUM(held) FROM share").await, 1, "it is still set aside");
    // Dropped it goes back, and holds up nothing.
    house.county.decide("A", 1, 2, Verdict::Drop);
    house.files.leave_all(0);
    house.live(2 * HOUR, 20 * MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 100, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn payments_of_a_bank_that_is_not_configured_any_more_are_told_of() {
    let mut house = House::open().await;
    house.county.offer(Draft::new("A", 1).lines(FILES, 2).declared());
    house.only(Step::Intake).await;
    house.forget_bank(FILES);
    house.run().await;
    let alert = house.alert("convert").await.expect("somebody is told");
    assert!(alert.text.contains("不在配置中"), "{}", alert.text);
    assert_eq!(house.five(1).await, [201, 0, 0, 0, 0]);
    // It is configured again.
    house.restart().await;
    house.run().await;
    assert!(house.alert("convert").await.is_none());
    assert_eq!(house.files.batches().len(), 1);
    house.sound().await;
}
