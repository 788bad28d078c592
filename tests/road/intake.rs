//! Intake: a register is taken whole or refused whole, once, and says why.

use daifa::model::money::Fen;
use daifa::model::reason::Reason;
use serde_json::{Value, json};

use crate::counter::{Fate, Turn};
use crate::county::{Draft, Offer, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

/// Offers one register and gives the faults that finance is told of: (line, field).
async fn faults(offer: Offer) -> Vec<(Option<i64>, String)> {
    let mut house = House::open().await;
    house.take(offer).await;
    assert_eq!(house.state(1).await, "refused");
    let receipt = house.county.told("receipt", "finance").pop().expect("a receipt");
    assert_eq!(receipt.head()["about"]["accepted"], false);
    // Department and town are told as well.
    for recipient in ["department", "town"] {
        assert_eq!(house.county.told("receipt", recipient).len(), 1, "{recipient}");
    }
    // The page says each in plain Chinese: no word of English, and what to do.
    let kept: Value = serde_json::from_str(&house.page(1).await.faults).expect("JSON");
    for fault in kept.as_array().expect("a list") {
        let chinese = fault["chinese"].as_str().expect("a sentence");
        let english = chinese.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word.len() > 1);
        assert!(!chinese.is_empty() && !english, "{fault}");
        assert!(chinese.contains('请'), "{fault}");
    }
    // Nothing of it is kept, and nothing leaves.
    assert_eq!(house.number("SELECT COUNT(*) FROM payment").await, 0);
    assert_eq!(house.number("SELECT COUNT(*) FROM person_key").await, 0);
    assert!(house.files.batches().is_empty());
    house.sound().await;
    let place =
        |row: &Value| (row["line"].as_i64(), row["field"].as_str().unwrap_or("").to_owned());
    receipt.rows().iter().map(place).collect()
}

fn head(field: &str) -> (Option<i64>, String) {
    (None, field.to_owned())
}

fn line(line: i64, field: &str) -> (Option<i64>, String) {
    (Some(line), field.to_owned())
}

fn draft() -> Draft {
    Draft::new("A", 1).lines(FILES, 3)
}

#[tokio::test]
async fn f63_count_sum_or_digest_that_do_not_match() {
    let mut counted = draft().head(|head| head.declared_count = 4);
    counted.head.declared_sum = counted.sum();
    assert_eq!(faults(counted.signed()).await, [head("declared_count")]);
    let summed = draft().head(|head| {
        head.declared_count = 3;
        head.declared_sum = Fen::new(30_299);
    });
    assert_eq!(faults(summed.signed()).await, [head("declared_sum")]);
    let mut offer = draft().declared();
    offer.head.digest[7] ^= 1;
    assert_eq!(faults(offer).await, [head("digest")]);
    // A head that was changed on the way is another content.
    let mut offer = draft().declared();
    offer.head.summary.push('补');
    assert_eq!(faults(offer).await, [head("digest")]);
}

#[tokio::test]
async fn f63_the_receipt_of_a_refusal_says_what_was_read() {
    let mut house = House::open().await;
    let mut counted = draft().head(|head| head.declared_count = 4);
    counted.head.declared_sum = counted.sum();
    house.take(counted.signed()).await;
    let about = house.county.told("receipt", "finance").pop().expect("a receipt").head();
    assert_eq!(about["about"]["accepted"], false);
    assert_eq!((&about["about"]["count"], &about["about"]["sum"]), (&3.into(), &"303.00".into()));
}

#[tokio::test]
async fn f63_amounts_that_are_none() {
    let spelled = |amount: &'static str| {
        let mut draft = draft().spelled(1, |line| line["amount"] = json!(amount));
        draft.head.declared_count = 3;
        draft.head.declared_sum = Fen::new(30_300);
        draft.signed()
    };
    for amount in ["0.00", "0", "-1.00", "101.001", "101.000", "1e2", "", "十", "1,000.00"] {
        let found = faults(spelled(amount)).await;
        assert!(found.contains(&line(2, "amount")), "{amount}: {found:?}");
    }
    let number = draft().spelled(1, |line| line["amount"] = json!(101.0)).declared();
    assert!(faults(number).await.contains(&line(2, "amount")));
}

