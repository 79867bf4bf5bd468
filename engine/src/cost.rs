//! What comparing costs, and the cheapest way to do it: a model in seconds, fed with what was measured.
//!
//! The constants are CPU seconds of PostgreSQL 15, SQLite and rowsync on one core, rounded. They need not be exact: what
//! they decide differs by factors, and what they get wrong is found out while the search runs, by the share of ranges
//! that differ.

use crate::digest::DigestKind;

/// The way to a store, as measured when a run begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkSpeed {
    pub round_trip_seconds: f64,
    pub bytes_per_second: f64,
}

impl LinkSpeed {
    /// In the same process or on the same machine.
    pub const LOCAL: LinkSpeed = LinkSpeed { round_trip_seconds: 50e-6, bytes_per_second: 1e9 };

    fn seconds(&self, bytes: f64) -> f64 {
        bytes / self.bytes_per_second
    }
}

/// How a table is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareMethod {
    /// Digests of key ranges; only ranges that differ are read.
    Digests(DigestKind),
    /// Both sides are read in key order from the start.
    OrderedStream,
}

impl CompareMethod {
    /// Its word in settings and reports.
    pub fn name(self) -> &'static str {
        match self {
            CompareMethod::Digests(kind) => kind.name(),
            CompareMethod::OrderedStream => "ordered",
        }
    }
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompareFacts<'a> {
    /// Of the larger side.
    pub rows: u64,
    pub row_bytes: u64,
    /// Differences that are known before the first row is looked at: the gap of the counts.
    pub differences: u64,
    /// Digests that both sides share.
    pub digests: &'a [DigestKind],
    pub source: LinkSpeed,
    pub target: LinkSpeed,
}

/// A method with what it is expected to take, and the costs that the search goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    pub method: CompareMethod,
    pub seconds: f64,
    pub costs: Costs,
}

/// What the steps of a search take, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// To hash one row on both sides at once.
    pub hash_row: f64,
    /// To read one row of both sides and compare it.
    pub read_row: f64,
    /// To ask about one more range.
    pub range: f64,
    /// To ask at all: the round trips of a question and of what goes before it.
    pub ask: f64,
}

/// Bytes that a range takes on the wire: a bound on its way there, count and hash on their way back.
const RANGE_BYTES: f64 = 40.0;
/// A range asked by index: the descent of the tree and the restart of the plan.
const RANGE_SECONDS: f64 = 12e-6;
/// Differing ranges that are expected where nothing is known: enough to keep ranges from being too coarse.
const DIFFERENCES_EXPECTED: f64 = 30.0;
/// The share of tables in which most ranges differ, as a guess: what a sample saves, it saves there.
const DENSE_TABLES: f64 = 0.1;
/// Merging and comparing two rows in pages.
const COMPARE_SECONDS: f64 = 0.3e-6;
/// Laying the engine's own bytes of two rows beside each other.
const LAY_SECONDS: f64 = 0.1e-6;

/// CPU seconds for a row by the server or process that makes the digest.
fn hash_seconds(kind: DigestKind, row_bytes: f64) -> f64 {
    let (row, byte) = match kind {
        DigestKind::Count => (0.06e-6, 0.0),
        DigestKind::Server => (0.1e-6, 2e-9),
        DigestKind::Portable => (0.3e-6, 4e-9),
        DigestKind::Raw => (0.3e-6, 2e-9),
        DigestKind::Stream => (0.5e-6, 3e-9),
    };
    row + byte * row_bytes
}

fn read_seconds(row_bytes: f64, link: &LinkSpeed) -> f64 {
    0.6e-6 + 3e-9 * row_bytes + link.seconds(row_bytes)
}

/// Whether rows cross the link to make a digest of this kind.
fn sends_rows(kind: DigestKind) -> bool {
    matches!(kind, DigestKind::Stream | DigestKind::Raw)
}

