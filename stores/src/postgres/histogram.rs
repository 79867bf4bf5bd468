//! Cuts out of what the planner knows: the bounds of a hundred equally filled buckets, between which numbers are taken to
//! lie evenly. It costs nothing, where stepping along the index reads it from end to end.

use rowsync_engine::domain::Domain;
use rowsync_engine::error::StoreError;
use rowsync_engine::key::Key;
use rowsync_engine::schema::TableView;
use rowsync_engine::value::ValueRef;

use super::link::Lease;
use super::literal::{table, text_literal};
use super::select::ViewSql;
use super::wire::Wire;

/// Keys that cut the whole table into parts of about so many rows; none where the key is no number, or the table was not
/// analyzed since it was made.
pub async fn cuts(
    lease: &mut Lease,
    view: &TableView,
    sql: &ViewSql,
    rows_per_part: u64,
) -> Result<Option<Vec<Key>>, StoreError> {
    if !is_number(view) {
        return Ok(None);
    }
    let rows = lease.texts(&statement(view, sql)).await?;
    let Some([Some(bounds), Some(analyzed), Some(now), Some(last)]) = rows.first().map(Vec::as_slice) else {
        return Ok(None);
    };
    let Ok(bounds) = serde_json::from_str::<Vec<i64>>(bounds) else { return Ok(None) };
    let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
    let histogram = Histogram { bounds, rows: number(analyzed), rows_now: number(now), last: last.parse().ok() };
    Ok(histogram.cuts(rows_per_part).map(|cuts| cuts.into_iter().map(|cut| Key::new([ValueRef::Int(cut)])).collect()))
}

fn is_number(view: &TableView) -> bool {
    let [column] = view.key_columns() else { return false };
    let own = matches!(Wire::of(&column.column), Wire::Int2 | Wire::Int4 | Wire::Int8);
    own && matches!(column.domain, Domain::Int | Domain::Native)
}

/// The bounds, the rows when they were found, the rows of today by the growth of the table, and the last key.
fn statement(view: &TableView, sql: &ViewSql) -> String {
    let key = &sql.key_columns()[0].expression;
    format!(
        "SELECT array_to_json(s.histogram_bounds::text::bigint[])::text, c.reltuples::text, \
         (c.reltuples * greatest(pg_relation_size(c.oid) / current_setting('block_size')::int / greatest(c.relpages, 1)::float8, 1))::text, \
         (SELECT max({key})::text FROM {}) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = {} AND NOT s.inherited \
         WHERE c.oid = {}::regclass AND c.relkind IN ('r', 'm') AND c.reltuples > 0",
        sql.from,
        text_literal(&view.columns[0].column.name),
        text_literal(&table(&view.table)),
    )
}

struct Histogram {
    bounds: Vec<i64>,
    rows: f64,
    rows_now: f64,
    last: Option<i64>,
}

impl Histogram {
    /// Rising, and all before the last key.
    fn cuts(&self, rows_per_part: u64) -> Option<Vec<i64>> {
        let last = self.last?;
        let mut bounds = self.bounds.clone();
        let mut fill = vec![self.rows / (bounds.len().checked_sub(1)? as f64); bounds.len().checked_sub(1)?];
        if fill.is_empty() {
            return None;
        }
        // What came since then mostly came behind the rest.
        if bounds.last().is_some_and(|bound| *bound < last) {
            bounds.push(last);
            fill.push((self.rows_now - self.rows).max(0.0));
        }
        let mut cuts: Vec<i64> = Vec::new();
        let (mut before, mut next) = (0.0, rows_per_part as f64);
        for (bucket, rows) in bounds.windows(2).zip(fill) {
            let width = i128::from(bucket[1]) - i128::from(bucket[0]);
            while next < before + rows {
                let share = (next - before) / rows;
                let cut = i128::from(bucket[0]) + (width as f64 * share) as i128;
                let cut = i64::try_from(cut).unwrap_or(bucket[1]).min(bucket[1]);
                if cut < last && cuts.last().is_none_or(|before| *before < cut) {
                    cuts.push(cut);
                }
                next += rows_per_part as f64;
            }
            before += rows;
        }
        Some(cuts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_cut_evenly_and_what_came_since_is_cut_too() {
        let histogram = Histogram { bounds: vec![0, 100, 1_000], rows: 200.0, rows_now: 300.0, last: Some(1_100) };
        assert_eq!(histogram.cuts(50).unwrap(), [50, 100, 550, 1_000, 1_050]);
        assert_eq!(Histogram { last: Some(1_000), ..histogram }.cuts(150).unwrap(), [550]);
    }

    proptest! {
        #[test]
        fn cuts_rise_and_lie_before_the_last_key(
            mut bounds in prop::collection::vec(any::<i64>(), 2..20),
            rows in 1u32..1_000_000, grown in 1.0f64..3.0, beyond: i64, rows_per_part in 1_000u64..10_000,
        ) {
            bounds.sort_unstable();
            let last = beyond.max(*bounds.last().unwrap());
            let rows = f64::from(rows);
            let histogram = Histogram { bounds, rows, rows_now: rows * grown, last: Some(last) };
            let cuts = histogram.cuts(rows_per_part).unwrap();
            prop_assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]) && cuts.iter().all(|cut| *cut < last));
        }
    }
}
