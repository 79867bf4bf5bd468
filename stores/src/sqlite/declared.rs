//! Declared types: what they say about a column's values, and which to declare for such values.
//!
//! SQLite takes any words for a type. These are read as the programs that write them mean them; words that say nothing
//! known leave a column `Dynamic`.

use rowsync_engine::schema::{Column, DataType};

use super::affinity::Affinity;

/// Digits that SQLite's numbers keep; decimals with more are stored as text.
const DIGITS_KEPT: u32 = 15;

/// What a declared type says.
pub fn data_type(declared: &str) -> DataType {
    let upper = declared.to_ascii_uppercase();
    let (words, arguments) = upper.split_once('(').unwrap_or((&upper, ""));
    let mut numbers = arguments.trim_end_matches(|c| c != ')').trim_end_matches(')').split(',');
    let mut number = || numbers.next().and_then(|text| text.trim().parse().ok());
    let says = |candidates: &[&str]| candidates.iter().any(|word| words.contains(word));
    let is_zoned = says(&["TIMESTAMPTZ", "TIMETZ"]) || upper.contains("WITH TIME ZONE");
    if words.trim().is_empty() {
        DataType::Dynamic
    } else if says(&["INTERVAL"]) {
        DataType::Interval
    } else if says(&["POINT"]) {
        // Contains INT, and is none.
        DataType::Dynamic
    } else if says(&["BOOL"]) {
        DataType::Bool
    } else if says(&["UUID", "GUID", "UNIQUEIDENTIFIER"]) {
        DataType::Uuid
    } else if says(&["JSON"]) {
        DataType::Json
    } else if says(&["DECIMAL", "NUMERIC"]) {
        DataType::Decimal { precision: number(), scale: number() }
    } else if says(&["TIMESTAMP", "DATETIME"]) {
        if is_zoned { DataType::TimestampTz } else { DataType::Timestamp }
    } else if says(&["DATE"]) {
        DataType::Date
    } else if says(&["TIME"]) {
        // A time of day with a zone is no type that is known here.
        if is_zoned { DataType::Dynamic } else { DataType::Time }
    } else if says(&["INT"]) {
        DataType::Int { bits: 64 }
    } else if says(&["REAL", "FLOA", "DOUB"]) {
        DataType::Float { bits: 64 }
    } else if says(&["CHAR", "TEXT", "CLOB"]) {
        DataType::Text { max_chars: number() }
    } else if says(&["BLOB", "BINARY"]) {
        DataType::Bytes
    } else {
        DataType::Dynamic
    }
}

/// The type to declare for a column like this one: its own words where they mean the same here, else words that do.
pub fn declaration(like: &Column, is_key: bool) -> String {
    let means_the_same = data_type(&like.declared) == like.data_type;
    if means_the_same && is_type_name(&like.declared) && keeps_digits(like, is_key) {
        return like.declared.clone();
    }
    match &like.data_type {
        DataType::Bool => "BOOLEAN".into(),
        DataType::Int { .. } => "INTEGER".into(),
        DataType::Float { .. } => "REAL".into(),
        DataType::Decimal { precision, scale } => decimal(*precision, *scale, is_key),
        DataType::Text { max_chars: Some(chars) } => format!("VARCHAR({chars})"),
        DataType::PaddedText { chars } => format!("CHAR({chars})"),
        DataType::Text { max_chars: None } | DataType::Enum { .. } | DataType::Other | DataType::Local => "TEXT".into(),
        DataType::Bytes => "BLOB".into(),
        DataType::Uuid => "UUID TEXT".into(),
        DataType::Date => "DATE".into(),
        DataType::Time => "TIME".into(),
        DataType::Timestamp => "TIMESTAMP".into(),
        DataType::TimestampTz => "TIMESTAMPTZ".into(),
        DataType::Interval => "INTERVAL".into(),
        DataType::Json => "JSON BLOB".into(),
        DataType::Dynamic => String::new(),
    }
}

/// Decimals that numbers hold are numbers; longer ones keep their digits as texts, and what is a number stays one, under
/// a name with BLOB in it, which is how SQLite spells "leave it as it is". A key has to be sorted by value, so it is a
/// number in any case, and a value that does not fit is refused when it comes.
fn decimal(precision: Option<u32>, scale: Option<u32>, is_key: bool) -> String {
    let fits = precision.is_some_and(|digits| digits <= DIGITS_KEPT);
    let words = if fits || is_key { "NUMERIC" } else { "DECIMAL BLOB" };
    match (precision, scale) {
        (Some(precision), Some(scale)) => format!("{words}({precision},{scale})"),
        (Some(precision), None) => format!("{words}({precision})"),
        (None, _) => words.into(),
    }
}

fn keeps_digits(like: &Column, is_key: bool) -> bool {
    match like.data_type {
        DataType::Decimal { precision: Some(..=DIGITS_KEPT), .. } => true,
        DataType::Decimal { .. } => is_key == Affinity::of(&like.declared).is_numeric(),
        // A document may be a number, which would lose digits.
        DataType::Json => !Affinity::of(&like.declared).is_numeric(),
        _ => true,
    }
}

