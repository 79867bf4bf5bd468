//! The tests of all adapters, in one binary.

mod postgres;
