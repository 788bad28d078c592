//! The journal and the ledger: written in the transaction of what they tell (I7, I18).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::guard::chain::{RowDigest, link};
use crate::model::id::{BatchNo, RefundNo, RegisterNo, ResultNo};
use crate::model::money::Fen;
use crate::model::place::Place;
use crate::store::StoreError;
use crate::store::sql::{Param, Work, params};
use crate::store::vouch::{self, Words};

/// What one transaction has to say for itself.
pub(super) struct Entry {
    kind: &'static str,
    at_ms: i64,
    body: Map<String, Value>,
    pub(super) rows: RowDigest,
    /// The rows that it vouches for one by one.
    pub(super) vouched: Words,
    postings: Vec<Value>,
}

/// What caused a posting.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cause {
    pub(super) batch: Option<BatchNo>,
    pub(super) refund: Option<RefundNo>,
    pub(super) result: Option<ResultNo>,
}

/// One movement of money between two places of a share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) register: RegisterNo,
    pub(super) bank: &'a str,
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) payments: i64,
    pub(super) amount: Fen,
    pub(super) cause: Cause,
}

/// The column of a place in `share`; finance is the world outside and has none.
const fn column(place: Place) -> Option<&'static str> {
    match place {
        Place::Unsent => Some("unsent_fen"),
        Place::InFlight => Some("in_flight_fen"),
        Place::Credited => Some("credited_fen"),
        Place::Refundable => Some("refundable_fen"),
        Place::Refunded => Some("refunded_fen"),
        Place::Disputed => Some("disputed_fen"),
        Place::Finance => None,
    }
}

/// The statement that moves money between two places. Approved grows and shrinks with what comes
/// from and goes to finance, but for disputes, which stand outside the five.
fn move_sql(from: Place, to: Place) -> String {
    let mut sets = Vec::new();
    if let Some(name) = column(from) {
        sets.push(format!("{name} = {name} - $1"));
    }
    if let Some(name) = column(to) {
        sets.push(format!("{name} = {name} + $1"));
    }
    match (from, to) {
        (Place::Finance, Place::Disputed) | (Place::Disputed, Place::Finance) => {}
        (Place::Finance, _) => sets.push("approved_fen = approved_fen + $1".to_owned()),
        (_, Place::Finance) => sets.push("approved_fen = approved_fen - $1".to_owned()),
        _ => {}
    }
    format!("UPDATE share SET {} WHERE register_no = $2 AND bank = $3", sets.join(", "))
}

impl Entry {
    pub(super) fn new(kind: &'static str, at_ms: i64) -> Self {
        Self {
            kind,
            at_ms,
            body: Map::new(),
            rows: RowDigest::new(),
            vouched: Words::default(),
            postings: Vec::new(),
        }
    }

    /// Adds a fact. Never personal data: the journal is not sealed.
    pub(super) fn fact(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.body.insert(name.to_owned(), value.into());
        self
    }

    /// Moves money: the share's places, the posting, and the word of it in this entry. The
    /// database refuses a place below zero and five places that do not add up.
    pub(super) async fn post(
        &mut self,
        work: &mut Work,
        movement: Move<'_>,
    ) -> Result<(), StoreError> {
        if movement.amount == Fen::ZERO {
            return Ok(());
        }
        let sql = move_sql(movement.from, movement.to);
        let share = params![movement.amount, movement.register, movement.bank];
        if work.0.run(Cow::Owned(sql), share).await? != 1 {
            let what = format!("{} has no share of bank {}", movement.register, movement.bank);
            return Err(StoreError::Inconsistent { what });
        }
        let sql = "INSERT INTO posting (register_no, bank, from_place, to_place, payments, amount_fen, event, \
                   batch_no, refund_no, result_no, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING posting_no";
        let Cause { batch, refund, result } = movement.cause;
        let row = params![
            movement.register,
            movement.bank,
            movement.from.as_str(),
            movement.to.as_str(),
            movement.payments,
            movement.amount,
            self.kind,
            batch.map(|no| no.0),
            refund.map(|no| no.0),
            result.map(|no| no.0),
            self.at_ms,
        ];
        let no = work.the(sql, row, |row| row.int(0)).await?;
        self.postings.push(posting_word(no, &movement));
        Ok(())
    }

