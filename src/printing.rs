//! The report as people read it: one line a table in aligned columns, then what went wrong and what to do.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use rowsync_engine::plan::{Operation, Plan};
use rowsync_engine::report::{ErrorReport, Merged, Method, RunReport, RunStatus, TableReport, TableStatus, Written};

use crate::compatibility::doubts_text;
use crate::samples::samples_text;

/// What a line of text for people takes.
pub const LINE_WIDTH: u16 = 80;

/// Table names longer than this are wrapped, so that the rest fits 80 columns.
const NAME_WIDTH_MAX: u16 = 24;

/// Writes to stdout, and a line end. Whoever reads it may have read enough and be gone, which is no error of ours.
pub fn put(text: &str) {
    use std::io::{ErrorKind, Write as _};
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("rowsync: what was to be printed could not be written: {error}");
    }
}

/// Words in lines of that width, the first of them behind `head`, the others behind as many spaces. A word that is longer
/// stays whole.
pub fn wrapped(head: &str, text: &str) -> String {
    let indent = " ".repeat(head.chars().count());
    let (mut lines, mut line) = (String::new(), head.to_owned());
    for word in text.split(' ') {
        let is_full = line.chars().count() + word.chars().count() > usize::from(LINE_WIDTH);
        if is_full && !line.trim_end().is_empty() && line.trim_end() != head.trim_end() {
            lines += line.trim_end();
            lines.push('\n');
            line.clone_from(&indent);
        }
        line += word;
        line.push(' ');
    }
    lines + line.trim_end() + "\n"
}

/// The report of `run`.
pub fn run_text(report: &RunReport) -> String {
    let mut table = aligned(&["table", "status", "method", "added", "changed", "deleted", "proven", "seconds"], 3..6);
    for t in &report.tables {
        table.add_row([
            t.table.clone(),
            status_word(t.status).into(),
            method_word(t.method).into(),
            t.added.to_string(),
            t.modified.to_string(),
            t.deleted.to_string(),
            if t.verified { "yes" } else { "no" }.into(),
            format!("{:.2}", t.seconds.total),
        ]);
    }
    let totals = &report.totals;
    let mut text = table.trim_fmt();
    let _ = write!(
        text,
        "\n\n{}: {} added, {} modified, {} deleted in {}",
        run_status_words(report.status),
        totals.added,
        totals.modified,
        totals.deleted,
        counted(report.tables.len() as u64, "table"),
    );
    if totals.failed > 0 {
        let _ = write!(text, ", {} failed", totals.failed);
    }
    for table in &report.tables {
        text += &table.merge.map(|merge| merged_text(&table.table, &merge)).unwrap_or_default();
    }
    if totals.conflicts > 0 {
        let _ = write!(text, "\n{} for a decision; see `rowsync conflicts`", waiting(totals.conflicts));
    }
    text + &notes(&report.tables) + &errors(report)
}

/// Which side got what.
fn merged_text(table: &str, merged: &Merged) -> String {
    let side = |written: &Written| {
        format!("{} added, {} modified, {} deleted", written.added, written.modified, written.deleted)
    };
    let decided = match merged.decided {
        0 => String::new(),
        conflicts => format!("; {} decided by the rule", counted(conflicts, "conflict")),
    };
    format!("\n  {table}: target {}; source {}{decided}", side(&merged.target), side(&merged.source))
}

fn waiting(conflicts: u64) -> String {
    format!("{} {}", counted(conflicts, "conflict"), if conflicts == 1 { "waits" } else { "wait" })
}

/// The report of `undo`.
pub fn undo_text(report: &RunReport) -> String {
    let head = ["table", "status", "put back", "changed back", "removed", "conflicts", "proven"];
    let mut table = aligned(&head, 2..6);
    for t in &report.tables {
        table.add_row([
            t.table.clone(),
            status_word(t.status).into(),
            t.added.to_string(),
            t.modified.to_string(),
            t.deleted.to_string(),
            t.conflicts.to_string(),
            if t.verified { "yes" } else { "no" }.into(),
        ]);
    }
    let totals = &report.totals;
    let mut text = table.trim_fmt();
    let _ = write!(
        text,
        "\n\nUndo of {}: {} put back, {} changed back, {} removed, {} as before already",
        report.undoes.as_deref().unwrap_or_default(),
        totals.added,
        totals.modified,
        totals.deleted,
        totals.skipped,
    );
    if totals.conflicts > 0 {
        let _ = write!(text, ", {} left as somebody else changed them", totals.conflicts);
    }
    if totals.failed > 0 {
        let _ = write!(text, ", {} failed", totals.failed);
    }
    text + &notes(&report.tables) + &errors(report)
}

