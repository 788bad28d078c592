//! A command at which somebody types.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs a command; `typed` is what somebody types.
pub fn daifa(arguments: &[&str], typed: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daifa"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // One that asks for nothing may have ended already.
    drop(stdin.write_all(typed.as_bytes()));
    drop(stdin);
    child.wait_with_output().expect("ends")
}

/// All that it said.
pub fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.as_slice(), out.stderr.as_slice()].concat()).into_owned()
}
