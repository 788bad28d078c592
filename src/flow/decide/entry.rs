//! Who was not let in as an operator: told where it happens again and again, until a day has passed without it.

use std::collections::BTreeSet;

use crate::flow::convert::end_alerts;
use crate::flow::{Ctx, FlowError};
use crate::model::alert::AlertKind;
use crate::store::operators::{Failures, TOLD_FROM};

/// What is written down of a name that is none.
pub const NO_NAME: &str = "?";

/// Writes down that somebody was not let in who said that they were `claimed`.
///
/// # Errors
/// Where the store fails.
pub async fn not_let_in(ctx: &Ctx, claimed: &str, why: &str) -> Result<(), FlowError> {
    let who = match claimed {
        NO_NAME => "配置中没有的操作员".to_owned(),
        name => format!("操作员 {name} "),
    };
    let text = format!(
        "有人以{who}的名义办理核定而未通过验证，一天内已有 {TOLD_FROM} 次；请向本人核实，若非本人，请查明谁能登录这台机器，并更换该操作员的凭据"
    );
    Ok(ctx.store.not_let_in(claimed, why, &text, ctx.now_ms()).await?)
}

/// Who was not let in lately, from once on.
///
/// # Errors
/// Where the store cannot be read.
pub async fn lately(ctx: &Ctx) -> Result<Vec<Failures>, FlowError> {
    Ok(ctx.store.failures(ctx.now_ms()).await?)
}

/// Ends what is told of those who were not let in, once it is over.
///
/// # Errors
/// Where the store fails.
pub(in crate::flow) async fn look(ctx: &Ctx) -> Result<(), FlowError> {
    if ctx.store.standing_alerts(AlertKind::NotLetIn).await?.is_empty() {
        return Ok(());
    }
    let again = lately(ctx).await?.into_iter().filter(|one| one.times >= TOLD_FROM);
    let standing: BTreeSet<String> = again.map(|one| one.claimed).collect();
    end_alerts(ctx, AlertKind::NotLetIn, &standing).await
}
