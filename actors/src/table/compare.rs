//! Comparing a table: which way is the cheapest, and asking the differ to go it.

use rowsync_engine::cost::{self, Chosen, CompareFacts, CompareMethod, LinkSpeed};
use rowsync_engine::digest::DigestKind;
use rowsync_engine::error::Class;
use rowsync_engine::key::KeyRange;
use rowsync_engine::report::{Comparison, Method};
use rowsync_engine::search::{SearchOptions, Seek, SideName};

use super::work::Work;
use crate::failure::Failure;
use crate::found::Found;
use crate::messages::{Act, CompareRange};

/// Most parts into which a table is cut at once.
const FAN_OUT: u64 = 4096;
/// What a row is taken to be where no store knows, in bytes.
const ROW_BYTES_GUESS: u64 = 200;
/// One side cuts for both where the way to the other takes so many times as long.
const MUCH_LONGER: f64 = 4.0;
/// So many rows are laid beside each other in the time in which one is compared by its values.
const LAID_ASIDE: u64 = 4;

impl Work {
    pub(super) async fn compare_every_row(&mut self, act: Act) -> Result<Found, Failure> {
        let (source, target) = self.rows_to_compare();
        let (chosen, reason) =
            self.choose(self.whole_compare_reason(self.job.options.search_for_add, source, target))?;
        self.state.comparison = Some(Comparison::new(chosen.method, &reason));
        match chosen.method {
            CompareMethod::Digests(kind) => {
                tracing::info!(table = %self.job.name, digest = ?kind, "using binary search for changes (from={source}, to={target}, diff={})", source.abs_diff(target));
                self.count_search();
                self.note_method(Method::BinarySearch);
                self.state.digest = Some(kind);
                let found = self.compare(Seek::Differences, chosen, act).await?;
                if found.stats.turned_to_reading {
                    self.state.comparison.iter_mut().for_each(Comparison::turned_to_reading);
                }
                Ok(found)
            }
            CompareMethod::OrderedStream => {
                tracing::info!(table = %self.job.name, "using full compare for changes (reason={reason})");
                self.note_method(Method::FullCompare);
                self.compare(Seek::Everything, chosen, act).await
            }
        }
    }

    fn count_search(&mut self) {
        self.state.searches += 1;
        self.shared.board.table(&self.job.name).meters.searches.increment(1);
    }

    /// What found the rows that the plan was about stands in the report, unless that was not enough.
    fn note_method(&mut self, method: Method) {
        if self.state.method == Method::None || self.state.fell_back {
            self.state.method = method;
        }
    }

    /// Searches by digests, whatever it costs: every difference is to be seen, and only those are to be read.
    pub(super) async fn search_differences(&mut self, act: Act) -> Result<Found, Failure> {
        let kind = self.job.pair.digest;
        let chosen = cost::expect(CompareMethod::Digests(kind), &self.facts(&[kind]));
        self.compare(Seek::Differences, chosen, act).await
    }

    /// A search by counts alone, where the tables are fit for it.
    pub(super) async fn seek_gap(&mut self, what: &str, allowed: bool, act: Act) -> Result<Found, Failure> {
        let (source, target) = (self.state.source.rows, self.state.target.rows);
        let need = source.abs_diff(target);
        let (seek, method, way) = match self.whole_compare_reason(allowed, source, target) {
            None => {
                tracing::info!(table = %self.job.name, "using binary search for {what} (from={source}, to={target}, diff={need})");
                self.count_search();
                (Seek::CountGap { need }, Method::BinarySearch, CompareMethod::Digests(DigestKind::Count))
            }
            Some(reason) => {
                tracing::info!(table = %self.job.name, "using full compare for {what} (reason={reason})");
                (Seek::Everything, Method::FullCompare, CompareMethod::OrderedStream)
            }
        };
        self.state.method = method;
        let chosen = cost::expect(way, &self.facts(&[DigestKind::Count]));
        self.compare(seek, chosen, act).await
    }

    /// The way to compare every row, and why.
    fn choose(&self, whole: Option<&'static str>) -> Result<(Chosen, String), Failure> {
        let digests = self.job.pair.digests.clone();
        let facts = self.facts(&digests);
        let stream = || cost::expect(CompareMethod::OrderedStream, &facts);
        match (self.job.options.compare_method, whole) {
            (Some(CompareMethod::Digests(kind)), _) if !digests.contains(&kind) => Err(self.no_such_digest(kind)),
            (Some(method), _) if facts.rows > 0 => {
                Ok((cost::expect(method, &facts), "`compare_method` says so".to_owned()))
            }
            (_, Some(reason)) => Ok((stream(), reason.to_owned())),
            (_, None) => {
                let chosen = cost::choose(&facts);
                Ok((chosen, self.explain(&chosen, &facts)))
            }
        }
    }

