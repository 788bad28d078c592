//! The checks of intake (Notice, sections 2.3, 2.7 and 2.10): what refuses a register as a whole,
//! and what sets a single payment aside.

use std::collections::BTreeMap;

use crate::flow::Bank;
use crate::flow::values::{IntakeHead, LineValues};
use crate::format::{FieldError, Fitter, MessageKind};
use crate::model::hold::HoldReason;
use crate::model::money::Fen;
use crate::model::payment::Line;
use crate::model::person::{
    RESIDENT_ID, account_has_shape, id_number_closes, luhn_closes, village_code_is_plausible,
};
use crate::model::register::{Fault, RegisterHead};
use crate::store::intake::NewHold;

/// Faults that are listed; a register with more says how many there are.
pub const FAULTS_LISTED_MAX: usize = 100;

/// Texts of a line that are longer than this are not a person's (bytes).
const FIELD_BYTES_MAX: usize = 1_000;

/// What the head alone shows.
fn head_faults(head: &RegisterHead) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |field, what: String| faults.push(Fault { line: None, field, what });
    if head.entered_by.trim() == head.reviewed_by.trim() {
        fault(
            "reviewed_by",
            "entered and reviewed by the same person; two people are required".to_owned(),
        );
    }
    if head.declared_count <= 0 {
        fault(
            "declared_count",
            format!("{} payments are declared; at least one is required", head.declared_count),
        );
    }
    if !head.declared_sum.is_positive() {
        fault(
            "declared_sum",
            format!("a sum of {} yuan is declared; it must be above zero", head.declared_sum),
        );
    }
    for (field, text) in [
        ("id", &head.id),
        ("programme_code", &head.programme_code),
        ("pool_account", &head.pool_account),
        ("period", &head.period),
    ] {
        if text.trim().is_empty() {
            fault(field, "is empty".to_owned());
        }
    }
    faults
}

/// Watches lines as they stream by for what refuses the register as a whole.
#[derive(Debug, Default)]
pub struct WholeCheck {
    last_line: i64,
    count: i64,
    sum: Option<Fen>,
    overflowed: bool,
    pub faults: Vec<Fault>,
    /// Faults beyond those listed.
    pub more: usize,
}

impl WholeCheck {
    /// Begins with what the head alone shows.
    pub fn of(head: &RegisterHead) -> Self {
        Self { faults: head_faults(head), ..Self::default() }
    }

