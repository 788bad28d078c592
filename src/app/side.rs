//! Whether a bank's requests can go by its door and the one beside it: told before anything is sent, not by a
//! batch that never leaves.

use crate::config::{Bank, Door};
use crate::format::{Format, MessageKind as M, PartRole};

/// What we say to a bank.
const REQUESTS: [M; 6] = [
    M::PaymentRequest,
    M::RefundRequest,
    M::StatusQuery,
    M::ReturnQuery,
    M::NoticeQuery,
    M::RefundQuery,
];

/// What a bank answers with where it was spoken to.
const ANSWERS: [M; 3] = [M::Acknowledgement, M::StatusAnswer, M::RefundAnswer];

/// # Errors
/// In words, which door cannot take what.
pub fn fits(bank: &Bank, format: &Format) -> Result<(), String> {
    let has_folders = |door: &Door| matches!(door, Door::Directory { .. } | Door::Sftp(_));
    let several = |kind: &M| format.parts(*kind).count() > 1;
    let with_files: Vec<M> = REQUESTS.into_iter().filter(several).collect();
    let answer = ANSWERS.iter().find(|kind| several(kind)).filter(|_| !has_folders(&bank.door));
    if let Some(kind) = answer {
        return Err(format!(
            "door: the {kind} of the format has several parts, and an answer over this door is one message"
        ));
    }
    match (&bank.side_door, has_folders(&bank.door)) {
        (None, true) => Ok(()),
        (Some(_), true) => {
            Err("side_door: a door with folders takes all parts of a hand-over; side_door is for files that a \
                 message names, where door is \"https\" or \"socket\""
                .to_owned())
        }
        (Some(side), false) if !has_folders(side) => {
            Err("side_door: files are left in folders; its kind is \"directory\" or \"sftp\"".to_owned())
        }
        (Some(_), false) if with_files.is_empty() => {
            Err("side_door: no request of the format has a file beside its message".to_owned())
        }
        (None, false) => match with_files.first() {
            Some(kind) => Err(format!(
                "door: the {kind} of the format has several parts, and this door takes messages of one; side_door \
                 says where the files go that a message names"
            )),
            None => Ok(()),
        },
        (Some(_), false) => {
            let is_message = |kind: &M| {
                format.parts(*kind).last().is_some_and(|(role, _)| role == PartRole::Message)
            };
            match with_files.iter().find(|kind| !is_message(kind)) {
                Some(kind) => Err(format!(
                    "side_door: what commits the {kind} of the format is no message, and the door takes messages alone"
                )),
                None => Ok(()),
            }
        }
    }
}

/// What is wrong with the settings of the door beside.
pub fn told(cause: &str) -> String {
    let what = cause.strip_prefix("door").unwrap_or(cause);
    let between = if what.len() == cause.len() { ": " } else { "" };
    format!("side_door{between}{what}")
}
