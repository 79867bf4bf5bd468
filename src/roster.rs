//! The tables of a run, as both sides have them: found, made where they are missing, laid beside each other, sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use rowsync_actors::leave::Leave;
use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::order::{Order, order};
use rowsync_engine::pair::{Mismatch, Pair, PairOptions, Side, missing_columns, pair, refuse_one_way};
use rowsync_engine::plan::Strategy;
use rowsync_engine::report::{ErrorReport, TableReport, TableStatus};
use rowsync_engine::schema::{Column, Filled, ForeignKey, TableName, TableSchema, TableView, find_name};
use rowsync_engine::store::Store;

use crate::ends::{Ends, told};
use crate::filters::{check_filters, filters};
use crate::problem::Problem;
use crate::settings::{ChangeTracking, SyncSettings, TableSelection, TableSettings, TuningSettings};
use crate::state::State;

/// What may be done about tables that the target lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make them where the settings say so.
    Create,
    /// Take them as empty, since only a plan was asked for.
    Imagine,
    /// Leave them out with an error.
    Report,
    /// The same, but columns that a run would add are none.
    Foresee,
    /// As with `Report`; and tables without a key are laid beside each other, since they are only compared.
    Compare,
}

/// One table of the run.
pub struct Entry {
    pub settings: TableSettings,
    pub source: TableSchema,
    /// None where the target has no such table (yet).
    pub target: Option<TableSchema>,
    pub pair: Result<Arc<Pair>, Mismatch>,
    /// The table was made by this run.
    pub created: bool,
    /// It was made by this run, or by an earlier one that did not come to its end.
    pub lacks_foreign_keys: bool,
    pub target_missing: bool,
    pub target_engine: &'static str,
    /// Columns that this run has added to the target's table.
    pub added_columns: Vec<String>,
}

/// All tables of a run, in the order of the settings or of the source.
pub struct Roster {
    pub entries: Vec<Entry>,
    pub order: Order,
}

/// Tables that are described side by side, as each takes two round trips.
const DESCRIBED_AT_ONCE: usize = 4;

impl Roster {
    /// Finds the tables, and makes those that are missing where that is wanted. `made` are those that this run has made,
    /// by the names of their sources: an attempt that failed behind them is made again.
    ///
    /// # Errors
    /// When a table is not there, or a database fails.
    pub async fn call(
        settings: &SyncSettings,
        ends: &Ends,
        missing: Missing,
        leave: &dyn Leave,
        made: &mut BTreeSet<String>,
    ) -> Result<Roster, Problem> {
        let wanted = wanted_tables(settings, ends).await?;
        let described = stream::iter(wanted).map(|table| describe(settings, ends, table)).buffered(DESCRIBED_AT_ONCE);
        let mut entries: Vec<Entry> = described.try_collect().await?;
        refuse_missing(settings, &entries, missing)?;
        refuse_shared_targets(settings, ends, &entries)?;
        check_filters(settings, ends, &entries).await?;
        let order = sort(&entries);
        if missing == Missing::Create {
            create_missing(settings, ends, &mut entries, &order, leave, made).await?;
            add_missing_columns(settings, ends, &mut entries, leave).await?;
        }
        let unfinished =
            ends.target.unfinished_tables().await.map_err(|error| told("target", &settings.target, error))?;
        for entry in &mut entries {
            entry.created = made.contains(&entry.settings.name);
            let is_unfinished = entry.target.as_ref().is_some_and(|target| unfinished.contains(&target.name));
            entry.lacks_foreign_keys = entry.created || is_unfinished;
            if is_unfinished && !entry.created {
                read_rules(settings, ends, &mut entry.source).await?;
            }
        }
        for (place, entry) in entries.iter_mut().enumerate() {
            entry.pair = lay(ends, entry, order.in_cycle(place), missing);
        }
        for place in 0..entries.len() {
            let circular = circular(&entries, &order, place);
            if let Ok(pair) = &mut entries[place].pair {
                Arc::make_mut(pair).circular = circular;
            }
        }
        Ok(Roster { entries, order })
    }

