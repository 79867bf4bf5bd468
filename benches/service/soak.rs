//! Small cycles one after the other, and the memory of the service meanwhile.

use std::time::{Duration, Instant};

use crate::ends::Engine;
use crate::harness::Result;
use crate::harness::figures::median;
use crate::serve::Serve;
use crate::world::World;

const ROWS: u64 = 1_000;
/// What the service remembers of executions has its bounds; until they are reached, memory grows by that.
const WARM_UP: u64 = 500;
/// What the allocator keeps or gives back from one look to the next is no growth.
const NOISE: f64 = 4.0 * 1024.0 * 1024.0;
const GROWTH_MAX: f64 = 0.05;
const LOOKS_MIN: usize = 3;

pub fn soak(engine: Engine, minutes: u64, every: Duration) -> Result<()> {
    let world = World::new(engine, ROWS)?;
    let serve = Serve::start(world.directory())?;
    println!("\n{engine:?}: cycles over four tables of {ROWS} rows for {minutes} minutes");
    let mut cycles = 0;
    while cycles < WARM_UP {
        cycle(&world, &serve, &mut cycles)?;
    }
    let (begun, mut looks) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(60 * minutes) {
        let due = begun + every * u32::try_from(looks.len() + 1)?;
        while Instant::now() < due {
            cycle(&world, &serve, &mut cycles)?;
        }
        let bytes = serve.memory("VmRSS")?;
        looks.push(bytes as f64);
        println!(
            "{:>5} s  {cycles:>8} cycles  {:>8.1} MiB",
            begun.elapsed().as_secs(),
            bytes as f64 / f64::from(1 << 20)
        );
    }
    judge(&looks)
}

/// Some rows are changed, added and deleted, and brought over.
fn cycle(world: &World, serve: &Serve, cycles: &mut u64) -> Result<()> {
    *cycles += 1;
    let (old, new) = (*cycles % ROWS, ROWS + *cycles);
    // The row that a table loses is the oldest it has, so that the tables stay as large as they are.
    let oldest = new - ROWS;
    world.ends.in_source(&format!(
        "update t1 set name = 'changed {cycles}' where id = {old}; delete from t2 where id = {oldest}; insert into t2 (id, name) values ({new}, 'new');
         insert into t3 (id, name) values ({new}, 'new'); delete from t3 where id = {new} - 10"
    ))?;
    let report = serve.execute()?.ended(serve)?;
    match report["status"] == "completed" {
        true => Ok(()),
        false => Err(format!("cycle {cycles} did not do its work: {report}").into()),
    }
}

/// The last third of the looks beside the first one.
fn judge(looks: &[f64]) -> Result<()> {
    if looks.len() < LOOKS_MIN {
        return Err(format!("{} looks tell nothing; look more often (--every)", looks.len()).into());
    }
    let third = looks.len() / 3;
    let (first, last) = (median(&looks[..third]), median(&looks[looks.len() - third..]));
    let (first, last) = first.zip(last).ok_or("no looks")?;
    let grown = last - first;
    println!("grown by {:.2} MiB", grown / f64::from(1 << 20));
    match grown > NOISE.max(first * GROWTH_MAX) {
        true => Err("memory grows".into()),
        false => Ok(()),
    }
}
