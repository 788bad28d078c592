//! Which system calls the process makes, against those that the unit allows it: a filter that is
//! too tight ends a daemon at the first payment, and nothing else would tell before.

use std::collections::BTreeSet;
use std::process::Command;

/// What a command says; none where it is not there or does not work here (a container may forbid
/// one process to watch another).
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(out) if out.status.success() => Some(String::from_utf8_lossy(&out.stdout).into_owned()),
        Ok(out) => {
            let cause = String::from_utf8_lossy(&out.stderr).into_owned();
            eprintln!("skipped: {program} does not work here: {cause}");
            None
        }
        Err(cause) => {
            eprintln!("skipped: {program} is not here ({cause}); tests/run installs it");
            None
        }
    }
}

/// The calls of a group, with those of the groups in it.
fn group(name: &str) -> Option<BTreeSet<String>> {
    let text = said("systemd-analyze", &["syscall-filter", "--no-pager", name])?;
    let mut calls = BTreeSet::new();
    for word in text.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#')) {
        if word.starts_with('@') {
            calls.extend(group(word)?);
        } else if !word.is_empty() {
            calls.insert(word.to_owned());
        }
    }
    Some(calls)
}

/// What the unit allows.
fn allowed() -> Option<BTreeSet<String>> {
    let unit = std::fs::read_to_string("systemd/daifa.service").expect("the unit");
    let mut calls = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let forbidden = line.strip_prefix('~');
        for name in forbidden.unwrap_or(line).split_whitespace() {
            let members = group(name)?;
            if forbidden.is_some() {
                calls.retain(|call| !members.contains(call));
            } else {
                calls.extend(members);
            }
        }
    }
    Some(calls)
}

#[test]
fn every_system_call_of_a_demo_is_one_that_the_unit_allows() {
    let Some(allowed) = allowed() else { return };
    if said("strace", &["-f", "-o", "/dev/null", "true"]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-e", "signal=none", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_daifa"))
        .args(["demo", "--json", "--payments", "20", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("demo"))
        .stdout(std::process::Stdio::null())
        .status()
        .expect("strace runs");
    assert!(status.success(), "{status}");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    let calls: BTreeSet<&str> = trace.lines().filter_map(call).collect();
    assert!(calls.len() > 50, "the trace says too little: {calls:?}");
    let mut refused: Vec<&str> =
        calls.into_iter().filter(|call| !allowed.contains(*call)).collect();
    // SQLite hands its files to the database's owner where it runs as root, which the unit does not.
    refused.retain(|call| *call != "fchown");
    assert_eq!(refused, Vec::<&str>::new());
}

/// `123 openat(AT_FDCWD, ...`: the name of the call.
fn call(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(name)
}
