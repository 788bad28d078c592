//! Who is let in to decide: known by the name in the config, and by what they alone can type. Who is not let
//! in is written down, and told to the one whose name it was.

use crate::app::operators::{NotLetIn, Operators};
use crate::cli::decide::{Who, ask, plain};
use crate::cli::say;
use crate::clock::local_text;
use crate::config::Secret;
use crate::flow::Ctx;
use crate::flow::decide::entry::{NO_NAME, lately, not_let_in};
use crate::store::operators::Failures;

/// Is there an operator of this name?
pub async fn known(operators: &Operators, ctx: &Ctx, name: &str) -> anyhow::Result<()> {
    match operators.know(name) {
        Ok(()) => Ok(()),
        Err(cause) => Err(noted(operators, ctx, name, cause).await),
    }
}

/// Asks who somebody is, and lets them in or not.
pub async fn admit(operators: &Operators, ctx: &Ctx, who: &Who) -> anyhow::Result<()> {
    let typed = match &who.credential_file {
        Some(file) => {
            let secret = Secret { file: Some(file.clone()), credential: None };
            secret.read().map_err(anyhow::Error::msg)?
        }
        None => ask(&format!("credential of {}: ", who.name))?,
    };
    if let Err(cause) = operators.admit(&who.name, &typed) {
        return Err(noted(operators, ctx, &who.name, cause).await);
    }
    for one in lately(ctx).await.map_err(plain)?.iter().filter(|one| one.claimed == who.name) {
        say(format_args!("{}; if that was not you, tell the other operators", told(one)))?;
    }
    Ok(())
}

/// Writes down that somebody was not let in; whatever comes of that, they are not.
async fn noted(operators: &Operators, ctx: &Ctx, name: &str, cause: NotLetIn) -> anyhow::Error {
    let claimed = operators.claimed(name).unwrap_or(NO_NAME);
    tracing::warn!(claimed, why = cause.word(), "somebody was not let in as an operator");
    match not_let_in(ctx, claimed, cause.word()).await {
        Ok(()) => cause.into(),
        Err(trouble) => plain(trouble).context(cause.to_string()),
    }
}

/// Who was not let in lately, in a line.
pub fn told(failures: &Failures) -> String {
    let Failures { claimed, times, last_at_ms } = failures;
    let who = if claimed == NO_NAME { "somebody under no operator's name" } else { claimed };
    let last = local_text(*last_at_ms);
    format!("{who} was not let in {times} times within a day, last at {last}")
}
