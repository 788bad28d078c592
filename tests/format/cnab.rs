//! A foreign proof: layouts and files of Brazilian banks, written by strangers, turned mechanically
//! into a description. Every file decodes, its trailer counts agree, and what is decoded is written
//! again byte for byte.
//!
//! The files are not part of this project; where they are absent the tests say so and pass over.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use daifa::format::sample::Values;
use daifa::format::{Format, MessageKind, Part, PartRole, Record, Slot, Source, Value};
use serde::Deserialize;

/// One field of a foreign layout.
#[derive(Debug, Clone, Deserialize)]
struct Foreign {
    /// First and last byte, from 1.
    pos: [usize; 2],
    picture: String,
}

type Layout = BTreeMap<String, Foreign>;

fn fixtures() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/cnab");
    if !dir.is_dir() {
        println!("skipped: {} is not here", dir.display());
        return None;
    }
    Some(dir)
}

fn layout(dir: &Path, name: &str) -> Layout {
    let path = dir.join("layout").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    // One layout names a field twice; the strangers' own reader takes the later one.
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
    };
    serde_saphyr::from_str_with_options(&text, options).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A record of the description: where its layouts are (a later one overrules what it overlaps), its
/// group, and the constants that tell it from others.
struct Row {
    name: &'static str,
    layouts: &'static [&'static str],
    group: Option<&'static str>,
    occurs: &'static str,
    marks: &'static [(usize, &'static str)],
}

/// What a field states of the file: its name, and how that is worked out.
type Computed = (&'static str, &'static str);

struct File {
    data: &'static str,
    width: usize,
    line_end: &'static str,
    rows: &'static [Row],
    groups: &'static str,
    computed: &'static [Computed],
    /// Fields that the layout calls numbers and the file fills with something else, with the byte of
    /// the file that is no digit.
    broken: &'static [(&'static str, usize)],
}

const BATCHES: &str = r#"
[[message.part.group]]
name = "batch"
[[message.part.group]]
name = "title"
in = "batch"
"#;

const TRAILER_240: &[Computed] = &[
    ("qtde_registros", "computed = \"count\""),
    ("qtde_lotes", "computed = \"count\", of = [\"batch_head\"]"),
    ("numero_sequencial_lote", "computed = \"sequence\", of = [\"t\", \"u\"], in = \"batch\""),
    ("qtde_registro_lote", "computed = \"count\", in = \"batch\""),
];

/// As above, but this bank counts other things in the trailer of a batch.
const TRAILER_240_FILE: &[Computed] = &[TRAILER_240[0], TRAILER_240[1], TRAILER_240[2]];

const SEQUENCE_400: &[Computed] = &[("numero_sequencial", "computed = \"sequence\"")];

macro_rules! rows_240 {
    ($head:expr, $batch:expr, $t:expr, $u:expr, $end:expr) => {
        &[
            Row { name: "file_head", layouts: $head, group: None, occurs: "1", marks: &[(8, "0")] },
            Row {
                name: "batch_head",
                layouts: $batch,
                group: Some("batch"),
                occurs: "1",
                marks: &[(8, "1")],
            },
            Row {
                name: "t",
                layouts: $t,
                group: Some("title"),
                occurs: "1",
                marks: &[(8, "3"), (14, "T")],
            },
            Row {
                name: "u",
                layouts: $u,
                group: Some("title"),
                occurs: "0..1",
                marks: &[(8, "3"), (14, "U")],
            },
            Row {
                name: "batch_end",
                layouts: $end,
                group: Some("batch"),
                occurs: "1",
                marks: &[(8, "5")],
            },
            Row {
                name: "file_end",
                layouts: &["cnab240/generic/trailer_arquivo.yml"],
                group: None,
                occurs: "1",
                marks: &[(8, "9")],
            },
        ]
    };
}

macro_rules! rows_400 {
    ($bank:literal, $detail:literal) => {
        &[
            Row {
                name: "file_head",
                layouts: &[
                    "cnab400/generic/retorno/header_arquivo.yml",
                    concat!("cnab400/", $bank, "/retorno/header_arquivo.yml"),
                ],
                group: None,
                occurs: "1",
                marks: &[(1, "0")],
            },
            Row {
                name: "detail",
                layouts: &[
                    "cnab400/generic/retorno/detalhe.yml",
                    concat!("cnab400/", $bank, "/retorno/detalhe.yml"),
                ],
                group: None,
                occurs: "0..n",
                marks: &[(1, $detail)],
            },
            Row {
                name: "file_end",
                layouts: &[
                    "cnab400/generic/retorno/trailer_arquivo.yml",
                    concat!("cnab400/", $bank, "/retorno/trailer_arquivo.yml"),
                ],
                group: None,
                occurs: "1",
                marks: &[(1, "9")],
            },
        ]
    };
}

