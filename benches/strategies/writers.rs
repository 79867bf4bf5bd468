//! Writers of a table, with and without triggers that log what they change: single rows, a statement each.

use std::time::Instant;

use crate::ends::{Ends, Engine};
use crate::harness::Result;
use crate::harness::figures::median;
use crate::sync::Sync;

/// Statements of a kind in one run, and of one transaction.
const STATEMENTS: u64 = 20_000;
const TRANSACTION: u64 = 1_000;

/// What is done to one row; its key is the parameter.
const KINDS: [(&str, &str); 3] = [
    ("insert", "insert into t (id, name) values ($1, 'new')"),
    ("update", "update t set name = 'changed' where id = $1"),
    ("delete", "delete from t where id = $1"),
];

/// Statements a second of each kind.
pub fn measure(engine: Engine, rows: u64, runs: u32) -> Result<Vec<[String; 2]>> {
    let sync = Sync::new(engine, "writers", rows, &Sync::tracked())?;
    let mut rates: [[Vec<f64>; 2]; 3] = Default::default();
    // The first statements find nothing in memory.
    KINDS.iter().try_for_each(|(_, sql)| rate(&sync.ends, sql, rows).map(drop))?;
    for _ in 0..runs {
        for tracked in [0, 1] {
            match tracked {
                0 => sync.track("remove", &["removed", "not_tracked"])?,
                _ => sync.track("install", &["tracked"])?,
            }
            for (kind, (_, sql)) in KINDS.iter().enumerate() {
                rates[kind][tracked].push(rate(&sync.ends, sql, rows)?);
            }
        }
    }
    let line = |((name, _), [without, with]): (&(&str, &str), &[Vec<f64>; 2])| {
        let (without, with) = median(without).zip(median(with))?;
        let told = format!("{without:.0} without triggers, {with:.0} with them: {:.2} of it", with / without);
        Some([format!("{name}s a second"), told])
    };
    Ok(KINDS.iter().zip(&rates).filter_map(line).collect())
}

/// Keys behind those of the table, so that what was inserted is updated and deleted again.
fn rate(ends: &Ends, sql: &str, rows: u64) -> Result<f64> {
    let begun = Instant::now();
    match ends {
        Ends::Files { source, .. } => {
            let mut connection = rusqlite::Connection::open(source)?;
            for first in (1..=STATEMENTS).step_by(usize::try_from(TRANSACTION)?) {
                let transaction = connection.transaction()?;
                let mut statement = transaction.prepare_cached(sql)?;
                for key in first..first + TRANSACTION {
                    statement.execute([i64::try_from(rows + key)?])?;
                }
                drop(statement);
                transaction.commit()?;
            }
        }
        // In the server, so that no way to it is measured.
        Ends::Server { .. } => {
            let one = sql.replace("$1", "key");
            ends.in_source(&format!(
                "do $$ begin for key in {} .. {} loop {one}; if key % {TRANSACTION} = 0 then commit; end if; end loop; end $$",
                rows + 1,
                rows + STATEMENTS
            ))?;
        }
    }
    Ok(STATEMENTS as f64 / begun.elapsed().as_secs_f64())
}
