//! The second look: a row that differed may have been on its way while it was compared, since both sides are not read at
//! the same moment. Before differences are reported, their rows are read once more, and only what still differs counts.

use rowsync_engine::compare::compare;
use rowsync_engine::key::Key;

use super::Desk;
use super::samples::samples;
use crate::failure::Failure;
use crate::found::Found;

/// The keys of rows that differed, as far as they may be held.
#[derive(Default)]
pub(super) struct Doubtful {
    keys: Vec<Key>,
    rows: u64,
}

impl Doubtful {
    pub(super) fn add(&mut self, desk: &Desk, keys: impl Iterator<Item = Key>) {
        for key in keys {
            self.rows += 1;
            if self.keys.len() < desk.options.keys_max {
                self.keys.push(key);
            }
        }
    }

    /// Puts what still differs in the place of what was found; leaves it where the rows were too many to hold.
    pub(super) async fn look_again(
        self,
        desk: &Desk,
        found: &mut Found,
        samples_max: usize,
        explain: bool,
    ) -> Result<(), Failure> {
        if self.rows == 0 || self.rows > self.keys.len() as u64 {
            return Ok(());
        }
        let before = found.differences();
        (found.missing, found.different, found.extra) = (0, 0, 0);
        found.samples.clear();
        for keys in self.keys.chunks(desk.options.batch_rows.get()) {
            desk.check_stop()?;
            let mut permit = desk.permit(2 * desk.options.page_bytes).await;
            let (source, target) =
                futures_util::try_join!(desk.source.keys(keys.to_vec()), desk.target.keys(keys.to_vec()))?;
            permit.settle(source.bytes() + target.bytes());
            let findings = compare(&source, &target, &desk.domains())
                .map_err(|error| Failure::of_compare(error, &desk.pair.source.table))?;
            found.missing += findings.changes.inserts.len() as u64;
            found.different += findings.changes.updates.len() as u64;
            found.extra += findings.changes.deletes.len() as u64;
            let room = samples_max.saturating_sub(found.samples.len());
            found.samples.extend(samples(desk, &findings, &target, room, explain));
        }
        found.equal += before.saturating_sub(found.differences());
        Ok(())
    }
}
