//! People decide while processes die: a death between proposing, confirming and carrying out loses no
//! decision, and carries none out twice.
//!
//! Two operators say everything that can be said. A file bank that cannot be asked has something else under the
//! name of its first batch, so that nobody knows what became of it: it never arrived, they find; or that it was
//! received, and then that it never was. It keeps an answer back: what became of its payments they find out in
//! its branch, that they were credited. Its answers lie where nobody looks: one payment failed, they find. And
//! somebody left a file in its folder that is none of its own, or one of its answers with another account. Each of their commands dies beside its commit and
//! is given again, and so does the daemon that has to act upon it.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use daifa::model::alert::AlertKind;
use daifa::store::Store;

use crate::cluster::installed;
use crate::judge::Account;
use crate::plan::{Death, Lived, Reference, live, reading, run_group, stop};
use crate::postgres::served;
use crate::stage::{LOOK, Process, Stage};
use crate::typed::{daifa, said};
use crate::{alone, beside, town, village};

/// What a config says of a bank that cannot be asked, and of when its results are late.
const NOT_ASKED: &str = "[bank.answers]\nask = \"none\"\nresult_within = \"1500ms\"\n\n";
/// Where the first bank leaves its answers, and where they are looked for in vain.
const ANSWERS: &str = "rural-1/incoming\"";
const ELSEWHERE: &str = "rural-1/elsewhere\"";
/// The batch of the second register whose line 5 is of an account that its bank does not have, its attempt, and
/// what was said of that line.
const NO_ACCOUNT: &str = "FROM batch b JOIN attempt a ON a.batch_no = b.batch_no \
                          JOIN register r ON r.register_no = b.register_no \
                          LEFT JOIN outcome o ON o.attempt_no = a.attempt_no AND o.line = 5 \
                          WHERE r.id LIKE '%-0002' AND b.first_line = 1";

/// What people find out.
#[derive(Debug, Clone, Copy)]
enum Found {
    NotReceived,
    /// That it was received; and when no result comes, that it never was.
    ReceivedThenNever,
    /// That payments without an answer were credited.
    Credited,
    /// That a payment failed. Its bank says so too, later.
    Failed,
    /// That a file is nobody's.
    Nothing,
    /// That a line of an answer is nobody's.
    NoLine,
}

/// How one run goes.
#[derive(Debug)]
struct Plan {
    found: Found,
    /// Does the daemon work while people decide?
    beside: bool,
    deaths: Vec<Death>,
}

/// The bank is not asked, and two operators are there to decide.
fn set_up(stage: &Stage) {
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
}

/// The answers of the first bank are looked for where there are none.
fn look_elsewhere(stage: &Stage) {
    std::fs::create_dir_all(stage.path().join("rural-1/elsewhere")).expect("made");
    let text = std::fs::read_to_string(stage.config()).expect("the config reads");
    assert_eq!(text.matches(ANSWERS).count(), 1, "{text}");
    std::fs::write(stage.config(), text.replace(ANSWERS, ELSEWHERE)).expect("written");
}

/// The file that stands in the way of the first batch.
fn in_the_way(stage: &Stage) -> PathBuf {
    let config = std::fs::read_to_string(stage.config()).expect("the config reads");
    let prefix = config
        .split_once("reference_prefix = \"")
        .map_or("", |(_, rest)| rest.split_once('"').expect("a text").0);
    let way = stage.path().join(format!("rural-1/outgoing/DF{prefix}000000000001.txt"));
    std::fs::write(&way, "something else").expect("written");
    way
}

/// How the thing stands that is decided, how all decisions do, and how many of them were carried out.
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

/// What two people decide.
struct Wish<'a> {
    subject: &'a str,
    /// The verdict, and what belongs to it.
    verdict: &'a [&'a str],
    /// How the thing stands, in a word.
    sql: &'a str,
    before: &'a str,
    /// Afterwards; a daemon beside it may act upon it at once.
    after: &'a [&'a str],
}

/// Two people, and the daemon that they decide beside, or after.
struct People<'a> {
    stage: &'a Stage,
    beside: bool,
    daemon: Option<Process>,
    decided: usize,
    /// How often their commands died.
    died: usize,
}

