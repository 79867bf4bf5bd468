//! Everything that can be found before the first row moves: connections, tables, columns, keys, indexes.

use std::collections::{BTreeMap, BTreeSet};

use rowsync_actors::leave::Unshared;
use rowsync_engine::pair::{ColumnFit, Fit, Pair};
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{ForeignKey, TableSchema, TableView};
use rowsync_engine::store::{Consistency, Snapshot, Store};
use rowsync_stores::Access;
use serde::Serialize;

use crate::compatibility::{columns_of, columns_text, key_order_note};
use crate::ends::{Ends, told};
use crate::execute::place_of;
use crate::indexes::missing_indexes;
use crate::printing::wrapped;
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster, read_rules, wished_foreign_keys, wished_table};
use crate::settings::{ChangeTracking, ConnectionSettings, SyncSettings};
use crate::tracking::log_owner;

/// What a check found.
#[derive(Debug, Serialize)]
pub struct CheckReport {
    pub sync: String,
    pub source: String,
    pub target: String,
    pub tables: Vec<TableCheck>,
    /// Foreign keys that form a circle, as `a -> b -> a`.
    pub cycles: Vec<String>,
    /// What is to be known of all tables.
    pub notes: Vec<String>,
}

/// Types of SQLite are advice.
const UNTYPED: &str = "columns of the source take any value, whatever their type; one that is not of that type is refused by the column's name";

#[derive(Debug, Serialize)]
pub struct TableCheck {
    pub table: String,
    pub target: String,
    pub key: Vec<String>,
    /// What stops this table, with the remedy.
    pub problems: Vec<String>,
    /// What costs time, or is left alone.
    pub notes: Vec<String>,
    /// What every column of both sides comes to.
    pub columns: Vec<ColumnFit>,
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
    let mut roster = Roster::call(settings, &ends, Missing::Foresee, &Unshared, &mut BTreeSet::new()).await?;
    for entry in &mut roster.entries {
        read_rules(settings, &ends, &mut entry.source).await?;
    }
    let mut tables = Vec::new();
    for place in 0..roster.entries.len() {
        tables.push(check_table(settings, &ends, &roster, place).await?);
    }
    let untyped = !ends.source.capabilities().typed && tables.iter().any(|table| !table.columns.is_empty());
    Ok(CheckReport {
        sync: settings.name.clone(),
        source: settings.source.url.to_string(),
        target: settings.target.url.to_string(),
        tables,
        cycles: roster.cycles(),
        notes: untyped.then(|| UNTYPED.to_owned()).into_iter().collect(),
    })
}

async fn check_table(
    settings: &SyncSettings,
    ends: &Ends,
    roster: &Roster,
    place: usize,
) -> Result<TableCheck, Problem> {
    let entry = &roster.entries[place];
    let columns = columns_of(entry, &*ends.source, &*ends.target);
    let mut check = TableCheck {
        table: entry.settings.name.clone(),
        target: entry.settings.target.clone(),
        key: Vec::new(),
        problems: impossible(entry, &columns),
        notes: Vec::new(),
        columns,
    };
    let Ok(pair) = &entry.pair else { return Ok(check) };
    check.key = pair.source.key_columns().iter().map(|column| column.column.name.clone()).collect();
    check.notes.clone_from(&pair.notes);
    check.notes.extend(key_order_note(entry));
    check.notes.extend(missing_index("source", &*ends.source, &settings.source, pair.source.stored()).await?);
    if entry.target_missing {
        check.notes.push("the target's table is missing and will be created".into());
        check.notes.extend(left_behind(settings, ends, &roster.entries, place).await?);
    } else {
        check.notes.extend(missing_index("target", &*ends.target, &settings.target, &pair.target).await?);
        check.notes.extend(missing_indexes(settings, ends, entry).await?);
        check.notes.extend(missing_foreign_keys(settings, ends, &roster.entries, place).await?);
    }
    check.notes.extend(missing_log(settings, ends, entry, pair).await?);
    Ok(check)
}

/// What a table that is still to be made will go without.
async fn left_behind(
    settings: &SyncSettings,
    ends: &Ends,
    entries: &[Entry],
    place: usize,
) -> Result<Vec<String>, Problem> {
    let like = wished_table(&entries[place]);
    let creation = ends.target.creation(&like, &wished_foreign_keys(entries, place)).await;
    let notes = creation.map_err(|error| told("target", &settings.target, error))?.notes;
    Ok(like.rules.left_behind.into_iter().chain(notes).collect())
}

