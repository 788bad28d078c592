use std::process::{Command, Stdio};

use super::*;

const PAGES: [(Charset, &[u8]); 3] = [
    (Charset::Cp037, include_bytes!("ibm037.tbl")),
    (Charset::Cp935, include_bytes!("ibm935.tbl")),
    (Charset::Cp1388, include_bytes!("ibm1388.tbl")),
];

const LF: u8 = 0x25;

/// What `iconv` makes of these bytes; without what it cannot map. Nothing where the machine has no
/// `iconv`, or one that does not know the code page.
fn iconv(from: &str, to: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let path = std::env::temp_dir().join(format!("daifa-iconv-{}-{from}-{to}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let run = Command::new("iconv")
        .args(["-c", "-f", from, "-t", to])
        .stdin(std::fs::File::open(&path).unwrap())
        .stderr(Stdio::null())
        .output();
    std::fs::remove_file(&path).unwrap();
    run.ok().map(|run| run.stdout).filter(|out| !out.is_empty())
}

/// The table of a code page as `iconv` knows it: each character on a line of its own is written, read
/// back, and kept if it came back as itself.
fn made(page: &str) -> Option<Vec<u8>> {
    let may_be = |unit: &u16| {
        let character = char::from_u32(u32::from(*unit));
        matches!(unit, 9 | 13) || character.is_some_and(|character| !is_refused(character))
    };
    let characters: Vec<u16> = (0..=0xFFFF).filter(may_be).collect();
    let lines: Vec<u8> =
        characters.iter().flat_map(|unit| unit.to_be_bytes().into_iter().chain([0, 10])).collect();
    let written = iconv("UTF-16BE", page, &lines)?;
    let spelled: Vec<(u16, &[u8])> =
        characters.into_iter().zip(written.split(|byte| *byte == LF)).collect();
    let spelled: Vec<_> = spelled.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    let lines: Vec<u8> =
        spelled.iter().flat_map(|(_, bytes)| bytes.iter().copied().chain([LF])).collect();
    let read = iconv(page, "UTF-16BE", &lines)?;
    let read: Vec<u16> = units(&read).step_by(2).collect();
    assert_eq!(read.len(), spelled.len());

    let mut bytes = [0_u16; 256];
    bytes[usize::from(LF)] = 10;
    let mut rows = std::collections::BTreeMap::new();
    for ((unit, spelling), back) in spelled.into_iter().zip(read) {
        match spelling {
            _ if unit != back => {}
            [byte] => bytes[usize::from(*byte)] = unit,
            [SHIFT_OUT, first, second, SHIFT_IN] => {
                let row = rows.entry(*first).or_insert([0_u16; ROW]);
                row[usize::from(second - SECOND_MIN)] = unit;
            }
            other => panic!("U+{unit:04X} is {other:02X?}"),
        }
    }
    let mut table: Vec<u8> = bytes.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for (first, row) in rows {
        table.push(first);
        table.extend(row.iter().flat_map(|unit| unit.to_be_bytes()));
    }
    Some(table)
}

#[test]
fn tables_are_what_iconv_says() {
    for (charset, table) in PAGES {
        let Some(made) = made(charset.as_str()) else {
            eprintln!("skipped: there is no iconv here that knows {}", charset.as_str());
            continue;
        };
        if made != table {
            let path = std::env::temp_dir().join(charset.as_str().to_lowercase() + ".tbl");
            std::fs::write(&path, made).unwrap();
            panic!("{} is another table; it is in {}", charset.as_str(), path.display());
        }
    }
}

fn decode(charset: Charset, bytes: &[u8]) -> Result<String, usize> {
    let mut out = String::new();
    charset.decode_into(bytes, Controls::None, &mut out).map(|()| out).map_err(|bad| bad.at)
}

fn encode(charset: Charset, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    charset.encode_into(text, &mut out).unwrap();
    out
}

#[test]
fn chinese_stands_between_shifts() {
    for charset in [Charset::Cp935, Charset::Cp1388] {
        let bytes = encode(charset, "A张三B 李");
        assert_eq!(bytes[..2], [0xC1, SHIFT_OUT]);
        assert_eq!(bytes[6..10], [SHIFT_IN, 0xC2, 0x40, SHIFT_OUT]);
        assert_eq!((bytes.len(), bytes[12]), (13, SHIFT_IN));
        assert_eq!(decode(charset, &bytes).as_deref(), Ok("A张三B 李"));
        assert_eq!(encode(charset, "阿卜杜·热").len(), 12);
    }
    assert_eq!(encode(Charset::Cp1388, "镕").len(), 4);
    assert_eq!(Charset::Cp935.encode_into("镕", &mut Vec::new()), Err('镕'));
    assert_eq!(Charset::Cp037.encode_into("Ana張", &mut Vec::new()), Err('張'));
}

#[test]
fn f40_shifts_that_we_would_not_write_are_refused_at_their_byte() {
    let zhang = &encode(Charset::Cp935, "张")[1..3];
    let text = |pieces: &[&[u8]]| pieces.concat();
    for (bytes, at) in [
        (text(&[b"\xC1\x0E", zhang]), 1),
        (text(&[b"\x0E", zhang, b"\xC1"]), 3),
        (text(&[b"\x0E", zhang, b"\x0F\x0F"]), 4),
        (text(&[b"\x0E", zhang, b"\x0F\x0E", zhang, b"\x0F"]), 4),
        (text(&[b"\x0E\x0E", zhang, b"\x0F"]), 1),
        (text(&[b"\x0E", zhang, b"\x41\x0F"]), 3),
        (text(&[b"\x0E", zhang, b"\x76\x41\x0F"]), 3), // a private-use pair
        (text(&[zhang]), 1),
        (b"\xC1\x0E\x0F".to_vec(), 2),
        (b"\xC1\x0F".to_vec(), 1),
        (b"\xC1\x00".to_vec(), 1),
        (b"\xC1\x25".to_vec(), 1),
        (b"\xC1\x41".to_vec(), 1), // no character
    ] {
        assert_eq!(decode(Charset::Cp935, &bytes), Err(at), "{bytes:02X?}");
    }
    assert_eq!(decode(Charset::Cp037, b"\xC1\x0E\x41\x41\x0F"), Err(1));
}

#[test]
fn what_a_cut_leaves_is_read_without_shift_or_half_a_pair() {
    let bytes = encode(Charset::Cp1388, "A张三B");
    let read = |length: usize| {
        let mut out = String::new();
        Charset::Cp1388.decode_cut_tail(&bytes[..length], &mut out).map(|cut| (out, cut))
    };
    let expected =
        [("", false), ("A", false), ("A", true), ("A", true), ("A张", true), ("A张", true)];
    for (length, (text, cut)) in expected.into_iter().enumerate() {
        assert_eq!(read(length), Ok((text.to_owned(), cut)), "{length}");
    }
    assert_eq!(read(6), Ok(("A张三".to_owned(), true)));
    assert_eq!(read(7), Ok(("A张三".to_owned(), false)));
    let mut out = String::new();
    let empty = Charset::Cp1388.decode_cut_tail(b"\x0E\x0F", &mut out);
    assert_eq!(empty.map_err(|bad| bad.at), Err(1));
}

#[test]
fn a_shift_back_that_is_missing_costs_its_own_record() {
    // A line end between shifts can only be the end of the record.
    let bytes = b"\xC1\x0E\x4F\x4F\x25\xC2\x25";
    let sign = |ascii| Charset::Cp935.sign(ascii).unwrap();
    assert_eq!(Charset::Cp935.find(bytes, 0, sign(b'\n')), Some(4));
    assert_eq!(Charset::Cp935.find(bytes, 5, sign(b'\n')), Some(6));
    // 4F is the bar, and here a part of a character.
    assert_eq!(Charset::Cp935.find(b"\xC1\x0E\x4F\x4F\x0F\x4F", 0, sign(b'|')), Some(5));
}
