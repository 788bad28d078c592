//! What is heard on a line: one exchange as far as it came, and what lies on the line beside it.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::future::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use crate::transport::Sent;
use crate::transport::socket::Ending;

/// The most messages that are kept until somebody takes them. A bank that sends more is not heard to its end.
const UNASKED_MAX: usize = 64;
/// The most bytes of what lies on a connection that are kept.
const LYING_MAX: usize = 1 << 20;

/// What a connection is made of, sealed or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

pub(super) type Heard = Result<(), String>;

/// One exchange: whether it began, and what was heard so far, also where it is broken off.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) begun: AtomicBool,
    heard: Mutex<BytesMut>,
}

impl Talk {
    fn buffer(&self) -> std::sync::MutexGuard<'_, BytesMut> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn length(&self) -> usize {
        self.buffer().len()
    }

    pub(super) fn heard(&self) -> Bytes {
        Bytes::copy_from_slice(&self.buffer())
    }

    /// Keeps what came, up to the cap.
    pub(super) fn keep(&self, bytes: &[u8], most: usize) -> Result<(), String> {
        let mut buffer = self.buffer();
        let room = most.saturating_sub(buffer.len());
        buffer.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room {
            return Err(format!("the bank's answer is longer than {most} bytes"));
        }
        Ok(())
    }

    pub(super) fn unknown(&self, cause: String) -> Sent {
        let heard = self.heard();
        Sent::Unknown { cause, evidence: (!heard.is_empty()).then_some(heard) }
    }
}

/// What lies on a connection by now, up to a cap, and whether it has ended. Nothing is waited for.
pub(super) fn lying(wire: &mut dyn Wire, most: usize) -> (BytesMut, bool) {
    let (mut lies, mut chunk) = (BytesMut::new(), [0; 4_096]);
    while lies.len() < most.min(LYING_MAX) {
        match wire.read(&mut chunk).now_or_never() {
            None => return (lies, false),
            Some(Ok(0) | Err(_)) => return (lies, true),
            Some(Ok(n)) => lies.extend_from_slice(chunk.get(..n).unwrap_or_default()),
        }
    }
    (lies, false)
}

/// Messages that came beside an answer, until they are taken.
#[derive(Default)]
pub(super) struct Unasked(Mutex<Vec<Bytes>>);

impl Unasked {
    /// Keeps what lay on a line, cut into messages as far as it is any; one more answer to a heartbeat says nothing.
    pub(super) fn keep(
        &self,
        mut lies: BytesMut,
        ending: &dyn Ending,
        beat: Option<&Bytes>,
        address: &str,
    ) {
        while !lies.is_empty() {
            let header = ending.header_bytes().and_then(|bytes| lies.get(..bytes));
            let stated = header.and_then(|header| ending.message_bytes(header).ok());
            let whole = stated.and_then(|bytes| usize::try_from(bytes).ok());
            let whole = whole.filter(|bytes| (1..=lies.len()).contains(bytes));
            let message = lies.split_to(whole.unwrap_or(lies.len())).freeze();
            // An end of line behind a frame says nothing either.
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
            if beat == Some(&message) || message.iter().all(is_blank) {
                continue;
            }
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (bytes, room) = (message.len(), kept.len() < UNASKED_MAX);
            if room {
                kept.push(message);
            }
            tracing::warn!(address, bytes, kept = room, "more came on a line than was asked for");
        }
    }

    pub(super) fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
