//! How each database speaks. One folder an engine, the same file names in each: learn one, know all.

pub mod postgres;

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
    Read,
    Write,
}
