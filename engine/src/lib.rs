//! What is true: values, keys, ranges, digests, plans and verdicts. No clock, no randomness, no input or output.
//!
//! A newcomer reads [`store`] first.

pub mod affinity;
pub mod backoff;
pub mod budget;
pub mod canonical;
pub mod change;
pub mod change_log;
pub mod compare;
pub mod conflict;
pub mod cost;
pub mod derived;
pub mod digest;
pub mod domain;
pub mod error;
pub mod filter;
pub mod given;
pub mod image;
pub mod key;
pub mod limits;
pub mod meeting;
pub mod merge;
pub mod metrics;
pub mod moment;
pub mod multiset;
pub mod order;
pub mod overlap;
pub mod pair;
pub mod plan;
pub mod recovery;
pub mod remembered;
pub mod report;
pub mod residue;
pub mod row;
pub mod rules;
pub mod schedule;
pub mod schema;
pub mod search;
pub mod sightings;
pub mod store;
pub mod stretch;
pub mod three_way;
pub mod value;
