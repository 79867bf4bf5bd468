//! The manual and `config/default.toml`, both written from the catalogue. A test compares them with the files.

use super::key::{Effect, Key, Kind, Place, PresetValue, Word};
use super::keys;

/// What stands in the manual above the keys.
const INTRODUCTION: &str = include_str!("manual.md");

/// The lists of keys, each with what is said above it.
const CHAPTERS: [(&str, &str, &[Key]); 5] = [
    ("The sync", "These stand at the top of the file.", keys::TOP),
    ("Connections", "These stand in an entry of `connections`.", keys::CONNECTION),
    ("Links", "These stand in a connection's entry, or at the top for all connections.", keys::LINK),
    ("Tables", "These stand in an entry of `tables`. A bare name is an entry with nothing but its name.", keys::TABLE),
    (
        "Tuning",
        "These stand at the top for all tables, or in a table's entry for it alone, where they replace what the top says.",
        keys::TUNING,
    ),
];

/// `docs/configuration.md`.
pub fn configuration_md() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (title, about, keys) in CHAPTERS {
        text.push_str(&format!(
            "\n## {title}\n\n{about}\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n"
        ));
        for key in keys {
            text.push_str(&row(key));
        }
    }
    text
}

fn row(key: &Key) -> String {
    let effect = match key.effect {
        Effect::Now => "",
        Effect::NotYet => " *No effect yet in this version.*",
    };
    format!("| `{}` | {} | {} | {}{effect} |\n", key.name, takes(key.kind), default(key), key.about.trim())
}

fn takes(kind: Kind) -> String {
    let Kind::OneOf(words) = kind else { return kind.described() };
    let words: Vec<String> = words.iter().map(word).collect();
    words.join(", ")
}

fn word(word: &Word) -> String {
    match word.effect {
        Effect::Now => format!("`{}`", word.name),
        Effect::NotYet => format!("`{}` (not yet)", word.name),
    }
}

fn default(key: &Key) -> String {
    let why = key.preset.why.trim();
    match key.preset.value {
        PresetValue::Nothing => "none".to_owned(),
        PresetValue::Derived(words) => format!("{words}. {why}"),
        _ => format!("`{}`. {why}", key.preset.typed().unwrap_or_default()),
    }
}

/// `config/default.toml`: every key that may stand at the top, commented out, so that the file changes nothing.
pub fn default_toml() -> String {
    let mut text = String::from(
        "# Defaults for every sync whose file lies beside this folder, or in it. Each key shows what it is when left out;\n\
         # remove the `#` before a key to change it. What a sync's own file says wins over what stands here.\n",
    );
    for key in keys::at(Place::Top) {
        text.push('\n');
        text.push_str(&commented(key));
    }
    text
}

fn commented(key: &Key) -> String {
    let mut text = wrapped(key.about.trim());
    if !key.preset.why.is_empty() {
        text.push_str(&wrapped(&format!("Why: {}", key.preset.why.trim())));
    }
    if key.effect == Effect::NotYet {
        text.push_str("# No effect yet in this version.\n");
    }
    match (key.preset.typed(), key.preset.value) {
        (Some(typed), _) => text.push_str(&format!("# {} = {typed}\n", key.name)),
        (None, PresetValue::Derived(words)) => text.push_str(&format!("# {}: {words}\n", key.name)),
        (None, _) => text.push_str(&format!("# {}: none\n", key.name)),
    }
    text
}

/// Comment lines of a width that fits beside other things.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 110;
    let mut lines = String::from("#");
    let mut length = 1;
    for word in text.split_whitespace() {
        if length + 1 + word.len() > WIDTH {
            lines.push_str("\n#");
            length = 1;
        }
        lines.push(' ');
        lines.push_str(word);
        length += 1 + word.len();
    }
    lines.push('\n');
    lines
}