#[tokio::test]
async fn f63_a_sum_that_overflows() {
    let all = Fen::new(i64::MAX - 1);
    let draft = draft().line(1, |line| line.amount = all).line(2, |line| line.amount = all);
    // Where it overflows is told, and not beside it that the sum is another.
    assert_eq!(faults(draft.declared()).await, [line(2, "amount")]);
}

#[tokio::test]
async fn f63_line_numbers_repeat_or_descend() {
    let twice = draft().line(3, |line| line.line = 2).declared();
    assert_eq!(faults(twice).await, [line(2, "line")]);
    let down = draft().line(3, |one| one.line = 1).declared();
    assert_eq!(faults(down).await, [line(1, "line")]);
    let zero = draft().line(1, |one| one.line = 0).declared();
    assert!(faults(zero).await.contains(&line(0, "line")));
}

#[tokio::test]
async fn f63_one_person_entered_and_reviewed() {
    let same = draft().head(|head| head.reviewed_by = format!(" {} ", head.entered_by));
    assert_eq!(faults(same.declared()).await, [head("reviewed_by")]);
}

#[tokio::test]
async fn f63_no_lines() {
    let none = faults(Draft::new("A", 1).declared()).await;
    assert!(none.contains(&head("declared_count")), "{none:?}");
    assert!(none.contains(&head("payments")), "{none:?}");
    let declared = Draft::new("A", 1).head(|head| {
        head.declared_count = 1;
        head.declared_sum = Fen::new(1);
    });
    assert_eq!(faults(declared.signed()).await, [head("payments")]);
}

#[tokio::test]
async fn f63_every_fault_is_told_at_once_up_to_a_limit() {
    let mut draft = Draft::new("A", 1).lines(FILES, 300);
    for line in &mut draft.lines {
        line.amount = Fen::ZERO;
    }
    let found = faults(draft.declared()).await;
    // The head's own fault is one of the hundred; the last row says how many are not listed.
    assert_eq!(found.iter().filter(|(line, _)| line.is_some()).count(), 99);
    assert!(found.len() < 110);
}

#[tokio::test]
async fn f63_a_text_that_is_no_persons_refuses_the_register() {
    let long = draft().line(2, |line| line.person.name = "张".repeat(400)).declared();
    assert_eq!(faults(long).await, [line(2, "line")]);
}

#[tokio::test]
async fn f1_a_broken_stream_leaves_nothing_and_is_taken_later() {
    let mut house = House::open().await;
    let mut offer = draft().declared();
    offer.breaks_after = Some(2);
    house.take(offer).await;
    // Two lines came and are kept, and nobody sees them.
    assert_eq!(house.number("SELECT COUNT(*) FROM payment").await, 2);
    assert_eq!(house.store().overview(10).await.expect("read").registers_total, 0);
    assert_eq!(house.places().await.approved, Fen::ZERO);
    assert!(house.alert("finance").await.is_some());
    house.sound().await;
    // After a restart they are swept.
    house.restart().await;
    assert_eq!(house.number("SELECT COUNT(*) FROM register").await, 0);
    assert_eq!(house.number("SELECT COUNT(*) FROM payment").await, 0);
    house.run().await;
    house.county.change("A", 1, |offer| offer.breaks_after = None);
    house.pass(MINUTE).await;
    let number = house.number("SELECT register_no FROM register").await;
    assert_eq!(house.page(number).await.row.counts.payments, 3);
    assert_eq!(house.county.told("receipt", "finance").len(), 1);
    assert!(house.alert("finance").await.is_none());
    assert_eq!(house.files.batches().len(), 1);
    house.sound().await;
}

#[tokio::test]
async fn f1_a_stream_that_breaks_again_and_again_costs_nothing() {
    let mut house = House::open().await;
    let mut offer = draft().declared();
    offer.breaks_after = Some(2);
    house.take(offer).await;
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.number("SELECT COUNT(*) FROM payment").await, 2);
    assert_eq!(house.number("SELECT COUNT(*) FROM register").await, 1);
    house.sound().await;
}

