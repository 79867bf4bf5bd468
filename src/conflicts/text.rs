//! Conflicts as people read them.

use std::fmt::Write as _;

use serde_json::Value;

use super::Conflicts;
use crate::state::Conflict;

impl Conflicts {
    pub fn text(&self) -> String {
        if self.conflicts.is_empty() {
            return format!("{}: no conflict waits", self.sync);
        }
        let mut text = String::new();
        for conflict in &self.conflicts {
            let _ = writeln!(text, "{:>4}  {} {}: {}", conflict.id, conflict.table, conflict.key, words(conflict));
        }
        text.trim_end().to_owned()
    }
}

/// A conflict in one line.
fn words(conflict: &Conflict) -> String {
    let what = match conflict.kind.as_str() {
        "both_inserted" => "both sides have it, and the rows differ".to_owned(),
        "source_deleted" => "the source deleted what the target changed".to_owned(),
        "target_deleted" => "the target deleted what the source changed".to_owned(),
        _ if conflict.columns.is_empty() => "both sides changed it".to_owned(),
        _ => format!("both sides changed {}", conflict.columns.join(", ")),
    };
    match (&conflict.resolution, conflict.status.as_str()) {
        (Some(resolution), _) => format!("{what}; resolved by {resolution}"),
        (None, "gone") => format!("{what}; gone since"),
        _ => what,
    }
}

/// One conflict as people read it: the columns that differ, side by side.
pub fn shown(conflict: &Conflict) -> String {
    let mut text = format!("conflict {} in {} {}: {}", conflict.id, conflict.table, conflict.key, words(conflict));
    let _ = write!(text, "\nfound {}, last changed {}", conflict.found_at, conflict.changed_at);
    let row = |row: &Option<Value>| row.as_ref().map_or_else(|| "no row".to_owned(), ToString::to_string);
    let _ = write!(text, "\n  source: {}\n  target: {}", row(&conflict.source), row(&conflict.target));
    if let Some(written) = &conflict.written {
        let _ = write!(text, "\n  written: {written}");
    }
    text
}