impl<'a> People<'a> {
    fn at(stage: &'a Stage, beside: bool) -> Self {
        Self { stage, beside, daemon: None, decided: 0, died: 0 }
    }

    /// Lets the daemon work until somebody is told of something of this kind; gives what it is about.
    fn told(&mut self, kind: AlertKind) -> Result<String, String> {
        self.told_of(kind, "")
    }

    /// As [`Self::told`], of the attempt that this asks for.
    fn told_of(&mut self, kind: AlertKind, attempt: &str) -> Result<String, String> {
        let began = Instant::now();
        self.daemon.get_or_insert_with(|| self.stage.daemon(&[]));
        loop {
            let told = reading(async {
                let store = Store::attach(self.stage.location()).await.ok()?;
                let told = store.standing_alerts(kind).await.ok();
                store.close().await;
                told
            });
            let told = told.unwrap_or_default().into_iter().find(|subject| {
                // Of others it may be told before this one is made.
                let made = format!("SELECT COALESCE(({attempt}), -1)");
                let this = || reading(beside::number(self.stage.location(), &made));
                attempt.is_empty() || subject.starts_with(&format!("A{}/", this()))
            });
            match told {
                Some(subject) => return Ok(subject),
                None if began.elapsed() > Duration::from_secs(20) => {
                    return Err(format!("nobody was told of anything: {kind}"));
                }
                None => std::thread::sleep(LOOK),
            }
        }
    }

    fn rest(&mut self) -> Result<(), String> {
        self.daemon.take().map_or(Ok(()), |mut daemon| stop(&mut daemon))
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        reading(beside::texts(self.stage.location(), sql))
    }

    fn stands(&self, wish: &Wish<'_>) -> Stands {
        let decisions = self.texts("SELECT state FROM decision ORDER BY decision_no");
        let sql = "SELECT COUNT(*) FROM journal WHERE body LIKE '%\"confirmed_by\"%'";
        let done = reading(beside::number(self.stage.location(), sql));
        (self.texts(wish.sql).concat(), decisions, done)
    }

    /// Both decide, and each of their commands dies beside each of its commits.
    fn decide(&mut self, wish: &Wish<'_>) -> Result<(), String> {
        if !self.beside {
            self.rest()?;
        }
        let earlier = self.decided;
        let of = |state: &str, last: &[&str], done: usize| -> Stands {
            let all = vec!["confirmed"; earlier].into_iter().chain(last.iter().copied());
            let done = i64::try_from(earlier + done).expect("few");
            (state.to_owned(), all.map(str::to_owned).collect(), done)
        };
        let one_of = |all: &[Stands]| {
            let found = self.stands(wish);
            if all.contains(&found) { Ok(()) } else { Err(format!("{found:?} is none of {all:?}")) }
        };
        let (nothing, proposed) = (of(wish.before, &[], 0), of(wish.before, &["proposed"], 0));
        let proposes = ["propose", "--evidence", "looked into it", wish.subject];
        let proposes = [&proposes[..], wish.verdict].concat();
        let words = "proposes something about";
        let died = again_and_again(self.stage, "wang", &proposes, words, || {
            one_of(&[nothing.clone(), proposed.clone()])
        })?;
        expect(&self.stands(wish), &proposed)?;
        let carried: Vec<_> = wish.after.iter().map(|state| of(state, &["confirmed"], 1)).collect();
        // A number that a death took is not given again everywhere.
        let no = self.texts("SELECT CAST(MAX(decision_no) AS TEXT) FROM decision").concat();
        let confirms = ["confirm", &format!("D{no}")];
        let words = "carried out before";
        let more = again_and_again(self.stage, "li", &confirms, words, || {
            one_of(&[&[proposed.clone()][..], &carried].concat())
        })?;
        one_of(&carried)?;
        self.died += died + more;
        self.decided += 1;
        Ok(())
    }