#[tokio::test]
async fn f2_the_same_again_is_answered_as_before() {
    let mut house = House::open().await;
    let offer = draft().declared();
    house.take(offer.clone()).await;
    let receipt = house.county.told("receipt", "finance");
    assert_eq!(receipt.len(), 1);
    for _ in 0..3 {
        house.take(offer.clone()).await;
    }
    house.restart().await;
    house.take(offer).await;
    assert_eq!(house.store().overview(10).await.expect("read").registers_total, 1);
    assert_eq!(house.county.told("receipt", "finance").len(), 1);
    assert_eq!(house.files.batches().len(), 1);
    assert!(house.alerts().await.is_empty());
    house.sound().await;
}

#[tokio::test]
async fn i25_a_refused_register_stays_refused_when_it_comes_again() {
    let mut house = House::open().await;
    let offer = draft().head(|head| head.reviewed_by.clone_from(&head.entered_by)).declared();
    house.take(offer.clone()).await;
    house.take(offer).await;
    assert_eq!(house.state(1).await, "refused");
    assert_eq!(house.store().overview(10).await.expect("read").registers_total, 1);
    house.sound().await;
}

#[tokio::test]
async fn i25_the_same_identity_with_other_content_is_refused_and_journalled() {
    let mut house = House::open().await;
    house.take(draft().declared()).await;
    let changed = draft().line(2, |line| line.amount = Fen::new(99_900)).declared();
    house.take(changed.clone()).await;
    let receipts = house.county.told("receipt", "finance");
    assert_eq!(receipts.len(), 2);
    let second = receipts[1].head();
    assert_eq!((&second["about"]["accepted"], &second["register"]), (&json!(false), &json!("A")));
    assert_ne!(receipts[0].id, receipts[1].id);
    assert!(receipts[1].rows()[0]["what"].as_str().expect("words").contains("更高的版本号"));
    let told = "SELECT body FROM journal WHERE kind = 'register.different'";
    assert_eq!(house.texts(told).await.len(), 1);
    assert!(house.alert("register_conflict").await.is_some());
    // What was accepted first is what is paid.
    assert_eq!(house.five(1).await, [0, 303, 0, 0, 0]);
    // And again: nothing new is told, and nothing changes.
    house.take(changed).await;
    assert_eq!(house.county.told("receipt", "finance").len(), 2);
    assert_eq!(house.files.batches().len(), 1);
    house.sound().await;
}

#[tokio::test]
async fn f62_equal_content_under_another_id_is_legal_and_flagged() {
    let mut house = House::open().await;
    // The finance of this test digests heads with their ids: contents are equal where it says so.
    let july = draft().head(|head| head.period = "2026-07".to_owned()).declared();
    let mut august = Draft::new("B", 1).lines(FILES, 3);
    august.head.period = "2026-08".to_owned();
    house.take(july).await;
    house.take(august.declared()).await;
    assert_eq!(
        (house.state(1).await, house.state(2).await),
        ("accepted".into(), "accepted".into())
    );
    assert_eq!(house.files.batches().len(), 2);
    assert_eq!(house.holds(2).await.len(), 0);
    house.sound().await;
    // I25: "only flagged".
    assert_eq!(house.page(2).await.twin.map(|twin| twin.0), Some(1));
}

#[tokio::test]
async fn f61_a_higher_revision_takes_over_what_is_unsent() {
    let mut house = House::open().await;
    let unfunded = draft().head(|head| head.funded_at_ms = None).declared();
    house.take(unfunded).await;
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    let second = Draft::new("A", 2).lines(FILES, 4).line(2, |line| line.amount = Fen::new(55_500));
    house.take(second.declared()).await;
    assert_eq!(house.state(1).await, "superseded");
    assert_eq!(house.five(1).await, [0, 0, 0, 0, 0]);
    assert_eq!(house.holds(2).await.len(), 0, "nothing of the first was sent: nobody is a double");
    assert_eq!(house.five(2).await, [0, 860, 0, 0, 0]);
    assert_eq!(house.number("SELECT COUNT(*) FROM payment WHERE register_no = 1").await, 3);
    // Nobody waits for what another revision has: not on the page, not in the metrics.
    let counts = house.page(1).await.row.counts;
    assert_eq!((counts.withdrawn, counts.finished()), (3, 3));
    assert_eq!(house.store().totals().await.expect("reads").counts.withdrawn, 3);
    assert!(house.life(1, 1).await.standing.starts_with("withdrawn: a higher revision has it"));
    house.files.leave_all(0);
    house.pass(MINUTE).await;
    assert_eq!(house.files.credits().values().sum::<usize>(), 4);
    house.finished().await;
}

