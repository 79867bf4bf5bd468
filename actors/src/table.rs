//! The table actor: takes one table from plan to report. It decides; the work is done by its children.
//!
//! `work` holds the decisions in the order in which they are taken, `compare` how rows are compared, `settle` the proof at the end,
//! `tail` the end that a table lacks, `standing` what has become of the table so far.

mod compare;
mod counts;
mod decision;
mod deletes;
mod doubt;
mod drift;
mod ending;
mod log;
mod merge;
mod multiset;
mod rejects;
mod replace;
mod settle;
mod standing;
mod tail;
mod upserts;
mod verification;
mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix::{Actor, ActorFutureExt, Addr, AtomicResponse, Context, Handler, WrapFuture};
use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::StoreError;
use rowsync_engine::metrics::ActorName;
use rowsync_engine::pair::Pair;
use rowsync_engine::search::SideName;
use rowsync_engine::store::Decoder;
use rowsync_engine::three_way::Merging;

use tracing::Instrument as _;

use crate::differ::{Desk, Differ};
use crate::end::{End, Rows};
use crate::failure::Failure;
use crate::job::{Shared, TableJob};
use crate::keeper::Seen;
use crate::ledger::Ledger;
use crate::memory::Merge;
use crate::merger::Merger;
use crate::messages::{Pass, Standing, SyncTable};
use crate::ports::{DifferPort, LogPort, ReaderPort, WriterPort};
use crate::reader::Reader;
use crate::recovery::Recovery;
use crate::writer::{Pen, Writer};

pub use standing::Past;
pub(crate) use standing::TableState;
use work::Work;

pub struct Table {
    work: Option<Box<Work>>,
}

impl Table {
    /// `past` and the ledger are what earlier actors of this table left.
    pub fn new(job: TableJob, shared: Shared, past: Past, ledger: Arc<Ledger>, recovery: Addr<Recovery>) -> Table {
        let state = TableState::new(past);
        Table { work: Some(Box::new(Work::new(job, shared, state, ledger, recovery))) }
    }
}

/// The children of a table. They live in one place, and end with it.
pub(crate) struct Children {
    pub(crate) source: ReaderPort,
    pub(crate) target: ReaderPort,
    pub(crate) log: Option<LogPort>,
    pub(crate) differ: DifferPort,
    pub(crate) writer: Addr<Writer>,
    /// Of a table that is merged both ways; with the writer to its source.
    pub(crate) merger: Option<Arc<Merger>>,
    pub(crate) back: Option<Addr<Writer>>,
    pub(crate) seen: Seen,
}

impl Children {
    /// As soon as both ends have a connection.
    pub(crate) async fn start(job: &TableJob, shared: &Shared, ledger: &Arc<Ledger>) -> Result<Children, StoreError> {
        let progress = shared.board.table(&job.name);
        let (source_rows, target_rows) = (shared.source.rows().await?, shared.target.rows().await?);
        let seen = Seen { source: source_rows.generation, target: target_rows.generation };
        let reader = |side, rows: Rows, view: &Arc<_>| {
            Reader::new(side, rows.snapshot, Arc::clone(view), Arc::clone(&progress)).start()
        };
        let port = |side, reader: &Addr<Reader>| {
            ReaderPort::from(reader).gauged(progress.meters.mailbox(ActorName::reader(side)))
        };
        let source = reader(SideName::Source, source_rows, &job.pair.source);
        let log = job
            .log_owner
            .clone()
            .map(|owner| LogPort::new(&source, owner, progress.meters.mailbox(ActorName::reader(SideName::Source))));
        let source = port(SideName::Source, &source);
        let target = port(SideName::Target, &reader(SideName::Target, target_rows, &job.pair.target));
        let pen = Pen {
            side: SideName::Target,
            store: shared.target.store(),
            view: Arc::clone(&job.pair.target),
            kin: job.pair.kin.clone(),
            progress: Arc::clone(&progress),
            ledger: Arc::clone(ledger),
            leave: Arc::clone(&shared.leave),
            options: job.options.clone(),
            // What is remembered of a row knows nothing of references that are filled in later.
            circular: if job.merge.is_some() { Vec::new() } else { job.pair.circular.clone() },
            keeping: job.keeping.clone(),
            others_write: Arc::default(),
            together: Arc::default(),
        };
        let back = job.merge.as_ref().map(|merge| writer_back(merge, &pen, job, shared));
        let writer = Writer::new(pen).start();
        let (writers, differs) =
            (progress.meters.mailbox(ActorName::Writer), progress.meters.mailbox(ActorName::Differ));
        let differ = Differ::new(Desk {
            pair: Arc::clone(&job.pair),
            source: source.clone(),
            target: target.clone(),
            writer: WriterPort::to(&writer).gauged(writers),
            encoder: shared.target.store().encoder(&job.pair.target).filter(|_| !job.moves_fields()),
            decoders: decoders(&job.pair, shared),
            read: shared.source.store(),
            written: shared.target.store(),
            budget: shared.budget.clone(),
            stop: shared.stop.clone(),
            options: job.options.clone(),
            ledger: Arc::clone(ledger),
            progress,
            salt: shared.salt,
            far: shared.is_far(),
            row_bytes: AtomicUsize::new(0),
        });
        let both_ways = job.merge.as_ref().zip(back.as_ref());
        let merger = both_ways.map(|(merge, back)| merger(merge, back, differ.desk(), job));
        let differ = DifferPort::new(differ.start(), differs);
        Ok(Children { source, target, log, differ, writer, merger, back, seen })
    }
}

