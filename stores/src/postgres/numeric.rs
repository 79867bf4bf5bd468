//! `numeric` in its binary form: base 10,000 digits, the weight of the first one, a sign, and how many decimal digits
//! to show behind the point.

use super::fit::Misfit;
use super::lookup3::hash_bytes;

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

/// Digits before and behind the point that `numeric` holds at most.
const WHOLE_MAX: usize = 131_072;
const FRACTION_MAX: usize = 16_383;

/// Spells the number into `out`, in plain notation with as many digits behind the point as it was stored with.
pub fn decode(bytes: &[u8], out: &mut String) -> Option<()> {
    out.clear();
    let (header, digits) = bytes.split_first_chunk::<8>()?;
    let field = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (count, weight, sign, scale) = (field(0) as usize, field(2) as i16, field(4), field(6) as usize);
    match sign {
        NAN => out.push_str("NaN"),
        INFINITY => out.push_str("Infinity"),
        MINUS_INFINITY => out.push_str("-Infinity"),
        POSITIVE | NEGATIVE => {
            if digits.len() != count * 2 {
                return None;
            }
            if sign == NEGATIVE {
                out.push('-');
            }
            spell(digits, i32::from(weight), scale, out)?;
        }
        _ => return None,
    }
    Some(())
}

/// `hash_numeric_extended`, and whether the number is below zero, which that does not look at.
pub fn hash(bytes: &[u8], seed: u64) -> Option<(u64, bool)> {
    let (header, digits) = bytes.split_first_chunk::<8>()?;
    let weight = i16::from_be_bytes([header[2], header[3]]);
    let sign = u16::from_be_bytes([header[4], header[5]]);
    if !matches!(sign, POSITIVE | NEGATIVE) {
        return Some((seed, sign == MINUS_INFINITY));
    }
    let pairs = || digits.chunks_exact(2);
    let leading = pairs().take_while(|digit| *digit == [0, 0]).count();
    let trailing = pairs().rev().take_while(|digit| *digit == [0, 0]).count();
    if leading == pairs().len() {
        return Some((seed.wrapping_sub(1), false));
    }
    // As the server has them in memory.
    let significant = pairs().len() - leading - trailing;
    let swapped: Vec<u8> = pairs().skip(leading).take(significant).flat_map(|digit| [digit[1], digit[0]]).collect();
    let hash = hash_bytes(&swapped, seed) ^ (i64::from(weight) - leading as i64) as u64;
    Some((hash, sign == NEGATIVE))
}

fn spell(digits: &[u8], weight: i32, scale: usize, out: &mut String) -> Option<()> {
    let group = |place: i32| -> Option<u16> {
        match usize::try_from(weight - place).ok().filter(|index| index * 2 + 1 < digits.len()) {
            Some(index) => {
                Some(u16::from_be_bytes([digits[index * 2], digits[index * 2 + 1]])).filter(|group| *group < 10_000)
            }
            None => Some(0),
        }
    };
    if weight < 0 {
        out.push('0');
    } else {
        push_digits(out, group(weight)?, true);
        for place in (0..weight).rev() {
            push_digits(out, group(place)?, false);
        }
    }
    if scale > 0 {
        out.push('.');
        let end = out.len() + scale;
        let mut place = -1;
        while out.len() < end {
            push_digits(out, group(place)?, false);
            place -= 1;
        }
        out.truncate(end);
    }
    Some(())
}

fn push_digits(out: &mut String, group: u16, first: bool) {
    let digits = [group / 1000, group / 100 % 10, group / 10 % 10, group % 10];
    let skipped = if first { digits.iter().take(3).take_while(|digit| **digit == 0).count() } else { 0 };
    out.extend(digits[skipped..].iter().map(|digit| char::from(b'0' + *digit as u8)));
}

/// What `numeric(precision, scale)` allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Digits before and behind the point.
    pub precision: Option<u32>,
    pub scale: Option<u32>,
    /// Last digits before the point that have to be zero: two where the scale is -2.
    pub zeros: u32,
}

