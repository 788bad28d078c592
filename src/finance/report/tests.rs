use super::*;
use crate::model::money::Fen;

fn head(about: About) -> Head {
    Head {
        report_id: "r-1".into(),
        kind: about.kind(),
        recipient: To { kind: RecipientKind::Finance, name: String::new() },
        register: "2026-001".into(),
        revision: 1,
        made_at: When(1_795_420_144_000),
        rows: 0,
        about,
    }
}

#[test]
fn a_report_reads_back_row_by_row() {
    let results =
        Results { bank: "a".into(), batch: "B1".into(), attempt: "A1".into(), result: "E1".into() };
    let rows = [Folded::Credited, Folded::Failed].map(|outcome| ResultRow {
        line: 1,
        outcome,
        amount: Yuan(Fen::new(1230)),
        at: When(1_795_420_144_000),
        attempt_number: None,
        replaces: None,
        failure: (outcome == Folded::Failed).then(|| Failure {
            name: "甲\"乙".into(),
            document_number: "1".into(),
            account: "2".into(),
            reason: Reason::AccountClosed,
            reason_text: Reason::AccountClosed.chinese().into(),
            code: "0403".into(),
            bank_text: "已销户".into(),
            actor: Actor::Town,
            remedy: Reason::AccountClosed.remedy().into(),
        }),
    });
    let mut body = Body::new();
    for row in &rows {
        body.row(row);
    }
    let bytes = body.finish(head(About::Results(results)));
    let mut lines = bytes.split(|b| *b == b'\n');
    let read: Head = serde_json::from_slice(lines.next().expect("head")).expect("head");
    assert_eq!((read.rows, read.kind), (2, ReportKind::Results));
    for row in &rows {
        let read: ResultRow = serde_json::from_slice(lines.next().expect("row")).expect("row");
        assert_eq!(read, *row);
    }
    assert_eq!(lines.next(), Some(&[][..]));
}

#[test]
fn every_kind_of_head_reads_back_and_unknown_fields_are_refused() {
    let abouts = [
        About::Receipt(Receipt {
            accepted: true,
            count: 1,
            sum: Yuan::default(),
            held_count: 0,
            held_sum: Yuan::default(),
            warnings: vec!["提示".into()],
        }),
        About::SetAside(SetAside { sum: Yuan::default() }),
        About::Results(Results {
            bank: "a".into(),
            batch: "B1".into(),
            attempt: "A1".into(),
            result: "E1".into(),
        }),
        About::Notices(Notices { bank: "a".into(), batch: "B1".into() }),
        About::Refund(Refund {
            refund: "F1".into(),
            bank: "a".into(),
            pool_account: "1".into(),
            voucher_no: "2".into(),
            amount: Yuan::default(),
            reference: "3".into(),
        }),
        About::Closing(Closing {
            approved_sum: Yuan::default(),
            withdrawn_sum: Yuan::default(),
            credited_sum: Yuan::default(),
            refunded_sum: Yuan::default(),
            disputed_sum: Yuan::default(),
            counts: Counts::default(),
        }),
    ];
    for about in abouts {
        let head = head(about);
        let mut value = serde_json::to_value(&head).expect("value");
        assert_eq!(serde_json::from_value::<Head>(value.clone()).expect("reads"), head);
        value["about"]["more"] = Value::Null;
        assert!(serde_json::from_value::<Head>(value).is_err(), "{:?}", head.kind);
    }
}
