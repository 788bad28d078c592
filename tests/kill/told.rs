//! Acknowledged to finance, therefore durable (I23): after every kill the facts that the daemon left
//! hold everything that finance says it was told, and the next daemon tells it in the same words.
//!
//! Finance keeps its own book of what it was told, in another process, and takes no other body
//! under an id that it knows. Nobody loses the page cache here, so that this proves the order of
//! telling and committing; that a commit waits for the disk is for the store's own tests (`i23_`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use daifa::clock::Dice;
use daifa::finance::report::About;
use daifa::sandbox::finance::book::{Entry, Mark, Taken};
use daifa::store::Location;

use crate::plan::{Death, Lived, Reference, live, reading, run_group};
use crate::stage::Stage;
use crate::{alone, beside, town};

/// What finance says it was told, in the order in which it was.
fn told(stage: &Stage) -> Vec<Taken> {
    let book = stage.path().join("finance/finance-book.ndjson");
    let text = std::fs::read_to_string(book).unwrap_or_default();
    // Finance lives on: a line that it is writing has no end yet, and nobody was answered for it.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let entries = whole.lines().map(|line| serde_json::from_str(line).expect("an entry"));
    let report = |entry| match entry {
        Entry::Report(taken) => Some(*taken),
        Entry::Opened(_) | Entry::FirstRead { .. } => None,
    };
    entries.filter_map(report).collect()
}

/// The facts that a report tells of, in the words of [`FACTS`].
fn facts_of(report: &Taken) -> Vec<String> {
    let (head, register) = (&report.head, &report.head.register);
    let mut facts = vec![format!("{register} report {} {}", head.report_id, head.kind)];
    match &head.about {
        About::Receipt(receipt) if receipt.accepted => {
            let (count, sum) = (receipt.count, receipt.sum.0.get());
            facts.push(format!("{register} accepted {count} {sum}"));
        }
        About::Refund(refund) => facts.push(format!("{register} refund {}", refund.reference)),
        About::Closing(_) => facts.push(format!("{register} closed")),
        _ => {}
    }
    facts.extend(report.marks.iter().map(|(line, mark)| match mark {
        Mark::Held(reason) => format!("{register} {line} held {reason}"),
        Mark::Outcome(kind) => format!("{register} {line} {kind}"),
        Mark::Conflict => format!("{register} {line} conflict, which nobody practises here"),
        Mark::Notice(state) => format!("{register} {line} notice {state}"),
        Mark::Refunded(cause) => format!("{register} {line} refunded {cause}"),
    }));
    facts
}

/// Everything that a report may tell of, a line each.
const FACTS: &str = "\
    SELECT r.id || ' report ' || p.report_id || ' ' || p.kind FROM report p JOIN register r USING (register_no) \
    UNION ALL SELECT r.id || ' accepted ' || COUNT(*) || ' ' || SUM(p.amount_fen) FROM register r \
        JOIN payment p USING (register_no) WHERE r.state IN ('accepted', 'closed') GROUP BY r.id \
    UNION ALL SELECT DISTINCT r.id || ' closed' FROM register r JOIN journal j ON j.chain = 'register:' || r.register_no \
        WHERE j.kind = 'register.closed' \
    UNION ALL SELECT r.id || ' ' || h.line || ' held ' || h.reason FROM hold h JOIN register r USING (register_no) \
        WHERE h.event = 'placed' \
    UNION ALL SELECT r.id || ' ' || o.line || ' ' || o.kind FROM outcome o JOIN attempt a USING (attempt_no) \
        JOIN register r USING (register_no) \
    UNION ALL SELECT r.id || ' ' || n.line || ' notice ' || n.state FROM notice n JOIN attempt a USING (attempt_no) \
        JOIN register r USING (register_no) \
    UNION ALL SELECT r.id || ' refund ' || a.reference FROM attempt a JOIN refund f USING (refund_no) \
        JOIN register r ON r.register_no = f.register_no WHERE f.state = 'confirmed' \
    UNION ALL SELECT r.id || ' ' || l.line || ' refunded ' || l.cause FROM leftover l JOIN register r USING (register_no) \
        WHERE l.state = 'refunded'";

