//! What can be undone: the images that executions keep, bounded by age and size.

use jiff::Timestamp;
use rowsync_engine::image::{Image, decode};

use super::session::Session;
use super::statement::{Row, Statement};
use super::{Place, State, StateError};

/// Images of one batch.
pub struct Entry<'a> {
    pub execution_id: &'a str,
    pub number: u64,
    pub table: &'a str,
    pub shape: &'a str,
    pub images: &'a [u8],
}

/// Whether images are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Safe,
    /// The execution alone takes more than is allowed, and nothing is kept of it from now on.
    GivenUp,
}

/// An execution that keeps images, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undoable {
    pub execution_id: String,
    pub began: Timestamp,
    pub bytes: u64,
    /// Why nothing is kept of it any more.
    pub gone: Option<String>,
}

const GIVEN_UP: &str = "it alone takes more than `undo_max_bytes`";
const CROWDED_OUT: &str = "later executions took its place within `undo_max_bytes`";

impl State {
    /// Has an execution keep images from now on, where it does not yet, and drops what is older than `keep_since`.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn begin_undo(
        &self,
        place: &Place,
        execution_id: &str,
        began: Timestamp,
        keep_since: Timestamp,
    ) -> Result<(), StateError> {
        self.write_undo_begun(place, execution_id, began, keep_since).await.map_err(|error| self.error(error))
    }

    async fn write_undo_begun(
        &self,
        place: &Place,
        execution_id: &str,
        began: Timestamp,
        keep_since: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        let sql = "insert into sync_undo_executions (execution_id, sync, ends, began, bytes) values ($1, $2, $3, $4, 0)
            on conflict (execution_id) do nothing";
        let insert = Statement::new(sql).bind(execution_id).bind(&place.sync).bind(&place.ends);
        transaction.execute(insert.bind(began.as_millisecond())).await?;
        let old = |sql| Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(keep_since.as_millisecond());
        let images = "delete from sync_undo where execution_id in
            (select execution_id from sync_undo_executions where sync = $1 and ends = $2 and began < $3)";
        transaction.execute(old(images)).await?;
        let executions = "delete from sync_undo_executions where sync = $1 and ends = $2 and began < $3";
        transaction.execute(old(executions)).await?;
        transaction.commit().await
    }

    /// Keeps images, safe on disk. Where all executions of the sync take more than `bytes_max` then, the oldest others
    /// are dropped first; an execution that takes more by itself is dropped as a whole.
    ///
    /// # Errors
    /// When the state cannot be written; then nothing is kept.
    pub async fn keep_images(&self, place: &Place, entry: &Entry<'_>, bytes_max: u64) -> Result<Kept, StateError> {
        self.keep(place, entry, bytes_max).await.map_err(|error| self.error(error))
    }

    async fn keep(&self, place: &Place, entry: &Entry<'_>, bytes_max: u64) -> Result<Kept, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        // Writes first: of two tables that keep images at once, the second one waits here.
        let sql = "update sync_undo_executions set bytes = bytes + $1 where execution_id = $2 and gone is null
            returning bytes";
        let update = Statement::new(sql).bind(entry.images.len() as i64).bind(entry.execution_id);
        let own: Option<i64> = transaction.fetch_optional(update).await?.map(|row| row.get("bytes")).transpose()?;
        let Some(own) = own else {
            transaction.commit().await?;
            return Ok(Kept::GivenUp);
        };
        if own as u64 > bytes_max {
            drop_execution(&mut transaction, entry.execution_id, GIVEN_UP).await?;
            transaction.commit().await?;
            return Ok(Kept::GivenUp);
        }
        make_room(&mut transaction, place, entry.execution_id, bytes_max).await?;
        let sql = "insert into sync_undo (execution_id, entry, table_name, shape, bytes, images)
            values ($1, $2, $3, $4, $5, $6)";
        let insert = Statement::new(sql).bind(entry.execution_id).bind(entry.number as i64).bind(entry.table);
        let insert = insert.bind(entry.shape).bind(entry.images.len() as i64).bind(entry.images);
        transaction.execute(insert).await?;
        transaction.commit().await?;
        Ok(Kept::Safe)
    }

    /// Forgets images of a batch that was not applied.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn strike_images(&self, execution_id: &str, number: u64) -> Result<(), StateError> {
        let strike = async {
            let mut transaction = self.database.begin().await?;
            let sql = "delete from sync_undo where execution_id = $1 and entry = $2 returning bytes";
            let delete = Statement::new(sql).bind(execution_id).bind(number as i64);
            let bytes: Option<i64> =
                transaction.fetch_optional(delete).await?.map(|row| row.get("bytes")).transpose()?;
            let sql = "update sync_undo_executions set bytes = bytes - $1 where execution_id = $2";
            transaction.execute(Statement::new(sql).bind(bytes.unwrap_or(0)).bind(execution_id)).await?;
            transaction.commit().await
        };
        strike.await.map_err(|error| self.error(error))
    }

    /// The executions of a sync that keep images, or gave it up, the newest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn undoable(&self, place: &Place) -> Result<Vec<Undoable>, StateError> {
        let sql = "select execution_id, began, bytes, gone from sync_undo_executions
            where sync = $1 and ends = $2 and (bytes > 0 or gone is not null) order by began desc, execution_id desc";
        let rows = self.fetch(Statement::new(sql).bind(&place.sync).bind(&place.ends)).await?;
        rows.iter().map(undoable_of).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    /// The tables of which an execution keeps images, each with the shape that they have.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn undo_tables(&self, execution_id: &str) -> Result<Vec<(String, String)>, StateError> {
        let sql = "select distinct table_name, shape from sync_undo where execution_id = $1 order by table_name, shape";
        let rows = self.fetch(Statement::new(sql).bind(execution_id)).await?;
        let table = |row: &Row| Ok((row.get("table_name")?, row.get("shape")?));
        rows.iter().map(table).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    /// Hands over the images of one table, batch by batch, in the order in which they were made.
    ///
    /// # Errors
    /// When the state cannot be read, or what it holds is damaged.
    pub async fn each_image(
        &self,
        execution_id: &str,
        table: &str,
        mut take: impl FnMut(Vec<Image>) + Send,
    ) -> Result<(), StateError> {
        // One by one: all of them may be more than fits, and the lease has to be put off meanwhile.
        let sql = "select entry, images from sync_undo where execution_id = $1 and table_name = $2 and entry > $3
            order by entry limit 1";
        let mut last = -1;
        loop {
            let rows = self.fetch(Statement::new(sql).bind(execution_id).bind(table).bind(last)).await?;
            let Some(row) = rows.first() else { return Ok(()) };
            let (entry, images) = images_of(row).map_err(|error| self.error(error))?;
            take(images);
            last = entry;
        }
    }

    /// Forgets what was seen of these tables, so that the next run compares them.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn distrust(&self, place: &Place, table: &str) -> Result<(), StateError> {
        let sql = "delete from sync_change_tracking where sync = $1 and ends = $2 and table_name = $3";
        self.execute(Statement::new(sql).bind(&place.sync).bind(&place.ends).bind(table)).await.map(drop)
    }
}

