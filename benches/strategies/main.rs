//! The strategies that follow changes, measured: what the triggers cost those who write, and what a cycle costs by the
//! number of changes. What is measured, and how to run a part of it, stands in `benches/README.md`.

#[expect(dead_code, reason = "the other benches use the rest of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod incremental;
mod merge;
mod sync;
mod triggers;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use harness::Result;
use harness::figures::columns;
use harness::postgres::Server;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Part {
    /// What triggers cost writers.
    Triggers,
    /// Runs by the log of changes.
    Incremental,
    /// Both ways.
    Merge,
}

#[derive(Parser)]
#[command(name = "strategies", about = "Measures what a cycle costs by the number of changes")]
struct Arguments {
    /// Rows of the table that is followed; a merge takes a tenth.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    rows: u64,
    /// Runs of each kind; medians are told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Only this part; may be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What was measured, in seconds, what it is held against, and the quotient; and a remark.
type Line = [String; 5];

struct Bench {
    server: Server,
    directory: TempDir,
    rows: u64,
    runs: u32,
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strategies: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let bench = Bench {
        server: Server::of_environment("ROWSYNC_TEST_POSTGRES")?,
        directory: tempfile::Builder::new().prefix("rowsync-bench.").tempdir()?,
        rows: arguments.rows,
        runs: arguments.runs,
    };
    let mut lines = vec![["", "s (fastest to slowest)", "beside", "ratio", ""].map(str::to_owned)];
    let wants = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    if wants(Part::Triggers) {
        lines.extend(triggers::measure(&bench)?);
    }
    if wants(Part::Incremental) {
        lines.extend(incremental::measure(&bench)?);
    }
    if wants(Part::Merge) {
        lines.extend(merge::measure(&bench)?);
    }
    println!("\nmedians of {} runs, PostgreSQL {}", bench.runs, bench.server.version()?);
    columns(&lines, "  ").iter().for_each(|line| println!("{}", line.trim_end()));
    Ok(())
}
