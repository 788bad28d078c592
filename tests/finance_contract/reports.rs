//! One report of every kind, about payments that the practice finance released.

use bytes::Bytes;
use daifa::finance::report::{
    About, Body, Closing, Counts, Failure, FaultRow, Head, HeldRow, NoticeRow, Notices, Receipt,
    Refund, RefundRow, ReplacesRef, ResultRow, Results, SetAside, To,
};
use daifa::finance::spoken::{When, Yuan};
use daifa::model::hold::HoldReason;
use daifa::model::money::Fen;
use daifa::model::notice::NoticeState;
use daifa::model::outcome::Folded;
use daifa::model::reason::{Actor, Reason};
use daifa::model::refund::LeftoverCause;
use daifa::model::report::RecipientKind;
use daifa::sandbox::finance::registers::Registers;
use serde::Serialize;

const NOW: i64 = 1_795_420_144_000;
type Report = (String, Bytes);

pub fn all(registers: &Registers, at: usize) -> Vec<Report> {
    vec![
        receipt(registers, at),
        refused(registers, at),
        set_aside(registers, at),
        results(registers, at),
        notices(registers, at),
        refund(registers, at),
        closing(registers, at),
    ]
}

pub fn receipt(registers: &Registers, at: usize) -> Report {
    let warnings = vec!["有账号未通过校验".to_owned()];
    report::<FaultRow>(registers, at, "receipt", receipt_of(registers, at, true, warnings), &[])
}

fn refused(registers: &Registers, at: usize) -> Report {
    let rows = [
        FaultRow { line: Some(3), field: "amount".into(), what: "it is zero".into() },
        FaultRow { line: None, field: "declared_sum".into(), what: "it differs".into() },
    ];
    report(registers, at, "refused", receipt_of(registers, at, false, vec![]), &rows)
}

fn receipt_of(registers: &Registers, at: usize, accepted: bool, warnings: Vec<String>) -> About {
    let head = registers.head(at);
    let (count, sum, held_sum) = (head.declared_count, Yuan(head.declared_sum), Yuan(Fen::ZERO));
    About::Receipt(Receipt { accepted, count, sum, held_count: 0, held_sum, warnings })
}

pub fn set_aside(registers: &Registers, at: usize) -> Report {
    let line = registers.line(at, 3);
    let row = HeldRow {
        line: line.line,
        name: line.person.name.into(),
        document_number: line.person.document_number.into(),
        account: line.person.account.into(),
        village: line.village.into(),
        amount: Yuan(line.amount),
        reason: HoldReason::IdCheckDigit,
        reason_text: HoldReason::IdCheckDigit.chinese().into(),
        remedy: HoldReason::IdCheckDigit.remedy().into(),
    };
    let about = About::SetAside(SetAside { sum: Yuan(line.amount) });
    report(registers, at, "set-aside", about, &[row])
}

fn results(registers: &Registers, at: usize) -> Report {
    let about = About::Results(Results {
        bank: "bank-a".into(),
        batch: "B1".into(),
        attempt: "A1".into(),
        result: "E1".into(),
    });
    let rows = [(1, Folded::Credited), (5, Folded::Failed), (2, Folded::Conflict)];
    let rows = rows.map(|(number, outcome)| {
        let line = registers.line(at, number);
        let failed = outcome == Folded::Failed;
        ResultRow {
            line: number,
            outcome,
            amount: Yuan(line.amount),
            at: When(NOW),
            attempt_number: failed.then_some(2),
            replaces: failed.then(|| ReplacesRef {
                register: registers.id(0),
                revision: 1,
                line: 1,
            }),
            failure: failed.then(|| Failure {
                name: line.person.name.into(),
                document_number: line.person.document_number.into(),
                account: line.person.account.into(),
                reason: Reason::AccountNotFound,
                reason_text: Reason::AccountNotFound.chinese().into(),
                code: "0401".into(),
                bank_text: "账号不存在".into(),
                actor: Actor::Town,
                remedy: Reason::AccountNotFound.remedy().into(),
            }),
        }
    });
    report(registers, at, "results", about, &rows)
}

fn notices(registers: &Registers, at: usize) -> Report {
    let about = About::Notices(Notices { bank: "bank-a".into(), batch: "B1".into() });
    let rows = [
        NoticeRow { line: 1, state: NoticeState::Delivered, event_at: Some(When(NOW)) },
        NoticeRow { line: 2, state: NoticeState::NoNumber, event_at: None },
    ];
    report(registers, at, "notices", about, &rows)
}

fn refund(registers: &Registers, at: usize) -> Report {
    let amount = Yuan(registers.amount(at, 5));
    let about = About::Refund(Refund {
        refund: "F1".into(),
        bank: "bank-a".into(),
        pool_account: registers.head(at).pool_account,
        voucher_no: registers.head(at).voucher_no,
        amount,
        reference: "practice".into(),
    });
    let row = RefundRow { line: 5, amount, cause: LeftoverCause::Failed };
    report(registers, at, "refund", about, &[row])
}

fn closing(registers: &Registers, at: usize) -> Report {
    let head = registers.head(at);
    let zero = Yuan(Fen::ZERO);
    let about = About::Closing(Closing {
        approved_sum: Yuan(head.declared_sum),
        withdrawn_sum: zero,
        credited_sum: Yuan(head.declared_sum),
        refunded_sum: zero,
        disputed_sum: zero,
        counts: Counts { payments: head.declared_count, ..Counts::default() },
    });
    report::<FaultRow>(registers, at, "closing", about, &[])
}

fn report<T: Serialize>(
    registers: &Registers,
    at: usize,
    id: &str,
    about: About,
    rows: &[T],
) -> Report {
    let mut body = Body::new();
    for row in rows {
        body.row(row);
    }
    let head = Head {
        report_id: id.to_owned(),
        kind: about.kind(),
        recipient: To { kind: RecipientKind::Finance, name: String::new() },
        register: registers.id(at),
        revision: 1,
        made_at: When(NOW),
        rows: 0,
        about,
    };
    (id.to_owned(), body.finish(head))
}
