//! Two databases of one engine, and the settings of the service that copies one into the other.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::Engine;
use crate::harness::Result;
use crate::harness::postgres::{Database, Server};

pub const SYNC: &str = "shop";
pub const SETTINGS: &str = "shop.json";
pub const TABLES: u64 = 4;
const SOURCE: &str = "rowsync_bench_service_source";
const TARGET: &str = "rowsync_bench_service_target";

pub struct World {
    directory: TempDir,
    ends: Ends,
}

enum Ends {
    Files,
    Server { source: Database, target: Database },
}

impl World {
    /// With so many rows in each table of the source.
    pub fn new(engine: Engine, rows: u64) -> Result<World> {
        let directory = tempfile::Builder::new().prefix("rowsync-bench.").tempdir()?;
        let ends = match engine {
            Engine::Sqlite => Ends::Files,
            Engine::Postgres => {
                let server = Server::of_environment("ROWSYNC_TEST_POSTGRES")?;
                Ends::Server { source: server.create(SOURCE)?, target: server.create(TARGET)? }
            }
        };
        let world = World { directory, ends };
        world.write_settings()?;
        for table in 1..=TABLES {
            world.in_source(&world.table(table, rows))?;
        }
        Ok(world)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn table(&self, table: u64, rows: u64) -> String {
        let (number, series) = match self.ends {
            Ends::Files => {
                ("integer", format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})"))
            }
            Ends::Server { .. } => ("bigint", format!("with n(i) as (select generate_series(1, {rows}))")),
        };
        format!(
            "create table t{table} (id {number} primary key, name text not null, amount {number}, note text);
             {series} insert into t{table}
                 select i, 'item number ' || i, i * 37 % 1000, case when i % 5 <> 0 then 'a note about item ' || i end from n;"
        )
    }

    pub fn in_source(&self, sql: &str) -> Result<()> {
        match &self.ends {
            Ends::Files => Ok(rusqlite::Connection::open(self.directory().join("source.sqlite"))?.execute_batch(sql)?),
            Ends::Server { source, .. } => source.execute(&[sql]).map(drop),
        }
    }

    /// As before the first sync.
    pub fn empty_target(&self) -> Result<()> {
        match &self.ends {
            Ends::Files => {
                let files = ["target.sqlite", "target.sqlite-wal", "target.sqlite-shm"];
                let mut there = files.map(|name| self.directory().join(name)).into_iter().filter(|file| file.exists());
                there.try_for_each(fs::remove_file)?;
            }
            Ends::Server { target, .. } => {
                let tables: Vec<String> = (1..=TABLES).map(|table| format!("t{table}")).collect();
                target.execute(&[
                    &format!("set client_min_messages = warning; drop table if exists {}", tables.join(", ")),
                    "checkpoint",
                ])?;
            }
        }
        Ok(())
    }

    fn write_settings(&self) -> Result<()> {
        let file = |name: &str| format!("sqlite:{}", self.directory().join(name).display());
        let (source, target) = match &self.ends {
            Ends::Files => (file("source.sqlite"), file("target.sqlite")),
            Ends::Server { source, target } => (source.url.to_string(), target.url.to_string()),
        };
        let settings = json!({
            "name": SYNC,
            "connections": { "from": { "url": source }, "to": { "url": target } },
            "source": "from", "target": "to",
            "state": file("state.sqlite"),
            "create_missing_tables": true,
            "listen": "127.0.0.1:0",
            // The callers of the bench come from one address.
            "max_requests_per_second": 100_000,
        });
        Ok(fs::write(self.directory().join(SETTINGS), settings.to_string())?)
    }
}
