//! What a description costs: records per second of one layout, by the engine and by hand.
//!
//!     cargo bench --bench format
//!
//! One core. The layout is a record of 148 bytes in GB18030 with two Chinese fields; the same is
//! written and read by code that knows nothing else, and refuses what a bank's file cannot have: other
//! signs than ASCII's, controls and private-use characters, a count or sum that does not close. Ratios
//! are taken in one run.

#![allow(clippy::disallowed_methods, reason = "a bench measures")]
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::float_arithmetic)]

use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use daifa::format::{
    Format, Item, Key, MessageKind, Part, PartBytes, PartContent, PartRole, Record, Source, Value,
};
use daifa::model::money::Fen;
use encoding_rs::GB18030;

const DESCRIPTION: &str = r#"
language = 1
title = "bench"
status = "example"
source = "a record of 148 bytes"
charset = "GB18030"
[limits]
rows_max = 100000000
amount_max = "9999999.99"
sum_max = "999999999999.99"
bytes_max = 17179869184
[[message]]
kind = "payment_request"
[[message.part]]
role = "data"
name = "DF{reference}.txt"
committing = true
layout = "fixed"
line_end = "LF"
[[message.part.record]]
is = "head"
fields = [
  { literal = "H" },
  { key = "reference", width = 32, only = "ascii", pad = " ", side = "left" },
  { key = "count", width = 9, pad = "0", side = "right" },
  { key = "sum", width = 15, unit = "fen", scale = 0, pad = "0", side = "right" },
]
[[message.part.record]]
is = "row"
length = 148
fields = [
  { literal = "D" },
  { key = "ordinal", width = 9, pad = "0", side = "right" },
  { key = "account", width = 32, only = "ascii", pad = " ", side = "left" },
  { key = "payee_name", width = 30, pad = " ", side = "left" },
  { key = "amount", width = 12, unit = "yuan", scale = 2, point = true, pad = "0", side = "right" },
  { key = "document_number", width = 20, only = "ascii", pad = " ", side = "left" },
  { key = "summary", width = 30, pad = " ", side = "left" },
  { key = "phone", width = 14, only = "ascii", optional = true, pad = " ", side = "left" },
]
"#;

const NAMES: [&str; 6] =
    ["测试甲", "测试乙乙", "测试·丙丙", "阿卜杜热合曼·某某", "测试丁", "测试戊戊"];
/// Payments in one file, and how often each file is written and read.
const ROWS: i64 = 50_000;
const ROUNDS: usize = 41;
const SUMMARY: &str = "耕地地力保护补贴";

/// A payment as the daemon has it: owned, in memory.
struct Payment {
    ordinal: i64,
    account: String,
    name: &'static str,
    amount: Fen,
    document: String,
    phone: String,
}

impl Source for Payment {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        Some(match key {
            Key::Ordinal => Value::Int(self.ordinal),
            Key::Account => Value::Text(&self.account),
            Key::PayeeName => Value::Text(self.name),
            Key::Amount => Value::Amount(self.amount),
            Key::DocumentNumber => Value::Text(&self.document),
            Key::Summary => Value::Text(SUMMARY),
            Key::Phone => Value::Text(&self.phone),
            _ => return None,
        })
    }
}

fn payments(count: i64) -> Vec<Payment> {
    (1..=count)
        .map(|ordinal| Payment {
            ordinal,
            account: format!("62170000{:011}", ordinal * 7),
            name: NAMES[usize::try_from(ordinal).unwrap() % NAMES.len()],
            amount: Fen::new(ordinal % 900_000 + 1),
            document: format!("61072819700101{:04}", ordinal % 10_000),
            phone: format!("138{ordinal:08}"),
        })
        .collect()
}

// By hand: the same record, and nothing else.

fn digits(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + width, b'0');
    for place in out[at..].iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap();
        number /= 10;
    }
    assert_eq!(number, 0, "too wide");
}

fn ascii(text: &str, width: usize, out: &mut Vec<u8>) {
    assert!(text.len() <= width && text.bytes().all(|b| matches!(b, b' '..=b'~')));
    out.extend_from_slice(text.as_bytes());
    out.resize(out.len() + width - text.len(), b' ');
}

