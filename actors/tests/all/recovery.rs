//! What becomes of a table whose databases fail. Time is paused: half an hour costs a millisecond.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use rowsync_actors::messages::TableOutcome;
use rowsync_engine::cost::CompareMethod;
use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::{Class, Kind};
use rowsync_engine::report::{TableReport, TableStatus};
use rowsync_engine::store::Store;
use rowsync_engine::value::Value;

use crate::faulty::{Fault, Faulty, Script, Spot};
use crate::ordering::child;
use crate::world::{PATIENCE, World, on_paused_system, row, table};

const LOST: Fault = Fault::Fails(Kind::Unreachable);

/// 60 rows in the source; in the target one is missing, one is different, and one is too much.
async fn world() -> World {
    let world = World::new(vec![table("t")]).await;
    world.source.fill("t", (0..60).map(|id| row(id, Some("x"), id))).unwrap();
    let rows = (1..61).map(|id| row(id, Some(if id == 30 { "other" } else { "x" }), id));
    world.target.fill("t", rows).unwrap();
    world
}

async fn run(world: &World, source: &Script, target: &Script) -> (Vec<TableOutcome>, Duration) {
    let begun = tokio::time::Instant::now();
    let (s, t) = (Arc::clone(&world.source) as Arc<dyn Store>, Arc::clone(&world.target) as Arc<dyn Store>);
    let outcomes = world.run_between(Faulty::new(s, source), Faulty::new(t, target)).await;
    // A timer may be some milliseconds late.
    (outcomes, Duration::from_secs(begun.elapsed().as_secs()))
}

async fn run_target(world: &World, target: &Script) -> (TableReport, Duration) {
    let (outcomes, took) = run(world, &Script::default(), target).await;
    (outcomes[0].report.clone(), took)
}

fn assert_good(world: &World, report: &TableReport) {
    assert_eq!((report.status, report.verified, report.errors.len()), (TableStatus::Completed, true, 0), "{report:#?}");
    assert_eq!(world.target.rows("t"), world.source.rows("t"));
}

#[test]
fn a_connection_that_is_lost_anywhere_is_opened_anew_and_the_table_goes_on() {
    use Spot::*;
    for spot in [Survey, Split, Digests, Page, Begin, Write, Commit, Flush] {
        for number in 1..3 {
            on_paused_system(async {
                let world = world().await;
                let script = Script::default().nth(spot, number, LOST);
                let (report, took) = run_target(&world, &script).await;
                assert_good(&world, &report);
                assert_eq!((report.added, report.modified, report.deleted), (1, 1, 1), "{spot:?} {number}");
                let lost = script.calls(spot) >= number;
                assert_eq!((report.generation, script.calls(Reconnect)), (1 + u32::from(lost), usize::from(lost)));
                assert_eq!(took, if lost { PATIENCE } else { Duration::ZERO });
            });
        }
    }
}

#[test]
fn a_source_that_is_lost_is_seen_by_a_new_snapshot() {
    for spot in [Spot::Survey, Spot::Digests, Spot::Page] {
        on_paused_system(async {
            let world = world().await;
            let script = Script::default().nth(spot, 1, LOST);
            let (outcomes, _) = run(&world, &script, &Script::default()).await;
            assert_good(&world, &outcomes[0].report);
            assert_eq!((script.calls(Spot::Reconnect), script.calls(Spot::Snapshot)), (1, 2));
            assert!(outcomes[0].report.notes[0].starts_with("begun again, generation 2: "), "{outcomes:#?}");
        });
    }
}

#[test]
fn an_empty_target_whose_copy_is_cut_is_filled_without_writing_a_row_twice() {
    for (spot, number) in [(Spot::Write, 4), (Spot::Commit, 4), (Spot::Digests, 1)] {
        on_paused_system(async {
            let world = world().await;
            world.target.fill("t", []).unwrap();
            let (report, _) = run_target(&world, &Script::default().nth(spot, number, LOST)).await;
            assert_good(&world, &report);
            assert_eq!((report.added, report.generation), (60, 2), "{spot:?}");
            assert_eq!(report.plan.as_ref().unwrap().reason, "target empty => add all");
        });
    }
}

#[test]
fn lost_answer_after_commit_changes_nothing() {
    for number in 1..4 {
        on_paused_system(async {
            let world = world().await;
            let (report, _) = run_target(&world, &Script::default().nth(Spot::Commit, number, Fault::Unanswered)).await;
            assert_good(&world, &report);
            assert_eq!((report.added, report.modified, report.deleted), (1, 1, 1), "commit {number}");
        });
    }
}

#[test]
fn a_batch_that_is_under_way_when_the_other_side_is_lost_is_waited_for_and_counted() {
    on_paused_system(async {
        let world = world().await;
        world.target.fill("t", []).unwrap();
        let late = Script::default().nth(Spot::Commit, 1, Fault::Late(Duration::from_secs(1)));
        let (outcomes, _) = run(&world, &Script::default().nth(Spot::Page, 3, LOST), &late).await;
        assert_good(&world, &outcomes[0].report);
        assert_eq!((outcomes[0].report.added, outcomes[0].report.generation), (60, 2));
    });
}

