//! The whole program, as one test binary.

mod command_line;
mod equality;
mod faults;
mod first_sync;
mod settings;
mod support;
