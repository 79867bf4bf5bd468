//! Which values of one column another one does not take, and which it takes rounded; from both declarations alone.

use super::Side;
use super::domains::{own_domain, second_digits};
use crate::affinity::Affinity;
use crate::domain::Domain;
use crate::schema::{Column, DataType, Filled};

/// Digits that every float of 32 and of 64 bits keeps of a decimal, and the highest whole number up to which the latter has
/// all.
const REAL_DIGITS: u32 = 6;
const FLOAT_DIGITS: u32 = 15;
const FLOAT_WHOLE: &str = "9007199254740992";
/// Digits of the highest number of 64 bits.
const INT_DIGITS: u32 = 19;

/// What becomes of a value that does not go over as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Values of this description are refused, by the column's name.
    Refused(String),
    /// They are compared and kept rounded.
    Rounded(String),
}

fn refused(values: impl Into<String>) -> Option<Loss> {
    Some(Loss::Refused(values.into()))
}

/// All losses of a pair of columns that meet in `domain`; none: every value goes over.
pub(super) fn losses(source: Side<'_>, s: &Column, target: Side<'_>, t: &Column, domain: Domain) -> Vec<Loss> {
    let own = match (source.capabilities.typed, target.capabilities.typed) {
        (false, true) => from_untyped(s, t).or_else(|| between(&signed(s), t, domain)),
        (true, true) => between(s, t, domain),
        (true, false) => into_untyped(s, t),
        (false, false) => between_untyped(s, t),
    };
    let nulls = s.nullable && !t.nullable && t.filled == Filled::ByWriter;
    let beside = if target.capabilities.typed { [beyond_a_float(s, t), spaces(s, t)] } else { [None, None] };
    own.into_iter().chain(beside.into_iter().flatten()).chain(nulls.then(|| Loss::Refused("NULL".into()))).collect()
}

/// Where nothing binds a type, no number is larger for having no sign.
fn signed(s: &Column) -> Column {
    let declared = if matches!(s.data_type, DataType::Int { .. }) { String::new() } else { s.declared.clone() };
    Column { declared, ..s.clone() }
}

/// A padded text does not know how many spaces it ended with.
fn spaces(s: &Column, t: &Column) -> Option<Loss> {
    let (from, to) = (&s.data_type, &t.data_type);
    let loses = matches!((from, to), (DataType::Text { .. }, DataType::PaddedText { .. }));
    loses.then(|| Loss::Rounded("texts that end in spaces, which do not count".into()))
}

/// A float has its end, whatever digits it keeps.
fn beyond_a_float(s: &Column, t: &Column) -> Option<Loss> {
    use DataType as T;
    match (&s.data_type, &t.data_type) {
        (T::Float { bits: 64 }, T::Float { bits: 32 }) => refused("numbers beyond 3.4e38"),
        (T::Decimal { precision, .. }, T::Float { bits: 32 }) if precision.is_none_or(|digits| digits > 38) => {
            refused("numbers beyond 3.4e38")
        }
        (T::Decimal { precision, .. }, T::Float { .. }) if precision.is_none_or(|digits| digits > 308) => {
            refused("numbers beyond 1.8e308")
        }
        _ => None,
    }
}

