//! People decide while processes die: a death between proposing, confirming and carrying out loses no
//! decision, and carries none out twice.
//!
//! A file bank that cannot be asked has something else under the name of its first batch, so that nobody knows
//! what became of it. Two operators look, find that it never arrived, and say so; each of their commands dies
//! beside its commit and is given again, and so does the daemon that has to act upon it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use daifa::model::alert::AlertKind;
use daifa::store::Store;

use crate::plan::{Death, Lived, Reference, live, reading, run_group, stop};
use crate::stage::{LOOK, Stage};
use crate::{alone, beside, town};

/// How one run goes.
#[derive(Debug)]
struct Plan {
    /// Does the daemon work while people decide?
    beside: bool,
    deaths: Vec<Death>,
}

fn daifa(arguments: &[&str], typed: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    drop(stdin.write_all(typed.as_bytes()));
    drop(stdin);
    child.wait_with_output().expect("ends")
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.as_slice(), out.stderr.as_slice()].concat()).into_owned()
}

/// The bank is not asked, and two operators are there to decide. Gives the file that stands in the way.
fn set_up(stage: &Stage) -> PathBuf {
    let text = std::fs::read_to_string(stage.config()).expect("the config reads");
    let (before, rest) = text.split_once("[bank.door]").expect("the first bank has a door");
    let mut text = format!("{before}[bank.answers]\nask = \"none\"\n\n[bank.door]{rest}");
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
        text += &format!(
            "\n[[operator]]\nname = \"{name}\"\nsecret = {{ file = \"{}\" }}\n",
            file.display()
        );
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
fn stands(stage: &Stage, attempt: &str) -> (String, Vec<String>, i64) {
    let no = attempt.trim_start_matches('A');
    let texts = |sql: String| reading(beside::texts(stage.location(), &sql));
    let state = texts(format!("SELECT state FROM attempt WHERE attempt_no = {no}"));
    let decisions = texts("SELECT state FROM decision ORDER BY decision_no".to_owned());
    let sql = "SELECT COUNT(*) FROM journal WHERE body LIKE '%\"confirmed_by\"%'";
    (state.concat(), decisions, reading(beside::number(stage.location(), sql)))
}

/// One command of an operator: it must end as `ends` says, `9` being a death.
fn command(stage: &Stage, who: &str, arguments: &[&str], ends: i32) -> Result<String, String> {
    let config = stage.config().display().to_string();
    let typed = stage.path().join(format!("{who}.typed")).display().to_string();
    let common = ["--config", &config, "--as", who, "--credential-file", &typed];
    let (verb, rest) = arguments.split_first().expect("a verb");
    let out = daifa(&[&["decide", *verb], &common[..], rest].concat(), "");
    let ended = out.status.signal().or(out.status.code());
    if ended == Some(ends) {
        Ok(said(&out))
    } else {
        Err(format!("{arguments:?} ended with {}: {}", out.status, said(&out)))
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(
    found: &T,
    expected: &T,
    when: &str,
) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{when}: {found:?} instead of {expected:?}"))
    }
}

/// Both people decide, and each of their commands dies on both sides of its commit.
fn decide(stage: &Stage, attempt: &str) -> Result<(), String> {
    let of = |state: &str, decisions: &[&str], done| {
        (state.to_owned(), decisions.iter().map(|&word| word.to_owned()).collect(), done)
    };
    let proposes = ["propose", "--evidence", "looked into the folder", attempt, "not_received"];
    let confirms = ["confirm", "D1"];
    let dies = |rest: &[&'static str], side: &'static str| [rest, &[side, "1"]].concat();
    let propose = |side: &'static str| [&proposes[..], &[side, "1"]].concat();
    command(stage, "wang", &propose("--die-before-commit"), 9)?;
    expect(&stands(stage, attempt), &of("unknown", &[], 0), "before a proposal is durable")?;
    command(stage, "wang", &propose("--die-at-commit"), 9)?;
    let proposed = of("unknown", &["proposed"], 0);
    expect(&stands(stage, attempt), &proposed, "after a proposal is durable")?;
    let again = command(stage, "wang", &proposes, 1)?;
    expect(&again.contains("proposes something about"), &true, &again)?;
    command(stage, "li", &dies(&confirms, "--die-before-commit"), 9)?;
    expect(&stands(stage, attempt), &proposed, "before a confirmation is durable")?;
    command(stage, "li", &dies(&confirms, "--die-at-commit"), 9)?;
    let (state, decisions, done) = stands(stage, attempt);
    expect(&(decisions, done), &(vec!["confirmed".to_owned()], 1), "after it is durable")?;
    // A daemon beside it may have acted upon it already.
    let moved = ["not_sent", "sending", "accepted"].contains(&state.as_str());
    expect(&moved, &true, &format!("decided, and it is {state}"))?;
    let again = command(stage, "li", &confirms, 1)?;
    expect(&again.contains("carried out before"), &true, &again)?;
    Ok(())
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
        if plan.beside {
            decide(&stage, &attempt)?;
            stop(&mut daemon)?;
        } else {
            stop(&mut daemon)?;
            decide(&stage, &attempt)?;
        }
        let died = live(&stage, &plan.deaths, reference, |_| Ok(()))?;
        let (_, decisions, done) = stands(&stage, &attempt);
        expect(&(decisions, done), &(vec!["confirmed".to_owned()], 1), "in the end")?;
        // Four of the people's commands died before.
        Ok(Lived { died: died + 4, outlived: false })
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
