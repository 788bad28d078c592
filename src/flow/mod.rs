//! The steps of the road, one file each: what is read, decided and made durable.
//!
//! A step takes no input. It is woken, reads from the store what is due, does one bounded piece of
//! work that may be repeated, and says whether there is more. With a hint and after a restart is
//! thus one path, and nothing that matters lives in memory. A step that fails on a store error
//! fails the process (design 4, rule 9); what a door says never does.

pub mod answer;
pub mod arrivals;
pub mod asking;
pub mod beside;
pub mod breaker;
pub mod checks;
pub mod collect;
pub mod convert;
pub mod decide;
pub mod doors;
mod doubt;
pub mod expect;
pub mod feed;
pub mod halves;
pub mod held;
pub mod intake;
pub mod lying;
pub mod matching;
pub mod opening;
pub mod pushed;
pub mod reach;
pub mod readback;
pub mod receipts;
pub mod receiving;
pub mod report;
pub mod sealed;
pub mod settle;
pub mod spoken;
pub mod submit;
mod taken_over;
pub mod taking;
pub mod tally;
pub mod time;
mod twice;
pub mod unfetched;
pub mod values;
pub mod waits;
pub mod watch;
pub mod whose;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, Dice, local_parts};
use crate::finance::Finance;
use crate::flow::beside::SideFiles;
use crate::flow::breaker::BreakerRule;
use crate::flow::doors::Doors;
use crate::flow::expect::Answers;
use crate::flow::halves::Halves;
use crate::flow::opening::Opening;
use crate::flow::reach::Reach;
use crate::flow::tally::Tally;
use crate::flow::unfetched::Unfetched;
use crate::flow::waits::Waits;
use crate::format::Format;
use crate::guard::blind::Blinder;
use crate::guard::seal::{SealError, Sealer};
use crate::model::deadline::StartEvent;
use crate::model::words;
use crate::store::{Store, StoreError};

words! {
    /// The steps, in the order of the road.
    Step {
        Intake = "intake",
        Convert = "convert",
        Submit = "submit",
        Collect = "collect",
        Settle = "settle",
        Report = "report",
        Watch = "watch",
    }
}

impl Step {
    /// Can what another step commits give this one something to do? Pulling and watching go by the
    /// clock alone.
    pub const fn wakes_on_change(self) -> bool {
        match self {
            Self::Intake | Self::Watch => false,
            Self::Convert | Self::Submit | Self::Collect | Self::Settle | Self::Report => true,
        }
    }
}

/// What runs by itself: a step, and of the steps that wait for banks the part of one bank. A bank that is slow
/// or hangs holds up its own and nobody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub step: Step,
    pub bank: Option<String>,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bank {
            None => write!(f, "{}", self.step),
            Some(bank) => write!(f, "{} {bank}", self.step),
        }
    }
}

/// All that runs, in the order of the road.
pub fn lanes(ctx: &Ctx) -> Vec<Lane> {
    let of = |step: Step| -> Vec<Lane> {
        if matches!(step, Step::Submit | Step::Collect) {
            let bank = |code: &String| Lane { step, bank: Some(code.clone()) };
            return ctx.banks.keys().map(bank).collect();
        }
        vec![Lane { step, bank: None }]
    };
    Step::ALL.iter().flat_map(|step| of(*step)).collect()
}

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something was done and there may be more at once.
    More,
    /// Nothing is due before this time, or before something changes.
    Idle { until_ms: Option<i64> },
}

/// Why a step could not go on.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was sealed does not open: the key is missing, or a row was altered (I20).
    #[error("what is kept about {what} does not open")]
    Sealed { what: String, source: SealError },
    /// An answer names payments by numbers of the bank that another answer tells, and that has not come.
    #[error("{what} names payments by numbers of the bank that no answer has told yet")]
    Early { what: String },
    /// What is kept in the open was altered since finance approved it (I20).
    #[error("what is kept about {what} is not what finance approved")]
    Altered { what: String },
    /// A bank answers for what was sent to one of another code: its code was changed in the config.
    #[error(
        "{reference} was sent to the bank with the code {code}, which the config does not name any more; where that is this bank, give it its code back"
    )]
    Renamed { reference: String, code: String },
}

