//! The state in a SQLite file and in PostgreSQL: the same tables, and the same memory.

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
