//! People decide while processes die: a death between proposing, confirming and carrying out loses no
//! decision, and carries none out twice.
//!
//! A file bank that cannot be asked has something else under the name of its first batch, so that nobody knows
//! what became of it. Two operators look, find that it never arrived, and say so; each of their commands dies
//! beside its commit and is given again, and so does the daemon that has to act upon it.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use daifa::model::alert::AlertKind;
use daifa::store::Store;

use crate::plan::{Death, Lived, Reference, live, reading, run_group, stop};
use crate::stage::{LOOK, Stage};
use crate::typed::{daifa, said};
use crate::{alone, beside, town};

/// What a config says of a bank that cannot be asked.
const NOT_ASKED: &str = "[bank.answers]\nask = \"none\"\n\n";

/// How one run goes.
#[derive(Debug)]
struct Plan {
    /// Does the daemon work while people decide?
    beside: bool,
    deaths: Vec<Death>,
}

/// The bank is not asked, and two operators are there to decide. Gives the file that stands in the way.
fn set_up(stage: &Stage) -> PathBuf {
    let text = std::fs::read_to_string(stage.config()).expect("the config reads");
    let (before, rest) = text.split_once("[bank.door]").expect("the first bank has a door");
    let mut text = format!("{before}{NOT_ASKED}[bank.door]{rest}");
    for name in ["wang", "li"] {
        let typed = format!("what {name} alone knows");
        let kept = daifa(&["decide", "credential"], &typed);
        assert!(kept.status.success(), "{}", said(&kept));
        for (file, bytes) in [("credential", kept.stdout), ("typed", typed.into_bytes())] {
            let path = stage.path().join(format!("{name}.{file}"));
            std::fs::write(&path, bytes).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
        }
        let file = stage.path().join(format!("{name}.credential"));
        let file = file.display();
        writeln!(text, "\n[[operator]]\nname = \"{name}\"\nsecret = {{ file = \"{file}\" }}")
            .expect("a text grows");
    }
    std::fs::write(stage.config(), text).expect("the config is written");
    let config = std::fs::read_to_string(stage.config()).expect("the config reads");
    let prefix = config
        .split_once("reference_prefix = \"")
        .map_or("", |(_, rest)| rest.split_once('"').expect("a text").0);
    let way = stage.path().join(format!("rural-1/outgoing/DF{prefix}000000000001.txt"));
    std::fs::write(&way, "something else").expect("written");
    way
}

