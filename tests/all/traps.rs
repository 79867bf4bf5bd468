//! What a target does of itself when it is written to: deletes that reach further, values that must not meet, numbers
//! that it gives. Each ends with both sides equal, or with a report that says what a person must do.

use crate::faults::{signal, writing};
use crate::support::{Database, Desk, Ended};

/// Parents 1 to 5 in the source; the target has 6 and 7 as well, and 6 has a child that this run knows nothing of.
fn parents(desk: &Desk) -> String {
    desk.in_sqlite("s.sqlite", "create table p (id integer primary key); insert into p values (1), (2), (3), (4), (5)");
    desk.sqlite("s.sqlite")
}

const ACTIONS: [&str; 3] = ["cascade", "set null", "set default"];

fn children(action: &str, key: &str) -> String {
    format!(
        "create table p (id {key} primary key); insert into p values (1), (2), (3), (4), (5), (6), (7);
         create table c (id {key} primary key, p {key} default 1 references p on delete {action});
         insert into c values (1, 6), (2, 5)"
    )
}

/// The row without children went, the other one is told with what to do.
fn refused(ended: &Ended, action: &str) {
    assert_eq!((ended.code, ended.totals()), (Some(1), (0, 0, 1)), "{action}: {}", ended.stdout);
    let error = ended.report()["tables"][0]["errors"][0].clone();
    assert_eq!((&error["class"], &error["key"]["id"]), (&"data".into(), &6.into()), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("sync the table that refers to it"), "{error}");
}

