//! rowsync keeps the tables of one database equal to those of another. This package knows what the user wants and
//! introduces the others; how anything is done is theirs.

pub mod cli;
pub mod init;
pub mod settings;
