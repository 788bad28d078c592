//! The README's doors, each put as it stands there into the config of a daemon that practises: a register
//! is paid through it, by processes that share nothing else, and the banks' own books judge.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use daifa::config::Config;
use daifa::sandbox::bank::read_book;
use daifa::store::{Location, Store};

use crate::sshd::Sshd;

pub const PAYMENTS: usize = 20;
/// The bank that takes files, and the one that is called, as the practice names them.
const RURAL: &str = "rural-1";
pub const CITY: &str = "city-2";

/// A process that does not outlive its test.
pub struct Running(Child);

impl Running {
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
        let command = command.args(arguments).current_dir(folder).stdin(Stdio::null());
        Self(command.stdout(Stdio::null()).spawn().expect("the binary starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

/// The table of a kind of door, as the README has it.
pub fn readme(kind: &str) -> String {
    table(&format!("[bank.door]\nkind = \"{kind}\"\n"))
}

/// The table that begins like this, as the README has it.
pub fn table(begin: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).expect("the README");
    let (_, section) = text.split_once("\n## The bank's door\n").expect("a section");
    let (_, block) = section.split_once(&format!("```toml\n{begin}")).expect("such a block");
    let (block, _) = block.split_once("```").expect("its end");
    format!("{begin}{block}")
}

/// What the config says behind a word of a bank's table.
fn said(config: &str, bank: &str, key: &str) -> String {
    let (_, table) = config.split_once(&format!("code = \"{bank}\"")).expect("the bank");
    let (_, rest) = table.split_once(&format!("\n{key} = \"")).expect("the key");
    rest.split_once('"').expect("a text").0.to_owned()
}

/// Puts a door into a bank's table.
pub fn with_door(config: &str, bank: &str, door: &str) -> String {
    let code = format!("code = \"{bank}\"");
    let (before, table) = config.split_once(&code).expect("the bank");
    let (head, old) = table.split_once("[bank.door]").expect("its door");
    let after = old.split_once("\n\n").map_or("", |(_, after)| after);
    format!("{before}{code}{head}{door}\n{after}")
}

/// Waits for something, within a minute.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_200 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come");
}

/// Practises with a bank's door changed: all payments are credited, each once. What works goes on while
/// what is given back is kept.
fn paid(
    flags: &[&str],
    change: impl FnOnce(&Path, &str) -> String,
) -> (Running, Running, tempfile::TempDir) {
    paid_out_of(flags, CITY, change)
}

/// The same, where the book of the bank that is called is another's.
pub fn paid_out_of(
    flags: &[&str],
    called: &str,
    change: impl FnOnce(&Path, &str) -> String,
) -> (Running, Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let payments = PAYMENTS.to_string();
    let shape = ["practice", "--data", "practice", "--registers", "1", "--payments", &payments];
    let arguments = [&shape[..], &["--kinds", "clean", "--listen", "127.0.0.1:0"], flags].concat();
    let practice = Running::start(folder.path(), &arguments);
    let data = folder.path().join("practice");
    let path = data.join("daifa.toml");
    let whole = |text: &String| Config::parse(text).is_ok();
    let text = until("a config", || std::fs::read_to_string(&path).ok().filter(whole));
    let data = data.canonicalize().expect("it is there");
    let changed = change(&data, &text);
    assert!(whole(&changed), "{:?}\n{changed}", Config::parse(&changed));
    std::fs::write(&path, changed).expect("written");
    let daemon = Running::start(folder.path(), &["run", "--config", "practice/daifa.toml"]);
    let books = || {
        let read = |bank: &str| read_book(&data.join(bank).join("bank")).ok();
        Some([read(RURAL)?, read(called)?])
    };
    let books = until("the credits", || {
        books().filter(|[a, b]| a.credited_count + b.credited_count >= PAYMENTS as u64)
    });
    for book in books {
        assert!(book.credited_count > 0, "both banks have a share");
        assert_eq!((book.credits_twice, book.offences), (vec![], vec![]));
    }
    (daemon, practice, folder)
}

#[test]
fn the_readmes_folders_pay_a_register() {
    let _all = paid(&[], |data, config| {
        let door = readme("directory").replace("/srv/practice", &data.display().to_string());
        with_door(config, RURAL, &door)
    });
}

#[test]
fn the_readmes_https_pays_a_register() {
    let _all = paid(&[], |_, config| {
        let door = readme("https").replace("http://127.0.0.1:7001/", &said(config, CITY, "url"));
        with_door(config, CITY, &door)
    });
}

#[test]
fn the_readmes_socket_pays_a_register() {
    let _all = paid(&["--sockets"], |_, config| {
        let door = readme("socket").replace("127.0.0.1:7002", &said(config, CITY, "address"));
        with_door(config, CITY, &door)
    });
}

#[test]
fn the_readmes_bank_that_asks_who_calls_pays_a_register() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).expect("the README");
    let (_, block) = text.split_once("```sh\nopenssl req -x509").expect("a block");
    let script = format!("openssl req -x509{}", block.split_once("```").expect("its end").0);
    let mut bank = None;
    let _all = paid_out_of(&[], "asking", |data, config| {
        let tls = data.join("tls");
        std::fs::create_dir_all(&tls).expect("made");
        let mut shell = Command::new("sh");
        let made = shell.args(["-ec", &script]).current_dir(&tls).output().expect("sh runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port().to_string();
        drop(free);
        let here = |text: &str| {
            text.replace("/srv/practice", &data.display().to_string()).replace("7004", &port)
        };
        let asking = table("format = \"example-city-xml\"\nbook = \"/srv/practice/asking/bank\"");
        std::fs::create_dir_all(data.join("asking")).expect("made");
        std::fs::write(data.join("asking.toml"), here(&asking)).expect("written");
        let arguments = ["sandbox", "bank", "--config", "asking.toml"];
        bank = Some(Running::start(data, &arguments));
        let door = table("[bank.door]                                      # of a bank that asks");
        with_door(config, CITY, &here(&door))
    });
    drop(bank);
}

