//! Which kind of values a column of SQLite prefers, by its declaration.

/// "Datatypes In SQLite", section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    Integer,
    Text,
    /// Kept as it is; SQLite's name is BLOB.
    None,
    Real,
    Numeric,
}

impl Affinity {
    /// Of a column with this declared type.
    pub fn of(declared: &str) -> Affinity {
        let declared = declared.to_ascii_uppercase();
        let says = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if says(&["INT"]) {
            Affinity::Integer
        } else if says(&["CHAR", "CLOB", "TEXT"]) {
            Affinity::Text
        } else if declared.is_empty() || says(&["BLOB"]) {
            Affinity::None
        } else if says(&["REAL", "FLOA", "DOUB"]) {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }

    /// Whether texts that look like numbers become numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, Affinity::Integer | Affinity::Real | Affinity::Numeric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_have_the_affinity_that_sqlite_documents() {
        let check = |declared, affinity| assert_eq!(Affinity::of(declared), affinity, "{declared}");
        check("INTEGER", Affinity::Integer);
        check("unsigned big int", Affinity::Integer);
        check("INTERVAL", Affinity::Integer);
        check("NVARCHAR(160)", Affinity::Text);
        check("DECIMAL BLOB(30,10)", Affinity::None);
        check("", Affinity::None);
        check("double precision", Affinity::Real);
        check("NUMERIC(10,2)", Affinity::Numeric);
        check("UUID", Affinity::Numeric);
    }
}
