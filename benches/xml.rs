//! How fast documents are written and read: pain.001, beside the bare event loop and writer of
//! another library over the same bytes, on one core. And how much memory a document of 2 GiB takes.
//!
//!     cargo bench --bench xml
//!     cargo bench --bench xml -- --large

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]
#![allow(clippy::float_arithmetic, reason = "rates for people, no money")]
#![expect(clippy::disallowed_methods, reason = "what is measured is the real clock")]

use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use daifa::format::{
    Format, Item, Key, MessageKind, Moment, Part, PartBytes, PartContent, PartRole, Record, Source,
    Value, example,
};
use daifa::model::money::Fen;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

const ROWS: usize = 20_000;
const ROUNDS: usize = 21;
const GIB: usize = 1 << 30;
const KIND: MessageKind = MessageKind::PaymentRequest;

fn format() -> Format {
    let text = example::example("example-iso20022-09").unwrap();
    let text = text
        .replace("rows_max = 10000", "rows_max = 100000000")
        .replace("bytes_max = 33554432", "bytes_max = 8589934592")
        .replace("sum_max = \"99999999999.99\"", "sum_max = \"9999999999999.99\"");
    Format::compile("bench", &text).unwrap()
}

fn head() -> Record {
    let mut head = Record::new();
    head.set(Key::Reference, Value::Text("EX20261123-0001"));
    head.set(Key::PoolAccount, Value::Text("2700000000000001"));
    head.set(Key::Department, Value::Text("县农业农村局"));
    head.set(Key::Moment, Value::Moment(Moment::parse("2026-11-23T15:49:04").unwrap()));
    head
}

/// A payment as the daemon has it: owned, in memory.
struct Payment {
    ordinal: i64,
    account: String,
    name: String,
    amount: Fen,
    document: String,
}

impl Source for Payment {
    fn get(&self, key: Key) -> Option<Value<'_>> {
        Some(match key {
            Key::Ordinal => Value::Int(self.ordinal),
            Key::Account => Value::Text(&self.account),
            Key::PayeeName => Value::Text(&self.name),
            Key::Amount => Value::Amount(self.amount),
            Key::DocumentNumber => Value::Text(&self.document),
            Key::ProgrammeCode => Value::Text("GD2026"),
            Key::Summary => Value::Text("耕地地力保护补贴（2026年第一批）"),
            _ => return None,
        })
    }
}

fn row(ordinal: i64) -> Payment {
    Payment {
        ordinal,
        account: "6210000000000000011".to_owned(),
        name: "阿卜杜热合曼·阿卜杜克热木".to_owned(),
        amount: Fen::new(123_450),
        document: "11010519491231002X".to_owned(),
    }
}

/// The best round of each, as transactions in a second. They take turns, so that what the machine does beside them
/// for a while strikes all.
fn in_turns<const N: usize>(mut all: [&mut dyn FnMut() -> usize; N]) -> [f64; N] {
    let mut best = [0.0_f64; N];
    for _ in 0..ROUNDS {
        for (round, best) in all.iter_mut().zip(&mut best) {
            let begun = Instant::now();
            let rows = f64::from(u32::try_from(round()).unwrap());
            *best = best.max(rows / begun.elapsed().as_secs_f64());
        }
    }
    best
}

fn read(format: &Format, parts: &[Part]) -> usize {
    let mut reading = format.read(KIND, parts).unwrap();
    let mut rows = 0;
    while let Some(item) = reading.next().unwrap() {
        if let Item::Row(row) = item {
            rows += 1;
            black_box(row.text(Key::Account));
        }
    }
    rows
}

/// Events one after the other, and nothing done with them.
fn bare_events(text: &str) -> usize {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut rows = 0;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) if start.name().into_inner() == "CdtTrfTxInf" => rows += 1,
            Event::Eof => return rows,
            event => drop(black_box(event)),
        }
    }
}

/// The same through a buffer, as out of a stream.
fn buffered_events(bytes: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_reader(bytes);
    let mut buffer = Vec::new();
    let mut rows = 0;
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).unwrap() {
            Event::Start(start) if start.name().into_inner() == "CdtTrfTxInf" => rows += 1,
            Event::Eof => return rows,
            event => drop(black_box(event)),
        }
    }
}

