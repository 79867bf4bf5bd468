//! Which tables a sync keeps equal, and what each of them is told.

use std::collections::{BTreeMap, BTreeSet};

use rowsync_engine::schema::find_name;

use super::keys::{RawTable, RawTuning};
use super::making;
use super::problem::{did_you_mean, listed};
use super::provenance::{Provenance, entry, member};
use super::tuning::TuningSettings;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableSelection {
    /// Every table of the source, each with the tuning of the top.
    All,
    /// These, in the order of the file. No name and no target stands twice.
    Named(Vec<TableSettings>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSettings {
    /// The name in reports: the source's, and behind it the kind of record, as `product-work`.
    pub name: String,
    /// The name in the source.
    pub source: String,
    /// The kind of record that is meant; none where the table is taken as a whole.
    pub kind: Option<String>,
    /// The name in the target; the source's name where none was given.
    pub target: String,
    /// Names of other tables of this sync; there is no cycle.
    pub depends_on: Vec<String>,
    pub enabled: bool,
    pub tuning: TuningSettings,
}

impl TableSettings {
    /// The table once for each kind of record, or as it is where it has none.
    pub fn by_kind(self) -> Vec<TableSettings> {
        if self.tuning.record_types.is_empty() {
            return vec![self];
        }
        let of_kind = |kind: &String| TableSettings {
            name: format!("{}-{kind}", self.name),
            kind: Some(kind.clone()),
            ..self.clone()
        };
        self.tuning.record_types.iter().map(of_kind).collect()
    }

    /// Whether this name means the table, alone or with all other kinds of record.
    fn is_meant_by(&self, name: &str) -> bool {
        self.name == name || self.source == name
    }
}

impl TableSelection {
    pub(super) fn new(raw: Option<&[RawTable]>, top: &RawTuning, provenance: &mut Provenance) -> TableSelection {
        let Some(raw) = raw else { return TableSelection::All };
        let mut tables = read_tables(raw, top, provenance);
        refuse_twins(&tables, provenance);
        resolve_parents(&mut tables, provenance);
        refuse_cycles(&tables, provenance);
        TableSelection::Named(tables.into_iter().map(|(_, table)| table).collect())
    }

    /// The selected tables among `names`, spelled as they are in `tables`; any name passes where all tables are meant.
    pub(super) fn known(&self, names: &[String], path: &str, provenance: &mut Provenance) -> Vec<String> {
        let TableSelection::Named(tables) = self else { return names.to_vec() };
        find_all(names, tables, path, provenance)
    }
}

/// A table with its path.
type Placed = (String, TableSettings);

fn read_tables(raw: &[RawTable], top: &RawTuning, provenance: &mut Provenance) -> Vec<Placed> {
    let mut tables = Vec::new();
    for (index, table) in raw.iter().enumerate() {
        let path = entry("tables", index);
        let Some(name) = table.name.clone() else {
            provenance.miss(&member(&path, "name"), "the entry has no `name`; add the table's name in the source");
            continue;
        };
        let tuning = TuningSettings::resolve(top, &table.tuning);
        making::check(&table.tuning, &path, provenance);
        if has_columns(&table.tuning) {
            tuning.check_columns(&path, provenance);
        }
        if table.tuning.record_type_field.is_some() || table.tuning.record_types.is_some() {
            tuning.check_kinds(&path, provenance);
        }
        if table.tuning.r#where.is_some() || table.tuning.target_where.is_some() {
            tuning.check_filter(&path, provenance);
        }
        let table = TableSettings {
            target: table.target.clone().unwrap_or_else(|| name.clone()),
            source: name.clone(),
            kind: None,
            name,
            depends_on: table.depends_on.clone().unwrap_or_default(),
            enabled: table.enabled.unwrap_or(true),
            tuning,
        };
        tables.extend(table.by_kind().into_iter().map(|table| (path.clone(), table)));
    }
    tables
}

/// Whether the entry itself says anything about columns; what only the top says is told once, there.
fn has_columns(own: &RawTuning) -> bool {
    own.fields.is_some()
        || own.exclude_fields.is_some()
        || own.field_mapping.is_some()
        || own.primary_key_field.is_some()
}

fn refuse_twins(tables: &[Placed], provenance: &mut Provenance) {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut targets: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
    for (path, table) in tables {
        if let Some(first) = names.insert(&table.name, path).filter(|first| first != path) {
            provenance.refuse(path, format!("this table stands in {first} already; remove one of them"));
            continue;
        }
        let is_part = table.tuning.target_where.is_some();
        if let Some((first, first_is_part)) = targets.insert(&table.target, (path, is_part))
            && first != path
            && !(is_part && first_is_part)
        {
            let message = format!(
                "{first} writes to this target too; each would delete the other's rows, unless both have a `target_where`"
            );
            provenance.refuse(&member(path, "target"), message);
        }
    }
}

fn resolve_parents(tables: &mut [Placed], provenance: &mut Provenance) {
    let known: Vec<TableSettings> = tables.iter().map(|(_, table)| table.clone()).collect();
    for (path, table) in tables {
        table.depends_on = find_all(&table.depends_on, &known, &member(path, "depends_on"), provenance);
    }
}

/// The tables that each name means, as they are spelled; names that are unknown are told and left out.
fn find_all(names: &[String], tables: &[TableSettings], path: &str, provenance: &mut Provenance) -> Vec<String> {
    // A table that stands twice is told elsewhere, and still known here.
    let known = tables.iter().flat_map(|table| [table.name.as_str(), table.source.as_str()]);
    let known: Vec<&str> = known.collect::<BTreeSet<_>>().into_iter().collect();
    let mut found = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match find_name(&known, name, |known| known) {
            Some(name) => {
                let meant: BTreeSet<&str> =
                    tables.iter().filter(|table| table.is_meant_by(name)).map(|table| table.name.as_str()).collect();
                found.extend(meant.into_iter().map(str::to_owned));
            }
            None => {
                let path = if names.len() == 1 { path.to_owned() } else { entry(path, index) };
                let shown = provenance.shown(&path, name);
                let known = provenance.shown_names(known.iter().copied());
                let hint = did_you_mean(&shown, known.iter().map(String::as_str));
                provenance.refuse(&path, format!("`{shown}` is not in `tables`{hint}"));
            }
        }
    }
    found
}

/// Tables that wait for one another would never start. Takes away whatever waits for nothing, until nothing is left or
/// the rest waits in a circle.
fn refuse_cycles(tables: &[Placed], provenance: &mut Provenance) {
    let mut waiting: Vec<&Placed> = tables.iter().collect();
    loop {
        let names: BTreeSet<&str> = waiting.iter().map(|(_, table)| table.name.as_str()).collect();
        let before = waiting.len();
        waiting.retain(|(_, table)| table.depends_on.iter().any(|parent| names.contains(parent.as_str())));
        if waiting.len() == before {
            break;
        }
    }
    if let Some((path, _)) = waiting.first() {
        let names = listed(&provenance.shown_names(waiting.iter().map(|(_, table)| table.name.as_str())));
        provenance
            .refuse(&member(path, "depends_on"), format!("{names} wait for one another; remove one of the links"));
    }
}
