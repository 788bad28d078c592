//! A stage: a practice finance, one practice bank in a process of its own behind one of the four doors,
//! and the daemon as a process. They share loopback addresses and folders, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use daifa::clock::{Clock, SystemClock};
use daifa::guard::key::Key;
use daifa::sandbox::bank::{BankVerdict, Card, read_book, read_cards};
use daifa::sandbox::finance::{self, BankCode, RegisterKind};
use daifa::store::view::{AlertRow, Totals};
use daifa::store::{Location, Store};
use tokio::net::TcpListener;

use crate::sshd::Sshd;

const BINARY: &str = env!("CARGO_BIN_EXE_daifa");
/// How often books and processes are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The four doors, and what is put together of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Directory,
    Sftp,
    Https,
    Socket,
    /// A socket, and a folder beside it for the files that messages name.
    Beside,
    /// The same, and the connection stays between messages.
    Staying,
    /// As beside a socket, with the folder on a server.
    FarBeside,
    /// Requests on a server, questions by HTTP, results in a directory.
    Apart,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Directory, Self::Sftp, Self::Https, Self::Socket];

    pub const fn is_called(self) -> bool {
        matches!(self, Self::Https | Self::Socket)
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Sftp => "sftp",
            Self::Https => "https",
            Self::Socket => "socket",
            Self::Beside => "beside",
            Self::Staying => "staying",
            Self::FarBeside => "far beside",
            Self::Apart => "apart",
        }
    }

    const fn has_server(self) -> bool {
        matches!(self, Self::Sftp | Self::FarBeside | Self::Apart)
    }

    const fn format(self) -> &'static str {
        match self {
            Self::Directory | Self::Sftp => "example-rural-fixed",
            Self::Https | Self::Socket => "example-city-xml",
            Self::Beside | Self::Staying | Self::FarBeside => "example-abc-framed",
            Self::Apart => "example-core-pipe",
        }
    }

    /// How a config names the format.
    fn format_in(self, folder: &Path) -> String {
        match self {
            Self::Apart => folder.join("pipe").display().to_string(),
            _ => self.format().to_owned(),
        }
    }
}

/// What is practised.
#[derive(Debug, Clone)]
pub struct Plan {
    pub way: Way,
    pub registers: usize,
    pub payments: i64,
    pub kinds: Vec<RegisterKind>,
    pub rows_max: usize,
    /// Lines of the bank's config in front of its door.
    pub bank: String,
    /// Lines of its faults.
    pub faults: String,
    /// Lines of the daemon's config about this bank.
    pub rules: String,
    /// What is approved has this long to come to its end before somebody is told.
    pub allowed: &'static str,
}

/// A process that does not outlive its test.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.0.kill().expect("a child can be killed");
        self.0.wait().expect("a child can be waited for");
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

pub struct Stage {
    pub plan: Plan,
    folder: tempfile::TempDir,
    pub finance: finance::Handle,
    pub bank: Process,
    _sshd: Option<Sshd>,
}

