//! Results: in any order, any number of times, with the same end; what does not fit changes
//! nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use daifa::clock::{Clock as _, Dice};
use daifa::flow::Step;
use daifa::format::{MessageKind, Part};
use daifa::model::attempt::Answer;
use daifa::model::notice::NoticeState;
use daifa::model::outcome::{AnswerTaken, OutcomeKind};
use daifa::model::reason::Reason;

use crate::counter::{Counter, Fate, Reply, Told, Turn};
use crate::county::{Delivery, Draft, person};
use crate::house::{CALLS, FILES, HOUR, House, MINUTE};

/// A batch of `count` at the bank with folders, and our reference of it.
async fn sent(count: i64) -> (House, String) {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, count).declared()).await;
    let reference = house.files.batches()[0].reference.clone();
    (house, reference)
}

fn rows(counter: &Counter, reference: &str) -> Vec<Told> {
    counter.told(reference, MessageKind::Result)
}

async fn quarantined(house: &House) -> Vec<String> {
    house.texts("SELECT cause FROM quarantine ORDER BY result_no, row_no").await
}

/// What is known of every payment, to be compared.
async fn end_state(house: &House) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    for (name, sql) in [
        (
            "outcomes",
            "SELECT attempt_no || '/' || line || '/' || kind || '/' || COALESCE(reason, '') FROM outcome ORDER BY 1",
        ),
        ("notices", "SELECT attempt_no || '/' || line || '/' || state FROM notice ORDER BY 1"),
        (
            "leftovers",
            "SELECT register_no || '/' || line || '/' || amount_fen || '/' || state FROM leftover WHERE state <> 'withdrawn' ORDER BY 1",
        ),
        (
            "shares",
            "SELECT bank || '/' || unsent_fen || '/' || in_flight_fen || '/' || credited_fen || '/' || refundable_fen || '/' || refunded_fen || '/' || disputed_fen || '/' || credited || '/' || failed || '/' || returned || '/' || conflicts FROM share ORDER BY 1",
        ),
        (
            "batches",
            "SELECT batch_no || '/' || state || '/' || pending || '/' || credited || '/' || failed || '/' || returned || '/' || conflicts || '/' || credited_fen FROM batch ORDER BY 1",
        ),
    ] {
        out.insert(name.to_owned(), house.texts(sql).await);
    }
    out
}

