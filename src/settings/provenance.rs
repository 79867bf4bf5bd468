//! Where each value came from and how it was typed, so that messages can name the first and never show more than the
//! second.

use std::collections::{BTreeMap, BTreeSet};

use config::{Value, ValueKind};

use super::layers::Environment;
use super::problem::{Problem, SettingsError};
use super::secret;
use super::variables::{self, VariableError};

/// What is known of the values beside themselves, and what turned out to be wrong with them.
#[derive(Debug)]
pub struct Provenance {
    file: String,
    origins: BTreeMap<String, String>,
    /// Texts that held variables, as they were typed, by their path.
    typed: BTreeMap<String, String>,
    /// The same by what they became: a name is told in other places than where it stood, too.
    variable_texts: BTreeMap<String, String>,
    problems: Vec<Problem>,
    refused: BTreeSet<String>,
}

impl Provenance {
    /// `problems` are those that are known already.
    pub fn new(file: impl Into<String>, problems: Vec<Problem>) -> Provenance {
        Provenance {
            file: file.into(),
            origins: BTreeMap::new(),
            typed: BTreeMap::new(),
            variable_texts: BTreeMap::new(),
            problems,
            refused: BTreeSet::new(),
        }
    }

    /// Fills in all variables and remembers where everything came from.
    pub fn take_in(&mut self, root: &mut Value, environment: &Environment) {
        self.visit(root, "", environment);
    }

    fn visit(&mut self, value: &mut Value, path: &str, environment: &Environment) -> Option<String> {
        let own = value.origin().map(str::to_owned);
        let mut inner = None;
        match &mut value.kind {
            ValueKind::Table(map) => {
                for (name, value) in map.iter_mut() {
                    inner = inner.or(self.visit(value, &member(path, name), environment));
                }
            }
            ValueKind::Array(entries) => {
                for (index, value) in entries.iter_mut().enumerate() {
                    inner = inner.or(self.visit(value, &entry(path, index), environment));
                }
            }
            _ => {}
        }
        let origin = own.or(inner);
        if let Some(origin) = &origin {
            self.origins.insert(path.to_owned(), origin.clone());
        }
        self.fill(value, path, environment);
        origin
    }

    fn fill(&mut self, value: &mut Value, path: &str, environment: &Environment) {
        let ValueKind::String(text) = &mut value.kind else { return };
        match variables::fill(text, |name| environment.get(name)) {
            Ok(filled) => {
                if filled.has_variables {
                    self.typed.insert(path.to_owned(), text.clone());
                    self.variable_texts.insert(filled.text.clone(), text.clone());
                }
                *text = filled.text;
            }
            Err(error) => {
                value.kind = ValueKind::Nil;
                self.refuse(path, variable_message(&error));
            }
        }
    }

    /// What brought a value in; nothing where it is the built-in default.
    pub fn origin(&self, path: &str) -> Option<&str> {
        self.origins.get(path).map(String::as_str)
    }

    pub fn refuse(&mut self, path: &str, message: impl Into<String>) {
        let origin = self.origins.get(path).unwrap_or(&self.file).clone();
        self.refused.insert(path.to_owned());
        self.problems.push(Problem { origin, path: path.to_owned(), message: message.into() });
    }

    /// Something is missing; says so unless it was there and has been refused already.
    pub fn miss(&mut self, path: &str, message: impl Into<String>) {
        if !self.refused.contains(path) {
            self.refuse(path, message);
        }
    }

    /// Nothing has to be said about this path any more.
    pub fn hush(&mut self, path: &str) {
        self.refused.insert(path.to_owned());
    }

    pub fn is_from_variable(&self, path: &str) -> bool {
        self.typed.contains_key(path)
    }

    /// A text as it was typed: with its variables, and with passwords.
    pub fn typed<'a>(&'a self, path: &str, text: &'a str) -> &'a str {
        let by_value = || self.variable_texts.get(text);
        self.typed.get(path).or_else(by_value).map_or(text, String::as_str)
    }

    /// A text as it may be shown: as it was typed, without passwords, for URLs get typed in the wrong places too.
    pub fn shown(&self, path: &str, text: &str) -> String {
        secret::masked(self.typed(path, text))
    }

    /// Names as they may be shown, wherever they stood.
    pub fn shown_names<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        names.into_iter().map(|name| self.shown("", name)).collect()
    }

    pub fn verdict<T>(mut self, value: Option<T>) -> Result<T, SettingsError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => {
                // Stable, so that problems of one place stay in the order in which they were found.
                self.problems.sort_by(|left, right| (&left.origin, &left.path).cmp(&(&right.origin, &right.path)));
                Err(SettingsError { problems: self.problems })
            }
        }
    }
}

fn variable_message(error: &VariableError) -> String {
    match error {
        VariableError::Missing(name) => {
            format!("the environment has no variable `{name}`; set it, or write `$${{` where `${{` is meant as text")
        }
        VariableError::Unclosed => "`${` has no `}`; write `$${` where it is meant as text".to_owned(),
    }
}

/// The path of a name in a table; names that are no plain words are quoted.
pub fn member(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let name = if plain { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// The path of an entry in a list.
pub fn entry(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