const GENERIC_T: &str = "cnab240/generic/retorno/detalhe_segmento_t.yml";
const GENERIC_U: &str = "cnab240/generic/retorno/detalhe_segmento_u.yml";
const GENERIC_HEAD: &str = "cnab240/generic/header_arquivo.yml";
const GENERIC_BATCH: &str = "cnab240/generic/header_lote.yml";
const GENERIC_END: &str = "cnab240/generic/trailer_lote.yml";

const FILES: &[File] = &[
    File {
        data: "cnab240/retorno_bb.ret",
        width: 240,
        line_end: "LF",
        rows: rows_240!(
            &[GENERIC_HEAD, "cnab240/001/header_arquivo.yml"],
            &[GENERIC_BATCH, "cnab240/001/header_lote.yml"],
            &[GENERIC_T],
            &[GENERIC_U],
            &[GENERIC_END, "cnab240/001/trailer_lote.yml"]
        ),
        groups: BATCHES,
        computed: TRAILER_240,
        broken: &[],
    },
    File {
        data: "cnab240/retorno_cnab240_caixa.ret",
        width: 240,
        line_end: "CRLF",
        rows: rows_240!(
            &[GENERIC_HEAD, "cnab240/104/sigcb/header_arquivo.yml"],
            &[GENERIC_BATCH, "cnab240/104/sigcb/header_lote.yml"],
            &[GENERIC_T, "cnab240/104/sigcb/retorno/detalhe_segmento_t.yml"],
            &[GENERIC_U, "cnab240/104/sigcb/retorno/detalhe_segmento_u.yml"],
            &[GENERIC_END, "cnab240/104/sigcb/trailer_lote.yml"]
        ),
        groups: BATCHES,
        computed: TRAILER_240,
        broken: &[],
    },
    File {
        data: "cnab240/retorno_santander.ret",
        width: 240,
        line_end: "CRLF",
        rows: rows_240!(
            &[GENERIC_HEAD, "cnab240/033/header_arquivo.yml"],
            &[GENERIC_BATCH, "cnab240/033/header_lote.yml"],
            &[GENERIC_T, "cnab240/033/retorno/detalhe_segmento_t.yml"],
            &[GENERIC_U],
            &[GENERIC_END, "cnab240/033/trailer_lote.yml"]
        ),
        groups: BATCHES,
        computed: TRAILER_240_FILE,
        broken: &[],
    },
    File {
        data: "cnab400/retorno-cb030400-bradesco.ret",
        width: 400,
        line_end: "CRLF",
        rows: rows_400!("237", "1"),
        groups: "",
        computed: SEQUENCE_400,
        broken: &[],
    },
    File {
        data: "cnab400/retorno-cnab400-bb.ret",
        width: 400,
        line_end: "CRLF",
        rows: rows_400!("001", "7"),
        groups: "",
        computed: SEQUENCE_400,
        broken: &[("detail_zeros03", 735)],
    },
    File {
        data: "cnab400/retorno-cnab400-itau.ret",
        width: 400,
        line_end: "CRLF",
        rows: rows_400!("341", "1"),
        groups: "",
        computed: SEQUENCE_400,
        broken: &[],
    },
];

