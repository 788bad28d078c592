//! Recomputes everything that can be recomputed, and walks every chain (I7, I18): the five places
//! from postings and again from outcomes, the rows of every transaction from their digests, the
//! states from the journal. What it finds is told in sentences; nothing is changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::guard::chain::RowDigest;
use crate::guard::key::hex;
use crate::model::id::{BatchNo, RegisterNo};
use crate::model::money::Fen;
use crate::model::outcome::{Folded, OutcomeKind, Seen};
use crate::model::place::{Place, Places};
use crate::store::digest::{digest_holds, digest_payment, digest_reissues};
use crate::store::facts::{HEAD_COLUMNS, head, is_whole};
use crate::store::holds::UNSENT;
use crate::store::journal::register_chain;
use crate::store::results::MEMBER;
use crate::store::sql::{Work, params};
use crate::store::verify::leftovers::{Leftover, check_leftover, leftovers};
use crate::store::verify::rows::{check_counts, check_states};
use crate::store::verify::tables::{check_keys, check_tables};
use crate::store::verify::told::{Told, walk_chains};
use crate::store::verify::vouched::check_vouched;
use crate::store::{Store, StoreError};

mod leftovers;
mod rows;
mod tables;
mod told;
mod vouched;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    pub chains: usize,
    pub entries: usize,
    pub postings: usize,
    pub payments: i64,
    pub places: Places,
    /// The head over the heads of all chains, in hex: what is compared with an anchor outside.
    pub head: String,
    /// What does not add up, in sentences.
    pub problems: Vec<String>,
}

/// Everything about one register that is compared.
struct Register {
    no: RegisterNo,
    state: String,
}

type ShareKey = (i64, String);

impl Store {
    /// Verifies everything, at one snapshot.
    ///
    /// # Errors
    /// Where the database cannot be read; what does not add up is no error but a finding.
    pub async fn verify(&self) -> Result<Verification, StoreError> {
        let mut work = self.read().await?;
        let mut found = Verification::default();
        let registers = work
            .rows("SELECT register_no, state FROM register WHERE state <> 'receiving' ORDER BY register_no", params![], |row| {
                Ok(Register { no: RegisterNo(row.int(0)?), state: row.string(1)? })
            })
            .await?;
        let shares = shares(&mut work, &mut found).await?;
        let mut told = Told::default();
        walk_chains(&mut work, &mut found, &mut told).await?;
        check_postings(&mut work, &mut found, &shares, &told).await?;
        check_register_states(&mut found, &registers, &told);
        for register in &registers {
            check_register(&mut work, &mut found, register, &shares, &told).await?;
        }
        check_states(&mut work, &mut found, &told).await?;
        check_counts(&mut work, &mut found, &told).await?;
        check_tables(&mut work, &mut found, &told).await?;
        check_vouched(&mut work, &mut found, &told).await?;
        work.commit().await?;
        Ok(found)
    }
}

async fn shares(
    work: &mut Work,
    found: &mut Verification,
) -> Result<BTreeMap<ShareKey, (Places, i64)>, StoreError> {
    let sql = "SELECT register_no, bank, approved_fen, unsent_fen, in_flight_fen, credited_fen, refundable_fen, refunded_fen, disputed_fen, payments \
               FROM share ORDER BY register_no, bank";
    let rows = work
        .rows(sql, params![], |row| {
            let fen = |at| row.int(at).map(Fen::new);
            let places = Places {
                approved: fen(2)?,
                unsent: fen(3)?,
                in_flight: fen(4)?,
                credited: fen(5)?,
                refundable: fen(6)?,
                refunded: fen(7)?,
                disputed: fen(8)?,
            };
            Ok(((row.int(0)?, row.string(1)?), (places, row.int(9)?)))
        })
        .await?;
    for ((register, bank), (places, payments)) in &rows {
        found.places = found.places.plus(*places);
        found.payments += payments;
        if !places.conserved() {
            found.problems.push(format!(
                "R{register} at {bank}: the five places do not add up to what was approved"
            ));
        }
    }
    Ok(rows.into_iter().collect())
}

