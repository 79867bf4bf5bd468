//! Leave to write: a run that shares its target with other processes asks for it before each transaction, and once more
//! before the commit.

use async_trait::async_trait;
use rowsync_engine::error::StoreError;

#[async_trait]
pub trait Leave: Send + Sync {
    /// Returns where nobody else may write to the target of this run now.
    ///
    /// # Errors
    /// `LeaseLost` where somebody else may. Then this run never may again.
    async fn to_write(&self) -> Result<(), StoreError>;
}

/// Of a run that writes nothing, or that no other process can get in the way of.
#[derive(Clone, Copy, Debug)]
pub struct Unshared;

#[async_trait]
impl Leave for Unshared {
    async fn to_write(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
