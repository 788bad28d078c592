//! A service manager for one process: its socket, and the process.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How finance is.
#[derive(Clone, Copy)]
pub enum Finance {
    /// It takes no connection.
    Refusing,
    /// It takes them, and answers so slowly that no answer ends.
    Trickling,
}

impl Finance {
    /// The address of one.
    fn open(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        if matches!(self, Self::Trickling) {
            std::thread::spawn(move || {
                for caller in listener.incoming().map_while(Result::ok) {
                    std::thread::spawn(move || trickle(caller));
                }
            });
        }
        url
    }
}

/// An answer of a byte every other second: none of its silences is long, and it does not end before
/// the limit of the whole call (two minutes). It begins once the question was read: an answer that is
/// there before it makes the call fail at once, and then no step is stuck.
fn trickle(mut caller: TcpStream) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match caller.read(&mut byte) {
            Ok(1) => asked.push(byte[0]),
            _ => return,
        }
    }
    let mut words: &[u8] = b"HTTP/1.1 503 X\r\ncontent-length: 1000\r\n\r\n";
    while caller.write_all(words).is_ok() {
        words = b"x";
        std::thread::sleep(Duration::from_secs(2));
    }
}

/// What was said to the manager, and when.
type Said = Arc<Mutex<Vec<(Instant, String)>>>;

pub struct Service {
    folder: tempfile::TempDir,
    said: Said,
    process: Option<Child>,
}

impl Service {
    /// A config with one bank and one finance, and `pace` beside the usual.
    pub fn prepare(finance: Finance, pace: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for (name, digit) in [("seal", "a"), ("blind", "b"), ("finance", "c")] {
            std::fs::write(path(name), digit.repeat(64)).expect("written");
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(path(name), private).expect("private");
        }
        for name in ["data", "o", "i", "a", "q"] {
            std::fs::create_dir(path(name)).expect("made");
        }
        let here = folder.path().display();
        let url = finance.open();
        let text = format!(
            "data = \"{here}/data\"\nlisten = \"127.0.0.1:0\"\nlog = \"info\"\n\
             [keys]\ncurrent = 1\nseal = [{{ id = 1, secret = {{ file = \"{here}/seal\" }} }}]\n\
             blind = {{ id = 1, secret = {{ file = \"{here}/blind\" }} }}\n\
             [[source]]\nname = \"county\"\nurl = \"{url}\"\nkey_id = \"bank\"\n\
             secret = {{ file = \"{here}/finance\" }}\n\
             [[bank]]\ncode = \"rural\"\nname = \"Example\"\nformat = \"example-rural-fixed\"\n\
             visibility_delay = \"10m\"\nduplicate_window = \"72h\"\n\
             [bank.door]\nkind = \"directory\"\noutgoing = \"{here}/o\"\nincoming = \"{here}/i\"\n\
             archive = \"{here}/a\"\nquarantine = \"{here}/q\"\ncontrol_suffix = \".ok\"\ntotal_timeout = \"4s\"\n\
             [duty]\nstart = \"received\"\npool_bank = \"rural\"\n\
             [pace]\npull_every = \"200ms\"\n{pace}\n"
        );
        std::fs::write(path("daifa.toml"), text).expect("written");
        Self { folder, said: Said::default(), process: None }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the process with a watchdog of this period.
    pub fn start(&mut self, watchdog: Duration) {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        self.start_logging(watchdog, log);
    }

    /// The same, and what it logs goes here.
    pub fn start_logging(&mut self, watchdog: Duration, log: std::fs::File) {
        let path = self.folder.path().join("notify");
        std::fs::remove_file(&path).ok();
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let said = Arc::clone(&self.said);
        std::thread::spawn(move || {
            let mut words = [0; 1024];
            while let Ok(count) = socket.recv(&mut words) {
                let text = String::from_utf8_lossy(&words[..count]).into_owned();
                let mut said = said.lock().expect("no panic inside");
                said.extend(text.lines().map(|line| (Instant::now(), line.to_owned())));
            }
        });
        let child = Command::new(env!("CARGO_BIN_EXE_daifa"))
            .args(["run", "--config"])
            .arg(self.folder.path().join("daifa.toml"))
            .env("NOTIFY_SOCKET", &path)
            .env("CREDENTIALS_DIRECTORY", self.folder.path().join("credentials"))
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(child.expect("the binary starts"));
    }

    /// A file beside the database.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// From now on the config says so at its top.
    pub fn configure(&self, line: &str) {
        let path = self.folder.path().join("daifa.toml");
        let text = std::fs::read_to_string(&path).expect("read");
        let key = line.split('=').next().expect("a key");
        let rest = text.lines().filter(|old| !old.starts_with(key)).collect::<Vec<_>>().join("\n");
        std::fs::write(&path, format!("{line}\n{rest}\n")).expect("written");
    }

    /// From now on the key of this name is no file of the config's, but what the manager hands over.
    pub fn hand_over(&self, name: &str, as_credential: &str, bytes: &[u8]) {
        let folder = self.folder.path().join("credentials");
        std::fs::create_dir_all(&folder).expect("made");
        // Readable for a group, as under systemd, where an access list stands behind it.
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).expect("set");
        let config = self.folder.path().join("daifa.toml");
        let text = std::fs::read_to_string(&config).expect("read");
        let file = format!("{{ file = \"{}\" }}", self.folder.path().join(name).display());
        assert!(text.contains(&file), "{name} is a file");
        let text = text.replace(&file, &format!("{{ credential = \"{as_credential}\" }}"));
        std::fs::write(&config, text).expect("written");
    }

