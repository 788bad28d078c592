//! How numbers are spelled, as a description writes it: scale and point, unit, sign, and whether they
//! are text at all.

use crate::format::names::SCALE_MAX;
use crate::format::number::{AmountShape, Decimals, Form, Shape, Sign, Unit};
use crate::format::table::{Found, Table};

/// A whole number.
pub(super) fn whole(table: &Table<'_>) -> Option<Shape> {
    let sign = sign(table);
    let form = form(table, sign)?;
    let sign = sign.unwrap_or_default();
    let thousands = thousands(table, None, (sign, form));
    Some(Shape { thousands, sign, form, ..Shape::WHOLE })
}

/// A number with digits behind a point.
pub(super) fn number(table: &Table<'_>) -> Option<Shape> {
    let scaled = scaled(table);
    let sign = sign(table);
    let form = form(table, sign);
    let ((scale, point), form) = (scaled?, form?);
    if form != Form::Text && point.is_some() {
        let hint = "point = false: what is no text has no sign for it";
        table.faults().note(table.at, "a packed or binary number with a point", hint);
    }
    let sign = sign.unwrap_or_default();
    if scale > 0 && point.is_none() && table.text("thousands").is_some() {
        let hint = "point = true, or \",\"";
        table.faults().note(table.at, "signs between thousands, and no sign for the point", hint);
    }
    let thousands = thousands(table, point, (sign, form));
    Some(Shape { scale, point, decimals: decimals(table, point, sign), thousands, sign, form })
}

/// `thousands = ","`: the sign between thousands.
fn thousands(table: &Table<'_>, point: Option<u8>, (sign, form): (Sign, Form)) -> Option<u8> {
    let found = table.text("thousands")?;
    let known = match found.value.as_bytes() {
        [byte @ (b',' | b'.' | b'\'' | b' ' | b'_')] if Some(*byte) != point => Some(*byte),
        _ => None,
    };
    let what = if known.is_none() {
        "thousands: expected a sign that is not the point"
    } else if sign == Sign::Overpunch || form != Form::Text {
        "signs between the thousands of a number that is no plain text"
    } else if table.text("pad").is_some_and(|pad| pad.value == "0") {
        "signs between thousands, and zeros that fill the field up"
    } else {
        return known;
    };
    let hint = "thousands = \",\", \".\", \"'\", \" \" or \"_\", with pad = \" \" in fixed width";
    table.faults().note(found.at, what, hint);
    None
}

/// `decimals = "short"`: zeros at the end behind the point are left out, or may be.
fn decimals(table: &Table<'_>, point: Option<u8>, sign: Sign) -> Decimals {
    let words = ["all", "cut", "short", "any"];
    let found = table.word("decimals", &words, |word| match word {
        "all" => Some((Decimals::All, "all")),
        "cut" => Some((Decimals::Cut, "cut")),
        "short" => Some((Decimals::Short, "short")),
        "any" => Some((Decimals::Any, "any")),
        _ => None,
    });
    let Some(Found { at, value: (decimals, word) }) = found else { return Decimals::All };
    if decimals != Decimals::All && (point.is_none() || sign == Sign::Overpunch) {
        let hint = "point = true, or \",\"; and no digit that carries the sign";
        let what = format!("decimals = \"{word}\" where nothing shows how many there are");
        table.faults().note(at, what, hint);
    }
    decimals
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

pub(super) fn amount(table: &Table<'_>) -> Option<AmountShape> {
    table.need_text("unit", "unit = \"fen\" or \"yuan\"; there is no default");
    let unit = table.word("unit", &["fen", "yuan"], |word| match word {
        "fen" => Some(Unit::Fen),
        "yuan" => Some(Unit::Yuan),
        _ => None,
    });
    let shape = number(table);
    let (unit, shape) = (unit?.value, shape?);
    if shape.scale > 6 || (unit == Unit::Fen && shape.scale > 0) {
        let hint = "fen have scale 0, yuan at most 6 (all behind the second are zeros)";
        table.faults().note(table.at, "there is no coin below the fen", hint);
        return None;
    }
    Some(AmountShape { unit, shape })
}

/// `sign = "minus"` and the like; `signs = "CD"` gives the letters. Nothing where none is named.
fn sign(table: &Table<'_>) -> Option<Sign> {
    const STYLES: [&str; 10] = [
        "minus",
        "before",
        "after",
        "minus_after",
        "parentheses",
        "letter_before",
        "letter_after",
        "overpunch",
        "apart",
        "inside",
    ];
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
            "parentheses" => Sign::Parentheses,
            "letter_before" => Sign::LetterBefore { positive, negative },
            "letter_after" => Sign::LetterAfter { positive, negative },
            "overpunch" => Sign::Overpunch,
            "apart" => Sign::Apart,
            // What is no text has it in its bytes, of which the form knows.
            "inside" => Sign::None,
            _ => return None,
        })
    });
    style.map(|found| found.value)
}

/// `spelled = "packed"`: what the digits are made of, where they are no text.
fn form(table: &Table<'_>, sign: Option<Sign>) -> Option<Form> {
    const FORMS: [&str; 4] = ["text", "packed", "binary", "binary_little"];
    let word = |word: &str| FORMS.iter().position(|known| *known == word);
    let Some(found) = table.word("spelled", &FORMS, word).filter(|found| found.value > 0) else {
        if table.text("sign").is_some_and(|sign| sign.value == "inside") {
            let hint = "spelled = \"packed\" or \"binary\", or another sign";
            table.faults().note(table.at, "sign = \"inside\" of a number that is text", hint);
        }
        return Some(Form::Text);
    };
    let inside = match sign {
        None | Some(Sign::Apart) => false,
        Some(Sign::None) => true,
        Some(_) => {
            let hint = "sign = \"inside\" or \"apart\", or none where no number is below zero";
            table.faults().note(found.at, "this sign is one of numbers that are text", hint);
            return None;
        }
    };
    let width = table.need_number("width", "width = 4 (bytes)")?;
    let packed = found.value == 1;
    let most = if packed { Form::PACKED_BYTES_MAX } else { Form::BINARY_BYTES_MAX };
    if !(1..=most).contains(&width.value) {
        let what = format!("a {} number has 1 to {most} bytes", FORMS[found.value]);
        table.faults().note(width.at, what, "width = how many bytes it takes");
        return None;
    }
    let width = width.value;
    if !packed {
        return Some(Form::Binary { width, little: found.value == 3, signed: inside });
    }
    let (positive, negative) = halves(table);
    Some(if inside {
        Form::Packed { width, positive, negative: Some(negative) }
    } else {
        Form::Packed { width, positive: 0xF, negative: None }
    })
}

/// `signs = "FD"`: the half bytes behind the digits of a packed number, of plus and minus.
fn halves(table: &Table<'_>) -> (u8, u8) {
    let usual = (0xC, 0xD);
    let Some(text) = table.text("signs") else { return usual };
    let half = |byte: &u8| match byte {
        b'A'..=b'F' => Some(byte - b'A' + 0xA),
        _ => None,
    };
    let found = match text.value.as_bytes() {
        [positive, negative] => half(positive).zip(half(negative)),
        _ => None,
    };
    found.unwrap_or_else(|| {
        let hint = "signs = \"CD\": the half bytes of plus and minus, A to F";
        table.faults().note(text.at, "signs: expected two half bytes", hint);
        usual
    })
}
