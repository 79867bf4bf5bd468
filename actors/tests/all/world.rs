//! Two databases in memory and a run between them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use rowsync_actors::board::Board;
use rowsync_actors::end::{Dice, End, Patience};
use rowsync_actors::job::{
    Earlier, Goal, MassDelete, RunJob, Shared, StatementLog, TableJob, TableOptions, page_bytes,
};
use rowsync_actors::leave::{Leave, Unshared};
use rowsync_actors::memory::Merge;
use rowsync_actors::messages::{StartRun, TableOutcome};
use rowsync_actors::meters::SyncMeters;
use rowsync_actors::supervisor::Supervisor;
use rowsync_engine::backoff::Backoff;
use rowsync_engine::cost::LinkSpeed;
use rowsync_engine::order::order;
use rowsync_engine::pair::{PairOptions, Side, pair};
use rowsync_engine::plan::Strategy;
use rowsync_engine::report::TableReport;
use rowsync_engine::rules::TableRules;
use rowsync_engine::schema::{Column, DataType, Filled, ForeignKey, TableName, TableSchema};
use rowsync_engine::search::SideName;
use rowsync_engine::store::{Consistency, Store};
use rowsync_engine::value::Value;
use rowsync_stores::memory::Memory;
use tokio_util::sync::CancellationToken;

pub const BUDGET: usize = 1 << 20;
/// The name of the sync.
pub const SYNC: &str = "world";

pub fn column(name: &str, data_type: DataType) -> Column {
    Column {
        name: name.into(),
        declared: format!("{data_type:?}"),
        data_type,
        nullable: true,
        filled: Filled::ByWriter,
        collation: None,
        has_default: false,
    }
}

/// `id`, `name`, `modify_time`.
pub fn table(name: &str) -> TableSchema {
    TableSchema {
        name: TableName::new(name),
        columns: vec![
            column("id", DataType::Int { bits: 64 }),
            column("name", DataType::Text { max_chars: None }),
            column("modify_time", DataType::Timestamp),
        ],
        primary_key: vec!["id".into()],
        foreign_keys: vec![],
        rules: TableRules::default(),
    }
}

pub fn row(id: i64, name: Option<&str>, modified: i64) -> Vec<Value> {
    vec![Value::Int(id), name.map_or(Value::Null, |name| Value::Text(name.into())), Value::Timestamp(modified)]
}

pub fn options() -> TableOptions {
    TableOptions {
        strategy: Strategy::Compare,
        truncate_target: false,
        trust_modify_id: false,
        overlap: Duration::from_secs(1),
        batch_rows: NonZeroUsize::new(7).unwrap(),
        delete_batch_rows: NonZeroUsize::new(3).unwrap(),
        keys_max: 25_000,
        search_for_add: true,
        search_for_delete: true,
        search_min_rows: 20,
        search_max_diff_percent: 50,
        leaf_rows: 5,
        compare_method: None,
        parallel_ranges: NonZeroUsize::new(2).unwrap(),
        recent_first: 10,
        fallback_full_compare: true,
        max_delete_percent: 100,
        min_rows_to_sync: 1,
        check_all_tables: false,
        only_plan: false,
        max_error_count: 25,
        continue_on_error: true,
        keep_failed_rows: true,
        statements: StatementLog::default(),
        page_bytes: page_bytes(BUDGET, NonZeroUsize::new(4).unwrap()),
    }
}

pub struct World {
    pub source: Arc<Memory>,
    pub target: Arc<Memory>,
    pub tables: Vec<TableSchema>,
    pub options: TableOptions,
    pub goal: Goal,
    pub earlier: Option<Earlier>,
    pub stop: CancellationToken,
    pub patience: Patience,
    pub failures_max: u32,
    pub leave: Arc<dyn Leave>,
    /// None where rows go one way.
    pub merge: Option<Merge>,
    pub meters: SyncMeters,
}

/// Half a minute before the first try, three more after five seconds and longer: only paused time can bear it.
pub const PATIENCE: Duration = Duration::from_secs(30);

fn patience() -> Patience {
    let backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));
    Patience { wait: PATIENCE, tries_max: 3, tells_changes: false, backoff }
}

