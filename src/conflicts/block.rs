//! The block of a table's memory that a row lies in.

use std::collections::BTreeMap;
use std::sync::Arc;

use rowsync_actors::memory::Block;
use rowsync_engine::error::StoreError;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::pair::Pair;
use rowsync_engine::row::Form;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::{Consistency, PageRequest, Snapshot};

use super::resolving::Resolving;
use crate::execute::place_of;
use crate::merging::memory_of;
use crate::problem::Problem;

impl Resolving<'_> {
    /// The block that the row belongs to, where the table has any. Only a database knows the order of keys, so it is asked
    /// whether the row lies behind a bound.
    pub(super) async fn block(&self, pair: &Pair) -> Result<Option<Block>, Problem> {
        let of = memory_of(&place_of(self.settings), &self.conflict.table, pair);
        let blocks = in_order(self.state.memory_blocks(&of).await?.0);
        let is_in_source = self.conflict.seen.0.is_some();
        let (store, view) =
            if is_in_source { (&self.ends.source, &pair.source) } else { (&self.ends.target, &pair.target) };
        let side = |error| if is_in_source { self.of_source(error) } else { self.of_target(error) };
        let rows = store.snapshot(Consistency::Latest).await.map_err(side)?;
        let (mut first, mut last) = (0, blocks.len().saturating_sub(1));
        while first < last {
            let middle = (first + last) / 2;
            let bound = blocks[middle].range.through.clone();
            let is_behind = lies_behind(&*rows, view, bound, &self.conflict.key_bytes).await.map_err(side)?;
            (first, last) = if is_behind { (middle + 1, last) } else { (first, middle) };
        }
        Ok(blocks.into_iter().nth(first))
    }
}

/// Blocks one behind the other: each begins where another one ends.
fn in_order(blocks: Vec<Block>) -> Vec<Block> {
    let mut by_start: BTreeMap<Option<Key>, Block> =
        blocks.into_iter().map(|block| (block.range.after.clone(), block)).collect();
    let mut ordered = Vec::with_capacity(by_start.len());
    let mut start = None;
    while let Some(block) = by_start.remove(&start) {
        start.clone_from(&block.range.through);
        ordered.push(block);
        if start.is_none() {
            break;
        }
    }
    ordered
}

/// Whether a row that is there lies behind a bound.
async fn lies_behind(
    rows: &dyn Snapshot,
    view: &Arc<TableView>,
    bound: Option<Key>,
    key: &Key,
) -> Result<bool, StoreError> {
    let Some(bound) = bound.filter(|bound| bound != key) else { return Ok(false) };
    let request = PageRequest {
        range: KeyRange::new(Some(bound), Some(key.clone())),
        rows_max: 1,
        bytes_max: 1,
        row_bytes_hint: 1,
        form: Form::Fields,
        keys_only: true,
        modified_after: None,
        goes_on: false,
    };
    Ok(!rows.page(view, &request).await?.is_empty())
}
