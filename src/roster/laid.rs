//! Two tables of a run laid beside each other, and why they may not fit.

use std::sync::Arc;

use rowsync_engine::pair::{Mismatch, Pair, Side, pair, refuse_one_way};
use rowsync_engine::plan::Strategy;
use rowsync_engine::schema::TableView;

use super::found::CREATE_REMEDY;
use super::wished::{columns_to_add, target_column, wished_table};
use super::{Entry, Missing, pair_options, refers_to_itself};
use crate::ends::Ends;
use crate::filters::filters;

pub(super) fn lay(ends: &Ends, entry: &mut Entry, in_cycle: bool, missing: Missing) -> Result<Arc<Pair>, Mismatch> {
    let imagined = entry.target.is_none().then(|| wished_table(entry));
    if imagined.is_some() && !entry.settings.tuning.create_missing_tables {
        return Err(Mismatch {
            message: format!("the target has no table {}", entry.settings.target),
            remedy: CREATE_REMEDY.into(),
        });
    }
    if let Some(unmade) = &entry.unmade {
        return Err(unmade.clone());
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
