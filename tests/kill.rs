//! SIGKILL at any moment and a restart end in the same closing account, judged by the books of
//! finance and of the banks, which live in another process and know nothing of the daemon's store.
//!
//! The binary is the real one. It is killed beside every commit it makes (`--die-at-commit`,
//! `--die-before-commit`; on both sides of each with two banks, and of the other shapes on one side of
//! each), twice in a row, and from outside at moments that nobody chose; the banks pay again whatever
//! they are given again. Groups run one after the other, because the victims of one run side by side
//! already. Each group says in one line what it did.

#![expect(clippy::disallowed_methods, reason = "processes are waited for by the machine's clock")]

#[path = "store/beside.rs"]
mod beside;
#[path = "store/cluster.rs"]
mod cluster;
#[path = "kill/deciding.rs"]
mod deciding;
#[path = "kill/judge.rs"]
mod judge;
#[path = "kill/line.rs"]
mod line;
#[path = "kill/plan.rs"]
mod plan;
#[path = "kill/postgres.rs"]
mod postgres;
#[path = "kill/stage.rs"]
mod stage;
#[path = "kill/told.rs"]
mod told;
#[path = "service/typed.rs"]
mod typed;

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use daifa::clock::Dice;

use crate::judge::Books;
use crate::plan::{Death, Lived, Reference, carry_out, run_group, stop};
use crate::stage::{Shape, Stage};

/// A file bank and a message bank; the message bank loses an answer, and lets a credit come back.
const TOWN: Shape = Shape {
    registers: 3,
    payments: 24,
    banks: 2,
    no_dedup: true,
    rows_max: 100,
    push: false,
    postgres: false,
};
/// A file bank alone; it keeps an answer back until it is asked, and lets a credit come back. A
/// register makes two batches.
const VILLAGE: Shape = Shape { banks: 1, rows_max: 14, ..TOWN };

/// The town, with a message bank that calls the daemon.
const CALLED: Shape = Shape { push: true, ..TOWN };

/// Victims would take each other's time: one group at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a shape comes to without a kill; found once for all groups.
fn town() -> &'static Reference {
    static RUN: OnceLock<Reference> = OnceLock::new();
    RUN.get_or_init(|| Reference::run(TOWN))
}

fn village() -> &'static Reference {
    static RUN: OnceLock<Reference> = OnceLock::new();
    RUN.get_or_init(|| Reference::run(VILLAGE))
}

fn called() -> &'static Reference {
    static RUN: OnceLock<Reference> = OnceLock::new();
    RUN.get_or_init(|| Reference::run(CALLED))
}

fn moment(dice: &mut Dice, within: Duration) -> Duration {
    let within = u64::try_from(within.as_micros()).expect("a run is short");
    Duration::from_micros(dice.below(within))
}

/// Which commits of a run its victims are killed beside.
#[derive(Clone, Copy)]
enum Which {
    Every,
    /// Of a shape that has both sides of every commit in two groups: this one has the odd commits and the other
    /// one the even ones, so that every commit has its victim on one side. `DAIFA_TEST_LONG=1` tries both.
    Odd,
    Even,
}

/// Kills beside the commits of a run, until a run has no such commit.
fn commits(which: Which, name: &str, run: fn() -> &'static Reference, death: fn(u64) -> Death) {
    let _alone = alone();
    let reference = run();
    let long = std::env::var_os("DAIFA_TEST_LONG").is_some();
    let (first, step) = match which {
        Which::Odd if !long => (1, 2),
        Which::Even if !long => (2, 2),
        _ => (1, 1),
    };
    let plans = (first..).step_by(step).map(|n| [death(n)]);
    let tally = run_group(name, plans, |plan| carry_out(plan, reference));
    // A run makes 100 to 150 commits: fewer would mean that the plan was not carried out.
    assert!(tally.kills > 80 / step, "{name}: {} boundaries", tally.kills);
}

#[test]
fn f1_to_f9_killed_after_every_commit_with_two_banks() {
    commits(Which::Every, "after every commit, two banks", town, Death::AfterCommit);
}

#[test]
fn f1_to_f9_killed_before_every_commit_with_two_banks() {
    commits(Which::Every, "before every commit, two banks", town, Death::BeforeCommit);
}

#[test]
fn f1_to_f9_killed_after_commits_with_a_file_bank() {
    commits(Which::Odd, "after odd commits, a file bank", village, Death::AfterCommit);
}

#[test]
fn f1_to_f9_killed_before_commits_with_a_file_bank() {
    commits(Which::Even, "before even commits, a file bank", village, Death::BeforeCommit);
}

/// After the commit is between what was pushed and its 200; before it the bank was told nothing. Either
/// way it calls again.
#[test]
fn f2_killed_after_every_commit_while_a_bank_calls() {
    commits(Which::Every, "after every commit, a bank that calls", called, Death::AfterCommit);
}

#[test]
fn f1_killed_before_commits_while_a_bank_calls() {
    commits(Which::Even, "before even commits, a bank that calls", called, Death::BeforeCommit);
}

#[test]
fn i15_killed_twice_in_a_row() {
    let _alone = alone();
    let reference = town();
    let mut dice = Dice::seeded(20_261_123);
    let deaths = |dice: &mut Dice| {
        let side = |dice: &mut Dice, n| match dice.below(2) {
            0 => Death::AfterCommit(n),
            _ => Death::BeforeCommit(n),
        };
        // The second one soon: while what the first left behind is being taken up.
        let (first, second) = (1 + dice.below(110), 1 + dice.below(6));
        [side(dice, first), side(dice, second)]
    };
    let plans: Vec<_> = (0..30).map(|_| deaths(&mut dice)).collect();
    let tally = run_group("twice in a row", plans.into_iter(), |plan| carry_out(plan, reference));
    assert!(tally.kills >= 50, "{tally:?}");
}

