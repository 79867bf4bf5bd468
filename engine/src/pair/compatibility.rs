//! Whether a table can take the rows of another one, column by column, before the first row is read.
//!
//! Unlike [`super::pair`], which ends at the first column that does not fit, this tells of all of them.

use serde::{Deserialize, Serialize};

use super::columns::{partner, takes_part, unfilled};
use super::derivation::is_made;
use super::domains::common_domain;
use super::losses::{Loss, losses};
use super::{PairOptions, Side};
use crate::domain::Domain;
use crate::schema::{Column, Filled};

/// What becomes of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Only the target has it, and something else fills it.
    LeftAlone,
    /// Only the target has it, and the settings name a value for rows that are added.
    Given,
    /// The settings say what it is made of.
    Made,
    /// The target lacks it, and a run adds it.
    Added,
    /// Only the source has it, or it is not to take part.
    LeftOut,
    /// Every value of the declared type goes over as it is.
    Exact,
    /// Some values are compared and kept rounded.
    Rounded,
    /// Some values are refused, as `limits` says.
    MayFail,
    /// No row can go over.
    Impossible,
}

/// One column of either side, with its partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnFit {
    pub source: Option<String>,
    pub source_type: Option<String>,
    pub target: Option<String>,
    pub target_type: Option<String>,
    pub fit: Fit,
    /// The ground on which values of both are compared, by its name in the manual, and its rule.
    pub compared_as: Option<String>,
    pub rule: Option<String>,
    /// The values that are refused or rounded, or why nothing goes over.
    pub limits: Vec<String>,
}

/// What every column of both tables comes to: the source's in their order, then those that only the target has.
pub fn compatibility(source: Side<'_>, target: Side<'_>, options: &PairOptions) -> Vec<ColumnFit> {
    let mut fits = Vec::new();
    let mut taken: Vec<&str> = Vec::new();
    for column in &source.schema.columns {
        let found = partner(column, source.schema, target.schema, options);
        if found.is_some_and(|found| is_made(target.schema, found, options)) {
            fits.push(lone(Some(column), None, Fit::LeftOut, None));
        } else if !takes_part(column, source.schema, options) {
            // A column of the target that needs a value is told of on its own.
            let beside = found.filter(|found| !unfilled(found));
            taken.extend(beside.map(|found| found.name.as_str()));
            fits.push(lone(Some(column), beside, Fit::LeftOut, None));
        } else if let Some(found) = found.filter(|found| found.filled != Filled::ByExpression) {
            taken.push(&found.name);
            fits.push(matched(source, column, target, found, options));
        } else if let Some(found) = found {
            taken.push(&found.name);
            fits.push(lone(Some(column), Some(found), Fit::LeftOut, Some("the target computes it")));
        } else {
            fits.push(lone(Some(column), None, Fit::Impossible, Some("the target has no such column")));
        }
    }
    let names: Vec<&String> = options.default_values.keys().collect();
    let is_given = |column: &Column| names.iter().any(|name| target.schema.column(name) == Some(column));
    let extra = target.schema.columns.iter().filter(|column| !taken.contains(&column.name.as_str()));
    fits.extend(extra.map(|column| match unfilled(column) {
        _ if is_made(target.schema, column, options) => lone(None, Some(column), Fit::Made, None),
        _ if is_given(column) => lone(None, Some(column), Fit::Given, None),
        true => {
            lone(None, Some(column), Fit::Impossible, Some("must not be null, has no default, and nothing fills it"))
        }
        false => lone(None, Some(column), Fit::LeftAlone, None),
    }));
    fits
}

fn lone(source: Option<&Column>, target: Option<&Column>, fit: Fit, why: Option<&str>) -> ColumnFit {
    ColumnFit {
        source: source.map(|column| column.name.clone()),
        source_type: source.map(|column| column.declared.clone()),
        target: target.map(|column| column.name.clone()),
        target_type: target.map(|column| column.declared.clone()),
        fit,
        compared_as: None,
        rule: None,
        limits: why.map(str::to_owned).into_iter().collect(),
    }
}

fn matched(source: Side<'_>, s: &Column, target: Side<'_>, t: &Column, options: &PairOptions) -> ColumnFit {
    let domain = match common_domain(source, s, target, t) {
        Ok(domain) => domain,
        Err(_) => return lone(Some(s), Some(t), Fit::Impossible, Some(why_not(s, t))),
    };
    let mut losses = losses(source, s, target, t, domain);
    if is_key(s, source, options) && is_loose(t) && !is_loose(s) {
        losses.push(Loss::Refused("keys that the target's collation takes for equal".into()));
    }
    let fit = match losses.iter().any(|loss| matches!(loss, Loss::Refused(_))) {
        true => Fit::MayFail,
        false if losses.is_empty() => Fit::Exact,
        false => Fit::Rounded,
    };
    let described = |loss| match loss {
        Loss::Rounded(values) if fit == Fit::MayFail => format!("{values} are rounded"),
        Loss::Refused(values) | Loss::Rounded(values) => values,
    };
    ColumnFit {
        compared_as: Some(domain.name().to_owned()),
        rule: Some(domain.rule().to_owned()),
        limits: losses.into_iter().map(described).collect(),
        ..lone(Some(s), Some(t), fit, None)
    }
}

