//! Which rows of a table take part. Rows outside are neither seen nor touched.

/// Conditions that all have to hold; none: every row takes part. What is neither true nor false does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    pub terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// In the store's own SQL, as the user wrote it.
    Sql(String),
    /// The column holds one of these texts, byte by byte.
    OneOf { column: String, values: Vec<String> },
}

impl Filter {
    pub const ALL: Filter = Filter { terms: Vec::new() };

    pub fn is_all(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether what holds may depend on this column. Where a text could be its name, it is taken for it.
    pub fn mentions(&self, column: &str) -> bool {
        let name = column.to_lowercase();
        self.terms.iter().any(|term| match term {
            Term::Sql(text) => {
                let text = text.to_lowercase();
                text.contains(&name) || text.contains(&name.replace('"', "\"\""))
            }
            Term::OneOf { column, .. } => column.to_lowercase() == name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_mentioned_whatever_its_case_and_quotes() {
        let sql = |text: &str| Filter { terms: vec![Term::Sql(text.into())] };
        assert!(sql("Status = 'a'").mentions("status"));
        assert!(sql("\"a\"\"b\" > 1").mentions("a\"b"));
        assert!(!sql("kind = 1").mentions("status"));
        assert!(Filter { terms: vec![Term::OneOf { column: "Kind".into(), values: vec![] }] }.mentions("kind"));
        assert!(!Filter::ALL.mentions("kind"));
    }
}