/// The fields of a record: a bank's own in the place of the general ones that they overlap, what
/// nobody names as a text of its own.
fn fields(dir: &Path, row: &Row, width: usize) -> Vec<(String, Foreign)> {
    let mut list: Vec<(String, Foreign)> = Vec::new();
    for name in row.layouts {
        for (field, foreign) in layout(dir, name) {
            let [first, last] = foreign.pos;
            list.retain(|(_, known)| known.pos[1] < first || known.pos[0] > last);
            list.push((field, foreign));
        }
    }
    list.sort_by_key(|(_, foreign)| foreign.pos[0]);
    // One name in two places is two values.
    for at in 1..list.len() {
        if list[..at].iter().any(|(name, _)| *name == list[at].0) {
            list[at].0 = format!("{}_{}", list[at].0, list[at].1.pos[0]);
        }
    }
    let mut whole = Vec::new();
    let mut at = 1;
    let end = (String::new(), Foreign { pos: [width + 1, width], picture: String::new() });
    for (name, foreign) in list.into_iter().chain([end]) {
        let [first, last] = foreign.pos;
        if first > at {
            let picture = format!("X({})", first - at);
            whole.push((format!("between_{at}"), Foreign { pos: [at, first - 1], picture }));
        }
        at = last + 1;
        if !name.is_empty() {
            whole.push((name, foreign));
        }
    }
    whole
}

/// `9(13)V9(2)` as digits before and behind the point; nothing for a text.
fn digits(picture: &str) -> Option<(usize, usize)> {
    let count = |part: &str| {
        let inner = part.strip_prefix("9(")?.strip_suffix(')')?;
        inner.parse::<usize>().ok()
    };
    match picture.split_once('V') {
        Some((whole, rest)) => Some((count(whole)?, count(rest)?)),
        None => Some((count(picture)?, 0)),
    }
}

/// One field in our language; one that is known to be broken is a text.
fn field(
    row: &Row,
    name: &str,
    foreign: &Foreign,
    computed: &[Computed],
    broken: &[(&str, usize)],
) -> String {
    let [first, last] = foreign.pos;
    let width = last + 1 - first;
    let at = format!("at = {first}, width = {width}");
    if let Some((_, mark)) = row.marks.iter().find(|(place, _)| *place == first && width == 1) {
        return format!("{{ literal = \"{mark}\", {at} }}");
    }
    let numbers = "pad = \"0\", side = \"right\"";
    if let Some((_, how)) = computed.iter().find(|(known, _)| *known == name) {
        return format!("{{ {how}, {at}, {numbers} }}");
    }
    let own = format!("own = \"{}_{name}\"", row.name);
    let is_broken = broken.iter().any(|(known, _)| *known == format!("{}_{name}", row.name));
    match digits(&foreign.picture).filter(|_| !is_broken) {
        Some((_, 0)) if width > 18 => {
            format!(
                "{{ {own}, only = \"digits\", pad = \" \", side = \"left\", optional = true, {at} }}"
            )
        }
        Some((_, 0)) => {
            format!(
                "{{ {own}, type = \"integer\", optional = true, {at}, {numbers}, absent = \" \" }}"
            )
        }
        Some((_, scale)) => format!(
            "{{ {own}, type = \"decimal\", scale = {scale}, point = false, optional = true, {at}, {numbers}, absent = \" \" }}"
        ),
        None => format!("{{ {own}, optional = true, {at}, pad = \" \", side = \"left\" }}"),
    }
}

/// The whole description of a file.
fn description(dir: &Path, file: &File, broken: &[(&str, usize)]) -> String {
    let mut text = format!(
        r#"language = 1
title = "{}"
status = "example"
source = "turned from a foreign layout"
charset = "US-ASCII"
[limits]
rows_max = 100000
amount_max = "9999999999.99"
sum_max = "9999999999.99"
bytes_max = 100000000
[[message]]
kind = "result"
[[message.part]]
role = "data"
name = "RETORNO.ret"
committing = true
layout = "fixed"
line_end = "{}"
{}"#,
        file.data, file.line_end, file.groups
    );
    for row in file.rows {
        let group = row.group.map(|group| format!("in = \"{group}\"\n")).unwrap_or_default();
        let head = format!(
            "[[message.part.record]]\nname = \"{}\"\n{group}occurs = \"{}\"\nlength = {}\nfields = [\n",
            row.name, row.occurs, file.width
        );
        text.push_str(&head);
        for (name, foreign) in fields(dir, row, file.width) {
            writeln!(text, "  {},", field(row, &name, &foreign, file.computed, broken)).unwrap();
        }
        text.push_str("]\n");
    }
    text
}

fn part(bytes: Vec<u8>) -> [Part; 1] {
    let name = "RETORNO.ret".to_owned();
    [Part { role: PartRole::Data, name, bytes, committing: true }]
}

fn compiled(dir: &Path, file: &File) -> Format {
    compiled_with(dir, file, file.broken)
}

