//! Rows in key order, page by page, and rows by their keys.

use std::sync::Arc;

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::{Form, RowPage, push_field, push_key_field};
use rowsync_engine::schema::{TableName, TableView};
use rowsync_engine::store::{Gathered, PageRequest};

use super::copy::{Flow, Stored, Tuple, copy_out, copy_out_once};
use super::fit::Misfit;
use super::index::leads_to;
use super::link::Lease;
use super::literal::identifier;
use super::ranges::{self, RANGES_A_STATEMENT};
use super::select::{Selected, ViewSql};
use super::values::{Scratch, decode, decode_key};
use super::wire::Wire;

/// Most keys that one statement looks up.
const KEYS_A_STATEMENT: usize = 1_000;

/// Turns tuples into rows of fields.
pub struct Fields {
    columns: Vec<Selected>,
    key_len: usize,
    table: TableName,
    scratch: Scratch,
}

impl Fields {
    pub fn new(columns: &[Selected], key_len: usize, table: &TableName) -> Fields {
        Fields { columns: columns.to_vec(), key_len, table: table.clone(), scratch: Scratch::default() }
    }

    /// Writes the row in place of what `row` held.
    pub fn read(&mut self, tuple: &Tuple<'_>, row: &mut Vec<u8>) -> Result<(), StoreError> {
        row.clear();
        self.append(tuple, row)
    }

    /// Writes the row behind what `row` holds.
    pub fn append(&mut self, tuple: &Tuple<'_>, row: &mut Vec<u8>) -> Result<(), StoreError> {
        for (index, column) in self.columns.iter().enumerate() {
            let field = tuple.field(index);
            if index >= self.key_len {
                push_field(row, decode(field, column.wire, column.domain, &mut self.scratch));
                continue;
            }
            let value = decode_key(field, column.wire, column.domain, &mut self.scratch);
            push_key_field(row, value.map_err(|misfit| refused(&misfit, &column.name, &self.table))?);
        }
        Ok(())
    }
}

fn refused(misfit: &Misfit, column: &str, table: &TableName) -> StoreError {
    StoreError::new(Kind::BadValue, "read", format!("column \"{column}\" holds {}", misfit.0)).at(table)
}

/// What is selected for tuples in `Raw` form: the plain columns, and behind them the texts of those key columns that
/// only the server can spell; these are cut off again.
pub struct RawColumns {
    pub expressions: String,
    pub kept: usize,
    key: Vec<(usize, Selected)>,
}

impl RawColumns {
    pub fn new(view: &TableView, sql: &ViewSql) -> RawColumns {
        let mut expressions: Vec<String> = view.columns.iter().map(|column| identifier(&column.column.name)).collect();
        let mut key = Vec::new();
        for (index, (column, selected)) in view.key_columns().iter().zip(sql.key_columns()).enumerate() {
            let own = Wire::of(&column.column);
            if own == Wire::Opaque {
                key.push((expressions.len(), selected.clone()));
                expressions.push(selected.expression.clone());
            } else {
                key.push((index, Selected { wire: own, ..selected.clone() }));
            }
        }
        RawColumns { kept: view.columns.len(), expressions: expressions.join(", "), key }
    }

    fn key_of(&self, tuple: &Tuple<'_>, table: &TableName) -> Result<Key, StoreError> {
        let mut bytes = Vec::new();
        let mut scratch = Scratch::default();
        for (index, column) in &self.key {
            let value = decode_key(tuple.field(*index), column.wire, column.domain, &mut scratch)
                .map_err(|misfit| refused(&misfit, &column.name, table))?;
            push_key_field(&mut bytes, value);
        }
        Ok(Key::from_bytes(&bytes))
    }

    fn has_texts(&self) -> bool {
        self.key.iter().any(|(index, _)| *index >= self.kept)
    }
}

/// What one tuple becomes: a row of a page.
pub struct Shape {
    view: Arc<TableView>,
    kind: Kinds,
    /// The row.
    pub row: Vec<u8>,
    /// Its key, where a raw row does not tell it.
    key: Option<Key>,
}

