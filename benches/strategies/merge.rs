//! Both ways: cycles of a merge, beside reading both tables once in the order of their keys.

use serde_json::json;

use crate::harness::Result;
use crate::harness::figures::{median, spread};
use crate::harness::postgres::ask_both;
use crate::sync::{Sync, changes};
use crate::{Bench, Line};

/// On each side.
const CHANGES: [u64; 2] = [0, 1_000];
const STREAM: &str = "COPY (SELECT * FROM items ORDER BY id) TO STDOUT (FORMAT binary)";

pub fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let rows = bench.rows / 10;
    let settings = json!({ "sync_strategy": "merge", "conflict_resolution": "source_wins" });
    let sync = Sync::new(bench, "merge", rows, true, &settings)?;
    let (_, first) = sync.run()?;
    let floor = ask_both(&sync.source, &sync.target, STREAM)?.as_secs_f64();
    let mut lines = vec![line("first merge, equal", rows, &[first.wall.as_secs_f64()], &[floor])];
    for count in CHANGES.into_iter().filter(|count| count * 16 <= rows) {
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for number in 0..u64::from(bench.runs) {
            floor.push(ask_both(&sync.source, &sync.target, STREAM)?.as_secs_f64());
            ours.push(cycle(&sync, rows, count, number)?);
            eprintln!("  {count} changes a side: {:.3} s", ours.last().copied().unwrap_or_default());
        }
        lines.push(line(&format!("merge, {count} changes a side"), rows, &ours, &floor));
    }
    sync.command("verify", &[], 0)?;
    sync.end(bench)?;
    Ok(lines)
}

fn cycle(sync: &Sync, rows: u64, count: u64, number: u64) -> Result<f64> {
    if count > 0 {
        for (side, number) in [(&sync.source, 2 * number), (&sync.target, 2 * number + 1)] {
            let [update, delete, insert] = changes(count, rows, number);
            side.execute(&[&update, &delete, &insert])?;
        }
        sync.source.execute(&["CHECKPOINT"])?;
    }
    let (table, usage) = sync.run()?;
    let written = |side: &str| -> u64 {
        ["added", "modified", "deleted"].iter().filter_map(|name| table["merge"][side][*name].as_u64()).sum()
    };
    for side in ["source", "target"] {
        if written(side) > count || written(side) < count / 2 {
            return Err(format!("{count} changes a side, and the report says otherwise: {table}").into());
        }
    }
    Ok(usage.wall.as_secs_f64())
}

fn line(what: &str, rows: u64, ours: &[f64], floor: &[f64]) -> Line {
    [
        format!("{what}, {rows} rows"),
        spread(ours),
        spread(floor),
        median(ours).zip(median(floor)).map_or(String::new(), |(ours, floor)| format!("{:.2}", ours / floor)),
        "ordered stream of both sides".to_owned(),
    ]
}