#[tokio::test]
async fn f33_the_same_results_again_change_nothing() {
    let (mut house, reference) = sent(3).await;
    house.files.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    let told = rows(&house.files, &reference);
    let first = house.files.say(MessageKind::Result, &reference, Answer::Done, "", &told, "1");
    house.files.leave(first.clone());
    house.run().await;
    let end = end_state(&house).await;
    let results = house.county.told("results", "finance").len();
    // The same file; the same bytes under another name; the same lines in another file.
    house.files.leave(first.clone());
    house.run().await;
    let renamed = |part: Part| Part { name: part.name.replace("_1.", "_2."), ..part };
    house.files.leave(first.into_iter().map(renamed).collect());
    house.run().await;
    house.files.leave_result(&reference, &told, "3");
    house.run().await;
    assert_eq!(end_state(&house).await, end);
    assert_eq!(house.county.told("results", "finance").len(), results);
    assert_eq!(house.files.waiting(), 0, "all are put away");
    let counted = |taken| house.ctx().tally.of(taken);
    assert_eq!(AnswerTaken::ALL.iter().map(|taken| counted(*taken)).collect::<Vec<_>>(), [1, 3, 0]);
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn f33_one_line_twice_in_one_file_is_one() {
    let (mut house, reference) = sent(2).await;
    let mut told = rows(&house.files, &reference);
    told.push(told[0].clone());
    house.files.leave_result(&reference, &told, "");
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    house.finished().await;
}

#[tokio::test]
async fn f34_results_come_late_and_in_pieces() {
    let (mut house, reference) = sent(5).await;
    let told = rows(&house.files, &reference);
    (0..20).for_each(|_| house.files.reply(Reply::Fail));
    for (at, row) in [4, 0, 3, 2, 1].into_iter().enumerate() {
        house.clock.advance_ms(5 * HOUR);
        house.files.leave_result(&reference, &told[row..=row], &format!("{at}"));
        house.run().await;
        assert_eq!(house.number("SELECT pending FROM batch").await, 4 - at as i64);
    }
    assert_eq!(house.five(1).await, [0, 0, 510, 0, 0]);
    house.finished().await;
}

#[tokio::test]
async fn f35_credited_and_then_failed_is_frozen() {
    for order in [[0, 1], [1, 0]] {
        let (mut house, reference) = sent(2).await;
        let ok = rows(&house.files, &reference);
        house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
        let no = rows(&house.files, &reference);
        let said = [&ok[..1], &no[..1]];
        // The second payment stays open, so that no leftover goes back meanwhile.
        house.files.leave_result(&reference, said[order[0]], "1");
        house.run().await;
        house.files.leave_result(&reference, said[order[1]], "2");
        house.run().await;
        assert_eq!(house.five(1).await, [0, 201, 0, 0, 0]);
        assert!(house.alert("conflict").await.is_some());
        assert_eq!(
            house.life(1, 1).await.standing,
            "conflict".to_owned() + if order[0] == 1 { ", its money is withdrawn" } else { "" }
        );
        house.files.leave_result(&reference, &ok[1..], "3");
        house.live(100 * HOUR, 10 * HOUR).await;
        // For ever: nobody resolves it by waiting, and it is not given back.
        assert_eq!(house.five(1).await, [0, 100, 101, 0, 0]);
        assert!(house.files.refunds().is_empty());
        assert_ne!(house.state(1).await, "closed");
        // A return settles where the money is.
        house.files.book().returned.push(person(1).account);
        let back = house.files.told(&reference, MessageKind::LateReturn);
        house.files.leave(house.files.say(
            MessageKind::LateReturn,
            &reference,
            Answer::Done,
            "",
            &back,
            "1",
        ));
        house.live(2 * MINUTE, MINUTE).await;
        assert_eq!(house.five(1).await, [0, 0, 101, 0, 100]);
        house.finished().await;
    }
}

#[tokio::test]
async fn f36_an_unknown_row_is_put_aside_while_the_rest_applies() {
    let (mut house, reference) = sent(3).await;
    let mut told = rows(&house.files, &reference);
    told[0].ordinal = 9;
    told[1].ordinal = 0;
    house.files.leave_result(&reference, &told, "");
    house.run().await;
    assert_eq!(quarantined(&house).await, ["unknown_payment"; 2]);
    assert_eq!(house.five(1).await, [0, 201, 102, 0, 0]);
    assert!(house.alert("quarantine").await.is_some());
    house.files.leave_result(&reference, &rows(&house.files, &reference), "2");
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f37_another_amount_or_account_is_put_aside() {
    let (mut house, reference) = sent(4).await;
    let good = rows(&house.files, &reference);
    let mut told = good.clone();
    told[0].fen += 1;
    told[1].account = person(77).account;
    // Two rows changed places: each is about another payment than it says.
    let (a, b) = (told[2].ordinal, told[3].ordinal);
    (told[2].ordinal, told[3].ordinal) = (b, a);
    house.files.leave_result(&reference, &told, "");
    house.run().await;
    let causes = ["amount_differs", "account_differs", "account_differs", "account_differs"];
    assert_eq!(quarantined(&house).await, causes);
    assert_eq!(house.five(1).await, [0, 406, 0, 0, 0]);
    // Asked again and told the same wrong, it is the same trouble.
    house.files.leave_result(&reference, &told, "2");
    house.run().await;
    assert_eq!(quarantined(&house).await.len(), 4);
    house.files.leave_result(&reference, &good, "3");
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 406, 0, 0]);
    house.finished().await;
}

