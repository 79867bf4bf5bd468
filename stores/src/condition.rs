//! Checks that mean the same in every engine: read from an engine's own words, and spelled for another one.
//!
//! Whatever is not surely the same is not understood, and so left behind: texts that are sorted, dates, decimals of more
//! digits than SQLite's numbers keep, functions.

use rowsync_engine::rules::{Check, Condition, Sign, Term};
use rowsync_engine::schema::{Column, DataType, find_name};
use sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value};
use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

/// Digits that a number keeps everywhere.
const DIGITS_KEPT: u32 = 15;

/// What the words ask of a row of these columns; `None` where that is not surely the same elsewhere.
pub fn meaning(words: &str, dialect: &dyn Dialect, columns: &[Column]) -> Option<Condition> {
    let mut parser = Parser::new(dialect).try_with_sql(words).ok()?;
    let condition = parser.parse_expr().ok()?;
    (parser.peek_token().token == Token::EOF).then_some(())?;
    Reading { columns }.condition(&condition)
}

/// The condition of a check in parentheses: its own words, or what they mean.
pub fn words(check: &Check) -> String {
    check.meaning.as_ref().filter(|_| check.condition.is_empty()).map_or_else(|| check.condition.clone(), spelled)
}

fn spelled(condition: &Condition) -> String {
    let joined = |parts: &[Condition], word: &str| parts.iter().map(spelled).collect::<Vec<_>>().join(word);
    let inside = match condition {
        Condition::All(parts) => joined(parts, " AND "),
        Condition::Any(parts) => joined(parts, " OR "),
        Condition::Not(part) => format!("NOT {}", spelled(part)),
        Condition::Compared(a, sign, b) => format!("{} {} {}", term(a), sign.spelled(), term(b)),
        Condition::OneOf(a, values) => {
            format!("{} IN ({})", term(a), values.iter().map(term).collect::<Vec<_>>().join(", "))
        }
        Condition::IsNull(column) => format!("{} IS NULL", quoted(column)),
    };
    format!("({inside})")
}

fn term(term: &Term) -> String {
    match term {
        Term::Column(name) => quoted(name),
        Term::Length(name) => format!("length({})", quoted(name)),
        Term::Number(number) => number.clone(),
        Term::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What can be put beside each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
}

struct Reading<'a> {
    columns: &'a [Column],
}

