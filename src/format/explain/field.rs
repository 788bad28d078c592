//! The fields of one record as a table.

use std::fmt::Write;

use crate::format::cell::{Bind, Cell, Join, Spelling, Word};
use crate::format::computed::{CheckAlgorithm, Computed, DigestOf, LengthOf};
use crate::format::condition::When;
use crate::format::explain::{escaped, meaning, quoted};
use crate::format::lines::Joint;
use crate::format::lines::fixed::Side;
use crate::format::moment;
use crate::format::number::Unit;
use crate::format::spec::{FieldSpec, FormatSpec, PartSpec, Place, RecordSpec, TallySpec};
use crate::format::tallies::Counting;
use crate::format::text::Only;
use crate::format::words::Slot;

/// How a record says where a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Position,
    Character,
    Number,
    Tag,
    Path,
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Position => "bytes",
            Self::Character => "characters",
            Self::Number => "column",
            Self::Tag => "tag",
            Self::Path => "element",
        }
    }
}

pub(super) fn table(
    spec: &FormatSpec,
    part: &PartSpec,
    record: &RecordSpec,
    column: Column,
    out: &mut String,
) -> std::fmt::Result {
    let title = column.title();
    writeln!(out, "| {title} | width | field | must | type | what stands there | filling |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    let (mut at, mut number, mut piece) = (0, 0, 0);
    let is_joined = |field: &FieldSpec| {
        matches!(field.place, Place::Column { joint: Joint::Inner | Joint::Glued, .. })
    };
    for (index, field) in record.fields.iter().enumerate() {
        let (place, width, filling) = match &field.place {
            Place::Fixed { width, pad, absent, side, full, .. } => {
                let from = at + 1;
                at += width;
                let place = if *width > 1 { format!("{from}-{at}") } else { from.to_string() };
                let filling = match full {
                    true if !field.cell.may_be_absent() => "always full".to_owned(),
                    _ => filling(&field.cell, *width, (*pad, *absent), *side),
                };
                (place, width.to_string(), filling)
            }
            Place::Column { room, joint } => {
                let filling = match room.quoted {
                    _ if room.rest => "all that is left of the line",
                    Some(true) => "always in quotes",
                    Some(false) => "never in quotes",
                    None => "",
                };
                (number, piece) = match joint {
                    Joint::Separator => (number + 1, 1),
                    Joint::Inner | Joint::Glued => (number, piece + 1),
                };
                let joined = record.fields.get(index + 1).is_some_and(is_joined);
                let told = if joined || is_joined(field) {
                    let with = if *joint == Joint::Glued { ", nothing before it" } else { "" };
                    format!("{number}, value {piece}{with}")
                } else {
                    number.to_string()
                };
                let literal = matches!(field.cell.spelling, Spelling::Literal);
                let width = room.width.filter(|_| !literal);
                let width = width.map_or_else(|| most(room.width_max), |width| width.to_string());
                (told, width, filling.to_owned())
            }
            Place::Tag { name, width_max } => {
                (quoted(&format!("<{name}>")), most(*width_max), String::new())
            }
            Place::Xml { path, width_max, empty } => {
                let empty = if *empty { "an empty element" } else { "" };
                (quoted(&path.join("/")), most(*width_max), empty.to_owned())
            }
        };
        let cell = &field.cell;
        let must = match (&cell.when, cell.optional) {
            (Some(when), _) => condition(spec, when),
            (None, true) => "no".to_owned(),
            (None, false) => "yes".to_owned(),
        };
        let what = what(spec, part, cell);
        let spelled = spelled(cell);
        let name = escaped(&cell.name);
        writeln!(out, "| {place} | {width} | {name} | {must} | {spelled} | {what} | {filling} |")?;
    }
    if at > 0 {
        writeln!(out, "\n{at} {} in all, without the line end.", column.title())?;
    }
    Ok(())
}

fn most(width_max: Option<usize>) -> String {
    width_max.map_or_else(String::new, |most| format!("at most {most}"))
}

/// What fills a field up, where anything does.
fn filling(cell: &Cell, width: usize, (pad, absent): (char, Option<char>), side: Side) -> String {
    let sign = |sign: char| match sign {
        ' ' => "blanks".to_owned(),
        '0' => "zeros".to_owned(),
        other => quoted(&other.to_string()),
    };
    let own = match (&cell.spelling, &cell.bind) {
        (Spelling::Binary { width, .. }, _) => Some(*width),
        _ if cell.is_raw_number() => cell.spelling.shape().and_then(|shape| shape.form.width()),
        (Spelling::Hex { .. }, Bind::Computed(computed)) => computed.hex_width(),
        (Spelling::Moment(pieces), _) => pieces.iter().map(|piece| piece.width()).sum(),
        (_, Bind::Literal { bytes, .. } | Bind::Ignored { bytes }) => Some(bytes.len()),
        _ => None,
    };
    let mut told = Vec::new();
    if own != Some(width) {
        let side = if side == Side::Left { "left-justified" } else { "right-justified" };
        told.push(format!("{side}, {}", sign(pad)));
    }
    if cell.may_be_absent() {
        told.push(format!("{} where there is none", sign(absent.unwrap_or(pad))));
    }
    told.join("; ")
}

/// How a value is spelled.
fn spelled(cell: &Cell) -> String {
    match &cell.spelling {
        Spelling::Text(only) => match only {
            Only::Any => "text".to_owned(),
            Only::Ascii => "ASCII text".to_owned(),
            Only::Digits => "digits".to_owned(),
        },
        Spelling::Int(shape) => format!("whole number: {}", shape.told()),
        Spelling::Decimal(shape) => format!("number: {}", shape.told()),
        Spelling::Amount(amount) => {
            let unit = match amount.unit {
                Unit::Fen => "fen",
                Unit::Yuan => "yuan",
            };
            format!("amount in {unit}: {}", amount.shape.told())
        }
        Spelling::Moment(pieces) => quoted(&moment::told(pieces)),
        Spelling::Words(_) if matches!(cell.bind, Bind::Sign { .. }) => "sign".to_owned(),
        Spelling::Words(_) => "one word of a list".to_owned(),
        Spelling::Literal => "constant".to_owned(),
        Spelling::Hex { upper: true } => "hexadecimal, upper case".to_owned(),
        Spelling::Hex { upper: false } => "hexadecimal, lower case".to_owned(),
        Spelling::Binary { little, .. } => {
            let order = if *little { "last byte first" } else { "first byte first" };
            format!("binary number, {order}")
        }
        Spelling::Anything => "anything".to_owned(),
    }
}

/// What stands in a field.
fn what(spec: &FormatSpec, part: &PartSpec, cell: &Cell) -> String {
    let mut told = match &cell.bind {
        Bind::Literal { text, .. } => format!("always {}", quoted(text)),
        Bind::Ignored { bytes } => {
            let text = String::from_utf8_lossy(bytes);
            format!("written as {}, not looked at when read", quoted(&text))
        }
        Bind::Slot(slot) => value(spec, *slot),
        Bind::Joined { slot, pieces } => {
            let pieces = pieces.iter().fold(String::new(), |text, piece| match piece {
                Join::Sign(sign) => text + sign,
                Join::Value(slot) => format!("{text}{{{}}}", spec.own.name(*slot)),
            });
            format!("{}, put together as {}", value(spec, *slot), quoted(&pieces))
        }
        Bind::Piece { slot, sign, at, of } => format!(
            "{}, its text {} of {of}, which {} sets apart",
            value(spec, *slot),
            at + 1,
            quoted(&sign.to_string())
        ),
        Bind::Computed(computed) => self::computed(spec, part, computed),
        Bind::Sign { name, .. } => format!("the sign of {}", quoted(name)),
    };
    if let Spelling::Words(words) = &cell.spelling {
        let word = |word: &Word| match word.theirs.as_str() {
            "" => format!("nothing = {}", word.ours),
            theirs => format!("{} = {}", quoted(theirs), word.ours),
        };
        let words: Vec<String> = words.iter().map(word).collect();
        told.push_str(": ");
        told.push_str(&escaped(&words.join(", ")));
    }
    let mut told = vec![told];
    if let Some(default) = &cell.default {
        told.push(format!("{} where we have none", quoted(default)));
    }
    if let Some(absent) = &cell.absent {
        told.push(format!("{} where there is none", quoted(&absent.text)));
    }
    if cell.cut_tail {
        told.push("the bank may cut it inside a character".to_owned());
    }
    if let Some((_, table)) = cell.codes.and_then(|table| spec.codes.get(table)) {
        told.push(format!("codes {}", quoted(&table.name)));
    }
    told.join("; ")
}

fn value(spec: &FormatSpec, slot: Slot) -> String {
    match slot {
        Slot::Key(key) => meaning::key(key).to_owned(),
        Slot::Own(_) => format!("the bank's own value {}", quoted(spec.own.name(slot))),
    }
}

fn computed(spec: &FormatSpec, part: &PartSpec, computed: &Computed) -> String {
    match computed {
        Computed::Tally(at) => {
            part.tallies.get(*at).map_or_else(String::new, |tally| self::tally(spec, tally))
        }
        Computed::Digest { how, of } => {
            let over = match of {
                DigestOf::Body => "the body behind the frame".to_owned(),
                DigestOf::Part(role) => format!("the whole {role} part"),
                DigestOf::Before => "all that stands before this record".to_owned(),
            };
            let first = if how.keep < how.algorithm.hex_length() {
                format!("the first {} hexadecimal digits of ", how.keep)
            } else {
                String::new()
            };
            let secret = how.secret.and_then(|secret| spec.secrets.get(secret));
            let secret = secret.map(|secret| format!(" with the key {}", quoted(&secret.name)));
            format!("{first}{}{} over {over}", how.told(), secret.unwrap_or_default())
        }
        Computed::Length(LengthOf::Body) => "bytes of the body behind the frame".to_owned(),
        Computed::Length(LengthOf::All) => "bytes of frame and body".to_owned(),
        Computed::Length(LengthOf::Rest { .. }) => "bytes behind this field".to_owned(),
        Computed::PartName(role) => format!("file name of the {role} part"),
        Computed::CheckDigit(digit) => {
            let names: Vec<&str> = digit.of.iter().map(|slot| spec.own.name(*slot)).collect();
            let rule = match digit.algorithm {
                CheckAlgorithm::Luhn => "Luhn",
                CheckAlgorithm::Mod11 => "modulo 11, weights 2 to 9",
                CheckAlgorithm::Mod10Weights371 => "modulo 10, weights 3 7 1",
                CheckAlgorithm::Mod97From98 => "two digits, ISO 7064 modulo 97-10",
                CheckAlgorithm::Mod97 => "two digits, the rest by 97",
            };
            format!("check digit over {} ({rule})", names.join(", "))
        }
    }
}

fn tally(spec: &FormatSpec, tally: &TallySpec) -> String {
    let of: Vec<&str> = tally.of.iter().map(|name| name.value.as_str()).collect();
    let of = if of.is_empty() { "all records".to_owned() } else { of.join(", ") };
    let scope = match &tally.scope {
        Some(scope) => format!("of each group {}", quoted(&scope.value)),
        None => "of the part".to_owned(),
    };
    let of = match &tally.only {
        Some(only) => format!("{of}, {}", condition(spec, only)),
        None => of,
    };
    let added = tally.what.slot().into_iter().chain(tally.also.iter().copied());
    let added: Vec<String> = added.map(|slot| quoted(spec.own.name(slot))).collect();
    let added = added.join(" and ");
    match tally.what {
        Counting::Records { running: false } if tally.per > 1 => {
            format!("number of records {scope}, {} told as one: {of}", tally.per)
        }
        Counting::Records { running: true } => {
            format!("running number {scope} over {of}, from {}", tally.start + 1)
        }
        Counting::Records { running: false } => format!("number of records {scope}: {of}"),
        Counting::Sum(_) => format!("sum of {added} {scope}: {of}"),
        Counting::Hash { digits, modulo, .. } => {
            let first = if digits == usize::MAX {
                String::new()
            } else {
                format!("the first {digits} digits of ")
            };
            let keep = modulo.checked_ilog10().unwrap_or(0);
            format!("{first}{added} added up {scope} ({of}), the last {keep} digits of that")
        }
    }
}

/// When a value or record stands at all.
pub(super) fn condition(spec: &FormatSpec, when: &When) -> String {
    let name = quoted(spec.own.name(when.slot));
    let words: Vec<String> = when.is.iter().map(|word| quoted(word)).collect();
    match (words.is_empty(), when.not) {
        (true, false) => format!("where there is a {name}"),
        (true, true) => format!("where there is no {name}"),
        (false, false) => format!("where {name} is {}", words.join(" or ")),
        (false, true) => format!("where {name} is not {}", words.join(" or ")),
    }
}
