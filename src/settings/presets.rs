//! The defaults: a named constant for each, with the reason why it is that.

use super::key::{Preset, PresetValue};

/// Makes a constant whose doc comment is also the reason that `config/default.toml` and the manual give.
macro_rules! presets {
    ($($(#[doc = $why:literal])+ $name:ident = $variant:ident($value:expr);)*) => {
        $($(#[doc = $why])+
        pub const $name: Preset = Preset { value: PresetValue::$variant($value), why: concat!($($why),+) };)*
    };
}

/// Nothing, where leaving a key out already says all.
pub const NOTHING: Preset = Preset { value: PresetValue::Nothing, why: "" };

presets! {
    /// A file is one sync, and is mostly called what it does.
    NAME = Derived("the file's name without its extension");
    /// A file in the working directory needs no server and no rights.
    STATE = Derived("`sqlite:NAME.state.sqlite`");
    /// A list that has to be kept in step with the source would be forgotten one day.
    TABLES = Derived("every table of the source");
    /// A restriction that nobody typed would leave tables behind in silence.
    SYNC_TABLE = Derived("all tables");
    /// The key that the database itself enforces is the one that is unique for sure.
    PRIMARY_KEY_FIELD = Derived("the table's key");
    /// The name that most schemas with such a column use here; where it is missing nothing is lost but time.
    MODIFY_TIME_FIELD = Text("modify_time");
    /// Ten minutes: few transactions take longer, and few rows change in that time.
    MODIFY_TIME_OVERLAP_SECONDS = Number(600);
    /// Whoever gives no names means the same names.
    FIELDS = Derived("every column that both sides have");
    /// Names mostly agree.
    TARGET_TABLE = Derived("the table's own name");
    /// What the server takes as its default for the user.
    SCHEMA = Derived("the connection's own");

    /// Comparing trusts nothing and moves only what differs.
    SYNC_STRATEGY = Text("compare");
    /// A target that mirrors its source has no opinion of its own.
    CONFLICT_RESOLUTION = Text("source_wins");
    /// The best way that the table offers is found without help.
    CHANGE_TRACKING = Text("auto");
    /// The name that frameworks give to this column.
    TIMESTAMP_FIELD = Text("updated_at");
    /// An emptied target is seen empty by its readers until it is full again.
    TRUNCATE_TARGET = Flag(false);
    /// Making up values is for the user to allow.
    SET_DEFAULT_VALUE = Flag(false);
    /// A copy that keeps keys of its own is no copy.
    COPY_ALL_JSON_KEYS = Flag(true);
    /// Who changed a phone number and who changed an address do not contradict each other.
    MERGE_COLUMNS = Flag(true);
    /// A misspelled name should be an error and not a new table.
    CREATE_MISSING_TABLES = Flag(false);
    /// Whoever adds a column to the source may not have meant it for every copy.
    ADD_MISSING_COLUMNS = Flag(false);
    /// A modify time is only as good as every program that writes; a wrong trust is never noticed.
    TRUST_MODIFY_ID = Flag(false);
    /// Remembered state makes the usual run short.
    SYNC_ALL = Flag(false);
    /// Tables that did not change need no second look on each run.
    CHECK_ALL_TABLES = Flag(false);
    /// One changed row is a reason to work.
    MIN_ROWS_TO_SYNC = Number(1);
    /// A run is meant to run.
    ONLY_SYNC_PLAN = Flag(false);

    /// Enough that a round trip costs little beside its rows, few enough that a failed batch is quickly repeated.
    BATCH_SIZE = Number(5000);
    /// 4D writes row by row, so that larger batches only hold its transactions open.
    BATCH_SIZE_4D = Number(1000);
    /// Deletes hold locks on children and indexes; a thousand keys keep them short.
    DELETE_BATCH_SIZE = Number(1000);
    /// As for deletes, with 4D's slower transactions in mind.
    DELETE_BATCH_SIZE_4D = Number(500);
    /// Keys of usual width stay within a few megabytes.
    ID_ARRAY_BATCH_SIZE = Number(25_000);
    /// Searching reads a few ranges where comparing reads every row.
    BINARY_SEARCH = Flag(true);
    /// Below this a whole comparison is one or two round trips, and a search would be more.
    BINARY_SEARCH_MIN_TABLE_SIZE = Number(1000);
    /// Beyond half, a search visits nearly all ranges and pays for its questions on top.
    BINARY_SEARCH_MAX_DIFF_PERCENT = Number(50);
    /// Splitting such a range further costs more questions than its rows cost to read.
    BINARY_SEARCH_READ_BATCH = Number(500);
    /// What is cheapest depends on the link and on the table, both of which are known when it starts.
    COMPARE_METHOD = Text("auto");
    /// One that works while another is on its way keep a core of each database busy.
    MAX_PARALLEL_RANGES = Number(2);
    /// What changed lately is mostly what was added lately.
    BINARY_SEARCH_RECENT_FIRST = Number(5000);
    /// A count that still differs is a difference that was not found yet.
    FALLBACK_FULL_COMPARE_ON_MISMATCH = Flag(true);
    /// A source that lost half of its rows is more likely broken than right.
    MAX_DELETE_PERCENT = Number(50);

    /// Enough to see a pattern, few enough to read.
    MAX_ERROR_COUNT = Number(25);
    /// What failed five times in a row will fail a sixth time.
    MAX_ERROR_LOOP = Number(5);
    /// Whoever mends a row has to see it; the state is the owner's own file.
    KEEP_FAILED_ROWS = Flag(true);
    /// One bad row should not hold back the good ones.
    CONTINUE_ON_ERROR = Flag(true);
    /// Five minutes: long enough for a count of a large table on a busy server.
    TIMEOUT = Number(300);
    /// Three tries outlast a restart of a proxy.
    RETRY_COUNT = Number(3);
    /// Five seconds let a server that is starting up get through its start.
    RETRY_DELAY = Number(5000);
    /// Four tables at once, each with one that reads and one that writes.
    MAX_CONNECTIONS = Number(8);
    /// Half a minute is what a failover usually takes.
    RECONNECT_WAIT_SECONDS = Number(30);
    /// Longer than any pause of a working process, short enough that nobody starts mending by hand.
    LEASE_SECONDS = Number(30);
    /// A quarter of a year, for whoever looks back from its end.
    HISTORY_KEEP_DAYS = Number(90);
    /// Some megabytes of reports.
    HISTORY_KEEP_COUNT = Number(1000);
    /// The day of the machine is the day of its user.
    TIME_ZONE = Text("local");
    /// A line an hour shows that it lives, and fills no disk.
    MAX_SLEEP_CHUNK_SECONDS = Number(3600);
    /// Whoever names a time means it.
    SCHEDULE_JITTER_SECONDS = Number(0);

    /// Whoever replaces all rows may have meant others; elsewhere its price would be paid by every first copy. See docs/undo.md.
    UNDO = Derived("true where a table is replaced (`full`) and none is merged, else false");
    /// A mistake is noticed within a week, or at its end.
    UNDO_KEEP_DAYS = Number(7);
    /// As much as a state file should grow by without being asked.
    UNDO_MAX_BYTES = Text("256 MiB");

    /// Four keep both databases busy without pushing other users aside.
    MAX_PARALLEL_TABLES = Number(4);
    /// Small beside the memory of any machine that runs a database.
    MAX_BYTES_IN_FLIGHT = Text("256 MiB");
    /// Statements are many, and a log is read by people.
    SHOW_SQL = Flag(false);
    /// As for the others: on when something is being looked for.
    DEBUG = Flag(false);
    /// What is listed is meant.
    ENABLED = Flag(true);
    /// Reached from this machine alone until someone decides otherwise.
    LISTEN = Text("127.0.0.1:8080");
    /// Numbers tell a stranger about the business too.
    METRICS_OPEN = Flag(false);
    /// More than any screen or script asks for, less than keeps a core busy.
    MAX_REQUESTS_PER_SECOND = Number(100);
}
