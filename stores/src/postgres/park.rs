//! Parking: where rows of a batch hand unique values to each other, each is first moved to a value that nobody has, and
//! then to its own. A server checks uniqueness row by row, so no single UPDATE can swap two values; deleting the rows and
//! inserting them again would reach their children.

use rowsync_engine::error::StoreError;
use rowsync_engine::schema::TableView;

use super::link::Lease;
use super::literal::{identifier, table, text_literal};
use super::stage::Stage;

/// A column of a unique index with the type that decides what it can be parked at.
struct UniqueColumn {
    index: String,
    name: String,
    nullable: bool,
    type_name: String,
    /// Longest text; 0 where there is no limit.
    chars: usize,
    refers: bool,
}

/// The statement that parks the staged rows whose unique values change; none where no column can be parked.
pub async fn parking(lease: &mut Lease, view: &TableView, stage: &Stage) -> Result<Option<String>, StoreError> {
    let columns = unique_columns(lease, view).await?;
    let mut parked: Vec<(&str, String)> = Vec::new();
    for index in columns.chunk_by(|a, b| a.index == b.index) {
        let best = index.iter().filter_map(|column| Some((column, column.parked_at(view)?)));
        if let Some((column, value)) = best.min_by_key(|(column, _)| (!column.nullable, column.refers))
            && parked.iter().all(|(name, _)| *name != column.name)
        {
            parked.push((&column.name, value));
        }
    }
    Ok((!parked.is_empty()).then(|| stage.park(view, &parked)))
}

/// Those of the view behind its key, index by index.
async fn unique_columns(lease: &mut Lease, view: &TableView) -> Result<Vec<UniqueColumn>, StoreError> {
    let statement = format!(
        "SELECT i.indexrelid::text, a.attname::text, a.attnotnull::text, t.typname::text, \
           greatest(CASE WHEN t.typname IN ('varchar', 'bpchar') THEN a.atttypmod - 4 END, 0)::text, \
           EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'f' \
             AND a.attnum = ANY (k.conkey))::text \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         WHERE i.indrelid = {}::regclass AND i.indisunique AND NOT i.indisprimary AND a.attnum > 0 \
         AND (a.attnum = ANY (i.indkey) OR EXISTS (SELECT FROM pg_catalog.pg_depend d \
           WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid \
           AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum)) \
         ORDER BY i.indexrelid, a.attnum",
        text_literal(&table(&view.table))
    );
    let rows = lease.texts(&statement).await?;
    let columns = rows.into_iter().filter_map(|row| {
        let [index, name, not_null, type_name, chars, refers] = <[Option<String>; 6]>::try_from(row).ok()?;
        let name = name?;
        view.columns[view.key_len..].iter().any(|column| column.column.name == name).then_some(())?;
        // Else the rows would be out of the view when they are to be updated.
        (!view.filter.mentions(&name)).then_some(())?;
        Some(UniqueColumn {
            index: index?,
            name,
            nullable: not_null? == "false",
            type_name: type_name?,
            chars: chars?.parse().ok()?,
            refers: refers? == "true",
        })
    });
    Ok(columns.collect())
}

impl UniqueColumn {
    /// An expression that gives another value for each staged row `rowsync_s`, numbered by `rowsync_n`.
    fn parked_at(&self, view: &TableView) -> Option<String> {
        if self.nullable {
            return Some("NULL".into());
        }
        let random = "md5(clock_timestamp()::text || random()::text || rowsync_s.rowsync_n)";
        let below = || format!("(SELECT min({}) FROM {})", identifier(&self.name), table(&view.table));
        Some(match self.type_name.as_str() {
            "text" | "citext" => random.into(),
            "varchar" | "bpchar" if self.chars > 0 => format!("left({random}, {})", self.chars),
            "varchar" | "bpchar" => random.into(),
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => format!("{} - rowsync_s.rowsync_n", below()),
            "date" | "timestamp" | "timestamptz" => format!("{} - rowsync_s.rowsync_n * interval '1 day'", below()),
            "uuid" => format!("{random}::uuid"),
            "bytea" => format!("decode({random}, 'hex')"),
            _ => return None,
        })
    }
}
