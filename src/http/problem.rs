//! Why a request was refused, as a problem document (RFC 9457).

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use rowsync_engine::error::Class;
use serde::Serialize;
use utoipa::ToSchema;

use crate::conflicts::Undecided;
use crate::problem::Problem;
use crate::service::Refusal;
use crate::settings::SettingsError;
use crate::state::StateError;

pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// What is wrong in this case, and what to do about it.
    pub detail: String,
    /// Everything that is wrong with a configuration, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<SettingProblem>,
}

/// Something that is wrong with a configuration.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettingProblem {
    /// The path of the key, such as `tables[2].name`; empty where the whole is meant.
    pub path: String,
    pub message: String,
}

#[derive(Clone, Debug)]
pub struct ApiProblem {
    status: StatusCode,
    detail: String,
    errors: Vec<SettingProblem>,
    /// When it is worth to ask again.
    wait: Option<Duration>,
}

impl ApiProblem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> ApiProblem {
        ApiProblem { status, detail: detail.into(), errors: Vec::new(), wait: None }
    }

    pub fn too_often(wait: Duration) -> ApiProblem {
        let problem = ApiProblem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests; wait a little");
        ApiProblem { wait: Some(wait), ..problem }
    }

    pub fn bad_request(detail: impl Into<String>) -> ApiProblem {
        ApiProblem::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn not_found(detail: impl Into<String>) -> ApiProblem {
        ApiProblem::new(StatusCode::NOT_FOUND, detail)
    }

    pub fn conflict(detail: impl Into<String>) -> ApiProblem {
        ApiProblem::new(StatusCode::CONFLICT, detail)
    }

    pub fn internal(detail: impl Into<String>) -> ApiProblem {
        ApiProblem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    pub fn document(&self) -> ProblemDocument {
        ProblemDocument {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Unknown").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
        }
    }
}

impl fmt::Display for ApiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for ApiProblem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, MEDIA_TYPE));
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(wait) = self.wait {
            // Whole seconds, and none too few.
            response.insert_header((RETRY_AFTER, wait.as_secs() + 1));
        }
        // It holds nothing that JSON cannot say.
        response.body(serde_json::to_vec(&self.document()).unwrap_or_default())
    }
}

impl From<Refusal> for ApiProblem {
    fn from(refusal: Refusal) -> ApiProblem {
        let status = match refusal {
            Refusal::Unknown(_) => StatusCode::NOT_FOUND,
            Refusal::Running { .. } | Refusal::Disabled(_) | Refusal::Wrong { .. } => StatusCode::CONFLICT,
            Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        ApiProblem::new(status, refusal.to_string())
    }
}

impl From<StateError> for ApiProblem {
    fn from(error: StateError) -> ApiProblem {
        tracing::error!(%error, "a request could not be answered");
        ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<Problem> for ApiProblem {
    fn from(problem: Problem) -> ApiProblem {
        match problem {
            Problem::State(error) => error.into(),
            Problem::Settings(error) => error.into(),
            Problem::Undecided(undecided) => undecided.into(),
            Problem::Refused(refusal) => refusal.into(),
            Problem::Held(held) => ApiProblem::conflict(held.to_string()),
            Problem::Usage(message) => ApiProblem::conflict(message),
            Problem::Store { ref error, .. } => {
                let is_away = error.class() == Class::Connection;
                let status = if is_away { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::CONFLICT };
                ApiProblem::new(status, problem.to_string())
            }
            other => ApiProblem::internal(other.to_string()),
        }
    }
}

impl From<Undecided> for ApiProblem {
    fn from(undecided: Undecided) -> ApiProblem {
        let status = match undecided {
            Undecided::Unknown { .. } => StatusCode::NOT_FOUND,
            Undecided::NoRow(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Undecided::Closed { .. }
            | Undecided::ShownAnew(_)
            | Undecided::RowsChanged(_)
            | Undecided::NotMerged(_) => StatusCode::CONFLICT,
        };
        ApiProblem::new(status, undecided.to_string())
    }
}

impl From<SettingsError> for ApiProblem {
    fn from(error: SettingsError) -> ApiProblem {
        let told = |problem: crate::settings::Problem| SettingProblem { path: problem.path, message: problem.message };
        let detail = error.to_string();
        let errors = error.problems.into_iter().map(told).collect();
        ApiProblem { errors, ..ApiProblem::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }
}

/// Whether an answer is a problem document already.
pub fn is_document(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|content_type| content_type.starts_with(MEDIA_TYPE))
}
