//! The practice finance against its own client, played by a bank side that does everything right,
//! and by others that do not.

mod right_side;

use super::*;
use crate::clock::ManualClock;
use crate::finance::http::{HttpFinance, Settings};
use crate::finance::report::{About, Body, Head, Refund, RefundRow, SetAside, To};
use crate::finance::spoken::{When, Yuan};
use crate::finance::{Finance, FinanceError};
use crate::model::money::Fen;
use crate::model::outcome::Folded;
use crate::model::payment::Line;
use crate::model::refund::LeftoverCause;
use crate::model::register::RegisterHead;
use crate::model::report::RecipientKind;
use crate::sandbox::finance::tests::right_side::{Row, play, receipt, result_json, results};

const NOW: i64 = 1_795_420_144_000;

struct Practice {
    handle: Handle,
    client: HttpFinance,
    clock: ManualClock,
}

fn options(data: &Path) -> Options {
    let key = Key::new([9; 32]);
    Options { payments: 60, data: data.to_owned(), key, ..Options::practice() }
}

async fn practice(options: Options) -> Practice {
    let clock = ManualClock::at(NOW);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let (id, key) = (options.key_id.clone(), options.key.clone());
    let handle = start(options, listener, Arc::new(clock.clone())).expect("starts");
    let settings = Settings::new("practice", &handle.base_url(), &id, key);
    let client = HttpFinance::new(settings, Arc::new(clock.clone())).expect("client");
    Practice { handle, client, clock }
}

impl Practice {
    async fn register(&self, at: usize) -> (RegisterHead, Vec<Line>) {
        let page = self.client.listed(None, 100).await.expect("list");
        let listed = &page.items[at];
        let head = self.client.head(&listed.id, listed.revision).await.expect("head");
        let mut stream = self.client.lines(&head).await.expect("opens");
        let mut lines = Vec::new();
        loop {
            let some = stream.next(7).await.expect("lines");
            if some.is_empty() {
                break;
            }
            lines.extend(some.into_iter().map(|line| line.expect("a line of the contract")));
        }
        assert_eq!(stream.digest(), head.digest, "I25: the digest covers what came");
        (head, lines)
    }

    /// Delivers one report to each recipient, the rows of a town to that town alone.
    async fn tell(&self, register: &str, no: &str, about: About, rows: &[Row]) {
        let to = |kind, name: &str| To { kind, name: name.to_owned() };
        let at = self.handle.finance().registers().find(register).expect("register");
        let head = self.handle.finance().registers().head(at);
        self.send(register, no, to(RecipientKind::Finance, ""), about.clone(), rows.iter()).await;
        let department = to(RecipientKind::Department, &head.department);
        self.send(register, no, department, about.clone(), rows.iter()).await;
        let mut towns: Vec<&str> = rows.iter().map(|row| row.town.as_str()).collect();
        towns.sort_unstable();
        towns.dedup();
        for town in towns {
            let mine = rows.iter().filter(|row| row.town == town);
            let sum: Fen = mine.clone().map(|row| row.amount).sum();
            let about = match about.clone() {
                About::SetAside(_) => About::SetAside(SetAside { sum: Yuan(sum) }),
                About::Refund(refund) => About::Refund(Refund { amount: Yuan(sum), ..refund }),
                other => other,
            };
            self.send(register, no, to(RecipientKind::Town, town), about, mine).await;
        }
    }

    async fn send(
        &self,
        register: &str,
        no: &str,
        recipient: To,
        about: About,
        rows: impl Iterator<Item = &Row>,
    ) {
        let mut body = Body::new();
        for row in rows {
            body.row(&row.json);
        }
        let town = if recipient.kind == RecipientKind::Town { &recipient.name } else { "" };
        let report_id = format!("{register}-{no}-{}{town}", recipient.kind);
        let head = Head {
            report_id: report_id.clone(),
            kind: about.kind(),
            recipient,
            register: register.to_owned(),
            revision: 1,
            made_at: When(NOW),
            rows: 0,
            about,
        };
        let body = body.finish(head);
        let first = self.client.deliver(&report_id, body.clone()).await.expect("taken");
        let again = self.client.deliver(&report_id, body).await.expect("taken again");
        assert_eq!(first, again, "a repetition is answered as at first");
    }
}

