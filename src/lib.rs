//! `daifa` (代发, "to disburse on behalf") is the daemon between a county's finance and its agent
//! banks. It pulls approved registers, turns each into the bank's own file or message, hands it
//! over, watches the 24-hour duty, and gives finance back every answer: credited, failed and why,
//! SMS notice, leftover money.
//!
//! One sentence holds the house together: **every fen that finance approved is, at every moment and
//! after any crash, in exactly one of five places - unsent, in flight, credited, refundable,
//! refunded - and nothing moves between them without a durable, chained record of why.**
//!
//! # The road
//!
//! ```text
//! finance --pull--> intake --> convert --> submit --> [agent bank] --> collect --> settle --report--> finance
//!                      |           |          |            ^              |           |
//!                      +-----------+----------+-- store (facts) ----------+-----------+
//!                                             |
//!                                   watch (24 h)   web (status page, metrics, health)
//! ```
//!
//! Data travels one way, and the database is the queue between two steps. A step
//! ([`flow`]) takes no input: it is woken, reads what is due, does one bounded piece of work that may
//! be repeated, and says whether there is more. With a hint and after a restart is one path.
//!
//! # The rooms, in the order in which they may import
//!
//! | room | what lives here |
//! |---|---|
//! | [`model`] | the words and the rules that hold wherever they are spoken: money, states, folding; pure |
//! | [`clock`] | the only reader of time and dice |
//! | [`seats`] | places for so many callers and no more, for whatever listens |
//! | [`guard`] | sealing, blind index, signatures, hash chain: pure functions over keys |
//! | [`format`] | a bank's files and messages as data: bytes in, values out, and back |
//! | [`finance`] | finance's door: pull registers, push reports |
//! | [`transport`] | the bank's door: bytes only, and an honest word about each send |
//! | [`store`] | facts, kept; the verbs of the steps, each one transaction |
//! | [`flow`] | one file per step |
//! | [`engine`] | runs each step on a period or a wake; knows nothing of money |
//! | [`sandbox`] | a finance and banks to practise against, each with its own book; they judge us |
//! | [`web`] | status page, metrics, health |
//! | [`config`], [`telemetry`], [`lifecycle`], [`app`], [`cli`] | assembly; `app` alone names concrete doors |
//!
//! `tests/tidy.rs` holds this table as data and fails with a message that says where an import
//! belongs.
//!
//! # What never bends
//!
//! 1. `INTENT` is durable before `SENDING`, `SENDING` before the first byte leaves; sending takes a token
//!    that only the store can make ([`model::attempt::Committed`]).
//! 2. What fails provably before a door's commit point is `NOT_SENT`, and the same bytes go again;
//!    from it on, all that is no clear answer is `UNKNOWN`, and only asking ends it.
//!    What never was of unknown fate may also be closed and written anew, when its day is over
//!    (`store/withdraw.rs`); what may have arrived once goes in the same bytes or not at all.
//! 3. A result is taken in one transaction, in any order, any number of times, with the same end; a
//!    contradiction freezes the payment and is never resolved silently
//!    ([`model::outcome::shift`]).
//! 4. Only dropped, failed or returned money goes back; money in flight never does, and never holds
//!    up the rest.
//! 5. Every change names the old state in its `WHERE`, posts its money in double entry under checks
//!    of the database, and is an entry in its register's hash chain. The entry vouches for the rows that
//!    its transaction left, so that `daifa verify` can say of every row of every table whether it is the
//!    one that was left (`store/vouch.rs`); a test walks the schema, so that no column is forgotten.
//! 6. What no bank can say two people decide, with evidence, each with a credential of their own; the
//!    database refuses that they be one, and what moved on since is not decided ([`model::decision`]).
//! 7. A bank that knows more than this database - our reference with other content, an answer to what
//!    was never sent from here - stops the batch and all sending to it until a person has compared; the
//!    mark beside the database (`app/begun.rs`) tells a lost or restored one before anything is sent.
//! 8. A payee is sealed to payment, amount, bank and register head: a row that was altered opens
//!    nothing and is sent nowhere.
//!
//! # Where this house differs from its first plan, and why
//!
//! - **`.cargo/config.toml`.** SQLite's counters of memory, and one page cache for all connections, each take a
//!   lock in every allocation of every connection. Only how the bundled library is compiled turns them off.
//! - **rusqlite beside sqlx.** sqlx has a thread of each connection run its statements: a way there and back for
//!   every statement, which was half of what a batch cost. A statement on `SQLite` runs where it is called now, and
//!   each lane has a thread of its own (`engine`), so that a slow disk holds up nobody else's tasks. The history
//!   of the tables stays with sqlx on both databases.
//! - **No trait of store verbs.** The seam between `SQLite` and `PostgreSQL` is `store::sql::Dialect`,
//!   below the verbs (begin, run, rows, commit). With one implementation of the verbs above it, a
//!   trait would repeat sixty signatures and hide nothing; generic code over sqlx's own traits
//!   compiles every verb twice behind bounds longer than the SQL.
//! - **A batch is a range of lines, not of a number within the bank.** One key column fewer on the
//!   largest table; a bank's place in a batch (the ordinal that it answers with) is counted when the
//!   members are read. A batch exists from its first INTENT, so there is no state in which its
//!   members could still change; what was set aside inside the range is written down as exceptions.
//! - **Released and re-cut payments wait in a table of their own** (`waiting`) and go out in listed
//!   batches, so the range of a share only ever moves forward: the guard against a second sending is
//!   one comparison.
//! - **A share (register, bank) carries its five places and counters**, kept by the same statement
//!   that posts a movement, under a CHECK that they add up. Pages and metrics read these; `verify`
//!   compares them with postings and, independently, with outcomes.
//! - **Line numbers of a register ascend.** The contract says so, and intake needs no memory of the
//!   lines before to find one that repeats.
//! - **A refund names no people**: amounts, and for what was sent our reference and the account. A
//!   name that the bank cannot write must not keep money from going back.
//!
//! - **XML is read by a scanner of our own**, not by quick-xml's events: those are UTF-8 alone, do not
//!   tell a truncated document, and cost more than the values. Ours reads the bank's own bytes in
//!   bounded memory and knows from the description what may come next. quick-xml stays in the tests,
//!   as a second opinion on the same documents.
//! - **Pairs of bytes have tables of their own** (`format::charset`), made at first use from what
//!   `encoding_rs` reads *and* writes: strict both ways by how they are made, and several times faster on
//!   names of three characters.
//! - **A door that reads messages off a line is told where they end** (`transport::socket::Ending`) and
//!   knows no format: `app` reads the format's frame for it. The door for SFTP speaks the raw protocol, one
//!   request at a time, since only then is it known which request was the last before a line broke.
//! - **UNKNOWN also ends where a door sees the batch lying at the bank**, whole and under its own name.
//!   That it is not seen says nothing: a bank that has taken it leaves nothing to see.
//! - **People speak through the same verbs as banks** (`store::decide`): what two of them decide about payments
//!   is taken like a result, and about an attempt it concludes it like an answer. Whether a line that was put
//!   aside is settled is not kept at all; it follows from the outcomes and decisions behind it.
//! - **What a process dies of is not counted in the database** but named in a small file beside it
//!   (`flow::opening`, `app::opening`), and only after a process that did not end well: a row per item that
//!   is opened would cost every answer two transactions, for what should never happen.
//! - **The fixed, delimited and tagged layouts share one reader and one writer** (`format::lines`)
//!   that go through a grammar of records and groups; only what stands between two fields differs.
//!
//! # Where to start reading
//!
//! [`model::attempt`] and [`model::outcome`] for what may happen, `flow/submit.rs` and
//! `flow/taking.rs` for how it does, `store/cut.rs` and `store/results/effects.rs` for what is durable when,
//! and `cli/demo.rs` for all of it at once.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod finance;
pub mod flow;
pub mod format;
pub mod guard;
pub mod lifecycle;
pub mod model;
pub mod sandbox;
pub mod seats;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod web;
