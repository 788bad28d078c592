//! SIGHUP: the daemon takes its config anew (F57).
//!
//! All of it is looked at first, the samples of the formats and the keys of the database among it. Where anything is
//! wrong, the daemon goes on with what it was begun with, and says so. Where nothing is, it stops softly and begins
//! again in the same process: the road of every stop and start, because a config that is taken over piece by piece
//! while a batch is under way would be a second road, that nobody has walked when it counts.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use crate::app::parts::{check_for_daemon, open_parts};
use crate::app::{Checked, known_keys};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, entries};
use crate::lifecycle::Hangups;
use crate::store::{Location, Store};
use crate::web::Metrics;

/// What a daemon was begun with that stays until it is stopped.
pub(super) struct Begun<'a> {
    pub config: &'a Config,
    pub path: &'a Path,
    pub location: Location,
    pub store: Arc<Store>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
}

impl Begun<'_> {
    /// Waits until somebody asks for another config and everything in it is good.
    pub async fn asked(&self, mut hangups: Hangups) {
        loop {
            hangups.next().await;
            tracing::info!(config = %self.path.display(), "SIGHUP: looking at the config");
            let problems = self.problems().await;
            self.metrics.config_refused(!problems.is_empty());
            if problems.is_empty() {
                tracing::info!("the config is good; ending what is under way and beginning anew");
                return;
            }
            for problem in &problems {
                tracing::error!("{problem}");
            }
            tracing::error!(
                problems = problems.len(),
                "the config is not taken; the daemon goes on with the one that it was begun with"
            );
        }
    }

    /// Everything that speaks against beginning anew, each in words that say where.
    async fn problems(&self) -> Vec<String> {
        let (path, clock) = (self.path.to_owned(), Arc::clone(&self.clock));
        let looked = tokio::task::spawn_blocking(move || {
            let Checked { problems, notes: _ } = check_for_daemon(&path, &clock);
            if !problems.is_empty() {
                return Err(problems);
            }
            let config = Config::read(&path).map_err(|ConfigError(problems)| problems)?;
            let parts = open_parts(&config, &clock)?;
            Ok((config, parts))
        });
        let (config, parts) = match looked.await {
            Ok(Ok(looked)) => looked,
            Ok(Err(problems)) => return problems,
            Err(_) => return vec!["looking at it failed by a defect of the program".to_owned()],
        };
        if config.data != self.config.data || parts.location != self.location {
            let what = "data, database: this is another database than the one that the daemon works with; stop it \
                        and start it";
            return vec![what.to_owned()];
        }
        if let Err(cause) = known_keys(&self.store, &parts).await {
            return match cause.downcast::<ConfigError>() {
                Ok(ConfigError(problems)) => problems,
                Err(cause) => vec![format!("database: {cause:#}")],
            };
        }
        self.taken_addresses(&config)
    }

    /// Addresses that the daemon would listen on then and does not now, and that somebody else has.
    fn taken_addresses(&self, config: &Config) -> Vec<String> {
        let now: BTreeSet<SocketAddr> = listened_on(self.config).map(|(_, at)| at).collect();
        let new = listened_on(config).filter(|(_, at)| !now.contains(at));
        let taken = new.filter_map(|(key, at)| match TcpListener::bind(at) {
            Ok(_) => None,
            Err(cause) => Some(format!("{key}: {at}: {cause}")),
        });
        taken.collect()
    }
}

/// Every address that a daemon of this config listens on, with its key.
fn listened_on(config: &Config) -> impl Iterator<Item = (String, SocketAddr)> {
    let pushes = config.banks.iter().zip(entries("bank")).filter_map(|(bank, place)| {
        bank.push.as_ref().map(|push| (format!("{place}.push.listen"), push.listen))
    });
    std::iter::once(("listen".to_owned(), config.listen)).chain(pushes)
}