/// Drops the oldest executions but this one until all of the sync together fit.
async fn make_room(
    transaction: &mut Session,
    place: &Place,
    execution_id: &str,
    bytes_max: u64,
) -> Result<(), sqlx::Error> {
    let sql = "select execution_id, bytes from sync_undo_executions
        where sync = $1 and ends = $2 and bytes > 0 order by began, execution_id";
    let rows = transaction.fetch(Statement::new(sql).bind(&place.sync).bind(&place.ends)).await?;
    let kept = |row: &Row| Ok((row.get("execution_id")?, row.get("bytes")?));
    let kept: Vec<(String, i64)> = rows.iter().map(kept).collect::<Result<_, sqlx::Error>>()?;
    let mut total: i64 = kept.iter().map(|(_, bytes)| bytes).sum();
    for (other, bytes) in kept.iter().filter(|(other, _)| other != execution_id) {
        if total as u64 <= bytes_max {
            break;
        }
        drop_execution(transaction, other, CROWDED_OUT).await?;
        total -= bytes;
    }
    Ok(())
}

async fn drop_execution(transaction: &mut Session, execution_id: &str, why: &str) -> Result<(), sqlx::Error> {
    transaction.execute(Statement::new("delete from sync_undo where execution_id = $1").bind(execution_id)).await?;
    let sql = "update sync_undo_executions set bytes = 0, gone = $1 where execution_id = $2";
    transaction.execute(Statement::new(sql).bind(why).bind(execution_id)).await.map(drop)
}

