//! Parts that are records one after the other: in fixed width, delimited, or tagged. What stands in
//! a record differs; which records follow each other, what they count, and how lines end is one.

pub(crate) mod columns;
pub(crate) mod delimited;
pub(crate) mod fixed;
mod next;
pub(crate) mod place;
pub(crate) mod read;
pub(crate) mod tagged;
pub(crate) mod write;

use crate::format::bounds::Beyond;
use crate::format::cell::{Bind, Cell, Pen};
use crate::format::charset::Sign;
use crate::format::computed::{CheckDigit, Computed, DigestOf};
use crate::format::condition::When;
use crate::format::digests::Digesting;
use crate::format::error::FieldError;
use crate::format::grammar::{Grammar, Item, Next, Occurs};
use crate::format::lines::delimited::{Delimited, Room};
use crate::format::lines::fixed::{Side, Slab};
use crate::format::lines::tagged::Tags;
use crate::format::record::Record;
use crate::format::tallies::Tally;
use crate::format::words::{Slot, Source};
use crate::model::words;

words! {
    /// What a record is to the payment that it is about.
    RecordRole {
        /// Speaks of the whole, or of the batch that it begins.
        Head = "head",
        /// One payment.
        Row = "row",
        /// Speaks of the whole, behind the rows.
        Tail = "tail",
    }
}

/// One part of this sort.
#[derive(Debug)]
pub(crate) struct LinesPlan {
    pub style: Style,
    pub line: Line,
    pub grammar: Grammar,
    pub records: Vec<RecordPlan>,
    pub tallies: Vec<Tally>,
    /// The longest record in fixed width, in bytes; the most bytes of a line elsewhere.
    pub longest: usize,
}

#[derive(Debug)]
pub(crate) enum Style {
    /// Widths in bytes after encoding, or in characters where a bank says so.
    Fixed {
        characters: bool,
    },
    Delimited(Delimited),
    Tagged(Tags),
    /// A document: the records and their order are these, the tags around them are the xml room's.
    Xml,
}

/// How records are set off from each other, and how the part ends.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    pub end: Vec<u8>,
    /// The last one has no line end.
    pub last_open: bool,
    /// In fixed width: blanks at the end of a line are left out.
    pub short: bool,
    /// What stands behind the last record, like a 1A.
    pub file_end: Vec<u8>,
    pub block: Option<Block>,
}

/// Filling lines up to a multiple.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub lines: usize,
    pub fill: Sign,
}

impl Block {
    /// Are these bytes filling and nothing else?
    pub fn fills(&self, bytes: &[u8]) -> bool {
        bytes.chunks(self.fill.length()).all(|sign| sign == self.fill.bytes())
    }
}

#[derive(Debug)]
pub(crate) struct RecordPlan {
    pub name: String,
    pub role: Option<RecordRole>,
    pub group: Option<usize>,
    pub occurs: Occurs,
    pub when: Option<When>,
    /// Stands where none of the others that may stand there begins.
    pub otherwise: bool,
    /// In fixed width: in bytes (or characters), without the line end.
    pub length: usize,
    pub fields: Vec<Field>,
    /// What tells it from other records.
    pub marks: Vec<Mark>,
    /// The tallies that it adds to.
    pub touches: Vec<usize>,
    pub check_digits: Vec<CheckDigit>,
    /// The fields whose condition is about another value of this record, so that it can be seen when
    /// the record is read whether they stand as they should.
    pub conditions: Vec<usize>,
    /// The fields that are signs of numbers elsewhere in it.
    pub signs: Vec<usize>,
    /// Has a value that is worked out.
    pub computes: bool,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub cell: Cell,
    pub place: Place,
    /// A constant that fills its place: the record was chosen by it, and needs no second look.
    pub chosen_by: bool,
}

impl Field {
    pub fn new(cell: Cell, place: Place) -> Self {
        let chosen_by = match (&cell.bind, &place) {
            (Bind::Literal { bytes, .. }, Place::Slab(slab)) => {
                !cell.may_be_absent() && !bytes.is_empty() && bytes.len() == slab.width
            }
            _ => false,
        };
        Self { cell, place, chosen_by }
    }

    /// What stands before it.
    pub const fn joint(&self) -> Joint {
        match self.place {
            Place::Column { joint, .. } => joint,
            _ => Joint::Separator,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Place {
    Slab(Slab),
    Column {
        room: Room,
        joint: Joint,
    },
    /// `<name>` as it is spelled.
    Tag {
        open: Vec<u8>,
        width_max: Option<usize>,
    },
    /// Between the tags of an element, or in an attribute; where that is, the xml room knows.
    Element {
        width_max: Option<usize>,
        /// An absent value is written as an empty element, not left out.
        empty: bool,
    },
}

/// What stands between a delimited field and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    /// The separator of the part: a column begins.
    Separator,
    /// The sign inside columns.
    Inner,
    /// Nothing: the field before it has its width.
    Glued,
}

/// Bytes in a place, any of which make a record the one that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The field's index.
    pub field: usize,
    /// In fixed width: the first byte (or character); else what is the same in records that have it in
    /// the same place.
    pub at: usize,
    pub words: Vec<Vec<u8>>,
}

impl RecordPlan {
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.fields.iter().filter_map(|field| field.cell.slot())
    }

