//! Keys that cut a range into parts of about equally many rows.

use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::schema::{Filled, TableView};
use rowsync_engine::store::Survey;
use rowsync_engine::value::ValueRef;
use rusqlite::{Connection, OptionalExtension};

use super::read::{ROWS_BETWEEN_LOOKS, Result, failed, key_of};
use super::sql;
use super::standing::standing;
use super::thread::Caller;
use super::values::check_domains;
use crate::statement::ask;

/// Probes for each part that is asked for: numbers with gaps still give enough different keys.
const PROBES_OF_A_PART: u64 = 2;

/// Fewer parts than this are counted out row by row, which is exact.
const PARTS_PROBED_MIN: u64 = 8;

/// What is to be cut.
pub struct Cut {
    pub range: KeyRange,
    pub rows_per_part: u64,
    /// Rows of the whole table, where they were counted before.
    pub counted: Option<u64>,
}

/// Keys inside the range that cut it into parts of about `rows_per_part` rows, in rising order.
pub fn split(connection: &Connection, view: &TableView, cut: &Cut, caller: &Caller<'_>) -> Result<Vec<Key>> {
    check_domains(view, "read")?;
    if is_numbered(view)
        && let Some(keys) = probe(connection, view, cut, caller)?
    {
        return Ok(keys);
    }
    step(connection, view, &cut.range, cut.rows_per_part.max(1), caller)
}

/// Whether the key is the rowid, so that every value is found at once and lies between the least and the greatest.
fn is_numbered(view: &TableView) -> bool {
    view.key_len == 1
        // The numbers between two rows tell nothing of how many of them take part.
        && view.filter.is_all()
        && view.columns[0].column.filled == Filled::ByIdentity
        && matches!(view.columns[0].domain, Domain::Int | Domain::Dynamic)
}

/// Numbers that are looked for to see how far apart the rows lie.
const SAMPLES: u64 = 256;
/// Where fewer than one number of so many has a row, the rows may lie in heaps, of which a sample tells nothing.
const SPARSE: f64 = 1000.0;

/// About how many rows there are, by the distance from evenly spaced numbers to the next row: half of what lies between
/// two rows. None where the key is no rowid, or the rows lie too far apart to tell.
pub fn estimate(connection: &Connection, view: &TableView, caller: &Caller<'_>) -> Result<Option<Survey>> {
    if !is_numbered(view) {
        return Ok(None);
    }
    let _standing = standing(connection)?;
    let rows = match ends(connection, view)? {
        Some((least, greatest)) => {
            let span = span(least, greatest) as f64;
            let mut distance = 0.0;
            for probe in evenly(least, greatest, SAMPLES) {
                let next = numbers_at(connection, view, std::iter::once(probe), caller)?;
                distance += next.first().map_or(0.0, |next| *next as f64 - probe as f64);
            }
            let step = 1.0 + 2.0 * distance / SAMPLES as f64;
            if step > SPARSE {
                return Ok(None);
            }
            (span / step) as u64 + 1
        }
        None => 0,
    };
    Ok(Some(Survey { rows, ..Survey::default() }))
}

/// Looks for the rows at evenly spaced numbers, a few microseconds each. `None` where that is not worth it, or the
/// numbers have such gaps that too few different rows are found.
fn probe(connection: &Connection, view: &TableView, cut: &Cut, caller: &Caller<'_>) -> Result<Option<Vec<Key>>> {
    let Some((least, greatest)) = ends(connection, view)? else { return Ok(Some(Vec::new())) };
    let rows = match cut.counted {
        Some(rows) => rows,
        None => count(connection, view)?,
    };
    let (from, to) = (number(cut.range.after.as_ref(), least)?, number(cut.range.through.as_ref(), greatest)?);
    let parts = share(rows, span(from, to), span(least, greatest)) / cut.rows_per_part.max(1);
    if parts < PARTS_PROBED_MIN {
        return Ok(None);
    }
    let probes = parts * PROBES_OF_A_PART;
    let mut found = numbers_at(connection, view, evenly(from, to, probes), caller)?;
    found.retain(|number| *number > from && *number < to);
    if (found.len() as u64) < parts - 1 {
        return Ok(None);
    }
    let each = found.len().div_ceil(parts as usize).max(1);
    let keys = found.into_iter().skip(each - 1).step_by(each).map(|number| Key::new([ValueRef::Int(number)]));
    Ok(Some(keys.collect()))
}