    /// Adds a fault; beyond those that are listed it is only counted.
    pub fn add(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_LISTED_MAX {
            self.faults.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Notes a line; says whether it may be kept.
    pub fn line(&mut self, line: &Line) -> bool {
        let at = Some(line.line);
        let before = self.faults.len() + self.more;
        if line.line < 1 {
            self.add(Fault { line: at, field: "line", what: "line numbers start at 1".to_owned() });
        } else if line.line == self.last_line {
            self.add(Fault {
                line: at,
                field: "line",
                what: format!("line {} is there twice", line.line),
            });
        } else if line.line < self.last_line {
            let what = format!(
                "line {} comes after line {}; numbers ascend and do not repeat",
                line.line, self.last_line
            );
            self.add(Fault { line: at, field: "line", what });
        }
        self.last_line = self.last_line.max(line.line);
        if !line.amount.is_positive() {
            let what = format!("an amount of {} yuan; it must be above zero", line.amount);
            self.add(Fault { line: at, field: "amount", what });
        }
        let person = &line.person;
        let texts = [
            &person.name,
            &person.document_kind,
            &person.document_number,
            &person.account,
            &person.phone,
            &line.village,
            &line.bank,
        ];
        if texts.iter().any(|text| text.len() > FIELD_BYTES_MAX) {
            self.add(Fault {
                line: at,
                field: "line",
                what: format!("a text is longer than {FIELD_BYTES_MAX} bytes"),
            });
        }
        self.count += 1;
        let sum = self.sum.unwrap_or_default().checked_add(line.amount);
        if sum.is_none() && !self.overflowed {
            // From here on nothing more is kept: no column could hold what it adds up to.
            let what = "with this line the sum is larger than can be kept".to_owned();
            self.add(Fault { line: at, field: "amount", what });
            self.overflowed = true;
        }
        self.sum = sum.or(self.sum);
        before == self.faults.len() + self.more
    }

    /// Compares what came with what the head says.
    pub fn end(&mut self, head: &RegisterHead, digest: &[u8; 32]) {
        let sum = self.sum.unwrap_or_default();
        let clean = self.faults.is_empty();
        if self.count == 0 && clean {
            self.add(Fault {
                line: None,
                field: "payments",
                what: "the register has no lines".to_owned(),
            });
        }
        if self.count != head.declared_count {
            let what =
                format!("{} payments are declared, {} came", head.declared_count, self.count);
            self.add(Fault { line: None, field: "declared_count", what });
        }
        if self.overflowed {
            let what = "the sum of the lines is larger than can be kept".to_owned();
            self.add(Fault { line: None, field: "declared_sum", what });
        } else if sum != head.declared_sum {
            let what =
                format!("{} yuan are declared, the lines add up to {sum}", head.declared_sum);
            self.add(Fault { line: None, field: "declared_sum", what });
        }
        if *digest != head.digest {
            let what = "the digest over head and lines is another; something changed on the way"
                .to_owned();
            self.add(Fault { line: None, field: "digest", what });
        }
        if self.more > 0 {
            let what = format!("{} more faults are not listed", self.more);
            self.faults.push(Fault { line: None, field: "payments", what });
        }
    }
}

/// Checks single payments, with one reused measure per bank.
pub struct PaymentCheck<'a> {
    head: &'a RegisterHead,
    fitters: BTreeMap<&'a str, Fitter<'a>>,
    /// Accounts that fail Luhn: only ever a warning.
    pub luhn_warnings: i64,
}

impl<'a> PaymentCheck<'a> {
    pub fn new(head: &'a RegisterHead, banks: &'a BTreeMap<String, Bank>) -> Self {
        let fitters = banks
            .iter()
            .map(|(code, bank)| (code.as_str(), bank.format.fitter(MessageKind::PaymentRequest)))
            .collect();
        Self { head, fitters, luhn_warnings: 0 }
    }

    /// The first reason to set the payment aside, if there is one.
    pub fn hold(&mut self, line: &Line) -> Option<NewHold> {
        let hold = |reason, detail: &str| Some(NewHold { reason, detail: detail.to_owned() });
        let person = &line.person;
        if person.document_kind == RESIDENT_ID && !id_number_closes(&person.document_number) {
            return hold(
                HoldReason::IdCheckDigit,
                "18 characters whose check digit closes, or 15 digits",
            );
        }
        if !village_code_is_plausible(&line.village) {
            return hold(HoldReason::RegionCode, "12 digits: county 6, town 3, village 3");
        }
        if !account_has_shape(&person.account) {
            return hold(HoldReason::AccountShape, "8 to 32 digits");
        }
        let Some(fitter) = self.fitters.get_mut(line.bank.as_str()) else {
            return hold(HoldReason::BankUnknown, "no such bank is configured here");
        };
        if !luhn_closes(&person.account) {
            self.luhn_warnings += 1;
        }
        let head = IntakeHead { head: self.head, bank: &line.bank };
        fitter.check(&head, &LineValues(line)).err().map(|fault| hold_for(&fault))
    }
}

/// A field that cannot be written sets its payment aside, whatever the fault: nothing is cut,
/// guessed or substituted (design 4.7).
pub(super) fn hold_for(fault: &FieldError) -> NewHold {
    let reason = fault.hold_reason().unwrap_or(HoldReason::TooWide);
    NewHold { reason, detail: fault.to_string() }
}
