//! What is measured side by side: for each number of rows and of differences, the floors, rowsync, and the other tools.

use crate::aim::{Aim, aims_of_postgres};
use crate::differences::expected;
use crate::floors::{copy_out, read_file, stream_both};
use crate::harness::Result;
use crate::harness::postgres::hash_both;
use crate::harness::process::Usage;
use crate::harness::sqlite::read_both;
use crate::peers::{OF_POSTGRES, Peer};
use crate::relay::Link;
use crate::rounds::{Contender, Measured, floor, take_turns};
use crate::slow_link::behind;
use crate::world::World;

pub const ROWSYNC: &str = "rowsync";
pub const HASH: &str = "hash of both sides";
pub const STREAM: &str = "ordered stream of both sides";
const READ_BOTH: &str = "reading both files";
const READ_FILE: &str = "reading the file";
const COPY: &str = "binary COPY";

/// How often, and beside whom.
pub struct Turns {
    pub runs: u32,
    pub peer_runs: u32,
}

/// The other tools take so long with more that nobody would wait for them.
const PEER_DIFFERENCES_MAX: u64 = 10_000;

/// One set of rows and differences, with what everybody needed for it.
pub struct Set {
    pub between: &'static str,
    pub rows: u64,
    pub differing: u64,
    pub measured: Vec<Measured>,
    /// The floor that rowsync is held against.
    pub floor: &'static str,
    /// The same floor measured once more as if it were another: how far two equal things lie apart.
    pub control: &'static str,
    pub aims: Vec<Aim>,
    /// Tools that should be here and are not installed.
    pub absent: Vec<&'static str>,
    /// On the wire to one side, where there is one.
    pub bytes: Option<u64>,
}

impl Set {
    pub fn of(&self, name: &str) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.name == name)
    }

    pub fn failed(&self) -> bool {
        self.measured.iter().any(|measured| measured.failure.is_some())
    }
}

pub fn postgres(world: &World, turns: &Turns, rows: u64, differing: u64) -> Result<Set> {
    world.differ_in_postgres(rows, differing)?;
    let (source, target) = (&world.source, &world.target);
    let (from, to) = (source.url.as_str(), target.url.as_str());
    let aims = aims_of_postgres(differing);
    let streamed = aims.floor == STREAM;
    let hash = |name| contender(name, turns.runs, move || Ok(floor(hash_both(source, target)?)));
    let stream = |name| contender(name, turns.runs, move || Ok(floor(stream_both(source, target)?)));
    let control = if streamed { "ordered stream again" } else { "hash again" };
    let mut contenders = vec![hash(HASH), rowsync(world, turns, from, to, differing), stream(STREAM)];
    contenders.push(if streamed { stream(control) } else { hash(control) });
    let mut absent = Vec::new();
    for peer in OF_POSTGRES {
        match peer.program() {
            _ if differing > PEER_DIFFERENCES_MAX || turns.peer_runs == 0 => {}
            None => absent.push(peer.name()),
            Some(program) => contenders
                .push(contender(peer.name(), turns.peer_runs, move || peer.compare(&program, from, to, differing))),
        }
    }
    let measured = take_turns(&world.clusters, turns.runs, &contenders)?;
    let bytes =
        behind(world, Link::UNLIMITED, |from| world.task(from, to).verify(expected(differing)))?.traffic.bytes();
    let (floor, aims, between) = (aims.floor, aims.aims, "PostgreSQL and PostgreSQL");
    Ok(Set { between, rows, differing, measured, floor, control, aims, absent, bytes: Some(bytes) })
}

pub fn postgres_and_sqlite(world: &World, turns: &Turns, rows: u64) -> Result<Set> {
    world.fill_postgres(rows)?;
    world.fill_sqlite(rows)?;
    let (source, target) = (&world.source, &world.source_file);
    let url = target.url();
    let read = || contender(READ_FILE, turns.runs, move || Ok(floor(read_file(target)?)));
    let copy = |name| contender(name, turns.runs, move || Ok(floor(copy_out(source)?)));
    let control = "binary COPY again";
    let contenders = [read(), rowsync(world, turns, source.url.as_str(), &url, 0), copy(COPY), copy(control)];
    let mut measured = take_turns(&world.clusters, turns.runs, &contenders)?;
    // The slower of the two is the floor, and stands first.
    let seconds = |name: &str, measured: &[Measured]| {
        measured.iter().find(|measured| measured.name == name).and_then(Measured::wall_median)
    };
    let floor = if seconds(READ_FILE, &measured) > seconds(COPY, &measured) { READ_FILE } else { COPY };
    measured.sort_by_key(|measured| measured.name != floor);
    Ok(Set {
        between: "PostgreSQL and SQLite",
        rows,
        differing: 0,
        measured,
        floor,
        control: if floor == COPY { control } else { "" },
        aims: vec![Aim::OfFloor(1.3)],
        absent: Vec::new(),
        bytes: None,
    })
}

pub fn sqlite(world: &World, turns: &Turns, rows: u64, differing: u64) -> Result<Set> {
    world.differ_in_sqlite(rows, differing)?;
    let (source, target) = (&world.source_file, &world.target_file);
    let (from, to) = (source.url(), target.url());
    let read = |name| contender(name, turns.runs, move || Ok(floor(read_both(source, target)?)));
    let control = "reading both files again";
    let mut contenders = vec![read(READ_BOTH), rowsync(world, turns, &from, &to, differing), read(control)];
    let mut absent = Vec::new();
    match Peer::Sqldiff.program() {
        _ if turns.peer_runs == 0 => {}
        None => absent.push(Peer::Sqldiff.name()),
        Some(program) => contenders.push(contender(Peer::Sqldiff.name(), turns.peer_runs, move || {
            Peer::Sqldiff.compare_files(&program, source, target, differing)
        })),
    }
    let measured = take_turns(&world.clusters, turns.runs, &contenders)?;
    let aims = vec![Aim::OfFloor(1.5), Aim::AheadOf { peer: Peer::Sqldiff.name(), wall: 1.0, cpu: None }];
    let between = "SQLite and SQLite";
    Ok(Set { between, rows, differing, measured, floor: READ_BOTH, control, aims, absent, bytes: None })
}

fn rowsync<'a>(world: &'a World, turns: &Turns, from: &'a str, to: &'a str, differing: u64) -> Contender<'a> {
    contender(ROWSYNC, turns.runs, move || world.task(from, to).verify(expected(differing)))
}

fn contender<'a>(name: &'static str, runs: u32, run: impl Fn() -> Result<Usage> + 'a) -> Contender<'a> {
    Contender { name, runs, run: Box::new(run) }
}