    /// Rows of both sides, without those that are copied instead.
    fn rows_to_compare(&self) -> (u64, u64) {
        let copied = self.state.tail.as_ref().map_or(0, |tail| tail.rows);
        (self.state.source.rows.saturating_sub(copied), self.state.target.rows)
    }

    pub(super) fn facts<'a>(&self, digests: &'a [DigestKind]) -> CompareFacts<'a> {
        let (source, target) = self.rows_to_compare();
        let row_bytes = self.state.source.row_bytes.or(self.state.target.row_bytes);
        CompareFacts {
            rows: source.max(target),
            row_bytes: row_bytes.unwrap_or(ROW_BYTES_GUESS),
            differences: if self.state.estimated { 0 } else { source.abs_diff(target) },
            digests,
            source: self.shared.source_link,
            target: self.shared.target_link,
        }
    }

    fn explain(&self, chosen: &Chosen, facts: &CompareFacts<'_>) -> String {
        let millis = |link: &LinkSpeed| link.round_trip_seconds * 1e3;
        format!(
            "cheapest by estimate: {:.2} s for {} rows of {} bytes, round trips of {:.1} and {:.1} ms",
            chosen.seconds,
            facts.rows,
            facts.row_bytes,
            millis(&facts.source),
            millis(&facts.target)
        )
    }

    fn no_such_digest(&self, kind: DigestKind) -> Failure {
        Failure::Refused {
            class: Class::Schema,
            message: format!("{} cannot be compared by `compare_method` {}", self.job.name, kind.name()),
            remedy: "take \"auto\", or a method that both databases share for these columns: \"server\" needs two \
                PostgreSQL servers of one major version and equal types"
                .into(),
        }
    }

    /// Why a table is compared whole instead of searched; none where it is searched.
    pub(super) fn whole_compare_reason(&self, allowed: bool, source: u64, target: u64) -> Option<&'static str> {
        let options = &self.job.options;
        let larger = source.max(target);
        if !allowed {
            Some("binary search is off")
        } else if larger < options.search_min_rows {
            Some("small table")
        } else if source.min(target) == 0 {
            tracing::info!(table = %self.job.name, "Binary search: Invalid toCount=0");
            Some("one side is empty")
        } else if !self.state.estimated && source.abs_diff(target) * 100 > larger * options.search_max_diff_percent {
            Some("large difference")
        } else {
            None
        }
    }

    async fn compare(&self, seek: Seek, chosen: Chosen, act: Act) -> Result<Found, Failure> {
        self.shared.board.table(&self.job.name).begin(self.state.source.rows.max(self.state.target.rows));
        let range = KeyRange::new(None, self.state.tail.as_ref().map(|tail| tail.after.clone()));
        self.differ().send(self.task(range, seek, &chosen, act)).await
    }

    pub(super) fn task(&self, range: KeyRange, seek: Seek, chosen: &Chosen, act: Act) -> CompareRange {
        let options = &self.job.options;
        let (source_count, target_count) = self.rows_to_compare();
        let digest = match chosen.method {
            CompareMethod::Digests(kind) => kind,
            CompareMethod::OrderedStream => self.job.pair.digest,
        };
        let options = SearchOptions {
            seek,
            leaf_rows: leaf_rows(options.leaf_rows, digest),
            fan_out: FAN_OUT,
            recent_first: options.recent_first,
            dense_percent: chosen.costs.dense_percent(),
            read_rows: read_rows(options.batch_rows.get() as u64, self.job.pair.raw, act),
            cut_by: self.nearer_side(),
            costs: chosen.costs,
        };
        CompareRange { range, source_count, target_count, options, digest, act }
    }

    /// The side whose answers come much sooner cuts for both.
    fn nearer_side(&self) -> Option<SideName> {
        let seconds = |link: &LinkSpeed| link.round_trip_seconds.max(LinkSpeed::LOCAL.round_trip_seconds);
        let (source, target) = (seconds(&self.shared.source_link), seconds(&self.shared.target_link));
        if target > MUCH_LONGER * source {
            Some(SideName::Source)
        } else if source > MUCH_LONGER * target {
            Some(SideName::Target)
        } else {
            None
        }
    }
}

/// Rows of one question. What may have to be written is held in batches; what is only looked at, and as it was read, costs
/// less than asking for it.
fn read_rows(batch: u64, raw: bool, act: Act) -> u64 {
    match act {
        Act::Observe { .. } if raw => batch.saturating_mul(LAID_ASIDE),
        _ => batch,
    }
}

/// Rows of a range that is read: several times as many where equal ones are only laid aside, byte by byte.
fn leaf_rows(compared: u64, digest: DigestKind) -> u64 {
    if digest == DigestKind::Raw { compared.saturating_mul(LAID_ASIDE) } else { compared }
}
