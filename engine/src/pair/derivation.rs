//! Which columns are made instead of read, and what has to be read for them.

use std::sync::Arc;

use super::columns::{Matched, same_column};
use super::domains::{bound_domain, common_domain, own_domain};
use super::{Mismatch, PairOptions, Side, mismatch};
use crate::derived::{Capacity, Derivation, Derived, Expression, KeptKeys, OnLossy, Operand};
use crate::domain::Domain;
use crate::given::value_given;
use crate::schema::{Column, Computed, DataType, Filled, TableSchema, TableView, ViewColumn, find_name};
use crate::value::Value;

/// Whether an expression says what the target's column holds.
pub(super) fn is_made(target: &TableSchema, column: &Column, options: &PairOptions) -> bool {
    options.expressions.keys().any(|name| same_column(target, name, column))
}

fn expression<'a>(target: &TableSchema, column: &Column, options: &'a PairOptions) -> Option<&'a Expression<Operand>> {
    options.expressions.iter().find(|(name, _)| same_column(target, name, column)).map(|(_, made)| made)
}

fn on_lossy(target: &TableSchema, column: &Column, options: &PairOptions) -> Option<OnLossy> {
    options.on_lossy.iter().find(|(name, _)| same_column(target, name, column)).map(|(_, on_lossy)| *on_lossy)
}

/// The columns that are made, each with the one of the target that it is made for.
///
/// # Errors
/// When the target has no such column, or the source not what it is made of.
pub(super) fn made_columns(
    source: &TableSchema,
    target: &TableSchema,
    options: &PairOptions,
) -> Result<Vec<Matched>, Mismatch> {
    let mut made = Vec::new();
    for (name, expression) in &options.expressions {
        let Some(column) = target.column(name) else {
            return no_column("expressions", name, target);
        };
        if column.filled == Filled::ByExpression {
            let message = format!("target column {}.{name} is computed by its database", target.name);
            return mismatch(message, "leave it out of `expressions`");
        }
        for operand in expression.operands() {
            if let Operand::Column(operand) = operand
                && source.column(operand).is_none()
            {
                let message = format!("table {} has no column {operand} for the expression of {name}", source.name);
                return mismatch(message, "name a column of the source in `expressions`");
            }
        }
        let of_source =
            Column { nullable: true, filled: Filled::ByWriter, collation: None, has_default: false, ..column.clone() };
        made.push((of_source, column.clone()));
    }
    Ok(made)
}

fn no_column<T>(key: &str, name: &str, target: &TableSchema) -> Result<T, Mismatch> {
    let message = format!("target table {} has no column {name}", target.name);
    mismatch(message, format!("add the column, or leave it out of `{key}`"))
}

/// Keys have to be the same to both databases, which order and find rows by them; and by the modify time the source looks.
pub(super) fn refuse_made(
    columns: &[Matched],
    key_len: usize,
    source: &TableSchema,
    target: &TableSchema,
    options: &PairOptions,
) -> Result<(), Mismatch> {
    if let Some(name) = options.on_lossy.keys().find(|name| target.column(name).is_none()) {
        return no_column("on_lossy", name, target);
    }
    for (place, (of_source, column)) in columns.iter().enumerate() {
        let made = is_made(target, column, options);
        if place < key_len && (made || on_lossy(target, column, options).is_some()) {
            let message = format!("column {} is of the key of {}, which is taken as it is", column.name, target.name);
            return mismatch(message, "leave it out of `expressions` and `on_lossy`");
        }
        if made && source.column(&options.modify_time).is_some_and(|time| time.name == of_source.name) {
            let message = format!("column {} tells when a row of {} was changed", column.name, source.name);
            return mismatch(message, "leave it out of `expressions`, or name another `modify_time_field`");
        }
    }
    Ok(())
}

/// The domain of a pair of columns. What is made is of the target's; where nothing may be lost, nothing is rounded.
pub(super) fn shared_ground(
    source: Side<'_>,
    s: &Column,
    target: Side<'_>,
    t: &Column,
    options: &PairOptions,
) -> Result<Domain, Mismatch> {
    let lossy = on_lossy(target.schema, t, options);
    if is_made(target.schema, t, options) {
        return Ok(in_full(bound_domain(t), lossy));
    }
    let domain = common_domain(source, s, target, t)?;
    match (domain, &t.data_type) {
        (Domain::Dynamic, DataType::Dynamic) => Ok(domain),
        (Domain::Dynamic, DataType::Json) if options.keep_json_keys => Ok(Domain::Json),
        (Domain::Dynamic, _) if lossy.is_some() => Ok(in_full(bound_domain(t), lossy)),
        _ => Ok(in_full(domain, lossy)),
    }
}

fn in_full(domain: Domain, lossy: Option<OnLossy>) -> Domain {
    match domain {
        _ if lossy != Some(OnLossy::Error) => domain,
        Domain::Decimal { .. } => Domain::Decimal { scale: None },
        Domain::Float32 => Domain::Float,
        Domain::Coarse { moment, .. } => moment.domain(),
        _ => domain,
    }
}

/// What the views are laid from.
pub(super) struct Making<'a> {
    pub source: Side<'a>,
    pub target: &'a TableSchema,
    pub columns: &'a [Matched],
    pub domains: &'a [Domain],
    pub key_len: usize,
    pub options: &'a PairOptions,
}