    /// The report of a table that cannot be begun because its columns do not fit.
    pub fn parked(entry: &Entry, mismatch: &Mismatch) -> TableReport {
        let mut report = TableReport::new(&entry.settings.name, &entry.settings.target);
        report.status = TableStatus::Failed;
        let error = ErrorReport {
            class: Class::Schema,
            key: None,
            message: mismatch.message.clone(),
            remedy: mismatch.remedy.clone(),
        };
        report.errors.push(error);
        report
    }

    /// Cycles of foreign keys by the names of their tables.
    pub fn cycles(&self) -> Vec<String> {
        let name = |place: &usize| self.entries[*place].settings.name.as_str();
        let named = |cycle: &Vec<usize>| {
            let names: Vec<&str> = cycle.iter().chain(cycle.first()).map(name).collect();
            names.join(" -> ")
        };
        self.order.cycles.iter().map(named).collect()
    }
}

async fn wanted_tables(settings: &SyncSettings, ends: &Ends) -> Result<Vec<TableSettings>, Problem> {
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

async fn describe(settings: &SyncSettings, ends: &Ends, table: TableSettings) -> Result<Entry, Problem> {
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
        target_engine: ends.target.capabilities().engine.name,
        added_columns: Vec::new(),
    })
}

/// What the source's table has beside columns and key, for one that is to be made like it.
pub async fn read_rules(settings: &SyncSettings, ends: &Ends, source: &mut TableSchema) -> Result<(), Problem> {
    source.rules = ends.source.rules(&source.name).await.map_err(|error| told("source", &settings.source, error))?;
    Ok(())
}

const CREATE_REMEDY: &str = "create it, or set `create_missing_tables` to true";

/// A table by its whole name, or, where there is none of that name, by schema and name.
async fn look_up(store: &Arc<dyn Store>, name: &str) -> Result<Option<TableSchema>, StoreError> {
    match store.describe(&TableName::new(name)).await? {
        None if name.contains('.') => store.describe(&table_name(name)).await,
        found => Ok(found),
    }
}

/// `name`, or `schema.name`.
fn table_name(name: &str) -> TableName {
    match name.split_once('.') {
        Some((schema, name)) => TableName::in_schema(schema, name),
        None => TableName::new(name),
    }
}

