//! The actors together, over databases in memory.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod backpressure;
mod convergence;
mod decisions;
mod ordering;
mod second_look;
mod world;