enum Kinds {
    Fields(Fields),
    Raw(RawColumns, Vec<u8>),
}

impl Shape {
    /// With what has to be selected for it.
    pub fn of(view: &Arc<TableView>, sql: &ViewSql, request: &PageRequest) -> (Shape, String) {
        let (kind, expressions) = if request.form == Form::Raw && !request.keys_only {
            let raw = RawColumns::new(view, sql);
            let expressions = raw.expressions.clone();
            (Kinds::Raw(raw, Vec::new()), expressions)
        } else {
            let columns = if request.keys_only { sql.key_columns() } else { &sql.columns };
            (Kinds::Fields(Fields::new(columns, view.key_len, &view.table)), ViewSql::expressions(columns))
        };
        (Shape { view: Arc::clone(view), kind, row: Vec::new(), key: None }, expressions)
    }

    pub fn page(&self, request: &PageRequest) -> RowPage {
        let form = if matches!(self.kind, Kinds::Raw(..)) { Form::Raw } else { Form::Fields };
        RowPage::for_request(form, self.view.key_len, request)
    }

    pub fn read(&mut self, tuple: &Tuple<'_>) -> Result<(), StoreError> {
        match &mut self.kind {
            Kinds::Fields(fields) => fields.read(tuple, &mut self.row),
            Kinds::Raw(raw, buffer) => {
                self.row.clear();
                self.row.extend_from_slice(tuple.first_fields(raw.kept, buffer));
                if raw.has_texts() {
                    self.key = Some(raw.key_of(tuple, &self.view.table)?);
                }
                Ok(())
            }
        }
    }

    /// Puts the row behind those of the page.
    pub fn push_to(&mut self, page: &mut RowPage) {
        page.take_row(&mut self.row);
        if self.key.is_some() {
            page.last_key = self.key.take();
        }
    }

    pub fn finish(&self, page: &mut RowPage) -> Result<(), StoreError> {
        match &self.kind {
            Kinds::Fields(_) => page.finish(),
            Kinds::Raw(raw, _) => {
                if !raw.has_texts() && !page.is_empty() {
                    page.last_key = Some(last_raw_key(page, raw, &self.view.table)?);
                }
                page.shrink();
            }
        }
        Ok(())
    }
}

/// The first rows of a range.
pub async fn page(lease: Lease, view: &Arc<TableView>, request: &PageRequest) -> Result<RowPage, StoreError> {
    let sql = ViewSql::new(view);
    let limit = (request.bytes_max / request.row_bytes_hint.max(1)).clamp(1, request.rows_max.max(1));
    let (mut shape, expressions) = Shape::of(view, &sql, request);
    let statement = format!("COPY ({} LIMIT {limit}) TO STDOUT (FORMAT binary)", select(&sql, request, &expressions)?);
    let mut page = shape.page(request);
    let mut cut = Cut::new(request.bytes_max);
    let ended = copy_out_once(lease, &statement, |tuple| {
        // A large row is not read in vain.
        let fits = !cut.cut && (page.is_empty() || tuple.bytes.len() < request.bytes_max);
        if fits {
            shape.read(&tuple)?;
        }
        if cut.takes(&page, if fits { shape.row.len() } else { tuple.bytes.len() }) {
            shape.push_to(&mut page);
        }
        Ok(cut.flow())
    })
    .await?;
    shape.finish(&mut page)?;
    page.complete = !cut.cut && page.len() < limit;
    page.bytes_read = ended.bytes;
    Ok(page)
}

/// All rows that are asked for, in the order of their keys.
pub fn select(sql: &ViewSql, request: &PageRequest, expressions: &str) -> Result<String, StoreError> {
    let mut condition = sql.within(&request.range)?;
    if let Some(moment) = &request.modified_after {
        condition = format!("{condition} AND {}", sql.modified_after(moment)?);
    }
    Ok(format!("SELECT {expressions} FROM {} WHERE {condition} ORDER BY {}", sql.from, sql.order_by("")))
}

