//! Configurations over HTTP: what a caller typed is read as a file would be, kept in the state, and shown again as it was
//! typed. Those of files are shown, and changed where they are.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::executions::{at_home, refresh, unknown_configuration};
use super::paging::{Offset, limit};
use super::paths::PREFIX;
use super::problem::{ApiProblem, ProblemDocument};
use super::schemas;
use crate::service::{Configuration, Origin, Service};
use crate::settings::TableSelection;
use crate::state::StoredConfiguration;

/// More are a mistake of a script.
const CONFIGURATIONS_MAX: usize = 1000;
const PAGE: usize = 100;

/// What the service adds to what was typed. Sent back, it is left aside, so that what was read can be sent again.
pub const ADDED: [&str; 7] = ["id", "origin", "running", "schedule", "problem", "created_at", "updated_at"];

#[derive(Debug, Deserialize)]
pub struct Wanted {
    limit: Option<usize>,
    offset: Option<usize>,
}

/// A page of the list.
#[derive(Serialize)]
pub struct Page {
    configurations: Vec<Value>,
    /// Of all pages.
    total: usize,
}

/// All configurations: those of files first, then the others, the oldest first.
#[utoipa::path(
    get, operation_id = "listConfigurations", path = "/api/v1/sync/sql-sync/configurations", tag = "configurations",
    params(("limit" = Option<usize>, Query, minimum = 1, maximum = 1000), ("offset" = Option<usize>, Query, minimum = 0, maximum = 1000000)),
    responses(
        (status = 200, description = "a page of the list", body = schemas::ConfigurationPage),
    )
)]
pub async fn list(service: web::Data<Service>, wanted: web::Query<Wanted>) -> Result<web::Json<Page>, ApiProblem> {
    let (limit, offset) = (limit(wanted.limit, PAGE)?, Offset::read(wanted.offset)?);
    refresh(&service).await?;
    let all = service.configurations();
    let page = all.iter().skip(offset.0).take(limit);
    Ok(web::Json(Page { configurations: page.map(|one| shown(&service, one)).collect(), total: all.len() }))
}

/// One configuration.
#[utoipa::path(
    get, operation_id = "getConfiguration", path = "/api/v1/sync/sql-sync/configurations/{id}", tag = "configurations",
    params(("id" = String, Path, description = "the id of the configuration")),
    responses(
        (status = 200, description = "the configuration", body = schemas::Configuration),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn show(service: web::Data<Service>, id: web::Path<String>) -> Result<web::Json<Value>, ApiProblem> {
    refresh(&service).await?;
    let configuration = service.configuration(&id).ok_or_else(|| unknown_configuration(&id))?;
    Ok(web::Json(shown(&service, &configuration)))
}

/// A new configuration.
#[utoipa::path(
    post, operation_id = "createConfiguration", path = "/api/v1/sync/sql-sync/configurations", tag = "configurations",
    request_body(content = schemas::NewConfiguration, content_type = "application/json"),
    responses(
        (status = 201, description = "the new configuration", body = schemas::Configuration),
        (status = 409, description = "there is one of this name already", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "the configuration is wrong; everything that is wrong is told", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    service: web::Data<Service>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, ApiProblem> {
    let typed = object(&request, &body, &["application/json"])?;
    refresh(&service).await?;
    if service.configurations().len() >= CONFIGURATIONS_MAX {
        return Err(ApiProblem::conflict(format!("there are {CONFIGURATIONS_MAX} configurations; remove one first")));
    }
    let settings = service.read(&json!(typed).to_string())?;
    let now = Timestamp::now().to_string();
    let new = StoredConfiguration {
        id: Uuid::now_v7().to_string(),
        name: settings.name.clone(),
        settings: json!(typed).to_string(),
        created_at: now.clone(),
        updated_at: now,
    };
    let is_taken = || ApiProblem::conflict(format!("there is a configuration `{}` already", settings.name));
    if service.configurations().iter().any(|configuration| configuration.name == settings.name) {
        return Err(is_taken());
    }
    let (keeper, kept) = (service.clone().into_inner(), new.clone());
    if !at_home(&service, move || async move { Ok(keeper.state().add_configuration(&kept).await?) }).await? {
        return Err(is_taken());
    }
    refresh(&service).await?;
    tracing::info!(sync = new.name, id = new.id, "configuration made");
    let configuration = service.configuration(&new.id).ok_or_else(|| unknown_configuration(&new.id))?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("{PREFIX}/configurations/{}", new.id)))
        .json(shown(&service, &configuration)))
}

