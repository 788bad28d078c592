//! Signs that stand in fields of their own, like a `0` or `1` before an amount: the number keeps its sign
//! from there on, so that sums and all else take it as it is.

use crate::format::cell::{Bind, Cell, Pen, Spelling};
use crate::format::computed::{Computed, Stated};
use crate::format::lines::{Field, RecordPlan};
use crate::format::number::{Shape, Sign};
use crate::format::record::Record;
use crate::format::spec::FieldSpec;
use crate::format::table::Faults;
use crate::format::words::{Slot, Source, Value};
use crate::model::money::Fen;

/// The number whose sign it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignOf {
    /// Not looked for yet: a description names it.
    Named,
    Value(Slot),
    /// A number that is worked out, by its place among the part's tallies.
    Tally(usize),
}

impl SignOf {
    /// The number that is to be written.
    pub fn number(self, pen: &Pen<'_>, source: &dyn Source) -> Option<i64> {
        match self {
            Self::Named => None,
            Self::Value(slot) => number(source, slot),
            Self::Tally(at) => Some(pen.facts.number(&Computed::Tally(at))),
        }
    }
}

fn number(source: &dyn Source, slot: Slot) -> Option<i64> {
    match source.slot(slot)? {
        Value::Int(number) | Value::Decimal(number) => Some(number),
        Value::Amount(fen) => Some(fen.get()),
        Value::Text(_) | Value::Moment(_) => None,
    }
}

/// What is in the place of a sign, and what was expected.
type Wrong = [&'static str; 2];

impl RecordPlan {
    /// Gives the numbers of a record that was read the signs that were read beside them; tells the first
    /// sign that does not fit, and takes back the number which it should belong to.
    pub fn take_signs(&self, record: &mut Record, stated: &mut Stated) -> Option<(&Field, Wrong)> {
        let mut first = None;
        for field in self.signs.iter().filter_map(|at| self.fields.get(*at)) {
            let Bind::Sign { of, .. } = field.cell.bind else { continue };
            let known = stated.signs.iter().find(|(known, _)| *known == of);
            let sign = known.map(|(_, negative)| *negative);
            let Err(wrong) = take_sign(&field.cell, of, sign, record, stated) else { continue };
            if let SignOf::Value(slot) = of {
                record.unset_slot(slot);
            }
            first.get_or_insert((field, wrong));
        }
        first
    }
}

fn take_sign(
    cell: &Cell,
    of: SignOf,
    sign: Option<bool>,
    record: &mut Record,
    stated: &mut Stated,
) -> Result<(), Wrong> {
    let found = match of {
        SignOf::Named => return Ok(()),
        SignOf::Value(slot) => number(record, slot),
        SignOf::Tally(at) => {
            let same = |computed: &Computed| *computed == Computed::Tally(at);
            stated.numbers.iter().find(|(computed, _, _)| same(computed)).map(|(_, n, _)| *n)
        }
    };
    // Where a plus is not written, nothing is one.
    let unsigned = matches!(&cell.spelling, Spelling::Words(words)
        if words.first().is_some_and(|plus| plus.bytes.is_empty()));
    let negative = match (found, sign) {
        (None, None) => return Ok(()),
        (None, Some(false)) if unsigned => return Ok(()),
        (None, Some(_)) => return Err(["one", "no sign: its number is not there"]),
        (Some(_), None) if !unsigned => return Err(["nothing", "the sign of its number"]),
        // There is no minus zero: it would not be written again.
        (Some(0), Some(true)) => return Err(["a minus", "a plus, as the number is zero"]),
        (Some(_), sign) => sign.unwrap_or(false),
    };
    if !negative {
        return Ok(());
    }
    match of {
        SignOf::Named => {}
        SignOf::Value(slot) => {
            let turned = match record.slot(slot) {
                Some(Value::Int(number)) => Value::Int(-number),
                Some(Value::Decimal(number)) => Value::Decimal(-number),
                Some(Value::Amount(fen)) => Value::Amount(Fen::new(-fen.get())),
                _ => return Ok(()),
            };
            record.set_slot(slot, turned);
        }
        SignOf::Tally(at) => {
            for (computed, number, _) in &mut stated.numbers {
                if *computed == Computed::Tally(at) {
                    *number = -*number;
                }
            }
        }
    }
    Ok(())
}

/// Finds the numbers of signs in their record; each sign has one, and each such number one sign.
pub(crate) fn find(fields: &mut [FieldSpec], faults: &Faults<'_>) {
    let apart =
        |cell: &Cell| matches!(cell.spelling.shape(), Some(Shape { sign: Sign::Apart, .. }));
    let numbers: Vec<(String, SignOf, bool, usize)> = fields
        .iter()
        .filter(|field| apart(&field.cell))
        .map(|field| {
            let of = match &field.cell.bind {
                Bind::Computed(Computed::Tally(at)) => SignOf::Tally(*at),
                _ => field.cell.slot().map_or(SignOf::Named, SignOf::Value),
            };
            (field.cell.name.clone(), of, field.cell.may_be_absent(), field.at)
        })
        .collect();
    let mut signed = vec![0; numbers.len()];
    for field in fields.iter_mut() {
        let absent = field.cell.may_be_absent();
        let Bind::Sign { name, of } = &mut field.cell.bind else { continue };
        let Some(at) = numbers.iter().position(|(known, ..)| known == name) else {
            let what = format!("sign_of: this record has no number {name:?} without its sign");
            faults.note(field.at, what, "sign = \"apart\" at the number, and its name here");
            continue;
        };
        *of = numbers[at].1;
        signed[at] += 1;
        if numbers[at].2 && !absent {
            let what = format!("sign_of: {name} may be missing, and its sign may not");
            faults.note(field.at, what, "optional = true, or the number's when, at both");
        }
    }
    for ((name, _, _, at), count) in numbers.iter().zip(signed) {
        if count != 1 {
            let what = format!("{name}: its sign stands in {count} fields of this record");
            faults.note(*at, what, format!("one field with sign_of = {name:?}"));
        }
    }
}
