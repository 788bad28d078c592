//! Watch: raises one's voice at 50, 80, 95 and 100 percent of the time allowed and every day behind it, when a bank does not
//! answer in time, and when it is left alone. Deadlines are stored when their start is known and never
//! recomputed; a jump of the clock can bring an alert early or late, and moves no money (I16).

use std::collections::BTreeSet;

use crate::clock::local_text;
use crate::flow::decide::entry;
use crate::flow::submit::look_for_orphans;
use crate::flow::{Ctx, FlowError, Progress, beside, breaker, expect, pushed, time};
use crate::model::alert::AlertKind;
use crate::model::deadline::{length, level};
use crate::model::money::Fen;
use crate::store::StoreError;
use crate::store::alerts::Running;

/// How often the clocks are looked at.
const EVERY_MS: i64 = 1_000;

/// # Errors
/// Where the store fails.
pub async fn step(ctx: &Ctx) -> Result<Progress, FlowError> {
    time::bounds(ctx).await?;
    expect::look(ctx).await?;
    breaker::look(ctx).await?;
    entry::look(ctx).await?;
    // Banks that are not in the config any more have no lane of their own.
    look_for_orphans(ctx).await?;
    pushed::look(ctx).await?;
    beside::end_of_others(ctx).await?;
    look_at_years(ctx).await?;
    let now = ctx.now_ms();
    for running in ctx.store.running().await? {
        let reached = level(running.start_at_ms, running.deadline_at_ms, now);
        if running.open_fen == 0 {
            if running.alert_level > 0 {
                ctx.store
                    .clear_alert(AlertKind::Deadline, &running.register.to_string(), now)
                    .await?;
            }
            continue;
        }
        // A clock that was ahead for a while left more days than there are.
        let too_many_days =
            running.alert_level > 100 && (100..running.alert_level).contains(&reached);
        if reached <= running.alert_level && !too_many_days {
            continue;
        }
        tracing::warn!(register = %running.register, percent = reached, "time is running out");
        let text = words(&running, reached, ctx.duty.allowed_ms);
        match ctx.store.raise_deadline(&running, reached, &text, now).await {
            Err(StoreError::Moved { .. }) => {}
            done => done?,
        }
    }
    Ok(Progress::Idle { until_ms: Some(now + EVERY_MS) })
}

/// A calendar is a file that somebody has to keep: where its year runs out, somebody is told.
async fn look_at_years(ctx: &Ctx) -> Result<(), FlowError> {
    let (kind, now) = (AlertKind::Calendar, ctx.now_ms());
    let standing = ctx.store.standing_alerts(kind).await?;
    let mut missing = BTreeSet::new();
    for bank in ctx.banks.values() {
        let Some(year) = bank.rules.missing_year(now) else { continue };
        let subject = format!("{}/{year}", bank.code);
        if !standing.contains(&subject) {
            let text = format!(
                "{} 按工作日收件，节假日文件（calendar）里没有 {year} 年：该年的节假日会当作工作日，调休上班日会当作休息日。请按国务院办公厅通知补上该年并重新启动",
                bank.name
            );
            ctx.store.raise_alert(kind, &subject, None, &text, now).await?;
        }
        missing.insert(subject);
    }
    for subject in standing.iter().filter(|subject| !missing.contains(*subject)) {
        ctx.store.clear_alert(kind, subject, now).await?;
    }
    Ok(())
}

fn words(running: &Running, reached: i64, allowed_ms: i64) -> String {
    let open = Fen::new(running.open_fen);
    let deadline = local_text(running.deadline_at_ms);
    let Running { register, id, programme_name, .. } = running;
    if reached >= 100 {
        let days = match reached - 100 {
            0 => String::new(),
            days => format!(" 满 {days} 天"),
        };
        format!(
            "{register}（{id} {programme_name}）已超过{}时限 {deadline}{days}，仍有 {open} 元未办结；请立即联系银行并报告财政",
            length(allowed_ms)
        )
    } else {
        format!(
            "{register}（{id} {programme_name}）时限已用去 {reached}%，截止 {deadline}，仍有 {open} 元未办结"
        )
    }
}
