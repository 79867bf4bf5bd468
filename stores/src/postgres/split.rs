//! Keys that cut a table or a range into parts of about equal size.

use rowsync_engine::error::StoreError;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::schema::TableView;

use super::histogram;
use super::index;
use super::link::Lease;
use super::literal::text_literal;
use super::ranges;
use super::read;
use super::select::ViewSql;

/// Below this a table is counted out exactly.
const SAMPLED_FROM_ROWS: f64 = 50_000.0;
/// Blocks that are looked at for each part: with twenty, nine parts of ten are within 40 % of the size asked for.
const BLOCKS_A_PART: f64 = 20.0;
/// Where the sample would be more than this share of the table, counting the keys along their index costs no more.
const SAMPLE_MAX: f64 = 0.3;
/// What a block holds where nothing is known; only used for tables that were never analyzed.
const ROWS_A_BLOCK: f64 = 60.0;

pub async fn split(
    mut lease: Lease,
    view: &TableView,
    ranges: &[KeyRange],
    rows_per_part: u64,
) -> Result<Vec<Vec<Key>>, StoreError> {
    let sql = ViewSql::new(view);
    let rows_per_part = rows_per_part.max(1);
    // What the planner knows, and what blocks hold, is about all rows of the table.
    let is_known = ranges::are_whole(ranges) && view.filter.is_all();
    if is_known && let Some(cuts) = histogram::cuts(&mut lease, view, &sql, rows_per_part).await? {
        lease.release();
        return Ok(vec![cuts]);
    }
    let sample = match is_known {
        true => size(&mut lease, &sql).await?.and_then(|size| size.sample(rows_per_part)),
        false => None,
    };
    let keys = match sample {
        Some(sample) => vec![read::keys(&mut lease, view, &sql, &sampled(&sql, &sample)?).await?],
        None => cut(&mut lease, view, &sql, ranges, rows_per_part).await?,
    };
    lease.release();
    Ok(keys)
}

/// The same, but each part but the last holds exactly so many rows.
pub async fn split_exactly(
    mut lease: Lease,
    view: &TableView,
    range: &KeyRange,
    rows: u64,
) -> Result<Vec<Key>, StoreError> {
    let keys = cut(&mut lease, view, &ViewSql::new(view), std::slice::from_ref(range), rows).await?;
    lease.release();
    Ok(keys.concat())
}

async fn cut(
    lease: &mut Lease,
    view: &TableView,
    sql: &ViewSql,
    ranges: &[KeyRange],
    rows_per_part: u64,
) -> Result<Vec<Vec<Key>>, StoreError> {
    let part = if index::is_served(lease, view).await? { hopped } else { counted };
    let select = ranges::each(sql, ranges, |after, through| part(sql, after, through, rows_per_part))?;
    // Behind the key stand its place among the cuts and the number of its range.
    let columns = format!("{}, n, i", names(sql));
    let select = format!("SELECT {columns} FROM ({select}) s({columns}) ORDER BY i, n");
    read::numbered_keys(lease, view, sql, &select, ranges.len()).await
}

/// From cut to cut along the index: a quarter of the cost of numbering all rows.
fn hopped(sql: &ViewSql, after: Option<&[String]>, through: Option<&[String]>, rows_per_part: u64) -> String {
    let beyond = sql.between(Some(&sql.as_bounds("rowsync_hop")), through);
    let hop = |condition: &str, place: &str| {
        let keys = ViewSql::expressions(sql.key_columns());
        let (from, order, skipped) = (&sql.from, sql.order_by(""), rows_per_part - 1);
        format!("SELECT {keys}, {place} FROM {from} WHERE {condition} ORDER BY {order} OFFSET {skipped} LIMIT 1")
    };
    // The last row would cut off an empty part.
    format!(
        "WITH RECURSIVE rowsync_hop({}, n) AS (({}) UNION ALL \
         SELECT d.* FROM rowsync_hop CROSS JOIN LATERAL ({}) d) \
         SELECT * FROM rowsync_hop WHERE EXISTS (SELECT FROM {} WHERE {beyond})",
        names(sql),
        hop(&sql.between(after, through), "1"),
        hop(&beyond, "rowsync_hop.n + 1"),
        sql.from,
    )
}

