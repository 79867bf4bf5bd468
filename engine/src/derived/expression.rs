//! What a column is made of, as it is typed and as it is worked out.

use serde_json::Value as Json;

use super::worth::{meant, text_of};
use crate::value::{Value, ValueRef};

/// A value made of those of one row. `C` is how it refers to them: by what was typed, or by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression<C> {
    Read(C),
    Constant(Json),
    /// Without the white space at both ends.
    Trim(Box<Expression<C>>),
    Lower(Box<Expression<C>>),
    Upper(Box<Expression<C>>),
    /// NULL where one of them is.
    Concat(Vec<Expression<C>>),
    /// The first that is not NULL.
    Coalesce(Vec<Expression<C>>),
    /// What a JSON document holds under these names and numbers.
    Json(Box<Expression<C>>, Vec<String>),
}

/// What the source has to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    Column(String),
    /// In the source's own SQL, read as text.
    Sql(String),
}

/// What may stand in an object, for messages.
const FORMS: &str = "a column of the source, or one of { \"trim\": X }, { \"lower\": X }, { \"upper\": X }, \
    { \"concat\": [X, ...] }, { \"coalesce\": [X, ...] }, { \"json\": X, \"path\": \"a.b.0\" }, { \"constant\": VALUE }, \
    { \"sql\": TEXT }";

impl Expression<Operand> {
    /// # Errors
    /// When it is none; what could stand there instead.
    pub fn parse(typed: &Json) -> Result<Expression<Operand>, String> {
        let wrong = || Err(format!("expected {FORMS}"));
        let members = match typed {
            Json::String(name) if !name.is_empty() => return Ok(Expression::Read(Operand::Column(name.clone()))),
            Json::Object(members) => members,
            _ => return wrong(),
        };
        let one = |typed: &Json| Expression::parse(typed).map(Box::new);
        let path = members.get("path");
        let rest: Vec<(&str, &Json)> =
            members.iter().filter(|(name, _)| *name != "path").map(|(name, typed)| (name.as_str(), typed)).collect();
        match (rest.as_slice(), path) {
            ([("json", typed)], Some(Json::String(path))) => Ok(Expression::Json(one(typed)?, steps(path))),
            ([("trim", typed)], None) => Ok(Expression::Trim(one(typed)?)),
            ([("lower", typed)], None) => Ok(Expression::Lower(one(typed)?)),
            ([("upper", typed)], None) => Ok(Expression::Upper(one(typed)?)),
            ([("concat", Json::Array(several))], None) if !several.is_empty() => {
                several.iter().map(Expression::parse).collect::<Result<_, _>>().map(Expression::Concat)
            }
            ([("coalesce", Json::Array(several))], None) if !several.is_empty() => {
                several.iter().map(Expression::parse).collect::<Result<_, _>>().map(Expression::Coalesce)
            }
            ([("constant", value)], None) => Ok(Expression::Constant((*value).clone())),
            ([("sql", Json::String(text))], None) if !text.trim().is_empty() => {
                Ok(Expression::Read(Operand::Sql(text.clone())))
            }
            _ => wrong(),
        }
    }

    /// All that the source has to be asked for.
    pub fn operands(&self) -> Vec<&Operand> {
        match self {
            Expression::Read(operand) => vec![operand],
            Expression::Constant(_) => Vec::new(),
            Expression::Trim(of) | Expression::Lower(of) | Expression::Upper(of) | Expression::Json(of, _) => {
                of.operands()
            }
            Expression::Concat(several) | Expression::Coalesce(several) => {
                several.iter().flat_map(Expression::operands).collect()
            }
        }
    }

    /// The same with the places of what it refers to.
    pub fn placed(&self, place: &impl Fn(&Operand) -> usize) -> Expression<usize> {
        let one = |of: &Expression<Operand>| Box::new(of.placed(place));
        let all = |several: &[Expression<Operand>]| several.iter().map(|of| of.placed(place)).collect();
        match self {
            Expression::Read(operand) => Expression::Read(place(operand)),
            Expression::Constant(value) => Expression::Constant(value.clone()),
            Expression::Trim(of) => Expression::Trim(one(of)),
            Expression::Lower(of) => Expression::Lower(one(of)),
            Expression::Upper(of) => Expression::Upper(one(of)),
            Expression::Json(of, path) => Expression::Json(one(of), path.clone()),
            Expression::Concat(several) => Expression::Concat(all(several)),
            Expression::Coalesce(several) => Expression::Coalesce(all(several)),
        }
    }
}

