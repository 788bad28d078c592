//! `daifa format`: the commands and their exit codes.

use std::path::PathBuf;

use daifa::cli::format::{FormatCommand, FormatsDir, OfMessage, run};
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

fn shipped() -> FormatsDir {
    FormatsDir { formats_dir: formats_dir() }
}

fn of(format: &str, message: MessageKind) -> OfMessage {
    OfMessage { format: format.to_owned(), message, secrets: Vec::new(), place: shipped() }
}

fn roundtrip(format: &str, message: MessageKind, files: Vec<PathBuf>) -> Ran {
    ran(FormatCommand::Roundtrip { message: of(format, message), files }, "")
}

fn decode(format: &str, message: MessageKind, files: Vec<PathBuf>, offsets: bool) -> Ran {
    ran(FormatCommand::Decode { message: of(format, message), files, offsets }, "")
}

fn encode(format: &str, message: MessageKind, out: Option<PathBuf>, values: &str) -> Ran {
    ran(FormatCommand::Encode { message: of(format, message), out }, values)
}

#[test]
fn check_takes_the_examples_and_refuses_a_broken_folder() {
    let check = |formats: Vec<String>| ran(FormatCommand::Check { formats, place: shipped() }, "");
    let all = check(vec![]);
    assert_eq!((all.code, all.err.as_str()), (0, ""));
    assert_eq!(check(vec![RURAL.to_owned()]).code, 0);
    let elsewhere = FormatsDir { formats_dir: PathBuf::from("/nowhere") };
    let formats = vec![RURAL.to_owned()];
    let inside = ran(FormatCommand::Check { formats, place: elsewhere }, "");
    let told = String::from_utf8(inside.out).unwrap();
    assert_eq!((inside.code, inside.err.as_str()), (0, ""));
    assert!(told.starts_with("example-rural-fixed (in the binary): 10 messages;"), "{told}");
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
    assert!(wrong.err.contains("format.toml:21:11: charset"), "{}", wrong.err);
}

#[test]
fn decode_and_encode_are_each_others_inverse() {
    for (format, message) in [
        (RURAL, MessageKind::PaymentRequest),
        ("example-core-pipe", MessageKind::Result),
        ("example-icbc-blank", MessageKind::Result),
        ("example-abc-framed", MessageKind::PaymentRequest),
        ("example-gx-tagged", MessageKind::PaymentRequest),
    ] {
        let (values, files) = sample(format, message.as_str());
        let decoded = decode(format, message, files.clone(), false);
        assert_eq!((decoded.code, String::from_utf8(decoded.out).unwrap()), (0, values.clone()));
        let folder = tempfile::tempdir().unwrap();
        let into = || Some(folder.path().to_owned());
        assert_eq!(encode(format, message, into(), &values).code, 0);
        for file in files {
            let written = std::fs::read(folder.path().join(file.file_name().unwrap())).unwrap();
            assert_eq!(written, std::fs::read(&file).unwrap());
        }
        // Files that are there are never written over.
        assert_eq!(encode(format, message, into(), &values).code, 2);
    }
}

#[test]
fn a_single_message_goes_to_standard_output() {
    let (values, files) = sample(CITY, "status_answer.done");
    // In no folder: the example comes out of the binary.
    let place = FormatsDir { formats_dir: PathBuf::from("nowhere") };
    let message = OfMessage {
        format: CITY.to_owned(),
        message: MessageKind::StatusAnswer,
        secrets: Vec::new(),
        place,
    };
    let encoded = ran(FormatCommand::Encode { message, out: None }, &values);
    assert_eq!((encoded.code, encoded.out), (0, std::fs::read(&files[0]).unwrap()));
}

