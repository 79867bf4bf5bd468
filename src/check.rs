//! Everything that can be found before the first row moves: connections, tables, columns, keys, indexes.

use std::collections::BTreeSet;

use rowsync_actors::leave::Unshared;
use rowsync_stores::Access;
use serde::Serialize;

use crate::ends::{Ends, told};
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster};
use crate::settings::SyncSettings;

/// What a check found.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    pub sync: String,
    pub source: String,
    pub target: String,
    pub tables: Vec<TableCheck>,
    /// Foreign keys that form a circle, as `a -> b -> a`.
    pub cycles: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct TableCheck {
    pub table: String,
    pub target: String,
    pub key: Vec<String>,
    /// What stops this table, with the remedy.
    pub problems: Vec<String>,
    /// What costs time, or is left alone.
    pub notes: Vec<String>,
}

impl CheckReport {
    pub fn problems(&self) -> usize {
        self.tables.iter().map(|table| table.problems.len()).sum()
    }
}

/// Checks a sync and writes nothing.
///
/// # Errors
/// When a database cannot be reached, or a table of the settings is not there.
pub async fn check(settings: &SyncSettings) -> Result<CheckReport, Problem> {
    let ends = Ends::connect(settings, Access::Look).await?;
    let roster = Roster::call(settings, &ends, Missing::Report, &Unshared, &mut BTreeSet::new()).await?;
    let mut tables = Vec::new();
    for entry in &roster.entries {
        tables.push(check_table(settings, &ends, entry).await?);
    }
    Ok(CheckReport {
        sync: settings.name.clone(),
        source: settings.source.url.to_string(),
        target: settings.target.url.to_string(),
        tables,
        cycles: roster.cycles(),
    })
}

async fn check_table(settings: &SyncSettings, ends: &Ends, entry: &Entry) -> Result<TableCheck, Problem> {
    let mut check = TableCheck {
        table: entry.settings.name.clone(),
        target: entry.settings.target.clone(),
        key: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
    };
    match &entry.pair {
        Err(mismatch) => check.problems.push(mismatch.to_string()),
        Ok(pair) => {
            check.key = pair.source.key_columns().iter().map(|column| column.column.name.clone()).collect();
            check.notes.clone_from(&pair.notes);
            if entry.target_missing {
                check.notes.push("the target's table is missing and will be created".into());
            }
            let source = ends
                .source
                .missing_index(pair.source.stored())
                .await
                .map_err(|error| told("source", &settings.source, error))?;
            check.notes.extend(source.map(|statement| format!("the source would be read faster with: {statement}")));
            if !entry.target_missing {
                let target = ends
                    .target
                    .missing_index(&pair.target)
                    .await
                    .map_err(|error| told("target", &settings.target, error))?;
                check
                    .notes
                    .extend(target.map(|statement| format!("the target would be read faster with: {statement}")));
            }
        }
    }
    Ok(check)
}

/// The check as people read it.
pub fn text(report: &CheckReport) -> String {
    let mut text = format!("source {}\ntarget {}\n", report.source, report.target);
    for table in &report.tables {
        let state = if table.problems.is_empty() { "ok" } else { "problem" };
        let key = if table.key.is_empty() { String::new() } else { format!(" (key {})", table.key.join(", ")) };
        text += &format!("{state:8} {} -> {}{key}\n", table.table, table.target);
        table.problems.iter().for_each(|problem| text += &format!("         {problem}\n"));
        table.notes.iter().for_each(|note| text += &format!("         note: {note}\n"));
    }
    report.cycles.iter().for_each(|cycle| text += &format!("note: foreign keys form a cycle: {cycle}\n"));
    match report.problems() {
        0 => text + "everything fits",
        1 => text + "1 problem",
        problems => text + &format!("{problems} problems"),
    }
}
