//! A field as a description writes it: what stands in it, how it is spelled, where it is.

use crate::format::cell::{Bind, Cell, Only, Spelling, Unit};
use crate::format::charset::Charset;
use crate::format::codes::CodeTable;
use crate::format::moment::Piece;
use crate::format::spec::{FieldSpec, Layout, Place, Side, path};
use crate::format::table::Table;
use crate::format::words::{Key, ValueKind};

/// One field of a record.
pub(super) fn field(
    table: Table<'_>,
    layout: Layout,
    charset: Charset,
    codes: &[(usize, CodeTable)],
) -> Option<FieldSpec> {
    let at = table.at;
    let cell = cell(&table, charset, codes);
    let place = match layout {
        Layout::Fixed => fixed_place(&table, cell.as_ref()),
        Layout::Xml => xml_place(&table),
    };
    table.finish();
    Some(FieldSpec { at, cell: cell?, place: place? })
}

/// What stands in the field and how it is spelled.
fn cell(table: &Table<'_>, charset: Charset, codes: &[(usize, CodeTable)]) -> Option<Cell> {
    let keys: Vec<&str> = Key::ALL.iter().map(|key| key.as_str()).collect();
    let key = table.word("key", &keys, Key::parse);
    let literal = table.text("literal");
    let computed = table.word("computed", &["data_sha256"], |w| (w == "data_sha256").then_some(()));
    let name = table.text("name").map(|found| found.value.to_owned());
    let optional = table.flag("optional").is_some_and(|found| found.value);
    let said = ["key", "literal", "computed"].iter().filter(|key| table.has(key)).count();
    if said != 1 {
        let hint = "a field is one of key = \"...\", literal = \"...\", computed = \"data_sha256\"";
        table.faults().note(table.at, "a field that does not say what stands in it", hint);
        return None;
    }
    if let Some(literal) = literal {
        let mut bytes = Vec::new();
        if let Err(character) = charset.encode_into(literal.value, &mut bytes) {
            let what = format!("U+{:04X} is not in {}", u32::from(character), charset.as_str());
            table.faults().note(literal.at, what, "");
        }
        let name = name.unwrap_or_else(|| "constant".to_owned());
        let bind = Bind::Literal { text: literal.value.to_owned(), bytes };
        return Some(Cell {
            name,
            bind,
            spelling: Spelling::Literal,
            optional: false,
            codes: None,
        });
    }
    if computed.is_some() {
        let name = name.unwrap_or_else(|| "data_sha256".to_owned());
        let bind = Bind::DataDigest;
        return Some(Cell { name, bind, spelling: Spelling::Digest, optional: false, codes: None });
    }
    let key = key?;
    let spelling = spelling(table, key.value)?;
    let codes = table.text("codes").and_then(|text| {
        let found = codes.iter().position(|(_, codes)| codes.name == text.value);
        if found.is_none() {
            table.faults().note(text.at, format!("there is no [codes.{}]", text.value), "");
        }
        found
    });
    let name = name.unwrap_or_else(|| key.value.as_str().to_owned());
    Some(Cell { name, bind: Bind::Key(key.value), spelling, optional, codes })
}

fn spelling(table: &Table<'_>, key: Key) -> Option<Spelling> {
    match key.kind() {
        ValueKind::Int => Some(Spelling::Int),
        ValueKind::Text => {
            let only = table.word("only", &["ascii", "digits"], |word| match word {
                "ascii" => Some(Only::Ascii),
                "digits" => Some(Only::Digits),
                _ => None,
            });
            Some(Spelling::Text(only.map_or(Only::Any, |found| found.value)))
        }
        ValueKind::Amount => {
            table.need_text("unit", "unit = \"fen\" or \"yuan\"; there is no default");
            let unit = table.word("unit", &["fen", "yuan"], |word| match word {
                "fen" => Some(Unit::Fen),
                "yuan" => Some(Unit::Yuan),
                _ => None,
            });
            let scale =
                table.need_number("scale", "scale = 2 (digits behind the point), 0 for fen");
            let point = table.flag("point");
            let (unit, scale) = (unit?.value, scale?);
            if scale.value > 2 || (unit == Unit::Fen && scale.value > 0) {
                let hint = "fen have scale 0, yuan at most 2";
                table.faults().note(scale.at, "there is no coin below the fen", hint);
                return None;
            }
            if (scale.value > 0) != point.is_some() {
                let hint = "point = true where a point is written, false where it is implied";
                table.faults().note(table.at, "scale and point do not fit together", hint);
            }
            let scale = u32::try_from(scale.value).ok()?;
            let point = point.is_some_and(|found| found.value);
            Some(Spelling::Amount { unit, scale, point })
        }
        ValueKind::Moment => {
            let text = table.need_text("pattern", "pattern = \"yyyyMMddHHmmss\"")?;
            let pieces = Piece::parse(text.value);
            if pieces.is_none() {
                let hint = "yyyy, MM, dd, HH, mm, ss and the signs - : / . T and blank";
                table.faults().note(text.at, format!("{:?} is no pattern", text.value), hint);
            }
            pieces.map(Spelling::Moment)
        }
    }
}

fn fixed_place(table: &Table<'_>, cell: Option<&Cell>) -> Option<Place> {
    let start = table.number("at");
    let width = table.number("width");
    let pad = table.text("pad");
    let side = table.word("side", &["left", "right"], |word| match word {
        "left" => Some(Side::Left),
        "right" => Some(Side::Right),
        _ => None,
    });
    let cell = cell?;
    // What always has one width needs no filling.
    let own = match (&cell.spelling, &cell.bind) {
        (Spelling::Literal, Bind::Literal { bytes, .. }) => Some(bytes.len()),
        (Spelling::Digest, _) => Some(64),
        (Spelling::Moment(pieces), _) => Some(pieces.iter().map(|piece| piece.width()).sum()),
        _ => None,
    };
    let exact = own.is_some() && width.as_ref().is_none_or(|width| Some(width.value) == own);
    let Some(width) = width.map(|found| found.value).or(own) else {
        table.faults().note(table.at, "a field without width", "width = 20 (bytes after encoding)");
        return None;
    };
    if !exact || cell.optional {
        for key in ["pad", "side"] {
            if !table.has(key) {
                let hint =
                    "pad = \" \" or \"0\"; side = where the value stands, \"left\" or \"right\"";
                table.faults().note(table.at, format!("a field without {key}"), hint);
            }
        }
    }
    let pad = match pad.as_ref().map(|pad| (pad.at, pad.value.as_bytes())) {
        None => b' ',
        Some((_, [byte @ (b' '..=b'~')])) => *byte,
        Some((at, _)) => {
            table.faults().note(at, "pad: expected one ASCII sign", "");
            b' '
        }
    };
    let side = side.map_or(Side::Left, |found| found.value);
    Some(Place::Fixed { start, width, pad, side })
}

fn xml_place(table: &Table<'_>) -> Option<Place> {
    let text = table.need_text("path", "path = \"Head/Reference\" or \"Rows/@count\"");
    let width_max = table.number("width_max").map(|found| found.value);
    let empty = table.flag("empty").is_some_and(|found| found.value);
    let path = path(table, &text?, true)?;
    Some(Place::Xml { path, width_max, empty })
}
