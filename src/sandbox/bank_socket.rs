//! A practice bank that is met on a socket at a loopback address: a message in the format's frame, or up
//! to the end of what the other side says, and its answer on the same connection; or the connection
//! ends.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::sandbox::bank::BankError;
use crate::sandbox::bank_desk::{Desk, KINDS, Reply};
use crate::sandbox::bank_line::{Caller, Listening};

/// The most bytes of a message to this bank.
const BYTES_MAX: u64 = 1 << 26;

/// Begins to listen.
pub async fn start(
    desk: &Arc<Desk>,
    listen: SocketAddr,
) -> Result<(SocketAddr, JoinHandle<()>), BankError> {
    let header = desk.speech.format().frame_bytes(&KINDS).map_err(BankError::Framing)?;
    let mut listening = Listening::open(desk, listen).await?;
    let address = listening.address();
    let at_work = Arc::clone(desk);
    let serve = tokio::spawn(async move {
        loop {
            let (caller, _) = listening.accept().await;
            tokio::spawn(counter(caller, Arc::clone(&at_work), header));
        }
    });
    Ok((address, serve))
}

/// Serves one caller, message after message where their ends can be told.
async fn counter(mut stream: Box<dyn Caller>, desk: Arc<Desk>, header: Option<usize>) {
    while let Ok(Some(message)) = read(&mut stream, &desk, header).await {
        let Some(answer) = answer(&desk, message).await else { return };
        if stream.write_all(&answer).await.is_err() || header.is_none() {
            stream.shutdown().await.unwrap_or_default();
            return;
        }
    }
}

/// One whole message; nothing where the caller has nothing more to say.
async fn read(
    stream: &mut Box<dyn Caller>,
    desk: &Desk,
    header: Option<usize>,
) -> io::Result<Option<Vec<u8>>> {
    let Some(header) = header else {
        let mut message = Vec::new();
        stream.take(BYTES_MAX).read_to_end(&mut message).await?;
        return Ok((!message.is_empty()).then_some(message));
    };
    let mut message = vec![0_u8; header];
    stream.read_exact(&mut message).await?;
    let framed = desk.speech.format().framed_bytes(&KINDS, &message);
    let whole = framed.map_err(io::Error::other)?;
    if whole > BYTES_MAX {
        return Err(io::Error::other("a message is longer than this bank takes"));
    }
    let rest = whole.saturating_sub(header as u64);
    let read = stream.take(rest).read_to_end(&mut message).await?;
    if (read as u64) < rest {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

/// What is said back; nothing where the line is cut.
async fn answer(desk: &Arc<Desk>, message: Vec<u8>) -> Option<Vec<u8>> {
    let at_work = Arc::clone(desk);
    let reply = spawn_blocking(move || at_work.answer_said(&message)).await;
    tokio::time::sleep(desk.pause()).await;
    match reply {
        Ok(Ok(Reply::Say(parts))) => desk.on_line(parts),
        Ok(Ok(Reply::Silence | Reply::Busy | Reply::NotUnderstood)) => None,
        Ok(Err(_)) | Err(_) => {
            tracing::error!("a practice bank has no answer");
            None
        }
    }
}
