//! Design 4.4: a message whose own count, sum or digest does not close is held whole; a row that
//! cannot be read is told alone.

use daifa::format::{Format, Item, Key, MessageKind, Part, Record, Value};
use daifa::model::money::Fen;

use crate::{CITY, RURAL, answered, decode, format, head, message};

const RESULT: MessageKind = MessageKind::Result;
const HEAD_BYTES: usize = 72 + 2;
const ROW_BYTES: usize = 150 + 2;

fn result() -> (Format, Vec<Part>) {
    let format = format(RURAL);
    let rows = [answered(1, 1_00, "0000"), answered(2, 2_00, "1002"), answered(3, 3_00, "0000")];
    let parts = format.encode(RESULT, &head(), &rows).unwrap();
    assert_eq!(parts[0].bytes.len(), HEAD_BYTES + 3 * ROW_BYTES);
    (format, parts)
}

/// Gives the control part the digest that the changed data part has.
fn resealed(parts: &mut [Part]) {
    let digest = ring::digest::digest(&ring::digest::SHA256, &parts[0].bytes);
    let digit = |four_bits: u8| char::from_digit(u32::from(four_bits), 16).unwrap();
    let hex: String = digest.as_ref().iter().flat_map(|b| [b >> 4, b & 15].map(digit)).collect();
    let control = &mut parts[1].bytes;
    let end = control.len() - 2;
    control[end - 64..end].copy_from_slice(hex.as_bytes());
}

fn replace(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes[at..at + with.len()].copy_from_slice(with);
}

/// All items, or the error that holds the message.
fn read_all(format: &Format, parts: &[Part]) -> Result<(Vec<i64>, Vec<String>), String> {
    let mut reading = format.read(RESULT, parts).map_err(|error| error.to_string())?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    loop {
        match reading.next() {
            Ok(Some(Item::Row(row))) => good.push(row.int(Key::Ordinal).unwrap()),
            Ok(Some(Item::BadRow(error))) => bad.push(error.to_string()),
            Ok(Some(Item::Head(_) | Item::Tail(_))) => {}
            Ok(None) => return Ok((good, bad)),
            Err(error) => {
                // Whoever asks again is told the same: a held message never ends well.
                assert_eq!(reading.next().unwrap_err(), error);
                return Err(error.to_string());
            }
        }
    }
}

#[test]
fn i12_a_changed_data_part_does_not_match_its_control_part() {
    let (format, parts) = result();
    for at in 0..parts[0].bytes.len() {
        let mut changed = parts.clone();
        changed[0].bytes[at] ^= 1;
        let error = read_all(&format, &changed).unwrap_err();
        assert!(error.contains("SHA-256"), "{error}");
    }
}

#[test]
fn f39_counts_and_sums_that_do_not_close_hold_the_file() {
    let (format, parts) = result();
    for (at, with, told) in [
        (47, &b"00000004"[..], "4 rows"),
        (47, b"00000002", "2 rows"),
        (55, b"00000000000006.01", "6.01"),
        (55, b"00000000000005.99", "5.99"),
    ] {
        let mut changed = parts.clone();
        replace(&mut changed[0].bytes, at, with);
        resealed(&mut changed);
        let error = read_all(&format, &changed).unwrap_err();
        assert!(error.contains(told) && error.contains("as the head states"), "{error}");
    }
    // The control part has a count and a sum of its own.
    for (at, with) in [(33, &b"00000004"[..]), (41, b"00000000000006.01")] {
        let mut changed = parts.clone();
        replace(&mut changed[1].bytes, at, with);
        let error = read_all(&format, &changed).unwrap_err();
        assert!(error.contains("as the control part states"), "{error}");
    }
    // A row that was left out closes nowhere.
    let mut changed = parts.clone();
    changed[0].bytes.drain(HEAD_BYTES..HEAD_BYTES + ROW_BYTES);
    resealed(&mut changed);
    assert!(read_all(&format, &changed).unwrap_err().contains("count"));
}

#[test]
fn i12_parts_of_two_messages_do_not_mix() {
    let (format, mut parts) = result();
    let mut other = head();
    other.set(Key::Reference, Value::Text("EX20261123-0002"));
    let others = format.encode(RESULT, &other, &[answered(1, 1_00, "0000")]).unwrap();
    let mixed = [parts[0].clone(), others[1].clone()];
    assert!(read_all(&format, &mixed).is_err());
    // The name says another reference than the head.
    parts[0].name = "HPEX20261123-0002.txt".to_owned();
    assert!(read_all(&format, &parts).unwrap_err().contains("file name"));
    parts[0].name = "HPEX20261123-0001.txt".to_owned();
    assert!(read_all(&format, &parts).is_ok());
    assert!(read_all(&format, &parts[..1]).unwrap_err().contains("control part"));
}

