//! The three ways to write a settings file, told apart by the file's extension.

use std::error::Error;
use std::path::Path;

use config::{FileFormat, Format as _, Map, Value, ValueKind};
use jsonc_parser::{ParseOptions, ast};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON with comments and trailing commas.
    Json,
    /// JSON5, which also takes bare names and single quotes.
    Json5,
    Toml,
    Yaml,
}

impl Format {
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "json" | "jsonc" => Some(Format::Json),
            "json5" => Some(Format::Json5),
            "toml" => Some(Format::Toml),
            "yaml" | "yml" => Some(Format::Yaml),
            _ => None,
        }
    }

    /// Reads a text whose values remember that they came from `origin`. Errors say where, and never quote the text: it
    /// may hold a password.
    pub fn parse(self, origin: &str, text: &str) -> Result<Map<String, Value>, String> {
        let uri = origin.to_owned();
        match self {
            Format::Json => parse_json(&uri, text, &strict()),
            Format::Json5 => {
                parse_json(&uri, text, &ParseOptions { allow_missing_commas: false, ..Default::default() })
            }
            Format::Toml => FileFormat::Toml.parse(Some(&uri), text).map_err(|error| toml_error(&*error, text)),
            Format::Yaml => FileFormat::Yaml.parse(Some(&uri), text).map_err(|error| yaml_error(&*error)),
        }
    }
}

/// Reads a single value as JSON writes it; nothing where it is no JSON.
pub fn json_value(origin: &str, text: &str) -> Option<Value> {
    let value = jsonc_parser::parse_to_ast(text, &Default::default(), &strict()).ok()?.value?;
    from_json(&origin.to_owned(), text, &value).ok()
}

fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn parse_json(uri: &String, text: &str, options: &ParseOptions) -> Result<Map<String, Value>, String> {
    let parsed = jsonc_parser::parse_to_ast(text, &Default::default(), options)
        .map_err(|error| at_line(error.line_display(), error.column_display(), error.kind()))?;
    let root = parsed.value.ok_or("the file is empty; `rowsync init` writes one to start from")?;
    match from_json(uri, text, &root)?.kind {
        ValueKind::Table(map) => Ok(map),
        _ => Err("the file has to hold one object: { ... }".to_owned()),
    }
}

fn from_json(uri: &String, text: &str, value: &ast::Value<'_>) -> Result<Value, String> {
    let kind = match value {
        ast::Value::StringLit(literal) => ValueKind::String(literal.value.to_string()),
        ast::Value::NumberLit(literal) => number(text, literal)?,
        ast::Value::BooleanLit(literal) => ValueKind::Boolean(literal.value),
        ast::Value::NullKeyword(_) => ValueKind::Nil,
        ast::Value::Array(array) => ValueKind::Array(
            array.elements.iter().map(|element| from_json(uri, text, element)).collect::<Result<_, _>>()?,
        ),
        ast::Value::Object(object) => ValueKind::Table(members(uri, text, object)?),
    };
    Ok(Value::new(Some(uri), kind))
}

/// A key that stands twice is an error, as in TOML and YAML: one of the two would be ignored in silence.
fn members(uri: &String, text: &str, object: &ast::Object<'_>) -> Result<Map<String, Value>, String> {
    let mut map = Map::new();
    for property in &object.properties {
        let name = property.name.as_str();
        if map.insert(name.to_owned(), from_json(uri, text, &property.value)?).is_some() {
            let (line, column) = position(text, property.range.start);
            return Err(at_line(line, column, format!("the key `{name}` stands twice")));
        }
    }
    Ok(map)
}

fn number(text: &str, literal: &ast::NumberLit<'_>) -> Result<ValueKind, String> {
    let typed = literal.value.trim_start_matches('+');
    if let Some(digits) = typed.strip_prefix("0x").or_else(|| typed.strip_prefix("0X"))
        && let Ok(number) = i64::from_str_radix(digits, 16)
    {
        return Ok(ValueKind::I64(number));
    }
    if let Ok(number) = typed.parse() {
        return Ok(ValueKind::I64(number));
    }
    typed.parse().map(ValueKind::Float).map_err(|_| {
        let (line, column) = position(text, literal.range.start);
        at_line(line, column, "this number cannot be read")
    })
}

/// toml's own text quotes the line; only what it says and where is taken.
fn toml_error(error: &(dyn Error + Send + Sync + 'static), text: &str) -> String {
    match error.downcast_ref::<toml::de::Error>() {
        Some(error) => {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            at_line(line, column, error.message())
        }
        None => format!("this is no TOML: {error}"),
    }
}

/// Errors that are not about the form of the text quote what they are about, and are not passed on.
fn yaml_error(error: &(dyn Error + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<yaml_rust2::ScanError>() {
        Some(error) => at_line(error.marker().line(), error.marker().col() + 1, error.info()),
        None => "the file has to hold one document of keys and their values".to_owned(),
    }
}

fn at_line(line: usize, column: usize, message: impl std::fmt::Display) -> String {
    format!("line {line}, column {column}: {message}")
}

/// Line and column of a byte, both from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
