//! The state in a SQLite file and in PostgreSQL: the same tables, and the same memory.

use std::process::{Child, Stdio};
use std::sync::mpsc::{Sender, channel};

use crate::proxy::{Act, Proxy};
use crate::support::{Database, Desk};

/// Tables of a state with their columns: name, type, whether it may be NULL, and its place in the key.
fn columns_in_sqlite(desk: &Desk, name: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(desk.path(name)).unwrap();
    let sql =
        "select t.name, c.name, lower(c.type), c.\"notnull\", c.pk from sqlite_schema t, pragma_table_info(t.name) c
        where t.type = 'table' and t.name like 'sync\\_%' escape '\\' order by t.name, c.cid";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let text = |i| row.get::<_, String>(i).unwrap();
        let number = |i| row.get::<_, i64>(i).unwrap();
        // A key is never NULL in PostgreSQL.
        let not_null = number(3) == 1 || number(4) > 0;
        Ok(format!("{} {} {} {not_null} {}", text(0), text(1), text(2), number(4)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn columns_in_postgres(state: &Database) -> Vec<String> {
    let sql = "select concat_ws(' ', c.table_name, c.column_name,
            case c.data_type when 'bigint' then 'integer' when 'bytea' then 'blob' else c.data_type end,
            case c.is_nullable when 'NO' then 'true' else 'false' end, coalesce(k.ordinal_position, 0))
        from information_schema.columns c left join information_schema.key_column_usage k
            on k.table_schema = c.table_schema and k.table_name = c.table_name and k.column_name = c.column_name
            and k.constraint_name in
                (select constraint_name from information_schema.table_constraints where constraint_type = 'PRIMARY KEY')
        where c.table_schema = 'public' and c.table_name <> 'sync_migrations' order by c.table_name, c.ordinal_position";
    state.sql(sql).lines().map(str::to_owned).collect()
}

/// What a state holds, without what differs from run to run.
const MEMORY: &str = "select sync || ' ' || table_name || ' ' || coalesce(newest, '-') from sync_change_tracking
    order by table_name";

/// A sync of a table with a modify time, by the state of this URL.
fn place(desk: &Desk, name: &str, state: &str) {
    desk.in_sqlite(
        &format!("{name}.source"),
        "create table item (id integer primary key, price integer check (price > 0), modify_time text);
         insert into item values (1, 10, '2026-01-01 00:00:00'), (2, 20, '2026-01-02 00:00:00')",
    );
    let (source, target) = (desk.sqlite(&format!("{name}.source")), desk.sqlite(&format!("{name}.target")));
    desk.sync(name, &source, &target, &format!("\"state\": \"{state}\","));
}

#[test]
fn both_kinds_of_state_have_the_same_tables() {
    let (desk, state) = (Desk::new(), Database::new());
    place(&desk, "file", &desk.sqlite("state"));
    place(&desk, "server", &state.url);
    assert_eq!(desk.run("file").totals(), (2, 0, 0));
    assert_eq!(desk.run("server").totals(), (2, 0, 0));
    let columns = columns_in_postgres(&state);
    assert!(columns.contains(&"sync_executions id text true 1".to_owned()), "{columns:#?}");
    assert_eq!(columns_in_sqlite(&desk, "state"), columns);
}

#[test]
fn both_kinds_of_state_remember_the_same() {
    let (desk, state) = (Desk::new(), Database::new());
    place(&desk, "sync", &desk.sqlite("state"));
    desk.run("sync");
    let in_file = desk.dump("state", "sync_change_tracking").len();
    let newest: String =
        rusqlite::Connection::open(desk.path("state")).unwrap().query_row(MEMORY, [], |r| r.get(0)).unwrap();

    let desk = Desk::new();
    place(&desk, "sync", &state.url);
    // A database that holds no state yet is looked at, and left as it is.
    assert_eq!(desk.rowsync(&["plan", "sync.json"]).code, Some(0));
    assert_eq!(state.sql("select count(*) from pg_class where relname like 'sync_%'"), "0");
    desk.run("sync");
    assert_eq!(state.sql("select count(*) from sync_change_tracking"), in_file.to_string());
    assert_eq!(state.sql(MEMORY), newest);
    // What is remembered is used.
    let second = desk.rowsync(&["run", "sync.json", "--set", "trust_modify_id=true"]);
    assert_eq!(second.report()["tables"][0]["plan"]["reason"], "no changes", "{}", second.stdout);
    assert_eq!(state.sql("select count(*), count(distinct status) from sync_executions"), "2|1");
    assert_eq!(state.sql("select count(*) from sync_leases"), "0");
}

#[test]
fn rows_that_fail_are_kept_and_counted_in_postgres_as_in_a_file() {
    let (desk, state) = (Desk::new(), Database::new());
    place(&desk, "sync", &state.url);
    desk.run("sync");
    desk.in_sqlite(
        "sync.target",
        "create trigger t before update on item when new.price = 13 begin select raise(abort, 'no'); end",
    );
    desk.in_sqlite("sync.source", "update item set price = 13 where id = 2");
    for failures in ["1", "2"] {
        assert_eq!(desk.rowsync(&["run", "sync.json"]).code, Some(1));
        assert_eq!(
            state.sql("select table_name, change, failures from sync_row_errors"),
            format!("item|update|{failures}")
        );
    }
    desk.in_sqlite("sync.target", "drop trigger t");
    desk.run("sync");
    assert_eq!(state.sql("select count(*) from sync_row_errors"), "0");
}

/// A run with a lease of a second that is held up when it comes to the second of two tables.
struct Held {
    desk: Desk,
    target: Database,
    state: Database,
    run: Child,
    /// Lets it go on.
    go_on: Sender<()>,
    _source: (Database, Proxy),
}

impl Held {
    /// The way to the state leads through the proxy.
    fn new(state: Database, proxy: &Proxy) -> Held {
        Held::with(state, proxy, "\"lease_seconds\": 1,")
    }

    fn with(state: Database, proxy: &Proxy, more: &str) -> Held {
        let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
        for table in ["a", "b"] {
            let rows = format!("insert into {table} select generate_series(1, 50)");
            source.sql(&format!("create table {table} (id int primary key); {rows}"));
        }
        let ((reached, reaches), (go_on, goes_on)) = (channel(), channel());
        let wait = Act::Call(Box::new(move || {
            reached.send(()).unwrap();
            let _ = goes_on.recv();
        }));
        let way = Proxy::before(&source.url).when("FROM \"public\".\"b\"", 1, wait);
        let keys = "\"max_parallel_tables\": 1, \"tables\": [\"a\", { \"name\": \"b\", \"depends_on\": [\"a\"] }],";
        desk.sync("sync", &way.url, &target.url, &format!("{more} {keys} \"state\": \"{}\",", proxy.url));
        let mut run = desk.command(&["run", "sync.json", "--output", "json"]);
        let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        reaches.recv().unwrap();
        Held { desk, target, state, run, go_on, _source: (source, way) }
    }

    fn wait_until(&self, says: &str) {
        while self.state.sql(&format!("select {says} from sync_leases")) != "t" {}
    }
}

#[test]
fn a_run_that_lost_its_state_stops_before_its_next_write() {
    let state = Database::new();
    let proxy = Proxy::before(&state.url);
    let held = Held::new(state, &proxy);
    proxy.shut();
    // Until then it may write, since nobody else may.
    held.wait_until("until < extract(epoch from clock_timestamp()) * 1000");
    let Held { desk, target, run, go_on, state: _state, _source } = held;
    go_on.send(()).unwrap();
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("the lease of this sync could not be renewed"), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = report.to_string();
    assert!(told.contains("the lease of this sync ran out and cannot be renewed"), "{report:#}");
    // And that the run itself is not remembered.
    assert!(report["errors"].to_string().contains("the state in postgres://"), "{report:#}");
    assert_eq!((target.sql("select count(*) from a"), target.sql("select count(*) from b")), ("50".into(), "0".into()));
    proxy.open_again();
    assert_eq!(desk.run("sync").totals(), (50, 0, 0));
    let history = desk.rowsync(&["history", "sync.json"]).report();
    let statuses: Vec<&str> =
        history["executions"].as_array().unwrap().iter().map(|e| e["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["completed", "interrupted"]);
}

/// Rows whose images cannot be kept are left as they are, long before the lease runs out.
#[test]
fn a_run_that_can_be_undone_and_lost_its_state_says_what_a_person_must_do() {
    let state = Database::new();
    let proxy = Proxy::before(&state.url);
    let held = Held::with(state, &proxy, r#""undo": true, "lease_seconds": 600, "retry_count": 1, "retry_delay": 1,"#);
    proxy.shut();
    let Held { desk, target, run, go_on, state: _state, _source } = held;
    go_on.send(()).unwrap();
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    let error = &report["tables"][1]["errors"][0];
    assert_eq!(error["class"], "connection", "{report:#}");
    assert!(error["message"].as_str().unwrap().contains("the state cannot keep what the rows were before"), "{error}");
    assert!(error["remedy"].as_str().unwrap().starts_with("see that the database of `state` is up"), "{error}");
    // And that the run itself is not remembered.
    assert!(report["errors"].to_string().contains("the state in postgres://"), "{report:#}");
    assert_eq!((target.sql("select count(*) from a"), target.sql("select count(*) from b")), ("50".into(), "0".into()));
    proxy.open_again();
    assert_eq!(desk.run("sync").totals(), (50, 0, 0));
    // What the first one wrote can be undone by its entry, which its report bears.
    let undone = desk.rowsync(&["undo", "sync.json", report["execution_id"].as_str().unwrap()]);
    assert_eq!((undone.code, undone.totals()), (Some(0), (0, 0, 50)), "{}\n{}", undone.stdout, undone.stderr);
}

#[test]
fn a_connection_to_the_state_that_falls_silent_is_given_up_and_the_lease_is_kept_through_another() {
    let state = Database::new();
    let proxy = Proxy::before(&state.url).when("update sync_leases", 1, Act::Silence);
    let held = Held::new(state, &proxy);
    while proxy.done() == 0 {}
    let until = held.state.sql("select until from sync_leases");
    held.wait_until(&format!("until > {until}"));
    let Held { target, run, go_on, state, _source, .. } = held;
    go_on.send(()).unwrap();
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("the state does not answer"), "{stderr}");
    assert_eq!(target.sql("select count(*) from b"), "50");
    assert_eq!(state.sql("select status from sync_executions"), "completed");
}

#[test]
fn a_state_that_is_away_for_a_moment_is_waited_for() {
    let (desk, state) = (Desk::new(), Database::new());
    let proxy = Proxy::before(&state.url).when("application_name\0rowsync", 1, Act::Cut);
    place(&desk, "sync", &proxy.url);
    let ended = desk.rowsync(&["run", "sync.json", "--set", "retry_delay=1"]);
    assert_eq!((ended.code, proxy.done()), (Some(0), 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("sync connection failed: the state in postgres://"), "{}", ended.stderr);
}

#[test]
fn a_state_with_a_wrong_password_stops_the_run_before_anything_is_touched() {
    let (desk, state) = (Desk::new(), Database::new());
    let (start, rest) = state.url.split_once('@').unwrap();
    let (user, _) = start.rsplit_once(':').unwrap();
    place(&desk, "sync", &format!("{user}:hunter2@{rest}"));
    let ended = desk.rowsync(&["run", "sync.json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("password authentication failed") && ended.stderr.contains("lets you in"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    // The file of the target is there, and nothing in it.
    assert_eq!(tables(&desk, "sync.target"), 0);
}

fn tables(desk: &Desk, name: &str) -> i64 {
    let connection = rusqlite::Connection::open(desk.path(name)).unwrap();
    connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_state_that_may_only_be_read_stops_a_run_and_lets_others_look() {
    let (desk, state) = (Desk::new(), Database::new());
    place(&desk, "sync", &state.url);
    desk.run("sync");
    state.sql("do $$begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end$$");
    desk.in_sqlite("sync.source", "insert into item values (3, 30, null)");
    let ended = desk.rowsync(&["run", "sync.json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("read-only transaction"), "{}", ended.stderr);
    assert_eq!(desk.dump("sync.target", "item").len(), 2);
    assert_eq!(desk.rowsync(&["plan", "sync.json"]).code, Some(0));
    let verified = desk.rowsync(&["verify", "sync.json"]);
    assert_eq!(verified.code, Some(3));
    assert!(verified.stderr.contains("the history does not hold this verification"), "{}", verified.stderr);
    assert_eq!(desk.rowsync(&["history", "sync.json"]).report()["executions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_file_that_is_no_state_is_left_as_it_is() {
    let desk = Desk::new();
    place(&desk, "sync", &desk.sqlite("letter"));
    std::fs::write(
        desk.path("letter"),
        "Dear Sir or Madam, this is no database, and has not been one for a long time.",
    )
    .unwrap();
    let before = std::fs::read(desk.path("letter")).unwrap();
    for command in ["run", "plan", "history"] {
        let ended = desk.rowsync(&[command, "sync.json"]);
        assert_eq!(ended.code, Some(2), "{command} {}", ended.stderr);
        assert!(ended.stderr.contains("the state in sqlite:"), "{}", ended.stderr);
    }
    assert_eq!(std::fs::read(desk.path("letter")).unwrap(), before);
}

#[test]
fn a_state_of_the_first_version_is_upgraded_with_all_that_it_knows() {
    let desk = Desk::new();
    place(&desk, "sync", &desk.sqlite("state"));
    desk.run("sync");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/state/migrations");
    let old = rusqlite::Connection::open(desk.path("old")).unwrap();
    old.execute_batch(
        "create table _sqlx_migrations (version bigint primary key, description text not null,
        installed_on timestamp not null default current_timestamp, success boolean not null, checksum blob not null,
        execution_time bigint not null)",
    )
    .unwrap();
    for file in ["0001_first.sql", "0002_row_errors.sql", "0003_leases.sql"] {
        old.execute_batch(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
    }
    old.execute("attach ? as new", [desk.path("state").to_str().unwrap()]).unwrap();
    old.execute_batch(
        "insert into _sqlx_migrations select * from new._sqlx_migrations where version <= 3;
         insert into sync_executions select id, sync, status, started_at, finished_at, report from new.sync_executions;
         insert into sync_change_tracking
           select sync, ends, table_name, shape, newest, execution_id from new.sync_change_tracking;
         insert into sync_row_errors select sync, ends, table_name, '{\"id\":9}', 'update', 'data', 'no', null, 3,
             execution_id, execution_id from sync_change_tracking;",
    )
    .unwrap();
    drop(old);
    let set = format!("state={}", desk.sqlite("old"));
    let history = desk.rowsync(&["history", "sync.json", "--set", &set]).report();
    assert_eq!(history["executions"][0]["totals"]["added"], 2, "{history:#}");
    assert_eq!(desk.dump("old", "sync_row_errors").len(), 1);
    assert_eq!(desk.dump("old", "sync_change_tracking").len(), 1);
}

#[test]
fn tables_of_a_state_beside_the_source_are_no_tables_of_the_sync() {
    let (desk, target) = (Desk::new(), Database::new());
    let source = Database::new();
    source.sql("create table item (id int primary key); insert into item values (1)");
    desk.sync("server", &source.url, &target.url, &format!("\"state\": \"{}?application_name=x\",", source.url));
    desk.in_sqlite("file", "create table item (id integer primary key); insert into item values (1)");
    desk.sync("file", &desk.sqlite("file"), &desk.sqlite("copy"), "\"state\": \"sqlite:file\",");
    for name in ["server", "file"] {
        for added in [1, 0] {
            let ended = desk.run(name);
            assert_eq!(ended.totals(), (added, 0, 0));
            assert_eq!(ended.report()["tables"].as_array().unwrap().len(), 1, "{}", ended.stdout);
        }
    }
}
