//! Two databases of one engine, the source and the target of a bench, in which statements are carried out without rowsync.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::harness::Result;
use crate::harness::postgres::{Database, Server};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Those that were chosen; all of them where none was.
    pub fn chosen(only: &[Engine]) -> Vec<Engine> {
        if only.is_empty() { vec![Engine::Sqlite, Engine::Postgres] } else { only.to_vec() }
    }
}

pub enum Ends {
    Files { source: PathBuf, target: PathBuf },
    Server { source: Database, target: Database },
}

impl Ends {
    /// Empty ones: files in the directory, or databases of the server, which are called after the bench.
    pub fn new(engine: Engine, directory: &Path, bench: &str) -> Result<Ends> {
        if engine == Engine::Sqlite {
            return Ok(Ends::Files {
                source: directory.join("source.sqlite"),
                target: directory.join("target.sqlite"),
            });
        }
        let server = Server::of_environment("ROWSYNC_TEST_POSTGRES")?;
        let named = |side: &str| server.create(&format!("rowsync_bench_{bench}_{side}"));
        Ok(Ends::Server { source: named("source")?, target: named("target")? })
    }

    /// Of the source and of the target.
    pub fn urls(&self) -> [String; 2] {
        match self {
            Ends::Files { source, target } => [source, target].map(|file| format!("sqlite:{}", file.display())),
            Ends::Server { source, target } => [source, target].map(|database| database.url.to_string()),
        }
    }

    /// A whole number as wide as a key.
    pub fn number(&self) -> &'static str {
        match self {
            Ends::Files { .. } => "integer",
            Ends::Server { .. } => "bigint",
        }
    }

    /// What gives the numbers from 1 on as `i` of `n`.
    pub fn series(&self, through: u64) -> String {
        match self {
            Ends::Files { .. } => {
                format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {through})")
            }
            Ends::Server { .. } => format!("with n(i) as (select generate_series(1, {through}))"),
        }
    }

    pub fn in_source(&self, sql: &str) -> Result<()> {
        match self {
            Ends::Files { source, .. } => in_file(source, sql),
            Ends::Server { source, .. } => source.execute(&[sql]).map(drop),
        }
    }

    pub fn in_target(&self, sql: &str) -> Result<()> {
        match self {
            Ends::Files { target, .. } => in_file(target, sql),
            Ends::Server { target, .. } => target.execute(&[sql]).map(drop),
        }
    }
}

fn in_file(file: &Path, sql: &str) -> Result<()> {
    Ok(rusqlite::Connection::open(file)?.execute_batch(sql)?)
}