impl FlowError {
    /// Must the process stop (design 4, rule 9)?
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Store(cause) => cause.is_fatal(),
            Self::Sealed { .. }
            | Self::Altered { .. }
            | Self::Early { .. }
            | Self::Renamed { .. } => false,
        }
    }
}

/// A bank as the steps use it.
pub struct Bank {
    pub code: String,
    /// For people.
    pub name: String,
    pub format: Arc<Format>,
    pub doors: Doors,
    pub rules: BankRules,
}

/// What this bank agreed on. All times in milliseconds.
#[derive(Debug, Clone)]
pub struct BankRules {
    /// Payments in one batch at most; the format's own limit holds as well.
    pub rows_max: usize,
    /// How long after sending a "not found" still means "not visible yet" (design 4.2).
    pub visibility_delay_ms: i64,
    /// For how long the bank recognises our reference: a second one within it is answered
    /// "duplicate". After it nothing goes again by itself (design 4.2).
    pub duplicate_window_ms: i64,
    /// How long to wait for results before asking.
    pub ask_after_ms: i64,
    /// How long to wait between two questions about the same attempt.
    pub ask_every_ms: i64,
    /// How often to ask for late returns and notices, where the bank must be asked.
    pub return_every_ms: i64,
    /// For how long after sending a return may come.
    pub return_window_ms: i64,
    /// How long to wait before the same bytes go again, at first; it doubles up to a minute.
    pub resend_after_ms: i64,
    /// In front of every reference of ours at this bank.
    pub reference_prefix: String,
    pub answers: Answers,
    pub breaker: BreakerRule,
    /// The years of which its workdays are known, where a calendar says them.
    pub years: Option<BTreeSet<i16>>,
}

/// For how long before a year its days must be known, in milliseconds: the notice on them comes about two months
/// before.
const YEAR_KNOWN_BEFORE_MS: i64 = 14 * 24 * 3_600_000;

impl BankRules {
    /// The first year of which its workdays are needed and not known: this one, or soon the next.
    pub fn missing_year(&self, now_ms: i64) -> Option<i16> {
        let years = self.years.as_ref()?;
        let needed = [now_ms, now_ms + YEAR_KNOWN_BEFORE_MS].map(|at_ms| local_parts(at_ms).0);
        needed.into_iter().find(|year| !years.contains(year))
    }
}

/// What the county agreed on.
#[derive(Debug, Clone)]
pub struct Duty {
    pub start: StartEvent,
    /// The 24 hours, in milliseconds.
    pub allowed_ms: i64,
    /// Nothing is sent before its register is funded.
    pub funded_only: bool,
    /// When leftover goes back although something is open, counted from receipt.
    pub settle_after_ms: i64,
    /// When a payment that nobody decided about is dropped; never, where it is nothing.
    pub drop_held_after_ms: Option<i64>,
    /// The bank that holds the pool account of shares whose bank is unknown.
    pub pool_bank: String,
}

/// How often the steps look for themselves, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub pull_every_ms: i64,
    pub arrivals_every_ms: i64,
    pub report_retry_ms: i64,
}

