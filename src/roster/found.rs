//! The tables that are wanted, found on both sides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rowsync_engine::error::StoreError;
use rowsync_engine::pair::Mismatch;
use rowsync_engine::schema::{TableName, TableSchema, find_name};
use rowsync_engine::store::Store;

use super::wished::wished_name;
use super::{Entry, Missing};
use crate::ends::{Ends, told};
use crate::problem::Problem;
use crate::settings::{SyncSettings, TableSelection, TableSettings};
use crate::state::State;

pub(super) async fn wanted_tables(settings: &SyncSettings, ends: &Ends) -> Result<Vec<TableSettings>, Problem> {
    let tables = match &settings.tables {
        TableSelection::Named(tables) => tables.clone(),
        TableSelection::All => {
            let names = ends.source.tables().await.map_err(|error| told("source", &settings.source, error))?;
            let (state, source) = (&settings.state, &settings.source);
            let is_ours = |name: &str| state.is_beside(source) && State::has_table(source.engine, name);
            let names = names.into_iter().map(|name| name.name).filter(|name| !is_ours(name));
            names.flat_map(|name| with_top_tuning(settings, name).by_kind()).collect()
        }
    };
    let Some(only) = &settings.sync_table else {
        return Ok(tables.into_iter().filter(|table| table.enabled).collect());
    };
    let mut chosen = Vec::new();
    for name in only {
        let named = find_name(&tables, name, |table| &table.name).map(|table| &table.name);
        let of_source: Vec<&str> =
            tables.iter().map(|table| table.source.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
        match (named, find_name(&of_source, name, |source| source)) {
            (Some(named), _) => chosen.extend(tables.iter().filter(|table| table.name == *named).cloned()),
            (None, Some(source)) => chosen.extend(tables.iter().filter(|table| table.source == *source).cloned()),
            (None, None) => {
                return Err(no_such_table(
                    "source",
                    &settings.source.name,
                    name,
                    tables.iter().map(|table| table.name.as_str()),
                ));
            }
        }
    }
    Ok(tables.into_iter().filter(|table| table.enabled && chosen.contains(table)).collect())
}

fn with_top_tuning(settings: &SyncSettings, name: String) -> TableSettings {
    TableSettings {
        target: name.clone(),
        source: name.clone(),
        name,
        kind: None,
        depends_on: Vec::new(),
        enabled: true,
        tuning: settings.tuning.clone(),
    }
}

fn no_such_table<'a>(side: &str, connection: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let nearest = known.max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let hint =
        nearest.filter(|near| strsim::jaro_winkler(near, name) > 0.7).map(|near| format!("; did you mean `{near}`?"));
    Problem::Usage(format!("{side} `{connection}` has no table `{name}`{}", hint.unwrap_or_default()))
}

pub(super) async fn describe(settings: &SyncSettings, ends: &Ends, table: TableSettings) -> Result<Entry, Problem> {
    let (source, target) = tokio::join!(look_up(&ends.source, &table.source), look_up(&ends.target, &table.target));
    let source = source.map_err(|error| told("source", &settings.source, error))?;
    let target = target.map_err(|error| told("target", &settings.target, error))?;
    let Some(mut source) = source else {
        let known = ends.source.tables().await.map_err(|error| told("source", &settings.source, error))?;
        return Err(no_such_table(
            "source",
            &settings.source.name,
            &table.source,
            known.iter().map(|name| name.name.as_str()),
        ));
    };
    if target.is_none() {
        read_rules(settings, ends, &mut source).await?;
    }
    let unpaired =
        Mismatch { message: format!("the target has no table {}", table.target), remedy: CREATE_REMEDY.into() };
    Ok(Entry {
        settings: table,
        source,
        target,
        pair: Err(unpaired),
        created: false,
        lacks_foreign_keys: false,
        target_missing: false,
        unmade: None,
        target_engine: ends.target.capabilities().engine.name,
        added_columns: Vec::new(),
        missing_indexes: Vec::new(),
    })
}

/// What the source's table has beside columns and key, for one that is to be made like it.
pub async fn read_rules(settings: &SyncSettings, ends: &Ends, source: &mut TableSchema) -> Result<(), Problem> {
    source.rules = ends.source.rules(&source.name).await.map_err(|error| told("source", &settings.source, error))?;
    Ok(())
}

pub(super) const CREATE_REMEDY: &str = "create it, or set `create_missing_tables` to true";

/// A table by its whole name, or, where there is none of that name, by schema and name.
async fn look_up(store: &Arc<dyn Store>, name: &str) -> Result<Option<TableSchema>, StoreError> {
    match store.describe(&TableName::new(name)).await? {
        None if name.contains('.') => store.describe(&table_name(name)).await,
        found => Ok(found),
    }
}

/// `name`, or `schema.name`.
pub(super) fn table_name(name: &str) -> TableName {
    match name.split_once('.') {
        Some((schema, name)) => TableName::in_schema(schema, name),
        None => TableName::new(name),
    }
}

pub(super) fn refuse_missing(settings: &SyncSettings, entries: &[Entry], missing: Missing) -> Result<(), Problem> {
    let lost = |entry: &&Entry| entry.target.is_none() && !entry.settings.tuning.create_missing_tables;
    match entries.iter().find(lost) {
        Some(entry) if matches!(missing, Missing::Create | Missing::Imagine) => Err(Problem::Usage(format!(
            "target `{}` has no table `{}` for source table `{}`; {CREATE_REMEDY}",
            settings.target.name, entry.settings.target, entry.settings.name
        ))),
        _ => Ok(()),
    }
}

/// Two tables that found the same one in the target, since names match in any case where nothing else is called so, would
/// delete each other's rows.
pub(super) fn refuse_shared_targets(settings: &SyncSettings, ends: &Ends, entries: &[Entry]) -> Result<(), Problem> {
    let rule = ends.target.capabilities().limits.names;
    let mut takers: BTreeMap<(Option<String>, String), &Entry> = BTreeMap::new();
    for entry in entries {
        let name = entry.target.as_ref().map_or_else(|| wished_name(entry), |target| target.name.clone());
        let place = (name.schema.clone(), rule.folded(&name.name));
        let is_part = |entry: &Entry| entry.settings.tuning.target_where.is_some();
        if let Some(first) = takers.insert(place, entry)
            && first.settings.source != entry.settings.source
            && !(is_part(first) && is_part(entry))
        {
            return Err(Problem::Usage(format!(
                "the tables `{}` and `{}` would both be written to `{name}` of target `{}`, and each delete the other's \
                 rows; name another `target` for one of them, or give both a `target_where`",
                first.settings.name, entry.settings.name, settings.target.name
            )));
        }
    }
    Ok(())
}
