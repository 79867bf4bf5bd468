//! What the triggers of change tracking cost those who write to the source: the same statements without and with them.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::harness::Result;
use crate::harness::figures::{median, spread};
use crate::harness::process::settle_disk;
use crate::harness::sqlite::File;
use crate::sync::{Sync, fill};
use crate::{Bench, Line};

const ROWS: u64 = 100_000;
/// Each with a name; a row a transaction in the last one, and all rows in one transaction in the others.
const STATEMENTS: [(&str, &str); 3] =
    [("update", "UPDATE items SET quantity = quantity + 1"), ("delete", "DELETE FROM items"), ("insert", "")];
const SINGLE_ROWS: u64 = 2_000;

pub fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let mut lines = on_server(bench)?;
    lines.extend(in_file(bench)?);
    Ok(lines)
}

/// Seconds of each kind of statement, one entry a run.
type Taken = [Vec<f64>; 4];

fn on_server(bench: &Bench) -> Result<Vec<Line>> {
    let settings = serde_json::json!({ "sync_strategy": "incremental", "change_tracking": "triggers" });
    let sync = Sync::new(bench, "triggers", ROWS, false, &settings)?;
    let (mut without, mut with) = (Taken::default(), Taken::default());
    for _ in 0..bench.runs {
        server_round(&sync, &mut without)?;
        sync.command("track", &["install"], 0)?;
        server_round(&sync, &mut with)?;
        sync.command("track", &["remove"], 0)?;
    }
    sync.end(bench)?;
    Ok(lines("PostgreSQL", &without, &with))
}

fn server_round(sync: &Sync, taken: &mut Taken) -> Result<()> {
    sync.source.execute(&["VACUUM FULL items", "CHECKPOINT"])?;
    settle_disk()?;
    let fill = fill(ROWS);
    for (place, (name, sql)) in STATEMENTS.into_iter().enumerate() {
        let sql = if name == "insert" { fill.as_str() } else { sql };
        let begun = Instant::now();
        sync.source.execute(&[sql])?;
        taken[place].push(begun.elapsed().as_secs_f64());
    }
    // Commits that wait for no disk: what the triggers add would vanish behind it.
    let single = format!(
        "SET synchronous_commit = off; DO $$ BEGIN FOR i IN 1..{SINGLE_ROWS} LOOP
            UPDATE items SET quantity = quantity + 1 WHERE id = i * 3; COMMIT; END LOOP; END $$"
    );
    let [set, block] = single.split_once("; ").map(|(a, b)| [a, b]).ok_or("two statements")?;
    let begun = Instant::now();
    let mut psql = sync.source.psql(set);
    crate::harness::process::expect_success(psql.args(["-c", block]))?;
    taken[3].push(begun.elapsed().as_secs_f64());
    Ok(())
}

fn in_file(bench: &Bench) -> Result<Vec<Line>> {
    let source = File::new(bench.directory.path().join("triggers.sqlite"));
    source.recreate("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, quantity INTEGER)")?;
    let file = bench.directory.path().join("triggers.json");
    let settings = serde_json::json!({
        "name": "triggers", "source": "from", "target": "to", "tables": ["items"],
        "connections": { "from": { "url": source.url() }, "to": { "url": format!("{}.copy", source.url()) } },
        "state": format!("{}.state", source.url()), "create_missing_tables": true,
        "sync_strategy": "incremental", "change_tracking": "triggers",
    });
    std::fs::write(&file, settings.to_string())?;
    let track = |action: &str| crate::harness::rowsync::carry_out(&["track", &file.display().to_string(), action], 0);
    file_statements(&source.open()?, "insert")?;
    let (mut without, mut with) = (Taken::default(), Taken::default());
    for _ in 0..bench.runs {
        file_round(&source, &mut without)?;
        track("install")?;
        file_round(&source, &mut with)?;
        track("remove")?;
    }
    Ok(lines("SQLite", &without, &with))
}

fn file_round(source: &File, taken: &mut Taken) -> Result<()> {
    settle_disk()?;
    let connection = source.open()?;
    for (place, (name, _)) in STATEMENTS.into_iter().enumerate() {
        taken[place].push(file_statements(&connection, name)?.as_secs_f64());
    }
    taken[3].push(file_statements(&connection, "single")?.as_secs_f64());
    Ok(())
}

fn file_statements(connection: &Connection, name: &str) -> Result<Duration> {
    let (sql, rows) = match name {
        "insert" => ("INSERT INTO items VALUES (?1, 'article ' || ?1, 'note', ?1 % 10000)", ROWS),
        "update" => ("UPDATE items SET quantity = quantity + 1 WHERE id = ?1", ROWS),
        "delete" => ("DELETE FROM items WHERE id = ?1", ROWS),
        _ => ("UPDATE items SET quantity = quantity + 1 WHERE id = ?1", SINGLE_ROWS),
    };
    let together = name != "single";
    let begun = Instant::now();
    let mut statement = connection.prepare(sql)?;
    if together {
        connection.execute_batch("BEGIN")?;
    }
    for id in 1..=rows {
        statement.execute([id as i64])?;
    }
    if together {
        connection.execute_batch("COMMIT")?;
    }
    Ok(begun.elapsed())
}

fn lines(engine: &str, without: &Taken, with: &Taken) -> Vec<Line> {
    let names = STATEMENTS.map(|(name, _)| format!("{name} {ROWS} rows"));
    let names = names.into_iter().chain([format!("update {SINGLE_ROWS} rows, a transaction each")]);
    let line = |(name, (without, with)): (String, (&Vec<f64>, &Vec<f64>))| {
        let ratio =
            median(with).zip(median(without)).map_or(String::new(), |(with, without)| format!("{:.2}", with / without));
        [format!("{engine}, triggers: {name}"), spread(with), spread(without), ratio, "without triggers".to_owned()]
    };
    names.zip(without.iter().zip(with)).map(line).collect()
}
