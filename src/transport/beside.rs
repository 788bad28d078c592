//! A message by one door, and the file that it names by another: many banks take the payments of a batch as a
//! file on their server, and the word to pay them as a message on a line.
//!
//! The file goes first. Nobody at the bank acts on a file that no message names, so whatever becomes of it -
//! also that nobody knows whether it is there - is before the commit point, which is that of the message's
//! door: the same bytes go again, and a file that lies there already is compared and left as it is. Answers
//! name files too: these are fetched like any arrival, and which message they belong to the caller knows.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::attempt::Committed;
use crate::transport::{Arrival, Asked, DoorError, OutPart, Sent, Transport};

/// Two doors of one bank.
pub struct Beside {
    message: Arc<dyn Transport>,
    files: Arc<dyn Transport>,
}

impl Beside {
    /// `message` takes messages of one part, and `files` has folders.
    pub fn new(message: Arc<dyn Transport>, files: Arc<dyn Transport>) -> Self {
        Self { message, files }
    }
}

/// The message alone, and the files beside it as a hand-over of their own; nothing where it is not the last
/// part that commits.
fn apart(parts: &[OutPart]) -> Result<(Vec<OutPart>, [OutPart; 1]), String> {
    let wrong = || "exactly one part commits a hand-over, and it is the last".to_owned();
    let (message, files) = parts.split_last().ok_or("there is nothing to send")?;
    if !message.committing || files.iter().any(|file| file.committing) {
        return Err(wrong());
    }
    let mut files = files.to_vec();
    if let Some(last) = files.last_mut() {
        last.committing = true;
    }
    Ok((files, [OutPart { name: String::new(), ..message.clone() }]))
}

fn not_left(cause: &str) -> String {
    format!("the file that the message names could not be left for the bank: {cause}")
}

#[async_trait]
impl Transport for Beside {
    async fn send(&self, committed: &Committed, parts: &[OutPart]) -> Sent {
        let (files, message) = match apart(parts) {
            Ok(apart) => apart,
            Err(cause) => return Sent::NotSent { cause },
        };
        if !files.is_empty() {
            match self.files.send(committed, &files).await {
                Sent::Accepted { answer: _ } => {}
                Sent::NotSent { cause } | Sent::Unknown { cause, evidence: _ } => {
                    return Sent::NotSent { cause: not_left(&cause) };
                }
            }
        }
        self.message.send(committed, &message).await
    }

    fn may_be_earlier(&self) -> bool {
        self.message.may_be_earlier()
    }

    /// What counts is the message, and a line shows nothing of what went over it.
    fn can_look(&self) -> bool {
        self.message.can_look()
    }

    fn unasked(&self) -> Vec<Bytes> {
        self.message.unasked()
    }

    async fn lies_there(&self, parts: &[OutPart]) -> bool {
        match apart(parts) {
            Ok((_, message)) => self.message.lies_there(&message).await,
            Err(_) => false,
        }
    }

    async fn ask(&self, parts: &[OutPart]) -> Asked {
        let (files, message) = match apart(parts) {
            Ok(apart) => apart,
            Err(cause) => return Asked::Failed { cause },
        };
        if !files.is_empty()
            && let Asked::Failed { cause } = self.files.ask(&files).await
        {
            return Asked::Failed { cause: not_left(&cause) };
        }
        self.message.ask(&message).await
    }

    async fn arrivals(&self, limit: usize) -> Result<Vec<String>, DoorError> {
        self.files.arrivals(limit).await
    }

    async fn fetch(&self, name: &str) -> Result<Arrival, DoorError> {
        self.files.fetch(name).await
    }

    async fn archive(&self, arrival: &Arrival) -> Result<(), DoorError> {
        self.files.archive(arrival).await
    }

    async fn set_aside(&self, name: &str) -> Result<(), DoorError> {
        self.files.set_aside(name).await
    }

    /// A bank may read a file where it lies, when a message names it, and leave it there.
    async fn unfetched(&self) -> Result<Option<Vec<String>>, DoorError> {
        Ok(None)
    }

    async fn halves(&self) -> Result<Vec<String>, DoorError> {
        self.files.halves().await
    }

    async fn crowded_out(&self) -> Vec<String> {
        self.files.crowded_out().await
    }

    async fn beside(&self) -> Result<Vec<String>, DoorError> {
        Ok(self.files.unfetched().await?.unwrap_or_default())
    }

    async fn clear(&self, parts: &[OutPart]) -> Result<usize, DoorError> {
        match apart(parts) {
            Ok((files, _)) => self.files.clear(&files).await,
            Err(_) => Ok(0),
        }
    }

    fn opens_at(&self, now_ms: i64) -> Option<i64> {
        self.message.opens_at(now_ms).max(self.files.opens_at(now_ms))
    }

    fn commit_point(&self) -> &'static str {
        self.message.commit_point()
    }
}
