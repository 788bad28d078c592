//! Practice banks, met through the daemon's own doors: what they say, and what their books say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;

use crate::clock::SystemClock;
use crate::format::{Format, Key, MessageKind, Record, Value, example};
use crate::model::attempt::{Answer, Committed};
use crate::model::id::AttemptNo;
use crate::model::money::Fen;
use crate::model::notice::NoticeState::{self, Delivered, NoNumber};
use crate::model::outcome::OutcomeKind::{Credited, Failed, Returned};
use crate::model::reason::Reason;
use crate::sandbox::bank::{
    Faults, Often, Options, Outage, PracticeBank, Shown, Wire, read_cards, read_references,
};
use crate::sandbox::bank_town::{Booked, Said, Town, message_part, payment};
use crate::transport::https::{Https, HttpsOptions};
use crate::transport::tls::Identity;
use crate::transport::{Asked, Sent, Transport as _};

/// One of each: credited, three kinds of failure, returned later.
const MIXED: [&str; 6] = ["1000", "0401", "0402", "0403", "0501", "1000"];

#[tokio::test]
async fn a_file_bank_credits_fails_returns_notifies_and_refunds() {
    let town = Town::files(Faults::default()).await;
    assert!(matches!(town.send(&town.batch("A1", &MIXED)).await, Sent::Accepted { .. }));
    let result = town.await_file(MessageKind::Result).await;
    let expected = [Credited, Failed, Failed, Failed, Credited, Credited];
    assert_eq!(town.outcomes(MessageKind::Result, &result), (1..).zip(expected).collect());
    let row = result.rows.iter().find(|r| r.int(Key::Ordinal) == Some(3)).expect("row 3");
    let meaning = town.format.row_meaning(MessageKind::Result, row.text(Key::Code).expect("code"));
    assert_eq!(meaning.expect("known").reason, Some(Reason::NameMismatch));
    assert!(row.text(Key::Text).expect("words").contains("原户名为["));
    let back = town.await_file(MessageKind::LateReturn).await;
    let returned = town.outcomes(MessageKind::LateReturn, &back);
    assert_eq!(returned, [(5, Returned)].into_iter().collect());
    let notice = town.await_file(MessageKind::Notice).await;
    check_notices(&town, &notice);
    town.await_quiet().await;
    let refund = town.message(MessageKind::RefundRequest, "F1", &refund_rows());
    assert!(matches!(town.send(&refund).await, Sent::Accepted { .. }));
    let answer = town.await_file(MessageKind::RefundAnswer).await;
    assert_eq!(town.meaning(MessageKind::RefundAnswer, &answer), Answer::Done);
    check_book(&town);
}

fn check_notices(town: &Town, notice: &Said) {
    let states: BTreeMap<i64, NoticeState> = notice
        .rows
        .iter()
        .map(|row| {
            let code = row.text(Key::NoticeCode).expect("a code");
            let state = town.format.notice(MessageKind::Notice, code).expect("a known code");
            (row.int(Key::Ordinal).expect("a row number"), state)
        })
        .collect();
    assert_eq!(states, [(1, Delivered), (5, Delivered), (6, NoNumber)].into_iter().collect());
}

/// The payments of `MIXED` that failed or came back.
fn refund_rows() -> Vec<Record> {
    let row = |at: i64| {
        let mut row = payment(at, MIXED[usize::try_from(at).expect("small") - 1], 100 * at);
        row.set(Key::OriginalReference, Value::Text("A1"));
        row
    };
    [2, 3, 4, 5].map(row).to_vec()
}

/// 1 + 5 + 6 hundred fen were credited, 5 came back, 2 + 3 + 4 failed; the refund took what it named.
fn check_book(town: &Town) {
    let verdict = town.verdict();
    assert_eq!(verdict.credits_twice, []);
    assert_eq!(verdict.offences, Vec::<String>::new());
    assert_eq!((verdict.credited_count, verdict.credited_fen), (3, 1_200));
    assert_eq!((verdict.failed_count, verdict.failed_fen), (3, 900));
    assert_eq!((verdict.returned_count, verdict.returned_fen), (1, 500));
    assert_eq!((verdict.refunds, verdict.refunded_fen), (1, 1_400));
    // 2,100 fen were approved, and all are closed.
    assert_eq!(verdict.pool_balance, -2_100);
    let cards = read_cards(&town.options.data).expect("read");
    assert_eq!(cards.values().map(|card| card.fen).sum::<i64>(), 700);
}

