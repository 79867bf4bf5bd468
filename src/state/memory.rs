//! What both sides of a merge agreed on last, block by block.

use rowsync_actors::memory::Block;
use rowsync_engine::digest::Digest;
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::remembered::{Remembered, decode, encode};
use rowsync_engine::three_way::Memory;

use super::session::Session;
use super::statement::{Row, Statement};
use super::{Place, State, StateError};

/// Which table a memory is of, and as what it is seen.
#[derive(Clone, Debug)]
pub struct MemoryOf {
    pub place: Place,
    pub table: String,
    /// Of the key's columns: a memory of another key is none.
    pub key_shape: i64,
    /// Of all columns: of rows that were seen otherwise only the keys are known.
    pub shape: i64,
}

impl MemoryOf {
    fn bound(&self, sql: &'static str) -> Statement {
        Statement::new(sql).bind(&self.place.sync).bind(&self.place.ends).bind(&self.table)
    }
}

impl State {
    /// The blocks of a table, and how many rows are remembered in them. A memory of another key is forgotten.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn memory_blocks(&self, of: &MemoryOf) -> Result<(Vec<Block>, u64), StateError> {
        let sql = "select block, key_shape, shape, after_key, through_key, remembered, digest from sync_memory
            where sync = $1 and ends = $2 and table_name = $3 order by block";
        let rows = self.fetch(of.bound(sql)).await?;
        let read = rows.iter().map(|row| block_of(row, of)).collect::<Result<Option<Vec<_>>, _>>();
        let Some(blocks) = read.map_err(|error| self.error(error))? else {
            let sql = "delete from sync_memory where sync = $1 and ends = $2 and table_name = $3";
            self.execute(of.bound(sql)).await?;
            return Ok((Vec::new(), 0));
        };
        let known = blocks.iter().map(|(_, rows)| rows).sum();
        Ok((blocks.into_iter().map(|(block, _)| block).collect(), known))
    }

    /// The rows that are remembered of a block; none of one that is not kept.
    ///
    /// # Errors
    /// When the state cannot be read, or another version wrote it.
    pub async fn memory_rows(&self, of: &MemoryOf, block: u64) -> Result<Memory, StateError> {
        let sql = "select shape, rows_seen from sync_memory
            where sync = $1 and ends = $2 and table_name = $3 and block = $4";
        let rows = self.fetch(of.bound(sql).bind(block as i64)).await?;
        let Some(row) = rows.first() else { return Ok(Memory::new()) };
        let read = || {
            let rows = decode(&row.get::<Vec<u8>>("rows_seen")?).map_err(|error| sqlx::Error::Decode(error.into()))?;
            let is_same = row.get::<i64>("shape")? == of.shape;
            let seen = |row: Remembered| if is_same { row } else { row.with_other_columns() };
            Ok(rows.into_iter().map(|(key, row)| (key, seen(row))).collect())
        };
        read().map_err(|error| self.error(error))
    }
}

/// A block and how many rows are remembered in it; none of another key.
fn block_of(row: &Row, of: &MemoryOf) -> Result<Option<(Block, u64)>, sqlx::Error> {
    if row.get::<i64>("key_shape")? != of.key_shape {
        return Ok(None);
    }
    let bound = |column| {
        let bytes: Vec<u8> = row.get(column)?;
        Ok::<_, sqlx::Error>((!bytes.is_empty()).then(|| Key::from_bytes(&bytes)))
    };
    let digest: Vec<u8> = row.get("digest")?;
    let is_same = row.get::<i64>("shape")? == of.shape;
    let block = Block {
        number: row.get::<i64>("block")? as u64,
        range: KeyRange::new(bound("after_key")?, bound("through_key")?),
        digest: digest_of(&digest).filter(|_| is_same),
    };
    Ok(Some((block, row.get::<i64>("remembered")? as u64)))
}

fn digest_of(bytes: &[u8]) -> Option<Digest> {
    let (rows, sum) = bytes.split_first_chunk::<8>()?;
    Some(Digest { rows: u64::from_le_bytes(*rows), sum: i128::from_le_bytes(sum.try_into().ok()?) })
}

fn digest_bytes(digest: Option<&Digest>) -> Vec<u8> {
    digest.map(|digest| [&digest.rows.to_le_bytes()[..], &digest.sum.to_le_bytes()].concat()).unwrap_or_default()
}

/// Keeps a block in place of the one with its number.
pub(super) async fn keep(
    transaction: &mut Session,
    of: &MemoryOf,
    block: &Block,
    rows: &Memory,
) -> Result<(), sqlx::Error> {
    let sql = "insert into sync_memory
            (sync, ends, table_name, block, key_shape, shape, after_key, through_key, remembered, rows_seen, digest)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (sync, ends, table_name, block) do update set key_shape = excluded.key_shape, shape = excluded.shape,
            after_key = excluded.after_key, through_key = excluded.through_key, remembered = excluded.remembered,
            rows_seen = excluded.rows_seen, digest = excluded.digest";
    let bound = |key: &Option<Key>| key.as_ref().map(|key| key.as_bytes().to_vec()).unwrap_or_default();
    let insert = of
        .bound(sql)
        .bind(block.number as i64)
        .bind(of.key_shape)
        .bind(of.shape)
        .bind(bound(&block.range.after).as_slice())
        .bind(bound(&block.range.through).as_slice())
        .bind(rows.len() as i64)
        .bind(encode(rows).as_slice())
        .bind(digest_bytes(block.digest.as_ref()).as_slice());
    transaction.execute(insert).await.map(drop)
}

pub(super) async fn keep_digest(
    transaction: &mut Session,
    of: &MemoryOf,
    block: u64,
    digest: &Digest,
) -> Result<(), sqlx::Error> {
    let sql = "update sync_memory set digest = $4 where sync = $1 and ends = $2 and table_name = $3 and block = $5";
    let update = of.bound(sql).bind(digest_bytes(Some(digest)).as_slice()).bind(block as i64);
    transaction.execute(update).await.map(drop)
}
