//! What the commands say at a terminal, and how they end.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn daifa(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
    command.args(arguments).stdin(Stdio::null()).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A config with ten mistakes, of every kind that there is.
fn ten_mistakes(folder: &Path) -> String {
    let at = folder.display();
    std::fs::write(folder.join("file"), "").expect("written");
    std::fs::create_dir(folder.join("there")).expect("made");
    format!(
        r#"data = "{at}/file/data"
lisen = "127.0.0.1:1"
[keys]
current = 2
seal = [{{ id = 1, secret = {{ file = "{at}/no-seal" }} }}]
blind = {{ id = 1, secret = "hunter2hunter2" }}
[[source]]
name = "county"
url = "http://finance.example/daifa"
key_id = "bank"
secret = {{ file = "{at}/file" }}
[[bank]]
code = "rural"
format = "no-such-format"
door = {{ kind = "directory", outgoing = "{at}/there", incoming = "{at}/away", archive = "{at}/a", quarantine = "{at}/q", control_suffix = ".ok" }}
ask_every = 60
[duty]
start = "received"
pool_bank = "rurall"
"#
    )
}

#[test]
fn check_tells_ten_mistakes_at_once_with_their_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("daifa.toml");
    std::fs::write(&config, ten_mistakes(folder.path())).expect("written");
    let name = config.display().to_string();
    let out = daifa(&["check", "--config", &name]);
    assert_eq!(out.status.code(), Some(3));
    let said = text(&out.stdout);
    for (line, key) in [
        (1, "data"),
        (2, "lisen"),
        (4, "keys.current"),
        (5, "keys.seal.1.secret"),
        (6, "keys.blind.secret"),
        (11, "source.1.secret"),
        (12, "bank.1.name"),
        (14, "bank.1.format"),
        (15, "bank.1.door.incoming"),
        (16, "bank.1.ask_every"),
        (19, "duty.pool_bank"),
    ] {
        let place = format!("{name}:{line}: {key}: ");
        assert!(said.lines().any(|told| told.starts_with(&place)), "{place} is not in:\n{said}");
    }
    assert_eq!(said.lines().count(), 12, "one line each, and how many:\n{said}");
    assert!(said.ends_with("11 problems; nothing was changed\n"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    // One is one.
    let one = "data = \"/nowhere\"\n[keys\n";
    std::fs::write(&config, one).expect("written");
    let said = text(&daifa(&["check", "--config", &name]).stdout);
    assert!(said.contains("daifa.toml:2: ") && said.contains("1 problem;"), "{said}");
}

#[test]
fn whoever_stops_reading_gets_no_panic() {
    for arguments in [vec!["format", "explain", "example-rural-fixed"], vec!["--help"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
        command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        drop(child.stdout.take());
        let out = child.wait_with_output().expect("ends");
        assert_eq!(text(&out.stderr), "", "{arguments:?}");
        assert_eq!(out.status.code(), Some(0), "{arguments:?}");
    }
}

/// What a demo leaves in the folder for temporary files.
fn left(arguments: &[&str]) -> (Output, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
    command.args(arguments).env("TMPDIR", folder.path()).stdin(Stdio::null());
    let out = command.output().expect("runs");
    let entries = std::fs::read_dir(folder.path()).expect("listed");
    let names = entries.map(|entry| entry.expect("one").file_name().to_string_lossy().into_owned());
    (out, names.collect())
}

#[test]
fn a_demo_that_gives_up_says_so_and_leaves_nothing() {
    let demo = ["demo", "--exit", "--payments", "5", "--listen", "127.0.0.1:0", "--timeout", "0"];
    let (out, names) = left(&demo);
    assert_eq!(out.status.code(), Some(3));
    let said = text(&out.stderr);
    assert!(said.contains("gave up") && said.contains("after 0 s; --timeout"), "{said}");
    assert_eq!(names, Vec::<String>::new());
    // One that cannot even start leaves nothing either.
    let (out, names) = left(&["demo", "--exit", "--listen", "192.0.2.1:1", "--payments", "5"]);
    assert_ne!(out.status.code(), Some(0));
    assert_eq!(names, Vec::<String>::new());
}

#[test]
fn f13_a_demo_on_a_full_disk_says_so_and_does_not_break_down() {
    // A file of the demo's own may be this long and no longer: what a full disk is to a database.
    let folder = tempfile::tempdir().expect("a folder");
    let out = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$@\"", "-"])
        .arg(env!("CARGO_BIN_EXE_daifa"))
        .args(["demo", "--exit", "--listen", "127.0.0.1:0", "--timeout", "60"])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    let said = text(&out.stderr);
    assert!(matches!(out.status.code(), Some(1 | 74)), "{:?}: {said}", out.status);
    assert!(said.contains("daifa: ") && !said.contains("a defect of the program"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0, "nothing is left");
}

#[test]
fn decisions_are_told_one_by_one_and_a_refused_one_stops_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("demo").display().to_string();
    let demo = ["demo", "--json", "--payments", "60", "--listen", "127.0.0.1:0", "--data"];
    let out = daifa(&[demo.as_slice(), &[data.as_str()]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let config = format!("{data}/daifa.toml");
    let by = ["--config", &config, "--by", "甲", "--why", "核实"];
    let named = ["R1-1", "R99-1", "R1-2"];
    let out = daifa(&[&["register", "drop"], by.as_slice(), named.as_slice()].concat());
    assert_eq!(out.status.code(), Some(3));
    let said = text(&out.stdout);
    for payment in named {
        assert!(said.contains(&format!("NOT DONE: {payment} ")), "{payment} is not in {said}");
    }
    assert!(said.contains("R99-1 is no payment of any register"), "{said}");
    assert!(said.ends_with("3 of 3 payments not done\n"), "{said}");
}

#[test]
fn i27_what_encode_writes_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let (format, message) = ("bank-formats/example-rural-fixed", "payment_request");
    let sample = format!("{format}/samples/payment_request/values.jsonl");
    let values = std::fs::File::open(sample).expect("opened");
    let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
    command.args(["format", "encode", format, message, "--out"]).arg(folder.path()).stdin(values);
    let out = command.output().expect("runs");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let entries: Vec<_> = std::fs::read_dir(folder.path()).expect("listed").collect();
    assert!(!entries.is_empty());
    for entry in entries {
        let mode = entry.expect("one").metadata().expect("known").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
