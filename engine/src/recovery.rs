//! What now: from a failure and its history to a verdict, in one table that anybody can read. The manual's page about
//! failures is written from it.

use crate::error::Kind;

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The table is begun again after a pause; what is equal by then is not written again.
    Again,
    /// The table is begun again with batches of half as many rows.
    SmallerBatch,
    /// The rest of the batch is written, and the rows that fail are put aside.
    IsolateRow,
    /// All connections of that database are dropped and opened anew, then the table is begun again.
    Reopen,
    /// The table is begun again, and every row is compared.
    FullCompare,
    /// The table stops here; those that refer to it are blocked, the others go on. A person finds the remedy in the
    /// report.
    Park { remedy: &'static str },
    /// No table of this run can go on.
    Abort { remedy: &'static str },
}

/// What went before a failure, and how much of it is bearable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Failures of this table in a row, this one included: those since it last wrote a row.
    pub failures: u32,
    /// `max_error_loop`.
    pub failures_max: u32,
    /// `retry_count`.
    pub tries_max: u32,
    /// Rows of a batch at present.
    pub batch_rows: usize,
    pub step: Step,
    /// Rows that failed before, and `max_error_count`.
    pub rows_failed: u64,
    pub rows_failed_max: u64,
}

impl History {
    /// Of a question that is asked for the first time, and once.
    pub fn of_a_question() -> History {
        History {
            failures: 1,
            failures_max: 0,
            tries_max: 0,
            batch_rows: 1,
            step: Step::Ask,
            rows_failed: 0,
            rows_failed_max: 0,
        }
    }
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was asked: a count, a digest, a description. The answer does not depend on the size of a batch.
    Ask,
    /// Rows were read or written.
    Move,
    /// A batch was written that is still at hand.
    Batch,
}

/// What may help, as long as it is not exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cure {
    None,
    /// So many tries as `retry_count` says.
    Again,
    /// So many rounds as `max_error_loop` says.
    Reopen,
    Restart,
    FullCompare,
    SmallerBatch,
    IsolateRow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Park,
    Abort,
}

struct Rule {
    /// How a person would tell it.
    told: &'static str,
    cure: Cure,
    end: End,
    remedy: &'static str,
}

macro_rules! rules {
    ($($kind:ident, $told:literal: $cure:ident, then $end:ident; $remedy:literal;)*) => {
        /// All kinds, in the order of the manual.
        const KINDS: &[Kind] = &[$(Kind::$kind),*];

        /// Without a wildcard: a kind without a rule does not compile.
        fn rule_of(kind: Kind) -> &'static Rule {
            match kind {
                $(Kind::$kind => &Rule { told: $told, cure: Cure::$cure, end: End::$end, remedy: $remedy }),*
            }
        }
    };
}

rules! {
    Unreachable, "no connection, or it broke, or nothing comes over it any more, or the server starts up, recovers or ends": Reopen, then Abort;
        "see that the database runs and can be reached, then run again; what was written stays";
    Timeout, "a statement took longer than `timeout`": SmallerBatch, then Park;
        "raise `timeout` of the connection or lower `batch_size`, then run again";
    Busy, "the server wants us to come later: a lock, a deadlock, too many connections": Again, then Park;
        "run again when the database is less busy, or lower `max_parallel_tables`";
    Denied, "user, password or certificate are refused": None, then Abort;
        "check user, password and certificate of the connection";
    Forbidden, "a permission is missing, or the database can only be read": None, then Park;
        "give the user of the connection the permission, or see that the database or file can be written";
    NoDatabase, "the database or file is not there, or is none": None, then Abort;
        "check the database's name or path in the connection's url";
    Full, "the disk or a quota is used up": None, then Abort;
        "make room on the target, then run again; what was written stays";
    Exhausted, "memory or another limit of the server is reached": SmallerBatch, then Park;
        "lower `batch_size`, or raise the limit of the server that is named here";
    Fault, "the database reports a fault of its own: an internal error, damaged files": None, then Park;
        "look into the log of the database; the fault is its own";
    LeaseLost, "this process was away for longer than `lease_seconds`, and another one writes the sync now": None, then Abort;
        "see that one process at a time runs this sync; the other one brings in what this one did not";
    StateLost, "the state does not keep what rows were before, which `undo` needs, so they are not written": Again, then Abort;
        "see that the database of `state` is up, has room and can be written, then run again; what was written stays and can be undone";
    SchemaMismatch, "a table or column is missing, or unlike what it was when the run was planned": None, then Park;
        "bring the table's columns in line, or name the difference in the configuration; `rowsync check` shows both sides";
    Constraint, "a check, NOT NULL, foreign key or trigger of the target refuses a row": IsolateRow, then Park;
        "look at the constraint named here: the row of the source breaks a rule of the target";
    Duplicate, "another row of the target has the same key or unique value": IsolateRow, then Park;
        "look which row of the target has this value already; it is one that the source gives to another row";
    BadValue, "a value does not fit its column": IsolateRow, then Park;
        "widen the target's column or correct the value in the source";
    RowChanged, "somebody else wrote to the rows in the meantime": FullCompare, then Park;
        "run again, and find out who else writes to the table";
    Bug, "an invariant of rowsync is broken": None, then Park;
        "this is a mistake in rowsync; please report it with the log";
    Panic, "a part of rowsync panicked or ended while it was asked": Restart, then Park;
        "this is a mistake in rowsync; please report it with the log";
}

