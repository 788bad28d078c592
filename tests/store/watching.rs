//! Alerts, the deadline, and the outbox of reports.

use daifa::model::alert::AlertKind;
use daifa::model::report::{Recipient, RecipientKind, ReportKind};
use daifa::store::clock::Anchor;
use daifa::store::reports::NewReport;

use crate::base::Base;
use crate::samples::{BANK, CREDITED, FAILED, HOUR, NOW, RETURNED, lines, moved};

pub async fn an_alert_is_raised_once_until_it_is_over(base: &Base) {
    let raise = async |text: &str| {
        let raised = base.store.raise_alert(AlertKind::Finance, "county", None, text, NOW).await;
        raised.expect("writes")
    };
    let version = base.store.version();
    assert!(raise("one").await);
    assert!(base.store.version() > version, "whoever waits is woken");
    let version = base.store.version();
    assert!(!raise("two").await);
    assert_eq!(base.store.version(), version, "nothing changed, and nobody is woken");
    assert_eq!(base.texts("SELECT text FROM alert").await, ["one"]);
    base.store.clear_alert(AlertKind::Finance, "county", NOW).await.expect("clears");
    base.store.clear_alert(AlertKind::Finance, "county", NOW).await.expect("again changes nothing");
    assert_eq!(base.alerts().await, [""; 0]);
    assert!(raise("three").await, "it is there again");
    assert_eq!(base.texts("SELECT text FROM alert").await, ["three"]);
    base.clean().await;
}

/// Its words are those of the trouble as it is by now, and it stands since it began.
pub async fn f50_an_alert_that_stands_follows_what_is_wrong(base: &Base) {
    let raise = |text: &'static str, seconds: i64| {
        base.store.raise_alert(AlertKind::Door, "bank", None, text, NOW + seconds * 1_000)
    };
    let stands = || async {
        let overview = base.store.overview(9).await.expect("reads");
        let alert = overview.alerts.first().expect("it stands");
        (alert.text.clone(), alert.raised_at_ms)
    };
    assert!(raise("the connection ended", 0).await.expect("writes"));
    for (text, seconds, expected) in [
        ("the key is another", 59, "the connection ended"),
        ("the key is another", 60, "the key is another"),
        ("the connection ended", 119, "the key is another"),
        ("the connection ended", 120, "the connection ended"),
    ] {
        assert!(!raise(text, seconds).await.expect("writes"), "it stands already");
        assert_eq!(stands().await, (expected.to_owned(), NOW), "after {seconds} s");
    }
    base.clean().await;
}

pub async fn i16_deadline_alerts_rise_and_end_with_the_register(base: &Base) {
    let (register, attempt) = base.under_way("2026-1", &lines(&[1, 2])).await;
    let running = async || base.store.running().await.expect("reads").pop();
    let first = running().await.expect("its clock runs");
    assert_eq!((first.register, first.open_fen, first.alert_level), (register, 3, 0));
    assert_eq!((first.start_at_ms, first.deadline_at_ms), (NOW, NOW + 24 * HOUR));
    base.store.raise_deadline(&first, 50, "一半时间已过", NOW).await.expect("raises");
    moved(base.store.raise_deadline(&first, 80, "同一时刻的另一个", NOW).await);
    let second = running().await.expect("its clock runs");
    assert_eq!(second.alert_level, 50);
    base.store.raise_deadline(&second, 80, "八成时间已过", NOW).await.expect("raises");
    assert_eq!(base.alerts().await, ["deadline"], "the higher level stands for the lower");
    let page = base.page(register).await;
    assert_eq!((page.row.alert_level, page.batches[0].alert_level), (80, 80));
    base.take(&attempt, &[(1, CREDITED), (2, CREDITED)]).await;
    assert_eq!(running().await.expect("is not closed").open_fen, 0);
    let closing = base.store.due_to_close().await.expect("reads").pop().expect("has ended");
    base.store.close_register(&closing, &[], NOW).await.expect("closes");
    assert_eq!(base.alerts().await, [""; 0]);
    assert!(running().await.is_none());
    base.clean().await;
}

pub async fn a_report_is_due_until_it_is_acknowledged(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1])).await;
    let report = |id: &str, body: &str| NewReport {
        report_id: id.to_owned(),
        register,
        kind: ReportKind::Receipt,
        recipient: Recipient {
            kind: RecipientKind::Department, name: "县农业农村局".to_owned()
        },
        subject: 0,
        body: body.to_owned(),
    };
    base.store
        .add_reports(register, &[report("a", "1"), report("b", "1")], NOW + 1)
        .await
        .expect("adds");
    base.store
        .add_reports(register, &[report("a", "2")], NOW + 1)
        .await
        .expect("the same id stays");
    let due = async |at| base.store.due_reports(at, 9, &[]).await.expect("reads");
    let ids = |due: &[daifa::store::reports::DueReport]| {
        due.iter().map(|report| report.report_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&due(NOW).await), [format!("receipt-{register}")]);
    let all = due(NOW + 1).await;
    assert_eq!(all.len(), 3);
    assert_eq!((all[1].body.as_str(), all[1].register_id.as_str()), ("1", "2026-1"));
    base.store.delay_report(&all[1], "finance is away", NOW + 50).await.expect("delays");
    assert_eq!(due(NOW + 49).await.len(), 2);
    let again = due(NOW + 50).await;
    assert_eq!(again.last().map(|report| report.tries), Some(1));
    base.store.acknowledge(&all, NOW).await.expect("acknowledges");
    moved(base.store.acknowledge(&all[..1], NOW).await);
    assert_eq!(due(NOW + 99).await.len(), 0);
    let page = base.page(register).await;
    assert!(page.reports.iter().all(|report| report.acknowledged_at_ms == Some(NOW)));
    let totals = base.store.totals().await.expect("reads");
    assert_eq!((totals.reports_due, totals.reports_acknowledged), (0, 3));
    assert_eq!(base.store.towns(register).await.expect("reads"), [610_728_101]);
    base.clean().await;
}

