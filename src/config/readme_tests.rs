//! Every block of the README that is a config, or a part of one, is one that this version reads: with the keys that
//! are commented out there, and not with any other. What a bank's table has is put into the smallest config
//! around it.

use std::collections::BTreeMap;

use super::{Config, Counterpart, Door, SocketDoor};
use crate::transport::calendar::Calendar;

const README: &str = include_str!("../../README.md");

/// Everything but what is said of the one bank behind its name.
const AROUND: &str = r#"
data = "/var/lib/daifa"
[keys]
current = 1
seal = [{ id = 1, secret = { file = "/etc/daifa/seal" } }]
blind = { id = 1, secret = { credential = "blind" } }
[[source]]
name = "county"
url = "https://finance.example/daifa"
key_id = "bank"
secret = { file = "/etc/daifa/finance" }
[duty]
start = "later_of_received_and_funded"
pool_bank = "city"
[[bank]]
code = "city"
name = "Example city bank"
format = "example-city-xml"
"#;

const DOOR: &str = "door = { kind = \"https\", url = \"https://bank.example/\" }\n";

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Whole,
    OfBank,
    Practice,
    OfPractice,
    Calendar,
}

/// All TOML of the README, in its order.
fn blocks() -> Vec<(Sort, String)> {
    let blocks = README.split("```toml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split_once("```").expect("its end").0.to_owned());
    blocks.map(|block| (sort(&block), block)).collect()
}

#[track_caller]
fn sort(block: &str) -> Sort {
    let begins = |word: &str| block.starts_with(word);
    if block.contains("\n[keys]") {
        Sort::Whole
    } else if begins("[bank.") || begins("[[bank.") {
        Sort::OfBank
    } else if begins("format = ") {
        Sort::Practice
    } else if begins("[door]") {
        Sort::OfPractice
    } else if begins("[[year]]") {
        Sort::Calendar
    } else {
        panic!("nothing reads this block; say in this test what does:\n{block}")
    }
}

fn config(bank: &str) -> String {
    let door = if bank.contains("[bank.door]") { "" } else { DOOR };
    format!("{AROUND}{door}{bank}")
}

fn read(sort: Sort, block: &str) -> Result<(), String> {
    let told = |cause: super::ConfigError| cause.to_string();
    match sort {
        Sort::Whole => Config::parse(block).map(drop).map_err(told),
        Sort::OfBank => Config::parse(&config(block)).map(drop).map_err(told),
        Sort::Practice => Counterpart::parse(block).map(drop).map_err(told),
        Sort::OfPractice => {
            let whole = format!("format = \"f\"\nbook = \"/b\"\n{block}");
            Counterpart::parse(&whole).map(drop).map_err(told)
        }
        Sort::Calendar => Calendar::parse(block).map(drop).map_err(|told| told.join("\n")),
    }
}

/// The key that a line gives a value to.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(" = ")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-';
    (!key.is_empty() && key.bytes().all(plain)).then_some(key)
}

/// A block with all that is commented out in it, where that is no prose.
fn in_full(block: &str) -> String {
    let line = |line: &str| {
        let said =
            line.strip_prefix("# ").filter(|said| said.starts_with('[') || key(said).is_some());
        format!("{}\n", said.unwrap_or(line))
    };
    let full: String = block.lines().map(line).collect();
    // A fingerprint is too long for its line.
    full.replace("4F:0A:…", &format!("4F:0A{}", ":00".repeat(30)))
}

/// What stands between back quotes in the text and begins like this.
#[track_caller]
fn quoted(begin: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("`{begin}")).expect("it is in the text");
    let length = begin.len() + rest.find('`').expect("its end");
    let from = README.len() - rest.len() - begin.len();
    README.get(from..from + length).expect("a part of the text")
}

#[track_caller]
fn block(begin: &str) -> String {
    let found = blocks().into_iter().find(|(_, block)| block.starts_with(begin));
    found.expect("such a block").1
}

#[test]
fn every_block_of_the_readme_is_read() {
    let mut seen: BTreeMap<Sort, usize> = BTreeMap::new();
    for (sort, block) in blocks() {
        *seen.entry(sort).or_default() += 1;
        for text in [&block, &in_full(&block)] {
            read(sort, text).unwrap_or_else(|told| panic!("{told}\n{text}"));
        }
    }
    let least = [
        (Sort::Whole, 1),
        (Sort::OfBank, 10),
        (Sort::Practice, 3),
        (Sort::OfPractice, 1),
        (Sort::Calendar, 1),
    ];
    for (sort, least) in least {
        assert!(seen.get(&sort).is_some_and(|found| *found >= least), "{sort:?}: {seen:?}");
    }
}

/// What would be if a key were called otherwise tomorrow: the README's block is refused.
#[test]
fn a_key_of_the_readme_that_does_not_exist_fails() {
    for (sort, block) in blocks() {
        let full = in_full(&block);
        let lines: Vec<&str> = full.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            // The names of secrets are the format's.
            let Some(key) = key(line).filter(|_| !block.starts_with("[bank.secrets]")) else {
                continue;
            };
            let renamed = line.replacen(key, &format!("{key}-of-old"), 1);
            let mut lines = lines.clone();
            lines[at] = &renamed;
            assert!(read(sort, &lines.join("\n")).is_err(), "{key} may be called anything");
        }
    }
}

#[test]
fn what_the_readme_says_of_keys_between_its_blocks_is_read() {
    let https = block("[bank.door]\nkind = \"https\"");
    let socket = in_full(&block("[bank.door]\nkind = \"socket\""));
    let text = quoted("heartbeat = ");
    let heartbeat = socket.replacen("heartbeat = \"01     ?\"", text, 1);
    assert_ne!(heartbeat, socket);
    let config = |bank: &str| Config::parse(&config(bank)).unwrap_or_else(|told| panic!("{told}"));
    let staying = config(&heartbeat);
    let Door::Socket(SocketDoor { session: Some(session), .. }) = &staying.banks[0].door else {
        panic!("a connection that stays is meant")
    };
    assert_eq!(session.heartbeat.0, [0, 0, 0, 1, 0x3f]);
    let signed = config(&format!("{https}{}\n", quoted("signing = ")));
    assert!(matches!(&signed.banks[0].door, Door::Https { signing: Some(_), .. }));
    config(&format!("{}\n", quoted("answers = ")));
    let calendar = format!("{}\n{AROUND}{DOOR}", quoted("calendar = "));
    let calendar = Config::parse(&calendar).unwrap_or_else(|told| panic!("{told}"));
    assert!(calendar.calendar.is_some());
    let folders = block("[door]\nkind = \"directory\"");
    let control = folders.lines().find(|line| key(line) == Some("control_suffix")).expect("a key");
    let plain = folders.replace(control, quoted("no_control = "));
    read(Sort::OfPractice, &plain).unwrap_or_else(|told| panic!("{told}"));
}
