//! Plans: when a daemon dies, how often, and what must have come of it in the end.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::judge::{Account, Books, difference};
use crate::line::{Cut, Line};
use crate::stage::{LOOK, Process, Shape, Stage};

/// How long a run may take, with everything that a machine under load adds to it.
const LIMIT: Duration = Duration::from_secs(40);
/// How long nothing may change before the first run counts as over.
const STILL: Duration = Duration::from_millis(1_500);
/// SIGTERM to exit: the drain limit is 25 s, and nothing here takes long to drain.
const DRAIN: Duration = Duration::from_secs(10);
/// Victims at the same time: they mostly wait.
const AT_ONCE: usize = 5;
/// A group is given up once so many of its kills went wrong.
const FAILURES_MAX: usize = 4;

/// One end of a daemon's life.
#[derive(Debug, Clone, Copy)]
pub enum Death {
    AfterCommit(u64),
    BeforeCommit(u64),
    /// SIGKILL from outside, so long after the start.
    Killed(Duration),
    /// SIGTERM from outside, so long after the start: the daemon must drain and exit with 0.
    Terminated(Duration),
    /// The connection to PostgreSQL is lost with this commit on it, before the server reads it or
    /// before its answer is read: the daemon must end by itself, as it cannot know which.
    CutBefore(u64),
    CutAfter(u64),
}

impl Death {
    fn arguments(self) -> Vec<String> {
        match self {
            Self::AfterCommit(n) => vec!["--die-at-commit".to_owned(), n.to_string()],
            Self::BeforeCommit(n) => vec!["--die-before-commit".to_owned(), n.to_string()],
            Self::Killed(_) | Self::Terminated(_) | Self::CutBefore(_) | Self::CutAfter(_) => {
                Vec::new()
            }
        }
    }
}

impl Death {
    const fn cuts(self) -> Option<Cut> {
        match self {
            Self::CutBefore(commit) => Some(Cut { commit, answered: false }),
            Self::CutAfter(commit) => Some(Cut { commit, answered: true }),
            _ => None,
        }
    }

    /// Is this how a process ends by it? A daemon that loses its database says so (74).
    fn is(self, status: ExitStatus) -> bool {
        if self.cuts().is_some() { status.code() == Some(74) } else { status.signal() == Some(9) }
    }
}

/// What a run without a death came to.
#[derive(Debug)]
pub struct Reference {
    pub shape: Shape,
    pub books: Books,
    pub account: Account,
    /// From the start of the daemon to the last change in any book.
    pub took: Duration,
}

pub fn reading<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

impl Reference {
    /// Runs a shape once, undisturbed, and insists that it came to a good end.
    pub fn run(shape: Shape) -> Self {
        let stage = Stage::start(shape);
        let began = Instant::now();
        let mut daemon = stage.daemon(&[]);
        let (mut last, mut changed) = (stage.books(), Instant::now());
        while changed.elapsed() < STILL || !last.as_ref().is_some_and(Books::agree) {
            assert!(daemon.ended().is_none(), "the daemon ended: {}", stage.logged("daemon"));
            if began.elapsed() > LIMIT {
                let faults = last.map(|books| books.faults());
                panic!("no end without any kill: {faults:?}; look in {}", stage.keep().display());
            }
            std::thread::sleep(LOOK);
            let now = stage.books();
            if now != last {
                (last, changed) = (now, Instant::now());
            }
        }
        let took = changed.duration_since(began);
        stop(&mut daemon).expect("it drains");
        let account = reading(Account::read(&stage)).expect("the store reads");
        stage.verify().expect("everything adds up");
        let books = last.expect("the loop ended with it");
        let reference = Self { shape, books, account, took };
        reference.insist();
        reference
    }

