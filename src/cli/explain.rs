//! `daifa explain`: one payment's life, in order, with times and reasons. Personal data is masked.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::app;
use crate::cli::say;
use crate::clock::{Clock, local_text};
use crate::config::{Config, ConfigError};
use crate::flow::sealed::{open_person, open_words};
use crate::lifecycle::Exit;
use crate::model::id::PaymentId;
use crate::model::person::{mask_account, mask_name};
use crate::model::report::harmless;
use crate::store::Store;

pub async fn run(config: &Path, payment: &str, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let id = PaymentId::parse(payment)
        .with_context(|| format!("{payment:?} is not a payment like R12-345"))?;
    let config = Config::read(config)?;
    let parts = app::open_parts(&config, clock).map_err(ConfigError)?;
    let store = Store::attach(&parts.location).await?;
    let life = store.life(id).await?.with_context(|| format!("there is no payment {id}"))?;
    let facts = store.register_facts(id.register).await?;
    let person = open_person(
        &parts.sealer,
        &facts.head_digest,
        id.register,
        id.line,
        life.amount,
        &life.bank,
        &life.person,
    )
    .with_context(|| format!("opening {id}"))?
    .0;
    say(format_args!(
        "{id}: {} yuan to {} {} at {}",
        life.amount,
        mask_name(&person.name),
        mask_account(&person.account),
        life.bank
    ))?;
    say(format_args!(
        "  {} {} ({}), register {} revision {} of {}",
        facts.programme_name, facts.period, facts.summary, facts.id, facts.revision, facts.source
    ))?;
    if let Some((replaced, number)) = life.replaces {
        say(format_args!("  try number {number} to pay; it replaces {replaced}"))?;
    }
    for event in &life.events {
        let words = match &event.words {
            Some((attempt, blob)) => {
                let words = open_words(&parts.sealer, *attempt, id.line, blob)?;
                format!(": {}", harmless(&words, [&person]))
            }
            None => String::new(),
        };
        say(format_args!("  {}  {}{words}", local_text(event.at_ms), event.what))?;
    }
    if let Some(next) = life.replaced_by {
        say(format_args!("  it was replaced by {next}"))?;
    }
    say(format_args!("  now: {}", life.standing))?;
    Ok(Exit::Done)
}
