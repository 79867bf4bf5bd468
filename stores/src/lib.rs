//! How each database speaks. One folder an engine, the same file names in each: learn one, know all.

mod condition;
pub mod memory;
pub mod postgres;
pub mod resolve;
pub mod sqlite;
mod statement;
#[doc(hidden)]
pub mod testing;

use std::time::Duration;

/// Where a database is and how patiently to treat it.
#[derive(Clone)]
pub struct Connection {
    /// With its secrets; never to be printed.
    pub url: String,
    /// The schema in which unqualified tables lie, where the engine has schemas.
    pub schema: Option<String>,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Most connections held at once.
    pub connections_max: u32,
    /// Whether anything may be written; a source is never written to.
    pub access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written, and the database has to be there.
    Read,
    /// Nothing is written; a database that could be made is taken as empty where it is not there yet.
    Look,
    /// Rows and tables are written; a database that can be made is made.
    Write,
}