/// Why two types have nothing in common, where there is more to say than that.
fn why_not(s: &Column, t: &Column) -> &'static str {
    let zoned = |column: &Column| domain_of(column) == Domain::TimestampTz;
    let without_zone = |column: &Column| matches!(domain_of(column), Domain::Timestamp | Domain::Date | Domain::Time);
    if (zoned(s) && without_zone(t)) || (zoned(t) && without_zone(s)) {
        "one has a time zone and the other has none, and nothing says which is meant"
    } else {
        "the two types cannot be compared"
    }
}

fn domain_of(column: &Column) -> Domain {
    super::domains::own_domain(&column.data_type)
}

fn is_key(column: &Column, source: Side<'_>, options: &PairOptions) -> bool {
    let key = if options.key.is_empty() { &source.schema.primary_key } else { &options.key };
    key.iter().any(|name| source.schema.column(name).is_some_and(|found| found.name == column.name))
}

/// Whether texts that differ may be equal to the column's own database.
fn is_loose(column: &Column) -> bool {
    let named = |collation: &str| ["citext:", "~"].iter().any(|sign| collation.starts_with(sign));
    let built_in = |collation: &str| ["NOCASE", "RTRIM"].iter().any(|name| collation.eq_ignore_ascii_case(name));
    column.collation.as_deref().is_some_and(|collation| named(collation) || built_in(collation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::testing::{capabilities, column, int_table, table};
    use crate::schema::{DataType, TableSchema};

    fn fits(source: &TableSchema, target: &TableSchema, options: &PairOptions) -> Vec<ColumnFit> {
        let both = capabilities("pg", true);
        let (source, target) =
            (Side { schema: source, capabilities: &both }, Side { schema: target, capabilities: &both });
        compatibility(source, target, options)
    }

    #[test]
    fn every_column_of_both_sides_is_told_of() {
        let mut source = int_table();
        source.columns.push(column("lost", DataType::Bool, "boolean"));
        source.columns.push(column("hidden", DataType::Bool, "boolean"));
        source.columns.push(column("computed", DataType::Bool, "boolean"));
        let mut target = int_table();
        target.columns.push(column("own", DataType::Bool, "boolean"));
        target.columns.push(Column { nullable: false, ..column("needed", DataType::Bool, "boolean") });
        target.columns.push(Column { filled: Filled::ByExpression, ..column("computed", DataType::Bool, "boolean") });
        target.columns.push(Column { nullable: false, ..column("given", DataType::Bool, "boolean") });
        let options = PairOptions {
            exclude_fields: vec!["hidden".into()],
            default_values: [("given".to_owned(), true.into())].into(),
            ..PairOptions::default()
        };
        let told: Vec<(Option<String>, Option<String>, Fit)> =
            fits(&source, &target, &options).into_iter().map(|f| (f.source, f.target, f.fit)).collect();
        let named = |source: &str, target: &str, fit| {
            let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
            (name(source), name(target), fit)
        };
        let expected = [
            named("name", "name", Fit::Exact),
            named("id", "id", Fit::Exact),
            named("lost", "", Fit::Impossible),
            named("hidden", "", Fit::LeftOut),
            named("computed", "computed", Fit::LeftOut),
            named("", "own", Fit::LeftAlone),
            named("", "needed", Fit::Impossible),
            named("", "given", Fit::Given),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_worst_limit_is_the_verdict() {
        let one = |data_type: DataType, nullable| table(vec![Column { nullable, ..column("id", data_type, "t") }]);
        let fit = |source: TableSchema, target: TableSchema| {
            let told = fits(&source, &target, &PairOptions::default()).remove(0);
            (told.fit, told.limits.join("; "))
        };
        let (int, float) = (DataType::Int { bits: 64 }, DataType::Float { bits: 64 });
        let rounded = "numbers beyond 9007199254740992";
        assert_eq!(fit(one(int.clone(), true), one(float.clone(), true)), (Fit::Rounded, rounded.into()));
        assert_eq!(
            fit(one(int.clone(), true), one(float, false)),
            (Fit::MayFail, format!("{rounded} are rounded; NULL"))
        );
        let zones = fit(one(DataType::Timestamp, true), one(DataType::TimestampTz, true));
        assert_eq!(zones.0, Fit::Impossible);
        assert!(zones.1.contains("time zone"), "{}", zones.1);
    }

    #[test]
    fn a_key_that_the_target_compares_loosely_may_fail() {
        let keyed = |collation: Option<&str>| {
            let text = column("id", DataType::Text { max_chars: None }, "text");
            table(vec![Column { collation: collation.map(Into::into), ..text }])
        };
        let fit = |s, t| fits(&keyed(s), &keyed(t), &PairOptions::default()).remove(0).fit;
        assert_eq!(fit(None, Some("NOCASE")), Fit::MayFail);
        assert_eq!(fit(None, Some("citext:de@1/libc")), Fit::MayFail);
        assert_eq!(fit(Some("~de@1/icu"), Some("~de@1/icu")), Fit::Exact);
        assert_eq!(fit(None, Some("de@1/libc")), Fit::Exact);
    }
}
