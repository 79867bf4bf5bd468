//! Values as fields of a binary tuple, checked against the column: the server would round or cut some of them in
//! silence, and name others in its message.

use rowsync_engine::domain::Domain;
use rowsync_engine::schema::{Column, DataType};
use rowsync_engine::value::ValueRef;

use super::fit::{Misfit, fit};
use super::numeric::{self, Limits};
use super::values::{EPOCH_DAYS, EPOCH_MICROS};
use super::wire::Wire;

/// Days since 2000-01-01 of the first date (4714-11-24 BC) and behind the last (5874897-12-31), and the same of
/// timestamps in microseconds (the last one in 294276).
const DATES: std::ops::Range<i32> = -2_451_545..2_145_031_949;
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
const MICROS_OF_DAY: i64 = 86_400_000_000;

/// How the values of one column are written.
#[derive(Debug)]
pub struct Encoder {
    wire: Wire,
    domain: Domain,
    limits: Limits,
    chars_max: Option<usize>,
    /// Whether shorter texts come back with spaces up to that.
    pads: bool,
    /// Whether spaces at the end of a text are none of it, so that the server may cut them.
    spaces_idle: bool,
    /// Microseconds to which the column rounds.
    grain: i64,
    labels: Vec<String>,
    not_null: bool,
    /// A float has more digits than 32 bits hold nearly always; a decimal or a moment that has too many is refused.
    rounds: bool,
    /// Whether values in the engine's own binary form are taken.
    native: bool,
}

impl Encoder {
    /// `spelled`: the column is written as text, for the server to read.
    pub fn new(column: &Column, domain: Domain, spelled: bool) -> Encoder {
        let data_type = &column.data_type;
        Encoder {
            wire: if spelled { Wire::Text } else { Wire::of(column) },
            domain,
            limits: match data_type {
                DataType::Decimal { precision, scale } => {
                    Limits { precision: *precision, scale: *scale, zeros: zeros(&column.declared) }
                }
                _ => Limits::default(),
            },
            chars_max: match data_type {
                DataType::Text { max_chars } => max_chars.map(|chars| chars as usize),
                DataType::PaddedText { chars } => Some(*chars as usize),
                _ => None,
            },
            pads: matches!(data_type, DataType::PaddedText { .. }),
            spaces_idle: domain == Domain::PaddedText,
            grain: grain(&column.declared),
            labels: match data_type {
                DataType::Enum { labels } => labels.clone(),
                _ => Vec::new(),
            },
            not_null: !column.nullable,
            rounds: domain == Domain::Float32,
            native: !spelled,
        }
    }