#[test]
fn a_server_that_stays_away_is_tried_later_and_later_and_then_given_up() {
    on_paused_system(async {
        let world = world().await;
        let script = Script::default().nth(Spot::Page, 1, LOST).between(Spot::Reconnect, 1, 3, LOST);
        let (report, took) = run_target(&world, &script).await;
        assert_good(&world, &report);
        assert_eq!(took, PATIENCE + Duration::from_secs(5 + 10 + 20));

        let script = Script::default().nth(Spot::Page, 1, LOST).always(Spot::Reconnect, LOST);
        let world = self::world().await;
        let (report, took) = run_target(&world, &script).await;
        assert_eq!((report.status, script.calls(Spot::Reconnect)), (TableStatus::Failed, 4));
        assert_eq!(took, PATIENCE + Duration::from_secs(5 + 10 + 20));
        assert_eq!(report.errors[0].class, Class::Connection);
    });
}

#[test]
fn a_server_that_lets_nobody_in_is_not_asked_again() {
    for kind in [Kind::Denied, Kind::NoDatabase] {
        on_paused_system(async {
            let script = Script::default().nth(Spot::Page, 1, LOST).always(Spot::Reconnect, Fault::Fails(kind));
            let (report, took) = run_target(&world().await, &script).await;
            assert_eq!((script.calls(Spot::Reconnect), took), (1, PATIENCE));
            assert_eq!(report.errors[0].class, Class::Connection);
        });
    }
}

#[test]
fn all_tables_wait_for_one_reconnection() {
    on_paused_system(async {
        let world = World::new(["a", "b", "c"].map(table).to_vec()).await;
        for name in ["a", "b", "c"] {
            world.source.fill(name, (0..30).map(|id| row(id, None, id))).unwrap();
        }
        let script = Script::default().between(Spot::Begin, 1, 3, LOST);
        let (outcomes, took) = run(&world, &Script::default(), &script).await;
        assert!(outcomes.iter().all(|o| o.report.added == 30 && o.report.generation == 2), "{outcomes:#?}");
        assert_eq!((script.calls(Spot::Reconnect), took), (1, PATIENCE));
    });
}

#[test]
fn what_was_given_up_for_one_table_is_given_up_for_all() {
    on_paused_system(async {
        let world = World::new(["a", "b", "c"].map(table).to_vec()).await;
        for name in ["a", "b", "c"] {
            world.source.fill(name, [row(1, None, 0)]).unwrap();
        }
        let script = Script::default().always(Spot::Begin, LOST).always(Spot::Reconnect, LOST);
        let (outcomes, took) = run(&world, &Script::default(), &script).await;
        assert!(outcomes.iter().all(|o| o.report.status == TableStatus::Failed), "{outcomes:#?}");
        // One table tries, the others hear what came of it.
        assert_eq!((script.calls(Spot::Reconnect), took), (4, PATIENCE + Duration::from_secs(5 + 10 + 20)));
    });
}

#[test]
fn a_table_that_fails_again_and_again_without_coming_on_is_parked() {
    on_paused_system(async {
        let mut world = world().await;
        world.options.compare_method = Some(CompareMethod::Digests(DigestKind::Stream));
        let script = Script::default().always(Spot::Digests, LOST);
        let (report, _) = run_target(&world, &script).await;
        assert_eq!((report.status, report.generation, script.calls(Spot::Digests)), (TableStatus::Failed, 6, 6));
    });
}

#[test]
fn a_table_that_comes_on_between_its_failures_is_brought_to_its_end() {
    on_paused_system(async {
        let world = world().await;
        world.target.fill("t", []).unwrap();
        // Of 60 rows in batches of 7, every second one fails, far more often than `max_error_loop` allows in a row.
        let script = (1..9).fold(Script::default(), |script, n| script.nth(Spot::Write, 2 * n, LOST));
        let (report, _) = run_target(&world, &script).await;
        assert_good(&world, &report);
        assert!(report.added == 60 && report.generation > world.failures_max + 1, "{report:#?}");
    });
}

#[test]
fn a_busy_server_is_asked_again_after_a_pause() {
    on_paused_system(async {
        let world = world().await;
        let busy = Fault::Fails(Kind::Busy);
        let (report, took) = run_target(&world, &Script::default().between(Spot::Begin, 1, 3, busy)).await;
        assert_good(&world, &report);
        assert_eq!((took, report.generation), (Duration::from_secs(5 + 10 + 20), 4));

        let (report, _) = run_target(&self::world().await, &Script::default().always(Spot::Begin, busy)).await;
        assert_eq!((report.status, report.generation), (TableStatus::Failed, 4));
        assert!(report.errors[0].remedy.contains("less busy"));
    });
}

