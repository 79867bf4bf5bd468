//! What is counted while tables are worked on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rowsync_actors::job::Goal;
use rowsync_actors::meters::{SyncMeters, TableMeters};
use rowsync_engine::cost::CompareMethod;
use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::Kind;
use rowsync_engine::metrics::{BUILD_INFO, CATALOGUE, Kind as MetricKind, Label, find};
use rowsync_engine::report::TableReport;
use rowsync_engine::store::Store;

use crate::faulty::{Fault, Faulty, Script, Spot};
use crate::world::{BUDGET, SYNC, World, on_paused_system, row, table};

/// Each series with its value.
type Series = BTreeMap<String, f64>;

/// Works with a recorder of its own.
fn counted<T>(work: impl AsyncFnOnce(&PrometheusHandle) -> T) -> T {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || on_paused_system(work(&handle)))
}

fn series(handle: &PrometheusHandle) -> Series {
    let text = handle.render();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, n)| (name.to_owned(), n.parse().unwrap())).collect()
}

/// The sum of all series of a metric whose labels hold these words.
fn sum(series: &Series, metric: &str, words: &[&str]) -> f64 {
    assert!(find(metric).is_some(), "{metric}");
    let found = |name: &&String| name.starts_with(&format!("{metric}{{")) && words.iter().all(|w| name.contains(w));
    assert!(series.keys().any(|name| found(&name)), "{metric} {words:?}");
    series.iter().filter(|(name, _)| found(name)).map(|(_, value)| value).sum()
}

/// 60 rows in the source; in the target one is missing, one is different, and one is too much.
async fn world() -> World {
    let world = World::new(vec![table("t")]).await;
    world.source.fill("t", (0..60).map(|id| row(id, Some("x"), id))).unwrap();
    let rows = (1..61).map(|id| row(id, Some(if id == 30 { "other" } else { "x" }), id));
    world.target.fill("t", rows).unwrap();
    world
}

async fn run_with(world: &World, target: &Script) -> TableReport {
    let target = Faulty::new(Arc::clone(&world.target) as Arc<dyn Store>, target);
    world.run_into(target).await[0].report.clone()
}

/// As many series as the closed labels have values together.
fn expected_series(tables: usize) -> usize {
    let of_labels =
        |labels: &[Label]| -> usize { labels.iter().map(|label| label.values().map_or(1, <[_]>::len)).product() };
    let counted = CATALOGUE.iter().filter(|metric| **metric != BUILD_INFO);
    let series = counted.map(|metric| {
        let one = of_labels(metric.labels);
        // What belongs to no table has a series of its own.
        let names = if metric.labels.contains(&Label::Table) { tables } else { 1 };
        let without = usize::from(matches!(metric.name, "rowsync_errors_total" | "rowsync_retries_total"));
        one * (names + without)
    });
    series.sum()
}

/// A histogram is told as a summary here, of which one line stands for all.
fn count_series(series: &Series) -> usize {
    let lines = |name: &&String| name.contains("quantile=") || name.contains("_seconds_sum");
    series.keys().filter(|name| !lines(name)).count()
}

#[test]
fn every_metric_is_there_at_zero_before_anything_happened() {
    counted(async |handle| {
        let _meters = (SyncMeters::of(SYNC), TableMeters::of(SYNC, "t"), TableMeters::of(SYNC, "u"));
        let series = series(handle);
        for metric in CATALOGUE.iter().filter(|metric| **metric != BUILD_INFO) {
            let name =
                if metric.kind == MetricKind::Histogram { "rowsync_execution_seconds_count" } else { metric.name };
            assert!(series.keys().any(|line| line.starts_with(&format!("{name}{{"))), "{name}");
        }
        assert_eq!(series.values().sum::<f64>(), 0.0);
        assert_eq!(count_series(&series), expected_series(2));
    });
}

