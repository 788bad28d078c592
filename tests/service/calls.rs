//! Which system calls the process makes, against those that the unit allows it: a filter that is
//! too tight ends a daemon at the first payment, and nothing else would tell before.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::OnceLock;

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

/// The calls of a demo, with the names of the files that they are about; none where nobody can watch.
fn traced() -> Option<&'static str> {
    static TRACE: OnceLock<Option<String>> = OnceLock::new();
    TRACE.get_or_init(trace).as_deref()
}

fn trace() -> Option<String> {
    said("strace", &["-f", "-o", "/dev/null", "true"])?;
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-qq", "-e", "signal=none", "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_daifa"))
        .args(["demo", "--json", "--payments", "20", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("demo"))
        .stdout(std::process::Stdio::null())
        .status()
        .expect("strace runs");
    assert!(status.success(), "{status}");
    Some(std::fs::read_to_string(trace).expect("a trace"))
}

#[test]
fn every_system_call_of_a_demo_is_one_that_the_unit_allows() {
    let (Some(allowed), Some(trace)) = (allowed(), traced()) else { return };
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

/// What one thread makes durable and renames in the folders that banks read, in order: `sync NAME`, where the folder
/// itself is `.`, and `rename NAME NEW`.
fn steps_in_outgoing(trace: &str) -> BTreeMap<&str, Vec<String>> {
    let mut steps = BTreeMap::<&str, Vec<String>>::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((name, rest)) = rest.trim_start().split_once('(') else { continue };
        let Some((_, rest)) = rest.split_once("/outgoing") else { continue };
        let step = match name {
            "fsync" | "fdatasync" => {
                let file = rest.split('>').next().unwrap_or("").trim_start_matches('/');
                format!("sync {}", if file.is_empty() { "." } else { file })
            }
            "renameat2" => {
                let mut names = rest.split('"').skip(1).step_by(2);
                let (from, to) = (names.next().unwrap_or(""), names.next().unwrap_or(""));
                format!("rename {from} {to}")
            }
            _ => continue,
        };
        steps.entry(thread).or_default().push(step);
    }
    steps
}

/// What is renamed before its bytes are on the disk, or told as handed over before its name is, is gone after a power
/// cut, and nobody else would tell.
#[test]
fn f11_what_is_handed_over_is_on_the_disk_before_it_commits_and_its_name_is_behind_it() {
    let Some(trace) = traced() else { return };
    let steps = steps_in_outgoing(trace);
    let mut batches = 0;
    for steps in steps.values() {
        for at in 0..steps.len() {
            let Some(name) = steps[at].strip_prefix("rename .DF") else { continue };
            let Some((name, _)) = name.split_once(".ok.part ") else { continue };
            let (data, control) = (format!("DF{name}.txt"), format!("DF{name}.ok"));
            let expected = [
                format!("sync .{data}.part"),
                format!("sync .{control}.part"),
                format!("rename .{data}.part {data}"),
                "sync .".to_owned(),
                format!("rename .{control}.part {control}"),
                "sync .".to_owned(),
            ];
            let around = steps.get(at.saturating_sub(4)..at + 2).unwrap_or_default();
            assert_eq!(around, expected, "{steps:#?}");
            batches += 1;
        }
    }
    assert!(batches >= 3, "{batches} in {steps:#?}");
}
