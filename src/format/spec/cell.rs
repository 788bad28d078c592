//! What stands in a field and how it is spelled, as a description writes it.

use std::cell::RefCell;

use crate::format::cell::{Absent, Bind, Cell, Join, Spelling, Word};
use crate::format::condition::When;
use crate::format::moment::Piece;
use crate::format::names::SCALE_MAX;
use crate::format::number::{AmountShape, Shape, Sign, Unit};
use crate::format::spec::computed::{COMPUTED, worked_out};
use crate::format::spec::{Scope, TallySpec};
use crate::format::table::{Found, Table};
use crate::format::text::Only;
use crate::format::words::{Key, Slot, ValueKind};

/// The kinds of content of a field; each says exactly one.
const CONTENTS: [&str; 5] = ["key", "own", "literal", "computed", "ignored"];

pub(super) fn cell(
    table: &Table<'_>,
    scope: &Scope<'_>,
    tallies: &RefCell<Vec<TallySpec>>,
) -> Option<Cell> {
    let keys: Vec<&str> = Key::ALL.iter().map(|key| key.as_str()).collect();
    let key = table.word("key", &keys, Key::parse);
    let own = table.text("own");
    let literal = table.text("literal");
    let ignored = table.text("ignored");
    let computed =
        table.word("computed", &COMPUTED, |word| COMPUTED.contains(&word).then(|| word.to_owned()));
    let name = table.text("name").map(|found| found.value.to_owned());
    let optional = table.flag("optional").is_some_and(|found| found.value);
    let when = when(table, scope, "when");
    if CONTENTS.iter().filter(|key| table.has(key)).count() != 1 {
        let hint = "a field is one of key, own, literal, computed or ignored = \"...\"";
        table.faults().note(table.at, "a field that does not say what stands in it", hint);
        return None;
    }
    let plain = |name: String, bind: Bind, spelling: Spelling| Cell {
        name,
        bind,
        spelling,
        optional,
        default: None,
        absent: None,
        when: when.clone(),
        cut_tail: false,
        codes: None,
    };
    if let Some(text) = literal.as_ref().or(ignored.as_ref()) {
        let bytes = constant(table, scope, text);
        let name = name.unwrap_or_else(|| "constant".to_owned());
        return Some(if literal.is_some() {
            let bind = Bind::Literal { text: text.value.to_owned(), bytes };
            plain(name, bind, Spelling::Literal)
        } else {
            plain(name, Bind::Ignored { bytes }, Spelling::Anything)
        });
    }
    if let Some(word) = computed {
        let (computed, spelling) = worked_out(table, scope, &word.value, tallies)?;
        return Some(plain(name.unwrap_or(word.value), Bind::Computed(computed), spelling));
    }
    let slot = match (key, &own) {
        (Some(key), _) => Slot::Key(key.value),
        (None, Some(own)) => scope.own.slot(own.value)?,
        (None, None) => return None,
    };
    if own.is_some() {
        table.word("type", &["text", "integer", "decimal", "date"], |word| {
            matches!(word, "text" | "integer" | "decimal" | "date").then_some(())
        });
    }
    let spelling = spelling(table, scope, scope.own.kind(slot))?;
    let default = table.text("default").map(|text| {
        encoded(table, scope, &text);
        text.value.to_owned()
    });
    let join = table.text("join").and_then(|text| joined(table, scope, &text));
    let bind = match (join, piece(table, slot, &spelling)) {
        (Some(pieces), _) => Bind::Joined { slot, pieces },
        (None, Some(piece)) => piece,
        (None, None) => Bind::Slot(slot),
    };
    Some(Cell {
        name: name.unwrap_or_else(|| scope.own.name(slot).to_owned()),
        bind,
        spelling,
        optional,
        default,
        absent: None,
        when,
        cut_tail: table.flag("cut_tail").is_some_and(|found| found.value),
        codes: codes(table, scope),
    })
}

/// `split = "/", piece = 1, pieces = 2`: the first of two texts that are one value.
fn piece(table: &Table<'_>, slot: Slot, spelling: &Spelling) -> Option<Bind> {
    let split = table.text("split");
    let at = table.number("piece");
    let of = table.number("pieces");
    let (sign, at, of) = match (split, at, of) {
        (None, None, None) => return None,
        (Some(split), Some(at), Some(of)) => (split, at.value, of.value),
        _ => {
            let hint = "split = \"/\", piece = 1, pieces = 2";
            table.faults().note(table.at, "a piece without its split, piece or pieces", hint);
            return None;
        }
    };
    let one = sign.value.chars().next().filter(|_| sign.value.chars().count() == 1);
    if one.is_none() || !(1..=of).contains(&at) || !matches!(spelling, Spelling::Text(_)) {
        let hint = "one sign between texts, and pieces from 1 on";
        table.faults().note(sign.at, "this is no piece of a text", hint);
        return None;
    }
    Some(Bind::Piece { slot, sign: one?, at: at - 1, of })
}

