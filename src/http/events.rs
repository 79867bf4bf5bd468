//! The progress of an execution as server-sent events. Each caller's stream looks at the board when that caller is ready for
//! more, so one who reads slowly misses steps in between and holds nobody up. Many who follow one execution share a look.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use uuid::Uuid;

use super::answers::FRESH;
use super::executions::{at_work, execution_id, report, told};
use super::problem::ApiProblem;
use super::schemas;
use crate::service::{Running, Service};

/// Streams at once; there are more connections, so that others still get an answer.
const STREAMS_MAX: usize = 256;
/// As often as a person can read it.
const TICK: Duration = Duration::from_millis(500);
/// Ticks without anything new before a sign of life, which proxies want to see.
const QUIET_TICKS_MAX: u32 = 30;

/// The streams of all callers.
pub struct Streams {
    room: Arc<Semaphore>,
    /// What was seen of each execution last, and when.
    seen: Mutex<BTreeMap<Uuid, (Instant, Bytes)>>,
    /// From when on all of them tick together: one wakeup serves them all.
    begun: Instant,
}

impl Default for Streams {
    fn default() -> Streams {
        Streams { room: Arc::new(Semaphore::new(STREAMS_MAX)), seen: Mutex::default(), begun: Instant::now() }
    }
}

impl Streams {
    /// The event that shows how far an execution is.
    fn look(&self, execution: Uuid, look: impl FnOnce() -> Value) -> Bytes {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (at, _)| at.elapsed() < FRESH);
        let (_, shown) = seen.entry(execution).or_insert_with(|| (Instant::now(), event("progress", &look())));
        shown.clone()
    }

    /// At once, and then whenever the others tick.
    fn tick(&self) -> Interval {
        let since = self.begun.elapsed().as_nanos() % TICK.as_nanos();
        let last = Instant::now() - Duration::from_nanos(u64::try_from(since).unwrap_or_default());
        let mut tick = tokio::time::interval_at(last, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tick
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
    let permit = Arc::clone(&streams.room).try_acquire_owned();
    let permit = permit
        .map_err(|_| ApiProblem::new(StatusCode::SERVICE_UNAVAILABLE, "too many callers follow events already"))?;
    let follower =
        Follower { _permit: Some(permit), ..Follower::of(service.into_inner(), streams.into_inner(), running) };
    Ok(response.streaming(stream::unfold(follower, Follower::next)))
}

/// One caller's view of an execution. Nothing is kept for a caller: it looks when the caller is ready for more.
struct Follower {
    look: Box<dyn Fn() -> Bytes>,
    /// The report; none where the service is gone before it.
    ended: LocalBoxFuture<'static, Option<Value>>,
    tick: Interval,
    told: Option<Bytes>,
    looked: Instant,
    quiet_ticks: u32,
    is_over: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Follower {
    fn of(service: Arc<Service>, streams: Arc<Streams>, running: Arc<Running>) -> Follower {
        let (ends, of) = (running.execution(), Arc::clone(&service));
        let ended = async move { Some(told(&of, &*ends.ended().await?)) };
        let tick = streams.tick();
        let look = Box::new(move || streams.look(running.id, || at_work(&service, &running)));
        Follower::new(look, ended.boxed_local(), tick)
    }

    fn new(look: Box<dyn Fn() -> Bytes>, ended: LocalBoxFuture<'static, Option<Value>>, tick: Interval) -> Follower {
        let looked = Instant::now();
        Follower { look, ended, tick, told: None, looked, quiet_ticks: 0, is_over: false, _permit: None }
    }

    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Follower)> {
        if self.is_over {
            return None;
        }
        loop {
            tokio::select! {
                biased;
                ended = &mut self.ended => {
                    self.is_over = true;
                    let last = event("finished", &ended?);
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
        let missed = self.looks_missed();
        let now = (self.look)();
        if self.told.as_ref() != Some(&now) {
            self.told = Some(now.clone());
            self.quiet_ticks = 0;
            return Some(match missed {
                0 => now,
                looks => [format!(": {looks} looks missed, you read too slowly\n\n").as_bytes(), &now].concat().into(),
            });
        }
        self.quiet_ticks += 1;
        let is_long = self.quiet_ticks >= QUIET_TICKS_MAX;
        is_long.then(|| {
            self.quiet_ticks = 0;
            Bytes::from_static(b": still at work\n\n")
        })
    }

    /// How many times there was no look because the caller was not ready for what it would have shown.
    fn looks_missed(&mut self) -> u128 {
        let since = std::mem::replace(&mut self.looked, Instant::now()).elapsed();
        (since.as_millis() / TICK.as_millis()).saturating_sub(1)
    }
}

/// JSON has no line breaks where nobody asks for them, and so fits on one line of an event.
fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;

    async fn step(follower: Follower) -> (String, Follower) {
        let (Ok(bytes), follower) = follower.next().await.unwrap();
        (String::from_utf8(bytes.to_vec()).unwrap(), follower)
    }

    /// The work neither waits for a caller nor keeps anything for one.
    #[tokio::test(start_paused = true)]
    async fn a_caller_who_reads_slowly_misses_steps_and_is_told_how_many() {
        let (rows, (end, ends)) = (Rc::new(Cell::new(0)), oneshot::channel());
        let seen = Rc::clone(&rows);
        let look = Box::new(move || event("progress", &json!({ "rows": seen.get() })));
        let follower = Follower::new(look, async { ends.await.ok() }.boxed_local(), Streams::default().tick());
        let (first, follower) = step(follower).await;
        assert_eq!(first, "event: progress\ndata: {\"rows\":0}\n\n");
        // A caller who is ready misses nothing.
        rows.set(1);
        let (second, follower) = step(follower).await;
        assert_eq!(second, "event: progress\ndata: {\"rows\":1}\n\n");
        for done in 2..=100 {
            rows.set(done);
            tokio::time::advance(TICK).await;
        }
        let (late, follower) = step(follower).await;
        assert_eq!(late, ": 98 looks missed, you read too slowly\n\nevent: progress\ndata: {\"rows\":100}\n\n");
        // What was missed does not come after all: next is the end, whatever happened before it.
        rows.set(200);
        end.send(json!({ "status": "completed" })).unwrap();
        let (last, follower) = step(follower).await;
        assert_eq!(last, "event: finished\ndata: {\"status\":\"completed\"}\n\n");
        assert!(follower.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_look_at_the_same_time_share_a_look_of_their_execution() {
        let (streams, one, other) = (Streams::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let look = |execution, rows| String::from_utf8(streams.look(execution, || json!(rows)).to_vec()).unwrap();
        assert_eq!(look(one, 1), "event: progress\ndata: 1\n\n");
        assert_eq!(look(other, 2), "event: progress\ndata: 2\n\n");
        assert_eq!(look(one, 3), "event: progress\ndata: 1\n\n");
        tokio::time::advance(FRESH).await;
        assert_eq!(look(one, 4), "event: progress\ndata: 4\n\n");
        assert_eq!(streams.seen.lock().unwrap().len(), 1, "what is not followed any more is not kept");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_long_gets_a_sign_of_life() {
        let follower = Follower::new(
            Box::new(|| event("progress", &json!({}))),
            std::future::pending().boxed_local(),
            Streams::default().tick(),
        );
        let (_, follower) = step(follower).await;
        let begun = Instant::now();
        let (sign, _) = step(follower).await;
        assert_eq!((sign.as_str(), begun.elapsed()), (": still at work\n\n", QUIET_TICKS_MAX * TICK));
    }
}
