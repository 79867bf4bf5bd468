//! The whole program, as one test binary.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod cluster;
mod command_line;
mod comparing;
mod connection;
mod copied;
mod crashes;
mod drift;
mod equality;
mod faults;
mod first_sync;
mod history;
mod leases;
mod proxy;
mod rejects;
mod settings;
mod state;
mod support;
mod traps;
