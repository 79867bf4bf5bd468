//! `kill -9` at each named phase and at random moments, for each pair of engines: the next run makes both sides equal by
//! itself, and nothing is gone that the plan did not name. Judged by the oracle, not by rowsync.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rowsync_actors::phase::Phase;

use crate::oracle::{Engine, Rows, Side};
use crate::support::Desk;

/// `stranger` belongs to the target alone. The others are parent, child, and a table that the target may lack.
const TABLES: [&str; 3] = ["parent", "child", "fresh"];
const BATCH: &str = r#""batch_size": 100, "tables": ["parent", "child", "fresh"], "max_delete_percent": 100,"#;

struct World {
    desk: Desk,
    source: Side,
    target: Side,
    /// What the tables of the source hold, and so the target in the end.
    wanted: [Rows; 3],
    stranger: Rows,
}

impl World {
    fn new(source: Engine, target: Engine) -> World {
        let (desk, source, target) = (Desk::new(), Side::new(source), Side::new(target));
        source.create("parent", "");
        source.create("child", "references parent (id)");
        source.create("fresh", "references parent (id)");
        source.sql(
            &(fill("parent", 1, 400, "null")
                + &fill("child", 1, 800, "(i + 1) / 2")
                + &fill("fresh", 1, 700, "(i + 1) / 2")),
        );
        target.create("stranger", "");
        target.sql(&fill("stranger", 1, 50, "null"));
        desk.sync("killed", &source.url(), &target.url(), BATCH);
        desk.run("killed");
        let wanted = source.rows(TABLES);
        let [stranger] = target.rows(["stranger"]);
        World { desk, source, target, wanted, stranger }
    }

    /// What the target holds. Nobody may touch the table that is its own.
    fn held(&self, story: &str) -> [Rows; 3] {
        let [parent, child, fresh, stranger] = self.target.rows(["parent", "child", "fresh", "stranger"]);
        assert!(stranger == self.stranger, "a table is touched that the sync does not name: {story}");
        [parent, child, fresh]
    }

    /// Both sides are equal, and the target has its foreign keys.
    fn expect_equal(&self, story: &str) {
        assert!(self.held(story) == self.wanted, "the sides differ: {story}");
        assert_eq!(TABLES.map(|table| self.target.foreign_keys(table)), [0, 1, 1], "{story}");
    }

    /// Every row is as it was or as it is to be; and of those that were there only the ones are gone that the source lacks.
    fn expect_nothing_lost(&self, before: &[Rows; 3], story: &str) {
        for ((before, wanted), held) in before.iter().zip(&self.wanted).zip(self.held(story)) {
            for id in before.keys().filter(|id| wanted.contains_key(id)) {
                assert!(held.contains_key(id), "row {id} is gone: {story}");
            }
            for (id, row) in &held {
                assert!(before.get(id) == Some(row) || wanted.get(id) == Some(row), "row {id} is {row}: {story}");
            }
        }
    }

    fn rerun(&self, story: &str) {
        let ended = self.desk.rowsync(&["run", "killed.json"]);
        assert_eq!(ended.code, Some(0), "{story}: {}\n{}", ended.stdout, ended.stderr);
        self.expect_equal(story);
    }

    fn start(&self, hold_at: &str) -> Child {
        let mut command = self.desk.command(&["run", "killed.json", "--output", "json"]);
        command.env("ROWSYNC_HOLD_AT", hold_at).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Rows `first` to `last`.
fn fill(table: &str, first: u32, last: u32, parent: &str) -> String {
    format!(
        "insert into {table} with recursive n(i) as (select {first} union all select i + 1 from n where i < {last})
         select i, {parent}, 'row ' || i, i * 0.5 from n;"
    )
}

/// How a target is far from its source.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    Gone,
    Empty,
    /// Of each ten rows one is missing and one is different, and there are some too many.
    Rows {
        missing: u32,
        different: u32,
    },
}

impl Spoil {
    fn any(dice: &mut fastrand::Rng) -> Spoil {
        match dice.u8(..4) {
            0 => Spoil::Gone,
            1 => Spoil::Empty,
            _ => Spoil::Rows { missing: dice.u32(..5), different: dice.u32(5..10) },
        }
    }

