//! The judgement: did every payment come to one end, and every fen that could not be paid come back?

use serde::Serialize;

use crate::model::money::Fen;
use crate::model::notice::NoticeState;
use crate::model::outcome::Folded;
use crate::sandbox::finance::book::{Book, Sheet, Tally};
use crate::sandbox::finance::registers::Registers;

/// What the book says of all registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    pub source: String,
    pub reports_acknowledged: usize,
    pub registers: Vec<RegisterJudgement>,
}

/// What the book says of one register. Sums are in fen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RegisterJudgement {
    pub register: String,
    pub kind: &'static str,
    pub payments: i64,
    pub approved_fen: i64,
    pub credited: i64,
    pub credited_fen: i64,
    pub failed: i64,
    pub returned: i64,
    /// Set aside at first, whatever was decided.
    pub set_aside: i64,
    pub dropped: i64,
    pub refunded: i64,
    pub refunded_fen: i64,
    pub notices_delivered: i64,
    /// Payments without an end.
    pub unfinished: i64,
    pub closed: bool,
    /// What is not as it must be, in sentences.
    pub faults: Vec<String>,
}

impl Judgement {
    /// Is everything finished, and as it must be?
    pub fn is_good(&self) -> bool {
        self.registers.iter().all(|register| register.faults.is_empty())
    }

    /// Every fault with the register it was found in.
    pub fn faults(&self) -> Vec<String> {
        let each = self.registers.iter();
        each.flat_map(|r| r.faults.iter().map(|fault| format!("{}: {fault}", r.register))).collect()
    }
}

impl Book {
    pub(super) fn judge(&self, registers: &Registers) -> Judgement {
        let judged = self.sheets.iter().enumerate().map(|(at, sheet)| judge(registers, at, sheet));
        Judgement {
            source: registers.options().source.clone(),
            reports_acknowledged: self.reports.len(),
            registers: judged.collect(),
        }
    }
}

/// Lines with the same fault: how many, and the first of them.
struct Found {
    what: &'static str,
    count: i64,
    first: i64,
}

fn judge(registers: &Registers, at: usize, sheet: &Sheet) -> RegisterJudgement {
    let mut judged = RegisterJudgement {
        register: registers.id(at),
        kind: registers.kind(at).as_str(),
        payments: registers.payments(),
        closed: sheet.closing.is_some(),
        ..RegisterJudgement::default()
    };
    let mut found: Vec<Found> = Vec::new();
    let (mut approved, mut credited, mut leftover) = (Fen::ZERO, Fen::ZERO, Fen::ZERO);
    let add = |sum: &mut Fen, amount: Fen| *sum = [*sum, amount].into_iter().sum();
    for line in 1..=registers.payments() {
        let tally = usize::try_from(line).ok().and_then(|at| sheet.tallies.get(at));
        let tally = tally.copied().unwrap_or_default();
        let amount = registers.amount(at, line);
        add(&mut approved, amount);
        let end = judged.count(tally);
        match end {
            End::Credited => add(&mut credited, amount),
            End::Leftover => add(&mut leftover, amount),
            End::None => {}
        }
        for what in wrong(tally, end) {
            match found.iter_mut().find(|known| known.what == what) {
                Some(known) => known.count += 1,
                None => found.push(Found { what, count: 1, first: line }),
            }
        }
    }
    (judged.approved_fen, judged.credited_fen) = (approved.get(), credited.get());
    judged.refunded_fen = sheet.refunded.get();
    let sentence = |f: Found| format!("{} payments {} (first: line {})", f.count, f.what, f.first);
    judged.faults = found.into_iter().map(sentence).collect();
    match sheet.receipt {
        Some(true) => {}
        Some(false) => judged.faults.push("it was refused".to_owned()),
        None => judged.faults.push("no receipt came".to_owned()),
    }
    if sheet.refunded != leftover {
        let words = format!("{} came back where {} are left over", sheet.refunded, leftover);
        judged.faults.push(words);
    }
    judged.closing(sheet);
    judged
}

/// Where a payment ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    None,
    Credited,
    Leftover,
}

/// Everything that is not as it must be with one payment.
fn wrong(tally: Tally, end: End) -> impl Iterator<Item = &'static str> {
    let folded = tally.seen.fold();
    let sent = folded != Folded::Pending;
    [
        (end == End::None && !tally.conflict, "have no end"),
        (tally.conflict && !tally.seen.returned, "are in conflict"),
        (tally.repeated, "were reported twice"),
        (tally.dropped && sent, "were paid although they were dropped"),
        (end == End::Leftover && !tally.refunded, "were not refunded"),
        (end != End::Leftover && tally.refunded, "were refunded although they are not left over"),
        (sent && !tally.told_department, "were not told to the department"),
        (sent && !tally.told_town, "were not told to the town"),
    ]
    .into_iter()
    .filter_map(|(wrong, what)| wrong.then_some(what))
}

impl RegisterJudgement {
    /// Counts one payment, and says where it ended.
    fn count(&mut self, tally: Tally) -> End {
        self.set_aside += i64::from(tally.held);
        self.refunded += i64::from(tally.refunded);
        self.notices_delivered += i64::from(tally.notice == Some(NoticeState::Delivered));
        let (place, end) = match (tally.dropped, tally.seen.fold()) {
            (true, _) => (&mut self.dropped, End::Leftover),
            (_, Folded::Credited) => (&mut self.credited, End::Credited),
            (_, Folded::Failed) => (&mut self.failed, End::Leftover),
            (_, Folded::Returned) => (&mut self.returned, End::Leftover),
            (_, Folded::Pending | Folded::Conflict) => (&mut self.unfinished, End::None),
        };
        *place += 1;
        end
    }

    /// Compares the closing account with what the reports said before.
    fn closing(&mut self, sheet: &Sheet) {
        let Some(closing) = &sheet.closing else {
            self.faults.push("no closing account came".to_owned());
            return;
        };
        let counts = closing.counts;
        for (what, said, own) in [
            ("payments", counts.payments, self.payments),
            ("withdrawn", counts.withdrawn, 0),
            ("credited", counts.credited, self.credited),
            ("failed", counts.failed, self.failed),
            ("returned", counts.returned, self.returned),
            ("dropped", counts.dropped, self.dropped),
            ("set aside", counts.set_aside, self.set_aside),
            ("fen approved", closing.approved_sum.0.get(), self.approved_fen),
            ("fen withdrawn", closing.withdrawn_sum.0.get(), 0),
            ("fen credited", closing.credited_sum.0.get(), self.credited_fen),
            ("fen refunded", closing.refunded_sum.0.get(), self.refunded_fen),
            ("fen disputed", closing.disputed_sum.0.get(), 0),
        ] {
            if said != own {
                self.faults.push(format!("the closing account says {said} {what}, not {own}"));
            }
        }
    }
}
