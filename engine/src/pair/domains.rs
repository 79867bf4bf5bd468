//! The common ground of two columns.

use super::{Mismatch, Side, mismatch};
use crate::domain::{Domain, Moment};
use crate::schema::{Column, DataType};

/// Digits of a microsecond, the finest that is compared.
const MICROSECOND_DIGITS: u32 = 6;

/// The ground on which the values of two columns meet.
pub(super) fn common_domain(source: Side<'_>, s: &Column, target: Side<'_>, t: &Column) -> Result<Domain, Mismatch> {
    let same_engine = source.capabilities.engine.name == target.capabilities.engine.name;
    match (source.capabilities.typed, target.capabilities.typed) {
        (false, false) => Ok(Domain::Dynamic),
        (true, false) => Ok(bound_domain(s)),
        (false, true) => Ok(bound_domain(t)),
        (true, true) if s.data_type == DataType::Other && s.declared == t.declared && same_engine => Ok(Domain::Native),
        (true, true) => {
            let shared = shared_domain(&s.data_type, &t.data_type);
            shared.map_or_else(|| incomparable(source, s, target, t), |domain| Ok(coarser_moment(domain, s, t)))
        }
    }
}

fn incomparable(source: Side<'_>, s: &Column, target: Side<'_>, t: &Column) -> Result<Domain, Mismatch> {
    mismatch(
        format!(
            "source column {}.{} ({}) and target column {}.{} ({}) cannot be compared",
            source.schema.name, s.name, s.declared, target.schema.name, t.name, t.declared
        ),
        "change the type of one, or leave the column out with `exclude_fields`",
    )
}

/// The domain of a column whose partner takes any value.
pub(super) fn bound_domain(column: &Column) -> Domain {
    let domain = own_domain(&column.data_type);
    moment(domain).map_or(domain, |moment| with_digits(moment, second_digits(column)))
}

/// Two columns of moments meet with the digits of the one that keeps fewer; where both keep the same, none is rounded.
fn coarser_moment(domain: Domain, s: &Column, t: &Column) -> Domain {
    match (moment(domain), second_digits(s), second_digits(t)) {
        (Some(moment), a, b) if a != b => with_digits(moment, a.min(b)),
        _ => domain,
    }
}

fn moment(domain: Domain) -> Option<Moment> {
    match domain {
        Domain::Time => Some(Moment::Time),
        Domain::Timestamp => Some(Moment::Timestamp),
        Domain::TimestampTz => Some(Moment::TimestampTz),
        _ => None,
    }
}

fn with_digits(moment: Moment, digits: u32) -> Domain {
    if digits < MICROSECOND_DIGITS { Domain::Coarse { moment, digits } } else { moment.domain() }
}

/// Digits behind the second that a column keeps, as its declaration says: `timestamp(3) without time zone`.
pub(crate) fn second_digits(column: &Column) -> u32 {
    if moment(own_domain(&column.data_type)).is_none() {
        return MICROSECOND_DIGITS;
    }
    let in_brackets = column.declared.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    in_brackets.and_then(|(digits, _)| digits.trim().parse().ok()).unwrap_or(MICROSECOND_DIGITS)
}

/// The domain of all values of a type.
pub(super) fn own_domain(data_type: &DataType) -> Domain {
    match data_type {
        DataType::Bool => Domain::Bool,
        DataType::Int { .. } => Domain::Int,
        DataType::Float { bits: 32 } => Domain::Float32,
        DataType::Float { .. } => Domain::Float,
        DataType::Decimal { scale, .. } => Domain::Decimal { scale: *scale },
        DataType::PaddedText { .. } => Domain::PaddedText,
        DataType::Bytes => Domain::Bytes,
        DataType::Uuid => Domain::Uuid,
        DataType::Date => Domain::Date,
        DataType::Time => Domain::Time,
        DataType::Timestamp => Domain::Timestamp,
        DataType::TimestampTz => Domain::TimestampTz,
        DataType::Interval => Domain::Interval,
        DataType::Json => Domain::Json,
        DataType::Text { .. } | DataType::Enum { .. } | DataType::Dynamic | DataType::Other | DataType::Local => {
            Domain::Text
        }
    }
}