impl Costs {
    pub fn of(kind: DigestKind, facts: &CompareFacts<'_>) -> Costs {
        let bytes = facts.row_bytes.max(1) as f64;
        let links = [&facts.source, &facts.target];
        let slower = |cost: &dyn Fn(&LinkSpeed) -> f64| links.into_iter().map(cost).fold(0.0, f64::max);
        let sent = |link: &LinkSpeed| if sends_rows(kind) { link.seconds(bytes) } else { 0.0 };
        let hash_row = hash_seconds(kind, bytes) + slower(&sent);
        let read_row = match kind {
            // The same bytes travel, and are taken apart only where they differ.
            DigestKind::Raw => hash_row + LAY_SECONDS,
            _ => slower(&|link| read_seconds(bytes, link)) + COMPARE_SECONDS,
        };
        Costs {
            hash_row,
            read_row,
            range: RANGE_SECONDS + slower(&|link| link.seconds(RANGE_BYTES)),
            ask: 200e-6 + slower(&|link| link.round_trip_seconds),
        }
    }

    /// In how many parts so many rows are best cut, when so many of the parts are expected to differ: the fewer parts,
    /// the more rows of those that differ are hashed or read again.
    pub fn parts(&self, rows: u64, differing: u64) -> u64 {
        let differing = differing.max(1) as f64;
        let again = self.hash_row.min(self.read_row);
        ((differing * rows as f64 * again / self.range).sqrt().ceil() as u64).max(2)
    }

    /// In how many parts a range that differs is best cut, when one row of it is expected to differ.
    pub fn parts_of_one(&self, rows: u64) -> u64 {
        ((rows as f64 * self.read_row / self.range).sqrt().ceil() as u64).clamp(2, rows.max(2))
    }

    /// Whether reading these ranges now takes less than cutting each of them once more.
    pub fn read_now(&self, ranges: u64, rows: u64) -> bool {
        let parts = self.parts_of_one(rows / ranges.max(1)) as f64;
        let cut = 2.0 * self.ask
            + ranges as f64 * parts * self.range
            + rows as f64 * self.hash_row
            + rows as f64 / parts * self.read_row;
        rows as f64 * self.read_row <= cut
    }

    /// Whether asking about a sample of so many rows first is worth its round trip.
    pub fn sample_pays(&self, rows: u64) -> bool {
        DENSE_TABLES * rows as f64 * self.hash_row > self.ask
    }

    /// The share of rows in differing ranges, in percent, above which hashing the rest costs more than reading it.
    pub fn dense_percent(&self) -> u64 {
        ((1.0 - self.hash_row / self.read_row) * 100.0).clamp(0.0, 100.0) as u64
    }
}

/// The cheapest way.
pub fn choose(facts: &CompareFacts<'_>) -> Chosen {
    let ordered = ordered_stream(facts);
    let digests = facts.digests.iter().map(|kind| by_digests(*kind, facts));
    digests.fold(ordered, |best, other| if other.seconds < best.seconds { other } else { best })
}

/// What one way is expected to take.
pub fn expect(method: CompareMethod, facts: &CompareFacts<'_>) -> Chosen {
    match method {
        CompareMethod::OrderedStream => ordered_stream(facts),
        CompareMethod::Digests(kind) => by_digests(kind, facts),
    }
}

fn ordered_stream(facts: &CompareFacts<'_>) -> Chosen {
    let kind = facts.digests.first().copied().unwrap_or(DigestKind::Stream);
    let costs = Costs::of(kind, facts);
    let seconds = facts.rows as f64 * costs.read_row + costs.ask;
    Chosen { method: CompareMethod::OrderedStream, seconds, costs }
}

