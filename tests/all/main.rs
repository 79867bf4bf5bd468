//! The whole program, as one test binary.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod api;
mod cluster;
mod command_line;
mod comparing;
mod configurations;
mod connection;
mod copied;
mod crashes;
mod dashboards;
mod disk_full;
mod drift;
mod equality;
mod faults;
mod filters;
mod first_sync;
mod history;
mod incremental;
mod intruders;
mod kills;
mod kinds;
mod leases;
mod log;
mod metrics;
mod oracle;
mod orchestrator;
mod others;
mod permissions;
mod prometheus;
mod proxy;
mod recent;
mod rejects;
mod schedule;
mod server;
mod service;
mod settings;
mod small_disk;
mod state;
mod support;
mod tls;
mod tracking;
mod traps;
mod undo;
