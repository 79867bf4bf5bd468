//! Rows that the target refuses: the others are written, and the numbers add up.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use rowsync_actors::job::Earlier;
use rowsync_actors::messages::TableOutcome;
use rowsync_engine::report::{Method, TableStatus};
use rowsync_engine::store::Store;
use rowsync_engine::value::Value;

use crate::faulty::{BAD, Fault, Faulty, Script, Spot};
use crate::ordering::child;
use crate::world::{World, on_paused_system, row, table};

/// 60 rows of which some are bad.
fn rows(bad: &BTreeSet<i64>) -> Vec<Vec<Value>> {
    (0..60).map(|id| row(id, Some(if bad.contains(&id) { BAD } else { "x" }), id)).collect()
}

async fn world(bad: impl IntoIterator<Item = i64>) -> World {
    let world = World::new(vec![table("t")]).await;
    world.source.fill("t", rows(&bad.into_iter().collect())).unwrap();
    world
}

async fn run(world: &World, script: &Script) -> Vec<TableOutcome> {
    world.run_into(Faulty::new(Arc::clone(&world.target) as Arc<dyn Store>, script)).await
}

fn ids(rows: &[Vec<Value>]) -> Vec<i64> {
    let id = |row: &Vec<Value>| if let Value::Int(id) = row[0] { id } else { panic!("ids are numbers") };
    rows.iter().map(id).collect()
}

#[test]
fn one_bad_row_of_sixty_costs_nobody_but_itself() {
    on_paused_system(async {
        let world = world([33]).await;
        let outcome = &run(&world, &Script::default()).await[0];
        let report = &outcome.report;
        assert_eq!((report.added, report.failed, report.status), (59, 1, TableStatus::CompletedWithErrors));
        assert_eq!((report.verified, report.method, report.errors.len()), (false, Method::Bulk, 1), "{report:#?}");
        assert_eq!(report.errors[0].key, Some(serde_json::json!({ "id": 33 })));
        assert!(report.errors[0].message.contains("no bad rows"));
        let failed = &outcome.failed_rows[0];
        assert_eq!((failed.change, failed.row.as_ref().unwrap()["name"].as_str()), ("insert", Some(BAD)));
        assert!(!ids(&world.target.rows("t")).contains(&33) && world.target.rows("t").len() == 59);
    });
}

#[test]
fn at_the_maximum_the_table_stops_and_below_it_does_not() {
    for (bad, stops) in [(24, false), (25, true), (26, true)] {
        on_paused_system(async {
            let world = world((0..bad).map(|n| 2 * n)).await;
            let report = run(&world, &Script::default()).await.remove(0).report;
            // All that was planned is either done or failed.
            assert_eq!(report.added + report.failed, 60, "{report:#?}");
            assert_eq!(report.added, world.target.rows("t").len() as u64);
            let said = report.errors.iter().any(|e| e.message.contains("maximum error count 25 was reached"));
            assert_eq!((said, report.errors.len() as i64), (stops, if stops { 26 } else { bad }));
            assert_eq!(stops, report.added < 60 - bad as u64);
        });
    }
}

#[test]
fn the_first_bad_row_stops_a_table_that_is_not_to_go_on() {
    on_paused_system(async {
        let mut world = world([33, 34]).await;
        world.options.continue_on_error = false;
        let report = run(&world, &Script::default()).await.remove(0).report;
        assert_eq!(report.errors[0].key, Some(serde_json::json!({ "id": 33 })));
        assert!(report.errors[1].message.contains("stopped at the first failed row"), "{report:#?}");
        assert_eq!(report.added + report.failed, 60);
        // Batches of 7 rows: nothing of the one with the bad row was written.
        assert!(report.added.is_multiple_of(7) || report.added == 53, "{}", report.added);
        assert!(!ids(&world.target.rows("t")).contains(&28));
    });
}

