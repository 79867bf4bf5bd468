//! The progress of an execution as server-sent events. Each caller's stream looks at the board when that caller is ready for
//! more, so one who reads slowly misses steps in between and holds nobody up.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::stream;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Interval;

use super::executions::{at_work, execution_id, report, told};
use super::problem::ApiProblem;
use super::schemas;
use crate::service::{Execution, Running, Service};

/// Streams at once; there are more connections, so that others still get an answer.
const STREAMS_MAX: usize = 256;
/// As often as a person can read it.
const TICK: Duration = Duration::from_millis(500);
/// Ticks without anything new before a sign of life, which proxies want to see.
const QUIET_TICKS_MAX: u32 = 30;

/// Room for the streams of all callers.
pub struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Streams {
        Streams(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

/// Progress as server-sent events: `progress` whenever there is some, `finished` with the report at the end.
#[utoipa::path(
    get, operation_id = "followExecution", path = "/api/v1/sync/sql-sync/executions/{id}/events", tag = "executions",
    params(("id" = String, Path, description = "the id of the execution")),
    responses(
        (status = 200, description = "`progress` and `finished`, each with an execution as JSON", body = schemas::Event, content_type = "text/event-stream"),
        (status = 404, description = "there is no such execution", body = super::problem::ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn follow(
    service: web::Data<Service>,
    streams: web::Data<Streams>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiProblem> {
    let id = execution_id(&id)?;
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream").insert_header(("x-accel-buffering", "no"));
    let Some(running) = service.running(&id) else {
        let report = report(&service, &id).await?;
        return Ok(response.body(event("finished", &report)));
    };
    let permit = Arc::clone(&streams.0).try_acquire_owned();
    let permit = permit
        .map_err(|_| ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "too many callers follow events already"))?;
    let follower = Follower {
        service: service.into_inner(),
        execution: running.execution(),
        running,
        tick: tokio::time::interval(TICK),
        told: None,
        quiet_ticks: 0,
        is_over: false,
        _permit: permit,
    };
    Ok(response.streaming(stream::unfold(follower, Follower::next)))
}

/// One caller's view of an execution.
struct Follower {
    service: Arc<Service>,
    running: Arc<Running>,
    execution: Execution,
    tick: Interval,
    told: Option<Value>,
    quiet_ticks: u32,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Follower)> {
        if self.is_over {
            return None;
        }
        loop {
            tokio::select! {
                ended = self.execution.clone().ended() => {
                    self.is_over = true;
                    let last = event("finished", &told(&self.service, &ended?.report));
                    return Some((Ok(last), self));
                }
                _ = self.tick.tick() => {
                    if let Some(news) = self.news() {
                        return Some((Ok(news), self));
                    }
                }
            }
        }
    }

    /// What has changed since the last look; a sign of life after a while without.
    fn news(&mut self) -> Option<Bytes> {
        let now = at_work(&self.service, &self.running);
        if self.told.as_ref() != Some(&now) {
            let news = event("progress", &now);
            self.told = Some(now);
            self.quiet_ticks = 0;
            return Some(news);
        }
        self.quiet_ticks += 1;
        let is_long = self.quiet_ticks >= QUIET_TICKS_MAX;
        is_long.then(|| {
            self.quiet_ticks = 0;
            Bytes::from_static(b": still at work\n\n")
        })
    }
}

/// JSON has no line breaks where nobody asks for them, and so fits on one line of an event.
fn event(name: &str, data: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