fn refuse_missing(settings: &SyncSettings, entries: &[Entry], missing: Missing) -> Result<(), Problem> {
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
fn refuse_shared_targets(settings: &SyncSettings, ends: &Ends, entries: &[Entry]) -> Result<(), Problem> {
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

/// Sorts by the foreign keys of both sides and by `depends_on`.
fn sort(entries: &[Entry]) -> Order {
    let mut edges = Vec::new();
    for (child, entry) in entries.iter().enumerate() {
        // A table may be there once for each kind of record.
        let places = |name: &str, of: fn(&Entry) -> &str| {
            let named = |(place, e): (usize, &Entry)| of(e).eq_ignore_ascii_case(name).then_some(place);
            entries.iter().enumerate().filter_map(named).collect::<Vec<_>>()
        };
        let source = entry.source.foreign_keys.iter().flat_map(|key| places(&key.parent.name, |e| &e.source.name.name));
        let target = entry.target.iter().flat_map(|target| &target.foreign_keys);
        let target = target.flat_map(|key| {
            places(&key.parent.name, |e| e.target.as_ref().map_or(e.settings.target.as_str(), |t| &t.name.name))
        });
        let added = entry.settings.depends_on.iter().flat_map(|name| places(name, |e| &e.settings.name));
        edges.extend(source.chain(target).chain(added).map(|parent| (parent, child)));
    }
    let mut order = order(entries.len(), &edges);
    // A row that changes its kind is moved by the kind that it comes to; only then is it known which ones have gone.
    let of_a_kind = entries.iter().zip(&mut order.has_children).filter(|(entry, _)| entry.settings.kind.is_some());
    of_a_kind.for_each(|(_, waits)| *waits = true);
    order
}

async fn create_missing(
    settings: &SyncSettings,
    ends: &Ends,
    entries: &mut [Entry],
    order: &Order,
    leave: &dyn Leave,
    made: &mut BTreeSet<String>,
) -> Result<(), Problem> {
    let limits = ends.target.capabilities().limits;
    for place in order.waves.iter().flatten() {
        let like = wished_table(&entries[*place]);
        let is_there = entries[*place].target.is_some() || entries[*place].settings.tuning.only_sync_plan;
        // Why it cannot be made is told when it is laid beside its source.
        if is_there || limits.check(&like).is_err() {
            continue;
        }
        let foreign_keys = wished_foreign_keys(entries, *place);
        let target_failed = |error| told("target", &settings.target, error);
        leave.to_write().await.map_err(target_failed)?;
        let created = ends.target.create_table(&like, &foreign_keys).await.map_err(target_failed)?;
        tracing::info!(table = %entries[*place].settings.source, target = %created.name, "created the missing table");
        let (source, target) = (entries[*place].settings.source.clone(), entries[*place].settings.target.clone());
        let of_the_same = |entry: &&mut Entry| entry.settings.source == source && entry.settings.target == target;
        for entry in entries.iter_mut().filter(of_the_same) {
            entry.target = Some(created.clone());
            made.insert(entry.settings.name.clone());
        }
    }
    if made.is_empty() {
        return Ok(());
    }
    // A server that goes down while the rows are written must not take the tables with it.
    ends.target.flush().await.map_err(|error| told("target", &settings.target, error))
}

/// Columns of the source that the target's table lacks and may get, by their own names and as the target would have them.
pub fn columns_to_add(entry: &Entry) -> Vec<(String, Column)> {
    match &entry.target {
        Some(target) if entry.settings.tuning.add_missing_columns => {
            missing_columns(&entry.source, target, &pair_options(&entry.settings.tuning))
        }
        _ => Vec::new(),
    }
}

async fn add_missing_columns(
    settings: &SyncSettings,
    ends: &Ends,
    entries: &mut [Entry],
    leave: &dyn Leave,
) -> Result<(), Problem> {
    let target_failed = |error| told("target", &settings.target, error);
    let mut added = false;
    for place in 0..entries.len() {
        let columns: Vec<Column> = columns_to_add(&entries[place]).into_iter().map(|(_, column)| column).collect();
        let table = entries[place].target.as_ref().map(|target| target.name.clone());
        let Some(table) = table.filter(|_| !columns.is_empty()) else { continue };
        leave.to_write().await.map_err(target_failed)?;
        let grown = ends.target.add_columns(&table, &columns).await.map_err(target_failed)?;
        let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
        tracing::info!(%table, columns = names.join(", "), "added the missing columns");
        // The kinds of records of one table share it.
        for entry in entries.iter_mut().filter(|entry| entry.target.as_ref().is_some_and(|t| t.name == table)) {
            entry.target = Some(grown.clone());
            entry.added_columns.clone_from(&names);
        }
        added = true;
    }
    match added {
        true => ends.target.flush().await.map_err(target_failed),
        false => Ok(()),
    }
}

/// The table that the target should have: the source's columns that take part, under the target's names.
pub fn wished_table(entry: &Entry) -> TableSchema {
    let options = pair_options(&entry.settings.tuning);
    let renamed = |name: &str| target_column(&entry.source, &options, name);
    let key = if options.key.is_empty() { entry.source.primary_key.clone() } else { options.key.clone() };
    let listed = |names: &[String], column: &str| {
        names.iter().any(|name| entry.source.column(name).is_some_and(|c| c.name == column))
    };
    let takes_part = |column: &&Column| {
        (options.fields.is_empty() || listed(&options.fields, &column.name) || listed(&key, &column.name))
            && !listed(&options.exclude_fields, &column.name)
            && column.filled != Filled::ByExpression
    };
    let mut columns: Vec<_> = entry.source.columns.iter().filter(takes_part).cloned().collect();
    let all = entry.source.columns.iter().filter(|column| column.filled != Filled::ByExpression);
    let keeps_names =
        all.clone().count() == columns.len() && all.clone().all(|column| renamed(&column.name) == column.name);
    let carried = |name: &str| columns.iter().any(|column| column.name == name).then(|| renamed(name));
    let primary_key: Vec<String> = key.iter().map(|name| renamed(name)).collect();
    let rules = entry.source.rules.carried(entry.target_engine, keeps_names, &primary_key, carried);
    columns.iter_mut().for_each(|column| column.name = renamed(&column.name));
    let made =
        options.expressions.iter().filter(|(name, _)| find_name(&columns, name, |column| &column.name).is_none());
    let made: Vec<Column> = made.map(|(name, expression)| expression.column(name, &entry.source)).collect();
    columns.extend(made);
    TableSchema { name: wished_name(entry), columns, primary_key, foreign_keys: Vec::new(), rules }
}

/// The name of the table that the target should have. A dot in it is part of it where the source's table is called so.
fn wished_name(entry: &Entry) -> TableName {
    let settings = &entry.settings;
    match settings.target == settings.source && entry.source.name.name.eq_ignore_ascii_case(&settings.source) {
        true => TableName::new(&settings.target),
        false => table_name(&settings.target),
    }
}

pub fn target_column(source: &TableSchema, options: &PairOptions, name: &str) -> String {
    let own = source.column(name).map_or(name, |column| column.name.as_str());
    let mapped =
        options.field_mapping.iter().find(|(from, _)| source.column(from).is_some_and(|column| column.name == own));
    mapped.map_or_else(|| own.to_owned(), |(_, to)| to.clone())
}

/// The source's foreign keys between tables of this run, under the target's names. Those of columns that do not take
/// part are left out.
pub fn wished_foreign_keys(entries: &[Entry], place: usize) -> Vec<ForeignKey> {
    let entry = &entries[place];
    let wished = wished_table(entry);
    let translate = |key: &ForeignKey| {
        let parent = entries.iter().find(|other| other.source.name.name.eq_ignore_ascii_case(&key.parent.name))?;
        let columns = |of: &Entry, names: &[String]| -> Vec<String> {
            let options = pair_options(&of.settings.tuning);
            names.iter().map(|name| target_column(&of.source, &options, name)).collect()
        };
        let own = columns(entry, &key.columns);
        own.iter().all(|name| wished.columns.iter().any(|column| column.name == *name)).then_some(())?;
        let parent_name = parent.target.as_ref().map_or_else(|| wished_name(parent), |target| target.name.clone());
        let parent_columns = columns(parent, &key.parent_columns);
        Some(ForeignKey { columns: own, parent: parent_name, parent_columns, ..key.clone() })
    };
    entry.source.foreign_keys.iter().filter_map(translate).collect()
}

fn lay(ends: &Ends, entry: &mut Entry, in_cycle: bool, missing: Missing) -> Result<Arc<Pair>, Mismatch> {
    let imagined = entry.target.is_none().then(|| wished_table(entry));
    if imagined.is_some() && !entry.settings.tuning.create_missing_tables {
        return Err(Mismatch {
            message: format!("the target has no table {}", entry.settings.target),
            remedy: CREATE_REMEDY.into(),
        });
    }
    if let Some(wished) = &imagined {
        ends.target.capabilities().limits.check(wished)?;
    }
    entry.target_missing = imagined.is_some();
    let target = entry.target.as_ref().or(imagined.as_ref()).unwrap_or(&entry.source);
    let (source_can, target_can) = (ends.source.capabilities(), ends.target.capabilities());
    let source = Side { schema: &entry.source, capabilities: &source_can };
    let target = Side { schema: target, capabilities: &target_can };
    let mut options = pair_options(&entry.settings.tuning);
    let to_add =
        if matches!(missing, Missing::Imagine | Missing::Foresee) { columns_to_add(entry) } else { Vec::new() };
    options.as_multiset = match entry.settings.tuning.sync_strategy {
        Strategy::Full => missing != Missing::Report,
        Strategy::Merge => false,
        Strategy::Compare | Strategy::Incremental => missing == Missing::Compare,
    };
    options.exclude_fields.extend(to_add.iter().map(|(own, _)| own.clone()));
    let mut pair = pair(source, target, &options)?;
    if !to_add.is_empty() {
        let names: Vec<&str> = to_add.iter().map(|(_, column)| column.name.as_str()).collect();
        pair.notes.push(format!("columns that a run adds to the target: {}", names.join(", ")));
    }
    let merges = entry.settings.tuning.sync_strategy == Strategy::Merge;
    if merges {
        refuse_one_way(&pair, &entry.source)?;
        refuse_made_both_ways(&pair)?;
    }
    refuse_kept_and_replaced(entry, &pair)?;
    refuse_kept_without_key(&pair)?;
    let rows = filters(entry);
    if let Some(kin) = rows.kin {
        refuse_kinds_both_ways(merges)?;
        refuse_unseen_kind(entry, &pair)?;
        refuse_kinds_without_key(&pair, missing)?;
        pair.kin = Some(Arc::new(TableView { filter: kin, ..TableView::clone(&pair.target) }));
        pair.raw = false;
    }
    Arc::make_mut(&mut pair.source).show_only(rows.source);
    Arc::make_mut(&mut pair.target).show_only(rows.target);
    let refers_to_itself = refers_to_itself(&entry.source) || entry.target.as_ref().is_some_and(refers_to_itself);
    if in_cycle || refers_to_itself {
        let views = std::iter::once(&mut pair.target).chain(&mut pair.kin);
        views.for_each(|view| Arc::make_mut(view).in_cycle = true);
        Arc::make_mut(&mut pair.source).in_cycle = merges;
    }
    if in_cycle {
        pair.notes.push("lies on a cycle of foreign keys".into());
    }
    Ok(Arc::new(pair))
}

/// A row that is written without its kind would be of none.
fn refuse_unseen_kind(entry: &Entry, pair: &Pair) -> Result<(), Mismatch> {
    let Some(field) = &entry.settings.tuning.record_type_field else { return Ok(()) };
    let name = entry.source.column(field).map(|column| &column.name);
    let made = entry.settings.tuning.expressions.keys();
    let own = target_column(&entry.source, &pair_options(&entry.settings.tuning), field);
    if let Some(made) = made.into_iter().find(|made| made.eq_ignore_ascii_case(&own)) {
        return Err(Mismatch {
            message: format!("the column {made} tells the kinds of records of {} apart", entry.source.name),
            remedy: "leave it out of `expressions`".into(),
        });
    }
    if pair.source.columns.iter().any(|column| Some(&column.column.name) == name) {
        return Ok(());
    }
    Err(Mismatch {
        message: format!(
            "the column {field} tells the kinds of records of {} apart and does not take part",
            entry.source.name
        ),
        remedy: "do not exclude it, and have the target hold it".into(),
    })
}

/// Nothing is left to be kept where all rows are replaced.
fn refuse_kept_and_replaced(entry: &Entry, pair: &Pair) -> Result<(), Mismatch> {
    let keeps = pair.source.derived.as_ref().is_some_and(|derivation| derivation.kept.is_some());
    match keeps && entry.settings.tuning.sync_strategy == Strategy::Full {
        true => Err(Mismatch {
            message: format!("`full` replaces the rows of {} with all keys of their documents", pair.target.table),
            remedy: "set `copy_all_json_keys` to true, or take another `sync_strategy`".into(),
        }),
        false => Ok(()),
    }
}

/// The target's documents are looked up by key.
fn refuse_kept_without_key(pair: &Pair) -> Result<(), Mismatch> {
    let keeps = pair.source.derived.as_ref().is_some_and(|derivation| derivation.kept.is_some());
    match keeps && pair.is_keyless() {
        true => Err(Mismatch {
            message: format!(
                "table {} has no primary key by which the target's documents are found",
                pair.source.table
            ),
            remedy: "name the columns that identify a row in `primary_key_field`, or set `copy_all_json_keys` to true"
                .into(),
        }),
        false => Ok(()),
    }
}

/// A row that has changed its kind would be there twice, and nothing would tell.
fn refuse_kinds_without_key(pair: &Pair, missing: Missing) -> Result<(), Mismatch> {
    match pair.is_keyless() && missing != Missing::Compare {
        true => Err(Mismatch {
            message: format!(
                "table {} has no primary key by which its kinds of records are replaced",
                pair.source.table
            ),
            remedy: "name the columns that identify a row in `primary_key_field`, or leave `record_types` out".into(),
        }),
        false => Ok(()),
    }
}

/// What is made of several values cannot be taken apart again.
fn refuse_made_both_ways(pair: &Pair) -> Result<(), Mismatch> {
    match pair.source.derived.is_none() && pair.target.exact.is_empty() {
        true => Ok(()),
        false => Err(Mismatch {
            message: format!(
                "values of {} are made or bounded on their way, which goes in one direction",
                pair.source.table
            ),
            remedy: "leave `expressions`, `on_lossy` and defaults of columns that the source has out, or take another \
                `sync_strategy`"
                .into(),
        }),
    }
}

/// A row that changes its kind on one side leaves one merge and comes up in another, which would take it for deleted.
fn refuse_kinds_both_ways(merges: bool) -> Result<(), Mismatch> {
    match merges {
        true => Err(Mismatch {
            message: "kinds of records are not merged both ways".into(),
            remedy: "leave `record_types` out, or take another `sync_strategy`".into(),
        }),
        false => Ok(()),
    }
}

/// Columns of the target that refer to its own table or to one on its cycle, and can be NULL, by their place in the pair.
fn circular(entries: &[Entry], order: &Order, place: usize) -> Vec<usize> {
    let (Some(target), Ok(pair)) = (&entries[place].target, &entries[place].pair) else { return Vec::new() };
    let ring = order.cycles.iter().filter(|cycle| cycle.contains(&place)).flatten().chain([&place]);
    let names: Vec<&TableName> = ring.filter_map(|other| Some(&entries[*other].target.as_ref()?.name)).collect();
    let in_ring = target.foreign_keys.iter().filter(|key| names.contains(&&key.parent));
    let refers: Vec<&String> = in_ring.flat_map(|key| &key.columns).collect();
    let columns = pair.target.columns.iter().enumerate().skip(pair.target.key_len);
    columns
        .filter(|(_, column)| column.column.nullable && refers.contains(&&column.column.name))
        .map(|(index, _)| index)
        .collect()
}

fn refers_to_itself(table: &TableSchema) -> bool {
    table.foreign_keys.iter().any(|key| key.parent.name.eq_ignore_ascii_case(&table.name.name))
}

pub fn pair_options(tuning: &TuningSettings) -> PairOptions {
    let by_time = matches!(tuning.change_tracking, ChangeTracking::Auto | ChangeTracking::ModifyTime);
    PairOptions {
        key: tuning.primary_key_field.clone().unwrap_or_default(),
        as_multiset: false,
        modify_time: if by_time { tuning.modify_time_field.clone() } else { String::new() },
        field_mapping: tuning.field_mapping.clone(),
        fields: tuning.fields.clone().unwrap_or_default(),
        exclude_fields: tuning.exclude_fields.clone(),
        default_values: tuning.default_values.clone(),
        expressions: tuning.expressions.clone(),
        on_lossy: tuning.on_lossy.clone(),
        keep_json_keys: !tuning.copy_all_json_keys,
    }
}
