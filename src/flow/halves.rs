//! Data that a bank has left without the control file that says it is whole. Nobody may read it before that comes
//! (I14), so somebody is told: what it tells may be awaited by nobody, as a return that comes late.

use crate::clock::local_text;
use crate::flow::lying::Lying;
use crate::flow::{Bank, Ctx, FlowError};
use crate::model::alert::AlertKind;

/// How often a folder is looked through for this, and how long a control file may take, in milliseconds.
const EVERY_MS: i64 = 60_000;
const LATE_MS: i64 = 600_000;

/// Data without its control file, by bank.
pub type Halves = Lying<()>;

/// Looks whether data of a bank lies there without its control file, and tells somebody where it lies for long.
///
/// # Errors
/// Where the store fails.
pub async fn look(ctx: &Ctx, bank: &Bank) -> Result<(), FlowError> {
    if !ctx.halves.is_due(&bank.code, ctx.clock.running_ms(), EVERY_MS) {
        return Ok(());
    }
    let mut names = Vec::new();
    for door in bank.doors.folders() {
        match door.halves().await {
            Ok(some) => names.extend(some),
            Err(cause) => {
                tracing::debug!(bank = bank.code, error = %cause, "the incoming folder could not be read");
                return Ok(());
            }
        }
    }
    // What is called like nothing of this bank's is none of ours.
    names.retain(|name| bank.format.recognise(name).is_some());
    let found = names.into_iter().map(|name| (name, ())).collect();
    let about = (bank, AlertKind::NoControl);
    let told = ctx.halves.see(ctx, about, found, LATE_MS, |late| {
        format!(
            "{} 送来的 {} 个文件（如 {}）从 {} 起一直没有完成标志文件，系统不能确认文件已写完，没有读取。请联系该行补送标志文件；补送后系统自动处理",
            bank.name,
            late.count,
            late.oldest,
            local_text(late.since_ms)
        )
    });
    told.await
}
