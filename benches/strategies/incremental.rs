//! Runs by the log of changes: their cost follows the number of changes, and not the size of the table.

use std::time::Instant;

use serde_json::json;

use crate::harness::Result;
use crate::harness::figures::{median, spread};
use crate::sync::{Sync, changes};
use crate::{Bench, Line};

const CHANGES: [u64; 3] = [0, 100, 100_000];

pub fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let settings = json!({ "sync_strategy": "incremental", "change_tracking": "triggers" });
    let sync = Sync::new(bench, "incremental", bench.rows, true, &settings)?;
    sync.command("track", &["install"], 0)?;
    let (_, first) = sync.run()?;
    eprintln!("  the first run compares: {:.3} s", first.wall.as_secs_f64());
    let mut lines = Vec::new();
    for count in CHANGES.into_iter().filter(|count| count * 4 <= bench.rows) {
        let (mut ours, mut connecting) = (Vec::new(), Vec::new());
        for number in 0..u64::from(bench.runs) {
            connecting.push(connect(&sync)?);
            ours.push(follow(&sync, bench, count, number)?);
            eprintln!("  {count} changes: {:.3} s", ours.last().copied().unwrap_or_default());
        }
        lines.push([
            format!("incremental, {count} changes in {} rows", bench.rows),
            spread(&ours),
            spread(&connecting),
            median(&ours)
                .zip(median(&connecting))
                .map_or(String::new(), |(ours, floor)| format!("{:.1}", ours / floor)),
            "one question to each side by psql".to_owned(),
        ]);
    }
    sync.command("verify", &[], 0)?;
    sync.end(bench)?;
    Ok(lines)
}

/// What it takes to start a client, connect and be told one row, one side after the other.
fn connect(sync: &Sync) -> Result<f64> {
    let begun = Instant::now();
    for side in [&sync.source, &sync.target] {
        side.execute(&["SELECT 1"])?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// Seconds; the run has to have followed the log, and written what was changed.
fn follow(sync: &Sync, bench: &Bench, count: u64, number: u64) -> Result<f64> {
    if count > 0 {
        let [update, delete, insert] = changes(count, bench.rows, number);
        sync.source.execute(&[&update, &delete, &insert, "CHECKPOINT"])?;
    }
    let (table, usage) = sync.run()?;
    let written: u64 = ["added", "modified", "deleted"].iter().filter_map(|name| table[*name].as_u64()).sum();
    let by_log = table["notes"].to_string().contains("only rows that the log of changes names were compared");
    if !by_log || written > count || written < count / 2 {
        return Err(format!("{count} changes, and the report says otherwise: {table}").into());
    }
    Ok(usage.wall.as_secs_f64())
}