#[tokio::test]
async fn f37_a_code_that_nobody_knows_is_put_aside() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    let reference = house.calls.batches()[0].reference.clone();
    let told = house.calls.told(&reference, MessageKind::StatusAnswer);
    let body = house.calls.body(MessageKind::StatusAnswer, &reference, Answer::Done, "", &told);
    let text = String::from_utf8(body.to_vec()).expect("all of it is ASCII");
    let strange = text.replacen("<Code>S</Code>", "<Code>ZZ9</Code>", 1);
    assert_ne!(text, strange);
    house.calls.reply(Reply::Bytes(strange.into()));
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 1);
    assert_eq!(house.five(1).await, [0, 100, 101, 0, 0]);
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    house.sound().await;
}

/// Results whose file does not close, each in its own way.
fn broken(counter: &Counter, reference: &str) -> Vec<(&'static str, Vec<Part>)> {
    let told = rows(counter, reference);
    let say = |serial| counter.say(MessageKind::Result, reference, Answer::Done, "", &told, serial);
    let mut out = Vec::new();
    let mut with = |what, serial, change: &dyn Fn(&mut Vec<u8>, &mut Vec<u8>)| {
        let mut parts = say(serial);
        let (data, control) = parts.split_at_mut(1);
        change(&mut data[0].bytes, &mut control[0].bytes);
        out.push((what, parts));
    };
    with("cut in a line", "1", &|data, _| data.truncate(data.len() - 40));
    with("a line short", "2", &|data, _| {
        let line = data.len() / 4;
        data.truncate(data.len() - line);
    });
    with("a digest of another file", "3", &|_, control| {
        let at = control.len() - 10;
        control[at] = if control[at] == b'0' { b'1' } else { b'0' };
    });
    with("nothing", "4", &|data, _| data.clear());
    with("a count that is wrong", "5", &|data, _| {
        let at = 1 + 32 + 14 + 7;
        data[at] += 1;
    });
    with("an undecodable character", "6", &|data, _| {
        let at = data.len() - 60;
        data[at] = 0xff;
    });
    out
}

#[tokio::test]
async fn f38_f39_a_file_that_does_not_close_is_held_whole() {
    let (mut house, reference) = sent(3).await;
    let all = broken(&house.files.clone(), &reference);
    let count = all.len();
    for (what, parts) in all {
        house.files.leave(parts);
        house.pass(MINUTE).await;
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "{what}");
        assert_eq!(house.number("SELECT COUNT(*) FROM outcome").await, 0, "{what}");
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0, "{what}");
    }
    let held = "SELECT COUNT(*) FROM result WHERE state = 'held' AND evidence IS NOT NULL";
    assert_eq!(house.number(held).await, count as i64);
    let alerts = house.alerts().await;
    assert_eq!(alerts.iter().filter(|alert| alert.kind == "result_held").count(), count);
    // A correct file comes later.
    house.files.leave_all(0);
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.finished().await;
}

/// A file whose control file vouches for it: the digest is right, and so are its own count and sum
/// with those of the control file, where `sum` and `count` say the same in both.
fn vouched(counter: &Counter, parts: &mut [Part]) {
    let digest = daifa::guard::key::hex(&daifa::guard::digest::sha256(&parts[0].bytes));
    let control = &mut parts[1].bytes;
    let at = 1 + 32 + 8 + 17;
    assert_eq!(counter.format.name(), "example-rural-fixed");
    control[at..at + 64].copy_from_slice(digest.as_bytes());
}

type Change<'a> = &'a dyn Fn(&mut Vec<u8>, &mut Vec<u8>);

/// Replaces what stands at a place of the first line.
fn put(bytes: &mut [u8], at: usize, text: &str) {
    bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
}

