//! A practice bank that calls: what it has to say is posted to the sender's own listener, until that
//! answers 200. The same bytes each time, also where the answer was lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use tokio::task::spawn_blocking;

use crate::format::MessageKind;
use crate::guard::mac::Mac;
use crate::model::attempt::Answer;
use crate::sandbox::bank::BankError;
use crate::sandbox::bank_book::{Known, Told};
use crate::sandbox::bank_desk::{Desk, Reply};

/// For one call.
const CALL_TIME: Duration = Duration::from_secs(10);

/// Whom a practice bank calls.
#[derive(Debug, Clone)]
pub struct PushTo {
    pub url: String,
    /// The header that has the code of the body.
    pub header: String,
    pub mac: Arc<Mac>,
}

/// What there is to call in about a batch, by what it tells.
type Saying = (String, Told);

/// Calls in what is due, for as long as the bank works.
pub async fn push_all(desk: Arc<Desk>, to: PushTo) {
    // Whoever was first in this process has installed the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let pause = Duration::from_millis(desk.options.poll_ms);
    let client = match Client::builder().timeout(CALL_TIME).no_proxy().build() {
        Ok(client) => client,
        Err(e) => {
            tracing::error!(cause = e.to_string(), "a practice bank cannot call");
            return;
        }
    };
    // What was said once is said in the same bytes until it was heard.
    let mut said: BTreeMap<Saying, Vec<u8>> = BTreeMap::new();
    loop {
        let (at_work, before) = (Arc::clone(&desk), said);
        let due = spawn_blocking(move || due(&at_work, before)).await;
        let Ok(Ok(due)) = due else {
            tracing::error!("a practice bank could not find what it has to say");
            return;
        };
        said = due;
        for ((reference, what), bytes) in &said {
            let times = if *what == Told::Result && twice(&desk, reference) { 2 } else { 1 };
            let mut heard = true;
            for _ in 0..times {
                heard &= call(&client, &to, bytes.clone()).await;
            }
            if heard && desk.book().note(desk.now(), reference, *what).is_err() {
                tracing::error!("a practice bank could not note what it said");
                return;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

fn twice(desk: &Desk, reference: &str) -> bool {
    let known = desk.book().request(reference).map(|known| known.no);
    let faults = desk.faults();
    known.is_some_and(|no| faults.comes(faults.repeat_result, "repeat", no, reference))
}

/// True once the other side has said 200.
async fn call(client: &Client, to: &PushTo, bytes: Vec<u8>) -> bool {
    let request = client.post(&to.url).header(&to.header, to.mac.of(&bytes)).body(bytes);
    match request.send().await {
        Ok(response) => response.status() == reqwest::StatusCode::OK,
        Err(e) => {
            tracing::debug!(cause = e.to_string(), "a practice bank calls in vain");
            false
        }
    }
}

/// What is due and was not heard yet, each as it was said before where it was.
fn due(
    desk: &Desk,
    mut before: BTreeMap<Saying, Vec<u8>>,
) -> Result<BTreeMap<Saying, Vec<u8>>, BankError> {
    let mut due = BTreeMap::new();
    for reference in desk.open_batches() {
        desk.book_returns(&reference)?;
        let Some(known) = desk.book().request(&reference).cloned() else { continue };
        let mut rest = false;
        for what in [Told::Result, Told::Return, Told::Notice] {
            if known.was_told(what) {
                continue;
            }
            let saying = (reference.clone(), what);
            let bytes = match before.remove(&saying) {
                Some(bytes) => Some(bytes),
                None => match say(desk, &reference, &known, what)? {
                    Due::Now(bytes) => Some(bytes),
                    Due::Later => None,
                    Due::Never => continue,
                },
            };
            rest = true;
            if let Some(bytes) = bytes {
                due.insert(saying, bytes);
            }
        }
        if !rest {
            desk.close(&reference);
        }
    }
    Ok(due)
}

enum Due {
    Now(Vec<u8>),
    Later,
    /// There is nothing of this kind to say, and will not be.
    Never,
}

fn say(desk: &Desk, reference: &str, known: &Known, what: Told) -> Result<Due, BankError> {
    let now = desk.now();
    let has = |kind| desk.speech.has(kind);
    let status =
        if has(MessageKind::Result) { MessageKind::Result } else { MessageKind::StatusAnswer };
    let parts = match (what, &known.refused) {
        (Told::Result, Some(text)) => {
            match desk.verdict(status, reference, Answer::Refused, text)? {
                Reply::Say(parts) => parts,
                Reply::Silence | Reply::Busy | Reply::NotUnderstood => return Ok(Due::Never),
            }
        }
        (_, Some(_)) | (Told::Asked, None) => return Ok(Due::Never),
        (Told::Result, None) if now < desk.result_due(reference, known) => return Ok(Due::Later),
        (Told::Result, None) => {
            let rows = desk.book().rows(known)?;
            desk.results(status, reference, known, &rows)?.swap_remove(0)
        }
        (Told::Return, None) if known.to_return => return Ok(Due::Later),
        (Told::Return, None) => {
            let came_back = !desk.book().returned(known)?.is_empty();
            if !came_back || !has(MessageKind::LateReturn) {
                return Ok(Due::Never);
            }
            desk.return_message(reference, known)?
        }
        (Told::Notice, None) if !has(MessageKind::Notice) => return Ok(Due::Never),
        (Told::Notice, None) if now < desk.notice_due(known) => return Ok(Due::Later),
        (Told::Notice, None) => {
            if !desk.book().rows(known)?.iter().any(|row| row.fate.is_credit()) {
                return Ok(Due::Never);
            }
            desk.notice_message(reference, known)?
        }
    };
    // Files are left beside it, or there is no place for them.
    Ok(desk.on_line(parts).map_or(Due::Never, Due::Now))
}
