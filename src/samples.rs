//! Rows that differ, as people read them on a terminal of 80 columns: both values below each other from shortly before
//! the place where they part, and with nothing in them that a terminal would obey or hide.

use std::fmt::Write as _;

use rowsync_engine::report::{Sample, SampleKind, Verification};
use serde_json::Value;

/// Columns that a value may take behind `    source `.
const VALUE_COLUMNS: usize = 68;
/// Columns of what two long values have in common that are shown before they part.
const COMMON_COLUMNS: usize = 16;

/// A line or more for each sample, and how many rows are not among them.
pub fn samples_text(table: &str, verification: &Verification) -> String {
    let mut text: String = verification.samples.iter().map(|sample| sample_text(table, sample)).collect();
    let more = verification.differences().saturating_sub(verification.samples.len() as u64);
    if more > 0 {
        let _ = write!(text, "\n{table}: {more} more that are not shown; see --samples");
    }
    text
}

fn sample_text(table: &str, sample: &Sample) -> String {
    let kind = match sample.kind {
        SampleKind::Missing => "missing in the target",
        SampleKind::Extra => "only in the target",
        SampleKind::Different => "different",
    };
    let mut text = format!("\n{table} {} {kind}", shown(&sample.key));
    for difference in &sample.columns {
        let (source, target) = excerpts(&shown(&difference.source), &shown(&difference.target));
        let column = visible(&difference.column);
        let _ = write!(text, "\n  {column} ({})\n    source {source}\n    target {target}", difference.rule);
    }
    text
}

fn shown(value: &Value) -> String {
    visible(&value.to_string())
}

/// Text in which what has no picture of its own stands as its number, in the spelling of JSON.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, and those that turn the direction of writing, join, or take no room.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Both values as they are, or the part of both where they differ first.
fn excerpts(a: &str, b: &str) -> (String, String) {
    if columns(a) <= VALUE_COLUMNS && columns(b) <= VALUE_COLUMNS {
        return (a.to_owned(), b.to_owned());
    }
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let (mut first, mut room) = (common, COMMON_COLUMNS);
    let before: Vec<char> = a.chars().take(common).collect();
    while first > 0 && room >= width(before[first - 1]) {
        first -= 1;
        room -= width(before[first]);
    }
    (excerpt(a, first), excerpt(b, first))
}

fn excerpt(text: &str, first: usize) -> String {
    let mut out = String::from(if first > 0 { "…" } else { "" });
    let mut room = VALUE_COLUMNS - 2 * width('…');
    for c in text.chars().skip(first) {
        if room < width(c) {
            out.push('…');
            return out;
        }
        room -= width(c);
        out.push(c);
    }
    out
}

fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// At most: letters of East Asia and pictures are as wide as two, and most of them lie behind here.
fn width(c: char) -> usize {
    if c < '\u{1100}' { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowsync_engine::report::ColumnDifference;
    use serde_json::json;

    fn different(source: Value, target: Value) -> String {
        let column = ColumnDifference { column: "b".into(), source, target, rule: "as texts".into() };
        sample_text("t", &Sample { kind: SampleKind::Different, key: json!({ "id": 1 }), columns: vec![column] })
    }

    #[test]
    fn short_values_stand_below_each_other() {
        let text = different(json!(null), json!("null"));
        assert_eq!(text, "\nt {\"id\":1} different\n  b (as texts)\n    source null\n    target \"null\"");
    }

    #[test]
    fn long_values_are_shown_where_they_part_and_fit_the_screen() {
        for (source, target) in [("x", "y"), ("", "y"), ("日本", "日本語")] {
            let long = |end: &str| json!(format!("{}{end}{}", "x".repeat(300), "日".repeat(300)));
            let text = different(long(source), long(target));
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.iter().all(|line| columns(line) <= 80), "{text}");
            assert_ne!(lines[3].split_once("source ").unwrap().1, lines[4].split_once("target ").unwrap().1, "{text}");
            assert!(lines[3].contains("…xxxxxxxx"), "{text}");
        }
    }

    #[test]
    fn nothing_in_a_value_is_hidden_or_obeyed() {
        let odd = json!("a\u{1b}[31m\u{202e}\u{200b}\u{a0}\u{7f}\u{e0041}b\n");
        assert_eq!(shown(&odd), r#""a\u001b[31m\u202e\u200b\u00a0\u007f\udb40\udc41b\n""#);
    }

    #[test]
    fn rows_that_are_not_shown_are_counted() {
        let sample = Sample { kind: SampleKind::Extra, key: json!({ "id": 6 }), columns: Vec::new() };
        let found = Verification { extra: 3, samples: vec![sample], ..Verification::default() };
        let text = samples_text("t", &found);
        assert_eq!(text, "\nt {\"id\":6} only in the target\nt: 2 more that are not shown; see --samples");
    }
}