    /// A practice in which nothing happens proves nothing.
    fn insist(&self) {
        let Account { counts, places, .. } = &self.account;
        assert!(places.conserved(), "{places:?}");
        let open = [places.unsent, places.in_flight, places.refundable, places.disputed];
        assert!(open.iter().all(|place| place.get() == 0), "{places:?}");
        let happened = [
            counts.credited,
            counts.failed,
            counts.returned,
            counts.dropped,
            self.account.set_aside - counts.dropped,
        ];
        assert!(happened.iter().all(|count| *count > 0), "{counts:?}");
        assert_eq!(self.account.attempts, ["accepted"]);
        assert_eq!(self.account.registers, [("closed".to_owned(), self.shape.registers.into())]);
        let rest = (self.account.reports_due, self.account.quarantined, self.account.alerts.len());
        assert_eq!(rest, (0, 0, 0));
    }
}

/// SIGTERM: what is under way ends, and the exit code is 0 (F59).
pub fn stop(daemon: &mut Process) -> Result<(), String> {
    daemon.terminate();
    let status = daemon.wait(DRAIN)?;
    if status.code() == Some(0) { Ok(()) } else { Err(format!("after SIGTERM: {status}")) }
}

/// Runs a daemon through its deaths and then to the end; says how many deaths it died. Between two
/// lives, somebody looks at what the dead one left.
pub fn live(
    stage: &Stage,
    deaths: &[Death],
    reference: &Reference,
    look: impl Fn(usize) -> Result<(), String>,
) -> Result<usize, String> {
    let mut died = 0;
    for death in deaths {
        if !die(stage, *death, reference)? {
            break;
        }
        died += 1;
        look(died)?;
    }
    let mut daemon = stage.daemon(&[]);
    to_the_end(stage, &mut daemon, reference)?;
    Ok(died)
}

/// Runs a daemon to its death; false where it came to its end before.
fn die(stage: &Stage, death: Death, reference: &Reference) -> Result<bool, String> {
    let _line = death.cuts().map(|cut| Line::through(stage, cut));
    let mut doomed = stage.daemon(&death.arguments());
    match death {
        Death::AfterCommit(_)
        | Death::BeforeCommit(_)
        | Death::CutBefore(_)
        | Death::CutAfter(_) => {
            let died = dies(stage, &mut doomed, reference, death)?;
            if !died {
                // It came to its end with fewer commits; one may still come.
                doomed.kill();
            }
            return Ok(died);
        }
        Death::Killed(after) => {
            std::thread::sleep(after);
            still_alive(&mut doomed)?;
            doomed.kill();
        }
        Death::Terminated(after) => {
            std::thread::sleep(after);
            still_alive(&mut doomed)?;
            stop(&mut doomed)?;
        }
    }
    Ok(true)
}

fn still_alive(daemon: &mut Process) -> Result<(), String> {
    match daemon.ended() {
        None => Ok(()),
        Some(status) => Err(format!("it ended by itself before the kill: {status}")),
    }
}

/// Waits for a planned death; false where the run came to its end before.
fn dies(
    stage: &Stage,
    doomed: &mut Process,
    reference: &Reference,
    death: Death,
) -> Result<bool, String> {
    let began = Instant::now();
    let mut ended_since = None;
    loop {
        if let Some(status) = doomed.ended() {
            if death.is(status) {
                return Ok(true);
            }
            return Err(format!("it was to die of {death:?} and ended with {status}"));
        }
        if stage.books().as_ref() == Some(&reference.books) {
            // What is left to be committed is that finance took the last reports.
            let since = ended_since.get_or_insert_with(Instant::now);
            if since.elapsed() > Duration::from_millis(200) {
                return Ok(false);
            }
        }
        if began.elapsed() > LIMIT {
            return Err(unfinished(stage, reference, "it neither died nor came to an end"));
        }
        std::thread::sleep(LOOK);
    }
}

fn unfinished(stage: &Stage, reference: &Reference, what: &str) -> String {
    let Some(books) = stage.books() else { return format!("{what}; finance has no book") };
    let faults: Vec<String> = books.faults().into_iter().take(10).collect();
    let faults = faults.join("\n  ");
    format!("{what}:\n  {faults}\n{}", difference(&reference.books, &books))
}