pub async fn i28_totals_are_those_of_the_registers(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1, 2])).await;
    base.accept("2026-2", 1, &lines(&[4])).await;
    base.take(&attempt, &[(1, CREDITED)]).await;
    let totals = base.store.totals().await.expect("reads");
    let overview = base.store.overview(9).await.expect("reads");
    assert_eq!(totals.places, overview.places);
    assert_eq!(totals.places, base.clean().await.places);
    assert_eq!(totals.counts.payments, 3);
    assert_eq!(totals.attempts, [("accepted".to_owned(), 1)]);
    assert_eq!(overview.registers_total, 2);
    assert_eq!(base.store.overview(1).await.expect("reads").registers.len(), 1);
    let empty = base.store.cuttable(overview.registers[0].no, BANK, 9).await.expect("reads");
    assert_eq!(empty.payments.len(), 1);
}

pub async fn a_step_that_waits_is_woken_by_a_change(base: &Base) {
    let version = base.store.version();
    let waiting = {
        let store = crate::samples::shared(base);
        tokio::spawn(async move { store.changed_since(version).await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    base.accept("2026-1", 1, &lines(&[1])).await;
    waiting.await.expect("is woken");
    // What changed before it was asked about is not waited for.
    base.store.changed_since(version).await;
}

pub async fn pages_lose_and_repeat_nothing(base: &Base) {
    let mut all = Vec::new();
    for no in 1..=5 {
        all.insert(0, base.accept(&format!("2026-{no}"), 1, &lines(&[1])).await);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = base.store.overview_before(before, 2).await.expect("reads");
        assert_eq!(page.before, before);
        seen.extend(page.registers.iter().map(|row| row.no));
        before = seen.last().copied();
        if !page.older {
            break;
        }
        // What arrives meanwhile moves nothing.
        base.accept(&format!("2026-9{}", seen.len()), 1, &lines(&[1])).await;
    }
    assert_eq!(seen, all);

    let (_, attempt) = base.under_way("2026-8", &lines(&[1, 2, 3, 4, 5])).await;
    base.take(&attempt, &[(1, FAILED), (2, CREDITED), (3, CREDITED), (4, FAILED), (5, FAILED)])
        .await;
    // Line 2 came back: it is told once as credited and once as returned.
    base.take(&attempt, &[(2, RETURNED), (4, RETURNED)]).await;
    let batch = attempt.batch.expect("a batch");
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = base.store.batch_page_after(batch, after, 3).await.expect("reads");
        let page = page.expect("is there");
        assert!(page.failures.len() <= 3 && page.after == after);
        seen.push(page.failures.iter().map(|row| row.line).collect::<Vec<_>>());
        after = page.failures.last().map_or(after, |row| row.line);
        if !page.more {
            break;
        }
    }
    // Line 4 failed and was returned: both of its rows stay together.
    assert_eq!(seen, [vec![1, 2], vec![4, 4, 5]]);
}

pub async fn i16_the_clock_is_believed_until_it_steps_and_a_person_answers_for_it(base: &Base) {
    let (_, attempt) = base.under_way("2026-1", &lines(&[1])).await;
    let store = &base.store;
    assert_eq!(store.clock_anchor().await.expect("reads"), None);
    let mut anchor = Anchor { boot: "a-b".to_owned(), offset_ms: NOW - 5, seen_at_ms: NOW };
    store.see_clock(&anchor).await.expect("writes");
    assert_eq!(store.clock_anchor().await.expect("reads"), Some(anchor.clone()));
    assert!(!store.clock_step_stands().await.expect("reads"));
    store.raise_alert(AlertKind::ClockStep, "clock", None, "跳变", NOW).await.expect("writes");
    assert!(store.totals().await.expect("reads").clock_stepped);
    anchor.offset_ms += HOUR;
    store.wait(&attempt, NOW + 9 * HOUR).await.expect("writes");
    store.accept_clock(&anchor, "operator").await.expect("writes");
    assert_eq!(store.clock_anchor().await.expect("reads"), Some(anchor));
    assert!(!store.clock_step_stands().await.expect("reads"));
    assert!(!store.totals().await.expect("reads").clock_stepped);
    let due = base.number("SELECT next_at_ms FROM attempt").await;
    assert_eq!(due, NOW, "what waits for a time of the other clock is looked at again");
    base.clean().await;
}
