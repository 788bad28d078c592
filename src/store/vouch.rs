//! Rows that the journal vouches for one by one (I18): an entry carries, for every row that its
//! transaction left changed, the digest of that row, so that `verify` can say of each row whether it
//! is the one that was left.
//!
//! What comes by the ten thousand - payments, outcomes, keys of persons - is digested as a whole in the
//! entry's own digest instead: a word for each of them would be longer than they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::guard::chain::RowDigest;
use crate::guard::key::hex;
use crate::model::id::{AttemptNo, BatchNo};
use crate::store::StoreError;
use crate::store::journal::Entry;
use crate::store::sql::{Param, Row, Work, params};

/// A table whose rows the journal vouches for.
pub(super) struct Vouched {
    pub(super) table: &'static str,
    /// What names a row, then everything else that is vouched for.
    pub(super) columns: &'static str,
    /// How many of the columns name a row.
    pub(super) keys: usize,
    /// The rows that are vouched for, as a WHERE clause.
    pub(super) rows: &'static str,
}

pub(super) const REGISTER: Vouched = Vouched {
    table: "register",
    columns: "register_no, source, id, revision, programme_code, programme_name, summary, department, town, document_no, period, \
              entered_by, reviewed_by, approved_at_ms, funded_at_ms, pool_account, voucher_no, declared_count, declared_sum_fen, \
              digest, head_digest, received_at_ms, state, state_at_ms, faults, content, twin_no, start_at_ms, deadline_at_ms, \
              alert_level, settle_at_ms",
    keys: 1,
    rows: "state <> 'receiving'",
};

pub(super) const SHARE: Vouched = Vouched {
    table: "share",
    columns: "register_no, bank, payments, approved_fen, unsent_fen, in_flight_fen, credited_fen, refundable_fen, refunded_fen, \
              disputed_fen, cut_line, uncut, held, waiting, dropped, credited, failed, returned, conflicts, sms_delivered, \
              sms_failed, sms_no_number, sms_unknown",
    keys: 2,
    rows: "1 = 1",
};

/// A decision about a payment; what intake set aside belongs to what was accepted.
pub(super) const HOLD: Vouched = Vouched {
    table: "hold",
    columns: "register_no, line, event_no, event, reason, detail, by_whom, at_ms",
    keys: 3,
    rows: "event_no > 1",
};

pub(super) const BATCH: Vouched = Vouched {
    table: "batch",
    columns: "batch_no, register_no, bank, listed, first_line, last_line, payments, sum_fen, content, format_digest, start_at_ms, \
              deadline_at_ms, state, cut_at_ms, recut_of, pending, credited, failed, returned, conflicts, credited_fen, alert_level",
    keys: 1,
    rows: "1 = 1",
};

/// Without when it is looked at next and how often it was asked about: that changes without an entry.
pub(super) const ATTEMPT: Vouched = Vouched {
    table: "attempt",
    columns: "attempt_no, kind, batch_no, refund_no, register_no, bank, reference, format_digest, state, state_at_ms, made_at_ms, \
              sent_at_ms, lost_at_ms, sends, counter, number, bank_code, bank_text",
    keys: 1,
    rows: "1 = 1",
};

pub(super) const BANK_REFERENCE: Vouched = Vouched {
    table: "bank_reference",
    columns: "attempt_no, reference, bank, seen_at_ms",
    keys: 2,
    rows: "1 = 1",
};

pub(super) const NOT_FOUND: Vouched = Vouched {
    table: "not_found",
    columns: "attempt_no, digest, sends, read_at_ms",
    keys: 2,
    rows: "1 = 1",
};

pub(super) const EXPECTATION: Vouched = Vouched {
    table: "expectation",
    columns: "attempt_no, kind, opened_at_ms, due_at_ms, state, state_at_ms",
    keys: 2,
    rows: "1 = 1",
};

pub(super) const FREE_NUMBER: Vouched = Vouched {
    table: "free_number",
    columns: "counter, number, state, state_at_ms",
    keys: 2,
    rows: "1 = 1",
};

pub(super) const BREAKER: Vouched = Vouched {
    table: "breaker",
    columns: "bank, state, run, last, last_no, since_ms, probe_no",
    keys: 1,
    rows: "1 = 1",
};

pub(super) const FORMAT_TEXT: Vouched =
    Vouched { table: "format_text", columns: "digest, name, text", keys: 1, rows: "1 = 1" };

/// Without when it is looked at next.
pub(super) const PUSHED: Vouched = Vouched {
    table: "pushed",
    columns: "pushed_no, bank, digest, size, bytes, state, came_at_ms, taken_at_ms",
    keys: 1,
    rows: "1 = 1",
};

pub(super) const RESULT: Vouched = Vouched {
    table: "result",
    columns: "result_no, bank, name, digest, attempt_no, register_no, state, lines, applied, quarantined, why, evidence, taken_at_ms, \
              again_no, again_at_ms, weighs, turn",
    keys: 1,
    rows: "1 = 1",
};

pub(super) const REFUND: Vouched = Vouched {
    table: "refund",
    columns: "refund_no, register_no, bank, via_bank, pool_account, voucher_no, payments, sum_fen, state, opened_at_ms, state_at_ms",
    keys: 1,
    rows: "1 = 1",
};

/// Without when it is sent next, and how often it was in vain.
pub(super) const REPORT: Vouched = Vouched {
    table: "report",
    columns: "report_no, report_id, register_no, kind, recipient_kind, recipient, subject_no, body, state, made_at_ms, acknowledged_at_ms",
    keys: 1,
    rows: "1 = 1",
};