/// By numbering all rows, where no index has them in order.
fn counted(sql: &ViewSql, after: Option<&[String]>, through: Option<&[String]>, rows_per_part: u64) -> String {
    let keys = ViewSql::expressions(sql.key_columns());
    let order = sql.order_by("");
    let names = names(sql);
    // The last row would cut off an empty part.
    format!(
        "SELECT {names}, n FROM (SELECT {keys}, row_number() OVER w, lead(1) OVER w FROM {} WHERE {} \
         WINDOW w AS (ORDER BY {order})) s({names}, n, next) WHERE n % {rows_per_part} = 0 AND next IS NOT NULL",
        sql.from,
        sql.between(after, through),
    )
}

/// The quantiles of the keys in some of the table's blocks.
fn sampled(sql: &ViewSql, sample: &Sample) -> Result<String, StoreError> {
    let keys = ViewSql::expressions(sql.key_columns());
    let order = sql.order_by("");
    let names = names(sql);
    let parts = sample.parts;
    Ok(format!(
        "SELECT {names} FROM (SELECT {keys}, row_number() OVER (ORDER BY {order}), count(*) OVER () \
         FROM {} TABLESAMPLE SYSTEM ({:.4}) WHERE {}) s({names}, rn, n) \
         WHERE rn < n AND rn * {parts} / n <> (rn - 1) * {parts} / n ORDER BY rn",
        sql.from,
        sample.percent,
        sql.within(&KeyRange::ALL)?,
    ))
}

fn names(sql: &ViewSql) -> String {
    (0..sql.key_columns().len()).map(|part| format!("k{part}")).collect::<Vec<_>>().join(", ")
}

/// The key behind which the last `rows` rows lie.
pub async fn before_last(mut lease: Lease, view: &TableView, rows: u64) -> Result<Option<Key>, StoreError> {
    let sql = ViewSql::new(view);
    let select = format!(
        "SELECT {} FROM {} WHERE {} ORDER BY {} OFFSET {rows} LIMIT 1",
        ViewSql::expressions(sql.key_columns()),
        sql.from,
        sql.within(&KeyRange::ALL)?,
        sql.order_by(" DESC"),
    );
    let last = read::keys(&mut lease, view, &sql, &select).await?.pop();
    lease.release();
    Ok(last)
}

struct Size {
    blocks: f64,
    rows: f64,
}

struct Sample {
    percent: f64,
    parts: u64,
}

impl Size {
    fn sample(&self, rows_per_part: u64) -> Option<Sample> {
        let parts = (self.rows / rows_per_part as f64).round();
        let share = parts * BLOCKS_A_PART / self.blocks.max(1.0);
        let worth = self.rows >= SAMPLED_FROM_ROWS && parts >= 2.0 && share <= SAMPLE_MAX;
        worth.then_some(Sample { percent: share * 100.0, parts: parts as u64 })
    }
}

/// The size of a table that has blocks of its own; views and partitioned tables have none.
async fn size(lease: &mut Lease, sql: &ViewSql) -> Result<Option<Size>, StoreError> {
    let statement = format!(
        "SELECT (pg_relation_size(oid) / current_setting('block_size')::int)::text, relpages::text, reltuples::text \
         FROM pg_catalog.pg_class WHERE oid = {}::regclass AND relkind IN ('r', 'm')",
        text_literal(&sql.table)
    );
    let rows = lease.texts(&statement).await?;
    let Some([Some(blocks), Some(pages), Some(tuples)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    let (blocks, pages, tuples) = (number(blocks), number(pages), number(tuples));
    // As the planner does: the density that was found last, times the blocks of today.
    let density = if tuples > 0.0 && pages > 0.0 { tuples / pages } else { ROWS_A_BLOCK };
    Ok(Some(Size { blocks, rows: blocks * density }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_tables_cut_into_large_parts_are_sampled() {
        let size = Size { blocks: 20_000.0, rows: 1_000_000.0 };
        let sample = size.sample(10_000).unwrap();
        assert_eq!((sample.parts, sample.percent), (100, 10.0));
        assert!(size.sample(1_000).is_none());
        assert!(size.sample(2_000_000).is_none());
        assert!(Size { blocks: 100.0, rows: 6_000.0 }.sample(100).is_none());
    }
}
