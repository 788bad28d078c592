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

/// Bytes that pass by, split into the lines of a register and read. Holds one partial line at most:
/// one that is too long is a fault with its place, and is passed over to its end.
pub struct Rows {
    digest: ContentDigest,
    buffer: Vec<u8>,
    /// How much of the buffer has been given out.
    used: usize,
    /// Inside a line that was told to be too long.
    passing_over: bool,
    count: i64,
}

impl Rows {
    pub fn new(head: &RegisterHead) -> Self {
        Self {
            digest: ContentDigest::of_head(head),
            buffer: Vec::new(),
            used: 0,
            passing_over: false,
            count: 0,
        }
    }

    /// More bytes, as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, where a whole one is there.
    pub fn take(&mut self) -> Option<Result<Line, Fault>> {
        loop {
            let rest = &self.buffer[self.used..];
            let end = rest.iter().position(|b| *b == b'\n');
            let length = end.unwrap_or(rest.len());
            if self.passing_over {
                self.used += length + usize::from(end.is_some());
                self.passing_over = end.is_none();
                if self.passing_over {
                    return None;
                }
                continue;
            }
            if length > LINE_BYTES_MAX {
                self.passing_over = true;
                self.count += 1;
                return Some(Err(self.fault(
                    &format!("a line of more than {LINE_BYTES_MAX} bytes"),
                    &format!(
                        "这一行超过 {LINE_BYTES_MAX} 字节，不像一笔明细。请财政技术人员检查是否缺少换行"
                    ),
                )));
            }
            let end = end?;
            let raw = &rest[..end];
            self.count += 1;
            self.digest.line(raw);
            let line = read_line(raw, self.count);
            self.used += end + 1;
            return Some(line);
        }
    }

    /// Nothing more comes: what is left is a line without its end.
    pub fn end(&mut self) -> Option<Fault> {
        let left = self.buffer.len() > self.used && !self.passing_over;
        self.used = self.buffer.len();
        left.then(|| {
            self.count += 1;
            self.fault(
                "the last line has no line end; the register may be cut off",
                "最后一行没有换行，清册可能不完整。请财政重新生成后下达",
            )
        })
    }

    /// Over the head and every line that was read so far.
    pub fn digest(&self) -> [u8; 32] {
        self.digest.clone().finish()
    }

    /// A fault of the line that was counted last.
    fn fault(&self, what: &str, chinese: &str) -> Fault {
        Fault::new(Some(self.count), "line", what, chinese)
    }
}

/// The payments of one register over HTTP.
pub struct HttpLines {
    response: Response,
    rows: Rows,
    ended: bool,
}

impl HttpLines {
    pub fn new(head: &RegisterHead, response: Response) -> Self {
        Self { response, rows: Rows::new(head), ended: false }
    }
}

#[async_trait]
impl Lines for HttpLines {
    async fn next(&mut self, max: usize) -> Result<Vec<Result<Line, Fault>>, FinanceError> {
        let mut lines = Vec::with_capacity(max.min(10_000));
        while lines.len() < max && !self.ended {
            if let Some(line) = self.rows.take() {
                lines.push(line);
            } else if let Some(chunk) = self.response.chunk().await.map_err(broken)? {
                self.rows.push(&chunk);
            } else {
                // HTTP says for certain that this is the end, so what is missing is finance's fault.
                self.ended = true;
                lines.extend(self.rows.end().map(Err));
            }
        }
        Ok(lines)
    }

    fn digest(&self) -> [u8; 32] {
        self.rows.digest()
    }
}
