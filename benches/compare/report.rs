//! The figures as Markdown, for the documentation and for the terminal.

use std::fmt::Write as _;
use std::thread::available_parallelism;

use crate::aim::Aim;
use crate::harness::Result;
use crate::harness::figures::{NONE, columns, median, spread};
use crate::rounds::Measured;
use crate::sets::{ROWSYNC, Set};
use crate::slow_link::{Crossed, LinkAim};
use crate::world::World;

/// Everything that was measured, as far as it has come.
#[derive(Default)]
pub struct Report {
    pub sets: Vec<Set>,
    pub crossed: Vec<Crossed>,
    /// On what it was measured, and how.
    pub about: Vec<String>,
}

impl Report {
    pub fn markdown(&self) -> String {
        let mut text = "# The comparison, measured\n\n".to_owned();
        text.push_str("Made by `make bench-compare`; `benches/README.md` says what is measured and how.\n\n");
        for line in &self.about {
            let _ = writeln!(text, "* {line}");
        }
        if !self.sets.is_empty() {
            text.push_str("\n## Beside the floors and beside other tools\n\n");
            text.push_str(&table(TITLES, self.sets.iter().flat_map(lines)));
        }
        if !self.crossed.is_empty() {
            text.push_str("\n## Over the slow link\n\n");
            text.push_str(&table(LINK_TITLES, self.crossed.iter().map(link_line)));
        }
        text
    }

    /// How many contenders did not do what they were to do.
    pub fn failures(&self) -> usize {
        let of_sets = self.sets.iter().filter(|set| set.failed()).count();
        of_sets + self.crossed.iter().filter(|crossed| crossed.crossings.is_err()).count()
    }
}

const TITLES: [&str; 10] = [
    "between",
    "rows",
    "differing",
    "who",
    "wall s (fastest to slowest)",
    "CPU s (client)",
    "client MiB",
    "wall / floor",
    "wall and CPU / rowsync",
    "aim",
];

fn lines(set: &Set) -> Vec<[String; 10]> {
    let mut lines: Vec<_> = set.measured.iter().map(|measured| line(set, measured)).collect();
    lines.extend(set.absent.iter().map(|name| {
        let [between, rows, differing] = place(set);
        let none = || NONE.to_owned();
        [between, rows, differing, (*name).to_owned(), "not installed".into(), none(), none(), none(), none(), none()]
    }));
    lines
}

fn place(set: &Set) -> [String; 3] {
    [set.between.to_owned(), set.rows.to_string(), set.differing.to_string()]
}

fn line(set: &Set, measured: &Measured) -> [String; 10] {
    let [between, rows, differing] = place(set);
    let to_floor = ratio(measured.wall_median(), set.of(set.floor).and_then(Measured::wall_median));
    let rowsync = set.of(ROWSYNC);
    let wall = ratio(measured.wall_median(), rowsync.and_then(Measured::wall_median));
    let cpu = ratio(measured.cpu_median(), rowsync.and_then(Measured::cpu_median));
    let role = match measured.name {
        ROWSYNC => ROWSYNC.to_owned(),
        name if name == set.floor => format!("{name} (floor)"),
        name if name == set.control => format!("{name} (A/A)"),
        name => name.to_owned(),
    };
    let seconds = if measured.failure.is_some() { "FAILED".to_owned() } else { spread(&measured.wall) };
    [
        between,
        rows,
        differing,
        role,
        seconds,
        cpu_cell(measured),
        measured.peak_bytes.map_or(NONE.to_owned(), |peak| (peak >> 20).to_string()),
        to_floor,
        if measured.name == ROWSYNC { NONE.to_owned() } else { format!("{wall} and {cpu}") },
        aims(set, measured.name),
    ]
}

fn cpu_cell(measured: &Measured) -> String {
    let Some(cpu) = measured.cpu_median() else { return NONE.to_owned() };
    median(&measured.client_cpu).map_or(format!("{cpu:.2}"), |client| format!("{cpu:.2} ({client:.2})"))
}

fn aims(set: &Set, contender: &str) -> String {
    let of_contender = set.aims.iter().filter(|aim| aim.contender() == contender);
    let told: Vec<String> = of_contender.map(|aim| format!("{}: {}", aim.text(), verdict(aim, set))).collect();
    if told.is_empty() { NONE.to_owned() } else { told.join("; ") }
}

fn verdict(aim: &Aim, set: &Set) -> &'static str {
    reached(aim.is_reached(set))
}

fn reached(reached: Option<bool>) -> &'static str {
    reached.map_or("not measured", |reached| if reached { "kept" } else { "MISSED" })
}

fn ratio(value: Option<f64>, of: Option<f64>) -> String {
    value.zip(of).filter(|(_, of)| *of > 0.0).map_or(NONE.to_owned(), |(value, of)| format!("{:.2}", value / of))
}

const LINK_TITLES: [&str; 9] = [
    "rows",
    "differing",
    "who",
    "seconds",
    "kB up",
    "kB down",
    "connections",
    "round trips in a row (longest connection, all)",
    "aim",
];

fn link_line(crossed: &Crossed) -> [String; 9] {
    let [rows, differing] = [crossed.rows, crossed.differing].map(|number| number.to_string());
    let name = crossed.name.to_owned();
    let none = || NONE.to_owned();
    let last = crossed.crossings.as_ref().ok().and_then(|crossings| crossings.last());
    let Some(traffic) = last.map(|crossing| &crossing.traffic) else {
        return [rows, differing, name, "FAILED".into(), none(), none(), none(), none(), none()];
    };
    let kilobytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e3);
    let in_a_row = format!(
        "{} ({}, {})",
        traffic.round_trips_in_a_row(),
        traffic.round_trips_of_one_connection(),
        traffic.round_trips()
    );
    [
        rows,
        differing,
        name,
        crossed.seconds().map_or(none(), |seconds| format!("{seconds:.2}")),
        kilobytes(traffic.bytes_up),
        kilobytes(traffic.bytes_down),
        traffic.connections().to_string(),
        in_a_row,
        link_aim(crossed),
    ]
}

fn link_aim(crossed: &Crossed) -> String {
    let Some(aim) = LinkAim::of(crossed.name, crossed.differing) else { return NONE.to_owned() };
    let mut parts = vec![format!("under {} kB", aim.bytes / 1_000)];
    parts.extend(aim.in_a_row.map(|most| format!("at most {most} in a row")));
    parts.extend(aim.seconds.map(|most| format!("under {most} s")));
    format!("{}: {}", parts.join(", "), reached(aim.is_reached(crossed)))
}

fn table<const WIDTH: usize>(titles: [&str; WIDTH], lines: impl Iterator<Item = [String; WIDTH]>) -> String {
    let rule = std::array::from_fn(|_| "---".to_owned());
    let all: Vec<[String; WIDTH]> = [titles.map(str::to_owned), rule].into_iter().chain(lines).collect();
    columns(&all, " | ").into_iter().map(|line| format!("| {line} |\n")).collect()
}

/// The machine and the servers.
pub fn machine(world: &World) -> Result<String> {
    let cores = available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let (postgres, sqlite) = (world.servers[0].version()?, rusqlite::version());
    Ok(format!("{cores} cores, two servers of PostgreSQL {postgres} on the loopback, SQLite {sqlite}"))
}