#[test]
fn a_delete_on_a_server_never_takes_children_along_that_the_plan_does_not_name() {
    for action in ACTIONS {
        let (desk, target) = (Desk::new(), Database::new());
        target.sql(&children(action, "bigint"));
        desk.sync("orphans", &parents(&desk), &target.url, r#""tables": ["p"],"#);
        refused(&desk.rowsync(&["run", "orphans.json"]), action);
        assert_eq!(target.sql("select string_agg(id || '-' || p, ' ' order by id) from c"), "1-6 2-5", "{action}");
    }
}

#[test]
fn a_delete_in_a_file_never_takes_children_along_that_the_plan_does_not_name() {
    for action in ACTIONS {
        let desk = Desk::new();
        desk.in_sqlite("t.sqlite", &children(action, "integer"));
        desk.sync("orphans", &parents(&desk), &desk.sqlite("t.sqlite"), r#""tables": ["p"],"#);
        refused(&desk.rowsync(&["run", "orphans.json"]), action);
        assert_eq!(desk.dump("t.sqlite", "c"), ["Integer(1)|Integer(6)", "Integer(2)|Integer(5)"], "{action}");
    }
}

#[test]
fn a_table_that_refers_to_itself_keeps_its_children_in_other_tables() {
    let desk = Desk::new();
    let people = "create table e (id integer primary key, boss integer references e on delete cascade);";
    desk.in_sqlite("s.sqlite", &format!("{people} insert into e values (1, null)"));
    let more = "insert into e values (1, null), (2, 1), (3, 2), (4, 1)";
    desk.in_sqlite(
        "t.sqlite",
        &format!("{people} {more}; create table c (id integer primary key, e integer references e); insert into c values (1, 4)"),
    );
    desk.sync("file", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), r#""tables": ["e"],"#);
    let ended = desk.rowsync(&["run", "file.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(1), (0, 0, 2)), "{}", ended.stdout);
    assert_eq!(desk.dump("t.sqlite", "c").len(), 1);
    let target = Database::new();
    target.sql(&format!(
        "create table e (id bigint primary key, boss bigint references e on delete cascade); {more};
         create table c (id bigint primary key, e bigint references e on delete cascade); insert into c values (1, 4)"
    ));
    desk.sync("server", &desk.sqlite("s.sqlite"), &target.url, r#""tables": ["e"],"#);
    let ended = desk.rowsync(&["run", "server.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(1), (0, 0, 2)), "{}", ended.stdout);
    assert_eq!(target.sql("select e from c"), "4");
}

#[test]
fn children_that_the_plan_names_go_before_their_parents() {
    for action in ACTIONS {
        let (desk, target) = (Desk::new(), Database::new());
        let tables = |key: &str| {
            format!(
                "create table p (id {key} primary key);
                 create table c (id {key} primary key, p {key} references p on delete {action});
                 insert into p values (1), (2), (3); insert into c values (1, 1), (2, 2), (3, 2)"
            )
        };
        desk.in_sqlite("s.sqlite", &tables("integer"));
        target.sql(&tables("bigint"));
        desk.in_sqlite("s.sqlite", "delete from c where p = 2; delete from p where id = 2");
        desk.sync("named", &desk.sqlite("s.sqlite"), &target.url, "");
        let ended = desk.run("named");
        assert_eq!((ended.table("c"), ended.table("p")), ((0, 0, 2), (0, 0, 1)), "{action}");
    }
}

/// Definitions of a table `t (id, a, b, n)`, none of whose unique columns are alike, with a child that refers to it.
const UNIQUE: [&str; 3] = [
    "a varchar(40) not null unique, b integer unique, n integer",
    "a varchar(40) not null, b integer not null, n integer, unique (b), unique (a, b)",
    "a varchar(40) not null, b integer unique, n integer unique",
];

const FILL: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 40)
     insert into t select i, 'v' || i, i, 100 + i from n";

/// Two rows that swap, a ring of three, and a chain that ends at a value that is free.
const SWAPS: &str = "update t set a = '-' || id, b = -id, n = -id;
     update t set a = 'v' || w, b = w, n = 100 + w from (select id as i, case id when 1 then 2 when 2 then 1
       when 3 then 4 when 4 then 5 when 5 then 3 when 40 then 99 when 39 then 40 else id end as w from t) m where m.i = id";

fn swapped(definition: &str, key: &str) -> String {
    format!(
        "create table t (id {key} primary key, {definition});
         {FILL}; create table c (id {key} primary key, t {key} references t on delete cascade);
         insert into c select id, id from t"
    )
}

#[test]
fn unique_values_that_rows_hand_to_each_other_end_where_they_belong() {
    for definition in UNIQUE {
        for batch in [5_000, 4] {
            let (desk, server) = (Desk::new(), Database::new());
            let more = format!(r#""tables": ["t"], "batch_size": {batch},"#);
            for file in ["s.sqlite", "t.sqlite"] {
                desk.in_sqlite(file, &swapped(definition, "integer"));
            }
            server.sql(&swapped(definition, "bigint"));
            desk.in_sqlite("s.sqlite", SWAPS);
            for (name, target) in [("file", desk.sqlite("t.sqlite")), ("server", server.url.clone())] {
                desk.sync(name, &desk.sqlite("s.sqlite"), &target, &more);
                assert_eq!(desk.run(name).totals(), (0, 7, 0), "{name} {batch} {definition}");
            }
            assert_eq!(desk.dump("t.sqlite", "t"), desk.dump("s.sqlite", "t"));
            assert_eq!((desk.dump("t.sqlite", "c").len(), server.sql("select count(*) from c")), (40, "40".into()));
        }
    }
}

#[test]
fn a_unique_value_that_two_rows_of_the_source_have_is_still_refused() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite(
        "s.sqlite",
        "create table t (id integer primary key, a text); insert into t values (1, 'y'), (2, 'y'), (3, 'w')",
    );
    target.sql(
        "create table t (id bigint primary key, a text unique); insert into t values (1, 'x'), (2, 'y'), (3, 'z')",
    );
    desk.sync("twice", &desk.sqlite("s.sqlite"), &target.url, "");
    let ended = desk.rowsync(&["run", "twice.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(1), (0, 1, 0)), "{}", ended.stdout);
    assert_eq!(target.sql("select string_agg(a, '' order by id) from t"), "xyw");
}

const NUMBERED: [&str; 4] = [
    "create table t (id bigint generated by default as identity primary key, v text)",
    "create table t (id bigint generated always as identity primary key, v text)",
    "create table t (id bigserial primary key, v text)",
    "create sequence own; create table t (id int primary key default nextval('own'), v text)",
];

#[test]
fn an_application_that_adds_a_row_after_a_sync_gets_a_free_number() {
    let desk = Desk::new();
    desk.in_sqlite(
        "s.sqlite",
        "create table t (id integer primary key autoincrement, v text); insert into t values (1, 'a'), (700, 'b')",
    );
    for definition in NUMBERED {
        let target = Database::new();
        target.sql(definition);
        desk.sync("numbers", &desk.sqlite("s.sqlite"), &target.url, "");
        assert_eq!(desk.run("numbers").totals(), (2, 0, 0), "{definition}");
        assert_eq!(target.sql("insert into t (v) values ('new') returning id"), "701", "{definition}");
        // A sequence that is ahead stays there.
        assert_eq!(desk.run("numbers").totals(), (0, 0, 1), "{definition}");
        assert_eq!(target.sql("insert into t (v) values ('new') returning id"), "702", "{definition}");
    }
    desk.in_sqlite("t.sqlite", "create table t (id integer primary key autoincrement, v text)");
    for file in ["t.sqlite", "made.sqlite"] {
        desk.sync("file", &desk.sqlite("s.sqlite"), &desk.sqlite(file), "");
        desk.run("file");
        desk.in_sqlite(file, "insert into t (v) values ('new')");
        assert!(desk.dump(file, "t")[2].starts_with("Integer(701)"));
    }
    let made = Database::new();
    desk.sync("made", &desk.sqlite("s.sqlite"), &made.url, "");
    desk.run("made");
    assert_eq!(made.sql("insert into t (v) values ('new') returning id"), "701");
}

#[test]
fn a_user_who_may_not_move_a_sequence_is_told_and_the_rows_are_there() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite("s.sqlite", "create table t (id integer primary key); insert into t values (7)");
    let role = format!("rows_only_{}", std::process::id());
    target.sql(&format!(
        "create table t (id bigint generated by default as identity primary key);
         create role {role} login password 'x'; grant select, insert, update, delete on t to {role}"
    ));
    let (scheme, rest) = target.url.split_once("://").unwrap();
    let url = format!("{scheme}://{role}:x@{}", rest.split_once('@').unwrap().1);
    desk.sync("poor", &desk.sqlite("s.sqlite"), &url, "");
    let ended = desk.run("poor");
    assert_eq!(ended.totals(), (1, 0, 0));
    assert!(ended.report()["tables"][0]["notes"].to_string().contains("numbers"), "{}", ended.stdout);
    target.sql(&format!("drop owned by {role}; drop role {role}"));
}

#[test]
fn foreign_keys_of_a_cycle_that_do_not_hold_in_a_file_are_told() {
    let desk = Desk::new();
    let tables = "create table a (id integer primary key, b integer references b);
        create table b (id integer primary key, a integer references a);";
    desk.in_sqlite(
        "s.sqlite",
        &format!("pragma foreign_keys = off; {tables} insert into a values (1, 1), (2, 2); insert into b values (1, 2), (2, 1)"),
    );
    desk.in_sqlite("t.sqlite", tables);
    desk.sync("cycle", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), "");
    assert_eq!(desk.run("cycle").totals(), (4, 0, 0));
    desk.in_sqlite("s.sqlite", "pragma foreign_keys = off; insert into a values (3, 99), (4, 98)");
    let ended = desk.rowsync(&["run", "cycle.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(1), (2, 0, 0)), "{}", ended.stdout);
    let error = ended.report()["tables"][0]["errors"][0].clone();
    assert!(error["message"].as_str().unwrap().contains("2 rows of a refer to rows of b"), "{error}");
}

#[test]
fn foreign_keys_of_tables_that_an_ended_run_made_are_added_by_the_next_one() {
    for name in ["-INT", "-KILL"] {
        let (desk, target) = (Desk::new(), Database::new());
        desk.in_sqlite(
            "s.sqlite",
            "create table p (id integer primary key); insert into p values (1), (2);
             create table t (id integer primary key, p integer references p);
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) insert into t select i, 1 + i % 2 from n;
             create table own (id integer primary key, p integer references p);",
        );
        target.sql("create table own (id bigint primary key, p bigint)");
        desk.sync("long", &desk.sqlite("s.sqlite"), &target.url, r#""batch_size": 500,"#);
        let mut child = writing(&desk, &target);
        signal(&child, name);
        child.wait().unwrap();
        let keys =
            "select coalesce(string_agg(conrelid::regclass::text, ' '), '') from pg_constraint where contype = 'f'";
        assert_eq!(target.sql(keys), "", "{name}");
        desk.run("long");
        // Tables of others are left as they are.
        assert_eq!(target.sql(keys), "t", "{name}");
        assert_eq!(target.sql("select count(*) from pg_description where description like 'rowsync%'"), "0");
    }
}

#[test]
fn a_long_chain_that_refers_forward_is_written_into_a_table_that_checks_at_once() {
    let (desk, target) = (Desk::new(), Database::new());
    target.sql("create table node (id bigint primary key, parent bigint references node, v text not null)");
    desk.in_sqlite(
        "s.sqlite",
        "create table node (id integer primary key, parent integer, v text not null);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
         insert into node select i, nullif(i + 1, 10001), 'v' from n",
    );
    desk.sync("chain", &desk.sqlite("s.sqlite"), &target.url, r#""batch_size": 500,"#);
    assert_eq!(desk.run("chain").totals(), (10_000, 0, 0));
    assert_eq!(target.sql("select count(*) from node where parent = id + 1"), "9999");
    // Old rows that come to refer to new ones, and new ones to each other.
    desk.in_sqlite(
        "s.sqlite",
        "insert into node select id + 20000, id + 20001, 'new' from node where id <= 2000;
         update node set parent = null where id = 22000; update node set parent = id + 20000 where id <= 900",
    );
    assert_eq!(desk.run("chain").totals(), (2_000, 900, 0));
    // One that the source itself does not have.
    desk.in_sqlite(
        "s.sqlite",
        "insert into node values (30000, 30001, 'bad'), (30002, 30003, 'good'), (30003, null, 'good')",
    );
    let ended = desk.rowsync(&["run", "chain.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let errors = ended.report()["tables"][0]["errors"].clone();
    assert_eq!((errors.as_array().unwrap().len(), &errors[0]["key"]["id"]), (1, &30_000.into()), "{errors}");
    assert_eq!(target.sql("select parent from node where id = 30002"), "30003");
}

#[test]
fn tables_that_refer_to_each_other_and_check_at_once_are_written() {
    let (desk, target) = (Desk::new(), Database::new());
    target.sql(
        "create table a (id bigint primary key, b bigint); create table b (id bigint primary key, a bigint references a);
         alter table a add foreign key (b) references b; create table c (id bigint primary key, a bigint not null references a)",
    );
    desk.in_sqlite(
        "s.sqlite",
        "create table a (id integer primary key, b integer); create table b (id integer primary key, a integer);
         create table c (id integer primary key, a integer);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) insert into a select i, 301 - i from n;
         insert into b select id, id from a; insert into c select id, id from a",
    );
    desk.sync("circle", &desk.sqlite("s.sqlite"), &target.url, r#""batch_size": 50,"#);
    assert_eq!(desk.run("circle").totals(), (900, 0, 0));
    desk.in_sqlite("s.sqlite", "update a set b = null where b <= 5; delete from b where id <= 5; insert into b values (400, 1); update a set b = 400 where id = 1");
    assert_eq!(desk.run("circle").totals(), (1, 6, 5));
    assert_eq!(desk.verify_code("circle"), Some(0));
}

#[test]
fn a_trigger_that_changes_or_swallows_updates_is_told() {
    for (trigger, effect) in [("new.v = upper(new.v); return new;", "changes"), ("return null;", "swallows")] {
        let (desk, target) = (Desk::new(), Database::new());
        desk.in_sqlite(
            "s.sqlite",
            "create table t (id integer primary key, v text); insert into t values (1, 'a'), (2, 'b')",
        );
        target.sql(&format!(
            "create table t (id bigint primary key, v text); insert into t values (1, 'x'), (2, 'b');
             create function f() returns trigger language plpgsql as $$ begin {trigger} end $$;
             create trigger g before update on t for each row execute function f()"
        ));
        desk.sync("trigger", &desk.sqlite("s.sqlite"), &target.url, "");
        let ended = desk.rowsync(&["run", "trigger.json"]);
        assert_eq!(ended.code, Some(1), "{effect}: {}", ended.stdout);
        let table = ended.report()["tables"][0].clone();
        assert_eq!(table["verified"], false, "{effect}: {table}");
        assert!(table["errors"].to_string().contains("triggers"), "{effect}: {table}");
    }
}

/// The parent that has it in the target goes only when its children have gone, and the new one's children were refused by
/// then.
#[test]
fn a_unique_value_that_a_new_parent_takes_from_one_that_goes_brings_its_children_along() {
    let tables = "create table p (id integer primary key, name text not null unique);
        create table c (id integer primary key, p integer not null references p);";
    let source =
        format!("{tables} insert into p values (2, 'x'), (3, 'y'); insert into c values (10, 2), (11, 3), (12, 2);");
    let before = format!("{tables} insert into p values (1, 'x'), (3, 'y'); insert into c values (11, 3), (13, 1);");
    let (desk, server) = (Desk::new(), Database::new());
    desk.in_sqlite("s.sqlite", &source);
    desk.in_sqlite("t.sqlite", &before);
    server.sql(&before);
    for (name, target) in [("file", desk.sqlite("t.sqlite")), ("server", server.url.clone())] {
        desk.sync(name, &desk.sqlite("s.sqlite"), &target, r#""max_delete_percent": 100,"#);
        assert_eq!(desk.run(name).totals(), (3, 0, 2), "{name}");
        assert_eq!(desk.verify_code(name), Some(0), "{name}");
    }
    assert_eq!(server.sql("select string_agg(id || '-' || p, ' ' order by id) from c"), "10-2 11-3 12-2");
}

/// Where the children of the old one cannot go, the report says of every row what a person must do.
#[test]
fn a_unique_value_that_cannot_be_taken_is_told_with_the_children_that_wait_for_it() {
    let (desk, target) = (Desk::new(), Database::new());
    let tables = "create table p (id integer primary key, name text not null unique);
        create table c (id integer primary key, p integer not null references p);";
    desk.in_sqlite("s.sqlite", &format!("{tables} insert into p values (2, 'x'); insert into c values (10, 2);"));
    let stranger = "create table stranger (p integer references p); insert into stranger values (1)";
    target.sql(&format!("{tables} insert into p values (1, 'x'); {stranger}"));
    desk.sync("held", &desk.sqlite("s.sqlite"), &target.url, r#""max_delete_percent": 100,"#);
    let ended = desk.rowsync(&["run", "held.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let report = ended.report();
    for (table, keys) in [("p", vec![1, 2]), ("c", vec![10])] {
        let tables = report["tables"].as_array().unwrap();
        let errors = tables.iter().find(|told| told["table"] == table).unwrap()["errors"].as_array().unwrap().clone();
        let mut told: Vec<i64> = errors.iter().map(|error| error["key"]["id"].as_i64().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(told, keys, "{report:#}");
        assert!(errors.iter().all(|error| error["remedy"].as_str().unwrap().len() > 20), "{report:#}");
    }
    target.sql("drop table stranger");
    assert_eq!(desk.run("held").totals(), (2, 0, 1));
}