#[tokio::test]
async fn f38_f39_a_control_file_that_vouches_for_what_does_not_close_heals_nothing() {
    let (mut house, reference) = sent(3).await;
    let counter = house.files.clone();
    let told = rows(&counter, &reference);
    let (head, control) = ((1 + 32 + 14, 1 + 32 + 14 + 8), (1 + 32, 1 + 32 + 8));
    let cases: [(&str, &str, Change<'_>); 5] = [
        ("a wrong sum in both", "1", &|data, ok| {
            put(data, head.1, "00000000000304.00");
            put(ok, control.1, "00000000000304.00");
        }),
        ("a wrong sum in the control file alone", "2", &|_, ok| {
            put(ok, control.1, "00000000000304.00");
        }),
        ("a wrong count in both", "3", &|data, ok| {
            put(data, head.0, "00000004");
            put(ok, control.0, "00000004");
        }),
        ("a row that is missing, of which both know", "4", &|data, _| {
            data.truncate(data.len() - 152);
        }),
        ("a row that is missing, and a count that fits", "5", &|data, ok| {
            data.truncate(data.len() - 152);
            put(data, head.0, "00000002");
            put(ok, control.0, "00000002");
        }),
    ];
    let count = cases.len() as i64;
    for (what, serial, change) in cases {
        let mut parts =
            counter.say(MessageKind::Result, &reference, Answer::Done, "", &told, serial);
        let (data, ok) = parts.split_at_mut(1);
        change(&mut data[0].bytes, &mut ok[0].bytes);
        vouched(&counter, &mut parts);
        counter.leave(parts);
        house.pass(MINUTE).await;
        assert_eq!(house.five(1).await, [0, 303, 0, 0, 0], "{what}");
        assert_eq!(house.number("SELECT COUNT(*) FROM outcome").await, 0, "{what}");
        assert_eq!(house.number("SELECT COUNT(*) FROM quarantine").await, 0, "{what}");
    }
    // None of them was held because of its digest.
    let why = house.texts("SELECT why FROM result WHERE state = 'held'").await;
    assert_eq!(why.len() as i64, count);
    assert!(why.iter().all(|why| !why.contains("sha256")), "{why:?}");
    // The same bytes with nothing changed are vouched for rightly.
    let mut parts = counter.say(MessageKind::Result, &reference, Answer::Done, "", &told, "6");
    vouched(&counter, &mut parts);
    counter.leave(parts);
    house.pass(MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 303, 0, 0]);
    house.finished().await;
}

#[tokio::test]
async fn f39_a_query_answer_whose_sum_does_not_close_is_held_whole() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    let reference = house.calls.batches()[0].reference.clone();
    let told = house.calls.told(&reference, MessageKind::StatusAnswer);
    let body = house.calls.body(MessageKind::StatusAnswer, &reference, Answer::Done, "", &told);
    let text = String::from_utf8(body.to_vec()).expect("all of it is ASCII");
    for wrong in [
        text.replacen("sum=\"20100\"", "sum=\"20101\"", 1),
        text.replacen("count=\"2\"", "count=\"3\"", 1),
    ] {
        assert_ne!(text, wrong);
        house.calls.reply(Reply::Bytes(wrong.into()));
    }
    house.live(11 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 201, 0, 0, 0]);
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 2);
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn f36_another_branchs_file_is_held() {
    let (mut house, reference) = sent(2).await;
    let told = rows(&house.files, &reference);
    house.files.leave_result("T009999999999", &told, "");
    house.run().await;
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 1);
    assert_eq!(house.five(1).await, [0, 201, 0, 0, 0]);
    assert_eq!(house.files.waiting(), 0);
    house.sound().await;
}

#[tokio::test]
async fn f36_bytes_that_were_held_are_taken_once_they_can_be() {
    // A result of a reference that is not ours yet: the daemon runs on an older copy, say.
    let mut house = House::open().await;
    let mut other = House::open().await;
    other.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    let reference = other.files.batches()[0].reference.clone();
    let told = rows(&other.files, &reference);
    let parts = other.files.say(MessageKind::Result, &reference, Answer::Done, "", &told, "1");
    house.files.leave(parts.clone());
    house.run().await;
    assert_eq!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await, 1);
    // It was of an older copy, and a person says that all is compared.
    let now = house.ctx().now_ms();
    assert!(house.store().resume_bank(FILES, "op", "compared", now).await.expect("writes"));
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    assert_eq!(house.files.batches()[0].reference, reference);
    house.files.leave(parts);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    assert!(house.alert("result_held").await.is_none());
    house.finished().await;
}

