//! The history of a sync: its executions in a list, or the report of one of them as it was printed.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use jiff::Timestamp;
use rowsync_engine::report::{RunReport, RunStatus, Totals};
use serde::Serialize;
use uuid::Uuid;

use crate::cli::Output;
use crate::printing::{run_text, undo_text, verify_text};
use crate::problem::Problem;
use crate::settings::SyncSettings;
use crate::state::{Command, Execution, Standing, State};

/// The newest executions of a sync, the newest one first.
#[derive(Debug, Serialize)]
pub struct History {
    pub sync: String,
    pub executions: Vec<Entry>,
}

/// One execution in the list. What is not known of it is left empty: most of one that did not end.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub execution_id: String,
    pub command: Command,
    /// A status of a report, or `running`.
    pub status: String,
    pub started_at: String,
    pub finished_at: Option<String>,
    pub seconds: Option<f64>,
    /// The execution that was undone, of one that does that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Of whatever writes.
    pub totals: Option<Totals>,
    /// Rows that `verify` found missing, extra or different.
    pub differences: Option<u64>,
}

impl History {
    /// # Errors
    /// When the state cannot be read.
    pub async fn of(settings: &SyncSettings, count_max: u32) -> Result<History, Problem> {
        let executions = match State::look_back(&settings.state).await? {
            Some(state) => state.executions(&settings.name, count_max).await?,
            None => Vec::new(),
        };
        let executions = executions.iter().map(Entry::of).collect::<Result<_, _>>()?;
        Ok(History { sync: settings.name.clone(), executions })
    }
}

impl Entry {
    /// # Errors
    /// When its report is none of this version.
    pub fn of(execution: &Execution) -> Result<Entry, Problem> {
        let mut entry = Entry::begun(&execution.id, execution.command, execution.status(), &execution.started_at);
        match &execution.standing {
            Standing::Running | Standing::Interrupted => {}
            Standing::Ended { status, finished_at, report } => {
                let report = read(execution, report)?;
                entry.status.clone_from(status);
                entry.seconds = seconds_between(&execution.started_at, finished_at);
                entry.finished_at = Some(finished_at.clone());
                entry.undoes.clone_from(&report.undoes);
                entry.totals = (execution.command != Command::Verify).then_some(report.totals);
                let verified = report.tables.iter().filter_map(|table| table.verification.as_ref());
                entry.differences =
                    (execution.command == Command::Verify).then(|| verified.map(|found| found.differences()).sum());
            }
        }
        Ok(entry)
    }

    /// One of this process.
    pub fn at_work(command: Command, id: &Uuid, started_at: &str) -> Entry {
        Entry::begun(&id.to_string(), command, "running", started_at)
    }

    /// One that no state remembers.
    pub fn of_report(command: Command, report: &RunReport) -> Entry {
        let status = serde_json::to_value(report.status).ok();
        let status = status.as_ref().and_then(|status| status.as_str()).unwrap_or_default();
        Entry {
            finished_at: Some(report.finished_at.clone()),
            seconds: seconds_between(&report.started_at, &report.finished_at),
            totals: Some(report.totals),
            ..Entry::begun(&report.execution_id, command, status, &report.started_at)
        }
    }

    fn begun(id: &str, command: Command, status: &str, started_at: &str) -> Entry {
        Entry {
            execution_id: id.to_owned(),
            command,
            status: status.to_owned(),
            started_at: started_at.to_owned(),
            finished_at: None,
            seconds: None,
            undoes: None,
            totals: None,
            differences: None,
        }
    }
}

/// The execution whose id is this one, or begins so.
///
/// # Errors
/// When there is none or more than one, or the state cannot be read.
pub async fn find(settings: &SyncSettings, id: &str) -> Result<Execution, Problem> {
    let id = id.to_lowercase();
    let mut found = match State::look_back(&settings.state).await? {
        Some(state) => state.executions_named(&settings.name, &id).await?,
        None => Vec::new(),
    };
    match (found.pop(), found.len()) {
        (Some(execution), 0) => Ok(execution),
        (Some(_), _) => Err(Problem::Usage(format!("several executions begin with `{id}`; type more of it"))),
        (None, _) => Err(Problem::Usage(format!(
            "sync `{}` remembers no execution `{id}`; those that it does are listed by: rowsync history {}",
            settings.name,
            settings.file.display()
        ))),
    }
}

