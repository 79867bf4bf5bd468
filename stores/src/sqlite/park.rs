//! Parking: where rows of a batch hand unique values to each other, each is first moved to a value that nobody has, and
//! then to its own. Uniqueness is checked row by row, so two values cannot be swapped otherwise; deleting the rows and
//! inserting them again would reach their children.

use rowsync_engine::error::StoreError;
use rowsync_engine::schema::{Filled, TableView, ViewColumn};
use rusqlite::Connection;

use super::affinity::Affinity;
use super::index::indexes;
use super::sql;

/// The statement that parks one row, with its key as parameters; none where no column can be parked.
pub fn parking(connection: &Connection, view: &TableView) -> Result<Option<String>, StoreError> {
    let mut parked: Vec<&ViewColumn> = Vec::new();
    for index in indexes(connection, &view.table.name)?.iter().filter(|index| index.unique) {
        // What an index of expressions takes from a row cannot be told, so all columns behind the key are suspects.
        let names = index.column_names();
        let in_index = |column: &&ViewColumn| names.as_ref().is_none_or(|names| names.contains(&column.column.name));
        let columns = view.columns[view.key_len..].iter().filter(in_index);
        // A row that is parked out of the view would not be found again.
        let stays = |column: &&ViewColumn| !view.filter.mentions(&column.column.name);
        let best =
            columns.filter(stays).filter(|column| value(column).is_some()).min_by_key(|column| !column.column.nullable);
        if let Some(column) = best
            && parked.iter().all(|other| other.column.name != column.column.name)
        {
            parked.push(column);
        }
    }
    let set: Vec<String> = parked
        .into_iter()
        .filter_map(|column| Some(format!("{} = {}", sql::quoted(&column.column.name), value(column)?)))
        .collect();
    let statement = format!("UPDATE {} SET {}{}", sql::table(view), set.join(", "), sql::has_key(view));
    Ok((!set.is_empty()).then_some(statement))
}

/// An expression for a value that no row has. A STRICT table takes it as well.
fn value(column: &ViewColumn) -> Option<&'static str> {
    if column.column.filled == Filled::ByExpression {
        return None;
    }
    if column.column.nullable {
        return Some("NULL");
    }
    Some(match Affinity::of(&column.column.declared) {
        Affinity::Integer => "random()",
        Affinity::Real | Affinity::Numeric => "random() / 7.0",
        Affinity::Text => "hex(randomblob(16))",
        Affinity::None => "randomblob(16)",
    })
}
