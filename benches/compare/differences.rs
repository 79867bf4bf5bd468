//! Differences that are scattered over the whole table: of ten, four rows are changed, three are missing and three extra.
//! One list of statements serves both engines.

use crate::harness::rowsync::Differences;
use crate::rows::COLUMNS_BUT_KEY;

/// Counts are multiples of this.
pub const STEP: u64 = 10;

/// What is to be found where so many differences were made.
pub fn expected(count: u64) -> Differences {
    Differences { changed: count / STEP * 4, missing: count / STEP * 3, extra: count / STEP * 3 }
}

/// The statements that make `count` differences in a copy of a table of `rows` rows; the table has to have two rows for
/// each of them.
pub fn statements(count: u64, rows: u64) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let columns = COLUMNS_BUT_KEY.join(", ");
    vec![
        places(count, rows / count),
        "UPDATE items SET quantity = quantity + 1 WHERE id IN (SELECT id FROM places WHERE number % 10 < 2)".into(),
        "UPDATE items SET name = name || 'x' WHERE id IN (SELECT id FROM places WHERE number % 10 = 2)".into(),
        "UPDATE items SET price = price + 1 WHERE id IN (SELECT id FROM places WHERE number % 10 = 3)".into(),
        "DELETE FROM items WHERE id IN (SELECT id FROM places WHERE number % 10 BETWEEN 4 AND 6)".into(),
        format!(
            "INSERT INTO items (id, {columns}) SELECT p.free_id, {columns} FROM items \
             JOIN places p ON p.id = items.id AND p.number % 10 > 6"
        ),
        "DROP TABLE places".into(),
    ]
}

/// One row of the source out of each `stride`, at another place in each.
fn places(count: u64, stride: u64) -> String {
    format!(
        "CREATE TEMPORARY TABLE places AS \
         WITH RECURSIVE numbers(number) AS ( \
           SELECT CAST(0 AS BIGINT) UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < {count}), \
         rows(number, place) AS ( \
           SELECT number, number * {stride} + (number * 7919 + number * number * 104729) % {stride} FROM numbers) \
         SELECT number, place * 3 + 1 + place % 5 % 2 AS id, place * 3 + 3 AS free_id FROM rows"
    )
}