/// The elements of one transaction, through the other library's writer.
fn bare_writer(text: &str, rows: usize) -> usize {
    let (_, rest) = text.split_once("<CdtTrfTxInf>").unwrap();
    let (inside, _) = rest.split_once("</CdtTrfTxInf>").unwrap();
    let one = format!("<CdtTrfTxInf>{inside}</CdtTrfTxInf>");
    let mut reader = quick_xml::Reader::from_str(&one);
    let mut events = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            event => events.push(event.into_owned()),
        }
    }
    let mut writer = quick_xml::Writer::new(Vec::with_capacity(one.len() * rows));
    for _ in 0..rows {
        for event in &events {
            match event {
                Event::Start(start) => {
                    let mut tag = BytesStart::new(start.name().into_inner());
                    for attribute in start.attributes() {
                        tag.push_attribute(attribute.unwrap());
                    }
                    writer.write_event(Event::Start(tag)).unwrap();
                }
                Event::End(end) => {
                    writer.write_event(Event::End(BytesEnd::new(end.name().into_inner()))).unwrap();
                }
                Event::Text(text) => {
                    writer.write_event(Event::Text(BytesText::new(text))).unwrap();
                }
                _ => {}
            }
        }
    }
    black_box(writer.into_inner()).len().min(rows)
}

/// A document whose transactions are made while they are read.
struct Endless {
    before: Vec<u8>,
    one: Vec<u8>,
    after: Vec<u8>,
    at: usize,
    left: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            let here = match (self.before.is_empty(), self.left) {
                (false, _) => &self.before,
                (true, 0) => &self.after,
                (true, _) => &self.one,
            };
            let rest = here.get(self.at..).unwrap_or_default();
            let length = rest.len().min(into.len() - filled);
            into[filled..filled + length].copy_from_slice(&rest[..length]);
            (self.at, filled) = (self.at + length, filled + length);
            if self.at == here.len() {
                match (self.before.is_empty(), self.left) {
                    (false, _) => self.before.clear(),
                    (true, 0) if self.after.is_empty() => break,
                    (true, 0) => self.after.clear(),
                    (true, _) => self.left -= 1,
                }
                self.at = 0;
            }
        }
        Ok(filled)
    }
}

/// The most memory that this process ever had, in MiB.
fn peak_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) / 1024
}

fn two_gib(format: &Format) {
    let parts = format.encode(KIND, &head(), &[row(1)]).unwrap();
    let text = String::from_utf8(parts[0].bytes.clone()).unwrap();
    let (before, rest) = text.split_once("<CdtTrfTxInf>").unwrap();
    let (inside, after) = rest.split_once("</CdtTrfTxInf>").unwrap();
    let one = format!("<CdtTrfTxInf>{inside}</CdtTrfTxInf>").into_bytes();
    let rows = 2 * GIB / one.len() + 1;
    let sum = Fen::new(123_450 * i64::try_from(rows).unwrap()).yuan();
    let before = before
        .replace("<NbOfTxs>1</NbOfTxs>", &format!("<NbOfTxs>{rows}</NbOfTxs>"))
        .replace("<CtrlSum>1234.50</CtrlSum>", &format!("<CtrlSum>{sum}</CtrlSum>"));
    let stream =
        Endless { before: before.into_bytes(), one, after: after.into(), at: 0, left: rows };
    let bytes = PartContent::Stream(Box::new(stream));
    let part = PartBytes { role: PartRole::Message, name: String::new(), bytes };
    let begun = Instant::now();
    let mut reading = format.read_streams(KIND, vec![part]).unwrap();
    let mut read = 0;
    while let Some(item) = reading.next().unwrap() {
        read += usize::from(matches!(item, Item::Row(_)));
    }
    assert_eq!(read, rows);
    println!(
        "2 GiB of pain.001, {rows} transactions: read in {:.1} s, {} MiB at the most",
        begun.elapsed().as_secs_f64(),
        peak_mib()
    );
}

fn main() {
    let format = format();
    // A document of 2 GiB takes a while: `cargo bench --bench xml -- --large`.
    if std::env::args().any(|given| given == "--large") {
        two_gib(&format);
    }
    let rows: Vec<Payment> = (1..=i64::try_from(ROWS).unwrap()).map(row).collect();
    let parts = format.encode(KIND, &head(), &rows).unwrap();
    let text = String::from_utf8(parts[0].bytes.clone()).unwrap();
    println!("pain.001: {} bytes a transaction", text.len() / ROWS);
    let head = head();
    let mut write = || {
        black_box(format.encode(KIND, &head, &rows).unwrap());
        ROWS
    };
    let [ours, bare] = in_turns([&mut write, &mut || bare_writer(&text, ROWS)]);
    println!("written   {ours:>10.0} tx/s");
    println!("  bare writer of quick-xml      {bare:>10.0} tx/s, we are {:.2} of it", ours / bare);
    let [ours, bare, buffered] =
        in_turns([&mut || read(&format, &parts), &mut || bare_events(&text), &mut || {
            buffered_events(text.as_bytes())
        }]);
    println!("read      {ours:>10.0} tx/s");
    println!("  bare event loop, borrowed     {bare:>10.0} tx/s, we are {:.2} of it", ours / bare);
    println!(
        "  bare event loop, buffered     {buffered:>10.0} tx/s, we are {:.2} of it",
        ours / buffered
    );
}
