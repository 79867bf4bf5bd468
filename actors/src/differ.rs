//! The differ: finds what is different in a range and sends it to the writer. It knows no plan; what to look for and
//! what to do with it is said in each message.
//!
//! Work is split by what is asked: `hunt` searches, `newest` looks at the rows that came last before that, `leaf` compares ranges, `samples` shows what was found,
//! `second_look` sees whether it is still so, `copy` fills an empty target, `changed` follows modify times, `prove` reads
//! back.

mod changed;
mod copy;
mod hunt;
mod leaf;
mod newest;
mod pending;
mod prove;
mod replace;
pub(crate) mod samples;
mod second_look;

pub use copy::WRITES_IN_FLIGHT;
pub(crate) use leaf::read_alike;
pub(crate) use prove::digests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use actix::{Actor, AtomicResponse, Context, Handler, WrapFuture};
use rowsync_engine::budget::{Budget, Permit};
use rowsync_engine::domain::Domain;
use rowsync_engine::key::KeyRange;
use rowsync_engine::pair::Pair;
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::schema::TableView;
use rowsync_engine::search::SideName;
use rowsync_engine::sightings::{Mark, Pulse};
use rowsync_engine::store::{Decoder, Encoder, PageRequest, Store};
use tokio_util::sync::CancellationToken;

use tracing::{Instrument as _, Span};

use crate::board::Progress;
use crate::failure::Failure;
use crate::found::Found;
use crate::job::TableOptions;
use crate::ledger::Ledger;
use crate::messages::{CompareChanged, CompareKeys, CompareRange, CopyTable, DeleteKeys, ProveRanges, ReplaceRows};
use crate::ports::{ReaderPort, WriterPort};

/// What a row is taken to be before the first one was seen, in bytes.
const ROW_BYTES_GUESS: usize = 256;

/// Finds differences of one table.
pub struct Differ {
    desk: Arc<Desk>,
    /// Of the table; made within it.
    span: Span,
}

/// What every piece of the differ's work needs.
pub struct Desk {
    pub pair: Arc<Pair>,
    pub source: ReaderPort,
    pub target: ReaderPort,
    pub writer: WriterPort,
    /// Says how the target will hold rows, where that can be told.
    pub encoder: Option<Arc<dyn Encoder>>,
    /// Who takes rows of the source and of the target apart that were read as they are, where equal bytes are equal rows.
    pub decoders: Option<[Arc<dyn Decoder>; 2]>,
    /// The source's store; it tells whether it stood still.
    pub read: Arc<dyn Store>,
    /// The store that is written to; it tells moments.
    pub written: Arc<dyn Store>,
    pub budget: Budget,
    pub stop: CancellationToken,
    pub options: TableOptions,
    pub ledger: Arc<Ledger>,
    pub progress: Arc<Progress>,
    pub salt: u64,
    /// Round trips to one of the stores take more than what most questions do.
    pub far: bool,
    pub row_bytes: AtomicUsize,
}

impl Differ {
    pub fn new(desk: Desk) -> Differ {
        desk.row_bytes.store(ROW_BYTES_GUESS, Relaxed);
        Differ { desk: Arc::new(desk), span: Span::current() }
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// One piece of work at a time; it ends with the actor.
    fn work<T: 'static, F>(&self, work: impl FnOnce(Arc<Desk>) -> F) -> AtomicResponse<Self, Result<T, Failure>>
    where
        F: Future<Output = Result<T, Failure>> + 'static,
    {
        AtomicResponse::new(Box::pin(work(Arc::clone(&self.desk)).instrument(self.span.clone()).into_actor(self)))
    }
}

impl Desk {
    fn key_len(&self) -> usize {
        self.pair.source.key_len
    }

    fn domains(&self) -> Vec<Domain> {
        self.pair.source.domains()
    }

    fn view(&self, side: SideName) -> &TableView {
        match side {
            SideName::Source => &self.pair.source,
            SideName::Target => &self.pair.target,
        }
    }

    pub(crate) fn reader(&self, side: SideName) -> &ReaderPort {
        match side {
            SideName::Source => &self.source,
            SideName::Target => &self.target,
        }
    }