fn undoable_of(row: &Row) -> Result<Undoable, sqlx::Error> {
    let began = Timestamp::from_millisecond(row.get("began")?);
    Ok(Undoable {
        execution_id: row.get("execution_id")?,
        began: began.map_err(|error| sqlx::Error::Decode(error.into()))?,
        bytes: row.get::<i64>("bytes")? as u64,
        gone: row.get("gone")?,
    })
}

/// The images of a batch, and its number.
fn images_of(row: &Row) -> Result<(i64, Vec<Image>), sqlx::Error> {
    let bytes: Vec<u8> = row.get("images")?;
    Ok((row.get("entry")?, decode(&bytes).map_err(|error| sqlx::Error::Decode(error.into()))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::StateSettings;

    fn place() -> Place {
        Place { sync: "shop".into(), ends: "a -> b".into() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    async fn state(folder: &tempfile::TempDir) -> State {
        let state = State::open(&StateSettings::in_file(&folder.path().join("state.sqlite"))).await.unwrap();
        for (second, id) in ["first", "second", "third"].iter().enumerate() {
            state.begin_undo(&place(), id, at(second as i64), at(-1)).await.unwrap();
        }
        state
    }

    async fn keep(state: &State, execution_id: &str, number: u64, bytes: usize) -> Kept {
        let images = vec![1; bytes];
        let entry = Entry { execution_id, number, table: "t", shape: "s", images: &images };
        state.keep_images(&place(), &entry, 100).await.unwrap()
    }

    /// Each execution with the bytes that it keeps.
    async fn kept(state: &State) -> Vec<(String, u64)> {
        state.undoable(&place()).await.unwrap().into_iter().rev().map(|one| (one.execution_id, one.bytes)).collect()
    }

    #[tokio::test]
    async fn the_oldest_executions_make_room_for_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder).await;
        for id in ["first", "second"] {
            assert_eq!(keep(&state, id, 0, 40).await, Kept::Safe);
        }
        assert_eq!(keep(&state, "third", 0, 30).await, Kept::Safe);
        let bytes = [("first", 0), ("second", 40), ("third", 30)].map(|(id, bytes)| (id.to_owned(), bytes));
        assert_eq!(kept(&state).await, bytes);
        assert_eq!(state.undoable(&place()).await.unwrap()[2].gone.as_deref(), Some(CROWDED_OUT));
        assert!(state.undo_tables("first").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_execution_that_is_too_large_by_itself_is_given_up_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder).await;
        assert_eq!(keep(&state, "first", 0, 50).await, Kept::Safe);
        assert_eq!(keep(&state, "second", 0, 60).await, Kept::Safe);
        assert_eq!(keep(&state, "second", 1, 60).await, Kept::GivenUp);
        assert_eq!(keep(&state, "second", 2, 1).await, Kept::GivenUp);
        assert_eq!(state.undoable(&place()).await.unwrap()[0].gone.as_deref(), Some(GIVEN_UP));
        assert!(state.undo_tables("second").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_was_not_applied_takes_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder).await;
        keep(&state, "first", 0, 60).await;
        keep(&state, "first", 1, 30).await;
        state.strike_images("first", 0).await.unwrap();
        assert_eq!(kept(&state).await, [("first".to_owned(), 30)]);
        state.strike_images("first", 0).await.unwrap();
        assert_eq!(kept(&state).await, [("first".to_owned(), 30)]);
    }

    #[tokio::test]
    async fn what_is_too_old_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder).await;
        keep(&state, "first", 0, 10).await;
        keep(&state, "second", 0, 10).await;
        state.begin_undo(&place(), "fourth", at(9), at(1)).await.unwrap();
        assert_eq!(kept(&state).await, [("second".to_owned(), 10)]);
        assert!(state.undo_tables("first").await.unwrap().is_empty());
    }
}