/// A copy of what a killed daemon left, as it lies there: a look at the database itself would spare
/// the next daemon the recovery of the log.
fn copy(from: &Path, folder: &Path) -> PathBuf {
    for suffix in ["", "-wal"] {
        let mut name = from.file_name().expect("a file").to_owned();
        name.push(suffix);
        let file = from.with_file_name(&name);
        if file.exists() {
            std::fs::copy(file, folder.join(name)).expect("is copied");
        }
    }
    folder.join(from.file_name().expect("a file"))
}

/// Says what finance was told and the facts do not hold.
fn kept(stage: &Stage) -> Result<(), String> {
    let told = told(stage);
    if told.is_empty() {
        return Ok(());
    }
    let Location::Sqlite(path) = stage.location() else { panic!("the facts are in a file") };
    let folder = tempfile::tempdir().expect("a folder");
    let copy = Location::Sqlite(copy(path, folder.path()));
    let facts: BTreeSet<String> = reading(beside::texts(&copy, FACTS)).into_iter().collect();
    let missing: Vec<String> =
        told.iter().flat_map(facts_of).filter(|fact| !facts.contains(fact)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("finance was told what is not durable: {missing:#?}"))
}

/// Makes every report due that ever went, as if no acknowledgement had arrived.
fn due_again(stage: &Stage) -> Result<(), String> {
    let sql = "UPDATE report SET state = 'due', next_at_ms = 0, acknowledged_at_ms = NULL \
               WHERE state = 'acknowledged'";
    reading(beside::alter(stage.location(), sql)).map(|_| ()).map_err(|cause| cause.to_string())
}

/// Kills a daemon again and again, and looks after each time.
fn carry_out(deaths: &[Death], reference: &Reference) -> (Result<Lived, String>, Stage) {
    let stage = Stage::start(reference.shape);
    let lived = live(&stage, deaths, reference, |died| {
        kept(&stage)?;
        // Every other time, so that the rest recovers from what was left as it lay.
        if died % 2 == 0 { due_again(&stage) } else { Ok(()) }
    });
    let lived = lived.and_then(|died| {
        kept(&stage)?;
        let again = "SELECT COUNT(*) FROM report WHERE tries > 1 AND state = 'acknowledged'";
        match reading(beside::number(stage.location(), again)) {
            // Ten and more were acknowledged before the last death but one.
            0..10 => Err("next to nothing was told again".to_owned()),
            _ => Ok(Lived { died, outlived: died < deaths.len() }),
        }
    });
    (lived, stage)
}

#[test]
fn i23_what_finance_was_told_is_durable_and_told_alike_again() {
    let _alone = alone();
    let reference = town();
    let mut dice = Dice::seeded(23);
    let plan = |dice: &mut Dice| -> Vec<Death> {
        let death = |at: u64, dice: &mut Dice| {
            let commit = 12 + dice.below(18);
            if at.is_multiple_of(2) {
                Death::BeforeCommit(commit)
            } else {
                Death::AfterCommit(commit)
            }
        };
        (0..4).map(|at| death(at, dice)).collect()
    };
    let mut plans: Vec<_> = (0..10).map(|_| plan(&mut dice)).collect();
    // Each boundary around the first acceptance, where a receipt may not be ahead of its register.
    // The second death comes late enough that a good part of what there is to tell was told by then.
    plans.extend((1..=8).map(|n| vec![Death::BeforeCommit(n), Death::AfterCommit(70)]));
    let tally = run_group("told to finance", plans.into_iter(), |plan| carry_out(plan, reference));
    assert!(tally.kills >= 40, "{tally:?}");
}
