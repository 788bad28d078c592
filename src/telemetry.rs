//! Logs: one compact line per event on standard error, where the service manager keeps them.
//!
//! What is logged holds ids, counts and our own words, never a payee, an account or a
//! counterpart's text (I27). A panic's message may hold anything, so it is not printed: its place
//! in the source says enough to find it.

use std::io::IsTerminal;
use std::panic::{Location, PanicHookInfo};

use tracing_subscriber::EnvFilter;

/// Why logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("{level:?} is no level: off, error, warn, info, debug or trace")]
    Unknown { level: String },
    #[error(
        "the log level {level:?} is not understood ({cause}); write error, warn, info, debug, trace, \
         or info,daifa::transport=debug"
    )]
    Level { level: String, cause: tracing_subscriber::filter::ParseError },
    #[error("logs are already set up in this process")]
    Twice,
}

/// Sets up logs and the panic hook for the whole process. `level` comes from the config: `info`,
/// or `info,daifa::transport=debug`; the environment is not asked.
///
/// # Errors
/// [`TelemetryError`], where the level is not understood or it was done before.
pub fn init(level: &str) -> Result<(), TelemetryError> {
    let filter = filter(level)?;
    tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Where a line cannot be written, on a full disk or behind a terminal that was closed, saying so in the same
        // place would end the task that logged it.
        .log_internal_errors(false)
        .try_init()
        .map_err(|_| TelemetryError::Twice)?;
    quiet_panics();
    Ok(())
}

/// Can `level` be used? For checking a config without setting anything up.
///
/// # Errors
/// [`TelemetryError::Level`].
pub fn check_level(level: &str) -> Result<(), TelemetryError> {
    // A word alone would be read as the name of a part of the program, of which there is none.
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    if !level.contains(['=', ',']) && !known.contains(&level.to_ascii_lowercase().as_str()) {
        return Err(TelemetryError::Unknown { level: level.to_owned() });
    }
    filter(level).map(|_| ())
}

fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    let unread = |cause| TelemetryError::Level { level: level.to_owned(), cause };
    // Each statement to `PostgreSQL`, which is nearly all of it, only where that is asked for: "debug,sqlx=debug".
    let quiet = ["debug", "trace"].contains(&level.to_ascii_lowercase().as_str());
    let level = if quiet { format!("{level},sqlx=info") } else { level.to_owned() };
    EnvFilter::builder().parse(level).map_err(unread)
}

/// From now on a panic says where it happened, and nothing of what.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| tracing::error!("{}", panic_line(info))));
}

/// What is said of a panic.
fn panic_line(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), Location::to_string);
    format!("a defect of the program stopped a task at {place}; please report this place")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn i27_a_panic_says_where_and_never_what() {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let before = std::panic::take_hook();
        let here = std::thread::current().id();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == here {
                *heard.lock().expect("lock") = panic_line(info);
            }
        }));
        let ended = std::panic::catch_unwind(|| panic!("account {}", "6228480402564890018"));
        std::panic::set_hook(before);
        assert!(ended.is_err());
        let line = said.lock().expect("lock").clone();
        assert!(line.contains("src/telemetry.rs:"), "{line}");
        assert!(!line.contains("6228480402564890018") && !line.contains("account"), "{line}");
    }

    #[test]
    fn levels_are_read_or_refused_in_clear_words() {
        for good in ["info", "warn", "info,daifa::transport=debug", "debug,sqlx=warn"] {
            assert!(check_level(good).is_ok(), "{good}");
        }
        for bad in ["info,daifa=loudly", "daifa=1x", "a=b=c"] {
            let text = check_level(bad).expect_err(bad).to_string();
            assert!(text.contains(bad) && text.contains("trace"), "{text}");
        }
    }
}