#[test]
fn f37_a_row_with_a_strange_amount_is_told_alone() {
    let (format, parts) = result();
    let amount = HEAD_BYTES + ROW_BYTES + 41;
    for strange in [
        &b"-0000000000002.00"[..],
        b"+0000000000002.00",
        b"000000000,002.00 ",
        b"0000000000 002.00",
        b"00000000000000200",
        b"000000000002.0000",
        b"0000000000002,00 ",
        b"                 ",
        b"0000000000000x.00",
        b"00000000000002.0 ",
        b"0000000000000.200",
    ] {
        let mut changed = parts.clone();
        replace(&mut changed[0].bytes, amount, strange);
        resealed(&mut changed);
        let (good, bad) = read_all(&format, &changed).unwrap();
        assert_eq!(good, [1, 3]);
        assert!(bad[0].contains("record 3, field amount"), "{}", bad[0]);
        let nothing_of_it = strange.iter().all(u8::is_ascii_digit);
        assert!(!nothing_of_it || !bad[0].contains("200"), "{}", bad[0]);
    }
    // What is left for the unreadable row must be money.
    let mut changed = parts.clone();
    replace(&mut changed[0].bytes, amount, b"-0000000000002.00");
    replace(&mut changed[0].bytes, 55, b"00000000000004.00");
    resealed(&mut changed);
    assert!(read_all(&format, &changed).unwrap_err().contains("sum"));
}

#[test]
fn f40_a_row_with_broken_text_is_told_with_its_byte() {
    let (format, parts) = result();
    let text = HEAD_BYTES + ROW_BYTES + 62;
    for (broken, at) in [
        (&b"\x81"[..], 59),
        (b"\x81\x30\x81", 57),
        (b"\xFF", 59),
        (b"\x80", 59),
        (b"a\0", 59),
        (b"\x84\x31\x95\x33", 56),
        (b"\xAA\xA1", 58),
    ] {
        let mut changed = parts.clone();
        replace(&mut changed[0].bytes, text + 60 - broken.len(), broken);
        resealed(&mut changed);
        let (good, bad) = read_all(&format, &changed).unwrap();
        assert_eq!(good, [1, 3], "{broken:02X?}");
        let expected = format!("field text, byte {}", text + at);
        assert!(bad[0].contains(&expected), "{expected}: {}", bad[0]);
    }
}

#[test]
fn f38_a_cut_file_is_held_wherever_it_is_cut() {
    let (format, parts) = result();
    for length in 0..parts[0].bytes.len() {
        let mut cut = parts.clone();
        cut[0].bytes.truncate(length);
        resealed(&mut cut);
        assert!(read_all(&format, &cut).is_err(), "{length}");
    }
    for length in 0..parts[1].bytes.len() {
        let mut cut = parts.clone();
        cut[1].bytes.truncate(length);
        assert!(read_all(&format, &cut).is_err(), "{length}");
    }
    // CR alone, LF alone, something behind the end.
    for (from, to) in [(&b"\r\n"[..], &b"\r"[..]), (b"\r\n", b"\n"), (b"\r\n", b"\r\n\r\n")] {
        let mut changed = parts.clone();
        let lines: Vec<&[u8]> = parts[0].bytes.split(|b| *b == b'\n').collect();
        let lines = lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        changed[0].bytes = lines.collect::<Vec<_>>().join(to);
        assert_ne!(from, to);
        resealed(&mut changed);
        assert!(read_all(&format, &changed).is_err());
    }
}

#[test]
fn f39_an_xml_answer_closes_too() {
    let format = format(CITY);
    let kind = MessageKind::StatusAnswer;
    let mut head = head();
    head.set(Key::Code, Value::Text("B003"));
    let rows = [answered(1, 100, "S"), answered(2, 200, "F02")];
    let parts = format.encode(kind, &head, &rows).unwrap();
    let text = String::from_utf8(parts[0].bytes.clone()).unwrap();
    let values = decode(&format, kind, &parts).unwrap();
    assert_eq!(values.head.amount(Key::Sum), Some(Fen::new(300)));
    for (from, to) in [
        ("count=\"2\"", "count=\"1\""),
        ("sum=\"300\"", "sum=\"301\""),
        ("count=\"2\"", "count=\"-2\""),
        ("sum=\"300\"", "sum=\"3.00\""),
        ("<Code>QRYR</Code>", "<Code>PAYR</Code>"),
    ] {
        let changed = message(text.replace(from, to).into_bytes());
        assert!(decode(&format, kind, &changed).is_err(), "{to}");
    }
    let changed = message(text.replace("<Amount>200<", "<Amount>2.00<").into_bytes());
    let mut reading = format.read(kind, &changed).unwrap();
    let mut bad = 0;
    while let Some(item) = reading.next().unwrap() {
        bad += usize::from(matches!(item, Item::BadRow(_)));
    }
    assert_eq!((bad, reading.totals().count, reading.totals().unreadable), (1, 2, 1));
}

#[test]
fn i27_errors_tell_no_personal_data() {
    let format = format(RURAL);
    let mut row = crate::row(1, "卡纳里某某\u{E000}", 1_00);
    row.set(Key::Account, Value::Text("6217001234567890123\u{7F}"));
    let rows: [Record; 1] = [row];
    let error = format.encode(MessageKind::PaymentRequest, &head(), &rows).unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("卡纳里") && !text.contains("6217001234567890123"), "{text}");
    }
}