pub(super) const ALERT: Vouched = Vouched {
    table: "alert",
    columns: "alert_no, kind, subject, register_no, batch_no, level, text, raised_at_ms, text_at_ms, cleared_at_ms",
    keys: 1,
    rows: "1 = 1",
};

pub(super) const FEED: Vouched =
    Vouched { table: "feed", columns: "source, feed, cursor", keys: 2, rows: "1 = 1" };

/// Without when it is tried next.
pub(super) const UNREAD: Vouched = Vouched {
    table: "unread",
    columns: "source, id, revision, why, tries, since_at_ms",
    keys: 3,
    rows: "1 = 1",
};

/// Without how the clock stood, which is noted all the time.
pub(super) const META: Vouched =
    Vouched { table: "meta", columns: "name, value", keys: 1, rows: "name <> 'clock'" };

pub(super) const DECISION: Vouched = Vouched {
    table: "decision",
    columns: "decision_no, subject, verdict, reason, standing, register_no, bank, evidence, state, proposed_by, proposed_at_ms, \
              confirmed_by, confirmed_at_ms, withdrawn_by",
    keys: 1,
    rows: "1 = 1",
};

/// All of them.
pub(super) const ALL: [&Vouched; 20] = [
    &REGISTER,
    &SHARE,
    &HOLD,
    &BATCH,
    &ATTEMPT,
    &BANK_REFERENCE,
    &NOT_FOUND,
    &FREE_NUMBER,
    &EXPECTATION,
    &BREAKER,
    &FORMAT_TEXT,
    &PUSHED,
    &RESULT,
    &REFUND,
    &REPORT,
    &ALERT,
    &FEED,
    &UNREAD,
    &META,
    &DECISION,
];

impl Vouched {
    /// The name of a row, and its digest.
    pub(super) fn word(&self, values: &[Param]) -> (String, String) {
        let name: Vec<String> = values.iter().take(self.keys).map(name).collect();
        let mut rows = RowDigest::new();
        rows.row(self.table);
        for value in values {
            match value {
                Param::Int(value) => rows.opt_int(*value),
                Param::Text(value) => rows.opt_text(value.as_deref()),
                Param::Blob(value) => rows.opt_bytes(value.as_deref()),
            };
        }
        // Half of it: nobody finds another row for a given one, and entries stay short.
        let half = rows.finish().first_chunk::<16>().map_or_else(String::new, |half| hex(half));
        (name.join("/"), half)
    }

    /// The values of a row that was read with [`Vouched::columns`].
    pub(super) fn values(&self, row: &Row<'_>) -> Result<Vec<Param>, StoreError> {
        (0..self.columns.split(',').count()).map(|at| row.value(at)).collect()
    }
}

fn name(value: &Param) -> String {
    match value {
        Param::Int(value) => value.unwrap_or_default().to_string(),
        Param::Text(value) => value.clone().unwrap_or_default(),
        Param::Blob(value) => hex(value.as_deref().unwrap_or_default()),
    }
}

/// What one entry vouches for: by table and row the digest, or nothing where the row is gone.
#[derive(Default)]
pub(super) struct Words(BTreeMap<&'static str, Map<String, Value>>);

impl Words {
    /// Is there nothing to vouch for?
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A row as it was written.
    pub(super) fn row(&mut self, table: &Vouched, values: &[Param]) {
        let (name, digest) = table.word(values);
        self.0.entry(table.table).or_default().insert(name, Value::from(digest));
    }

    /// A row is not there any more.
    pub(super) fn gone(&mut self, table: &Vouched, keys: &[Param]) {
        let (name, _) = table.word(keys);
        self.0.entry(table.table).or_default().insert(name, Value::Null);
    }

    /// Runs a statement whose text ends in RETURNING and takes up what it wrote; says how many rows.
    pub(super) async fn returned(
        &mut self,
        work: &mut Work,
        table: &Vouched,
        sql: &str,
        params: Vec<Param>,
    ) -> Result<usize, StoreError> {
        let sql = format!("{sql} RETURNING {}", table.columns);
        self.read(work, table, sql, params).await
    }

    /// Takes up rows as they stand now: nothing must change them in what is left of the transaction.
    pub(super) async fn as_kept(
        &mut self,
        work: &mut Work,
        table: &Vouched,
        condition: &str,
        params: Vec<Param>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT {} FROM {} WHERE {condition}", table.columns, table.table);
        self.read(work, table, sql, params).await.map(|_| ())
    }

    async fn read(
        &mut self,
        work: &mut Work,
        table: &Vouched,
        sql: String,
        params: Vec<Param>,
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        work.0
            .rows(sql.into(), params, &mut |row| {
                self.row(table, &table.values(row)?);
                count += 1;
                Ok(())
            })
            .await?;
        Ok(count)
    }

    /// As it stands in the body of an entry; nothing where there is nothing to vouch for.
    pub(super) fn into_value(self) -> Option<Value> {
        let tables: Map<String, Value> = self
            .0
            .into_iter()
            .map(|(table, rows)| (table.to_owned(), Value::Object(rows)))
            .collect();
        (!tables.is_empty()).then_some(Value::Object(tables))
    }
}

/// Vouches for an attempt, and for its batch where that changed, as they stand now.
pub(super) async fn vouch_for(
    work: &mut Work,
    entry: &mut Entry,
    batch: Option<BatchNo>,
    attempt: AttemptNo,
) -> Result<(), StoreError> {
    let this = params![attempt];
    entry.vouched.as_kept(work, &ATTEMPT, "attempt_no = $1", this).await?;
    if let Some(batch) = batch {
        let this = params![batch];
        entry.vouched.as_kept(work, &BATCH, "batch_no = $1", this).await?;
    }
    Ok(())
}
