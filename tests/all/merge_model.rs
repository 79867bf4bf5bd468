//! Merges of real databases against a model: whatever both sides do between two cycles, whoever kills a run, and whatever
//! a person decides, both hold afterwards what the model says, what waits is what the model lets wait, and a further
//! cycle writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::kills::{from_environment, kill_at};
use crate::merge::{MERGE, Side, each_pair, total, written};
use crate::model::{self, CLOCK, NAMES, Place, Row, Rows, TABLES, held, set, statements};
use crate::support::{Desk, Ended};

/// In the test command; the long run of the tests says more.
const ROUNDS: u64 = 2;
const RUN: [&str; 3] = ["run", "shop.json", "--allow-mass-delete"];

type Counts = (u64, u64, u64);

#[derive(Clone, Copy, Debug)]
struct Rules {
    resolution: &'static str,
    by_columns: bool,
}

struct Model {
    rules: Rules,
    agreed: Rows,
    /// Of the source and of the target.
    sides: [Rows; 2],
    waiting: BTreeSet<Place>,
}

impl Model {
    /// What becomes of a row on both sides; `Err` where it waits.
    fn end(&self, place: Place) -> Result<Option<Row>, ()> {
        let base = self.agreed.get(&place);
        let [source, target] = self.sides.each_ref().map(|side| side.get(&place));
        if source == target || target == base {
            return Ok(source.cloned());
        }
        if source == base {
            return Ok(target.cloned());
        }
        let winner = match (self.rules.resolution, source, target) {
            ("source_wins", ..) => Some(source),
            ("target_wins", ..) => Some(target),
            ("timestamp", Some(s), Some(t)) => Some(if s[CLOCK] >= t[CLOCK] { source } else { target }),
            ("timestamp", ..) => Some(source.or(target)),
            _ => None,
        };
        let (true, Some(base), Some(source), Some(target)) = (self.rules.by_columns, base, source, target) else {
            return winner.map(Option::<&Row>::cloned).ok_or(());
        };
        let mut end = source.clone();
        for column in 0..end.len() {
            let [b, s, t] = [base, source, target].map(|row| &row[column]);
            end[column] = match () {
                () if s == t || t == b => s.clone(),
                () if s == b => t.clone(),
                () if column == CLOCK => s.max(t).clone(),
                () => winner.flatten().ok_or(())?[column].clone(),
            };
        }
        Ok(Some(end))
    }

    /// Merges, and tells what that writes to the source and to the target.
    fn cycle(&mut self) -> [Counts; 2] {
        let places: BTreeSet<Place> = self.sides.iter().chain([&self.agreed]).flat_map(Rows::keys).copied().collect();
        self.waiting.clear();
        let mut counts = [(0, 0, 0); 2];
        for place in places {
            match self.end(place) {
                Ok(end) => self.agree(place, end, &mut counts),
                Err(()) => drop(self.waiting.insert(place)),
            }
        }
        counts
    }

    fn agree(&mut self, place: Place, end: Option<Row>, counts: &mut [Counts; 2]) {
        for (side, counts) in self.sides.iter_mut().zip(counts) {
            match (side.get(&place), &end) {
                (None, Some(_)) => counts.0 += 1,
                (Some(before), Some(after)) if before != after => counts.1 += 1,
                (Some(_), None) => counts.2 += 1,
                _ => {}
            }
            set(side, place, end.clone());
        }
        set(&mut self.agreed, place, end);
    }
}

struct World<'a> {
    desk: &'a Desk,
    sides: [&'a Side<'a>; 2],
    model: Model,
    dice: Rng,
    story: String,
}

