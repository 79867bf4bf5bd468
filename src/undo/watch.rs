//! The watch over an undo: a row is put back only where it still is what was looked at, as told by the transaction that
//! puts it back. What the undo itself changes is kept like that of any other execution.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rowsync_actors::journal::Journal;
use rowsync_engine::domain::Domain;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::image::{Image, Imprint, imprint};
use rowsync_engine::key::Key;

pub struct Watch {
    domains: Arc<[Domain]>,
    /// None where undoing is not to be undone.
    own: Option<Arc<dyn Journal>>,
    looked_at: Mutex<BTreeMap<Key, Imprint>>,
}

impl Watch {
    pub fn new(domains: Arc<[Domain]>, own: Option<Arc<dyn Journal>>) -> Watch {
        Watch { domains, own, looked_at: Mutex::default() }
    }

    /// These are the rows that may be changed next.
    pub fn look_at(&self, rows: BTreeMap<Key, Imprint>) {
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    fn is_as_looked_at(&self, image: &Image) -> bool {
        let Some(before) = &image.before else { return true };
        let looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        // A row without an imprint is none that was looked at.
        imprint(before, &self.domains).is_ok_and(|found| looked_at.get(&image.key) == Some(&found))
    }
}

#[async_trait]
impl Journal for Watch {
    fn is_open(&self) -> bool {
        true
    }

    async fn note(&self, images: &[Image]) -> Result<u64, StoreError> {
        if !images.iter().all(|image| self.is_as_looked_at(image)) {
            return Err(StoreError::new(Kind::RowChanged, "write", "somebody else writes to the rows right now"));
        }
        match self.own.as_ref().filter(|own| own.is_open()) {
            Some(own) => own.note(images).await,
            None => Ok(0),
        }
    }

    async fn strike(&self, note: u64) {
        if let Some(own) = &self.own {
            own.strike(note).await;
        }
    }
}