async fn play_all(practice: &Practice, closing: bool) {
    for at in 0..3 {
        let (head, lines) = practice.register(at).await;
        let played = play(practice.handle.finance().registers(), at, &head, &lines);
        practice.tell(&head.id, "receipt", receipt(&head), &[]).await;
        let sum: Fen = played.held.iter().map(|row| row.amount).sum();
        let about = About::SetAside(SetAside { sum: Yuan(sum) });
        practice.tell(&head.id, "held", about, &played.held).await;
        practice.tell(&head.id, "e1", results("E1"), &played.results).await;
        practice.tell(&head.id, "e2", results("E2"), &played.returns).await;
        let about = About::Refund(Refund {
            refund: "F1".into(),
            bank: "bank-a".into(),
            pool_account: head.pool_account.clone(),
            voucher_no: head.voucher_no.clone(),
            amount: played.closing.refunded_sum,
            reference: "ref".into(),
        });
        practice.tell(&head.id, "refund", about, &played.refunds).await;
        if closing {
            practice.tell(&head.id, "closing", About::Closing(played.closing), &[]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_bank_side_is_judged_good_also_after_a_restart() {
    let data = tempfile::tempdir().expect("folder");
    let first = practice(options(data.path())).await;
    assert!(!first.handle.judge().is_good());
    play_all(&first, true).await;
    let judged = first.handle.judge();
    assert_eq!(judged.faults(), Vec::<String>::new());
    let troubled = &judged.registers[1];
    assert_eq!((troubled.set_aside, troubled.failed, troubled.returned), (6, 3, 1));
    assert_eq!(troubled.dropped, 4, "two of the three that somebody may vouch for are released");
    assert_eq!(troubled.refunded, troubled.dropped + troubled.failed + troubled.returned);
    let decisions = first.client.decisions(None, 4).await.expect("decisions");
    assert_eq!((decisions.items.len(), decisions.next.as_deref()), (4, Some("4")));
    let rest = first.client.decisions(Some("4"), 4).await.expect("decisions");
    assert_eq!((rest.items.len(), rest.next), (2, None));

    // The book alone says the same to another process, which may read it at any time, and write
    // in it once this one is gone.
    let read = reading::read_book(data.path()).expect("it reads").expect("it is begun");
    assert_eq!(read.judgement, judged);
    let credited =
        |sum: fn(&judge::RegisterJudgement) -> i64| judged.registers.iter().map(sum).sum::<i64>();
    let on_cards =
        |sum: fn(&crate::sandbox::bank::Card) -> i64| read.cards.values().map(sum).sum::<i64>();
    assert_eq!(on_cards(|card| card.credits), credited(|r| r.credited));
    assert_eq!(on_cards(|card| card.fen), credited(|r| r.credited_fen));
    let again = PracticeFinance::open(options(data.path()), Arc::new(ManualClock::at(NOW)));
    assert!(matches!(again, Err(PracticeError::InUse { .. })));
    first.handle.stop().await.expect("stops");
    let again = PracticeFinance::open(options(data.path()), Arc::new(ManualClock::at(NOW + 1)));
    assert_eq!(again.map(|finance| finance.judge()).ok(), Some(judged));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_finds_what_is_missing_or_wrong() {
    let data = tempfile::tempdir().expect("folder");
    let practice = practice(options(data.path())).await;
    play_all(&practice, false).await;
    let id = practice.handle.finance().registers().id(1);
    let only_closing = practice.handle.judge().faults();
    assert_eq!(only_closing.len(), 3, "{only_closing:?}");
    let (_, lines) = practice.register(1).await;
    // Another report says again that line 1 is credited, and one credits a dropped line.
    let rows = [0, 10].map(|at: usize| Row {
        json: result_json(&lines[at], Folded::Credited),
        town: "610728101".into(),
        amount: lines[at].amount,
    });
    let to = To { kind: RecipientKind::Finance, name: String::new() };
    practice.send(&id, "e3", to, results("E3"), rows.iter()).await;
    // And the money of line 2, which was credited, comes back as well.
    let about = About::Refund(Refund {
        refund: "F2".into(),
        bank: "bank-a".into(),
        pool_account: "1".into(),
        voucher_no: "2".into(),
        amount: Yuan(lines[1].amount),
        reference: "ref".into(),
    });
    let cause = LeftoverCause::Failed;
    let json = RefundRow { line: 2, amount: Yuan(lines[1].amount), cause };
    let json = serde_json::to_value(json).expect("json");
    let row = Row { json, town: String::new(), amount: lines[1].amount };
    let to = To { kind: RecipientKind::Finance, name: String::new() };
    practice.send(&id, "refund-2", to, about, std::iter::once(&row)).await;
    let faults = practice.handle.judge().faults().join("; ");
    for expected in [
        "1 payments were refunded although they are not left over (first: line 2)",
        "came back where",
        "1 payments were reported twice (first: line 1)",
        "1 payments were paid although they were dropped (first: line 11)",
        "no closing account came",
    ] {
        assert!(faults.contains(expected), "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_cannot_be_true_are_refused() {
    let data = tempfile::tempdir().expect("folder");
    let practice = practice(options(data.path())).await;
    let (head, lines) = practice.register(1).await;
    let good = result_json(&lines[4], Folded::Failed);
    let deliver = async |to: To, rows: Vec<serde_json::Value>, said: Option<i64>| {
        let mut body = Body::new();
        for row in &rows {
            body.row(row);
        }
        let report = Head {
            report_id: "r".into(),
            kind: results("E1").kind(),
            recipient: to,
            register: head.id.clone(),
            revision: 1,
            made_at: When(NOW),
            rows: 0,
            about: results("E1"),
        };
        let mut text = String::from_utf8(body.finish(report).to_vec()).expect("text");
        if let Some(said) = said {
            text = text.replacen("\"rows\":1", &format!("\"rows\":{said}"), 1);
        }
        match practice.client.deliver("r", text.into()).await {
            Err(FinanceError::Rejected { status: 422, words }) => words,
            other => panic!("{other:?}"),
        }
    };
    let finance = || To { kind: RecipientKind::Finance, name: String::new() };
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut row = good.clone();
        change(&mut row);
        vec![row]
    };
    for (rows, words) in [
        (with(&|r| r["line"] = 61.into()), "no such line"),
        (with(&|r| r["amount"] = "0.01".into()), "another amount"),
        (with(&|r| r["failure"]["name"] = "某".into()), "another payee"),
        (with(&|r| r["failure"]["bank_text"] = "原户名为[某某]".into()), "name somebody"),
        (with(&|r| r["failure"] = serde_json::Value::Null), "not of the type"),
        (with(&|r| drop(r.as_object_mut().map(|r| r.remove("failure")))), "has its reason"),
        (with(&|r| r["outcome"] = "credited".into()), "only failed and returned"),
        (with(&|r| r["outcome"] = "pending".into()), "pending is no result"),
        (with(&|r| r["more"] = 1.into()), "unknown field `more`"),
    ] {
        let said = deliver(finance(), rows, None).await;
        assert!(said.contains(words) && said.contains("row 1"), "{said} / {words}");
    }
    let said = deliver(finance(), vec![good.clone()], Some(2)).await;
    assert!(said.contains("another number of rows"), "{said}");
    let town = To { kind: RecipientKind::Town, name: "610728999".into() };
    assert!(deliver(town, vec![good.clone()], None).await.contains("another town's"));
    let other = To { kind: RecipientKind::Department, name: "别的局".into() };
    assert!(deliver(other, vec![], None).await.contains("nothing to do"));
    let body = practice.client.deliver("r", "{}".into()).await.expect_err("no line end");
    assert!(matches!(body, FinanceError::Rejected { status: 422, .. }));
    assert_eq!(practice.handle.judge().reports_acknowledged, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_report_id_with_another_body_is_a_conflict() {
    let data = tempfile::tempdir().expect("folder");
    let practice = practice(options(data.path())).await;
    let (head, _) = practice.register(0).await;
    practice.tell(&head.id, "receipt", receipt(&head), &[]).await;
    let report = Head {
        report_id: format!("{}-receipt-finance", head.id),
        kind: receipt(&head).kind(),
        recipient: To { kind: RecipientKind::Finance, name: String::new() },
        register: head.id.clone(),
        revision: 1,
        made_at: When(NOW + 1),
        rows: 0,
        about: receipt(&head),
    };
    let id = report.report_id.clone();
    let error = practice.client.deliver(&id, Body::new().finish(report)).await.expect_err("409");
    assert!(matches!(error, FinanceError::Rejected { status: 409, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_a_torn_last_line_is_cut_off_and_a_broken_one_is_not_read_over() {
    let data = tempfile::tempdir().expect("folder");
    let path = data.path().join("finance-book.ndjson");
    let open = || PracticeFinance::open(options(data.path()), Arc::new(ManualClock::at(NOW + 5)));
    let first = practice(options(data.path())).await;
    let (head, _) = first.register(0).await;
    first.tell(&head.id, "receipt", receipt(&head), &[]).await;
    first.handle.stop().await.expect("stops");
    let whole = std::fs::read(&path).expect("book");
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').expect("lines") + 1;
    for cut in [last, last + 1, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).expect("written");
        let finance = open().expect("opens");
        assert_eq!(finance.judge().reports_acknowledged, 1, "one of two is whole");
        assert_eq!(
            finance.registers().head(0),
            RegisterHead { funded_at_ms: None, ..head.clone() }
        );
        drop(finance);
        assert_eq!(std::fs::read(&path).expect("book").len(), last);
    }
    let mut broken = whole.clone();
    broken[last] = b'x';
    std::fs::write(&path, &broken).expect("written");
    assert!(matches!(open(), Err(PracticeError::Book { line: 3, .. })));
    std::fs::write(&path, &whole).expect("written");
    let other = Options { seed: 2, ..options(data.path()) };
    let opened = PracticeFinance::open(other, Arc::new(ManualClock::at(NOW)));
    assert!(matches!(opened, Err(PracticeError::OtherOptions { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn funding_comes_when_it_is_said_and_stays() {
    let data = tempfile::tempdir().expect("folder");
    let later = || Options { funded_after_ms: 1000, ..options(data.path()) };
    let first = practice(later()).await;
    let id = first.handle.finance().registers().id(0);
    let head = first.client.head(&id, 1).await.expect("head");
    assert_eq!(head.funded_at_ms, None);
    first.clock.advance_ms(1000);
    let funded = first.client.head(&id, 1).await.expect("head");
    assert_eq!(funded, RegisterHead { funded_at_ms: Some(NOW + 1000), ..head.clone() });
    first.handle.stop().await.expect("stops");
    let again = practice(later()).await;
    again.clock.advance_ms(2000);
    assert_eq!(again.client.head(&id, 1).await.expect("head"), funded);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_unknown_things_are_refused() {
    let data = tempfile::tempdir().expect("folder");
    let practice = practice(options(data.path())).await;
    let refused = |error: FinanceError, expected: u16| {
        let right = matches!(error, FinanceError::Rejected { status, .. } if status == expected);
        assert!(right, "{error}");
    };
    refused(practice.client.head("20261123-0009", 1).await.expect_err("404"), 404);
    let id = practice.handle.finance().registers().id(0);
    refused(practice.client.head(&id, 2).await.expect_err("404"), 404);
    refused(practice.client.listed(Some("x"), 1).await.expect_err("400"), 400);
    refused(practice.client.listed(None, 1001).await.expect_err("400"), 400);
    // Another key under the same name: refused, and the refusal's own signature does not fit.
    let base = practice.handle.base_url();
    let settings = Settings::new("practice", &base, "practice", Key::new([8; 32]));
    let stranger = HttpFinance::new(settings, Arc::new(practice.clock.clone())).expect("client");
    refused(stranger.listed(None, 1).await.expect_err("401"), 401);
    // A clock that is an hour off.
    let settings = Settings::new("practice", &base, "practice", Key::new([9; 32]));
    let late = HttpFinance::new(settings, Arc::new(ManualClock::at(NOW - 3_600_000)));
    refused(late.expect("client").listed(None, 1).await.expect_err("401"), 401);
}
