//! What is worked out from a message itself, as a description writes it.

use std::cell::RefCell;

use crate::format::cell::Spelling;
use crate::format::computed::{CheckAlgorithm, CheckDigit, Computed, DigestOf, LengthOf};
use crate::format::digests::Digesting;
use crate::format::number::Shape;
use crate::format::spec::cell::{slot, spelling, when};
use crate::format::spec::number::whole;
use crate::format::spec::{Scope, TallySpec};
use crate::format::table::{Found, Table};
use crate::format::tallies::Counting;
use crate::format::text::Only;
use crate::format::words::{PartRole, Slot};
use crate::guard::stated::{DigestAlgorithm, Filling};

pub(super) const COMPUTED: [&str; 9] =
    ["count", "sequence", "sum", "hash", "digest", "mac", "length", "part_name", "check_digit"];

/// The fewest hexadecimal digits of a digest that stand for it: four bytes, as ANSI X9.9 has them.
const DIGITS_MIN: usize = 8;

/// What is worked out from the message itself.
pub(super) fn worked_out(
    table: &Table<'_>,
    scope: &Scope<'_>,
    word: &str,
    tallies: &RefCell<Vec<TallySpec>>,
) -> Option<(Computed, Spelling)> {
    match word {
        "count" | "sequence" | "sum" | "hash" => tally(table, scope, word, tallies),
        "digest" | "mac" => digest(table, scope, word == "mac"),
        "length" => length(table),
        "part_name" => {
            let of = table.need_text("of", "of = \"side\": whose file name it is")?;
            let role = PartRole::parse(of.value);
            if role.is_none() {
                table.faults().note(
                    of.at,
                    format!("there is no part {:?}", of.value),
                    "one of data, control, message, side, trigger",
                );
            }
            Some((Computed::PartName(role?), Spelling::Text(Only::Ascii)))
        }
        _ => {
            let algorithms = ["luhn", "mod11", "mod10_371", "mod97_10", "mod97"];
            table.need_text("algorithm", "algorithm = \"luhn\"");
            let algorithm = table.word("algorithm", &algorithms, |word| match word {
                "luhn" => Some(CheckAlgorithm::Luhn),
                "mod11" => Some(CheckAlgorithm::Mod11),
                "mod10_371" => Some(CheckAlgorithm::Mod10Weights371),
                "mod97_10" => Some(CheckAlgorithm::Mod97From98),
                "mod97" => Some(CheckAlgorithm::Mod97),
                _ => None,
            });
            let of = table.texts("of");
            let of: Option<Vec<Slot>> = of.iter().map(|text| slot(table, scope, text)).collect();
            let check = CheckDigit { algorithm: algorithm?.value, of: of? };
            Some((Computed::CheckDigit(check), Spelling::Int(Shape::WHOLE)))
        }
    }
}

fn tally(
    table: &Table<'_>,
    scope: &Scope<'_>,
    word: &str,
    tallies: &RefCell<Vec<TallySpec>>,
) -> Option<(Computed, Spelling)> {
    let own = |found: Found<&str>| Found { at: found.at, value: found.value.to_owned() };
    let of: Vec<Found<String>> = table.texts("of").into_iter().map(own).collect();
    let within = table.text("in").map(own);
    let only = when(table, scope, "where");
    let start = table.number("start").map(|found| found.value);
    let per = if word == "count" { table.number("per") } else { None };
    if let Some(per) = per.as_ref().filter(|per| per.value == 0) {
        table.faults().note(per.at, "per: no records are told as one", "per = 10");
    }
    let per = per.and_then(|found| i64::try_from(found.value).ok()).unwrap_or(1).max(1);
    let mut also = Vec::new();
    let value = match word {
        "sum" | "hash" => {
            let (at, first, others) = values(table, scope)?;
            also = others;
            Some((at, first))
        }
        _ => None,
    };
    let (what, spelling) = match (word, value) {
        ("sum", Some((at, slot))) => {
            let spelling = spelling(table, scope, scope.own.kind(slot))?;
            if matches!(spelling, Spelling::Text(_) | Spelling::Words(_) | Spelling::Moment(_)) {
                table.faults().note(at, "only numbers are added up", "computed = \"hash\"?");
            }
            (Counting::Sum(slot), spelling)
        }
        ("hash", Some((_, slot))) => {
            let digits = table.number("digits").map_or(usize::MAX, |found| found.value);
            let keep = table.need_number("keep", "keep = 10: so many last digits of the sum")?;
            let keep = u32::try_from(keep.value).unwrap_or(u32::MAX);
            let Some(modulo) = 10_i64.checked_pow(keep) else {
                table.faults().note(table.at, "keep: at most 18 digits", "keep = 10");
                return None;
            };
            (Counting::Hash { slot, digits, modulo }, Spelling::Int(whole(table)?))
        }
        ("sequence", _) => (Counting::Records { running: true }, Spelling::Int(whole(table)?)),
        _ => (Counting::Records { running: false }, Spelling::Int(whole(table)?)),
    };
    let start = match what {
        Counting::Records { running: true } => {
            i64::try_from(start.unwrap_or(1)).unwrap_or(i64::MAX) - 1
        }
        _ => i64::try_from(start.unwrap_or(0)).unwrap_or(i64::MAX),
    };
    let mut tallies = tallies.borrow_mut();
    tallies.push(TallySpec { at: table.at, what, also, of, only, scope: within, start, per });
    Some((Computed::Tally(tallies.len() - 1), spelling))
}

