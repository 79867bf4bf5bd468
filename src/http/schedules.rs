//! Pausing the schedule of a sync, and resuming it.

use actix_web::web;
use jiff::Timestamp;
use serde_json::Value;

use super::configurations::shown;
use super::executions::{refresh, unknown_configuration};
use super::problem::{ApiProblem, ProblemDocument};
use super::schemas;
use crate::service::{Pause, Service};

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
    change(&service, &id, "paused", |sync| service.schedules().pause(sync, pause)).await
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
    change(&service, &id, "resumed", |sync| service.schedules().resume(sync)).await
}

async fn change(
    service: &web::Data<Service>,
    id: &str,
    done: &str,
    change: impl FnOnce(&str) -> bool,
) -> Result<web::Json<Value>, ApiProblem> {
    refresh(service).await?;
    let configuration = service.configuration(id).ok_or_else(|| unknown_configuration(id))?;
    let sync = &configuration.name;
    if !configuration.has_schedule() {
        return Err(ApiProblem::conflict(format!("`{sync}` has no schedule, or is not enabled")));
    }
    if !change(sync) {
        return Err(ApiProblem::conflict(format!("`{sync}` cannot be {done}: it is so already")));
    }
    tracing::info!(sync, "{done} on request");
    Ok(web::Json(shown(service, &configuration)))
}