#[tokio::test]
async fn an_http_bank_credits_fails_returns_notifies_and_refunds() {
    let town = Town::http(Faults::default()).await;
    let sent = town.send(&town.batch("A1", &MIXED)).await;
    let Sent::Accepted { answer: Some(answer) } = &sent else { panic!("{sent:?}") };
    let ack = town.read(MessageKind::Acknowledgement, &[message_part(answer)]);
    assert_eq!(town.meaning(MessageKind::Acknowledgement, &ack), Answer::Accepted);
    let done = town.await_done("A1").await;
    let expected = [Credited, Failed, Failed, Failed, Credited, Credited];
    assert_eq!(town.outcomes(MessageKind::StatusAnswer, &done), (1..).zip(expected).collect());
    town.await_quiet().await;
    let back = town.ask(MessageKind::ReturnQuery, "A1", MessageKind::LateReturn).await;
    let returned = town.outcomes(MessageKind::LateReturn, &back);
    assert_eq!(returned, [(5, Returned)].into_iter().collect());
    check_notices(&town, &town.ask(MessageKind::NoticeQuery, "A1", MessageKind::Notice).await);
    let before = town.ask(MessageKind::RefundQuery, "F1", MessageKind::RefundAnswer).await;
    assert_eq!(town.meaning(MessageKind::RefundAnswer, &before), Answer::NotFound);
    let refund = town.message(MessageKind::RefundRequest, "F1", &refund_rows());
    for _ in 0..2 {
        let sent = town.send(&refund).await;
        let Sent::Accepted { answer: Some(answer) } = &sent else { panic!("{sent:?}") };
        let answer = town.read(MessageKind::RefundAnswer, &[message_part(answer)]);
        assert_eq!(town.meaning(MessageKind::RefundAnswer, &answer), Answer::Done);
    }
    let after = town.ask(MessageKind::RefundQuery, "F1", MessageKind::RefundAnswer).await;
    assert_eq!(town.meaning(MessageKind::RefundAnswer, &after), Answer::Done);
    check_book(&town);
}

#[tokio::test]
async fn f5_a_lost_answer_is_booked_once_and_found_by_asking() {
    let town = Town::http(Faults::default()).await;
    let batch = town.batch("A1", &["1000", "0901"]);
    let sent = town.send(&batch).await;
    assert!(matches!(sent, Sent::Unknown { evidence: None, .. }), "{sent:?}");
    assert_eq!(town.await_done("A1").await.rows.len(), 2);
    // Whoever sends again without asking is told that it was there (F29).
    let sent = town.send(&batch).await;
    let Sent::Accepted { answer: Some(answer) } = &sent else { panic!("{sent:?}") };
    let ack = town.read(MessageKind::Acknowledgement, &[message_part(answer)]);
    assert_eq!(town.meaning(MessageKind::Acknowledgement, &ack), Answer::Duplicate);
    assert_eq!((town.verdict().credited_count, town.verdict().credits_twice.len()), (2, 0));
}

#[tokio::test]
async fn f5_a_file_bank_keeps_an_answer_back_until_it_is_asked() {
    let town = Town::files(Faults::default()).await;
    assert!(matches!(town.send(&town.batch("A1", &["1000", "0901"])).await, Sent::Accepted { .. }));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let names = town.door.arrivals(10).await.expect("listed");
    let result = |n: &String| {
        town.format.recognise(n).is_some_and(|known| known.kind == MessageKind::Result)
    };
    assert!(!names.iter().any(result), "{names:?}");
    assert_eq!(town.verdict().credited_count, 2);
    let asked = town.door.ask(&town.message(MessageKind::StatusQuery, "A1", &[])).await;
    assert!(matches!(asked, Asked::Posted), "{asked:?}");
    assert_eq!(town.await_file(MessageKind::Result).await.rows.len(), 2);
}

