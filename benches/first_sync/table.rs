//! The table that is printed at the end: medians, and what they are held against.

use std::thread::available_parallelism;

use crate::alternate::Measured;
use crate::harness::figures::{NONE, columns, median, spread};
use crate::harness::process::Usage;
use crate::scenarios::{Limit, Scenario};
use crate::world::World;

pub struct Line {
    cells: [String; 9],
    notes: Vec<String>,
}

const TITLES: [&str; 9] = ["scenario", "rows", "floor s", "rowsync s", "ratio", "limit", "", "cpu s", "peak MiB"];

impl Line {
    pub fn of(scenario: &Scenario, measured: Measured) -> Line {
        let floor: Vec<f64> = measured.floor.iter().map(std::time::Duration::as_secs_f64).collect();
        let ours: Vec<f64> = measured.ours.iter().map(|usage| usage.wall.as_secs_f64()).collect();
        let ratio = median(&ours).zip(median(&floor)).map(|(ours, floor)| ours / floor);
        let peak = measured.ours.iter().filter_map(|usage| usage.peak_bytes).max();
        let kept = match scenario.limit {
            Limit::Ratio(limit) => ratio.map(|ratio| ratio <= limit),
            Limit::Peak(limit) => peak.map(|peak| peak <= limit),
        };
        let cpu: Vec<f64> = measured.ours.iter().filter_map(|usage: &Usage| usage.cpu_seconds).collect();
        Line {
            cells: [
                scenario.name.to_owned(),
                measured.rows.to_string(),
                spread(&floor),
                spread(&ours),
                ratio.map_or(NONE.to_owned(), |ratio| format!("{ratio:.2}")),
                limit(scenario),
                kept.map_or(NONE, |kept| if kept { "kept" } else { "MISSED" }).to_owned(),
                median(&cpu).map_or(NONE.to_owned(), |cpu| format!("{cpu:.2}")),
                peak.map_or(NONE.to_owned(), |peak| (peak >> 20).to_string()),
            ],
            notes: measured.notes.iter().map(|note| format!("{}: {note}", scenario.name)).collect(),
        }
    }

    pub fn failed(scenario: &Scenario) -> Line {
        let [none, empty] = [NONE.to_owned(), String::new()];
        let cells = [
            scenario.name.to_owned(),
            none.clone(),
            none.clone(),
            none.clone(),
            none,
            limit(scenario),
            "FAILED".to_owned(),
            empty.clone(),
            empty,
        ];
        Line { cells, notes: Vec::new() }
    }
}

fn limit(scenario: &Scenario) -> String {
    match scenario.limit {
        Limit::Ratio(limit) => format!("{limit}"),
        Limit::Peak(limit) => format!("{} MiB", limit >> 20),
    }
}

pub fn print(world: &World, lines: &[Line]) {
    println!("\nmedians of {} runs (fastest to slowest), {}", world.runs, machine(world));
    let titles = [TITLES.map(str::to_owned)];
    let cells: Vec<_> = titles.into_iter().chain(lines.iter().map(|line| line.cells.clone())).collect();
    for line in columns(&cells, "  ") {
        println!("{}", line.trim_end());
    }
    for note in lines.iter().flat_map(|line| &line.notes) {
        println!("{note}");
    }
}

fn machine(world: &World) -> String {
    let cores = available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    let sqlite = rusqlite::version();
    match world.server().and_then(|server| server.version()) {
        Ok(postgres) => format!("{cores} cores, PostgreSQL {postgres}, SQLite {sqlite}"),
        Err(_) => format!("{cores} cores, SQLite {sqlite}"),
    }
}