/// `$.a.b.0`, with or without its beginning.
fn steps(path: &str) -> Vec<String> {
    let path = path.strip_prefix('$').unwrap_or(path);
    path.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect()
}

impl Expression<usize> {
    pub(super) fn value(&self, read: &[ValueRef<'_>]) -> Value {
        let changed = |of: &Expression<usize>, change: fn(&str) -> String| {
            text_of(&of.value(read)).map_or(Value::Null, |text| Value::Text(change(&text)))
        };
        match self {
            Expression::Read(place) => read[*place].to_value(),
            Expression::Constant(typed) => meant(typed),
            Expression::Trim(of) => changed(of, |text| text.trim().to_owned()),
            Expression::Lower(of) => changed(of, str::to_lowercase),
            Expression::Upper(of) => changed(of, str::to_uppercase),
            Expression::Concat(several) => {
                let texts: Option<String> = several.iter().map(|of| text_of(&of.value(read))).collect();
                texts.map_or(Value::Null, Value::Text)
            }
            Expression::Coalesce(several) => {
                several.iter().map(|of| of.value(read)).find(|value| *value != Value::Null).unwrap_or(Value::Null)
            }
            Expression::Json(of, path) => {
                let document = text_of(&of.value(read)).and_then(|text| serde_json::from_str::<Json>(&text).ok());
                document.and_then(|document| Some(meant(under(&document, path)?))).unwrap_or(Value::Null)
            }
        }
    }
}

fn under<'a>(document: &'a Json, path: &[String]) -> Option<&'a Json> {
    path.iter().try_fold(document, |inside, step| match inside {
        Json::Object(members) => members.get(step),
        Json::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ROW: [(&str, ValueRef<'static>); 5] = [
        ("name", ValueRef::Text("  Ana SSen ")),
        ("none", ValueRef::Null),
        ("number", ValueRef::Int(7)),
        ("doc", ValueRef::Json(r#"{"a": {"b": [10, "x", 1.50, {"c": null}]}, "t": true}"#)),
        ("flag", ValueRef::Bool(true)),
    ];

    fn check(typed: Json, expected: Value) {
        let place = |operand: &Operand| match operand {
            Operand::Column(name) => ROW.iter().position(|(known, _)| known == name).unwrap(),
            Operand::Sql(_) => unreachable!("no SQL in these"),
        };
        let expression = Expression::parse(&typed).unwrap().placed(&place);
        assert_eq!(expression.value(&ROW.map(|(_, value)| value)), expected, "{typed}");
    }

    #[test]
    fn expressions_mean_what_their_names_say() {
        let text = |text: &str| Value::Text(text.to_owned());
        check(json!({"trim": "name"}), text("Ana SSen"));
        check(json!({"upper": {"trim": "name"}}), text("ANA SSEN"));
        check(json!({"lower": {"trim": "name"}}), text("ana ssen"));
        check(json!({"trim": "none"}), Value::Null);
        check(json!({"constant": 5}), Value::Int(5));
        check(json!({"concat": [{"trim": "name"}, {"constant": "/"}, "number", "flag"]}), text("Ana SSen/7true"));
        check(json!({"concat": ["name", "none"]}), Value::Null);
        check(json!({"coalesce": ["none", "number"]}), Value::Int(7));
        check(json!({"json": "doc", "path": "a.b.0"}), Value::Int(10));
        check(json!({"json": "doc", "path": "$.a.b.1"}), text("x"));
        check(json!({"json": "doc", "path": "a.b.2"}), Value::Decimal("1.50".into()));
        check(json!({"json": "doc", "path": "a.b.3"}), Value::Json(r#"{"c":null}"#.into()));
        check(json!({"json": "doc", "path": "a.b.3.c"}), Value::Null);
        check(json!({"json": "doc", "path": "a.z"}), Value::Null);
        check(json!({"json": "number", "path": "a"}), Value::Null);
        check(json!({"json": "doc", "path": "t"}), Value::Bool(true));
    }

    #[test]
    fn what_is_no_expression_is_told_with_what_could_be() {
        for typed in [
            json!(5),
            json!(""),
            json!({}),
            json!({"trimm": "a"}),
            json!({"trim": "a", "lower": "b"}),
            json!({"trim": 5}),
            json!({"concat": "a"}),
            json!({"concat": []}),
            json!({"json": "a"}),
            json!({"trim": "a", "path": "b"}),
            json!({"sql": " "}),
        ] {
            let refused = Expression::parse(&typed).unwrap_err();
            assert!(refused.contains("\"trim\""), "{typed}: {refused}");
        }
    }
}
