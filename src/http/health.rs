//! Whether the process lives, whether it is any use to send it work, and what it has counted.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::ApiProblem;
use crate::exposition::Exposition;
use crate::service::Service;

/// Prometheus waits ten times as long.
const COUNT_MAX: Duration = Duration::from_secs(1);

#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    pub status: &'static str,
}

/// The process lives.
#[utoipa::path(get, operation_id = "isAlive", path = "/healthz", tag = "health", responses((status = 200, description = "it does", body = Health)))]
pub async fn lives() -> web::Json<Health> {
    web::Json(Health { status: "ok" })
}

/// The state and the supervisor answer.
#[utoipa::path(
    get, operation_id = "isReady", path = "/readyz", tag = "health",
    responses((status = 200, description = "they do", body = Health))
)]
pub async fn ready(service: web::Data<Service>) -> Result<web::Json<Health>, ApiProblem> {
    let asked = service.clone().into_inner();
    let ready = service.home().work_out(move || async move { asked.is_ready().await }).await;
    match ready.unwrap_or_else(|| Err("the supervisor does not answer".to_owned())) {
        Ok(()) => Ok(web::Json(Health { status: "ok" })),
        Err(reason) => {
            tracing::warn!(reason, "not ready");
            // The reason is for the log: this answer may be open to anybody.
            Err(ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "the state or the supervisor does not answer"))
        }
    }
}

/// All metrics, as Prometheus reads them.
#[utoipa::path(
    get, operation_id = "getMetrics", path = "/metrics", tag = "health",
    responses((status = 200, description = "the text format of Prometheus", body = String, content_type = "text/plain"))
)]
pub async fn metrics(
    service: web::Data<Service>,
    exposition: web::Data<Exposition>,
) -> Result<HttpResponse, ApiProblem> {
    let merging = service.to_recount();
    if !merging.is_empty() {
        let asked = service.clone().into_inner();
        let counting = service.home().work_out(move || async move { asked.recount(merging).await });
        // A state that takes longer is no reason to tell nothing; its count is told the next time.
        let _ = tokio::time::timeout(COUNT_MAX, counting).await;
    }
    // With hundreds of tables that takes a tenth of a second, in which this thread has others to answer.
    let exposition = exposition.get_ref().clone();
    let text = web::block(move || exposition.text()).await;
    let text = text.map_err(|_| ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "the process is about to end"))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