#[test]
fn a_bad_line_is_told_with_its_number_and_field() {
    let message = MessageKind::PaymentRequest;
    let (values, _) = sample(RURAL, "payment_request");
    let folder = tempfile::tempdir().unwrap();
    let into = || Some(folder.path().to_owned());
    for (from, to, told) in [
        ("\"0.01\"", "0.01", "line 3: amount: expected yuan as a text, like \"1234.50\""),
        ("\"0.01\"", "\"0\"", "line 3: "),
        (
            "测试甲",
            &"测".repeat(31),
            "field payee_name: expected a value that fits: needs 62 bytes",
        ),
        ("测试甲", "", "line 3: payment_request, data part, record 2, field payee_name"),
        ("\"payee_name\"", "\"name\"", "line 3: there is no value called \"name\""),
        ("{\"record\":\"row\"", "{\"record\":\"line\"", "line 3: there is no record \"line\""),
        ("{\"record\":\"row\"", "[", "line 3: "),
        ("\"0.01\"", "\"0.01\",\"amount\":\"0.02\"", "line 3: \"amount\" stands twice"),
    ] {
        // A blank line counts as a line of the file, and is none of the message.
        let spoiled = values.replacen('\n', "\n\n", 1).replacen(from, to, 1);
        let wrong = encode(RURAL, message, into(), &spoiled);
        assert_eq!(wrong.code, 1, "{to}");
        assert!(wrong.err.starts_with("line 3: ") && wrong.err.contains(told), "{}", wrong.err);
        assert!(!wrong.err.contains("测"), "{}", wrong.err);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_line_is_told_where_the_summary_comes_last() {
    let (values, _) = sample("example-icbc-blank", "result");
    let spoiled = values.replacen("\"0.01\"", "\"1000000.00\"", 1);
    let wrong = encode("example-icbc-blank", MessageKind::Result, None, &spoiled);
    assert!(wrong.err.starts_with("line 1: ") && wrong.err.contains("amount"), "{}", wrong.err);
    let spoiled = values.replacen("\"code\":\"002\"", "\"code\":\"003\"", 1);
    let wrong = encode("example-icbc-blank", MessageKind::Result, None, &spoiled);
    assert!(wrong.err.starts_with("line 3: ") && wrong.err.contains("code"), "{}", wrong.err);
}

#[test]
fn offsets_are_those_of_the_bytes() {
    for (format, message, label) in [
        (RURAL, MessageKind::Result, ""),
        ("example-core-pipe", MessageKind::PaymentRequest, ""),
        ("example-icbc-blank", MessageKind::PaymentRequest, ""),
        ("example-gx-tagged", MessageKind::StatusQuery, ""),
        (CITY, MessageKind::StatusAnswer, ".done"),
        ("example-iso20022-09", MessageKind::PaymentRequest, ""),
    ] {
        let (values, files) = sample(format, &format!("{message}{label}"));
        let data = files.iter().find(|path| path.extension().is_none_or(|e| e != "ok")).unwrap();
        let bytes = std::fs::read(data).unwrap();
        let decoded = decode(format, message, files.clone(), true);
        assert_eq!(decoded.code, 0, "{}", decoded.err);
        let out = String::from_utf8(decoded.out).unwrap();
        assert_eq!(out.lines().count(), values.lines().count());
        for line in out.lines() {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields = json["@fields"].as_array().unwrap();
            assert!(!fields.is_empty());
            for field in fields {
                let at = |index: usize| usize::try_from(field[index].as_u64().unwrap()).unwrap();
                assert!(at(1) >= usize::try_from(json["@offset"].as_u64().unwrap()).unwrap());
                let found = String::from_utf8_lossy(&bytes[at(1)..at(2)]);
                if let Some(account) = json["account"].as_str().filter(|_| field[0] == "account") {
                    assert_eq!(found.trim_end(), account);
                }
                if field[0] == "reference" {
                    assert_eq!(found.trim_end(), json["reference"].as_str().unwrap());
                }
            }
        }
    }
}

#[test]
fn f38_rows_before_a_fault_are_printed_and_the_exit_code_tells() {
    let (_, files) = sample("example-core-pipe", "payment_request");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files[0].file_name().unwrap());
    let mut bytes = std::fs::read(&files[0]).unwrap();
    bytes.truncate(bytes.len() - 20);
    std::fs::write(&path, &bytes).unwrap();
    let cut = decode("example-core-pipe", MessageKind::PaymentRequest, vec![path.clone()], false);
    assert_eq!(cut.code, 1);
    assert_eq!(String::from_utf8(cut.out).unwrap().lines().count(), 3);
    assert!(cut.err.contains("record 4, byte 170: expected a line"), "{}", cut.err);
    // A wrong sum refuses the whole file, and every row was printed before that is known.
    let whole = std::fs::read(&files[0]).unwrap();
    let text: Vec<u8> = whole.iter().map(|b| if *b == b'5' { b'6' } else { *b }).collect();
    let spoiled = [&text[..28], &whole[28..]].concat();
    std::fs::write(&path, spoiled).unwrap();
    let open = decode("example-core-pipe", MessageKind::PaymentRequest, vec![path], false);
    assert_eq!((open.code, String::from_utf8(open.out).unwrap().lines().count()), (1, 4));
    assert!(open.err.contains("field sum: expected a sum of 11234.60 yuan"), "{}", open.err);
}

#[test]
fn f40_a_reason_that_is_cut_inside_a_character_is_read_and_nothing_else_may_be() {
    let format = "example-core-pipe";
    let kind = MessageKind::Result;
    let (_, files) = sample(format, "result");
    let bytes = std::fs::read(&files[0]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files[0].file_name().unwrap());
    let gbk = |text: &str| encoding_rs::GBK.encode(text).0.into_owned();
    let replaced = |from: &str, to: &[u8]| {
        let from = gbk(from);
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let changed = [&bytes[..at], to, &bytes[at + from.len()..]].concat();
        std::fs::write(&path, changed).unwrap();
        decode(format, kind, vec![path.clone()], false)
    };
    let reason = "客户姓名与账号的户名不符，待核";
    let long = gbk("0客户姓名与账号的户名不符，待核实");
    let cut = replaced(reason, &long[..30]);
    assert_eq!(cut.code, 0, "{}", cut.err);
    let out = String::from_utf8(cut.out).unwrap();
    assert!(out.contains("\"text\":\"0客户姓名与账号的户名不符，待\""), "{out}");
    let name = replaced("测试乙·丙", &gbk("测试乙·丙")[..9]);
    assert_eq!(name.code, 1);
    // The half character takes the separator along, so that the line has a field less.
    assert!(name.err.contains("record 2, byte 36: expected a record row of 6"), "{}", name.err);
}

#[test]
fn i12_a_message_names_its_own_side_file() {
    let format = "example-abc-framed";
    let (_, files) = sample(format, "payment_request");
    let kind = MessageKind::PaymentRequest;
    let side = files.iter().find(|path| path.extension().is_some()).unwrap();
    let message = files.iter().find(|path| path.extension().is_none()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("APEX20261123-0002.txt");
    std::fs::copy(side, &other).unwrap();
    let mixed = decode(format, kind, vec![other, message.clone()], false);
    assert_eq!((mixed.code, mixed.out.len()), (1, 0));
    let told = "field part_name: expected the file name of the side part, found another one";
    assert!(mixed.err.contains(told), "{}", mixed.err);
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
        found.err.contains(&format!("message part differs at byte {at}: record 2, field amount")),
        "{}",
        found.err
    );
    let lines: Vec<&str> = found.err.lines().collect();
    assert_eq!(lines[1], "  read    01");
    assert_eq!(lines[2], "  written 1<");
    assert_eq!(lines[3], "          ^");
}

#[test]
fn a_file_that_is_none_of_the_message_is_not_read() {
    let (_, files) = sample(RURAL, "result");
    let wrong = roundtrip(RURAL, MessageKind::Notice, files);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("no file name of a notice"), "{}", wrong.err);
}