/// The table of losses: what the target's declaration leaves out of what the source's lets in.
fn between(s: &Column, t: &Column, domain: Domain) -> Option<Loss> {
    use DataType as T;
    match (&s.data_type, &t.data_type) {
        _ if domain == Domain::Native => None,
        (T::Int { .. }, T::Int { .. }) => narrower(s, t),
        (T::Int { .. }, T::Bool) => refused("numbers other than 0 and 1"),
        (T::Int { bits: 32.. }, T::Float { bits: 32 }) => rounded_whole("16777216"),
        (T::Int { bits: 64 }, T::Float { .. }) => rounded_whole(FLOAT_WHOLE),
        (T::Int { .. }, T::Float { .. }) => None,
        (T::Float { bits: 64 }, T::Float { bits: 32 }) => {
            Some(Loss::Rounded("numbers of more digits than 32 bits hold".into()))
        }
        (T::Decimal { precision, .. }, T::Float { bits }) => {
            let kept = if *bits == 32 { REAL_DIGITS } else { FLOAT_DIGITS };
            let fits = precision.is_some_and(|digits| digits <= kept);
            if fits { None } else { Some(Loss::Rounded(format!("numbers of more than {kept} digits"))) }
        }
        (T::Float { .. }, T::Int { .. }) => refused("numbers with a fraction, those beyond the range, NaN"),
        (T::Decimal { precision: Some(p), scale: Some(0) }, T::Int { bits }) if *p < int_digits(*bits) => None,
        (T::Decimal { .. }, T::Int { .. }) => refused("numbers with a fraction, those beyond the range, NaN"),
        (T::Decimal { .. } | T::Int { .. } | T::Float { .. }, T::Decimal { .. }) => too_many_digits(s, t),
        (T::Timestamp, T::Date) => refused("timestamps with a time of day"),
        (T::Time, T::Time) | (T::Timestamp | T::TimestampTz, T::Timestamp | T::TimestampTz) => finer_seconds(s, t),
        (T::Json, T::Json) if t.declared == "jsonb" && s.declared != "jsonb" => {
            refused("documents with \\u0000 or half a surrogate pair")
        }
        (T::Enum { labels: from }, T::Enum { labels: to }) => missing_labels(from, to),
        (_, T::Enum { .. }) => refused("texts that are none of the labels"),
        (_, T::Text { max_chars: Some(max) } | T::PaddedText { chars: max }) => longer_texts(s, *max),
        (_, T::Text { .. }) => None,
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) && own_domain(a) != Domain::Text => None,
        (T::Date, T::Timestamp) => refused("dates after the year 294276"),
        (T::Uuid, T::Bytes) | (T::Bool, T::Int { .. }) => None,
        (_, T::Other | T::Local) if s.declared == t.declared => None,
        (_, T::Other | T::Local) => refused(format!("texts that are no {}", t.declared)),
        _ => refused(format!("values that are no {}", word(&t.data_type))),
    }
}

/// What a declaration that binds nothing says of the values, where that is more than their type does.
fn from_untyped(s: &Column, t: &Column) -> Option<Loss> {
    use DataType as T;
    match (&s.data_type, &t.data_type) {
        (T::Bytes | T::Dynamic, T::Text { .. } | T::PaddedText { .. }) => refused("bytes that are no text"),
        (T::TimestampTz, T::Timestamp) => refused("moments with an offset that is not UTC"),
        _ => None,
    }
}

/// The other side binds no types; what a numeric declaration does to numbers and texts is all that can go wrong.
fn into_untyped(s: &Column, t: &Column) -> Option<Loss> {
    use DataType as T;
    // Also in columns for dates and for JSON.
    let converts = Affinity::of(&t.declared).is_numeric();
    match &s.data_type {
        T::Decimal { precision: Some(..=FLOAT_DIGITS), .. } => None,
        T::Decimal { .. } if converts => refused(format!("numbers of more than {FLOAT_DIGITS} digits")),
        T::Int { bits: 64 } if matches!(t.data_type, T::Float { .. }) && converts => {
            refused(format!("numbers beyond {FLOAT_WHOLE} that are no float"))
        }
        T::Text { .. } | T::PaddedText { .. } | T::Enum { .. } | T::Other | T::Local if converts => {
            refused("texts that read as numbers in another spelling, such as 007")
        }
        T::Json if converts => {
            refused(format!("documents that are nothing but a number of more than {FLOAT_DIGITS} digits"))
        }
        _ => None,
    }
}

