//! What to do with a table: the decision matrix, as a table that anybody can read.

use serde::{Deserialize, Serialize};

/// One operation on a table; a plan is a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Write the rows that the target lacks.
    Add,
    /// Remove the rows that only the target has.
    Delete,
    /// Read what the modify time says has changed, and write it.
    Incremental,
    /// Compare every row and write those that differ.
    Changed,
    /// Merge what either side has changed into both.
    Merge,
    /// Delete every row and write those of the source, in one transaction.
    Replace,
}

/// How a table is kept equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Counts and times decide what is done; every row is compared unless times are trusted.
    #[default]
    Compare,
    /// Only what the source says has changed.
    Incremental,
    /// Both ways: what either side has changed since they agreed last.
    Merge,
    /// All rows are replaced, whatever they are.
    Full,
}

/// What is known of a table before anything is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub source_count: u64,
    pub target_count: u64,
    /// Source rows changed since the last successful run; all of them where that is not known.
    pub changed: u64,
    /// The modify times may be trusted: the user says so, the column exists, and an earlier run is known.
    pub trusted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub operations: Vec<Operation>,
    pub reason: String,
    pub source_count: u64,
    pub target_count: u64,
    pub changed: u64,
}

impl Plan {
    /// The plan that the log of changes makes; its counts are estimates, 0 where none is to be had.
    pub fn by_log(changes: u64, source_count: u64, target_count: u64) -> Plan {
        let operations = if changes == 0 { Vec::new() } else { vec![Incremental] };
        Plan { operations, reason: BY_LOG.to_owned(), source_count, target_count, changed: changes }
    }

    /// The plan for rows that failed in earlier runs; its counts are estimates, 0 where none is to be had.
    pub fn by_failures(rows: u64, source_count: u64, target_count: u64) -> Plan {
        Plan { reason: BY_FAILURES.to_owned(), ..Plan::by_log(rows, source_count, target_count) }
    }