/// Everything that a bank says of a batch of four, as single files.
fn pieces(counter: &Counter, reference: &str) -> Vec<Vec<Part>> {
    counter.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    counter.book().returned.push(person(3).account);
    let told = rows(counter, reference);
    let mut out = Vec::new();
    let mut say = |kind, rows: &[Told], serial: usize| {
        out.push(counter.say(kind, reference, Answer::Done, "", rows, &serial.to_string()));
    };
    say(MessageKind::Result, &told[..2], 1);
    say(MessageKind::Result, &told[2..], 2);
    say(MessageKind::Result, &told, 3);
    say(MessageKind::LateReturn, &counter.told(reference, MessageKind::LateReturn), 4);
    let notices = counter.notices(reference, NoticeState::Delivered);
    say(MessageKind::Notice, &notices[..1], 5);
    say(MessageKind::Notice, &notices[3..], 6);
    // The fourth was credited, and failed.
    let mut conflict = told[3].clone();
    conflict.code =
        counter.code(MessageKind::Result, Some(OutcomeKind::Failed), Some(Reason::NameMismatch));
    say(MessageKind::Result, &[conflict], 7);
    out
}

#[tokio::test]
async fn i10_any_order_of_files_ends_in_one_state() {
    let mut ends = Vec::new();
    for seed in 0..12_u64 {
        let (mut house, reference) = sent(4).await;
        let mut files = pieces(&house.files.clone(), &reference);
        let mut dice = Dice::seeded(seed);
        for at in (1..files.len()).rev() {
            files.swap(at, dice.below(at as u64 + 1) as usize);
        }
        if seed % 2 == 1 {
            // Some come twice.
            files.extend(files[..3].to_vec());
        }
        for parts in files {
            house.files.leave(parts);
            // Settling waits for money in flight, and the fourth stays so.
            house.only(Step::Collect).await;
            house.clock.advance_ms(1_000);
        }
        ends.push((seed, end_state(&house).await));
        house.sound().await;
    }
    for (seed, end) in &ends {
        assert_eq!(end, &ends[0].1, "seed {seed}");
    }
    assert_eq!(ends[0].1["batches"], ["1/open/0/1/1/1/1/10000"]);
}

#[tokio::test]
async fn i13_a_result_is_taken_whole_or_not_at_all() {
    let (mut house, _) = sent(4).await;
    house.files.fate(&person(2).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.files.leave_all(0);
    for place in [
        "outcome WHEN NEW.line = 3",
        "leftover",
        "posting",
        "report WHEN NEW.kind = 'results'",
        "journal WHEN NEW.kind = 'result.applied'",
    ] {
        let (table, when) = place.split_once(' ').unwrap_or((place, ""));
        let trigger = format!(
            "CREATE TRIGGER t BEFORE INSERT ON {table} {when} BEGIN SELECT RAISE(ABORT, 'x'); END"
        );
        house.tamper(&trigger).await;
        let failed = house.step(Step::Collect).await.expect_err("a storage error");
        assert!(failed.is_fatal());
        house.stop();
        house.tamper("DROP TRIGGER t").await;
        house.restart().await;
        assert_eq!(house.five(1).await, [0, 406, 0, 0, 0], "{place}");
        for table in ["outcome", "quarantine", "result", "leftover"] {
            let count = format!("SELECT COUNT(*) FROM {table}");
            assert_eq!(house.number(&count).await, 0, "{place}: {table}");
        }
        assert_eq!(house.files.waiting(), 2, "{place}: the file waits");
        house.sound().await;
    }
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 305, 0, 101]);
    house.finished().await;
}

