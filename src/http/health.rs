//! Whether the process lives, and whether it is any use to send it work.

use actix_web::http::StatusCode;
use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::ApiProblem;
use crate::service::Service;

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