#[test]
fn i15_killed_at_a_hundred_random_moments() {
    let _alone = alone();
    let reference = town();
    let mut dice = Dice::seeded(24_25);
    let plans: Vec<_> =
        (0..100).map(|_| [Death::Killed(moment(&mut dice, reference.took))]).collect();
    let tally = run_group("random moments", plans.into_iter(), |plan| carry_out(plan, reference));
    assert_eq!(tally.kills, 100);
}

#[test]
fn f8_killed_while_the_daemon_starts() {
    let _alone = alone();
    let reference = town();
    let stage = Stage::start(TOWN);
    let began = Instant::now();
    let mut daemon = stage.daemon(&[]);
    stage.await_ready(&mut daemon);
    let start = began.elapsed();
    drop(daemon);
    let mut dice = Dice::seeded(8);
    // Three starts that come to nothing: tables half made, tables just made, locks left behind.
    let plans: Vec<_> =
        (0..25).map(|_| [(); 3].map(|()| Death::Killed(moment(&mut dice, start)))).collect();
    let tally = run_group("during the start", plans.into_iter(), |plan| carry_out(plan, reference));
    assert_eq!(tally.kills, 75);
}

/// The closing account as the demo prints it, without what may differ from run to run.
fn printed(stage: &Stage) -> Result<serde_json::Value, String> {
    let text = std::fs::read_to_string(stage.path().join("account.json"))
        .map_err(|cause| cause.to_string())?;
    let mut account: serde_json::Value =
        serde_json::from_str(&text).map_err(|cause| format!("{cause} in {text:?}"))?;
    let fields = account.as_object_mut().ok_or("no object")?;
    for differs in ["elapsed_ms", "reports_acknowledged"] {
        fields.remove(differs).ok_or(differs)?;
    }
    Ok(account)
}

/// Runs a demo to its end and gives its closing account and the books.
fn demo_to_the_end(stage: &Stage) -> Result<(serde_json::Value, Books), String> {
    let status = stage.demo().wait(Duration::from_mins(1))?;
    let books = stage.books().ok_or("finance has no book")?;
    if status.code() != Some(0) {
        let said = stage.logged("demo");
        return Err(format!("the demo ends with {status}: {:?}\n{said}", books.faults()));
    }
    stage.verify()?;
    Ok((printed(stage)?, books))
}

#[test]
fn f4_the_whole_demo_killed_with_its_counterparts() {
    let _alone = alone();
    // A bank that is killed between its book and its folder is given the same file again.
    let shape = Shape { no_dedup: false, ..TOWN };
    let stage = Stage::bare(shape);
    let began = Instant::now();
    let (account, books) = demo_to_the_end(&stage).expect("a demo without a kill is good");
    let took = began.elapsed();
    assert_eq!(books.faults(), Vec::<String>::new());
    let mut dice = Dice::seeded(7);
    // Some of them while the books and keys are being made.
    let early = Duration::from_millis(200);
    let moments = |dice: &mut Dice, n, within| (0..n).map(|_| moment(dice, within)).collect();
    let mut plans: Vec<Duration> = moments(&mut dice, 20, took);
    plans.extend::<Vec<Duration>>(moments(&mut dice, 10, early));
    run_group("the whole demo", plans.into_iter(), |after| {
        let stage = Stage::bare(shape);
        let mut demo = stage.demo();
        std::thread::sleep(*after);
        demo.kill();
        let ended = demo_to_the_end(&stage).and_then(|ended| {
            let expected = (account.clone(), books.clone());
            let differs = judge::difference(&expected, &ended);
            if ended == expected { Ok(Lived { died: 1, outlived: false }) } else { Err(differs) }
        });
        (ended, stage)
    });
}

#[test]
fn f59_sigterm_drains_at_any_moment_and_leaves_nothing_under_way() {
    let _alone = alone();
    let reference = town();
    let mut dice = Dice::seeded(59);
    // The first moments are the start of the process itself, when nobody listens for signals yet.
    let start = Duration::from_millis(150);
    let plans: Vec<_> =
        (0..15).map(|_| [Death::Terminated(start + moment(&mut dice, reference.took))]).collect();
    run_group("SIGTERM", plans.into_iter(), |plan| {
        let (lived, stage) = carry_out(plan, reference);
        let log = stage.logged("daemon");
        let taken_up: Vec<&str> = log.lines().filter(|line| line.contains("is taken up")).collect();
        let nothing = taken_up.iter().all(|line| line.contains("swept=0 unknown=0"));
        let drained = match (taken_up.len(), nothing) {
            (2, true) => Ok(()),
            _ => Err(format!("two starts with nothing to take up were expected: {taken_up:?}")),
        };
        (lived.and_then(|lived| drained.map(|()| lived)), stage)
    });
}

#[test]
fn f19_a_second_daemon_on_the_same_data_exits_at_once() {
    let _alone = alone();
    let reference = village();
    let stage = Stage::start(VILLAGE);
    let mut first = stage.daemon(&[]);
    stage.await_ready(&mut first);
    let second = stage.daemon(&[]).wait(Duration::from_secs(5)).expect("it exits at once");
    assert_eq!(second.code(), Some(1));
    let log = stage.logged("daemon");
    assert!(log.contains("another instance is running on this database"), "{log}");
    // The first one does not even notice.
    let began = Instant::now();
    while stage.books().as_ref() != Some(&reference.books) {
        assert!(first.ended().is_none() && began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(stage::LOOK);
    }
    stop(&mut first).expect("it drains");
}
