//! The canonical form of a row in SQL, byte by byte what `rowsync_engine::canonical` writes.
//!
//! `record_send` lays tag, length and bytes of all columns behind each other; all that is left to do is to bring each
//! column to the type and the spelling that its domain has there.

use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::{TableView, ViewColumn};

use super::select::{Selected, ViewSql};
use super::wire::Wire;

/// The oldest version that has all functions that are called here (`trim_scale`).
pub const OLDEST_MAJOR_VERSION: u32 = 13;

/// From here on a float rounds to a 32-bit infinity, and up to there to zero; PostgreSQL's cast refuses both.
const FLOAT4_BEYOND: &str = "'3.4028235677973366e38'::float8";
const FLOAT4_NOTHING: &str = "'7.006492321624085e-46'::float8";

/// JSON that `jsonb` may not take: NUL, either half of a surrogate pair alone, numbers of more digits than it holds.
const NO_TEXT: &str = r"\\u(0000|[dD][89abAB]..(?!\\u[dD][c-fC-F]))|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]";
const LARGE_EXPONENT: &str = "[0-9][eE][+-]?[0-9]{5}";
const MANY_DIGITS: &str = "[0-9]{200}";
/// A text up to this length has no number of too many digits.
const FEW_BYTES: u32 = 100_000;

/// The bytes of a row.
///
/// # Errors
/// When a column has a type that does not spell its domain, for which no pair asks.
pub fn row(view: &TableView, sql: &ViewSql) -> Result<String, StoreError> {
    let mut fields = Vec::with_capacity(view.columns.len());
    for (column, selected) in view.columns.iter().zip(&sql.columns) {
        fields.push(field(column, selected).ok_or_else(|| {
            let message = format!("column \"{}\" has no canonical form in SQL", column.column.name);
            StoreError::new(Kind::Bug, "digest", message).at(&view.table)
        })?);
    }
    Ok(format!("record_send(ROW({}))", fields.join(", ")))
}

fn field(column: &ViewColumn, selected: &Selected) -> Option<String> {
    let value = &selected.expression;
    Some(match (selected.domain, selected.wire) {
        (Domain::Int, Wire::Int2 | Wire::Int4 | Wire::Int8) => format!("{value}::int8"),
        (Domain::Decimal { .. }, Wire::Int2 | Wire::Int4 | Wire::Int8) => format!("{value}::text"),
        (Domain::Decimal { scale: None }, Wire::Numeric) => format!("trim_scale({value})::text"),
        (Domain::Decimal { scale: Some(scale) }, Wire::Numeric) => format!("trim_scale(round({value}, {scale}))::text"),
        (Domain::Float | Domain::Float32, Wire::Float4) | (Domain::Float, Wire::Float8) => float(value),
        (Domain::Float32, Wire::Float8) => rounded_float(value),
        // Casting would trim the spaces that count here.
        (Domain::Text, Wire::Text) if column.column.declared == "bpchar" => format!("textin(bpcharout({value}))"),
        (Domain::Text, Wire::Text) => format!("{value}::text"),
        (Domain::PaddedText, Wire::Text) => format!("rtrim({value}::text, ' ')"),
        (Domain::Coarse { digits, .. }, Wire::Time) => format!("{value}::time({digits})"),
        (Domain::Coarse { digits, .. }, Wire::Timestamp) => format!("{value}::timestamp({digits})"),
        (Domain::Coarse { digits, .. }, Wire::TimestampTz) => format!("{value}::timestamptz({digits})"),
        (Domain::Json, Wire::Jsonb) => numbers_by_value(&format!("{value}::text")),
        (Domain::Json, Wire::Json) => numbers_by_value(&as_jsonb(value)),
        // The binary form of a single value stands behind the head of a row of one.
        (Domain::Native, Wire::Opaque) => {
            format!("CASE WHEN {value} IS NOT NULL THEN substr(record_send(ROW({value})), 13) END")
        }
        (domain, wire) if domain == wire.domain() => value.clone(),
        _ => return None,
    })
}

/// -0.0 is 0.0, and NaN has one spelling.
fn float(value: &str) -> String {
    format!("CASE WHEN {value} = 'NaN' THEN 'NaN' ELSE {value}::float8 + 0 END")
}

fn rounded_float(value: &str) -> String {
    format!(
        "CASE WHEN {value} = 'NaN' THEN 'NaN' WHEN abs({value}) >= {FLOAT4_BEYOND} THEN {value} \
         WHEN abs({value}) <= {FLOAT4_NOTHING} THEN 0 ELSE {value}::float4::float8 + 0 END"
    )
}

/// What `jsonb` does not take stays as it is spelled. Equal texts are still equal documents; at worst a range is read
/// that need not be.
fn as_jsonb(value: &str) -> String {
    let text = format!("{value}::text");
    format!(
        "CASE WHEN strpos({text}, '\\u') > 0 AND {text} ~ '{NO_TEXT}' OR {text} ~ '{LARGE_EXPONENT}' \
         OR octet_length({text}) > {FEW_BYTES} AND {text} ~ '{MANY_DIGITS}' THEN {text} ELSE {value}::jsonb::text END"
    )
}

/// `1.50` to `1.5`, outside of strings, which the first branch of the pattern takes whole: that takes a while for each
/// string, so only documents are looked at in which a zero behind a point ends something. OFFSET keeps the planner from
/// printing the document again and again.
fn numbers_by_value(text: &str) -> String {
    const ENDS_IN_ZERO: &str = r"\.[0-9]*0([],}]|$)";
    const ZEROS: &str = r#"("(?:[^"\\]|\\.)*")|(\.[0-9]*[1-9])0+(?![0-9])|\.0+(?![0-9])"#;
    format!(
        "(SELECT CASE WHEN j LIKE '%.%0%' AND j ~ '{ENDS_IN_ZERO}' THEN regexp_replace(j, '{ZEROS}', '\\1\\2', 'g') \
         ELSE j END FROM (SELECT {text} OFFSET 0) rowsync_j(j))"
    )
}