/// Waits until all books and the store say what they said without a kill, stops the daemon, and
/// looks once more at what it left.
fn to_the_end(stage: &Stage, daemon: &mut Process, reference: &Reference) -> Result<(), String> {
    let began = Instant::now();
    let look = |daemon: &mut Process, what: &str| {
        if let Some(status) = daemon.ended() {
            return Err(format!("{what}: the daemon ended by itself: {status}"));
        }
        if began.elapsed() > LIMIT {
            return Err(unfinished(stage, reference, what));
        }
        std::thread::sleep(LOOK);
        Ok(())
    };
    while stage.books().as_ref() != Some(&reference.books) {
        look(daemon, "after the restart the books do not come to the same")?;
    }
    // Nobody reads the database while a daemon may be killed: a reader that stays would spare the
    // next daemon the recovery of the log.
    loop {
        let account = reading(Account::read(stage)).map_err(|cause| cause.to_string())?;
        if account == reference.account {
            break;
        }
        let what = format!(
            "the closing account is another:\n{}",
            difference(&reference.account, &account)
        );
        look(daemon, &what)?;
    }
    stop(daemon)?;
    left(stage, reference)
}

/// What a stopped daemon leaves must be what it leaves without a kill.
fn left(stage: &Stage, reference: &Reference) -> Result<(), String> {
    let books = stage.books().ok_or("finance has no book")?;
    let account = reading(Account::read(stage)).map_err(|cause| cause.to_string())?;
    if books != reference.books || account != reference.account {
        return Err(format!(
            "something moved after the end:\n{}\n{}",
            difference(&reference.books, &books),
            difference(&reference.account, &account)
        ));
    }
    stage.verify()
}

/// What a group of kills came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub victims: usize,
    pub kills: usize,
    failures: Vec<String>,
}

/// Runs plan after plan, several at a time, until there are none or one of them outlives its
/// planned death; prints a line, and fails with everything that went wrong.
pub fn run_group<T: Send + std::fmt::Debug>(
    name: &str,
    plans: impl Iterator<Item = T> + Send,
    live: impl Fn(&T) -> (Result<Lived, String>, Stage) + Sync,
) -> Tally {
    let began = Instant::now();
    let plans = Mutex::new(plans);
    let (over, tally) = (AtomicBool::new(false), Mutex::new(Tally::default()));
    let outlived = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = plans.lock().expect("no thread breaks").next();
                    let Some(plan) = next.filter(|_| !over.load(Ordering::SeqCst)) else { return };
                    let (lived, stage) = live(&plan);
                    let mut tally = tally.lock().expect("no thread breaks");
                    tally.victims += 1;
                    match lived {
                        Ok(lived) => {
                            tally.kills += lived.died;
                            // Counts of commits differ a little from run to run.
                            if lived.outlived && outlived.fetch_add(1, Ordering::SeqCst) >= 2 {
                                over.store(true, Ordering::SeqCst);
                            }
                        }
                        Err(cause) => {
                            let folder = stage.keep();
                            let text = format!("{plan:?}: {cause}\n  look in {}", folder.display());
                            eprintln!("{name}: {text}");
                            tally.failures.push(text);
                            if tally.failures.len() >= FAILURES_MAX {
                                over.store(true, Ordering::SeqCst);
                            }
                        }
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().expect("no thread breaks");
    let Tally { victims, kills, failures } = &tally;
    let wrong = failures.len();
    // Straight to the terminal: this line is the report, also of a group in which all went well.
    let line =
        format!("{name}: {victims} runs, {kills} deaths, {wrong} wrong, {:.1?}", began.elapsed());
    writeln!(std::io::stderr(), "{line}").expect("a line is written");
    assert!(failures.is_empty(), "{name}: {wrong} wrong\n{}", failures.join("\n"));
    tally
}

/// What became of one plan.
pub struct Lived {
    pub died: usize,
    /// Fewer deaths than planned: the run was over before.
    pub outlived: bool,
}

/// Carries out one plan on a stage of its own.
pub fn carry_out(deaths: &[Death], reference: &Reference) -> (Result<Lived, String>, Stage) {
    let stage = Stage::start(reference.shape);
    let lived = live(&stage, deaths, reference, |_| Ok(()));
    (lived.map(|died| Lived { died, outlived: died < deaths.len() }), stage)
}
