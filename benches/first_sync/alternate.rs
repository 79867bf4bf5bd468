//! Floor, ours, floor, ours: what else the machine does meets both alike.

use std::time::Duration;

use crate::harness::Result;
use crate::harness::process::{Usage, settle_disk};
use crate::world::World;

/// What a scenario measured, run by run.
#[derive(Default)]
pub struct Measured {
    pub rows: u64,
    pub floor: Vec<Duration>,
    pub ours: Vec<Usage>,
    /// Printed below the table.
    pub notes: Vec<String>,
}

/// Each side prepares and checks for itself, and tells only the time between.
pub fn alternate(
    world: &World,
    mut floor: impl FnMut() -> Result<Duration>,
    mut ours: impl FnMut() -> Result<Usage>,
) -> Result<Measured> {
    let mut measured = Measured { rows: world.rows(), ..Measured::default() };
    for run in 1..=world.runs {
        settle_disk()?;
        let took = floor()?;
        eprint!("  run {run}: floor {:.3} s", took.as_secs_f64());
        measured.floor.push(took);
        if world.floors_only {
            eprintln!();
            continue;
        }
        settle_disk()?;
        let usage = ours().inspect_err(|_| eprintln!())?;
        eprintln!(", rowsync {:.3} s", usage.wall.as_secs_f64());
        measured.ours.push(usage);
    }
    Ok(measured)
}