/// Cuts a page where it is full. What the server still sends is read and thrown away as long as it is no more than
/// another page, since a new connection costs more than that; beyond, the connection is given up.
struct Cut {
    bytes_max: usize,
    cut: bool,
    wasted: usize,
}

impl Cut {
    fn new(bytes_max: usize) -> Cut {
        Cut { bytes_max, cut: false, wasted: 0 }
    }

    /// Whether the row still belongs to the page.
    fn takes(&mut self, page: &RowPage, row_bytes: usize) -> bool {
        self.cut = self.cut || (!page.is_empty() && page.row_bytes() + row_bytes > self.bytes_max);
        if self.cut {
            self.wasted += row_bytes;
        }
        !self.cut
    }

    fn flow(&self) -> Flow {
        if self.wasted > self.bytes_max { Flow::Stop } else { Flow::More }
    }
}

fn last_raw_key(page: &RowPage, raw: &RawColumns, table: &TableName) -> Result<Key, StoreError> {
    match Stored::default().tuple(page.row(page.len() - 1)) {
        Some(tuple) => raw.key_of(&tuple, table),
        None => Err(StoreError::new(Kind::Bug, "read", "a raw row that is no tuple").at(table)),
    }
}

/// All rows of several ranges; none where they take more than `bytes_max`.
pub async fn gather(
    mut lease: Lease,
    view: &TableView,
    ranges: &[KeyRange],
    wanted: Gathered,
    bytes_max: usize,
) -> Result<Option<RowPage>, StoreError> {
    let sql = ViewSql::new(view);
    let columns = if wanted == Gathered::Keys { sql.key_columns() } else { &sql.columns };
    // Behind the columns of a tuple stands the number of its range.
    let raw = wanted == Gathered::Raw && sql.selects_plain_columns();
    let mut fields = Fields::new(columns, view.key_len, &view.table);
    let mut page = RowPage::new(if raw { Form::Raw } else { Form::Fields }, view.key_len);
    let (mut row, mut too_many) = (Vec::new(), false);
    for chunk in ranges.chunks(RANGES_A_STATEMENT) {
        let select = ranges::select(&sql, chunk, &ViewSql::expressions(columns))?;
        let ended = copy_out(&mut lease, &format!("COPY ({select}) TO STDOUT (FORMAT binary)"), |tuple| {
            // A row that is too large by itself is not even copied.
            too_many = tuple.bytes.len() > bytes_max;
            if !too_many {
                match raw {
                    true => page.push_row(tuple.first_fields(columns.len(), &mut row)),
                    false => {
                        fields.read(&tuple, &mut row)?;
                        page.push_row(&row);
                    }
                }
                too_many = page.row_bytes() > bytes_max;
            }
            Ok(if too_many { Flow::Stop } else { Flow::More })
        })
        .await?;
        page.bytes_read += ended.bytes;
        if too_many {
            return Ok(None);
        }
    }
    lease.release();
    match raw {
        true => page.shrink(),
        false => page.finish(),
    }
    Ok(Some(page))
}

/// The rows with these keys.
pub async fn rows_by_key(mut lease: Lease, view: &TableView, keys: &[Key]) -> Result<RowPage, StoreError> {
    let page = rows_of(&mut lease, view, keys, "").await?;
    lease.release();
    Ok(page)
}

/// The same, and nobody else changes or deletes them before the transaction ends.
pub async fn locked_rows_by_key(lease: &mut Lease, view: &TableView, keys: &[Key]) -> Result<RowPage, StoreError> {
    rows_of(lease, view, keys, " FOR UPDATE").await
}

