//! Moments of a server, told by the numbers of its transactions, and rows that nobody wrote since.

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::schema::TableView;
use rowsync_engine::sightings::{Mark, Pulse};
use rowsync_engine::store::Result;

use super::link::Lease;
use super::literal::{table, text_literal};

/// The oldest transaction that is still open: whatever has a lower number was over by now. Rows of views, of foreign tables
/// and of other ways to store tables need not bear numbers of this server.
pub async fn mark(lease: &mut Lease, view: &TableView) -> Result<Option<Mark>> {
    let statement = format!(
        "SELECT txid_snapshot_xmin(txid_current_snapshot())::text FROM pg_catalog.pg_class c \
         WHERE c.oid = {0}::regclass AND c.relkind IN ('r', 'p') AND NOT EXISTS ( \
           SELECT FROM (SELECT c.oid UNION SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)) o \
           JOIN pg_catalog.pg_class p ON p.oid = o.oid LEFT JOIN pg_catalog.pg_am m ON m.oid = p.relam \
           WHERE p.relkind <> 'p' AND m.amname IS DISTINCT FROM 'heap')",
        text_literal(&table(&view.table))
    );
    let rows = lease.texts(&statement).await?;
    Ok(rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok()).map(Mark))
}

/// The number behind that of the last transaction that wrote, where none is open that has. Whoever writes takes a number,
/// in whatever database of the server, and locks it until the end; the newest of those that are open is in no snapshot, but
/// its lock is there for everybody to see.
const PULSE: &str = "SELECT txid_current_snapshot()::text WHERE NOT EXISTS ( \
    SELECT FROM pg_catalog.pg_locks WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock')";

pub async fn pulse(lease: &mut Lease) -> Result<Option<Pulse>> {
    let rows = lease.texts(PULSE).await?;
    let snapshot = rows.into_iter().next().and_then(|row| row.into_iter().next()?);
    Ok(snapshot.filter(|snapshot| is_quiet(snapshot)).map(Pulse))
}

/// `xmin:xmax:` and the open ones in between.
fn is_quiet(snapshot: &str) -> bool {
    let mut parts = snapshot.split(':');
    let (oldest, next) = (parts.next(), parts.next());
    oldest.is_some() && oldest == next
}

/// ` AND` the row of `rowsync_t` was written by a transaction that was over at this moment. Whatever the statement waits
/// for, PostgreSQL asks again of the row that it finds then. A transaction that was open for long makes us doubt rows
/// without need, and so may one of two billion transactions ago; those are read, and nothing else comes of it.
pub fn written_before(mark: Mark) -> String {
    // Rows bear the lower half of the number.
    format!(" AND age(rowsync_t.xmin) > age('{}'::xid)", mark.0 & u64::from(u32::MAX))
}

/// Fails where fewer rows were hit than were meant.
pub fn all_hit(mark: Option<Mark>, hit: u64, meant: usize) -> Result<()> {
    if mark.is_none() || hit == meant as u64 {
        return Ok(());
    }
    Err(StoreError::new(Kind::RowChanged, "write", "rows were changed by somebody else after they were compared"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_quiet_while_no_open_transaction_has_written() {
        assert!(is_quiet("1500:1500:"));
        assert!(!is_quiet("1498:1500:1498,1499"));
        assert!(!is_quiet("1498:1500:"));
        assert!(!is_quiet(""));
    }
}
