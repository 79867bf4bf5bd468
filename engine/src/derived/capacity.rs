//! What a column can hold without a loss, and what becomes of a value that it cannot.

use crate::canonical::rounded_decimal;
use crate::moment::{rounded_time, rounded_timestamp};
use crate::pair::second_digits;
use crate::schema::{Column, DataType};
use crate::value::Value;

const DAY_MICROS: i64 = 86_400_000_000;

/// What is done with a value that would not be the same in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLossy {
    /// Its row is put aside.
    Error,
    /// The nearest value that fits; one for which there is none is refused by the column.
    Round,
    /// NULL stands for it.
    Null,
}

impl OnLossy {
    pub const NAMES: [(&'static str, OnLossy); 3] =
        [("error", OnLossy::Error), ("round", OnLossy::Round), ("null", OnLossy::Null)];

    pub fn named(name: &str) -> Option<OnLossy> {
        OnLossy::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, on_lossy)| on_lossy)
    }
}

/// The bounds of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Whole numbers of so many bits.
    Int(u8),
    Float32,
    Decimal {
        precision: Option<u32>,
        scale: u32,
    },
    Chars(u32),
    /// Digits behind the second.
    Digits(u32),
    /// No time of day.
    Day,
    /// Whatever is of its type.
    Typed,
}

/// Whether a value fits.
enum Fit {
    Same,
    Nearest(Value),
    /// Beyond all that the column can hold.
    Nowhere,
}

impl Capacity {
    pub fn of(column: &Column) -> Capacity {
        match &column.data_type {
            DataType::Int { bits } => Capacity::Int(*bits),
            DataType::Float { bits: 32 } => Capacity::Float32,
            DataType::Decimal { precision, scale: Some(scale) } => {
                Capacity::Decimal { precision: *precision, scale: *scale }
            }
            DataType::Decimal { precision: Some(precision), scale: None } => {
                Capacity::Decimal { precision: Some(*precision), scale: 0 }
            }
            DataType::Text { max_chars: Some(chars) } | DataType::PaddedText { chars } => Capacity::Chars(*chars),
            DataType::Date => Capacity::Day,
            DataType::Time | DataType::Timestamp | DataType::TimestampTz => Capacity::Digits(second_digits(column)),
            _ => Capacity::Typed,
        }
    }

    /// Whether the column would hold the very value.
    pub fn holds(self, value: &Value) -> bool {
        matches!(self.fit(value), Fit::Same)
    }

    /// The value that is to be written. One that is refused stays what it is.
    pub fn fitted(self, value: Value, on_lossy: OnLossy) -> Value {
        match (self.fit(&value), on_lossy) {
            (Fit::Same, _) | (_, OnLossy::Error) | (Fit::Nowhere, OnLossy::Round) => value,
            (Fit::Nearest(nearest), OnLossy::Round) => nearest,
            (Fit::Nearest(_) | Fit::Nowhere, OnLossy::Null) => Value::Null,
        }
    }

    fn fit(self, value: &Value) -> Fit {
        match (self, value) {
            (Capacity::Int(bits), Value::Int(whole)) => of_bits(bits, *whole),
            (Capacity::Int(bits), Value::Float(float)) => match whole(float.round()) {
                Some(rounded) => as_nearest(of_bits(bits, rounded), float.fract() == 0.0, Value::Float(float.round())),
                None => Fit::Nowhere,
            },
            (Capacity::Int(bits), Value::Decimal(text)) => {
                let rounded = rounded_decimal(text, 0);
                let whole = rounded.trim_end_matches('.').parse();
                let fit = whole.map_or(Fit::Nowhere, |whole| of_bits(bits, whole));
                as_nearest(fit, is_same_number(text, &rounded), Value::Decimal(rounded))
            }
            (Capacity::Float32, Value::Float(float)) => float32(*float),
            (Capacity::Decimal { precision, scale }, Value::Decimal(text)) => decimal(text, precision, scale),
            (Capacity::Decimal { precision, scale }, Value::Int(whole)) => {
                decimal(&whole.to_string(), precision, scale)
            }
            (Capacity::Decimal { precision, scale }, Value::Float(float)) if float.is_finite() => {
                match decimal(&float.to_string(), precision, scale) {
                    Fit::Nearest(Value::Decimal(text)) => {
                        text.parse().map_or(Fit::Nowhere, |nearest| Fit::Nearest(Value::Float(nearest)))
                    }
                    fit => fit,
                }
            }
            (Capacity::Chars(chars), Value::Text(text)) => match text.char_indices().nth(chars as usize) {
                Some((end, _)) => Fit::Nearest(Value::Text(text[..end].to_owned())),
                None => Fit::Same,
            },
            (Capacity::Digits(digits), Value::Time(micros)) => {
                moment(*micros, rounded_time(*micros, digits), Value::Time)
            }
            (Capacity::Digits(digits), Value::Timestamp(micros)) => {
                moment(*micros, rounded_timestamp(*micros, digits), Value::Timestamp)
            }
            (Capacity::Digits(digits), Value::TimestampTz(micros)) => {
                moment(*micros, rounded_timestamp(*micros, digits), Value::TimestampTz)
            }
            (Capacity::Day, Value::Timestamp(micros)) => moment(*micros, midnight(*micros), Value::Timestamp),
            (Capacity::Decimal { precision: Some(_), .. }, Value::Float(float)) if float.is_infinite() => Fit::Nowhere,
            (_, Value::Unfit(..)) => Fit::Nowhere,
            // NULL, and what the column itself judges.
            _ => Fit::Same,
        }
    }
}