#[test]
fn a_run_counts_what_its_report_says() {
    counted(async |handle| {
        let mut world = world().await;
        world.options.compare_method = Some(CompareMethod::Digests(DigestKind::Stream));
        let report = world.reports().await.remove(0);
        let series = series(handle);
        let sum = |metric: &str, words: &[&str]| sum(&series, metric, words);
        assert_eq!((report.added, report.modified, report.deleted), (1, 1, 1));
        assert_eq!(sum("rowsync_records_added_total", &[r#"sync="world""#, r#"table="t""#]), 1.0);
        assert_eq!(sum("rowsync_records_modified_total", &[]), 1.0);
        assert_eq!(sum("rowsync_records_deleted_total", &[]), 1.0);
        assert_eq!(sum("rowsync_queries_total", &[]), report.queries as f64);
        assert_eq!(sum("rowsync_bytes_read_total", &[]), report.bytes_read as f64);
        assert_eq!(sum("rowsync_bytes_written_total", &[]), report.bytes_written as f64);
        let search = &report.binary_search;
        assert!(search.searches > 0 && search.queries > 0);
        assert_eq!(sum("rowsync_binary_searches_total", &[]), search.searches as f64);
        assert_eq!(sum("rowsync_binary_search_iterations_total", &[]), search.iterations as f64);
        assert_eq!(sum("rowsync_binary_search_queries_total", &[]), search.queries as f64);
        assert_eq!(sum("rowsync_binary_search_max_depth", &[]), search.max_depth as f64);
        let close = |nanoseconds: f64, seconds: f64| assert!((nanoseconds / 1e9 - seconds).abs() < 1e-6);
        close(sum("rowsync_read_seconds_total", &[]), report.seconds.read);
        close(sum("rowsync_write_seconds_total", &[]), report.seconds.write);
        close(sum("rowsync_delete_seconds_total", &[]), report.seconds.delete);
        close(sum("rowsync_compare_seconds_total", &[]), report.seconds.compare);
        close(sum("rowsync_binary_search_seconds_total", &[]), report.seconds.binary_search);
        assert!(sum("rowsync_records_total", &[]) >= 60.0);
        assert_eq!(sum("rowsync_table_rows", &[r#"side="source""#]), 60.0);
        assert_eq!(sum("rowsync_table_rows", &[r#"side="target""#]), 60.0);
        assert_eq!(sum("rowsync_table_differences", &[]), 0.0);
        assert!(sum("rowsync_verified_timestamp_seconds", &[]) > 1.7e9);
    });
}

#[test]
fn a_verification_tells_the_differences_by_what_would_mend_them() {
    counted(async |handle| {
        let mut world = world().await;
        world.target.fill("t", (20..61).map(|id| row(id, Some(if id < 23 { "other" } else { "x" }), id))).unwrap();
        world.goal = Goal::Verify { samples_max: 0, explain: false };
        world.run().await;
        let series = series(handle);
        let differences = |operation: &str| sum(&series, "rowsync_table_differences", &[operation]);
        assert_eq!((differences("add"), differences("modify"), differences("delete")), (20.0, 3.0, 1.0));
        assert_eq!(sum(&series, "rowsync_verified_timestamp_seconds", &[]), 0.0);
    });
}

#[test]
fn a_table_that_is_begun_again_counts_its_actors_its_retry_and_the_panic() {
    counted(async |handle| {
        let world = world().await;
        let script = Script::default().nth(Spot::Write, 1, Fault::Fails(Kind::Unreachable));
        let script = script.nth(Spot::Commit, 2, Fault::Panics).nth(Spot::Reconnect, 1, Fault::Fails(Kind::Busy));
        let report = run_with(&world, &script).await;
        assert_eq!((report.generation, report.panics), (3, 1));
        let series = series(handle);
        let sum = |metric: &str, words: &[&str]| sum(&series, metric, words);
        for actor in ["table", "source_reader", "target_reader", "differ", "writer"] {
            assert_eq!(sum("rowsync_restarts_total", &[&format!(r#"actor="{actor}""#)]), 2.0, "{actor}");
        }
        assert_eq!(sum("rowsync_restarts_total", &[r#"actor="recovery""#]), 0.0);
        assert_eq!(sum("rowsync_panics_total", &[]), 1.0);
        let retries = |table: &str, class: &str| sum("rowsync_retries_total", &[table, class]);
        assert_eq!(retries(r#"table="t""#, "connection"), 1.0);
        assert_eq!(retries(r#"table="t""#, "logic"), 1.0);
        assert_eq!(retries(r#"table="""#, "connection"), 1.0, "the line was busy once");
        assert_eq!(sum("rowsync_table_parked", &[]), 0.0);
    });
}

#[test]
fn a_table_that_is_given_up_is_parked_until_a_run_brings_it_to_its_end() {
    counted(async |handle| {
        let world = world().await;
        run_with(&world, &Script::default().always(Spot::Survey, Fault::Fails(Kind::SchemaMismatch))).await;
        assert_eq!(sum(&series(handle), "rowsync_table_parked", &[]), 1.0);
        run_with(&world, &Script::default()).await;
        assert_eq!(sum(&series(handle), "rowsync_table_parked", &[]), 0.0);
    });
}

/// What is alive is counted by guards, so nothing is left of it however a run ended.
#[test]
fn mailboxes_are_empty_and_the_budget_is_free_after_good_and_bad_runs() {
    counted(async |handle| {
        let world = world().await;
        for fault in [Fault::Panics, Fault::Fails(Kind::SchemaMismatch), Fault::Unanswered] {
            run_with(&world, &Script::default().nth(Spot::Write, 1, fault)).await;
            let series = series(handle);
            assert_eq!(sum(&series, "rowsync_mailbox_depth", &[]), 0.0, "{fault:?}");
            assert_eq!(sum(&series, "rowsync_budget_bytes", &["held"]), 0.0, "{fault:?}");
            assert_eq!(sum(&series, "rowsync_budget_bytes", &["free"]), BUDGET as f64, "{fault:?}");
        }
    });
}

#[test]
fn no_label_takes_a_value_that_is_not_in_its_closed_set_whatever_happens() {
    counted(async |handle| {
        let world = world().await;
        for spot in [Spot::Survey, Spot::Digests, Spot::Page, Spot::Begin, Spot::Write, Spot::Commit, Spot::Flush] {
            for fault in [Fault::Panics, Fault::Fails(Kind::Unreachable), Fault::Fails(Kind::Duplicate)] {
                run_with(&world, &Script::default().nth(spot, 1, fault)).await;
            }
        }
        let series = series(handle);
        assert_eq!(count_series(&series), expected_series(1));
        let names: BTreeSet<&str> = series.keys().map(|line| line.split('{').next().unwrap()).collect();
        let names = names.into_iter().map(|name| name.trim_end_matches("_sum").trim_end_matches("_count"));
        let unknown: Vec<&str> = names.filter(|name| find(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    });
}
