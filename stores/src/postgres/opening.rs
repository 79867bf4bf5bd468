//! The connections that a store begins with.

use std::time::Duration;

use rowsync_engine::error::StoreError;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Door, FAR, Opened};

/// A single connection is no reason to open another, and somebody else may need the rest.
const OPEN_AHEAD_FROM: u32 = 2;
/// A server that is near lets us in sooner. It takes five round trips, or six with TLS.
const SLOW_TO_OPEN: Duration = Duration::from_millis(30);

/// One connection, and where the way is long another that is on its way: whoever needs it later would have to wait for as
/// many round trips as everything before took.
pub struct Opening {
    pub first: Opened,
    pub second: Option<Second>,
}

/// Ends when nobody waits for it any more.
pub type Second = AbortOnDropHandle<Result<Opened, StoreError>>;

impl Opening {
    /// # Errors
    /// Where the first connection cannot be had. That the second one cannot be had is told to whoever needs it.
    pub async fn of(door: &Door, connections_max: u32) -> Result<Opening, StoreError> {
        let ahead = || {
            let door = door.clone();
            (connections_max > OPEN_AHEAD_FROM)
                .then(|| AbortOnDropHandle::new(tokio::spawn(async move { door.open().await })))
        };
        let mut opening = std::pin::pin!(door.open());
        let (first, second) = match tokio::time::timeout(SLOW_TO_OPEN, opening.as_mut()).await {
            Ok(first) => (first?, None),
            Err(_) => {
                let second = ahead();
                (opening.await?, second)
            }
        };
        let second = if first.answered_in > FAR { second.or_else(ahead) } else { second };
        Ok(Opening { first, second })
    }
}