/// Everything that stops the table. The pairing ends at the first reason, with its remedy; others may be behind it.
fn impossible(entry: &Entry, columns: &[ColumnFit]) -> Vec<String> {
    let stops = columns.iter().filter(|column| column.fit == Fit::Impossible);
    let name = |column: &ColumnFit| column.source.clone().or_else(|| column.target.clone()).unwrap_or_default();
    let all: Vec<String> =
        stops.map(|column| format!("column {}: {}", name(column), column.limits.join("; "))).collect();
    let first = entry.pair.as_ref().err().map(ToString::to_string);
    match (first, all.len()) {
        (Some(first), 0 | 1) => vec![first],
        (Some(first), _) => std::iter::once(first).chain(all).collect(),
        (None, _) => all,
    }
}

async fn missing_index(
    side: &'static str,
    store: &dyn Store,
    connection: &ConnectionSettings,
    view: &TableView,
) -> Result<Option<String>, Problem> {
    if view.key_len == 0 {
        return Ok(None);
    }
    let missing = store.missing_index(view).await.map_err(|error| told(side, connection, error))?;
    Ok(missing.map(|statement| format!("the {side} would be read faster with: {statement}")))
}

/// Foreign keys of the source between tables of the sync that the target does not have, with what would add them where the
/// target can add any.
async fn missing_foreign_keys(
    settings: &SyncSettings,
    ends: &Ends,
    entries: &[Entry],
    place: usize,
) -> Result<Vec<String>, Problem> {
    let Some(target) = &entries[place].target else { return Ok(Vec::new()) };
    let has = |wished: &ForeignKey| {
        let alike = |key: &ForeignKey| {
            key.columns == wished.columns && key.parent.name.eq_ignore_ascii_case(&wished.parent.name)
        };
        target.foreign_keys.iter().any(alike)
    };
    let mut told_of = Vec::new();
    for key in wished_foreign_keys(entries, place).into_iter().filter(|wished| !has(wished)) {
        let bare = TableSchema {
            columns: Vec::new(),
            primary_key: Vec::new(),
            rules: TableRules::default(),
            ..target.clone()
        };
        let creation = ends.target.creation(&bare, std::slice::from_ref(&key)).await;
        let creation = creation.map_err(|error| told("target", &settings.target, error))?;
        let added = creation.after.first().map(|statement| format!("; add it with: {statement}")).unwrap_or_default();
        let (columns, parent) = (key.columns.join(", "), &key.parent.name);
        told_of.push(format!("the target lacks a foreign key of the source: ({columns}) refers to {parent}{added}"));
    }
    Ok(told_of)
}

/// Triggers that the settings ask for and nobody has made.
async fn missing_log(
    settings: &SyncSettings,
    ends: &Ends,
    entry: &Entry,
    pair: &Pair,
) -> Result<Option<String>, Problem> {
    let tuning = &entry.settings.tuning;
    if tuning.change_tracking != ChangeTracking::Triggers || pair.is_keyless() {
        return Ok(None);
    }
    let Some(owner) = log_owner(tuning, &place_of(settings)) else { return Ok(None) };
    let failed = |error| told("source", &settings.source, error);
    let latest = ends.source.snapshot(Consistency::Latest).await.map_err(failed)?;
    let log = Snapshot::log(&*latest, pair.source.stored(), &owner).await.map_err(failed)?;
    Ok(log.is_none().then(|| MISSING_LOG.into()))
}

const MISSING_LOG: &str =
    "the triggers that `change_tracking` asks for are missing; make them with `rowsync track FILE install`";

/// The check as people read it.
pub fn text(report: &CheckReport) -> String {
    let mut text = format!("source {}\ntarget {}\n", report.source, report.target);
    for table in &report.tables {
        let state = if table.problems.is_empty() { "ok" } else { "problem" };
        let key = if table.key.is_empty() { String::new() } else { format!(" (key {})", table.key.join(", ")) };
        text += &format!("{state:8} {} -> {}{key}\n", table.table, table.target);
        table.problems.iter().for_each(|problem| text += &wrapped("         ", problem));
        table.notes.iter().for_each(|note| text += &wrapped("         note: ", note));
        if !table.columns.is_empty() {
            text += &columns_text(&table.columns);
        }
    }
    text += &rules_text(report);
    report.notes.iter().for_each(|note| text += &wrapped("note: ", note));
    report.cycles.iter().for_each(|cycle| text += &wrapped("note: ", &format!("foreign keys form a cycle: {cycle}")));
    match report.problems() {
        0 => text + "everything fits",
        1 => text + "1 problem",
        problems => text + &format!("{problems} problems"),
    }
}

/// The rules of comparison that the tables name, each once.
fn rules_text(report: &CheckReport) -> String {
    let columns = report.tables.iter().flat_map(|table| &table.columns);
    let rules: BTreeMap<&String, &String> =
        columns.filter_map(|column| Some((column.compared_as.as_ref()?, column.rule.as_ref()?))).collect();
    rules.into_iter().map(|(name, rule)| wrapped(&format!("compared as {name}: "), rule)).collect()
}