/// All that a step may touch.
pub struct Ctx {
    pub store: Arc<Store>,
    pub clock: Arc<dyn Clock>,
    pub sealer: Arc<Sealer>,
    pub blinder: Arc<Blinder>,
    pub sources: Vec<Arc<dyn Finance>>,
    pub banks: BTreeMap<String, Bank>,
    pub duty: Duty,
    pub pace: Pace,
    /// Names this database among all daemons that report to the same finance.
    pub install: String,
    /// Grows with every restore from a backup, so that no reference is used twice (I6).
    pub epoch: i64,
    /// Formats that old attempts were written with, by bank - each has keys of its own - and digest.
    pub old_formats: Mutex<OldFormats>,
    /// Since when this process waits for attempts of unknown fate to become visible at their banks, and what it asked.
    pub waits: Waits,
    /// Our files that banks have not picked up yet, as they were last seen.
    pub unfetched: Arc<Unfetched>,
    /// Data that banks have left without its control file, as it was last seen.
    pub halves: Halves,
    /// Whatever is read or written by a bank's description is opened by this.
    pub opening: Opening,
    /// Files beside messages, theirs and ours, as they were last seen.
    pub side_files: SideFiles,
    /// Where looks at folders ended for want of time.
    pub left_off: arrivals::LeftOff,
    /// What became of the answers of banks.
    pub tally: Arc<Tally>,
    /// Finance sources that do not answer when they are pulled.
    pub pulls: Reach,
    /// Finance sources that do not take reports.
    pub deliveries: Reach,
    pub dice: Mutex<Dice>,
}

/// Formats by the bank's code and the digest of their text.
type OldFormats = HashMap<(String, [u8; 32]), Arc<Format>>;

impl Ctx {
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The codes of the banks in the config.
    fn bank_codes(&self) -> Vec<&str> {
        self.banks.keys().map(String::as_str).collect()
    }

    /// About so long, in milliseconds; no two waits for the same are the same (F53).
    fn around(&self, wait_ms: i64) -> i64 {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).around(wait_ms)
    }

    /// The formats other than the present one that a bank was sent something with: what it answers to that may bear
    /// their names and envelopes still (F57).
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn earlier_formats(&self, bank: &Bank) -> Result<Vec<Arc<Format>>, FlowError> {
        let mut formats = Vec::new();
        for digest in self.store.formats_sent_with(&bank.code).await? {
            if digest != bank.format.digest() {
                formats.extend(self.format_of(bank, &digest).await?);
            }
        }
        Ok(formats)
    }

    /// The format that something was written with: the bank's present one, or its text as it was
    /// kept. Nothing where no such text was kept or it no longer compiles.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn format_of(
        &self,
        bank: &Bank,
        digest: &[u8; 32],
    ) -> Result<Option<Arc<Format>>, FlowError> {
        if bank.format.digest() == *digest {
            return Ok(Some(Arc::clone(&bank.format)));
        }
        let place = (bank.code.clone(), *digest);
        if let Some(known) =
            self.old_formats.lock().unwrap_or_else(PoisonError::into_inner).get(&place)
        {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(kept) = self.store.format_text(digest).await? else { return Ok(None) };
        match Format::compile(&kept.name, &kept.text) {
            Ok(format) => {
                let secrets = Arc::clone(bank.format.secrets());
                let format = Arc::new(format.with_secrets(secrets));
                let mut cache = self.old_formats.lock().unwrap_or_else(PoisonError::into_inner);
                cache.insert(place, Arc::clone(&format));
                Ok(Some(format))
            }
            Err(problems) => {
                tracing::error!(format = kept.name, %problems, "a format that was kept no longer compiles");
                Ok(None)
            }
        }
    }
}

/// Runs one lane once.
///
/// # Errors
/// [`FlowError::is_fatal`] tells whether the process must stop.
pub async fn step(ctx: &Ctx, lane: &Lane) -> Result<Progress, FlowError> {
    let bank = lane.bank.as_ref().and_then(|code| ctx.banks.get(code));
    match (lane.step, bank) {
        (Step::Intake, _) => feed::step(ctx).await,
        (Step::Convert, _) => convert::step(ctx).await,
        (Step::Submit, Some(bank)) => submit::step(ctx, bank).await,
        (Step::Collect, Some(bank)) => collect::step(ctx, bank).await,
        // Lanes are made of the banks that there are.
        (Step::Submit | Step::Collect, None) => Ok(Progress::Idle { until_ms: None }),
        (Step::Settle, _) => settle::step(ctx).await,
        (Step::Report, _) => report::step(ctx).await,
        (Step::Watch, _) => watch::step(ctx).await,
    }
}
