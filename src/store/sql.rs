//! The little that both databases must offer, so that every verb of the store is written once.
//!
//! The SQL text is the same on both; a [`Dialect`] differs in how a transaction begins, what a
//! value is bound as and how a row is read. Writing the verbs generic over sqlx's own traits was
//! tried on paper and rejected: the bounds outnumber the SQL, and every verb compiles twice.

use std::borrow::Cow;

use async_trait::async_trait;

use crate::store::StoreError;

/// A bound value. Owned, because the driver of `PostgreSQL` keeps what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Param {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

macro_rules! param_from {
    ($($from:ty => |$value:ident| $param:expr),+ $(,)?) => {
        $(impl From<$from> for Param { fn from($value: $from) -> Self { $param } })+
    };
}

param_from! {
    i64 => |v| Self::Int(Some(v)),
    Option<i64> => |v| Self::Int(v),
    &str => |v| Self::Text(Some(v.to_owned())),
    &String => |v| Self::Text(Some(v.clone())),
    String => |v| Self::Text(Some(v)),
    Option<String> => |v| Self::Text(v),
    Option<&str> => |v| Self::Text(v.map(str::to_owned)),
    &[u8] => |v| Self::Blob(Some(v.to_vec())),
    &[u8; 32] => |v| Self::Blob(Some(v.to_vec())),
    Vec<u8> => |v| Self::Blob(Some(v)),
    Option<Vec<u8>> => |v| Self::Blob(v),
    crate::model::money::Fen => |v| Self::Int(Some(v.get())),
    crate::model::id::RegisterNo => |v| Self::Int(Some(v.0)),
    crate::model::id::BatchNo => |v| Self::Int(Some(v.0)),
    crate::model::id::AttemptNo => |v| Self::Int(Some(v.0)),
    crate::model::id::RefundNo => |v| Self::Int(Some(v.0)),
    crate::model::id::ResultNo => |v| Self::Int(Some(v.0)),
    crate::model::id::DecisionNo => |v| Self::Int(Some(v.0)),
}

/// The parameters of one statement, in order.
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::sql::Param::from($value)),*] };
}
pub(crate) use params;

/// One row of an answer, of either database.
pub(crate) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r sqlx::postgres::PgRow),
}

macro_rules! read_as {
    ($name:ident, $type:ty, $on_sqlite:ident) => {
        /// The value of column `at`, counted from 0.
        pub(crate) fn $name(&self, at: usize) -> Result<$type, StoreError> {
            use sqlx::Row as _;
            match self {
                Self::Sqlite(row) => {
                    let value = row.get_ref(at).map_err(|cause| self.senseless(at, &cause))?;
                    value.$on_sqlite().map_err(|cause| self.senseless(at, &cause))
                }
                Self::Postgres(row) => row.try_get(at).map_err(|cause| self.senseless(at, &cause)),
            }
        }
    };
}