    /// What in its fields tells it from other records: constants, and values out of a closed list.
    /// `measure` tells a width as the layout counts it.
    pub fn find_marks(fields: &[Field], measure: &dyn Fn(&[u8]) -> usize) -> Vec<Mark> {
        let mark = |(index, field): (usize, &Field)| {
            let words = match (&field.cell.bind, &field.cell.spelling) {
                (Bind::Literal { bytes, .. }, _) => vec![bytes.clone()],
                // A wrong sign is a fault of its record, not another record.
                (Bind::Sign { .. }, _) => return None,
                (_, crate::format::cell::Spelling::Words(words)) => {
                    words.iter().map(|word| word.bytes.clone()).collect()
                }
                _ => return None,
            };
            if words.iter().any(Vec::is_empty) || field.cell.may_be_absent() {
                return None;
            }
            let at = match &field.place {
                Place::Slab(slab) => {
                    let width = measure(words.first()?);
                    // Words of several widths begin at several places where they stand on the right.
                    if slab.side == Side::Right && words.iter().any(|word| measure(word) != width) {
                        return None;
                    }
                    slab.mark_at(width)
                }
                Place::Column { .. } => column_place(fields, index)?,
                Place::Tag { .. } | Place::Element { .. } => index,
            };
            Some(Mark { field: index, at, words })
        };
        fields.iter().enumerate().filter_map(mark).collect()
    }

    /// Those of its fields that stand only where another value of the record says so.
    pub fn find_conditions(fields: &[Field]) -> Vec<usize> {
        let own = |slot: Slot| fields.iter().any(|field| field.cell.slot() == Some(slot));
        let about_own = |(_, field): &(usize, &Field)| {
            let when = field.cell.when.as_ref();
            field.cell.slot().is_some() && when.is_some_and(|when| own(when.slot))
        };
        fields.iter().enumerate().filter(about_own).map(|(at, _)| at).collect()
    }

    /// The first field of a record that was read which stands where its condition does not hold, or
    /// is missing where it does; with what is there and what was expected.
    pub fn against_condition(&self, record: &Record) -> Option<(&Field, [&'static str; 2])> {
        self.conditions.iter().filter_map(|at| self.fields.get(*at)).find_map(|field| {
            let when = field.cell.when.as_ref()?;
            let there = record.slot(field.cell.slot()?).is_some();
            match (when.holds(record), there) {
                (false, true) => Some((field, ["one", "no value: its condition does not hold"])),
                (true, false) if !field.cell.optional => {
                    Some((field, ["nothing", "a value: its condition holds"]))
                }
                _ => None,
            }
        })
    }

    /// How many columns a line of it has, at least and at most.
    pub fn columns(&self, short: bool) -> (usize, usize) {
        let all = self.columns_of(self.fields.len());
        let rest = |field: &Field| {
            matches!(field.place, Place::Column { room: Room { rest: true, .. }, .. })
        };
        let most = if self.fields.last().is_some_and(rest) { usize::MAX } else { all };
        if !short {
            return (all, most);
        }
        let sure = self.fields.iter().rposition(|field| !field.cell.may_be_absent());
        (sure.map_or(1, |at| self.columns_of(at + 1)).min(all), most)
    }

    /// How many columns so many of its first fields begin.
    fn columns_of(&self, fields: usize) -> usize {
        let begins = |field: &&Field| field.joint() == Joint::Separator;
        self.fields.iter().take(fields).filter(begins).count()
    }

    /// Does a column of it hold several values?
    pub fn is_joined(&self) -> bool {
        self.fields.iter().any(|field| field.joint() != Joint::Separator)
    }

    /// Do the two have marks that exclude each other: in one place, or in bytes that lie over each other?
    pub fn differs_from(&self, other: &Self, style: &Style) -> bool {
        let in_bytes = matches!(style, Style::Fixed { characters: false });
        // Of words that begin at different bytes only what both have a byte for is compared.
        let both = |(at, ours): (usize, &[u8]), (from, theirs): (usize, &[u8])| {
            let ours = ours.get(from.saturating_sub(at)..).unwrap_or_default();
            let theirs = theirs.get(at.saturating_sub(from)..).unwrap_or_default();
            ours.iter().zip(theirs).all(|(our, their)| our == their)
        };
        self.marks.iter().any(|ours| {
            other.marks.iter().filter(|theirs| in_bytes || theirs.at == ours.at).any(|theirs| {
                let both = |our: &Vec<u8>, their: &Vec<u8>| {
                    both((ours.at, our.as_slice()), (theirs.at, their.as_slice()))
                };
                !ours.words.iter().any(|our| theirs.words.iter().any(|their| both(our, their)))
            })
        })
    }

    /// The digests of this that it states.
    pub fn digests(&self, of: DigestOf) -> impl Iterator<Item = Digesting> + '_ {
        self.fields.iter().filter_map(move |field| match field.cell.bind {
            Bind::Computed(Computed::Digest { how, of: found }) if found == of => Some(how),
            _ => None,
        })
    }