fn by_digests(kind: DigestKind, facts: &CompareFacts<'_>) -> Chosen {
    let costs = Costs::of(kind, facts);
    let rows = facts.rows as f64;
    let differences = (facts.differences as f64).max(DIFFERENCES_EXPECTED).min(rows);
    let parts = costs.parts(facts.rows, differences as u64) as f64;
    // Scattered differences fall into ranges like balls into bins.
    let differing = parts * (1.0 - (-differences / parts).exp());
    let share = differing / parts;
    let found = if share * 100.0 > costs.dense_percent() as f64 {
        rows * costs.read_row
    } else {
        rows * costs.hash_row + parts * costs.range + rows * share * costs.hash_row.min(costs.read_row)
    };
    Chosen { method: CompareMethod::Digests(kind), seconds: found + 3.0 * costs.ask, costs }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: LinkSpeed = LinkSpeed { round_trip_seconds: 0.05, bytes_per_second: 1.25e6 };
    const BOTH: [DigestKind; 2] = [DigestKind::Server, DigestKind::Stream];

    fn facts(rows: u64, differences: u64, digests: &[DigestKind], source: LinkSpeed) -> CompareFacts<'_> {
        CompareFacts { rows, row_bytes: 200, differences, digests, source, target: LinkSpeed::LOCAL }
    }

    fn chosen(rows: u64, differences: u64, digests: &[DigestKind], source: LinkSpeed) -> CompareMethod {
        choose(&facts(rows, differences, digests, source)).method
    }

    #[test]
    fn servers_hash_where_they_can_and_little_is_expected_to_differ() {
        assert_eq!(chosen(1_000_000, 0, &BOTH, LinkSpeed::LOCAL), CompareMethod::Digests(DigestKind::Server));
        assert_eq!(chosen(1_000_000, 0, &BOTH, SLOW), CompareMethod::Digests(DigestKind::Server));
    }

    #[test]
    fn what_is_known_to_differ_everywhere_is_read_from_the_start_where_hashing_means_reading() {
        assert_eq!(chosen(1_000_000, 900_000, &[DigestKind::Stream], LinkSpeed::LOCAL), CompareMethod::OrderedStream);
        assert_eq!(chosen(1_000_000, 900_000, &[DigestKind::Stream], SLOW), CompareMethod::OrderedStream);
    }

    #[test]
    fn a_small_table_is_read() {
        assert_eq!(chosen(20, 0, &BOTH, LinkSpeed::LOCAL), CompareMethod::OrderedStream);
    }

    #[test]
    fn a_slow_link_asks_about_fewer_ranges_and_reads_smaller_ones() {
        let local =
            expect(CompareMethod::Digests(DigestKind::Server), &facts(1_000_000, 0, &BOTH, LinkSpeed::LOCAL)).costs;
        let slow = expect(CompareMethod::Digests(DigestKind::Server), &facts(1_000_000, 0, &BOTH, SLOW)).costs;
        assert!(slow.parts(1_000_000, 30) < local.parts(1_000_000, 30));
        assert!(slow.parts_of_one(1_000) > local.parts_of_one(1_000));
        assert!(local.read_now(1, 300), "another question costs more than reading 300 rows");
        assert!(!slow.read_now(100, 30_000), "30,000 rows take five seconds over the slow link");
        assert!(slow.read_now(100, 200), "a row or two of each range are read at once");
    }

    #[test]
    fn over_a_slow_link_a_sample_is_not_worth_its_round_trip_before_tables_are_large() {
        let costs = |link| Costs::of(DigestKind::Server, &facts(1_000_000, 0, &BOTH, link));
        assert!(costs(LinkSpeed::LOCAL).sample_pays(100_000));
        assert!(!costs(SLOW).sample_pays(100_000));
        assert!(costs(SLOW).sample_pays(10_000_000));
    }

    #[test]
    fn bytes_that_travel_anyway_are_laid_beside_each_other_rather_than_hashed_twice() {
        let costs = |kind| Costs::of(kind, &facts(1_000_000, 0, &BOTH, LinkSpeed::LOCAL));
        let (raw, stream) = (costs(DigestKind::Raw), costs(DigestKind::Stream));
        assert!(raw.read_now(100, 66_700) && !stream.read_now(100, 66_700));
        assert!(raw.dense_percent() < 15 && raw.dense_percent() < stream.dense_percent());
    }

    #[test]
    fn hashing_on_arrival_is_given_up_sooner_than_hashing_in_the_server() {
        let dense = |kind| Costs::of(kind, &facts(1_000_000, 0, &BOTH, SLOW)).dense_percent();
        assert!(dense(DigestKind::Server) > 90, "{}", dense(DigestKind::Server));
        assert!(dense(DigestKind::Stream) < 10, "{}", dense(DigestKind::Stream));
    }
}
