//! Unique constraints and indexes of the source that the target's table lacks, with what would make them.

use rowsync_engine::rules::{Index, TableRules};
use rowsync_engine::schema::TableSchema;

use crate::ends::{Ends, told};
use crate::problem::Problem;
use crate::roster::{Entry, wished_table};
use crate::settings::SyncSettings;

/// What a person is told of each. `entry` has been told the rules of its source.
pub async fn missing_indexes(settings: &SyncSettings, ends: &Ends, entry: &Entry) -> Result<Vec<String>, Problem> {
    let Some(target) = &entry.target else { return Ok(Vec::new()) };
    let failed = |error| told("target", &settings.target, error);
    let existing = ends.target.rules(&target.name).await.map_err(failed)?.indexes;
    let wished = wished_table(entry).rules.indexes;
    let wished = wished.into_iter().filter_map(|index| of_target(index, target));
    let mut told_of = Vec::new();
    for index in wished.filter(|index| !is_there(index, &existing, target)) {
        let kind = if index.unique { "a unique index" } else { "an index" };
        let what = index.columns.as_ref().map_or_else(|| index.words.clone(), |_| names(&index).join(", "));
        let rules = TableRules { indexes: vec![index], ..TableRules::default() };
        let bare = TableSchema { columns: Vec::new(), primary_key: Vec::new(), rules, ..target.clone() };
        let creation = ends.target.creation(&bare, &[]).await.map_err(failed)?;
        // The table itself stands before it.
        let statement = creation.before.into_iter().chain(creation.after).nth(1).unwrap_or_default();
        told_of.push(format!("the target lacks {kind} of the source: {what}; add it with: {statement}"));
    }
    Ok(told_of)
}

/// The index in the target's spelling of its columns; none where the target lacks one of them.
fn of_target(index: Index, target: &TableSchema) -> Option<Index> {
    let Some(columns) = &index.columns else {
        let name = if index.name.is_empty() { format!("{}_key", target.name.name) } else { index.name };
        return Some(Index { name, ..index });
    };
    let spelled = columns.iter().map(|(name, down)| Some((target.column(name)?.name.clone(), *down)));
    let spelled = spelled.collect::<Option<Vec<_>>>()?;
    let constraint = index.constraint.clone().filter(|_| spelled == *columns);
    let mut index = Index { constraint, columns: Some(spelled), ..index };
    if index.name.is_empty() {
        index.name = format!("{}_{}_key", target.name.name, names(&index).join("_"));
    }
    Some(index)
}

/// Whether the target has one that does the same, whatever it is called. Rows are found as well by one with more columns
/// behind, and by one that is unique.
fn is_there(wished: &Index, existing: &[Index], target: &TableSchema) -> bool {
    if wished.columns.is_none() {
        return existing.iter().any(|index| index.words == wished.words && index.unique == wished.unique);
    }
    let columns = names(wished);
    let does = |names: &[&str], unique: bool| match wished.unique {
        true => unique && names == columns,
        false => names.starts_with(&columns),
    };
    let key: Vec<&str> = target.primary_key.iter().map(String::as_str).collect();
    does(&key, true) || existing.iter().any(|index| does(&names(index), index.unique))
}

fn names(index: &Index) -> Vec<&str> {
    index.columns.iter().flatten().map(|(name, _)| name.as_str()).collect()
}
