//! The whole program, as one test binary.

mod command_line;
mod settings;
