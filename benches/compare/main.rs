//! The comparison, measured: rowsync beside floors and beside other tools, in one run, in turns.
//! What is measured, and how to run a part of it, stands in `benches/README.md`.

mod aim;
mod differences;
mod floors;
mod frontend;
#[path = "../harness/mod.rs"]
mod harness;
mod meter;
mod peers;
mod plot;
mod relay;
mod report;
mod rounds;
mod rows;
mod sets;
mod slow_link;
mod traffic;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use harness::Result;
use relay::Link;
use report::Report;
use sets::{Set, Turns};
use world::World;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Part {
    /// Two PostgreSQL servers, beside pg_comparator and reladiff.
    Postgres,
    /// PostgreSQL and SQLite, nothing different.
    PostgresSqlite,
    /// Two SQLite files, beside sqldiff.
    Sqlite,
    /// Bytes and round trips over a slow link.
    Link,
    /// More sizes and more numbers of differences, for the plots.
    Curve,
}

#[derive(Parser)]
#[command(name = "compare", about = "Measures how rowsync compares tables, beside floors and other tools")]
struct Arguments {
    /// Rows of the tables; may be given several times. SQLite and the link take the first.
    #[arg(long, default_values_t = [1_000_000, 10_000_000], value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    rows: Vec<u64>,
    /// Differences; may be given several times. Those that a table is too small for are left out, and it is said.
    #[arg(long, default_values_t = [0, 100, 10_000, 500_000])]
    differing: Vec<u64>,
    /// Runs of rowsync and of the floors; the medians are compared.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Runs of the other tools; 0 leaves them out.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    peer_runs: u32,
    /// Only this part; may be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Round trip of the slow link.
    #[arg(long, default_value_t = 50)]
    round_trip_ms: u64,
    /// Both ways of the slow link.
    #[arg(long, default_value_t = 10.0)]
    megabits: f64,
    /// Print what took the round trips over the link, statement by statement.
    #[arg(long)]
    trace: bool,
    /// Where the table and the plots are written.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/benchmarks")]
    out: PathBuf,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} lines say FAILED");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns how many did not do what they were to do. An aim that was missed is a result, and not a failure. The files
/// are written again after each set, so that a run that is ended leaves what it has.
fn measure(arguments: &Arguments) -> Result<usize> {
    let world = World::new()?;
    let mut bench = Bench { arguments, world: &world, report: Report::default() };
    bench.report.about = bench.about()?;
    bench.postgres()?;
    bench.files()?;
    bench.link()?;
    println!("\n{}", bench.report.markdown());
    Ok(bench.report.failures())
}

struct Bench<'a> {
    arguments: &'a Arguments,
    world: &'a World,
    report: Report,
}

impl Bench<'_> {
    fn about(&self) -> Result<Vec<String>> {
        let Arguments { runs, peer_runs, round_trip_ms, megabits, .. } = self.arguments;
        Ok(vec![
            format!("{}.", report::machine(self.world)?),
            format!(
                "Medians of {runs} runs in turns, of the other tools {peer_runs}; CPU is that of client and servers."
            ),
            format!("The slow link: {round_trip_ms} ms round trip, {megabits} Mbit/s each way, to the source."),
        ])
    }

    fn wants(&self, part: Part) -> bool {
        self.arguments.only.is_empty() || self.arguments.only.contains(&part)
    }

    fn first_rows(&self) -> u64 {
        self.arguments.rows.first().copied().unwrap_or(1_000_000)
    }

    fn turns(&self) -> Turns {
        Turns { runs: self.arguments.runs, peer_runs: self.arguments.peer_runs }
    }

    /// All sizes with all differences, smallest first; with the curve's sizes and differences in between.
    fn postgres(&mut self) -> Result<()> {
        let mut places: Vec<(u64, u64)> = Vec::new();
        if self.wants(Part::Postgres) {
            let differing = &self.arguments.differing;
            places.extend(self.arguments.rows.iter().flat_map(|rows| differing.iter().map(|count| (*rows, *count))));
        }
        if self.wants(Part::Curve) {
            let (first, largest) = (self.first_rows(), self.arguments.rows.iter().copied().max().unwrap_or_default());
            places.extend(
                (4..)
                    .map(|power| 10_u64.pow(power))
                    .take_while(|rows| *rows <= largest)
                    .map(|rows| (rows, plot::DIFFERING)),
            );
            places.extend((1..=5).map(|power| (first, 10_u64.pow(power))));
        }
        places.sort_unstable();
        places.dedup();
        for (rows, differing) in places {
            if fits(rows, differing) {
                eprintln!("\nPostgreSQL and PostgreSQL, {rows} rows, {differing} differing");
                let set = sets::postgres(self.world, &self.turns(), rows, differing)?;
                self.keep(set)?;
            }
        }
        if !self.report.sets.is_empty() {
            self.report.about.push(format!("A row takes {} bytes in PostgreSQL.", self.world.row_bytes()?));
        }
        Ok(())
    }

    fn files(&mut self) -> Result<()> {
        let rows = self.first_rows();
        if self.wants(Part::PostgresSqlite) {
            eprintln!("\nPostgreSQL and SQLite, {rows} rows, nothing differing");
            let set = sets::postgres_and_sqlite(self.world, &self.turns(), rows)?;
            self.keep(set)?;
        }
        if self.wants(Part::Sqlite) {
            let arguments = self.arguments;
            for &differing in arguments.differing.iter().filter(|differing| fits(rows, **differing)) {
                eprintln!("\nSQLite and SQLite, {rows} rows, {differing} differing");
                let set = sets::sqlite(self.world, &self.turns(), rows, differing)?;
                self.keep(set)?;
            }
        }
        Ok(())
    }

    fn link(&mut self) -> Result<()> {
        if !self.wants(Part::Link) {
            return Ok(());
        }
        let Arguments { round_trip_ms, megabits, runs, peer_runs, trace, .. } = *self.arguments;
        let link = Link { round_trip: Duration::from_millis(round_trip_ms), bytes_per_second: megabits * 1e6 / 8.0 };
        let rows = self.first_rows();
        for differing in [0, 100] {
            eprintln!("\nover the slow link, {rows} rows, {differing} differing");
            let crossed = slow_link::measure(self.world, link, runs, rows, differing, peer_runs > 0)?;
            if trace {
                crossed.first().and_then(slow_link::traced).iter().for_each(|trace| eprint!("{trace}"));
            }
            self.report.crossed.extend(crossed);
            self.write()?;
        }
        Ok(())
    }

    fn keep(&mut self, set: Set) -> Result<()> {
        self.report.sets.push(set);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let directory: &Path = &self.arguments.out;
        fs::create_dir_all(directory)?;
        let plots = plot::draw(directory, &self.report.sets, self.first_rows())?;
        let images: String = plots.iter().map(|file| format!("\n![{file}]({file})\n")).collect();
        fs::write(directory.join("compare.md"), self.report.markdown() + &images)?;
        Ok(())
    }
}

/// Every difference has two rows for itself.
fn fits(rows: u64, differing: u64) -> bool {
    let fits = differing * 2 <= rows && differing.is_multiple_of(differences::STEP);
    if !fits {
        eprintln!("\nnot measured: {differing} differences in {rows} rows; they take two rows each, and come in tens");
    }
    fits
}
