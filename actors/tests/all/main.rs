//! The actors together, over databases in memory.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod backpressure;
mod behind;
mod convergence;
mod decisions;
mod faulty;
mod leave;
mod merging;
mod metrics;
mod ordering;
mod recovery;
mod rejects;
mod second_look;
mod world;
