//! Comparing tables without a key: read stretch by stretch, once for sums of hashes on both sides at once, and once more for
//! those parts of all hashes in which they differ. What is held at a time is bounded, whatever differs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rowsync_engine::multiset::{COUNTED_BYTES, Multiset, Tally, Times};
use rowsync_engine::report::{ColumnDifference, Method, Sample, SampleKind};
use rowsync_engine::row::fields;
use rowsync_engine::schema::TableView;
use rowsync_engine::search::SideName;
use rowsync_engine::stretch::Stretch;
use rowsync_engine::value::ValueRef;

use super::work::Work;
use crate::differ::samples::shares;
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::{Act, HashedRows};

const NO_KEY: &str = "the table has no key, so it was compared as a multiset: which rows there are, and how often each";

/// Pages that are in hand at once: one of each side.
const PAGES: usize = 2;

/// Rows to be shown, by their hashes, of one kind.
type Chosen = BTreeMap<u128, Times>;

impl Work {
    pub(super) async fn compare_as_multisets(&mut self, act: Act) -> Result<Found, Failure> {
        self.state.method = Method::FullCompare;
        self.state.notes.push(NO_KEY.into());
        let page_bytes = self.job.options.page_bytes;
        let _memory = self.shared.budget.take(2 * PAGES * page_bytes).await;
        let (source, target) = futures_util::try_join!(self.sums(SideName::Source), self.sums(SideName::Target))?;
        let mut found = Found { looked_at: (source.rows(), target.rows()), ..Found::default() };
        found.stats.ranges = 1;
        let Act::Observe { samples_max, explain } = act else { return Ok(found) };
        let [mut missing, mut extra] = [Chosen::new(), Chosen::new()];
        for mut tally in source.differing(&target, (PAGES * page_bytes / COUNTED_BYTES) as u64) {
            self.count_rows(SideName::Source, &mut tally).await?;
            self.count_rows(SideName::Target, &mut tally).await?;
            for (hash, times) in tally.differing() {
                found.missing += times.missing();
                found.extra += times.extra();
                let chosen = if times.missing() > 0 { &mut missing } else { &mut extra };
                if chosen.len() < samples_max {
                    chosen.insert(hash, times);
                }
            }
        }
        found.equal = source.rows() - found.missing;
        let [of_missing, of_extra] = shares([missing.len(), extra.len()], samples_max);
        let missing = missing.into_iter().take(of_missing).collect();
        let extra = extra.into_iter().take(of_extra).collect();
        found.samples = self.show(SideName::Source, SampleKind::Missing, missing, explain).await?;
        found.samples.extend(self.show(SideName::Target, SampleKind::Extra, extra, explain).await?);
        Ok(found)
    }

    async fn sums(&self, side: SideName) -> Result<Multiset, Failure> {
        let mut rows = Multiset::default();
        self.each_stretch(side, |read| {
            read.hashes.iter().for_each(|hash| rows.add(*hash));
            ControlFlow::Continue(())
        })
        .await?;
        Ok(rows)
    }

    async fn count_rows(&self, side: SideName, tally: &mut Tally) -> Result<(), Failure> {
        self.each_stretch(side, |read| {
            read.hashes.iter().for_each(|hash| tally.add(*hash, side));
            ControlFlow::Continue(())
        })
        .await
    }

    /// The rows that were chosen, as the side has them.
    async fn show(
        &self,
        side: SideName,
        kind: SampleKind,
        mut chosen: Chosen,
        explain: bool,
    ) -> Result<Vec<Sample>, Failure> {
        let mut samples = Vec::new();
        if chosen.is_empty() {
            return Ok(samples);
        }
        let view = &self.job.pair.source;
        self.each_stretch(side, |read| {
            for (row, hash) in read.rows.rows().zip(&read.hashes) {
                if let Some(times) = chosen.remove(hash) {
                    let columns = if explain { vec![how_often(times)] } else { Vec::new() };
                    samples.push(Sample { kind, key: row_json(view, row), columns });
                }
            }
            if chosen.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
        Ok(samples)
    }

    /// Reads the whole table, with smaller stretches where one holds too much.
    async fn each_stretch(
        &self,
        side: SideName,
        mut look: impl FnMut(&HashedRows) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let (children, page_bytes) = (self.children(), self.job.options.page_bytes);
        let reader = match side {
            SideName::Source => &children.source,
            SideName::Target => &children.target,
        };
        let mut stretches = reader.stretches(page_bytes).await?;
        stretches.reverse();
        while let Some(stretch) = stretches.pop() {
            if self.shared.stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            let halves = stretch.halves();
            // What cannot be cut is read whatever it takes, as a single row is elsewhere.
            let bytes_max = if halves.is_some() { page_bytes } else { usize::MAX };
            match reader.stretch(stretch, bytes_max, self.shared.salt).await? {
                Some(read) if look(&read).is_break() => return Ok(()),
                Some(_) => {}
                None => stretches.extend(halves.into_iter().flatten().rev().collect::<Vec<Stretch>>()),
            }
        }
        Ok(())
    }
}

fn row_json(view: &TableView, row: &[u8]) -> serde_json::Value {
    let values = fields(row).map(|value| value.map_or(serde_json::Value::Null, ValueRef::to_json));
    let names = view.columns.iter().map(|column| column.column.name.clone());
    serde_json::Value::Object(names.zip(values).collect())
}

/// Of a whole row there is no column to tell.
fn how_often(times: Times) -> ColumnDifference {
    ColumnDifference {
        column: "*".into(),
        source: times.source.into(),
        target: times.target.into(),
        rule: "how often the row is there".into(),
    }
}
