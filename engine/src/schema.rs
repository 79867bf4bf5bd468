//! What a table looks like: names, columns, types, keys. Filled by the adapters, read by the plan.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::derived::{Capacity, Derivation};
use crate::domain::Domain;
use crate::filter::Filter;
use crate::rules::TableRules;
use crate::value::Value;

/// A table's name, with its schema where the engine has schemas.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    pub schema: Option<String>,
    pub name: String,
}

impl TableName {
    pub fn new(name: impl Into<String>) -> TableName {
        TableName { schema: None, name: name.into() }
    }

    pub fn in_schema(schema: impl Into<String>, name: impl Into<String>) -> TableName {
        TableName { schema: Some(schema.into()), name: name.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A table as one side has it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSchema {
    pub name: TableName,
    /// In the order of the table.
    pub columns: Vec<Column>,
    /// Names of the key's columns in the order of the key; empty where there is no key.
    pub primary_key: Vec<String>,
    pub foreign_keys: Vec<ForeignKey>,
    /// What else it has. Only looked up where a table like it is to be made.
    pub rules: TableRules,
}

impl TableSchema {
    /// A column by its exact name, or by the only one that differs in nothing but case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        find_name(&self.columns, name, |column| &column.name)
    }
}

/// The item with exactly this name, else the only one whose name differs in nothing but case.
pub fn find_name<'a, T>(items: &'a [T], name: &str, name_of: impl Fn(&T) -> &str) -> Option<&'a T> {
    if let Some(exact) = items.iter().find(|item| name_of(item) == name) {
        return Some(exact);
    }
    let lower = name.to_lowercase();
    let mut alike = items.iter().filter(|item| name_of(item).to_lowercase() == lower);
    let found = alike.next();
    if alike.next().is_some() { None } else { found }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    /// The type as the engine itself spells it: `numeric(10,2)`, `NVARCHAR(160)`.
    pub declared: String,
    pub nullable: bool,
    pub filled: Filled,
    /// The collation of a text column where it is not byte by byte; two columns with equal collations of one engine
    /// sort alike.
    pub collation: Option<String>,
    /// Whether the database fills the column when an insert leaves it out.
    pub has_default: bool,
}

/// Who gives a column its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Whoever writes the row.
    ByWriter,
    /// The database numbers rows that bring no value; a value that is brought is kept.
    ByIdentity,
    /// Computed from other columns; it can neither be written nor does it have to be compared.
    ByExpression,
}

/// The kind of values that a column is declared to hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    Bool,
    /// Signed, of 16, 32 or 64 bits.
    Int {
        bits: u8,
    },
    /// IEEE 754, of 32 or 64 bits.
    Float {
        bits: u8,
    },
    Decimal {
        precision: Option<u32>,
        scale: Option<u32>,
    },
    /// `max_chars`: the longest text in characters; none where unlimited.
    Text {
        max_chars: Option<u32>,
    },
    /// Fixed length, padded with spaces.
    PaddedText {
        chars: u32,
    },
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Json,
    /// The labels in their order; the type's own name is in `Column::declared`.
    Enum {
        labels: Vec<String>,
    },
    /// No declaration that says anything (SQLite).
    Dynamic,
    /// A type that only its own engine understands; moved natively, or as the engine's text.
    Other,
    /// One whose native form holds numbers of its own database (an array of an enum, a composite, the name of a table);
    /// moved as the engine's text.
    Local,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name where it has one.
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub parent: TableName,
    /// Empty where the parent's primary key is meant.
    pub parent_columns: Vec<String>,
    /// Whether the check can wait until the transaction commits.
    pub deferrable: bool,
    /// What becomes of a row whose parent goes, and of one whose parent gets another key.
    pub on_delete: Action,
    pub on_update: Action,
}

/// What a foreign key does to the rows that refer to one that is changed. All engines spell it alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// The change is refused.
    #[default]
    None,
    /// It is refused at once, even where the check could wait.
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl Action {
    const ALL: [Action; 5] = [Action::None, Action::Restrict, Action::Cascade, Action::SetNull, Action::SetDefault];

    pub fn words(self) -> &'static str {
        match self {
            Action::None => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
            Action::SetDefault => "SET DEFAULT",
        }
    }

    /// The action that goes by these words; none where they say nothing known.
    pub fn of(words: &str) -> Action {
        Action::ALL.into_iter().find(|action| action.words() == words).unwrap_or_default()
    }
}

impl ForeignKey {
    /// What stands behind the columns of the parent, with a space in front; nothing where a change is just refused.
    pub fn actions(&self) -> String {
        let [delete, update] = [("DELETE", self.on_delete), ("UPDATE", self.on_update)].map(|(of, action)| {
            if action == Action::None { String::new() } else { format!(" ON {of} {}", action.words()) }
        });
        delete + &update
    }
}

/// One side of a pair of tables, as its adapter has to read and write it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableView {
    pub table: TableName,
    /// The key's columns first, in the order of the key; then the others, both sides in the same order.
    pub columns: Vec<ViewColumn>,
    /// How many of the columns are the key; none where a table without one is compared as a multiset.
    pub key_len: usize,
    pub key_order: KeyOrder,
    /// This side's column that tells when a row was last changed, where there is one.
    pub modify_time: Option<String>,
    /// The table lies on a cycle of foreign keys, so rows may refer to rows that are not there yet.
    pub in_cycle: bool,
    /// The rows that the view shows, and that are written by it.
    pub filter: Filter,
    /// What rows that are added get in columns that the view does not have.
    pub given: Vec<Given>,
    /// How the rows are made of those of the table, where they are not simply read; such a view is only read by.
    pub derived: Option<Arc<Derivation>>,
    /// Columns that the table does not have, each computed by the store.
    pub computed: Vec<Computed>,
    /// Columns by their places that take no value with a loss.
    pub exact: Vec<(usize, Capacity)>,
}

/// A column that the store computes of each row, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    pub name: String,
    /// In the store's own SQL.
    pub sql: String,
}

/// A column of the target that the source lacks, and what it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    pub column: Column,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ViewColumn {
    pub column: Column,
    pub domain: Domain,
}

impl TableView {
    pub fn key_columns(&self) -> &[ViewColumn] {
        &self.columns[..self.key_len]
    }

    /// The view of the table itself: what the store is asked by.
    pub fn stored(self: &Arc<Self>) -> &Arc<TableView> {
        self.derived.as_ref().map_or(self, |derivation| &derivation.read)
    }

    /// Leaves no other rows in sight.
    pub fn show_only(&mut self, filter: Filter) {
        if let Some(derivation) = &mut self.derived {
            Arc::make_mut(&mut Arc::make_mut(derivation).read).filter = filter.clone();
        }
        self.filter = filter;
    }

    pub fn domains(&self) -> Vec<Domain> {
        self.columns.iter().map(|column| column.domain).collect()
    }
}

/// The order in which both sides walk the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrder {
    /// The columns' own order, which the key's index serves.
    Native,
    /// Texts byte by byte, whatever their collation; other types by value.
    Bytewise,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_exactly_or_by_the_only_one_alike() {
        let find = |names: &[&str], name| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            find_name(&names, name, |n| n).cloned()
        };
        assert_eq!(find(&["artist", "Artist"], "Artist").as_deref(), Some("Artist"));
        assert_eq!(find(&["artist"], "Artist").as_deref(), Some("artist"));
        assert_eq!(find(&["artist", "ARTIST"], "Artist"), None);
    }
}