/// Whether SQLite's grammar takes it for a type name and nothing else: words, then at most two numbers in parentheses.
fn is_type_name(declared: &str) -> bool {
    /// Words that begin a constraint where a type may end.
    const ENDS_A_TYPE: [&str; 11] = [
        "AS",
        "CHECK",
        "COLLATE",
        "CONSTRAINT",
        "DEFAULT",
        "GENERATED",
        "NOT",
        "NULL",
        "PRIMARY",
        "REFERENCES",
        "UNIQUE",
    ];
    let (words, arguments) = match declared.split_once('(') {
        Some((words, arguments)) => (words, arguments.strip_suffix(')')),
        None => (declared, Some("0")),
    };
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !ENDS_A_TYPE.contains(&word.to_ascii_uppercase().as_str())
    };
    let is_number = |text: &str| !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit());
    words.split_ascii_whitespace().all(is_word)
        && arguments.is_some_and(|text| text.split(',').count() <= 2 && text.split(',').all(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_are_read_as_they_are_meant() {
        let check = |declared, data_type: DataType| assert_eq!(super::data_type(declared), data_type, "{declared}");
        check("", DataType::Dynamic);
        check("whatever", DataType::Dynamic);
        check("INTEGER", DataType::Int { bits: 64 });
        check("bigint", DataType::Int { bits: 64 });
        check("TINYINT(1)", DataType::Int { bits: 64 });
        check("BOOLEAN", DataType::Bool);
        check("REAL", DataType::Float { bits: 64 });
        check("double precision", DataType::Float { bits: 64 });
        check("NUMERIC", DataType::Decimal { precision: None, scale: None });
        check("NUMERIC(10,2)", DataType::Decimal { precision: Some(10), scale: Some(2) });
        check("decimal(10, 2)", DataType::Decimal { precision: Some(10), scale: Some(2) });
        check("NVARCHAR(160)", DataType::Text { max_chars: Some(160) });
        check("CHARACTER VARYING", DataType::Text { max_chars: None });
        check("TEXT", DataType::Text { max_chars: None });
        check("CLOB", DataType::Text { max_chars: None });
        check("BLOB", DataType::Bytes);
        check("VARBINARY(16)", DataType::Bytes);
        check("UUID", DataType::Uuid);
        check("guid", DataType::Uuid);
        check("DATE", DataType::Date);
        check("TIME", DataType::Time);
        check("DATETIME", DataType::Timestamp);
        check("TIMESTAMP", DataType::Timestamp);
        check("timestamp without time zone", DataType::Timestamp);
        check("TIMESTAMPTZ", DataType::TimestampTz);
        check("timestamp with time zone", DataType::TimestampTz);
        check("INTERVAL", DataType::Interval);
        check("JSON", DataType::Json);
        check("jsonb", DataType::Json);
        check("POINT", DataType::Dynamic);
    }

    fn column(declared: &str, data_type: DataType) -> Column {
        Column {
            name: "a".into(),
            data_type,
            declared: declared.into(),
            nullable: true,
            filled: rowsync_engine::schema::Filled::ByWriter,
            collation: None,
            has_default: false,
        }
    }

    #[test]
    fn what_is_declared_means_the_same_again() {
        let types = [
            DataType::Bool,
            DataType::Int { bits: 64 },
            DataType::Float { bits: 64 },
            DataType::Decimal { precision: None, scale: None },
            DataType::Decimal { precision: Some(10), scale: Some(2) },
            DataType::Decimal { precision: Some(38), scale: Some(9) },
            DataType::Text { max_chars: None },
            DataType::Text { max_chars: Some(9) },
            DataType::Bytes,
            DataType::Uuid,
            DataType::Date,
            DataType::Time,
            DataType::Timestamp,
            DataType::TimestampTz,
            DataType::Interval,
            DataType::Json,
            DataType::Dynamic,
        ];
        for expected in types {
            let declared = declaration(&column("another engine's words", expected.clone()), false);
            assert_eq!(data_type(&declared), expected, "{declared}");
            assert!(is_type_name(&declared), "{declared}");
        }
    }

    #[test]
    fn own_words_are_kept_where_they_are_a_type_and_lose_nothing() {
        let check = |declared, expected| {
            assert_eq!(declaration(&column(declared, data_type(declared)), false), expected, "{declared}");
        };
        check("NVARCHAR(160)", "NVARCHAR(160)");
        check("numeric(10,2)", "numeric(10,2)");
        check("numeric(30,10)", "DECIMAL BLOB(30,10)");
        check("timestamp with time zone", "timestamp with time zone");
        check("timestamp(3) with time zone", "TIMESTAMPTZ");
        check("STRING", "STRING");
        check("jsonb", "JSON BLOB");
        check("JSON TEXT", "JSON TEXT");
        check("TEXT NOT NULL", "TEXT");
        check("TEXT); DROP TABLE t; --", "TEXT");
    }
}
