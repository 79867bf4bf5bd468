//! What is known of a key: what it takes, where it may stand, what it is when left out, and whether it has any effect.

/// One key of the settings file. The catalogue of all of them is in [`super::keys`].
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub preset: Preset,
    pub places: &'static [Place],
    pub effect: Effect,
    /// The user's manual for it.
    pub about: &'static str,
}

/// Where a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Top,
    /// In an entry of `tables`.
    Table,
    /// In an entry of `connections`.
    Connection,
}

impl Place {
    pub fn described(self) -> &'static str {
        match self {
            Place::Top => "at the top",
            Place::Table => "in an entry of `tables`",
            Place::Connection => "in an entry of `connections`",
        }
    }
}

/// Whether this version does anything with a key. Silence would be a promise that is not kept, so a key without effect
/// may only be set to its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Now,
    NotYet,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Flag,
    /// A whole number within these bounds, both included.
    Number(u64, u64),
    /// A whole number with its unit, for the manual.
    Duration {
        unit: &'static str,
        max: u64,
    },
    /// Seconds within these bounds, both included; parts of one may be typed.
    Seconds(f64, f64),
    Percent,
    /// A size in bytes: `64`, `"64 MiB"`, `"256MB"`.
    Bytes,
    Text,
    /// A text that is never shown.
    Secret,
    /// One name or a list of at least one.
    Names,
    /// One name or a list, which may be empty.
    NamesOrNone,
    OneOf(&'static [Word]),
    /// Names to names.
    Renames,
    /// Names to values of any kind.
    Values,
    Connections,
    Tables,
}

/// One of the words that a key takes.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    pub name: &'static str,
    pub effect: Effect,
}

impl Word {
    pub const fn now(name: &'static str) -> Word {
        Word { name, effect: Effect::Now }
    }

    pub const fn not_yet(name: &'static str) -> Word {
        Word { name, effect: Effect::NotYet }
    }
}

/// What a key is when it is left out, and why.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    pub value: PresetValue,
    pub why: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub enum PresetValue {
    Nothing,
    /// Follows from something else, in these words.
    Derived(&'static str),
    Flag(bool),
    Number(u64),
    Text(&'static str),
}

impl Kind {
    /// What is expected, in the words of an error message and of the manual.
    pub fn described(self) -> String {
        match self {
            Kind::Flag => "true or false".to_owned(),
            Kind::Number(min, max) => format!("a whole number from {min} to {max}"),
            Kind::Duration { unit, max } => format!("a whole number of {unit} from 1 to {max}"),
            Kind::Seconds(min, max) => format!("a number of seconds from {min} to {max}"),
            Kind::Percent => "a percentage from 0 to 100".to_owned(),
            Kind::Bytes => "a size above 0, such as 1048576 or \"64 MiB\"".to_owned(),
            Kind::Text | Kind::Secret => "a text".to_owned(),
            Kind::Names => "a name, or a list of at least one name".to_owned(),
            Kind::NamesOrNone => "a name or a list of names".to_owned(),
            Kind::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.name)).collect();
                format!("one of {}", words.join(", "))
            }
            Kind::Renames => "a table of names, each with its other name".to_owned(),
            Kind::Values => "a table of names, each with its value".to_owned(),
            Kind::Connections => "a table of connections by name".to_owned(),
            Kind::Tables => "a list of at least one table, each a name or an entry".to_owned(),
        }
    }

    /// Whether a bare word typed on the command line is meant as text, even where it looks like a number.
    pub fn is_textual(self) -> bool {
        matches!(self, Kind::Text | Kind::Secret | Kind::Names | Kind::NamesOrNone | Kind::OneOf(_))
    }
}

impl Preset {
    /// The default as a user would type it; nothing where there is none to type.
    pub fn typed(self) -> Option<String> {
        match self.value {
            PresetValue::Nothing | PresetValue::Derived(_) => None,
            PresetValue::Flag(flag) => Some(flag.to_string()),
            PresetValue::Number(number) => Some(number.to_string()),
            PresetValue::Text(text) => Some(format!("\"{text}\"")),
        }
    }
}
