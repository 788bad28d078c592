//! One value in one place: how it is spelled in bytes, whatever the layout around it.
//!
//! Fixed width adds filling, XML adds tags; what an amount, a count or a date looks like is decided
//! here alone.

use crate::format::charset::Charset;
use crate::format::computed::{Computed, Facts, Stated};
use crate::format::condition::When;
use crate::format::error::{FieldFault, shape};
use crate::format::moment;
use crate::format::number::{Form, Shape};
use crate::format::record::Record;
use crate::format::text::{Only, joined, read_text, write_default, write_text};
use crate::format::words::{Moment, Slot, Source, Value};

pub(crate) use crate::format::content::{Absent, Bind, Join, Spelling, Word};

/// One place for one value.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// For messages: the key, or what the description calls it.
    pub name: String,
    pub bind: Bind,
    pub spelling: Spelling,
    pub optional: bool,
    /// Written where the caller has no value of his own.
    pub default: Option<String>,
    /// What stands where there is no value, in layouts without filling.
    pub absent: Option<Absent>,
    pub when: Option<When>,
    /// The bank may cut this text inside a character; what is left of it is dropped when read.
    pub cut_tail: bool,
    /// The code table that gives the meaning of what stands here.
    pub codes: Option<usize>,
}

/// What is wrong with the bytes of one value. Passed in a box: that there is none must cost nothing.
#[derive(Debug, Clone)]
pub(crate) struct ReadFault {
    /// In bytes from the start of the value.
    pub at: usize,
    pub found: String,
    pub expected: String,
}

/// What values are written with.
pub(crate) struct Pen<'a> {
    pub charset: Charset,
    pub facts: &'a Facts,
}

impl Cell {
    /// What the cell is filled from and read into; nothing for what is not a value.
    #[inline]
    pub const fn slot(&self) -> Option<Slot> {
        match self.bind {
            Bind::Slot(slot) | Bind::Joined { slot, .. } | Bind::Piece { slot, .. } => Some(slot),
            Bind::Literal { .. } | Bind::Computed(_) | Bind::Ignored { .. } | Bind::Sign { .. } => {
                None
            }
        }
    }

    /// Is it spelled in digits, before which zeros change nothing?
    pub const fn is_number(&self) -> bool {
        matches!(self.spelling.shape(), Some(Shape { form: Form::Text, .. }))
    }

    /// Is it a number that is no text, so that all bytes of its place belong to it?
    pub const fn is_raw_number(&self) -> bool {
        self.spelling.shape().is_some() && !self.is_number()
    }

    /// May there be nothing in its place?
    #[inline]
    pub const fn may_be_absent(&self) -> bool {
        self.optional || self.when.is_some()
    }

    /// May nothing stand between what sets a field off? A constant may be empty, and what is read
    /// whatever it is too.
    pub const fn may_be_empty(&self) -> bool {
        self.may_be_absent()
            || match &self.bind {
                Bind::Literal { bytes, .. } => bytes.is_empty(),
                Bind::Ignored { .. } => true,
                _ => false,
            }
    }