/// What a bank signs must name everything that will be held against it.
#[test]
fn explain_shows_all_of_every_example() {
    for name in daifa::format::example::names() {
        let format = crate::format(name);
        let command = FormatCommand::Explain { format: name.to_owned(), place: shipped() };
        let explained = ran(command, "");
        assert_eq!(explained.code, 0, "{}", explained.err);
        let text = String::from_utf8(explained.out).unwrap();
        assert!(text.starts_with(&format!("# {}\n", format.about().title)), "{name}");
        assert!(text.contains("no bank's real interface"), "{name}");
        for kind in format.kinds() {
            assert!(text.contains(&format!("\n## {kind}\n")), "{name}: {kind}");
            let rows = format.row_codes(kind).map(|(code, _)| code);
            for code in format.answers(kind).map(|(code, _)| code).chain(rows) {
                assert!(text.contains(&format!("\n| `{code}` | ")), "{name}: {code}");
            }
        }
        // Every line of a table has as many cells as its head.
        for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
            let cells = |line: &str| line.replace("\\|", "").matches('|').count();
            let head = cells(table.lines().next().unwrap());
            assert!(table.lines().all(|line| cells(line) == head), "{name}: {table}");
        }
    }
    let explain = |name: &str| {
        let command = FormatCommand::Explain { format: name.to_owned(), place: shipped() };
        String::from_utf8(ran(command, "").out).unwrap()
    };
    let rural = explain(RURAL);
    for told in [
        "| 2-33 | 32 | reference | yes | ASCII text | reference of this batch, unique for ever (批次号) | left-justified, blanks |",
        "| 88-104 | 17 | sum | yes | amount in yuan: digits, a '.' and 2 digits |",
        "\n176 bytes in all, without the line end.\n",
        "SHA-256 over the whole data part",
        "Lines end with CR LF, the last one too.",
    ] {
        assert!(rural.contains(told), "{told}");
    }
    assert!(explain("example-cmb-xml").contains("Group `row` (element `"));
    assert!(explain("example-core-pipe").contains("It lists the payments that failed"));
    assert!(explain("example-icbc-blank").contains("the same `account`, `payee_name`, `amount`"));
    assert!(explain("example-gx-tagged").contains("`5351` = 耕地地力保护补贴"));
}

