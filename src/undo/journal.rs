//! The journal of an execution: keeps images in the state before the batches that they are of are committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use jiff::Timestamp;
use rowsync_actors::journal::{Journal, Keeping};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::image::{Image, encode};
use rowsync_engine::pair::{Mismatch, Pair};
use rowsync_engine::schema::TableSchema;
use rowsync_engine::store::Capabilities;

use super::columns::{image_view, shape};
use crate::settings::UndoSettings;
use crate::state::{Entry, Kept, Place, State, StateError};

/// What all tables of an execution share.
pub struct ExecutionJournal {
    state: Arc<State>,
    place: Place,
    execution_id: String,
    bytes_max: u64,
    next: AtomicU64,
    given_up: AtomicBool,
}

impl ExecutionJournal {
    /// # Errors
    /// When the state cannot be written.
    pub async fn begin(
        state: &Arc<State>,
        place: Place,
        execution_id: String,
        settings: UndoSettings,
        now: Timestamp,
    ) -> Result<Arc<ExecutionJournal>, StateError> {
        let keep_since = now.checked_sub(settings.keep).unwrap_or(Timestamp::MIN);
        state.begin_undo(&place, &execution_id, now, keep_since).await?;
        Ok(Arc::new(ExecutionJournal {
            state: Arc::clone(state),
            place,
            execution_id,
            bytes_max: settings.bytes_max,
            next: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
        }))
    }

    /// What a writer of one table needs.
    ///
    /// # Errors
    /// When the target's columns are nothing that can be read.
    pub fn keeping(
        self: &Arc<Self>,
        table: &str,
        pair: &Pair,
        target: &TableSchema,
        capabilities: &Capabilities,
    ) -> Result<Keeping, Mismatch> {
        let image = image_view(pair, target, capabilities)?;
        let journal = TableJournal {
            execution: Arc::clone(self),
            table: table.to_owned(),
            shape: shape(&image, &pair.target),
            key_len: image.key_len,
        };
        Ok(Keeping { journal: Arc::new(journal), image, domains: pair.target.domains().into() })
    }
}

struct TableJournal {
    execution: Arc<ExecutionJournal>,
    table: String,
    shape: String,
    key_len: usize,
}

#[async_trait]
impl Journal for TableJournal {
    fn is_open(&self) -> bool {
        !self.execution.given_up.load(Relaxed)
    }

    async fn note(&self, images: &[Image]) -> Result<u64, StoreError> {
        let execution = &self.execution;
        let number = execution.next.fetch_add(1, Relaxed);
        let images = encode(images, self.key_len);
        let entry = Entry {
            execution_id: &execution.execution_id,
            number,
            table: &self.table,
            shape: &self.shape,
            images: &images,
        };
        match execution.state.keep_images(&execution.place, &entry, execution.bytes_max).await {
            Ok(Kept::Safe) => {}
            Ok(Kept::GivenUp) if execution.given_up.swap(true, Relaxed) => {}
            Ok(Kept::GivenUp) => {
                tracing::warn!(
                    execution = %execution.execution_id,
                    "this run cannot be undone: it changes more than `undo_max_bytes`; nothing is kept of it"
                );
            }
            // Written without it, the rows could not be put back any more.
            Err(error) => {
                let message = "the state cannot keep what the rows were before, so they are left as they are";
                return Err(StoreError::new(Kind::StateLost, "write", message).caused_by(error));
            }
        }
        Ok(number)
    }

    async fn strike(&self, note: u64) {
        if let Err(error) = self.execution.state.strike_images(&self.execution.execution_id, note).await {
            // An undo finds that it was not applied.
            tracing::warn!(%error, "images of a batch that was not applied stay in the state");
        }
    }
}
