//! What a store cannot keep of a table that it is asked to make: names that are too long or too much alike, and more
//! columns than it has room for. Told before anything is made, since some engines cut long names in silence.

use std::collections::BTreeMap;

use crate::pair::Mismatch;
use crate::schema::TableSchema;

/// What a store can make, to be looked at before it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLimits {
    /// The longest name; what is longer would be cut.
    pub name_bytes: usize,
    pub columns: usize,
    /// Which names are one.
    pub names: NameRule,
    /// Names of columns that every table has by itself.
    pub own_columns: &'static [&'static str],
}

/// Which names a store takes for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// Those that are equal byte by byte.
    Exact,
    /// Those that differ in nothing but the case of the letters A to Z.
    AnyCase,
}

impl NameRule {
    /// Equal for names that are one.
    pub fn folded(self, name: &str) -> String {
        match self {
            NameRule::Exact => name.to_owned(),
            NameRule::AnyCase => name.to_ascii_lowercase(),
        }
    }
}

impl TableLimits {
    /// Names and columns without end, each name as it is.
    pub const NONE: TableLimits =
        TableLimits { name_bytes: usize::MAX, columns: usize::MAX, names: NameRule::Exact, own_columns: &[] };

    /// # Errors
    /// When the store cannot make this table as it is asked for.
    pub fn check(&self, wished: &TableSchema) -> Result<(), Mismatch> {
        if wished.columns.is_empty() {
            let message = format!("table {} has no columns", wished.name);
            return Err(Mismatch { message, remedy: NOTHING.into() });
        }
        let names = || wished.columns.iter().map(|column| column.name.as_str());
        if wished.columns.len() > self.columns {
            let message = format!("table {} has {} columns", wished.name, wished.columns.len());
            return self.refuse(message, format!("a table of the target has at most {}", self.columns), FEWER);
        }
        if let Some(long) = [wished.name.name.as_str()].into_iter().chain(names()).find(|name| self.cuts(name)) {
            let rule = format!("the target cuts names behind {} bytes", self.name_bytes);
            return self.refuse(format!("the name {long} has {} bytes", long.len()), rule, SHORTER);
        }
        if let Some(own) = names().find(|name| self.own_columns.contains(name)) {
            let rule = "every table of the target has one of this name by itself".to_owned();
            return self.refuse(format!("table {} has the column {own}", wished.name), rule, OTHER_OR_NONE);
        }
        let mut seen = BTreeMap::new();
        let twice = names().find_map(|name| Some((seen.insert(self.names.folded(name), name)?, name)));
        match twice {
            Some((first, second)) => self.refuse(
                format!("table {} has the columns {first} and {second}", wished.name),
                "the target takes these names for one".into(),
                OTHER,
            ),
            None => Ok(()),
        }
    }

    fn cuts(&self, name: &str) -> bool {
        name.len() > self.name_bytes
    }

    fn refuse(&self, what: String, rule: String, remedy: &str) -> Result<(), Mismatch> {
        Err(Mismatch { message: format!("{what}, and {rule}"), remedy: remedy.into() })
    }
}

const NOTHING: &str = "leave it out of `tables`: its rows hold nothing that could be kept equal";
const FEWER: &str = "leave some out with `exclude_fields`, or spread them over several tables by `fields`";
const SHORTER: &str = "give it a shorter one: `target` names a table, `field_mapping` a column";
const OTHER_OR_NONE: &str = "give it another name with `field_mapping`, or leave it out with `exclude_fields`";
const OTHER: &str = "give one of them another name with `field_mapping`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::testing::{column, table};
    use crate::schema::{DataType, TableName};

    fn refused(limits: TableLimits, names: &[&str]) -> Option<String> {
        let columns = names.iter().map(|name| column(name, DataType::Bool, "boolean")).collect();
        limits.check(&table(columns)).err().map(|mismatch| mismatch.to_string())
    }

    #[test]
    fn what_would_be_cut_is_refused_and_what_just_fits_is_not() {
        let limits = TableLimits { name_bytes: 4, ..TableLimits::NONE };
        assert_eq!(refused(limits, &["four", "äb"]), None);
        assert!(refused(limits, &["four", "äöü"]).unwrap().contains("the name äöü has 6 bytes"));
        let named = TableSchema { name: TableName::in_schema("a_long_schema", "table"), ..table(vec![]) };
        let named = TableSchema { columns: vec![column("a", DataType::Bool, "boolean")], ..named };
        assert!(limits.check(&named).unwrap_err().message.contains("the name table has 5 bytes"));
    }

    #[test]
    fn names_that_are_one_to_the_store_are_refused() {
        let any_case = TableLimits { names: NameRule::AnyCase, ..TableLimits::NONE };
        assert!(refused(any_case, &["a", "b", "A"]).unwrap().contains("the columns a and A"));
        assert_eq!(refused(any_case, &["ä", "Ä"]), None);
        assert_eq!(refused(TableLimits::NONE, &["a", "A"]), None);
    }

    #[test]
    fn a_column_that_every_table_has_by_itself_is_refused() {
        let limits = TableLimits { own_columns: &["xmin"], ..TableLimits::NONE };
        assert!(refused(limits, &["a", "xmin"]).unwrap().contains("the column xmin"));
        assert_eq!(refused(limits, &["XMIN", "xmin "]), None);
    }

    #[test]
    fn a_table_without_columns_is_refused() {
        assert!(refused(TableLimits::NONE, &[]).unwrap().contains("has no columns"));
    }

    #[test]
    fn columns_beyond_the_last_are_refused() {
        let two = TableLimits { columns: 2, ..TableLimits::NONE };
        assert_eq!(refused(two, &["a", "b"]), None);
        assert!(refused(two, &["a", "b", "c"]).unwrap().contains("at most 2"));
    }
}
