//! Plans, rails and fallbacks, as a table carries them out.

use rowsync_actors::job::{Earlier, Goal, MassDelete};
use rowsync_engine::plan::Operation;
use rowsync_engine::report::{Method, SampleKind, TableStatus};
use rowsync_engine::value::Value;

use crate::world::{World, on_system, row, table};

async fn world(source: impl IntoIterator<Item = i64>, target: impl IntoIterator<Item = i64>) -> World {
    let world = World::new(vec![table("t")]).await;
    world.source.fill("t", source.into_iter().map(|id| row(id, Some("x"), id))).unwrap();
    world.target.fill("t", target.into_iter().map(|id| row(id, Some("x"), id))).unwrap();
    world
}

#[test]
fn an_empty_target_is_filled_in_bulk() {
    on_system(async {
        let report = &world(0..100, []).await.reports().await[0];
        assert_eq!((report.method, report.added), (Method::Bulk, 100));
        assert_eq!(report.plan.as_ref().unwrap().reason, "target empty => add all");
    });
}

/// As an interrupted copy leaves it: pages are written in the order of their keys.
#[test]
fn a_table_that_lacks_its_end_gets_it_copied() {
    on_system(async {
        let world = world(0..500, 0..250).await;
        let report = &world.reports().await[0];
        assert_eq!((report.added, report.modified, report.verified), (250, 0, true));
        assert_eq!(report.notes, ["250 rows behind the last key of the target were copied"]);
        assert_eq!(report.plan.as_ref().unwrap().reason, "source has more rows & untrusted modify id");
        assert_eq!(world.source.rows("t"), world.target.rows("t"));
    });
}

#[test]
fn what_is_there_before_the_end_is_not_taken_on_trust() {
    on_system(async {
        let world = world((0..100).chain(101..500), (-5..50).chain(51..250)).await;
        let mut rows = world.target.rows("t");
        rows[30] = row(25, Some("other"), 25);
        world.target.fill("t", rows).unwrap();
        let report = &world.reports().await[0];
        // 50 is missing, 25 is another one, five below 0 and 100 are too many.
        assert_eq!((report.added, report.modified, report.deleted), (251, 1, 6));
        assert!(report.verified && report.notes == ["250 rows behind the last key of the target were copied"]);
        assert_eq!(world.source.rows("t"), world.target.rows("t"));
    });
}

#[test]
fn rows_that_are_missing_here_and_there_are_compared() {
    on_system(async {
        let world = world(0..500, (0..500).filter(|id| id % 2 == 1)).await;
        let report = &world.reports().await[0];
        assert_eq!((report.added, report.verified), (250, true));
        assert!(report.notes.is_empty(), "{:?}", report.notes);
    });
}

#[test]
fn rows_deleted_from_the_source_are_searched_by_counts() {
    on_system(async {
        let mut world = world(10..200, 0..200).await;
        world.options.trust_modify_id = true;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(500)), log: None });
        let report = &world.reports().await[0];
        assert_eq!(report.plan.as_ref().unwrap().operations, [Operation::Delete]);
        assert_eq!((report.deleted, report.method, report.verified), (10, Method::BinarySearch, true));
    });
}

#[test]
fn a_trusted_run_reads_only_what_the_modify_time_names() {
    on_system(async {
        let mut world = world(0..200, 0..200).await;
        world.options.trust_modify_id = true;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(199)), log: None });
        let mut rows = world.source.rows("t");
        rows[5] = row(5, Some("changed"), 300);
        // Nobody said that this one changed, so a trusted run leaves it.
        rows[6] = row(6, Some("silent"), 6);
        world.source.fill("t", rows).unwrap();
        let report = &world.reports().await[0];
        assert_eq!((report.modified, report.method), (1, Method::Incremental));
        assert_eq!(report.plan.as_ref().unwrap().reason, "no count change & trusted modify id");

        world.options.trust_modify_id = false;
        assert_eq!(world.reports().await[0].modified, 1);
    });
}

#[test]
fn nothing_changed_is_nothing_to_do_unless_all_tables_are_to_be_checked() {
    on_system(async {
        let mut world = world(0..200, 1..201).await;
        world.options.trust_modify_id = true;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(500)), log: None });
        let report = &world.reports().await[0];
        assert_eq!((report.plan.as_ref().unwrap().reason.as_str(), report.added), ("no changes", 0));
        world.options.check_all_tables = true;
        let report = &world.reports().await[0];
        assert_eq!((report.added, report.deleted, report.verified), (1, 1, true));
    });
}

#[test]
fn counts_that_stay_unequal_lead_to_a_full_compare() {
    on_system(async {
        // One row is missing and two are too many: a search by counts cannot explain that by itself.
        let mut world = world((0..150).chain(160..200), (0..151).chain(161..200)).await;
        world.target.fill("t", (0..155).chain(161..200).map(|id| row(id, Some("x"), id))).unwrap();
        world.options.trust_modify_id = true;
        world.options.recent_first = 0;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(500)), log: None });
        let report = &world.reports().await[0];
        assert!(report.notes.iter().any(|note| note.contains("fallback full compare on mismatch")), "{report:#?}");
        assert_eq!((report.added, report.deleted, report.verified), (1, 5, true));
        assert_eq!(world.target.rows("t"), world.source.rows("t"));
    });
}