    /// Nobody knows what became of a batch. It never arrived: they find that at first, or after they took it for
    /// received.
    fn about_a_batch(&mut self, received: bool) -> Result<(), String> {
        let way = in_the_way(self.stage);
        let attempt = self.told(AlertKind::CannotAsk)?;
        std::fs::remove_file(way).expect("it stood in the way");
        let no = attempt.trim_start_matches('A');
        let sql = format!("SELECT state FROM attempt WHERE attempt_no = {no}");
        let wish =
            Wish { subject: &attempt, verdict: &[], sql: &sql, before: "unknown", after: &[] };
        if !received {
            let after = &["not_sent", "sending", "accepted"];
            return self.decide(&Wish { verdict: &["not_received"], after, ..wish });
        }
        self.decide(&Wish { verdict: &["received"], after: &["accepted"], ..wish })?;
        self.told(AlertKind::Overdue)?;
        let never = Wish { verdict: &["never"], before: "accepted", after: &["refused"], ..wish };
        self.decide(&never)?;
        let batch = self
            .texts(&format!("SELECT CAST(batch_no AS TEXT) FROM attempt WHERE attempt_no = {no}"));
        let config = self.stage.config().display().to_string();
        let batch = format!("B{}", batch.concat());
        let recut = daifa(&["batch", "recut", "--config", &config, "--by", "wang", &batch], "");
        if recut.status.success() { Ok(()) } else { Err(said(&recut)) }
    }

    /// The payments of an answer that is kept back, one alone and then the others: a bank that gives no answer
    /// credits them all. What it says once it can be asked is no news.
    fn about_payments(&mut self) -> Result<(), String> {
        // The last register is the one of which an answer is lost, with the batch that it begins with.
        const KEPT: &str = "FROM batch b JOIN attempt a ON a.batch_no = b.batch_no \
                            JOIN register r ON r.register_no = b.register_no \
                            WHERE r.id LIKE '%-0003' AND b.first_line = 1";
        self.told_of(AlertKind::Overdue, &format!("SELECT a.attempt_no {KEPT}"))?;
        let of = |what: &str| self.texts(&format!("SELECT CAST({what} AS TEXT) {KEPT}")).concat();
        let one = format!("R{}-1", of("b.register_no"));
        let others = format!("B{}", of("b.batch_no"));
        let sql = format!("SELECT CAST(b.pending AS TEXT) {KEPT}");
        for (subject, before, after) in [(one, "14", "13"), (others, "13", "0")] {
            let (subject, after) = (&subject, &[after][..]);
            self.decide(&Wish { subject, verdict: &["credited"], sql: &sql, before, after })?;
        }
        Ok(())
    }

    /// A payment without an answer: it failed, as its bank does not have the account.
    fn about_a_failure(&mut self) -> Result<(), String> {
        self.told_of(AlertKind::Overdue, &format!("SELECT a.attempt_no {NO_ACCOUNT}"))?;
        let subject = format!("SELECT 'R' || r.register_no || '-5' {NO_ACCOUNT}");
        let subject = &self.texts(&subject).concat();
        let sql =
            "SELECT CAST(b.pending AS TEXT) || COALESCE(' ' || o.kind || ' ' || o.reason, '')";
        let sql = &format!("{sql} {NO_ACCOUNT}");
        let verdict = &["failed", "--reason", "account_not_found"];
        let after = &["13 failed account_not_found"];
        self.decide(&Wish { subject, verdict, sql, before: "14", after })
    }

    /// In the end the payment has failed once, by the decision; everybody was told once, and its money went back
    /// once. What its bank said of it came later and is no news.
    fn failed_once(&self) -> Result<(), String> {
        let said = format!("SELECT o.kind || ' ' || o.reason || ' ' || o.code {NO_ACCOUNT}");
        let told = format!(
            "SELECT recipient_kind || ' ' || state FROM report WHERE kind = 'results' \
             AND subject_no = (SELECT o.result_no {NO_ACCOUNT}) ORDER BY 1"
        );
        let back = "SELECT l.cause || ' ' || l.state || ' ' || f.state || ' ' || a.state FROM leftover l \
                    JOIN register r USING (register_no) JOIN refund f USING (refund_no) \
                    JOIN attempt a USING (refund_no) WHERE r.id LIKE '%-0002' AND l.line = 5";
        expect(&self.texts(&said), &vec!["failed account_not_found D1".to_owned()])?;
        let once = ["department", "finance", "town"].map(|who| format!("{who} acknowledged"));
        expect(&self.texts(&told), &once.to_vec())?;
        let gone = self.texts(back);
        let gone: Vec<&str> =
            gone.iter().map(String::as_str).filter(|text| !text.ends_with("not_sent")).collect();
        expect(&gone, &vec!["failed refunded confirmed accepted"])
    }

