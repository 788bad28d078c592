//! The tables' history, built into the binary. A migration is never edited once released.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};

use crate::store::StoreError;

/// (version, what it does, `SQLite` text, `PostgreSQL` text)
const ALL: &[(i64, &str, &str, &str)] = &[(
    1,
    "first",
    include_str!("../../migrations/sqlite/0001_first.sql"),
    include_str!("../../migrations/postgres/0001_first.sql"),
)];

fn migrator(
    pick: fn(&(i64, &'static str, &'static str, &'static str)) -> &'static str,
) -> Migrator {
    let migration = |entry: &(i64, &'static str, &'static str, &'static str)| {
        Migration::new(
            entry.0,
            Cow::Borrowed(entry.1),
            MigrationType::Simple,
            pick(entry).into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(ALL.iter().map(migration).collect())
}

/// For whoever opens the database beside the daemon: are its tables those of this release? Nothing
/// is changed.
pub(super) async fn check(
    connection: &mut impl Migrate,
    known: &Migrator,
) -> Result<(), StoreError> {
    const TABLE: &str = "_sqlx_migrations";
    let refused = |cause: String| Err(StoreError::Migrate { cause });
    let applied = match connection.list_applied_migrations(TABLE).await {
        Ok(applied) => applied,
        Err(cause) => return refused(format!("no tables yet; start the daemon first ({cause})")),
    };
    if let Some(version) = connection.dirty_version(TABLE).await.map_err(StoreError::migrate)? {
        return refused(format!("migration {version} broke off"));
    }
    for applied in &applied {
        let ours = known.iter().find(|ours| ours.version == applied.version);
        if ours.is_none_or(|ours| ours.checksum != applied.checksum) {
            return refused(format!("migration {} is of another release", applied.version));
        }
    }
    if applied.len() < known.iter().len() {
        return refused("the tables are of an older release; start the daemon first".to_owned());
    }
    Ok(())
}

pub(super) fn sqlite() -> Migrator {
    migrator(|entry| entry.2)
}

pub(super) fn postgres() -> Migrator {
    migrator(|entry| entry.3)
}

#[cfg(test)]
mod tests {
    use super::ALL;

    /// `table -> columns`, as a migration's text declares them.
    fn tables(sql: &str) -> Vec<(String, Vec<String>)> {
        let mut out: Vec<(String, Vec<String>)> = Vec::new();
        let mut open = false;
        for line in sql.lines() {
            if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                out.push((rest.trim_end_matches(" (").to_owned(), Vec::new()));
                open = true;
            } else if line.starts_with(')') {
                open = false;
            } else if open && line.contains(" -- ") {
                let column = line.split_whitespace().next().unwrap_or_default();
                out.last_mut().expect("inside a table").1.push(column.to_owned());
            } else if open {
                let word = line.split_whitespace().next().unwrap_or_default();
                assert!(
                    ["PRIMARY", "UNIQUE", "CHECK", "CONSTRAINT"].contains(&word),
                    "column without a comment: {line}"
                );
                // What the database itself refuses, it refuses on both.
                out.last_mut().expect("inside a table").1.push(line.trim().to_owned());
            }
        }
        out
    }

    #[test]
    fn both_databases_have_the_same_commented_tables() {
        for (version, name, sqlite, postgres) in ALL {
            assert_eq!(tables(sqlite), tables(postgres), "migration {version} {name}");
            assert!(tables(sqlite).len() > 20);
        }
    }
}