    /// Starts, and stops once it was ready.
    pub fn starts_and_stops(&mut self) {
        self.forget();
        self.start(Duration::from_mins(1));
        self.await_said("READY=1", Duration::from_secs(20));
        self.terminate();
        assert_eq!(self.ended(Duration::from_secs(20)).code(), Some(0), "{}", self.log());
    }

    /// Starts and ends at once, because its config or what it refers to is wrong; what it says.
    pub fn is_refused(&mut self) -> String {
        self.start(Duration::from_mins(1));
        assert_eq!(self.ended(Duration::from_secs(20)).code(), Some(78), "{}", self.log());
        self.log()
    }

    /// What was said to the manager before does not count.
    fn forget(&self) {
        self.said.lock().expect("no panic inside").clear();
    }

    /// An operator's command beside it: what it prints, and its exit code.
    pub fn command(&self, words: &[&str]) -> (String, Option<i32>) {
        let out = Command::new(env!("CARGO_BIN_EXE_daifa"))
            .args(words)
            .arg("--config")
            .arg(self.folder.path().join("daifa.toml"))
            .output()
            .expect("the binary starts");
        (String::from_utf8_lossy(&out.stdout).into_owned(), out.status.code())
    }

    /// An earlier daemon took an answer of the bank.
    pub fn keeps_an_answer(&self) {
        std::fs::write(self.folder.path().join("a").join("HP1.txt"), "taken").expect("written");
    }

    /// From now on there is another key of this name.
    pub fn change_key(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "d".repeat(64)).expect("written");
    }

    /// And now there is the one of [`Service::prepare`] again.
    pub fn bring_back_key(&self, name: &str) {
        let digit = if name == "blind" { "b" } else { "a" };
        std::fs::write(self.folder.path().join(name), digit.repeat(64)).expect("written");
    }

    /// What was said, without the feeding.
    pub fn said(&self) -> Vec<String> {
        let said = self.said.lock().expect("no panic inside");
        said.iter().map(|(_, line)| line.clone()).filter(|line| line != "WATCHDOG=1").collect()
    }

    fn times(&self, word: &str) -> Vec<Instant> {
        let said = self.said.lock().expect("no panic inside");
        said.iter().filter(|(_, line)| line == word).map(|(at, _)| *at).collect()
    }

    pub fn await_said(&self, word: &str, limit: Duration) {
        self.await_said_often(word, 1, limit);
    }

    pub fn await_said_often(&self, word: &str, times: usize, limit: Duration) {
        let begun = Instant::now();
        while self.times(word).len() < times {
            assert!(begun.elapsed() < limit, "{word} was not said: {}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    /// The times between two of the same, and from the last one to now.
    pub fn pauses(&self, word: &str) -> Vec<Duration> {
        let mut times = self.times(word);
        times.push(Instant::now());
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    pub fn since(&self, word: &str) -> Duration {
        *self.pauses(word).last().expect("it was said")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What the status page answers.
    pub fn page(&self, path: &str) -> String {
        let log = self.log();
        let (_, rest) = log.rsplit_once("page=http://").expect("the log says where it is");
        let (address, _) = rest.split_once('/').expect("an address");
        let mut page = TcpStream::connect(address).expect("it listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        page.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        page.read_to_string(&mut answer).expect("it answers");
        answer
    }

    pub fn terminate(&self) {
        self.tell(Signal::TERM);
    }

    /// It ends at once, as by a power cut.
    pub fn kill(&mut self) {
        self.tell(Signal::KILL);
        self.ended(Duration::from_secs(20));
    }

    /// It is to take its config anew.
    pub fn hang_up(&self) {
        self.tell(Signal::HUP);
    }

    fn tell(&self, signal: Signal) {
        let child = self.process.as_ref().expect("it was started");
        kill_process(Pid::from_child(child), signal).expect("it is told");
    }

    /// Waits until the log says it so often.
    pub fn await_logged(&self, words: &str, times: usize, limit: Duration) {
        let begun = Instant::now();
        while self.log().matches(words).count() < times {
            assert!(begun.elapsed() < limit, "{words} is not logged: {}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    /// From now on the bank's format is this folder.
    pub fn format(&self, folder: &Path) {
        let path = self.folder.path().join("daifa.toml");
        let text = std::fs::read_to_string(&path).expect("read");
        let named = "format = \"example-rural-fixed\"";
        assert!(text.contains(named), "{text}");
        let text = text.replace(named, &format!("format = \"{}\"", folder.display()));
        std::fs::write(&path, text).expect("written");
    }

    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        let begun = Instant::now();
        let child = self.process.as_mut().expect("it was started");
        loop {
            if let Some(status) = child.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(begun.elapsed() < limit, "it does not end");
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(child) = &mut self.process {
            // Where it has ended before there is nobody to kill.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// A database that somebody else writes to, until this is dropped.
pub struct Held(tokio::runtime::Runtime, Option<SqliteConnection>);

impl Held {
    pub fn new(database: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let options = SqliteConnectOptions::new().filename(database).create_if_missing(true);
        let connection = runtime.block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await.expect("opens");
            connection.execute("BEGIN EXCLUSIVE").await.expect("holds it");
            connection
        });
        Self(runtime, Some(connection))
    }
}

impl Held {
    /// The one text that this finds.
    pub fn reads(&mut self, sql: &'static str) -> Option<String> {
        let connection = self.1.as_mut().expect("it is held");
        let found = sqlx::query_scalar(sql).fetch_optional(connection);
        self.0.block_on(found).expect("it reads")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let connection = self.1.take().expect("it is held");
        self.0.block_on(connection.close()).expect("it closes");
    }
}
