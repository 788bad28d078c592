//! Files of ours that a bank has not picked up yet.
//!
//! A file that lies in the shared folder was handed over, and nobody at the bank has seen it: the page
//! must not say that the bank has it, and a question that would collide with the one still lying there
//! is not asked again.

use crate::clock::local_text;
use crate::flow::lying::Lying;
use crate::flow::{Bank, Ctx, FlowError};
use crate::format::{Key, MessageKind};
use crate::model::alert::AlertKind;

/// A file is not called late before this, in milliseconds.
const LATE_MIN_MS: i64 = 60_000;

/// Files of ours that still lie there, by bank. Known of each is the reference of the payments or refunds in it; a
/// question has the same one and is not what it asks about.
pub type Unfetched = Lying<Option<String>>;

impl Unfetched {
    /// Does what was sent under this reference still lie there?
    pub fn has_reference(&self, bank: &str, reference: &str) -> bool {
        self.any(bank, |_, known| known.as_deref() == Some(reference))
    }

    /// Does a file of this name still lie there?
    pub fn has_name(&self, bank: &str, name: &str) -> bool {
        self.any(bank, |known, _| known == name)
    }
}

/// Looks what still lies in the folder of a bank, and tells somebody where it lies for long.
///
/// # Errors
/// Where the store fails.
pub async fn look(ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
    let mut lying: Option<Vec<String>> = None;
    for door in bank.doors.folders() {
        match door.unfetched().await {
            Ok(Some(names)) => lying.get_or_insert_default().extend(names),
            Ok(None) => {}
            Err(cause) => {
                tracing::debug!(bank = bank.code, error = %cause, "the outgoing folder could not be read");
                return Ok(());
            }
        }
    }
    let Some(names) = lying else { return Ok(()) };
    let mine = |name: String| {
        let known = bank.format.recognise(&name)?;
        // A stop may have left a question there of which the part that makes the bank act never came: nobody can fetch
        // that, and it is asked anew.
        let acts = bank.format.parts(known.kind).any(|part| part == (known.role, true));
        let reference = known.keys.text(Key::Reference).map(str::to_owned);
        match known.kind {
            MessageKind::PaymentRequest | MessageKind::RefundRequest => Some((name, reference)),
            MessageKind::StatusQuery
            | MessageKind::ReturnQuery
            | MessageKind::NoticeQuery
            | MessageKind::RefundQuery => acts.then_some((name, None)),
            _ => None,
        }
    };
    let found = names.into_iter().filter_map(mine).collect();
    let late_ms = bank.rules.ask_after_ms.max(LATE_MIN_MS);
    let about = (bank, AlertKind::NotFetched);
    let told = ctx.unfetched.see(ctx, about, found, late_ms, |late| {
        format!(
            "{} 有 {} 个文件从 {} 起一直没有取走，银行可能还没有看到。请联系该行检查取件程序和共享目录；取走之前系统不会重发，也不会重复询问",
            bank.name,
            late.count,
            local_text(late.since_ms)
        )
    });
    told.await
}
