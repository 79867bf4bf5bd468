//! The document of the API (OpenAPI 3.1), made from the handlers and from the catalogue of settings, and the page to read
//! and try it.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};
use utoipa::{OpenApi as _, PartialSchema as _};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::configurations::ADDED;
use super::paths::PREFIX;
use super::problem::{MEDIA_TYPE, ProblemDocument, SettingProblem};
use super::{configurations, conflicts, events, executions, health, row_errors, schedules, schemas};
use crate::service::{Pause, Scheduled};
use crate::settings::key::{Effect, Key, Kind, Place};
use crate::settings::{keys, request};

pub const DOCUMENT_PATH: &str = "/api/v1/openapi.json";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "rowsync", description = "Keeps the tables of one database equal to those of another, and proves it.",
         license(name = "MIT OR Apache-2.0")),
    paths(
        configurations::list, configurations::create, configurations::show, configurations::replace,
        configurations::patch, configurations::remove, schedules::pause, schedules::resume,
        executions::execute, executions::list, executions::show, executions::cancel, events::follow,
        row_errors::list, row_errors::replay, conflicts::list, conflicts::show, conflicts::resolve,
        health::lives, health::ready, health::metrics,
    ),
    components(schemas(ProblemDocument, SettingProblem, schemas::Execution, schemas::ExecutionPage, conflicts::ConflictStatus, Scheduled, Pause)),
    tags(
        (name = "configurations", description = "Syncs: those of the files that the service was started with, and those made here."),
        (name = "executions", description = "What was done, and what is being done."),
        (name = "conflicts", description = "Rows that a merge left to a person."),
        (name = "health", description = "For whoever watches the process."),
    )
)]
struct Documented;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Documented::openapi()).unwrap_or_default();
    let schemas = &mut document["components"]["schemas"];
    schemas["NewConfiguration"] = configuration(false);
    schemas["ConfigurationPatch"] = configuration(true);
    schemas["Configuration"] = shown_configuration();
    schemas["ConfigurationPage"] = json!({
        "type": "object", "required": ["configurations", "total"],
        "properties": {
            "configurations": { "type": "array", "items": { "$ref": "#/components/schemas/Configuration" } },
            "total": { "type": "integer", "minimum": 0, "description": "Of all pages." },
        },
    });
    schemas["Conflict"] = conflict();
    schemas["Decision"] = decision();
    document["components"]["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer" } });
    document["security"] = json!([{ "token": [] }, {}]);
    add_links(&mut document["paths"]);
    for operations in document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let has_body = operation.get("requestBody").is_some();
            add_problems(&COMMON, &mut operation["responses"]);
            add_problems(if has_body { &OF_BODIES } else { &[] }, &mut operation["responses"]);
        }
    }
    document
});

/// Where the ids come from that other calls take.
fn add_links(paths: &mut Value) {
    const BY_CONFIGURATION: [&str; 6] = [
        "getConfiguration",
        "replaceConfiguration",
        "changeConfiguration",
        "removeConfiguration",
        "executeConfiguration",
        "listRowErrors",
    ];
    const BY_EXECUTION: [&str; 3] = ["getExecution", "cancelExecution", "followExecution"];
    let links = |operations: &[&str], id: &str| -> Value {
        let link = |operation: &&str| {
            let parameters = json!({ "id": format!("$response.body#/{id}") });
            ((*operation).to_owned(), json!({ "operationId": operation, "parameters": parameters }))
        };
        Value::Object(operations.iter().map(link).collect())
    };
    paths[format!("{PREFIX}/configurations")]["post"]["responses"]["201"]["links"] = links(&BY_CONFIGURATION, "id");
    paths[format!("{PREFIX}/configurations/{{id}}/execute")]["post"]["responses"]["202"]["links"] =
        links(&BY_EXECUTION, "execution_id");
}

/// What any call may be refused with, before anything looks at what it is about.
const COMMON: [(&str, &str); 7] = [
    ("400", "the request cannot be understood"),
    ("401", "the token is missing or wrong"),
    ("403", "without a token the service answers only callers of the same machine"),
    ("408", "the request or its answer took too long"),
    ("429", "too many requests"),
    ("500", "a mistake in rowsync"),
    ("503", "the state does not answer, or the service is stopping"),
];

/// The same of calls that have a body.
const OF_BODIES: [(&str, &str); 2] = [("413", "the body is too large"), ("415", "the body is no JSON")];

fn add_problems(problems: &[(&str, &str)], responses: &mut Value) {
    for &(status, description) in problems {
        if responses.get(status).is_none() {
            responses[status] = json!({
                "description": description,
                "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/ProblemDocument" } } },
            });
        }
    }
}

