//! Comparing tables without a key, and replacing their rows all at once: read stretch by stretch, once for sums of hashes on both sides at once, and once more for
//! those parts of all hashes in which they differ. What is held at a time is bounded, whatever differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::Actor;
use rowsync_engine::change::Changes;
use rowsync_engine::error::Class;
use rowsync_engine::multiset::{COUNTED_BYTES, Multiset, Tally, Times};
use rowsync_engine::report::{ColumnDifference, Method, Sample, SampleKind, TableStatus};
use rowsync_engine::row::fields;
use rowsync_engine::schema::TableView;
use rowsync_engine::search::SideName;
use rowsync_engine::stretch::Stretch;
use rowsync_engine::value::ValueRef;

use super::work::Work;
use crate::differ::samples::shares;
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::{ChangeSet, HashedRows};
use crate::phase::Phase;
use crate::ports::ReaderPort;
use crate::reader::Reader;

const NOT_KEPT: &str = "the rows have no key, so those that were replaced are not kept for an undo";

const NO_KEY: &str = "the table has no key, so it was compared as a multiset: which rows there are, and how often each";

/// Pages that are in hand at once: one of each side.
const PAGES: usize = 2;

/// Rows to be shown, by their hashes, of one kind.
type Chosen = BTreeMap<u128, Times>;

/// Both sides, each as it was at one moment: rows that others change meanwhile would lie elsewhere, and be seen twice or not
/// at all.
struct Sides {
    source: ReaderPort,
    target: ReaderPort,
}

impl Work {
    pub(super) async fn compare_as_multisets(&mut self, samples_max: usize, explain: bool) -> Result<Found, Failure> {
        self.state.method = Method::FullCompare;
        self.state.notes.push(NO_KEY.into());
        let page_bytes = self.job.options.page_bytes;
        let _memory = self.shared.budget.take(2 * PAGES * page_bytes).await;
        let sides = Sides {
            source: self.standing_still(SideName::Source).await?,
            target: self.standing_still(SideName::Target).await?,
        };
        let (source, target) = futures_util::try_join!(self.sums(&sides.source), self.sums(&sides.target))?;
        let mut found = Found { looked_at: (source.rows(), target.rows()), ..Found::default() };
        found.stats.ranges = 1;
        let [mut missing, mut extra] = [Chosen::new(), Chosen::new()];
        for mut tally in source.differing(&target, (PAGES * page_bytes / COUNTED_BYTES) as u64) {
            self.count_rows(&sides, &mut tally).await?;
            for (hash, times) in tally.differing() {
                found.missing += times.missing();
                found.extra += times.extra();
                let chosen = if times.missing() > 0 { &mut missing } else { &mut extra };
                if chosen.len() < samples_max {
                    chosen.insert(hash, times);
                }
            }
        }
        found.equal = source.rows().saturating_sub(found.missing);
        let [of_missing, of_extra] = shares([missing.len(), extra.len()], samples_max);
        let missing = missing.into_iter().take(of_missing).collect();
        let extra = extra.into_iter().take(of_extra).collect();
        found.samples = self.show(&sides.source, SampleKind::Missing, missing, explain).await?;
        found.samples.extend(self.show(&sides.target, SampleKind::Extra, extra, explain).await?);
        Ok(found)
    }

    /// In one transaction, so that readers see the old rows or the new ones; proven by reading all of them back.
    pub(super) async fn replace_as_multiset(&mut self) -> Result<(), Failure> {
        if self.is_referenced().await? {
            return Err(self.cannot(
                "foreign keys refer to it, so its rows cannot all go at once",
                "name the columns that identify a row in `primary_key_field`",
            ));
        }
        self.state.method = Method::Bulk;
        self.state.notes.push(NOT_KEPT.into());
        let _memory = self.shared.budget.take(2 * PAGES * self.job.options.page_bytes).await;
        let source = self.standing_still(SideName::Source).await?;
        self.begin(true).await?;
        let written = self.write_all(&source).await?;
        let applied = self.commit().await?;
        Phase::Copied.reached();
        let target = self.sums(&self.standing_still(SideName::Target).await?).await?;
        let mut found = Found { looked_at: (written.rows(), target.rows()), applied, ..Found::default() };
        found.stats.ranges = 1;
        self.state.sum.absorb(found);
        (self.state.source.rows, self.state.target.rows) = (written.rows(), target.rows());
        if written != target {
            return Err(self.cannot(
                "it differs from its source although all rows were replaced",
                "look for triggers on the target that change rows, or for others who write to it; then run again",
            ));
        }
        Phase::Proven.reached();
        self.make_safe().await?;
        (self.state.verified, self.state.status) = (true, TableStatus::Completed);
        Ok(())
    }

