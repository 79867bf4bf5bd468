//! Which columns of a table are kept and put back: those that are synced, as they are synced, and behind them all others
//! that the target has, since a row that is deleted loses them too.

use std::sync::Arc;

use rowsync_engine::filter::Filter;
use rowsync_engine::pair::{Mismatch, Pair, PairOptions, Side, pair};
use rowsync_engine::schema::{Filled, TableSchema, TableView, ViewColumn};
use rowsync_engine::store::Capabilities;

/// The view of the target that images are taken by.
///
/// # Errors
/// When the target's columns are nothing that can be read.
pub fn image_view(
    synced: &Pair,
    target: &TableSchema,
    capabilities: &Capabilities,
) -> Result<Arc<TableView>, Mismatch> {
    let view = &synced.target;
    let is_synced = |name: &str| view.columns.iter().any(|column| column.column.name == name);
    if target.columns.iter().all(|column| column.filled == Filled::ByExpression || is_synced(&column.name)) {
        return Ok(whole(view));
    }
    let side = Side { schema: target, capabilities };
    let key = view.key_columns().iter().map(|column| column.column.name.clone()).collect();
    let itself = pair(side, side, &PairOptions { key, ..PairOptions::default() })?;
    let others = itself.target.columns.iter().filter(|column| !is_synced(&column.column.name));
    let columns: Vec<ViewColumn> = view.columns.iter().chain(others).cloned().collect();
    Ok(Arc::new(TableView { columns, modify_time: None, ..TableView::clone(&whole(view)) }))
}

/// The view with the rows outside of its filter, which are put back as they were: a row is known by its key, wherever
/// somebody has moved it since.
pub fn whole(view: &Arc<TableView>) -> Arc<TableView> {
    Arc::new(TableView { filter: Filter::ALL, given: Vec::new(), ..TableView::clone(view) })
}

/// Images under another shape cannot be told apart any more: other columns, or columns that are compared otherwise.
pub fn shape(image: &TableView, synced: &TableView) -> String {
    let columns: Vec<String> =
        image.columns.iter().map(|column| format!("{} {:?}", column.column.name, column.domain)).collect();
    format!("{} ({}) {} {}", image.table, columns.join(", "), image.key_len, synced.columns.len())
}
