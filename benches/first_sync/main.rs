//! The first sync, measured: whole runs of the release binary, each beside a floor that is measured in the same run.
//! What is measured, and how to run one scenario, stands in `benches/README.md`.

mod alternate;
mod differences;
#[path = "../harness/mod.rs"]
mod harness;
mod memory;
mod postgres;
mod rows;
mod run;
mod scenarios;
mod sqlite;
mod table;
mod world;

use std::process::ExitCode;

use clap::Parser;

use harness::Result;
use scenarios::{SCENARIOS, Scenario};
use world::World;

#[derive(Parser)]
#[command(name = "first_sync", about = "Measures rowsync against its floors")]
struct Arguments {
    /// Rows of the table; left out: 1,000,000, and 5,000,000 for `memory`.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    rows: Option<u64>,
    /// Runs of each side; the medians are compared.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Only this scenario; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = scenarios::NAMES)]
    only: Vec<String>,
    /// Measure the floors alone, as long as there is nothing to hold against them.
    #[arg(long)]
    floors: bool,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} scenarios did not run");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("first_sync: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns how many scenarios failed to run. A limit that was missed is a result, and not a failure.
fn measure(arguments: &Arguments) -> Result<usize> {
    let mut world = World::new(arguments.rows, arguments.runs, arguments.floors)?;
    let mut lines = Vec::new();
    let mut failed = 0;
    for scenario in SCENARIOS.iter().filter(|scenario| chosen(scenario, &arguments.only)) {
        eprintln!("\n{}: {}", scenario.name, scenario.about);
        match (scenario.measure)(&mut world) {
            Ok(measured) => lines.push(table::Line::of(scenario, measured)),
            Err(error) => {
                eprintln!("  FAILED: {error}");
                lines.push(table::Line::failed(scenario));
                failed += 1;
            }
        }
    }
    table::print(&world, &lines);
    Ok(failed)
}

fn chosen(scenario: &Scenario, only: &[String]) -> bool {
    if only.is_empty() { scenario.by_default } else { only.iter().any(|name| name == scenario.name) }
}
