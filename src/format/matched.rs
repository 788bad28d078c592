//! What a description must say so that each row of an answer is about one payment, and so that a cut file
//! or a bank's silence is never taken for an answer (design 4.4 and 4.5).

use crate::format::cell::{Bind, Join};
use crate::format::spec::{FieldSpec, FormatSpec, MessageSpec};
use crate::format::table::Faults;
use crate::format::words::{Key, MessageKind, Slot};

/// Rules about one message.
pub(crate) fn message(message: &MessageSpec, faults: &Faults<'_>) {
    totals(message, faults);
    matching(message, faults);
    bare(message, faults);
    row_reference(message, faults);
}

/// A message with rows that is read states how many they are and what they add up to, where it cannot be left out:
/// nothing else shows that a file was cut (design 4.4). What we write of payments is read back before it leaves, each
/// compared with what was approved, so that there it is for the bank to say whether it wants them.
fn totals(message: &MessageSpec, faults: &Faults<'_>) {
    if !message.has_rows() {
        return;
    }
    // Who asks for a card is paid nothing yet.
    let money = !matches!(message.kind, MessageKind::AccountRequest | MessageKind::AccountAnswer);
    // A list of failures by their places alone may say nothing of amounts: those that it does not list
    // are counted and added up by the bank.
    let money = money && !(message.failures_only && message.bare.is_some());
    let read_back =
        matches!(message.kind, MessageKind::PaymentRequest | MessageKind::RefundRequest);
    for key in [Key::Count, Key::Sum] {
        let wanted = !read_back && (money || key == Key::Count);
        let mut stated = false;
        for (part, record, field) in message.placed() {
            let of_whole = record.is_none_or(|record| !part.is_of_row(record));
            if field.cell.slot() != Some(Slot::Key(key)) || !of_whole {
                continue;
            }
            if record.is_some_and(|record| part.may_repeat(record)) {
                let hint = format!(
                    "the whole message has one {key}; of what stands in a group that may repeat it is computed = \"{}\", in = \"GROUP\"",
                    if key == Key::Count { "count" } else { "sum" }
                );
                faults.note(field.at, format!("{key} in a group that may repeat"), &hint);
            } else if !read_back && record.is_some_and(|record| record.role.is_none()) {
                let hint = "is = \"head\" or is = \"tail\" at its record";
                faults.note(field.at, format!("nobody compares the {key} here"), hint);
            }
            stated |= !field.cell.may_be_absent()
                && record.is_none_or(|record| part.is_always_there(record));
        }
        if wanted && !stated {
            let hint = "a field with this key in the head, the tail or the control part, which is always there";
            faults.note(message.at, format!("rows without their {key}"), hint);
        }
    }
    let amount = message.fields().any(|(row, field)| {
        row && field.cell.slot() == Some(Slot::Key(Key::Amount)) && !field.cell.may_be_absent()
    });
    if money && !amount {
        faults.note(message.at, "rows without amount", "a field with key = \"amount\" in the row");
    }
}

/// Is it an answer about payments?
const fn answers(message: &MessageSpec) -> bool {
    use MessageKind as M;
    matches!(
        message.kind,
        M::Result | M::StatusAnswer | M::LateReturn | M::Notice | M::Acknowledgement
    )
}

/// What its rows are matched by, where it says so.
fn by(message: &MessageSpec) -> Option<&[Key]> {
    message.matching.as_ref().map(|found| found.value.as_slice())
}

/// A row of an answer must say which payment it is about, and silence is success only where the bank
/// counts what it credited (design 4.5).
fn matching(message: &MessageSpec, faults: &Faults<'_>) {
    use MessageKind as M;
    let has = |rows: bool, key: Key| {
        message.fields().any(|(row, field)| {
            row == rows && field.cell.slot() == Some(Slot::Key(key)) && !field.cell.may_be_absent()
        })
    };
    if answers(message) && message.has_rows() {
        let by = message.matching.as_ref().map_or(&[Key::Ordinal][..], |found| &found.value);
        let at = message.matching.as_ref().map_or(message.at, |found| found.at);
        for key in by.iter().filter(|key| !has(true, **key)) {
            let hint = "a field with this key in the row, or match_by = [\"account\", ...]";
            faults.note(at, format!("rows are matched by {key}, and have none"), hint);
        }
        let named = message.bare.is_some()
            || by.contains(&Key::RowReference)
            || by.contains(&Key::BankSerial);
        if !has(true, Key::Account) && !named {
            let hint =
                "what a row says is compared with what was sent; or rows_without_account = true";
            faults.note(at, "rows without account", hint);
        }
    } else if let Some(by) = &message.matching {
        faults.note(by.at, "nothing is matched by this message", "take match_by out");
    }
    if message.kind != M::PaymentRequest && message.keys().contains(&Key::DaySequence) {
        let hint = "only payment requests are counted by day";
        faults.note(message.at, "day_sequence outside a payment request", hint);
    }
    if message.failures_only && message.kind == M::Acknowledgement {
        let hint = "what was taken in is not credited yet; its result says what was";
        faults.note(message.at, "failures_only in an acknowledgement", hint);
    }
    if message.failures_only {
        for key in [Key::CreditedCount, Key::CreditedSum] {
            if !has(false, key) {
                let hint = "success is taken from silence only where the bank counts it";
                faults.note(message.at, format!("failures_only without {key}"), hint);
            }
        }
    }
}