/// Postings are what the journal says they are, and the places are their sums.
async fn check_postings(
    work: &mut Work,
    found: &mut Verification,
    shares: &BTreeMap<ShareKey, (Places, i64)>,
    told: &Told,
) -> Result<(), StoreError> {
    let sql = "SELECT register_no, bank, from_place, to_place, payments, amount_fen, event, posting_no, batch_no, refund_no, result_no, at_ms \
               FROM posting ORDER BY register_no, posting_no";
    let mut kept: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    let mut sums: BTreeMap<ShareKey, BTreeMap<Place, i64>> = BTreeMap::new();
    let rows = work
        .rows(sql, params![], |row| {
            let (register, bank) = (row.int(0)?, row.string(1)?);
            let (from, to) = (row.word(2, Place::parse)?, row.word(3, Place::parse)?);
            let (payments, amount) = (row.int(4)?, row.int(5)?);
            let (no, from_word, to_word) = (row.int(7)?, from.as_str(), to.as_str());
            let (batch, refund, result) = (row.int_opt(8)?, row.int_opt(9)?, row.int_opt(10)?);
            let word = serde_json::json!([
                [no, bank, from_word, to_word, payments, amount, batch, refund, result],
                row.text(6)?,
                row.int(11)?
            ]);
            kept.entry(register).or_default().push(word);
            let places = sums.entry((register, bank)).or_default();
            *places.entry(from).or_default() -= amount;
            *places.entry(to).or_default() += amount;
            Ok(())
        })
        .await?;
    found.postings = rows.len();
    for register in kept.keys().chain(told.postings.keys()).collect::<BTreeSet<_>>() {
        if kept.get(register) != told.postings.get(register) {
            found
                .problems
                .push(format!("R{register}: its postings are not those that its journal tells"));
        }
    }
    for ((register, bank), (places, _)) in shares {
        let summed = sums.get(&(*register, bank.clone()));
        let sum = |place| summed.and_then(|sums| sums.get(&place)).copied().unwrap_or_default();
        for (place, kept) in five(places) {
            if sum(place) != kept.get() {
                let sum = Fen::new(sum(place));
                found.problems.push(format!(
                    "R{register} at {bank}: {place} is {kept} yuan, its postings add up to {sum}"
                ));
            }
        }
    }
    Ok(())
}

const fn five(places: &Places) -> [(Place, Fen); 6] {
    [
        (Place::Unsent, places.unsent),
        (Place::InFlight, places.in_flight),
        (Place::Credited, places.credited),
        (Place::Refundable, places.refundable),
        (Place::Refunded, places.refunded),
        (Place::Disputed, places.disputed),
    ]
}

/// Registers are those that the journal tells of, in the states that it tells.
fn check_register_states(found: &mut Verification, registers: &[Register], told: &Told) {
    let kept: BTreeSet<i64> = registers.iter().map(|register| register.no.0).collect();
    if kept != told.registers.keys().copied().collect() {
        let what = "the registers are not those that the journal tells of";
        found.problems.push(what.to_owned());
    }
    for Register { no, state } in registers {
        if told.registers.get(&no.0).is_some_and(|told| told != state) {
            found.problems.push(format!("{no} is {state}, which its journal does not tell"));
        }
    }
}