    /// Bytes of the budget, waited for.
    pub(crate) async fn permit(&self, bytes: usize) -> Permit {
        self.progress.meters.permit(&self.budget, bytes).await
    }

    pub(crate) fn check_stop(&self) -> Result<(), Failure> {
        if self.stop.is_cancelled() { Err(Failure::Stopped) } else { Ok(()) }
    }

    /// The moment before rows of the target are read that may be written.
    async fn mark(&self) -> Result<Option<Mark>, Failure> {
        Ok(self.written.mark(&self.pair.target).await.map_err(|error| error.on(SideName::Target))?)
    }

    /// What tells later whether both sides stood still; none where they cannot say, or asking costs more than looking.
    async fn pulses(&self) -> Result<Option<[Pulse; 2]>, Failure> {
        if self.far {
            return Ok(None);
        }
        let pulse =
            async |store: &Arc<dyn Store>, side| store.pulse().await.map_err(|error| Failure::from(error.on(side)));
        let (source, target) =
            futures_util::try_join!(pulse(&self.read, SideName::Source), pulse(&self.written, SideName::Target))?;
        Ok(source.zip(target).map(|(source, target)| [source, target]))
    }

    pub(crate) fn request(&self, range: KeyRange, form: Form) -> PageRequest {
        PageRequest {
            range,
            rows_max: self.options.batch_rows.get(),
            bytes_max: self.options.page_bytes,
            row_bytes_hint: self.row_bytes.load(Relaxed).max(1),
            form,
            keys_only: false,
            modified_after: None,
            goes_on: false,
        }
    }

    /// Learns from a page what a row takes.
    pub(crate) fn learn(&self, page: &RowPage) {
        if let Some(bytes) = page.row_bytes().checked_div(page.len()) {
            self.row_bytes.store(bytes.max(1), Relaxed);
        }
    }
}

impl Actor for Differ {
    type Context = Context<Self>;
}

impl Handler<CompareRange> for Differ {
    type Result = AtomicResponse<Self, Result<Found, Failure>>;

    fn handle(&mut self, message: CompareRange, _: &mut Context<Self>) -> Self::Result {
        self.work(|desk| hunt::hunt(desk, message))
    }
}

impl Handler<CopyTable> for Differ {
    type Result = AtomicResponse<Self, Result<Found, Failure>>;

    fn handle(&mut self, message: CopyTable, _: &mut Context<Self>) -> Self::Result {
        self.work(|desk| copy::copy(desk, message.after))
    }
}

impl Handler<CompareChanged> for Differ {
    type Result = AtomicResponse<Self, Result<Found, Failure>>;

    fn handle(&mut self, message: CompareChanged, _: &mut Context<Self>) -> Self::Result {
        self.work(|desk| changed::write_changed(desk, message.since))
    }
}

impl Handler<ReplaceRows> for Differ {
    type Result = AtomicResponse<Self, Result<Found, Failure>>;

    fn handle(&mut self, message: ReplaceRows, _: &mut Context<Self>) -> Self::Result {
        self.work(|desk| replace::replace(desk, message.deletes))
    }
}

impl Handler<CompareKeys> for Differ {
    type Result = AtomicResponse<Self, Result<Found, Failure>>;

    fn handle(&mut self, message: CompareKeys, _: &mut Context<Self>) -> Self::Result {
        self.work(|desk| changed::compare_keys(desk, message.keys, message.act))
    }
}

impl Handler<DeleteKeys> for Differ {
    type Result = AtomicResponse<Self, Result<Found, Failure>>;

    fn handle(&mut self, message: DeleteKeys, _: &mut Context<Self>) -> Self::Result {
        self.work(|desk| changed::delete(desk, message.keys, message.seen))
    }
}

impl Handler<ProveRanges> for Differ {
    type Result = AtomicResponse<Self, Result<Vec<KeyRange>, Failure>>;

    fn handle(&mut self, message: ProveRanges, _: &mut Context<Self>) -> Self::Result {
        self.work(|desk| async move { prove::unequal(&desk, message.ranges, desk.pair.digest).await })
    }
}
