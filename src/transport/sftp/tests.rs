//! The SFTP door against a real OpenSSH server, with a line between them that breaks on purpose. What
//! the bank saw is read from its folder: a batch is there once its control file is.

/// The tests of a suite that a machine without `sshd` skips.
macro_rules! bank {
    () => {
        match Bank::open() {
            Some(bank) => bank,
            None => return,
        }
    };
}

mod fetching;
mod line;
mod lying;
mod porter;
mod sending;
mod sshd;

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use secrecy::SecretString;

use crate::model::attempt::Committed;
use crate::model::id::AttemptNo;
use crate::transport::sftp::{Proof, Sftp, SftpOptions, host_key, private_key};
use crate::transport::whole::Completion;
use crate::transport::{OutPart, Sent, Transport};
use line::Line;
use sshd::Sshd;

/// A bank: its server, and its folders as it sees them itself.
struct Bank {
    sshd: Sshd,
    root: tempfile::TempDir,
}

impl Bank {
    fn open() -> Option<Self> {
        Some(Self::behind(Sshd::start()?))
    }

    fn behind(sshd: Sshd) -> Self {
        let bank = Self { sshd, root: tempfile::tempdir().expect("a folder") };
        // Where files are put away is made when it is needed.
        for name in ["out", "in"] {
            fs::create_dir(bank.path(name)).expect("made");
        }
        bank
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("written");
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("listed");
        let mut names: Vec<String> =
            entries.map(|e| e.expect("entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    /// Forgets what was handed over.
    fn empty(&self) {
        for name in self.names("out") {
            fs::remove_file(self.path("out").join(name)).expect("removed");
        }
    }

    /// How many batches the bank would take now.
    fn seen(&self) -> usize {
        self.names("out").iter().filter(|name| *name == "DF1.ok").count()
    }

    fn login(&self, name: &str) -> Proof {
        let text = fs::read_to_string(self.sshd.private(name)).expect("a key");
        private_key(&SecretString::from(text)).expect("a key of ours")
    }

    fn options(&self) -> SftpOptions {
        SftpOptions {
            address: self.sshd.address().to_string(),
            host_keys: vec![host_key(&self.sshd.host_key()).expect("its key")],
            user: self.sshd.user.clone(),
            proof: self.login("login"),
            outgoing: self.text("out"),
            incoming: self.text("in"),
            archive: Some(self.text("archive")),
            quarantine: self.text("quarantine"),
            completion: Completion::Control { suffix: ".ok".to_owned() },
            bytes_max: 1_000,
            connect_ms: 5_000,
            total_ms: 5_000,
        }
    }

    fn door(&self) -> Sftp {
        Sftp::new(self.options()).expect("good settings")
    }

    fn through(&self, line: &Line, total_ms: u64) -> Sftp {
        let options =
            SftpOptions { address: line.address(), connect_ms: 2_000, total_ms, ..self.options() };
        Sftp::new(options).expect("good settings")
    }
}

fn part(name: &str, bytes: &[u8], committing: bool) -> OutPart {
    OutPart { name: name.to_owned(), bytes: Bytes::copy_from_slice(bytes), committing }
}

fn pair() -> Vec<OutPart> {
    vec![part("DF1.txt", b"pay these", false), part("DF1.ok", b"1", true)]
}

async fn send(door: &Sftp, parts: &[OutPart]) -> Sent {
    door.send(&Committed::after_commit(AttemptNo(1)), parts).await
}

fn accepted(sent: &Sent) -> bool {
    matches!(sent, Sent::Accepted { answer: None })
}

fn cause(sent: &Sent) -> &str {
    match sent {
        Sent::NotSent { cause } | Sent::Unknown { cause, evidence: _ } => cause,
        Sent::Accepted { answer: _ } => "",
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let text = SecretString::from("no key");
    let cause = private_key(&text).err().expect("is none");
    assert!(!cause.contains("no key"), "a secret is not told: {cause}");
    assert!(host_key("ssh-ed25519 AAAAno").is_err());
}
