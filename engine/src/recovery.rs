//! What now: the verdict on a failure, in one table that anybody can read.
//!
//! For now a failure ends in a report and a remedy; nothing is tried again, since every step can be repeated by the
//! next run.

use crate::error::Kind;

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The table stops here; the others go on. A person finds the remedy in the report.
    Park { remedy: &'static str },
    /// No table of this run can go on.
    Abort { remedy: &'static str },
}

impl Verdict {
    pub fn remedy(&self) -> &'static str {
        match self {
            Verdict::Park { remedy } | Verdict::Abort { remedy } => remedy,
        }
    }
}

/// Judges a failure by its kind.
pub fn judge(kind: Kind) -> Verdict {
    use Verdict::{Abort, Park};
    match kind {
        Kind::Unreachable => {
            Abort { remedy: "see that the database runs and can be reached, then run again; what was written stays" }
        }
        Kind::Timeout => Park { remedy: "raise `timeout` of the connection or lower `batch_size`, then run again" },
        Kind::Busy => Park { remedy: "run again when the database is less busy, or lower `max_parallel_tables`" },
        Kind::Denied => Abort { remedy: "check user, password and permissions of the connection" },
        Kind::NoDatabase => Abort { remedy: "check the database's name or path in the connection's url" },
        Kind::Full => Abort { remedy: "make room on the target, then run again; what was written stays" },
        Kind::SchemaMismatch => Park {
            remedy: "bring the table's columns in line, or name the difference in the configuration; `rowsync check` shows both sides",
        },
        Kind::Constraint => {
            Park { remedy: "look at the constraint named here: a row of the source breaks a rule of the target" }
        }
        Kind::BadValue => Park { remedy: "widen the target's column or correct the value in the source" },
        Kind::RowChanged => Park { remedy: "run again: someone else wrote to the table in the meantime" },
        Kind::Bug => Park { remedy: "this is a mistake in rowsync; please report it with the log" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_ends_in_something_a_person_can_do() {
        use Kind::*;
        for kind in [
            Unreachable,
            Timeout,
            Busy,
            Denied,
            NoDatabase,
            Full,
            SchemaMismatch,
            Constraint,
            BadValue,
            RowChanged,
            Bug,
        ] {
            assert!(judge(kind).remedy().len() > 20, "{kind:?}");
        }
    }
}
