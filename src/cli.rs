//! What can be typed on the command line. What it means is for the others; nothing here does anything.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::conflicts::Choice;
use crate::init::STARTER_PATH;

/// Keeps the tables of one database equal to those of another, across engines, and proves it.
#[derive(Clone, Debug, Parser)]
#[command(name = "rowsync", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, equal
  1    finished, but rows or tables failed, or conflicts wait
  2    usage or configuration is wrong, nothing was touched
  3    `verify` found differences
  4    a database cannot be reached or refuses, or another process writes this sync
  130  interrupted";

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run each sync: plan, execute, verify, report; in cycles where its file names a schedule.
    #[command(
        after_help = "Example:\n  rowsync run shop.json --table Artist --table Track\n  rowsync run shop.json stock.json --parallel 2 --once"
    )]
    Run(RunArgs),
    /// Tell what a run would do to each table, and why; write nothing.
    #[command(after_help = "Example:\n  rowsync plan shop.json --output json")]
    Plan(FileArgs),
    /// Compare every row of every table; write nothing.
    #[command(after_help = "Example:\n  rowsync verify shop.json --explain --samples 10")]
    Verify(VerifyArgs),
    /// Find everything that can be found before the first row moves.
    #[command(after_help = "Example:\n  rowsync check shop.json")]
    Check(FileArgs),
    /// Print the statements that would make the tables that the target lacks; run none.
    #[command(after_help = "Example:\n  rowsync schema shop.json > tables.sql")]
    Schema(FileArgs),
    /// List the executions of a sync, or show the report of one again.
    #[command(after_help = "Example:\n  rowsync history shop.json --limit 5\n  rowsync history shop.json 019ab3c4")]
    History(HistoryArgs),
    /// Put back what a run changed, where the rows are still as it left them. Needs `undo` in the settings of that run.
    #[command(
        after_help = "Example:\n  rowsync undo shop.json\n  rowsync undo shop.json 019a9f3e-7d4c-7b02-9a53-0f3c1f1d2e4b"
    )]
    Undo(UndoArgs),
    /// List the rows that the target refused, or try them again.
    #[command(after_help = "Example:\n  rowsync errors shop.json\n  rowsync errors shop.json replay --table Track")]
    Errors(ErrorsArgs),
    /// List the rows that a merge left to you, show one, or decide about it. Needs `conflict_resolution: manual`.
    #[command(
        after_help = "Example:\n  rowsync conflicts shop.json\n  rowsync conflicts shop.json show 7\n  rowsync conflicts shop.json resolve 7 --use source\n  rowsync conflicts shop.json resolve 7 --use '{\"Phone\": \"555-0100\"}'"
    )]
    Conflicts(ConflictsArgs),
    /// Run as a service: the HTTP API, health and metrics, for all of the files at once.
    #[command(
        after_help = "Example:\n  rowsync serve shop.json sales.json\n\nSIGHUP reads the files again; SIGTERM ends after the batch in hand."
    )]
    Serve(ServeArgs),
    /// Log which rows of the source change, by triggers, so that incremental runs read nothing else.
    #[command(
        after_help = "Example:\n  rowsync track shop.json install\n  rowsync track shop.json status --table Track"
    )]
    Track(TrackArgs),
    /// Write a commented starter file.
    #[command(after_help = "Example:\n  rowsync init shop.json")]
    Init(InitArgs),
}

