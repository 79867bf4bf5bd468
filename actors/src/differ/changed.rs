//! Following modify times: the rows that the source says have changed are looked up in the target and written where
//! they differ; and deleting by key.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rowsync_engine::budget::Permit;
use rowsync_engine::change::Changes;
use rowsync_engine::compare::compare;
use rowsync_engine::error::Class;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::sightings::Sightings;
use rowsync_engine::value::Value;

use super::Desk;
use super::hunt::collect;
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::Act;

pub(super) async fn write_changed(desk: Arc<Desk>, since: Option<Value>) -> Result<Found, Failure> {
    let mut sum = Found::default();
    let mut after = None;
    loop {
        desk.check_stop()?;
        // The page of the source, and as much again for what the target has of it.
        let mut permit = desk.permit(2 * desk.options.page_bytes).await;
        let mut request = desk.request(KeyRange::new(after, None), Form::Fields);
        request.modified_after = since.clone();
        let source = desk.source.page(request).await?;
        let since = if source.is_empty() { None } else { desk.mark().await? };
        desk.learn(&source);
        let target = desk.target.keys(keys(&source)).await?;
        permit.settle(source.bytes() + target.bytes());
        let mut changes = differences(&desk, &source, &target)?;
        sum.missing += changes.inserts.len() as u64;
        sum.different += changes.updates.len() as u64;
        sum.equal += (source.len() - changes.len()) as u64;
        desk.progress.rows_done(source.len() as u64);
        if !changes.is_empty() {
            let mut written: Vec<Key> = keys(&changes.inserts).into_iter().chain(keys(&changes.updates)).collect();
            changes.deletes.clear();
            let applied = desk.writer.write(changes.known_since(since), permit).await?;
            sum.applied += applied;
            written.retain(|key| !desk.ledger.is_rejected(key));
            // Where rows were held back the table is compared again, and these with it.
            if applied.held_back == 0 {
                read_back(&desk, &source, written).await?;
            }
        }
        if source.complete {
            return Ok(sum);
        }
        after = source.last_key;
    }
}

/// Brings the rows with these keys in line: what the source has of them is written, and what only the target has is
/// collected, or deleted where that is what is to be done.
pub(super) async fn compare_keys(desk: Arc<Desk>, mut keys: Vec<Key>, act: Act) -> Result<Found, Failure> {
    keys.sort_unstable();
    keys.dedup();
    let mut sum = Found::default();
    let mut rest = keys.as_slice();
    while !rest.is_empty() {
        desk.check_stop()?;
        let rows =
            (desk.options.page_bytes / desk.row_bytes.load(Relaxed).max(1)).clamp(1, desk.options.batch_rows.get());
        let (some, others) = rest.split_at(rows.min(rest.len()));
        compare_some(&desk, some, act, &mut sum).await?;
        rest = others;
    }
    Ok(sum)
}

async fn compare_some(desk: &Desk, some: &[Key], act: Act, sum: &mut Found) -> Result<(), Failure> {
    let mut permit = desk.budget.take(2 * desk.options.page_bytes).await;
    let since = desk.mark().await?;
    let both = (desk.source.keys(some.to_vec()), desk.target.keys(some.to_vec()));
    let (source, target) = futures_util::try_join!(both.0, both.1)?;
    desk.learn(&source);
    permit.settle(source.bytes() + target.bytes());
    let findings = compare(&source, &target, &desk.domains())
        .map_err(|error| Failure::of_compare(error, &desk.pair.source.table))?;
    let mut changes = findings.changes;
    let extras = (std::mem::take(&mut changes.deletes), findings.extras.at(since));
    sum.looked_at.0 += source.len() as u64;
    sum.looked_at.1 += target.len() as u64;
    desk.progress.rows_done(some.len() as u64);
    if act == Act::DeleteExtras {
        let (keys, seen) = extras;
        sum.extra += keys.len() as u64;
        let gone = keys.clone();
        let changes = Changes { seen: Some(Arc::new(seen)), ..Changes::deleting(keys, desk.key_len()) };
        return if changes.is_empty() {
            Ok(())
        } else {
            write_and_see(desk, changes, permit, &source, gone, sum).await
        };
    }
    sum.missing += changes.inserts.len() as u64;
    sum.different += changes.updates.len() as u64;
    sum.extra += extras.0.len() as u64;
    sum.equal += findings.equal;
    collect(desk, sum, extras.0, extras.1);
    if changes.is_empty() {
        return Ok(());
    }
    let written: Vec<Key> = keys(&changes.inserts).into_iter().chain(keys(&changes.updates)).collect();
    write_and_see(desk, changes.known_since(since), permit, &source, written, sum).await
}

/// Writes, and reads back what was written: rows as the source has them, and none where it has none.
async fn write_and_see(
    desk: &Desk,
    changes: Changes,
    permit: Permit,
    source: &RowPage,
    mut written: Vec<Key>,
    sum: &mut Found,
) -> Result<(), Failure> {
    let applied = desk.writer.write(changes, permit).await?;
    sum.applied += applied;
    written.retain(|key| !desk.ledger.is_rejected(key));
    // Where rows were held back the table is compared again, and these with it; so it is where they wait for others.
    if applied.held_back == 0 && !desk.ledger.owes() {
        read_back(desk, source, written).await?;
    }
    Ok(())
}

pub(super) fn keys(page: &RowPage) -> Vec<Key> {
    (0..page.len()).map(|index| page.key(index)).collect()
}

fn differences(desk: &Desk, source: &RowPage, target: &RowPage) -> Result<Changes, Failure> {
    let findings = compare(source, target, &desk.domains())
        .map_err(|error| Failure::of_compare(error, &desk.pair.source.table))?;
    Ok(findings.into_changes())
}

/// What was written is read back and compared with what the source gave.
pub(super) async fn read_back(desk: &Desk, source: &RowPage, written: Vec<Key>) -> Result<(), Failure> {
    let wanted: std::collections::HashSet<&Key> = written.iter().collect();
    let mut expected = RowPage::new(Form::Fields, source.key_len);
    (0..source.len())
        .filter(|index| wanted.contains(&source.key(*index)))
        .for_each(|index| expected.push_row(source.row(index)));
    expected.finish();
    let got = desk.target.keys(written).await?;
    match differences(desk, &expected, &got)?.len() {
        0 => Ok(()),
        rows => Err(Failure::Refused {
            class: Class::Data,
            message: format!("{rows} rows of {} were written but read back unequal", desk.pair.target.table),
            remedy: "look for triggers or rules on the target that change rows as they are written".into(),
        }),
    }
}

/// Deletes rows by their keys, in batches.
pub(super) async fn delete(desk: Arc<Desk>, keys: Vec<Key>, seen: Sightings) -> Result<Found, Failure> {
    let mut sum = Found::default();
    let seen = Arc::new(seen);
    for batch in keys.chunks(desk.options.delete_batch_rows.get()) {
        desk.check_stop()?;
        let seen = Some(Arc::clone(&seen));
        let changes = Changes { seen, ..Changes::deleting(batch.to_vec(), desk.key_len()) };
        let permit = desk.permit(changes.bytes()).await;
        sum.applied += desk.writer.write(changes, permit).await?;
        sum.extra += batch.len() as u64;
    }
    Ok(sum)
}
