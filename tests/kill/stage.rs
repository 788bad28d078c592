//! A stage: practice counterparts in a process of their own, the folder they share with the daemon,
//! and the daemon as a process that may be killed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use daifa::sandbox::{bank, finance};
use daifa::store::Location;
use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::cluster;
use crate::judge::Books;
use crate::plan::reading;

const BINARY: &str = env!("CARGO_BIN_EXE_daifa");
/// How often books and processes are looked at.
pub const LOOK: Duration = Duration::from_millis(5);

/// What is practised: what the practice finance approves, and by which banks it is paid.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub registers: u8,
    pub payments: u16,
    pub banks: u8,
    /// The banks pay again whatever they are given again: nobody but the daemon keeps a payment
    /// from being credited twice.
    pub no_dedup: bool,
    /// Payments in one batch at most; less than a register gives a bank makes several of them.
    pub rows_max: u16,
    /// The message banks call with what they have to say.
    pub push: bool,
    /// The facts are kept by the PostgreSQL of this run, instead of in a file.
    pub postgres: bool,
}

impl Shape {
    fn arguments(self) -> Vec<String> {
        let mut all = vec!["--registers".to_owned(), self.registers.to_string()];
        all.extend(["--payments".to_owned(), self.payments.to_string()]);
        all.extend(["--banks".to_owned(), self.banks.to_string()]);
        all.extend(["--listen".to_owned(), "127.0.0.1:0".to_owned()]);
        if self.no_dedup {
            all.push("--no-dedup".to_owned());
        }
        if self.push {
            all.push("--push".to_owned());
        }
        all
    }
}

/// A folder, and the practice counterparts that work in it.
pub struct Stage {
    folder: Option<tempfile::TempDir>,
    practice: Option<Process>,
    shape: Shape,
    location: Location,
    /// How long the books were when they were last read, and what they said.
    seen: Mutex<(Vec<u64>, Option<Books>)>,
}

/// A child process that does not outlive its test.
pub struct Process(Child);

