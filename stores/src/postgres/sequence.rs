//! Sequences that number the rows of a table.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::TableName;

use super::link::Lease;
use super::literal::{identifier, table, text_literal};

/// Moves those that count upwards past the highest number that the table holds. One that is ahead stays where it is.
pub async fn advance(lease: &mut Lease, name: &TableName) -> Result<(), StoreError> {
    for row in lease.texts(&sequences(name)).await? {
        let [Some(column), Some(schema), Some(sequence)] = row.as_slice() else {
            return Err(StoreError::new(Kind::Bug, "describe", "the catalog's answer does not fit the question"));
        };
        let sequence = table(&TableName::in_schema(schema, sequence));
        // Found by the index of the key, as this is mostly the key's column.
        let statement = format!(
            "SELECT setval({}, rowsync_m.highest)::text FROM (SELECT max({})::bigint AS highest FROM {}) rowsync_m, {sequence} AS rowsync_q \
             WHERE rowsync_m.highest > rowsync_q.last_value \
             OR rowsync_m.highest = rowsync_q.last_value AND NOT rowsync_q.is_called",
            text_literal(&sequence),
            identifier(column),
            table(name)
        );
        lease.texts(&statement).await?;
    }
    Ok(())
}

/// Identities, and what a default takes its numbers from.
fn sequences(name: &TableName) -> String {
    let name = text_literal(&table(name));
    format!(
        "SELECT a.attname::text, n.nspname::text, s.relname::text FROM ( \
           SELECT d.refobjsubid::int AS number, d.objid AS sequence FROM pg_catalog.pg_depend d \
           WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
           AND d.refobjid = {name}::regclass AND d.refobjsubid > 0 AND d.deptype = 'i' \
           UNION SELECT f.adnum::int, d.refobjid FROM pg_catalog.pg_attrdef f \
           JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid \
           AND d.refclassid = 'pg_catalog.pg_class'::regclass WHERE f.adrelid = {name}::regclass) u \
         JOIN pg_catalog.pg_class s ON s.oid = u.sequence AND s.relkind = 'S' \
         JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0 \
         JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = {name}::regclass AND a.attnum = u.number \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typname IN ('int2', 'int4', 'int8', 'numeric') \
         ORDER BY a.attnum"
    )
}
