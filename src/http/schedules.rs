//! Pausing the schedule of a sync, and resuming it.

use std::sync::Arc;

use actix_web::web;
use jiff::Timestamp;
use serde_json::Value;

use super::configurations::shown;
use super::executions::{at_home, refresh, unknown_configuration};
use super::problem::{ApiProblem, ProblemDocument};
use super::schemas;
use crate::problem::Problem;
use crate::service::{Configuration, Pause, Service};

/// Runs a sync by its schedule no more, until it is resumed. What is at work goes on, and it can be executed by hand.
#[utoipa::path(
    post, operation_id = "pauseConfiguration", path = "/api/v1/sync/sql-sync/configurations/{id}/pause", tag = "configurations",
    params(("id" = String, Path, description = "the id of the configuration")),
    responses(
        (status = 200, description = "it is paused", body = schemas::Configuration),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it has no schedule, or is paused already", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn pause(service: web::Data<Service>, id: web::Path<String>) -> Result<web::Json<Value>, ApiProblem> {
    let reason = "somebody has paused it".to_owned();
    let pause = Pause { since: Timestamp::now().to_string(), failures: 0, reason };
    let pausing = async move |service: Arc<Service>, paused: Arc<Configuration>| service.pause(&paused, pause).await;
    change(&service, &id, "paused", pausing).await
}

/// Runs a sync by its schedule again; what it has missed meanwhile is made up for by one run.
#[utoipa::path(
    post, operation_id = "resumeConfiguration", path = "/api/v1/sync/sql-sync/configurations/{id}/resume", tag = "configurations",
    params(("id" = String, Path, description = "the id of the configuration")),
    responses(
        (status = 200, description = "it runs by its schedule", body = schemas::Configuration),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it has no schedule, or is not paused", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn resume(service: web::Data<Service>, id: web::Path<String>) -> Result<web::Json<Value>, ApiProblem> {
    let resuming = async |service: Arc<Service>, paused: Arc<Configuration>| service.resume(&paused).await;
    change(&service, &id, "resumed", resuming).await
}

async fn change(
    service: &web::Data<Service>,
    id: &str,
    done: &str,
    change: impl AsyncFnOnce(Arc<Service>, Arc<Configuration>) -> Result<bool, Problem> + Send + 'static,
) -> Result<web::Json<Value>, ApiProblem> {
    refresh(service).await?;
    let configuration = service.configuration(id).ok_or_else(|| unknown_configuration(id))?;
    let sync = &configuration.name;
    if !configuration.has_schedule() {
        return Err(ApiProblem::conflict(format!("`{sync}` has no schedule, or is not enabled")));
    }
    let (asked, changed) = (service.clone().into_inner(), Arc::clone(&configuration));
    if !at_home(service, move || async move { Ok(change(asked, changed).await?) }).await? {
        return Err(ApiProblem::conflict(format!("`{sync}` cannot be {done}: it is so already")));
    }
    tracing::info!(sync, "{done} on request");
    Ok(web::Json(shown(service, &configuration)))
}
