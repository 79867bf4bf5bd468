//! The journal: what the rows of a batch were is kept in it before they are changed, so that a run can be undone.

use std::sync::Arc;

use async_trait::async_trait;
use rowsync_engine::domain::Domain;
use rowsync_engine::error::StoreError;
use rowsync_engine::image::Image;
use rowsync_engine::schema::TableView;

/// The journal of one table in one execution.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Whether anything is kept still.
    fn is_open(&self) -> bool;

    /// Keeps the images of a batch. They are safe when this returns, and the batch is not written before.
    ///
    /// # Errors
    /// When they cannot be kept, or the batch is not to be written.
    async fn note(&self, images: &[Image]) -> Result<u64, StoreError>;

    /// The batch of this note was not applied.
    async fn strike(&self, note: u64);
}

/// What a writer needs to keep images.
#[derive(Clone)]
pub struct Keeping {
    pub journal: Arc<dyn Journal>,
    /// The table with all of its columns behind those that are synced: a row that is deleted loses them too.
    pub image: Arc<TableView>,
    /// Of the columns that are synced.
    pub domains: Arc<[Domain]>,
}