fn codes(table: &Table<'_>, scope: &Scope<'_>) -> Option<usize> {
    let text = table.text("codes")?;
    let found = scope.codes.iter().position(|(_, codes)| codes.name == text.value);
    if found.is_none() {
        table.faults().note(
            text.at,
            format!("there is no [codes.{}]", text.value),
            format!("[codes.{}] with a line for each code", text.value),
        );
    }
    found
}

/// `absent = "-"`: what stands where there is no value.
pub(super) fn absent(table: &Table<'_>, scope: &Scope<'_>, cell: &Cell) -> Option<Absent> {
    let text = table.text("absent")?;
    if !cell.may_be_absent() {
        let hint = "optional = true, or when = { ... }";
        table.faults().note(text.at, "absent: this value is always there", hint);
    }
    Some(Absent { text: text.value.to_owned(), bytes: encoded(table, scope, &text) })
}

/// A constant in the bank's character set; a header may have a line end of its own in it.
fn constant(table: &Table<'_>, scope: &Scope<'_>, text: &Found<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in text.value.split_inclusive(['\r', '\n', '\t']) {
        let plain = piece.trim_end_matches(['\r', '\n', '\t']);
        bytes.extend(encoded(table, scope, &Found { at: text.at, value: plain }));
        let end = piece.strip_prefix(plain).unwrap_or_default();
        scope.charset.ascii_into(end.as_bytes(), &mut bytes);
    }
    bytes
}

/// A text of the description in the bank's character set.
fn encoded(table: &Table<'_>, scope: &Scope<'_>, text: &Found<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(character) = scope.charset.encode_into(text.value, &mut bytes) {
        let what = format!("U+{:04X} is not in {}", u32::from(character), scope.charset.as_str());
        table.faults().note(
            text.at,
            what,
            "another character set, or a text without this character",
        );
    }
    bytes
}

/// A value that the description refers to.
pub(super) fn slot(table: &Table<'_>, scope: &Scope<'_>, text: &Found<&str>) -> Option<Slot> {
    let slot = scope.own.slot(text.value);
    if slot.is_none() {
        let hint = "a word of the road, or a name that a field declares by own = \"...\"";
        table.faults().note(text.at, format!("there is no value {:?}", text.value), hint);
    }
    slot
}

/// `when = { value = "document_kind", is = ["01"] }`, or another key that says such a thing.
pub(super) fn when(table: &Table<'_>, scope: &Scope<'_>, key: &'static str) -> Option<When> {
    let when = table.table(key, "a condition")?;
    let value = when.need_text("value", "value = \"document_kind\"");
    let is = when.texts("is");
    let not = when.flag("not").is_some_and(|found| found.value);
    let slot = value.and_then(|value| slot(&when, scope, &value));
    when.finish();
    let is = is.into_iter().map(|found| found.value.to_owned()).collect();
    Some(When { slot: slot?, is, not })
}

/// `join = "{programme_name} {period}"`.
fn joined(table: &Table<'_>, scope: &Scope<'_>, text: &Found<&str>) -> Option<Vec<Join>> {
    let mut pieces = Vec::new();
    let mut rest = text.value;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('{') {
            let Some((name, after)) = after.split_once('}') else {
                table.faults().note(
                    text.at,
                    "join: a { without its }",
                    "join = \"{programme_name} {period}\"",
                );
                return None;
            };
            pieces.push(Join::Value(slot(table, scope, &Found { at: text.at, value: name })?));
            rest = after;
        } else {
            let (sign, after) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
            pieces.push(Join::Sign(sign.to_owned()));
            rest = after;
        }
    }
    Some(pieces)
}

pub(super) fn spelling(table: &Table<'_>, scope: &Scope<'_>, kind: ValueKind) -> Option<Spelling> {
    match kind {
        ValueKind::Int => Some(Spelling::Int(Shape { sign: sign(table), ..Shape::WHOLE })),
        ValueKind::Text => {
            if let Some(words) = table.table("map", "a list of words") {
                return Some(Spelling::Words(map(&words, scope)));
            }
            let only = table.word("only", &["ascii", "digits"], |word| match word {
                "ascii" => Some(Only::Ascii),
                "digits" => Some(Only::Digits),
                _ => None,
            });
            Some(Spelling::Text(only.map_or(Only::Any, |found| found.value)))
        }
        ValueKind::Amount => amount(table).map(Spelling::Amount),
        ValueKind::Decimal(_) => {
            let (scale, point) = scaled(table)?;
            Some(Spelling::Decimal(Shape { scale, point, sign: sign(table) }))
        }
        ValueKind::Moment => {
            let text = table.need_text("pattern", "pattern = \"yyyyMMddHHmmss\"")?;
            let pieces = Piece::parse(text.value);
            if pieces.is_none() {
                let hint = "yyyy or yy, MM, dd, HH, mm, ss, the signs - : / . T and blank, DDD with a \
                            year, and other signs between two '";
                table.faults().note(text.at, format!("{:?} is no pattern", text.value), hint);
            }
            pieces.map(Spelling::Moment)
        }
    }
}