/// The domain of two typed columns, where they have one.
fn shared_domain(s: &DataType, t: &DataType) -> Option<Domain> {
    use DataType as T;
    Some(match (s, t) {
        (T::Decimal { scale: a, .. }, T::Decimal { scale: b, .. }) => Domain::Decimal { scale: coarser(*a, *b) },
        (T::Decimal { .. }, T::Int { .. }) | (T::Int { .. }, T::Decimal { .. }) => Domain::Decimal { scale: None },
        (T::Float { bits: 32 }, T::Float { .. } | T::Int { .. } | T::Decimal { .. })
        | (T::Float { .. } | T::Int { .. } | T::Decimal { .. }, T::Float { bits: 32 }) => Domain::Float32,
        (T::Float { .. }, T::Int { .. } | T::Decimal { .. }) | (T::Int { .. } | T::Decimal { .. }, T::Float { .. }) => {
            Domain::Float
        }
        (T::PaddedText { .. }, T::PaddedText { .. } | T::Text { .. }) | (T::Text { .. }, T::PaddedText { .. }) => {
            Domain::PaddedText
        }
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => Domain::Timestamp,
        (T::Bool, T::Int { .. }) | (T::Int { .. }, T::Bool) => Domain::Bool,
        (T::Uuid, T::Bytes | T::PaddedText { .. }) | (T::Bytes | T::PaddedText { .. }, T::Uuid) => Domain::Uuid,
        // As with SQLite: what the text says has to fit the other column's type.
        (typed, T::Text { .. }) | (T::Text { .. }, typed) if is_spelled_alike_everywhere(typed) => own_domain(typed),
        (T::Json, T::Text { .. }) | (T::Text { .. }, T::Json) => Domain::Json,
        (T::Enum { .. } | T::Other | T::Local, T::Text { .. } | T::Enum { .. } | T::Other | T::Local)
        | (T::Text { .. }, T::Enum { .. } | T::Other | T::Local) => Domain::Text,
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => own_domain(a),
        _ => return None,
    })
}

/// Whether texts that mean values of the type are spelled in one way by all engines; intervals are not.
fn is_spelled_alike_everywhere(data_type: &DataType) -> bool {
    use DataType as T;
    let is_number = matches!(data_type, T::Bool | T::Int { .. } | T::Float { .. } | T::Decimal { .. });
    is_number || matches!(data_type, T::Uuid | T::Date | T::Time | T::Timestamp | T::TimestampTz)
}

/// The digits to which both are rounded: the fewer where they differ, no rounding where they are the same.
fn coarser(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (a, b) if a == b => None,
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::testing::{capabilities, column, table};

    #[test]
    fn moments_meet_with_the_digits_of_the_coarser_column() {
        let domain = |a: (DataType, &str), b: (DataType, &str), typed: bool| {
            let [a, b] = [a, b].map(|(data_type, declared)| column("v", data_type, declared));
            let (here, there) = (capabilities("pg", true), capabilities("other", typed));
            let whole = table(vec![]);
            let (source, target) =
                (Side { schema: &whole, capabilities: &here }, Side { schema: &whole, capabilities: &there });
            common_domain(source, &a, target, &b).unwrap()
        };
        let millis = || (DataType::Timestamp, "timestamp(3) without time zone");
        let micros = || (DataType::Timestamp, "timestamp without time zone");
        let coarse = Domain::Coarse { moment: Moment::Timestamp, digits: 3 };
        assert_eq!(domain(millis(), micros(), true), coarse);
        assert_eq!(domain(micros(), millis(), true), coarse);
        assert_eq!(domain(millis(), millis(), true), Domain::Timestamp);
        assert_eq!(domain(millis(), (DataType::Dynamic, ""), false), coarse);
        assert_eq!(domain(micros(), (DataType::Timestamp, "TIMESTAMP(3)"), false), Domain::Timestamp);
        assert_eq!(domain((DataType::Text { max_chars: Some(3) }, "varchar(3)"), micros(), true), Domain::Timestamp);
        let zoned = domain(
            (DataType::TimestampTz, "timestamp(0) with time zone"),
            (DataType::TimestampTz, "timestamptz"),
            true,
        );
        assert_eq!(zoned, Domain::Coarse { moment: Moment::TimestampTz, digits: 0 });
    }

    #[test]
    fn domains_meet_on_the_coarser_side() {
        let decimal = |scale| DataType::Decimal { precision: Some(10), scale };
        assert_eq!(shared_domain(&decimal(Some(2)), &decimal(Some(2))), Some(Domain::Decimal { scale: None }));
        assert_eq!(shared_domain(&decimal(Some(2)), &decimal(None)), Some(Domain::Decimal { scale: Some(2) }));
        assert_eq!(shared_domain(&DataType::Int { bits: 16 }, &DataType::Int { bits: 64 }), Some(Domain::Int));
        assert_eq!(shared_domain(&DataType::Bool, &DataType::Bytes), None);
        let real = DataType::Float { bits: 32 };
        assert_eq!(shared_domain(&DataType::Int { bits: 32 }, &real), Some(Domain::Float32));
        assert_eq!(shared_domain(&real, &decimal(Some(2))), Some(Domain::Float32));
    }
}