/// A row that names its payment by its place alone could be one of another batch: only a list of all of
/// them, or one of failures beside the bank's own count of the others, shows that it is not.
fn bare(message: &MessageSpec, faults: &Faults<'_>) {
    let Some(at) = message.bare else { return };
    let whole = matches!(message.kind, MessageKind::Result | MessageKind::StatusAnswer);
    let by = message.matching.as_ref().map_or(&[Key::Ordinal][..], |found| &found.value);
    let account = |(row, field): (bool, &FieldSpec)| {
        row && field.cell.slot() == Some(Slot::Key(Key::Account))
    };
    if !whole || by != [Key::Ordinal] || !message.has_rows() {
        let hint = "in a result or status_answer whose rows are matched by ordinal";
        faults.note(at, "rows_without_account has no place here", hint);
    } else if message.fields().any(account) {
        let hint = "what is there is compared: take rows_without_account out";
        faults.note(at, "these rows have an account", hint);
    }
}

/// Our reference of a payment is put together from what is ours, so that it is of one payment for ever.
fn row_reference(message: &MessageSpec, faults: &Faults<'_>) {
    if message.kind != MessageKind::PaymentRequest {
        return;
    }
    for (row, field) in message.fields() {
        if field.cell.slot() != Some(Slot::Key(Key::RowReference)) {
            continue;
        }
        let mut values: Vec<Slot> = match &field.cell.bind {
            Bind::Joined { pieces, .. } => pieces.iter().filter_map(Join::value).collect(),
            _ => Vec::new(),
        };
        values.sort_unstable();
        let ours = [Slot::Key(Key::Reference), Slot::Key(Key::Ordinal)];
        let apart = match &field.cell.bind {
            // The end of one number must not be the beginning of the other.
            Bind::Joined { pieces, .. } => {
                matches!(pieces.as_slice(), [.., Join::Sign(_), Join::Value(_)])
            }
            _ => false,
        };
        if !row || values != ours || !apart || field.cell.may_be_absent() {
            let hint = "join = \"{reference}-{ordinal}\" in the row";
            faults.note(field.at, "row_reference is not of one payment alone", hint);
        }
    }
}

/// What an answer is matched by was told first, payment by payment, by one that is matched otherwise.
pub(crate) fn told_bank_serial(spec: &FormatSpec, faults: &Faults<'_>) {
    let by_serial =
        |message: &&MessageSpec| by(message).is_some_and(|by| by.contains(&Key::BankSerial));
    let tells = |message: &MessageSpec| {
        answers(message)
            && !by_serial(&message)
            && !message.failures_only
            && message.fields().any(|(row, field)| {
                row && field.cell.slot() == Some(Slot::Key(Key::BankSerial))
                    && !field.cell.may_be_absent()
            })
    };
    if spec.messages.iter().any(tells) {
        return;
    }
    for message in spec.messages.iter().filter(by_serial) {
        let at = message.matching.as_ref().map_or(message.at, |found| found.at);
        let hint = "a field with key = \"bank_serial\" that is always there, in the rows of an acknowledgement, or of \
                    another answer about all payments";
        faults.note(at, "no answer tells the bank_serial of a payment before this one", hint);
    }
}

/// What an answer brings back was written first.
pub(crate) fn told_row_reference(spec: &FormatSpec, faults: &Faults<'_>) {
    let written = |message: &MessageSpec| {
        message.kind == MessageKind::PaymentRequest && message.keys().contains(&Key::RowReference)
    };
    if spec.messages.iter().any(written) {
        return;
    }
    for message in &spec.messages {
        if let Some(by) =
            message.matching.as_ref().filter(|by| by.value.contains(&Key::RowReference))
        {
            let hint = "a field with key = \"row_reference\" in the rows of the payment_request";
            faults.note(by.at, "no payment was given a row_reference", hint);
        }
    }
}
