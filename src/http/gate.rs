//! What every request passes: it gets an id, is counted, has to be allowed, has its time, and is told of in the log. What
//! goes wrong comes back as a problem document, whoever noticed it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _, web};
use uuid::Uuid;

use super::answers::{Answers, Question};
use super::limits::Limits;
use super::problem::{ApiProblem, is_document};
use super::{BODY_MAX, auth};
use crate::service::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over from a caller.
const REQUEST_ID_MAX: usize = 64;
/// Until an answer begins, however slowly the body of the request comes.
const ANSWER_MAX: Duration = Duration::from_secs(30);

pub async fn pass(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = id_of(&request);
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let mut response = match admit(&request) {
        Err(refused) => request.into_response(refused.error_response()),
        Ok(()) => answer(request, next).await?,
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if !headers.contains_key("cache-control") {
        headers.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    }
    let (status, millis) = (response.status().as_u16(), started.elapsed().as_millis());
    // Quietly: probes and screens ask every few seconds.
    tracing::debug!(request = id, %method, path, status, millis, "answered");
    Ok(response)
}

/// The caller's own id, so that its log and ours can be laid beside each other, or a new one.
fn id_of(request: &ServiceRequest) -> String {
    let is_plain = |id: &&str| {
        (1..=REQUEST_ID_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain);
    sent.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Says no, or nothing.
fn admit(request: &ServiceRequest) -> Result<(), ApiProblem> {
    let (Some(service), Some(limits)) =
        (request.app_data::<web::Data<Service>>(), request.app_data::<web::Data<Limits>>())
    else {
        return Err(ApiProblem::internal("the service is not there"));
    };
    let settings = service.settings();
    // The one call that costs nothing and must not fail because somebody else behind the same address asks too much.
    if request.path() != "/healthz" {
        let caller = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
        limits.check(caller, settings.requests_per_second).map_err(ApiProblem::too_often)?;
    }
    auth::check(request, &settings)
}

async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let known = request.app_data::<web::Data<Service>>().zip(request.app_data::<web::Data<Answers>>());
    let shared =
        known.and_then(|(service, answers)| Some((Question::of(&request, || service.outlook())?, answers.clone())));
    if let Some(again) = shared.as_ref().and_then(|(question, answers)| answers.again(question)) {
        return Ok(request.into_response(again));
    }
    let answered = tokio::time::timeout(ANSWER_MAX, next.call(request)).await.map_err(|_| too_long())?;
    let response = with_document(answered?.map_into_boxed_body());
    Ok(match shared {
        Some((question, answers)) => answers.keep(question, response),
        None => response,
    })
}

fn too_long() -> ApiProblem {
    ApiProblem::new(StatusCode::REQUEST_TIMEOUT, "the request or its answer took too long")
}

/// What the framework refuses by itself is told like everything else.
fn with_document(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !(status.is_client_error() || status.is_server_error()) || is_document(content_type) {
        return response;
    }
    let detail = match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!("a body holds at most {BODY_MAX} bytes"),
        StatusCode::METHOD_NOT_ALLOWED => "this path has other methods; see the header `Allow`".to_owned(),
        StatusCode::NOT_FOUND => "there is nothing here".to_owned(),
        _ => "the request cannot be understood".to_owned(),
    };
    let document = ApiProblem::new(status, detail).error_response();
    let (request, old) = response.into_parts();
    let mut new = document;
    for (name, value) in old.headers() {
        if name != CONTENT_TYPE && name != actix_web::http::header::CONTENT_LENGTH {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, new)
}
