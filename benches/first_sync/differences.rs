//! A hundred differences: 40 changed, 30 missing, 30 extra; ten among the oldest rows, ten among the newest, eighty
//! scattered. One list of statements serves both engines.

use crate::harness::rowsync::Differences;
use crate::rows::{free_id, id};

pub const EXPECTED: Differences = Differences { changed: 40, missing: 30, extra: 30 };
const COUNT: u64 = EXPECTED.changed + EXPECTED.missing + EXPECTED.extra;
/// So many lie at each end of the table.
const AT_AN_END: u64 = 10;

/// The statements that make the copy of a table of `rows` rows differ from it.
pub fn statements(rows: u64) -> Vec<String> {
    (0..COUNT).map(|number| statement(number, place(number, rows))).collect()
}

/// Where a difference lies: a row of the source, each row at most once.
fn place(number: u64, rows: u64) -> u64 {
    let scattered = COUNT - 2 * AT_AN_END;
    if number < AT_AN_END {
        number
    } else if number >= COUNT - AT_AN_END {
        rows - (COUNT - number)
    } else {
        AT_AN_END + (number - AT_AN_END) * (rows - 2 * AT_AN_END) / scattered
    }
}

/// Of ten in a row, four change, three go and three come.
fn statement(number: u64, place: u64) -> String {
    let id = id(place);
    match number % 10 {
        0 => format!("UPDATE items SET quantity = quantity + 1 WHERE id = {id}"),
        1 => format!("UPDATE items SET name = name || 'x' WHERE id = {id}"),
        // An empty text and none are two things.
        2 => format!("UPDATE items SET note = CASE WHEN note IS NULL THEN '' END WHERE id = {id}"),
        3 => format!("UPDATE items SET price = price + 0.01 WHERE id = {id}"),
        4..=6 => format!("DELETE FROM items WHERE id = {id}"),
        _ => format!(
            "INSERT INTO items SELECT {}, name, email, note, price, quantity, attributes, created_at, modified_at \
             FROM items WHERE id = {id}",
            free_id(place)
        ),
    }
}
