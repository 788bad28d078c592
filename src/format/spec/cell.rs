//! What stands in a field and how it is spelled, as a description writes it.

use std::cell::RefCell;

use crate::format::cell::{Absent, Bind, Cell, Join, Spelling, Word};
use crate::format::condition::When;
use crate::format::moment::Piece;
use crate::format::signs::SignOf;
use crate::format::spec::computed::{COMPUTED, worked_out};
use crate::format::spec::number::{amount, number, whole};
use crate::format::spec::{Scope, TallySpec};
use crate::format::table::{Found, Table};
use crate::format::text::Only;
use crate::format::words::{Key, Slot, ValueKind};

/// The kinds of content of a field; each says exactly one.
const CONTENTS: [&str; 6] = ["key", "own", "literal", "computed", "ignored", "sign_of"];

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
    let sign_of = table.text("sign_of");
    let name = table.text("name").map(|found| found.value.to_owned());
    let optional = table.flag("optional").is_some_and(|found| found.value);
    let when = when(table, scope, "when");
    says_what(table)?;
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
    if let Some(of) = sign_of {
        let (bind, spelling, unsigned) = sign(table, scope, &of);
        let name = name.unwrap_or_else(|| format!("sign of {}", of.value));
        return Some(Cell { optional: optional || unsigned, ..plain(name, bind, spelling) });
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

/// A field says what stands in it by one key.
fn says_what(table: &Table<'_>) -> Option<()> {
    if CONTENTS.iter().filter(|key| table.has(key)).count() == 1 {
        return Some(());
    }
    let hint = "a field is one of key, own, literal, computed, ignored or sign_of = \"...\"";
    table.faults().note(table.at, "a field that does not say what stands in it", hint);
    None
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
        ValueKind::Int => Some(Spelling::Int(whole(table)?)),
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
        ValueKind::Decimal(_) => number(table).map(Spelling::Decimal),
        ValueKind::Moment => {
            let text = table.need_text("pattern", "pattern = \"yyyyMMddHHmmss\"")?;
            let pieces = Piece::parse(text.value);
            if pieces.is_none() {
                let hint = "yyyy or yy (RRR, BBBB or EE of other eras), MM (M, MMM, Mmm), dd (d), HH (H), mm, ss, the signs \
                            - : / . T and blank, DDD with a year, and other signs between two '";
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

/// `sign_of = "amount"`: the sign of a number that stands elsewhere in the record, and whether there may
/// be nothing in its place, as a plus is not written.
fn sign(table: &Table<'_>, scope: &Scope<'_>, of: &Found<&str>) -> (Bind, Spelling, bool) {
    let bind = Bind::Sign { name: of.value.to_owned(), of: SignOf::Named };
    let signs = signs(table, scope);
    let unsigned = signs.first().is_some_and(|plus| plus.theirs.is_empty());
    (bind, Spelling::Words(signs), unsigned)
}

/// `plus = "0", minus = "1"`: the bank's words for the sign of a number.
fn signs(table: &Table<'_>, scope: &Scope<'_>) -> Vec<Word> {
    let word = |key: &'static str, sign: &str| {
        let text = table.text(key).unwrap_or(Found { at: table.at, value: sign });
        let bytes = encoded(table, scope, &text);
        Word { ours: sign.to_owned(), theirs: text.value.to_owned(), bytes }
    };
    let signs = vec![word("plus", "+"), word("minus", "-")];
    if signs[1].bytes.is_empty() || signs[0].bytes == signs[1].bytes {
        let hint = "plus = \"0\", minus = \"1\"; plus = \"\" where nothing is written for it";
        table.faults().note(table.at, "sign_of: plus and minus are not two signs", hint);
    }
    signs
}
