//! Rows of fields as SQLite will hold them.

use std::sync::Arc;

use rowsync_engine::row::{Form, RowPage, fields};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Encoder, Result};
use rusqlite::types::{ToSqlOutput, ValueRef as Stored};

use super::affinity::keep;
use super::bind::Binder;
use super::raw::{self, broken_row};

pub struct RowEncoder {
    view: Arc<TableView>,
}

impl RowEncoder {
    pub fn new(view: &Arc<TableView>) -> RowEncoder {
        RowEncoder { view: Arc::clone(view) }
    }
}

impl Encoder for RowEncoder {
    fn encode(&self, rows: &RowPage) -> Result<RowPage> {
        let binders: Vec<Binder<'_>> = self.view.columns.iter().map(Binder::new).collect();
        rows.encoded(Form::Raw, |row, out| {
            let mut values = fields(row);
            for binder in &binders {
                let value = values.next().ok_or_else(broken_row)?.map_err(|error| broken_row().caused_by(error))?;
                let bound = binder.bound(value)?;
                keep(binder.affinity(), by_reference(&bound), |kept| raw::push(out, kept));
            }
            Ok(())
        })
    }
}

fn by_reference<'a>(bound: &'a ToSqlOutput<'_>) -> Stored<'a> {
    match bound {
        ToSqlOutput::Borrowed(stored) => *stored,
        ToSqlOutput::Owned(owned) => owned.into(),
        // The binder makes nothing else.
        _ => Stored::Null,
    }
}
