//! How the process begins, is watched over, and ends.
//!
//! The first SIGTERM or SIGINT is a soft stop: no new work is begun, what is under way may end for
//! at most [`DRAIN_LIMIT`]. A second signal, or that limit, is a hard stop. A hard stop loses
//! nothing: an attempt that was being sent is UNKNOWN at the next start and the bank is asked, the
//! same road as after a crash (F59). The soft stop is a courtesy to the bank, not what correctness
//! rests on.
//!
//! SIGHUP asks for the config to be taken anew. Where all of it is good the process stops softly and
//! begins again as itself ([`begin_anew`]), so that whoever watches over it sees one process; where it is not, nothing
//! changes (F57).
//!
//! Under systemd the process says when it is ready and when it stops, and feeds the watchdog only
//! while every step was heard of lately ([`Health`]); a process that is up but stuck is restarted.

use std::future::Future;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::web::Health;

/// How long work under way may take to end after a soft stop. The unit's `TimeoutStopSec` is
/// longer.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(25);

/// How the process ends, as a number that service managers and scripts can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: it did what it was asked to, or was stopped and all work under way had ended.
    Done,
    /// 1: something failed; starting again may help.
    Failed,
    /// 2: the command line is wrong (clap exits with it by itself).
    Usage,
    /// 3: a command that checks (`check`, `verify`, `format check`) ran, and found something.
    Found,
    /// 74: the database failed, or nobody knows whether a commit is durable; starting again reads
    /// back what is (design 4, rule 9).
    Storage,
    /// 75: stopped before all work under way had ended; the next start asks the banks.
    Undrained,
    /// 78: the config, a key or a bank format is wrong; starting again does not help until somebody
    /// mends it, and the unit does not try.
    Config,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Found => 3,
            Self::Storage => 74,
            Self::Undrained => 75,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// How a daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// For good.
    For(Exit),
    /// To begin anew with another config.
    Anew,
}

/// Runs this program again in this process, with the same arguments. What was open is closed by that, and nothing
/// behind it is run; so it comes back only to say why it could not be run.
pub fn begin_anew(program: &Path) -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).exec()
}

/// SIGHUP, from now on.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    /// Listens. Needs a running runtime.
    ///
    /// # Errors
    /// Where the system does not let us listen to signals.
    pub fn heard() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// The two stops of a process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

/// Work was cut off by a hard stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped before all work under way had ended; the next start asks the banks about it")]
pub struct Undrained;

impl Stop {
    /// Stops that nothing has pulled yet, and that only the program itself can pull.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled once no new work may begin. Cancel it to stop the process softly from inside.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Was it told to stop at once?
    pub fn is_hard(&self) -> bool {
        self.hard.is_cancelled()
    }

    /// Listens to SIGTERM and SIGINT from now on. Needs a running runtime.
    ///
    /// # Errors
    /// Where the system does not let us listen to signals.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::new();
        let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(stop.clone().listen(signals.0, signals.1));
        Ok(stop)
    }

    async fn listen(self, mut term: Signal, mut int: Signal) {
        // A soft stop from inside leaves this waiting for the signal that makes it hard.
        tokio::select! {
            name = either(&mut term, &mut int) => {
                tracing::info!(signal = name, limit_s = DRAIN_LIMIT.as_secs(), "stopping; once more to stop at once");
                self.soft.cancel();
            }
            () = self.soft.cancelled() => {}
        }
        let name = either(&mut term, &mut int).await;
        tracing::warn!(signal = name, "stopping at once");
        self.hard.cancel();
    }

    /// Runs `work`, which ends by itself soon after the soft stop, and gives up on it at the hard
    /// stop or `limit` after the soft one, whichever comes first.
    ///
    /// # Errors
    /// [`Undrained`] where it was given up on.
    pub async fn drain<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Undrained> {
        let too_late = async {
            self.soft.cancelled().await;
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                () = self.hard.cancelled() => {}
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = too_late => Err(Undrained),
        }
    }
}

