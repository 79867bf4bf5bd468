//! The service, measured: how much a sync is slowed down by those who look on, how fast they are answered, what of a core and
//! of memory that takes; and whether memory grows over many small cycles. What is measured stands in `benches/README.md`.

mod beside;
mod control;
#[path = "../harness/ends.rs"]
mod ends;
#[expect(dead_code, reason = "the other benches use the rest of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod line;
mod load;
mod report;
mod serve;
mod soak;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use beside::{Runs, Side};
use ends::Engine;
use harness::Result;
use world::World;

#[derive(Parser)]
#[command(name = "service", about = "Measures rowsync serve while it syncs and is asked")]
struct Arguments {
    /// Rows of each of the four tables.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    rows: u64,
    /// Runs of each kind, in turns; the medians are compared.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
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
    /// What the bench starts for itself: the server of the control.
    #[arg(long, hide = true)]
    control: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.control {
        return match control::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("service: control: {error}");
                ExitCode::FAILURE
            }
        };
    }
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

/// Runs alone, beside the control and with callers, in turns. An aim that was missed is a result, and not a failure.
fn measure(engine: Engine, arguments: &Arguments) -> Result<()> {
    println!(
        "\n{engine:?}: four tables of {} rows into empty ones, {} runs of each kind",
        arguments.rows, arguments.runs
    );
    let world = World::new(engine, arguments.rows)?;
    let mut sides = [Side::Alone, Side::Control, Side::Callers].map(Runs::new);
    for run in 0..arguments.runs as usize {
        eprintln!("  run {}", run + 1);
        // Another kind begins each time: what comes first finds another machine than what comes last.
        for turn in 0..sides.len() {
            let kind = (run + turn) % sides.len();
            sides[kind].add(&world, arguments.rows)?;
        }
    }
    report::print(sides);
    Ok(())
}