#[test]
fn a_statement_that_takes_too_long_is_repeated_with_fewer_rows() {
    on_paused_system(async {
        let world = world().await;
        world.target.fill("t", []).unwrap();
        let script = Script::default().between(Spot::Write, 1, 2, Fault::Fails(Kind::Timeout));
        let (report, _) = run_target(&world, &script).await;
        assert_good(&world, &report);
        // 7, 3 and 1 rows a batch.
        assert_eq!((report.generation, script.calls(Spot::Commit)), (3, 60));
    });
}

#[test]
fn a_panic_of_an_adapter_or_an_actor_costs_the_table_one_generation() {
    // `flush` is awaited by the table's own actor, the others by tasks of its children.
    for spot in [Spot::Survey, Spot::Page, Spot::Digests, Spot::Write, Spot::Commit, Spot::Flush] {
        on_paused_system(async {
            let world = world().await;
            let (report, _) = run_target(&world, &Script::default().nth(spot, 1, Fault::Panics)).await;
            assert_good(&world, &report);
            assert_eq!((report.added, report.modified, report.deleted), (1, 1, 1), "{spot:?}");
            assert_eq!((report.generation, report.panics), (2, 1), "{spot:?}");
        });
    }
}

#[test]
fn a_table_that_always_panics_is_parked_and_its_neighbour_is_not() {
    on_paused_system(async {
        let world = World::new(vec![table("a"), table("b")]).await;
        world.source.fill("b", [row(1, None, 0)]).unwrap();
        let script = Script::default().always(Spot::Write, Fault::Panics);
        let (outcomes, _) = run(&world, &Script::default(), &script).await;
        let [a, b] = [&outcomes[0].report, &outcomes[1].report];
        assert_eq!((a.status, b.status, b.generation), (TableStatus::Completed, TableStatus::Failed, 6));
        assert_eq!((a.panics, b.panics), (0, 6));
        assert_eq!(b.errors[0].class, Class::Logic);
    });
}

#[test]
fn a_connection_that_is_lost_in_the_second_pass_loses_no_delete() {
    on_paused_system(async {
        let world = World::new(vec![child("album", "artist"), table("artist")]).await;
        for name in ["artist", "album"] {
            world.source.fill(name, [row(2, None, 0)]).unwrap();
            world.target.fill(name, [row(1, None, 0), row(2, None, 0)]).unwrap();
        }
        let (outcomes, _) = run(&world, &Script::default(), &Script::default().between(Spot::Commit, 1, 2, LOST)).await;
        assert!(outcomes.iter().all(|o| o.report.deleted == 1 && o.report.verified), "{outcomes:#?}");
        assert_eq!(world.target.rows("artist"), world.source.rows("artist"));
    });
}

#[test]
fn a_stop_is_heard_while_waiting_for_a_connection() {
    on_paused_system(async {
        let world = world().await;
        let stop = world.stop.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(PATIENCE / 2).await;
            stop.cancel();
        });
        let (report, took) = run_target(&world, &Script::default().nth(Spot::Page, 1, LOST)).await;
        assert_eq!((report.status, took), (TableStatus::Interrupted, PATIENCE / 2));
    });
}

thread_local! {
    /// Whoever logs these words on this thread, or begins a span of this name, panics, once.
    static FATAL_WORDS: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// For all threads, since a log of one thread alone is not heard while other tests are without one.
struct PanicsAtWords;

fn fall_at(said: &str) {
    if FATAL_WORDS.get().is_some_and(|fatal| said.contains(fatal)) {
        FATAL_WORDS.set(None);
        panic!("as the test wants it");
    }
}

struct Words(String);

impl tracing::field::Visit for Words {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl tracing::Subscriber for PanicsAtWords {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        fall_at(attributes.metadata().name());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        fall_at(&words.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn an_actor_that_panics_in_the_midst_of_its_work_is_replaced() {
    // Said by the table, by the differ, by the writer before and after it wrote, and by the recovery actor, which takes the
    // history of the table with it.
    for words in ["target has more rows", "need to find", "batch", "batch committed", "sync connection failed"] {
        on_paused_system(async {
            let mut world = world().await;
            world.source.fill("t", (3..60).map(|id| row(id, Some("x"), id))).unwrap();
            world.options.trust_modify_id = true;
            world.earlier = Some(rowsync_actors::job::Earlier { newest: Some(Value::Timestamp(500)), log: None });
            // Set already where another test of this process was quicker.
            let _ = tracing::subscriber::set_global_default(PanicsAtWords);
            FATAL_WORDS.set(Some(words));
            let lost = Script::default().nth(Spot::Flush, 1, LOST);
            let script = if words == "sync connection failed" { lost } else { Script::default() };
            let (report, _) = run_target(&world, &script).await;
            assert_eq!(FATAL_WORDS.take(), None, "nobody said the words");
            assert_eq!((report.status, report.generation, report.deleted), (TableStatus::Completed, 2, 3), "{words}");
            assert_eq!(report.panics, 1, "{words}");
        });
    }
}
