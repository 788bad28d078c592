//! What one short field costs in each character set, both ways: `cargo bench --bench charset`.
//!
//! The character sets are no part of the library's face, so this includes them as they stand. Each
//! figure is the best of many rounds, in nanoseconds for one field into a buffer that is kept; the last
//! one is the first use, which makes the tables.

#![allow(clippy::disallowed_methods, reason = "a bench measures")]
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(unused, reason = "a bench calls a part of it and none of its tests")]

use std::hint::black_box;
use std::time::Instant;

#[path = "../src/format/charset/mod.rs"]
mod charset;

/// Where the included files look for each other.
mod format {
    pub(crate) use crate::charset;
}

use charset::{Charset, Controls, Sign};

const ROUNDS: u32 = 60;
const FIELDS_PER_ROUND: u32 = 20_000;

fn main() {
    println!("{:<43} {:>6} {:>8} {:>8} {:>9}", "", "bytes", "read ns", "write ns", "first µs");
    for (charset, text) in [
        (Charset::Gb18030, "张三丰"),
        (Charset::Gb18030, "6222021001116245702"),
        (Charset::Gb18030, "东升镇2026年3月养老金"),
        (Charset::Gb18030, "阿卜杜热合曼·阿卜杜克热木"),
        (Charset::Gb18030, "㐀𠮷三"),
        (Charset::Gbk, "张三丰"),
        (Charset::Gb2312, "张三丰"),
        (Charset::Big5, "張三豐"),
        (Charset::ShiftJis, "山田ﾀﾛｳ"),
        (Charset::Utf8, "张三丰"),
        (Charset::Utf16Be, "张三丰"),
        (Charset::Latin1, "João Conceição"),
        (Charset::Windows1252, "João Conceição"),
        (Charset::Cp037, "João Conceição"),
        (Charset::Cp935, "张三丰"),
        (Charset::Cp1388, "张三丰"),
    ] {
        let mut bytes = Vec::new();
        let begin = Instant::now();
        charset.encode_into(text, &mut bytes).unwrap_or_else(|lost| panic!("no {lost} here"));
        let first = begin.elapsed().as_micros();
        let mut read = String::with_capacity(256);
        let reading = best(|| {
            read.clear();
            let done = charset.decode_into(black_box(&bytes), Controls::None, &mut read);
            assert!(done.is_ok());
            black_box(&read);
        });
        assert_eq!(read, text);
        let mut written = Vec::with_capacity(256);
        let writing = best(|| {
            written.clear();
            assert!(charset.encode_into(black_box(text), &mut written).is_ok());
            black_box(&written);
        });
        println!(
            "{:<14} {text:<28} {:>6} {:>8} {:>8} {:>9}",
            charset.as_str(),
            bytes.len(),
            in_ns(reading),
            in_ns(writing),
            first
        );
    }
    for (name, row) in [
        ("find | in ASCII", "6222021001116245702,00000001250000,20260301,00000000000000000017|"),
        ("find | in Chinese", "东升镇二〇二六年三月养老金发放户名阿卜杜热合曼·阿卜杜克热木|"),
    ] {
        let mut bytes = Vec::new();
        assert!(Charset::Gb18030.encode_into(row, &mut bytes).is_ok());
        let finding = best(|| {
            assert_eq!(
                Charset::Gb18030.find(black_box(&bytes), 0, Sign::byte(b'|')),
                Some(bytes.len() - 1)
            );
        });
        println!("{name:<43} {:>6} {:>8}", bytes.len(), in_ns(finding));
    }
}

/// The best time of a round of fields, in picoseconds for one.
fn best(mut field: impl FnMut()) -> u128 {
    let round = |_| {
        let begin = Instant::now();
        for _ in 0..FIELDS_PER_ROUND {
            field();
        }
        begin.elapsed().as_nanos() * 1_000 / u128::from(FIELDS_PER_ROUND)
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn in_ns(picoseconds: u128) -> String {
    format!("{}.{}", picoseconds / 1_000, picoseconds % 1_000 / 100)
}
