//! Delimited: the fields of a record are set off by a sign, which is only one where it is no later
//! byte of a character (GBK has `|` in the middle of many).

use std::ops::Range;

use crate::format::cell::{Cell, Pen};
use crate::format::charset::{Charset, Sign};
use crate::format::error::FieldFault;
use crate::format::words::Source;

/// How fields are set off.
#[derive(Debug, Clone)]
pub(crate) struct Delimited {
    pub separator: Sign,
    /// Any number of blanks separates; one is written.
    pub blanks: bool,
    pub quote: Option<Quote>,
    /// Stands before a sign that separates nothing, and before itself.
    pub escape: Option<Sign>,
    /// Sets values apart that stand in one column together.
    pub inner: Option<Sign>,
    /// The first sign of what ends a line.
    pub end: Sign,
    /// A separator stands behind the last field too.
    pub trailing: bool,
    /// Fields without a value at the end of a line are left out.
    pub short: bool,
}

/// What a field takes of its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// It always takes so many bytes.
    pub width: Option<usize>,
    pub width_max: Option<usize>,
    /// All that is left of the line, whatever would separate fields in it.
    pub rest: bool,
    /// It always has quotes, or never has; else the part says when.
    pub quoted: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub sign: Sign,
    /// Every field has quotes, or only those that need them.
    pub always: bool,
}

