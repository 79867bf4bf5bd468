//! The recovery actor of a table: judges failures by the engine's table, and is the one place where they are logged. It
//! outlives the table's actors, so it knows what went before.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, MessageResult};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::recovery::{History, Step, Verdict, judge};
use rowsync_engine::search::SideName;

use tracing::Span;

use crate::board::Progress;
use crate::end::{Dice, Patience, what_failed};
use crate::job::Shared;
use crate::messages::Judge;

pub struct Recovery {
    table: String,
    progress: Arc<Progress>,
    source: Patience,
    target: Patience,
    failures_max: u32,
    dice: Dice,
    /// Failures in a row, and what the table had written by the last of them: whoever comes on is not in a row.
    failures: u32,
    rows_written: u64,
    /// Of the table; made within it.
    span: Span,
}

/// What to do, and how long to wait before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub pause: Duration,
}

impl Judgement {
    /// Of a failure whose judge panicked. The keeper finds another judge, and counts how often.
    pub fn of_a_lost_judge() -> Judgement {
        Judgement { verdict: Verdict::Again, pause: Duration::ZERO }
    }
}

impl Recovery {
    pub fn new(table: impl Into<String>, shared: &Shared) -> Recovery {
        let table = table.into();
        Recovery {
            progress: shared.board.table(&table),
            source: *shared.source.patience(),
            target: *shared.target.patience(),
            failures_max: shared.failures_max,
            dice: Arc::clone(&shared.dice),
            failures: 0,
            rows_written: 0,
            span: Span::current(),
            table,
        }
    }

    fn count(&mut self, kind: Kind) {
        let written = self.progress.rows_written();
        if written > self.rows_written {
            self.failures = 0;
        }
        self.rows_written = written;
        self.failures += 1;
        if kind == Kind::Panic {
            self.progress.panicked();
        }
    }

    fn patience(&self, error: &StoreError) -> &Patience {
        if error.side == Some(SideName::Source) { &self.source } else { &self.target }
    }

    fn log(&self, message: &Judge, judgement: &Judgement) {
        let (error, stage, generation) = (&message.failure, message.stage, message.generation);
        let what = what_failed(error);
        match judgement.verdict {
            Verdict::Park { .. } | Verdict::Abort { .. } => {
                tracing::error!(table = %self.table, stage, generation, side = error.side.map(tracing::field::display), %error, "{what}");
            }
            verdict => {
                tracing::warn!(table = %self.table, stage, generation, side = error.side.map(tracing::field::display), ?verdict, %error, "{what}");
            }
        }
    }
}

impl Actor for Recovery {
    type Context = Context<Self>;
}

impl Handler<Judge> for Recovery {
    type Result = MessageResult<Judge>;

    fn handle(&mut self, message: Judge, _: &mut Context<Self>) -> Self::Result {
        let span = self.span.clone();
        let _of_the_table = span.enter();
        let error = &message.failure;
        self.count(error.kind);
        let patience = self.patience(error);
        let history = History {
            failures: self.failures,
            failures_max: self.failures_max,
            tries_max: patience.tries_max,
            batch_rows: message.batch_rows,
            step: if matches!(error.operation, "read" | "write") { Step::Move } else { Step::Ask },
            ..History::of_a_question()
        };
        let verdict = judge(error.kind, &history);
        let pause = match verdict {
            Verdict::Again => patience.backoff.pause(self.failures - 1, (self.dice)()).max(asked_for(error)),
            _ => asked_for(error),
        };
        let judgement = Judgement { verdict, pause };
        self.log(&message, &judgement);
        MessageResult(judgement)
    }
}

/// How long the store itself wants to be left alone.
fn asked_for(error: &StoreError) -> Duration {
    error.retry_after.unwrap_or_default()
}
