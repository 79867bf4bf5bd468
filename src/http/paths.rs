//! Which path leads where. Each path is one resource with all of its methods, so that another method is told which there
//! are.

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{HttpResponse, Resource, web};

use super::problem::ApiProblem;
use super::{configurations, conflicts, events, executions, health, openapi, row_errors, schedules};

/// What all calls of the contract begin with.
pub const PREFIX: &str = "/api/v1/sync/sql-sync";
pub const READY: &str = "/readyz";

pub fn all(app: &mut web::ServiceConfig) {
    app.service(resource("/healthz", &[Method::GET]).route(web::get().to(health::lives)))
        .service(resource(READY, &[Method::GET]).route(web::get().to(health::ready)))
        .service(resource("/metrics", &[Method::GET]).route(web::get().to(health::metrics)))
        .service(
            web::scope(PREFIX)
                .service(
                    resource("/configurations", &[Method::GET, Method::POST])
                        .route(web::get().to(configurations::list))
                        .route(web::post().to(configurations::create)),
                )
                .service(
                    resource("/configurations/{id}", &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE])
                        .route(web::get().to(configurations::show))
                        .route(web::put().to(configurations::replace))
                        .route(web::patch().to(configurations::patch))
                        .route(web::delete().to(configurations::remove)),
                )
                .service(
                    resource("/configurations/{id}/execute", &[Method::POST])
                        .route(web::post().to(executions::execute)),
                )
                .service(
                    resource("/configurations/{id}/pause", &[Method::POST]).route(web::post().to(schedules::pause)),
                )
                .service(
                    resource("/configurations/{id}/resume", &[Method::POST]).route(web::post().to(schedules::resume)),
                )
                .service(resource("/configurations/{id}/errors", &[Method::GET]).route(web::get().to(row_errors::list)))
                .service(
                    resource("/configurations/{id}/errors/replay", &[Method::POST])
                        .route(web::post().to(row_errors::replay)),
                )
                .service(resource("/executions", &[Method::GET]).route(web::get().to(executions::list)))
                .service(resource("/executions/{id}", &[Method::GET]).route(web::get().to(executions::show)))
                .service(resource("/executions/{id}/cancel", &[Method::POST]).route(web::post().to(executions::cancel)))
                .service(resource("/executions/{id}/events", &[Method::GET]).route(web::get().to(events::follow)))
                .service(resource("/conflicts", &[Method::GET]).route(web::get().to(conflicts::list)))
                .service(resource("/conflicts/{id}", &[Method::GET]).route(web::get().to(conflicts::show)))
                .service(resource("/conflicts/{id}/resolve", &[Method::POST]).route(web::post().to(conflicts::resolve)))
                .default_service(web::to(nowhere)),
        )
        .service(resource(openapi::DOCUMENT_PATH, &[Method::GET]).route(web::get().to(openapi::document)))
        .configure(openapi::page)
        .default_service(web::to(nowhere));
}

fn resource(path: &str, methods: &'static [Method]) -> Resource {
    web::resource(path).default_service(web::to(move || async move {
        let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
        HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed.join(", "))).finish()
    }))
}

async fn nowhere() -> Result<HttpResponse, ApiProblem> {
    Err(ApiProblem::not_found("there is nothing here"))
}
