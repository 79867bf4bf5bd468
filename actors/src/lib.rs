//! Who does what, when, and again.
//!
//! A supervisor runs the tables of a sync in dependency order; each table has a reader on either side, a differ, a
//! writer and a recovery actor. A newcomer reads [`messages`] first.

pub mod board;
pub mod differ;
pub mod end;
pub mod failure;
pub mod found;
pub mod job;
pub mod journal;
pub mod keeper;
pub mod leave;
pub mod ledger;
pub mod messages;
pub mod meters;
pub mod phase;
pub mod ports;
pub mod reader;
pub mod recovery;
pub mod supervisor;
pub mod table;
pub mod writer;
