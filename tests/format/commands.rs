//! `daifa format`: the commands and their exit codes.

use std::path::PathBuf;

use daifa::cli::format::{FormatCommand, run};
use daifa::format::MessageKind;

use crate::{CITY, RURAL, formats_dir};

struct Ran {
    code: u8,
    out: Vec<u8>,
    err: String,
}

fn ran(command: FormatCommand, input: &str) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(command, &mut input.as_bytes(), &mut out, &mut err);
    Ran { code, out, err: String::from_utf8(err).unwrap() }
}

fn sample(format: &str, sample: &str) -> (String, Vec<PathBuf>) {
    let dir = formats_dir().join(format).join("samples").join(sample);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.ends_with("values.jsonl"));
    (std::fs::read_to_string(dir.join("values.jsonl")).unwrap(), files)
}

fn roundtrip(format: &str, message: MessageKind, files: Vec<PathBuf>) -> Ran {
    let command = FormatCommand::Roundtrip {
        format: format.to_owned(),
        message,
        files,
        formats_dir: formats_dir(),
    };
    ran(command, "")
}

#[test]
fn check_takes_the_examples_and_refuses_a_broken_folder() {
    let check = |formats: Vec<String>| {
        ran(FormatCommand::Check { formats, formats_dir: formats_dir() }, "")
    };
    let all = check(vec![]);
    assert_eq!((all.code, all.err.as_str()), (0, ""));
    assert_eq!(check(vec![RURAL.to_owned()]).code, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    assert_eq!(check(vec![path.clone()]).code, 2);
    let text = daifa::format::example::example(CITY).unwrap();
    std::fs::write(folder.path().join("format.toml"), text).unwrap();
    let unproved = check(vec![path.clone()]);
    assert_eq!(unproved.code, 1);
    assert!(unproved.err.contains("payment_request has no sample"), "{}", unproved.err);
    std::fs::write(folder.path().join("format.toml"), text.replace("GBK", "KBG")).unwrap();
    let wrong = check(vec![path]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("format.toml:19:11: charset"), "{}", wrong.err);
}

#[test]
fn decode_and_encode_are_each_others_inverse() {
    let (values, files) = sample(RURAL, "payment_request");
    let message = MessageKind::PaymentRequest;
    let decode = FormatCommand::Decode {
        format: RURAL.to_owned(),
        message,
        files: files.clone(),
        formats_dir: formats_dir(),
    };
    let decoded = ran(decode, "");
    assert_eq!((decoded.code, String::from_utf8(decoded.out).unwrap()), (0, values.clone()));
    let folder = tempfile::tempdir().unwrap();
    let encode = || FormatCommand::Encode {
        format: RURAL.to_owned(),
        message,
        out: Some(folder.path().to_owned()),
        formats_dir: formats_dir(),
    };
    assert_eq!(ran(encode(), &values).code, 0);
    for file in files {
        let written = std::fs::read(folder.path().join(file.file_name().unwrap())).unwrap();
        assert_eq!(written, std::fs::read(&file).unwrap());
    }
    // Files that are there are never written over.
    assert_eq!(ran(encode(), &values).code, 2);
    let wrong = ran(encode(), "{\"reference\": 1}");
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("line 1: reference: expected a text"), "{}", wrong.err);
}

#[test]
fn a_single_message_goes_to_standard_output() {
    let (values, files) = sample(CITY, "status_answer.done");
    // In no folder: the example comes out of the binary.
    let encode = FormatCommand::Encode {
        format: CITY.to_owned(),
        message: MessageKind::StatusAnswer,
        out: None,
        formats_dir: PathBuf::from("nowhere"),
    };
    let encoded = ran(encode, &values);
    assert_eq!((encoded.code, encoded.out), (0, std::fs::read(&files[0]).unwrap()));
}

#[test]
fn roundtrip_shows_the_first_difference_with_its_field() {
    let (_, files) = sample(RURAL, "result");
    assert_eq!(roundtrip(RURAL, MessageKind::Result, files).code, 0);
    let (_, files) = sample(CITY, "status_answer.done");
    assert_eq!(roundtrip(CITY, MessageKind::StatusAnswer, files.clone()).code, 0);
    // A leading zero is read, and is not how this format writes it.
    let bytes = std::fs::read(&files[0]).unwrap();
    let at = bytes.windows(8).position(|window| window == b"<Amount>").unwrap() + 8;
    let mut odd = bytes.clone();
    odd.insert(at, b'0');
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("message.xml");
    std::fs::write(&path, odd).unwrap();
    let found = roundtrip(CITY, MessageKind::StatusAnswer, vec![path]);
    assert_eq!(found.code, 1);
    assert!(
        found.err.contains(&format!("differs at byte {at}: record 0, field Amount")),
        "{}",
        found.err
    );
    let lines: Vec<&str> = found.err.lines().collect();
    assert_eq!(lines[1], "  read    <Amount>01");
    assert_eq!(lines[3], "                  ^");
}

#[test]
fn a_file_that_is_none_of_the_message_is_not_read() {
    let (_, files) = sample(RURAL, "result");
    let wrong = roundtrip(RURAL, MessageKind::Notice, files);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("no file name of a notice"), "{}", wrong.err);
}