/// The target's columns that take no value with a loss.
pub(super) fn exact_columns(making: &Making<'_>) -> Vec<(usize, Capacity)> {
    let columns = making.columns.iter().enumerate();
    let exact = columns.filter(|(_, (_, t))| on_lossy(making.target, t, making.options) == Some(OnLossy::Error));
    exact.map(|(place, (_, t))| (place, Capacity::of(t))).collect()
}

/// What is made of what; see [`Made::read_by`].
pub(super) struct Made {
    read: Vec<ViewColumn>,
    computed: Vec<Computed>,
    columns: Vec<Derived>,
    kept: Vec<usize>,
}

impl Made {
    /// The rows of the view, as they are made of rows of the same table, and of those of the target.
    pub fn read_by(self, view: &TableView, target: &TableView) -> Derivation {
        let read = TableView { columns: self.read, computed: self.computed, ..view.clone() };
        let places = self.kept;
        let kept = places.iter().map(|place| &target.columns[target.key_len + place]);
        let columns = target.key_columns().iter().chain(kept).cloned().collect();
        let target = TableView { columns, modify_time: None, ..target.clone() };
        let kept = (!places.is_empty()).then(|| KeptKeys { target: Arc::new(target), places });
        Derivation { read: Arc::new(read), columns: self.columns, kept }
    }
}

/// None where every value is simply read.
///
/// # Errors
/// When a default is no value of its column.
pub(super) fn derivation(making: &Making<'_>) -> Result<Option<Made>, Mismatch> {
    let mut made = Made { read: Vec::new(), computed: Vec::new(), columns: Vec::new(), kept: Vec::new() };
    let mut is_made = false;
    for (place, ((s, t), domain)) in making.columns.iter().zip(making.domains).enumerate() {
        let plain = ViewColumn { column: s.clone(), domain: *domain };
        if place < making.key_len {
            made.read.push(plain);
            continue;
        }
        let (expression, of) = match expression(making.target, t, making.options) {
            Some(expression) => (made.placed(expression, making.source), Some(*domain)),
            None => (Expression::Read(made.place(plain)), None),
        };
        let default = default(making, t, *domain)?;
        let lossy = on_lossy(making.target, t, making.options).filter(|lossy| *lossy != OnLossy::Error);
        let fit = lossy.map(|lossy| (Capacity::of(t), lossy));
        is_made |= of.is_some() || default.is_some() || fit.is_some();
        if making.options.keep_json_keys && *domain == Domain::Json {
            made.kept.push(made.columns.len());
        }
        made.columns.push(Derived { expression, domain: of, default, fit });
    }
    Ok((is_made || !made.kept.is_empty()).then_some(made))
}

/// What a column that must not be NULL gets in its place.
fn default(making: &Making<'_>, t: &Column, domain: Domain) -> Result<Option<Value>, Mismatch> {
    let mut defaults = making.options.default_values.iter();
    let Some((_, typed)) = defaults.find(|(name, _)| same_column(making.target, name, t)).filter(|_| !t.nullable)
    else {
        return Ok(None);
    };
    match value_given(typed, domain).filter(|value| *value != Value::Null) {
        Some(value) => Ok(Some(value)),
        None => mismatch(
            format!("the default of column {} of {} is none of its values", t.name, making.target.name),
            "give it another in `default_values`",
        ),
    }
}

impl Made {
    /// The place of a column among those that are read.
    fn place(&mut self, column: ViewColumn) -> usize {
        self.read.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.read.push(column);
            self.read.len() - 1
        })
    }

    fn placed(&mut self, expression: &Expression<Operand>, source: Side<'_>) -> Expression<usize> {
        let operands: Vec<&Operand> = expression.operands();
        let places: Vec<usize> = operands.iter().map(|operand| self.operand(operand, source)).collect();
        // Every operand has its place by now.
        expression
            .placed(&|operand| operands.iter().position(|known| *known == operand).map_or(0, |index| places[index]))
    }

    fn operand(&mut self, operand: &Operand, source: Side<'_>) -> usize {
        let typed = source.capabilities.typed;
        match operand {
            Operand::Column(name) => {
                let found = find_name(&source.schema.columns, name, |column| &column.name);
                let column = found.cloned().unwrap_or_else(|| text_column(name));
                let domain = if typed { own_domain(&column.data_type) } else { Domain::Dynamic };
                self.place(ViewColumn { column, domain })
            }
            Operand::Sql(sql) => {
                let known = self.computed.iter().position(|computed| computed.sql == *sql);
                let number = known.unwrap_or_else(|| {
                    let name = format!("rowsync_c{}", self.computed.len());
                    self.computed.push(Computed { name, sql: sql.clone() });
                    self.computed.len() - 1
                });
                let domain = if typed { Domain::Text } else { Domain::Dynamic };
                self.place(ViewColumn { column: text_column(&self.computed[number].name), domain })
            }
        }
    }
}

fn text_column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        data_type: DataType::Text { max_chars: None },
        declared: "text".to_owned(),
        nullable: true,
        filled: Filled::ByWriter,
        collation: None,
        has_default: false,
    }
}