    fn sql(self) -> String {
        match self {
            Spoil::Gone => "drop table fresh; drop table child; drop table parent".into(),
            Spoil::Empty => "delete from fresh; delete from child; delete from parent".into(),
            Spoil::Rows { missing, different } => {
                let different = |table: &str| format!("update {table} set v = 'other' where id % 10 = {different};");
                let missing =
                    |table: &str, column: &str| format!("delete from {table} where {column} % 10 = {missing};");
                [
                    "drop table fresh;".to_owned(),
                    different("parent") + &different("child"),
                    missing("child", "parent") + &missing("parent", "id"),
                    fill("parent", 1001, 1040, "null") + &fill("child", 1001, 1080, "(i + 1001) / 2"),
                ]
                .concat()
            }
        }
    }
}

/// Kills a process that is held, and expects that it was.
pub fn kill_held(mut child: Child, story: &str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut log = Vec::new();
    let held = lines.by_ref().inspect(|line| log.push(line.clone())).any(|line| line.starts_with("held at "));
    assert!(held, "never reached {story}: {log:#?}");
    child.kill().unwrap();
    assert!(child.wait().unwrap().code().is_none(), "{story}");
}

/// Kills a process where it comes to a moment, if it does.
pub fn kill_at(mut command: Command, hold_at: &str) {
    command.env("ROWSYNC_HOLD_AT", hold_at).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    if lines.any(|line| line.starts_with("held at ")) {
        child.kill().unwrap();
    }
    child.wait().unwrap();
}

/// A first copy that was killed behind its first batch goes on there.
fn check_first_copy(source: Engine, target: Engine) {
    let world = World::new(source, target);
    world.target.sql(&Spoil::Empty.sql());
    let story = format!("{source:?} to {target:?}");
    kill_held(world.start("BatchCommitted:1"), &story);
    let [parent, ..] = world.held(&story);
    assert!((1..=200).contains(&parent.len()), "{}: {story}", parent.len());
    let ended = world.desk.run("killed");
    let (added, left) = (ended.table("parent").0, 400 - parent.len());
    assert_eq!(added, left as u64, "{story}");
    let notes = ended.report()["tables"][0]["notes"].to_string();
    assert!(notes.contains(&format!("{left} rows behind the last key of the target were copied")), "{notes}: {story}");
    world.expect_equal(&story);
}

#[test]
fn a_first_copy_that_was_killed_goes_on_where_it_ended() {
    for source in [Engine::Sqlite, Engine::Postgres] {
        for target in [Engine::Sqlite, Engine::Postgres] {
            check_first_copy(source, target);
        }
    }
}

fn check_phases(source: Engine, target: Engine) {
    let world = World::new(source, target);
    let first = Phase::ALL.map(|phase| (phase, 1));
    // In the midst of a table too, and in the midst of the deletes.
    let later = [(Phase::BatchWritten, 9), (Phase::BatchCommitted, 9), (Phase::Deleted, 2)];
    for (phase, nth) in first.into_iter().chain(later) {
        let spoil = Spoil::Rows { missing: 2, different: 7 };
        world.target.sql(&spoil.sql());
        let story = format!("{phase:?} {nth}");
        let before = world.held(&story);
        kill_held(world.start(&format!("{phase:?}:{nth}")), &story);
        world.expect_nothing_lost(&before, &story);
        world.rerun(&story);
    }
    assert!(world.source.rows(TABLES) == world.wanted, "the source was written to");
}

/// Whether it was killed, or done before.
fn kill_after(mut child: Child, moment: Duration) -> bool {
    let (stderr, stdout) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
    let (ended, ends) = channel();
    // Both are read, so that the process does not wait for us.
    std::thread::spawn(move || std::io::copy(&mut { stdout }, &mut std::io::sink()));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut { stderr }, &mut std::io::sink());
        let _ = ended.send(());
    });
    if ends.recv_timeout(moment) == Err(RecvTimeoutError::Timeout) {
        child.kill().unwrap();
    }
    child.wait().unwrap().code().is_none()
}

pub fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// In the test command; `make soak` says more.
const KILLS: u64 = 4;

fn check_moments(source: Engine, target: Engine) {
    let kills = from_environment("ROWSYNC_KILLS").unwrap_or(KILLS);
    let seed = from_environment("ROWSYNC_SEED").unwrap_or_else(|| fastrand::u64(..));
    let pair = format!("{source:?} to {target:?}");
    println!("{pair}: ROWSYNC_SEED={seed} ROWSYNC_KILLS={kills}");
    let (mut dice, world) = (fastrand::Rng::with_seed(seed), World::new(source, target));
    world.target.sql(&Spoil::Gone.sql());
    let begun = Instant::now();
    world.desk.run("killed");
    let whole_run = begun.elapsed();
    let (mut killed, mut runs) = (0, 0);
    while killed < kills {
        let (spoil, moment) = (Spoil::any(&mut dice), whole_run.mul_f64(dice.f64()));
        let story = format!("{pair}, seed {seed}, run {runs}: {spoil:?}, killed after {moment:?} of {whole_run:?}");
        world.target.sql(&spoil.sql());
        let before = world.held(&story);
        killed += u64::from(kill_after(world.start(""), moment));
        world.expect_nothing_lost(&before, &story);
        world.rerun(&story);
        runs += 1;
        assert!(runs < 10 * kills, "most runs end before they are killed: {story}");
    }
    assert!(world.source.rows(TABLES) == world.wanted, "the source was written to: {pair}, seed {seed}");
    println!("{pair}: {killed} of {runs} runs were killed, at moments up to {whole_run:?}");
}

#[test]
fn a_process_killed_at_any_phase_between_files_leaves_nothing_to_do_by_hand() {
    check_phases(Engine::Sqlite, Engine::Sqlite);
}

#[test]
fn a_process_killed_at_any_phase_from_file_to_server_leaves_nothing_to_do_by_hand() {
    check_phases(Engine::Sqlite, Engine::Postgres);
}

#[test]
fn a_process_killed_at_any_phase_from_server_to_file_leaves_nothing_to_do_by_hand() {
    check_phases(Engine::Postgres, Engine::Sqlite);
}

#[test]
fn a_process_killed_at_any_phase_between_servers_leaves_nothing_to_do_by_hand() {
    check_phases(Engine::Postgres, Engine::Postgres);
}

#[test]
fn a_process_killed_at_random_moments_between_files_leaves_nothing_to_do_by_hand() {
    check_moments(Engine::Sqlite, Engine::Sqlite);
}

#[test]
fn a_process_killed_at_random_moments_from_file_to_server_leaves_nothing_to_do_by_hand() {
    check_moments(Engine::Sqlite, Engine::Postgres);
}

#[test]
fn a_process_killed_at_random_moments_from_server_to_file_leaves_nothing_to_do_by_hand() {
    check_moments(Engine::Postgres, Engine::Sqlite);
}

#[test]
fn a_process_killed_at_random_moments_between_servers_leaves_nothing_to_do_by_hand() {
    check_moments(Engine::Postgres, Engine::Postgres);
}
