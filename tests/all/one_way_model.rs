//! The strategies that go one way, between real databases: whatever happens to the source, and to the target where the
//! strategy looks at it, and whoever kills a run, the target holds afterwards what the source does, and a further run writes
//! nothing, unless it replaces all rows.

use fastrand::Rng;

use crate::kills::{from_environment, kill_at};
use crate::merge::{Side, each_pair};
use crate::model::{self, Rows, TABLES, held, statements};
use crate::support::Desk;

/// In the test command; the long run of the tests says more.
const ROUNDS: u64 = 2;
const RUN: [&str; 3] = ["run", "shop.json", "--allow-mass-delete"];

struct World<'a> {
    desk: &'a Desk,
    sides: [&'a Side<'a>; 2],
    source: Rows,
    /// Whether others write to the target too.
    others_write: bool,
    /// Whether every run writes all rows anew.
    replaces: bool,
    dice: Rng,
    story: String,
}

impl World<'_> {
    fn begin(&mut self, settings: &str) {
        self.source = model::first(&mut self.dice);
        let [source, target] = self.sides;
        source.sql(&format!("{TABLES}{}", statements(&Rows::new(), &self.source)));
        target.sql(TABLES);
        self.desk.sync("shop", &source.url(), &target.url(), settings);
        if settings.contains("triggers") {
            assert_eq!(self.desk.rowsync(&["track", "shop.json", "install"]).code, Some(0), "{}", self.story);
        }
        self.run();
    }

    fn round(&mut self) {
        let before = self.source.clone();
        model::edit(std::slice::from_mut(&mut self.source), &mut self.dice);
        self.sides[0].sql(&statements(&before, &self.source));
        if self.others_write {
            let mut strange = before.clone();
            model::edit(std::slice::from_mut(&mut strange), &mut self.dice);
            self.sides[1].sql(&statements(&before, &strange));
        }
        if self.dice.bool() {
            let hold = model::moment_of_a_batch(&mut self.dice);
            kill_at(self.desk.command(&RUN), &hold);
            self.story.push_str(&format!(", killed at {hold}"));
        }
        self.run();
        let (added, modified, deleted) = self.run();
        assert!(modified == 0 && added == deleted, "{}", self.story);
        assert!(added == 0 || self.replaces, "{}", self.story);
    }

    fn run(&mut self) -> (u64, u64, u64) {
        let ended = self.desk.rowsync(&RUN);
        assert_eq!(ended.code, Some(0), "{}: {}\n{}", self.story, ended.stdout, ended.stderr);
        assert_eq!(self.sides.map(held), [&self.source; 2].map(Rows::clone), "{}: {}", self.story, ended.stdout);
        ended.totals()
    }
}

fn check(settings: &str, others_write: bool) {
    let rounds = from_environment("ROWSYNC_ROUNDS").unwrap_or(ROUNDS);
    let seed = from_environment("ROWSYNC_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{settings} ROWSYNC_SEED={seed} ROWSYNC_ROUNDS={rounds}");
    each_pair(|desk, a, b| {
        let story = format!("{settings} from {} to {}, seed {seed}", a.engine(), b.engine());
        let (dice, replaces) = (Rng::with_seed(seed), settings.contains("full"));
        let mut world = World { desk, sides: [a, b], source: Rows::new(), others_write, replaces, dice, story };
        world.begin(settings);
        for round in 0..rounds {
            world.story.push_str(&format!("; round {round}"));
            world.round();
        }
    });
}

#[test]
fn a_target_that_others_write_to_holds_what_the_source_does_by_comparing() {
    check("", true);
}

/// Parents are referred to and so compared; their children are replaced.
#[test]
fn a_target_that_others_write_to_holds_what_the_source_does_by_replacing() {
    check(r#""sync_strategy": "full","#, true);
}

#[test]
fn a_target_holds_what_the_source_does_by_the_log_of_changes() {
    check(r#""sync_strategy": "incremental", "change_tracking": "triggers","#, false);
}
