//! Rows that the target refused: tried once more when everything else is done, left out of the proof, and told.

use rowsync_engine::change::Changes;
use rowsync_engine::compare::compare;
use rowsync_engine::cost::{self, CompareMethod};
use rowsync_engine::error::{Class, Kind};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::recovery::remedy;
use rowsync_engine::report::ErrorReport;
use rowsync_engine::row::{Form, RowPage, fields};
use rowsync_engine::search::Seek;

use super::work::Work;
use crate::failure::Failure;
use crate::job::TableJob;
use crate::ledger::{Ledger, Rejected};
use crate::messages::{Act, ChangeSet, CompareRange, FailedRow};

const DELETE_REMEDY: &str =
    "rows of the target still refer to this one; sync the table that refers to it as well, or remove its rows";

impl Work {
    /// Tries again what the target refused, as long as that makes them fewer: what was in the way may be gone by now, as
    /// a row that had the same unique value, or there, as a row that this one refers to.
    pub(super) async fn try_rejected_again(&mut self) -> Result<(), Failure> {
        let mut before = u64::MAX;
        while (1..before).contains(&self.ledger.rejected_count()) {
            before = self.ledger.rejected_count();
            let changes = self.still_wanted().await?;
            if !changes.is_empty() {
                self.write_rejected(changes).await?;
            }
        }
        Ok(())
    }

    /// What is still to be done about the rejected changes, by what the target holds now.
    async fn still_wanted(&self) -> Result<Changes, Failure> {
        let rejected = self.ledger.take_rejected();
        let keys: Vec<Key> = rejected.keys().cloned().collect();
        let key_len = self.job.pair.source.key_len;
        let found = self.children().target.keys(keys).await?;
        let mut wanted = RowPage::new(Form::Fields, key_len);
        rejected.values().filter_map(Rejected::row).for_each(|row| wanted.push_row(row));
        wanted.finish();
        let differences = compare(&wanted, &found, &self.job.pair.source.domains());
        let differences = differences.map_err(|error| Failure::of_compare(error, &self.job.pair.target.table))?;
        let mut changes = differences.into_changes();
        // What only the target has is to go where a delete was wanted.
        changes.deletes.retain(|key| rejected.get(key).is_some_and(Rejected::is_delete));
        Ok(changes)
    }

    async fn write_rejected(&mut self, changes: Changes) -> Result<(), Failure> {
        // They were counted as wanted when they were refused.
        self.ledger.want_less(changes.len() as u64);
        let progress = self.shared.board.table(&self.job.name);
        let permit = progress.meters.permit(&self.shared.budget, changes.bytes()).await;
        let written = self.children().writer.send(ChangeSet { changes, permit }).await;
        self.state.sum.applied += written.map_err(|_| Failure::Gone("writer"))??;
        Ok(())
    }

    /// Finds the keys of rows that were refused without telling them: they are missing in these ranges, and are refused
    /// again when they are written as fields.
    pub(super) async fn find_in(&mut self, ranges: Vec<KeyRange>) -> Result<(), Failure> {
        for range in ranges {
            let found = self.differ().send(self.look_at(range, Act::Upsert)).await?;
            self.state.take_in(found);
        }
        Ok(())
    }

    /// Whether nothing differs in these ranges but rows that the target refused.
    pub(super) async fn only_rejected_differ(&self, ranges: Vec<KeyRange>) -> Result<bool, Failure> {
        let rejected: Vec<serde_json::Value> =
            self.ledger.rejected().iter().map(|(key, _)| key_json(&self.job, key)).collect();
        let act = Act::Observe { samples_max: rejected.len() + 1, explain: false };
        for range in ranges {
            let found = self.differ().send(self.look_at(range, act)).await?;
            let known = found.samples.iter().all(|sample| rejected.contains(&sample.key));
            if !known || found.differences() != found.samples.len() as u64 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn look_at(&self, range: KeyRange, act: Act) -> CompareRange {
        let chosen = cost::expect(CompareMethod::OrderedStream, &self.facts(&[]));
        let mut task = self.task(range, Seek::Everything, &chosen, act);
        // It is small, or at least not worth a question where to cut it.
        task.options.fan_out = 1;
        task
    }

    /// How many rows the target should have: without those it refused, with those it refused to let go.
    pub(super) fn wanted_rows(&self) -> u64 {
        let rejected = self.ledger.rejected();
        let (missing, kept) = (
            rejected.iter().filter(|(_, rejected)| rejected.is_insert()).count() as u64,
            rejected.iter().filter(|(_, rejected)| rejected.is_delete()).count() as u64,
        );
        (self.state.source.rows + kept).saturating_sub(missing)
    }
}

/// A larger row is known by its key alone: what is kept of it might be more than the state can hold.
const KEPT_ROW_BYTES_MAX: usize = 1 << 20;

/// The rows that a table's target refused, for the owner of the data.
pub(crate) fn failed_rows(job: &TableJob, ledger: &Ledger) -> Vec<FailedRow> {
    let back = job.merge.as_ref().map(|merge| merge.ledger().rejected()).unwrap_or_default();
    ledger.rejected().iter().chain(&back).map(|(key, rejected)| failed_row(job, key, rejected)).collect()
}

fn failed_row(job: &TableJob, key: &Key, rejected: &Rejected) -> FailedRow {
    let change = match (rejected.is_insert(), rejected.is_delete()) {
        (true, _) => "insert",
        (_, true) => "delete",
        _ => "update",
    };
    FailedRow {
        key: key_json(job, key),
        change,
        class: Class::Data,
        message: rejected.message.clone(),
        remedy: if rejected.is_delete() && rejected.kind == Kind::Constraint {
            DELETE_REMEDY
        } else {
            remedy(rejected.kind)
        },
        row: rejected
            .row()
            .filter(|row| job.options.keep_failed_rows && row.len() <= KEPT_ROW_BYTES_MAX)
            .map(|row| row_json(job, row)),
    }
}

impl FailedRow {
    pub(crate) fn told(&self) -> ErrorReport {
        ErrorReport {
            class: self.class,
            key: Some(self.key.clone()),
            message: self.message.clone(),
            remedy: self.remedy.to_owned(),
        }
    }
}

fn key_json(job: &TableJob, key: &Key) -> serde_json::Value {
    key.to_json(job.pair.source.key_columns().iter().map(|column| column.column.name.as_str()))
}

fn row_json(job: &TableJob, row: &[u8]) -> serde_json::Value {
    let names = job.pair.source.columns.iter().map(|column| column.column.name.clone());
    let values = fields(row).map(|value| value.map_or(serde_json::Value::Null, |value| value.to_json()));
    serde_json::Value::Object(names.zip(values).collect())
}
