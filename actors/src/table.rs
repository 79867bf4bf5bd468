//! The table actor: takes one table from plan to report. It decides; the work is done by its children.
//!
//! `work` holds the decisions in the order in which they are taken, `compare` how rows are compared, `settle` the proof at the end,
//! `standing` what has become of the table so far.

mod compare;
mod settle;
mod standing;
mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix::{Actor, ActorFutureExt, Addr, AtomicResponse, Context, Handler, WrapFuture};

use crate::differ::{Desk, Differ};
use crate::failure::Failure;
use crate::job::{Shared, TableJob};
use crate::messages::{Pass, Standing, SyncTable};
use crate::ports::{ReaderPort, WriterPort};
use crate::reader::Reader;
use crate::recovery::Recovery;
use crate::writer::Writer;

use standing::TableState;
use work::Work;

pub struct Table {
    work: Option<Box<Work>>,
}

impl Table {
    pub fn new(job: TableJob, shared: Shared) -> Table {
        let state = TableState::new(&job);
        Table { work: Some(Box::new(Work::new(job, shared, state))) }
    }
}

/// The children of a table. They live in one place, and end with it.
pub(crate) struct Children {
    pub(crate) source: ReaderPort,
    pub(crate) target: ReaderPort,
    pub(crate) differ: Addr<Differ>,
    pub(crate) recovery: Addr<Recovery>,
}

impl Children {
    pub(crate) fn start(job: &TableJob, shared: &Shared) -> Children {
        let progress = shared.board.table(&job.name);
        let reader = |snapshot, view: &Arc<_>| {
            ReaderPort::from(&Reader::new(snapshot, Arc::clone(view), Arc::clone(&progress)).start())
        };
        let source = reader(Arc::clone(&shared.source), &job.pair.source);
        let target = reader(Arc::clone(&shared.target_rows), &job.pair.target);
        let writer =
            Writer::new(Arc::clone(&shared.target), Arc::clone(&job.pair.target), Arc::clone(&progress)).start();
        let differ = Differ::new(Desk {
            pair: Arc::clone(&job.pair),
            source: source.clone(),
            target: target.clone(),
            writer: WriterPort::new(writer.recipient()),
            encoder: shared.target.encoder(&job.pair.target),
            budget: shared.budget.clone(),
            stop: shared.stop.clone(),
            options: job.options.clone(),
            progress,
            salt: shared.salt,
            far: shared.is_far(),
            row_bytes: AtomicUsize::new(0),
        });
        Children { source, target, differ: differ.start(), recovery: Recovery::new(&job.name).start() }
    }
}

impl Actor for Table {
    type Context = Context<Self>;
}

impl Handler<SyncTable> for Table {
    type Result = AtomicResponse<Self, Standing>;

    fn handle(&mut self, message: SyncTable, _: &mut Context<Self>) -> Self::Result {
        let work = self.work.take();
        let pass = message.pass;
        let done = async move {
            let mut work = work.expect("messages come one at a time, and each puts the work back");
            let standing = walk(&mut work, pass).await;
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
        Pass::Upserts => work.first_pass().await,
        Pass::Deletes => work.second_pass().await,
    };
    work.state.seconds_total += begun.elapsed().as_secs_f64();
    match ended {
        Ok(work::Ended::DeletesWait) => Standing::DeletesWait(Box::new(work.outcome())),
        Ok(work::Ended::Done) => Standing::Finished(Box::new(work.outcome())),
        Err(failure) => {
            work.note_failure(failure, pass).await;
            Standing::Finished(Box::new(work.outcome()))
        }
    }
}
