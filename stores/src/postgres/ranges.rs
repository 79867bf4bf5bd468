//! One statement for many ranges of the key, each served by the key's index.

use rowsync_engine::error::StoreError;
use rowsync_engine::key::{Key, KeyRange};

use super::literal::text_literal;
use super::select::{Literal, ViewSql};

/// Most ranges in one statement: enough to make a round trip cheap, and few enough to end soon when nobody waits for it
/// any more.
pub const RANGES_A_STATEMENT: usize = 1024;
/// The same where a range is answered by a few bytes: whoever asks for so many at once saves round trips.
pub const DIGESTS_A_STATEMENT: usize = 8192;

/// Selects `expressions` over the rows of a range.
pub fn select_one(sql: &ViewSql, range: &KeyRange, expressions: &str) -> Result<String, StoreError> {
    Ok(format!("SELECT {expressions} FROM {} WHERE {}", sql.from, sql.within(range)?))
}

/// Selects `expressions` over the rows of each range, and the range's index behind them.
pub fn select(sql: &ViewSql, ranges: &[KeyRange], expressions: &str) -> Result<String, StoreError> {
    each(sql, ranges, |after, through| {
        format!("SELECT {expressions} FROM {} WHERE {}", sql.from, sql.between(after, through))
    })
}

/// Runs the statement that `of_range` makes of two bounds for each range, with the range's index behind its columns.
/// Ranges with two ends are joined laterally; one with an open end is a branch of its own, since a bound that may be
/// missing is a condition that no index serves, and so is a single one, which takes a fifth less of the server that way.
pub fn each(
    sql: &ViewSql,
    ranges: &[KeyRange],
    of_range: impl Fn(Option<&[String]>, Option<&[String]>) -> String,
) -> Result<String, StoreError> {
    let mut branches = Vec::new();
    let mut closed = Vec::new();
    for (index, range) in ranges.iter().enumerate() {
        match (&range.after, &range.through) {
            (Some(after), Some(through)) if ranges.len() > 1 => closed.push(Closed { index, after, through }),
            (after, through) => {
                let literals = |key: &Option<Key>| key.as_ref().map(|key| sql.literals(key)).transpose();
                let (after, through) = (literals(after)?, literals(through)?);
                branches
                    .push(format!("SELECT d.*, {index} FROM ({}) d", of_range(after.as_deref(), through.as_deref())));
            }
        }
    }
    if !closed.is_empty() {
        let key_len = sql.key_columns().len();
        let bounds = |letter: &str| (0..key_len).map(|part| format!("rowsync_r.{letter}{part}")).collect::<Vec<_>>();
        let bounds_of_ranges = match as_arrays(sql, &closed)? {
            Some(arrays) => arrays,
            None => as_values(sql, &closed)?,
        };
        branches.push(format!(
            "SELECT d.*, rowsync_r.i FROM {bounds_of_ranges} CROSS JOIN LATERAL ({}) d",
            of_range(Some(&bounds("a")), Some(&bounds("b"))),
        ));
    }
    Ok(branches.join(" UNION ALL "))
}

/// Whether these ranges are the whole table at once, which is better scanned than walked along an index.
pub fn are_whole(ranges: &[KeyRange]) -> bool {
    ranges == [KeyRange::ALL]
}

struct Closed<'a> {
    index: usize,
    after: &'a Key,
    through: &'a Key,
}

/// `a0, a1`.
fn names(letter: &str, key_len: usize) -> String {
    (0..key_len).map(|part| format!("{letter}{part}")).collect::<Vec<_>>().join(", ")
}

/// The bounds as one array for each column of the key: neighbours share a bound, so that a range costs the bytes of one
/// key, and the statement does not grow by a node for each value, which is what takes time in planning. NULL stands
/// where one row of neighbours ends. None where indexes leave gaps or the types of the literals depend on the values.
fn as_arrays(sql: &ViewSql, closed: &[Closed<'_>]) -> Result<Option<String>, StoreError> {
    if !closed.windows(2).all(|pair| pair[1].index == pair[0].index + 1) {
        return Ok(None);
    }
    let key_len = sql.key_columns().len();
    let mut columns = vec![Array::default(); key_len];
    for (place, range) in closed.iter().enumerate() {
        let follows = place.checked_sub(1).is_some_and(|before| closed[before].through == range.after);
        if !follows {
            columns.iter_mut().filter(|_| place > 0).for_each(Array::push_null);
            push_key(&mut columns, &sql.typed_literals(range.after)?);
        }
        push_key(&mut columns, &sql.typed_literals(range.through)?);
    }
    let Some(arrays) = columns.iter().map(Array::sql).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let (a, first) = (names("a", key_len), closed[0].index);
    let nexts: Vec<String> =
        (0..key_len).map(|part| format!("lead(u.a{part}) OVER (ORDER BY u.o) AS b{part}")).collect();
    Ok(Some(format!(
        "(SELECT * FROM (SELECT (u.o - 1 - 2 * count(*) FILTER (WHERE u.a0 IS NULL) OVER (ORDER BY u.o))::int4 + {first} AS i, \
         {a}, {} FROM unnest({}) WITH ORDINALITY u({a}, o)) w WHERE w.a0 IS NOT NULL AND w.b0 IS NOT NULL) rowsync_r",
        nexts.join(", "),
        arrays.join(", "),
    )))
}

fn push_key(columns: &mut [Array], literals: &[Literal]) {
    columns.iter_mut().zip(literals).for_each(|(column, literal)| column.push(literal));
}

/// The bounds as rows of VALUES.
fn as_values(sql: &ViewSql, closed: &[Closed<'_>]) -> Result<String, StoreError> {
    let row = |range: &Closed<'_>| -> Result<String, StoreError> {
        let bounds = [sql.literals(range.after)?, sql.literals(range.through)?].concat();
        Ok(format!("({}, {})", range.index, bounds.join(", ")))
    };
    let rows = closed.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let key_len = sql.key_columns().len();
    Ok(format!("(VALUES {}) rowsync_r(i, {}, {})", rows.join(", "), names("a", key_len), names("b", key_len)))
}

/// Types whose arrays are arrays of themselves and nothing else; an array of arrays would lose its inner ones.
const SCALARS: [&str; 12] = [
    "bigint",
    "text",
    "bpchar",
    "uuid",
    "numeric",
    "double precision",
    "boolean",
    "bytea",
    "date",
    "time",
    "timestamp",
    "timestamptz",
];

/// An array literal under construction.
#[derive(Clone, Default)]
struct Array {
    elements: String,
    sql_type: Option<String>,
    mixed: bool,
}

impl Array {
    fn push(&mut self, literal: &Literal) {
        self.mixed |= self.sql_type.as_ref().is_some_and(|sql_type| *sql_type != literal.sql_type);
        self.sql_type.get_or_insert_with(|| literal.sql_type.clone());
        self.separate();
        let plain = !literal.text.is_empty() && literal.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if plain {
            self.elements.push_str(&literal.text);
        } else {
            let escaped = literal.text.replace('\\', "\\\\").replace('"', "\\\"");
            self.elements.extend(["\"", &escaped, "\""]);
        }
    }

    fn push_null(&mut self) {
        self.separate();
        self.elements.push_str("NULL");
    }

    fn separate(&mut self) {
        if !self.elements.is_empty() {
            self.elements.push(',');
        }
    }

    fn sql(&self) -> Option<String> {
        let sql_type = self.sql_type.as_ref().filter(|name| !self.mixed && SCALARS.contains(&name.as_str()))?;
        Some(format!("{}::{sql_type}[]", text_literal(&format!("{{{}}}", self.elements))))
    }
}
