//! `daifa check`: everything that is wrong with a config, at once.

use std::path::Path;
use std::sync::Arc;

use crate::app;
use crate::cli::{counted, say};
use crate::clock::Clock;
use crate::lifecycle::Exit;

pub fn run(config: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Exit> {
    let app::Checked { problems, notes } = app::check(config, clock);
    if problems.is_empty() {
        say(format_args!("{}: ready to run", config.display()))?;
        for note in &notes {
            say(note)?;
        }
        return Ok(Exit::Done);
    }
    for problem in &problems {
        say(problem)?;
    }
    say(format_args!("{}; nothing was changed", counted(problems.len(), "problem")))?;
    Ok(Exit::Found)
}
