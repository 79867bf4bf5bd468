//! The rows of a source in place of those of its target, for a writer that writes all of them in one transaction. One page
//! after the other: whoever holds a transaction open must not wait for memory that others hold while they wait for it,
//! so the table takes its memory before.

use std::sync::Arc;

use rowsync_engine::change::Changes;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::Form;
use rowsync_engine::store::PageRequest;

use super::Desk;
use super::changed::keys;
use super::copy::tell_progress;
use crate::failure::Failure;
use crate::found::Found;

pub(super) async fn replace(desk: Arc<Desk>, deletes: bool) -> Result<Found, Failure> {
    let mut sum = Found::default();
    if deletes {
        delete_all(&desk, &mut sum).await?;
    }
    let form = if desk.pair.raw { Form::Raw } else { Form::Fields };
    let mut after: Option<Key> = None;
    loop {
        desk.check_stop()?;
        let request = PageRequest { goes_on: true, ..desk.request(KeyRange::new(after.clone(), None), form) };
        let rows = desk.source.page(request).await?;
        desk.learn(&rows);
        let (count, complete) = (rows.len() as u64, rows.complete);
        let through = if complete { None } else { rows.last_key.clone() };
        sum.touch(KeyRange::new(after, through.clone()));
        sum.looked_at.0 += count;
        if count > 0 {
            let nothing = desk.budget.take(0).await;
            sum.applied += desk.writer.write(Changes::inserting(rows), nothing).await?;
        }
        desk.progress.rows_done(count);
        tell_progress(&desk);
        if complete {
            return Ok(sum);
        }
        after = through;
    }
}

/// By their keys, so that what the rows were can be kept. The target is seen as it was before.
async fn delete_all(desk: &Desk, sum: &mut Found) -> Result<(), Failure> {
    let mut after = None;
    loop {
        desk.check_stop()?;
        let mut request = desk.request(KeyRange::new(after, None), Form::Fields);
        request.keys_only = true;
        request.rows_max = desk.options.delete_batch_rows.get();
        let page = desk.target.page(request).await?;
        if !page.is_empty() {
            let nothing = desk.budget.take(0).await;
            sum.applied += desk.writer.write(Changes::deleting(keys(&page), desk.key_len()), nothing).await?;
        }
        if page.complete {
            return Ok(());
        }
        after = page.last_key;
    }
}