fn chinese(text: &str, width: usize, out: &mut Vec<u8>) {
    // Into a buffer of its own: `encode_from_utf8_to_vec` fills the whole spare capacity with zeros.
    let mut encoder = GB18030.new_encoder();
    let mut spelled = [0; 64];
    let (result, _, written) =
        encoder.encode_from_utf8_without_replacement(text, &mut spelled, true);
    assert_eq!(result, encoding_rs::EncoderResult::InputEmpty);
    assert!(written <= width);
    out.extend_from_slice(&spelled[..written]);
    out.resize(out.len() + width - written, b' ');
}

fn write_by_hand(rows: &[Payment]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 149 + 100);
    let sum: i64 = rows.iter().map(|row| row.amount.get()).sum();
    out.push(b'H');
    ascii("B0000000001", 32, &mut out);
    digits(u64::try_from(rows.len()).unwrap(), 9, &mut out);
    digits(u64::try_from(sum).unwrap(), 15, &mut out);
    out.push(b'\n');
    for row in rows {
        out.push(b'D');
        digits(u64::try_from(row.ordinal).unwrap(), 9, &mut out);
        ascii(&row.account, 32, &mut out);
        chinese(row.name, 30, &mut out);
        let fen = u64::try_from(row.amount.get()).unwrap();
        digits(fen / 100, 9, &mut out);
        out.push(b'.');
        digits(fen % 100, 2, &mut out);
        ascii(&row.document, 20, &mut out);
        chinese(SUMMARY, 30, &mut out);
        ascii(&row.phone, 14, &mut out);
        out.push(b'\n');
    }
    out
}

#[expect(dead_code, reason = "what is read is owned, and then thrown away")]
struct Owned {
    ordinal: i64,
    account: String,
    name: String,
    amount: i64,
    document: String,
    summary: String,
    phone: String,
}

fn number(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |number, byte| {
        assert!(byte.is_ascii_digit());
        number * 10 + i64::from(byte - b'0')
    })
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
    &bytes[..end]
}

