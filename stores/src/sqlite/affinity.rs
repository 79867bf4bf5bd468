//! What SQLite makes of a value when it stores it: the affinity of a column, and which values survive it.
//!
//! SQLite converts in silence: the text `007` becomes the number 7 in a column declared INTEGER, and a decimal of 20
//! digits a float of 17. Nothing may be lost in silence here, so what would not come back equal is refused beforehand.

pub use rowsync_engine::affinity::Affinity;
use rowsync_engine::canonical::{normal_decimal, plain_number};
use rusqlite::types::ValueRef as Stored;

use super::values::whole;

/// Hands over what a column of this affinity keeps of a value that is bound.
#[inline]
pub fn keep(affinity: Affinity, bound: Stored<'_>, kept: impl FnOnce(Stored<'_>)) {
    match (bound, affinity) {
        (Stored::Real(f), Affinity::Integer | Affinity::Numeric) => kept(number(f)),
        (Stored::Integer(i), Affinity::Real) => kept(Stored::Real(i as f64)),
        (Stored::Integer(i), Affinity::Text) => kept(Stored::Text(i.to_string().as_bytes())),
        (Stored::Text(text), _) if affinity.is_numeric() => kept(number_of(text, affinity)),
        _ => kept(bound),
    }
}

fn number_of(bytes: &[u8], affinity: Affinity) -> Stored<'_> {
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| looks_numeric(text)).map(str::trim) else {
        return Stored::Text(bytes);
    };
    match (text.parse::<i64>(), text.parse::<f64>(), affinity) {
        (Ok(i), _, Affinity::Integer | Affinity::Numeric) => Stored::Integer(i),
        (_, Ok(f), Affinity::Real) => Stored::Real(f),
        (_, Ok(f), _) => number(f),
        _ => Stored::Text(bytes),
    }
}

/// A float in a column that prefers whole numbers, which leaves out the ends of their range.
fn number<'a>(f: f64) -> Stored<'a> {
    match whole(f) {
        Some(i) if i > i64::MIN && i < i64::MAX => Stored::Integer(i),
        _ => Stored::Real(f),
    }
}

/// Whether SQLite takes the text for a number.
pub fn looks_numeric(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Dates and times begin like numbers, and are most of what comes here.
    let of_a_number = |b: u8| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !text.bytes().all(of_a_number) {
        return false;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// What a text that looks like a number is read as, once it has been stored under a numeric affinity.
pub fn read_back(text: &str, affinity: Affinity) -> String {
    let text = text.trim();
    let whole = text.strip_prefix('+').unwrap_or(text).parse::<i64>().ok();
    match (whole, affinity) {
        (Some(number), Affinity::Integer | Affinity::Numeric) => number.to_string(),
        _ => float_text(text.parse().unwrap_or(f64::NAN)),
    }
}

/// Whether such a text comes back as the same number, whatever its spelling.
pub fn digits_survive(text: &str, affinity: Affinity) -> bool {
    let normal = |text: &str| normal_decimal(&plain_number(text));
    normal(&read_back(text, affinity)) == normal(text)
}

/// The shortest text that is read as the same float, with a point or an exponent, as SQLite shows it.
pub fn float_text(float: f64) -> String {
    format!("{float:?}")
}

#[cfg(test)]
mod tests {
    use rusqlite::types::{ToSqlOutput, Value};

    use super::*;

    #[test]
    fn numbers_are_told_from_texts_as_sqlite_does() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        database.execute_batch("CREATE TABLE t(a NUMERIC)").unwrap();
        let texts = [
            "7",
            "007",
            " 7 ",
            "+7",
            "-7",
            "1.10",
            "1.",
            ".5",
            ".",
            "-",
            "+",
            "",
            "1e5",
            "1e",
            "1e+",
            "1E-3",
            "0x10",
            "7a",
            "2024-05-01",
            "1 2",
            "infinity",
            "NaN",
            "1_000",
            "12345678901234567890",
            "\u{a0}7",
        ];
        for text in texts {
            let kind: String =
                database.query_row("INSERT INTO t VALUES (?1) RETURNING typeof(a)", [text], |row| row.get(0)).unwrap();
            assert_eq!(looks_numeric(text), kind != "text", "{text:?}");
        }
    }

    #[test]
    fn what_a_column_keeps_is_foreseen() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        let declared = ["INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"];
        let numbers = [0, 1, -7, 1 << 53, i64::MAX, i64::MIN].map(Stored::Integer);
        let floats = [0.0, 1.5, -2.0, 1e15, 1e18, 9.3e18, -9.3e18, 1e300, f64::INFINITY, 0.1].map(Stored::Real);
        let texts = ["", "a", "7", " 7 ", "+7", "1.0", "1.10", "1e3", "1e400", "9223372036854775807", "0x10", "1e-3"];
        let texts = texts.map(|text| Stored::Text(text.as_bytes()));
        let others = [Stored::Null, Stored::Blob(b"7")];
        for declared in declared {
            database.execute_batch(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t(a {declared})")).unwrap();
            let affinity = Affinity::of(declared);
            for bound in numbers.iter().chain(&floats).chain(&texts).chain(&others) {
                // Floats are spelled before they are bound to a text column, since SQLite drops digits.
                if affinity == Affinity::Text && matches!(bound, Stored::Real(_)) {
                    continue;
                }
                database.execute("INSERT INTO t VALUES (?1)", [ToSqlOutput::Borrowed(*bound)]).unwrap();
                let last = "SELECT a FROM t WHERE rowid = last_insert_rowid()";
                let read: Value = database.query_row(last, [], |row| row.get(0)).unwrap();
                keep(affinity, *bound, |kept| assert_eq!(kept, (&read).into(), "{bound:?} in {declared}"));
            }
        }
    }

    #[test]
    fn digits_that_a_float_does_not_hold_do_not_survive() {
        assert!(digits_survive("1.10", Affinity::Numeric));
        assert!(digits_survive("0012", Affinity::Integer));
        assert!(digits_survive("9223372036854775807", Affinity::Integer));
        assert!(!digits_survive("9223372036854775807", Affinity::Real));
        assert!(!digits_survive("12345678901234567890", Affinity::Numeric));
        assert!(!digits_survive("1.0000000000000000001", Affinity::Numeric));
    }
}