#[test]
fn the_readmes_message_and_the_file_beside_it_pay_a_register() {
    let mut bank = None;
    let _all = paid_out_of(&[], "beside", |data, config| {
        for name in ["beside", "beside/outgoing", "beside/incoming"] {
            std::fs::create_dir(data.join(name)).expect("made");
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("bound").to_string();
        drop(free);
        let here = |text: &str| {
            let text = text.replace("/srv/practice", &data.display().to_string());
            text.replace("127.0.0.1:7005", &address).replace("127.0.0.1:7002", &address)
        };
        let beside = table("format = \"example-abc-framed\"\nbook = \"/srv/practice/beside/bank\"");
        std::fs::write(data.join("beside.toml"), here(&beside)).expect("written");
        let arguments = ["sandbox", "bank", "--config", "beside.toml"];
        bank = Some(Running::start(data, &arguments));
        let door = format!("{}{}", readme("socket"), table("[bank.side_door]\n"));
        let config = with_door(config, CITY, &here(&door));
        let (before, table) = config.split_once(&format!("code = \"{CITY}\"")).expect("the bank");
        let table = table.replacen("example-city-xml", "example-abc-framed", 1);
        format!("{before}code = \"{CITY}\"{table}")
    });
    drop(bank);
}

/// What the daemon has heard of its payments: asked beside it, as an operator's command is.
pub fn credited(data: &Path) -> Option<i64> {
    let database = Location::Sqlite(data.join("daifa/daifa.sqlite"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let store = Store::attach(&database).await.ok()?;
        let totals = store.totals().await.ok();
        store.close().await;
        Some(totals?.counts.credited)
    })
}

#[test]
fn the_readmes_push_brings_the_results() {
    let mut data = PathBuf::new();
    let _all = paid(&["--push"], |folder, config| {
        data = folder.to_owned();
        let listen = said(config, CITY, "listen");
        let push = table("[bank.push]\nlisten = ")
            .replace("127.0.0.1:7010", &listen)
            .replace("/srv/practice", &folder.display().to_string());
        // Nobody asks within the time of a test: what is known came by itself.
        let config = config.replace("ask_after = \"2s\"", "ask_after = \"1h\"");
        let (before, after) = config.split_once("[bank.push]").expect("the practice has one");
        let rest = after.split_once("\n\n").map_or("", |(_, rest)| rest);
        format!("{before}{push}\n{rest}")
    });
    until("the results", || credited(&data).filter(|count| *count == PAYMENTS as i64));
}

#[test]
fn the_readmes_sftp_pays_a_register() {
    let Some(sshd) = Sshd::start() else { return };
    let _all = paid(&[], |data, config| {
        let door = readme("sftp")
            .replace("127.0.0.1:7003", &sshd.address().to_string())
            .replace("ssh-ed25519 AAAA...", &sshd.host_key())
            .replace("user = \"daifa\"", &format!("user = \"{}\"", sshd.user))
            .replace("/etc/daifa/sftp-key", &sshd.private("login").display().to_string())
            .replace("/srv/practice", &data.display().to_string());
        assert!(!door.contains("AAAA...") && !door.contains("7003"), "{door}");
        with_door(config, RURAL, &door)
    });
}