/// Recomputes a register's places from its payments, batches, outcomes and leftovers.
async fn check_register(
    work: &mut Work,
    found: &mut Verification,
    register: &Register,
    shares: &BTreeMap<ShareKey, (Places, i64)>,
    told: &Told,
) -> Result<(), StoreError> {
    let no = register.no;
    if register.state == "refused" {
        return Ok(());
    }
    check_head(work, found, no, told).await?;
    check_rows(work, found, no, told).await?;
    let mut computed: BTreeMap<String, Places> = BTreeMap::new();
    let withdrawn = register.state == "superseded";
    let sql = format!(
        "SELECT p.bank, COALESCE(CAST(SUM(p.amount_fen) AS BIGINT), 0) FROM payment p WHERE p.register_no = $1 AND {UNSENT} GROUP BY p.bank"
    );
    work.0
        .rows(sql.into(), params![no], &mut |row| {
            let unsent = if withdrawn { Fen::ZERO } else { Fen::new(row.int(1)?) };
            computed.entry(row.string(0)?).or_default().unsent = unsent;
            Ok(())
        })
        .await?;
    let leftovers = leftovers(work, found, no, told, &mut computed).await?;
    outcomes(work, found, no, &leftovers, &mut computed).await?;
    for ((_, bank), (places, _)) in shares.range((no.0, String::new())..(no.0 + 1, String::new())) {
        let mine = computed.get(bank).copied().unwrap_or_default();
        for ((place, kept), (_, computed)) in five(places).into_iter().zip(five(&mine)) {
            if kept != computed {
                found.problems.push(format!("{no} at {bank}: {place} is {kept} yuan, payments and outcomes make it {computed}"));
            }
        }
    }
    Ok(())
}

/// The head is the one that was accepted.
async fn check_head(
    work: &mut Work,
    found: &mut Verification,
    no: RegisterNo,
    told: &Told,
) -> Result<(), StoreError> {
    let told = told.accepted.get(&no.0).and_then(|(body, _)| body.get("head_digest"));
    let digest = told.and_then(Value::as_str);
    let sql = format!("SELECT {HEAD_COLUMNS} FROM register WHERE register_no = $1");
    let mut whole = false;
    work.0
        .rows(sql.into(), params![no], &mut |row| {
            let head = head(row)?;
            whole = is_whole(&head) && digest == Some(hex(&head.digest).as_str());
            Ok(())
        })
        .await?;
    if !whole {
        found.problems.push(format!("{no}: its head is not the one that was accepted"));
    }
    Ok(())
}

/// The payments and holds of intake are those that the journal digested.
async fn check_rows(
    work: &mut Work,
    found: &mut Verification,
    no: RegisterNo,
    told: &Told,
) -> Result<(), StoreError> {
    let Some((body, expected)) = told.accepted.get(&no.0) else {
        found.problems.push(format!(
            "{no}: the journal does not tell of its acceptance ({})",
            register_chain(no)
        ));
        return Ok(());
    };
    check_identity(work, found, no, body, told.deadlines.get(&no.0).copied()).await?;
    let mut rows = RowDigest::new();
    let sql = "SELECT line, bank, town, amount_fen, person FROM payment WHERE register_no = $1 ORDER BY line";
    work.rows(sql, params![no], |row| {
        digest_payment(
            &mut rows,
            row.int(0)?,
            row.text(1)?,
            row.int(2)?,
            Fen::new(row.int(3)?),
            row.blob(4)?,
        );
        Ok(())
    })
    .await?;
    digest_holds(work, &mut rows, no).await?;
    digest_reissues(work, &mut rows, no).await?;
    if rows.finish() != *expected {
        found
            .problems
            .push(format!("{no}: its payments or holds are not those that were accepted"));
    }
    check_keys(work, found, no, body).await
}

/// A register's identity, digests and deadline are those that the journal tells.
async fn check_identity(
    work: &mut Work,
    found: &mut Verification,
    no: RegisterNo,
    body: &Value,
    deadline: Option<i64>,
) -> Result<(), StoreError> {
    let sql = "SELECT source, id, revision, digest, head_digest, deadline_at_ms FROM register WHERE register_no = $1";
    let (kept, kept_deadline) = work
        .the(sql, params![no], |row| {
            let kept = serde_json::json!([
                row.text(0)?,
                row.text(1)?,
                row.int(2)?,
                hex(row.blob(3)?),
                hex(row.blob(4)?)
            ]);
            Ok((kept, row.int_opt(5)?))
        })
        .await?;
    let said = ["source", "id", "revision", "digest", "head_digest"]
        .map(|name| body.get(name).cloned().unwrap_or_default());
    if kept != Value::from(said.to_vec()) || kept_deadline != deadline {
        found.problems.push(format!("{no}: its head or deadline is not what its journal tells"));
    }
    Ok(())
}

