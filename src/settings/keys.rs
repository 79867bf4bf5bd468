//! The catalogue: every key, once. From it come the types that a file is read into (step one), the checks, the manual
//! and `config/default.toml`. The doc comment of a key is the user's manual for it.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};

use serde::Deserialize;

use super::key::{Effect, Key, Kind, Place, Word};
use super::presets;
use super::secret::SecretText;

/// Makes the struct that holds what was typed, and the list of its keys.
macro_rules! keys {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, $list:ident at $places:expr, with { $($part:ident: $part_type:ty),* }
        $($(#[doc = $line:literal])+ $key:ident: $type:ty, $kind:expr, $preset:ident, $effect:ident;)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize)]
        pub struct $name {
            $($(#[doc = $line])+ pub $key: Option<$type>,)*
            $(#[serde(flatten)] pub $part: $part_type,)*
        }

        pub const $list: &[Key] = &[$(Key {
            name: without_raw_mark(stringify!($key)),
            kind: $kind,
            preset: presets::$preset,
            places: $places,
            effect: Effect::$effect,
            about: concat!($($line),+),
        }),*];
    };
}

/// More rows than this at once would be a mistake of typing.
const ROWS_MAX: u64 = 10_000_000;
/// No database serves more connections to one client.
const CONNECTIONS_MAX: u64 = 1000;
const ROWS: Kind = Kind::Number(1, ROWS_MAX);
const ROWS_OR_NONE: Kind = Kind::Number(0, ROWS_MAX);
const TRIES: Kind = Kind::Number(0, 1_000_000);
/// A hundred years.
const DAYS_MAX: u64 = 36_500;
const EXECUTIONS_MAX: u64 = 1_000_000;
/// A year: longer pauses are a mistake of typing.
const SECONDS: Kind = Kind::Duration { unit: "seconds", max: 31_536_000 };
/// A month.
const OVERLAP: Kind = Kind::Number(0, 2_678_400);
/// More than a day would pass over days.
const JITTER: Kind = Kind::Number(0, 86_400);
const PAUSE: Kind = Kind::Seconds(0.0, 31_536_000.0);
const PATIENCE: Kind = Kind::Seconds(0.001, 31_536_000.0);
/// Shorter ones run out while a machine is busy; longer ones are a mistake of typing.
const LEASE: Kind = Kind::Seconds(1.0, 86_400.0);
/// Ten years.
const DAYS: Kind = Kind::Number(1, 3_650);
const MILLISECONDS: Kind = Kind::Duration { unit: "milliseconds", max: 86_400_000 };

keys! {
    /// What stands at the top of a file, as it was typed.
    pub struct RawSettings, TOP at &[Place::Top], with { tuning: RawTuning, link: RawLink }
    /// The sync's name in reports, logs and state.
    name: String, Kind::Text, NAME, Now;
    /// The databases by name, each with its `url`.
    connections: BTreeMap<String, RawConnection>, Kind::Connections, NOTHING, Now;
    /// The name of the connection to read from.
    source: String, Kind::Text, NOTHING, Now;
    /// The name of the connection to write to.
    target: String, Kind::Text, NOTHING, Now;
    /// The database that remembers runs: `sqlite:PATH`, or a `postgres://` URL for processes on several machines.
    state: SecretText, Kind::Secret, STATE, Now;
    /// The tables to keep equal: names, or entries with keys of their own.
    tables: Vec<RawTable>, Kind::Tables, TABLES, Now;
    /// Restricts a run to these tables.
    sync_table: Vec<String>, Kind::Names, SYNC_TABLE, Now;
    /// Tables at work at once; 1 runs them in sequence.
    max_parallel_tables: NonZeroUsize, Kind::Number(1, CONNECTIONS_MAX), MAX_PARALLEL_TABLES, Now;
    /// Most bytes of rows held between reading and writing, all tables together.
    max_bytes_in_flight: NonZeroU64, Kind::Bytes, MAX_BYTES_IN_FLIGHT, Now;
    /// False: the sync is known and listed, but not run.
    enabled: bool, Kind::Flag, ENABLED, Now;
    /// Names of syncs that have to finish first, however they end; of those that are run together with this one.
    after: Vec<String>, Kind::NamesOrNone, NOTHING, Now;
    /// Give a table up after it was begun so many times in a row without writing a row, and pause a sync with a schedule
    /// after so many failed cycles in a row, until a person resumes it.
    max_error_loop: u32, TRIES, MAX_ERROR_LOOP, Now;
    /// How long a process that writes may be silent before another one may write in its place, in seconds. It says three
    /// times as often that it is still there. A process of the same machine that is gone is replaced at once.
    lease_seconds: f64, LEASE, LEASE_SECONDS, Now;
    /// Forget executions that began more than so many days ago; 0: none for their age.
    history_keep_days: u32, Kind::Number(0, DAYS_MAX), HISTORY_KEEP_DAYS, Now;
    /// Forget the oldest executions where there are more than so many; 0: none for their number.
    history_keep_count: u32, Kind::Number(0, EXECUTIONS_MAX), HISTORY_KEEP_COUNT, Now;
    /// Keep what rows were before a run changes them, so that `rowsync undo` can put them back. Such runs read each row
    /// that they change or delete once more, and move rows value by value where they could move them as they are.
    undo: bool, Kind::Flag, UNDO, Now;
    /// How many days what was kept for `rowsync undo` stays.
    undo_keep_days: u64, DAYS, UNDO_KEEP_DAYS, Now;
    /// Most bytes that the state keeps for `rowsync undo` of this sync. The oldest runs are dropped first; a run that takes
    /// more by itself cannot be undone.
    undo_max_bytes: NonZeroU64, Kind::Bytes, UNDO_MAX_BYTES, Now;
    /// Pause from the end of a cycle to the beginning of the next one, in seconds.
    sleep_seconds: u64, SECONDS, NOTHING, Now;
    /// The same as `sleep_seconds` under its other name.
    sync_interval_seconds: u64, SECONDS, NOTHING, Now;
    /// The time of day to start at, such as `"02:00"`. One that a change of the clocks leaves out is taken as if they had not
    /// been changed (02:30 becomes 03:30), one that comes twice is run the first time, and those that were missed are made
    /// up for by one run.
    run_at_time: String, Kind::Text, NOTHING, Now;
    /// The zone that `run_at_time` is meant in, such as `"Europe/Zurich"`; `"local"` is the machine's.
    time_zone: String, Kind::Text, TIME_ZONE, Now;
    /// Longest sleep without a line of progress. The clock is looked at more often, so that one that is set, or a machine
    /// that slept, does not put a run off.
    max_sleep_chunk_seconds: u64, SECONDS, MAX_SLEEP_CHUNK_SECONDS, Now;
    /// Puts each scheduled run off by up to so many seconds at random, so that many syncs do not begin at once.
    schedule_jitter_seconds: u64, JITTER, SCHEDULE_JITTER_SECONDS, Now;
    /// Where the service listens: an address with its port. Anywhere but on this machine it needs `api_token`.
    listen: String, Kind::Text, LISTEN, Now;
    /// The bearer token that callers of the service send.
    api_token: SecretText, Kind::Secret, NOTHING, Now;
    /// Whether `/metrics`, `/healthz` and `/readyz` are open to callers without a token.
    metrics_open: bool, Kind::Flag, METRICS_OPEN, Now;
    /// The file of the certificate, in PEM, for serving over TLS.
    tls_cert: String, Kind::Text, NOTHING, Now;
    /// The file of its private key, in PEM.
    tls_key: String, Kind::Text, NOTHING, Now;
    /// Most requests that the service takes from one address in a second; twice as many at once, after a pause.
    max_requests_per_second: u32, Kind::Number(1, 1_000_000), MAX_REQUESTS_PER_SECOND, Now;
}

keys! {
    /// Tuning, as it was typed at the top or in a table's entry.
    pub struct RawTuning, TUNING at &[Place::Top, Place::Table], with {}
    /// `compare`: counts and timestamps decide what is done. `full`: replace all. `incremental`: only what change
    /// tracking or modify times name. `merge`: both ways.
    sync_strategy: String, Kind::OneOf(STRATEGIES), SYNC_STRATEGY, Now;
    /// Who wins where both sides changed a row: `source_wins`, `target_wins`, `timestamp` (the newer
    /// `timestamp_field`), `manual`.
    conflict_resolution: String, Kind::OneOf(RESOLUTIONS), CONFLICT_RESOLUTION, Now;
    /// The column that `timestamp` goes by.
    timestamp_field: String, Kind::Text, TIMESTAMP_FIELD, Now;
    /// With `merge`: changes of different columns of one row are put together. False: they are a conflict.
    merge_columns: bool, Kind::Flag, MERGE_COLUMNS, Now;
    /// How changes are seen: `auto`, `triggers`, `modify_time`, `none`.
    change_tracking: String, Kind::OneOf(TRACKINGS), CHANGE_TRACKING, Now;
    /// `full` may empty the target first instead of replacing it in one transaction.
    truncate_target: bool, Kind::Flag, TRUNCATE_TARGET, Now;
    /// The column or columns that identify a row, in the order of the key.
    primary_key_field: Vec<String>, Kind::Names, PRIMARY_KEY_FIELD, Now;
    /// The column that tells when a row was last changed; used where it exists.
    modify_time_field: String, Kind::Text, MODIFY_TIME_FIELD, Now;
    /// With `incremental` by modify time: how many seconds before the newest change of the last run reading begins again,
    /// for transactions that commit later than they say. Rows that bear that moment itself are read again in any case.
    modify_time_overlap_seconds: u64, OVERLAP, MODIFY_TIME_OVERLAP_SECONDS, Now;
    /// Source column names, each with its name in the target.
    field_mapping: BTreeMap<String, String>, Kind::Renames, NOTHING, Now;
    /// The source's columns that take part.
    fields: Vec<String>, Kind::Names, FIELDS, Now;
    /// The source's columns that do not take part.
    exclude_fields: Vec<String>, Kind::NamesOrNone, NOTHING, Now;
    /// A filter on the source's rows, in the SQL of the source: rows for which it does not hold, or is NULL, do not take
    /// part. It needs its mirror, `target_where`.
    r#where: String, Kind::Text, NOTHING, Now;
    /// The mirror of `where` on the target, in the SQL of the target: rows outside of it are never touched. `"true"` where
    /// the target is to hold nothing else, so that its other rows are deleted.
    target_where: String, Kind::Text, NOTHING, Now;
    /// The source's column that tells the kinds of records in one table apart.
    record_type_field: String, Kind::Text, NOTHING, Now;
    /// The kinds of records, each planned, counted, compared and reported on its own, as `product-work` and the like. Rows of
    /// other kinds are left alone; a row whose kind has changed moves from one to the other.
    record_types: Vec<String>, Kind::NamesOrNone, NOTHING, Now;
    /// Target columns, each with what is done with a value that it cannot hold as it is: `error` puts the row aside, `round`
    /// takes the nearest value that fits, `null` writes NULL. Left out, the rules of docs/equality.md hold.
    on_lossy: BTreeMap<String, String>, Kind::Renames, NOTHING, Now;
    /// Target columns, each with what it is made of: a column of the source, or `{ "trim": X }`, `{ "lower": X }`,
    /// `{ "upper": X }`, `{ "concat": [X, ...] }`, `{ "coalesce": [X, ...] }`, `{ "json": X, "path": "a.b.0" }`,
    /// `{ "constant": VALUE }`, or `{ "sql": TEXT }` in the SQL of the source; X is any of these.
    expressions: BTreeMap<String, serde_json::Value>, Kind::Values, NOTHING, Now;
    /// Rows that are added get the value of `default_values` in target columns that the source lacks.
    set_default_value: bool, Kind::Flag, SET_DEFAULT_VALUE, Now;
    /// Target columns, each with its value for `set_default_value`: added rows get it where the source lacks the column, in
    /// place of the column's own default, and what is there already is left alone; where the source has the column and the
    /// target's must not be NULL, it stands for NULL.
    default_values: BTreeMap<String, serde_json::Value>, Kind::Values, NOTHING, Now;
    /// JSON columns: true takes all keys; false keeps keys that only the target has, at every depth.
    copy_all_json_keys: bool, Kind::Flag, COPY_ALL_JSON_KEYS, Now;
    /// Create the target table from the source's schema where it is missing.
    create_missing_tables: bool, Kind::Flag, CREATE_MISSING_TABLES, Now;
    /// Add columns that the source has and the target's table lacks; the compare fills them for the rows that are there.
    add_missing_columns: bool, Kind::Flag, ADD_MISSING_COLUMNS, Now;
    /// Where counts are equal and an earlier run is known, read only what the modify time says has changed.
    trust_modify_id: bool, Kind::Flag, TRUST_MODIFY_ID, Now;
    /// Ignore remembered state.
    sync_all: bool, Kind::Flag, SYNC_ALL, Now;
    /// Check tables even where nothing seems changed.
    check_all_tables: bool, Kind::Flag, CHECK_ALL_TABLES, Now;
    /// Fewer changed rows than this: skip the table.
    min_rows_to_sync: u64, ROWS_OR_NONE, MIN_ROWS_TO_SYNC, Now;
    /// Plan, and write nothing.
    only_sync_plan: bool, Kind::Flag, ONLY_SYNC_PLAN, Now;
    /// Rows of a batch, read or written.
    batch_size: NonZeroUsize, ROWS, BATCH_SIZE, Now;
    /// Rows of a batch, read from or written to 4D.
    batch_size_4d: NonZeroUsize, ROWS, BATCH_SIZE_4D, NotYet;
    /// Keys of one delete.
    delete_batch_size: NonZeroUsize, ROWS, DELETE_BATCH_SIZE, Now;
    /// Keys of one delete in 4D.
    delete_batch_size_4d: NonZeroUsize, ROWS, DELETE_BATCH_SIZE_4D, NotYet;
    /// Keys held at once when lists of keys are compared.
    id_array_batch_size: NonZeroUsize, ROWS, ID_ARRAY_BATCH_SIZE, Now;
    /// Search for rows to add instead of comparing the whole table.
    binary_search_for_add: bool, Kind::Flag, BINARY_SEARCH, Now;
    /// Search for rows to delete instead of comparing the whole table.
    binary_search_for_delete: bool, Kind::Flag, BINARY_SEARCH, Now;
    /// Tables with fewer rows than this are compared whole.
    binary_search_min_table_size: u64, ROWS_OR_NONE, BINARY_SEARCH_MIN_TABLE_SIZE, Now;
    /// Where more than this share of the rows differs, the table is compared whole.
    binary_search_max_diff_percent: u8, Kind::Percent, BINARY_SEARCH_MAX_DIFF_PERCENT, Now;
    /// Ranges of at most this many rows are read and compared row by row.
    binary_search_read_batch: NonZeroUsize, ROWS, BINARY_SEARCH_READ_BATCH, Now;
    /// How every row is compared: `auto` takes the cheapest way that both databases share; `server`: hashed inside both
    /// servers; `portable`: hashed inside both databases in a spelling that all share; `stream`: hashed where the rows
    /// arrive; `raw`: the same of the engine's own bytes; `ordered`: both sides are read and laid beside each other.
    compare_method: String, Kind::OneOf(COMPARE_METHODS), COMPARE_METHOD, Now;
    /// Questions about ranges of one table that each database works on at once.
    max_parallel_ranges: NonZeroUsize, Kind::Number(1, CONNECTIONS_MAX), MAX_PARALLEL_RANGES, Now;
    /// Search the newest so many records first; 0 turns it off.
    binary_search_recent_first: u64, ROWS_OR_NONE, BINARY_SEARCH_RECENT_FIRST, Now;
    /// Compare the whole table where counts still differ after a search.
    fallback_full_compare_on_mismatch: bool, Kind::Flag, FALLBACK_FULL_COMPARE_ON_MISMATCH, Now;
    /// Refuse to delete more of a target table than this. Tables under 100 rows are exempt;
    /// `--allow-mass-delete` lifts it for one run.
    max_delete_percent: u8, Kind::Percent, MAX_DELETE_PERCENT, Now;
    /// Stop a table after so many failed rows. Fewer are put aside: the rest of the table is written, the report names
    /// them, `sync_row_errors` of the state keeps them, and the next cycle tries them again.
    max_error_count: u64, TRIES, MAX_ERROR_COUNT, Now;
    /// False: stop at the first failed row, and write nothing of its batch.
    continue_on_error: bool, Kind::Flag, CONTINUE_ON_ERROR, Now;
    /// Whether `sync_row_errors` keeps the values of failed rows, but for those of more than 1 MiB. False: only their keys
    /// and what the target said.
    keep_failed_rows: bool, Kind::Flag, KEEP_FAILED_ROWS, Now;
    /// Log the statements that read and write the table's rows, with `?` for the values in them.
    show_sql: bool, Kind::Flag, SHOW_SQL, Now;
    /// Log the statements, and how long each took.
    debug_sql: bool, Kind::Flag, DEBUG, Now;
    /// Log the statements that write rows, with `?` for the values in them.
    show_save_sql: bool, Kind::Flag, SHOW_SQL, Now;
}

keys! {
    /// What a table's entry holds beside tuning, as it was typed. A bare name is an entry with nothing but its name.
    pub struct RawTable, TABLE at &[Place::Table], with { tuning: RawTuning }
    /// The table's name in the source.
    name: String, Kind::Text, NOTHING, Now;
    /// The table's name in the target.
    target: String, Kind::Text, TARGET_TABLE, Now;
    /// Tables of this sync that have to be done first, beside those that foreign keys name.
    depends_on: Vec<String>, Kind::NamesOrNone, NOTHING, Now;
    /// False: the table is known and listed, but not run.
    enabled: bool, Kind::Flag, ENABLED, Now;
}

keys! {
    /// What an entry of `connections` holds beside its link, as it was typed.
    pub struct RawConnection, CONNECTION at &[Place::Connection], with { link: RawLink }
    /// Where the database is: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    url: SecretText, Kind::Secret, NOTHING, Now;
    /// The schema that the tables are in, where the database has schemas.
    schema: String, Kind::Text, SCHEMA, Now;
}

keys! {
    /// How a database is talked to, as it was typed in a connection, or at the top for all of them.
    pub struct RawLink, LINK at &[Place::Top, Place::Connection], with {}
    /// How long a statement may take, in seconds. A connection that says nothing for half as long again is dead.
    timeout: f64, PATIENCE, TIMEOUT, Now;
    /// Most connections that are open at once.
    max_connections: NonZeroU32, Kind::Number(1, CONNECTIONS_MAX), MAX_CONNECTIONS, Now;
    /// How often a connection that fails, or a table that a busy server turned away, is tried again.
    retry_count: u32, TRIES, RETRY_COUNT, Now;
    /// Pause before it is tried again, in milliseconds. It doubles each time, up to the larger of a minute and itself, and
    /// is cut short by up to half at random.
    retry_delay: u64, MILLISECONDS, RETRY_DELAY, Now;
    /// Pause before a lost connection is tried again for the first time, in seconds.
    reconnect_wait_seconds: f64, PAUSE, RECONNECT_WAIT_SECONDS, Now;
    /// Log when connections are opened, lost and found again.
    debug_connection_change: bool, Kind::Flag, DEBUG, Now;
}

const STRATEGIES: &[Word] = &[Word::now("compare"), Word::now("full"), Word::now("incremental"), Word::now("merge")];
const RESOLUTIONS: &[Word] =
    &[Word::now("source_wins"), Word::now("target_wins"), Word::now("timestamp"), Word::now("manual")];
const COMPARE_METHODS: &[Word] = &[
    Word::now("auto"),
    Word::now("server"),
    Word::now("portable"),
    Word::now("stream"),
    Word::now("raw"),
    Word::now("ordered"),
];
const TRACKINGS: &[Word] = &[Word::now("auto"), Word::now("triggers"), Word::now("modify_time"), Word::now("none")];

/// All keys, in the order of the manual.
pub fn all() -> impl Iterator<Item = &'static Key> {
    [TOP, LINK, TUNING, TABLE, CONNECTION].into_iter().flatten()
}

pub fn at(place: Place) -> impl Iterator<Item = &'static Key> {
    all().filter(move |key| key.places.contains(&place))
}

pub fn find(name: &str, place: Place) -> Option<&'static Key> {
    at(place).find(|key| key.name == name)
}

/// Names that are Rust's own words carry a mark in code that no user types.
const fn without_raw_mark(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice_in_one_place() {
        for place in [Place::Top, Place::Table, Place::Connection] {
            let mut names: Vec<_> = at(place).map(|key| key.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{place:?}");
        }
    }

    #[test]
    fn rust_words_are_typed_without_their_mark() {
        assert!(find("where", Place::Table).is_some());
    }

    /// A value of this kind, in the form that the check gives it.
    fn sample(kind: Kind) -> config::Value {
        let json = match kind {
            Kind::Flag => "true",
            Kind::Number(..) | Kind::Duration { .. } | Kind::Seconds(..) | Kind::Percent | Kind::Bytes => "7",
            Kind::Text | Kind::Secret => r#""x""#,
            Kind::OneOf(words) => return config::Value::new(None, words[0].name),
            Kind::Names | Kind::NamesOrNone => r#"["x"]"#,
            Kind::Renames | Kind::Values => r#"{ "X": "x" }"#,
            Kind::Connections => r#"{ "x": { "url": "x" } }"#,
            Kind::Tables => r#"[{ "name": "x" }]"#,
        };
        crate::settings::format::json_value("", json).unwrap()
    }

    /// Each key alone leaves a trace in what is read, and there are as many fields as keys.
    fn check<T: Default + std::fmt::Debug + serde::de::DeserializeOwned>(place: Place) {
        let nothing = format!("{:?}", T::default());
        for key in at(place) {
            let map = config::Map::from_iter([(key.name.to_owned(), sample(key.kind))]);
            let read: T = config::Value::new(None, map).try_deserialize().unwrap();
            assert_ne!(format!("{read:?}"), nothing, "`{}` is in the catalogue but not read", key.name);
        }
        assert_eq!(nothing.matches("None").count(), at(place).count(), "{place:?}: a field is not in the catalogue");
    }

    #[test]
    fn the_catalogue_and_the_types_know_the_same_keys() {
        check::<RawSettings>(Place::Top);
        check::<RawTable>(Place::Table);
        check::<RawConnection>(Place::Connection);
    }
}
