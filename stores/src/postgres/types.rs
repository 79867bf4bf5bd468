//! Types of PostgreSQL in the vocabulary of the engine, and back.

use rowsync_engine::schema::{Column, DataType};

/// What a type modifier counts from (VARHDRSZ).
const MODIFIER_BASE: i32 = 4;

/// The kind of values of a type, by its name in `pg_type` and its modifier (-1 for none).
pub fn data_type(name: &str, modifier: i32) -> DataType {
    let length = u32::try_from(modifier - MODIFIER_BASE).ok();
    match name {
        "bool" => DataType::Bool,
        "int2" => DataType::Int { bits: 16 },
        "int4" => DataType::Int { bits: 32 },
        "int8" => DataType::Int { bits: 64 },
        "float4" => DataType::Float { bits: 32 },
        "float8" => DataType::Float { bits: 64 },
        "numeric" => decimal(modifier),
        "varchar" => DataType::Text { max_chars: length },
        "text" | "citext" | "xml" => DataType::Text { max_chars: None },
        "name" => DataType::Text { max_chars: Some(63) },
        "bpchar" => length.map_or(DataType::Text { max_chars: None }, |chars| DataType::PaddedText { chars }),
        "bytea" => DataType::Bytes,
        "uuid" => DataType::Uuid,
        "date" => DataType::Date,
        "time" => DataType::Time,
        "timestamp" => DataType::Timestamp,
        "timestamptz" => DataType::TimestampTz,
        "interval" => DataType::Interval,
        "json" | "jsonb" => DataType::Json,
        // No server reads the binary form of an empty query.
        "tsquery" => DataType::Local,
        _ => DataType::Other,
    }
}

/// Precision in the upper 16 bits, scale in the lower 11, signed since PostgreSQL 15.
fn decimal(modifier: i32) -> DataType {
    if modifier < MODIFIER_BASE {
        return DataType::Decimal { precision: None, scale: None };
    }
    let bits = modifier - MODIFIER_BASE;
    let scale = ((bits & 0x7ff) ^ 1024) - 1024;
    // A scale below zero means as many digits more before the point, all of them zero.
    let precision = (bits >> 16) - scale.min(0);
    DataType::Decimal { precision: Some(precision as u32), scale: Some(scale.max(0) as u32) }
}

/// The type that holds a column of any engine.
pub fn declaration(column: &Column) -> String {
    if is_ours(column) {
        return column.declared.clone();
    }
    match &column.data_type {
        DataType::Bool => "boolean".into(),
        DataType::Int { bits: 16 } => "smallint".into(),
        DataType::Int { bits: 32 } => "integer".into(),
        DataType::Int { .. } => "bigint".into(),
        DataType::Float { bits: 32 } => "real".into(),
        DataType::Float { .. } => "double precision".into(),
        DataType::Decimal { precision: Some(precision), scale } if (1..=1000).contains(precision) => {
            format!("numeric({precision},{})", scale.unwrap_or(0))
        }
        DataType::Decimal { .. } => "numeric".into(),
        DataType::PaddedText { chars } if (1..=10_485_760).contains(chars) => format!("character({chars})"),
        DataType::Bytes => "bytea".into(),
        DataType::Uuid => "uuid".into(),
        DataType::Date => "date".into(),
        DataType::Time => "time without time zone".into(),
        DataType::Timestamp => "timestamp without time zone".into(),
        DataType::TimestampTz => "timestamp with time zone".into(),
        DataType::Interval => "interval".into(),
        DataType::Json => "jsonb".into(),
        DataType::Text { .. }
        | DataType::PaddedText { .. }
        | DataType::Enum { .. }
        | DataType::Dynamic
        | DataType::Other
        | DataType::Local => "text".into(),
    }
}

/// Whether the declaration is spelled as `format_type` of PostgreSQL does, and means what the column holds; other
/// engines have types of the same name and another meaning (`real`, `integer`).
fn is_ours(column: &Column) -> bool {
    let holds = &column.data_type;
    let any_text = matches!(holds, DataType::Text { .. });
    match without_modifier(&column.declared).as_str() {
        "boolean" => *holds == DataType::Bool,
        "smallint" => *holds == DataType::Int { bits: 16 },
        "integer" => *holds == DataType::Int { bits: 32 },
        "bigint" => *holds == DataType::Int { bits: 64 },
        "real" => *holds == DataType::Float { bits: 32 },
        "double precision" => *holds == DataType::Float { bits: 64 },
        "numeric" => matches!(holds, DataType::Decimal { .. }),
        "text" | "character varying" | "name" | "xml" | "bpchar" => any_text,
        "character" => matches!(holds, DataType::PaddedText { .. }),
        "bytea" => *holds == DataType::Bytes,
        "uuid" => *holds == DataType::Uuid,
        "date" => *holds == DataType::Date,
        "time without time zone" => *holds == DataType::Time,
        "timestamp without time zone" => *holds == DataType::Timestamp,
        "timestamp with time zone" => *holds == DataType::TimestampTz,
        "interval" => *holds == DataType::Interval,
        "json" | "jsonb" => *holds == DataType::Json,
        _ => false,
    }
}

/// `timestamp without time zone` of `timestamp(3) without time zone`.
fn without_modifier(declared: &str) -> String {
    match (declared.find('('), declared.find(')')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &declared[..open], &declared[close + 1..]),
        _ => declared.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowsync_engine::schema::Filled;

    fn check(declared: &str, data_type: DataType, expected: &str) {
        let column = Column {
            name: "c".into(),
            data_type,
            declared: declared.into(),
            nullable: true,
            filled: Filled::ByWriter,
            collation: None,
            has_default: false,
        };
        assert_eq!(declaration(&column), expected, "{declared}");
    }

    #[test]
    fn our_own_declarations_are_kept_and_others_are_mapped() {
        check("timestamp(3) without time zone", DataType::Timestamp, "timestamp(3) without time zone");
        check("character varying(30)", DataType::Text { max_chars: Some(30) }, "character varying(30)");
        check("numeric(10,2)", DataType::Decimal { precision: Some(10), scale: Some(2) }, "numeric(10,2)");
        check("integer", DataType::Int { bits: 64 }, "bigint");
        check("NVARCHAR(160)", DataType::Text { max_chars: Some(160) }, "text");
        check("real", DataType::Float { bits: 64 }, "double precision");
        check("", DataType::Dynamic, "text");
    }

    #[test]
    fn modifiers_tell_precision_and_length() {
        assert_eq!(data_type("numeric", 655_366), DataType::Decimal { precision: Some(10), scale: Some(2) });
        assert_eq!(data_type("numeric", 329_730), DataType::Decimal { precision: Some(7), scale: Some(0) });
        assert_eq!(data_type("numeric", -1), DataType::Decimal { precision: None, scale: None });
        assert_eq!(data_type("varchar", 34), DataType::Text { max_chars: Some(30) });
        assert_eq!(data_type("bpchar", 7), DataType::PaddedText { chars: 3 });
        assert_eq!(data_type("int4multirange", -1), DataType::Other);
    }
}
