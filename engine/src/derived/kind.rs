//! What kind of column holds what an expression makes, for a table that is still to be made.

use serde_json::Value as Json;

use super::{Expression, Operand};
use crate::schema::{Column, DataType, Filled, TableSchema};

impl Expression<Operand> {
    /// A column called `name` for what this makes of the rows of `source`.
    pub fn column(&self, name: &str, source: &TableSchema) -> Column {
        let (data_type, declared) = self.kind(source);
        let (filled, has_default) = (Filled::ByWriter, false);
        Column { name: name.to_owned(), data_type, declared, nullable: true, filled, collation: None, has_default }
    }

    /// With how the source declares it, where it does. What is put together or read by SQL is a text.
    fn kind(&self, source: &TableSchema) -> (DataType, String) {
        let of_its_own = |data_type| (data_type, String::new());
        match self {
            Expression::Read(Operand::Column(name)) => match source.column(name) {
                Some(column) => (column.data_type.clone(), column.declared.clone()),
                None => of_its_own(TEXT),
            },
            Expression::Constant(Json::Bool(_)) => of_its_own(DataType::Bool),
            Expression::Constant(Json::Number(number)) if number.is_i64() => of_its_own(DataType::Int { bits: 64 }),
            Expression::Constant(Json::Number(_)) => of_its_own(DataType::Decimal { precision: None, scale: None }),
            Expression::Constant(Json::Array(_) | Json::Object(_)) => of_its_own(DataType::Json),
            Expression::Coalesce(several) => {
                several.iter().map(|one| one.kind(source)).reduce(common).unwrap_or_else(|| of_its_own(TEXT))
            }
            _ => of_its_own(TEXT),
        }
    }
}

const TEXT: DataType = DataType::Text { max_chars: None };

/// What holds values of both.
fn common(a: (DataType, String), b: (DataType, String)) -> (DataType, String) {
    match (&a.0, &b.0) {
        (DataType::Int { .. }, DataType::Int { .. }) if a != b => (DataType::Int { bits: 64 }, String::new()),
        _ if a == b => a,
        _ => (TEXT, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::testing::{column, table};
    use serde_json::json;

    #[test]
    fn a_column_is_of_the_kind_that_holds_what_is_made() {
        let int = DataType::Int { bits: 32 };
        let source = table(vec![
            column("id", DataType::Uuid, "uuid"),
            column("n", int.clone(), "integer"),
            column("m", int.clone(), "integer"),
        ]);
        let check = |typed: Json, expected: (DataType, &str)| {
            let made = Expression::parse(&typed).unwrap().column("made", &source);
            assert_eq!((made.name.as_str(), made.nullable), ("made", true));
            assert_eq!((made.data_type, made.declared.as_str()), expected, "{typed}");
        };
        check(json!("ID"), (DataType::Uuid, "uuid"));
        check(json!({ "coalesce": ["n", "m"] }), (int, "integer"));
        check(json!({ "coalesce": ["n", { "constant": 0 }] }), (DataType::Int { bits: 64 }, ""));
        check(json!({ "coalesce": ["n", { "constant": "none" }] }), (TEXT, ""));
        check(json!({ "constant": 1.5 }), (DataType::Decimal { precision: None, scale: None }, ""));
        check(json!({ "constant": true }), (DataType::Bool, ""));
        check(json!({ "constant": null }), (TEXT, ""));
        check(json!({ "concat": ["n", "m"] }), (TEXT, ""));
        check(json!({ "sql": "n + m" }), (TEXT, ""));
    }
}