/// Judges a failure by its kind and by what went before.
pub fn judge(kind: Kind, history: &History) -> Verdict {
    let rule = rule_of(kind);
    let bearable = history.failures <= history.failures_max;
    match rule.cure {
        Cure::Again if history.failures <= history.tries_max => Verdict::Again,
        Cure::Restart if bearable => Verdict::Again,
        Cure::Reopen if bearable => Verdict::Reopen,
        Cure::FullCompare if bearable => Verdict::FullCompare,
        Cure::SmallerBatch if bearable && history.batch_rows > 1 && history.step != Step::Ask => Verdict::SmallerBatch,
        Cure::IsolateRow if history.step == Step::Batch && history.rows_failed < history.rows_failed_max => {
            Verdict::IsolateRow
        }
        _ => match rule.end {
            End::Park => Verdict::Park { remedy: rule.remedy },
            End::Abort => Verdict::Abort { remedy: rule.remedy },
        },
    }
}

/// What a person can do about a failure, whatever was tried before.
pub fn remedy(kind: Kind) -> &'static str {
    rule_of(kind).remedy
}

impl Cure {
    fn told(self) -> &'static str {
        match self {
            Cure::None => "nothing",
            Cure::Again => "the table again after a pause, `retry_count` times in a row",
            Cure::Reopen => {
                "all connections of that database are dropped and opened anew, then the table again, `max_error_loop` times in a row"
            }
            Cure::Restart => "the table again with new actors, `max_error_loop` times in a row",
            Cure::FullCompare => "the table again, comparing every row, `max_error_loop` times in a row",
            Cure::SmallerBatch => {
                "where rows are moved: the table again with half the `batch_size`, `max_error_loop` times in a row"
            }
            Cure::IsolateRow => {
                "where rows are written: the rest of the batch is written and the row put aside, until `max_error_count`"
            }
        }
    }
}

/// The table as the manual shows it, in Markdown.
pub fn table_md() -> String {
    let mut text = String::from(
        "| class | what happened | what is done about it | and where that did not help | what a person can do |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for kind in KINDS {
        let rule = rule_of(*kind);
        let class = match kind.class() {
            crate::error::Class::Connection => "connection",
            crate::error::Class::Schema => "schema",
            crate::error::Class::Data => "data",
            crate::error::Class::Logic => "logic",
        };
        let end = match rule.end {
            End::Park => "the table is parked",
            End::Abort => "the run is aborted",
        };
        text.push_str(&format!("| {class} | {} | {} | {end} | {} |\n", rule.told, rule.cure.told(), rule.remedy));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::*;

    const CALM: History = History {
        failures: 1,
        failures_max: 5,
        tries_max: 3,
        batch_rows: 5000,
        step: Step::Batch,
        rows_failed: 0,
        rows_failed_max: 25,
    };

    fn check(kind: Kind, history: History, expected: Verdict) {
        assert_eq!(judge(kind, &history), expected, "{kind:?} {history:?}");
    }

    fn park(kind: Kind) -> Verdict {
        Verdict::Park { remedy: remedy(kind) }
    }

    fn abort(kind: Kind) -> Verdict {
        Verdict::Abort { remedy: remedy(kind) }
    }

    #[test]
    fn every_failure_ends_in_something_a_person_can_do() {
        for kind in KINDS {
            let hopeless = History { failures: 100, rows_failed: 100, ..CALM };
            let (Verdict::Park { remedy } | Verdict::Abort { remedy }) = judge(*kind, &hopeless) else {
                panic!("{kind:?} is tried for ever");
            };
            assert!(remedy.len() > 20, "{kind:?}");
        }
    }

    #[test]
    fn the_first_failure_of_each_kind_is_met_with_its_cure() {
        for (kind, expected) in [
            (Unreachable, Verdict::Reopen),
            (Timeout, Verdict::SmallerBatch),
            (Busy, Verdict::Again),
            (Denied, abort(Denied)),
            (Forbidden, park(Forbidden)),
            (NoDatabase, abort(NoDatabase)),
            (Full, abort(Full)),
            (Exhausted, Verdict::SmallerBatch),
            (Fault, park(Fault)),
            (LeaseLost, abort(LeaseLost)),
            (StateLost, Verdict::Again),
            (SchemaMismatch, park(SchemaMismatch)),
            (Constraint, Verdict::IsolateRow),
            (Duplicate, Verdict::IsolateRow),
            (BadValue, Verdict::IsolateRow),
            (RowChanged, Verdict::FullCompare),
            (Bug, park(Bug)),
            (Panic, Verdict::Again),
        ] {
            check(kind, CALM, expected);
        }
    }

    #[test]
    fn nothing_is_tried_for_ever() {
        check(Busy, History { failures: 3, ..CALM }, Verdict::Again);
        check(Busy, History { failures: 4, ..CALM }, park(Busy));
        check(Unreachable, History { failures: 5, ..CALM }, Verdict::Reopen);
        check(Unreachable, History { failures: 6, ..CALM }, abort(Unreachable));
        check(Panic, History { failures: 6, ..CALM }, park(Panic));
        check(Timeout, History { failures: 6, ..CALM }, park(Timeout));
        check(RowChanged, History { failures: 6, ..CALM }, park(RowChanged));
        check(Constraint, History { rows_failed: 24, ..CALM }, Verdict::IsolateRow);
        check(Constraint, History { rows_failed: 25, ..CALM }, park(Constraint));
    }

    #[test]
    fn smaller_batches_are_for_rows_that_move_and_can_be_fewer() {
        check(Timeout, History { step: Step::Ask, ..CALM }, park(Timeout));
        check(Timeout, History { step: Step::Move, ..CALM }, Verdict::SmallerBatch);
        check(Timeout, History { batch_rows: 1, ..CALM }, park(Timeout));
        check(Exhausted, History { batch_rows: 1, ..CALM }, park(Exhausted));
    }

    #[test]
    fn a_row_can_only_be_put_aside_while_its_batch_is_at_hand() {
        check(BadValue, History { step: Step::Move, ..CALM }, park(BadValue));
    }
}
