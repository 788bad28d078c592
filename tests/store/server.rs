//! What only a database server can do to its client: hold somebody else's tables, end a connection,
//! free a lock late. PostgreSQL alone.

use std::time::Duration;

use daifa::store::{Location, Store, StoreError};

use crate::base::Base;
use crate::beside;
use crate::cluster::cluster;
use crate::samples::NOW;

/// A new database without any tables.
async fn empty() -> Option<Location> {
    Some(Location::Postgres(cluster()?.database().await))
}

/// Ends the connection that holds the lock of the one instance ("daifa" in ASCII, in two halves).
const END_THE_LOCK: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' \
                            AND classid = 100 AND objid = 1634297441 AND granted AND database = \
                            (SELECT oid FROM pg_database WHERE datname = current_database())";

#[tokio::test]
async fn a_database_with_somebody_elses_tables_is_refused_and_left_alone() {
    let Some(location) = empty().await else { return };
    beside::alter(&location, "CREATE TABLE wages (who TEXT)").await.expect("a foreign table");
    let refused = Store::open(&location).await.err().expect("is refused");
    assert!(matches!(refused, StoreError::Open { .. }), "{refused}");
    assert!(refused.to_string().contains("it holds the table wages"), "{refused}");
    let tables =
        "SELECT COUNT(*) FROM pg_class WHERE relnamespace = CAST(current_schema() AS regnamespace)";
    assert_eq!(beside::number(&location, tables).await, 1, "nothing was made");
}

#[tokio::test]
async fn f19_a_daemon_that_lost_its_lock_writes_no_more() {
    let Some(base) = Base::postgres().await else { return };
    base.store.meta_once("a", "1", NOW).await.expect("writes");
    base.alter(END_THE_LOCK).await.expect("ends it");
    // Another instance may begin at once.
    let next = Store::open(&base.location).await.expect("opens");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let cause = base.store.meta_once("a", "2", NOW).await.expect_err("writes no more");
    assert!(cause.is_fatal() && cause.to_string().contains("the lock of the one"), "{cause}");
    next.meta_once("b", "2", NOW).await.expect("the next one writes");
    assert_eq!(base.store.meta("b").await.expect("reads").as_deref(), Some("2"));
}

#[tokio::test]
async fn f19_the_lock_of_a_daemon_that_is_just_dying_is_waited_for() {
    let Some(base) = Base::postgres().await else { return };
    let location = base.location.clone();
    let next = async {
        let begun = tokio::time::Instant::now();
        Store::open(&location).await.expect("opens");
        begun.elapsed()
    };
    let last = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(base);
    };
    let (waited, ()) = tokio::join!(next, last);
    assert!(waited >= Duration::from_millis(450), "{waited:?}");
}

/// It is set to commit asynchronously while the daemon runs: its connections do not follow.
#[tokio::test]
async fn i23_a_server_that_is_set_to_commit_asynchronously_commits_durably_all_the_same() {
    let Some(location) = empty().await else { return };
    let first = Store::open(&location).await.expect("opens");
    drop(first);
    for sql in [
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
        "CREATE TABLE seen (setting TEXT)",
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$",
        "CREATE TRIGGER sees BEFORE INSERT ON meta FOR EACH ROW EXECUTE FUNCTION see()",
    ] {
        beside::alter(&location, sql).await.expect(sql);
    }
    // A daemon does not even begin there; a command beside it does.
    let refused = Store::open(&location).await.err().expect("is refused");
    assert!(refused.to_string().contains("synchronous_commit is off"), "{refused}");
    let beside_it = Store::attach(&location).await.expect("opens");
    beside_it.meta_once("a", "1", NOW).await.expect("writes");
    assert_eq!(beside::texts(&location, "SELECT setting FROM seen").await, ["on"]);
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_character_is_refused() {
    let Some(Location::Postgres(url)) = empty().await else { return };
    let location = Location::Postgres(url.clone());
    let sql =
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
    beside::alter(&location, sql).await.expect("makes it");
    let name = url.rsplit('/').find(|part| part.starts_with("daifa_")).expect("a name");
    let name = name.split('?').next().expect("a name");
    let latin = Location::Postgres(url.replacen(name, "latin", 1));
    let refused = Store::open(&latin).await.err().expect("is refused");
    assert!(refused.to_string().contains("the encoding LATIN1"), "{refused}");
}
