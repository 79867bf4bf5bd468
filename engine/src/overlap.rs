//! How far before the newest change that was seen reading begins again: rows that bear the same moment, and those of
//! transactions that committed late, lie behind it.

use crate::moment::{parse_timestamp, timestamp_text};
use crate::value::Value;

const MICROS_OF_A_DAY: i64 = 86_400_000_000;

/// A moment so long before another one, and before it in any case.
///
/// Numbers count something unknown, versions or seconds, so only the number itself is read again. A text that is no
/// moment is cut, which leaves it before itself.
pub fn before(newest: &Value, overlap_micros: i64) -> Value {
    let micros_before = |micros: i64| micros.saturating_sub(overlap_micros.max(1));
    match newest {
        Value::Int(number) => Value::Int(number.saturating_sub(1)),
        Value::Date(days) => {
            let overlap = (overlap_micros / MICROS_OF_A_DAY).saturating_add(1);
            Value::Date(days.saturating_sub(i32::try_from(overlap).unwrap_or(i32::MAX)))
        }
        Value::Timestamp(micros) => Value::Timestamp(micros_before(*micros)),
        Value::TimestampTz(micros) => Value::TimestampTz(micros_before(*micros)),
        Value::Text(text) => Value::Text(text_before(text, overlap_micros.max(1))),
        other => other.clone(),
    }
}

fn text_before(text: &str, overlap_micros: i64) -> String {
    match parse_timestamp(text) {
        Some(micros) => spelled_like(text, micros.saturating_sub(overlap_micros)),
        None => {
            let mut cut = text.to_owned();
            cut.pop();
            cut
        }
    }
}

/// Texts of one column are mostly spelled alike, and are compared as texts.
fn spelled_like(text: &str, micros: i64) -> String {
    let moment = timestamp_text(micros);
    if text.contains('T') { moment.replace(' ', "T") } else { moment }
}

/// The newest change, but no later than a moment: a row from the future would hide all that change until then.
pub fn no_later_than(newest: Value, now_micros: i64) -> Value {
    // Somewhere on earth it may be that time already, and elsewhere it is not for more than a day.
    let is_future = |micros: i64| micros > now_micros + ZONES_AHEAD;
    let everywhere_past = now_micros - ZONES_BEHIND;
    match newest {
        Value::TimestampTz(micros) => Value::TimestampTz(micros.min(now_micros)),
        Value::Timestamp(micros) if is_future(micros) => Value::Timestamp(everywhere_past),
        Value::Text(text) if parse_timestamp(&text).is_some_and(is_future) => {
            Value::Text(spelled_like(&text, everywhere_past))
        }
        other => other,
    }
}

const MICROS_OF_AN_HOUR: i64 = 3_600_000_000;
/// The zone that is ahead of all others is UTC+14, the last one UTC-12.
const ZONES_AHEAD: i64 = 14 * MICROS_OF_AN_HOUR;
const ZONES_BEHIND: i64 = 12 * MICROS_OF_AN_HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_back_by_the_overlap_and_numbers_by_one() {
        let check = |newest: Value, earlier: Value| assert_eq!(before(&newest, 60_000_000), earlier);
        check(Value::Int(7), Value::Int(6));
        check(Value::Date(7), Value::Date(6));
        check(Value::Timestamp(90_000_000), Value::Timestamp(30_000_000));
        check(Value::TimestampTz(90_000_000), Value::TimestampTz(30_000_000));
        check(Value::Text("2024-03-01 00:00:30".into()), Value::Text("2024-02-29 23:59:30".into()));
        check(Value::Text("2024-03-01T00:00:30".into()), Value::Text("2024-02-29T23:59:30".into()));
        check(Value::Text("v12".into()), Value::Text("v1".into()));
    }

    #[test]
    fn rows_of_the_same_moment_are_read_again_even_without_an_overlap() {
        assert_eq!(before(&Value::Timestamp(5), 0), Value::Timestamp(4));
        assert_eq!(before(&Value::Date(5), 0), Value::Date(4));
    }

    #[test]
    fn a_row_from_the_future_does_not_hide_what_changes_until_then() {
        let (now, year) = (1_000 * MICROS_OF_A_DAY, 365 * MICROS_OF_A_DAY);
        assert_eq!(no_later_than(Value::TimestampTz(now + year), now), Value::TimestampTz(now));
        assert_eq!(no_later_than(Value::TimestampTz(now - 1), now), Value::TimestampTz(now - 1));
        assert_eq!(no_later_than(Value::Timestamp(now + year), now), Value::Timestamp(now - ZONES_BEHIND));
        assert_eq!(no_later_than(Value::Timestamp(now + 1), now), Value::Timestamp(now + 1));
        let text = no_later_than(Value::Text("2999-01-01T00:00:00".into()), now);
        assert_eq!(text, Value::Text("1972-09-26T12:00:00".into()));
    }
}
