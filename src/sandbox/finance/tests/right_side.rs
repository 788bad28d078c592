//! What a bank side that does everything right tells about a practice register.

use crate::finance::Verdict;
use crate::finance::report::{
    About, Closing, Counts, Failure, HeldRow, Receipt, RefundRow, ResultRow, Results,
};
use crate::finance::spoken::{When, Yuan};
use crate::model::hold::HoldReason;
use crate::model::money::Fen;
use crate::model::outcome::Folded;
use crate::model::payment::Line;
use crate::model::person::{town_of, village_code_is_plausible};
use crate::model::reason::{Actor, Reason};
use crate::model::refund::LeftoverCause;
use crate::model::register::RegisterHead;
use crate::sandbox::finance::book::decide;
use crate::sandbox::finance::registers::{Registers, Trouble};
use crate::sandbox::finance::tests::NOW;
use crate::sandbox::trigger::Trigger;

pub struct Row {
    pub json: serde_json::Value,
    pub town: String,
    pub amount: Fen,
}

/// What a right bank side makes of a register.
pub struct Played {
    pub held: Vec<Row>,
    pub results: Vec<Row>,
    pub returns: Vec<Row>,
    pub refunds: Vec<Row>,
    pub closing: Closing,
}

pub fn play(registers: &Registers, at: usize, head: &RegisterHead, lines: &[Line]) -> Played {
    let mut counts = Counts { payments: head.declared_count, ..Counts::default() };
    let mut played = Played {
        held: vec![],
        results: vec![],
        returns: vec![],
        refunds: vec![],
        closing: Closing {
            approved_sum: Yuan(head.declared_sum),
            withdrawn_sum: Yuan(Fen::ZERO),
            credited_sum: Yuan(Fen::ZERO),
            refunded_sum: Yuan(Fen::ZERO),
            disputed_sum: Yuan(Fen::ZERO),
            counts,
        },
    };
    for line in lines {
        let own =
            if village_code_is_plausible(&line.village) { town_of(&line.village) } else { None };
        let town = own.unwrap_or(&head.town).to_owned();
        let row = |json| Row { json, town: town.clone(), amount: line.amount };
        let trouble = registers.trouble(at, line.line);
        let hold = match trouble {
            Trouble::CheckDigit => Some(HoldReason::IdCheckDigit),
            Trouble::Region => Some(HoldReason::RegionCode),
            Trouble::AccountShape => Some(HoldReason::AccountShape),
            Trouble::NameNotInGbk => Some(HoldReason::NotEncodable),
            Trouble::BankUnknown => Some(HoldReason::BankUnknown),
            Trouble::Double => Some(HoldReason::Double),
            Trouble::None | Trouble::NameRare | Trouble::Bank(_) => None,
        };
        let mut refund = |cause, sum: &mut Yuan| {
            sum.0 = sum.0.checked_add(line.amount).expect("fits");
            let json = RefundRow { line: line.line, amount: Yuan(line.amount), cause };
            played.refunds.push(row(serde_json::to_value(json).expect("json")));
        };
        let refunded = &mut played.closing.refunded_sum;
        if let Some(reason) = hold {
            counts.set_aside += 1;
            played.held.push(row(held_json(line, reason)));
            if decide(line.line, reason) == Verdict::Drop {
                counts.dropped += 1;
                refund(LeftoverCause::Dropped, refunded);
                continue;
            }
        }
        match trouble {
            Trouble::Bank(Trigger::ReturnLater) => {
                counts.returned += 1;
                played.results.push(row(result_json(line, Folded::Credited)));
                played.returns.push(row(result_json(line, Folded::Returned)));
                refund(LeftoverCause::Returned, refunded);
            }
            Trouble::Bank(trigger) if trigger != Trigger::LoseAnswer => {
                counts.failed += 1;
                played.results.push(row(result_json(line, Folded::Failed)));
                refund(LeftoverCause::Failed, refunded);
            }
            _ => {
                counts.credited += 1;
                let sum = &mut played.closing.credited_sum;
                sum.0 = sum.0.checked_add(line.amount).expect("fits");
                played.results.push(row(result_json(line, Folded::Credited)));
            }
        }
    }
    played.closing.counts = counts;
    played
}

pub fn held_json(line: &Line, reason: HoldReason) -> serde_json::Value {
    let row = HeldRow {
        line: line.line,
        name: line.person.name.as_str().into(),
        document_number: line.person.document_number.as_str().into(),
        account: line.person.account.as_str().into(),
        village: line.village.as_str().into(),
        amount: Yuan(line.amount),
        reason,
        reason_text: reason.chinese().into(),
        remedy: reason.remedy().into(),
    };
    serde_json::to_value(row).expect("json")
}

pub fn result_json(line: &Line, outcome: Folded) -> serde_json::Value {
    let row = ResultRow {
        line: line.line,
        outcome,
        amount: Yuan(line.amount),
        at: When(NOW),
        attempt_number: None,
        replaces: None,
        failure: outcome.is_refundable().then(|| Failure {
            name: line.person.name.as_str().into(),
            document_number: line.person.document_number.as_str().into(),
            account: line.person.account.as_str().into(),
            reason: Reason::NameMismatch,
            reason_text: Reason::NameMismatch.chinese().into(),
            code: "0402".into(),
            bank_text: "户名不符，原户名为[***]".into(),
            actor: Actor::Town,
            remedy: Reason::NameMismatch.remedy().into(),
        }),
    };
    serde_json::to_value(row).expect("json")
}

pub fn results(no: &str) -> About {
    About::Results(Results {
        bank: "bank-a".into(),
        batch: "B1".into(),
        attempt: "A1".into(),
        result: no.into(),
    })
}

pub fn receipt(head: &RegisterHead) -> About {
    About::Receipt(Receipt {
        accepted: true,
        count: head.declared_count,
        sum: Yuan(head.declared_sum),
        held_count: 0,
        held_sum: Yuan(Fen::ZERO),
        warnings: vec![],
    })
}
