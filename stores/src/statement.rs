//! Statements in the log, without the values that stand in them. Whether they are told is decided where the log is
//! written, by the table that they belong to.

use std::time::Instant;

/// Of whatever changes nothing.
const READS: &str = "rowsync_sql::reads";
const WRITES: &str = "rowsync_sql::writes";
/// How long statements took.
const TOOK: &str = "rowsync_sql::took";

/// A statement that is asked, until it is answered.
#[must_use]
pub struct Asked {
    operation: &'static str,
    begun: Instant,
}

/// Tells a statement, and how long it took when the value is dropped.
pub fn ask(operation: &'static str, sql: &str) -> Asked {
    tell(operation, sql);
    Asked { operation, begun: Instant::now() }
}

/// Tells a statement that is used more than once.
pub fn tell(operation: &'static str, sql: &str) {
    if operation == "write" {
        tracing::debug!(target: WRITES, operation, "{}", without_values(sql));
    } else {
        tracing::debug!(target: READS, operation, "{}", without_values(sql));
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        tracing::debug!(target: TOOK, operation = self.operation, seconds = self.begun.elapsed().as_secs_f64(), "answered");
    }
}

/// A statement with `?` for each number and text in it. Names keep their quotes.
fn without_values(sql: &str) -> String {
    let mut shown = String::with_capacity(sql.len().min(1024));
    let mut rest = sql.chars().peekable();
    let mut last = ' ';
    while let Some(c) = rest.next() {
        let in_a_word = last.is_alphanumeric() || last == '_' || last == '$';
        match c {
            '\'' => {
                let escapes = matches!(last, 'E' | 'e');
                skip_text(&mut rest, escapes);
                shown.push('?');
            }
            '"' => {
                shown.push(c);
                // A name ends with its quote; one that stands twice begins the next part of it.
                for c in rest.by_ref() {
                    shown.push(c);
                    if c == '"' {
                        break;
                    }
                }
            }
            c if c.is_ascii_digit() && !in_a_word => {
                while rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
                shown.push('?');
            }
            c => shown.push(c),
        }
        last = c;
    }
    shown
}

/// To behind the quote that ends a text.
fn skip_text(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, escapes: bool) {
    while let Some(c) = rest.next() {
        match c {
            '\\' if escapes => drop(rest.next()),
            // A quote within a text stands twice.
            '\'' if rest.next_if_eq(&'\'').is_none() => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn values_are_left_out_and_names_stay() {
        let check = |sql: &str, expected: &str| assert_eq!(without_values(sql), expected);
        check("SELECT a1, \"b 2\" FROM t2 WHERE a1 > 17 LIMIT 500", "SELECT a1, \"b 2\" FROM t2 WHERE a1 > ? LIMIT ?");
        check("x = 'it''s 5 o''clock' AND y = $1", "x = ? AND y = $1");
        check(r"x = E'a\'b 7' AND y", "x = E? AND y");
        check("x IN ('{1,2}'::int8[], -1.5e10, '\\x00ff'::bytea)", "x IN (?::int8[], -?, ?::bytea)");
        check("\"it's\" = 'secret'", "\"it's\" = ?");
        check("'never closed", "?");
    }
}
