//! A sync of one table between two databases, whose state outlives its runs.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::Bench;
use crate::harness::Result;
use crate::harness::postgres::Database;
use crate::harness::process::{Usage, settle_disk};
use crate::harness::rowsync::{carry_out, only_table};

const CREATE_ITEMS: &str = "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, note text, \
    quantity integer, price numeric(12,2), modified_at timestamp) WITH (autovacuum_enabled = false)";

/// Statements that fill `items` on the server with rows whose ids are the threefolds.
pub fn fill(rows: u64) -> String {
    format!(
        "INSERT INTO items SELECT i * 3, 'article ' || left(md5(i::text), 16), left(md5((i + 7)::text), 24),
            i % 10000, (i % 1000000) / 100.0, timestamp '2024-05-01' + i * interval '1 s'
         FROM generate_series(1, {rows}) i"
    )
}

/// So many changes to rows of a table with `rows` rows, scattered over it: half of them updates, a quarter each inserts
/// and deletes. Rows of two numbers below three never meet.
pub fn changes(count: u64, rows: u64, number: u64) -> [String; 3] {
    let step = (rows / count.max(1)).max(4);
    let (updates, rest) = (count.div_ceil(2), count / 4);
    let places = |count: u64, shift: u64| {
        format!(
            "SELECT 3 * (i * {step} + {shift}) FROM generate_series(1, {count}) i",
            shift = number % (step / 4) * 4 + shift
        )
    };
    [
        format!("UPDATE items SET quantity = quantity + 1 WHERE id IN ({})", places(updates, 0)),
        format!("DELETE FROM items WHERE id IN ({})", places(rest, 1)),
        format!(
            "INSERT INTO items SELECT id + 1 + {number} % 2, 'new', NULL, 1, 1, '2024-05-01' FROM ({}) n(id)
             ON CONFLICT (id) DO NOTHING",
            places(rest, 2)
        ),
    ]
}

pub struct Sync {
    pub source: Database,
    pub target: Database,
    file: PathBuf,
}

impl Sync {
    /// Two new databases; the source is filled, and the target with `equal` as well.
    pub fn new(bench: &Bench, name: &str, rows: u64, equal: bool, settings: &Value) -> Result<Sync> {
        eprintln!("\n{name}: filling {rows} rows");
        let create = |side: &str| bench.server.create(&format!("rowsync_bench_{name}_{side}"));
        let (source, target) = (create("source")?, create("target")?);
        for (side, filled) in [(&source, true), (&target, equal)] {
            side.recreate(CREATE_ITEMS)?;
            if filled {
                side.execute(&[&fill(rows)])?;
            }
            side.rest()?;
        }
        let state = bench.directory.path().join(format!("{name}.state.sqlite"));
        let mut text = json!({
            "name": name,
            "connections": { "from": { "url": source.url.as_str() }, "to": { "url": target.url.as_str() } },
            "source": "from", "target": "to", "tables": ["items"],
            "state": format!("sqlite:{}", state.display()),
        });
        if let (Some(text), Some(more)) = (text.as_object_mut(), settings.as_object()) {
            text.extend(more.clone());
        }
        let file = bench.directory.path().join(format!("{name}.json"));
        fs::write(&file, text.to_string())?;
        Ok(Sync { source, target, file })
    }

    pub fn command(&self, command: &str, more: &[&str], code: i32) -> Result<(Value, Usage)> {
        let file = self.file.display().to_string();
        carry_out(&[&[command, &file], more].concat(), code)
    }

    /// A run that is to prove that both sides are equal; what it wrote altogether, and what it used.
    pub fn run(&self) -> Result<(Value, Usage)> {
        settle_disk()?;
        let (report, usage) = self.command("run", &[], 0)?;
        let table = only_table(&report)?.clone();
        if report["status"] != "completed" || table["verified"] != true {
            return Err(format!("the report says neither completed nor verified: {report}").into());
        }
        Ok((table, usage))
    }

    /// The databases go, so that the next part has their room.
    pub fn end(self, bench: &Bench) -> Result<()> {
        for database in [self.source, self.target] {
            bench.server.drop(database.url.path().trim_start_matches('/'))?;
        }
        Ok(())
    }
}