/// `map = { "身份证" = "01" }`: our word and the bank's.
fn map(words: &Table<'_>, scope: &Scope<'_>) -> Vec<Word> {
    let mut list: Vec<Word> = Vec::new();
    for (ours, theirs) in words.pairs() {
        let bytes = encoded(words, scope, &theirs);
        if list.iter().any(|known| known.bytes == bytes) {
            let hint = "the bank's word would be read back as another one of ours";
            words.faults().note(theirs.at, format!("{:?} stands twice", theirs.value), hint);
        }
        list.push(Word { ours: ours.to_owned(), theirs: theirs.value.to_owned(), bytes });
    }
    list
}

/// `scale`, and `point = true`, or `","` where it is another sign, or `false` where it is implied.
fn scaled(table: &Table<'_>) -> Option<(u8, Option<u8>)> {
    let scale = table.need_number("scale", "scale = 2 (digits behind the point), 0 for fen");
    let point = match table.flag_or_text("point") {
        None => None,
        Some(found) => match found.value {
            Ok(true) => Some(Some(b'.')),
            Ok(false) => Some(None),
            Err(text) => {
                if let [byte @ (b'.' | b',')] = text.as_bytes() {
                    Some(Some(*byte))
                } else {
                    table.faults().note(
                        found.at,
                        "point: expected true, false or \",\"",
                        "true writes a point, \",\" a comma, false implies it",
                    );
                    Some(None)
                }
            }
        },
    };
    let scale = scale?;
    if (scale.value > 0) != point.is_some() {
        let hint = "point = true where a point is written, false where it is implied";
        table.faults().note(table.at, "scale and point do not fit together", hint);
    }
    let small = u8::try_from(scale.value).ok().filter(|scale| *scale <= SCALE_MAX);
    if small.is_none() {
        let what = format!("a scale of at most {SCALE_MAX}");
        table.faults().note(scale.at, what, "scale = how many digits stand behind the point");
    }
    Some((small?, point.flatten()))
}

fn amount(table: &Table<'_>) -> Option<AmountShape> {
    table.need_text("unit", "unit = \"fen\" or \"yuan\"; there is no default");
    let unit = table.word("unit", &["fen", "yuan"], |word| match word {
        "fen" => Some(Unit::Fen),
        "yuan" => Some(Unit::Yuan),
        _ => None,
    });
    let scaled = scaled(table);
    let sign = sign(table);
    let (unit, (scale, point)) = (unit?.value, scaled?);
    if scale > 2 || (unit == Unit::Fen && scale > 0) {
        let hint = "fen have scale 0, yuan at most 2";
        table.faults().note(table.at, "there is no coin below the fen", hint);
        return None;
    }
    Some(AmountShape { unit, shape: Shape { scale, point, sign } })
}

/// `sign = "minus"` and the like; `signs = "CD"` gives the letters.
fn sign(table: &Table<'_>) -> Sign {
    const STYLES: [&str; 7] =
        ["minus", "before", "after", "minus_after", "letter_before", "letter_after", "overpunch"];
    let letters = table.text("signs");
    let (positive, negative) = match letters.as_ref().map(|found| found.value.as_bytes()) {
        Some([positive, negative]) if positive != negative => (*positive, *negative),
        Some(_) => {
            let at = letters.as_ref().map_or(table.at, |found| found.at);
            table.faults().note(at, "signs: expected two signs", "signs = \"CD\": plus and minus");
            (b'+', b'-')
        }
        None => (b'+', b'-'),
    };
    let style = table.word("sign", &STYLES, |word| {
        Some(match word {
            "minus" => Sign::Minus,
            "before" => Sign::Before,
            "after" => Sign::After,
            "minus_after" => Sign::MinusAfter,
            "letter_before" => Sign::LetterBefore { positive, negative },
            "letter_after" => Sign::LetterAfter { positive, negative },
            "overpunch" => Sign::Overpunch,
            _ => return None,
        })
    });
    style.map_or(Sign::None, |found| found.value)
}
