//! Conflicts over HTTP: those that wait for a person, and what the person decides. Numbers of conflicts are those of one
//! state, so an id names the configuration as well: `shop-7`.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::body;
use super::executions::{at_home, refresh, unknown_configuration};
use super::paging::limit;
use super::problem::{ApiProblem, ProblemDocument};
use super::schemas;
use crate::conflicts::{self, Choice};
use crate::execute::place_of;
use crate::service::{Configuration, Service};
use crate::state::{Conflict, ConflictFilter};

const PAGE: usize = 50;

#[derive(Debug, Deserialize)]
pub struct Wanted {
    configuration: Option<String>,
    status: Option<ConflictStatus>,
    after: Option<String>,
    limit: Option<usize>,
}

/// How a conflict stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConflictStatus {
    Waiting,
    Resolved,
    /// The sides came to be equal without a decision, or the rule was changed.
    Gone,
}

impl ConflictStatus {
    fn word(self) -> &'static str {
        match self {
            ConflictStatus::Waiting => "waiting",
            ConflictStatus::Resolved => "resolved",
            ConflictStatus::Gone => "gone",
        }
    }
}

#[derive(Serialize)]
pub struct Page {
    conflicts: Vec<Value>,
    next: Option<String>,
}

/// The conflicts of all configurations: one configuration after the other, the oldest first.
#[utoipa::path(
    get, operation_id = "listConflicts", path = "/api/v1/sync/sql-sync/conflicts", tag = "conflicts",
    params(("configuration" = Option<String>, Query, description = "only those of this configuration"), ("status" = Option<ConflictStatus>, Query, description = "only those that are so"), ("after" = Option<String>, Query, description = "only those that are listed behind this one", pattern = "^.+-[0-9]{1,18}$"), ("limit" = Option<usize>, Query, minimum = 1, maximum = 1000)),
    responses(
        (status = 200, description = "a page of the list", body = schemas::ConflictPage),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn list(service: web::Data<Service>, wanted: web::Query<Wanted>) -> Result<web::Json<Page>, ApiProblem> {
    let wanted = wanted.into_inner();
    let limit = limit(wanted.limit, PAGE)?;
    let after = wanted
        .after
        .as_deref()
        .map(|id| Place::read(id).ok_or_else(|| ApiProblem::bad_request("`after` is no id of a conflict")));
    let after = after.transpose()?;
    refresh(&service).await?;
    let mut listed = Vec::new();
    for (configuration, behind) in asked(&service, wanted.configuration.as_deref(), after.as_ref())? {
        let filter = ConflictFilter { status: wanted.status.map(|status| status.word().to_owned()), after: behind };
        let found = found(&service, &configuration, filter, limit + 1 - listed.len()).await?;
        listed.extend(found.iter().map(|conflict| told(&configuration, conflict)));
        if listed.len() > limit {
            break;
        }
    }
    let is_more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| is_more).and_then(|last| last["id"].as_str()).map(str::to_owned);
    Ok(web::Json(Page { conflicts: listed, next }))
}