fn plain(bytes: &[u8]) -> String {
    let bytes = trimmed(bytes);
    // As it is written: a control character in an account is no account.
    assert!(bytes.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~')));
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn decoded(bytes: &[u8]) -> String {
    let bytes = trimmed(bytes);
    let mut text = String::with_capacity(bytes.len() * 2);
    let mut decoder = GB18030.new_decoder_without_bom_handling();
    let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    assert_eq!(result, encoding_rs::DecoderResult::InputEmpty);
    // The decoder takes controls and private-use characters for text, and a bank's file has none.
    let refused = |c: char| c.is_control() || matches!(c, '\u{E000}'..='\u{F8FF}');
    assert!(!text.chars().any(refused));
    text
}

fn read_by_hand(bytes: &[u8]) -> (usize, i64) {
    let (mut count, mut sum) = (0, 0);
    let mut lines = bytes[58..].chunks_exact(149);
    for line in &mut lines {
        assert!(line[0] == b'D' && line[148] == b'\n' && line[81] == b'.');
        let row = Owned {
            ordinal: number(&line[1..10]),
            account: plain(&line[10..42]),
            name: decoded(&line[42..72]),
            amount: number(&line[72..81]) * 100 + number(&line[82..84]),
            document: plain(&line[84..104]),
            summary: decoded(&line[104..134]),
            phone: plain(&line[134..148]),
        };
        count += 1;
        sum += row.amount;
        black_box(row);
    }
    assert!(lines.remainder().is_empty());
    // A file whose own count and sum do not close was cut.
    let (head_count, head_sum) = (number(&bytes[33..42]), number(&bytes[42..57]));
    assert!(usize::try_from(head_count) == Ok(count) && head_sum == sum);
    (count, sum)
}

fn read_by_engine(format: &Format, parts: Vec<PartBytes<'_>>) -> (usize, i64) {
    let mut reading = format.read_streams(MessageKind::PaymentRequest, parts).unwrap();
    let (mut count, mut sum) = (0, 0);
    while let Some(item) = reading.next().unwrap() {
        if let Item::Row(row) = item {
            count += 1;
            sum += row.amount(Key::Amount).unwrap().get();
            black_box(row);
        }
    }
    (count, sum)
}

/// The best round of each, in seconds: what else the machine does only ever adds. They take turns, so that what it
/// does for a while strikes both.
fn best_of_each<A, B>(mut engine: impl FnMut() -> A, mut hand: impl FnMut() -> B) -> (f64, f64) {
    let (mut engine_best, mut hand_best) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        black_box(engine());
        engine_best = engine_best.min(began.elapsed().as_secs_f64());
        let began = Instant::now();
        black_box(hand());
        hand_best = hand_best.min(began.elapsed().as_secs_f64());
    }
    (engine_best, hand_best)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn told(what: &str, rows: usize, engine: f64, hand: f64) {
    let rate = |seconds: f64| rows as f64 / seconds;
    let nanoseconds = |seconds: f64| seconds * 1e9 / rows as f64;
    println!(
        "{what:<28} {:>10.0} records/s ({:>4.0} ns)   by hand {:>10.0} ({:>4.0} ns)   {:.2} of it",
        rate(engine),
        nanoseconds(engine),
        rate(hand),
        nanoseconds(hand),
        hand / engine
    );
}

/// A file that is made while it is read.
struct Endless<'a> {
    head: &'a [u8],
    row: &'a [u8],
    left: u64,
    at: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if !self.head.is_empty() {
            let length = self.head.len().min(into.len());
            into[..length].copy_from_slice(&self.head[..length]);
            self.head = &self.head[length..];
            return Ok(length);
        }
        let mut filled = 0;
        while filled < into.len() && self.left > 0 {
            let rest = &self.row[self.at..];
            let length = rest.len().min(into.len() - filled);
            into[filled..filled + length].copy_from_slice(&rest[..length]);
            (filled, self.at) = (filled + length, self.at + length);
            if self.at == self.row.len() {
                (self.at, self.left) = (0, self.left - 1);
            }
        }
        Ok(filled)
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A file of 2 GiB as a stream, before anything else has grown the process.
fn large(format: &Format) {
    let one = payments(1);
    let bytes = write_by_hand(&one);
    let row = &bytes[58..];
    let rows = (2_u64 << 30) / 149;
    let mut head = b"H".to_vec();
    ascii("B0000000001", 32, &mut head);
    digits(rows, 9, &mut head);
    digits(rows * u64::try_from(one[0].amount.get()).unwrap(), 15, &mut head);
    head.push(b'\n');
    let stream = Endless { head: &head, row, left: rows, at: 0 };
    let began = Instant::now();
    let part = PartBytes {
        role: PartRole::Data,
        name: "DFB0000000001.txt".to_owned(),
        bytes: PartContent::Stream(Box::new(stream)),
    };
    let (count, _) = read_by_engine(format, vec![part]);
    println!(
        "2 GiB, {count} records, read as a stream in {:.1} s; peak memory of the process {} MiB",
        began.elapsed().as_secs_f64(),
        peak_kib().unwrap_or(0) / 1024
    );
}

fn main() {
    let format = Format::compile("bench", DESCRIPTION).unwrap_or_else(|e| panic!("{e}"));
    if std::env::args().any(|argument| argument == "--large") {
        return large(&format);
    }
    let rows = payments(ROWS);
    let mut head = Record::new();
    head.set(Key::Reference, Value::Text("B0000000001"));
    let engine = format.encode(MessageKind::PaymentRequest, &head, &rows).unwrap();
    let hand = write_by_hand(&rows);
    assert!(engine[0].bytes == hand, "both write the same bytes");
    let parts: &[Part] = &engine;
    let read = || read_by_engine(&format, parts.iter().map(PartBytes::from).collect());
    assert_eq!(read(), read_by_hand(&hand));
    let write = || format.encode(MessageKind::PaymentRequest, &head, &rows).unwrap();
    let (engine, by_hand) = best_of_each(write, || write_by_hand(&rows));
    told("fixed width, written", rows.len(), engine, by_hand);
    let (engine, by_hand) = best_of_each(read, || read_by_hand(&hand));
    told("fixed width, read", rows.len(), engine, by_hand);
    println!("(2 GiB in bounded memory: cargo bench --bench format -- --large)");
}