#[tokio::test]
async fn f61_what_was_sent_under_the_old_revision_is_not_paid_again() {
    let mut house = House::open().await;
    house.rows_max = 2;
    house.restart().await;
    // Three lines at the bank with folders are sent; two at the other wait for its release.
    let mut first = draft().lines(CALLS, 2);
    first.lines[4].person.document_number = "610728194001010000".to_owned();
    house.take(first.declared()).await;
    assert_eq!(house.files.batches().len(), 2);
    assert_eq!(house.five(1).await, [104, 406, 0, 0, 0]);
    house.files.leave_all(0);
    house.run().await;
    // The second revision corrects line 5 and changes the amount of line 1, which was credited.
    let second = Draft::new("A", 2)
        .lines(FILES, 3)
        .lines(CALLS, 2)
        .line(1, |line| line.amount = Fen::new(77_700));
    house.take(second.declared()).await;
    assert_eq!(house.state(1).await, "superseded");
    let holds = house.holds(2).await;
    assert_eq!(holds.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4], "{holds:?}");
    house.files.leave_all(1);
    house.pass(20 * MINUTE).await;
    for (account, times) in house.files.credits().into_iter().chain(house.calls.credits()) {
        assert_eq!(times, 1, "{account}");
    }
    assert_eq!(house.five(1).await, [0, 0, 406, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f61_a_sent_line_is_not_paid_again_when_the_new_revision_moves_the_period() {
    let mut house = House::open().await;
    house.take(draft().declared()).await;
    assert_eq!(house.files.batches().len(), 1);
    // Finance corrects the period, and one document number; the lines are the same lines.
    let mut second = Draft::new("A", 2).lines(FILES, 4);
    second.head.period = "2027".to_owned();
    second.lines[2].person.document_number = person(77).document_number;
    house.take(second.declared()).await;
    let holds = house.holds(2).await;
    let sent: Vec<_> = (1..=3).map(|line| (line, "sent_earlier".to_owned())).collect();
    assert_eq!(holds.into_iter().collect::<Vec<_>>(), sent);
    assert_eq!(house.files.batches().len(), 2);
    assert_eq!(house.five(2).await, [303, 103, 0, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f61_a_lower_revision_that_comes_late_is_not_paid_beside_the_higher() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 2).lines(FILES, 3).declared()).await;
    assert_eq!(house.files.batches().len(), 1);
    let mut late = draft();
    late.head.period = "2027".to_owned();
    house.take(late.declared()).await;
    house.pass(HOUR).await;
    assert_eq!(house.files.batches().len(), 1, "the money of a register goes out once");
    house.sound().await;
}

#[tokio::test]
async fn f61_a_line_that_failed_under_the_old_revision_is_free_in_the_new_one() {
    let mut house = House::open().await;
    let failing = person(2).account;
    house.files.fate(&failing, Fate::Failed(Reason::AccountClosed, "已销户"));
    let first = draft().lines(CALLS, 1).line(4, |line| line.village = "bad".to_owned());
    house.take(first.declared()).await;
    house.files.leave_all(0);
    house.run().await;
    house.files.fate(&failing, Fate::Credited);
    house.take(Draft::new("A", 2).lines(FILES, 3).declared()).await;
    // Its money is leftover of the first: it is not under way any more.
    assert_eq!(house.holds(2).await.keys().copied().collect::<Vec<_>>(), [1, 3]);
    house.files.leave_all(1);
    house.run().await;
    assert_eq!(house.five(2).await, [202, 0, 101, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f61_revoked_before_anything_was_sent() {
    let mut house = House::open().await;
    house.duty.funded_only = true;
    let waiting = draft().line(2, |line| line.village = "bad".to_owned());
    let unfunded = waiting.head(|head| head.funded_at_ms = None).declared();
    house.take(unfunded).await;
    house.county.revoke("A", 1);
    house.run().await;
    assert_eq!(house.state(1).await, "revoked");
    // No money came, so there is none that could go back, and the account is closed.
    assert_eq!(house.five(1).await, [0, 0, 0, 0, 0]);
    assert_eq!(house.places().await.approved, Fen::ZERO);
    let closing = house.county.told("closing", "finance");
    assert_eq!(closing.len(), 1);
    let about = &closing[0].head()["about"];
    assert_eq!(
        (&about["withdrawn_sum"], &about["refunded_sum"]),
        (&json!("303.00"), &json!("0.00"))
    );
    house.finished().await;
    // It is funded all the same: what came goes back.
    house.county.change("A", 1, |offer| offer.head.funded_at_ms = Some(crate::house::NOW));
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 0, 0, 303]);
    assert!(house.files.batches().is_empty());
    assert_eq!(house.county.told("refund", "finance").len(), 1);
    let closing = house.county.told("closing", "finance");
    assert_eq!(closing.len(), 2, "the account is told again");
    assert_eq!(closing[1].head()["about"]["refunded_sum"], json!("303.00"));
    house.finished().await;
}

#[tokio::test]
async fn f61_revoked_after_a_part_was_sent() {
    let mut house = House::open().await;
    let draft = draft().line(2, |line| line.village = "bad".to_owned());
    house.take(draft.declared()).await;
    assert_eq!(house.five(1).await, [101, 202, 0, 0, 0]);
    house.county.revoke("A", 1);
    house.run().await;
    // What was sent goes on; the rest goes back, at the latest with it.
    assert_eq!(house.five(1).await[0], 0);
    house.files.leave_all(0);
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    assert_eq!(house.state(1).await, "revoked");
    assert_eq!(house.files.batches().len(), 1);
    // Said again, and for what is not here.
    house.county.revoke("A", 1);
    house.county.revoke("nobody", 1);
    house.run().await;
    house.finished().await;
}

#[tokio::test]
async fn f61_revoked_while_the_banks_refusal_waits_for_an_operator() {
    let mut house = House::open().await;
    house.files.next(Turn::Refuse("内部户余额不足"));
    house.take(draft().declared()).await;
    assert_eq!(house.five(1).await, [303, 0, 0, 0, 0]);
    house.county.revoke("A", 1);
    house.run().await;
    let batch = daifa::model::id::BatchNo(1);
    let now = house.ctx().now_ms();
    house.store().recut(batch, "operator", now).await.expect_err("revoked");
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 0, 0, 303]);
    assert_eq!(house.files.batches().len(), 1);
    house.sound().await;
}

#[tokio::test]
async fn several_finance_sources_do_not_meet() {
    let mut house = House::open().await;
    let other = house.another_county("province").await;
    house.county.offer(draft().declared());
    // The same id and the same people of another source, for another period.
    other.offer(draft().head(|head| head.period = "2027".to_owned()).lines(CALLS, 1).declared());
    house.run().await;
    assert_eq!(house.store().overview(10).await.expect("read").registers_total, 2);
    assert_eq!(house.county.told("receipt", "finance").len(), 1);
    assert_eq!(other.told("receipt", "finance").len(), 1);
    // One source that is away does not keep the other waiting.
    house.county.reachable(false);
    other.offer(Draft::new("B", 1).lines(FILES, 1).declared());
    house.pass(MINUTE).await;
    assert_eq!(house.store().overview(10).await.expect("read").registers_total, 3);
    let alert = house.alert("finance").await.expect("an alert");
    assert_eq!(alert.subject, "county");
    // A revocation means the register of its own source.
    other.revoke("A", 1);
    house.run().await;
    let states = (house.state(1).await, house.state(2).await);
    assert_eq!(states, ("accepted".to_owned(), "revoked".to_owned()));
    house.sound().await;
}