impl World<'_> {
    fn begin(&mut self) {
        let first = model::first(&mut self.dice);
        self.model.sides = [first.clone(), first];
        for (side, rows) in self.sides.iter().zip(&self.model.sides) {
            side.sql(&format!("{TABLES}{}", statements(&Rows::new(), rows)));
        }
        let Rules { resolution, by_columns } = self.model.rules;
        let more = format!(r#"{MERGE} "conflict_resolution": "{resolution}", "merge_columns": {by_columns},"#);
        let [source, target] = self.sides.map(Side::url);
        self.desk.sync("shop", &source, &target, &more);
        let counts = self.model.cycle();
        self.run_and_check(Some(counts));
    }

    fn round(&mut self) {
        let before = self.model.sides.clone();
        model::edit(&mut self.model.sides, &mut self.dice);
        for ((side, before), after) in self.sides.iter().zip(&before).zip(&self.model.sides) {
            side.sql(&statements(before, after));
        }
        let counts = self.model.cycle();
        let disturbed = self.dice.bool();
        if disturbed {
            self.run_and_kill();
        }
        self.run_and_check(Some(counts).filter(|_| !disturbed));
        self.decide();
        let counts = self.model.cycle();
        assert_eq!(counts, [(0, 0, 0); 2], "the model does not rest: {}", self.story);
        self.run_and_check(Some(counts));
    }

    /// It may be done before.
    fn run_and_kill(&mut self) {
        let hold = model::moment_of_a_batch(&mut self.dice);
        kill_at(self.desk.command(&RUN), &hold);
        self.story.push_str(&format!(", killed at {hold}"));
    }

    fn run_and_check(&mut self, counts: Option<[Counts; 2]>) {
        let ended = self.desk.rowsync(&RUN);
        let told = || format!("{}: {}\n{}", self.story, ended.stdout, ended.stderr);
        let waiting = self.model.waiting.len() as u64;
        assert_eq!((ended.code, total(&ended, "conflicts")), (Some(i32::from(waiting > 0)), waiting), "{}", told());
        if let Some(counts) = counts {
            assert_eq!([written(&ended, "source"), written(&ended, "target")], counts, "{}", told());
        }
        for (side, rows) in self.sides.iter().zip(&self.model.sides) {
            assert_eq!(&held(side), rows, "{}", told());
        }
        assert_eq!(self.waiting().into_values().collect::<BTreeSet<_>>(), self.model.waiting, "{}", told());
    }

    /// By their numbers.
    fn waiting(&self) -> BTreeMap<i64, Place> {
        let listed = self.conflicts(&["list"]).report();
        let place = |one: &serde_json::Value| {
            let table = NAMES.iter().position(|name| one["table"] == *name).unwrap();
            (one["id"].as_i64().unwrap(), (table, one["key"]["id"].as_i64().unwrap()))
        };
        listed["conflicts"].as_array().unwrap().iter().map(place).collect()
    }

    fn conflicts(&self, arguments: &[&str]) -> Ended {
        self.desk.rowsync(&[&["conflicts", "shop.json"], arguments].concat())
    }

    /// A person decides one of those that wait.
    fn decide(&mut self) {
        let Some((number, place)) = self.dice.choice(self.waiting()) else { return };
        let (name, chosen) = if self.dice.bool() { ("source", 0) } else { ("target", 1) };
        let ended = self.conflicts(&["resolve", &number.to_string(), "--use", name]);
        assert_eq!(ended.code, Some(0), "{}: {}\n{}", self.story, ended.stdout, ended.stderr);
        let row = self.model.sides[chosen].get(&place).cloned();
        self.model.agree(place, row, &mut Default::default());
    }
}

fn check(resolution: &'static str) {
    let rounds = from_environment("ROWSYNC_ROUNDS").unwrap_or(ROUNDS);
    let seed = from_environment("ROWSYNC_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{resolution}: ROWSYNC_SEED={seed} ROWSYNC_ROUNDS={rounds}");
    each_pair(|desk, a, b| {
        let mut dice = Rng::with_seed(seed);
        let rules = Rules { resolution, by_columns: dice.bool() };
        let story = format!("{rules:?} between {} and {}, seed {seed}", a.engine(), b.engine());
        let model = Model { rules, agreed: Rows::new(), sides: Default::default(), waiting: BTreeSet::new() };
        let mut world = World { desk, sides: [a, b], model, dice, story };
        world.begin();
        for round in 0..rounds {
            world.story.push_str(&format!("; round {round}"));
            world.round();
        }
    });
}

#[test]
fn both_sides_hold_what_the_model_says_where_the_source_wins() {
    check("source_wins");
}

#[test]
fn both_sides_hold_what_the_model_says_where_the_target_wins() {
    check("target_wins");
}

#[test]
fn both_sides_hold_what_the_model_says_where_timestamps_decide() {
    check("timestamp");
}

#[test]
fn both_sides_hold_what_the_model_says_where_people_decide() {
    check("manual");
}
