//! A merge against a model: whatever both sides do between two cycles, and whatever fails, both hold afterwards what the
//! model says, the conflicts that wait are those of the model, and a further cycle changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::prelude::*;
use rowsync_actors::job::{Goal, MassDelete};
use rowsync_actors::memory::{Block, Merge, MergeMemory, Queue};
use rowsync_engine::conflict::{Conflict, Resolution, Rules};
use rowsync_engine::digest::Digest;
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::Key;
use rowsync_engine::report::{TableReport, TableStatus, Written};
use rowsync_engine::store::Store;
use rowsync_engine::three_way::Memory as Known;
use rowsync_engine::value::{Value, ValueRef};
use rowsync_stores::memory::Memory;

use crate::faulty::{Fault, Faulty, Script, Spot};
use crate::world::{World, on_paused_system, row, table};

/// A memory that lives as long as the test.
#[derive(Default)]
struct Remembering {
    blocks: Mutex<BTreeMap<u64, (Block, Known)>>,
    waiting: Mutex<BTreeMap<Key, Conflict>>,
}

#[async_trait]
impl MergeMemory for Remembering {
    fn salt(&self) -> u64 {
        5
    }

    async fn blocks(&self) -> Result<(Vec<Block>, u64), StoreError> {
        let blocks = self.blocks.lock().unwrap();
        let known = blocks.values().map(|(_, rows)| rows.len() as u64).sum();
        Ok((blocks.values().map(|(block, _)| block.clone()).collect(), known))
    }

    async fn rows(&self, number: u64) -> Result<Known, StoreError> {
        Ok(self.blocks.lock().unwrap().get(&number).map(|(_, rows)| rows.clone()).unwrap_or_default())
    }

    async fn keep(&self, blocks: Vec<(Block, Known)>, queue: Queue) -> Result<(), StoreError> {
        self.blocks.lock().unwrap().extend(blocks.into_iter().map(|(block, rows)| (block.number, (block, rows))));
        let mut waiting = self.waiting.lock().unwrap();
        waiting.extend(queue.waiting.into_iter().map(|conflict| (conflict.key.clone(), conflict)));
        queue.closed.iter().for_each(|key| drop(waiting.remove(key)));
        Ok(())
    }

    async fn keep_digests(&self, digests: Vec<(u64, Digest)>) -> Result<(), StoreError> {
        let mut blocks = self.blocks.lock().unwrap();
        for (number, digest) in digests {
            blocks.get_mut(&number).unwrap().0.digest = Some(digest);
        }
        Ok(())
    }

    async fn waiting(&self) -> Result<BTreeSet<Key>, StoreError> {
        Ok(self.waiting.lock().unwrap().keys().cloned().collect())
    }
}

/// Name and time of a row.
type Cells = (Option<String>, i64);
type Table = BTreeMap<i64, Cells>;

/// What the merge is to do, said once more and otherwise.
struct Model {
    rules: Rules,
    agreed: Table,
    source: Table,
    target: Table,
    waiting: BTreeSet<i64>,
}

enum End {
    Both(Option<Cells>),
    Waits,
}

impl Model {
    fn new(rules: Rules) -> Model {
        Model { rules, agreed: Table::new(), source: Table::new(), target: Table::new(), waiting: BTreeSet::new() }
    }

    fn end(&self, id: i64) -> End {
        let (base, s, t) = (self.agreed.get(&id), self.source.get(&id), self.target.get(&id));
        if s == t || t == base {
            return End::Both(s.cloned());
        }
        if s == base {
            return End::Both(t.cloned());
        }
        let winner = self.winner(s, t);
        if let (true, Some(b), Some(s), Some(t)) = (self.rules.by_columns, base, s, t) {
            let name = between(&b.0, &s.0, &t.0);
            let time = between(&b.1, &s.1, &t.1).or(Some(s.1.max(t.1)).filter(|_| !self.rules.clocks.is_empty()));
            return match (name, time, winner) {
                (Some(name), Some(time), _) => End::Both(Some((name, time))),
                (name, time, Some(winner)) => {
                    let winner = winner.unwrap_or_else(|| unreachable!("both rows are there"));
                    End::Both(Some((name.unwrap_or(winner.0), time.unwrap_or(winner.1))))
                }
                (.., None) => End::Waits,
            };
        }
        winner.map_or(End::Waits, End::Both)
    }

