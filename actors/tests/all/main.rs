//! The actors together, over databases in memory.

mod backpressure;
mod convergence;
mod decisions;
mod ordering;
mod world;
