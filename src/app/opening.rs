//! The ledger beside the database: what is being opened, and what processes died of (F56). It is no fact about
//! money, and it must be written where the process can still write while the database is at work; so it is a
//! small file of its own.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::flow::opening::{Item, Ledger, Opening};
use crate::guard::key::{hex, unhex};

const HEAD: &str = "# Written by daifa: what it died of while it opened it, as digests. Another version opens it again; so does\n\
                    # this one, where the file is taken away while it does not run.\n";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the processes before this one left.
pub struct Before {
    path: PathBuf,
    /// The last one did not end well, or still runs.
    pub died: bool,
    /// What processes of this version died of.
    pub deaths: Vec<Item>,
}

/// Reads what the processes before left, and writes down that this one runs.
///
/// # Errors
/// Where the file beside the database cannot be read or written.
pub fn begin(data: &Path) -> anyhow::Result<(Before, Box<dyn Ledger>)> {
    let path = data.join("daifa.opening");
    let text = match std::fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(cause).with_context(|| format!("reading {}", path.display())),
    };
    let before = Before { path, ..read(&text) };
    if before.died {
        tracing::warn!(
            deadly = before.deaths.len(),
            "the last process did not end well; what is opened is written down first"
        );
    }
    let ledger =
        before.write(true).with_context(|| format!("writing {}", before.path.display()))?;
    Ok((before, Box::new(ledger)))
}

/// Did the last process not end well?
///
/// # Errors
/// Where the file beside the database cannot be read.
pub fn ended_badly(data: &Path) -> anyhow::Result<bool> {
    let path = data.join("daifa.opening");
    match std::fs::read(&path) {
        Ok(bytes) => Ok(read(&String::from_utf8_lossy(&bytes)).died),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause).with_context(|| format!("reading {}", path.display())),
    }
}

fn read(text: &str) -> Before {
    let mut before = Before { path: PathBuf::new(), died: false, deaths: Vec::new() };
    let mut of_this_version = false;
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("version"), version, None) => of_this_version = version == Some(VERSION),
            (Some("running"), None, None) => before.died = true,
            (Some("deadly" | "opening"), Some(place), Some(content)) if of_this_version => {
                // Half a line is of a process that was not let finish writing it.
                let item = unhex(place).zip(unhex(content));
                before.deaths.extend(item.map(|(place, content)| Item { place, content }));
            }
            _ => {}
        }
    }
    before
}

impl Before {
    /// How this process opens what it opens.
    pub fn opening(&self, ledger: Box<dyn Ledger>) -> Opening {
        if self.died {
            Opening::careful(self.deaths.clone(), ledger)
        } else {
            Opening::trusting(self.deaths.clone())
        }
    }

    /// This process ends well.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn end_well(&self) -> io::Result<()> {
        if self.deaths.is_empty() {
            std::fs::remove_file(&self.path)
        } else {
            self.write(false).map(drop)
        }
    }

    /// Writes the file so that it is the old one or the new one.
    fn write(&self, running: bool) -> io::Result<Tail> {
        let mut text = format!("{HEAD}version {VERSION}\n");
        for item in &self.deaths {
            text.push_str(&line("deadly", item));
        }
        if running {
            text.push_str("running\n");
        }
        let new = self.path.with_extension("opening.new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&new, &self.path)?;
        Ok(Tail { file, end: text.len() as u64 })
    }
}

fn line(word: &str, item: &Item) -> String {
    format!("{word} {} {}\n", hex(&item.place), hex(&item.content))
}

/// The end of the file, where what is open stands.
struct Tail {
    file: File,
    end: u64,
}

impl Ledger for Tail {
    fn opens(&self, item: &Item) -> io::Result<()> {
        self.file.write_all_at(line("opening", item).as_bytes(), self.end)
    }

