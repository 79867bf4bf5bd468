//! Executions over HTTP: started, listed, shown, cancelled.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use rowsync_engine::report::Totals;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::paging::limit;
use super::paths::PREFIX;
use super::problem::{ApiProblem, ProblemDocument};
use super::schemas;
use crate::history::Entry;
use crate::service::{Ended, Running, Service, TableProgress};
use crate::settings::StateSettings;
use crate::state::{Execution, Filter, Standing};

/// As many as a page shows where nobody says otherwise.
const PAGE: usize = 50;

/// What is asked of the list.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    configuration: Option<String>,
    status: Option<Status>,
    before: Option<String>,
    limit: Option<usize>,
}

/// How an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Running,
    Completed,
    CompletedWithErrors,
    Failed,
    Interrupted,
    Planned,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Completed => "completed",
            Status::CompletedWithErrors => "completed_with_errors",
            Status::Failed => "failed",
            Status::Interrupted => "interrupted",
            Status::Planned => "planned",
        }
    }
}

/// A page of the list, the newest first.
#[derive(Serialize)]
pub struct Page {
    executions: Vec<Listed>,
    /// What to send as `before` to see the next page; nothing on the last one.
    next: Option<String>,
}

/// One execution in the list.
#[derive(Serialize)]
pub struct Listed {
    sync: String,
    configuration: Option<String>,
    #[serde(flatten)]
    entry: Entry,
}

/// Starts a sync now.
#[utoipa::path(
    post, operation_id = "executeConfiguration", path = "/api/v1/sync/sql-sync/configurations/{id}/execute", tag = "executions",
    params(("id" = String, Path, description = "the id of the configuration")),
    responses(
        (status = 202, description = "it is begun", body = schemas::Execution),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it is at work already, not enabled, or wrong", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn execute(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiProblem> {
    refresh(&service).await?;
    let execution = service.clone().into_inner().execute(&id)?;
    begun(&service, &execution).await
}

/// What is answered to whoever began an execution.
pub async fn begun(service: &Service, execution: &crate::service::Execution) -> Result<HttpResponse, ApiProblem> {
    let body = match service.running(&execution.id) {
        Some(running) => at_work(service, &running),
        None => report(service, &execution.id).await?,
    };
    Ok(HttpResponse::Accepted().insert_header((LOCATION, format!("{PREFIX}/executions/{}", execution.id))).json(body))
}

/// The history, the newest first.
#[utoipa::path(
    get, operation_id = "listExecutions", path = "/api/v1/sync/sql-sync/executions", tag = "executions",
    params(("configuration" = Option<String>, Query, description = "only those of this configuration"), ("status" = Option<Status>, Query, description = "only those that are so"), ("before" = Option<String>, Query, description = "only those that are older than this one", format = "uuid"), ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000)),
    responses(
        (status = 200, description = "a page of the list", body = schemas::ExecutionPage),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn list(service: web::Data<Service>, wanted: web::Query<Wanted>) -> Result<web::Json<Page>, ApiProblem> {
    let wanted = wanted.into_inner();
    let limit = limit(wanted.limit, PAGE)?;
    let before = wanted.before.map(|id| Uuid::parse_str(&id)).transpose();
    let before = before.map_err(|_| ApiProblem::bad_request("`before` is no id of an execution"))?;
    let sync = match wanted.configuration {
        Some(id) => Some(service.configuration(&id).ok_or_else(|| unknown_configuration(&id))?.name.clone()),
        None => None,
    };
    let filter = Filter {
        sync,
        status: wanted.status.map(|status| status.word().to_owned()),
        before: before.map(|id| id.to_string()),
    };
    let mut listed = remembered(&service, filter.clone(), limit + 1).await?;
    listed.extend(unremembered(&service, &filter, &listed));
    listed.sort_by(|one, other| other.entry.execution_id.cmp(&one.entry.execution_id));
    let is_more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| is_more).map(|last| last.entry.execution_id.clone());
    Ok(web::Json(Page { executions: listed, next }))
}