impl Reading<'_> {
    fn condition(&self, words: &Expr) -> Option<Condition> {
        match words {
            Expr::Nested(inside) => self.condition(inside),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Some(Condition::Not(Box::new(self.condition(expr)?))),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                Some(Condition::All(vec![self.condition(left)?, self.condition(right)?]))
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                Some(Condition::Any(vec![self.condition(left)?, self.condition(right)?]))
            }
            Expr::BinaryOp { left, op, right } => self.compared(left, sign(op)?, right),
            Expr::IsNull(column) => Some(Condition::IsNull(self.column(column)?.name.clone())),
            Expr::IsNotNull(column) => {
                Some(Condition::Not(Box::new(Condition::IsNull(self.column(column)?.name.clone()))))
            }
            Expr::Between { expr, negated: false, low, high } => Some(Condition::All(vec![
                self.compared(expr, Sign::GreaterOrEqual, low)?,
                self.compared(expr, Sign::LessOrEqual, high)?,
            ])),
            Expr::InList { expr, list, negated } => {
                let one_of = self.one_of(expr, list)?;
                Some(if *negated { Condition::Not(Box::new(one_of)) } else { one_of })
            }
            // How PostgreSQL keeps IN.
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => self.one_of(left, elements(right)?),
            _ => None,
        }
    }

    fn compared(&self, left: &Expr, sign: Sign, right: &Expr) -> Option<Condition> {
        let ((a, kind), (b, other)) = (self.term(left)?, self.term(right)?);
        let is_literal = |term: &Term| matches!(term, Term::Number(_) | Term::Text(_));
        // Texts are sorted in one way here and in another there.
        let is_sure = kind == other
            && !(is_literal(&a) && is_literal(&b))
            && (kind == Kind::Number || matches!(sign, Sign::Equal | Sign::Unequal));
        is_sure.then_some(Condition::Compared(a, sign, b))
    }

    fn one_of(&self, left: &Expr, values: &[Expr]) -> Option<Condition> {
        let (term, kind) = self.term(left)?;
        let value = |value: &Expr| {
            let (literal, own) = self.term(value)?;
            (own == kind && matches!(literal, Term::Number(_) | Term::Text(_))).then_some(literal)
        };
        Some(Condition::OneOf(term, values.iter().map(value).collect::<Option<_>>()?))
    }

    fn term(&self, words: &Expr) -> Option<(Term, Kind)> {
        match words {
            Expr::Nested(inside) => self.term(inside),
            Expr::Identifier(_) => {
                let column = self.column(words)?;
                Some((Term::Column(column.name.clone()), kind(column)?))
            }
            Expr::Value(value) => literal(&value.value),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.term(expr)? {
                (Term::Number(number), kind) if !number.starts_with('-') => {
                    Some((Term::Number(format!("-{number}")), kind))
                }
                _ => None,
            },
            Expr::Cast { expr, data_type, .. } => self.cast(expr, &data_type.to_string().to_lowercase()),
            Expr::Function(function) => {
                let name = function.name.to_string().to_lowercase();
                let FunctionArguments::List(list) = &function.args else { return None };
                let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_slice() else { return None };
                let is_length = ["length", "char_length", "character_length"].contains(&name.as_str());
                match self.term(argument)? {
                    (Term::Column(column), Kind::Text) if is_length => Some((Term::Length(column), Kind::Number)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A cast that changes nothing: of a text to another kind of text, of a number to one that holds more.
    fn cast(&self, inside: &Expr, to: &str) -> Option<(Term, Kind)> {
        let is_number = ["smallint", "integer", "bigint", "numeric", "double precision"].contains(&to);
        let is_text = to == "text" || to == "character varying";
        match self.term(inside)? {
            (Term::Text(text), _) if is_number => literal(&Value::Number(text, false)),
            (term @ Term::Number(_), kind) if is_number => Some((term, kind)),
            (term @ Term::Column(_), Kind::Number) if to == "numeric" || to == "double precision" => {
                Some((term, Kind::Number))
            }
            (term, Kind::Text) if is_text => Some((term, Kind::Text)),
            _ => None,
        }
    }

    fn column(&self, words: &Expr) -> Option<&Column> {
        match words {
            Expr::Nested(inside) => self.column(inside),
            Expr::Identifier(name) => find_name(self.columns, &name.value, |column| &column.name),
            _ => None,
        }
    }
}

/// What a column holds, where that is compared alike everywhere.
fn kind(column: &Column) -> Option<Kind> {
    let by_bytes =
        |collation: &str| collation.contains('@') && !collation.contains('~') && !collation.starts_with("citext");
    match column.data_type {
        DataType::Int { .. } | DataType::Float { bits: 64 } => Some(Kind::Number),
        DataType::Decimal { precision: Some(..=DIGITS_KEPT), .. } => Some(Kind::Number),
        DataType::Text { .. } if column.collation.as_deref().is_none_or(by_bytes) => Some(Kind::Text),
        _ => None,
    }
}

fn literal(value: &Value) -> Option<(Term, Kind)> {
    match value {
        Value::SingleQuotedString(text) => Some((Term::Text(text.clone()), Kind::Text)),
        Value::Number(number, false) => {
            let digits = number.strip_prefix('-').unwrap_or(number);
            let is_plain = digits.starts_with(|c: char| c.is_ascii_digit())
                && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
                && digits.len() <= DIGITS_KEPT as usize;
            is_plain.then(|| (Term::Number(number.clone()), Kind::Number))
        }
        _ => None,
    }
}

/// The values of `ARRAY[...]`, whatever it is cast to.
fn elements(words: &Expr) -> Option<&[Expr]> {
    match words {
        Expr::Nested(inside) => elements(inside),
        Expr::Cast { expr, .. } => elements(expr),
        Expr::Array(array) => Some(&array.elem),
        _ => None,
    }
}

fn sign(operator: &BinaryOperator) -> Option<Sign> {
    Some(match operator {
        BinaryOperator::Eq => Sign::Equal,
        BinaryOperator::NotEq => Sign::Unequal,
        BinaryOperator::Lt => Sign::Less,
        BinaryOperator::LtEq => Sign::LessOrEqual,
        BinaryOperator::Gt => Sign::Greater,
        BinaryOperator::GtEq => Sign::GreaterOrEqual,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowsync_engine::schema::Filled;
    use sqlparser::dialect::{PostgreSqlDialect, SQLiteDialect};

    fn columns() -> Vec<Column> {
        let column = |name: &str, data_type, collation: Option<&str>| Column {
            name: name.into(),
            declared: String::new(),
            data_type,
            nullable: true,
            filled: Filled::ByWriter,
            collation: collation.map(str::to_owned),
            has_default: false,
        };
        let text = || DataType::Text { max_chars: None };
        vec![
            column("n", DataType::Int { bits: 32 }, None),
            column("price", DataType::Decimal { precision: Some(9), scale: Some(2) }, None),
            column("long", DataType::Decimal { precision: None, scale: None }, None),
            column("State", text(), None),
            column("sorted", text(), Some("C.UTF-8@/libc")),
            column("loose", text(), Some("~und@1/icu")),
            column("nocase", text(), Some("NOCASE")),
            column("day", DataType::Date, None),
        ]
    }

    fn understood(dialect: &dyn Dialect, words: &str) -> Option<String> {
        meaning(words, dialect, &columns()).map(|condition| spelled(&condition))
    }

    #[test]
    fn what_a_server_keeps_is_understood() {
        let check = |words: &str, expected: &str| {
            assert_eq!(understood(&PostgreSqlDialect {}, words).as_deref(), Some(expected), "{words}");
        };
        check("((price > (0)::numeric))", r#"("price" > 0)"#);
        check("((n > '-5'::integer))", r#"("n" > -5)"#);
        check("(((n >= 1) AND (n <= 9)))", r#"(("n" >= 1) AND ("n" <= 9))"#);
        check("(((n)::numeric < price))", r#"("n" < "price")"#);
        check(
            r#"((("State")::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[])))"#,
            r#"("State" IN ('a', 'it''s'))"#,
        );
        check("((length(sorted) > 0))", r#"(length("sorted") > 0)"#);
        check("(((day IS NOT NULL) OR (n = 0)))", r#"((NOT ("day" IS NULL)) OR ("n" = 0))"#);
    }

    #[test]
    fn what_somebody_wrote_for_a_file_is_understood() {
        let check = |words: &str, expected: &str| {
            assert_eq!(understood(&SQLiteDialect {}, words).as_deref(), Some(expected), "{words}");
        };
        check("N > 0", r#"("n" > 0)"#);
        check("[n] between -1 and 1.5", r#"(("n" >= -1) AND ("n" <= 1.5))"#);
        check("state in ('a', 'b') and not state == 'c'", r#"(("State" IN ('a', 'b')) AND (NOT ("State" = 'c')))"#);
        check("n not in (1, 2)", r#"(NOT ("n" IN (1, 2)))"#);
    }

    #[test]
    fn what_may_mean_something_else_elsewhere_is_not() {
        let words = [
            "sorted < 'b'",
            "long > 0",
            "loose = 'a'",
            "nocase = 'a'",
            "day > '2024-01-01'",
            "n = 'a'",
            "n + 1 > 0",
            "lower(sorted) = 'a'",
            "other > 0",
            "n > 1e3",
            "n > 12345678901234567890",
            "n > 0)",
            "1 = 1",
            "n between 1 and 'b'",
            "sorted like 'a%'",
            "n",
        ];
        for words in words {
            assert_eq!(understood(&SQLiteDialect {}, words), None, "{words}");
            assert_eq!(understood(&PostgreSqlDialect {}, words), None, "{words}");
        }
    }
}