#[test]
fn without_the_fallback_a_mismatch_is_an_error() {
    on_system(async {
        let mut world = world((0..150).chain(160..200), (0..155).chain(161..200)).await;
        world.options.fallback_full_compare = false;
        world.options.trust_modify_id = true;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(500)), log: None });
        let report = &world.reports().await[0];
        assert!(!report.verified && !report.errors.is_empty(), "{report:#?}");
    });
}

#[test]
fn more_deletes_than_allowed_are_refused_and_nothing_is_deleted() {
    on_system(async {
        let mut world = world(0..40, 0..200).await;
        world.options.max_delete_percent = 50;
        let report = &world.reports().await[0];
        assert_eq!((report.status, report.deleted, report.failed), (TableStatus::Failed, 0, 160));
        assert!(report.errors[0].message.contains("max_delete_percent 50"), "{report:#?}");
        assert!(report.errors[0].remedy.contains("--allow-mass-delete"));
        assert_eq!(world.target.rows("t").len(), 200);
        world.goal = Goal::Sync { mass_delete: MassDelete::Allowed };
        assert_eq!(world.reports().await[0].deleted, 160);
    });
}

#[test]
fn extras_that_the_counts_hide_are_refused_before_the_first_delete() {
    on_system(async {
        // Equal counts, but nothing in common: the compare finds that all would have to go.
        let mut world = world(0..200, 1000..1200).await;
        world.options.max_delete_percent = 50;
        let report = &world.reports().await[0];
        assert_eq!((report.deleted, report.failed, report.status), (0, 200, TableStatus::CompletedWithErrors));
    });
}

#[test]
fn the_rail_knows_all_extras_before_the_first_row_is_gone() {
    on_system(async {
        // The counts differ by little, but nothing is in common; whether keys can be held or not makes no difference.
        for keys_max in [25_000, 10] {
            let mut world = world(0..150, (0..200).map(|id| id + 1000)).await;
            world.options.max_delete_percent = 50;
            world.options.keys_max = keys_max;
            let report = &world.reports().await[0];
            assert_eq!((report.deleted, report.failed), (0, 200), "{keys_max}");
            assert!(world.target.rows("t").len() >= 200);
        }
    });
}

#[test]
fn what_fell_back_is_not_taken_on_trust_again() {
    on_system(async {
        // The added row lies in one range with a row that drifted and that no modify time tells of.
        let mut world = world(0..201, 0..200).await;
        let mut rows = world.target.rows("t");
        rows[199] = row(199, Some("drift"), 199);
        world.target.fill("t", rows).unwrap();
        world.options.trust_modify_id = true;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(199)), log: None });
        let report = &world.reports().await[0];
        assert!(report.verified, "{report:#?}");
        assert_eq!(world.target.rows("t"), world.source.rows("t"));
    });
}

#[test]
fn a_table_that_is_only_planned_is_not_written() {
    on_system(async {
        let mut world = world(0..50, []).await;
        world.options.only_plan = true;
        assert_eq!(world.reports().await[0].status, TableStatus::Planned);
        assert!(world.target.rows("t").is_empty());
    });
}

#[test]
fn an_empty_source_never_empties_a_large_target_by_itself() {
    on_system(async {
        let mut world = world([], 0..200).await;
        world.options.max_delete_percent = 50;
        assert_eq!(world.reports().await[0].deleted, 0);
        assert_eq!(world.target.rows("t").len(), 200);
    });
}

#[test]
fn few_changes_may_be_left_for_later() {
    on_system(async {
        let mut world = world(0..205, 0..200).await;
        world.earlier = Some(Earlier { newest: Some(Value::Timestamp(199)), log: None });
        world.options.min_rows_to_sync = 10;
        let report = &world.reports().await[0];
        assert_eq!((report.status, report.added), (TableStatus::Skipped, 0));
        world.options.min_rows_to_sync = 5;
        assert_eq!(world.reports().await[0].added, 5);
    });
}

#[test]
fn a_plan_writes_nothing() {
    on_system(async {
        let mut world = world(0..205, 0..200).await;
        world.goal = Goal::Plan;
        let report = &world.reports().await[0];
        assert_eq!((report.status, report.plan.as_ref().unwrap().source_count), (TableStatus::Planned, 205));
        assert_eq!(world.target.rows("t").len(), 200);
    });
}

#[test]
fn verify_counts_samples_and_explains_without_writing() {
    on_system(async {
        let mut world = world(0..200, 1..201).await;
        let mut rows = world.source.rows("t");
        rows[50] = row(50, None, 50);
        world.source.fill("t", rows).unwrap();
        world.goal = Goal::Verify { samples_max: 5, explain: true };
        let report = &world.reports().await[0];
        let verification = report.verification.as_ref().unwrap();
        assert_eq!((verification.missing, verification.extra, verification.different), (1, 1, 1));
        let different = verification.samples.iter().find(|s| s.kind == SampleKind::Different).unwrap();
        assert_eq!(
            (different.columns[0].column.as_str(), &different.columns[0].source),
            ("name", &serde_json::Value::Null)
        );
        assert!(different.columns[0].rule.contains("texts byte by byte"));
        assert!(!report.verified && world.target.rows("t").len() == 200);
    });
}

#[test]
fn a_stopped_run_is_told_as_interrupted() {
    on_system(async {
        let world = world(0..200, []).await;
        world.stop.cancel();
        assert_eq!(world.reports().await[0].status, TableStatus::Interrupted);
    });
}
