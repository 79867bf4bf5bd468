//! The sync, run beside nobody, beside callers of another server, and beside its own callers.

use std::process::Command;

use crate::control::Control;
use crate::harness::Result;
use crate::harness::process::{cpu_seconds, expect_success};
use crate::load::{Load, Looked};
use crate::serve::{self, Serve};
use crate::world::{self, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Alone,
    /// The same callers ask a server that has nothing to do with the sync.
    Control,
    Callers,
}

/// What is known of several runs of one kind.
pub struct Runs {
    side: Side,
    /// Of the executions, by their own clocks.
    pub seconds: Vec<f64>,
    /// CPU seconds of the process that syncs, of those who ask, and of the control, meanwhile.
    pub service_cpu: Vec<f64>,
    pub callers_cpu: Vec<f64>,
    pub control_cpu: Vec<f64>,
    pub looked: Looked,
    pub peak_bytes: u64,
}

impl Runs {
    pub fn new(side: Side) -> Runs {
        let (seconds, service_cpu, callers_cpu, control_cpu) = Default::default();
        Runs { side, seconds, service_cpu, callers_cpu, control_cpu, looked: Looked::default(), peak_bytes: 0 }
    }

    /// One more run.
    pub fn add(&mut self, world: &World, rows: u64) -> Result<()> {
        world.empty_target()?;
        // What the run before left to write is written now, and not beside this one.
        expect_success(&mut Command::new("sync"))?;
        let serve = Serve::start(world.directory())?;
        let control = (self.side == Side::Control).then(Control::start).transpose()?;
        let used = |process: &str| cpu_seconds(process).map_or(f64::NAN, |(own, _)| own);
        let service = serve.process().to_string();
        let before = [used(&service), used("self")];
        let execution = serve.execute()?;
        let asked = match (self.side, &control) {
            (Side::Alone, _) => None,
            (_, Some(control)) => Some(&control.address),
            (_, None) => Some(&serve.address),
        };
        let load = asked.map(|address| Load::begin(address, &execution.id));
        let report = execution.ended(&serve)?;
        if let Some(load) = load {
            self.looked.take_in(load.end()?);
        }
        self.service_cpu.push(used(&service) - before[0]);
        self.callers_cpu.push(used("self") - before[1]);
        self.control_cpu.extend(control.map(|control| control.cpu_seconds()));
        let added = report["totals"]["added"].as_u64();
        if report["status"] != "completed" || added != Some(world::TABLES * rows) {
            return Err(format!("the sync did not do its work: {report}").into());
        }
        self.seconds.push(serve::seconds(&report)?);
        self.peak_bytes = self.peak_bytes.max(serve.memory("VmHWM")?);
        Ok(())
    }
}
