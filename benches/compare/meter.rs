//! CPU seconds of everything that takes part: this process, its children that have ended, and both servers.

use std::fs;

use crate::harness::Result;
use crate::harness::postgres::Server;
use crate::harness::process::cpu_seconds;

/// A server as the process that all its backends are children of.
pub struct Cluster {
    postmaster: String,
}

impl Cluster {
    /// Of a server on this machine, which is asked for the first line of its lock file.
    pub fn of(server: &Server) -> Result<Cluster> {
        let ask = "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)";
        Ok(Cluster { postmaster: server.maintenance().execute(&[ask])? })
    }

    /// User and system time of all its processes; those that have ended are in the postmaster's account.
    fn seconds(&self) -> Option<f64> {
        let (own, reaped) = cpu_seconds(&self.postmaster)?;
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.postmaster)).ok()?;
        let running = children.split_whitespace().filter_map(cpu_seconds).map(|(own, _)| own);
        Some(own + reaped + running.sum::<f64>())
    }
}

/// So far, since everything started; none where the system does not tell under /proc.
pub fn seconds_so_far(clusters: &[Cluster]) -> Option<f64> {
    let (own, reaped) = cpu_seconds("self")?;
    let servers: Option<f64> = clusters.iter().map(Cluster::seconds).sum();
    Some(own + reaped + servers?)
}