    /// Appends the value without any filling but the zeros of a number, which go up to `fill`
    /// bytes; tells whether there is one.
    #[inline]
    pub fn write(
        &self,
        pen: &Pen<'_>,
        source: &dyn Source,
        fill: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, FieldFault> {
        if self.when.as_ref().is_some_and(|when| !when.holds(source)) {
            return Ok(self.write_absent(out));
        }
        match &self.bind {
            Bind::Literal { bytes, .. } | Bind::Ignored { bytes } => {
                out.extend_from_slice(bytes);
                Ok(true)
            }
            Bind::Computed(computed) => self.write_computed(computed, pen, fill, out),
            Bind::Sign { of, .. } => {
                let Some(number) = of.number(pen, source) else {
                    return if self.optional {
                        Ok(self.write_absent(out))
                    } else {
                        Err(FieldFault::Missing)
                    };
                };
                let Spelling::Words(words) = &self.spelling else { return Ok(false) };
                match words.get(usize::from(number < 0)) {
                    Some(word) if !word.bytes.is_empty() => out.extend_from_slice(&word.bytes),
                    // No sign is a plus.
                    _ => return Ok(self.write_absent(out)),
                }
                Ok(true)
            }
            Bind::Slot(slot) => self.write_value(source.slot(*slot), pen, fill, out),
            Bind::Piece { slot, sign, at, of } => {
                let Some(Value::Text(text)) = source.slot(*slot) else {
                    return self.write_value(None, pen, fill, out);
                };
                if text.split(*sign).count() > *of {
                    return Err(out_of_range(&format!("at most {of} texts with {sign} between")));
                }
                let piece = text.split(*sign).nth(*at).map(Value::Text);
                self.write_value(piece, pen, fill, out)
            }
            Bind::Joined { slot, pieces } => match source.slot(*slot) {
                None | Some(Value::Text("")) => {
                    let joined = joined(pieces, source);
                    self.write_value(Some(Value::Text(&joined)), pen, fill, out)
                }
                own => self.write_value(own, pen, fill, out),
            },
        }
    }

    /// Appends what stands for no value; tells whether anything does.
    fn write_absent(&self, out: &mut Vec<u8>) -> bool {
        if let Some(absent) = &self.absent {
            out.extend_from_slice(&absent.bytes);
        }
        self.absent.is_some()
    }

    #[inline]
    fn write_value(
        &self,
        value: Option<Value<'_>>,
        pen: &Pen<'_>,
        fill: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, FieldFault> {
        let value = match value {
            None | Some(Value::Text("")) => {
                let Some(default) = &self.default else {
                    if self.optional {
                        return Ok(self.write_absent(out));
                    }
                    return Err(FieldFault::Missing);
                };
                return write_default(default, pen, out);
            }
            Some(value) => value,
        };
        let from = out.len();
        if let (Some(absent), Value::Text(text)) = (&self.absent, value)
            && absent.text == text
        {
            return Err(out_of_range(&format!("a value; {text:?} says that there is none")));
        }
        match (&self.spelling, value) {
            (Spelling::Text(only), Value::Text(text)) => {
                return write_text(pen.charset, *only, text, out).map(|()| true);
            }
            (Spelling::Words(words), Value::Text(text)) => {
                let word = words.iter().find(|word| word.ours == text);
                let word = word.ok_or_else(|| out_of_range(&told_words(words)))?;
                out.extend_from_slice(&word.bytes);
                return Ok(true);
            }
            (Spelling::Int(shape), Value::Int(number))
            | (Spelling::Decimal(shape), Value::Decimal(number)) => {
                shape.write(number, fill, out)?;
            }
            (Spelling::Amount(amount), Value::Amount(fen)) => amount.write(fen, fill, out)?,
            (Spelling::Moment(pieces), Value::Moment(moment)) => {
                moment::write(pieces, moment, out)?;
            }
            _ => return Err(out_of_range("a value of the kind that its name says")),
        }
        if !pen.charset.has_ascii() && !self.is_raw_number() {
            pen.charset.respell(from, out);
        }
        Ok(true)
    }

    fn write_computed(
        &self,
        computed: &Computed,
        pen: &Pen<'_>,
        fill: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, FieldFault> {
        let from = out.len();
        match &self.spelling {
            Spelling::Binary { width, little } => {
                let number = pen.facts.number(computed);
                let number =
                    u64::try_from(number).map_err(|_| out_of_range("no negative number"))?;
                let bytes = number.to_be_bytes();
                let (rest, bytes) = bytes.split_at(bytes.len() - width);
                if rest.iter().any(|byte| *byte != 0) {
                    return Err(FieldFault::TooWide { needed: 8, there: *width });
                }
                out.extend_from_slice(bytes);
                if *little {
                    out[from..].reverse();
                }
                return Ok(true);
            }
            Spelling::Int(shape) | Spelling::Decimal(shape) => {
                shape.write(pen.facts.number(computed), fill, out)?;
            }
            Spelling::Amount(amount) => {
                let fen = crate::model::money::Fen::new(pen.facts.number(computed));
                amount.write(fen, fill, out)?;
            }
            // A part that was left out has neither a name nor a digest.
            Spelling::Hex { .. } | Spelling::Text(_)
                if self.optional && pen.facts.text(computed).is_none() =>
            {
                return Ok(self.write_absent(out));
            }
            Spelling::Hex { upper } => {
                let text = pen.facts.text(computed).ok_or(FieldFault::Missing)?;
                let cased = if *upper { text.to_ascii_uppercase() } else { text.to_owned() };
                out.extend_from_slice(cased.as_bytes());
            }
            _ => {
                let text = pen.facts.text(computed).ok_or(FieldFault::Missing)?;
                return write_text(pen.charset, Only::Any, text, out).map(|()| true);
            }
        }
        if !pen.charset.has_ascii() && !self.is_raw_number() {
            pen.charset.respell(from, out);
        }
        Ok(true)
    }

    /// The bytes of a number or date as ASCII spells it, whatever the character set.
    #[inline]
    fn plain<'b>(&self, charset: Charset, bytes: &'b [u8], plain: &'b mut Vec<u8>) -> &'b [u8] {
        if self.is_raw_number() { bytes } else { charset.plain(bytes, plain) }
    }

    /// Reads the value, which has no filling around it any more and is not empty.
    #[inline]
    pub fn read(
        &self,
        charset: Charset,
        bytes: &[u8],
        record: &mut Record,
        stated: &mut Stated,
    ) -> Result<(), Box<ReadFault>> {
        if let Some(absent) = &self.absent {
            let spelled =
                if charset == Charset::Utf8 { absent.text.as_bytes() } else { &absent.bytes };
            if spelled == bytes {
                return Ok(());
            }
        }
        match &self.bind {
            Bind::Ignored { .. } => Ok(()),
            Bind::Literal { text, bytes: spelled } => {
                // A document is read as UTF-8, whatever it was written in.
                let literal = if charset == Charset::Utf8 { text.as_bytes() } else { spelled };
                if literal == bytes {
                    return Ok(());
                }
                let expected = format!("the constant {text:?}");
                Err(Box::new(ReadFault { at: 0, found: shape(bytes), expected }))
            }
            Bind::Computed(computed) => self.read_computed(computed, charset, bytes, stated),
            Bind::Sign { of, .. } => {
                let Spelling::Words(words) = &self.spelling else { return Ok(()) };
                let sign = words.iter().position(|word| word.is(charset, bytes));
                let sign = sign.ok_or_else(|| not(bytes, &told_theirs(words)))?;
                stated.signs.push((*of, sign > 0));
                Ok(())
            }
            Bind::Piece { slot, sign, at, .. } => {
                let Spelling::Text(only) = self.spelling else { return Ok(()) };
                let mut piece = String::new();
                read_text(charset, only, self.cut_tail, bytes, &mut piece)?;
                if piece.contains(*sign) {
                    return Err(not(bytes, &format!("a text without {sign}")));
                }
                // The pieces before it may not be there.
                let before = match record.slot(*slot) {
                    Some(Value::Text(text)) => Some(text.split(*sign).count()),
                    _ => None,
                };
                let text = record.text_slot(*slot);
                if before.is_none() {
                    text.clear();
                }
                text.extend((before.unwrap_or(1)..=*at).map(|_| *sign));
                text.push_str(&piece);
                Ok(())
            }
            Bind::Slot(slot) | Bind::Joined { slot, .. } => {
                self.read_value(*slot, charset, bytes, record)
            }
        }
    }

    #[inline]
    fn read_value(
        &self,
        slot: Slot,
        charset: Charset,
        bytes: &[u8],
        record: &mut Record,
    ) -> Result<(), Box<ReadFault>> {
        let mut plain = Vec::new();
        match &self.spelling {
            Spelling::Text(only) => {
                let text = record.text_slot(slot);
                let read = read_text(charset, *only, self.cut_tail, bytes, text);
                // Where only the beginning of one character was left, nothing was.
                let nothing = self.cut_tail && text.is_empty();
                if nothing || read.is_err() {
                    record.unset_slot(slot);
                }
                if nothing && read.is_ok() && !self.may_be_absent() {
                    return Err(not(bytes, "a value"));
                }
                return read;
            }
            Spelling::Words(words) => {
                let word = words.iter().find(|word| word.is(charset, bytes));
                let word = word.ok_or_else(|| not(bytes, &told_theirs(words)))?;
                record.set_slot(slot, Value::Text(&word.ours));
            }
            Spelling::Int(shape) => {
                let number = shape.take(self.plain(charset, bytes, &mut plain))?;
                record.set_slot(slot, Value::Int(number));
            }
            Spelling::Decimal(shape) => {
                let number = shape.take(self.plain(charset, bytes, &mut plain))?;
                record.set_slot(slot, Value::Decimal(number));
            }
            Spelling::Amount(amount) => {
                let fen = amount.take(self.plain(charset, bytes, &mut plain))?;
                record.set_slot(slot, Value::Amount(fen));
            }
            Spelling::Moment(pieces) => {
                // A date and a time may stand in two places: what is known stays.
                let known = match record.slot(slot) {
                    Some(Value::Moment(moment)) => moment,
                    _ => NO_MOMENT,
                };
                let moment = moment::read(pieces, known, self.plain(charset, bytes, &mut plain))?;
                record.set_slot(slot, Value::Moment(moment));
            }
            Spelling::Literal
            | Spelling::Hex { .. }
            | Spelling::Binary { .. }
            | Spelling::Anything => {}
        }
        Ok(())
    }

    /// What the message says about itself is kept until it can be compared.
    fn read_computed(
        &self,
        computed: &Computed,
        charset: Charset,
        bytes: &[u8],
        stated: &mut Stated,
    ) -> Result<(), Box<ReadFault>> {
        let mut plain = Vec::new();
        match &self.spelling {
            Spelling::Binary { little, .. } => {
                let digit = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
                let number = if *little {
                    bytes.iter().rev().fold(0, digit)
                } else {
                    bytes.iter().fold(0, digit)
                };
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                stated.number(computed, number, &self.name);
            }
            Spelling::Int(shape) | Spelling::Decimal(shape) => {
                let number = shape.take(self.plain(charset, bytes, &mut plain))?;
                stated.number(computed, number, &self.name);
            }
            Spelling::Amount(amount) => {
                let fen = amount.take(self.plain(charset, bytes, &mut plain))?;
                stated.number(computed, fen.get(), &self.name);
            }
            Spelling::Hex { upper } => {
                let text = self.plain(charset, bytes, &mut plain);
                let cased = |b: &u8| b.is_ascii_digit() || (b.is_ascii_uppercase() == *upper);
                if !text.iter().all(|b| b.is_ascii_hexdigit() && cased(b)) {
                    let case = if *upper { "upper" } else { "lower" };
                    return Err(not(bytes, &format!("hexadecimal digits in {case} case")));
                }
                stated.text(computed, &String::from_utf8_lossy(text), &self.name);
            }
            _ => {
                let mut text = String::new();
                read_text(charset, Only::Any, false, bytes, &mut text)?;
                stated.text(computed, &text, &self.name);
            }
        }
        Ok(())
    }
}

/// Where nothing is known of a date or time yet.
pub(crate) const NO_MOMENT: Moment =
    Moment { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0 };

pub(crate) fn out_of_range(expected: &str) -> FieldFault {
    FieldFault::OutOfRange { expected: expected.to_owned() }
}

#[expect(clippy::unnecessary_box_returns, reason = "it is passed on as it is")]
pub(crate) fn not(bytes: &[u8], expected: &str) -> Box<ReadFault> {
    Box::new(ReadFault { at: 0, found: shape(bytes), expected: expected.to_owned() })
}

fn told_words(words: &[Word]) -> String {
    let words: Vec<&str> = words.iter().map(|word| word.ours.as_str()).collect();
    format!("one of {}", words.join(", "))
}

fn told_theirs(words: &[Word]) -> String {
    let words: Vec<&str> = words.iter().map(|word| word.theirs.as_str()).collect();
    format!("one of {}", words.join(", "))
}
