//! From a URL to a store.

use std::sync::Arc;

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::store::{Result, Store};

use crate::Connection;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;

/// Opens the database that the URL names, by its scheme.
///
/// # Errors
/// When the scheme is not known, or the database cannot be reached or refuses.
pub async fn open(connection: &Connection) -> Result<Arc<dyn Store>> {
    let scheme = connection.url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        "postgres" | "postgresql" => Ok(Postgres::connect(connection).await?),
        "sqlite" => Ok(Sqlite::connect(connection).await?),
        other => Err(StoreError::new(Kind::NoDatabase, "connect", format!("no store speaks `{other}:`"))),
    }
}
