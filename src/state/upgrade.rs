//! Making a state, and bringing an older one up to date: the same numbered migrations for both kinds of database.

use std::sync::LazyLock;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::database::Database;
use super::statement::Statement;
use crate::settings::Engine;

/// In SQLite's words.
static MIGRATIONS: Migrator = sqlx::migrate!("src/state/migrations");

/// In PostgreSQL's.
static POSTGRES_MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().map(for_postgres).collect());
    migrator.dangerous_set_table_name(POSTGRES_TABLE);
    migrator
});

/// The driver's own.
const SQLITE_TABLE: &str = "_sqlx_migrations";
/// A name of its own, since other programs keep theirs in the same database.
const POSTGRES_TABLE: &str = "sync_migrations";

/// Under one lock: of two processes that begin together, the second one finds all done.
pub(super) async fn upgrade(database: &Database) -> Result<(), sqlx::Error> {
    match database {
        Database::Sqlite(pool) => {
            let mut transaction = pool.begin_with("begin immediate").await?;
            MIGRATIONS.run(&mut *transaction).await.map_err(cause)?;
            transaction.commit().await
        }
        Database::Postgres(pool) => {
            let mut connection = pool.acquire().await?;
            let upgraded = POSTGRES_MIGRATIONS.run(&mut *connection).await;
            // The lock goes with the connection.
            connection.close_on_drop();
            upgraded.map_err(cause)
        }
    }
}

/// What the database said, which tells whether it refuses, is away or is no state.
fn cause(error: MigrateError) -> sqlx::Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => other.into(),
    }
}

/// Whether a table is one that a state in such a database makes.
pub(super) fn makes(engine: Engine, table: &str) -> bool {
    let is_made = |line: &str| {
        let name = line.strip_prefix("create table ").and_then(|rest| rest.split([' ', '(']).next());
        name == Some(table)
    };
    table == migrations_table(engine) || MIGRATIONS.iter().any(|migration| migration.sql.as_str().lines().any(is_made))
}

fn migrations_table(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => SQLITE_TABLE,
        Engine::Postgres => POSTGRES_TABLE,
    }
}

/// Whether all migrations were run. One that this version does not know is no hindrance to reading.
pub(super) async fn is_current(database: &Database) -> Result<bool, sqlx::Error> {
    let table = migrations_table(database.engine());
    let select = Statement::new(format!("select max(version) as version from {table} where success"));
    let newest = database.session().await?.fetch_optional(select).await?;
    let newest: Option<i64> = newest.map(|row| row.get("version")).transpose()?.flatten();
    Ok(newest >= MIGRATIONS.iter().map(|migration| migration.version).max())
}

fn for_postgres(migration: &Migration) -> Migration {
    let Migration { version, description, migration_type, sql, no_tx, .. } = migration.clone();
    let sql = AssertSqlSafe(spelled_for_postgres(sql.as_str())).into_sql_str();
    Migration::new(version, description, migration_type, sql, no_tx)
}

/// SQLite's `integer` has eight bytes, and so has `bigint`. The rest of what the migrations say is the same in both.
fn spelled_for_postgres(sql: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with("--") {
        true => line.to_owned(),
        false => line.replace(" integer", " bigint").replace(" blob", " bytea"),
    };
    sql.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_are_spelled_otherwise_in_postgres() {
        let sql = "-- an integer\ncreate table t (n integer not null, b blob, name text)";
        let expected = "-- an integer\ncreate table t (n bigint not null, b bytea, name text)";
        assert_eq!(spelled_for_postgres(sql), expected);
    }
}
