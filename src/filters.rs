//! Which rows of a pair of tables take part, as the settings say it, and whether the databases understand it.

use rowsync_engine::derived::Operand;
use rowsync_engine::error::{Class, StoreError};
use rowsync_engine::filter::{Filter, Term};

use crate::ends::{Ends, told};
use crate::problem::Problem;
use crate::roster::{Entry, pair_options, target_column};
use crate::settings::{ConnectionSettings, SyncSettings};

/// The rows that take part on both sides.
pub struct Rows {
    pub source: Filter,
    pub target: Filter,
    /// Those of the target that are of any kind, where the table is one of several kinds of record.
    pub kin: Option<Filter>,
}

/// The filters of a table, by the names of its columns on both sides.
pub fn filters(entry: &Entry) -> Rows {
    let tuning = &entry.settings.tuning;
    let [source, target] = [&tuning.source_where, &tuning.target_where]
        .map(|text| Filter { terms: text.iter().map(|text| Term::Sql(text.clone())).collect() });
    let (Some(kind), Some(field)) = (&entry.settings.kind, &tuning.record_type_field) else {
        return Rows { source, target, kin: None };
    };
    let one_of = |filter: &Filter, column: &str, values: &[String]| {
        let term = Term::OneOf { column: column.to_owned(), values: values.to_vec() };
        Filter { terms: filter.terms.iter().cloned().chain([term]).collect() }
    };
    let own = entry.source.column(field).map_or(field.as_str(), |column| &column.name);
    let mapped = target_column(&entry.source, &pair_options(tuning), own);
    let found = entry.target.as_ref().and_then(|target| target.column(&mapped));
    let theirs = found.map_or(mapped.as_str(), |column| &column.name);
    let kind = std::slice::from_ref(kind);
    Rows {
        source: one_of(&source, own, kind),
        kin: Some(one_of(&target, theirs, &tuning.record_types)),
        target: one_of(&target, theirs, kind),
    }
}

/// Has both databases look at the filters, before anything is read or made by them. The target's is taken at its word
/// where its table is not there yet.
///
/// # Errors
/// When a filter is none, or a database fails.
pub async fn check_filters(settings: &SyncSettings, ends: &Ends, entries: &[Entry]) -> Result<(), Problem> {
    for entry in entries {
        let rows = filters(entry);
        let checked = ends.source.check_filter(&entry.source.name, &rows.source).await;
        checked.map_err(|error| refused("source", "where", &settings.source, entry, error))?;
        check_expressions(settings, ends, entry).await?;
        if let Some(table) = &entry.target {
            let checked = ends.target.check_filter(&table.name, &rows.target).await;
            checked.map_err(|error| refused("target", "target_where", &settings.target, entry, error))?;
        }
    }
    Ok(())
}

/// SQL that a column is made of can be found out to be none in the way of a condition.
async fn check_expressions(settings: &SyncSettings, ends: &Ends, entry: &Entry) -> Result<(), Problem> {
    for (column, expression) in &entry.settings.tuning.expressions {
        for operand in expression.operands() {
            let Operand::Sql(text) = operand else { continue };
            let filter = Filter { terms: vec![Term::Sql(format!("(\n{text}\n) IS NULL"))] };
            let checked = ends.source.check_filter(&entry.source.name, &filter).await;
            checked.map_err(|error| match error.class() {
                Class::Schema => Problem::Usage(format!(
                    "`expressions.{column}` of table `{}` is no SQL for the rows of source `{}`: {}; mend it",
                    entry.settings.name, settings.source.name, error.message
                )),
                _ => told("source", &settings.source, error),
            })?;
        }
    }
    Ok(())
}

fn refused(
    side: &'static str,
    key: &str,
    connection: &ConnectionSettings,
    entry: &Entry,
    error: StoreError,
) -> Problem {
    let key = if entry.settings.kind.is_some() { format!("{key}` or `record_type_field") } else { key.to_owned() };
    match error.class() {
        Class::Schema => Problem::Usage(format!(
            "`{key}` of table `{}` is no condition on the rows of {side} `{}`: {}; mend it",
            entry.settings.name, connection.name, error.message
        )),
        _ => told(side, connection, error),
    }
}
