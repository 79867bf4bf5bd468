//! Rows that change their kind: a table that holds several kinds of record is written kind by kind, and a row that the
//! source has under this kind now may stand in the target under another one still. It is not added but changed where it
//! stands, so that what refers to it, and what only the target knows of it, stays.

use std::sync::Arc;

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::row::Form;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::Result;

use super::Pen;

impl Pen {
    /// Applies a set; where rows to insert are there already, looks for them among the other kinds.
    pub(super) async fn apply_or_move(&self, changes: &Arc<Changes>) -> Result<Applied> {
        let error = match self.apply_or_doubt(changes).await {
            Err(error) if error.kind == Kind::Duplicate => error,
            applied => return applied,
        };
        // Deletes go by this kind alone, so that a row that has moved on is not deleted.
        let movable = changes.inserts.form == Form::Fields && changes.deletes.is_empty();
        let Some(kin) = self.kin.as_ref().filter(|_| movable) else { return Err(error) };
        let Some(moving) = self.moving(kin, changes).await? else { return Err(error) };
        let pen = Pen { view: Arc::clone(kin), kin: None, ..self.clone() };
        let moved = pen.apply_or_doubt(&Arc::new(moving)).await;
        // The place of a row is one among those that were written, in another order than these.
        moved.map_err(|error| StoreError { place: None, ..error })
    }

    async fn moving(&self, kin: &Arc<TableView>, changes: &Changes) -> Result<Option<Changes>> {
        let keys: Vec<Key> = (0..changes.inserts.len()).map(|index| changes.inserts.key(index)).collect();
        let mut transaction = self.store.begin(kin).await?;
        let found = transaction.before(kin, &keys).await?;
        Ok(changes.moving(&found))
    }
}
