//! Who may ask.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderName};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::problem::ApiProblem;
use crate::settings::{SecretText, ServiceSettings};

/// Says no, or nothing.
///
/// # Errors
/// When the request may not go on.
pub fn check(request: &ServiceRequest, settings: &ServiceSettings) -> Result<(), ApiProblem> {
    if is_open(request.path(), settings) {
        return Ok(());
    }
    match &settings.api_token {
        Some(token) if brings(request, token) => Ok(()),
        Some(_) => Err(ApiProblem::new(StatusCode::UNAUTHORIZED, "send the token of the service as a bearer token")),
        None => refuse_strangers(request),
    }
}

/// The document and its page are the same for every rowsync and say nothing about this one.
fn is_open(path: &str, settings: &ServiceSettings) -> bool {
    match path {
        "/healthz" | "/readyz" | "/metrics" => settings.metrics_open || settings.api_token.is_none(),
        "/api/v1/openapi.json" => true,
        path => path.starts_with("/api/v1/docs/"),
    }
}

fn brings(request: &ServiceRequest, token: &SecretText) -> bool {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent =
        header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    sent.is_some_and(|(_, sent)| are_equal(sent.trim(), token.expose()))
}

/// As hashes, whose comparison takes as long whatever they are, and however long the texts.
fn are_equal(sent: &str, token: &str) -> bool {
    Sha256::digest(sent).ct_eq(&Sha256::digest(token)).into()
}

/// Where no token is asked for, everybody on this machine may ask; but not a page of somebody else in a browser on it.
/// Browsers say where a request comes from, and a name that was made to lead here is none of this machine's.
fn refuse_strangers(request: &ServiceRequest) -> Result<(), ApiProblem> {
    const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let header = |name: HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_foreign = header(FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if is_foreign || header(HOST).is_some_and(|host| !is_this_machine(host)) {
        return Err(ApiProblem::new(
            StatusCode::FORBIDDEN,
            "without a token the service answers only who calls it by an address of this machine; set `api_token`",
        ));
    }
    Ok(())
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_made_to_lead_here_are_not_this_machine() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["example.org", "127.0.0.1.example.org:8080", "10.0.0.1", "[fe80::1]", "", "localhost.example"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(are_equal("secret", "secret"));
        for sent in ["", "secre", "secret ", "secretsecret", "Secret"] {
            assert!(!are_equal(sent, "secret"), "{sent}");
        }
    }
}
