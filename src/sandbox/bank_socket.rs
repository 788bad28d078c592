//! A practice bank that is met on a socket at a loopback address: a message in the format's frame, or up
//! to the end of what the other side says, and its answer on the same connection; or the connection
//! ends.
//!
//! A connection carries message after message where their ends can be told. One that is to stay while
//! nobody has anything to say is kept alive by a heartbeat ([`Staying`]), and ends where it misses one:
//! a bank that waits for ever would not show whether the other side keeps what was agreed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::format::Format;
use crate::sandbox::bank::BankError;
use crate::sandbox::bank_desk::{Desk, KINDS, Reply};
use crate::sandbox::bank_line::{Caller, Listening};

/// The most bytes of a message to this bank.
const BYTES_MAX: u64 = 1 << 26;

/// What keeps a connection alive between messages.
#[derive(Debug, Clone)]
pub struct Staying {
    /// What a caller says while it has nothing to say, frame and all, and what it is answered.
    pub heartbeat: Vec<u8>,
    pub answer: Vec<u8>,
    /// How often it says so; for twice as long it is waited for.
    pub every_ms: u64,
}

impl Staying {
    /// A heartbeat is read like any message, up to where its frame says that it ends.
    fn fits(&self, format: &Format, header: Option<usize>) -> Result<(), String> {
        let header = header.ok_or("session: without a frame a message ends with its connection")?;
        let has = self.heartbeat.len();
        let told = |cause: String| {
            format!(
                "session.heartbeat: {cause}; expected a whole message to the bank, frame and all"
            )
        };
        let frame = self.heartbeat.get(..header).ok_or_else(|| {
            told(format!("it has {has} bytes, and the frame of a message alone has {header}"))
        })?;
        let stated = format.framed_bytes(&KINDS, frame).map_err(told)?;
        if u64::try_from(has) == Ok(stated) {
            return Ok(());
        }
        Err(told(format!("its frame says {stated} bytes, and it has {has}")))
    }
}

/// Begins to listen.
pub async fn start(
    desk: &Arc<Desk>,
    listen: SocketAddr,
) -> Result<(SocketAddr, JoinHandle<()>), BankError> {
    let header = desk.speech.format().frame_bytes(&KINDS).map_err(BankError::Framing)?;
    if let Some(staying) = &desk.options.staying {
        staying.fits(desk.speech.format(), header).map_err(BankError::Framing)?;
    }
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
    while let Some(message) = next(&mut stream, &desk, header).await {
        let answer = match &desk.options.staying {
            // It asks whether the line works, not the bank: no fault of the bank's is in its answer.
            Some(staying) if staying.heartbeat == message => Some(staying.answer.clone()),
            _ => answer(&desk, message).await,
        };
        let Some(answer) = answer else { return };
        if stream.write_all(&answer).await.is_err() || header.is_none() {
            stream.shutdown().await.unwrap_or_default();
            return;
        }
    }
}

/// The next message; nothing where the caller has nothing more to say, or missed a heartbeat.
async fn next(stream: &mut Box<dyn Caller>, desk: &Desk, header: Option<usize>) -> Option<Vec<u8>> {
    let reading = read(stream, desk, header);
    let read = match &desk.options.staying {
        Some(Staying { every_ms, .. }) => {
            let patience = Duration::from_millis(every_ms.saturating_mul(2));
            timeout(patience, reading).await.ok()?
        }
        None => reading.await,
    };
    read.ok().flatten()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::net::TcpStream;

    use super::*;
    use crate::clock::SystemClock;
    use crate::format::example;
    use crate::sandbox::bank::{Options, PracticeBank, Wire};

    const HEARTBEAT: &[u8] = b"01     ?";
    const QUERY: &[u8] =
        include_bytes!("../../bank-formats/example-abc-framed/samples/status_query/message");

    async fn open(
        data: &Path,
        format: &str,
        heartbeat: &[u8],
        every_ms: u64,
    ) -> Result<PracticeBank, BankError> {
        let text = example::example(format).expect("it ships");
        let format = Format::compile(format, text).expect("compiles").with_published_secrets();
        let wire = Wire::Socket { listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let (heartbeat, answer) = (heartbeat.to_vec(), b"01     !".to_vec());
        let staying = Some(Staying { heartbeat, answer, every_ms });
        let options = Options { staying, ..Options::new(data.join("bank"), wire) };
        PracticeBank::start(options, Arc::new(format), Arc::new(SystemClock)).await
    }

    async fn says(line: &mut TcpStream, message: &[u8]) -> Vec<u8> {
        line.write_all(message).await.expect("said");
        let mut answer = vec![0; 7];
        line.read_exact(&mut answer).await.expect("a frame");
        let length: String = answer[1..].iter().map(|byte| char::from(*byte)).collect();
        let mut body = vec![0; length.trim_end().parse().expect("a length")];
        line.read_exact(&mut body).await.expect("a body");
        [answer, body].concat()
    }

    #[tokio::test]
    async fn a_heartbeat_is_answered_between_messages_and_missed_where_it_does_not_come() {
        let folder = tempfile::tempdir().expect("a folder");
        let bank = open(folder.path(), "example-abc-framed", HEARTBEAT, 700).await.expect("starts");
        let address = bank.address().expect("it listens");
        let mut line = TcpStream::connect(address).await.expect("connects");
        for _ in 0..3 {
            assert_eq!(says(&mut line, HEARTBEAT).await, b"01     !");
            let answer = says(&mut line, QUERY).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.contains("<RespCode>1404</RespCode>"), "not found: {answer}");
        }
        // In the middle of a message it is a part of that, and half of one is waited for no longer than for any.
        line.write_all(&HEARTBEAT[..4]).await.expect("said");
        let ended = timeout(Duration::from_secs(30), line.read(&mut [0])).await;
        assert_eq!(ended.expect("it is ended").expect("in order"), 0);
        let mut quiet = TcpStream::connect(address).await.expect("connects");
        let ended = timeout(Duration::from_secs(30), quiet.read(&mut [0])).await;
        assert_eq!(ended.expect("it is ended").expect("in order"), 0);
        // It goes on, and took nothing of all this for a batch.
        let mut line = TcpStream::connect(address).await.expect("connects");
        assert_eq!(says(&mut line, HEARTBEAT).await, b"01     !");
        assert_eq!(bank.judge().expect("the book reads").requests, 0);
    }

    #[tokio::test]
    async fn a_heartbeat_that_would_never_be_heard_is_refused_at_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        for (format, heartbeat, word) in [
            ("example-city-xml", HEARTBEAT, "without a frame"),
            ("example-abc-framed", &b"000001?"[..], "its length is"),
            ("example-abc-framed", &HEARTBEAT[..6], "it has 6 bytes, and the frame"),
            ("example-abc-framed", &b"02     ?"[..], "its frame says 9 bytes, and it has 8"),
            ("example-gx-tagged", HEARTBEAT, "session.heartbeat: it has 8 bytes"),
        ] {
            let cause = open(folder.path(), format, heartbeat, 1_000).await.err();
            let cause = cause.expect("is refused").to_string();
            assert!(cause.contains(word), "{word}: {cause}");
        }
    }
}
