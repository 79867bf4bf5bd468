//! One side of a decision: the row, locked until both sides have what was decided.

use std::sync::Arc;

use rowsync_engine::change::Changes;
use rowsync_engine::error::StoreError;
use rowsync_engine::key::Key;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Store, Transaction};

/// A transaction with the row that it locked.
pub struct Held {
    pub transaction: Box<dyn Transaction>,
    pub row: Option<Vec<u8>>,
    key_len: usize,
}

pub async fn begin(store: &Arc<dyn Store>, view: &Arc<TableView>, key: &Key) -> Result<Held, StoreError> {
    let mut transaction = store.begin(view).await?;
    let found = transaction.before(view, std::slice::from_ref(key)).await?;
    let row = (!found.is_empty()).then(|| found.row(0).to_vec());
    Ok(Held { transaction, row, key_len: view.key_len })
}

pub async fn put(held: &mut Held, row: Option<&[u8]>, key: &Key) -> Result<(), StoreError> {
    let mut changes = Changes::new(held.key_len);
    match (row, &held.row) {
        (None, None) => return Ok(()),
        (None, Some(_)) => changes.deletes.push(key.clone()),
        (Some(row), None) => changes.inserts.push_row(row),
        (Some(row), Some(_)) => changes.updates.push_row(row),
    }
    held.transaction.write(Arc::new(changes)).await.map(drop)
}
