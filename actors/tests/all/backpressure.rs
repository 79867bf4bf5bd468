//! A writer that does not come on stops the reader after exactly the bytes that the budget allows.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use actix::{Actor, AtomicResponse, Context, Handler, MessageResult, WrapFuture};
use rowsync_actors::differ::{Desk, Differ, WRITES_IN_FLIGHT};
use rowsync_actors::messages::{
    AppendRows, Appending, ChangeSet, CopyTable, CountRows, CutInStretches, DigestRanges, EstimateRows, FindNewest,
    FindRecent, GatherRows, ReadKeys, ReadRange, ReadStretch, SplitRanges,
};
use rowsync_actors::ports::{ReaderPort, WriterPort};
use rowsync_engine::budget::Budget;
use rowsync_engine::digest::Digest;
use rowsync_engine::pair::{PairOptions, Side, pair};
use rowsync_engine::row::{Form, RowPage};
use rowsync_engine::store::{Store, Survey};
use rowsync_engine::value::ValueRef;
use rowsync_stores::memory::Memory;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::world::{on_system, options, table};

const ROWS_OF_A_PAGE: usize = 10;

/// A source without end, whose pages all have the same size; it counts them.
#[derive(Clone)]
struct Endless {
    pages: Arc<AtomicUsize>,
    asked: Arc<Notify>,
}

fn endless_page(number: usize) -> RowPage {
    let mut page = RowPage::new(Form::Fields, 1);
    for row in 0..ROWS_OF_A_PAGE {
        page.push_key(ValueRef::Int((number * ROWS_OF_A_PAGE + row) as i64));
        page.push(ValueRef::Text("always the same"));
        page.push(ValueRef::Null);
        page.end_row();
    }
    page.finish();
    page.complete = false;
    page
}

impl Actor for Endless {
    type Context = Context<Self>;
}

impl Handler<ReadRange> for Endless {
    type Result = MessageResult<ReadRange>;
    fn handle(&mut self, _: ReadRange, _: &mut Context<Self>) -> Self::Result {
        let number = self.pages.fetch_add(1, SeqCst);
        self.asked.notify_one();
        MessageResult(Ok(endless_page(number)))
    }
}

impl Handler<DigestRanges> for Endless {
    type Result = MessageResult<DigestRanges>;
    fn handle(&mut self, message: DigestRanges, _: &mut Context<Self>) -> Self::Result {
        MessageResult(Ok(vec![Digest::default(); message.ranges.len()]))
    }
}

macro_rules! not_asked {
    ($($message:ident => $answer:expr),*) => {$(
        impl Handler<$message> for Endless {
            type Result = MessageResult<$message>;
            fn handle(&mut self, _: $message, _: &mut Context<Self>) -> Self::Result {
                MessageResult(Ok($answer))
            }
        }
    )*};
}

not_asked!(CountRows => Survey::default(), EstimateRows => None, SplitRanges => vec![], FindRecent => None, FindNewest => None, GatherRows => None, ReadKeys => RowPage::new(Form::Fields, 1), CutInStretches => vec![], ReadStretch => None);

/// Holds the first set of changes for ever.
pub struct Blocked;

impl Actor for Blocked {
    type Context = Context<Self>;
}

impl Handler<ChangeSet> for Blocked {
    type Result = AtomicResponse<Self, rowsync_engine::store::Result<rowsync_engine::change::Applied>>;
    fn handle(&mut self, message: ChangeSet, _: &mut Context<Self>) -> Self::Result {
        let held = async move {
            let _held = message;
            std::future::pending().await
        };
        AtomicResponse::new(Box::pin(held.into_actor(self)))
    }
}

impl Handler<AppendRows> for Blocked {
    type Result = AtomicResponse<Self, Appending>;
    fn handle(&mut self, message: AppendRows, _: &mut Context<Self>) -> Self::Result {
        let held = async move {
            let _held = message;
            std::future::pending().await
        };
        AtomicResponse::new(Box::pin(held.into_actor(self)))
    }
}

/// How many pages the copy reads before it waits, with this budget and these permits.
async fn pages_until_it_waits(budget_bytes: usize, permit_bytes: usize) -> usize {
    let schema = table("t");
    let capabilities = Memory::new().capabilities();
    let side = Side { schema: &schema, capabilities: &capabilities };
    let endless = Endless { pages: Arc::default(), asked: Arc::default() };
    let reader = endless.clone().start();
    let budget = Budget::new(NonZeroUsize::new(budget_bytes).unwrap());
    let differ = Differ::new(Desk {
        pair: Arc::new(pair(side, side, &PairOptions::default()).unwrap()),
        source: ReaderPort::to(&reader),
        target: ReaderPort::to(&reader),
        writer: WriterPort::to(&Blocked.start()),
        encoder: None,
        decoders: None,
        read: Memory::new(),
        written: Memory::new(),
        budget: budget.clone(),
        stop: CancellationToken::new(),
        options: rowsync_actors::job::TableOptions { page_bytes: permit_bytes, ..options() },
        ledger: Arc::default(),
        progress: Arc::default(),
        salt: 0,
        far: false,
        row_bytes: AtomicUsize::new(0),
    })
    .start();
    let running = tokio::task::spawn_local(async move { differ.send(CopyTable { after: None }).await });
    // The runtime has one thread: after so many turns without a further page, everybody waits.
    let mut idle = 0;
    let mut seen = 0;
    while idle < 1_000 {
        tokio::task::yield_now().await;
        let pages = endless.pages.load(SeqCst);
        idle = if pages == seen { idle + 1 } else { 0 };
        seen = pages;
    }
    running.abort();
    seen
}

#[test]
fn a_blocked_writer_stops_the_reader_after_exactly_the_bytes_of_the_budget() {
    on_system(async {
        let page = endless_page(0).bytes();
        let permit = 2 * page;
        for budget in [permit, permit + page - 1, permit + page, permit + 4 * page, 100 * permit] {
            // A permit is taken whole before a page is read, and settled to what the page holds.
            let allowed = (budget - permit) / page + 1;
            let expected = allowed.min(WRITES_IN_FLIGHT);
            assert_eq!(pages_until_it_waits(budget, permit).await, expected, "budget {budget}, page {page}");
        }
    });
}