fn compiled_with(dir: &Path, file: &File, broken: &[(&str, usize)]) -> Format {
    let text = description(dir, file, broken);
    Format::compile(file.data, &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A file as its layout wants it. One line of one file has a byte too many, a blank before its byte
/// 184 (the file's byte 424, where a number should begin): that is told, and taken out before the rest is
/// looked at.
fn bytes(dir: &Path, file: &File, format: &Format) -> Vec<u8> {
    let mut bytes = std::fs::read(dir.join("data").join(file.data)).unwrap();
    if file.data == "cnab240/retorno_bb.ret" {
        let error = Values::read(format, MessageKind::Result, &part(bytes.clone())).unwrap_err();
        assert_eq!((error.record, error.offset), (2, Some(241)), "{error}");
        let told = "expected a record of 240 bytes and its line end, found a line end after 241";
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(&bytes[423..440], b"  000000002103201");
        bytes.remove(424);
    }
    bytes
}

#[test]
fn every_foreign_file_decodes_and_is_written_again_byte_for_byte() {
    let Some(dir) = fixtures() else { return };
    for file in FILES {
        let format = compiled(&dir, file);
        let bytes = bytes(&dir, file, &format);
        let parts = part(bytes.clone());
        for (at, (field, byte)) in file.broken.iter().enumerate() {
            let strict = compiled_with(&dir, file, &file.broken[..at]);
            let error = Values::read(&strict, MessageKind::Result, &parts).unwrap_err();
            assert_eq!((error.field.as_str(), error.offset), (*field, Some(*byte)), "{error}");
            println!("{}: byte {byte} breaks its layout, which has a number there", file.data);
        }
        let values = Values::read(&format, MessageKind::Result, &parts)
            .unwrap_or_else(|error| panic!("{}: {error}", file.data));
        let lines = bytes.split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(values.records.len(), lines, "{}", file.data);
        let written = values
            .write(&format, MessageKind::Result)
            .unwrap_or_else(|error| panic!("{}: {error}", file.data));
        let same = written[0].bytes.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
        assert!(written[0].bytes == bytes, "{}: differs at byte {same}", file.data);
        println!("{}: {lines} records, {} bytes, the same again", file.data, bytes.len());
    }
}

#[test]
fn f39_a_trailer_that_counts_otherwise_holds_the_foreign_file() {
    let Some(dir) = fixtures() else { return };
    for file in FILES.iter().filter(|file| file.width == 240) {
        let format = compiled(&dir, file);
        let bytes = bytes(&dir, file, &format);
        let line = if file.line_end == "LF" { 241 } else { 242 };
        let trailer = bytes.len() - line;
        // Bytes 24 to 29: how many records there are.
        let mut changed = bytes.clone();
        changed[trailer + 28] = if changed[trailer + 28] == b'9' { b'8' } else { b'9' };
        let error = Values::read(&format, MessageKind::Result, &part(changed)).unwrap_err();
        assert!(error.to_string().contains("as stated"), "{}: {error}", file.data);
        // A record that was taken out closes nowhere.
        let mut cut = bytes.clone();
        cut.drain(2 * line..4 * line);
        assert!(Values::read(&format, MessageKind::Result, &part(cut)).is_err(), "{}", file.data);
    }
}

/// Money of a foreign file, added up from what was decoded.
#[test]
fn i22_foreign_decimals_are_exact() {
    let Some(dir) = fixtures() else { return };
    let file = &FILES[2];
    let format = compiled(&dir, file);
    let values =
        Values::read(&format, MessageKind::Result, &part(bytes(&dir, file, &format))).unwrap();
    let decimals = |record: &Record| -> Vec<i64> {
        let slots = record.slots().filter(|slot| matches!(slot, Slot::Own(_)));
        let decimal = |slot: Slot| match record.slot(slot) {
            Some(Value::Decimal(number)) => Some(number),
            _ => None,
        };
        slots.filter_map(decimal).collect()
    };
    let title = values.records.iter().find(|(name, _)| name == "t").unwrap();
    let end = values.records.iter().find(|(name, _)| name == "batch_end").unwrap();
    // As the digits of the file say it: 548.90 in the trailer, 10.00 and a fee of 3.24 in the title.
    assert_eq!(decimals(&end.1), [54_890, 0, 0, 0]);
    assert_eq!(decimals(&title.1), [1_000, 324]);
}
