//! Contenders take turns, and each round begins with another one: what else the machine does meets all alike.

use std::time::Duration;

use crate::harness::Result;
use crate::harness::figures::median;
use crate::harness::process::{Usage, settle_disk};
use crate::meter::{Cluster, seconds_so_far};

/// Somebody who does the work: a floor, rowsync, or another tool.
pub struct Contender<'a> {
    pub name: &'static str,
    /// In so many of the rounds.
    pub runs: u32,
    pub run: Box<dyn Fn() -> Result<Usage> + 'a>,
}

/// What a contender needed, run by run.
#[derive(Default)]
pub struct Measured {
    pub name: &'static str,
    pub wall: Vec<f64>,
    /// Of the client and of both servers.
    pub cpu: Vec<f64>,
    /// Of the client alone; a floor's client is psql or this process, and not told apart.
    pub client_cpu: Vec<f64>,
    /// Of the client, the largest of all runs.
    pub peak_bytes: Option<u64>,
    /// Why it takes no part any more.
    pub failure: Option<String>,
}

impl Measured {
    pub fn wall_median(&self) -> Option<f64> {
        median(&self.wall)
    }

    pub fn cpu_median(&self) -> Option<f64> {
        median(&self.cpu)
    }

    fn goes_on(&self) -> bool {
        self.failure.is_none() && self.wall.last().is_none_or(|seconds| *seconds <= PATIENCE_SECONDS)
    }
}

/// Whoever needs longer than this for a run is not asked for another one.
const PATIENCE_SECONDS: f64 = 60.0;

/// A floor knows its time alone.
pub fn floor(took: Duration) -> Usage {
    Usage { wall: took, cpu_seconds: None, peak_bytes: None }
}

pub fn take_turns(clusters: &[Cluster], runs: u32, contenders: &[Contender<'_>]) -> Result<Vec<Measured>> {
    let named = |contender: &Contender<'_>| Measured { name: contender.name, ..Measured::default() };
    let mut measured: Vec<Measured> = contenders.iter().map(named).collect();
    for round in 0..runs {
        for turn in 0..contenders.len() {
            let place = (turn + round as usize) % contenders.len();
            if round < contenders[place].runs && measured[place].goes_on() {
                one_run(clusters, &contenders[place], &mut measured[place])?;
            }
        }
    }
    Ok(measured)
}

fn one_run(clusters: &[Cluster], contender: &Contender<'_>, measured: &mut Measured) -> Result<()> {
    settle_disk()?;
    let before = seconds_so_far(clusters);
    let usage = match (contender.run)() {
        Ok(usage) => usage,
        Err(error) => {
            eprintln!("    {}: FAILED: {error}", contender.name);
            measured.failure = Some(error.to_string());
            return Ok(());
        }
    };
    let cpu = seconds_so_far(clusters).zip(before).map(|(after, before)| after - before);
    eprintln!("    {}: {:.3} s, CPU {:.2} s", contender.name, usage.wall.as_secs_f64(), cpu.unwrap_or(f64::NAN));
    measured.wall.push(usage.wall.as_secs_f64());
    measured.cpu.extend(cpu);
    measured.client_cpu.extend(usage.cpu_seconds);
    measured.peak_bytes = measured.peak_bytes.max(usage.peak_bytes);
    Ok(())
}