#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The settings files, one sync each.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Run one cycle, whatever schedule the file names.
    #[arg(long)]
    pub once: bool,
    /// Syncs at work at once; those that others come `after` are finished first.
    #[arg(long, value_name = "N", default_value = "1")]
    pub parallel: NonZeroUsize,
    /// Let this run delete more of a table than `max_delete_percent` allows.
    #[arg(long)]
    pub allow_mass_delete: bool,
    /// Keep the metrics in this file, for the textfile collector of node_exporter.
    #[arg(long, value_name = "PATH")]
    pub metrics_file: Option<PathBuf>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// The settings files, one sync each. The first one says where configurations made through the API are kept and which
    /// connections they may name, and may be about the service alone.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct FileArgs {
    /// The settings file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// The settings file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Show the columns that differ, with both values and the rule that compared them.
    #[arg(long)]
    pub explain: bool,
    /// Most sample keys shown of each table.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub samples: usize,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct HistoryArgs {
    /// The settings file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The execution to show, by its id or the beginning of it.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Most executions listed, newest first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct UndoArgs {
    /// The settings file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The run to be undone, by its id or the beginning of it. Without it: the runs that can be undone.
    #[arg(value_name = "EXECUTION_ID", value_parser = NonEmptyStringValueParser::new())]
    pub execution_id: Option<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct ErrorsArgs {
    /// The settings file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What to do with them.
    #[arg(value_name = "ACTION", value_enum, default_value_t = ErrorsAction::List)]
    pub action: ErrorsAction,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ErrorsAction {
    /// Name each row with what the target said.
    List,
    /// Look these rows up on both sides by their keys, and write what the source has of them now.
    Replay,
}

#[derive(Clone, Debug, Args)]
pub struct ConflictsArgs {
    /// The settings file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What to do with them.
    #[arg(value_name = "ACTION", value_enum, default_value_t = ConflictsAction::List)]
    pub action: ConflictsAction,
    /// The conflict to show or resolve, by its number.
    #[arg(value_name = "ID", required_if_eq_any([("action", "show"), ("action", "resolve")]))]
    pub id: Option<i64>,
    /// What both sides shall have: the row of `source` or of `target`, or one that is given as a JSON object, of which
    /// may be left out what both sides have in common; `null`: no row.
    #[arg(long = "use", value_name = "source|target|JSON", required_if_eq("action", "resolve"))]
    pub choice: Option<Choice>,
    /// List those that are decided as well.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConflictsAction {
    /// Name each row with what both sides did to it.
    List,
    /// Show both rows of one.
    Show,
    /// Write what was decided to both sides, if the rows are still those that were shown.
    Resolve,
}

#[derive(Clone, Debug, Args)]
pub struct TrackArgs {
    /// The settings file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What to do with the triggers.
    #[arg(value_name = "ACTION", value_enum, default_value_t = TrackAction::Status)]
    pub action: TrackAction,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrackAction {
    /// Make them, or make them anew; needs the right to make triggers on the source's tables.
    Install,
    /// Remove them and what they logged.
    Remove,
    /// Tell which tables are tracked, and how many changes wait.
    Status,
}

#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// The file to write; one that is there already is left as it is.
    #[arg(value_name = "PATH", default_value = STARTER_PATH)]
    pub path: PathBuf,
}

/// What every command takes that reads a settings file.
#[derive(Clone, Debug, Args)]
pub struct CommonArgs {
    /// Only this table; may be given several times.
    #[arg(long = "table", value_name = "NAME")]
    pub tables: Vec<String>,
    /// What is written to stdout: text for people, or one JSON object.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Write only errors to stderr.
    #[arg(long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more; twice: still more.
    #[arg(short, action = ArgAction::Count)]
    pub verbose: u8,
    /// Set a key over what the file says; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Show no progress bars.
    #[arg(long)]
    pub no_progress: bool,
    /// How the log is written to stderr.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub log_format: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

impl CommonArgs {
    /// All that the command line lays over the file, for [`crate::settings::load`]: `--set`, and `--table` as
    /// `sync_table`, so that unknown tables are refused with the nearest name.
    pub fn overrides(&self) -> Vec<String> {
        let mut overrides = self.sets.clone();
        if !self.tables.is_empty() {
            overrides.push(format!("sync_table={}", serde_json::json!(self.tables)));
        }
        overrides
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in CommandLine::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("rowsync {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn flags_are_read() {
        let typed = ["rowsync", "verify", "a.json", "--explain", "--table", "A", "--table", "B", "-vv", "--set", "x=1"];
        let Command::Verify(verify) = CommandLine::try_parse_from(typed).unwrap().command else { panic!("not verify") };
        assert_eq!((verify.explain, verify.samples, verify.common.verbose), (true, 5, 2));
        assert_eq!(verify.common.overrides(), ["x=1", r#"sync_table=["A","B"]"#]);
    }
}