    /// The tallies that are written in it.
    pub fn tallies(&self) -> impl Iterator<Item = usize> + '_ {
        self.fields.iter().filter_map(|field| match field.cell.bind {
            Bind::Computed(Computed::Tally(at)) => Some(at),
            _ => None,
        })
    }
}

/// Where a delimited field stands: which column, and which of its values. What has no sign around it is
/// no mark.
fn column_place(fields: &[Field], index: usize) -> Option<usize> {
    const COLUMN: usize = 1 << 16;
    let glued = |field: &Field| field.joint() == Joint::Glued;
    if glued(&fields[index]) || fields.get(index + 1).is_some_and(glued) {
        return None;
    }
    let mut at = 0;
    for field in fields.iter().take(index + 1).skip(1) {
        at = match field.joint() {
            Joint::Separator => (at / COLUMN + 1) * COLUMN,
            Joint::Inner | Joint::Glued => at + 1,
        };
    }
    Some(at)
}

impl LinesPlan {
    /// Is a record part of a payment that several records make up?
    pub fn row_group(&self, record: usize) -> Option<usize> {
        let mut at = self.records[record].group;
        while let Some(group) = at {
            if self.grammar.groups[group].row {
                return Some(group);
            }
            at = self.grammar.groups[group].parent;
        }
        None
    }

    /// Does a payment begin with a record that stands here: is it one by itself, or does its group begin
    /// anew with it?
    pub fn begins_row(&self, next: Next) -> bool {
        match self.row_group(next.record) {
            Some(group) => {
                next.enters.is_some_and(|enters| self.grammar.is_in(Some(group), enters))
            }
            None => self.records[next.record].role == Some(RecordRole::Row),
        }
    }

    /// Checks whether a value fits, without keeping the bytes.
    ///
    /// # Errors
    /// What does not fit, and why.
    pub fn check(
        &self,
        field: &Field,
        pen: &Pen<'_>,
        source: &dyn Source,
        scratch: &mut Vec<u8>,
    ) -> Result<(), FieldError> {
        scratch.clear();
        let put = match (&field.place, &self.style) {
            (Place::Slab(slab), Style::Fixed { characters }) => {
                slab.put(&field.cell, *characters, pen, source, scratch)
            }
            (Place::Column { room, .. }, Style::Delimited(delimited)) => {
                delimited.put(&field.cell, *room, pen, source, scratch)
            }
            (Place::Tag { open, width_max }, Style::Tagged(tags)) => {
                tags.put(&field.cell, open, *width_max, pen, source, scratch)
            }
            (Place::Element { width_max, .. }, _) => {
                crate::format::xml::put(&field.cell, *width_max, pen, source, scratch).map(|_| ())
            }
            _ => Ok(()),
        };
        put.map_err(|fault| FieldError {
            key: field.cell.slot().and_then(Slot::key),
            field: field.cell.name.clone(),
            fault,
        })
    }

    /// A record or group that stands too often or not often enough, for messages.
    pub fn beyond(&self, beyond: Beyond) -> String {
        let what = match beyond.item {
            Item::Record(record) => format!("records {}", self.records[record].name),
            Item::Group(group) => format!("groups {}", self.grammar.groups[group].name),
        };
        let bound = if beyond.too_often { "no more than" } else { "at least" };
        format!("{bound} {} {what}", beyond.bound)
    }

    pub fn has_rows(&self) -> bool {
        self.records.iter().any(|record| record.role == Some(RecordRole::Row))
            || self.grammar.groups.iter().any(|group| group.row)
    }

    /// Is a record, or the group that it stands in, a payment?
    pub fn is_of_row(&self, record: usize) -> bool {
        self.records[record].role == Some(RecordRole::Row) || self.row_group(record).is_some()
    }

    /// Is a record one payment by itself?
    #[inline]
    pub fn is_whole_row(&self, record: usize) -> bool {
        let plan = &self.records[record];
        plan.role == Some(RecordRole::Row) && plan.group.is_none()
    }

    /// Every field, with its record.
    pub fn fields(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.records
            .iter()
            .enumerate()
            .flat_map(|(at, record)| record.fields.iter().map(move |field| (at, field)))
    }

    /// The size of a part with this many rows, where every record has its width.
    pub fn bytes(&self, rows: usize) -> Option<usize> {
        if !matches!(self.style, Style::Fixed { characters: false }) {
            return None;
        }
        let sum = |of_row: bool| -> usize {
            let ours = (0..self.records.len()).filter(|at| self.is_of_row(*at) == of_row);
            ours.map(|at| self.records[at].length + self.line.end.len()).sum()
        };
        Some(sum(true).saturating_mul(rows).saturating_add(sum(false)))
    }
}