/// Some rows of the example with widths in a file, as lines.
fn many_lines(rows: usize) -> String {
    let head = "{\"record\":\"head\",\"reference\":\"EX20261123-0001\",\"moment\":\"2026-11-23T15:49:04\",\"pool_account\":\"2700000000000001\",\"summary\":\"耕地地力保护补贴\"}\n";
    let row = |at: usize| {
        format!(
            "{{\"record\":\"row\",\"ordinal\":{at},\"account\":\"6210000000000000011\",\"payee_name\":\"测试甲\",\"amount\":\"0.0{}\",\"document_number\":\"11010519491231002X\"}}\n",
            at % 9 + 1
        )
    };
    std::iter::once(head.to_owned()).chain((1..=rows).map(row)).collect()
}

#[test]
fn encode_writes_nothing_before_all_of_it_can_be_written() {
    let rows = 3000;
    let lines = many_lines(rows);
    let folder = tempfile::tempdir().unwrap();
    let into = || Some(folder.path().to_owned());
    // The last line cannot be written, and the files before it were not begun.
    let wrong = lines.replacen("测试甲", &"测".repeat(31), rows).replacen(
        &"测".repeat(31),
        "测试甲",
        rows - 1,
    );
    let refused = encode(RURAL, MessageKind::PaymentRequest, into(), &wrong);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains(&format!("line {}: ", rows + 1)), "{}", refused.err);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let written = encode(RURAL, MessageKind::PaymentRequest, into(), &lines);
    assert_eq!(written.code, 0, "{}", written.err);
    // What is poured is what is written at once.
    let format = crate::format(RURAL);
    let kind = MessageKind::PaymentRequest;
    let values = daifa::format::sample::Values::parse(&format, kind, &lines).unwrap();
    for part in values.write(&format, kind).unwrap() {
        assert!(std::fs::read(folder.path().join(&part.name)).unwrap() == part.bytes);
    }
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(roundtrip(RURAL, kind, files.collect()).code, 0);
}
