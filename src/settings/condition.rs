//! A filter as a caller of the service may type it: a condition on the columns of a row, and nothing that reads elsewhere
//! or does anything. A file may say more, since whoever writes it can do as he likes with his databases anyway.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query, Visit as _, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

/// Functions that look at nothing but what they are given.
const FUNCTIONS: [&str; 26] = [
    "abs",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "date",
    "date_part",
    "date_trunc",
    "datetime",
    "floor",
    "greatest",
    "least",
    "length",
    "lower",
    "ltrim",
    "mod",
    "now",
    "nullif",
    "replace",
    "round",
    "rtrim",
    "strftime",
    "substr",
    "to_char",
    "trim",
    "upper",
];

/// Signs that one database reads otherwise than another, or that end a statement.
const SIGNS: [&str; 6] = [";", "--", "/*", "*/", "\\", "$"];

/// # Errors
/// What of it is more than a condition, in words for the caller.
pub fn check(text: &str) -> Result<(), String> {
    if let Some(sign) = SIGNS.iter().find(|sign| text.contains(**sign)) {
        return Err(format!("a filter that comes over HTTP holds no `{sign}`; {ELSEWHERE}"));
    }
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Err(format!("a filter holds no control characters; {ELSEWHERE}"));
    }
    let no_condition = |_| format!("this is no condition that can be understood; {ELSEWHERE}");
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).map_err(no_condition)?;
    let condition = parser.parse_expr().map_err(no_condition)?;
    if parser.peek_token().token != Token::EOF {
        return Err(format!("more than one condition is there; {ELSEWHERE}"));
    }
    match condition.visit(&mut Walk) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(found) => Err(format!("{found}; {ELSEWHERE}")),
    }
}

const ELSEWHERE: &str = "what cannot be said otherwise belongs into a file";

/// Ends at the first thing that is more than a condition.
struct Walk;

impl Visitor for Walk {
    type Break = String;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
        ControlFlow::Break("a filter that comes over HTTP asks no other tables".to_owned())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<String> {
        match expression {
            Expr::Function(function) if !is_harmless(&function.name) => {
                ControlFlow::Break(format!("a filter that comes over HTTP calls none but {}", FUNCTIONS.join(", ")))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn is_harmless(name: &ObjectName) -> bool {
    FUNCTIONS.contains(&name.to_string().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_the_row_pass() {
        for condition in [
            "region = 'north' and amount >= 10.5",
            "\"Order Date\" > '2026-01-01' or (status in ('a', 'b') and not deleted)",
            "name like 'O''Brien%' and note is not null",
            "coalesce(lower(kind), 'x') <> 'y' and created_at between '2026-01-01' and '2026-02-01'",
            "cast(id as integer) % 2 = 0 and case when a then b else c end = 1",
            "substring(name from 1 for 2) = 'ab' and extract(year from day) = 2026",
        ] {
            assert_eq!(check(condition), Ok(()), "{condition}");
        }
    }

    #[test]
    fn what_is_more_than_a_condition_is_refused() {
        for more in [
            "1=1; drop table item",
            "1=1 -- ",
            "1=1 /* x",
            "1=1) or (1=1",
            "1=1) union select * from sqlite_schema",
            "id in (select id from other)",
            "exists (select 1)",
            "id = (with x as (select 1) select * from x)",
            "pg_sleep(10) is null",
            "pg_catalog.pg_read_file('/etc/passwd') is not null",
            "load_extension('x')",
            "lower(readfile('x')) = ''",
            "case when pg_sleep(1) is null then true else false end",
            "name = 'x\\' or 1=1",
            "name = $$x$$",
            "delete from item",
            "1=1 returning *",
            "1=1 order by 1",
            "name = 'open",
            "",
            "name = 'a\u{0}b'",
        ] {
            assert!(check(more).is_err(), "{more}");
        }
    }

    #[test]
    fn a_deep_condition_is_refused_and_not_walked_into() {
        assert!(check(&format!("{}1=1{}", "(".repeat(100_000), ")".repeat(100_000))).is_err());
        assert!(check(&format!("{}1", "not ".repeat(100_000))).is_err());
    }
}
