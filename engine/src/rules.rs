//! What a table has beside columns and key: defaults, checks, indexes, comments. Only read to make another table like it.
//!
//! Defaults and plain indexes mean the same everywhere. Everything else is in the words of its own engine, and goes to a
//! store of the same engine alone; to others it is told as left behind.

mod condition;
mod own_type;

pub use condition::{Condition, Sign, Term};
pub use own_type::{ColumnType, OwnType, Word, Words, not_carried as not_carried_type};

use crate::schema::ForeignKey;

/// Instead of a name.
const NAMELESS: &str = "without a name";

/// The rules of a table. Columns are told by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableRules {
    /// Whose words they are; empty where there are none.
    pub engine: &'static str,
    pub defaults: Vec<Default>,
    pub generated: Vec<Generated>,
    pub checks: Vec<Check>,
    pub indexes: Vec<Index>,
    /// Of columns; only read by the engine that has such things.
    pub domains: Vec<ColumnDomain>,
    /// Of columns, where they are made of types of somebody's own, but for domains and enums themselves.
    pub types: Vec<ColumnType>,
    /// Of columns, where it is not what their types have anyway.
    pub collations: Vec<ColumnCollation>,
    /// All of the table at once, where the engine keeps the statement that made it.
    pub definition: Option<Definition>,
    pub comment: Option<String>,
    pub column_comments: Vec<(String, String)>,
    /// What could not be carried over, for a person.
    pub left_behind: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Default {
    pub column: String,
    pub value: DefaultValue,
}

#[derive(Clone, Debug, PartialEq)]
pub enum DefaultValue {
    Number(String),
    Text(String),
    Bool(bool),
    /// The moment of the insert.
    Now,
    /// Anything else, in the engine's own words.
    Expression(String),
}

/// A column that the database computes.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    pub column: String,
    pub declared: String,
    pub expression: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: Option<String>,
    /// The condition in the engine's own words, without the word in front of it; empty where only its meaning is known.
    pub condition: String,
    /// What it asks of a row, where that is the same everywhere.
    pub meaning: Option<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    pub name: String,
    pub unique: bool,
    /// Columns in their order, and whether they are sorted downwards; `None` where that does not say all: an expression,
    /// a condition, a method of its own.
    pub columns: Option<Vec<(String, bool)>>,
    /// What stands behind the table's name, in the engine's own words.
    pub words: String,
    /// The constraint that it is the index of, in the engine's own words.
    pub constraint: Option<String>,
}

/// A named type of the source's own over a base type, with limits.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDomain {
    pub column: String,
    pub name: String,
    /// As the engine spells it, which is how the column is declared.
    pub base: String,
    /// Schema and name.
    pub collation: Option<(String, String)>,
    pub not_null: bool,
    pub default: Option<String>,
    /// Names, and the words with `CHECK` in front.
    pub checks: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ColumnCollation {
    pub column: String,
    /// The parts of its name.
    pub name: Vec<String>,
}

impl ColumnCollation {
    /// What every engine does by itself.
    fn is_by_bytes(&self) -> bool {
        self.name.last().is_some_and(|name| ["C", "POSIX", "BINARY"].contains(&name.as_str()))
    }

    pub fn not_carried(&self) -> String {
        format!("the collation {} of column {} is not carried over", self.name.join("."), self.column)
    }
}

/// The statement that made a table, behind the table's name. It says all but the indexes that have names.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub words: String,
    pub foreign_keys: Vec<ForeignKey>,
    /// What it says of the table as a whole, for a person who has to go without.
    pub options: Vec<String>,
}

/// What is told of a domain whose column is made of the base type.
pub fn not_carried(domain: &str, column: &str) -> String {
    format!("the domain {domain} of column {column} is not carried over: it is made as its base type")
}

/// How much of a table one that is made like it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Columns are left out, or have other names.
    Part,
    /// All columns under their names, so that an expression may name any of them.
    Columns,
    /// The same columns, no others, and the same key.
    Table,
}

impl TableRules {
    pub fn is_empty(&self) -> bool {
        let TableRules { defaults, generated, checks, indexes, domains, types, comment, column_comments, .. } = self;
        defaults.is_empty()
            && generated.is_empty()
            && checks.is_empty()
            && indexes.is_empty()
            && domains.is_empty()
            && types.is_empty()
            && self.collations.is_empty()
            && self.definition.is_none()
            && comment.is_none()
            && column_comments.is_empty()
    }