    /// None where nobody wins.
    fn winner(&self, s: Option<&Cells>, t: Option<&Cells>) -> Option<Option<Cells>> {
        let source_wins = match self.rules.resolution {
            Resolution::SourceWins => true,
            Resolution::TargetWins => false,
            Resolution::Timestamp => match (s, t) {
                (Some(s), Some(t)) => s.1 >= t.1,
                (s, _) => s.is_some(),
            },
            Resolution::Manual => return None,
        };
        Some(if source_wins { s.cloned() } else { t.cloned() })
    }

    /// Merges, and says how many rows of each side that changes.
    fn cycle(&mut self) -> (Written, Written) {
        let ids: BTreeSet<i64> =
            self.source.keys().chain(self.target.keys()).chain(self.agreed.keys()).copied().collect();
        let (mut to_source, mut to_target) = (Written::default(), Written::default());
        self.waiting.clear();
        for id in ids {
            match self.end(id) {
                End::Waits => drop(self.waiting.insert(id)),
                End::Both(end) => {
                    set(&mut self.source, id, end.as_ref(), &mut to_source);
                    set(&mut self.target, id, end.as_ref(), &mut to_target);
                    set(&mut self.agreed, id, end.as_ref(), &mut Written::default());
                }
            }
        }
        (to_source, to_target)
    }
}

fn between<T: PartialEq + Clone>(base: &T, s: &T, t: &T) -> Option<T> {
    if s == t || t == base {
        Some(s.clone())
    } else if s == base {
        Some(t.clone())
    } else {
        None
    }
}

fn set(table: &mut Table, id: i64, row: Option<&Cells>, written: &mut Written) {
    let before = match row {
        Some(row) => table.insert(id, row.clone()),
        None => table.remove(&id),
    };
    match (&before, row) {
        (None, Some(_)) => written.added += 1,
        (Some(before), Some(row)) if before != row => written.modified += 1,
        (Some(_), None) => written.deleted += 1,
        _ => {}
    }
}

/// What somebody does to a side.
#[derive(Clone, Debug)]
struct Edit {
    in_source: bool,
    id: i64,
    row: Option<Cells>,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let row = prop::option::weighted(0.7, (prop::option::of("[ab]"), 0i64..4));
    let edit = (any::<bool>(), 0i64..30, row).prop_map(|(in_source, id, row)| Edit { in_source, id, row });
    prop::collection::vec(edit, 0..25)
}

fn rules() -> impl Strategy<Value = Rules> {
    use Resolution::{Manual, SourceWins, TargetWins, Timestamp};
    let resolution = prop::sample::select(vec![SourceWins, TargetWins, Timestamp, Manual]);
    (resolution, any::<bool>(), any::<bool>()).prop_map(|(resolution, by_columns, has_clock)| Rules {
        resolution,
        by_columns,
        timestamp: Some(2),
        clocks: if has_clock { vec![2] } else { Vec::new() },
    })
}

fn faults() -> impl Strategy<Value = Vec<(bool, Spot, usize, Fault)>> {
    let spot = prop::sample::select(vec![
        Spot::Survey,
        Spot::Split,
        Spot::Digests,
        Spot::Page,
        Spot::Begin,
        Spot::Write,
        Spot::Commit,
        Spot::Flush,
    ]);
    let fault = prop::sample::select(vec![
        Fault::Fails(Kind::Unreachable),
        Fault::Fails(Kind::Busy),
        Fault::Panics,
        Fault::Unanswered,
    ]);
    prop::collection::vec((any::<bool>(), spot, 1usize..6, fault), 0..3)
}

/// Two databases with a merge between them, and the model beside it.
struct Pair {
    world: World,
    memory: Arc<Remembering>,
    model: Model,
}