/// What `plan` tells.
pub fn plan_text(report: &RunReport) -> String {
    let mut table = aligned(&["table", "source", "target", "changed", "plan"], 1..4);
    for t in &report.tables {
        match &t.plan {
            Some(plan) => table.add_row([
                t.table.clone(),
                plan.source_count.to_string(),
                plan.target_count.to_string(),
                plan.changed.to_string(),
                plan_words(plan),
            ]),
            None => table.add_row([t.table.clone(), "-".into(), "-".into(), "-".into(), status_word(t.status).into()]),
        };
    }
    let doubts: String = report.tables.iter().map(|t| doubts_text(&t.table, &t.columns)).collect();
    table.trim_fmt() + &doubts + &notes(&report.tables) + &errors(report)
}

fn plan_words(plan: &Plan) -> String {
    let word = |operation: &Operation| match operation {
        Operation::Add => "add",
        Operation::Delete => "delete",
        Operation::Incremental => "incremental",
        Operation::Changed => "changed",
        Operation::Merge => "merge",
        Operation::Replace => "replace",
    };
    let operations: Vec<&str> = plan.operations.iter().map(word).collect();
    let operations = if operations.is_empty() { "nothing".into() } else { operations.join(", ") };
    format!("{operations}\n({})", plan.reason)
}

/// What `verify` tells.
pub fn verify_text(report: &RunReport) -> String {
    let mut table = aligned(&["table", "result", "missing", "extra", "different"], 2..5);
    for t in &report.tables {
        let Some(v) = &t.verification else {
            table.add_row([t.table.as_str(), status_word(t.status), "-", "-", "-"]);
            continue;
        };
        let result = if v.differences() == 0 { "equal" } else { "differs" };
        table.add_row([
            t.table.clone(),
            result.into(),
            v.missing.to_string(),
            v.extra.to_string(),
            v.different.to_string(),
        ]);
    }
    let mut text = table.trim_fmt();
    for t in &report.tables {
        text += &t.verification.as_ref().map(|v| samples_text(&t.table, v)).unwrap_or_default();
    }
    let miss: f64 = report.tables.iter().filter_map(|t| t.verification.as_ref()).map(|v| v.miss_probability).sum();
    let miss = if miss == 0.0 { "0".to_owned() } else { format!("{miss:.1e}") };
    let _ = write!(text, "\n\nprobability that a difference was missed: {miss}");
    text + &errors(report)
}

fn aligned(head: &[&str], numbers: std::ops::Range<usize>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head.iter().copied());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if index == 0 {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(NAME_WIDTH_MAX)));
        }
    }
    table
}

/// Notes that several tables share stand once.
fn notes(tables: &[TableReport]) -> String {
    let mut shared: Vec<(&str, Vec<&str>)> = Vec::new();
    for (table, note) in tables.iter().flat_map(|t| t.notes.iter().map(move |note| (t.table.as_str(), note.as_str()))) {
        match shared.iter_mut().find(|(text, _)| *text == note) {
            Some((_, names)) => names.push(table),
            None => shared.push((note, vec![table])),
        }
    }
    let lines = shared.into_iter().map(|(note, names)| match names.len() {
        1..=3 => format!("\n  {note}: {}", names.join(", ")),
        more => format!("\n  {note}: {more} tables"),
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\nNotes:{lines}") }
}

/// The numbered list of the manual.
fn errors(report: &RunReport) -> String {
    let of_tables =
        report.tables.iter().flat_map(|t| t.errors.iter().map(move |error| (Some(t.table.as_str()), error)));
    let all: Vec<(Option<&str>, &ErrorReport)> =
        of_tables.chain(report.errors.iter().map(|error| (None, error))).collect();
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!("\nSync completed with {}:", counted(all.len() as u64, "error"));
    for (number, (table, error)) in all.into_iter().enumerate() {
        let table = table.map(|table| format!("{table}: ")).unwrap_or_default();
        let key = error.key.as_ref().map(|key| format!("{key} ")).unwrap_or_default();
        let _ = write!(text, "\n  {}. {table}{key}{}\n     {}", number + 1, error.message, error.remedy);
    }
    text
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn run_status_words(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Completed => "Sync complete",
        RunStatus::CompletedWithErrors => "Sync complete with errors",
        RunStatus::Failed => "Sync failed",
        RunStatus::Interrupted => "Sync interrupted",
        RunStatus::Planned => "Planned",
    }
}

fn status_word(status: TableStatus) -> &'static str {
    match status {
        TableStatus::Completed => "completed",
        TableStatus::CompletedWithErrors => "errors",
        TableStatus::Failed => "failed",
        TableStatus::Interrupted => "interrupted",
        TableStatus::Skipped => "skipped",
        TableStatus::Planned => "planned",
        TableStatus::Blocked => "blocked",
    }
}

fn method_word(method: Method) -> &'static str {
    match method {
        Method::Bulk => "bulk",
        Method::BinarySearch => "binary search",
        Method::FullCompare => "full compare",
        Method::Incremental => "incremental",
        Method::Merge => "merge",
        Method::None => "none",
    }
}