    /// Hands every row to the writer; which these were.
    async fn write_all(&self, source: &ReaderPort) -> Result<Multiset, Failure> {
        let mut written = Multiset::default();
        let mut walk = self.walk(source).await?;
        while let Some(HashedRows { rows, hashes }) = walk.next().await? {
            hashes.iter().for_each(|hash| written.add(*hash));
            self.shared.board.table(&self.job.name).rows_done(rows.len() as u64);
            if !rows.is_empty() {
                let permit = self.shared.budget.take(0).await;
                let set = ChangeSet { changes: Changes::inserting(rows), permit };
                self.children().writer.send(set).await.map_err(|_| Failure::Gone("writer"))??;
            }
        }
        Ok(written)
    }

    fn cannot(&self, why: &str, remedy: &str) -> Failure {
        let message = format!("{} has no key, and {why}", self.job.pair.target.table);
        Failure::Refused { class: Class::Schema, message, remedy: remedy.into() }
    }

    /// Who answers questions about the rows of a side as they are now, whatever becomes of them.
    async fn standing_still(&self, side: SideName) -> Result<ReaderPort, Failure> {
        let (end, view) = match side {
            SideName::Source => (&self.shared.source, &self.job.pair.source),
            SideName::Target => (&self.shared.target, &self.job.pair.target),
        };
        let rows = end.standing_still().await.map_err(|error| error.on(side))?;
        let progress = self.shared.board.table(&self.job.name);
        Ok(ReaderPort::from(&Reader::new(side, rows, Arc::clone(view), progress).start()))
    }

    async fn sums(&self, reader: &ReaderPort) -> Result<Multiset, Failure> {
        let mut rows = Multiset::default();
        let mut walk = self.walk(reader).await?;
        while let Some(read) = walk.next().await? {
            read.hashes.iter().for_each(|hash| rows.add(*hash));
        }
        Ok(rows)
    }

    async fn count_rows(&self, sides: &Sides, tally: &mut Tally) -> Result<(), Failure> {
        for (side, reader) in [(SideName::Source, &sides.source), (SideName::Target, &sides.target)] {
            let mut walk = self.walk(reader).await?;
            while let Some(read) = walk.next().await? {
                read.hashes.iter().for_each(|hash| tally.add(*hash, side));
            }
        }
        Ok(())
    }

    /// The rows that were chosen, as the side has them.
    async fn show(
        &self,
        reader: &ReaderPort,
        kind: SampleKind,
        mut chosen: Chosen,
        explain: bool,
    ) -> Result<Vec<Sample>, Failure> {
        let (view, mut samples) = (&self.job.pair.source, Vec::new());
        let mut walk = self.walk(reader).await?;
        while !chosen.is_empty() {
            let Some(read) = walk.next().await? else { break };
            for (row, hash) in read.rows.rows().zip(&read.hashes) {
                if let Some(times) = chosen.remove(hash) {
                    let columns = if explain { vec![how_often(times)] } else { Vec::new() };
                    samples.push(Sample { kind, key: row_json(view, row), columns });
                }
            }
        }
        Ok(samples)
    }

    async fn walk<'a>(&'a self, reader: &'a ReaderPort) -> Result<Walk<'a>, Failure> {
        let mut stretches = reader.stretches(self.job.options.page_bytes).await?;
        stretches.reverse();
        Ok(Walk { work: self, reader, stretches })
    }
}

/// A whole table, one stretch after the other, with smaller ones where one holds too much.
struct Walk<'a> {
    work: &'a Work,
    reader: &'a ReaderPort,
    /// The next one last.
    stretches: Vec<Stretch>,
}

impl Walk<'_> {
    async fn next(&mut self) -> Result<Option<HashedRows>, Failure> {
        let (page_bytes, salt) = (self.work.job.options.page_bytes, self.work.shared.salt);
        while let Some(stretch) = self.stretches.pop() {
            if self.work.shared.stop.is_cancelled() {
                return Err(Failure::Stopped);
            }
            let halves = stretch.halves();
            // What cannot be cut is read whatever it takes, as a single row is elsewhere.
            let bytes_max = if halves.is_some() { page_bytes } else { usize::MAX };
            match self.reader.stretch(stretch, bytes_max, salt).await? {
                Some(read) => return Ok(Some(read)),
                None => self.stretches.extend(halves.into_iter().flatten().rev()),
            }
        }
        Ok(None)
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
