//! Two databases of one engine, and the settings of the service that copies one into the other.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::ends::{Ends, Engine};
use crate::harness::Result;

pub const SYNC: &str = "shop";
pub const SETTINGS: &str = "shop.json";
pub const TABLES: u64 = 4;

pub struct World {
    directory: TempDir,
    pub ends: Ends,
}

impl World {
    /// With so many rows in each table of the source.
    pub fn new(engine: Engine, rows: u64) -> Result<World> {
        let directory = tempfile::Builder::new().prefix("rowsync-bench.").tempdir()?;
        let ends = Ends::new(engine, directory.path(), "service")?;
        let world = World { directory, ends };
        world.write_settings()?;
        (1..=TABLES).try_for_each(|table| world.ends.in_source(&world.table(table, rows)))?;
        Ok(world)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn table(&self, table: u64, rows: u64) -> String {
        let (number, series) = (self.ends.number(), self.ends.series(rows));
        format!(
            "create table t{table} (id {number} primary key, name text not null, amount {number}, note text);
             {series} insert into t{table}
                 select i, 'item number ' || i, i * 37 % 1000, case when i % 5 <> 0 then 'a note about item ' || i end from n;"
        )
    }

    /// As before the first sync.
    pub fn empty_target(&self) -> Result<()> {
        match &self.ends {
            Ends::Files { target, .. } => {
                let files = ["", "-wal", "-shm"].map(|suffix| format!("{}{suffix}", target.display()));
                files.iter().filter(|file| Path::new(file).exists()).try_for_each(fs::remove_file)?;
            }
            Ends::Server { .. } => {
                let tables: Vec<String> = (1..=TABLES).map(|table| format!("t{table}")).collect();
                let drop = format!("set client_min_messages = warning; drop table if exists {}", tables.join(", "));
                self.ends.in_target(&drop)?;
                self.ends.in_target("checkpoint")?;
            }
        }
        Ok(())
    }

    fn write_settings(&self) -> Result<()> {
        let [source, target] = self.ends.urls();
        let state = self.directory().join("state.sqlite");
        let settings = json!({
            "name": SYNC,
            "connections": { "from": { "url": source }, "to": { "url": target } },
            "source": "from", "target": "to",
            "state": format!("sqlite:{}", state.display()),
            "create_missing_tables": true,
            "listen": "127.0.0.1:0",
            // The callers of the bench come from one address.
            "max_requests_per_second": 100_000,
        });
        Ok(fs::write(self.directory().join(SETTINGS), settings.to_string())?)
    }
}
