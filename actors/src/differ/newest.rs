//! Rows that one side has too much are mostly rows that came last. Where an index leads to those that were changed last,
//! they are looked up on the other side before anything is searched for; where they explain the difference of the
//! counts, that was all.

use std::collections::HashSet;

use rowsync_engine::compare::compare_keys;
use rowsync_engine::key::Key;
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::search::{Seek, SideName, Step};

use super::changed::{keys, read_back};
use super::hunt::{collect, tell_steps};
use super::{Desk, copy};
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::{Act, CompareRange};

/// What was found and done; none where the search has to go on with every row.
pub(super) async fn explain_gap(desk: &Desk, task: &CompareRange) -> Result<Option<Found>, Failure> {
    let Seek::CountGap { need } = task.options.seek else { return Ok(None) };
    let total = task.source_count.max(task.target_count);
    let rows = task.options.recent_first;
    let side = if task.source_count > task.target_count { SideName::Source } else { SideName::Target };
    let fits = matches!((task.act, side), (Act::Add, SideName::Source) | (Act::CollectExtras, SideName::Target));
    if !fits || rows == 0 || rows.saturating_mul(2) >= total || desk.view(side).modify_time.is_none() {
        return Ok(None);
    }
    let Some(newest) = desk.reader(side).newest(rows).await? else { return Ok(None) };
    let mut sum = Found { search_queries: 1, ..Found::default() };
    sum.stats.iterations = 1;
    let mut lacking = Vec::new();
    let mut seen = 0;
    for keys in newest.chunks(desk.options.batch_rows.get()) {
        desk.check_stop()?;
        lacking.extend(lacking_on(desk, side.other(), keys).await?);
        sum.search_queries += 1;
        seen += keys.len() as u64;
        if lacking.len() as u64 >= need {
            tell_steps(desk, &[Step { percent: seen as f64 * 100.0 / total as f64, newer: true, rows: seen }]);
            take_in(desk, task.act, side, &lacking, &mut sum).await?;
            return Ok(Some(sum));
        }
    }
    Ok(None)
}

async fn lacking_on(desk: &Desk, side: SideName, wanted: &[Key]) -> Result<Vec<Key>, Failure> {
    let mut permit = desk.permit(2 * desk.options.page_bytes).await;
    let found = desk.reader(side).keys(wanted.to_vec()).await?;
    permit.settle(found.bytes());
    let found: HashSet<Key> = keys(&found).into_iter().collect();
    Ok(wanted.iter().filter(|key| !found.contains(key)).cloned().collect())
}

/// Adds these rows of the source, or remembers these of the target for the delete.
async fn take_in(desk: &Desk, act: Act, side: SideName, lacking: &[Key], sum: &mut Found) -> Result<(), Failure> {
    let since = desk.mark().await?;
    for wanted in lacking.chunks(desk.options.batch_rows.get()) {
        desk.check_stop()?;
        let mut permit = desk.permit(2 * desk.options.page_bytes).await;
        let rows = desk.reader(side).keys(wanted.to_vec()).await?;
        permit.settle(2 * rows.bytes());
        let nothing = RowPage::new(Form::Fields, rows.key_len);
        let (source, target) = if act == Act::Add { (&rows, &nothing) } else { (&nothing, &rows) };
        let findings =
            compare_keys(source, target).map_err(|error| Failure::of_compare(error, &desk.view(side).table))?;
        let changes = findings.changes.known_since(since);
        if act == Act::Add {
            sum.missing += changes.inserts.len() as u64;
            let applied = desk.writer.write(changes, permit).await?;
            sum.applied += applied;
            // What was held back is seen when the table is compared again.
            if applied.held_back == 0 {
                let written = keys(&rows).into_iter().filter(|key| !desk.ledger.is_rejected(key)).collect();
                read_back(desk, &rows, written).await?;
            }
            copy::tell_progress(desk);
        } else {
            sum.extra += changes.deletes.len() as u64;
            collect(desk, sum, changes.deletes, findings.extras.at(since));
        }
    }
    Ok(())
}
