//! The report of an execution: what was planned, done, proven, and what a person must do. Its JSON names are fixed.

use std::borrow::Cow;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::change::Applied;
use crate::cost::CompareMethod;
use crate::digest::DigestKind;
use crate::error::Class;
use crate::pair::ColumnFit;
use crate::plan::Plan;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Completed,
    CompletedWithErrors,
    Failed,
    Interrupted,
    Planned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableStatus {
    Completed,
    CompletedWithErrors,
    Failed,
    Interrupted,
    Skipped,
    Planned,
    /// A parent failed, so this table was not begun.
    Blocked,
}

/// How the differences of a table were found or its rows moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Bulk,
    BinarySearch,
    FullCompare,
    Incremental,
    Merge,
    #[default]
    None,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    pub execution_id: String,
    pub sync: String,
    /// The execution that this one undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    pub status: RunStatus,
    /// RFC 3339, in UTC.
    pub started_at: String,
    pub finished_at: String,
    pub tables: Vec<TableReport>,
    pub totals: Totals,
    /// Errors that belong to no table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorReport>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub added: u64,
    pub modified: u64,
    pub deleted: u64,
    pub skipped: u64,
    pub failed: u64,
    pub conflicts: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableReport {
    pub table: String,
    pub target: String,
    pub status: TableStatus,
    /// 1, and one more each time the table was begun again.
    pub generation: u32,
    /// How often a part of rowsync panicked over this table.
    #[serde(default)]
    pub panics: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    pub method: Method,
    pub added: u64,
    pub modified: u64,
    pub deleted: u64,
    pub skipped: u64,
    pub failed: u64,
    pub conflicts: u64,
    /// Every row of the target is known to be equal: compared in this run, or written and read back. After a trusted
    /// incremental plan: the counts are equal.
    pub verified: bool,
    pub queries: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub seconds: Seconds,
    pub binary_search: BinarySearch,
    pub errors: Vec<ErrorReport>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Of a plan alone: what the columns of both sides come to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnFit>,
    /// Of `verify` alone. Read by [`RunReport::from_json`]: numbers of any precision cannot be read out of what is
    /// flattened.
    #[serde(flatten, skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub verification: Option<Verification>,
    /// How the digests were made, where any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestKind>,
    /// How every row was compared, where that was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// What was written where, of a table that is merged both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merged>,
}

/// What a merge wrote to each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    pub source: Written,
    pub target: Written,
    /// Conflicts that were decided by the rule.
    pub decided: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub added: u64,
    pub modified: u64,
    pub deleted: u64,
}

impl From<&Applied> for Written {
    fn from(applied: &Applied) -> Written {
        Written { added: applied.inserted, modified: applied.updated, deleted: applied.deleted }
    }
}

impl AddAssign for Written {
    fn add_assign(&mut self, other: Written) {
        self.added += other.added;
        self.modified += other.modified;
        self.deleted += other.deleted;
    }
}

impl AddAssign for Merged {
    fn add_assign(&mut self, other: Merged) {
        self.source += other.source;
        self.target += other.target;
        self.decided += other.decided;
    }
}

/// The way that was taken to compare every row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// A word of `compare_method`.
    pub method: Cow<'static, str>,
    pub reason: String,
}

impl Comparison {
    pub fn new(method: CompareMethod, reason: &str) -> Comparison {
        Comparison { method: method.name().into(), reason: reason.to_owned() }
    }

    /// Notes that the search gave way to reading.
    pub fn turned_to_reading(&mut self) {
        self.reason.push_str("; most ranges differed, so the rest was read");
    }
}

impl TableReport {
    pub fn new(table: impl Into<String>, target: impl Into<String>) -> TableReport {
        TableReport {
            table: table.into(),
            target: target.into(),
            status: TableStatus::Planned,
            generation: 1,
            panics: 0,
            plan: None,
            method: Method::None,
            added: 0,
            modified: 0,
            deleted: 0,
            skipped: 0,
            failed: 0,
            conflicts: 0,
            verified: false,
            queries: 0,
            bytes_read: 0,
            bytes_written: 0,
            seconds: Seconds::default(),
            binary_search: BinarySearch::default(),
            errors: Vec::new(),
            notes: Vec::new(),
            columns: Vec::new(),
            verification: None,
            digest: None,
            comparison: None,
            merge: None,
        }
    }
}

/// Seconds spent, summed over all that worked at once, so the parts may exceed `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    pub total: f64,
    pub read: f64,
    pub write: f64,
    pub delete: f64,
    pub compare: f64,
    pub binary_search: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinarySearch {
    pub searches: u64,
    pub iterations: u64,
    pub queries: u64,
    pub max_depth: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    pub class: Class,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<serde_json::Value>,
    pub message: String,
    pub remedy: String,
}

