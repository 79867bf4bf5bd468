//! The most memory that a run holds, on a table far larger than what may be in flight.

use crate::alternate::Measured;
use crate::harness::Result;
use crate::harness::postgres::Database;
use crate::harness::process::settle_disk;
use crate::harness::rowsync::Task;
use crate::postgres::CREATE_ITEMS;
use crate::scenarios::same;
use crate::world::World;

const ROWS: u64 = 5_000_000;
const SOURCE: &str = "rowsync_bench_memory_source";
const TARGET: &str = "rowsync_bench_memory_target";
const BYTES_IN_FLIGHT: &str = "64 MiB";

/// One run of each kind, whatever `--runs` says: a peak hardly varies, and the rows are many.
pub fn measure(world: &World) -> Result<Measured> {
    if world.floors_only {
        return Err("there is no floor of memory".into());
    }
    let server = world.server()?;
    let measured = fill_and_run(world, &server.create(SOURCE)?, &server.create(TARGET)?);
    server.drop(SOURCE)?;
    server.drop(TARGET)?;
    measured
}

fn fill_and_run(world: &World, source: &Database, target: &Database) -> Result<Measured> {
    eprintln!("  filling PostgreSQL");
    source.recreate(CREATE_ITEMS)?;
    target.recreate(CREATE_ITEMS)?;
    let rows = world.rows_or(ROWS);
    source.execute(&[&generate(rows)])?;
    source.rest()?;
    let expected = source.fingerprint()?;
    let mut measured = Measured { rows, ..Measured::default() };
    let mut run = |into: &str| -> Result<()> {
        settle_disk()?;
        let task = Task {
            directory: world.directory(),
            source: source.url.as_str(),
            target: target.url.as_str(),
            max_bytes_in_flight: Some(BYTES_IN_FLIGHT),
        };
        let usage = task.run()?;
        same("the target", &target.fingerprint()?, &expected)?;
        let peak = usage.peak_bytes.ok_or("this system does not tell the peak memory of a process under /proc")?;
        measured.notes.push(format!("into {into}: {} MiB, {:.1} s", peak >> 20, usage.wall.as_secs_f64()));
        measured.ours.push(usage);
        Ok(())
    };
    run("an empty table")?;
    target.recreate(CREATE_ITEMS)?;
    source.pipe_to(target, HALF_DIFFERENT)?;
    target.rest()?;
    run("a table with half of its rows different")?;
    Ok(measured)
}

/// Rows like those of `rows.rs`, made by the server itself, which is much quicker.
fn generate(rows: u64) -> String {
    format!(
        r#"INSERT INTO items SELECT i * 3 + (hashint8(i) & 1), 'Name ' || md5(i::text), 'mail.' || i || '@copper.example',
            CASE WHEN i % 10 < 3 THEN NULL WHEN i % 10 = 3 THEN '' WHEN i % 100 = 4 THEN repeat(md5((i + 1)::text), 25)
                ELSE md5((i + 2)::text) END,
            (abs(hashint8(i + 3)::bigint) % 1000000) / 100.0, abs(hashint8(i + 4)::bigint) % 10000,
            jsonb_build_object('size', i % 60, 'tags', jsonb_build_array('amber', md5(i::text)), 'weight', i % 900 + 0.5),
            timestamp '2024-05-01 10:00:00.123456' + i * interval '10 s',
            timestamptz '2024-05-01 10:00:00.123456+00' + i * interval '11 s'
        FROM generate_series(1, {rows}) i"#
    )
}

/// Of ten rows, three differ in a number and one in a text, and one has another id: missing here, and extra there.
const HALF_DIFFERENT: &str = "COPY (SELECT CASE WHEN i % 10 = 4 THEN id + 1 ELSE id END, \
    CASE WHEN i % 10 = 3 THEN name || 'x' ELSE name END, email, note, price, \
    CASE WHEN i % 10 < 3 THEN quantity + 1 ELSE quantity END, attributes, created_at, modified_at \
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS i FROM items) t) TO STDOUT (FORMAT binary)";