#[test]
fn a_bad_change_and_a_row_that_cannot_go_are_told_apart() {
    on_paused_system(async {
        let world = world([5]).await;
        world.target.fill("t", (0..62).map(|id| row(id, Some("x"), id))).unwrap();
        let outcome = &run(&world, &Script::default().keeping(60)).await[0];
        let report = &outcome.report;
        assert_eq!((report.added, report.modified, report.deleted, report.failed), (0, 0, 1, 2), "{report:#?}");
        let changes: Vec<_> = outcome.failed_rows.iter().map(|failed| failed.change).collect();
        assert_eq!(changes, ["update", "delete"]);
        assert!(report.errors[1].remedy.contains("still refer"), "{report:#?}");
    });
}

#[test]
fn a_row_that_was_mended_is_written_by_the_next_run() {
    on_paused_system(async {
        let mut world = world([7]).await;
        run(&world, &Script::default()).await;
        let again = run(&world, &Script::default()).await.remove(0);
        assert_eq!((again.report.added, again.report.failed, again.failed_rows.len()), (0, 1, 1));
        world.source.fill("t", rows(&BTreeSet::new())).unwrap();
        let last = run(&world, &Script::default()).await.remove(0);
        assert_eq!((last.report.added, last.report.failed, last.report.verified), (1, 0, true));

        // And where modify times are trusted.
        world.options.trust_modify_id = true;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(50)), log: None });
        let mut rows = rows(&BTreeSet::new());
        (rows[3], rows[4]) = (row(3, Some(BAD), 61), row(4, Some("y"), 62));
        world.source.fill("t", rows).unwrap();
        let report = run(&world, &Script::default()).await.remove(0).report;
        assert_eq!((report.method, report.modified, report.failed), (Method::Incremental, 1, 1), "{report:#?}");
    });
}

#[test]
fn rows_that_fail_on_both_sides_of_a_lost_connection_are_told_once() {
    on_paused_system(async {
        let world = world([3, 50]).await;
        let script = Script::default().nth(Spot::Commit, 9, Fault::Fails(rowsync_engine::error::Kind::Unreachable));
        let report = run(&world, &script).await.remove(0).report;
        assert_eq!((report.added, report.failed, report.errors.len(), report.generation), (58, 2, 2, 2), "{report:#?}");
    });
}

#[test]
fn a_parent_with_a_bad_row_does_not_hold_back_its_children() {
    on_paused_system(async {
        let world = World::new(vec![child("album", "artist"), table("artist")]).await;
        world.source.fill("artist", [row(1, Some(BAD), 0), row(2, None, 0)]).unwrap();
        world.source.fill("album", [row(2, None, 0)]).unwrap();
        let outcomes = run(&world, &Script::default()).await;
        assert_eq!((outcomes[0].report.status, outcomes[0].report.added), (TableStatus::Completed, 1));
        assert_eq!((outcomes[1].report.added, outcomes[1].report.failed), (1, 1));
    });
}

#[test]
fn values_of_failed_rows_are_kept_only_where_they_may_be() {
    on_paused_system(async {
        let mut world = world([1]).await;
        world.options.keep_failed_rows = false;
        assert_eq!(run(&world, &Script::default()).await[0].failed_rows[0].row, None);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whichever_rows_are_bad_all_others_arrive(
        bad in prop::collection::btree_set(0i64..60, 0..25),
        target in prop::collection::btree_set(0i64..70, 0..70),
    ) {
        on_paused_system(async {
            let world = world(bad.clone()).await;
            world.target.fill("t", target.iter().map(|id| row(*id, Some("x"), *id))).unwrap();
            let report = run(&world, &Script::default()).await.remove(0).report;
            let here: BTreeSet<i64> = ids(&world.target.rows("t")).into_iter().collect();
            let expected = (0..60).filter(|id| !bad.contains(id) || target.contains(id)).collect::<BTreeSet<_>>();
            prop_assert_eq!(here, expected);
            prop_assert_eq!(report.failed, bad.len() as u64, "{:#?}", report);
            prop_assert_eq!(report.verified, bad.is_empty());
            Ok(())
        })?;
    }
}
