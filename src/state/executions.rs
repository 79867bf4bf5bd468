//! The executions in the state, each with its report: written down when they begin, and again when they end.

use jiff::{Timestamp, ToSpan as _};
use rowsync_actors::messages::TableOutcome;
use rowsync_engine::report::RunReport;
use serde::Serialize;
use utoipa::ToSchema;

use super::leases::process_of;
use super::session::Session;
use super::statement::{Row, Statement};
use super::{Place, State, StateError, word};
use crate::process::Process;

/// What was asked for. Whoever only plans leaves no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Run,
    Verify,
    Undo,
    /// Rows that failed in earlier runs are tried again.
    Replay,
}

impl Command {
    pub fn word(self) -> &'static str {
        match self {
            Command::Run => "run",
            Command::Verify => "verify",
            Command::Undo => "undo",
            Command::Replay => "replay",
        }
    }
}

/// An execution, as it is remembered.
#[derive(Clone, Debug)]
pub struct Execution {
    pub id: String,
    pub sync: String,
    pub command: Command,
    pub started_at: String,
    pub standing: Standing,
}

/// How far an execution came.
#[derive(Clone, Debug)]
pub enum Standing {
    Running,
    /// Its process ended without a word.
    Interrupted,
    /// With the report, as it was printed.
    Ended {
        status: String,
        finished_at: String,
        report: String,
    },
}

impl Execution {
    /// A status of a report, or `running`.
    pub fn status(&self) -> &str {
        match &self.standing {
            Standing::Running => RUNNING,
            Standing::Interrupted => INTERRUPTED,
            Standing::Ended { status, .. } => status,
        }
    }
}

/// Which executions are asked for; all where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub sync: Option<String>,
    pub status: Option<String>,
    /// Only those that are older than this one.
    pub before: Option<String>,
}

/// How many executions are remembered, and for how long; 0 sets no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub days: u32,
    pub count: u32,
}

/// Executions that are forgotten at the end of one: a limit that was lowered costs many runs a little, and none much.
const FORGOTTEN_MAX: i64 = 100;
const RUNNING: &str = "running";
const INTERRUPTED: &str = "interrupted";
/// Reports are read with their executions, and some are long.
const PAGE: usize = 100;