impl Process {
    fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("the binary starts"))
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child can be asked")
    }

    /// Waits for the end, or says that it did not come in time.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, String> {
        let began = Instant::now();
        loop {
            match self.ended() {
                Some(status) => return Ok(status),
                None if began.elapsed() > limit => {
                    return Err(format!("the process did not end within {limit:?}"));
                }
                None => std::thread::sleep(LOOK),
            }
        }
    }

    /// SIGKILL from outside; the process may have ended before.
    pub fn kill(&mut self) {
        self.0.kill().expect("a child can be killed");
        self.0.wait().expect("a child can be waited for");
    }

    /// SIGTERM, once the process listens to it: one that has only just begun is ended by the system,
    /// as a service manager would not do before it is ready.
    pub fn terminate(&self) {
        let status = format!("/proc/{}/status", self.0.id());
        let listens = || {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
            u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask & (1 << 14) != 0)
        };
        for _ in 0..1_000 {
            if listens() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&self.0), Signal::TERM).expect("a child can be told");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where it has ended before there is nobody to kill.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Stage {
    /// An empty folder, for whoever brings their own counterparts.
    pub fn bare(shape: Shape) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kill-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a folder");
        let location = if shape.postgres {
            let cluster = cluster().expect("whoever asks for it has seen that it is installed");
            Location::Postgres(reading(cluster.database()))
        } else {
            Location::Sqlite(folder.path().join("daifa/daifa.sqlite"))
        };
        Self { folder: Some(folder), practice: None, shape, location, seen: Mutex::default() }
    }

    /// Practice counterparts at work.
    pub fn start(shape: Shape) -> Self {
        let mut stage = Self::bare(shape);
        let mut command = Command::new(BINARY);
        command.arg("practice").args(stage.arguments()).arg("--data").arg(stage.path());
        command.stdout(Stdio::piped()).stderr(stage.log("practice"));
        let mut practice = Process::spawn(&mut command);
        let said = BufReader::new(practice.0.stdout.take().expect("it is piped"));
        let ready = said.lines().map_while(Result::ok).find(|line| line.starts_with("now run:"));
        assert!(ready.is_some(), "the practice counterparts do not start in {stage:?}");
        stage.practice = Some(practice);
        stage.quicken();
        stage
    }

    /// The config that was written, at a pace that fits a test that runs it hundreds of times.
    fn quicken(&self) {
        let text = std::fs::read_to_string(self.config()).expect("the config reads");
        let quick = [
            ("log = \"warn\"", "log = \"info\""),
            ("pull_every = \"200ms\"", "pull_every = \"60ms\""),
            ("ask_after = \"2s\"", "ask_after = \"400ms\""),
            ("ask_every = \"200ms\"", "ask_every = \"80ms\""),
            ("return_every = \"300ms\"", "return_every = \"80ms\""),
        ];
        let rows_max = format!("rows_max = {}\nvisibility_delay", self.shape.rows_max);
        let text = text.replace("visibility_delay", &rows_max);
        let text = quick.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "the practice config has {from}");
            text.replace(from, to)
        });
        std::fs::write(self.config(), text).expect("the config is written");
    }

    pub fn path(&self) -> &Path {
        self.folder.as_ref().expect("it is kept until the end").path()
    }

    pub fn config(&self) -> PathBuf {
        self.path().join("daifa.toml")
    }

    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// The shape, and where the facts are.
    fn arguments(&self) -> Vec<String> {
        let mut all = self.shape.arguments();
        if let Location::Postgres(url) = &self.location {
            all.extend(["--database".to_owned(), url.clone()]);
        }
        all
    }

    /// Takes the database of another stage for its own.
    pub fn share(&mut self, other: &Self) {
        self.location = other.location.clone();
    }

    /// From its next start the daemon reaches its PostgreSQL under this URL.
    pub fn reach_by(&self, url: &str) {
        std::fs::write(self.path().join("database.url"), url).expect("the URL is written");
    }

    /// Where processes of one kind write what they complain about, one after the other.
    fn log(&self, name: &str) -> std::fs::File {
        let path = self.path().join(format!("{name}.log"));
        std::fs::File::options().create(true).append(true).open(path).expect("a log")
    }

    pub fn logged(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// The daemon, with its planned death if it has one.
    pub fn daemon(&self, arguments: &[String]) -> Process {
        let mut command = Command::new(BINARY);
        command.args(["run", "--config"]).arg(self.config()).args(arguments);
        // The daemon logs to one of the two; both are kept.
        command.stdout(self.log("daemon")).stderr(self.log("daemon"));
        Process::spawn(&mut command)
    }

    /// Waits until a daemon that was just started says so.
    pub fn await_ready(&self, daemon: &mut Process) {
        while !self.logged("daemon").contains("ready page=") {
            assert!(daemon.ended().is_none(), "{}", self.logged("daemon"));
            std::thread::sleep(LOOK);
        }
    }

    /// The whole demo in one process, its counterparts with it.
    pub fn demo(&self) -> Process {
        let mut command = Command::new(BINARY);
        command.arg("demo").args(self.arguments()).args(["--json", "--timeout", "40"]);
        command.arg("--data").arg(self.path());
        let account = std::fs::File::create(self.path().join("account.json")).expect("a file");
        command.stdout(account).stderr(self.log("demo"));
        Process::spawn(&mut command)
    }

    /// `daifa verify` on what the daemon left.
    pub fn verify(&self) -> Result<(), String> {
        let mut command = Command::new(BINARY);
        command.args(["verify", "--config"]).arg(self.config());
        let out = command.output().expect("the binary starts");
        if out.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&out.stdout);
        Err(format!("daifa verify: {}: {said}", out.status))
    }

    /// The folders of the banks' own books.
    fn banks(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.shape.banks).map(|at| {
            let kind = if at % 2 == 0 { "rural" } else { "city" };
            self.path().join(format!("{kind}-{}/bank", at + 1))
        })
    }

    /// What the books of finance and of the banks say now. Nothing, before finance's is begun.
    pub fn books(&self) -> Option<Books> {
        let finance = self.path().join("finance");
        let files = [finance.join("finance-book.ndjson")].into_iter();
        let files = files.chain(self.banks().map(|bank| bank.join("book.ndjson")));
        // Books only grow: as long as before is as before.
        let length = |file: PathBuf| std::fs::metadata(file).map_or(0, |file| file.len());
        let lengths: Vec<u64> = files.map(length).collect();
        let mut seen = self.seen.lock().expect("no thread breaks");
        if seen.0 != lengths {
            let banks = self.banks().map(|bank| {
                let verdict = bank::read_book(&bank).expect("a bank's book reads");
                (verdict, bank::read_cards(&bank).expect("a bank's book reads"))
            });
            let finance = finance::reading::read_book(&finance).expect("finance's book reads");
            *seen = (lengths, finance.map(|finance| Books::new(finance, banks.collect())));
        }
        seen.1.clone()
    }

    /// Ends the counterparts and leaves the folder for a look.
    pub fn keep(mut self) -> PathBuf {
        self.practice = None;
        self.folder.take().expect("it is kept until the end").keep()
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path().display())
    }
}