/// Neither side binds types, and storage classes count: another declaration may turn one into another.
fn between_untyped(s: &Column, t: &Column) -> Option<Loss> {
    use Affinity as A;
    match (A::of(&s.declared), A::of(&t.declared)) {
        (from, to) if from == to => None,
        (_, A::None) | (A::Integer | A::Real | A::Numeric, A::Integer | A::Numeric) => None,
        (A::Integer | A::Numeric, A::Real) => refused(format!("whole numbers beyond {FLOAT_WHOLE} that are no float")),
        _ => refused(format!("values that a column of type {} stores as another type", t.declared)),
    }
}

fn rounded_whole(beyond: &str) -> Option<Loss> {
    Some(Loss::Rounded(format!("numbers beyond {beyond}")))
}

fn int_digits(bits: u8) -> u32 {
    match bits {
        16 => 5,
        32 => 10,
        _ => INT_DIGITS,
    }
}

/// Whole numbers from the lowest to the highest, as width and sign tell.
fn range(column: &Column) -> Option<(i128, i128)> {
    let DataType::Int { bits } = column.data_type else { return None };
    let half = 1_i128 << (bits - 1);
    let is_unsigned = column.declared.to_ascii_lowercase().contains("unsigned");
    Some(if is_unsigned { (0, 2 * half - 1) } else { (-half, half - 1) })
}

fn narrower(s: &Column, t: &Column) -> Option<Loss> {
    let ((lowest, highest), (low, high)) = (range(s)?, range(t)?);
    match (lowest < low, highest > high) {
        (false, false) => None,
        (true, false) => refused(format!("numbers below {low}")),
        (false, true) => refused(format!("numbers above {high}")),
        (true, true) => refused(format!("numbers outside of {low} to {high}")),
    }
}

/// Digits before and behind the point; `None` where there is no end to them.
fn digits(column: &Column) -> (Option<u32>, Option<u32>) {
    match column.data_type {
        DataType::Int { bits } => (Some(int_digits(bits)), Some(0)),
        DataType::Decimal { precision: Some(precision), scale } => {
            let scale = scale.unwrap_or(0);
            (Some(precision.saturating_sub(scale)), Some(scale))
        }
        _ => (None, None),
    }
}

fn too_many_digits(s: &Column, t: &Column) -> Option<Loss> {
    let ((s_before, s_behind), (t_before, t_behind)) = (digits(s), digits(t));
    let more = |s: Option<u32>, t: Option<u32>| t.filter(|t| s.is_none_or(|s| s > *t));
    match (more(s_before, t_before), more(s_behind, t_behind)) {
        (None, None) => None,
        (Some(before), None) => refused(format!("numbers of more than {before} digits before the point")),
        (None, Some(behind)) => refused(format!("numbers of more than {behind} digits behind the point")),
        (Some(before), Some(behind)) => {
            refused(format!("numbers of more than {before} digits before the point or {behind} behind it"))
        }
    }
}

fn finer_seconds(s: &Column, t: &Column) -> Option<Loss> {
    let (from, to) = (second_digits(s), second_digits(t));
    if from > to { refused(format!("moments of more than {to} digits behind the second")) } else { None }
}

fn missing_labels(from: &[String], to: &[String]) -> Option<Loss> {
    let missing: Vec<&str> = from.iter().filter(|label| !to.contains(label)).map(String::as_str).collect();
    if missing.is_empty() { None } else { refused(format!("the labels {}", missing.join(", "))) }
}

fn longer_texts(s: &Column, max: u32) -> Option<Loss> {
    let longest = match &s.data_type {
        DataType::Text { max_chars } => *max_chars,
        DataType::PaddedText { chars } => Some(*chars),
        DataType::Enum { labels } => {
            labels.iter().map(|label| label.chars().count()).max().and_then(|n| n.try_into().ok())
        }
        DataType::Uuid => Some(36),
        DataType::Bool => Some(5),
        // One more for the sign.
        DataType::Int { bits } => Some(int_digits(*bits) + 1),
        _ => None,
    };
    if longest.is_some_and(|longest| longest <= max) {
        None
    } else {
        refused(format!("texts of more than {max} characters"))
    }
}

