//! Equality from end to end: the documentation says what the engine does, and the program finds what others miss.

use rowsync_engine::domain::Domain;

use crate::support::{Database, Desk};

#[test]
fn the_rules_of_equality_are_documented_word_for_word() {
    let documented = include_str!("../../docs/equality.md");
    for domain in Domain::ALL {
        let row = format!("| {} | {} |\n", domain.name(), domain.rule());
        assert!(documented.contains(&row), "docs/equality.md lacks: {row}");
    }
}

/// Large enough to be searched by digests, and not read row by row.
const CREATE: &str = "create table t (id bigint primary key, a text, b text, n numeric, f double precision, i bigint);
    insert into t select id, 'a' || id % 7, 'b', id % 5 + 0.3, 0.3, id from generate_series(1, 3000) id;
    update t set a = 'x|y', b = 'z' where id = 1000; update t set a = null where id = 1001;
    update t set n = 123456789012.123456789012 where id = 1002; update t set a = '😀' where id = 1003;
    update t set a = 'left', b = 'right' where id = 1004; update t set a = '' where id = 1005;";

/// Changes of the target, and how many rows each makes different.
const CHANGES: [(&str, u64); 13] = [
    ("update t set a = '' where id = 1001", 1),
    ("update t set a = '<null>' where id = 1001", 1),
    ("update t set a = null where id in (1000, 1005)", 2),
    ("update t set a = 'x', b = 'y|z' where id = 1000", 1),
    ("update t set f = 0.30000000000000004 where id = 2000", 1),
    ("update t set n = 123456789012.123456789013 where id = 1002", 1),
    ("update t set a = '😁' where id = 1003", 1),
    ("update t set a = a || ' ' where id = 1003", 1),
    // Changes that cancel each other in a sum or an exclusive or that is made carelessly.
    ("update t set a = 'right', b = 'left' where id = 1004", 1),
    ("update t set i = case id when 10 then 20 else 10 end where id in (10, 20)", 2),
    ("update t set b = 'c' where id in (30, 31)", 2),
    ("update t set i = i + case id when 40 then 1 else -1 end where id in (40, 41)", 2),
    ("update t set i = -i where id in (50, 51)", 2),
];

fn check_found(desk: &Desk, name: &str, change: impl Fn(&str)) {
    assert_eq!(desk.run(name).totals(), (3_000, 0, 0));
    for (sql, rows) in CHANGES {
        change(sql);
        let verified = desk.rowsync(&["verify", &format!("{name}.json")]);
        assert_eq!(verified.code, Some(3), "{sql}");
        assert_eq!(verified.report()["tables"][0]["different"], rows, "{sql}");
        assert_eq!(desk.run(name).totals(), (0, rows, 0), "{sql}");
        assert_eq!(desk.verify_code(name), Some(0), "{sql}");
    }
}

#[test]
fn what_others_miss_is_found_between_two_servers() {
    let desk = Desk::new();
    let (source, target) = (Database::new(), Database::new());
    source.sql(CREATE);
    desk.sync("servers", &source.url, &target.url, "");
    check_found(&desk, "servers", |sql| {
        target.sql(sql);
    });
}

#[test]
fn what_others_miss_is_found_between_a_server_and_a_file() {
    let desk = Desk::new();
    let source = Database::new();
    source.sql(CREATE);
    desk.sync("file", &source.url, &desk.sqlite("t.sqlite"), "");
    // The numbers of this column are texts there, since no float holds all their digits.
    check_found(&desk, "file", |sql| {
        desk.in_sqlite("t.sqlite", &sql.replace("n = 123456789012.123456789013", "n = '123456789012.123456789013'"))
    });
}

/// One row of every kind of type, through other databases and back.
#[test]
fn a_row_of_every_type_goes_round_and_comes_back() {
    let desk = Desk::new();
    let (first, second, last) = (Database::new(), Database::new(), Database::new());
    let types = "create type mood as enum ('z', 'a'); create type pair_of as (a int, b text);";
    first.sql(&format!(
        "{types} create table t (id bigint primary key, b boolean, i smallint, n numeric, f real, g double precision, s text,
            c char(5), x bytea, u uuid, d date, t time, tz timetz, ts timestamp(3), tsz timestamptz, iv interval, j json, jb jsonb,
            e mood, es mood[], a int[], p pair_of, r int4range, mr int4multirange, ip inet, ci cidr, ma macaddr, bi bit(3), vb varbit,
            m money, xm xml, v tsvector, q tsquery, pt point, l pg_lsn);
         insert into t (id) values (1);
         insert into t values (2, true, -1, 'NaN', '-0', 'Infinity', '', '', '', '00000000-0000-0000-0000-000000000000', '-infinity', '24:00',
            '12:00+02', '0044-03-15 01:02:03.004 BC', 'infinity', '1 mon -1 day 00:00:00.000001', '{{\"b\": 1.0, \"a\":[]}}',
            '{{\"b\": 1.50, \"a\":[]}}', 'z', '{{z,a,NULL}}', '{{{{1,2}},{{3,4}}}}', '(1,\"a,b\")', '[1,5)', '{{[1,2),[5,6)}}', '10.0.0.1', '10/8',
            '08:00:2b:01:02:03', '101', '', '-12.50', '<a/>', 'a:1 b:2', '', '(0.1,0.3)', '16/B374D848');"
    ));
    second.sql(&format!("create type spare as (a int); {types}"));
    last.sql(types);
    desk.sync("one", &first.url, &second.url, "");
    desk.sync("two", &second.url, &desk.sqlite("t.sqlite"), "");
    last.sql(&first_table(&first));
    desk.sync("three", &desk.sqlite("t.sqlite"), &last.url, "");
    for name in ["one", "two", "three"] {
        assert_eq!(desk.run(name).totals(), (2, 0, 0), "{name}");
        assert_eq!(desk.verify_code(name), Some(0), "{name}");
        assert_eq!(desk.run(name).totals(), (0, 0, 0), "{name}");
    }
    let dump = |database: &Database| database.sql("select t::text from t order by id");
    assert_eq!(dump(&second), dump(&first));
    assert_eq!(dump(&last), dump(&first));
}

/// The same table once more, empty: what SQLite holds is read as the types of the target say.
fn first_table(database: &Database) -> String {
    let columns = database.sql(
        "select string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)
         from pg_attribute where attrelid = 't'::regclass and attnum > 0",
    );
    format!("create table t ({columns}, primary key (id))")
}