#[tokio::test]
async fn f7_a_crash_between_applying_and_putting_away_changes_nothing() {
    let (mut house, reference) = sent(2).await;
    let told = rows(&house.files, &reference);
    let parts = house.files.say(MessageKind::Result, &reference, Answer::Done, "", &told, "1");
    house.files.leave(parts.clone());
    house.run().await;
    let end = end_state(&house).await;
    house.restart().await;
    house.files.leave(parts);
    house.run().await;
    assert_eq!(end_state(&house).await, end);
    assert_eq!(house.files.waiting(), 0);
    house.finished().await;
}

#[tokio::test]
async fn a_result_proves_that_a_lost_batch_arrived() {
    let mut house = House::open().await;
    house.files.next(Turn::Lose { booked: true });
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    assert!(house.alert("unknown").await.is_some());
    house.files.leave_all(0);
    house.run().await;
    assert!(house.alert("unknown").await.is_none());
    assert_eq!(house.five(1).await, [0, 0, 201, 0, 0]);
    assert_eq!(house.texts("SELECT state FROM attempt").await, ["accepted"]);
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.files.batches().len(), 1);
    house.finished().await;
}

/// One payment without a result for days is no reason not to hear what became of the others.
#[tokio::test]
async fn f32_a_credit_that_comes_back_while_another_has_no_result_is_heard_of() {
    let mut house = House::open().await;
    house.calls.fate(&person(1).account, Fate::Processing);
    house.take(Draft::new("A", 1).lines(CALLS, 3).declared()).await;
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 100, 203, 0, 0]);
    house.live(HOUR, MINUTE).await;
    let of = |kind| house.calls.book().asked.iter().filter(|(asked, _)| *asked == kind).count();
    assert!(of(MessageKind::NoticeQuery) > 0, "their SMS are asked about too");
    assert!(
        of(MessageKind::StatusQuery) > 9 * of(MessageKind::NoticeQuery),
        "above all the others"
    );
    house.calls.book().returned.push(person(2).account);
    let asked = house.calls.book().asked.len();
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 100, 102, 101, 0], "it came back, and is leftover");
    assert!(house.calls.book().asked.len() - asked <= 61, "no more often than before");
    house.calls.fate(&person(1).account, Fate::Credited);
    house.live(2 * HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    house.sound().await;
}

#[tokio::test]
async fn f32_returned_later_goes_back_and_the_account_is_told_again() {
    for bank in [FILES, CALLS] {
        let mut house = House::open().await;
        let counter: Arc<Counter> =
            if bank == FILES { house.files.clone() } else { house.calls.clone() };
        house.take(Draft::new("A", 1).lines(bank, 3).declared()).await;
        if bank == FILES {
            counter.leave_all(0);
        }
        house.live(30 * MINUTE, MINUTE).await;
        assert_eq!(house.state(1).await, "closed");
        assert_eq!(house.county.told("closing", "finance").len(), 1);
        house.clock.advance_ms(50 * HOUR);
        counter.book().returned.push(person(2).account);
        if bank == FILES {
            let reference = counter.batches()[0].reference.clone();
            let back = counter.told(&reference, MessageKind::LateReturn);
            counter.leave(counter.say(
                MessageKind::LateReturn,
                &reference,
                Answer::Done,
                "",
                &back,
                "",
            ));
        }
        house.live(HOUR, MINUTE).await;
        assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
        assert_eq!(house.state(1).await, "closed");
        let closing = house.county.told("closing", "finance");
        assert_eq!(closing.len(), 2);
        assert_eq!(closing[1].head()["about"]["refunded_sum"], "101.00");
        assert_eq!(closing[1].head()["about"]["counts"]["returned"], 1);
        assert_ne!(closing[0].id, closing[1].id);
        let last = house.county.told("results", "finance").pop().expect("told");
        assert_eq!(last.rows()[0]["outcome"], "returned");
        assert_eq!(last.rows()[0]["failure"]["name"], person(2).name);
        house.finished().await;
    }
}

