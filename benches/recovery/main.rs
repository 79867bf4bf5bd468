//! What an interruption costs: how long the next run takes after `kill -9`, and what of the work is done twice; and what a run
//! does anew whose connections are lost in its midst. What is measured stands in `benches/README.md`.

#[path = "../harness/ends.rs"]
mod ends;
#[expect(dead_code, reason = "the other benches use the rest of it")]
#[path = "../harness/mod.rs"]
mod harness;
#[expect(dead_code, reason = "the strategies use the rest of it")]
#[path = "../strategies/sync.rs"]
mod sync;

use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};

use ends::{Ends, Engine};
use harness::Result;
use harness::figures::{columns, spread};
use sync::Sync;

#[derive(Parser)]
#[command(name = "recovery", about = "Measures what a run does after an interruption")]
struct Arguments {
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    rows: u64,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Only between databases of this engine; may be given several times.
    #[arg(long, value_name = "ENGINE")]
    only: Vec<Engine>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for engine in Engine::chosen(&arguments.only) {
        if let Err(error) = measure(engine, &arguments) {
            eprintln!("recovery: {engine:?}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(engine: Engine, arguments: &Arguments) -> Result<()> {
    println!("\n{engine:?}: {} rows, {} runs of each kind", arguments.rows, arguments.runs);
    let mut lines = Vec::new();
    for spoilt in [Spoilt::Gone, Spoilt::Changed] {
        lines.extend(killed(engine, arguments, spoilt)?);
    }
    if engine == Engine::Postgres {
        lines.extend(cut(arguments)?);
    }
    columns(&lines, "  ").iter().for_each(|line| println!("{}", line.trim_end()));
    Ok(())
}

/// How the target is far from its source when a run begins.
#[derive(Clone, Copy)]
enum Spoilt {
    Gone,
    /// Every tenth row is another.
    Changed,
}

impl Spoilt {
    fn told(self) -> &'static str {
        match self {
            Spoilt::Gone => "first copy",
            Spoilt::Changed => "a tenth changed",
        }
    }

    /// Makes the target so; it is equal before.
    fn spoil(self, sync: &Sync) -> Result<()> {
        match self {
            Spoilt::Gone => sync.ends.in_target("drop table t"),
            Spoilt::Changed => sync.ends.in_target("update t set name = 'another' where id % 10 = 0"),
        }
    }

    /// Rows that a run still has to write.
    fn left(self, sync: &Sync, rows: u64) -> Result<u64> {
        match self {
            Spoilt::Gone => Ok(rows - count_in_target(sync, "select count(*) from t")?),
            Spoilt::Changed => count_in_target(sync, "select count(*) from t where name = 'another'"),
        }
    }
}

/// A number that the target tells by itself.
fn count_in_target(sync: &Sync, sql: &str) -> Result<u64> {
    match &sync.ends {
        Ends::Files { target, .. } => {
            Ok(rusqlite::Connection::open(target)?.query_row(sql, [], |row| row.get::<_, i64>(0))?.try_into()?)
        }
        Ends::Server { target, .. } => Ok(target.execute(&[sql])?.parse()?),
    }
}

/// Runs that end by themselves, those that are killed at half their time, those that come after them, and those that find
/// nothing to do.
fn killed(engine: Engine, arguments: &Arguments, spoilt: Spoilt) -> Result<Vec<[String; 2]>> {
    let sync = Sync::new(engine, "recovery", arguments.rows, &json!({}))?;
    sync.run()?;
    let (mut whole, mut rest, mut equal, mut left) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.runs {
        spoilt.spoil(&sync)?;
        let (_, seconds) = sync.run()?;
        whole.push(seconds);
        spoilt.spoil(&sync)?;
        kill_after(&sync, Duration::from_secs_f64(seconds / 2.0))?;
        let owed = spoilt.left(&sync, arguments.rows)?;
        let (report, seconds) = sync.run()?;
        expect_written(&report, owed)?;
        rest.push(seconds);
        left.push(owed as f64 / arguments.rows as f64);
        equal.push(sync.expect_modified(0)?);
    }
    let of = spoilt.told();
    Ok(vec![
        [format!("{of}, not interrupted, s"), spread(&whole)],
        [format!("{of}, killed at half: share of the rows that is left"), spread(&left)],
        [format!("{of}, killed at half: the next run, s"), spread(&rest)],
        ["a run that finds both sides equal, s".to_owned(), spread(&equal)],
    ])
}

fn wait(moment: Duration) {
    let (_nobody, says) = channel::<()>();
    // It comes to its end by time alone.
    let _ = says.recv_timeout(moment);
}

fn kill_after(sync: &Sync, moment: Duration) -> Result<()> {
    let mut child = sync.command(&["run", sync::SETTINGS]).spawn()?;
    wait(moment);
    child.kill()?;
    match child.wait()?.code() {
        None => Ok(()),
        Some(code) => Err(format!("it ended with {code} before it was killed").into()),
    }
}

/// No row is written twice, and none is left.
fn expect_written(report: &Value, owed: u64) -> Result<()> {
    let written: Option<u64> =
        ["added", "modified", "deleted"].iter().map(|count| report["totals"][count].as_u64()).sum();
    match written == Some(owed) {
        true => Ok(()),
        false => Err(format!("expected {owed} written rows: {report}").into()),
    }
}

/// First copies whose connections to the target are ended at half their time, beside those that are left alone.
fn cut(arguments: &Arguments) -> Result<Vec<[String; 2]>> {
    let patience = json!({ "reconnect_wait_seconds": 0.05, "retry_delay": 100 });
    let sync = Sync::new(Engine::Postgres, "cut", arguments.rows, &patience)?;
    sync.run()?;
    let (mut whole, mut broken, mut read, mut written) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.runs {
        Spoilt::Gone.spoil(&sync)?;
        let (calm, seconds) = sync.run()?;
        whole.push(seconds);
        Spoilt::Gone.spoil(&sync)?;
        let begun = Instant::now();
        let run = sync.command(&["run", sync::SETTINGS]).spawn()?;
        wait(Duration::from_secs_f64(seconds / 2.0));
        sync.ends.in_target(
            "select pg_terminate_backend(pid) from pg_stat_activity
                where application_name = 'rowsync' and datname = current_database()",
        )?;
        let output = run.wait_with_output()?;
        broken.push(begun.elapsed().as_secs_f64());
        let report: Value = serde_json::from_slice(&output.stdout)?;
        expect_written(&report, arguments.rows)?;
        let [calm, report] = [&calm, &report].map(|report| &report["tables"][0]);
        if report["generation"] == 1 {
            return Err("no connection was lost in the midst of the run".into());
        }
        let more =
            |key: &str| report[key].as_f64().zip(calm[key].as_f64()).map_or(f64::NAN, |(one, other)| one / other);
        read.push(more("bytes_read"));
        written.push(more("bytes_written"));
    }
    Ok(vec![
        ["first copy, connections ended at half, s".to_owned(), spread(&broken)],
        ["the same, not interrupted, s".to_owned(), spread(&whole)],
        ["bytes written, of those without interruption".to_owned(), spread(&written)],
        ["bytes read, of those without interruption".to_owned(), spread(&read)],
    ])
}