/// Folds the outcomes of every live batch of a register into the computed places, and compares the
/// batch's own counters.
async fn outcomes(
    work: &mut Work,
    found: &mut Verification,
    no: RegisterNo,
    leftovers: &HashMap<i64, Leftover>,
    computed: &mut BTreeMap<String, Places>,
) -> Result<(), StoreError> {
    let sql = "SELECT batch_no, bank, payments, sum_fen, pending, credited, failed, returned, conflicts FROM batch \
               WHERE register_no = $1 AND state IN ('open', 'settled') ORDER BY batch_no";
    let batches = work
        .rows(sql, params![no], |row| {
            let counts = [row.int(4)?, row.int(5)?, row.int(6)?, row.int(7)?, row.int(8)?];
            Ok((BatchNo(row.int(0)?), row.string(1)?, row.int(2)?, Fen::new(row.int(3)?), counts))
        })
        .await?;
    for (batch, bank, payments, sum, counts) in batches {
        let seen = answers(work, batch).await?;
        let members = format!(
            "SELECT p.line, p.amount_fen FROM batch b JOIN payment p ON p.register_no = b.register_no AND p.bank = b.bank \
             AND p.line BETWEEN b.first_line AND b.last_line WHERE b.batch_no = $1 AND {MEMBER}"
        );
        let (mut count, mut total, mut folded) = (0, Fen::ZERO, [0_i64; 5]);
        let mut unfit: Vec<i64> = Vec::new();
        let places = computed.entry(bank).or_default();
        work.0
            .rows(members.into(), params![batch], &mut |row| {
                let (line, amount) = (row.int(0)?, Fen::new(row.int(1)?));
                count += 1;
                total = [total, amount].into_iter().sum();
                let said = seen.get(&line).map_or(&[] as &[_], Vec::as_slice);
                let kinds = said.iter().fold(Seen::default(), |seen, (kind, _)| seen.with(*kind));
                let state = kinds.fold();
                let leftover = leftovers.get(&line);
                unfit.extend(check_leftover(leftover, state, said).then_some(line));
                let add = |place: &mut Fen| *place = [*place, amount].into_iter().sum();
                let promised = leftover.is_some_and(Leftover::is_kept);
                match state {
                    Folded::Credited => add(&mut places.credited),
                    Folded::Conflict if promised => add(&mut places.disputed),
                    Folded::Pending | Folded::Conflict => add(&mut places.in_flight),
                    Folded::Failed | Folded::Returned => {}
                }
                let at = match state {
                    Folded::Pending => 0,
                    Folded::Credited => 1,
                    Folded::Failed => 2,
                    Folded::Returned => 3,
                    Folded::Conflict => 4,
                };
                folded[at] += 1;
                Ok(())
            })
            .await?;
        if (count, total) != (payments, sum) {
            found.problems.push(format!("{batch}: it was frozen with {payments} payments of {sum} yuan and has {count} of {total}"));
        }
        if let Some(line) = unfit.first() {
            let what =
                format!("{batch}: the leftover of line {line} is not what its outcomes make");
            found.problems.push(what);
        }
        if folded != counts {
            found.problems.push(format!("{batch}: its counters are not what its outcomes make"));
        }
    }
    Ok(())
}

/// What was said of each line of a batch, and when.
async fn answers(
    work: &mut Work,
    batch: BatchNo,
) -> Result<HashMap<i64, Vec<(OutcomeKind, i64)>>, StoreError> {
    let sql = "SELECT o.line, o.kind, x.taken_at_ms FROM attempt a JOIN outcome o ON o.attempt_no = a.attempt_no \
               LEFT JOIN result x ON x.result_no = o.result_no WHERE a.batch_no = $1";
    let rows = work
        .rows(sql, params![batch], |row| {
            let said = (row.word(1, OutcomeKind::parse)?, row.int_opt(2)?.unwrap_or_default());
            Ok((row.int(0)?, said))
        })
        .await?;
    let mut said: HashMap<i64, Vec<(OutcomeKind, i64)>> = HashMap::new();
    for (line, answer) in rows {
        said.entry(line).or_default().push(answer);
    }
    Ok(said)
}
