//! The service, measured: how much a sync is slowed down by those who look on, how fast they are answered, and what memory
//! that takes; and whether memory grows over many small cycles. What is measured stands in `benches/README.md`.

#[path = "../harness/ends.rs"]
mod ends;
#[expect(dead_code, reason = "the other benches use the rest of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod line;
mod load;
mod serve;
mod soak;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use ends::Engine;
use harness::Result;
use harness::figures::{columns, median, spread};
use load::{Load, Looked};
use serve::Serve;
use world::World;

/// Share of the time that a sync takes longer, and the slowest answer but one in a hundred.
const SLOWDOWN_MAX: f64 = 0.05;
const P99_MAX: Duration = Duration::from_millis(50);

#[derive(Parser)]
#[command(name = "service", about = "Measures rowsync serve while it syncs and is asked")]
struct Arguments {
    /// Rows of each of the four tables.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    rows: u64,
    /// Runs with and without callers, in turns; the medians are compared.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Only between databases of this engine; may be given several times.
    #[arg(long, value_name = "ENGINE")]
    only: Vec<Engine>,
    /// Instead of all that: small cycles one after the other for so many minutes, and whether memory grows.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    soak: Option<u64>,
    /// How often the memory is looked at.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for engine in Engine::chosen(&arguments.only) {
        let done = match arguments.soak {
            Some(minutes) => soak::soak(engine, minutes, Duration::from_secs(arguments.every)),
            None => measure(engine, &arguments),
        };
        if let Err(error) = done {
            eprintln!("service: {engine:?}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs alone and with callers, in turns. An aim that was missed is a result, and not a failure.
fn measure(engine: Engine, arguments: &Arguments) -> Result<()> {
    println!("\n{engine:?}: four tables of {} rows into empty ones, {} runs a side", arguments.rows, arguments.runs);
    let world = World::new(engine, arguments.rows)?;
    let (mut alone, mut watched, mut looked) = (Vec::new(), Vec::new(), Looked::default());
    let (mut quiet_bytes, mut busy_bytes) = (0, 0);
    for run in 1..=arguments.runs {
        eprintln!("  run {run}");
        let (seconds, bytes) = one_run(&world, arguments.rows, None)?;
        alone.push(seconds);
        quiet_bytes = quiet_bytes.max(bytes);
        let (seconds, bytes) = one_run(&world, arguments.rows, Some(&mut looked))?;
        watched.push(seconds);
        busy_bytes = busy_bytes.max(bytes);
    }
    print(&alone, &watched, &mut looked, [quiet_bytes, busy_bytes]);
    Ok(())
}

/// Seconds of the execution, and the peak of the service's memory.
fn one_run(world: &World, rows: u64, looked: Option<&mut Looked>) -> Result<(f64, u64)> {
    world.empty_target()?;
    let serve = Serve::start(world.directory())?;
    let execution = serve.execute()?;
    let load = looked.is_some().then(|| Load::begin(&serve.address, &execution.id));
    let report = execution.ended(&serve)?;
    if let (Some(load), Some(looked)) = (load, looked) {
        looked.take_in(load.end()?);
    }
    let added = report["totals"]["added"].as_u64();
    if report["status"] != "completed" || added != Some(world::TABLES * rows) {
        return Err(format!("the sync did not do its work: {report}").into());
    }
    Ok((serve::seconds(&report)?, serve.memory("VmHWM")?))
}

fn print(alone: &[f64], watched: &[f64], looked: &mut Looked, [quiet_bytes, busy_bytes]: [u64; 2]) {
    let ratio = median(watched).zip(median(alone)).map_or(f64::NAN, |(watched, alone)| watched / alone);
    let (p50, p99) = (looked.percentile(50), looked.percentile(99));
    let aim = |met: bool, aim: String| format!("aim {aim}: {}", if met { "met" } else { "MISSED" });
    let line = |what: &str, measured: String, aim: String| [what.to_owned(), measured, aim];
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let lines = [
        line("sync alone, s", spread(alone), String::new()),
        line("sync with callers, s", spread(watched), String::new()),
        line("ratio", format!("{ratio:.3}"), aim(ratio < 1.0 + SLOWDOWN_MAX, format!("< {}", 1.0 + SLOWDOWN_MAX))),
        line("answers", format!("{} of the API, {} scrapes", looked.answers(), looked.scrapes), String::new()),
        line("answered within, p50", format!("{p50:?}"), String::new()),
        line("answered within, p99", format!("{p99:?}"), aim(p99 < P99_MAX, format!("< {P99_MAX:?}"))),
        line("peak memory alone", mebibytes(quiet_bytes), String::new()),
        line("peak memory with callers", mebibytes(busy_bytes), String::new()),
    ];
    columns(&lines, "  ").iter().for_each(|line| println!("{}", line.trim_end()));
}
