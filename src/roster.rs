//! The tables of a run, as both sides have them: found, made where they are missing, laid beside each other, sorted.

mod found;
mod laid;
mod made;
mod wished;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use rowsync_actors::leave::Leave;
use rowsync_engine::error::Class;
use rowsync_engine::order::{Order, order};
use rowsync_engine::pair::{Mismatch, Pair, PairOptions};
use rowsync_engine::report::{ErrorReport, TableReport, TableStatus};
use rowsync_engine::schema::{TableName, TableSchema};

use crate::ends::{Ends, told};
use crate::filters::check_filters;
use crate::problem::Problem;
use crate::settings::{ChangeTracking, SyncSettings, TableSettings, TuningSettings};

use found::{describe, refuse_missing, refuse_shared_targets, wanted_tables};
use laid::lay;
use made::{add_missing_columns, create_missing};

pub use found::read_rules;
pub use wished::{columns_to_add, target_column, wished_foreign_keys, wished_table};

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
    /// Why the target refused to make the table, or columns of it.
    pub unmade: Option<Mismatch>,
    pub target_engine: &'static str,
    /// Columns that this run has added to the target's table.
    pub added_columns: Vec<String>,
    /// What a plan tells of indexes that the target's table lacks.
    pub missing_indexes: Vec<String>,
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