    /// The rules for a table of `engine` whose columns have other names, or are not there where `renamed` says none. What
    /// that table cannot have is left behind. An index on nothing but `key` would be there twice.
    ///
    pub fn carried(
        &self,
        engine: &str,
        kept: Kept,
        key: &[String],
        renamed: impl Fn(&str) -> Option<String>,
    ) -> TableRules {
        let mut carried = TableRules {
            engine: self.engine,
            comment: self.comment.clone(),
            left_behind: self.left_behind.clone(),
            ..TableRules::default()
        };
        let speaks_the_same = self.engine == engine;
        let words_hold = speaks_the_same && kept != Kept::Part;
        for default in &self.defaults {
            let Some(column) = renamed(&default.column) else { continue };
            match &default.value {
                DefaultValue::Expression(words) if !speaks_the_same => carried.leave("default", &column, words),
                value => carried.defaults.push(Default { column, value: value.clone() }),
            }
        }
        for generated in &self.generated {
            match words_hold {
                true => carried.generated.push(generated.clone()),
                false => carried.leave("computed column", &generated.column, &generated.expression),
            }
        }
        for check in &self.checks {
            let meaning = check.meaning.as_ref().and_then(|meaning| meaning.renamed(&renamed));
            match (words_hold, meaning) {
                (true, _) => carried.checks.push(check.clone()),
                (false, Some(meaning)) => {
                    carried.checks.push(Check { condition: String::new(), meaning: Some(meaning), ..check.clone() })
                }
                (false, None) => carried.leave("check", check.name.as_deref().unwrap_or(NAMELESS), &check.condition),
            }
        }
        carried.definition = self.definition.clone().filter(|_| speaks_the_same && kept == Kept::Table);
        for index in &self.indexes {
            // Nor is one that has no name there twice where the definition says it.
            let is_said = |index: &Index| match &carried.definition {
                Some(_) => index.name.is_empty(),
                None => index.is_key(key),
            };
            match carry(index, words_hold, &renamed) {
                Some(index) if is_said(&index) => {}
                Some(index) => carried.indexes.push(index),
                None => carried.leave(
                    "index",
                    Some(&index.name).filter(|name| !name.is_empty()).map_or(NAMELESS, String::as_str),
                    &index.words,
                ),
            }
        }
        for domain in &self.domains {
            match renamed(&domain.column) {
                Some(column) if speaks_the_same => carried.domains.push(ColumnDomain { column, ..domain.clone() }),
                _ => carried.left_behind.push(not_carried(&domain.name, &domain.column)),
            }
        }
        for wished in &self.types {
            match renamed(&wished.column) {
                Some(column) if speaks_the_same => carried.types.push(ColumnType { column, ..wished.clone() }),
                Some(_) => carried.left_behind.push(wished.not_carried()),
                None => {}
            }
        }
        for collation in &self.collations {
            match renamed(&collation.column) {
                Some(column) if speaks_the_same => {
                    carried.collations.push(ColumnCollation { column, ..collation.clone() })
                }
                Some(_) if !collation.is_by_bytes() => carried.left_behind.push(collation.not_carried()),
                _ => {}
            }
        }
        let options = self.definition.iter().flat_map(|definition| &definition.options);
        let lost = options.filter(|_| speaks_the_same && carried.definition.is_none());
        carried.left_behind.extend(lost.map(|option| format!("{option} of the source's table is not carried over")));
        let comments = self.column_comments.iter();
        carried.column_comments = comments.filter_map(|(name, text)| Some((renamed(name)?, text.clone()))).collect();
        carried
    }

    fn leave(&mut self, what: &str, name: &str, words: &str) {
        self.left_behind.push(format!("{what} {name} of the source is not carried over: {words}"));
    }
}

/// The index under the new names; in its own words where it has no plain columns.
fn carry(index: &Index, words_hold: bool, renamed: impl Fn(&str) -> Option<String>) -> Option<Index> {
    let Some(columns) = &index.columns else { return words_hold.then(|| index.clone()) };
    let columns: Option<Vec<(String, bool)>> =
        columns.iter().map(|(name, downwards)| Some((renamed(name)?, *downwards))).collect();
    let constraint = index.constraint.clone().filter(|_| words_hold);
    Some(Index { columns: Some(columns?), constraint, ..index.clone() })
}

impl Index {
    fn is_key(&self, key: &[String]) -> bool {
        let columns = self.columns.as_deref().unwrap_or_default();
        columns.len() == key.len() && columns.iter().zip(key).all(|((name, downwards), key)| name == key && !downwards)
    }
}