impl Pair {
    async fn new(rules: Rules) -> Pair {
        let mut world = World::new(vec![table("t")]).await;
        let memory = Arc::new(Remembering::default());
        let merge = Merge::new(Arc::clone(&memory) as Arc<dyn MergeMemory>, rules.clone());
        world.merge = Some(merge.in_blocks_of(4));
        world.goal = Goal::Sync { mass_delete: MassDelete::Allowed };
        Pair { world, memory, model: Model::new(rules) }
    }

    fn edit(&mut self, edits: &[Edit]) {
        for Edit { in_source, id, row } in edits {
            let table = if *in_source { &mut self.model.source } else { &mut self.model.target };
            set(table, *id, row.as_ref(), &mut Written::default());
        }
        fill(&self.world.source, &self.model.source);
        fill(&self.world.target, &self.model.target);
    }

    async fn run(&mut self, source: &Script, target: &Script) -> TableReport {
        // What an earlier run wrote is none of this one's.
        let merge = self.world.merge.take().unwrap();
        self.world.merge = Some(Merge::new(merge.memory, merge.rules).in_blocks_of(4));
        let source = Faulty::new(Arc::clone(&self.world.source) as Arc<dyn Store>, source);
        let target = Faulty::new(Arc::clone(&self.world.target) as Arc<dyn Store>, target);
        self.world.run_between(source, target).await.remove(0).report
    }

    fn check(&self, report: &TableReport) -> Result<(), TestCaseError> {
        prop_assert_eq!(report.status, TableStatus::Completed, "{:?}", report.errors);
        prop_assert!(report.verified);
        prop_assert_eq!(self.world.source.rows("t"), values(&self.model.source));
        prop_assert_eq!(self.world.target.rows("t"), values(&self.model.target));
        let waiting: BTreeSet<Key> = self.model.waiting.iter().map(|id| Key::new([ValueRef::Int(*id)])).collect();
        prop_assert_eq!(report.conflicts, waiting.len() as u64);
        prop_assert_eq!(self.memory.waiting.lock().unwrap().keys().cloned().collect::<BTreeSet<_>>(), waiting);
        Ok(())
    }
}

fn values(table: &Table) -> Vec<Vec<Value>> {
    table.iter().map(|(id, (name, time))| row(*id, name.as_deref(), *time)).collect()
}

fn fill(store: &Memory, table: &Table) {
    store.fill("t", values(table)).unwrap();
}

fn script(faults: &[(bool, Spot, usize, Fault)], of_source: bool) -> Script {
    let own = faults.iter().filter(|(side, ..)| *side == of_source);
    own.fold(Script::default(), |script, (_, spot, number, fault)| script.nth(*spot, *number, *fault))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_hold_what_the_model_says_and_a_change_is_applied_once(
        rules in rules(), rounds in prop::collection::vec(edits(), 1..5),
    ) {
        on_paused_system(async {
            let mut pair = Pair::new(rules).await;
            for edits in &rounds {
                pair.edit(edits);
                let (to_source, to_target) = pair.model.cycle();
                let report = pair.run(&Script::default(), &Script::default()).await;
                pair.check(&report)?;
                let merged = report.merge.unwrap();
                prop_assert_eq!((merged.source, merged.target), (to_source, to_target));
                let again = pair.run(&Script::default(), &Script::default()).await;
                pair.check(&again)?;
                prop_assert_eq!(again.added + again.modified + again.deleted, 0);
            }
            Ok(())
        })?;
    }

    #[test]
    fn faults_change_nothing_about_what_both_sides_hold_in_the_end(
        rules in rules(), rounds in prop::collection::vec((edits(), faults()), 1..4),
    ) {
        on_paused_system(async {
            let mut pair = Pair::new(rules).await;
            for (edits, faults) in &rounds {
                pair.edit(edits);
                pair.model.cycle();
                let report = pair.run(&script(faults, true), &script(faults, false)).await;
                pair.check(&report)?;
                let again = pair.run(&Script::default(), &Script::default()).await;
                pair.check(&again)?;
                prop_assert_eq!(again.added + again.modified + again.deleted, 0);
            }
            Ok(())
        })?;
    }
}
