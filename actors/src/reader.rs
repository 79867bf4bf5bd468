//! The reader: answers questions about the rows of one side of a table. It knows no plan and keeps no rows.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use rowsync_engine::canonical::NotCanonical;
use rowsync_engine::change_log::{LogPage, LogStanding};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::row::{RowPage, wide_row_hash};
use rowsync_engine::schema::TableView;
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Result, Snapshot, Survey};
use rowsync_engine::stretch::Stretch;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use tracing::{Instrument as _, Span};

use crate::board::{Progress, Spent};
use crate::messages::{
    AskLog, CountRows, CutInStretches, DigestRanges, EstimateRows, FindNewest, FindRecent, GatherRows, HashedRows,
    ReadKeys, ReadLog, ReadRange, ReadStretch, SplitRanges,
};

/// Most questions that one reader works on at once; the others wait their turn.
const QUESTIONS_MAX: usize = 4;

pub struct Reader {
    side: SideName,
    snapshot: Arc<dyn Snapshot>,
    view: Arc<TableView>,
    progress: Arc<Progress>,
    window: Arc<Semaphore>,
    /// Of the table; made within it.
    span: Span,
}

impl Reader {
    pub fn new(side: SideName, snapshot: Arc<dyn Snapshot>, view: Arc<TableView>, progress: Arc<Progress>) -> Reader {
        Reader {
            side,
            snapshot,
            view,
            progress,
            window: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            span: Span::current(),
        }
    }

    /// Works on a question on any core; the work ends with the actor or with whoever asked.
    fn answer<T: Send + 'static, F>(
        &self,
        spent: Spent,
        bytes: fn(&T) -> u64,
        question: impl FnOnce(Arc<dyn Snapshot>, Arc<TableView>) -> F,
    ) -> ResponseActFuture<Self, Result<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let work = question(Arc::clone(&self.snapshot), Arc::clone(&self.view));
        let (window, progress, side) = (Arc::clone(&self.window), Arc::clone(&self.progress), self.side);
        let asked = async move {
            let _turn = window.acquire_owned().await;
            let begun = Instant::now();
            let answer = work.await;
            progress.spend(spent, side, begun);
            progress.queried(side, answer.as_ref().map_or(0, bytes));
            answer
        };
        let task = AbortOnDropHandle::new(tokio::spawn(asked.instrument(self.span.clone())));
        let view = Arc::clone(&self.view);
        let answer = async move { task.await.unwrap_or_else(|_| Err(panicked(&view))).map_err(|error| error.on(side)) };
        Box::pin(answer.into_actor(self).map(|answer, _, _| answer))
    }
}

fn panicked(view: &TableView) -> StoreError {
    StoreError::new(Kind::Panic, "read", "the adapter panicked").at(&view.table)
}

fn nothing<T>(_: &T) -> u64 {
    0
}

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Handler<CountRows> for Reader {
    type Result = ResponseActFuture<Self, Result<Survey>>;

    fn handle(&mut self, message: CountRows, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Read, nothing, |rows, view| async move { rows.survey(&view, message.since.as_ref()).await })
    }
}

impl Handler<EstimateRows> for Reader {
    type Result = ResponseActFuture<Self, Result<Option<Survey>>>;

    fn handle(&mut self, _: EstimateRows, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Read, nothing, |rows, view| async move { rows.estimate(&view).await })
    }
}

impl Handler<SplitRanges> for Reader {
    type Result = ResponseActFuture<Self, Result<Vec<Vec<Key>>>>;

    fn handle(&mut self, message: SplitRanges, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Search, nothing, |rows, view| async move {
            rows.split(&view, &message.ranges, message.rows_per_part).await
        })
    }
}

impl Handler<FindRecent> for Reader {
    type Result = ResponseActFuture<Self, Result<Option<Key>>>;

    fn handle(&mut self, message: FindRecent, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Search, nothing, |rows, view| async move { rows.before_last(&view, message.rows).await })
    }
}

impl Handler<FindNewest> for Reader {
    type Result = ResponseActFuture<Self, Result<Option<Vec<Key>>>>;

