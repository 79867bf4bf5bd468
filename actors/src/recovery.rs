//! The recovery actor: judges failures by the engine's table, and is the one place where they are logged.

use actix::{Actor, Context, Handler, MessageResult};
use rowsync_engine::recovery::{History, Step, judge};

use crate::messages::Judge;

/// Nothing is tried again yet.
pub const RESIGNED: History = History {
    failures: 1,
    failures_max: 0,
    tries_max: 0,
    batch_rows: 1,
    step: Step::Ask,
    rows_failed: 0,
    rows_failed_max: 0,
};

pub struct Recovery {
    table: String,
}

impl Recovery {
    pub fn new(table: impl Into<String>) -> Recovery {
        Recovery { table: table.into() }
    }
}

impl Actor for Recovery {
    type Context = Context<Self>;
}

impl Handler<Judge> for Recovery {
    type Result = MessageResult<Judge>;

    fn handle(&mut self, message: Judge, _: &mut Context<Self>) -> Self::Result {
        let error = &message.failure;
        if error.class() == rowsync_engine::error::Class::Connection {
            tracing::error!(table = %self.table, stage = message.stage, %error, "sync connection failed");
        } else {
            tracing::error!(table = %self.table, stage = message.stage, %error, "table stopped");
        }
        MessageResult(judge(error.kind, &RESIGNED))
    }
}