/// One conflict, with both rows.
#[utoipa::path(
    get, operation_id = "getConflict", path = "/api/v1/sync/sql-sync/conflicts/{id}", tag = "conflicts",
    params(("id" = String, Path, description = "the id of the conflict")),
    responses(
        (status = 200, description = "the conflict", body = schemas::Conflict),
        (status = 404, description = "there is no such conflict", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "its configuration is wrong", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn show(service: web::Data<Service>, id: web::Path<String>) -> Result<web::Json<Value>, ApiProblem> {
    refresh(&service).await?;
    let (configuration, number) = known(&service, &id)?;
    let settings = configuration.usable()?;
    let found = at_home(&service, move || async move { Ok(conflicts::show(&settings, number).await?) }).await?;
    Ok(web::Json(told(&configuration, &found)))
}

/// Writes a decision to both sides, if both rows are still those that were shown.
#[utoipa::path(
    post, operation_id = "resolveConflict", path = "/api/v1/sync/sql-sync/conflicts/{id}/resolve", tag = "conflicts",
    params(("id" = String, Path, description = "the id of the conflict")),
    request_body(content = schemas::Decision, content_type = "application/json"),
    responses(
        (status = 200, description = "both sides have it", body = schemas::Conflict),
        (status = 404, description = "there is no such conflict", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it does not wait any more, its rows are others by now, its sync is at work, or a database refuses", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "what was sent is no decision, or makes no row", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn resolve(
    service: web::Data<Service>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Bytes,
) -> Result<web::Json<Value>, ApiProblem> {
    let (choice, changed_at) = decision(body::object(&request, &body, &["application/json"])?)?;
    refresh(&service).await?;
    let (configuration, number) = known(&service, &id)?;
    let (deciding, of) = (service.clone().into_inner(), configuration.id.clone());
    let resolved =
        at_home(
            &service,
            move || async move { Ok(deciding.decide(&of, number, &choice, changed_at.as_deref()).await?) },
        );
    let resolved = resolved.await?;
    tracing::info!(sync = configuration.name, conflict = number, "conflict resolved on request");
    Ok(web::Json(told(&configuration, &resolved)))
}

/// What somebody decided, and of when the conflict was that they looked at.
fn decision(mut sent: Map<String, Value>) -> Result<(Choice, Option<String>), ApiProblem> {
    let wrong = |what: &str| ApiProblem::new(actix_web::http::StatusCode::UNPROCESSABLE_ENTITY, what);
    let changed_at = match sent.remove("changed_at") {
        None | Some(Value::Null) => None,
        Some(Value::String(at)) => Some(at),
        Some(_) => return Err(wrong("`changed_at` is the text that was shown with the conflict")),
    };
    let choice = match (sent.remove("use"), sent.remove("row")) {
        (Some(side), None) if side == "source" => Choice::Source,
        (Some(side), None) if side == "target" => Choice::Target,
        (None, Some(row @ (Value::Object(_) | Value::Null))) => Choice::Row(row),
        _ => return Err(wrong(r#"send {"use": "source"}, {"use": "target"}, or {"row": {...}}, null for no row"#)),
    };
    match sent.keys().next() {
        None => Ok((choice, changed_at)),
        Some(_) => Err(wrong("a decision has `use` or `row`, and `changed_at`, and nothing else")),
    }
}

/// Where a conflict is kept: the id of its configuration, and its number in the state of that.
struct Place {
    configuration: String,
    number: i64,
}

impl Place {
    /// Numbers hold no hyphen, so the last one parts the two.
    fn read(id: &str) -> Option<Place> {
        let (configuration, number) = id.rsplit_once('-')?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_plain)?;
        Some(Place { configuration: configuration.to_owned(), number })
    }
}

fn known(service: &Service, id: &str) -> Result<(Configuration, i64), ApiProblem> {
    let found = Place::read(id).and_then(|place| Some((service.configuration(&place.configuration)?, place.number)));
    let (configuration, number) = found.ok_or_else(|| ApiProblem::not_found("there is no such conflict"))?;
    Ok((Configuration::clone(&configuration), number))
}

/// The configurations to look through, each with the number behind which to begin.
fn asked(
    service: &Service,
    only: Option<&str>,
    after: Option<&Place>,
) -> Result<Vec<(Configuration, i64)>, ApiProblem> {
    if let Some(id) = only.filter(|id| service.configuration(id).is_none()) {
        return Err(unknown_configuration(id));
    }
    let all = service.configurations();
    let first = match after {
        None => 0,
        Some(place) => all
            .iter()
            .position(|configuration| configuration.id == place.configuration)
            .ok_or_else(|| unknown_configuration(&place.configuration))?,
    };
    let behind = |at: usize| after.filter(|_| at == first).map_or(0, |place| place.number);
    let wanted =
        |configuration: &Configuration| configuration.settings.is_ok() && only.is_none_or(|id| configuration.id == id);
    let asked = all.iter().enumerate().skip(first).filter(|(_, configuration)| wanted(configuration));
    Ok(asked.map(|(at, configuration)| (Configuration::clone(configuration), behind(at))).collect())
}

async fn found(
    service: &Service,
    configuration: &Configuration,
    filter: ConflictFilter,
    count_max: usize,
) -> Result<Vec<Conflict>, ApiProblem> {
    let (archive, settings) = (service.archive().clone(), configuration.usable()?);
    at_home(service, move || async move {
        let state = archive.state(&settings.state).await?;
        Ok(state.conflicts_like(&place_of(&settings), &filter, count_max).await?)
    })
    .await
}

/// With what the API knows beside.
fn told(configuration: &Configuration, conflict: &Conflict) -> Value {
    let mut told = serde_json::to_value(conflict).unwrap_or_default();
    told["id"] = json!(format!("{}-{}", configuration.id, conflict.id));
    told["sync"] = json!(configuration.name);
    told["configuration"] = json!(configuration.id);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_parted_at_its_last_hyphen() {
        let read = |id| Place::read(id).map(|place| (place.configuration, place.number));
        assert_eq!(read("shop-7"), Some(("shop".to_owned(), 7)));
        assert_eq!(read("my-shop-2-11"), Some(("my-shop-2".to_owned(), 11)));
        for wrong in ["", "7", "shop", "shop-", "shop-+7", "shop-x", "shop-99999999999999999999"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    /// An object without anything was taken for a row that is null, which deletes the row on both sides.
    #[test]
    fn only_one_clear_word_is_a_decision() {
        let read = |sent: Value| decision(sent.as_object().unwrap().clone()).ok();
        assert_eq!(read(json!({ "use": "source" })), Some((Choice::Source, None)));
        let row = json!({ "a": 1 });
        assert_eq!(read(json!({ "row": row, "changed_at": "t" })), Some((Choice::Row(row), Some("t".into()))));
        assert_eq!(read(json!({ "row": null })), Some((Choice::Row(Value::Null), None)));
        for wrong in [
            json!({}),
            json!({ "use": "sauce" }),
            json!({ "use": null }),
            json!({ "use": "source", "row": null }),
            json!({ "row": 7 }),
            json!({ "row": {}, "rows": {} }),
            json!({ "use": "source", "changed_at": 7 }),
        ] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
    }
}