fn of_bits(bits: u8, whole: i64) -> Fit {
    let fits = match bits {
        16 => i16::try_from(whole).is_ok(),
        32 => i32::try_from(whole).is_ok(),
        _ => true,
    };
    if fits { Fit::Same } else { Fit::Nowhere }
}

fn as_nearest(fit: Fit, is_same: bool, rounded: Value) -> Fit {
    match fit {
        Fit::Same if !is_same => Fit::Nearest(rounded),
        fit => fit,
    }
}

fn whole(float: f64) -> Option<i64> {
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float).then_some(float as i64)
}

fn float32(float: f64) -> Fit {
    let nearest = f64::from(float as f32);
    if nearest == float || float.is_nan() {
        Fit::Same
    } else if nearest.is_infinite() {
        Fit::Nowhere
    } else {
        Fit::Nearest(Value::Float(nearest))
    }
}

fn decimal(text: &str, precision: Option<u32>, scale: u32) -> Fit {
    if precision.is_some() && text.ends_with("Infinity") {
        return Fit::Nowhere;
    }
    // NaN, and infinities where there is no end to the digits, are the column's to judge.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.')) {
        return Fit::Same;
    }
    let rounded = rounded_decimal(text, scale).trim_end_matches('.').to_owned();
    let digits = rounded.trim_start_matches(['-', '+']).split('.').next().unwrap_or_default();
    let digits = digits.trim_start_matches('0').len();
    if precision.is_some_and(|precision| digits > precision.saturating_sub(scale) as usize) {
        Fit::Nowhere
    } else if is_same_number(text, &rounded) {
        Fit::Same
    } else {
        Fit::Nearest(Value::Decimal(rounded))
    }
}

/// The beginning of the day; the infinities have none.
fn midnight(micros: i64) -> i64 {
    if matches!(micros, i64::MAX | i64::MIN) { micros } else { micros - micros.rem_euclid(DAY_MICROS) }
}

fn is_same_number(a: &str, b: &str) -> bool {
    crate::canonical::normal_decimal(a) == crate::canonical::normal_decimal(b)
}

fn moment(micros: i64, rounded: i64, value: fn(i64) -> Value) -> Fit {
    if micros == rounded { Fit::Same } else { Fit::Nearest(value(rounded)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Found;
    use proptest::prelude::*;

    fn any_capacity() -> impl Strategy<Value = Capacity> {
        prop_oneof![
            prop::sample::select(vec![16, 32, 64]).prop_map(Capacity::Int),
            Just(Capacity::Float32),
            (1u32..20, 0u32..6).prop_map(|(whole, scale)| Capacity::Decimal { precision: Some(whole + scale), scale }),
            (0u32..5).prop_map(Capacity::Chars),
            (0u32..6).prop_map(Capacity::Digits),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Int),
            (-1e6..1e6f64).prop_map(Value::Float),
            "-?[0-9]{1,9}(\\.[0-9]{1,9})?".prop_map(Value::Decimal),
            ".{0,9}".prop_map(Value::Text),
            (0i64..86_400_000_000).prop_map(Value::Time),
            any::<i32>().prop_map(|micros| Value::Timestamp(i64::from(micros))),
        ]
    }

    proptest! {
        #[test]
        fn what_was_rounded_fits_or_has_no_nearest(capacity in any_capacity(), value in any_value()) {
            let rounded = capacity.fitted(value.clone(), OnLossy::Round);
            prop_assert!(capacity.holds(&rounded) || rounded == value);
            prop_assert_eq!(capacity.fitted(rounded.clone(), OnLossy::Round), rounded);
            let or_null = capacity.fitted(value.clone(), OnLossy::Null);
            prop_assert_eq!(or_null == Value::Null, !capacity.holds(&value));
        }
    }

    #[test]
    fn values_are_rounded_as_their_columns_would() {
        let check = |capacity: Capacity, value: Value, expected: Value| {
            assert_eq!(capacity.fitted(value, OnLossy::Round), expected, "{capacity:?}");
        };
        let decimal = |text: &str| Value::Decimal(text.to_owned());
        let money = Capacity::Decimal { precision: Some(6), scale: 2 };
        check(money, decimal("1.235"), decimal("1.24"));
        check(money, decimal("-1.235"), decimal("-1.24"));
        check(money, decimal("1.2000"), decimal("1.2000"));
        check(money, decimal("9999.999"), decimal("9999.999"));
        check(money, Value::Float(1.239), Value::Float(1.24));
        check(Capacity::Int(16), decimal("2.5"), decimal("3"));
        check(Capacity::Int(16), Value::Int(40_000), Value::Int(40_000));
        check(Capacity::Chars(2), Value::Text("äöü".into()), Value::Text("äö".into()));
        check(Capacity::Digits(0), Value::Timestamp(1_600_000), Value::Timestamp(2_000_000));
        let null = |capacity: Capacity, value| assert_eq!(capacity.fitted(value, OnLossy::Null), Value::Null);
        null(Capacity::Int(16), Value::Int(40_000));
        null(money, decimal("-Infinity"));
        null(money, Value::Float(f64::INFINITY));
        null(Capacity::Typed, Value::Unfit(Found::Text, b"no UUID".to_vec()));
        check(money, decimal("Infinity"), decimal("Infinity"));
        assert!(Capacity::Decimal { precision: None, scale: 2 }.holds(&decimal("Infinity")));
    }
}
