//! Ranges on their way through a search.

use super::SideName;
use crate::digest::Digest;
use crate::key::KeyRange;

/// A range that differs, or of which nothing is known yet.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub range: KeyRange,
    pub source: u64,
    pub target: u64,
    pub depth: u64,
    /// Nodes of one wave are cut together; later waves come first.
    pub wave: u64,
}

impl Node {
    pub fn rows(&self) -> u64 {
        self.source.max(self.target)
    }

    /// Whether the other one begins where this one ends.
    pub fn is_before(&self, next: &Node) -> bool {
        self.range.through.is_some() && self.range.through == next.range.after
    }

    /// Becomes the range of both.
    pub fn absorb(&mut self, next: Node) {
        self.range.through = next.range.through;
        self.source += next.source;
        self.target += next.target;
        self.depth = self.depth.max(next.depth);
    }

    /// The side that cuts it.
    pub fn side(&self, cut_by: Option<SideName>) -> SideName {
        let larger = if self.source >= self.target { SideName::Source } else { SideName::Target };
        match cut_by {
            Some(SideName::Source) if self.source >= self.target / 2 => SideName::Source,
            Some(SideName::Target) if self.target >= self.source / 2 => SideName::Target,
            _ => larger,
        }
    }
}

/// A part of a node, before and after its digests are known.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub range: KeyRange,
    pub depth: u64,
    /// What it is taken to hold before it is counted.
    pub rows: u64,
    pub newer: bool,
    pub answer: Option<(Digest, Digest)>,
}

#[derive(Debug)]
pub(super) enum Waiting {
    Idle,
    Recent(Node),
    Split {
        nodes: Vec<Node>,
        side: SideName,
        rows_per_part: u64,
    },
    /// The places of the parts that are asked for now.
    Digests {
        parts: Vec<Part>,
        asked: Vec<usize>,
    },
    /// Counts of the newest rows; those of the older rows follow from the whole.
    RecentCounts {
        recent: KeyRange,
        node: Node,
    },
}
