//! Raw tuples taken apart after they were read, where none of their columns needs the server to spell it.

use std::sync::Arc;

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::TableView;
use rowsync_engine::store;

use super::copy::Stored;
use super::read::Fields;
use super::select::ViewSql;

/// Reads tuples as the statement for their fields would have had them.
pub struct TupleDecoder {
    view: Arc<TableView>,
    sql: ViewSql,
}

impl TupleDecoder {
    /// `None` where a field is not selected as the column is.
    pub fn of(view: &Arc<TableView>) -> Option<TupleDecoder> {
        let sql = ViewSql::new(view);
        sql.selects_plain_columns().then(|| TupleDecoder { view: Arc::clone(view), sql })
    }
}

impl store::Decoder for TupleDecoder {
    fn decode(&self, rows: &RowPage) -> Result<RowPage, StoreError> {
        let mut fields = Fields::new(&self.sql.columns, self.view.key_len, &self.view.table);
        let mut stored = Stored::default();
        rows.encoded(Form::Fields, |row, out| match stored.tuple(row) {
            Some(tuple) => fields.append(&tuple, out),
            None => Err(StoreError::new(Kind::Bug, "read", "a raw row that is no tuple").at(&self.view.table)),
        })
    }
}