/// `value = "amount"`, or several of one sort: `value = ["payer", "payee"]`.
fn values(table: &Table<'_>, scope: &Scope<'_>) -> Option<(usize, Slot, Vec<Slot>)> {
    let texts = table.text_or_texts("value", "value = \"amount\": what is added up")?;
    let at = texts.first()?.at;
    let slots: Option<Vec<Slot>> = texts.iter().map(|text| slot(table, scope, text)).collect();
    let slots = slots?;
    let (first, others) = slots.split_first()?;
    let kind = |slot: &Slot| scope.own.kind(*slot);
    if others.iter().any(|other| kind(other) != kind(first)) {
        let hint = "amounts, or numbers of one scale; or texts of digits for a hash";
        table.faults().note(at, "value: these are not of one sort", hint);
    }
    if others.iter().enumerate().any(|(at, other)| slots[..=at].contains(other)) {
        table.faults().note(at, "value: one of them stands twice", "each value once");
    }
    Some((at, *first, others.to_vec()))
}

/// A digest, or with a key of `[secrets]` a MAC.
fn digest(table: &Table<'_>, scope: &Scope<'_>, keyed: bool) -> Option<(Computed, Spelling)> {
    let algorithms: Vec<&str> = DigestAlgorithm::ALL.iter().map(|word| word.as_str()).collect();
    table.need_text("algorithm", "algorithm = \"sha256\"");
    let algorithm = table.word("algorithm", &algorithms, DigestAlgorithm::parse);
    let hint = "of = \"data\" (another part), \"before\" (what stands before this record), or \"body\" in \
                a frame";
    let of = table.need_text("of", hint);
    let upper = table.flag("upper").is_some_and(|found| found.value);
    let keep = table.number("keep");
    let secret = if keyed { Some(secret(table, scope)) } else { None };
    let filling = filling(table, algorithm.as_ref().map(|found| found.value));
    if let (Some(algorithm), false) = (&algorithm, keyed)
        && algorithm.value.is_of_a_cipher()
    {
        let what = format!("{} is made with a key", algorithm.value.told(true));
        table.faults().note(algorithm.at, what, "computed = \"mac\", and secret = \"...\"");
    }
    let (algorithm, of) = (algorithm?.value, of?);
    let all = algorithm.hex_length();
    if let Some(keep) = keep.as_ref().filter(|keep| !(DIGITS_MIN..=all).contains(&keep.value)) {
        let what = format!("keep: {DIGITS_MIN} to {all} hexadecimal digits");
        table.faults().note(keep.at, what, "so many of the first digits stand there");
    }
    let of = match (of.value, PartRole::parse(of.value)) {
        ("body", _) => DigestOf::Body,
        ("before", _) => DigestOf::Before,
        (_, Some(role)) => DigestOf::Part(role),
        (word, None) => {
            table.faults().note(
                of.at,
                format!("there is no part {word:?}"),
                "one of data, control, message, side, trigger; before, or body in a frame",
            );
            return None;
        }
    };
    let secret = match secret {
        None => None,
        Some(found) => {
            let at = found?;
            if let Some(Err(what)) = scope.secrets.get(at).map(|known| known.sample.fits(algorithm))
            {
                table.faults().note(
                    table.at,
                    what,
                    "a published key of that length under [secrets]",
                );
            }
            Some(at)
        }
    };
    let keep = keep.map_or(all, |found| found.value);
    let how = Digesting { algorithm, secret, filling, keep };
    Some((Computed::Digest { how, of }, Spelling::Hex { upper }))
}

/// `padding = "one"`: how the last block of a cipher is filled.
fn filling(table: &Table<'_>, algorithm: Option<DigestAlgorithm>) -> Filling {
    let found = table.word("padding", &["zeros", "one"], |word| match word {
        "zeros" => Some(Filling::Zeros),
        "one" => Some(Filling::One),
        _ => None,
    });
    if let Some(found) = &found
        && algorithm.is_some_and(|algorithm| !algorithm.is_of_a_cipher())
    {
        let hint = "take padding out; it is of x9.9, x9.19 and sm4";
        table.faults().note(found.at, "a digest fills its blocks by itself", hint);
    }
    found.map_or(Filling::Zeros, |found| found.value)
}

/// `secret = "bank-mac"`: which key.
fn secret(table: &Table<'_>, scope: &Scope<'_>) -> Option<usize> {
    let hint = "secret = \"bank-mac\": a name that stands under [secrets]";
    let name = table.need_text("secret", hint)?;
    let known = scope.secrets.iter().position(|known| known.name == name.value);
    if known.is_none() {
        let what = format!("there is no key {:?}", name.value);
        let hint =
            format!("[secrets] with {} = \"the hexadecimal key of the samples\"", name.value);
        table.faults().note(name.at, what, hint);
    }
    known
}

fn length(table: &Table<'_>) -> Option<(Computed, Spelling)> {
    let hint = "of = \"body\" (behind the frame), \"all\" or \"rest\" (behind this field)";
    table.need_text("of", hint);
    let of = table.word("of", &["body", "all", "rest"], |word| match word {
        "body" => Some(LengthOf::Body),
        "all" => Some(LengthOf::All),
        "rest" => Some(LengthOf::Rest { behind: 0 }),
        _ => None,
    });
    let binary = table.word("binary", &["big", "little"], |word| match word {
        "big" => Some(false),
        "little" => Some(true),
        _ => None,
    });
    let spelling = match binary {
        None => Spelling::Int(Shape::WHOLE),
        Some(little) => {
            let width = table.need_number("width", "width = 4")?;
            if !(1..=8).contains(&width.value) {
                table.faults().note(width.at, "a binary number has 1 to 8 bytes", "width = 4");
                return None;
            }
            Spelling::Binary { width: width.value, little: little.value }
        }
    };
    Some((Computed::Length(of?.value), spelling))
}
