//! The scenarios by name, each with its floor and the limit that the project set itself.

use std::fmt::Debug;

use crate::alternate::{Measured, alternate};
use crate::harness::Result;
use crate::harness::postgres::hash_both;
use crate::harness::rowsync::Task;
use crate::harness::sqlite::{File, read_both};
use crate::rows::{Row, rows};
use crate::sqlite::read_one_by_one;
use crate::world::World;
use crate::{differences, memory, postgres, sqlite};

pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    pub limit: Limit,
    /// Whether it runs where none is chosen.
    pub by_default: bool,
    pub measure: fn(&World) -> Result<Measured>,
}

pub enum Limit {
    /// Times the floor.
    Ratio(f64),
    /// Bytes of resident memory.
    Peak(u64),
}

pub const NAMES: [&str; 7] = [
    "pg_to_empty_pg",
    "sqlite_to_empty_pg",
    "pg_to_empty_sqlite",
    "sqlite_to_empty_sqlite",
    "find_100_pg",
    "find_100_sqlite",
    "memory",
];

pub const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: NAMES[0],
        about: "run into an empty table / COPY binary out of psql into psql",
        limit: Limit::Ratio(1.15),
        by_default: true,
        measure: pg_to_empty_pg,
    },
    Scenario {
        name: NAMES[1],
        about: "run into an empty table / COPY binary of the same rows from a file",
        limit: Limit::Ratio(1.3),
        by_default: true,
        measure: sqlite_to_empty_pg,
    },
    Scenario {
        name: NAMES[2],
        about: "run into an empty table / prepared insert of rows that are in memory",
        limit: Limit::Ratio(1.5),
        by_default: true,
        measure: pg_to_empty_sqlite,
    },
    Scenario {
        name: NAMES[3],
        about: "run into an empty table / prepared insert of rows that are in memory",
        limit: Limit::Ratio(1.5),
        by_default: true,
        measure: sqlite_to_empty_sqlite,
    },
    Scenario {
        name: NAMES[4],
        about: "verify finds 100 differences / hash_record_extended of all rows of both sides at once",
        limit: Limit::Ratio(1.5),
        by_default: true,
        measure: find_100_pg,
    },
    Scenario {
        name: NAMES[5],
        about: "verify finds 100 differences / every column of both files read once, both at once",
        limit: Limit::Ratio(2.0),
        by_default: true,
        measure: find_100_sqlite,
    },
    Scenario {
        name: NAMES[6],
        about: "run with max_bytes_in_flight 64 MiB, into an empty table and into one with half of its rows different",
        limit: Limit::Peak(200 << 20),
        by_default: false,
        measure: memory::measure,
    },
];

fn pg_to_empty_pg(world: &World) -> Result<Measured> {
    let (source, target) = world.postgres()?;
    let expected = source.fingerprint()?;
    let equal = || same("the target", &target.fingerprint()?, &expected);
    alternate(
        world,
        || {
            target.recreate(postgres::CREATE_ITEMS)?;
            let took = source.copy_to(target)?;
            equal()?;
            Ok(took)
        },
        || {
            target.recreate(postgres::CREATE_ITEMS)?;
            let usage = task(world, source.url.as_str(), target.url.as_str()).run()?;
            equal()?;
            Ok(usage)
        },
    )
}

fn sqlite_to_empty_pg(world: &World) -> Result<Measured> {
    // The source in PostgreSQL holds the same rows: the floor's file comes from there, and so does what is expected.
    let (rows, target) = world.postgres()?;
    let source = world.sqlite()?;
    let expected = rows.fingerprint()?;
    let equal = || same("the target", &target.fingerprint()?, &expected);
    let file = world.directory().join("items.copy");
    rows.copy_to_file(&file)?;
    alternate(
        world,
        || {
            target.recreate(postgres::CREATE_ITEMS)?;
            let took = target.copy_from_file(&file)?;
            equal()?;
            Ok(took)
        },
        || {
            target.recreate(postgres::CREATE_ITEMS)?;
            let usage = task(world, &source.url(), target.url.as_str()).run()?;
            equal()?;
            Ok(usage)
        },
    )
}

fn pg_to_empty_sqlite(world: &World) -> Result<Measured> {
    let (source, _) = world.postgres()?;
    to_empty_sqlite(world, source.url.as_str())
}

fn sqlite_to_empty_sqlite(world: &World) -> Result<Measured> {
    to_empty_sqlite(world, &world.sqlite()?.url())
}

fn to_empty_sqlite(world: &World, source: &str) -> Result<Measured> {
    let expected = world.sqlite()?.fingerprint()?;
    let target = world.sqlite_target();
    let equal = |target: &File| same("the target", &target.fingerprint()?, &expected);
    let held: Vec<Row> = rows(world.rows()).collect();
    alternate(
        world,
        || {
            target.recreate(sqlite::CREATE_ITEMS)?;
            let took = target.insert_all(&held)?;
            equal(&target)?;
            Ok(took)
        },
        || {
            target.recreate(sqlite::CREATE_ITEMS)?;
            let usage = task(world, source, &target.url()).run()?;
            equal(&target)?;
            Ok(usage)
        },
    )
}

fn find_100_pg(world: &World) -> Result<Measured> {
    let (source, target) = world.postgres()?;
    target.differ_from(source, world.rows())?;
    alternate(
        world,
        || hash_both(source, target),
        || task(world, source.url.as_str(), target.url.as_str()).verify(differences::EXPECTED),
    )
}

fn find_100_sqlite(world: &World) -> Result<Measured> {
    let source = world.sqlite()?;
    let target = world.sqlite_target();
    target.differ_from(source, world.rows())?;
    let mut measured = alternate(
        world,
        || read_both(source, &target),
        || task(world, &source.url(), &target.url()).verify(differences::EXPECTED),
    )?;
    let one_by_one = read_one_by_one(source, &target)?;
    measured.notes.push(format!("one file read after the other: {:.3} s", one_by_one.as_secs_f64()));
    Ok(measured)
}

fn task<'a>(world: &'a World, source: &'a str, target: &'a str) -> Task<'a> {
    Task { directory: world.directory(), source, target, max_bytes_in_flight: None }
}

/// A fast failure is not a fast run.
pub fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} holds the wrong rows: count and hash are {found:?} instead of {expected:?}").into())
}
