//! The condition that a view's rows have to meet.

use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::filter::{Filter, Term};
use rowsync_engine::schema::{Computed, TableName, TableView};
use sqlx::{AssertSqlSafe, Either, Executor, SqlSafeStr, Statement};

use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::select::tells_apart_less_than_bytes;

/// All that has to hold, in terms of the table's own names; none where every row takes part.
fn condition(filter: &Filter, view: Option<&TableView>) -> Option<String> {
    let terms: Vec<String> = filter.terms.iter().map(|term| of_term(term, view)).collect();
    (!terms.is_empty()).then(|| terms.join(" AND "))
}

fn of_term(term: &Term, view: Option<&TableView>) -> String {
    match term {
        // On lines of its own, so that a comment at its end takes nothing with it.
        Term::Sql(text) => format!("(\n{text}\n)"),
        Term::OneOf { column, values } => {
            let values: Vec<String> = values.iter().map(|value| text_literal(value)).collect();
            let (name, values) = (identifier(column), values.join(", "));
            let known = view.and_then(|view| view.columns.iter().find(|known| known.column.name == *column));
            match known.is_some_and(tells_apart_less_than_bytes) {
                // The first half is served by an index, the second tells 'A' from 'a' where the column does not.
                true => format!("{name} IN ({values}) AND {name}::text COLLATE \"C\" IN ({values})"),
                false => format!("{name} IN ({values})"),
            }
        }
    }
}

/// The rows of a view to read from, under the name `rowsync_t`. The filter stands inside, where nothing else has a name;
/// the server takes it for a condition of the whole.
pub fn rows(view: &TableView) -> String {
    let name = table(&view.table);
    let computed: String = view.computed.iter().map(computed).collect();
    match condition(&view.filter, Some(view)) {
        Some(condition) => format!("(SELECT *{computed} FROM {name} WHERE {condition}) AS rowsync_t"),
        None if !computed.is_empty() => format!("(SELECT *{computed} FROM {name}) AS rowsync_t"),
        None => format!("{name} AS rowsync_t"),
    }
}

fn computed(column: &Computed) -> String {
    format!(", (\n{}\n)::text AS {}", column.sql, identifier(&column.name))
}

/// ` AND` the row of `rowsync_t` is one of the view, for statements that need the table itself. What else the statement
/// names, such as the same columns of the rows to come, is out of sight of the filter.
pub fn also(view: &TableView) -> String {
    condition(&view.filter, Some(view)).map(|condition| of_row(&view.table, &condition)).unwrap_or_default()
}

fn of_row(name: &TableName, condition: &str) -> String {
    format!(" AND (SELECT {condition} FROM (SELECT rowsync_t.*) AS {})", identifier(&name.name))
}

/// Prepares the filter and runs nothing.
pub async fn check(lease: &mut Lease, name: &TableName, filter: &Filter) -> Result<(), StoreError> {
    let Some(condition) = condition(filter, None) else { return Ok(()) };
    let statement = format!(
        "SELECT 1 FROM (SELECT * FROM {0} WHERE {condition}) AS rowsync_t \
         UNION ALL SELECT 1 FROM {0} AS rowsync_t WHERE true{1}",
        table(name),
        of_row(name, &condition),
    );
    let refused = |message: String| StoreError::new(Kind::SchemaMismatch, "plan", message);
    let deadline = lease.deadline();
    // Prepared, since that takes a single statement and carries nothing out.
    let prepared = deadline.keep((**lease).prepare(AssertSqlSafe(statement).into_sql_str())).await;
    match prepared {
        Ok(prepared) => match prepared.parameters() {
            None | Some(Either::Right(0) | Either::Left([])) => Ok(()),
            Some(_) => Err(refused("the filter has parameters, which nobody fills".into())),
        },
        Err(error) if error.class() == Class::Connection => Err(error),
        Err(error) => Err(refused(error.message)),
    }
}
