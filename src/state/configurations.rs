//! Configurations made through the service, in the state: as they were typed, so that they can be shown again, and read
//! anew when the service's own file has changed.

use super::statement::{Row, Statement};
use super::{State, StateError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConfiguration {
    pub id: String,
    pub name: String,
    /// One object of JSON.
    pub settings: String,
    pub created_at: String,
    pub updated_at: String,
}

impl State {
    /// All of them, the oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn configurations(&self) -> Result<Vec<StoredConfiguration>, StateError> {
        let sql = "select id, name, settings, created_at, updated_at from sync_configurations order by id";
        let rows = self.fetch(Statement::new(sql)).await?;
        rows.iter().map(stored).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    /// Keeps a new one. False where there is one of this name already.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn add_configuration(&self, new: &StoredConfiguration) -> Result<bool, StateError> {
        let sql = "insert into sync_configurations (id, name, settings, created_at, updated_at)
            values ($1, $2, $3, $4, $5) on conflict (name) do nothing";
        let insert = Statement::new(sql).bind(&new.id).bind(&new.name).bind(&new.settings);
        Ok(self.execute(insert.bind(&new.created_at).bind(&new.updated_at)).await? == 1)
    }

    /// Replaces what one says, where it still says what it said before. False where somebody else was quicker.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn change_configuration(
        &self,
        before: &StoredConfiguration,
        after: &StoredConfiguration,
    ) -> Result<bool, StateError> {
        let sql = "update sync_configurations set settings = $1, updated_at = $2 where id = $3 and settings = $4";
        let update = Statement::new(sql).bind(&after.settings).bind(&after.updated_at);
        Ok(self.execute(update.bind(&before.id).bind(&before.settings)).await? == 1)
    }

    /// Removes one; its executions stay in the history. False where it was gone already.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn remove_configuration(&self, id: &str) -> Result<bool, StateError> {
        Ok(self.execute(Statement::new("delete from sync_configurations where id = $1").bind(id)).await? == 1)
    }
}

fn stored(row: &Row) -> Result<StoredConfiguration, sqlx::Error> {
    Ok(StoredConfiguration {
        id: row.get("id")?,
        name: row.get("name")?,
        settings: row.get("settings")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
