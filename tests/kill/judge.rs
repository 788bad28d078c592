//! What is compared: the books of the practice counterparts, and the daemon's closing account.

use std::collections::{BTreeMap, BTreeSet};

use daifa::model::place::Places;
use daifa::sandbox::bank::{BankVerdict, Card};
use daifa::sandbox::finance::judge::RegisterJudgement;
use daifa::sandbox::finance::reading::Reading;
use daifa::store::view::{Counts, Totals};
use daifa::store::{Store, StoreError};

use crate::stage::Stage;

/// What finance and the banks say, without what may differ from run to run (how many messages it
/// took, and when).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    pub registers: Vec<RegisterJudgement>,
    pub banks: Vec<BankVerdict>,
    /// What lies on the cards, by what finance was told and by the banks' own books.
    told: BTreeMap<String, Card>,
    paid: BTreeMap<String, Card>,
}

impl Books {
    pub fn new(finance: Reading, banks: Vec<(BankVerdict, BTreeMap<String, Card>)>) -> Self {
        let (mut paid, mut verdicts) = (BTreeMap::<String, Card>::new(), Vec::new());
        for (verdict, cards) in banks {
            for (account, more) in cards {
                let card = paid.entry(account).or_default();
                card.credits += more.credits;
                card.fen += more.fen;
            }
            // A late answer may make two batches or two refunds of what is one in another run.
            verdicts.push(BankVerdict { requests: 0, refunds: 0, ..verdict });
        }
        paid.retain(|_, card| *card != Card::default());
        let mut registers = finance.judgement.registers;
        for register in &mut registers {
            // Its name has the day in it, and a test may run over midnight.
            register.register = register.register.split('-').next_back().unwrap_or("").to_owned();
        }
        Self { registers, banks: verdicts, told: finance.cards, paid }
    }

    /// Everything that is not as it must be, whatever other runs came to.
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self
            .registers
            .iter()
            .flat_map(|r| r.faults.iter().map(|fault| format!("{}: {fault}", r.register)))
            .collect();
        for bank in &self.banks {
            faults.extend(bank.credits_twice.iter().map(|twice| format!("{twice:?}")));
            faults.extend(bank.offences.iter().map(|offence| format!("offence: {offence}")));
        }
        if self.told != self.paid {
            faults.push("the cards hold something else than finance was told".to_owned());
        }
        let bank = |sum: fn(&BankVerdict) -> i64| self.banks.iter().map(sum).sum::<i64>();
        let finance =
            |sum: fn(&RegisterJudgement) -> i64| self.registers.iter().map(sum).sum::<i64>();
        for (what, bank, finance) in [
            (
                "fen on cards",
                bank(|b| b.credited_fen - b.returned_fen),
                finance(|r| r.credited_fen),
            ),
            ("fen refunded", bank(|b| b.refunded_fen), finance(|r| r.refunded_fen)),
            ("fen out of the pool", bank(|b| -b.pool_balance), finance(|r| r.approved_fen)),
        ] {
            if bank != finance {
                faults.push(format!("the banks say {bank} {what}, finance {finance}"));
            }
        }
        faults
    }

    /// Nothing is wrong, and everything that a bank says has reached finance.
    pub fn agree(&self) -> bool {
        let returned: u64 = self.banks.iter().map(|bank| bank.returned_count).sum();
        let told: i64 = self.registers.iter().map(|register| register.returned).sum();
        self.faults().is_empty() && u64::try_from(told) == Ok(returned)
    }
}

/// The closing account by the daemon's own store, without what may differ from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub registers: Vec<(String, i64)>,
    pub counts: Counts,
    pub places: Places,
    pub set_aside: i64,
    pub notices: Vec<(String, i64)>,
    /// The states that attempts ended in.
    pub attempts: Vec<String>,
    pub reports_due: i64,
    pub quarantined: i64,
    /// What somebody must still look at.
    pub alerts: Vec<String>,
}

impl Account {
    /// Reads it beside the daemon.
    pub async fn read(stage: &Stage) -> Result<Self, StoreError> {
        let store = Store::attach(stage.location()).await?;
        let totals = store.totals().await?;
        let set_aside = store.set_aside_count().await?;
        let alerts = store.overview(1).await?.alerts;
        store.close().await;
        let alerts = alerts.into_iter().map(|alert| format!("{}: {}", alert.kind, alert.text));
        Ok(Self::of(totals, set_aside, alerts.collect()))
    }

    fn of(totals: Totals, set_aside: i64, alerts: Vec<String>) -> Self {
        let states: BTreeSet<String> =
            totals.attempts.into_iter().map(|(state, _)| state).collect();
        Self {
            registers: totals.registers,
            counts: totals.counts,
            places: totals.places,
            set_aside,
            notices: totals.notices,
            attempts: states.into_iter().collect(),
            reports_due: totals.reports_due,
            quarantined: totals.quarantined,
            alerts,
        }
    }
}

/// Lines of a difference that are shown at most.
const LINES_MAX: usize = 40;

/// The lines in which two things differ, for a person.
pub fn difference<T: std::fmt::Debug>(expected: &T, found: &T) -> String {
    let (expected, found) = (format!("{expected:#?}"), format!("{found:#?}"));
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), found.lines().collect());
    let mut lines = Vec::new();
    if expected.len() == found.len() {
        for (expected, found) in expected.iter().zip(&found).filter(|(a, b)| a != b) {
            lines.extend([format!("  -{expected}"), format!("  +{found}")]);
        }
    } else {
        for (all, other, sign) in [(&expected, &found, '-'), (&found, &expected, '+')] {
            let only = all.iter().filter(|line| !other.contains(line));
            lines.extend(only.map(|line| format!("  {sign}{line}")));
        }
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    if more > 0 {
        lines.push(format!("  and {more} more lines"));
    }
    lines.join("\n")
}
