//! Rows that failed in earlier cycles of a sync: listed, and tried again.

use std::sync::Arc;

use super::{Execution, Refusal, Service, Task};
use crate::execute::place_of;
use crate::problem::Problem;
use crate::row_errors;
use crate::state::RowError;

impl Service {
    /// A page of the rows that wait to be written, and how many all are.
    ///
    /// # Errors
    /// When the configuration is wrong, or the state cannot be read.
    pub async fn row_errors(&self, id: &str, offset: i64, count_max: i64) -> Result<(Vec<RowError>, i64), Problem> {
        let configuration = self.configuration(id).ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
        let settings = configuration.usable()?;
        let (state, place) = (self.archive().state(&settings.state).await?, place_of(&settings));
        Ok((state.row_errors_on(&place, offset, count_max).await?, state.row_errors_count(&place).await?))
    }

    /// Tries them again now; none where no row waits.
    ///
    /// # Errors
    /// As [`Service::execute`]; and when the state cannot be read.
    pub async fn replay(self: &Arc<Self>, id: &str) -> Result<Option<Execution>, Problem> {
        let configuration = self.configuration(id).ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
        let settings = configuration.usable()?;
        let waiting = row_errors::list(&settings).await?;
        let Some(replaying) = waiting.replaying(&settings) else { return Ok(None) };
        Ok(Some(self.begin(id, Task::Replay(Arc::new(replaying)))?))
    }
}
