//! Answers that were given a moment ago and still hold: screens and scripts ask the same over and over, and a look into a state
//! takes several times as long as all the rest of an answer. What this process does is seen at once; what another one does
//! to a state that they share is seen when the answer is no longer fresh.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, dev};
use tokio::time::Instant;

use super::paths::{PREFIX, READY};
use crate::service::Outlook;

/// What was seen is new for so long: shorter than people notice, and longer than it takes several of them to ask the same.
pub const FRESH: Duration = Duration::from_millis(250);
/// Different questions at once; whoever asks more gets answers of their own.
const KEPT_MAX: usize = 32;
/// Longer answers are few, and made each time.
const BYTES_MAX: usize = 256 * 1024;

/// By path and query.
#[derive(Default)]
pub struct Answers {
    kept: Mutex<BTreeMap<String, Kept>>,
}

struct Kept {
    asked: Instant,
    /// How the service stood before the answer was looked for.
    outlook: Outlook,
    content_type: HeaderValue,
    body: Bytes,
}

/// What may be answered as it was to somebody else.
pub struct Question {
    asked: Instant,
    path: String,
    outlook: Outlook,
}

impl Question {
    /// None of what changes something, or goes on for long, or says how often it was asked.
    pub fn of(request: &ServiceRequest, outlook: impl FnOnce() -> Outlook) -> Option<Question> {
        let (path, query) = (request.path(), request.query_string());
        let is_shared = request.method() == Method::GET && (path.starts_with(PREFIX) || path == READY);
        is_shared.then(|| Question { asked: Instant::now(), path: format!("{path}?{query}"), outlook: outlook() })
    }
}

impl Answers {
    /// What was answered a moment ago.
    pub fn again(&self, question: &Question) -> Option<HttpResponse> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(&question.path).filter(|kept| kept.holds())?;
        Some(HttpResponse::Ok().insert_header((CONTENT_TYPE, kept.content_type.clone())).body(kept.body.clone()))
    }

    /// Keeps an answer where it is one to be given again.
    pub fn keep(&self, question: Question, response: dev::ServiceResponse<BoxBody>) -> dev::ServiceResponse<BoxBody> {
        let content_type = response.headers().get(CONTENT_TYPE).cloned().filter(|it| it == "application/json");
        let (StatusCode::OK, Some(content_type)) = (response.status(), content_type) else { return response };
        response.map_body(|_, body| match body.try_into_bytes() {
            Ok(body) if body.len() <= BYTES_MAX => {
                let Question { asked, path, outlook } = question;
                self.put(path, Kept { asked, outlook, content_type, body: body.clone() });
                BoxBody::new(body)
            }
            Ok(body) => BoxBody::new(body),
            Err(body) => body,
        })
    }

    fn put(&self, path: String, answer: Kept) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| kept.holds());
        if kept.len() < KEPT_MAX {
            kept.insert(path, answer);
        }
    }
}

impl Kept {
    fn holds(&self) -> bool {
        self.asked.elapsed() < FRESH && self.outlook.is_as_before()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use tokio::sync::watch;

    use super::*;
    use crate::service::Schedules;

    struct World {
        answers: Answers,
        changes: watch::Sender<()>,
        schedules: Schedules,
    }

    impl World {
        fn new() -> World {
            World { answers: Answers::default(), changes: watch::Sender::new(()), schedules: Schedules::default() }
        }

        fn question(&self, path: &str) -> Option<Question> {
            let outlook = || Outlook::new(self.changes.subscribe(), &self.schedules);
            Question::of(&TestRequest::get().uri(path).to_srv_request(), outlook)
        }

        /// Somebody asks this and is answered so.
        fn answer(&self, path: &str, response: HttpResponse) {
            let question = self.question(path).unwrap();
            self.answers.keep(question, TestRequest::get().uri(path).to_srv_response(response));
        }

        fn again(&self, path: &str) -> Option<Bytes> {
            let response = self.answers.again(&self.question(path).unwrap())?;
            assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "application/json");
            response.into_body().try_into_bytes().ok()
        }
    }

    const LIST: &str = "/api/v1/sync/sql-sync/executions?limit=2";

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_again_while_it_is_fresh() {
        let world = World::new();
        world.answer(LIST, HttpResponse::Ok().json([1]));
        tokio::time::advance(FRESH - Duration::from_millis(1)).await;
        assert_eq!(world.again(LIST).as_deref(), Some(&b"[1]"[..]));
        assert_eq!(world.again("/api/v1/sync/sql-sync/executions?limit=3"), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(world.again(LIST), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_outlives_what_this_process_does() {
        let world = World::new();
        world.answer(LIST, HttpResponse::Ok().json([1]));
        world.changes.send_replace(());
        assert_eq!(world.again(LIST), None);
        world.answer(LIST, HttpResponse::Ok().json([2]));
        world.schedules.enter("shop");
        assert_eq!(world.again(LIST), None);
        // Neither does one that was looked for before, and came after it.
        let question = world.question(LIST).unwrap();
        world.changes.send_replace(());
        world.answers.keep(question, TestRequest::get().uri(LIST).to_srv_response(HttpResponse::Ok().json([3])));
        assert_eq!(world.again(LIST), None);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_streams_and_long_answers_are_none_to_give_again() {
        let world = World::new();
        for response in [
            HttpResponse::NotFound().json([1]),
            HttpResponse::Ok().content_type("text/event-stream").body("event"),
            HttpResponse::Ok().json("x".repeat(BYTES_MAX)),
        ] {
            world.answer(LIST, response);
            assert_eq!(world.again(LIST), None);
        }
        let asked = |request: TestRequest| Question::of(&request.to_srv_request(), || panic!("not looked at"));
        assert!(asked(TestRequest::post().uri(LIST)).is_none());
        assert!(asked(TestRequest::get().uri("/metrics")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_has_its_bound() {
        let world = World::new();
        let paths: Vec<String> = (0..=KEPT_MAX).map(|number| format!("{LIST}{number}")).collect();
        paths.iter().for_each(|path| world.answer(path, HttpResponse::Ok().json([1])));
        let kept = |paths: &[String]| paths.iter().filter(|path| world.again(path).is_some()).count();
        assert_eq!(kept(&paths), KEPT_MAX);
        tokio::time::advance(FRESH).await;
        world.answer(&paths[KEPT_MAX], HttpResponse::Ok().json([1]));
        assert_eq!(kept(&paths), 1);
    }
}
