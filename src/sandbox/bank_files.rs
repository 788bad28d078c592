//! A practice bank that is met in two folders. It takes files as carefully as the daemon does, and
//! leaves its own under a hidden name first, with the control file last.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::format::{Key, MessageKind, Part};
use crate::model::attempt::Answer;
use crate::sandbox::bank::BankError;
use crate::sandbox::bank_book::{Known, Told};
use crate::sandbox::bank_desk::{Desk, Reply};
use crate::sandbox::bank_speech::Speech;
use crate::transport::directory::outgoing::leave_anew;
use crate::transport::directory::{Completion, Directory, DirectoryOptions};
use crate::transport::{Arrival, DoorError, OutPart, Sent, Transport};

/// The most bytes of a file that is handed to this bank.
const BYTES_MAX: u64 = 1 << 28;
/// A file without a control file is whole when so many looks saw no change.
const STILL_LOOKS: u64 = 3;
/// The most files that are taken in one look.
const LOOK_MAX: usize = 1_000;

/// Begins to look at the folders.
pub fn start(
    desk: &Arc<Desk>,
    outgoing: PathBuf,
    incoming: PathBuf,
    suffix: Option<String>,
) -> Result<JoinHandle<()>, BankError> {
    let completion = match suffix {
        Some(suffix) => Completion::Control { suffix },
        None => Completion::StableMs(desk.options.poll_ms.saturating_mul(STILL_LOOKS)),
    };
    for folder in [&outgoing, &incoming] {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|source| DoorError::Io { doing: "making", path: folder.clone(), source })?;
    }
    // Our "out" is the bank's "in".
    let door = Directory::new(DirectoryOptions {
        outgoing: incoming.clone(),
        incoming: outgoing,
        archive: desk.options.data.join("taken"),
        quarantine: desk.options.data.join("unreadable"),
        completion,
        bytes_max: BYTES_MAX,
        total_ms: 30_000,
    })?;
    let counter = Counter { desk: Arc::clone(desk), door, incoming };
    let pause = Duration::from_millis(desk.options.poll_ms);
    Ok(tokio::spawn(async move {
        loop {
            let outage = counter.desk.faults().outage;
            let is_away = outage.is_some_and(|o| o.left_ms(counter.desk.now()).is_some());
            counter.desk.leave_late();
            if !is_away && let Err(e) = counter.look().await {
                let cause = e.to_string();
                tracing::warn!(cause, "a practice bank's look at its folders failed");
            }
            tokio::time::sleep(pause).await;
        }
    }))
}

/// The counter where files come and go.
struct Counter {
    desk: Arc<Desk>,
    door: Directory,
    incoming: PathBuf,
}

impl Counter {
    async fn look(&self) -> Result<(), BankError> {
        for name in self.door.arrivals(LOOK_MAX).await? {
            match self.door.fetch(&name).await {
                Ok(arrival) => self.take(arrival).await?,
                Err(DoorError::Gone(_) | DoorError::Changing(_)) => {}
                Err(_) => self.door.set_aside(&name).await?,
            }
        }
        let desk = Arc::clone(&self.desk);
        let incoming = self.incoming.clone();
        spawn_blocking(move || tell_all(&desk, &incoming))
            .await
            .map_err(|_| BankError::Interrupted)?
    }

    /// Books first, answers then, puts the file away last: a kill in between makes the same file
    /// be read again, which the book knows.
    async fn take(&self, arrival: Arrival) -> Result<(), BankError> {
        let desk = Arc::clone(&self.desk);
        let incoming = self.incoming.clone();
        let read = arrival.clone();
        let understood = spawn_blocking(move || answer(&desk, &incoming, &read))
            .await
            .map_err(|_| BankError::Interrupted)??;
        match understood {
            Understood::Taken => self.door.archive(&arrival).await?,
            Understood::Later => {}
            Understood::No => self.door.set_aside(&arrival.name).await?,
        }
        Ok(())
    }
}

enum Understood {
    Taken,
    Later,
    No,
}

fn answer(desk: &Desk, incoming: &Path, arrival: &Arrival) -> Result<Understood, BankError> {
    let format = desk.speech.format();
    let Some(recognised) = format.recognise(&arrival.name) else { return Ok(Understood::No) };
    let mut parts = Vec::with_capacity(arrival.parts.len());
    for (at, part) in arrival.parts.iter().enumerate() {
        let Some(known) = format.recognise(&part.name) else { return Ok(Understood::No) };
        parts.push(Part {
            role: known.role,
            name: part.name.clone(),
            bytes: part.bytes.to_vec(),
            committing: at + 1 == arrival.parts.len(),
        });
    }
    let kind = recognised.kind;
    let reply = match desk.speech.hear(kind, &parts) {
        Ok(heard) if kind == MessageKind::StatusQuery => match heard.head.text(Key::Reference) {
            Some(reference) if desk.is_unheard(kind, reference) => Reply::Silence,
            Some(reference) => standing(desk, incoming, reference)?,
            None => Reply::NotUnderstood,
        },
        Ok(heard) => match desk.answer_heard(&heard) {
            Err(BankError::Speech(e)) => {
                let cause = e.to_string();
                tracing::error!(cause, "a practice bank cannot say its answer");
                Reply::Silence
            }
            reply => reply?,
        },
        Err(e) if kind == MessageKind::PaymentRequest => {
            desk.answer_heard(&Speech::unread(kind, recognised.keys, &parts, &e))?
        }
        Err(_) => Reply::NotUnderstood,
    };
    Ok(match reply {
        Reply::Say(parts) => {
            // An answer that lies there already is not written over.
            place(incoming, parts);
            Understood::Taken
        }
        Reply::Silence => Understood::Taken,
        Reply::Busy => Understood::Later,
        Reply::NotUnderstood => Understood::No,
    })
}

