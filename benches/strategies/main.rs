//! What the ways to keep a table equal cost once it is: writers whose changes are logged, runs that follow the log, and merges
//! both ways. What is measured stands in `benches/README.md`.

#[path = "../harness/ends.rs"]
mod ends;
#[expect(dead_code, reason = "the other benches use the rest of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod sync;
mod writers;

use std::process::ExitCode;

use clap::Parser;

use ends::Engine;
use harness::Result;
use harness::figures::{columns, spread};
use sync::Sync;

#[derive(Parser)]
#[command(name = "strategies", about = "Measures triggers, runs that follow the log of changes, and merges")]
struct Arguments {
    /// Rows of the table; those that are merged have a tenth.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    rows: u64,
    /// Changed rows before an incremental run; may be given several times.
    #[arg(long, default_values_t = [0, 100, 100_000])]
    changes: Vec<u64>,
    /// Runs of each kind.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Only between databases of this engine; may be given several times.
    #[arg(long, value_name = "ENGINE")]
    only: Vec<Engine>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Changed on each side before a merge.
const MERGED_CHANGES: u64 = 1_000;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for engine in Engine::chosen(&arguments.only) {
        if let Err(error) = measure(engine, &arguments) {
            eprintln!("strategies: {engine:?}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(engine: Engine, arguments: &Arguments) -> Result<()> {
    println!("\n{engine:?}: {} rows, {} runs of each kind", arguments.rows, arguments.runs);
    let mut lines = writers::measure(engine, arguments.rows, arguments.runs)?;
    lines.extend(incremental(engine, arguments)?);
    lines.extend(merge(engine, arguments)?);
    columns(&lines, "  ").iter().for_each(|line| println!("{}", line.trim_end()));
    Ok(())
}

/// Runs that follow the log, and a verify beside them, which reads all.
fn incremental(engine: Engine, arguments: &Arguments) -> Result<Vec<[String; 2]>> {
    let sync = Sync::new(engine, "incremental", arguments.rows, &Sync::tracked())?;
    sync.track("install", &["tracked"])?;
    sync.run()?;
    let mut lines = Vec::new();
    for changes in arguments.changes.iter().filter(|changes| **changes <= arguments.rows) {
        let mut seconds = Vec::new();
        for run in 1..=arguments.runs {
            sync.ends.in_source(&change(*changes, arguments.rows, &format!("run {run} of {changes}")))?;
            seconds.push(sync.expect_modified(*changes)?);
        }
        lines.push([format!("incremental, {changes} changes, s"), spread(&seconds)]);
    }
    lines.push(["verify of the same, s".to_owned(), spread(&[sync.verify()?])]);
    Ok(lines)
}

/// Cycles after both sides have changed rows that the other has not, and after nobody has changed any.
fn merge(engine: Engine, arguments: &Arguments) -> Result<Vec<[String; 2]>> {
    let rows = arguments.rows / 10;
    let sync = Sync::new(engine, "merge", rows, &serde_json::json!({ "sync_strategy": "merge" }))?;
    sync.run()?;
    let (mut changed, mut quiet) = (Vec::new(), Vec::new());
    // No row is changed on both sides.
    let changes = MERGED_CHANGES.min(rows / 4);
    for run in 1..=arguments.runs {
        sync.ends.in_source(&change_from(0, changes, rows, &format!("left {run}")))?;
        sync.ends.in_target(&change_from(1, changes, rows, &format!("right {run}")))?;
        changed.push(sync.expect_modified(2 * changes)?);
        quiet.push(sync.expect_modified(0)?);
    }
    sync.verify()?;
    Ok(vec![
        [format!("merge of {rows} rows, {changes} changes a side, s"), spread(&changed)],
        [format!("merge of {rows} rows, no change, s"), spread(&quiet)],
    ])
}

/// So many rows, scattered over the table.
fn change(changes: u64, rows: u64, to: &str) -> String {
    change_from(0, changes, rows, to)
}

fn change_from(first: u64, changes: u64, rows: u64, to: &str) -> String {
    let step = rows.checked_div(changes).unwrap_or(rows).max(1);
    format!("update t set name = '{to}' where id % {step} = {} and id <= {}", first % step, step * changes)
}