    fn about_nothing(&mut self) -> Result<(), String> {
        let incoming = self.stage.path().join("rural-1/incoming");
        std::fs::create_dir_all(&incoming).expect("made");
        std::fs::write(incoming.join("X1.txt"), "nobody's").expect("written");
        std::fs::write(incoming.join("X1.ok"), "").expect("written");
        let result = self.told(AlertKind::ResultHeld)?;
        let sql = "SELECT state FROM result WHERE name LIKE 'X1%'";
        let (verdict, before) = (&["dismissed"], "held");
        self.decide(&Wish { subject: &result, verdict, sql, before, after: &["held"] })
    }

    fn about_a_line(&mut self) -> Result<(), String> {
        self.daemon.get_or_insert_with(|| self.stage.daemon(&[]));
        altered(self.stage)?;
        let result = self.told(AlertKind::Quarantine)?;
        let line = format!(
            "SELECT CAST(row_no AS TEXT) FROM quarantine WHERE result_no = {}",
            result.trim_start_matches('E')
        );
        let subject = &format!("{result}.{}", self.texts(&line).concat());
        // Its alert ends with the decision: nothing else of the answer waits.
        let sql = "SELECT CASE WHEN cleared_at_ms IS NULL THEN 'waits' ELSE 'over' END FROM alert WHERE kind = 'quarantine'";
        let (verdict, before) = (&["dismissed"], "waits");
        self.decide(&Wish { subject, verdict, sql, before, after: &["over"] })
    }
}

/// An answer that the daemon took, said once more by somebody, with another account in its first line.
fn altered(stage: &Stage) -> Result<(), String> {
    let folder = stage.path().join("rural-1");
    let began = Instant::now();
    let (data, control) = loop {
        let taken = std::fs::read_dir(folder.join("archive")).into_iter().flatten().flatten();
        let data = taken.map(|file| file.path()).find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("HP") && path.with_extension("ok").is_file() && !name.ends_with(".ok")
        });
        match data {
            Some(data) => break (data.clone(), data.with_extension("ok")),
            None if began.elapsed() > Duration::from_secs(20) => {
                return Err("no answer was taken".to_owned());
            }
            None => std::thread::sleep(LOOK),
        }
    };
    let text = |path: &std::path::Path| path.display().to_string();
    let format = ["format", "decode", "example-rural-fixed", "result"];
    let read = daifa(&[&format[..], &[&text(&data), &text(&control)]].concat(), "");
    let lines = String::from_utf8(read.stdout).expect("JSON lines");
    let (before, rest) = lines.split_once("\"account\":\"").ok_or("it has no line")?;
    let (account, rest) = rest.split_once('"').expect("a text");
    let (first, last) = account.split_at(account.len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    let lines = format!("{before}\"account\":\"{first}{other}\"{rest}");
    let again = text(&stage.path().join("again"));
    let format = ["format", "encode", "example-rural-fixed", "result", "--out", &again];
    let written = daifa(&format, &lines);
    if !written.status.success() {
        return Err(said(&written));
    }
    for path in [data, control] {
        let name = path.file_name().expect("a file");
        std::fs::copy(stage.path().join("again").join(name), folder.join("incoming").join(name))
            .map_err(|cause| format!("{}: {cause}", path.display()))?;
    }
    Ok(())
}

/// From here on the bank can be asked, and its answers are looked for where they are: a death in the middle of a
/// sending is nothing for people then.
fn ask_again(stage: &Stage) {
    let text = std::fs::read_to_string(stage.config()).expect("the config reads");
    std::fs::write(stage.config(), text.replace(NOT_ASKED, "").replace(ELSEWHERE, ANSWERS))
        .expect("written");
}

