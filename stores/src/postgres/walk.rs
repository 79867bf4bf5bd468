//! Walks: the rows of a range, page after page, out of one statement.
//!
//! A statement for each page is planned each time, looks for its first row anew, and takes a round trip, during which
//! nothing is read. Where somebody is going to take all rows, the statement stays open between two pages; the server waits
//! as soon as what it has sent ahead fills the buffers of the connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::store::PageRequest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::copy::Outflow;
use super::link::{Lease, Link};
use super::read::{Shape, select};
use super::select::ViewSql;
use crate::statement::ask;

/// A statement that lasts as long as whoever takes its rows must not be ended for that, neither by its own time nor
/// because the connection takes nothing for a while. That the server lives is seen while rows are waited for.
const BEGIN: &str = "SAVEPOINT rowsync_walk; SET LOCAL statement_timeout = 0; SET LOCAL tcp_user_timeout = 0";
const END: &str = "ROLLBACK TO SAVEPOINT rowsync_walk; RELEASE SAVEPOINT rowsync_walk";

/// The walks of a snapshot that wait for their next page.
pub struct Walks {
    waiting: Mutex<Vec<Walk>>,
    /// A walk keeps its connection while nobody asks, so one has to stay for all other questions.
    room: Arc<Semaphore>,
}

struct Walk {
    view: Arc<TableView>,
    /// The first page that it has not given yet, as far as that is a matter of rows.
    next: PageRequest,
    steps: mpsc::Sender<Step>,
    _walking: AbortOnDropHandle<()>,
}

struct Step {
    request: PageRequest,
    page: oneshot::Sender<Result<RowPage, StoreError>>,
}

impl Walks {
    /// Of a snapshot with so many connections.
    pub fn new(connections: u32) -> Walks {
        Walks { waiting: Mutex::default(), room: Arc::new(Semaphore::new(connections.saturating_sub(1) as usize)) }
    }

    /// The page, if it goes on where a walk stopped or one can begin. The first page of a table may be its last, and is
    /// had for less.
    pub async fn page(
        &self,
        link: &Link,
        view: &Arc<TableView>,
        request: &PageRequest,
    ) -> Result<Option<RowPage>, StoreError> {
        if !request.goes_on || request.range.after.is_none() {
            return Ok(None);
        }
        let mut walk = match self.take(view, request) {
            Some(walk) => walk,
            None => match Arc::clone(&self.room).try_acquire_owned() {
                Ok(room) => Walk::begin(link.lease("read").await?, room, view, request)?,
                Err(_) => return Ok(None),
            },
        };
        let page = walk.step(request).await?;
        if !page.complete {
            walk.next.range.after.clone_from(&page.last_key);
            self.waiting().push(walk);
        }
        Ok(Some(page))
    }

    fn take(&self, view: &TableView, request: &PageRequest) -> Option<Walk> {
        let mut waiting = self.waiting();
        let place = waiting.iter().position(|walk| *walk.view == *view && is_next(&walk.next, request))?;
        Some(waiting.swap_remove(place))
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Walk>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_next(next: &PageRequest, request: &PageRequest) -> bool {
    next.range == request.range
        && next.form == request.form
        && next.keys_only == request.keys_only
        && next.modified_after == request.modified_after
}

impl Walk {
    fn begin(
        lease: Lease,
        room: OwnedSemaphorePermit,
        view: &Arc<TableView>,
        request: &PageRequest,
    ) -> Result<Walk, StoreError> {
        let sql = ViewSql::new(view);
        let (shape, expressions) = Shape::of(view, &sql, request);
        let statement = format!("COPY ({}) TO STDOUT (FORMAT binary)", select(&sql, request, &expressions)?);
        let (steps, asked) = mpsc::channel(1);
        let walking = async move {
            walk(lease, &statement, shape, asked).await;
            drop(room);
        };
        let walking = AbortOnDropHandle::new(tokio::spawn(walking.in_current_span()));
        Ok(Walk { view: Arc::clone(view), next: request.clone(), steps, _walking: walking })
    }

    async fn step(&self, request: &PageRequest) -> Result<RowPage, StoreError> {
        let (page, answer) = oneshot::channel();
        let gone = || StoreError::new(Kind::Panic, "read", "the walk through the table ended").at(&self.view.table);
        self.steps.send(Step { request: request.clone(), page }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Gives one page after the other, until all rows are given or nobody asks any more; then the connection goes back, or is
/// closed with what is still on its wire.
async fn walk(lease: Lease, statement: &str, shape: Shape, steps: mpsc::Receiver<Step>) {
    let Some(mut asker) = Asker::first(steps).await else { return };
    if let Some(last) = pages(lease, statement, shape, &mut asker).await.transpose() {
        asker.answer(last);
    }
}

/// Who waits for the page at hand.
struct Asker {
    request: PageRequest,
    page: Option<oneshot::Sender<Result<RowPage, StoreError>>>,
    steps: mpsc::Receiver<Step>,
}

impl Asker {
    async fn first(mut steps: mpsc::Receiver<Step>) -> Option<Asker> {
        let Step { request, page } = steps.recv().await?;
        Some(Asker { request, page: Some(page), steps })
    }

    fn answer(&mut self, page: Result<RowPage, StoreError>) {
        if let Some(waiting) = self.page.take() {
            // Who does not wait any more does not go on either.
            let _ = waiting.send(page);
        }
    }

    /// Waits for the next question; `false` where none will come.
    async fn goes_on(&mut self) -> bool {
        let Some(Step { request, page }) = self.steps.recv().await else { return false };
        (self.request, self.page) = (request, Some(page));
        true
    }
}

/// Gives all pages but the last, which comes back; `None` where nobody waits for it.
async fn pages(
    mut lease: Lease,
    statement: &str,
    mut shape: Shape,
    asker: &mut Asker,
) -> Result<Option<RowPage>, StoreError> {
    lease.execute(BEGIN).await?;
    let _asked = ask(lease.operation(), statement);
    let mut rows = Outflow::begin(&mut lease, statement).await?;
    let mut page = shape.page(&asker.request);
    let mut told = 0;
    while rows.more().await? {
        let arrived = rows.bytes;
        while let Some(tuple) = rows.tuple()? {
            // A large row waits as it arrived for the page that it will be in.
            let is_large = tuple.bytes.len() >= asker.request.bytes_max;
            if !is_large {
                shape.read(&tuple)?;
            }
            if is_full(&page, if is_large { tuple.bytes.len() } else { shape.row.len() }, &asker.request) {
                shape.finish(&mut page)?;
                page.complete = false;
                page.bytes_read = arrived - told;
                told = arrived;
                asker.answer(Ok(page));
                if !asker.goes_on().await {
                    return Ok(None);
                }
                page = shape.page(&asker.request);
            }
            if is_large {
                shape.read(&tuple)?;
            }
            shape.push_to(&mut page);
        }
    }
    shape.finish(&mut page)?;
    page.bytes_read = rows.bytes - told;
    drop(rows);
    lease.execute(END).await?;
    lease.release();
    Ok(Some(page))
}

fn is_full(page: &RowPage, row_bytes: usize, request: &PageRequest) -> bool {
    let no_room = page.len() >= request.rows_max || page.row_bytes() + row_bytes > request.bytes_max;
    no_room && !page.is_empty()
}
