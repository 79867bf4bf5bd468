//! What was typed where, laid one over the other: built-in defaults, `config/default.toml`, the file, the environment,
//! `--set`. Later layers win, key by key; a list replaces a list as a whole.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use super::format::Format;
use super::key::{Key, Place, PresetValue};
use super::problem::{Problem, SettingsError};
use super::{keys, overlay};

/// The variables of the environment, handed in so that nothing else reads them.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Names and values that are no Unicode cannot be typed here and are left out.
    pub fn of_process() -> Environment {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Environment(texts.collect())
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Environment {
        Environment(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// One layer, already read.
#[derive(Clone, Debug)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// All layers as one table of values, which remember where they came from.
pub struct Merged {
    pub root: Value,
    /// What could not be laid over the rest.
    pub problems: Vec<Problem>,
}

pub fn merge(path: &Path, environment: &Environment, sets: &[String]) -> Result<Merged, SettingsError> {
    let mut layers = below(path)?;
    layers.push(read(path)?);
    lay(path, layers, environment, sets)
}

/// Whether a file is meant to be a sync. One that names neither its ends nor its tables is about the service alone.
pub fn is_sync(path: &Path) -> Result<bool, SettingsError> {
    let Layer(map) = read(path)?;
    Ok(["name", "source", "target", "tables"].iter().any(|key| map.contains_key(*key)))
}

/// What configurations made through the API are laid over: what stands beside and in the file of the service, as far as
/// `keep` says.
pub struct Ground {
    path: PathBuf,
    layers: Vec<Layer>,
    environment: Environment,
    sets: Vec<String>,
}

impl Ground {
    pub fn new(
        path: &Path,
        keep: impl Fn(&str) -> bool,
        environment: &Environment,
        sets: &[String],
    ) -> Result<Ground, SettingsError> {
        let mut layers = below(path)?;
        let Layer(mut own) = read(path)?;
        own.retain(|name, _| keep(name));
        layers.push(Layer(own));
        Ok(Ground { path: path.to_owned(), layers, environment: environment.clone(), sets: sets.to_vec() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub fn under(&self, request: Map<String, Value>) -> Result<Merged, SettingsError> {
        let mut layers = self.layers.clone();
        layers.push(Layer(request));
        lay(&self.path, layers, &self.environment, &self.sets)
    }
}

/// The layers that lie under every file.
fn below(path: &Path) -> Result<Vec<Layer>, SettingsError> {
    let beside = defaults_beside(path).map(|beside| read(&beside)).transpose()?;
    Ok([built_in()].into_iter().chain(beside).collect())
}

fn lay(path: &Path, layers: Vec<Layer>, environment: &Environment, sets: &[String]) -> Result<Merged, SettingsError> {
    let merged = layers.into_iter().fold(Config::builder(), |builder, layer| builder.add_source(layer)).build();
    let mut root = merged.map_err(|error| SettingsError::one(path.display().to_string(), error.to_string()))?.cache;
    let problems = overlay::lay_over(&mut root, environment, sets);
    Ok(Merged { root, problems })
}

fn built_in() -> Layer {
    let preset = |key: &Key| {
        let kind = match key.preset.value {
            PresetValue::Nothing | PresetValue::Derived(_) => return None,
            PresetValue::Flag(flag) => ValueKind::Boolean(flag),
            PresetValue::Number(number) => ValueKind::U64(number),
            PresetValue::Text(text) => ValueKind::String(text.to_owned()),
        };
        Some((key.name.to_owned(), Value::new(None, kind)))
    };
    Layer(keys::at(Place::Top).filter_map(preset).collect())
}

fn read(path: &Path) -> Result<Layer, SettingsError> {
    let origin = path.display().to_string();
    let format = Format::of(path).ok_or_else(|| {
        SettingsError::one(
            &origin,
            "the extension tells the format: name it .json, .jsonc, .json5, .toml, .yaml or .yml",
        )
    })?;
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::one(&origin, format!("the file cannot be read: {error}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    format.parse(&origin, text).map(Layer).map_err(|message| SettingsError::one(&origin, message))
}

/// `config/default.toml` beside the file; `default.toml` beside it where the file itself lies in a folder `config`.
fn defaults_beside(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    let is_config = std::path::absolute(path).ok()?.parent()?.file_name() == Some(OsStr::new("config"));
    let defaults = if is_config { folder.join("default.toml") } else { folder.join("config").join("default.toml") };
    (defaults.is_file() && defaults != path).then_some(defaults)
}
