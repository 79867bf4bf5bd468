//! What is wrong with the settings: all of it, each with its place and what to do about it.

use std::fmt;

/// Everything that is wrong. Its text is what the user reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// At least one.
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What brought the value in: a file, a variable of the environment, `--set`.
    pub origin: String,
    /// The key's path, such as `tables[2].name`; empty where the whole is meant.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "the settings have a problem:\n  {only}"),
            several => {
                write!(f, "the settings have {} problems:", several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl SettingsError {
    pub fn one(origin: impl Into<String>, message: impl Into<String>) -> SettingsError {
        let problem = Problem { origin: origin.into(), path: String::new(), message: message.into() };
        SettingsError { problems: vec![problem] }
    }
}

/// The nearest of some names, where one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .filter_map(|candidate| Some((likeness(&lower, &candidate.to_lowercase())?, candidate)))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

/// How alike two names are, from 0 to 1; nothing where one is hardly the other mistyped.
fn likeness(name: &str, candidate: &str) -> Option<f64> {
    /// Below this the suggestion is more often confusing than right.
    const ALIKE_MIN: f64 = 0.8;
    let likeness = strsim::jaro_winkler(name, candidate);
    // Short names are little alike as soon as one letter is wrong.
    let one_slip = name.len() > 1 && strsim::osa_distance(name, candidate) <= 1;
    (likeness >= ALIKE_MIN || one_slip).then_some(likeness)
}

/// `; did you mean ...?` or nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// A list of names for a message: `a`, `b`.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_could_be_meant_are_suggested() {
        let check = |name, expected| assert_eq!(nearest(name, ["erp", "warehouse", "TrackId"]), expected, "{name}");
        check("epr", Some("erp"));
        check("warehose", Some("warehouse"));
        check("trackid", Some("TrackId"));
        check("zzz", None);
        check("", None);
    }
}