impl<'r> Row<'r> {
    read_as!(int, i64, as_i64);
    read_as!(int_opt, Option<i64>, as_i64_or_null);
    read_as!(text, &'r str, as_str);
    read_as!(text_opt, Option<&'r str>, as_str_or_null);
    read_as!(blob, &'r [u8], as_blob);
    read_as!(blob_opt, Option<&'r [u8]>, as_blob_or_null);

    /// The value of column `at`, of whatever kind it is.
    pub(crate) fn value(&self, at: usize) -> Result<Param, StoreError> {
        use rusqlite::types::Type;
        use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
        let (text, blob) = match self {
            Self::Sqlite(row) => {
                let value = row.get_ref(at).map_err(|cause| self.senseless(at, &cause))?;
                (value.data_type() == Type::Text, value.data_type() == Type::Blob)
            }
            Self::Postgres(row) => {
                let raw = row.try_get_raw(at).map_err(|cause| self.senseless(at, &cause))?;
                (raw.type_info().name() == "TEXT", raw.type_info().name() == "BYTEA")
            }
        };
        Ok(match (text, blob) {
            (true, _) => Param::Text(self.text_opt(at)?.map(str::to_owned)),
            (_, true) => Param::Blob(self.blob_opt(at)?.map(<[u8]>::to_vec)),
            _ => Param::Int(self.int_opt(at)?),
        })
    }

    /// What is in column `at` makes no sense.
    fn senseless(&self, at: usize, cause: &impl std::fmt::Display) -> StoreError {
        StoreError::row(&self.column(at), cause)
    }

    /// The name of column `at`, for errors.
    fn column(&self, at: usize) -> String {
        use sqlx::{Column as _, Row as _};
        let name = match self {
            Self::Sqlite(row) => row.as_ref().column_name(at).ok().map(str::to_owned),
            Self::Postgres(row) => row.columns().get(at).map(|column| column.name().to_owned()),
        };
        name.unwrap_or_else(|| format!("number {at}"))
    }

    pub(crate) fn string(&self, at: usize) -> Result<String, StoreError> {
        self.text(at).map(str::to_owned)
    }

    /// A digest of 32 bytes.
    pub(crate) fn digest(&self, at: usize) -> Result<[u8; 32], StoreError> {
        self.blob(at)?.try_into().map_err(|_| StoreError::Inconsistent {
            what: format!("column {} is not a digest of 32 bytes", self.column(at)),
        })
    }

    /// A word of a closed list.
    pub(crate) fn word<W>(&self, at: usize, parse: fn(&str) -> Option<W>) -> Result<W, StoreError> {
        let text = self.text(at)?;
        parse(text).ok_or_else(|| StoreError::Inconsistent {
            what: format!("column {} holds the unknown word {text:?}", self.column(at)),
        })
    }
}

pub(crate) type Take<'t> = &'t mut (dyn FnMut(&Row<'_>) -> Result<(), StoreError> + Send);

/// An open transaction. Dropped without [`Tx::commit`] it leaves nothing behind.
#[async_trait]
pub(crate) trait Tx: Send {
    /// Runs a statement and says how many rows it wrote.
    async fn run(&mut self, sql: Cow<'static, str>, params: Vec<Param>) -> Result<u64, StoreError>;

    /// Runs a query and hands each row over as it comes.
    async fn rows(
        &mut self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError>;

    /// Makes it durable. After an error here nobody knows what is durable: the process stops and
    /// reads back (design 4, rule 9).
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// How a database takes many rows in one statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bulk {
    /// The most values one statement can bind.
    pub(crate) params_max: usize,
    /// `$1` or `?`: `SQLite` looks names up one by one, which for thousands of them is most of the
    /// whole insert.
    pub(crate) numbered: bool,
}

/// A database as the store needs it.
#[async_trait]
pub(crate) trait Dialect: Send + Sync {
    /// Begins a transaction that may write; on `SQLite` it holds the one writer.
    async fn write(&self) -> Result<Box<dyn Tx>, StoreError>;

    /// Begins a transaction that reads one snapshot.
    async fn read(&self) -> Result<Box<dyn Tx>, StoreError>;

    /// Runs one query by itself and hands each row over as it comes.
    async fn rows(
        &self,
        sql: Cow<'static, str>,
        params: Vec<Param>,
        take: Take<'_>,
    ) -> Result<(), StoreError>;

    /// How many rows are inserted at once.
    fn bulk(&self) -> Bulk;

    /// Closes all connections.
    async fn close(&self);
}

/// One statement that reads. A step looks far more often than it finds something, and beginning and ending a
/// transaction costs as much as the query in it: on `PostgreSQL` each is a way to the server and back.
pub(crate) struct Look<'d>(pub(crate) &'d dyn Dialect);

impl Look<'_> {
    pub(crate) async fn rows<T: Send>(
        self,
        sql: impl Into<Cow<'static, str>>,
        params: Vec<Param>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let mut out = Vec::new();
        let mut take = |row: &Row<'_>| {
            out.push(read(row)?);
            Ok(())
        };
        self.0.rows(sql.into(), params, &mut take).await?;
        Ok(out)
    }

    pub(crate) async fn one<T: Send>(
        self,
        sql: &'static str,
        params: Vec<Param>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(sql, params, read).await?.into_iter().next())
    }

    /// The one row that must be there.
    pub(crate) async fn the<T: Send>(
        self,
        sql: &'static str,
        params: Vec<Param>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        self.one(sql, params, read).await?.ok_or(StoreError::Moved { sql, moved: 0 })
    }
}

/// What verbs do with a transaction, in the words they are written in.
pub(crate) struct Work(pub(crate) Box<dyn Tx>);

impl Work {
    pub(crate) async fn run(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<u64, StoreError> {
        self.0.run(Cow::Borrowed(sql), params).await
    }

    /// Runs a guarded statement that must move exactly one row (design 4, rule 8).
    pub(crate) async fn move_one(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<(), StoreError> {
        match self.run(sql, params).await? {
            1 => Ok(()),
            moved => Err(StoreError::Moved { sql, moved }),
        }
    }

    pub(crate) async fn rows<T: Send>(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let mut out = Vec::new();
        self.0
            .rows(Cow::Borrowed(sql), params, &mut |row| {
                out.push(read(row)?);
                Ok(())
            })
            .await?;
        Ok(out)
    }

    pub(crate) async fn one<T: Send>(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(sql, params, read).await?.into_iter().next())
    }

    /// The one row that must be there.
    pub(crate) async fn the<T: Send>(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        self.one(sql, params, read).await?.ok_or(StoreError::Moved { sql, moved: 0 })
    }

    /// Inserts many rows with as few statements as the database allows.
    ///
    /// `values` holds the rows one after the other, `columns` values each; they are consumed.
    pub(crate) async fn insert(
        &mut self,
        head: &'static str,
        columns: usize,
        values: Vec<Param>,
        bulk: Bulk,
    ) -> Result<(), StoreError> {
        debug_assert_eq!(values.len() % columns, 0, "whole rows only: {head}");
        let rows_max = (bulk.params_max / columns).min(500);
        let mut rest = values.into_iter();
        loop {
            let chunk: Vec<Param> = rest.by_ref().take(rows_max * columns).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let sql = values_sql(head, columns, chunk.len() / columns, bulk.numbered);
            self.0.run(Cow::Owned(sql), chunk).await?;
        }
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.0.commit().await
    }
}

/// `INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)`.
fn values_sql(head: &str, columns: usize, rows: usize, numbered: bool) -> String {
    use std::fmt::Write as _;
    let mut sql = String::with_capacity(head.len() + 8 + rows * columns * 7);
    sql.push_str(head);
    sql.push_str(" VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            sql.push_str(comma);
            if numbered {
                write!(sql, "${}", row * columns + column + 1).expect("a string takes all text");
            } else {
                sql.push('?');
            }
        }
        sql.push(')');
    }
    sql
}

/// Stops a test in which a statement names a parameter that was not given: `SQLite` takes it as NULL
/// without a word. Every statement passes here, also those that are put together.
pub(crate) fn all_bound(sql: &str, params: &[Param]) {
    let named = sql.contains('$') || !sql.contains('?');
    debug_assert!(
        !named || bound(sql) == params.len(),
        "{} values for {} parameters, an unbound one is silently NULL on SQLite: {sql}",
        params.len(),
        bound(sql)
    );
}

/// The highest parameter number in a statement.
fn bound(sql: &str) -> usize {
    sql.split('$')
        .skip(1)
        .filter_map(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest.get(..digits)?.parse::<usize>().ok()
        })
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{bound, values_sql};

    #[test]
    fn statements_are_built_and_counted() {
        let sql = |numbered| values_sql("INSERT INTO t (a, b)", 2, 2, numbered);
        assert_eq!(sql(true), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)");
        assert_eq!(sql(false), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)");
        assert_eq!(bound("a = $1 AND b = $12 OR c = $2"), 12);
        assert_eq!(bound("a"), 0);
    }
}
