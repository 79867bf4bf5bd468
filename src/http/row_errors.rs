//! Rows that targets refused, over HTTP: listed, and tried again.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::executions::{at_home, begun, refresh};
use super::paging::{Offset, limit};
use super::problem::{ApiProblem, ProblemDocument};
use super::schemas;
use crate::service::Service;
use crate::state::RowError;

const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
pub struct Wanted {
    limit: Option<usize>,
    offset: Option<usize>,
}

/// A page of rows that failed.
#[derive(Serialize, ToSchema)]
pub struct RowErrorPage {
    errors: Vec<RowError>,
    /// Of all pages.
    total: i64,
}

/// The rows of a sync that its target refused and that were not written since, table by table.
#[utoipa::path(
    get, operation_id = "listRowErrors", path = "/api/v1/sync/sql-sync/configurations/{id}/errors", tag = "executions",
    params(("id" = String, Path, description = "the id of the configuration"), ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000), ("offset" = Option<usize>, Query, minimum = 0, maximum = 1000000)),
    responses(
        (status = 200, description = "a page of the list", body = RowErrorPage),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "the configuration is wrong", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    service: web::Data<Service>,
    id: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<web::Json<RowErrorPage>, ApiProblem> {
    let (limit, offset) = (limit(wanted.limit, PAGE)?, Offset::read(wanted.offset)?);
    refresh(&service).await?;
    let asked = service.clone().into_inner();
    let (limit, offset) = (limit as i64, offset.0 as i64);
    let (errors, total) =
        at_home(&service, move || async move { Ok(asked.row_errors(&id, offset, limit).await?) }).await?;
    Ok(web::Json(RowErrorPage { errors, total }))
}

/// Looks these rows up on both sides by their keys, and writes what the source has of them now.
#[utoipa::path(
    post, operation_id = "replayRowErrors", path = "/api/v1/sync/sql-sync/configurations/{id}/errors/replay", tag = "executions",
    params(("id" = String, Path, description = "the id of the configuration")),
    responses(
        (status = 202, description = "it is begun", body = schemas::Execution),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "no row waits, or the sync is at work already, not enabled, or wrong", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn replay(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiProblem> {
    refresh(&service).await?;
    let asked = service.clone().into_inner();
    let execution = at_home(&service, move || async move { Ok(asked.replay(&id).await?) }).await?;
    let execution = execution.ok_or_else(|| ApiProblem::conflict("no row waits to be written"))?;
    begun(&service, &execution).await
}