#[tokio::test]
async fn f34_a_return_that_comes_before_its_credit_is_told_once_with_its_reason() {
    let mut house = House::open().await;
    let counter = house.files.clone();
    house.take(Draft::new("A", 1).lines(FILES, 3).declared()).await;
    let reference = counter.batches()[0].reference.clone();
    counter.book().returned.push(person(2).account);
    let back = counter.told(&reference, MessageKind::LateReturn);
    counter.leave(counter.say(MessageKind::LateReturn, &reference, Answer::Done, "", &back, ""));
    house.live(5 * MINUTE, MINUTE).await;
    counter.leave_all(0);
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 202, 0, 101]);
    let told = house.county.told("results", "finance");
    let of_line_2: Vec<serde_json::Value> =
        told.iter().flat_map(Delivery::rows).filter(|row| row["line"] == 2).collect();
    assert_eq!(of_line_2.len(), 1, "the credit that comes behind it is no news");
    let (outcome, failure) = (&of_line_2[0]["outcome"], &of_line_2[0]["failure"]);
    assert_eq!((outcome, &failure["reason"]), (&"returned".into(), &"returned".into()));
    assert_eq!(failure["name"], person(2).name);
    house.finished().await;
}

#[tokio::test]
async fn f34_a_credit_that_comes_after_the_refund_is_disputed() {
    let (mut house, reference) = sent(2).await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    house.files.leave_all(0);
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 101, 0, 100]);
    house.files.fate(&person(1).account, Fate::Credited);
    house.files.leave_result(&reference, &rows(&house.files, &reference), "2");
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 101, 0, 100], "the five are as they were");
    assert_eq!(house.places().await.disputed.get(), 10_000);
    assert!(house.alert("disputed").await.is_some());
    assert!(house.alert("conflict").await.is_some());
    assert_eq!(house.files.refunds().len(), 1);
    house.sound().await;
    // The return settles it.
    house.files.book().returned.push(person(1).account);
    let back = house.files.told(&reference, MessageKind::LateReturn);
    house.files.leave(house.files.say(
        MessageKind::LateReturn,
        &reference,
        Answer::Done,
        "",
        &back,
        "",
    ));
    house.live(2 * MINUTE, MINUTE).await;
    assert_eq!(house.places().await.disputed.get(), 0);
    assert_eq!(house.five(1).await, [0, 0, 101, 0, 100]);
    assert_eq!(house.files.refunds().len(), 1, "the money of one payment goes back once");
    house.sound().await;
    assert!(house.alert("disputed").await.is_none(), "the alarm ends with the dispute");
}

#[tokio::test]
async fn i8_a_late_credit_while_the_refund_is_under_way() {
    let (mut house, reference) = sent(2).await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    // The bank takes the refund and does not answer yet.
    house.files.next(Turn::Lose { booked: true });
    for _ in 0..5 {
        house.files.reply(Reply::Say(Answer::Processing));
    }
    house.files.leave_all(0);
    house.run().await;
    assert_eq!(house.five(1).await, [0, 0, 101, 100, 0]);
    house.files.fate(&person(1).account, Fate::Credited);
    house.files.leave_result(&reference, &rows(&house.files, &reference), "2");
    house.run().await;
    assert_eq!(house.places().await.disputed.get(), 10_000);
    house.live(30 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 101, 0, 100]);
    assert_eq!(house.files.refunds().len(), 1);
    house.sound().await;
}

#[tokio::test]
async fn i8_a_late_credit_before_the_refund_takes_it_out() {
    let (mut house, reference) = sent(3).await;
    house.files.fate(&person(1).account, Fate::Failed(Reason::AccountClosed, "已销户"));
    let told = rows(&house.files, &reference);
    house.files.leave_result(&reference, &told[..2], "1");
    house.run().await;
    assert_eq!(house.five(1).await, [0, 102, 101, 100, 0]);
    house.files.fate(&person(1).account, Fate::Credited);
    let late = rows(&house.files, &reference);
    house.files.leave_result(&reference, &late[..1], "2");
    house.files.leave_result(&reference, &late[2..], "3");
    house.live(80 * HOUR, 10 * HOUR).await;
    assert!(house.files.refunds().is_empty());
    assert_eq!(house.five(1).await, [0, 100, 203, 0, 0]);
    house.sound().await;
}