impl World {
    pub async fn new(tables: Vec<TableSchema>) -> World {
        let (source, target) = (Memory::new(), Memory::new());
        for schema in &tables {
            for store in [&source, &target] {
                store.create_table(schema, &schema.foreign_keys).await.unwrap();
            }
        }
        let goal = Goal::Sync { mass_delete: MassDelete::Refused };
        World {
            source,
            target,
            tables,
            options: options(),
            goal,
            earlier: None,
            stop: CancellationToken::new(),
            patience: patience(),
            failures_max: 5,
            leave: Arc::new(Unshared),
            merge: None,
            meters: SyncMeters::of(SYNC),
        }
    }

    /// Runs once with the target as it is.
    pub async fn run(&self) -> Vec<TableOutcome> {
        self.run_into(Arc::clone(&self.target) as Arc<dyn Store>).await
    }

    /// Runs once with a target that may be wrapped.
    pub async fn run_into(&self, target: Arc<dyn Store>) -> Vec<TableOutcome> {
        self.run_between(Arc::clone(&self.source) as Arc<dyn Store>, target).await
    }

    /// Runs once with both sides as they may be wrapped.
    pub async fn run_between(&self, source: Arc<dyn Store>, target: Arc<dyn Store>) -> Vec<TableOutcome> {
        let job = self.job(source, target).await;
        Supervisor.start().send(StartRun { job }).await.unwrap()
    }

    pub async fn reports(&self) -> Vec<TableReport> {
        self.run().await.into_iter().map(|outcome| outcome.report).collect()
    }

    async fn end(&self, side: SideName, store: Arc<dyn Store>, consistency: Consistency) -> Arc<End> {
        let dice: Dice = Arc::new(|| 1.0);
        End::new(side, store, consistency, self.patience, dice, self.stop.clone(), self.meters.retries.clone())
            .await
            .unwrap()
    }

    async fn job(&self, source: Arc<dyn Store>, target: Arc<dyn Store>) -> RunJob {
        let place = |name: &TableName| self.tables.iter().position(|table| table.name == *name).unwrap();
        let edges: Vec<(usize, usize)> = self
            .tables
            .iter()
            .enumerate()
            .flat_map(|(child, table)| {
                table.foreign_keys.iter().map(move |key: &ForeignKey| (place(&key.parent), child))
            })
            .collect();
        let order = order(self.tables.len(), &edges);
        let tables = self
            .tables
            .iter()
            .enumerate()
            .map(|(place, schema)| self.table_job(schema, order.has_children[place]))
            .collect();
        let consistency = if self.merge.is_some() { Consistency::Latest } else { Consistency::Frozen };
        RunJob {
            tables,
            order,
            tables_at_once: NonZeroUsize::new(4).unwrap(),
            shared: Shared {
                source: self.end(SideName::Source, source, consistency).await,
                target: self.end(SideName::Target, target, Consistency::Latest).await,
                leave: Arc::clone(&self.leave),
                budget: self.meters.budget(NonZeroUsize::new(BUDGET).unwrap()),
                board: self.board(),
                stop: self.stop.clone(),
                goal: self.goal,
                salt: 7,
                source_link: LinkSpeed::LOCAL,
                target_link: LinkSpeed::LOCAL,
                failures_max: self.failures_max,
                dice: Arc::new(|| 1.0),
                span: tracing::Span::none(),
            },
        }
    }

    fn board(&self) -> Board {
        let board = Board::default();
        board.begin(SYNC);
        board
    }

    fn table_job(&self, schema: &TableSchema, has_children: bool) -> TableJob {
        let (s, t) = (self.source.capabilities(), self.target.capabilities());
        let options = PairOptions { modify_time: "modify_time".into(), ..PairOptions::default() };
        let pair = pair(Side { schema, capabilities: &s }, Side { schema, capabilities: &t }, &options).unwrap();
        TableJob {
            name: schema.name.name.clone(),
            pair: Arc::new(pair),
            options: self.options.clone(),
            earlier: self.earlier.clone(),
            target_missing: false,
            has_children,
            notes: vec![],
            log_owner: None,
            replay: None,
            keeping: None,
            merge: self.merge.clone(),
        }
    }
}

/// Runs a future on an actor system of its own.
pub fn on_system<T>(future: impl Future<Output = T>) -> T {
    actix::System::new().block_on(future)
}

/// The same with a clock that stands, and jumps to the next timer when everybody waits.
pub fn on_paused_system<T>(future: impl Future<Output = T>) -> T {
    on_system(async {
        tokio::time::pause();
        future.await
    })
}