/// What a caller may type: the keys of a settings file, as far as they are not for who runs the service.
fn configuration(is_patch: bool) -> Value {
    let mut properties = properties(Place::Top);
    for name in request::RESERVED {
        properties.remove(name);
    }
    properties.insert(
        request::SOURCE_TABLE.into(),
        text("The table to read, where the sync is of one table. Instead of `tables`."),
    );
    properties.insert(request::TARGET_TABLE.into(), text("The table to write; called as the source's where left out."));
    if let Some(name) = properties.get_mut("name") {
        // Beside what all texts are.
        name["maxLength"] = json!(request::NAME_MAX);
    }
    let required = if is_patch { json!([]) } else { json!(["name", "source", "target"]) };
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// With what the service adds.
fn shown_configuration() -> Value {
    let nullable = |about: &str| json!({ "type": ["string", "null"], "description": about });
    json!({
        "type": "object", "required": ADDED.iter().chain(&["name"]).collect::<Vec<_>>(),
        "description": "As it was typed, with what the service knows of it. Of a file: its ends and its tables.",
        "properties": {
            "id": { "type": "string" },
            "name": { "type": "string" },
            "origin": { "type": "string", "enum": ["file", "api"] },
            "running": nullable("The execution that is at work."),
            "schedule": {
                "description": "When it runs next by itself, and whether it is paused. Null without a schedule.",
                "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Scheduled" }],
            },
            "problem": nullable("Why it cannot run, such as a connection that is gone from the service's file."),
            "created_at": nullable("Null where it comes from a file."),
            "updated_at": nullable("Null where it comes from a file."),
            "source": nullable("The name of a connection."),
            "target": nullable("The name of a connection."),
        },
    })
}

/// As the state holds it, with what the API adds.
fn conflict() -> Value {
    let mut schema = serde_json::to_value(crate::state::Conflict::schema()).unwrap_or_default();
    let text = |about: &str| json!({ "type": "string", "description": about });
    schema["properties"]["id"] = text("The configuration and a number, such as `shop-7`.");
    schema["properties"]["sync"] = text("The name of the sync.");
    schema["properties"]["configuration"] = text("The id of its configuration.");
    if let Some(required) = schema["required"].as_array_mut() {
        required.extend([json!("sync"), json!("configuration")]);
    }
    schema
}

fn decision() -> Value {
    let either = |name: &str, schema: Value| {
        let changed_at = json!({
            "type": ["string", "null"],
            "description": "As it was shown with the conflict: the decision is refused where other rows were shown since.",
        });
        json!({
            "type": "object", "required": [name], "properties": { name: schema, "changed_at": changed_at },
            "additionalProperties": false,
        })
    };
    let side = json!({ "type": "string", "enum": ["source", "target"], "description": "Whose row is right." });
    let row = json!({
        "type": ["object", "null"],
        "description": "A row, without what both sides have in common. Null: the row goes.",
    });
    json!({ "oneOf": [either("use", side), either("row", row)] })
}

fn properties(place: Place) -> Map<String, Value> {
    let works = |key: &&Key| key.effect == Effect::Now;
    keys::at(place).filter(works).map(|key| (key.name.to_owned(), schema(key))).collect()
}

/// Null is how JSON says that a key is left out.
fn schema(key: &Key) -> Value {
    let kind = of_kind(key.kind);
    let mut schema = match kind.get("type").and_then(Value::as_str).map(str::to_owned) {
        Some(kind_name) if kind.get("enum").is_none() => {
            let mut kind = kind;
            kind["type"] = json!([kind_name, "null"]);
            kind
        }
        _ => json!({ "anyOf": [kind, { "type": "null" }] }),
    };
    schema["description"] = json!(key.about.trim());
    if let Some(preset) = key.preset.typed().and_then(|typed| serde_json::from_str::<Value>(&typed).ok()) {
        schema["default"] = preset;
    }
    schema
}

fn of_kind(kind: Kind) -> Value {
    let name = || json!({ "type": "string", "pattern": NAME });
    match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Duration { max, .. } => json!({ "type": "integer", "minimum": 1, "maximum": max }),
        Kind::Seconds(min, max) => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Percent => json!({ "type": "integer", "minimum": 0, "maximum": 100 }),
        Kind::Bytes => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "examples": ["64 MiB"] }] })
        }
        Kind::Text | Kind::Secret => name(),
        Kind::Names => json!({ "anyOf": [name(), { "type": "array", "items": name(), "minItems": 1 }] }),
        Kind::NamesOrNone => json!({ "anyOf": [name(), { "type": "array", "items": name() }] }),
        Kind::OneOf(words) => {
            let words = words.iter().filter(|word| word.effect == Effect::Now).map(|word| word.name);
            json!({ "type": "string", "enum": words.collect::<Vec<_>>() })
        }
        Kind::Renames => json!({ "type": "object", "additionalProperties": name() }),
        Kind::Values => json!({ "type": "object" }),
        Kind::Connections => json!({ "type": "object" }),
        Kind::Tables => {
            let entry = json!({
                "type": "object", "required": ["name"], "properties": properties(Place::Table), "additionalProperties": false,
            });
            json!({ "type": "array", "minItems": 1, "items": { "anyOf": [name(), entry] } })
        }
    }
}

/// Something that is no blank.
const NAME: &str = r"\S";

fn text(about: &str) -> Value {
    json!({ "type": ["string", "null"], "pattern": NAME, "description": about })
}

/// The document.
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().json(&*DOCUMENT)
}

/// The page. Its files come with the program, and it asks nobody else for anything.
pub fn page(app: &mut web::ServiceConfig) {
    let config = Config::from(DOCUMENT_PATH).validator_url("none").try_it_out_enabled(true);
    app.service(SwaggerUi::new("/api/v1/docs/{_:.*}").config(config));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let text = DOCUMENT.to_string();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(DOCUMENT["components"]["schemas"].get(name).is_some(), "{name}");
        }
        assert!(DOCUMENT["openapi"].as_str().unwrap().starts_with("3.1"), "{}", DOCUMENT["openapi"]);
    }
}
