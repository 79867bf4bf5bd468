//! Rows behind rows: the pages of a copy, each in a transaction of its own, of which the next one is sent while the one
//! before commits.
//!
//! Between two transactions on one connection the target has nothing to do for four round trips, and for as long as our
//! threads take to wake each other. So a page begins beside the one before it, where the store has a connection for that,
//! sends its rows once all rows of that page are taken, which keeps the target's index dense, and commits when that page
//! has. What it is refused for meanwhile may come of what is not committed yet: it is rolled back and written once more
//! when it is alone. Nothing is committed behind a page that was refused.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::search::SideName;
use rowsync_engine::store::Result;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{Pen, Witness, got_no_answer};
use crate::board::Spent;
use crate::phase::Phase;

/// How far a page has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Open,
    /// The target has taken all its rows, and commits them next.
    Written,
    /// The commit was refused, and the page is written anew.
    Again,
    Done,
    Failed,
}

/// The page in front of another one, as that one sees it; none of the first page.
#[derive(Clone)]
pub struct Before(Option<watch::Receiver<Stage>>);

impl Before {
    fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(|stage| *stage.borrow() == Stage::Done)
    }

    /// Waits until its rows are taken; `false` where they are not.
    async fn is_written(&mut self) -> bool {
        matches!(self.reaches(|stage| stage != Stage::Open).await, Stage::Written | Stage::Done)
    }

    /// Waits for the end of its first try; `false` where it is tried again or has failed.
    async fn commits(&mut self) -> bool {
        self.reaches(|stage| !matches!(stage, Stage::Open | Stage::Written)).await == Stage::Done
    }

    /// Waits until nothing more becomes of it.
    pub async fn ended(&mut self) -> Stage {
        self.reaches(|stage| matches!(stage, Stage::Done | Stage::Failed)).await
    }

    async fn reaches(&mut self, there: impl Fn(Stage) -> bool) -> Stage {
        let Some(stage) = &mut self.0 else { return Stage::Done };
        // Whoever is gone without a word has failed.
        stage.wait_for(|stage| there(*stage)).await.map_or(Stage::Failed, |stage| *stage)
    }
}

/// The pages that a writer has in hand: the last one, and the one before it.
#[derive(Default)]
pub struct Line {
    last: Option<Page>,
    before: Option<Page>,
}

struct Page {
    stage: watch::Receiver<Stage>,
    _writing: AbortOnDropHandle<()>,
}

impl Line {
    /// The last page.
    pub fn last(&self) -> Before {
        Before(self.last.as_ref().map(|page| page.stage.clone()))
    }

    /// A page behind all others. There must be no more than one that has not ended.
    pub fn join(&mut self, write: impl FnOnce(Before, watch::Sender<Stage>) -> AbortOnDropHandle<()>) {
        let (mine, stage) = watch::channel(Stage::Open);
        let writing = write(self.last(), mine);
        self.before = self.last.replace(Page { stage, _writing: writing });
    }
}

/// What became of a page that was written beside the one before it.
enum Beside {
    Applied(Applied),
    /// It has to be written alone.
    NotYet,
}

impl Pen {
    /// Writes a page behind another one, or as much of it as the target takes.
    pub(super) async fn write_behind(
        &self,
        changes: Changes,
        mut before: Before,
        mine: watch::Sender<Stage>,
    ) -> Result<Applied> {
        self.ledger.wanted.fetch_add(changes.len() as u64, Relaxed);
        let changes = Arc::new(changes);
        let applied = match self.write_beside(&changes, &mut before, &mine).await {
            Ok(Beside::Applied(applied)) => Ok(applied),
            Ok(Beside::NotYet) => self.write_after(&changes, &mut before).await,
            Err(error) => Err(error),
        };
        mine.send_replace(if applied.is_ok() { Stage::Done } else { Stage::Failed });
        applied
    }

    async fn write_after(&self, changes: &Arc<Changes>, before: &mut Before) -> Result<Applied> {
        if before.ended().await != Stage::Done {
            return Err(StoreError::new(Kind::Bug, "write", "the rows in front were refused").at(&self.view.table));
        }
        let begun = Instant::now();
        let applied = self.write_narrowed(changes).await;
        self.progress.spend(Spent::Write, SideName::Target, begun);
        applied
    }

    async fn write_beside(
        &self,
        changes: &Arc<Changes>,
        before: &mut Before,
        mine: &watch::Sender<Stage>,
    ) -> Result<Beside> {
        if !self.writes_plainly() {
            return Ok(Beside::NotYet);
        }
        self.leave.to_write().await?;
        let transaction = match before.is_done() {
            true => Some(self.store.begin(&self.view).await?),
            false => self.store.begin_beside(&self.view).await?,
        };
        let Some(mut transaction) = transaction else { return Ok(Beside::NotYet) };
        if !before.is_written().await {
            return Ok(Beside::NotYet);
        }
        let begun = Instant::now();
        Phase::BatchBegun.reached();
        let applied = match transaction.write(Arc::clone(changes)).await {
            Err(error) if got_no_answer(&error) => return Err(error),
            Err(_) => return Ok(Beside::NotYet),
            Ok(applied) => applied,
        };
        Phase::BatchWritten.reached();
        mine.send_replace(Stage::Written);
        if !before.commits().await {
            return Ok(Beside::NotYet);
        }
        let committed = self.commit(transaction, applied, Witness::of(changes)).await;
        self.progress.spend(Spent::Write, SideName::Target, begun);
        match committed {
            Err(error) if got_no_answer(&error) => Err(error),
            Err(_) => {
                mine.send_replace(Stage::Again);
                Ok(Beside::NotYet)
            }
            Ok(applied) => Ok(Beside::Applied(applied)),
        }
    }

    /// Whether a set of rows is nothing but that: no image of it is kept, and none of them waits for another one.
    fn writes_plainly(&self) -> bool {
        self.keeping.is_none() && self.kin.is_none() && self.circular.is_empty()
    }
}
