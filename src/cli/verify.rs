//! `daifa verify`: recomputes the five places, walks the journal, and holds the database against the marks beside
//! it; the exit code tells.

use std::path::Path;

use crate::app;
use crate::cli::{attach, counted, say};
use crate::config::ConfigError;
use crate::lifecycle::Exit;

pub async fn run(config: &Path) -> anyhow::Result<Exit> {
    let (config, store) = attach(config).await?;
    let mut found = store.verify().await?;
    // What stands beside the database knows more of it than it does itself.
    if let Err(cause) = app::is_the_one(&config, &store).await {
        let ConfigError(problems) = cause.downcast::<ConfigError>()?;
        found.problems.extend(problems);
    }
    say(format_args!(
        "{} payments, {} postings, {} journal entries in {} chains",
        found.payments, found.postings, found.entries, found.chains
    ))?;
    let places = &found.places;
    for (name, fen) in [
        ("approved", places.approved),
        ("unsent", places.unsent),
        ("in flight", places.in_flight),
        ("credited", places.credited),
        ("refundable", places.refundable),
        ("refunded", places.refunded),
        ("disputed", places.disputed),
    ] {
        say(format_args!("  {name:<11} {:>18} yuan", fen.yuan_grouped()))?;
    }
    say(format_args!("head over the heads: {}", found.head))?;
    if found.problems.is_empty() {
        say("everything adds up")?;
        return Ok(Exit::Done);
    }
    for problem in &found.problems {
        say(format_args!("PROBLEM: {problem}"))?;
    }
    say(format_args!(
        "{}; stop the daemon, keep the database as it is, and compare with a backup",
        counted(found.problems.len(), "problem")
    ))?;
    Ok(Exit::Found)
}
