//! A way to the tables beside the store, for what only a database administrator could do.

use daifa::store::Location;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection,
};

/// Runs statements, and says how many rows they changed.
///
/// # Errors
/// What the database says against it.
pub async fn alter(location: &Location, sql: &str) -> Result<u64, sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    match location {
        Location::Sqlite(path) => {
            let mut beside = SqliteConnection::connect(&path.display().to_string()).await?;
            let done = beside.execute(sqlx::raw_sql(sql)).await?;
            beside.close().await?;
            Ok(done.rows_affected())
        }
        Location::Postgres(url) => {
            let mut beside = PgConnection::connect(url).await?;
            let done = beside.execute(sqlx::raw_sql(sql)).await?;
            beside.close().await?;
            Ok(done.rows_affected())
        }
    }
}

/// Reads the one text column of a query.
pub async fn texts(location: &Location, sql: &str) -> Vec<String> {
    query(location, sql).await.unwrap_or_else(|cause| panic!("{sql}: {cause}"))
}

async fn query(location: &Location, sql: &str) -> Result<Vec<String>, sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    match location {
        Location::Sqlite(path) => {
            let mut beside = SqliteConnection::connect(&path.display().to_string()).await?;
            let rows = beside.fetch_all(sql).await?;
            beside.close().await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        }
        Location::Postgres(url) => {
            let mut beside = PgConnection::connect(url).await?;
            let rows = beside.fetch_all(sql).await?;
            beside.close().await?;
            rows.iter().map(|row| row.try_get(0)).collect()
        }
    }
}

/// Reads one number.
pub async fn number(location: &Location, sql: &str) -> i64 {
    let sql = format!("SELECT CAST(({sql}) AS TEXT)");
    texts(location, &sql).await[0].parse().expect("a number")
}
