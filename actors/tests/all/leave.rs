//! Leave to write that ends in the midst of a run: whatever was asked last, nothing is written behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use async_trait::async_trait;
use rowsync_actors::leave::Leave;
use rowsync_engine::error::{Class, Kind, StoreError};
use rowsync_engine::report::TableStatus;
use rowsync_engine::store::Store;

use crate::faulty::{Faulty, Script, Spot};
use crate::world::{World, on_paused_system, row, table};

/// Given so many times.
struct Given {
    times: usize,
    asked: AtomicUsize,
}

#[async_trait]
impl Leave for Given {
    async fn to_write(&self) -> Result<(), StoreError> {
        let asked = self.asked.fetch_add(1, Relaxed);
        if asked < self.times { Ok(()) } else { Err(StoreError::new(Kind::LeaseLost, "write", "gone")) }
    }
}

/// 60 rows to be copied in batches of 7.
fn check(times: usize, begun: usize, committed: usize) {
    on_paused_system(async {
        let mut world = World::new(vec![table("t"), table("u")]).await;
        world.options.leaf_rows = 60;
        world.leave = Arc::new(Given { times, asked: AtomicUsize::new(0) });
        world.source.fill("t", (0..60).map(|id| row(id, Some("x"), id))).unwrap();
        let script = Script::default();
        let target = Faulty::new(Arc::clone(&world.target) as Arc<dyn Store>, &script);
        let outcomes = world.run_into(target).await;
        let (report, rows) = (&outcomes[0].report, world.target.rows("t").len());
        assert_eq!((script.calls(Spot::Begin), rows, report.added), (begun, committed * 7, committed as u64 * 7));
        let status = if committed > 0 { TableStatus::CompletedWithErrors } else { TableStatus::Failed };
        assert_eq!((report.status, report.errors[0].class), (status, Class::Connection), "{report:#?}");
        assert!(report.errors[0].remedy.contains("one process at a time") && report.generation == 1);
        assert!(outcomes[0].abort);
    });
}

#[test]
fn without_leave_nothing_is_begun() {
    check(0, 0, 0);
}

#[test]
fn leave_that_ends_while_a_batch_is_written_keeps_it_from_being_committed() {
    check(1, 1, 0);
}

#[test]
fn leave_that_ends_between_two_batches_keeps_the_second_from_being_begun() {
    check(2, 1, 1);
}

#[test]
fn what_was_committed_with_leave_stays_and_is_counted() {
    check(7, 4, 3);
}