/// How a batch stands, as an answer of its own where the description has one; the results are left
/// again where they were left before.
fn standing(desk: &Desk, incoming: &Path, reference: &str) -> Result<Reply, BankError> {
    let standing = desk.standing(reference)?;
    let known = desk.book().request(reference).cloned();
    if let (Some(Answer::Done), Some(known)) = (standing, known)
        && known.was_told(Told::Result)
        && known.refused.is_none()
    {
        tell_results(desk, incoming, reference, &known)?;
    }
    let answer = standing.unwrap_or(Answer::NotFound);
    desk.verdict(MessageKind::StatusAnswer, reference, answer, "")
}

/// Tells all that is due and was not told. A batch about which the description cannot say what is
/// to be said is closed with an error: it must not keep the others waiting.
fn tell_all(desk: &Desk, incoming: &Path) -> Result<(), BankError> {
    for reference in desk.open_batches() {
        let Some(known) = desk.book().request(&reference).cloned() else { continue };
        match tell(desk, incoming, &reference, &known) {
            Ok(true) => desk.close(&reference),
            Ok(false) => {}
            Err(BankError::Speech(e)) => {
                let cause = e.to_string();
                tracing::error!(reference, cause, "a practice bank cannot say its answer");
                desk.close(&reference);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// True once there is nothing more to tell of this batch.
fn tell(desk: &Desk, incoming: &Path, reference: &str, known: &Known) -> Result<bool, BankError> {
    let results = tell_what_became(desk, incoming, reference, known)?;
    if known.refused.is_some() {
        return Ok(results);
    }
    desk.book_returns(reference)?;
    let returns = tell_returns(desk, incoming, reference)?;
    let notices = tell_notices(desk, incoming, reference, known)?;
    Ok(results && returns && notices)
}

/// True once the results, or the refusal, were told.
fn tell_what_became(
    desk: &Desk,
    incoming: &Path,
    reference: &str,
    known: &Known,
) -> Result<bool, BankError> {
    if known.was_told(Told::Result) {
        return Ok(true);
    }
    if let Some(text) = &known.refused {
        // The acknowledgement said so; a description without one says it in the result.
        if !desk.speech.has(MessageKind::Acknowledgement) {
            let kind = MessageKind::Result;
            if let Reply::Say(parts) = desk.verdict(kind, reference, Answer::Refused, text)?
                && !place(incoming, parts)
            {
                return Ok(false);
            }
        }
        desk.book().note(desk.now(), reference, Told::Result)?;
        return Ok(true);
    }
    let kept_back =
        known.lost && desk.speech.has(MessageKind::StatusQuery) && !known.was_told(Told::Asked);
    if kept_back || desk.now() < desk.result_due(reference, known) {
        return Ok(false);
    }
    tell_results(desk, incoming, reference, known)
}

fn tell_results(
    desk: &Desk,
    incoming: &Path,
    reference: &str,
    known: &Known,
) -> Result<bool, BankError> {
    let rows = desk.book().rows(known)?;
    for parts in desk.results(MessageKind::Result, reference, known, &rows)? {
        if !place(incoming, parts) {
            return Ok(false);
        }
    }
    desk.book().note(desk.now(), reference, Told::Result)?;
    Ok(true)
}

/// True once nothing more comes back of this batch.
fn tell_returns(desk: &Desk, incoming: &Path, reference: &str) -> Result<bool, BankError> {
    let Some(known) = desk.book().request(reference).cloned() else { return Ok(true) };
    if known.to_return {
        return Ok(false);
    }
    let came_back = !desk.book().returned(&known)?.is_empty();
    if came_back && !known.was_told(Told::Return) && desk.speech.has(MessageKind::LateReturn) {
        if !place(incoming, desk.return_message(reference, &known)?) {
            return Ok(false);
        }
        desk.book().note(desk.now(), reference, Told::Return)?;
    }
    Ok(true)
}

/// True once the notices of this batch were told.
fn tell_notices(
    desk: &Desk,
    incoming: &Path,
    reference: &str,
    known: &Known,
) -> Result<bool, BankError> {
    if known.was_told(Told::Notice) || !desk.speech.has(MessageKind::Notice) {
        return Ok(true);
    }
    let credits =
        || Ok::<_, BankError>(desk.book().rows(known)?.iter().any(|r| r.fate.is_credit()));
    if known.refused.is_some() || desk.now() < desk.notice_due(known) {
        return Ok(false);
    }
    if credits()? && !place(incoming, desk.notice_message(reference, known)?) {
        return Ok(false);
    }
    desk.book().note(desk.now(), reference, Told::Notice)?;
    Ok(true)
}

/// Leaves a file and its control file; false where they cannot lie there yet, because a file of
/// that name waits to be taken.
fn place(incoming: &Path, parts: Vec<Part>) -> bool {
    let part = |part: Part| OutPart {
        name: part.name,
        bytes: Bytes::from(part.bytes),
        committing: part.committing,
    };
    let parts: Vec<OutPart> = parts.into_iter().map(part).collect();
    match leave_anew(incoming, &parts) {
        Sent::Accepted { answer: _ } => true,
        Sent::NotSent { cause } | Sent::Unknown { cause, evidence: _ } => {
            tracing::debug!(cause, "a practice bank's file waits");
            false
        }
    }
}