fn carry_out(plan: &Plan, reference: &Reference) -> (Result<Lived, String>, Stage) {
    let stage = Stage::start(reference.shape);
    let lived = (|| {
        set_up(&stage);
        let mut people = People::at(&stage, plan.beside);
        match plan.found {
            Found::NotReceived => people.about_a_batch(false)?,
            Found::ReceivedThenNever => people.about_a_batch(true)?,
            Found::Credited => people.about_payments()?,
            Found::Failed => {
                look_elsewhere(&stage);
                people.about_a_failure()?;
            }
            Found::Nothing => people.about_nothing()?,
            Found::NoLine => people.about_a_line()?,
        }
        people.rest()?;
        ask_again(&stage);
        let died = live(&stage, &plan.deaths, reference, |_| Ok(()))?;
        let decisions = people.texts("SELECT state FROM decision ORDER BY decision_no");
        expect(&decisions, &vec!["confirmed".to_owned(); people.decided])?;
        if matches!(plan.found, Found::Failed) {
            people.failed_once()?;
        }
        Ok(Lived { died: died + people.died, outlived: false })
    })();
    (lived, stage)
}

/// What the daemon comes to where something of it was refused by two people on the way.
fn with_one_refused(reference: &Reference) -> Reference {
    let Reference { shape, books, account, took } = reference;
    let attempts = vec!["accepted".to_owned(), "refused".to_owned()];
    let account = Account { attempts, ..account.clone() };
    Reference { shape: *shape, books: books.clone(), account, took: *took }
}

/// The same, where one line of an answer was put aside on the way.
fn with_one_aside(reference: &Reference) -> Reference {
    let Reference { shape, books, account, took } = reference;
    let account = Account { quarantined: account.quarantined + 1, ..account.clone() };
    Reference { shape: *shape, books: books.clone(), account, took: *took }
}

/// When daemons die in the n-th run, and whether they work while people decide.
fn plan(at: u64, found: &[Found]) -> Plan {
    let kinds = u64::try_from(found.len()).expect("few");
    let deaths = match at {
        n if n < kinds => vec![],
        n if n.is_multiple_of(2) => vec![Death::AfterCommit(n)],
        n => vec![Death::BeforeCommit(n), Death::AfterCommit(1 + n / 2)],
    };
    let found = found[usize::try_from(at % kinds).expect("few")];
    Plan { found, beside: !at.is_multiple_of(3), deaths }
}

#[test]
fn i31_killed_while_two_people_decide() {
    let _alone = alone();
    let (town, village) = (town(), village());
    let (refused, aside) = (with_one_refused(town), with_one_aside(town));
    let all = [
        Found::NotReceived,
        Found::ReceivedThenNever,
        Found::Credited,
        Found::Failed,
        Found::Nothing,
        Found::NoLine,
    ];
    let plans = (0..24).map(|at| plan(at, &all));
    let tally = run_group("people decide", plans, |plan| match plan.found {
        Found::ReceivedThenNever => carry_out(plan, &refused),
        Found::Credited | Found::Failed => carry_out(plan, village),
        Found::NoLine => carry_out(plan, &aside),
        Found::NotReceived | Found::Nothing => carry_out(plan, town),
    });
    assert!(tally.kills >= 220, "{tally:?}");
}

#[test]
fn i31_killed_while_two_people_decide_on_postgresql() {
    if installed().is_none() {
        return;
    }
    let _alone = alone();
    let served = served();
    let (refused, aside) = (with_one_refused(served), with_one_aside(served));
    let all = [Found::ReceivedThenNever, Found::Nothing, Found::NoLine];
    let plans = (0..6).map(|at| plan(at, &all));
    let tally = run_group("people decide, on PostgreSQL", plans, |plan| match plan.found {
        Found::ReceivedThenNever => carry_out(plan, &refused),
        Found::NoLine => carry_out(plan, &aside),
        _ => carry_out(plan, served),
    });
    assert!(tally.kills >= 45, "{tally:?}");
}
