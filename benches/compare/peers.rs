//! Other tools that compare tables, each as its users run it, and the proof that it found what there was to find.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::differences::expected;
use crate::harness::Result;
use crate::harness::postgres::Database;
use crate::harness::process::{Usage, complaint, watch};
use crate::harness::rowsync::Differences;
use crate::harness::sqlite::File;
use crate::rows::COLUMNS_BUT_KEY;

/// A tool in one of its settings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    PgComparator,
    ReladiffDefault,
    ReladiffTuned,
    Sqldiff,
}

/// Between two PostgreSQL servers.
pub const OF_POSTGRES: [Peer; 3] = [Peer::PgComparator, Peer::ReladiffDefault, Peer::ReladiffTuned];

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Peer::PgComparator => "pg_comparator",
            Peer::ReladiffDefault => "reladiff, default",
            Peer::ReladiffTuned => "reladiff, tuned",
            Peer::Sqldiff => "sqldiff",
        }
    }

    /// The program, if it is installed: in the environment that `make setup-bench` makes, or in the PATH.
    pub fn program(self) -> Option<PathBuf> {
        let name = match self {
            Peer::PgComparator => "pg_comparator",
            Peer::ReladiffDefault | Peer::ReladiffTuned => "reladiff",
            Peer::Sqldiff => "sqldiff",
        };
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-peers/bin");
        let path = env::var_os("PATH").unwrap_or_default();
        let found = std::iter::once(own).chain(env::split_paths(&path)).map(|directory| directory.join(name));
        found.into_iter().find(|program| program.is_file())
    }

    /// Compares two tables of PostgreSQL that have so many differences.
    pub fn compare(self, program: &Path, source: &str, target: &str, count: u64) -> Result<Usage> {
        let mut command = Command::new(program);
        match self {
            Peer::PgComparator => {
                let table = |url: &str| format!("{}/items?id:{}", pgsql(url), COLUMNS_BUT_KEY.join(","));
                command.args(PG_COMPARATOR_BEST).args([table(source), table(target)]);
            }
            Peer::ReladiffDefault | Peer::ReladiffTuned => {
                command.args([postgresql(source).as_str(), "items", postgresql(target).as_str(), "items"]);
                command.args(["--key-columns", "id"]).args(RELADIFF_ALWAYS);
                for column in COLUMNS_BUT_KEY {
                    command.args(["--columns", column]);
                }
                if self == Peer::ReladiffTuned {
                    command.args(RELADIFF_TUNED);
                }
            }
            Peer::Sqldiff => return Err("sqldiff compares files".into()),
        }
        self.watch(&mut command, count)
    }

    /// Compares two files that have so many differences.
    pub fn compare_files(self, program: &Path, source: &File, target: &File, count: u64) -> Result<Usage> {
        self.watch(Command::new(program).args(["--table", "items"]).args([&target.path, &source.path]), count)
    }

    fn watch(self, command: &mut Command, count: u64) -> Result<Usage> {
        let (output, usage) = watch(command)?;
        if !output.status.success() {
            return Err(complaint(command, &output).into());
        }
        self.check(&String::from_utf8_lossy(&output.stdout), expected(count))?;
        Ok(usage)
    }

    /// Each tool prints a line for a difference, or two.
    fn check(self, told: &str, expected: Differences) -> Result<()> {
        let lines = |start: &str| told.lines().filter(|line| line.starts_with(start)).count() as u64;
        let Differences { changed, missing, extra } = expected;
        let (found, wanted) = match self {
            // A changed row is one that goes and one that comes.
            Peer::ReladiffDefault | Peer::ReladiffTuned => {
                (vec![lines(r#"["-""#), lines(r#"["+""#)], vec![changed + missing, changed + extra])
            }
            Peer::PgComparator | Peer::Sqldiff => {
                (vec![lines("UPDATE"), lines("INSERT"), lines("DELETE")], vec![changed, missing, extra])
            }
        };
        if found == wanted {
            return Ok(());
        }
        Err(format!("{} found {found:?} instead of {wanted:?}", self.name()).into())
    }
}

/// Its own checksum functions in C, the key itself to spread the rows, and no end before all differences are found.
const PG_COMPARATOR_BEST: [&str; 4] = ["--checksum-function=fnv", "--use-key", "--max-ratio=2", "--no-lock"];
/// Without the first it stops partway where a row is changed, and still exits with 0.
const RELADIFF_ALWAYS: [&str; 2] = ["--skip-sort-results", "--json"];
/// The quickest of those tried on a million rows and two cores.
const RELADIFF_TUNED: [&str; 7] =
    ["--bisection-factor", "256", "--bisection-threshold", "4096", "--threads", "2", "--assume-unique-key"];

/// The functions that pg_comparator computes with, where its package is installed.
pub fn prepare(database: &Database) -> Result<()> {
    let known = database.execute(&["SELECT count(*) FROM pg_available_extensions WHERE name = 'pgcmp'"])?;
    if known == "1" {
        database.execute(&["CREATE EXTENSION pgcmp"])?;
    }
    Ok(())
}

fn pgsql(url: &str) -> String {
    url.replacen("postgres://", "pgsql://", 1)
}

fn postgresql(url: &str) -> String {
    url.replacen("postgres://", "postgresql://", 1)
}
