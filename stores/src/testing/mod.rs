//! What every adapter is tested with. Not part of what the program runs.

pub mod conformance;
mod filtered;
pub mod rows;
