//! Opening the database: one daemon, tables of this release, and rows that make no sense.

use std::time::Duration;

use daifa::store::{Location, Store, StoreError};

use crate::base::Base;
use crate::samples::{BANK, NOW, expected, lines};

pub async fn f19_a_second_daemon_is_refused_and_a_command_is_not(base: &Base) {
    let second = Store::open(&base.location).await.err().expect("is refused");
    assert!(matches!(second, StoreError::SecondInstance { .. }), "{second}");
    assert!(second.to_string().contains("another instance"), "{second}");
    base.accept("2026-1", 1, &lines(&[1])).await;
    let beside = base.attached().await;
    assert_eq!(beside.verify().await.expect("reads").payments, 1);
    beside.close().await;
}

pub async fn f19_a_daemon_whose_turn_is_over_writes_nothing_more(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let before = base.state_of_things().await;
    // What keeps a second daemon away is taken away: the file, or the session that holds the lock.
    match &base.location {
        Location::Sqlite(path) => {
            std::fs::remove_file(path.with_extension("lock")).expect("removed");
        }
        Location::Postgres(_) => drop_lock(base).await,
    }
    let second = reopened(&base.location).await.expect("nothing keeps it away any more");
    for late in [
        base.store.start(&attempt, &expected(), NOW).await.map(|_| ()),
        base.store.set_cursor("county", "registers", "9", NOW).await,
    ] {
        let late = late.expect_err("its turn is over");
        assert!(matches!(late, StoreError::SecondInstance { .. }), "{late}");
        assert!(late.is_fatal(), "the process ends");
    }
    assert_eq!(base.state_of_things().await, before, "it can hand over nothing more");
    // The one whose turn it is goes on, and so does an operator beside it.
    second.start(&attempt, &expected(), NOW).await.expect("starts");
    base.attached().await.set_cursor("county", "registers", "9", NOW).await.expect("writes");
    base.clean().await;
    second.close().await;
}

pub async fn f8_the_tables_of_this_release_open_again_with_what_is_in_them(base: &Base) {
    // A database of its own, so that it can be closed.
    let fresh = base.another().await;
    fresh.accept("2026-1", 1, &lines(&[1, 2])).await;
    let before = fresh.clean().await;
    let (location, _folder) = fresh.shut().await;
    for _ in 0..2 {
        let store = reopened(&location).await.expect("opens again");
        assert_eq!(store.verify().await.expect("reads"), before);
        store.close().await;
    }
}

/// Opens a database whose last owner has just gone; its lock goes with its connection.
async fn reopened(location: &Location) -> Result<Store, StoreError> {
    for _ in 0..100 {
        match Store::open(location).await {
            Err(StoreError::SecondInstance { .. }) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            done => return done,
        }
    }
    Store::open(location).await
}

pub async fn i30_an_older_daemon_refuses_newer_tables(base: &Base) {
    for (what, sql) in [
        (
            "a migration that this release does not know",
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        ),
        (
            "a migration that was edited",
            "UPDATE _sqlx_migrations SET checksum = person FROM payment",
        ),
        ("a migration that broke off", "UPDATE _sqlx_migrations SET success = false"),
    ] {
        let fresh = base.another().await;
        fresh.accept("2026-1", 1, &lines(&[1])).await;
        fresh.alter(sql).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let beside = Store::attach(&fresh.location).await.err();
        assert!(
            matches!(beside, Some(StoreError::Migrate { .. })),
            "{what}, a command: {beside:?}"
        );
        let (location, _folder) = fresh.shut().await;
        let daemon = reopened(&location).await.err();
        assert!(matches!(daemon, Some(StoreError::Migrate { .. })), "{what}: {daemon:?}");
    }
}

pub async fn a_command_makes_no_database(base: &Base) {
    let nowhere = match &base.location {
        Location::Sqlite(path) => Location::Sqlite(path.with_file_name("none.sqlite")),
        Location::Postgres(url) => Location::Postgres(url.replace("/daifa_", "/none_")),
    };
    let beside = Store::attach(&nowhere).await.err().expect("is refused");
    assert!(matches!(beside, StoreError::Open { .. }), "{beside}");
    if let Location::Sqlite(path) = &nowhere {
        assert!(!path.exists());
        // Nor does it lay hands on one that the daemon is just making.
        std::fs::write(path, "").expect("written");
        let beside = Store::attach(&nowhere).await.err().expect("is refused");
        assert!(matches!(beside, StoreError::Migrate { .. }), "{beside}");
        assert!(beside.to_string().contains("start the daemon first"), "{beside}");
        assert_eq!(std::fs::metadata(path).expect("is there").len(), 0);
    }
}

pub async fn i23_a_database_that_commits_without_waiting_is_refused(base: &Base) {
    let Location::Postgres(url) = &base.location else {
        // The embedded one is told how to commit by each connection.
        let how = base.texts("SELECT CAST(journal_mode AS TEXT) FROM pragma_journal_mode").await;
        assert_eq!(how, ["wal"]);
        return;
    };
    let name = url.split('?').next().and_then(|rest| rest.rsplit('/').next());
    let (name, elsewhere) = (name.expect("a name"), base.another().await);
    // The setting is the database's own, so that only connections made from now on have it.
    let sql = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    elsewhere.alter(&sql).await.expect("alters");
    drop_lock(base).await;
    let refused = reopened(&base.location).await.err().expect("is refused");
    assert!(refused.to_string().contains("synchronous_commit is off"), "{refused}");
}

/// Ends the session that holds the instance lock, as a crash of the daemon would.
async fn drop_lock(base: &Base) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    base.alter(sql).await.expect("ends it");
}

pub async fn a_row_that_makes_no_sense_is_named_by_table_and_column(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1])).await;
    let attempt = base.cut(register, BANK, 9).await;
    let cases = [
        ("UPDATE register SET state = 'asleep'", "state", "register", "asleep"),
        ("UPDATE attempt SET state = 'lost'", "state", "attempt", "lost"),
    ];
    for (sql, column, table, word) in cases {
        base.alter(sql).await.expect("alters");
        let read = match table {
            "register" => base.store.overview(9).await.err(),
            _ => base.store.attempt_by_reference(BANK, &attempt.reference).await.err(),
        };
        let error = read.expect("is an error of its own");
        assert!(matches!(error, StoreError::Inconsistent { .. }), "{error}");
        assert!(error.is_fatal(), "nobody goes on with it");
        let words = error.to_string();
        for part in [column, table, word] {
            assert!(words.contains(part), "{part} is not in: {words}");
        }
    }
}

pub async fn a_digest_that_is_none_is_told(base: &Base) {
    let register = base.accept("2026-1", 1, &lines(&[1])).await;
    base.alter("UPDATE register SET head_digest = person FROM payment").await.expect("alters");
    let error = base.store.register_facts(register).await.expect_err("is an error");
    let words = error.to_string();
    assert!(matches!(error, StoreError::Inconsistent { .. }), "{words}");
    assert!(words.contains("head_digest") && words.contains("register"), "{words}");
    assert!(!words.contains("sealed person"), "values are not repeated: {words}");
    let _: i64 = NOW;
}