    fn closed(&self) -> io::Result<()> {
        self.file.set_len(self.end)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::flow::opening::Unopened;

    /// Named to a process that this test starts: where its ledger is, and how it dies.
    const DATA: &str = "DAIFA_TEST_OPENING";
    const WAY: &str = "DAIFA_TEST_OPENING_DIES";

    fn item(name: &str, content: u8) -> Item {
        Item::new(&["bank", name], [content; 32])
    }

    fn deeper(depth: u64) -> u64 {
        let page = std::hint::black_box([depth; 512]);
        if depth == u64::MAX { depth } else { deeper(depth + 1) ^ page[0] }
    }

    fn die(way: &str) {
        match way {
            "abort" => std::process::abort(),
            "stack" => println!("{}", deeper(0)),
            // As the watchdog and the killer for want of memory do it.
            "killed" => {
                drop(Command::new("kill").args(["-9", &std::process::id().to_string()]).status());
            }
            other => panic!("no such way: {other}"),
        }
        std::thread::sleep(Duration::from_mins(1));
    }

    /// What a process does: three files come in, and one of them kills it.
    fn live(data: &Path, way: &str) {
        let (before, ledger) = begin(data).expect("begins");
        let opening = before.opening(ledger);
        for name in ["a.txt", "b.txt", "c.txt"] {
            let work = || {
                if name == "b.txt" {
                    die(way);
                }
            };
            println!("{name}: {:?}", opening.open(|| item(name, 1), work));
        }
        before.end_well().expect("ends");
    }

    fn process(data: &Path, way: &str) -> (bool, String) {
        let me = std::thread::current().name().expect("a test").to_owned();
        let done = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "--nocapture", &me])
            .env(DATA, data)
            .env(WAY, way)
            .stderr(Stdio::null())
            .output()
            .expect("it runs");
        (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
    }

    #[test]
    fn f56_what_a_process_died_of_twice_is_not_opened_again_and_the_others_are() {
        if let (Some(data), Some(way)) = (std::env::var_os(DATA), std::env::var_os(WAY)) {
            return live(Path::new(&data), way.to_str().expect("a word"));
        }
        for way in ["abort", "stack", "killed"] {
            let folder = tempfile::tempdir().expect("a folder");
            let data = folder.path();
            for life in 1..=3 {
                let (lived, said) = process(data, way);
                assert!(!lived && said.contains("a.txt: Ok(())"), "{way}, life {life}: {said}");
            }
            let text = std::fs::read_to_string(data.join("daifa.opening")).expect("it stands");
            assert!(text.contains("\nopening ") && !text.contains("b.txt"), "{text}");
            // The first writes nothing down and the second dies of it once, which may be chance. The fourth leaves
            // it; so does every later one, that trusts all else.
            for _ in 0..2 {
                let (lived, said) = process(data, way);
                let told = "a.txt: Ok(())\nb.txt: Err(Deadly)\nc.txt: Ok(())\n";
                assert!(lived && said.contains(told), "{way}: {said}");
            }
            let (before, _) = begin(data).expect("begins");
            assert_eq!((before.died, before.deaths.len()), (false, 2));
        }
    }

    #[test]
    fn f56_another_version_opens_it_again_and_the_file_goes_with_the_last_death() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("daifa.opening");
        let (first, ledger) = begin(folder.path()).expect("begins");
        assert!(!first.died);
        ledger.opens(&item("a", 1)).expect("written");
        let (second, _) = begin(folder.path()).expect("begins");
        assert_eq!((second.died, second.deaths.as_slice()), (true, &[item("a", 1)][..]));
        second.end_well().expect("ends");
        let text = std::fs::read_to_string(&path).expect("deaths are kept");
        let older = text.replace(&format!("version {VERSION}\n"), "version 0.0.0\n");
        assert_ne!(older, text);
        std::fs::write(&path, older).expect("written");
        let (third, ledger) = begin(folder.path()).expect("begins");
        assert_eq!((third.died, third.deaths.len()), (false, 0));
        // Nothing was open when this one went, and half a line is none.
        ledger.opens(&item("b", 1)).expect("written");
        ledger.closed().expect("written");
        let half = std::fs::read_to_string(&path).expect("reads") + "opening 00ff";
        std::fs::write(&path, half).expect("written");
        let (fourth, _) = begin(folder.path()).expect("begins");
        assert_eq!((fourth.died, fourth.deaths.len()), (true, 0));
        let opening = fourth.opening(Box::new(fourth.write(true).expect("written")));
        assert_eq!(opening.open(|| item("b", 1), || ()), Ok::<(), Unopened>(()));
        fourth.end_well().expect("ends");
        assert!(!path.exists());
    }
}
