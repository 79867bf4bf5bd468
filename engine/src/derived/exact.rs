//! Columns that take no value with a loss: the row is refused before its database rounds it in silence.

use crate::change::Changes;
use crate::error::{Kind, StoreError};
use crate::row::{Form, fields};
use crate::schema::TableView;
use crate::value::Value;

use super::Capacity;

/// # Errors
/// With the place of the first change that would lose something.
pub fn refuse_lossy(view: &TableView, changes: &Changes) -> Result<(), StoreError> {
    if view.exact.is_empty() {
        return Ok(());
    }
    let rows = changes.updates.rows().chain(changes.inserts.rows());
    debug_assert!([&changes.updates, &changes.inserts].iter().all(|page| page.is_empty() || page.form == Form::Fields));
    for (place, row) in rows.enumerate() {
        for (value, index) in fields(row).zip(0..) {
            let broken = |error| StoreError::new(Kind::Bug, "write", "a row is not of fields").caused_by(error);
            let value = value.map_err(broken)?.to_value();
            let capacity = view.exact.iter().find(|(exact, _)| *exact == index);
            // What is none of the type is refused by the column, with more to say.
            let is_lossy = |capacity: &Capacity| !matches!(value, Value::Unfit(..)) && !capacity.holds(&value);
            if capacity.is_some_and(|(_, capacity)| is_lossy(capacity)) {
                let name = &view.columns[index].column.name;
                let message = format!("column {name} cannot hold its value without a loss");
                return Err(StoreError::new(Kind::BadValue, "write", message).placed(changes.deletes.len() + place));
            }
        }
    }
    Ok(())
}
