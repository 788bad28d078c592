//! F38 to F45, F52: samples that were changed, cut, doubled, spliced and lied to, through every reader.
//! None panics, each call ends in time and within its memory, and what is refused has a place.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::readers::{READERS, Reader, reader};
use crate::{HEAP, alone, long};

/// How long one call may take, on a machine that does other things too.
const CALL_MAX: Duration = Duration::from_secs(3);

/// What one call may hold at a time: a window on the bytes, a few records, and a multiple of what
/// it was given: lines whose blanks were left out may have two bytes, and each is about a kilobyte
/// where all of them are kept as values. What a stream may hold is asked by the floods.
const HEAP_MAX: usize = 48 << 20;

/// The longest bytes that are made.
const BYTES_MAX: usize = 96 << 10;

/// Bytes that begin something.
const SIGNS: &[u8] = b"\0\t\n\r \"&'+,-./0129:;<=>?@ACDTZ[\\]^_`{|}~\x7F\x80\x81\x84\xA1\xFE\xFF\x0E\x0F\x15\x1A\x40";

/// Texts that stand in what others send.
const WORDS: &[&[u8]] = &[
    b"</>",
    b"<",
    b"/>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<!DOCTYPE a [",
    b"<?xml version=\"1.0\"?>",
    b"&amp;",
    b"&#48;",
    b"&#x4E2D;",
    b"<!-- -->",
    b"<?x y?>",
    b"&x;",
    b"xmlns=\"\"",
    b" a=\"1\"",
    b"\"\"",
    b"\r\n",
    b"\xEF\xBB\xBF",
    b"99999999999999999999",
    b"-1",
    b"00000000",
    b"\x81\x30\x81\x30",
    b"\xFE\xFE",
    b"[[message]]\n",
    b"width = 99999999999",
    b"= \"",
    b" = { ",
    b"null",
    b"1e999",
    b"\\u0000",
];

/// Steps that follow from where they began (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % count.max(1)
    }
}

/// Changes bytes a little, or a lot.
fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let to = (at + random.below(40)).min(bytes.len());
        match random.below(11) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = SIGNS[random.below(SIGNS.len())],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let copy = bytes[at..to].to_vec();
                let there = random.below(bytes.len() + 1);
                bytes.splice(there..there, copy);
            }
            5 => {
                let other = &others[random.below(others.len())];
                let from = random.below(other.len() + 1);
                let piece = &other[from..(from + random.below(200)).min(other.len())];
                bytes.splice(at..to, piece.iter().copied());
            }
            6 => {
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            7 => lie(bytes, at, random),
            8 => {
                let copy = bytes[at..to].to_vec();
                let times = (BYTES_MAX / copy.len().max(1)).min(1 << random.below(14));
                bytes.splice(at..at, copy.repeat(times));
            }
            9 => drop(bytes.splice(at..at, [SIGNS[random.below(SIGNS.len())]])),
            _ => bytes.rotate_left(at),
        }
        bytes.truncate(BYTES_MAX);
    }
}

/// Another number where there is one: a length, a count, an amount.
fn lie(bytes: &mut [u8], from: usize, random: &mut Random) {
    let digits = bytes.iter_mut().skip(from).skip_while(|byte| !byte.is_ascii_digit());
    let with = random.below(12);
    for digit in digits.take_while(|byte| byte.is_ascii_digit()) {
        *digit = b'0' + u8::try_from(if with < 10 { with } else { random.below(10) }).unwrap();
    }
}

/// What is kept in the repository for a reader: what was found once stays found.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One call, with the bytes told where it does not hold.
fn call(reader: &Reader, bytes: &[u8]) {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let began = Instant::now();
    let ended = std::panic::catch_unwind(|| (reader.read)(bytes));
    let took = began.elapsed();
    let held = HEAP.peak_usage().saturating_sub(before);
    let what = if ended.is_err() {
        "a panic"
    } else if took > CALL_MAX {
        "too long"
    } else if held > HEAP_MAX {
        "too much memory"
    } else {
        return;
    };
    let path = std::env::temp_dir().join(format!("daifa-{}-{}", reader.name, bytes.len()));
    std::fs::write(&path, bytes).unwrap();
    panic!("{}: {what} ({took:?}, {held} bytes); kept as {}", reader.name, path.display());
}

fn try_changes(name: &str) {
    let _alone = alone();
    let reader = reader(name);
    let mut seeds = (reader.seeds)();
    assert!(!seeds.is_empty(), "nothing to begin from");
    seeds.extend(kept(name));
    for seed in &seeds {
        call(reader, seed);
    }
    let time = Duration::from_secs(if long() { 60 } else { 2 });
    let began = Instant::now();
    let mut random = Random(0x0DA1_FA00 + u64::try_from(name.len()).unwrap());
    let mut rounds = 0;
    while began.elapsed() < time {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        change(&mut bytes, &seeds, &mut random);
        call(reader, &bytes);
        rounds += 1;
    }
    println!("{name}: {} seeds, {rounds} changes", seeds.len());
    assert!(rounds > 20, "too slow to say anything");
}

macro_rules! tried {
    ($($test:ident $name:literal),+ $(,)?) => {
        $(#[test] fn $test() { try_changes($name); })+

        #[test]
        fn every_reader_is_tried() {
            let tried = [$($name),+];
            assert!(READERS.iter().all(|reader| tried.contains(&reader.name)));
        }
    };
}

tried! {
    f38_f42_fixed_width "fixed",
    f38_f42_delimited "delimited",
    f38_f42_tagged "tagged",
    f44_documents "xml",
    f52_frames_that_lie "frames",
    f40_character_sets "charsets",
    f37_numbers_and_dates "numbers",
    f57_descriptions "description",
    f45_file_names "names",
    values_of_encode "values",
    f63_what_finance_sends "finance",
    i21_layouts "layouts",
}