impl Stage {
    /// Everything but the daemon. Nothing, where there is no server of SFTP to be had.
    pub async fn open(plan: Plan) -> Option<Self> {
        let sshd = if plan.way.has_server() { Some(Sshd::start()?) } else { None };
        let folder = tempfile::Builder::new()
            .prefix("sick-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a folder");
        for name in
            ["outgoing", "incoming", "archive", "quarantine", "finance", "results", "unused"]
        {
            std::fs::create_dir(folder.path().join(name)).expect("made");
        }
        if plan.way == Way::Apart {
            let shipped =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("bank-formats/example-core-pipe");
            copy_renamed(&shipped, &folder.path().join("pipe"));
        }
        let key = private_key(&folder.path().join("finance.key"));
        private_key(&folder.path().join("seal.key"));
        private_key(&folder.path().join("blind.key"));
        let options = finance::Options {
            registers: plan.registers,
            payments: plan.payments,
            kinds: plan.kinds.clone(),
            banks: vec![BankCode {
                code: "bank".to_owned(),
                gbk: plan.way.format() != "example-rural-fixed",
            }],
            data: folder.path().join("finance"),
            key,
            ..finance::Options::practice()
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let finance = finance::start(options, listener, clock).expect("finance starts");
        let prepared = Arc::clone(finance.finance());
        tokio::task::spawn_blocking(move || prepared.prepare()).await.expect("prepared");
        let met = free_address();
        std::fs::write(folder.path().join("bank.toml"), bank_config(&plan, folder.path(), met))
            .expect("written");
        let config = daemon_config(&plan, folder.path(), &finance.base_url(), met, sshd.as_ref());
        std::fs::write(folder.path().join("daifa.toml"), config).expect("written");
        let bank = start_bank(folder.path());
        Some(Self { plan, folder, finance, bank, _sshd: sshd })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bank again, on the book that it left.
    pub fn restart_bank(&mut self) {
        self.bank.kill();
        self.bank = start_bank(self.folder.path());
    }

    pub fn daemon(&self) -> Process {
        let mut command = Command::new(BINARY);
        command.args(["run", "--config"]).arg(self.path("daifa.toml"));
        // As it runs where it counts.
        let unit = include_str!("../../systemd/daifa.service");
        let set = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
        command.envs(set.filter_map(|set| set.split_once('=')));
        let log = || {
            let path = self.path("daemon.log");
            std::fs::File::options().create(true).append(true).open(path).expect("a log")
        };
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        Process(command.spawn().expect("the binary starts"))
    }

    /// The store beside the daemon, once it is there.
    pub async fn store(&self) -> Store {
        let location = Location::Sqlite(self.path("daifa/daifa.sqlite"));
        for _ in 0..1_500 {
            if let Ok(store) = Store::attach(&location).await
                && store.totals().await.is_ok()
            {
                return store;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("the daemon does not begin: {}", self.logged());
    }

    /// Waits until the store says that it is done, or says nothing new for so long that nothing will follow, and
    /// tells what it said then; nothing after `limit`. A notice that comes a moment later makes a report that is due again.
    pub async fn at_rest(
        &self,
        store: &Store,
        limit: Duration,
        still: impl Fn(&Totals) -> Duration,
        done: impl Fn(&Totals) -> bool,
    ) -> Option<Totals> {
        let clock = SystemClock;
        let ms = |time: Duration| i64::try_from(time.as_millis()).expect("short");
        // A look costs the machine too: the longer it may take, the fewer.
        let pause = (limit / 1_000).max(LOOK);
        let begun = clock.running_ms();
        let (mut last, mut since) = (String::new(), begun);
        loop {
            let now = clock.running_ms();
            let totals = store.totals().await.expect("read");
            let says = format!("{totals:?}");
            if says != last {
                (last, since) = (says, now);
            }
            if done(&totals) || now - since >= ms(still(&totals)) {
                return Some(totals);
            }
            if now - begun > ms(limit) {
                return None;
            }
            tokio::time::sleep(pause).await;
        }
    }

    pub fn book(&self) -> BankVerdict {
        read_book(&self.path("book")).expect("the bank's book reads")
    }

    pub fn cards(&self) -> BTreeMap<String, Card> {
        let mut cards = read_cards(&self.path("book")).expect("the bank's book reads");
        cards.retain(|_, card| *card != Card::default());
        cards
    }

    /// Ends all processes; what they left is deleted with the folder.
    pub fn ended(self) -> tempfile::TempDir {
        self.folder
    }

    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// The faults that came about at the bank so far, each once.
    pub fn thrown(&self) -> BTreeSet<String> {
        let log = std::fs::read_to_string(self.path("bank.log")).unwrap_or_default();
        let fault = |line: &str| {
            let (_, rest) = line.split_once("fault=\"")?;
            rest.split_once('"').map(|(fault, _)| fault.to_owned())
        };
        log.lines().filter_map(fault).collect()
    }

    /// `daifa sandbox book` on the bank's book, and `daifa verify` on the daemon's.
    pub fn judged_by_the_binary(&self) -> Result<(), String> {
        let book = self.path("book");
        let config = self.path("daifa.toml");
        let each = [
            (vec!["sandbox".as_ref(), "book".as_ref(), book.as_os_str()], "nobody was paid twice"),
            (vec!["verify".as_ref(), "--config".as_ref(), config.as_os_str()], ""),
        ];
        for (arguments, words) in each {
            let out = Command::new(BINARY).args(&arguments).output().expect("the binary starts");
            let said = String::from_utf8_lossy(&out.stdout).into_owned();
            if !out.status.success() || !said.contains(words) {
                return Err(format!("{arguments:?}: {}: {said}", out.status));
            }
        }
        Ok(())
    }
}

/// A format as it ships, but for the word by which the practice finance calls an identity card.
fn copy_renamed(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_renamed(&entry.path(), &to);
            continue;
        }
        let bytes = std::fs::read(entry.path()).expect("read");
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => text.replace("居民身份证", "id").into_bytes(),
            Err(other) => other.into_bytes(),
        };
        std::fs::write(to, bytes).expect("written");
    }
}

/// Alerts that stand, in words.
pub async fn alerts(store: &Store) -> Vec<String> {
    let alerts = store.overview(100).await.expect("read").alerts;
    alerts.into_iter().map(|AlertRow { kind, text, .. }| format!("{kind}: {text}")).collect()
}

fn start_bank(folder: &Path) -> Process {
    let mut command = Command::new(BINARY);
    command.args(["sandbox", "bank", "--config"]).arg(folder.join("bank.toml"));
    let log = std::fs::File::options().create(true).append(true).open(folder.join("bank.log"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.expect("a log"));
    let mut process = Process(command.spawn().expect("the binary starts"));
    let said = BufReader::new(process.0.stdout.take().expect("it is piped"));
    let ready = said.lines().map_while(Result::ok).any(|line| line.starts_with("practice bank at"));
    let log = || std::fs::read_to_string(folder.join("bank.log")).unwrap_or_default();
    assert!(ready, "the practice bank does not start: {}", log());
    process
}

fn private_key(path: &Path) -> Key {
    let key = Key::random();
    let mut options = std::fs::File::options();
    let mut file = options.create_new(true).write(true).mode(0o600).open(path).expect("a file");
    file.write_all(key.hex().as_bytes()).expect("written");
    key
}

/// An address that is free now, and that nobody else comes by: somebody who calls from 127.0.0.1 may be given
/// any port of that in the moment before the bank listens on it.
fn free_address() -> SocketAddr {
    let [net, host, last]: [u8; 3] = daifa::guard::random::bytes();
    let own = Ipv4Addr::new(127, 64 + net % 64, host, 1 + last % 254);
    let listener = std::net::TcpListener::bind((own, 0)).expect("a free port");
    listener.local_addr().expect("bound")
}

/// What keeps a connection alive, in the words of both.
const SESSION: &str =
    "session = { heartbeat = \"01     ?\", answer = \"01     !\", every = \"400ms\" }";

fn bank_config(plan: &Plan, folder: &Path, met: SocketAddr) -> String {
    let at = folder.display();
    let line = |kind: &str| format!("kind = \"{kind}\"\nlisten = \"{met}\"");
    let folders =
        |incoming: &str| format!("outgoing = \"{at}/outgoing\"\nincoming = \"{at}/{incoming}\"");
    let files = |kind: &str, incoming: &str| format!("kind = \"{kind}\"\n{}", folders(incoming));
    let doors = match plan.way {
        Way::Directory => files("directory", "incoming"),
        Way::Sftp => files("sftp", "incoming"),
        Way::Https => line("https"),
        Way::Socket => line("socket"),
        Way::Beside => format!("{}\n[side_door]\n{}", line("socket"), folders("incoming")),
        Way::Staying => {
            format!("{}\n{SESSION}\n[side_door]\n{}", line("socket"), folders("incoming"))
        }
        Way::FarBeside => format!(
            "{}\n[side_door]\n{}\ncontrol_suffix = \".ok\"",
            line("socket"),
            folders("incoming")
        ),
        Way::Apart => format!(
            "{}\nno_control = true\n[[other_door]]\n{}",
            files("sftp", "results"),
            line("https")
        ),
    };
    format!(
        "format = \"{}\"\nbook = \"{at}/book\"\n{}\n[door]\n{doors}\n[faults]\n{}\n",
        plan.way.format_in(folder),
        plan.bank,
        plan.faults
    )
}

/// The doors of the daemon to that bank.
fn doors(way: Way, at: &str, met: SocketAddr, sshd: Option<&Sshd>) -> String {
    let folders = |incoming: &str, outgoing: &str, whole: &str| {
        format!(
            "outgoing = \"{at}/{outgoing}\"\nincoming = \"{at}/{incoming}\"\n\
             archive = \"{at}/{incoming}-archive\"\nquarantine = \"{at}/quarantine\"\n{whole}"
        )
    };
    let directory =
        |whole: &str| format!("kind = \"directory\"\n{}", folders("incoming", "outgoing", whole));
    let server = |whole: &str| {
        let sshd = sshd.expect("a server");
        format!(
            "kind = \"sftp\"\naddress = \"{}\"\nhost_keys = [\"{}\"]\nuser = \"{}\"\nkey = {{ file = \"{}\" }}\n{}",
            sshd.address(),
            sshd.host_key(),
            sshd.user,
            sshd.private("login").display(),
            folders("incoming", "outgoing", whole)
        )
    };
    let https = format!("kind = \"https\"\nurl = \"http://{met}/\"\ntotal_timeout = \"5s\"");
    let socket = format!(
        "kind = \"socket\"\naddress = \"{met}\"\nsecurity = \"plain\"\ntotal_timeout = \"5s\""
    );
    let (control, still) = ("control_suffix = \".ok\"", "stable_for = \"60ms\"");
    match way {
        Way::Directory => format!("[bank.door]\n{}", directory(control)),
        Way::Sftp => format!("[bank.door]\n{}", server(control)),
        Way::Https => format!("[bank.door]\n{https}"),
        Way::Socket => format!("[bank.door]\n{socket}"),
        Way::Beside => {
            format!("[bank.door]\n{socket}\n[bank.side_door]\n{}", directory(still))
        }
        Way::Staying => {
            format!("[bank.door]\n{socket}\n{SESSION}\n[bank.side_door]\n{}", directory(still))
        }
        Way::FarBeside => {
            format!("[bank.door]\n{socket}\n[bank.side_door]\n{}", server(control))
        }
        Way::Apart => format!(
            "[bank.door]\n{}\n[[bank.other_door]]\nfor = [\"status_query\"]\n{https}\n\
             [[bank.other_door]]\nfor = [\"result\", \"acknowledgement\"]\nkind = \"directory\"\n{}",
            server(still),
            folders("results", "unused", still)
        ),
    }
}

fn daemon_config(
    plan: &Plan,
    folder: &Path,
    finance: &str,
    met: SocketAddr,
    sshd: Option<&Sshd>,
) -> String {
    let at = folder.display().to_string();
    format!(
        "data = \"{at}/daifa\"\nlisten = \"127.0.0.1:0\"\nlog = \"info\"\n\
         [keys]\ncurrent = 1\nseal = [{{ id = 1, secret = {{ file = \"{at}/seal.key\" }} }}]\n\
         blind = {{ id = 1, secret = {{ file = \"{at}/blind.key\" }} }}\n\
         [[source]]\nname = \"practice\"\nurl = \"{finance}\"\nkey_id = \"practice\"\n\
         secret = {{ file = \"{at}/finance.key\" }}\n\
         [duty]\nstart = \"later_of_received_and_funded\"\npool_bank = \"bank\"\nallowed = \"{}\"\n\
         [pace]\npull_every = \"100ms\"\narrivals_every = \"50ms\"\nreport_retry = \"100ms\"\n\
         [[bank]]\ncode = \"bank\"\nname = \"练习银行\"\nformat = \"{}\"\nrows_max = {}\n{}\n{}\n",
        plan.allowed,
        plan.way.format_in(folder),
        plan.rows_max,
        plan.rules,
        doors(plan.way, &at, met, sshd)
    )
}
