//! Rows that come by the thousand as the digest of an entry sees them: whoever writes them and `verify`,
//! which reads them back, do the same (I18).

use crate::guard::chain::RowDigest;
use crate::model::id::RegisterNo;
use crate::model::money::Fen;
use crate::store::StoreError;
use crate::store::cut::SealedPart;
use crate::store::sql::{Work, params};

/// A payment as the journal's digest sees it; `verify` does the same with what it reads.
pub(super) fn digest_payment(
    rows: &mut RowDigest,
    line: i64,
    bank: &str,
    town: i64,
    amount: Fen,
    person: &[u8],
) {
    rows.row("payment").int(line).text(bank).int(town).int(amount.get()).bytes(person);
}

/// A key of the blind index as the journal's digest sees it, in line order.
pub(super) fn digest_key(rows: &mut RowDigest, line: i64, blind: &[u8]) {
    rows.row("person_key").int(line).bytes(blind);
}

/// The holds of intake belong to what was accepted: they are part of its digest.
pub(super) async fn digest_holds(
    work: &mut Work,
    rows: &mut RowDigest,
    register: RegisterNo,
) -> Result<(), StoreError> {
    let sql = "SELECT line, event, reason, detail, by_whom, at_ms FROM hold WHERE register_no = $1 AND event_no = 1 ORDER BY line";
    work.rows(sql, params![register], |row| {
        rows.row("hold").int(row.int(0)?).text(row.text(1)?).text(row.text(2)?);
        rows.text(row.text(3)?).text(row.text(4)?).int(row.int(5)?);
        Ok(())
    })
    .await?;
    Ok(())
}

/// So do the words about which earlier payments its lines replace.
pub(super) async fn digest_reissues(
    work: &mut Work,
    rows: &mut RowDigest,
    register: RegisterNo,
) -> Result<(), StoreError> {
    let sql = "SELECT line, replaces_register_no, replaces_line, number FROM reissue WHERE register_no = $1 ORDER BY line";
    work.rows(sql, params![register], |row| {
        rows.row("reissue").int(row.int(0)?).int(row.int(1)?).int(row.int(2)?).int(row.int(3)?);
        Ok(())
    })
    .await?;
    Ok(())
}

/// A member of a batch as the journal's digest sees it.
pub(super) fn digest_member(rows: &mut RowDigest, line: i64, amount: Fen) {
    rows.row("member").int(line).int(amount.get());
}

/// A part of an attempt as the journal's digest sees it; its pieces follow.
pub(super) fn digest_part(
    rows: &mut RowDigest,
    no: i64,
    role: &str,
    name: &str,
    (committing, size): (i64, i64),
    sha256: &[u8],
) {
    rows.row("part").int(no).text(role).text(name).int(committing).int(size).bytes(sha256);
}

/// A sealed piece of a part as the journal's digest sees it.
pub(super) fn digest_chunk(rows: &mut RowDigest, no: i64, bytes: &[u8]) {
    rows.row("part_chunk").int(no).bytes(bytes);
}

pub(super) fn digest_parts(rows: &mut RowDigest, parts: &[SealedPart]) {
    for (at, part) in parts.iter().enumerate() {
        let frame = (i64::from(part.committing), part.size);
        digest_part(rows, number(at), &part.role, &part.name, frame, &part.sha256);
        for (at, chunk) in part.chunks.iter().enumerate() {
            digest_chunk(rows, number(at), chunk);
        }
    }
}

/// An outcome as the journal's digest sees it; `verify` does the same with what it reads.
pub(super) fn digest_outcome(
    rows: &mut RowDigest,
    line: i64,
    kind: &str,
    reason: Option<&str>,
    code: Option<&str>,
    words: Option<&[u8]>,
) {
    rows.row("outcome").int(line).text(kind).opt_text(reason).opt_text(code).opt_bytes(words);
}

/// A line that changed nothing as the journal's digest sees it, in the order of its rows.
pub(super) fn digest_quarantined(
    rows: &mut RowDigest,
    no: i64,
    cause: &str,
    detail: &str,
    (attempt, line): (Option<i64>, Option<i64>),
    at_ms: i64,
) {
    rows.row("quarantine").int(no).text(cause).text(detail).opt_int(attempt).opt_int(line);
    rows.int(at_ms);
}

/// What the bank calls a payment as the journal's digest sees it, in line order.
pub(super) fn digest_serial(rows: &mut RowDigest, line: i64, serial: &str) {
    rows.row("payment_serial").int(line).text(serial);
}

/// The place of a part or piece, from 1.
fn number(at: usize) -> i64 {
    i64::try_from(at + 1).unwrap_or(i64::MAX)
}