/// The report of an execution, as it was printed when it ended.
///
/// # Errors
/// When the report is none of this version.
pub fn shown(execution: &Execution, output: Output) -> Result<String, Problem> {
    match (&execution.standing, output) {
        (Standing::Ended { report, .. }, Output::Json) => Ok(report.clone()),
        (Standing::Ended { report, .. }, Output::Text) => {
            let report = read(execution, report)?;
            Ok(match execution.command {
                Command::Run | Command::Replay => run_text(&report),
                Command::Verify => verify_text(&report),
                Command::Undo => undo_text(&report),
            })
        }
        (_, Output::Json) => {
            let entry = Entry::of(execution)?;
            serde_json::to_string_pretty(&entry).map_err(|error| Problem::Internal(error.to_string()))
        }
        (Standing::Running, Output::Text) => {
            Ok(format!("execution {} is at work since {}", execution.id, execution.started_at))
        }
        (Standing::Interrupted, Output::Text) => Ok(format!(
            "execution {} began at {} and was interrupted: its process ended without a report.\n\
             What it committed stayed; the run after it did the rest, or the next one will.",
            execution.id, execution.started_at
        )),
    }
}

fn read(execution: &Execution, report: &str) -> Result<RunReport, Problem> {
    RunReport::from_json(report)
        .map_err(|error| Problem::Internal(format!("the report of execution {} cannot be read: {error}", execution.id)))
}

fn seconds_between(started_at: &str, finished_at: &str) -> Option<f64> {
    let (start, end): (Timestamp, Timestamp) = (started_at.parse().ok()?, finished_at.parse().ok()?);
    Some((end - start).total(jiff::Unit::Second).ok()?.max(0.0))
}

/// The list as people read it. Columns that say nothing of any execution are left out, so that the rest fits 80.
pub fn text(history: &History) -> String {
    let executions = &history.executions;
    if executions.is_empty() {
        return format!("sync `{}` remembers no execution yet", history.sync);
    }
    let failed = |entry: &Entry| entry.totals.map(|totals| totals.failed);
    let any_failed = executions.iter().any(|entry| failed(entry).unwrap_or_default() > 0);
    let any_verified = executions.iter().any(|entry| entry.differences.is_some());
    let any_undoes = executions.iter().any(|entry| entry.undoes.is_some());
    let any_replays = executions.iter().any(|entry| entry.command == Command::Replay);
    let mut head = vec!["id", "started (UTC)", "took", "status", "added", "changed", "deleted"];
    head.extend(any_failed.then_some("failed"));
    head.extend(any_verified.then_some("differ"));
    head.extend(any_undoes.then_some("undoes"));
    head.extend(any_replays.then_some("command"));
    let mut table = aligned(&head);
    let id_length = id_length(executions);
    let short = |id: &String| id.chars().take(id_length).collect();
    for entry in executions {
        let number = |of: fn(&Totals) -> u64| entry.totals.as_ref().map(of);
        let mut row = vec![
            short(&entry.execution_id),
            minute(&entry.started_at),
            entry.seconds.map_or_else(|| "-".to_owned(), duration),
            status_word(&entry.status).to_owned(),
            or_dash(number(|totals| totals.added)),
            or_dash(number(|totals| totals.modified)),
            or_dash(number(|totals| totals.deleted)),
        ];
        row.extend(any_failed.then(|| or_dash(failed(entry))));
        row.extend(any_verified.then(|| or_dash(entry.differences)));
        row.extend(any_undoes.then(|| entry.undoes.as_ref().map_or_else(|| "-".to_owned(), short)));
        row.extend(any_replays.then(|| entry.command.word().to_owned()));
        table.add_row(row);
    }
    table.trim_fmt()
}

