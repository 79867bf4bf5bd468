//! An opinion that shares no code with rowsync: what a database holds, asked by psql or by SQLite itself, in SQL of its own.

use std::collections::BTreeMap;

use crate::support::{Database, Desk};

pub type Rows = BTreeMap<i64, String>;

/// A side of a sync.
pub enum Side {
    File { desk: Desk },
    Server(Database),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

const FILE: &str = "side.sqlite";

/// The columns of every table here, as one text a row that both engines spell alike.
const ROW: &str =
    "coalesce(cast(parent as text), '-') || '|' || coalesce(v, '-') || '|' || cast(cast(half * 2 as bigint) as text)";

impl Side {
    pub fn new(engine: Engine) -> Side {
        match engine {
            Engine::Sqlite => Side::File { desk: Desk::new() },
            Engine::Postgres => Side::Server(Database::new()),
        }
    }

    pub fn url(&self) -> String {
        match self {
            Side::File { desk } => desk.sqlite(FILE),
            Side::Server(database) => database.url.clone(),
        }
    }

    /// Statements that mean the same to both engines, all or nothing.
    pub fn sql(&self, sql: &str) {
        match self {
            Side::File { desk } => desk.in_sqlite(FILE, &format!("pragma foreign_keys = on; begin; {sql}; commit")),
            Side::Server(database) => drop(database.script(&format!("begin; {sql}; commit"))),
        }
    }

    /// A table of the kind that [`Side::rows`] reads.
    pub fn create(&self, table: &str, parent: &str) {
        let (whole, half) = match self {
            Side::File { .. } => ("integer", "real"),
            Side::Server(_) => ("bigint", "double precision"),
        };
        self.sql(&format!(
            "create table {table} (id {whole} primary key, parent {whole} {parent}, v text, half {half})"
        ));
    }

    /// The rows of each table by their keys; none where there is no such table.
    pub fn rows<const N: usize>(&self, tables: [&str; N]) -> [Rows; N] {
        let text = match self {
            Side::File { desk } => tables.map(|table| file_lines(desk, table)).concat(),
            // In one call, since each takes longer than the question.
            Side::Server(database) => database.script(&tables.map(server_script).concat()),
        };
        let mut found: BTreeMap<&str, Rows> = BTreeMap::new();
        for line in text.lines() {
            let (table, rest) = line.split_once(':').unwrap();
            let (id, row) = rest.split_once(';').unwrap();
            found.entry(table).or_default().insert(id.parse().unwrap(), row.to_owned());
        }
        tables.map(|table| found.remove(table).unwrap_or_default())
    }

    /// How many foreign keys a table has.
    pub fn foreign_keys(&self, table: &str) -> u64 {
        match self {
            Side::File { desk } => {
                let connection = rusqlite::Connection::open(desk.path(FILE)).unwrap();
                let sql = "select count(*) from pragma_foreign_key_list(?1)";
                connection.query_row(sql, [table], |row| row.get::<_, u32>(0)).unwrap().into()
            }
            Side::Server(database) => {
                let sql = format!(
                    "select count(*) from pg_constraint where contype = 'f' and conrelid = '{table}'::regclass"
                );
                database.sql(&sql).parse().unwrap()
            }
        }
    }
}

fn select(table: &str) -> String {
    format!("select '{table}:' || id || ';' || {ROW} from {table}")
}

fn file_lines(desk: &Desk, table: &str) -> String {
    let connection = rusqlite::Connection::open(desk.path(FILE)).unwrap();
    let there = "select count(*) from sqlite_master where name = ?1";
    if connection.query_row(there, [table], |row| row.get::<_, u32>(0)).unwrap() == 0 {
        return String::new();
    }
    let mut statement = connection.prepare(&select(table)).unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.map(|line| line.unwrap() + "\n").collect()
}

fn server_script(table: &str) -> String {
    let (there, select) = (format!("select to_regclass('{table}') is not null as there \\gset"), select(table));
    format!("{there}\n\\if :there\n{select};\n\\endif\n")
}
