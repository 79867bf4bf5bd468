//! The whole program, as one test binary.

mod settings;