/// What an engine's own words for a default say, where they are one of the plain ones that all engines know. `cast` takes
/// off what stands behind a literal to name its type.
pub fn plain_default(words: &str, cast: impl Fn(&str) -> &str) -> Option<DefaultValue> {
    let mut bare = cast(words.trim()).trim();
    while let Some(inside) = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        bare = cast(inside.trim()).trim();
    }
    if let Some(text) = bare.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        let is_one_literal = !text.replace("''", "").contains('\'');
        return is_one_literal.then(|| DefaultValue::Text(text.replace("''", "'")));
    }
    let is_now = ["CURRENT_TIMESTAMP", "now()"].iter().any(|now| bare.eq_ignore_ascii_case(now));
    let digits = bare.strip_prefix(['-', '+']).unwrap_or(bare);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.matches('.').count() <= 1;
    match bare {
        _ if is_now => Some(DefaultValue::Now),
        _ if is_number => Some(DefaultValue::Number(bare.to_owned())),
        _ if bare.eq_ignore_ascii_case("true") => Some(DefaultValue::Bool(true)),
        _ if bare.eq_ignore_ascii_case("false") => Some(DefaultValue::Bool(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> TableRules {
        let default = |column: &str, value| Default { column: column.into(), value };
        let index = |name: &str, columns: Option<&[&str]>| Index {
            name: name.into(),
            unique: false,
            columns: columns.map(|names| names.iter().map(|name| ((*name).to_owned(), false)).collect()),
            words: format!("({name})"),
            constraint: None,
        };
        TableRules {
            engine: "a",
            defaults: vec![
                default("n", DefaultValue::Number("1".into())),
                default("e", DefaultValue::Expression("f()".into())),
            ],
            checks: vec![Check { name: Some("positive".into()), condition: "n > 0".into(), meaning: None }],
            indexes: vec![index("by_n", Some(&["n"])), index("by_f", None), index("key", Some(&["id"]))],
            comment: Some("c".into()),
            column_comments: vec![("n".into(), "number".into())],
            ..TableRules::default()
        }
    }

    fn key() -> [String; 1] {
        ["id".to_owned()]
    }

    #[test]
    fn the_same_engine_gets_every_rule_but_an_index_on_the_key() {
        let carried = rules().carried("a", Kept::Columns, &key(), |name| Some(name.to_owned()));
        assert_eq!(carried.left_behind, Vec::<String>::new());
        let names: Vec<&str> = carried.indexes.iter().map(|index| index.name.as_str()).collect();
        assert_eq!((names, carried.defaults.len(), carried.checks.len()), (vec!["by_n", "by_f"], 2, 1));
    }

    #[test]
    fn another_engine_gets_what_means_the_same_there_and_the_rest_is_told() {
        let carried = rules().carried("b", Kept::Columns, &key(), |name| Some(name.to_owned()));
        assert_eq!((carried.defaults.len(), carried.indexes.len(), carried.checks.len()), (1, 1, 0));
        let told = carried.left_behind.join("\n");
        assert!(["default e", "check positive", "index by_f"].iter().all(|what| told.contains(what)), "{told}");
    }

    #[test]
    fn columns_under_other_names_take_their_plain_rules_along() {
        let carried = rules().carried("a", Kept::Part, &key(), |name| (name != "e").then(|| format!("{name}_")));
        assert_eq!(carried.defaults[0].column, "n_");
        assert_eq!(carried.indexes[0].columns, Some(vec![("n_".to_owned(), false)]));
        assert_eq!(carried.column_comments, [("n_".to_owned(), "number".to_owned())]);
        assert!(carried.checks.is_empty() && carried.left_behind.iter().any(|told| told.contains("check")));
    }

    #[test]
    fn plain_defaults_are_told_from_expressions() {
        let check = |words: &str, expected: Option<DefaultValue>| {
            assert_eq!(plain_default(words, |word| word.split("::").next().unwrap_or(word)), expected, "{words}");
        };
        check("'it''s'::text", Some(DefaultValue::Text("it's".into())));
        check("0", Some(DefaultValue::Number("0".into())));
        check("(-1.50)", Some(DefaultValue::Number("-1.50".into())));
        check("now()", Some(DefaultValue::Now));
        check("CURRENT_TIMESTAMP", Some(DefaultValue::Now));
        check("false", Some(DefaultValue::Bool(false)));
        check("nextval('s'", None);
        check("'a' || 'b'", None);
        check("1 + 1", None);
    }
}
