//! One binary for all tests of the adapters as their users see them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod conformance;
mod equality;
mod postgres;
mod sqlite;