    /// Appends the field: its length and its bytes.
    pub fn encode(&self, value: ValueRef<'_>, scratch: &mut String, out: &mut Vec<u8>) -> Result<(), Misfit> {
        if value.is_null() {
            out.extend((-1i32).to_be_bytes());
            return if self.not_null { Err(Misfit::new("NULL, which the column does not take")) } else { Ok(()) };
        }
        let start = out.len();
        out.extend([0; 4]);
        match value {
            ValueRef::Native(bytes) if self.native => out.extend_from_slice(bytes),
            ValueRef::Native(_) => return Err(Misfit::new("a native value where a text is written")),
            ValueRef::Unfit(..) => return Err(Misfit::of(value, self.domain)),
            ValueRef::Uuid(uuid) if self.wire == Wire::Bytea => out.extend(uuid),
            _ => self.push(fit(value, self.wire.domain(), scratch)?, out)?,
        }
        let length = i32::try_from(out.len() - start - 4).map_err(|_| Misfit::new("a value of more than 2 GiB"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn push(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match value {
            ValueRef::Bool(b) => out.push(u8::from(b)),
            ValueRef::Int(i) => self.push_int(i, out)?,
            ValueRef::Float(f) => self.push_float(f, out)?,
            ValueRef::Decimal(text) => numeric::encode(text, self.limits, out)?,
            ValueRef::Text(text) => self.push_text(text, out)?,
            ValueRef::Json(text) => {
                if self.wire == Wire::Jsonb {
                    out.push(1);
                }
                push_checked(text, out)?;
            }
            ValueRef::Bytes(bytes) => out.extend_from_slice(bytes),
            ValueRef::Uuid(uuid) => out.extend(uuid),
            ValueRef::Date(days) => out.extend(date(days)?.to_be_bytes()),
            ValueRef::Time(micros) => out.extend(self.time(micros)?.to_be_bytes()),
            ValueRef::Timestamp(micros) | ValueRef::TimestampTz(micros) => {
                out.extend(self.timestamp(micros)?.to_be_bytes());
            }
            ValueRef::Interval(interval) => {
                out.extend(self.grained(interval.micros)?.to_be_bytes());
                out.extend(interval.days.to_be_bytes());
                out.extend(interval.months.to_be_bytes());
            }
            ValueRef::Null | ValueRef::Native(_) | ValueRef::Unfit(..) => {
                return Err(Misfit::new("a value of another engine"));
            }
        }
        Ok(())
    }

    fn push_int(&self, i: i64, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let beyond = |bits| Misfit(format!("a whole number beyond {bits} bits"));
        match self.wire {
            Wire::Int2 => out.extend(i16::try_from(i).map_err(|_| beyond(16))?.to_be_bytes()),
            Wire::Int4 => out.extend(i32::try_from(i).map_err(|_| beyond(32))?.to_be_bytes()),
            _ => out.extend(i.to_be_bytes()),
        }
        Ok(())
    }

    fn push_float(&self, f: f64, out: &mut Vec<u8>) -> Result<(), Misfit> {
        if self.wire != Wire::Float4 {
            out.extend(f.to_be_bytes());
            return Ok(());
        }
        let narrow = f as f32;
        if narrow.is_infinite() && f.is_finite() {
            return Err(Misfit::new("a float beyond 32 bits"));
        }
        if !self.rounds && !f.is_nan() && f64::from(narrow) != f {
            return Err(Misfit::new("a float of more digits than 32 bits hold"));
        }
        out.extend(narrow.to_be_bytes());
        Ok(())
    }

    fn push_text(&self, text: &str, out: &mut Vec<u8>) -> Result<(), Misfit> {
        if let Some(chars_max) = self.chars_max
            && text.len() > chars_max
            && text.chars().count() > chars_max
            && (!self.spaces_idle || text.trim_end_matches(' ').chars().count() > chars_max)
        {
            return Err(Misfit(format!("a text of more than {chars_max} characters")));
        }
        if !self.labels.is_empty() && !self.labels.iter().any(|label| label == text) {
            return Err(Misfit::new("a text that is none of the type's labels"));
        }
        push_checked(text, out)?;
        let spaces = self.chars_max.filter(|_| self.pads).map_or(0, |chars| chars.saturating_sub(text.chars().count()));
        out.resize(out.len() + spaces, b' ');
        Ok(())
    }

    fn time(&self, micros: i64) -> Result<i64, Misfit> {
        if !(0..=MICROS_OF_DAY).contains(&micros) {
            return Err(Misfit::new("a time beyond the day"));
        }
        self.grained(micros)
    }

    fn timestamp(&self, micros: i64) -> Result<i64, Misfit> {
        if matches!(micros, i64::MAX | i64::MIN) {
            return Ok(micros);
        }
        let shifted = micros.checked_sub(EPOCH_MICROS).filter(|shifted| TIMESTAMPS.contains(shifted));
        self.grained(shifted.ok_or_else(|| Misfit::new("a timestamp beyond the years of PostgreSQL"))?)
    }

    fn grained(&self, micros: i64) -> Result<i64, Misfit> {
        if micros % self.grain != 0 {
            return Err(Misfit::new("a moment with more digits of the second than the column keeps"));
        }
        Ok(micros)
    }
}

fn date(days: i32) -> Result<i32, Misfit> {
    if matches!(days, i32::MAX | i32::MIN) {
        return Ok(days);
    }
    let shifted = days.checked_sub(EPOCH_DAYS).filter(|shifted| DATES.contains(shifted));
    shifted.ok_or_else(|| Misfit::new("a date beyond the years of PostgreSQL"))
}

fn push_checked(text: &str, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if text.as_bytes().contains(&0) {
        return Err(Misfit::new("a text with a zero byte, which PostgreSQL cannot hold"));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Of `timestamp(3) without time zone`: 1000 microseconds.
fn grain(declared: &str) -> i64 {
    let moment = declared.starts_with("time") || declared.starts_with("interval");
    let digits = declared.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(digits, _)| digits);
    match digits.and_then(|digits| digits.parse::<u32>().ok()) {
        Some(digits) if moment && digits <= 6 => 10i64.pow(6 - digits),
        _ => 1,
    }
}

/// Of `numeric(5,-2)`: 2.
fn zeros(declared: &str) -> u32 {
    let digits = declared.strip_prefix("numeric(").and_then(|rest| rest.split_once(",-"));
    digits.and_then(|(_, digits)| digits.trim_end_matches(')').parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_below_zero_is_read_from_the_declaration() {
        assert_eq!((zeros("numeric(5,-2)"), zeros("numeric(5,2)"), zeros("numeric")), (2, 0, 0));
    }

    #[test]
    fn the_grain_of_moments_is_read_from_the_declaration() {
        assert_eq!(grain("timestamp(3) without time zone"), 1_000);
        assert_eq!(grain("time(0) with time zone"), 1_000_000);
        assert_eq!(grain("interval(6)"), 1);
        assert_eq!(grain("numeric(10,2)"), 1);
        assert_eq!(grain("timestamp with time zone"), 1);
    }
}