/// Appends the binary form of a number in plain notation.
pub fn encode(text: &str, limits: Limits, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let special = match text {
        "NaN" => Some(NAN),
        "Infinity" => Some(INFINITY),
        "-Infinity" => Some(MINUS_INFINITY),
        _ => None,
    };
    if let Some(sign) = special {
        if sign != NAN && limits.precision.is_some() {
            return Err(Misfit::new("an infinity, which a numeric with a precision cannot hold"));
        }
        header(out, 0, 0, sign, 0);
        return Ok(());
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (NEGATIVE, digits),
        None => (POSITIVE, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    check(whole, fraction, limits)?;
    let groups = groups(whole, fraction);
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let trailing = groups[leading..].iter().rev().take_while(|group| **group == 0).count();
    let kept = &groups[leading..groups.len() - trailing];
    let weight = whole.len().div_ceil(4) as i32 - 1 - leading as i32;
    let (weight, sign) = if kept.is_empty() { (0, POSITIVE) } else { (weight, sign) };
    // The server shows as many digits as the column has, so that is how the number comes back.
    let shown = limits.scale.map_or(fraction.len(), |scale| scale as usize);
    header(out, kept.len(), weight, sign, shown);
    kept.iter().for_each(|group| out.extend(group.to_be_bytes()));
    Ok(())
}

fn check(whole: &str, fraction: &str, limits: Limits) -> Result<(), Misfit> {
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(Misfit::new("a decimal that is no number in plain notation"));
    }
    if whole.len() > WHOLE_MAX || fraction.len() > FRACTION_MAX {
        return Err(Misfit::new("a decimal with more digits than numeric holds"));
    }
    let Some(precision) = limits.precision else { return Ok(()) };
    let scale = limits.scale.unwrap_or(0) as usize;
    if fraction.trim_end_matches('0').len() > scale {
        return Err(Misfit(format!("a decimal with more than {scale} digits behind the point")));
    }
    let zeros = limits.zeros as usize;
    if !whole.is_empty() && !whole.bytes().rev().take(zeros).all(|digit| digit == b'0') {
        return Err(Misfit(format!("a decimal whose last {zeros} digits before the point are not zero")));
    }
    let room = (precision as usize).saturating_sub(scale);
    if whole.len() > room {
        return Err(Misfit(format!("a decimal with more than {room} digits before the point")));
    }
    Ok(())
}

/// Base 10,000 digits, aligned at the point.
fn groups(whole: &str, fraction: &str) -> Vec<u16> {
    let number = |digits: &str| digits.bytes().fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let mut groups = Vec::with_capacity(whole.len() / 4 + fraction.len() / 4 + 2);
    let (head, rest) = whole.split_at(whole.len() % 4);
    if !head.is_empty() {
        groups.push(number(head));
    }
    let chunks = |text: &str| -> Vec<u16> {
        (0..text.len())
            .step_by(4)
            .map(|at| {
                let part = &text[at..text.len().min(at + 4)];
                number(part) * 10u16.pow(4 - part.len() as u32)
            })
            .collect()
    };
    groups.extend(chunks(rest));
    groups.extend(chunks(fraction));
    groups
}

fn header(out: &mut Vec<u8>, count: usize, weight: i32, sign: u16, scale: usize) {
    // The limits above keep all three within 16 bits.
    out.extend((count as u16).to_be_bytes());
    out.extend((weight as i16).to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend((scale as u16).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(text: &str) -> String {
        let mut bytes = Vec::new();
        encode(text, Limits::default(), &mut bytes).unwrap();
        let mut spelled = String::new();
        decode(&bytes, &mut spelled).unwrap();
        spelled
    }

    #[test]
    fn numbers_keep_their_digits() {
        let cases =
            ["0", "0.00", "1", "-1.50", "9999", "10000", "100000000", "0.0001", "0.00001234", "12345.6789", "NaN"];
        for text in cases {
            assert_eq!(round_trip(text), text);
        }
        assert_eq!(round_trip("-0.0"), "0.0");
        assert_eq!(round_trip("0012.5"), "12.5");
    }

    #[test]
    fn a_number_is_shown_with_the_digits_of_its_column() {
        let limits = Limits { precision: Some(5), scale: Some(2), zeros: 0 };
        for (text, shown) in [("1", "1.00"), ("1.5", "1.50"), ("1.500", "1.50"), ("0", "0.00"), ("-0.01", "-0.01")] {
            let (mut bytes, mut spelled) = (Vec::new(), String::new());
            encode(text, limits, &mut bytes).unwrap();
            decode(&bytes, &mut spelled).unwrap();
            assert_eq!(spelled, shown);
        }
    }

    #[test]
    fn numbers_beyond_the_column_are_refused() {
        let limits = Limits { precision: Some(5), scale: Some(2), zeros: 0 };
        let fits = |text| encode(text, limits, &mut Vec::new()).is_ok();
        assert!(fits("999.99") && fits("1.500") && fits("-0.01") && fits("NaN"));
        assert!(!fits("1000") && !fits("1.005") && !fits("Infinity") && !fits("1e3"));
        let limits = Limits { precision: Some(5), scale: Some(0), zeros: 2 };
        let fits = |text| encode(text, limits, &mut Vec::new()).is_ok();
        assert!(fits("12300") && fits("0") && fits("-100.0") && !fits("12340") && !fits("1") && !fits("100000"));
    }

    proptest! {
        #[test]
        fn any_number_survives(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?") {
            prop_assume!(text.bytes().any(|b| (b'1'..=b'9').contains(&b)));
            prop_assert_eq!(round_trip(&text), text);
        }

        #[test]
        fn broken_bytes_are_no_number_and_no_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes, &mut String::new());
        }
    }
}