/// The report of an execution, live while it runs.
#[utoipa::path(
    get, operation_id = "getExecution", path = "/api/v1/sync/sql-sync/executions/{id}", tag = "executions",
    params(("id" = String, Path, description = "the id of the execution")),
    responses(
        (status = 200, description = "the report, live while it runs", body = schemas::Execution),
        (status = 404, description = "there is no such execution", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn show(service: web::Data<Service>, id: web::Path<String>) -> Result<web::Json<Value>, ApiProblem> {
    let id = execution_id(&id)?;
    match service.running(&id) {
        Some(running) => Ok(web::Json(at_work(&service, &running))),
        None => report(&service, &id).await.map(web::Json),
    }
}

/// Stops an execution cleanly between batches.
#[utoipa::path(
    post, operation_id = "cancelExecution", path = "/api/v1/sync/sql-sync/executions/{id}/cancel", tag = "executions",
    params(("id" = String, Path, description = "the id of the execution")),
    responses(
        (status = 202, description = "it ends after the batch in hand", body = schemas::Execution),
        (status = 404, description = "there is no such execution", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it has ended already, or is at work in another process", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiProblem> {
    let id = execution_id(&id)?;
    let Some(running) = service.running(&id) else {
        let known = report(&service, &id).await?;
        let status = known["status"].as_str().unwrap_or_default();
        let detail = match status {
            "running" => "this execution is at work in another process; end it there".to_owned(),
            _ => format!("this execution has ended; it is {status}"),
        };
        return Err(ApiProblem::conflict(detail));
    };
    running.stop.cancel();
    tracing::info!(sync = running.settings.name, execution = %id, "cancelled on request");
    Ok(HttpResponse::build(StatusCode::ACCEPTED).json(at_work(&service, &running)))
}

/// Another process that shares the state may have changed what there is to execute.
pub async fn refresh(service: &web::Data<Service>) -> Result<(), ApiProblem> {
    let asked = service.clone().into_inner();
    at_home(service, move || async move { Ok(asked.refresh().await?) }).await
}

/// Work with a state, on a thread that outlives those that answer.
pub async fn at_home<T: Send + 'static, F: Future<Output = Result<T, ApiProblem>> + 'static>(
    service: &Service,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, ApiProblem> {
    let done = service.home().work_out(work).await;
    done.unwrap_or_else(|| Err(ApiProblem::internal("the request panicked; this is a mistake in rowsync")))
}

pub fn execution_id(typed: &str) -> Result<Uuid, ApiProblem> {
    Uuid::try_parse(typed).map_err(|_| unknown_execution(typed))
}

fn unknown_execution(id: &str) -> ApiProblem {
    ApiProblem::not_found(format!("there is no execution `{}`", shortened(id)))
}

pub fn unknown_configuration(id: &str) -> ApiProblem {
    ApiProblem::not_found(format!("there is no configuration `{}`", shortened(id)))
}

/// What somebody sent is not thrown back whole.
fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}

/// The states that executions of this service may be remembered in.
fn states(service: &Service) -> Vec<StateSettings> {
    let mut states = vec![service.settings().state.clone()];
    for configuration in service.configurations() {
        let Ok(settings) = &configuration.settings else { continue };
        if !states.iter().any(|state| state.url.expose() == settings.state.url.expose()) {
            states.push(settings.state.clone());
        }
    }
    states
}

fn configuration_of(service: &Service, sync: &str) -> Option<String> {
    let all = service.configurations();
    all.iter().find(|configuration| configuration.name == sync).map(|configuration| configuration.id.clone())
}

async fn remembered(service: &Service, filter: Filter, count_max: usize) -> Result<Vec<Listed>, ApiProblem> {
    let (archive, states) = (service.archive().clone(), states(service));
    let found =
        at_home(service, move || async move { Ok(archive.executions(states, filter, count_max).await?) }).await?;
    found.iter().map(|execution| listed(service, execution)).collect()
}

fn listed(service: &Service, execution: &Execution) -> Result<Listed, ApiProblem> {
    let entry = Entry::of(execution)?;
    let configuration = configuration_of(service, &execution.sync);
    Ok(Listed { sync: execution.sync.clone(), configuration, entry })
}

/// Those that no state knows of: at work and not entered yet, only planned, or ended while the state failed.
fn unremembered(service: &Service, filter: &Filter, known: &[Listed]) -> Vec<Listed> {
    let running = service.all_running();
    let running = running.iter().map(|running| {
        let entry = Entry::at_work(running.task.command(), &running.id, &running.started_at);
        (running.settings.name.clone(), entry)
    });
    let recent = service.all_recent();
    let recent = recent.iter().map(|ended| (ended.report.sync.clone(), Entry::of_report(ended.command, &ended.report)));
    let fits = |(sync, entry): &(String, Entry)| {
        filter.sync.as_ref().is_none_or(|wanted| wanted == sync)
            && filter.status.as_ref().is_none_or(|wanted| *wanted == entry.status)
            && filter.before.as_ref().is_none_or(|before| entry.execution_id < *before)
            && !known.iter().any(|listed| listed.entry.execution_id == entry.execution_id)
    };
    let listed =
        |(sync, entry): (String, Entry)| Listed { configuration: configuration_of(service, &sync), sync, entry };
    running.chain(recent).filter(fits).map(listed).collect()
}

/// One that is at work in this process, in the form of a report.
pub fn at_work(service: &Service, running: &Running) -> Value {
    let progress = running.progress();
    let sum = |of: fn(&TableProgress) -> u64| progress.iter().map(of).sum::<u64>();
    let totals = Totals {
        added: sum(|table| table.added),
        modified: sum(|table| table.modified),
        deleted: sum(|table| table.deleted),
        ..Totals::default()
    };
    let sync = &running.settings.name;
    json!({
        "execution_id": running.id.to_string(), "sync": sync, "configuration": configuration_of(service, sync),
        "command": running.task.command(), "status": "running", "started_at": running.started_at, "finished_at": null,
        "tables": [], "totals": totals, "progress": progress,
    })
}

pub async fn report(service: &Service, id: &Uuid) -> Result<Value, ApiProblem> {
    if let Some(ended) = service.recent(id) {
        return Ok(told(service, &ended));
    }
    let (archive, states, wanted) = (service.archive().clone(), states(service), id.to_string());
    let found = at_home(service, move || async move { Ok(archive.execution(states, wanted).await?) }).await?;
    let execution = found.ok_or_else(|| unknown_execution(&id.to_string()))?;
    let with = |mut report: Value| {
        report["configuration"] = json!(configuration_of(service, &execution.sync));
        report["command"] = json!(execution.command);
        report
    };
    match &execution.standing {
        Standing::Ended { report, .. } => serde_json::from_str(report)
            .map(with)
            .map_err(|error| ApiProblem::internal(format!("the report of execution {id} cannot be read: {error}"))),
        _ => Ok(with(json!({
            "execution_id": execution.id, "sync": execution.sync, "status": execution.status(),
            "started_at": execution.started_at, "finished_at": null, "tables": [], "totals": Totals::default(),
        }))),
    }
}

/// A report with what the API adds.
pub fn told(service: &Service, ended: &Ended) -> Value {
    let mut told = serde_json::to_value(&ended.report).unwrap_or_default();
    told["configuration"] = json!(configuration_of(service, &ended.report.sync));
    told["command"] = json!(ended.command);
    told
}