async fn rows_of(lease: &mut Lease, view: &TableView, keys: &[Key], lock: &str) -> Result<RowPage, StoreError> {
    let sql = ViewSql::new(view);
    let mut fields = Fields::new(&sql.columns, view.key_len, &view.table);
    let mut page = RowPage::new(Form::Fields, view.key_len);
    let mut row = Vec::new();
    for keys in keys.chunks(KEYS_A_STATEMENT) {
        let names: Vec<String> = (0..view.key_len).map(|index| format!("rowsync_k{index}")).collect();
        let statement = format!(
            "COPY (SELECT d.* FROM (VALUES {}) rowsync_keys({}) CROSS JOIN LATERAL (SELECT {} FROM {} WHERE {}{lock}) d) \
             TO STDOUT (FORMAT binary)",
            sql.key_rows(keys)?,
            names.join(", "),
            ViewSql::expressions(&sql.columns),
            sql.from,
            sql.key_equals(names.iter().map(|name| format!("rowsync_keys.{name}"))),
        );
        let ended = copy_out(lease, &statement, |tuple| {
            fields.read(&tuple, &mut row)?;
            page.take_row(&mut row);
            Ok(Flow::More)
        })
        .await?;
        page.bytes_read += ended.bytes;
    }
    page.finish();
    Ok(page)
}

/// The keys that a statement over the key's columns selects.
pub async fn keys(lease: &mut Lease, view: &TableView, sql: &ViewSql, select: &str) -> Result<Vec<Key>, StoreError> {
    let mut keys = Vec::new();
    each_key(lease, view, sql, select, |key, _| {
        keys.push(key);
        Some(())
    })
    .await?;
    Ok(keys)
}

/// The keys of a statement that selects a number behind each.
pub async fn numbered_keys(
    lease: &mut Lease,
    view: &TableView,
    sql: &ViewSql,
    select: &str,
    numbers: usize,
) -> Result<Vec<Vec<Key>>, StoreError> {
    let mut keys = vec![Vec::new(); numbers];
    each_key(lease, view, sql, select, |key, tuple| {
        keys.get_mut(last_number(tuple)?)?.push(key);
        Some(())
    })
    .await?;
    Ok(keys)
}

async fn each_key(
    lease: &mut Lease,
    view: &TableView,
    sql: &ViewSql,
    select: &str,
    mut take: impl FnMut(Key, &Tuple<'_>) -> Option<()> + Send,
) -> Result<(), StoreError> {
    let mut fields = Fields::new(sql.key_columns(), view.key_len, &view.table);
    let mut row = Vec::new();
    copy_out(lease, &format!("COPY ({select}) TO STDOUT (FORMAT binary)"), |tuple| {
        fields.read(&tuple, &mut row)?;
        take(Key::from_bytes(&row), &tuple).ok_or_else(|| {
            StoreError::new(Kind::Bug, "read", "the server's answer does not fit the question").at(&view.table)
        })?;
        Ok(Flow::More)
    })
    .await?;
    Ok(())
}

/// The number that stands behind the other fields.
pub fn last_number(tuple: &Tuple<'_>) -> Option<usize> {
    let number = tuple.field(tuple.len().checked_sub(1)?)?;
    usize::try_from(i32::from_be_bytes(number.try_into().ok()?)).ok()
}

/// The keys of the rows that were changed last, where an index leads to them.
pub async fn newest(mut lease: Lease, view: &TableView, rows: u64) -> Result<Option<Vec<Key>>, StoreError> {
    let sql = ViewSql::new(view);
    let (Some(name), Some(time)) = (&view.modify_time, sql.modify_time()) else { return Ok(None) };
    if !leads_to(&mut lease, view, name).await? {
        lease.release();
        return Ok(None);
    }
    let statement = format!(
        "COPY (SELECT {} FROM {} WHERE {} AND {time} IS NOT NULL ORDER BY {time} DESC LIMIT {rows}) \
         TO STDOUT (FORMAT binary)",
        ViewSql::expressions(sql.key_columns()),
        sql.from,
        sql.between(None, None),
    );
    let mut fields = Fields::new(sql.key_columns(), view.key_len, &view.table);
    let (mut keys, mut row) = (Vec::new(), Vec::new());
    copy_out(&mut lease, &statement, |tuple| {
        fields.read(&tuple, &mut row)?;
        keys.push(Key::from_bytes(&row));
        Ok(Flow::More)
    })
    .await?;
    lease.release();
    Ok(Some(keys))
}
