//! Columns whose values are made: what of `expressions` and `on_lossy` is understood, and what is wrong with the rest.

use std::collections::BTreeMap;

use rowsync_engine::derived::{Expression, OnLossy, Operand};
use serde_json::Value;

use super::keys::RawTuning;
use super::provenance::{Provenance, member};

/// What is wrong is left out, and told by [`check`].
pub(super) fn expressions(typed: &BTreeMap<String, Value>) -> BTreeMap<String, Expression<Operand>> {
    let understood = |(name, typed): (&String, &Value)| Some((name.clone(), Expression::parse(typed).ok()?));
    typed.iter().filter_map(understood).collect()
}

pub(super) fn on_lossy(typed: &BTreeMap<String, String>) -> BTreeMap<String, OnLossy> {
    typed.iter().filter_map(|(name, word)| Some((name.clone(), OnLossy::named(word)?))).collect()
}

/// Refuses what is no expression, and words that say nothing about values that do not fit.
pub(super) fn check(typed: &RawTuning, path: &str, provenance: &mut Provenance) {
    let at = member(path, "expressions");
    for (name, typed) in typed.expressions.iter().flatten() {
        if let Err(message) = Expression::parse(typed) {
            provenance.refuse(&member(&at, name), message);
        }
    }
    let at = member(path, "on_lossy");
    for (name, word) in typed.on_lossy.iter().flatten() {
        if OnLossy::named(word).is_none() {
            let words: Vec<String> = OnLossy::NAMES.iter().map(|(word, _)| format!("`{word}`")).collect();
            let at = member(&at, name);
            let shown = provenance.shown(&at, word);
            provenance.refuse(&at, format!("expected one of {}, found the text {shown:?}", words.join(", ")));
        }
    }
}
