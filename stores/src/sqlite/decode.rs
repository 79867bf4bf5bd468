//! Rows in SQLite's own form taken apart after they were read, as they would have been read as fields.

use std::sync::Arc;

use rowsync_engine::row::{Form, RowPage, push_field, push_key_field};
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Decoder, Result};

use super::raw::{self, broken_row};
use super::values::{Scratch, check_domains, checked_json, key_value, value};

pub struct RowDecoder {
    view: Arc<TableView>,
}

impl RowDecoder {
    pub fn new(view: &Arc<TableView>) -> RowDecoder {
        RowDecoder { view: Arc::clone(view) }
    }
}

impl Decoder for RowDecoder {
    fn decode(&self, rows: &RowPage) -> Result<RowPage> {
        check_domains(&self.view, "read")?;
        let mut scratch = Scratch::default();
        rows.encoded(Form::Fields, |row, out| {
            let mut stored = raw::values(row);
            for (index, column) in self.view.columns.iter().enumerate() {
                let stored = stored.next().ok_or_else(broken_row)?;
                if index < self.view.key_len {
                    push_key_field(out, key_value(stored, column, &mut scratch)?);
                } else {
                    push_field(out, checked_json(value(stored, column, &mut scratch)));
                }
            }
            Ok(())
        })
    }
}
