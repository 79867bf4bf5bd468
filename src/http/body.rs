//! What somebody sent: one object of JSON, in which no key stands twice.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use serde_json::{Map, Value};

use super::problem::ApiProblem;

/// # Errors
/// When it was not sent as one of these types, or is something else.
pub fn object(request: &HttpRequest, body: &Bytes, types: &[&str]) -> Result<Map<String, Value>, ApiProblem> {
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim();
    if !types.iter().any(|media_type| media_type.eq_ignore_ascii_case(sent)) {
        let detail = format!("send the body as {}", types.join(" or "));
        return Err(ApiProblem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let text = str::from_utf8(body).map_err(|_| ApiProblem::bad_request("the body is no UTF-8"))?;
    let value = serde_json::from_str(text);
    let value = value.map_err(|error| ApiProblem::bad_request(format!("the body is no JSON: {error}")))?;
    // Keys that stand twice are seen in the text alone.
    crate::settings::request::check_keys(text).map_err(ApiProblem::bad_request)?;
    match value {
        Value::Object(typed) => Ok(typed),
        _ => Err(ApiProblem::bad_request("the body has to hold one object: { ... }")),
    }
}
