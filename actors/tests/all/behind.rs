//! The pages of a copy that are sent while the one before commits. Time is paused.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rowsync_engine::error::Kind;
use rowsync_engine::report::{TableReport, TableStatus};
use rowsync_engine::store::Store;

use crate::faulty::{Fault, Faulty, Script, Spot};
use crate::world::{World, on_paused_system, row, table};

const ROWS: i64 = 60;
/// Of seven rows.
const PAGES: u64 = 9;

async fn world() -> World {
    let world = World::new(vec![table("t")]).await;
    world.source.fill("t", (0..ROWS).map(|id| row(id, Some("x"), id))).unwrap();
    world
}

async fn copy(world: &World, script: &Script) -> TableReport {
    world.run_into(Faulty::new(Arc::clone(&world.target) as Arc<dyn Store>, script)).await.remove(0).report
}

fn assert_good(world: &World, report: &TableReport) {
    assert_eq!((report.status, report.verified, report.added), (TableStatus::Completed, true, ROWS as u64));
    assert_eq!(world.target.rows("t"), world.source.rows("t"));
}

#[test]
fn a_page_is_sent_while_the_one_before_commits() {
    on_paused_system(async {
        let world = world().await;
        let second = Fault::Late(Duration::from_secs(1));
        let begun = tokio::time::Instant::now();
        let report = copy(&world, &Script::default().always(Spot::Write, second).always(Spot::Commit, second)).await;
        assert_good(&world, &report);
        // One after the other they take twice as long.
        assert_eq!(begun.elapsed().as_secs(), PAGES + 1);
    });
}

#[test]
fn nothing_is_committed_behind_a_page_that_is_lost() {
    for (spot, number) in [(Spot::Write, 4), (Spot::Commit, 4)] {
        on_paused_system(async {
            let mut world = world().await;
            world.failures_max = 1;
            let lost = Fault::Fails(Kind::Unreachable);
            let script = Script::default().nth(spot, number, lost).always(Spot::Reconnect, lost);
            let report = copy(&world, &script.always(Spot::Write, Fault::Late(Duration::from_secs(1)))).await;
            assert_ne!(report.status, TableStatus::Completed);
            assert_eq!(world.target.rows("t"), world.source.rows("t")[..3 * 7], "{spot:?}");
        });
    }
}

#[test]
fn a_page_that_is_refused_beside_another_one_is_written_when_it_is_alone() {
    on_paused_system(async {
        let world = world().await;
        // As a page is that refers to rows of the one before, or holds a value that this one gives up.
        let script = Script::default().nth(Spot::Write, 2, Fault::Fails(Kind::Constraint));
        let slow = script.always(Spot::Commit, Fault::Late(Duration::from_secs(1)));
        let report = copy(&world, &slow).await;
        assert_good(&world, &report);
        assert_eq!(slow.calls(Spot::Write), PAGES as usize + 1);
    });
}

proptest! {
    #[test]
    fn whatever_is_refused_once_arrives_in_the_end(
        writes in prop::collection::btree_set(1usize..12, 0..4),
        commits in prop::collection::btree_set(1usize..12, 0..4),
        late in any::<bool>(),
    ) {
        on_paused_system(async move {
            let world = world().await;
            let refused = Fault::Fails(Kind::Duplicate);
            let script = writes.iter().fold(Script::default(), |script, n| script.nth(Spot::Write, *n, refused));
            let script = commits.iter().fold(script, |script, n| script.nth(Spot::Commit, *n, refused));
            let slow = Fault::Late(Duration::from_millis(10));
            let script = if late { script.always(Spot::Write, slow).always(Spot::Commit, slow) } else { script };
            assert_good(&world, &copy(&world, &script).await);
        });
    }
}