/// The least and the greatest number, each found by itself in the tree.
fn ends(connection: &Connection, view: &TableView) -> Result<Option<(i64, i64)>> {
    let (key, table) = (sql::columns(view.key_columns()), sql::table(view));
    let text = format!("SELECT (SELECT min({key}) FROM {table}), (SELECT max({key}) FROM {table})");
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let ends: (Option<i64>, Option<i64>) =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    Ok(ends.0.zip(ends.1))
}

fn count(connection: &Connection, view: &TableView) -> Result<u64> {
    let text = format!("SELECT count(*) FROM {}", sql::table(view));
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let rows: i64 = statement.query_row([], |row| row.get(0)).map_err(failed)?;
    Ok(rows.unsigned_abs())
}

/// The number that bounds a range, inside the table's own ends.
fn number(bound: Option<&Key>, end: i64) -> Result<i64> {
    let Some(key) = bound else { return Ok(end) };
    let broken = || StoreError::new(Kind::Bug, "split", "a bound of a numbered table is no number");
    match key.values().map_err(|_| broken())?.first() {
        Some(ValueRef::Int(number)) => Ok(*number),
        _ => Err(broken()),
    }
}

fn span(from: i64, to: i64) -> u128 {
    (i128::from(to) - i128::from(from)).max(0).unsigned_abs()
}

/// How many of the rows lie in a part of the span, were they evenly spread.
fn share(rows: u64, part: u128, whole: u128) -> u64 {
    // Widths of 64 bits times counts of 64 bits fit 128.
    let share = (u128::from(rows) * part).checked_div(whole).unwrap_or(u128::from(rows));
    u64::try_from(share).unwrap_or(rows).min(rows)
}

/// The numbers that cut the span into so many parts.
fn evenly(least: i64, greatest: i64, parts: u64) -> impl Iterator<Item = i64> {
    let span = i128::from(greatest) - i128::from(least);
    // Between two numbers of 64 bits lies a number of 64 bits.
    (1..i128::from(parts)).map(move |part| (i128::from(least) + span * part / i128::from(parts)) as i64)
}

/// The first number of a row at or behind each, without repetitions.
fn numbers_at(
    connection: &Connection,
    view: &TableView,
    probes: impl Iterator<Item = i64>,
    caller: &Caller<'_>,
) -> Result<Vec<i64>> {
    let (key, table) = (sql::columns(view.key_columns()), sql::table(view));
    let text = format!("SELECT {key} FROM {table} WHERE {key} >= ?1 ORDER BY {key} LIMIT 1");
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    let mut found: Vec<i64> = Vec::new();
    let _standing = standing(connection)?;
    for probe in probes {
        caller.still_waits()?;
        if found.last().is_some_and(|last| *last >= probe) {
            continue;
        }
        let number = statement.query_row([probe], |row| row.get::<_, i64>(0)).optional().map_err(failed)?;
        found.extend(number);
    }
    Ok(found)
}

/// Walks the key in its order and keeps each n-th.
fn step(
    connection: &Connection,
    view: &TableView,
    range: &KeyRange,
    rows_per_part: u64,
    caller: &Caller<'_>,
) -> Result<Vec<Key>> {
    let text = format!(
        "SELECT {} FROM {}{}{}",
        sql::columns(view.key_columns()),
        sql::table(view),
        sql::in_range(view, range),
        sql::order(view)
    );
    let _asked = ask("read", &text);
    let mut statement = connection.prepare_cached(&text).map_err(failed)?;
    sql::bind_range(&mut statement, view, range)?;
    let mut rows = statement.raw_query();
    let mut keys = Vec::new();
    // A cut is kept once a row behind it is seen, so that no part is empty.
    let mut cut = None;
    let mut count = 0u64;
    while let Some(row) = rows.next().map_err(failed)? {
        keys.extend(cut.take());
        count += 1;
        if count.is_multiple_of(rows_per_part) {
            cut = Some(key_of(row, view)?);
        }
        if count.is_multiple_of(ROWS_BETWEEN_LOOKS) {
            caller.still_waits()?;
        }
    }
    Ok(keys)
}
