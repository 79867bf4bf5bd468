//! A first copy that was interrupted goes on where it ended: pages are written in the order of their keys, so what is
//! missing lies behind the last key of the target. What is there is compared like any table, whoever wrote it; what lies
//! behind it is copied, which needs no comparing row by row.

use std::sync::Arc;

use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::Class;
use rowsync_engine::key::{Key, KeyRange};

use super::work::Work;
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::{Act, CopyTable};

/// Fewer batches than this are found by comparing in no time.
const BATCHES_MIN: u64 = 2;

/// Rows of the source behind the last key of the target.
pub(crate) struct Tail {
    pub(super) after: Key,
    pub(super) rows: u64,
}

impl Work {
    /// Compares every row and writes what differs. Where a table lacks its end, that is copied.
    pub(super) async fn bring_in_line(&mut self) -> Result<Found, Failure> {
        self.state.tail = self.find_tail().await?;
        let compared = self.compare_every_row(Act::Upsert).await;
        let tail = self.state.tail.take();
        let mut found = compared?;
        if let Some(tail) = tail {
            match self.copy_behind(tail).await {
                Ok(copied) => found.absorb(copied),
                // Rows that do not tell their keys, or that somebody else has put there by now.
                Err(Failure::Store(error)) if error.class() == Class::Data && !self.ledger.is_closed() => {
                    tracing::warn!(table = %self.job.name, %error, "a row is refused; the rest of the table is compared");
                    self.ledger.take_nameless();
                    self.state.take_in(found);
                    return self.compare_every_row(Act::Upsert).await;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(found)
    }

    /// None where comparing the whole table takes no longer. Once it was copied there is none any more.
    async fn find_tail(&mut self) -> Result<Option<Tail>, Failure> {
        let (source, target) = (self.state.source.rows, self.state.target.rows);
        let rows_min = BATCHES_MIN * self.job.options.batch_rows.get() as u64;
        if self.state.tail_copied || self.state.estimated || target == 0 || source.saturating_sub(target) < rows_min {
            return Ok(None);
        }
        let Some(after) = self.children().target.recent(0).await? else { return Ok(None) };
        let behind = Arc::from([KeyRange::new(Some(after.clone()), None)]);
        let counts = self.children().source.digests(behind, DigestKind::Count, self.shared.salt).await?;
        let rows = counts.iter().map(|digest| digest.rows).sum();
        Ok((rows >= rows_min).then_some(Tail { after, rows }))
    }

    async fn copy_behind(&mut self, tail: Tail) -> Result<Found, Failure> {
        let Tail { after, rows } = tail;
        tracing::info!(table = %self.job.name, rows, "copying what lies behind the last key of the target");
        self.state.tail_copied = true;
        let mut found = self.differ().send(CopyTable { after: Some(after) }).await?;
        self.state.notes.push(format!("{rows} rows behind the last key of the target were copied"));
        if self.ledger.take_nameless() > 0 {
            self.find_in(found.unequal.clone()).await?;
        }
        // What did not read back equal is looked at again before success is reported.
        found.touched.append(&mut found.unequal);
        Ok(found)
    }
}