/// Columns of text are followed by two blanks, those of numbers by one.
fn aligned(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head.iter().copied());
    for (index, column) in table.column_iter_mut().enumerate() {
        let is_text = matches!(index, 0 | 1 | 3);
        column.set_padding((0, if is_text && index < 3 { 2 } else { 1 }));
        if !is_text {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Ids begin with their time; so much of them that no two that are listed are the same.
fn id_length(executions: &[Entry]) -> usize {
    const SHORTEST: usize = 8;
    let shared = |pair: &[Entry]| {
        let both = pair[0].execution_id.bytes().zip(pair[1].execution_id.bytes());
        both.take_while(|(one, other)| one == other).count()
    };
    // They are in order, so that those that share most stand beside each other.
    executions.windows(2).map(|pair| shared(pair) + 1).max().unwrap_or_default().max(SHORTEST)
}

/// `2026-11-22 13:11` of `2026-11-22T13:11:11.5Z`.
fn minute(moment: &str) -> String {
    moment.get(..16).unwrap_or(moment).replace('T', " ")
}

fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3600.0;
    match seconds {
        seconds if seconds < 9.995 => format!("{seconds:.2}s"),
        seconds if seconds < 59.95 => format!("{seconds:.1}s"),
        seconds if seconds.round() < HOUR => {
            let seconds = seconds.round();
            format!("{}m{:02}s", (seconds / MINUTE).floor(), seconds % MINUTE)
        }
        seconds => {
            let minutes = (seconds / MINUTE).round();
            format!("{}h{:02}m", (minutes / MINUTE).floor(), minutes % MINUTE)
        }
    }
}

fn status_word(status: &str) -> &str {
    let with_errors = serde_json::to_value(RunStatus::CompletedWithErrors).is_ok_and(|word| word == status);
    if with_errors { "errors" } else { status }
}

fn or_dash(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_five_or_six_letters() {
        let check = |seconds: f64, expected: &str| assert_eq!(duration(seconds), expected);
        check(0.0, "0.00s");
        check(9.994, "9.99s");
        check(9.999, "10.0s");
        check(59.99, "1m00s");
        check(61.0, "1m01s");
        check(3599.9, "1h00m");
        check(3660.0, "1h01m");
        check(360_000.0, "100h00m");
    }

    fn entry(id: &str, status: &str, totals: Option<Totals>, differences: Option<u64>) -> Entry {
        Entry {
            execution_id: id.into(),
            command: if totals.is_some() { Command::Run } else { Command::Verify },
            status: status.into(),
            started_at: "2026-11-22T13:11:11.5Z".into(),
            finished_at: None,
            seconds: Some(72.4),
            undoes: None,
            totals,
            differences,
        }
    }

    fn totals(failed: u64) -> Option<Totals> {
        Some(Totals { added: 15607, modified: 12, deleted: 3, failed, ..Totals::default() })
    }

    #[test]
    fn a_list_tells_what_there_is_to_tell() {
        let history = |executions| History { sync: "shop".into(), executions };
        assert_eq!(text(&history(Vec::new())), "sync `shop` remembers no execution yet");
        let two = vec![
            entry("019ab3c4-0001-7000", "completed", totals(0), None),
            entry("019ab3c4-0000-7000", "interrupted", None, None),
        ];
        assert_eq!(
            text(&history(two)),
            "id             started (UTC)      took status      added changed deleted\n\
             019ab3c4-0001  2026-11-22 13:11  1m12s completed   15607      12       3\n\
             019ab3c4-0000  2026-11-22 13:11  1m12s interrupted     -       -       -"
        );
        let all = vec![
            entry("019ab3d4-0000-7000", "completed", None, Some(7)),
            entry("019ab3c4-0000-7000", "completed_with_errors", totals(25), None),
        ];
        let all = text(&history(all));
        assert_eq!(
            all,
            "id        started (UTC)      took status    added changed deleted failed differ\n\
             019ab3d4  2026-11-22 13:11  1m12s completed     -       -       -      -      7\n\
             019ab3c4  2026-11-22 13:11  1m12s errors    15607      12       3     25      -"
        );
        assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    }

    #[test]
    fn a_list_tells_runs_from_rows_that_were_tried_again() {
        let run = entry("019ab3c4-0001-7000", "completed", totals(0), None);
        let replay = Entry { command: Command::Replay, ..entry("019ab3d4-0000-7000", "completed", totals(0), None) };
        assert_eq!(
            text(&History { sync: "shop".into(), executions: vec![replay, run] }),
            "id        started (UTC)      took status    added changed deleted command\n\
             019ab3d4  2026-11-22 13:11  1m12s completed 15607      12       3  replay\n\
             019ab3c4  2026-11-22 13:11  1m12s completed 15607      12       3     run"
        );
    }

    #[test]
    fn a_list_tells_what_was_undone() {
        let run = entry("019ab3c4-0001-7000", "completed", totals(0), None);
        let undo = Entry {
            command: Command::Undo,
            undoes: Some(run.execution_id.clone()),
            ..entry("019ab3d4-0000-7000", "completed", totals(0), None)
        };
        assert_eq!(
            text(&History { sync: "shop".into(), executions: vec![undo, run] }),
            "id        started (UTC)      took status    added changed deleted   undoes\n\
             019ab3d4  2026-11-22 13:11  1m12s completed 15607      12       3 019ab3c4\n\
             019ab3c4  2026-11-22 13:11  1m12s completed 15607      12       3        -"
        );
    }
}
