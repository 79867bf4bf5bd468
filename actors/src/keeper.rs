//! The keeper of a table: brings it to its end through as many actors as that takes. An actor that fails or panics is
//! gone for good; the keeper makes the next one, which begins the table again and finds equal what was written before.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use actix::{Actor, Addr};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::metrics::ActorName;
use rowsync_engine::recovery::{Verdict, remedy};
use rowsync_engine::search::SideName;

use tracing::{Instrument as _, Span};

use crate::board::Progress;
use crate::end::pause_unless;
use crate::failure::Failure;
use crate::job::{Shared, StatementLog, TableJob};
use crate::ledger::Ledger;
use crate::messages::{Broken, Judge, Pass, Standing, SyncTable, TableOutcome};
use crate::phase::Phase;
use crate::recovery::{Judgement, Recovery};
use crate::table::{Past, Table, TableState};

pub struct Keeper {
    job: TableJob,
    shared: Shared,
    recovery: Addr<Recovery>,
    /// Recovery actors that panicked.
    judges_lost: u32,
    table: Option<Addr<Table>>,
    past: Past,
    ledger: Arc<Ledger>,
    span: Span,
}

impl Keeper {
    pub fn new(job: TableJob, shared: Shared) -> Keeper {
        let StatementLog { all, writes, times } = job.options.statements;
        let span = tracing::info_span!(
            parent: &shared.span, "sync_table", table = %job.name,
            show_sql = all.then_some(true), show_save_sql = writes.then_some(true), debug_sql = times.then_some(true)
        );
        let recovery = span.in_scope(|| Recovery::new(&job.name, &shared)).start();
        Keeper {
            span,
            job,
            shared,
            recovery,
            judges_lost: 0,
            table: None,
            past: Past::default(),
            ledger: Arc::default(),
        }
    }

    /// One pass, begun again until the table stands or is given up.
    pub async fn see_through(&mut self, pass: Pass) -> Standing {
        let span = self.span.clone();
        self.bring_to_its_end(pass).instrument(span).await
    }

    async fn bring_to_its_end(&mut self, pass: Pass) -> Standing {
        loop {
            let broken = match self.table().send(SyncTable { pass, span: self.span.clone() }).await {
                Ok(Standing::Broken(broken)) => *broken,
                Ok(standing) => {
                    Phase::TableStands.reached();
                    return standing;
                }
                Err(_) => self.panicked(pass).await,
            };
            self.table = None;
            let Broken { failure, judgement, seen, past } = broken;
            self.past = past;
            if let Err(failure) = self.prepare(&failure, judgement, seen).await {
                return Standing::Finished(Box::new(self.given_up(failure)));
            }
            self.past.begin_again(&failure);
            let progress = self.shared.board.table(&self.job.name);
            progress.restarts.fetch_add(1, Relaxed);
            progress.meters.restarted(&[ActorName::Table]);
            progress.meters.retries[failure.class() as usize].increment(1);
            self.log_beginning(&progress);
            self.ledger.want_again(progress.rows_written());
        }
    }

    fn log_beginning(&self, progress: &Progress) {
        let (generation, panics) = (self.past.generation, progress.panics.load(Relaxed));
        tracing::info!(table = %self.job.name, generation, panics, "the table is begun again");
    }

    /// The actor at work, made where there is none.
    fn table(&mut self) -> Addr<Table> {
        let make = || {
            let (job, shared, past) = (self.job.clone(), self.shared.clone(), self.past.clone());
            Table::new(job, shared, past, Arc::clone(&self.ledger), self.recovery.clone()).start()
        };
        self.table.get_or_insert_with(make).clone()
    }

    /// What an actor that panicked cannot tell any more.
    async fn panicked(&self, pass: Pass) -> Broken {
        let failure = Arc::new(StoreError::new(Kind::Panic, "work", "the table's actor ended while it worked"));
        let judge = Judge {
            failure: Arc::clone(&failure),
            stage: pass.name(),
            generation: self.past.generation,
            batch_rows: self.job.options.batch_rows.get(),
        };
        let judgement = self.recovery.send(judge).await;
        let judgement = judgement.unwrap_or_else(|_| Judgement::of_a_lost_judge());
        Broken { failure, judgement, seen: Seen::default(), past: self.past.clone() }
    }

    /// Does what the next actor needs before it begins; an error where there is none to be.
    async fn prepare(&mut self, failure: &Arc<StoreError>, judgement: Judgement, seen: Seen) -> Result<(), Failure> {
        self.have_a_judge(failure)?;
        match judgement.verdict {
            Verdict::Park { .. } | Verdict::Abort { .. } | Verdict::IsolateRow => {
                return Err(Failure::Judged { error: Arc::clone(failure), verdict: judgement.verdict });
            }
            Verdict::Reopen => match failure.side {
                Some(SideName::Source) => self.shared.source.reopen(seen.source).await?,
                _ => self.shared.target.reopen(seen.target).await?,
            },
            Verdict::SmallerBatch => self.job.options.halve_batches(),
            Verdict::FullCompare => self.job.distrust(),
            Verdict::Again => {}
        }
        pause_unless(&self.shared.stop, judgement.pause).await
    }

    /// A recovery actor that panicked took the history with it, so how often that may happen is counted here.
    fn have_a_judge(&mut self, failure: &Arc<StoreError>) -> Result<(), Failure> {
        if self.recovery.connected() {
            return Ok(());
        }
        let progress = self.shared.board.table(&self.job.name);
        progress.panicked();
        progress.meters.restarted(&[ActorName::Recovery]);
        self.judges_lost += 1;
        if self.judges_lost > self.shared.failures_max {
            let verdict = Verdict::Park { remedy: remedy(Kind::Panic) };
            return Err(Failure::Judged { error: Arc::clone(failure), verdict });
        }
        self.recovery = self.span.in_scope(|| Recovery::new(&self.job.name, &self.shared)).start();
        Ok(())
    }

    fn given_up(&self, failure: Failure) -> TableOutcome {
        let mut state = TableState::new(self.past.clone());
        let progress = self.shared.board.table(&self.job.name);
        state.end_with(failure, &progress, &self.ledger);
        progress.finished.store(true, Relaxed);
        state.outcome(&self.job, &progress, &self.ledger)
    }
}

/// Which connections a table worked with, by the generation of each end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub source: u64,
    pub target: u64,
}
