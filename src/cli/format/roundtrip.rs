//! `daifa format roundtrip`: a message is read and written again, both as streams, and every byte of
//! the one is held against the other as it comes.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::cli::format::Failure;
use crate::format::sample::{self, Known};
use crate::format::{
    BytePlace, DataError, Format, MessageKind, PartBytes, PartContent, PartRole, Parts, Record,
    Records, Unreadable,
};

/// How many bytes of a field are shown at most.
const SHOWN_MAX: usize = 64;

/// How much is compared at a time.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) fn run(
    format: &Format,
    message: MessageKind,
    files: &[PathBuf],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // Where a message is one file, several files are several messages.
    let parts = format.parts(message).count();
    let size = if parts > 1 { files.len() } else { 1 };
    files.chunks(size).try_for_each(|files| one(format, message, files, out))
}

/// One message of all these parts.
fn one(
    format: &Format,
    message: MessageKind,
    files: &[PathBuf],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let kept = files.iter().map(|path| {
        let (role, name) = sample::role(format, message, path).map_err(Failure::Unable)?;
        Ok(Kept { role, name, path: path.clone() })
    });
    let kept: Vec<Kept> = kept.collect::<Result<_, Failure>>()?;
    let known = Known::of(format, message);
    let read = Again { format, message, known, kept: &kept, fault: RefCell::default() };
    let mut compared = Compared { kept: &kept, now: None, told: Vec::new(), differs: None };
    let poured = format.pour(message, &read, &mut compared);
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    if let Some((at, difference)) = compared.differs {
        let told = read.difference(&kept[at], &difference)?;
        return Err(Failure::Wrong(format!("{}: {told}", kept[at].path.display())));
    }
    if let Err(error) = poured {
        let error = read.fault.borrow_mut().take().unwrap_or_else(|| error.to_string());
        return Err(Failure::Wrong(format!("{}: {error}", names.join(", "))));
    }
    compared.told.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

/// A file of the message.
struct Kept {
    role: PartRole,
    name: String,
    path: PathBuf,
}

/// The records of the files, read anew whenever they are asked for.
struct Again<'f> {
    format: &'f Format,
    message: MessageKind,
    known: Known<'f>,
    kept: &'f [Kept],
    /// Why they cannot be read.
    fault: RefCell<Option<String>>,
}

impl Again<'_> {
    fn parts(&self) -> Result<Vec<PartBytes<'static>>, String> {
        let opened = self.kept.iter().map(|kept| {
            let file = File::open(&kept.path);
            let file = file.map_err(|error| format!("{}: {error}", kept.path.display()))?;
            let bytes = PartContent::Stream(Box::new(file));
            Ok(PartBytes { role: kept.role, name: kept.name.clone(), bytes })
        });
        opened.collect()
    }

    fn pass(&self, give: &mut dyn FnMut(usize, &Record) -> ControlFlow<()>) -> Result<(), String> {
        let told = |error: DataError| error.to_string();
        let mut reading = self.format.read_streams(self.message, self.parts()?).map_err(told)?;
        while let Some(piece) = reading.next_piece().map_err(told)? {
            if let Some(fault) = piece.fault {
                return Err(told(fault));
            }
            let Some(place) = self.known.place(piece.name) else { continue };
            if give(place, piece.record).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first byte that differs, in its field, with a caret under it.
    fn difference(&self, kept: &Kept, found: &Difference) -> Result<String, Failure> {
        let parts = self.parts().map_err(Failure::Unable)?;
        let place = self.format.place_in(self.message, kept.role, parts, found.at);
        let place = place.map_err(|error| Failure::Wrong(error.to_string()))?;
        let BytePlace { record, field, start, end } = place;
        let same = found.at;
        let from = start.min(same).max(same.saturating_sub(SHOWN_MAX / 2));
        let to = end.max(same + 1).min(from + SHOWN_MAX);
        let mut read = Vec::new();
        let mut shown = || -> io::Result<()> {
            let mut file = File::open(&kept.path)?;
            file.seek(SeekFrom::Start(u64::try_from(from).unwrap_or(u64::MAX)))?;
            let most = u64::try_from(to - from).unwrap_or(0);
            file.take(most).read_to_end(&mut read).map(|_| ())
        };
        shown().map_err(|error| Failure::Unable(format!("{}: {error}", kept.path.display())))?;
        let before = read.iter().take(same - from);
        let written = before.chain(&found.written).take(to - from);
        let record = match record {
            0 => String::new(),
            record => format!("record {record}, "),
        };
        Ok(format!(
            "the {} part differs at byte {same}: {record}field {field}\n  read    {}\n  written {}\n          {}^",
            kept.role,
            read.iter().map(|byte| printed(*byte)).collect::<String>(),
            written.map(|byte| printed(*byte)).collect::<String>(),
            " ".repeat(same - from),
        ))
    }
}

impl Records for Again<'_> {
    fn each(
        &self,
        give: &mut dyn FnMut(usize, &Record) -> ControlFlow<()>,
    ) -> Result<(), Unreadable> {
        self.pass(give).map_err(|what| {
            self.fault.replace(Some(what));
            Unreadable
        })
    }
}

/// Where what was written is another than what was read.
struct Difference {
    at: usize,
    /// What was written from there on.
    written: Vec<u8>,
}

/// What is written, held against the files as it comes.
struct Compared<'k> {
    kept: &'k [Kept],
    /// The file, how many bytes of it were the same, and which it is.
    now: Option<(BufReader<File>, usize, usize)>,
    /// What to say about each part that was the same.
    told: Vec<String>,
    differs: Option<(usize, Difference)>,
}

impl Parts for Compared<'_> {
    fn begin(&mut self, role: PartRole, _: &str) -> io::Result<()> {
        let found = self.kept.iter().enumerate().find(|(_, kept)| kept.role == role);
        self.now = match found {
            Some((at, kept)) => Some((BufReader::new(File::open(&kept.path)?), 0, at)),
            None => None,
        };
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some((file, passed, at)) = &mut self.now else { return Ok(()) };
        let mut there = Vec::with_capacity(PIECE_BYTES);
        for piece in bytes.chunks(PIECE_BYTES) {
            there.clear();
            let most = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            file.by_ref().take(most).read_to_end(&mut there)?;
            let same = piece.iter().zip(&there).take_while(|(a, b)| a == b).count();
            *passed += same;
            if same < piece.len() {
                let written = piece.iter().skip(same).take(SHOWN_MAX).copied().collect();
                self.differs = Some((*at, Difference { at: *passed, written }));
                return Err(io::Error::other("another byte"));
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let Some((mut file, passed, at)) = self.now.take() else { return Ok(()) };
        if file.read(&mut [0])? > 0 {
            self.differs = Some((at, Difference { at: passed, written: Vec::new() }));
            return Err(io::Error::other("the end"));
        }
        let kept = &self.kept[at];
        let name = kept.path.display();
        self.told.push(format!("{name}: {} part, {passed} bytes, the same", kept.role));
        Ok(())
    }
}

/// One sign for each byte, so that the caret stands under it.
const fn printed(byte: u8) -> char {
    match byte {
        b' '..=b'~' => byte as char,
        0x80.. => '▒',
        _ => '·',
    }
}