async fn either(term: &mut Signal, int: &mut Signal) -> &'static str {
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}

/// What the service manager is told. Without one, nothing happens.
pub mod manager {
    #[cfg(target_os = "linux")]
    use sd_notify::NotifyState;

    /// Start-up is finished: the store is open, the page is served, the steps run.
    pub fn ready() {
        #[cfg(target_os = "linux")]
        tell(&[NotifyState::Ready]);
    }

    /// The process is on its way out.
    pub fn stopping() {
        #[cfg(target_os = "linux")]
        tell(&[NotifyState::Stopping]);
    }

    /// The process ends what is under way, and says that it is ready once it has begun anew.
    pub fn reloading() {
        #[cfg(target_os = "linux")]
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the service manager could not be told"),
        }
    }

    /// How often the watchdog wants to be fed, or nothing where there is none.
    pub(super) fn watchdog() -> Option<std::time::Duration> {
        #[cfg(target_os = "linux")]
        return sd_notify::watchdog_enabled();
        #[cfg(not(target_os = "linux"))]
        None
    }

    pub(super) fn feed() {
        #[cfg(target_os = "linux")]
        tell(&[NotifyState::Watchdog]);
    }

    #[cfg(target_os = "linux")]
    fn tell(states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

/// Feeds the watchdog while the daemon is alive, for as long as the process runs. Ends at once
/// where no watchdog is set.
pub async fn feed_watchdog(health: Arc<Health>, clock: Arc<dyn Clock>) {
    let Some(within) = manager::watchdog() else { return };
    // Three times in the time allowed: one may be late.
    let mut turns = tokio::time::interval((within / 3).max(Duration::from_millis(100)));
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let verdict = health.live(clock.now_ms());
        if verdict.ok {
            manager::feed();
        } else {
            tracing::error!(reasons = ?verdict.reasons, "the watchdog is not fed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn f59_work_that_ends_in_time_is_waited_for() {
        let stop = Stop::new();
        stop.soft().cancel();
        let work = async { tokio::time::sleep(Duration::from_secs(24)).await };
        assert_eq!(stop.drain(DRAIN_LIMIT, work).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn f59_work_that_does_not_end_is_cut_off_at_the_limit() {
        let stop = Stop::new();
        stop.soft().cancel();
        let work = std::future::pending::<()>();
        let before = tokio::time::Instant::now();
        assert_eq!(stop.drain(DRAIN_LIMIT, work).await, Err(Undrained));
        assert_eq!(before.elapsed().as_secs(), DRAIN_LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn f59_a_second_signal_does_not_wait() {
        let stop = Stop::new();
        stop.soft().cancel();
        stop.hard.cancel();
        let before = tokio::time::Instant::now();
        assert_eq!(stop.drain(DRAIN_LIMIT, std::future::pending::<()>()).await, Err(Undrained));
        assert!(before.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn f59_the_first_signal_is_soft_and_the_second_hard() {
        let stop = Stop::on_signals().expect("listens");
        let me = std::process::id().to_string();
        let send = async |name: &str| {
            let sent = tokio::process::Command::new("kill").args([name, &me]).status().await;
            assert!(sent.expect("kill runs").success());
        };
        let within = Duration::from_secs(10);
        send("-TERM").await;
        tokio::time::timeout(within, stop.soft.cancelled()).await.expect("a soft stop");
        assert!(!stop.hard.is_cancelled(), "one signal is not a hard stop");
        send("-INT").await;
        tokio::time::timeout(within, stop.hard.cancelled()).await.expect("a hard stop");
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_not_limited_before_the_stop() {
        let stop = Stop::new();
        let work = async { tokio::time::sleep(Duration::from_hours(1)).await };
        assert_eq!(stop.drain(DRAIN_LIMIT, work).await, Ok(()));
    }
}