    pub fn has(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// Adds the operations of a later plan for the same table, which was begun again.
    pub fn take_in(&mut self, later: &Plan) {
        for operation in &later.operations {
            if !self.has(*operation) {
                self.operations.push(*operation);
            }
        }
    }

    /// Adds what became known while the plan was carried out: the compare found rows that only the target has.
    pub fn then_delete(&mut self) {
        if !self.has(Operation::Delete) {
            self.operations.push(Operation::Delete);
            self.reason = format!("{}; {DELETE_EXTRAS}", self.reason);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    BothEmpty,
    TargetEmpty,
    SourceLess,
    Equal,
    SourceMore,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Changes {
    Some,
    None,
    Any,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Yes,
    No,
    Any,
}

use Operation::{Add, Changed, Delete, Incremental, Replace};

const DELETE_EXTRAS: &str = "target has more rows => delete extras";
const REPLACE_ALL: &str = "full => replace all";
const BY_LOG: &str = "incremental => rows that the log of changes names";
const BY_FAILURES: &str = "replay => rows that failed before";
const BY_MODIFY_TIME: &str = "incremental => rows changed by modify time";

type Row = (Counts, Changes, Trust, &'static [Operation], &'static str);

/// The first row that fits decides.
#[rustfmt::skip]
const MATRIX: [Row; 11] = [
    (Counts::BothEmpty,   Changes::Any,  Trust::Any, &[],                          "both empty"),
    (Counts::TargetEmpty, Changes::Any,  Trust::Any, &[Add],                       "target empty => add all"),
    (Counts::SourceLess,  Changes::None, Trust::Any, &[Delete],                    DELETE_EXTRAS),
    (Counts::SourceLess,  Changes::Some, Trust::Yes, &[Delete, Incremental],       "target has more rows => delete extras, then add/modify"),
    (Counts::SourceLess,  Changes::Some, Trust::No,  &[Delete, Add, Changed],      "target has more rows => delete extras, then add/modify"),
    (Counts::Equal,       Changes::Some, Trust::Yes, &[Incremental],               "no count change & trusted modify id"),
    (Counts::Equal,       Changes::None, Trust::Yes, &[],                          "no changes"),
    (Counts::Equal,       Changes::Any,  Trust::No,  &[Add, Changed],              "no count change & untrusted modify id => full compare"),
    (Counts::SourceMore,  Changes::Some, Trust::Yes, &[Add, Incremental],          "source has more rows & trusted modify id"),
    (Counts::SourceMore,  Changes::Some, Trust::No,  &[Add, Incremental, Changed], "source has more rows & untrusted modify id"),
    (Counts::SourceMore,  Changes::None, Trust::Any, &[Add, Changed],              "source has more rows, no changes seen => full compare"),
];

/// Decides by counts, changes and trust.
pub fn decide(facts: &Facts) -> Plan {
    let counts = match (facts.source_count, facts.target_count) {
        (0, 0) => Counts::BothEmpty,
        (_, 0) => Counts::TargetEmpty,
        (s, t) if s < t => Counts::SourceLess,
        (s, t) if s == t => Counts::Equal,
        _ => Counts::SourceMore,
    };
    let fits = |(c, changes, trust, _, _): &&Row| {
        *c == counts
            && (*changes == Changes::Any || (*changes == Changes::Some) == (facts.changed > 0))
            && (*trust == Trust::Any || (*trust == Trust::Yes) == facts.trusted)
    };
    let row = MATRIX.iter().find(fits).expect("a test shows that the matrix has a row for all facts");
    Plan {
        operations: row.3.to_vec(),
        reason: row.4.to_owned(),
        source_count: facts.source_count,
        target_count: facts.target_count,
        changed: facts.changed,
    }
}

/// Decides where all rows are to be replaced.
pub fn replace(facts: &Facts) -> Plan {
    let plan = decide(facts);
    match (facts.source_count, facts.target_count) {
        (0, 0) => plan,
        _ => Plan { operations: vec![Replace], reason: REPLACE_ALL.to_owned(), ..plan },
    }
}

/// Decides where the source is believed to name what has changed since an earlier run. Counts that then differ are for
/// the proof to find.
pub fn follow(facts: &Facts) -> Plan {
    let plan = decide(facts);
    if facts.target_count == 0 {
        return plan;
    }
    Plan { operations: vec![Incremental], reason: BY_MODIFY_TIME.to_owned(), ..plan }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(facts: (u64, u64, u64, bool), operations: &[Operation], reason: &str) {
        let (source_count, target_count, changed, trusted) = facts;
        let plan = decide(&Facts { source_count, target_count, changed, trusted });
        assert_eq!((plan.operations.as_slice(), plan.reason.as_str()), (operations, reason), "{facts:?}");
    }

    #[test]
    fn the_manuals_four_scenarios() {
        check((5000, 0, 5000, false), &[Add], "target empty => add all");
        check((4990, 5000, 0, false), &[Delete], "target has more rows => delete extras");
        check((5010, 5000, 10, true), &[Add, Incremental], "source has more rows & trusted modify id");
        check((5010, 5000, 10, false), &[Add, Incremental, Changed], "source has more rows & untrusted modify id");
    }

    #[test]
    fn every_other_row_of_the_matrix() {
        check((0, 0, 0, true), &[], "both empty");
        check((5, 9, 2, true), &[Delete, Incremental], "target has more rows => delete extras, then add/modify");
        check((5, 9, 2, false), &[Delete, Add, Changed], "target has more rows => delete extras, then add/modify");
        check((0, 9, 0, false), &[Delete], "target has more rows => delete extras");
        check((5, 5, 2, true), &[Incremental], "no count change & trusted modify id");
        check((5, 5, 0, true), &[], "no changes");
        check((5, 5, 0, false), &[Add, Changed], "no count change & untrusted modify id => full compare");
        check((9, 5, 0, true), &[Add, Changed], "source has more rows, no changes seen => full compare");
    }

    #[test]
    fn whoever_follows_changes_looks_at_nothing_else_unless_the_target_is_empty() {
        let plan = |source_count, target_count| {
            follow(&Facts { source_count, target_count, changed: 0, trusted: true }).operations
        };
        assert_eq!(plan(9, 5), [Incremental]);
        assert_eq!(plan(0, 5), [Incremental]);
        assert_eq!(plan(9, 0), [Add]);
        assert_eq!(plan(0, 0), []);
    }

    #[test]
    fn extras_found_on_the_way_are_named_before_they_are_deleted() {
        let mut plan = decide(&Facts { source_count: 5, target_count: 5, changed: 5, trusted: false });
        plan.then_delete();
        plan.then_delete();
        assert_eq!(plan.operations, [Add, Changed, Delete]);
        assert!(plan.reason.ends_with("; target has more rows => delete extras"));
    }

    proptest! {
        #[test]
        fn the_matrix_has_a_row_for_all_facts(s in 0u64..3, t in 0u64..3, changed in 0u64..2, trusted: bool) {
            decide(&Facts { source_count: s, target_count: t, changed, trusted });
        }
    }
}
