//! A table that is only looked at: every row of it.

use super::work::Work;
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::Act;

impl Work {
    pub(super) async fn verify(&mut self, samples_max: usize, explain: bool) -> Result<(), Failure> {
        let found = match self.job.target_missing {
            true => Found { missing: self.state.source.rows, ..Found::default() },
            false if self.job.pair.is_keyless() => self.compare_as_multisets(samples_max, explain).await?,
            false => self.compare_every_row(Act::Observe { samples_max, explain }).await?,
        };
        if !self.job.target_missing {
            (self.state.source.rows, self.state.target.rows) = found.looked_at;
            self.state.estimated = false;
            self.state.plan = Some(self.decide());
        }
        self.state.take_in(found);
        self.state.verified = self.state.sum.differences() == 0;
        self.state.verification = Some(self.state.verification());
        Ok(())
    }
}
