//! One binary for all tests of the adapters as their users see them.

mod conformance;
mod postgres;
mod speed;
mod sqlite;
