//! Values for columns that only the target has.

use serde_json::Value as Typed;

use super::PairOptions;
use super::columns::Matched;
use crate::schema::{Filled, Given, TableSchema, find_name};
use crate::value::Value;

/// What rows get that are added, and the names of columns for which there is a value that nobody needs.
pub(super) fn given(target: &TableSchema, columns: &[Matched], options: &PairOptions) -> (Vec<Given>, Vec<String>) {
    let (mut given, mut unused) = (Vec::new(), Vec::new());
    for (name, typed) in &options.default_values {
        let column = find_name(&target.columns, name, |column| &column.name);
        let is_taken = |name: &str| columns.iter().any(|(_, taken)| taken.name == name);
        match column.filter(|column| !is_taken(&column.name) && column.filled != Filled::ByExpression) {
            Some(column) => given.push(Given { column: column.clone(), value: meant(typed) }),
            // One that the source has is filled where the source has NULL.
            None if column.is_some_and(|column| !column.nullable) => {}
            None => unused.push(name.clone()),
        }
    }
    (given, unused)
}

fn meant(typed: &Typed) -> Value {
    match typed {
        Typed::Null => Value::Null,
        Typed::Bool(yes) => Value::Bool(*yes),
        Typed::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Decimal(number.to_string()),
        },
        Typed::String(text) => Value::Text(text.clone()),
        Typed::Array(_) | Typed::Object(_) => Value::Json(typed.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::testing::{column, int_table, lay};
    use crate::schema::{Column, DataType};

    #[test]
    fn a_column_that_only_the_target_has_is_given_a_value() {
        let mut target = int_table();
        target.columns.push(Column { nullable: false, ..column("State", DataType::Text { max_chars: None }, "text") });
        let defaults = [("state", Typed::from("new")), ("name", Typed::from("x")), ("nobody", Typed::from(1))];
        let default_values = defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let options = PairOptions { default_values, ..PairOptions::default() };
        let pair = lay(&int_table(), &target, &options).unwrap();
        assert_eq!(pair.target.given, [Given { column: target.columns[2].clone(), value: Value::Text("new".into()) }]);
        assert!(pair.source.given.is_empty() && !pair.raw);
        assert_eq!(
            pair.notes,
            [
                "target columns that get a value from `default_values`: State",
                "`default_values` that no column needs: name, nobody"
            ]
        );
    }
}