/// Waits until somebody is told that nobody knows what became of the batch; gives its attempt.
fn undecided(stage: &Stage) -> Result<String, String> {
    let began = Instant::now();
    loop {
        let told = reading(async {
            let store = Store::attach(stage.location()).await.ok()?;
            let told = store.standing_alerts(AlertKind::CannotAsk).await.ok();
            store.close().await;
            told?.pop()
        });
        match told {
            Some(attempt) => return Ok(attempt),
            None if began.elapsed() > Duration::from_secs(20) => {
                return Err("nobody was told to decide".to_owned());
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// The state of the attempt, of all decisions, and how many times a decision about it was carried out.
fn stands(stage: &Stage, attempt: &str) -> Stands {
    let no = attempt.trim_start_matches('A');
    let texts = |sql: String| reading(beside::texts(stage.location(), &sql));
    let state = texts(format!("SELECT state FROM attempt WHERE attempt_no = {no}"));
    let decisions = texts("SELECT state FROM decision ORDER BY decision_no".to_owned());
    let sql = "SELECT COUNT(*) FROM journal WHERE body LIKE '%\"confirmed_by\"%'";
    (state.concat(), decisions, reading(beside::number(stage.location(), sql)))
}

/// How a thing and the decisions about it stand.
type Stands = (String, Vec<String>, i64);

/// One command of an operator: how it ended (9 being a death), and what it said.
fn command(stage: &Stage, who: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let config = stage.config().display().to_string();
    let typed = stage.path().join(format!("{who}.typed")).display().to_string();
    let common = ["--config", &config, "--as", who, "--credential-file", &typed];
    let (verb, rest) = arguments.split_first().expect("a verb");
    let out = daifa(&[&["decide", *verb], &common[..], rest].concat(), "");
    (out.status.signal().or(out.status.code()), said(&out))
}

/// Gives a command again and again, dying beside each of its commits in turn, until it lives: by then an earlier
/// one did its work, and it is told so in these words. Says how often it died.
fn again_and_again(
    stage: &Stage,
    who: &str,
    arguments: &[&str],
    words: &str,
    look: impl Fn() -> Result<(), String>,
) -> Result<usize, String> {
    let mut died = 0;
    for commit in 1..10 {
        for side in ["--die-before-commit", "--die-at-commit"] {
            let commit = commit.to_string();
            let all = [arguments, &[side, commit.as_str()]].concat();
            let (ended, told) = command(stage, who, &all);
            look()?;
            match ended {
                Some(9) => died += 1,
                Some(1) if told.contains(words) => return Ok(died),
                _ => return Err(format!("{all:?} ended with {ended:?}: {told}")),
            }
        }
    }
    Err(format!("{arguments:?} has no end"))
}

fn expect<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}

/// Both people decide, and each of their commands dies beside each of its commits. Says how often.
fn decide(stage: &Stage, attempt: &str) -> Result<usize, String> {
    let of = |state: &str, decisions: &[&str], done| -> Stands {
        (state.to_owned(), decisions.iter().map(|&word| word.to_owned()).collect(), done)
    };
    let one_of = |all: &[Stands]| {
        let found = stands(stage, attempt);
        if all.contains(&found) { Ok(()) } else { Err(format!("{found:?} is none of {all:?}")) }
    };
    let (nothing, proposed) = (of("unknown", &[], 0), of("unknown", &["proposed"], 0));
    let proposes = ["propose", "--evidence", "looked into the folder", attempt, "not_received"];
    let words = "proposes something about";
    let mut died = again_and_again(stage, "wang", &proposes, words, || {
        one_of(&[nothing.clone(), proposed.clone()])
    })?;
    expect(&stands(stage, attempt), &proposed)?;
    // A daemon beside it may act upon it at once.
    let carried = ["not_sent", "sending", "accepted"].map(|state| of(state, &["confirmed"], 1));
    let words = "carried out before";
    died += again_and_again(stage, "li", &["confirm", "D1"], words, || {
        one_of(&[&[proposed.clone()][..], &carried].concat())
    })?;
    one_of(&carried)?;
    Ok(died)
}

fn clear(way: &Path) {
    std::fs::remove_file(way).expect("it stood in the way");
}

fn carry_out(plan: &Plan, reference: &Reference) -> (Result<Lived, String>, Stage) {
    let stage = Stage::start(reference.shape);
    let lived = (|| {
        let way = set_up(&stage);
        let mut daemon = stage.daemon(&[]);
        let attempt = undecided(&stage)?;
        clear(&way);
        let decided = if plan.beside {
            let decided = decide(&stage, &attempt)?;
            stop(&mut daemon)?;
            decided
        } else {
            stop(&mut daemon)?;
            decide(&stage, &attempt)?
        };
        // From here on it can be asked: a death in the middle of a sending is nothing for people then.
        let text = std::fs::read_to_string(stage.config()).expect("the config reads");
        std::fs::write(stage.config(), text.replace(NOT_ASKED, "")).expect("written");
        let died = live(&stage, &plan.deaths, reference, |_| Ok(()))?;
        let (_, decisions, done) = stands(&stage, &attempt);
        expect(&(decisions, done), &(vec!["confirmed".to_owned()], 1))?;
        Ok(Lived { died: died + decided, outlived: false })
    })();
    (lived, stage)
}

#[test]
fn i31_killed_while_two_people_decide() {
    let _alone = alone();
    let reference = town();
    let plan = |at: u64| {
        let deaths = match at {
            0 => vec![],
            n if n.is_multiple_of(2) => vec![Death::AfterCommit(n)],
            n => vec![Death::BeforeCommit(n), Death::AfterCommit(1 + n / 2)],
        };
        Plan { beside: at.is_multiple_of(3), deaths }
    };
    let tally = run_group("people decide", (0..12).map(plan), |plan| carry_out(plan, reference));
    assert!(tally.kills >= 50, "{tally:?}");
}