#[tokio::test]
async fn i1_a_bank_without_memory_credits_twice_and_its_book_shows_it() {
    for no_dedup in [false, true] {
        let town = Town::http(Faults { no_dedup, ..Faults::default() }).await;
        let batch = town.batch("A1", &["1000", "1000"]);
        for _ in 0..2 {
            assert!(matches!(town.send(&batch).await, Sent::Accepted { .. }));
        }
        let verdict = town.verdict();
        assert_eq!(verdict.credits_twice.len(), if no_dedup { 2 } else { 0 });
        assert_eq!(verdict.credited_count, if no_dedup { 4 } else { 2 });
    }
}

#[tokio::test]
async fn i5_other_bytes_under_one_reference_are_refused_and_noted() {
    let town = Town::http(Faults::default()).await;
    assert!(matches!(town.send(&town.batch("A1", &["1000"])).await, Sent::Accepted { .. }));
    let sent = town.send(&town.batch("A1", &["1001"])).await;
    let Sent::Accepted { answer: Some(answer) } = &sent else { panic!("{sent:?}") };
    let ack = town.read(MessageKind::Acknowledgement, &[message_part(answer)]);
    assert_eq!(town.meaning(MessageKind::Acknowledgement, &ack), Answer::OtherContent);
    assert_eq!(town.verdict().offences.len(), 1);
    assert_eq!(town.verdict().credited_count, 1);
}

#[tokio::test]
async fn i8_a_refund_of_money_on_a_card_is_an_offence() {
    let town =
        Town::http(Faults { lose_refund_answer: Often::Every(1), ..Faults::default() }).await;
    town.send(&town.batch("A1", &MIXED)).await.booked();
    let mut rows = refund_rows();
    rows[0] = payment(1, "1000", 100);
    rows[0].set(Key::OriginalReference, Value::Text("A1"));
    let sent = town.send(&town.message(MessageKind::RefundRequest, "F1", &rows)).await;
    assert!(matches!(sent, Sent::Unknown { .. }), "its answer is lost: {sent:?}");
    let after = town.ask(MessageKind::RefundQuery, "F1", MessageKind::RefundAnswer).await;
    assert_eq!(town.meaning(MessageKind::RefundAnswer, &after), Answer::Done);
    assert_eq!((town.verdict().refunds, town.verdict().offences.len()), (1, 1));
}

