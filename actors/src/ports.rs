//! What the differ and the table know of the others: recipients of messages, not neighbours.

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message, Recipient};
use metrics::Gauge;
use rowsync_engine::budget::Permit;
use rowsync_engine::change::{Applied, Changes};
use rowsync_engine::change_log::{LogPage, LogStanding};
use rowsync_engine::digest::{Digest, DigestKind};
use rowsync_engine::error::{Kind, StoreError};
use rowsync_engine::key::{Key, KeyRange};
use rowsync_engine::row::RowPage;
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Gathered, PageRequest, Survey};
use rowsync_engine::stretch::Stretch;
use rowsync_engine::value::Value;
use std::sync::Arc;
use tokio::sync::oneshot;

use crate::differ::Differ;
use crate::failure::Failure;
use crate::messages::{
    AppendRows, Appending, AskLog, ChangeSet, CountRows, CutInStretches, DigestRanges, EstimateRows, FindNewest,
    FindRecent, GatherRows, HashedRows, ReadKeys, ReadLog, ReadRange, ReadStretch, SplitRanges,
};
use crate::meters::Raised;
use crate::reader::Reader;

/// Sends, waits for the answer, and tells a dead actor from a failed answer. The mailbox is as deep as there are answers
/// that somebody waits for.
async fn ask<M, T>(recipient: &Recipient<M>, depth: &Gauge, message: M, who: &'static str) -> Result<T, Failure>
where
    M: Message<Result = Result<T, StoreError>> + Send + 'static,
    T: Send + 'static,
{
    let _waiting = Raised::new(depth);
    recipient.send(message).await.map_err(|_| Failure::Gone(who))?.map_err(Failure::from)
}

/// The questions that a reader answers.
#[derive(Clone)]
pub struct ReaderPort {
    count: Recipient<CountRows>,
    estimate: Recipient<EstimateRows>,
    split: Recipient<SplitRanges>,
    recent: Recipient<FindRecent>,
    newest: Recipient<FindNewest>,
    digests: Recipient<DigestRanges>,
    page: Recipient<ReadRange>,
    gather: Recipient<GatherRows>,
    keys: Recipient<ReadKeys>,
    stretches: Recipient<CutInStretches>,
    stretch: Recipient<ReadStretch>,
    depth: Gauge,
}

impl From<&Addr<Reader>> for ReaderPort {
    fn from(reader: &Addr<Reader>) -> ReaderPort {
        ReaderPort::to(reader)
    }
}

impl ReaderPort {
    /// To any actor that answers all of them, as tests have it.
    pub fn to<A>(reader: &Addr<A>) -> ReaderPort
    where
        A: Actor
            + Handler<CountRows>
            + Handler<EstimateRows>
            + Handler<SplitRanges>
            + Handler<FindRecent>
            + Handler<FindNewest>
            + Handler<DigestRanges>
            + Handler<ReadRange>
            + Handler<GatherRows>
            + Handler<ReadKeys>
            + Handler<CutInStretches>
            + Handler<ReadStretch>,
        A::Context: ToEnvelope<A, CountRows>
            + ToEnvelope<A, EstimateRows>
            + ToEnvelope<A, SplitRanges>
            + ToEnvelope<A, FindRecent>
            + ToEnvelope<A, FindNewest>
            + ToEnvelope<A, DigestRanges>
            + ToEnvelope<A, ReadRange>
            + ToEnvelope<A, GatherRows>
            + ToEnvelope<A, ReadKeys>
            + ToEnvelope<A, CutInStretches>
            + ToEnvelope<A, ReadStretch>,
    {
        ReaderPort {
            count: reader.clone().recipient(),
            estimate: reader.clone().recipient(),
            split: reader.clone().recipient(),
            recent: reader.clone().recipient(),
            newest: reader.clone().recipient(),
            digests: reader.clone().recipient(),
            page: reader.clone().recipient(),
            gather: reader.clone().recipient(),
            keys: reader.clone().recipient(),
            stretches: reader.clone().recipient(),
            stretch: reader.clone().recipient(),
            depth: Gauge::noop(),
        }
    }

    /// With a gauge of the questions that wait for their answers.
    #[must_use]
    pub fn gauged(self, depth: Gauge) -> ReaderPort {
        ReaderPort { depth, ..self }
    }

    pub async fn count(&self, since: Option<Value>) -> Result<Survey, Failure> {
        ask(&self.count, &self.depth, CountRows { since }, "reader").await
    }

    pub async fn estimate(&self) -> Result<Option<Survey>, Failure> {
        ask(&self.estimate, &self.depth, EstimateRows, "reader").await
    }

    pub async fn split(&self, ranges: Vec<KeyRange>, rows_per_part: u64) -> Result<Vec<Vec<Key>>, Failure> {
        ask(&self.split, &self.depth, SplitRanges { ranges, rows_per_part }, "reader").await
    }

    pub async fn recent(&self, rows: u64) -> Result<Option<Key>, Failure> {
        ask(&self.recent, &self.depth, FindRecent { rows }, "reader").await
    }

    pub async fn newest(&self, rows: u64) -> Result<Option<Vec<Key>>, Failure> {
        ask(&self.newest, &self.depth, FindNewest { rows }, "reader").await
    }

    pub async fn digests(&self, ranges: Arc<[KeyRange]>, kind: DigestKind, salt: u64) -> Result<Vec<Digest>, Failure> {
        ask(&self.digests, &self.depth, DigestRanges { ranges, kind, salt }, "reader").await
    }

    pub async fn page(&self, request: PageRequest) -> Result<RowPage, Failure> {
        ask(&self.page, &self.depth, ReadRange { request }, "reader").await
    }

    pub async fn stretches(&self, bytes_max: usize) -> Result<Vec<Stretch>, Failure> {
        ask(&self.stretches, &self.depth, CutInStretches { bytes_max }, "reader").await
    }

    pub async fn stretch(&self, stretch: Stretch, bytes_max: usize, salt: u64) -> Result<Option<HashedRows>, Failure> {
        ask(&self.stretch, &self.depth, ReadStretch { stretch, bytes_max, salt }, "reader").await
    }

    pub async fn gather(
        &self,
        ranges: Arc<[KeyRange]>,
        wanted: Gathered,
        bytes_max: usize,
    ) -> Result<Option<RowPage>, Failure> {
        ask(&self.gather, &self.depth, GatherRows { ranges, wanted, bytes_max }, "reader").await
    }

    pub async fn keys(&self, keys: Vec<Key>) -> Result<RowPage, Failure> {
        ask(&self.keys, &self.depth, ReadKeys { keys }, "reader").await
    }
}

/// The log of changes of the source.
#[derive(Clone)]
pub struct LogPort {
    standing: Recipient<AskLog>,
    changes: Recipient<ReadLog>,
    owner: String,
    depth: Gauge,
}

impl LogPort {
    pub fn new(reader: &Addr<Reader>, owner: String, depth: Gauge) -> LogPort {
        LogPort { standing: reader.clone().recipient(), changes: reader.clone().recipient(), owner, depth }
    }

    pub async fn standing(&self) -> Result<Option<LogStanding>, Failure> {
        ask(&self.standing, &self.depth, AskLog { owner: self.owner.clone() }, "reader").await
    }

    pub async fn changes(&self, after: i64, changes: usize) -> Result<LogPage, Failure> {
        ask(&self.changes, &self.depth, ReadLog { owner: self.owner.clone(), after, changes }, "reader").await
    }
}

/// What a writer takes.
#[derive(Clone)]
pub struct WriterPort {
    changes: Recipient<ChangeSet>,
    rows: Recipient<AppendRows>,
    depth: Gauge,
}

impl WriterPort {
    /// To a writer, or an actor that stands for one, as tests have it.
    pub fn to<A>(writer: &Addr<A>) -> WriterPort
    where
        A: Actor + Handler<ChangeSet> + Handler<AppendRows>,
        A::Context: ToEnvelope<A, ChangeSet> + ToEnvelope<A, AppendRows>,
    {
        WriterPort { changes: writer.clone().recipient(), rows: writer.clone().recipient(), depth: Gauge::noop() }
    }

    /// With a gauge of the sets that are not applied yet.
    #[must_use]
    pub fn gauged(self, depth: Gauge) -> WriterPort {
        WriterPort { depth, ..self }
    }

    pub async fn write(&self, changes: Changes, permit: Permit) -> Result<Applied, Failure> {
        ask(&self.changes, &self.depth, ChangeSet { changes, permit }, "writer").await
    }

    /// Returns once the writer would take the next rows.
    pub async fn append(&self, changes: Changes, permit: Permit) -> Result<Append, Failure> {
        let waiting = Raised::new(&self.depth);
        let Appending(applied) =
            self.rows.send(AppendRows { changes, permit }).await.map_err(|_| Failure::Gone("writer"))?;
        Ok(Append { applied, _waiting: waiting })
    }
}

/// Rows that are being written.
pub struct Append {
    applied: oneshot::Receiver<Result<Applied, StoreError>>,
    _waiting: Raised,
}

impl Append {
    /// What was applied of them.
    pub async fn applied(self) -> Result<Applied, Failure> {
        let panicked = || StoreError::new(Kind::Panic, "write", "the adapter panicked").on(SideName::Target);
        Ok(self.applied.await.map_err(|_| panicked())??)
    }
}

/// What a table asks its differ.
pub struct DifferPort {
    differ: Addr<Differ>,
    depth: Gauge,
}

impl DifferPort {
    pub fn new(differ: Addr<Differ>, depth: Gauge) -> DifferPort {
        DifferPort { differ, depth }
    }

    /// Sends, and waits for the answer.
    pub async fn send<M, T>(&self, message: M) -> Result<T, Failure>
    where
        M: Message<Result = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
        Differ: Handler<M>,
    {
        let _waiting = Raised::new(&self.depth);
        self.differ.send(message).await.map_err(|_| Failure::Gone("differ"))?
    }
}