/// Replaces what a configuration says.
#[utoipa::path(
    put, operation_id = "replaceConfiguration", path = "/api/v1/sync/sql-sync/configurations/{id}", tag = "configurations",
    params(("id" = String, Path, description = "the id of the configuration")),
    request_body(content = schemas::NewConfiguration, content_type = "application/json"),
    responses(
        (status = 200, description = "what it is now", body = schemas::Configuration),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it comes from a file, has another name, or was changed meanwhile", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "the configuration is wrong; everything that is wrong is told", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn replace(
    service: web::Data<Service>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Bytes,
) -> Result<web::Json<Value>, ApiProblem> {
    let typed = object(&request, &body, &["application/json"])?;
    let before = stored(&service, &id).await?;
    change(&service, before, typed).await
}

/// Changes some keys of a configuration (JSON merge patch, RFC 7396): null takes a key out.
#[utoipa::path(
    patch, operation_id = "changeConfiguration", path = "/api/v1/sync/sql-sync/configurations/{id}", tag = "configurations",
    params(("id" = String, Path, description = "the id of the configuration")),
    request_body(content = schemas::ConfigurationPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "what it is now", body = schemas::Configuration),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it comes from a file, has another name, or was changed meanwhile", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "the configuration is wrong; everything that is wrong is told", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn patch(
    service: web::Data<Service>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Bytes,
) -> Result<web::Json<Value>, ApiProblem> {
    let patch = object(&request, &body, &["application/merge-patch+json", "application/json"])?;
    let before = stored(&service, &id).await?;
    let mut typed: Map<String, Value> =
        serde_json::from_str(&before.settings).map_err(|error| ApiProblem::internal(error.to_string()))?;
    merge(&mut typed, patch);
    change(&service, before, typed).await
}