#[tokio::test]
async fn i26_notices_move_no_money_and_are_the_banks_word() {
    let (mut house, reference) = sent(3).await;
    let money =
        "SELECT group_concat(unsent_fen || '/' || in_flight_fen || '/' || credited_fen) FROM share";
    let before = house.texts(money).await;
    // They may come before the results, twice, and contradict each other.
    for (serial, state) in [
        ("1", NoticeState::Delivered),
        ("2", NoticeState::Delivered),
        ("3", NoticeState::Failed),
        ("4", NoticeState::Unknown),
    ] {
        let rows = house.files.notices(&reference, state);
        house.files.leave(house.files.say(
            MessageKind::Notice,
            &reference,
            Answer::Done,
            "",
            &rows[..1],
            serial,
        ));
        house.run().await;
    }
    assert_eq!(house.texts(money).await, before);
    assert_eq!(house.number("SELECT COUNT(*) FROM notice").await, 3);
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome").await, 0);
    assert_eq!(house.county.told("notices", "finance").len(), 3);
    house.sound().await;
}

#[tokio::test]
async fn i20_a_payment_altered_after_sending_holds_up_nothing_else() {
    let mut house = House::open().await;
    house.take(Draft::new("A", 1).lines(FILES, 2).declared()).await;
    house.take(Draft::new("B", 1).lines(FILES, 2).declared()).await;
    house
        .tamper("UPDATE payment SET amount_fen = amount_fen + 1 WHERE register_no = 1 AND line = 1")
        .await;
    house.files.leave_all(0);
    house.files.leave_all(1);
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.five(2).await, [0, 0, 201, 0, 0], "the other register is paid");
    assert_eq!(house.number("SELECT COUNT(*) FROM outcome WHERE attempt_no = 1").await, 0);
    let alert = house.alert("collect").await;
    assert!(alert.is_some(), "somebody is told: {:?}", house.troubles.last());
}

#[tokio::test]
async fn processing_rows_stay_in_flight_until_they_are_final() {
    let mut house = House::open().await;
    house.calls.fate(&person(1).account, Fate::Processing);
    house.take(Draft::new("A", 1).lines(CALLS, 2).declared()).await;
    house.live(12 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 100, 101, 0, 0]);
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 100, 101, 0, 0]);
    house.calls.fate(&person(1).account, Fate::Failed(Reason::AccountFrozen, "冻结"));
    house.live(5 * MINUTE, MINUTE).await;
    assert_eq!(house.five(1).await, [0, 0, 101, 0, 100]);
    house.live(HOUR, MINUTE).await;
    assert_eq!(house.clock.now_ms() % 1_000, 0);
    house.finished().await;
}

#[tokio::test]
async fn i12_a_return_that_is_told_about_another_batch_moves_nothing() {
    let mut house = House::open().await;
    // The same people get the same amounts in two months.
    for id in ["JULY", "AUGUST"] {
        house.take(Draft::new(id, 1).lines(CALLS, 3).declared()).await;
    }
    house.live(10 * MINUTE, MINUTE).await;
    assert_eq!([house.five(1).await, house.five(2).await], [[0, 0, 303, 0, 0]; 2]);
    let sent: Vec<String> = house.calls.batches().into_iter().map(|one| one.reference).collect();
    let [july, august] = &sent[..] else { panic!("two batches") };
    {
        let mut book = house.calls.book();
        book.returned.push(person(1).account);
        book.mixed_up.insert(august.clone(), july.clone());
        book.mixed_up.insert(july.clone(), august.clone());
    }
    house.live(3 * HOUR, 10 * MINUTE).await;
    assert_eq!([house.five(1).await, house.five(2).await], [[0, 0, 303, 0, 0]; 2]);
    assert!(house.number("SELECT COUNT(*) FROM result WHERE state = 'held'").await > 0);
    assert!(house.alert("result_held").await.is_some(), "somebody is told");
    house.sound().await;
}
