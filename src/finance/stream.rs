//! A register's payments as they stream in: split into lines, digested, read.

use async_trait::async_trait;
use reqwest::Response;

use crate::finance::http::broken;
use crate::finance::wire::read_line;
use crate::finance::{FinanceError, Lines};
use crate::guard::digest::ContentDigest;
use crate::model::payment::Line;
use crate::model::register::{Fault, RegisterHead};

/// The longest line of a register, in bytes. A line of the contract has some 300.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// The payments of one register over HTTP. Holds one chunk of the network and one partial line.
pub struct HttpLines {
    response: Response,
    digest: ContentDigest,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    used: usize,
    ended: bool,
    rows: i64,
}

impl HttpLines {
    pub fn new(head: &RegisterHead, response: Response) -> Self {
        Self {
            response,
            digest: ContentDigest::of_head(head),
            buffer: Vec::new(),
            used: 0,
            ended: false,
            rows: 0,
        }
    }

    /// Takes one whole line out of the buffer, if there is one.
    fn take(&mut self) -> Result<Option<Result<Line, Fault>>, FinanceError> {
        let rest = &self.buffer[self.used..];
        let end = rest.iter().position(|b| *b == b'\n');
        if end.unwrap_or(rest.len()) > LINE_BYTES_MAX {
            return Err(self.protocol(&format!("a line of more than {LINE_BYTES_MAX} bytes")));
        }
        let Some(end) = end else { return Ok(None) };
        let raw = &rest[..end];
        self.rows += 1;
        self.digest.line(raw);
        let line = read_line(raw, self.rows);
        self.used += end + 1;
        Ok(Some(line))
    }

    /// Waits for more bytes.
    async fn fill(&mut self) -> Result<(), FinanceError> {
        self.buffer.drain(..self.used);
        self.used = 0;
        match self.response.chunk().await.map_err(broken)? {
            Some(chunk) => self.buffer.extend_from_slice(&chunk),
            None if self.buffer.is_empty() => self.ended = true,
            None => return Err(self.protocol("the stream ends inside a line")),
        }
        Ok(())
    }

    fn protocol(&self, what: &str) -> FinanceError {
        FinanceError::Protocol(format!("payments, behind row {}: {what}", self.rows))
    }
}

#[async_trait]
impl Lines for HttpLines {
    async fn next(&mut self, max: usize) -> Result<Vec<Result<Line, Fault>>, FinanceError> {
        let mut lines = Vec::with_capacity(max.min(10_000));
        while lines.len() < max && !self.ended {
            match self.take()? {
                Some(line) => lines.push(line),
                None => self.fill().await?,
            }
        }
        Ok(lines)
    }

    fn digest(&self) -> [u8; 32] {
        self.digest.clone().finish()
    }
}