/// What `verify` found in a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    pub missing: u64,
    pub extra: u64,
    pub different: u64,
    pub samples: Vec<Sample>,
    /// Probability that a difference was missed.
    pub miss_probability: f64,
}

impl Verification {
    pub fn differences(&self) -> u64 {
        self.missing + self.extra + self.different
    }
}

/// One row that is not equal, by its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub kind: SampleKind,
    pub key: serde_json::Value,
    /// Filled where an explanation was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnDifference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    Missing,
    Extra,
    Different,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnDifference {
    pub column: String,
    pub source: serde_json::Value,
    pub target: serde_json::Value,
    /// The rule of equality that compared them.
    pub rule: String,
}

/// What stands of a verification among the fields of a table.
#[derive(Deserialize)]
struct TablesVerified {
    tables: Vec<TableVerified>,
}

#[derive(Deserialize)]
struct TableVerified {
    missing: Option<u64>,
    #[serde(default)]
    extra: u64,
    #[serde(default)]
    different: u64,
    #[serde(default)]
    samples: Vec<Sample>,
    #[serde(default)]
    miss_probability: f64,
}

impl TableVerified {
    fn whole(self) -> Option<Verification> {
        let TableVerified { missing, extra, different, samples, miss_probability } = self;
        missing.map(|missing| Verification { missing, extra, different, samples, miss_probability })
    }
}

impl RunReport {
    /// Reads a report that was written as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_json(json: &str) -> serde_json::Result<RunReport> {
        let mut report: RunReport = serde_json::from_str(json)?;
        let verified: TablesVerified = serde_json::from_str(json)?;
        for (table, verified) in report.tables.iter_mut().zip(verified.tables) {
            table.verification = verified.whole();
        }
        Ok(report)
    }

    /// Sums up the tables.
    pub fn total(tables: &[TableReport]) -> Totals {
        let mut totals = Totals::default();
        for table in tables {
            totals.added += table.added;
            totals.modified += table.modified;
            totals.deleted += table.deleted;
            totals.skipped += table.skipped;
            totals.failed += table.failed;
            totals.conflicts += table.conflicts;
        }
        totals
    }

    /// The status that follows from those of the tables.
    pub fn status_of(tables: &[TableReport]) -> RunStatus {
        let any = |status| tables.iter().any(|table| table.status == status);
        let done = |table: &TableReport| {
            matches!(table.status, TableStatus::Completed | TableStatus::Skipped | TableStatus::Planned)
        };
        if any(TableStatus::Interrupted) {
            RunStatus::Interrupted
        } else if !tables.is_empty() && tables.iter().all(|table| table.status == TableStatus::Planned) {
            RunStatus::Planned
        } else if tables.iter().all(done) {
            RunStatus::Completed
        } else if tables.iter().any(done) || any(TableStatus::CompletedWithErrors) {
            RunStatus::CompletedWithErrors
        } else {
            RunStatus::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(status: TableStatus) -> TableReport {
        TableReport { status, ..TableReport::new("a", "a") }
    }

    #[test]
    fn the_status_of_a_run_follows_from_its_tables() {
        use TableStatus::*;
        let check = |tables: &[TableStatus], expected| {
            let tables: Vec<_> = tables.iter().map(|status| table(*status)).collect();
            assert_eq!(RunReport::status_of(&tables), expected);
        };
        check(&[], RunStatus::Completed);
        check(&[Completed, Skipped], RunStatus::Completed);
        check(&[Completed, Failed], RunStatus::CompletedWithErrors);
        check(&[Failed, Blocked], RunStatus::Failed);
        check(&[Completed, Interrupted], RunStatus::Interrupted);
        check(&[Planned, Planned], RunStatus::Planned);
    }

    /// The history holds reports of versions that did not count panics, nor undo anything.
    #[test]
    fn a_report_of_an_earlier_version_can_be_read() {
        let report = RunReport {
            execution_id: "1".into(),
            sync: "shop".into(),
            undoes: None,
            status: RunStatus::Completed,
            started_at: String::new(),
            finished_at: String::new(),
            tables: vec![table(TableStatus::Completed)],
            totals: Totals::default(),
            errors: Vec::new(),
        };
        let mut json = serde_json::to_value(&report).unwrap();
        json["tables"][0].as_object_mut().unwrap().remove("panics").unwrap();
        let read = RunReport::from_json(&json.to_string()).unwrap();
        assert_eq!((read.undoes, read.tables[0].panics), (None, 0));
    }
}