#[tokio::test]
async fn f7_a_bank_that_was_stopped_goes_on_from_its_book() {
    let town = Town::http(Faults::default()).await;
    let batch = town.batch("A1", &MIXED);
    assert!(matches!(town.send(&batch).await, Sent::Accepted { .. }));
    let town = town.restart().await;
    assert_eq!(town.await_done("A1").await.rows.len(), 6);
    assert!(matches!(town.send(&batch).await, Sent::Accepted { .. }));
    assert_eq!(town.verdict().credited_count, 3);
    let town = Town::files(Faults::default()).await;
    assert!(matches!(town.send(&town.batch("A1", &MIXED)).await, Sent::Accepted { .. }));
    for _ in 0..400 {
        if town.verdict().requests == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let town = town.restart().await;
    assert_eq!(town.await_file(MessageKind::Result).await.rows.len(), 6);
    assert_eq!(town.await_file(MessageKind::LateReturn).await.rows.len(), 1);
    assert_eq!(town.verdict().credited_count, 3);
}

#[tokio::test]
async fn f7_what_a_stopped_bank_left_half_gives_way_to_the_whole() {
    let town = Town::files(Faults::default()).await;
    for name in ["HPA1.txt", "THA1.txt", "DXA1.txt"] {
        std::fs::write(town.root.path().join("in").join(name), "another moment").expect("written");
    }
    assert!(matches!(town.send(&town.batch("A1", &MIXED)).await, Sent::Accepted { .. }));
    for kind in [MessageKind::Result, MessageKind::LateReturn, MessageKind::Notice] {
        assert!(!town.await_file(kind).await.rows.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn f31_a_batch_is_not_found_before_it_is_visible() {
    let town = Town::http(Faults { not_found_ms: 300, ..Faults::default() }).await;
    assert!(matches!(town.send(&town.batch("A1", &["1000"])).await, Sent::Accepted { .. }));
    let said = town.ask(MessageKind::StatusQuery, "A1", MessageKind::StatusAnswer).await;
    assert_eq!(town.meaning(MessageKind::StatusAnswer, &said), Answer::NotFound);
    tokio::time::sleep(Duration::from_millis(320)).await;
    assert_eq!(town.await_done("A1").await.rows.len(), 1);
}

#[tokio::test]
async fn faults_before_the_book_leave_no_trace_in_it() {
    let town = Town::http(Faults {
        busy: Often::Every(2),
        drop_before: Often::Every(3),
        ..Faults::default()
    })
    .await;
    let batch = town.batch("A1", &["1000"]);
    assert!(matches!(town.send(&batch).await, Sent::Accepted { .. }));
    let other = town.batch("A2", &["1000"]);
    let busy = town.send(&other).await;
    assert!(matches!(&busy, Sent::Unknown { cause, .. } if cause.contains("503")), "{busy:?}");
    assert!(matches!(town.send(&other).await, Sent::Unknown { .. }), "the line is cut");
    let said = town.ask(MessageKind::StatusQuery, "A2", MessageKind::StatusAnswer).await;
    assert_eq!(town.meaning(MessageKind::StatusAnswer, &said), Answer::NotFound);
    assert_eq!(town.verdict().requests, 1);
}

#[tokio::test]
async fn a_refused_batch_has_the_banks_words_and_no_credits() {
    let town = Town::http(Faults { refuse: Often::Every(2), ..Faults::default() }).await;
    assert!(matches!(town.send(&town.batch("A1", &["1000"])).await, Sent::Accepted { .. }));
    let batch = town.batch("A2", &["1000"]);
    for _ in 0..2 {
        let sent = town.send(&batch).await;
        let Sent::Accepted { answer: Some(answer) } = &sent else { panic!("{sent:?}") };
        let ack = town.read(MessageKind::Acknowledgement, &[message_part(answer)]);
        assert_eq!(town.meaning(MessageKind::Acknowledgement, &ack), Answer::Refused);
        assert!(ack.head.text(Key::Text).expect("words").contains("余额不足"));
    }
    let said = town.ask(MessageKind::StatusQuery, "A2", MessageKind::StatusAnswer).await;
    assert_eq!(town.meaning(MessageKind::StatusAnswer, &said), Answer::Refused);
    assert_eq!((town.verdict().refused, town.verdict().credited_count), (1, 1));
}

#[tokio::test]
async fn f37_wrong_results_are_given_once_and_the_book_stays_right() {
    let wrong = |change: fn(&mut Faults)| {
        let mut faults = Faults::default();
        change(&mut faults);
        faults
    };
    let town = Town::http(wrong(|f| f.wrong_amount = Often::Every(1))).await;
    town.send(&town.batch("A1", &["1000", "1000"])).await.booked();
    let said = town.await_done("A1").await;
    assert_eq!(said.rows[0].amount(Key::Amount), Some(Fen::new(200)));
    let said = town.await_done("A1").await;
    assert_eq!(said.rows[0].amount(Key::Amount), Some(Fen::new(100)));
    let town = Town::http(wrong(|f| f.unknown_row = Often::Every(1))).await;
    town.send(&town.batch("A1", &["1000", "1000"])).await.booked();
    assert_eq!(town.await_done("A1").await.rows[0].int(Key::Ordinal), Some(90_001));
    let town = Town::http(wrong(|f| f.wrong_account = Often::Every(1))).await;
    town.send(&town.batch("A1", &["1000", "1000"])).await.booked();
    let account = town.await_done("A1").await.rows[0].text(Key::Account).map(str::to_owned);
    assert_eq!(account.as_deref(), Some("000110000000007126"));
    let town = Town::http(wrong(|f| f.contradict = Often::Every(1))).await;
    town.send(&town.batch("A1", &["1000", "1000"])).await.booked();
    let rows = town.await_done("A1").await.rows;
    assert_eq!(rows.iter().filter(|r| r.int(Key::Ordinal) == Some(1)).count(), 2);
    assert_eq!(town.verdict().credited_fen, 300);
}

#[tokio::test]
async fn f33_f35_result_files_come_doubled_cut_in_two_and_contradicted() {
    for (faults, rows) in [
        (Faults { repeat_result: Often::Every(1), ..Faults::default() }, [3, 3]),
        (Faults { split_result: Often::Every(1), ..Faults::default() }, [1, 2]),
        (Faults { contradict: Often::Every(1), ..Faults::default() }, [3, 1]),
    ] {
        let town = Town::files(faults).await;
        town.send(&town.batch("A1", &["1000", "1000", "1000"])).await.booked();
        let mut found = [0, 0];
        for slot in &mut found {
            *slot = town.await_file(MessageKind::Result).await.rows.len();
        }
        found.sort_unstable();
        let mut rows = rows;
        rows.sort_unstable();
        assert_eq!(found, rows);
    }
}

#[tokio::test]
async fn f39_a_result_whose_own_sum_does_not_close_reads_as_that() {
    let town = Town::files(Faults { wrong_sum: Often::Every(1), ..Faults::default() }).await;
    town.send(&town.batch("A1", &["1000", "1000"])).await.booked();
    for _ in 0..400 {
        let names = town.door.arrivals(10).await.expect("listed");
        let result = names
            .iter()
            .find(|n| town.format.recognise(n).expect("ours").kind == MessageKind::Result);
        if let Some(name) = result {
            let arrival = town.door.fetch(name).await.expect("read");
            let parts = town.parts_of(&arrival);
            let error = town.try_read(MessageKind::Result, &parts).expect_err("does not close");
            assert!(error.contains("sum"), "{error}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no result came");
}

#[tokio::test]
async fn f39_a_batch_that_does_not_close_is_refused_whole() {
    let town = Town::files(Faults::default()).await;
    let mut parts = town.batch("A1", &["1000", "1000"]);
    let whole = parts[0].bytes.clone();
    let cut = whole.iter().rposition(|b| *b == b'1').expect("a digit");
    let mut bytes = whole.to_vec();
    bytes.truncate(cut);
    parts[0].bytes = Bytes::from(bytes);
    town.send(&parts).await.booked();
    for _ in 0..400 {
        if town.verdict().refused == 1 {
            assert_eq!(town.verdict().credited_count, 0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never refused: {:?}", town.root.path());
}

#[tokio::test]
async fn the_same_seed_and_the_same_batches_make_the_same_book() {
    let mut books = Vec::new();
    for seed in [5, 5, 6] {
        let half = Often::Share(500_000);
        let faults = Faults {
            seed,
            drop_before: half,
            lose_answer: half,
            refuse: Often::Share(200_000),
            return_later: half,
            ..Faults::default()
        };
        let town = Town::http(faults).await;
        let mut answered = Vec::new();
        for n in 0..24 {
            // Other batches come in between: a fault hangs on none of them.
            let n = if seed == 6 || books.is_empty() { n } else { 23 - n };
            let batch = town.batch(&format!("A{n:02}"), &["1000", "1001"]);
            answered.push((n, matches!(town.send(&batch).await, Sent::Accepted { .. })));
        }
        answered.sort_unstable();
        let fared = read_references(&town.options.data).expect("the book reads");
        let fared: Vec<_> = fared.into_iter().map(|(r, f)| (r, f.taken, f.refused)).collect();
        let rows = read_cards(&town.options.data).expect("the book reads").len();
        books.push((answered, fared, rows));
    }
    assert_eq!(books[0], books[1]);
    assert_ne!(books[0], books[2]);
    let taken = books[0].1.len();
    assert!((4..=20).contains(&taken), "about half of them: {taken}");
}

#[tokio::test]
async fn f24_f53_an_outage_refuses_callers_and_ends() {
    let outage = Outage { every_ms: 600, lasts_ms: 300 };
    let town = Town::http(Faults { outage: Some(outage), ..Faults::default() }).await;
    let (mut refused, mut taken) = (0, 0);
    for n in 0..40 {
        match town.send(&town.batch(&format!("A{n:02}"), &["1000"])).await {
            Sent::Accepted { .. } => taken += 1,
            Sent::NotSent { .. } => refused += 1,
            Sent::Unknown { cause, .. } => panic!("a call that was let in is answered: {cause}"),
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(refused > 5 && taken > 5, "{refused} refused, {taken} taken");
    assert_eq!(town.verdict().requests, taken);
}

/// A practice bank met by TLS, and where its own certificate is.
async fn met_by_tls(root: &Path, client_ca: Option<PathBuf>) -> (PracticeBank, PathBuf) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("signed").pem();
    let shown = Shown { certificate: root.join("c.pem"), key: root.join("k.pem"), client_ca };
    std::fs::write(&shown.certificate, certificate).expect("written");
    std::fs::write(&shown.key, key.serialize_pem()).expect("written");
    let format = example::example("example-city-xml").expect("an example");
    let format = Arc::new(Format::compile("example-city-xml", format).expect("compiles"));
    let wire = Wire::Http { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let certificate = shown.certificate.clone();
    let options = Options { shown: Some(shown), ..Options::new(root.join("bank"), wire) };
    let bank = PracticeBank::start(options, format, Arc::new(SystemClock)).await.expect("starts");
    (bank, certificate)
}

fn tls_door(bank: &PracticeBank, ca_file: Option<PathBuf>, identity: Option<Identity>) -> Https {
    let port = bank.address().expect("it listens").port();
    let door = Https::new(&HttpsOptions {
        url: format!("https://localhost:{port}/"),
        content_type: "application/xml; charset=GBK".to_owned(),
        ca_file,
        identity,
        signing: None,
        connect_ms: 2_000,
        total_ms: 5_000,
        answer_bytes_max: 1 << 20,
    });
    door.expect("good settings")
}

#[tokio::test]
async fn f24_a_practice_bank_shows_its_certificate() {
    let root = tempfile::tempdir().expect("a folder");
    let (bank, certificate) = met_by_tls(root.path(), None).await;
    let town = Town::http(Faults::default()).await;
    let batch = town.batch("A1", &["1000"]);
    let committed = Committed::after_commit(AttemptNo(1));
    let sent = tls_door(&bank, None, None).send(&committed, &batch).await;
    assert!(matches!(sent, Sent::NotSent { .. }), "nobody vouches for it: {sent:?}");
    let sent = tls_door(&bank, Some(certificate), None).send(&committed, &batch).await;
    assert!(matches!(sent, Sent::Accepted { .. }), "{sent:?}");
    assert_eq!(bank.judge().expect("the book reads").requests, 1);
}

#[tokio::test]
async fn f24_a_practice_bank_that_asks_who_calls_hears_nobody_else() {
    let root = tempfile::tempdir().expect("a folder");
    // An authority for clients, one certificate of it, and one of another authority.
    let identity = |name: &str| {
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let mut authority = params.clone();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_key = rcgen::KeyPair::generate().expect("a key");
        let ca_pem = authority.self_signed(&ca_key).expect("signed").pem();
        let issuer = rcgen::Issuer::new(authority, ca_key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.signed_by(&key, &issuer).expect("signed").pem();
        let (ca, certificate_file) =
            (root.path().join(format!("{name}-ca.pem")), root.path().join(format!("{name}.pem")));
        std::fs::write(&ca, ca_pem).expect("written");
        std::fs::write(&certificate_file, pem).expect("written");
        (ca, Identity { certificate_file, key: SecretString::from(key.serialize_pem()) })
    };
    let ((client_ca, agent), (_, stranger)) = (identity("agent"), identity("stranger"));
    let (bank, certificate) = met_by_tls(root.path(), Some(client_ca)).await;
    let town = Town::http(Faults::default()).await;
    let batch = town.batch("A1", &["1000"]);
    let committed = Committed::after_commit(AttemptNo(1));
    for unknown in [None, Some(stranger)] {
        let door = tls_door(&bank, Some(certificate.clone()), unknown);
        let sent = door.send(&committed, &batch).await;
        assert!(!matches!(sent, Sent::Accepted { .. }), "{sent:?}");
    }
    assert_eq!(bank.judge().expect("the book reads").requests, 0);
    let sent = tls_door(&bank, Some(certificate), Some(agent)).send(&committed, &batch).await;
    assert!(matches!(sent, Sent::Accepted { .. }), "{sent:?}");
    assert_eq!(bank.judge().expect("the book reads").requests, 1);
}
