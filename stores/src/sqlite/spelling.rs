//! Timestamps as text, quickly: most rows have one, and `moment`'s own spelling, which knows every year, takes longer
//! than storing the row.

use rowsync_engine::moment::{civil_from_days, timestamp_text, timestamptz_text};

const MICROS_OF_DAY: i64 = 86_400_000_000;
/// The moments of the years 1 to 9999, which have four digits.
const FIRST_MICROS: i64 = -719_162 * MICROS_OF_DAY;
const LAST_MICROS: i64 = 2_932_897 * MICROS_OF_DAY - 1;

/// Whether the text of the moment sorts as the moment does: not where the year has five digits or is one before Christ.
pub fn sorts(micros: i64) -> bool {
    matches!(micros, i64::MIN | i64::MAX) || (FIRST_MICROS..=LAST_MICROS).contains(&micros)
}

/// The same of a day.
pub fn day_sorts(days: i32) -> bool {
    matches!(days, i32::MIN | i32::MAX) || i64::from(days).checked_mul(MICROS_OF_DAY).is_some_and(sorts)
}

/// The same as [`timestamp_text`].
pub fn timestamp(micros: i64) -> String {
    if (FIRST_MICROS..=LAST_MICROS).contains(&micros) { spell(micros, "") } else { timestamp_text(micros) }
}

/// The same as [`timestamptz_text`].
pub fn timestamptz(micros: i64) -> String {
    if (FIRST_MICROS..=LAST_MICROS).contains(&micros) { spell(micros, "+00:00") } else { timestamptz_text(micros) }
}

fn spell(micros: i64, zone: &str) -> String {
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_OF_DAY));
    let time = micros.rem_euclid(MICROS_OF_DAY);
    let (seconds, fraction) = (time / 1_000_000, time % 1_000_000);
    let mut text = *b"0000-00-00 00:00:00.000000";
    for (place, number) in [
        (0, year / 100),
        (2, year),
        (5, i64::from(month)),
        (8, i64::from(day)),
        (11, seconds / 3600),
        (14, seconds / 60 % 60),
        (17, seconds % 60),
        (20, fraction / 10_000),
        (22, fraction / 100),
        (24, fraction),
    ] {
        // The last two digits, as a moment has no others here.
        text[place] = b'0' + (number / 10 % 10) as u8;
        text[place + 1] = b'0' + (number % 10) as u8;
    }
    let zeros = if fraction == 0 { 7 } else { text.iter().rev().take_while(|digit| **digit == b'0').count() };
    let mut spelled = String::with_capacity(text.len() + zone.len());
    spelled.push_str(&String::from_utf8_lossy(&text[..text.len() - zeros]));
    spelled.push_str(zone);
    spelled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_are_spelled_alike() {
        for micros in [i64::MIN, FIRST_MICROS - 1, FIRST_MICROS, -1, 0, LAST_MICROS, LAST_MICROS + 1, i64::MAX] {
            assert_eq!(timestamp(micros), timestamp_text(micros));
        }
    }

    #[test]
    fn texts_of_far_years_do_not_sort() {
        assert!(sorts(0) && sorts(i64::MIN) && sorts(i64::MAX) && sorts(FIRST_MICROS) && sorts(LAST_MICROS));
        assert!(!sorts(FIRST_MICROS - 1) && !sorts(LAST_MICROS + 1));
        assert!(day_sorts(0) && day_sorts(i32::MAX) && day_sorts(-719_162) && day_sorts(2_932_896));
        assert!(!day_sorts(-719_163) && !day_sorts(2_932_897) && !day_sorts(i32::MAX - 1) && !day_sorts(i32::MIN + 1));
    }

    proptest! {
        #[test]
        fn every_moment_is_spelled_alike(micros in FIRST_MICROS..LAST_MICROS, coarse in 0u32..7) {
            let micros = micros - micros % 10i64.pow(coarse);
            prop_assert_eq!(timestamp(micros), timestamp_text(micros));
            prop_assert_eq!(timestamptz(micros), timestamptz_text(micros));
        }
    }
}
