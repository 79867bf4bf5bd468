//! A statement that both kinds of database understand, and a row of its answer.

use std::borrow::Cow;

use sqlx::postgres::PgRow;
use sqlx::query::Query;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Database, Decode, Encode, Postgres, Row as _, Sqlite, Type};

/// SQL with `$1`, `$2`, ... for its values.
pub struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Bound>,
}

/// All that a state holds is text, whole numbers and images of rows.
pub enum Bound {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Vec<u8>),
}

impl Statement {
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Statement {
        Statement { sql: sql.into(), values: Vec::new() }
    }

    /// The next value.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Bound>) -> Statement {
        self.values.push(value.into());
        self
    }

    pub(super) fn query<D: Database>(self) -> Query<'static, D, D::Arguments>
    where
        Option<String>: Encode<'static, D> + Type<D>,
        Option<i64>: Encode<'static, D> + Type<D>,
        Vec<u8>: Encode<'static, D> + Type<D>,
    {
        // Values are bound, and never part of the text.
        let query = sqlx::query(AssertSqlSafe(self.sql.into_owned()));
        self.values.into_iter().fold(query, |query, value| match value {
            Bound::Text(text) => query.bind(text),
            Bound::Number(number) => query.bind(number),
            Bound::Bytes(bytes) => query.bind(bytes),
        })
    }
}

impl From<&str> for Bound {
    fn from(text: &str) -> Bound {
        Bound::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Bound {
    fn from(text: &String) -> Bound {
        Bound::Text(Some(text.clone()))
    }
}

impl From<String> for Bound {
    fn from(text: String) -> Bound {
        Bound::Text(Some(text))
    }
}

impl From<Option<String>> for Bound {
    fn from(text: Option<String>) -> Bound {
        Bound::Text(text)
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Bound {
        Bound::Number(Some(number))
    }
}

impl From<Option<i64>> for Bound {
    fn from(number: Option<i64>) -> Bound {
        Bound::Number(number)
    }
}

impl From<&[u8]> for Bound {
    fn from(bytes: &[u8]) -> Bound {
        Bound::Bytes(bytes.to_owned())
    }
}

pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The value of a column.
    pub fn get<T>(&self, column: &str) -> Result<T, sqlx::Error>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
    }
}
