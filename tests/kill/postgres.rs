//! The same on PostgreSQL: what a run comes to there, with and without a death.

use std::sync::OnceLock;
use std::time::Duration;

use crate::cluster::installed;
use crate::judge;
use crate::plan::{Death, Reference, carry_out, run_group};
use crate::stage::{Shape, Stage};
use crate::{TOWN, alone, demo_to_the_end, town};

const SERVED: Shape = Shape { postgres: true, ..TOWN };

pub fn served() -> &'static Reference {
    static RUN: OnceLock<Reference> = OnceLock::new();
    RUN.get_or_init(|| Reference::run(SERVED))
}

#[test]
fn i15_the_closing_account_on_postgresql_is_that_on_sqlite() {
    if installed().is_none() {
        return;
    }
    let _alone = alone();
    let (file, served) = (town(), served());
    assert_eq!(judge::difference(&file.books, &served.books), "");
    assert_eq!(judge::difference(&file.account, &served.account), "");
    // The demo as people run it, which goes on in a database that it began with, and in no other.
    let shape = Shape { no_dedup: false, ..SERVED };
    let stage = Stage::bare(shape);
    let (account, books) = demo_to_the_end(&stage).expect("the demo is good");
    assert_eq!(books.faults(), Vec::<String>::new());
    assert_eq!(demo_to_the_end(&stage).expect("it is good again"), (account.clone(), books));
    let on_file = Stage::bare(Shape { postgres: false, ..shape });
    assert_eq!(account, demo_to_the_end(&on_file).expect("the demo is good").0);
    let mut other = Stage::bare(shape);
    other.share(&stage);
    let refused = other.demo().wait(Duration::from_secs(20)).expect("it ends at once");
    assert_eq!(refused.code(), Some(1));
    let said = other.logged("demo");
    assert!(said.contains("belongs to a practice in another folder"), "{said}");
}

#[test]
fn f1_to_f9_killed_beside_commits_on_postgresql() {
    if installed().is_none() {
        return;
    }
    let _alone = alone();
    let reference = served();
    // Every ninth boundary of 100 and more: the verbs are those that the other groups kill at all.
    let plans = (1..=12).map(|n| match n % 2 {
        0 => [Death::AfterCommit(n * 9)],
        _ => [Death::BeforeCommit(n * 9 - 4)],
    });
    let tally = run_group("on PostgreSQL", plans, |plan| carry_out(plan, reference));
    assert!(tally.kills >= 10, "{tally:?}");
}

#[test]
fn f17_i24_a_connection_lost_at_commit_ends_the_daemon_and_the_next_one_reads_back() {
    if installed().is_none() {
        return;
    }
    let _alone = alone();
    let reference = served();
    let plans = [2, 9, 17, 28, 41, 57, 76, 95].into_iter();
    let plans = plans.flat_map(|n| [[Death::CutBefore(n)], [Death::CutAfter(n)]]);
    let name = "the connection lost at COMMIT";
    let tally = run_group(name, plans, |plan| carry_out(plan, reference));
    assert!(tally.kills >= 12, "{tally:?}");
}