/// Writes to the source what the target has changed.
fn writer_back(merge: &Merge, pen: &Pen, job: &TableJob, shared: &Shared) -> Addr<Writer> {
    let pen = Pen {
        side: SideName::Source,
        store: shared.source.store(),
        view: Arc::clone(&job.pair.source),
        ledger: Arc::clone(merge.ledger()),
        keeping: None,
        others_write: Arc::default(),
        ..pen.clone()
    };
    Writer::new(pen).start()
}

fn merger(merge: &Merge, back: &Addr<Writer>, desk: Arc<Desk>, job: &TableJob) -> Arc<Merger> {
    let merging = Merging {
        rules: merge.rules.clone(),
        key_len: job.pair.source.key_len,
        domains: job.pair.source.domains().into(),
    };
    Arc::new(Merger {
        back: WriterPort::to(back),
        memory: Arc::clone(&merge.memory),
        block_rows: merge.block_rows,
        digest: digest_of(&job.pair),
        desk,
        merging,
    })
}

/// The kind of digest that says whether anything has changed: made where the rows are, if both sides can.
fn digest_of(pair: &Pair) -> DigestKind {
    let made_there = [DigestKind::Server, DigestKind::Portable];
    made_there.into_iter().find(|kind| pair.digests.contains(kind)).unwrap_or(pair.digest)
}

/// Who takes raw rows of both sides apart, where they are read as such.
fn decoders(pair: &Pair, shared: &Shared) -> Option<[Arc<dyn Decoder>; 2]> {
    let decoder = |end: &End, view| end.store().decoder(view);
    let both = || Some([decoder(&shared.source, &pair.source)?, decoder(&shared.target, &pair.target)?]);
    pair.raw.then(both).flatten()
}

impl Actor for Table {
    type Context = Context<Self>;
}

impl Handler<SyncTable> for Table {
    type Result = AtomicResponse<Self, Standing>;

    fn handle(&mut self, message: SyncTable, _: &mut Context<Self>) -> Self::Result {
        let work = self.work.take();
        let SyncTable { pass, span } = message;
        let done = async move {
            let mut work = work.expect("messages come one at a time, and each puts the work back");
            let standing = walk(&mut work, pass).instrument(span).await;
            (work, standing)
        };
        AtomicResponse::new(Box::pin(done.into_actor(self).map(|(work, standing), table, _| {
            table.work = Some(work);
            standing
        })))
    }
}

/// One pass, from its first question to where the table stands then.
async fn walk(work: &mut Work, pass: Pass) -> Standing {
    let begun = std::time::Instant::now();
    let ended: Result<work::Ended, Failure> = match pass {
        // An actor that takes over in the second pass has not planned yet.
        _ if work.state.plan.is_none() => work.first_pass(pass).await,
        Pass::Upserts => work.first_pass(pass).await,
        Pass::Deletes => work.second_pass().await,
    };
    work.state.seconds_total += begun.elapsed().as_secs_f64();
    match ended {
        Ok(work::Ended::DeletesWait) => Standing::DeletesWait(Box::new(work.outcome())),
        Ok(work::Ended::Done) => Standing::Finished(Box::new(work.outcome())),
        Err(failure) => match work.weigh(failure, pass).await {
            Ok(broken) => Standing::Broken(Box::new(broken)),
            Err(failure) => {
                work.end_with(failure);
                Standing::Finished(Box::new(work.outcome()))
            }
        },
    }
}