impl State {
    /// Writes down that an execution has begun; once, however often it is said.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn begin(
        &self,
        command: Command,
        sync: &str,
        execution_id: &str,
        started_at: &str,
    ) -> Result<(), StateError> {
        let sql = "insert into sync_executions (id, sync, command, status, started_at, finished_at, report)
            values ($1, $2, $3, $4, $5, '', '') on conflict (id) do nothing";
        let insert = Statement::new(sql).bind(execution_id).bind(sync).bind(command.word()).bind(RUNNING);
        self.execute(insert.bind(started_at)).await.map(drop)
    }

    /// Remembers a run or a replay: its report, and the newest change of every table that ended well.
    ///
    /// # Errors
    /// When the state cannot be written; then nothing of the run is remembered.
    pub async fn record(
        &self,
        command: Command,
        place: &Place,
        report: &RunReport,
        outcomes: &[(String, TableOutcome)],
    ) -> Result<(), StateError> {
        self.write(command, place, report, outcomes).await.map_err(|error| self.error(error))
    }

    async fn write(
        &self,
        command: Command,
        place: &Place,
        report: &RunReport,
        outcomes: &[(String, TableOutcome)],
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        write_report(&mut transaction, command, report).await?;
        for (shape, outcome) in outcomes {
            super::change_tracking::write(&mut transaction, place, report, shape, outcome).await?;
            super::row_errors::write(&mut transaction, place, &report.execution_id, outcome).await?;
        }
        transaction.commit().await
    }

    /// Remembers a report, and nothing of the tables.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn record_report(&self, command: Command, report: &RunReport) -> Result<(), StateError> {
        let work = async { write_report(&mut self.database.session().await?, command, report).await };
        work.await.map_err(|error| self.error(error))
    }

    /// The newest executions of a sync.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn executions(&self, sync: &str, count_max: u32) -> Result<Vec<Execution>, StateError> {
        let sql = self.select("e.sync = $1 order by e.id desc limit $2");
        self.read_executions(Statement::new(sql).bind(sync).bind(i64::from(count_max))).await
    }

    /// The executions of a sync whose ids begin so: at most two, which is enough to know that there are several.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn executions_named(&self, sync: &str, id: &str) -> Result<Vec<Execution>, StateError> {
        let sql = self.select("e.sync = $1 and substr(e.id, 1, length($2)) = $2 order by e.id desc limit 2");
        self.read_executions(Statement::new(sql).bind(sync).bind(id)).await
    }

    /// An execution of any sync.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn execution(&self, id: &str) -> Result<Option<Execution>, StateError> {
        let sql = self.select("e.id = $1");
        Ok(self.read_executions(Statement::new(sql).bind(id)).await?.pop())
    }

    /// The newest executions that a filter lets through.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn executions_like(&self, filter: &Filter, count_max: usize) -> Result<Vec<Execution>, StateError> {
        let mut found = Vec::new();
        let mut before = filter.before.clone();
        loop {
            // Where all fit, no report is read for nothing.
            let wanted = if filter.status.is_none() { (count_max - found.len()).min(PAGE) } else { PAGE };
            let page = self.page(filter, before.as_deref(), wanted).await?;
            let is_last = page.len() < wanted;
            before = page.last().map(|execution| execution.id.clone());
            // Whether one that never ended is at work only its lease tells, and not its entry.
            let fits =
                |execution: &Execution| filter.status.as_deref().is_none_or(|status| status == execution.status());
            found.extend(page.into_iter().filter(fits).take(count_max - found.len()));
            if is_last || found.len() == count_max {
                return Ok(found);
            }
        }
    }

    async fn page(&self, filter: &Filter, before: Option<&str>, count: usize) -> Result<Vec<Execution>, StateError> {
        let (mut which, mut values) = (vec!["true".to_owned()], Vec::new());
        let mut place = |value: &str| {
            values.push(value.to_owned());
            format!("${}", values.len())
        };
        if let Some(sync) = &filter.sync {
            which.push(format!("e.sync = {}", place(sync)));
        }
        if let Some(id) = before {
            which.push(format!("e.id < {}", place(id)));
        }
        if let Some(status) = &filter.status {
            // What was interrupted may still say that it is running.
            let also = if status == INTERRUPTED { RUNNING } else { status };
            which.push(format!("e.status in ({}, {})", place(status), place(also)));
        }
        let sql = self.select(&format!("{} order by e.id desc limit {count}", which.join(" and ")));
        self.read_executions(values.into_iter().fold(Statement::new(sql), Statement::bind)).await
    }

    async fn read_executions(&self, select: Statement) -> Result<Vec<Execution>, StateError> {
        let own = Process::own();
        let work = async {
            let rows = self.database.session().await?.fetch(select).await?;
            rows.iter().map(|row| execution_of(row, &own)).collect::<Result<Vec<_>, _>>()
        };
        work.await.map_err(|error| self.error(error))
    }

    /// Executions with what their lease says, where they have one.
    fn select(&self, which: &str) -> String {
        format!(
            "select e.id, e.sync, e.command, e.status, e.started_at, e.finished_at, e.report,
                l.host, l.machine, l.process, l.process_began,
                cast(case when l.until > {} then 1 else 0 end as bigint) as holds
            from sync_executions e left join sync_leases l on l.execution_id = e.id where {which}",
            self.clock()
        )
    }

    /// Forgets executions that are too old or too many, except the newest one and those at work.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn forget(&self, sync: &str, retention: Retention, now: Timestamp) -> Result<(), StateError> {
        let oldest = now.checked_sub((i64::from(retention.days) * 24).hours()).unwrap_or(Timestamp::MIN);
        // As far as all moments are spelled alike, so that no server's order of letters matters.
        let too_old = (retention.days > 0).then_some("substr(started_at, 1, 19) < $2");
        let too_many = (retention.count > 0).then(|| {
            let count = retention.count;
            format!("id <= (select id from sync_executions where sync = $1 order by id desc limit 1 offset {count})")
        });
        let limits: Vec<&str> = too_old.into_iter().chain(too_many.as_deref()).collect();
        if limits.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "delete from sync_executions where id in (select id from sync_executions where sync = $1
                and id <> (select max(id) from sync_executions where sync = $1)
                and id not in (select execution_id from sync_leases) and ({}) order by id limit {FORGOTTEN_MAX})",
            limits.join(" or ")
        );
        let delete = Statement::new(sql).bind(sync);
        let oldest = oldest.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        self.execute(if too_old.is_some() { delete.bind(oldest) } else { delete }).await.map(drop)
    }
}

/// As it is printed, so that it can be printed again.
async fn write_report(session: &mut Session, command: Command, report: &RunReport) -> Result<(), sqlx::Error> {
    let json = serde_json::to_string_pretty(report).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let sql = "insert into sync_executions (id, sync, command, status, started_at, finished_at, report)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (id) do update
        set status = excluded.status, finished_at = excluded.finished_at, report = excluded.report";
    let insert = Statement::new(sql)
        .bind(&report.execution_id)
        .bind(&report.sync)
        .bind(command.word())
        .bind(word(&report.status))
        .bind(&report.started_at)
        .bind(&report.finished_at)
        .bind(json);
    session.execute(insert).await.map(drop)
}

fn execution_of(row: &Row, own: &Process) -> Result<Execution, sqlx::Error> {
    let status: String = row.get("status")?;
    let standing = if status != RUNNING {
        Standing::Ended { status, finished_at: row.get("finished_at")?, report: row.get("report")? }
    } else if row.get::<i64>("holds")? == 1 && !process_of(row)?.is_gone(own) {
        Standing::Running
    } else {
        Standing::Interrupted
    };
    let command: String = row.get("command")?;
    Ok(Execution {
        id: row.get("id")?,
        sync: row.get("sync")?,
        command: match command.as_str() {
            "verify" => Command::Verify,
            "undo" => Command::Undo,
            "replay" => Command::Replay,
            _ => Command::Run,
        },
        started_at: row.get("started_at")?,
        standing,
    })
}
