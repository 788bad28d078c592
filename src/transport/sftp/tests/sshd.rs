//! A real OpenSSH server on a free loopback port, with a config, host keys and one login key of its
//! own, all in a throw-away folder.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where Debian and most others have it; it is in no user's path.
const SSHD: &str = "/usr/sbin/sshd";

pub struct Sshd {
    process: Child,
    address: SocketAddr,
    root: tempfile::TempDir,
    pub user: String,
}

impl Sshd {
    /// Nothing where there is no `sshd`, and nobody said that there must be one.
    pub fn start() -> Option<Self> {
        Self::speaking("internal-sftp")
    }

    /// A server whose files are served by this command, which may be one that lies.
    #[expect(clippy::disallowed_methods, reason = "tests/run says that the server is there")]
    pub fn speaking(subsystem: &str) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            let required = std::env::var("DAIFA_TEST_SSHD").is_ok_and(|word| word == "required");
            assert!(!required, "{SSHD} is missing; tests/run installs openssh-server");
            eprintln!("skipped: there is no {SSHD}; tests/run installs it");
            return None;
        }
        let root = tempfile::tempdir().expect("a folder");
        for name in ["host", "other-host", "login", "stranger"] {
            keygen(&root.path().join(name));
        }
        let login = std::fs::read(root.path().join("login.pub")).expect("a public key");
        std::fs::write(root.path().join("authorized_keys"), login).expect("written");
        // The server of a user who is root parts with its privileges in this folder.
        std::fs::create_dir_all("/run/sshd").unwrap_or_default();
        let user = said(Command::new("id").arg("-un"));
        for _ in 0..5 {
            let address = free_address();
            let mut process = run(root.path(), address, subsystem);
            if answers(address, &mut process) {
                return Some(Self { process, address, root, user });
            }
            process.kill().unwrap_or_default();
            process.wait().expect("ended");
        }
        panic!("sshd does not start");
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The public key of the host, as a config pins it.
    pub fn host_key(&self) -> String {
        self.public("host")
    }

    /// The public half of a key in the folder, without its remark.
    pub fn public(&self, name: &str) -> String {
        let path = self.root.path().join(format!("{name}.pub"));
        let text = std::fs::read_to_string(path).expect("a public key");
        let mut words = text.split_whitespace();
        format!("{} {}", words.next().expect("a kind"), words.next().expect("a key"))
    }

    /// A private key in the folder: `login` is let in, `stranger` is not.
    pub fn private(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.process.kill().unwrap_or_default();
        self.process.wait().map(|_| ()).unwrap_or_default();
    }
}

fn keygen(path: &Path) {
    let kind = ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"];
    let status = Command::new("ssh-keygen").args(kind).arg(path).status().expect("ssh-keygen runs");
    assert!(status.success());
}

fn said(command: &mut Command) -> String {
    let output = command.output().expect("runs");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound")
}

fn run(root: &Path, address: SocketAddr, subsystem: &str) -> Child {
    let at = root.display();
    let config = format!(
        "Port {}\nListenAddress 127.0.0.1\nHostKey {at}/host\nPidFile none\n\
         AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication yes\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
         MaxStartups 200\nMaxAuthTries 20\nSubsystem sftp {subsystem}\nLogLevel ERROR\n",
        address.port()
    );
    let path = root.join("sshd_config");
    std::fs::write(&path, config).expect("written");
    let log = std::fs::File::create(root.join("sshd.log")).expect("a log");
    Command::new(SSHD)
        .args(["-D", "-e", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("sshd runs")
}

/// Does it greet as SSH within ten seconds? Another program may have taken the port meanwhile.
fn answers(address: SocketAddr, process: &mut Child) -> bool {
    for _ in 0..200 {
        if process.try_wait().expect("asked").is_some() {
            return false;
        }
        if let Ok(mut stream) = TcpStream::connect(address) {
            let mut greeting = [0_u8; 4];
            stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
            return stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-";
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