impl Delimited {
    /// Appends one field.
    pub fn put(
        &self,
        cell: &Cell,
        Room { width, width_max, rest, quoted }: Room,
        pen: &Pen<'_>,
        source: &dyn Source,
        out: &mut Vec<u8>,
    ) -> Result<(), FieldFault> {
        let from = out.len();
        // A zero takes as many bytes as any sign of the character set.
        let zeros = width.filter(|_| cell.is_number()).unwrap_or(0) / self.unit();
        let there = cell.write(pen, source, zeros, out)?;
        let needed = out.len() - from;
        let absent =
            cell.absent.as_ref().is_some_and(|absent| out.get(from..) == Some(&absent.bytes));
        if let Some(exact) = width.filter(|exact| there && !absent && *exact != needed) {
            if needed > exact {
                return Err(FieldFault::TooWide { needed, there: exact });
            }
            return Err(FieldFault::TooShort { taken: needed, there: exact });
        }
        if let Some(most) = width_max.filter(|most| needed > *most) {
            return Err(FieldFault::TooWide { needed, there: most });
        }
        let value = out.get(from..).unwrap_or_default();
        let has = |sign: Sign| pen.charset.find(value, 0, sign).is_some();
        let spelled = |ascii: u8| pen.charset.sign(ascii);
        let other = |ascii: u8| spelled(ascii).is_some_and(|sign| self.end != sign && has(sign));
        let ends = has(self.end) || other(b'\n') || other(b'\r');
        let sets_apart = |sign: Sign| !rest && has(sign);
        let special = ends || sets_apart(self.separator) || self.inner.is_some_and(sets_apart);
        // Blanks before what is left would be taken for more of the same separator.
        let lost = self.blanks
            && match value.first() {
                _ if !rest => spelled(b'\t').is_some_and(has) || !there,
                first => first.is_none_or(|first| matches!(first, b' ' | b'\t')),
            };
        if let Some(escape) = self.escape
            && (special || has(escape))
        {
            let plain = out.split_off(from);
            self.escaped(pen.charset, &plain, escape, out);
            return Ok(());
        }
        let quote = self.quote.filter(|_| quoted != Some(false));
        let unquoted = self.quote.map(|quote| quote.sign).filter(|_| quote.is_none());
        match quote {
            None if special || lost || unquoted.is_some_and(has) => {
                let signs = [Some(self.separator), self.inner, unquoted, Some(self.end)];
                let sign = signs.into_iter().flatten().find(|sign| has(*sign));
                let character = sign.unwrap_or(self.separator).character;
                Err(FieldFault::NotEncodable { character })
            }
            Some(quote)
                if special || has(quote.sign) || quoted.is_some() || (quote.always && there) =>
            {
                let plain = out.split_off(from);
                out.extend_from_slice(quote.sign.bytes());
                let mut rest = 0;
                while let Some(at) = pen.charset.find(&plain, rest, quote.sign) {
                    let behind = at + self.unit();
                    out.extend_from_slice(&plain[rest..behind]);
                    out.extend_from_slice(quote.sign.bytes());
                    rest = behind;
                }
                out.extend_from_slice(&plain[rest..]);
                out.extend_from_slice(quote.sign.bytes());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// How many bytes a sign has.
    const fn unit(&self) -> usize {
        self.separator.length()
    }

    /// Appends a value with the escape sign before each that would be taken for another thing.
    fn escaped(&self, charset: Charset, plain: &[u8], escape: Sign, out: &mut Vec<u8>) {
        let mut from = 0;
        loop {
            let signs = self.signs(escape);
            let next = signs.iter().filter_map(|sign| charset.find(plain, from, *sign)).min();
            let Some(at) = next else { break };
            out.extend_from_slice(&plain[from..at]);
            out.extend_from_slice(escape.bytes());
            from = at + self.unit();
            out.extend_from_slice(&plain[at..from]);
        }
        out.extend_from_slice(plain.get(from..).unwrap_or_default());
    }

    /// The signs that an escape stands before.
    fn signs(&self, escape: Sign) -> [Sign; 4] {
        [escape, self.separator, self.end, self.inner.unwrap_or(escape)]
    }

    /// The first place from `from` on where a sign stands for itself.
    pub(super) fn find(
        &self,
        charset: Charset,
        bytes: &[u8],
        from: usize,
        sign: Sign,
    ) -> Option<usize> {
        let mut found = charset.find(bytes, from, sign)?;
        let Some(escape) = self.escape else { return Some(found) };
        let mut at = from;
        loop {
            let Some(escaped) = charset.find(bytes.get(..found)?, at, escape) else {
                return Some(found);
            };
            at = escaped + 2 * self.unit();
            if at > found {
                found = charset.find(bytes, at, sign)?;
            }
        }
    }

    /// The first escape sign of a column that stands before nothing which needs one.
    fn needless(&self, charset: Charset, column: &[u8]) -> Option<usize> {
        let escape = self.escape?;
        let mut from = 0;
        while let Some(at) = charset.find(column, from, escape) {
            let next = column.get(at + self.unit()..).unwrap_or_default();
            if !self.signs(escape).iter().any(|sign| sign.begins(next)) {
                return Some(at);
            }
            from = at + 2 * self.unit();
        }
        None
    }

    /// Where the line that begins here ends: the length of its fields. Nothing where it is not
    /// whole yet.
    pub fn line(&self, charset: Charset, bytes: &[u8], end: &[u8]) -> Option<usize> {
        // Quotes are counted once, however many lines stand between two of them.
        let (mut from, mut inside) = (0, false);
        loop {
            let at = self.find(charset, bytes, from, self.end)?;
            if let Some(quote) = self.quote {
                let line = bytes.get(..at).unwrap_or_default();
                inside ^= !quotes(charset, line, from, quote.sign).is_multiple_of(2);
            }
            if !inside && bytes.get(at..).unwrap_or_default().starts_with(end) {
                return Some(at);
            }
            from = at + self.unit();
        }
    }

    /// The columns of a line.
    ///
    /// # Errors
    /// The byte at which a quoted field is none.
    pub fn columns(
        &self,
        charset: Charset,
        line: &[u8],
        into: &mut Vec<Range<usize>>,
    ) -> Result<(), usize> {
        into.clear();
        let mut from = 0;
        if self.blanks {
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
            while let Some(skip) = line.get(from..).and_then(|r| r.iter().position(|b| !blank(b))) {
                let start = from + skip;
                let rest = line.get(start..).unwrap_or_default();
                let length = rest.iter().position(blank).unwrap_or(rest.len());
                into.push(start..start + length);
                from = start + length;
            }
            return Ok(());
        }
        loop {
            let rest = line.get(from..).unwrap_or_default();
            let quoted = self.quote.filter(|quote| quote.sign.begins(rest));
            let end = if let Some(quote) = quoted {
                let end = closing(charset, line, from, quote.sign).ok_or(from)?;
                into.push(from..end);
                end
            } else {
                let end = self.find(charset, line, from, self.separator).unwrap_or(line.len());
                let column = line.get(from..end).unwrap_or_default();
                if let Some(needless) = self.needless(charset, column) {
                    return Err(from + needless);
                }
                into.push(from..end);
                end
            };
            match line.get(end..).unwrap_or_default() {
                [] => break,
                behind if self.separator.begins(behind) => from = end + self.unit(),
                _ => return Err(end),
            }
        }
        if self.trailing {
            match into.pop() {
                Some(last) if last.is_empty() => {}
                _ => return Err(line.len()),
            }
        }
        Ok(())
    }

    /// A column without its quotes; `into` holds it where a quote inside was doubled or a sign escaped.
    pub fn value<'l>(&self, charset: Charset, column: &'l [u8], into: &'l mut Vec<u8>) -> &'l [u8] {
        if let Some(escape) = self.escape {
            if charset.find(column, 0, escape).is_none() {
                return column;
            }
            into.clear();
            let mut rest = 0;
            while let Some(at) = charset.find(column, rest, escape) {
                into.extend_from_slice(column.get(rest..at).unwrap_or_default());
                let next = at + self.unit();
                rest = next + self.unit();
                into.extend_from_slice(column.get(next..rest).unwrap_or_default());
            }
            into.extend_from_slice(column.get(rest..).unwrap_or_default());
            return into;
        }
        let Some(quote) = self.quote.filter(|quote| quote.sign.begins(column)) else {
            return column;
        };
        let unit = self.unit();
        let inner = column.get(unit..column.len() - unit).unwrap_or_default();
        if charset.find(inner, 0, quote.sign).is_none() {
            return inner;
        }
        into.clear();
        let mut rest = 0;
        while let Some(at) = charset.find(inner, rest, quote.sign) {
            into.extend_from_slice(&inner[rest..at + unit]);
            rest = at + 2 * unit;
        }
        into.extend_from_slice(inner.get(rest..).unwrap_or_default());
        into
    }
}

/// How many quotes there are from a place on.
fn quotes(charset: Charset, line: &[u8], mut from: usize, sign: Sign) -> usize {
    let mut count = 0;
    while let Some(at) = charset.find(line, from, sign) {
        (count, from) = (count + 1, at + sign.length());
    }
    count
}

/// The byte behind the quote that closes the field which begins here.
fn closing(charset: Charset, line: &[u8], from: usize, sign: Sign) -> Option<usize> {
    let mut at = from + sign.length();
    loop {
        let behind = charset.find(line, at, sign)? + sign.length();
        if !line.get(behind..).is_some_and(|rest| sign.begins(rest)) {
            return Some(behind);
        }
        at = behind + sign.length();
    }
}