/// Removes a configuration. Its executions stay in the history, and one that is at work goes on.
#[utoipa::path(
    delete, operation_id = "removeConfiguration", path = "/api/v1/sync/sql-sync/configurations/{id}", tag = "configurations",
    params(("id" = String, Path, description = "the id of the configuration")),
    responses(
        (status = 204, description = "it is gone"),
        (status = 404, description = "there is no such configuration", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "it comes from a file", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn remove(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiProblem> {
    let before = stored(&service, &id).await?;
    let (keeper, id) = (service.clone().into_inner(), before.id.clone());
    let removed = at_home(&service, move || async move { Ok(keeper.state().remove_configuration(&id).await?) }).await?;
    refresh(&service).await?;
    if !removed {
        return Err(unknown_configuration(&before.id));
    }
    tracing::info!(sync = before.name, id = before.id, "configuration removed");
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

async fn change(
    service: &web::Data<Service>,
    before: StoredConfiguration,
    typed: Map<String, Value>,
) -> Result<web::Json<Value>, ApiProblem> {
    let text = json!(typed).to_string();
    let settings = service.read(&text)?;
    if settings.name != before.name {
        return Err(ApiProblem::conflict(format!(
            "the history goes by the name `{}`; make a new configuration for another one",
            before.name
        )));
    }
    let after = StoredConfiguration { settings: text, updated_at: Timestamp::now().to_string(), ..before.clone() };
    let (keeper, id) = (service.clone().into_inner(), before.id.clone());
    let changing = move || async move { Ok(keeper.state().change_configuration(&before, &after).await?) };
    let changed = at_home(service, changing).await?;
    refresh(service).await?;
    if !changed {
        return Err(ApiProblem::conflict("somebody else changed this configuration meanwhile; read it again"));
    }
    tracing::info!(sync = settings.name, id, "configuration changed");
    let configuration = service.configuration(&id).ok_or_else(|| unknown_configuration(&id))?;
    Ok(web::Json(shown(service, &configuration)))
}

/// One that was made through the API.
async fn stored(service: &web::Data<Service>, id: &str) -> Result<StoredConfiguration, ApiProblem> {
    refresh(service).await?;
    let configuration = service.configuration(id).ok_or_else(|| unknown_configuration(id))?;
    configuration.stored.clone().ok_or_else(|| {
        ApiProblem::conflict(format!("`{}` comes from a file; change it there and send SIGHUP", configuration.name))
    })
}

/// What a body holds, without what the service adds by itself.
fn object(request: &HttpRequest, body: &Bytes, types: &[&str]) -> Result<Map<String, Value>, ApiProblem> {
    let mut typed = super::body::object(request, body, types)?;
    typed.retain(|name, _| !ADDED.contains(&name.as_str()));
    Ok(typed)
}

fn merge(typed: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => drop(typed.remove(&name)),
            Value::Object(inner) => {
                let entry = typed.entry(name).or_insert_with(|| json!({}));
                if !entry.is_object() {
                    *entry = json!({});
                }
                if let Value::Object(map) = entry {
                    merge(map, inner);
                }
            }
            value => drop(typed.insert(name, value)),
        }
    }
}

/// As it was typed, with what the service adds. Of a file that is what it comes down to: the file may hold secrets.
pub fn shown(service: &Service, configuration: &Configuration) -> Value {
    let typed = configuration.stored.as_ref().and_then(|stored| serde_json::from_str(&stored.settings).ok());
    let mut shown: Map<String, Value> = typed.unwrap_or_default();
    if let (Origin::File, Ok(settings)) = (configuration.origin, &configuration.settings) {
        shown.insert("source".into(), json!(settings.source.name));
        shown.insert("target".into(), json!(settings.target.name));
        shown.insert("enabled".into(), json!(settings.enabled));
        if let TableSelection::Named(tables) = &settings.tables {
            let table = |table: &crate::settings::TableSettings| json!({ "name": table.name, "target": table.target });
            shown.insert("tables".into(), tables.iter().map(table).collect());
        }
    }
    let running = service.all_running();
    let running = running.iter().find(|running| running.settings.name == configuration.name);
    let stored = configuration.stored.as_ref();
    shown.insert("id".into(), json!(configuration.id));
    shown.insert("name".into(), json!(configuration.name));
    shown.insert("origin".into(), json!(configuration.origin));
    shown.insert("running".into(), json!(running.map(|running| running.id.to_string())));
    let schedule = service.schedules().of(&configuration.name).filter(|_| configuration.has_schedule());
    shown.insert("schedule".into(), json!(schedule));
    shown.insert("problem".into(), json!(configuration.settings.as_ref().err()));
    shown.insert("created_at".into(), json!(stored.map(|stored| &stored.created_at)));
    shown.insert("updated_at".into(), json!(stored.map(|stored| &stored.updated_at)));
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_takes_out_what_it_makes_null() {
        let mut typed = json!({ "a": 1, "b": { "c": 1, "d": 2 }, "e": 3 }).as_object().unwrap().clone();
        let patch = json!({ "a": 2, "b": { "c": null, "x": { "y": null, "z": 1 } }, "e": null, "f": [null] });
        merge(&mut typed, patch.as_object().unwrap().clone());
        assert_eq!(json!(typed), json!({ "a": 2, "b": { "d": 2, "x": { "z": 1 } }, "f": [null] }));
    }
}