fn word(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Bool => "boolean",
        DataType::Int { .. } => "whole number of its width",
        DataType::Float { .. } | DataType::Decimal { .. } => "number",
        DataType::Bytes => "sequence of bytes",
        DataType::Uuid => "UUID",
        DataType::Date => "date",
        DataType::Time => "time of day",
        DataType::Timestamp => "timestamp",
        DataType::TimestampTz => "timestamp with time zone",
        DataType::Interval => "interval",
        DataType::Json => "JSON",
        _ => "value of that type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::domains::common_domain;
    use crate::pair::testing::{capabilities, column, table};

    /// What is refused or rounded of the first type by the second; `~` before what is rounded.
    fn told(source: (DataType, &str), target: (DataType, &str), typed: (bool, bool)) -> String {
        let [s, t] = [source, target].map(|(data_type, declared)| column("v", data_type, declared));
        let (here, there) = (capabilities("a", typed.0), capabilities("b", typed.1));
        let whole = table(vec![]);
        let (source, target) =
            (Side { schema: &whole, capabilities: &here }, Side { schema: &whole, capabilities: &there });
        let domain = common_domain(source, &s, target, &t).unwrap();
        let told: Vec<String> = losses(source, &s, target, &t, domain)
            .into_iter()
            .map(|loss| match loss {
                Loss::Refused(values) => values,
                Loss::Rounded(values) => format!("~{values}"),
            })
            .collect();
        told.join("; ")
    }

    fn int(bits: u8) -> (DataType, &'static str) {
        (DataType::Int { bits }, "int")
    }

    fn text(max_chars: Option<u32>) -> (DataType, &'static str) {
        (DataType::Text { max_chars }, "text")
    }

    fn decimal(precision: u32, scale: u32) -> (DataType, &'static str) {
        (DataType::Decimal { precision: Some(precision), scale: Some(scale) }, "numeric")
    }

    fn mood(labels: &[&str]) -> (DataType, &'static str) {
        (DataType::Enum { labels: labels.iter().map(|label| (*label).to_owned()).collect() }, "mood")
    }

    #[test]
    fn between_typed_columns_the_narrower_one_tells_what_it_refuses() {
        let check = |source, target, expected: &str| assert_eq!(told(source, target, (true, true)), expected);
        let any_decimal = || (DataType::Decimal { precision: None, scale: None }, "numeric");
        let float = |bits| (DataType::Float { bits }, "float");
        let millis = || (DataType::Timestamp, "timestamp(3) without time zone");
        let micros = || (DataType::Timestamp, "timestamp without time zone");
        check(int(32), int(64), "");
        check(int(64), int(32), "numbers outside of -2147483648 to 2147483647");
        check((DataType::Int { bits: 32 }, "int unsigned"), int(32), "numbers above 2147483647");
        check(int(64), (DataType::Int { bits: 64 }, "bigint unsigned"), "numbers below 0");
        check((DataType::Bool, "boolean"), int(16), "");
        check(int(16), (DataType::Bool, "boolean"), "numbers other than 0 and 1");
        check(int(64), float(64), "~numbers beyond 9007199254740992");
        check(int(16), float(32), "");
        check(float(64), float(32), "~numbers of more digits than 32 bits hold; numbers beyond 3.4e38");
        check(any_decimal(), float(64), "~numbers of more than 15 digits; numbers beyond 1.8e308");
        check(decimal(9, 2), float(64), "");
        check(decimal(38, 9), float(32), "~numbers of more than 6 digits");
        check(decimal(9, 0), int(32), "");
        check(decimal(9, 2), int(64), "numbers with a fraction, those beyond the range, NaN");
        check(decimal(12, 4), decimal(10, 2), "numbers of more than 2 digits behind the point");
        check(decimal(12, 2), decimal(10, 2), "numbers of more than 8 digits before the point");
        check(any_decimal(), decimal(10, 2), "numbers of more than 8 digits before the point or 2 behind it");
        check(decimal(38, 9), any_decimal(), "");
        check(int(64), decimal(20, 2), "numbers of more than 18 digits before the point");
        check(text(None), text(Some(9)), "texts of more than 9 characters");
        check(text(Some(9)), text(Some(9)), "");
        check(int(64), text(Some(9)), "texts of more than 9 characters");
        check((DataType::Uuid, "uuid"), (DataType::PaddedText { chars: 36 }, "character(36)"), "");
        check(text(None), int(64), "values that are no whole number of its width");
        check(text(None), (DataType::Date, "date"), "values that are no date");
        check(text(None), (DataType::Json, "jsonb"), "values that are no JSON");
        check((DataType::Json, "json"), (DataType::Json, "jsonb"), "documents with \\u0000 or half a surrogate pair");
        check((DataType::Bytes, "bytea"), (DataType::Uuid, "uuid"), "values that are no UUID");
        check(micros(), millis(), "moments of more than 3 digits behind the second");
        check(millis(), micros(), "");
        check(micros(), (DataType::Date, "date"), "timestamps with a time of day");
        check(mood(&["sad", "glad"]), mood(&["glad"]), "the labels sad");
        check(mood(&["glad"]), text(None), "");
        check(text(None), mood(&["glad"]), "texts that are none of the labels");
        check((DataType::Other, "inet"), (DataType::Other, "inet"), "");
        check((DataType::Other, "inet"), (DataType::Other, "cidr"), "texts that are no cidr");
    }

    #[test]
    fn a_side_that_binds_no_types_refuses_what_its_numbers_would_change() {
        let check = |source, target, expected: &str| assert_eq!(told(source, target, (true, false)), expected);
        check(decimal(10, 2), (DataType::Decimal { precision: Some(10), scale: Some(2) }, "NUMERIC(10,2)"), "");
        check(decimal(30, 2), (DataType::Decimal { precision: Some(30), scale: Some(2) }, "DECIMAL BLOB(30,2)"), "");
        check(decimal(30, 2), (DataType::Float { bits: 64 }, "REAL"), "numbers of more than 15 digits");
        check(text(None), text(Some(3)), "");
        check(text(None), int(64), "texts that read as numbers in another spelling, such as 007");
        check(int(64), (DataType::Float { bits: 64 }, "REAL"), "numbers beyond 9007199254740992 that are no float");
        check(decimal(30, 2), (DataType::Date, "DATE"), "numbers of more than 15 digits");
        check(decimal(30, 2), text(None), "");
        check(
            (DataType::Json, "jsonb"),
            (DataType::Json, "JSON"),
            "documents that are nothing but a number of more than 15 digits",
        );
        check((DataType::Json, "jsonb"), text(None), "");
        let untyped = |source, target, expected: &str| assert_eq!(told(source, target, (false, false)), expected);
        untyped(int(64), int(64), "");
        untyped(int(64), text(None), "values that a column of type text stores as another type");
        untyped(text(None), (DataType::Dynamic, ""), "");
        let from_untyped = |source, target, expected: &str| assert_eq!(told(source, target, (false, true)), expected);
        from_untyped((DataType::Dynamic, ""), int(64), "values that are no whole number of its width");
        from_untyped(int(64), int(32), "numbers outside of -2147483648 to 2147483647");
        from_untyped((DataType::Int { bits: 64 }, "bigint unsigned"), int(64), "");
        from_untyped((DataType::Bytes, "BLOB"), text(None), "bytes that are no text");
        from_untyped((DataType::Time, "TIME"), (DataType::Timestamp, "timestamp"), "values that are no timestamp");
        let zoned = (DataType::TimestampTz, "TIMESTAMPTZ");
        from_untyped(zoned, (DataType::Timestamp, "timestamp"), "moments with an offset that is not UTC");
    }
}