    fn handle(&mut self, message: FindNewest, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Search, nothing, |rows, view| async move { rows.newest(&view, message.rows).await })
    }
}

impl Handler<DigestRanges> for Reader {
    type Result = ResponseActFuture<Self, Result<Vec<Digest>>>;

    fn handle(&mut self, message: DigestRanges, _: &mut Context<Self>) -> Self::Result {
        let spent = if message.kind == DigestKind::Count { Spent::Search } else { Spent::Compare };
        self.answer(spent, nothing, |rows, view| async move {
            rows.digests(&view, &message.ranges, message.kind, message.salt).await
        })
    }
}

impl Handler<ReadRange> for Reader {
    type Result = ResponseActFuture<Self, Result<RowPage>>;

    fn handle(&mut self, message: ReadRange, _: &mut Context<Self>) -> Self::Result {
        self.answer(
            Spent::Read,
            |page: &RowPage| page.bytes_read,
            |rows, view| async move { rows.page(&view, &message.request).await },
        )
    }
}

impl Handler<AskLog> for Reader {
    type Result = ResponseActFuture<Self, Result<Option<LogStanding>>>;

    fn handle(&mut self, message: AskLog, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Read, nothing, |rows, view| async move { rows.log(&view, &message.owner).await })
    }
}

impl Handler<ReadLog> for Reader {
    type Result = ResponseActFuture<Self, Result<LogPage>>;

    fn handle(&mut self, message: ReadLog, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Read, nothing, |rows, view| async move {
            rows.changes_since(&view, &message.owner, message.after, message.changes).await
        })
    }
}

impl Handler<GatherRows> for Reader {
    type Result = ResponseActFuture<Self, Result<Option<RowPage>>>;

    fn handle(&mut self, message: GatherRows, _: &mut Context<Self>) -> Self::Result {
        self.answer(
            Spent::Read,
            |page: &Option<RowPage>| page.as_ref().map_or(0, |page| page.bytes_read),
            |rows, view| async move { rows.gather(&view, &message.ranges, message.wanted, message.bytes_max).await },
        )
    }
}

impl Handler<CutInStretches> for Reader {
    type Result = ResponseActFuture<Self, Result<Vec<Stretch>>>;

    fn handle(&mut self, message: CutInStretches, _: &mut Context<Self>) -> Self::Result {
        self.answer(Spent::Compare, nothing, |rows, view| async move { rows.stretches(&view, message.bytes_max).await })
    }
}

impl Handler<ReadStretch> for Reader {
    type Result = ResponseActFuture<Self, Result<Option<HashedRows>>>;

    fn handle(&mut self, message: ReadStretch, _: &mut Context<Self>) -> Self::Result {
        self.answer(
            Spent::Compare,
            |hashed: &Option<HashedRows>| hashed.as_ref().map_or(0, |hashed| hashed.rows.bytes_read),
            |rows, view| async move {
                let read = rows.lying_in(&view, message.stretch, message.bytes_max).await?;
                read.map(|rows| hashed(rows, &view, message.salt)).transpose()
            },
        )
    }
}

fn hashed(rows: RowPage, view: &TableView, salt: u64) -> Result<HashedRows> {
    let (domains, mut scratch) = (view.domains(), Vec::new());
    let hash = |row: &[u8]| wide_row_hash(row, &domains, salt, &mut scratch);
    let hashes = rows.rows().map(hash).collect::<std::result::Result<_, _>>();
    let broken = |error: NotCanonical| StoreError::new(Kind::BadValue, "read", error.to_string()).at(&view.table);
    Ok(HashedRows { hashes: hashes.map_err(broken)?, rows })
}

impl Handler<ReadKeys> for Reader {
    type Result = ResponseActFuture<Self, Result<RowPage>>;

    fn handle(&mut self, message: ReadKeys, _: &mut Context<Self>) -> Self::Result {
        self.answer(
            Spent::Read,
            |page: &RowPage| page.bytes_read,
            |rows, view| async move { rows.rows_by_key(&view, &message.keys).await },
        )
    }
}
