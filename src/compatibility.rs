//! What the columns of two tables come to, as `check` and `plan` tell it.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};
use rowsync_engine::pair::{ColumnFit, Fit, Side, compatibility};
use rowsync_engine::schema::KeyOrder;
use rowsync_engine::store::Store;

use crate::printing::LINE_WIDTH;
use crate::roster::{Entry, columns_to_add, pair_options};

const NAME_WIDTH_MAX: u16 = 20;
const TYPE_WIDTH_MAX: u16 = 16;

/// The columns of both tables; none where the target's is still to be made, like the source's.
pub fn columns_of(entry: &Entry, source: &dyn Store, target: &dyn Store) -> Vec<ColumnFit> {
    let Some(schema) = &entry.target else { return Vec::new() };
    let (source_can, target_can) = (source.capabilities(), target.capabilities());
    let source = Side { schema: &entry.source, capabilities: &source_can };
    let options = pair_options(&entry.settings.tuning);
    let mut columns = compatibility(source, Side { schema, capabilities: &target_can }, &options);
    let to_add = columns_to_add(entry);
    for column in &mut columns {
        if to_add.iter().any(|(own, _)| column.source.as_ref() == Some(own) && column.target.is_none()) {
            (column.fit, column.limits) = (Fit::Added, Vec::new());
        }
    }
    columns
}

/// Why the key is not walked as its own indexes sort it, where that is so.
pub fn key_order_note(entry: &Entry) -> Option<String> {
    let pair = entry.pair.as_ref().ok().filter(|pair| pair.source.key_order == KeyOrder::Bytewise)?;
    let keys = pair.source.key_columns().iter().zip(pair.target.key_columns());
    let mut unlike = keys.filter(|(s, t)| s.column.collation != t.column.collation).map(|(s, t)| {
        let sorted = |collation: &Option<String>| collation.clone().unwrap_or_else(|| "by bytes".into());
        format!("{} ({} and {})", s.column.name, sorted(&s.column.collation), sorted(&t.column.collation))
    });
    let first = unlike.next()?;
    let names = unlike.fold(first, |names, name| format!("{names}, {name}"));
    Some(format!("both sides sort key columns by other collations, so they are walked byte by byte: {names}"))
}

pub fn fit_words(fit: Fit) -> &'static str {
    match fit {
        Fit::LeftAlone => "left alone",
        Fit::Given => "given a value",
        Fit::Made => "made",
        Fit::Added => "will be added",
        Fit::LeftOut => "left out",
        Fit::Exact => "exact",
        Fit::Rounded => "rounded",
        Fit::MayFail => "may fail",
        Fit::Impossible => "impossible",
    }
}

/// One line a column, within the width of a terminal.
pub fn columns_text(columns: &[ColumnFit]) -> String {
    let mut table = Table::new();
    table
        .load_preset(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(LINE_WIDTH)
        .set_header(["", "column", "source", "target", "compared as", "values go over"]);
    for column in columns {
        table.add_row([
            String::new(),
            name_of(column),
            column.source_type.clone().unwrap_or_else(|| "-".into()),
            column.target_type.clone().unwrap_or_else(|| "-".into()),
            column.compared_as.clone().unwrap_or_default(),
            verdict_of(column),
        ]);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let width = match index {
            0 => ColumnConstraint::Absolute(Width::Fixed(4)),
            1 => ColumnConstraint::UpperBoundary(Width::Fixed(NAME_WIDTH_MAX)),
            2 | 3 => ColumnConstraint::UpperBoundary(Width::Fixed(TYPE_WIDTH_MAX)),
            4 => ColumnConstraint::UpperBoundary(Width::Fixed(13)),
            _ => continue,
        };
        column.set_constraint(width);
    }
    table.trim_fmt() + "\n"
}

/// The columns that a plan has something to say about.
pub fn doubts_text(table: &str, columns: &[ColumnFit]) -> String {
    let doubtful: Vec<ColumnFit> = columns.iter().filter(|column| column.fit > Fit::Exact).cloned().collect();
    match doubtful.is_empty() {
        true => String::new(),
        false => {
            format!("\n\nColumns of {table} that do not take every value:\n{}", columns_text(&doubtful).trim_end())
        }
    }
}

fn name_of(column: &ColumnFit) -> String {
    match (&column.source, &column.target) {
        (Some(source), Some(target)) if source.eq_ignore_ascii_case(target) => source.clone(),
        (Some(source), Some(target)) => format!("{source} -> {target}"),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => String::new(),
    }
}

fn verdict_of(column: &ColumnFit) -> String {
    let words = fit_words(column.fit);
    if column.limits.is_empty() { words.to_owned() } else { format!("{words}: {}", column.limits.join("; ")) }
}