    /// Writes the entry as the next of `chain`.
    pub(super) async fn write(mut self, work: &mut Work, chain: &str) -> Result<(), StoreError> {
        if !self.postings.is_empty() {
            self.body
                .insert("postings".to_owned(), Value::Array(std::mem::take(&mut self.postings)));
        }
        if let Some(vouched) = std::mem::take(&mut self.vouched).into_value() {
            self.body.insert("vouched".to_owned(), vouched);
        }
        let body = Value::Object(self.body).to_string();
        let rows = self.rows.finish();
        let head = work
            .one("SELECT seq, hash FROM journal_head WHERE chain = $1", params![chain], |row| {
                Ok((row.int(0)?, row.digest(1)?))
            })
            .await?;
        let (last, previous) = head.unwrap_or((0, [0; 32]));
        let seq = last + 1;
        let hash = link(&previous, chain, seq, self.at_ms, self.kind, &body, &rows);
        let sql = "INSERT INTO journal (chain, seq, at_ms, kind, body, rows_digest, hash) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        work.run(sql, params![chain, seq, self.at_ms, self.kind, body, &rows, &hash]).await?;
        if last == 0 {
            let sql = "INSERT INTO journal_head (chain, seq, hash) VALUES ($1, $2, $3)";
            work.run(sql, params![chain, seq, &hash]).await?;
            return Ok(());
        }
        let sql = "UPDATE journal_head SET seq = $1, hash = $2 WHERE chain = $3 AND seq = $4";
        work.move_one(sql, params![seq, &hash, chain, last]).await
    }

    /// Writes the entry of a transaction that changed a register: its head and its shares are vouched
    /// for as they stand now.
    pub(super) async fn write_for(
        mut self,
        work: &mut Work,
        register: RegisterNo,
    ) -> Result<(), StoreError> {
        for table in [&vouch::REGISTER, &vouch::SHARE] {
            self.vouched.as_kept(work, table, "register_no = $1", params![register]).await?;
        }
        self.write_beside(work, register).await
    }

    /// Writes the entry of a transaction that left the register itself and its shares alone.
    pub(super) async fn write_beside(
        self,
        work: &mut Work,
        register: RegisterNo,
    ) -> Result<(), StoreError> {
        self.write(work, &register_chain(register)).await
    }
}

/// A posting as the journal words it; `verify` compares it with the posting table.
fn posting_word(no: i64, movement: &Move<'_>) -> Value {
    let Cause { batch, refund, result } = movement.cause;
    serde_json::json!([
        no,
        movement.bank,
        movement.from.as_str(),
        movement.to.as_str(),
        movement.payments,
        movement.amount.get(),
        batch.map(|no| no.0),
        refund.map(|no| no.0),
        result.map(|no| no.0),
    ])
}

/// The chain of what belongs to no register and no bank.
pub(super) const DAEMON_CHAIN: &str = "daemon";

/// The chain of what somebody must look at. Alerts come from every register and bank, and a chain of
/// their own says in which order each of them was raised and cleared.
pub(super) const ALERTS_CHAIN: &str = "alerts";

/// The chain of who was not let in as an operator.
pub(super) const OPERATORS_CHAIN: &str = "operators";

/// The chain of a register.
pub(super) fn register_chain(register: RegisterNo) -> String {
    format!("register:{}", register.0)
}

/// The chain of a bank, for what belongs to no register.
pub(super) fn bank_chain(bank: &str) -> String {
    format!("bank:{bank}")
}

/// Sums up movements of the same kind, so that a file of ten thousand lines is a handful of
/// postings.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<(Place, Place), (i64, Fen)>);

impl Moves {
    pub(super) fn add(&mut self, from: Place, to: Place, amount: Fen) -> Result<(), StoreError> {
        let sum = self.0.entry((from, to)).or_default();
        sum.0 += 1;
        sum.1 = sum.1.checked_add(amount).ok_or_else(|| StoreError::Inconsistent {
            what: "a sum of movements is larger than can be kept".to_owned(),
        })?;
        Ok(())
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (Place, Place, i64, Fen)> + '_ {
        self.0.iter().map(|((from, to), (payments, amount))| (*from, *to, *payments, *amount))
    }
}

/// Changes counters of a share. Names are ours, never input.
pub(super) async fn count(
    work: &mut Work,
    register: RegisterNo,
    bank: &str,
    changes: &[(&'static str, i64)],
) -> Result<(), StoreError> {
    let changes: Vec<_> = changes.iter().filter(|(_, by)| *by != 0).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let sets: Vec<String> = changes
        .iter()
        .enumerate()
        .map(|(at, (name, _))| format!("{name} = {name} + ${}", at + 3))
        .collect();
    let sql = format!("UPDATE share SET {} WHERE register_no = $1 AND bank = $2", sets.join(", "));
    let mut all = params![register, bank];
    all.extend(changes.iter().map(|(_, by)| Param::from(*by)));
    match work.0.run(Cow::Owned(sql), all).await? {
        1 => Ok(()),
        _ => Err(StoreError::Inconsistent {
            what: format!("{register} has no share of bank {bank}"),
        }),
    }
}
