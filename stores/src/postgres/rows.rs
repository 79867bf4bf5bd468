//! Rows of fields as binary tuples.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::row;
use rowsync_engine::schema::{TableName, TableView, ViewColumn};

use super::encode::Encoder;
use super::select::is_spelled;

pub struct RowEncoder {
    columns: Vec<(String, Encoder)>,
    table: TableName,
    scratch: String,
}

impl RowEncoder {
    pub fn new(view: &TableView) -> RowEncoder {
        let encoder = |(index, column): (usize, &ViewColumn)| {
            let spelled = is_spelled(column, index < view.key_len);
            (column.column.name.clone(), Encoder::new(&column.column, column.domain, spelled))
        };
        RowEncoder {
            columns: view.columns.iter().enumerate().map(encoder).collect(),
            table: view.table.clone(),
            scratch: String::new(),
        }
    }

    /// Appends the tuple of one row.
    pub fn encode(&mut self, row: &[u8], out: &mut Vec<u8>) -> Result<(), StoreError> {
        let broken = || StoreError::new(Kind::Bug, "write", "a row that does not have the view's columns");
        let count = i16::try_from(self.columns.len()).map_err(|_| broken())?;
        out.extend(count.to_be_bytes());
        let mut fields = row::fields(row);
        for (name, encoder) in &self.columns {
            let value = fields.next().and_then(Result::ok).ok_or_else(broken)?;
            encoder.encode(value, &mut self.scratch, out).map_err(|misfit| {
                let message = format!("column \"{name}\" cannot hold {}", misfit.0);
                StoreError::new(Kind::BadValue, "write", message).at(&self.table)
            })?;
        }
        if fields.next().is_some() { Err(broken()) } else { Ok(()) }
    }
}
