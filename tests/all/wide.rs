//! Tables as wide, rows as long and keys as many as the engines take them.

use crate::server::Server;
use crate::support::{Database, Desk, Side, sides};

/// Columns `c1` to `cN` of a type.
fn columns(count: usize, declared: &str) -> String {
    (1..=count).map(|number| format!(", c{number} {declared}")).collect()
}

/// Fills `t` with rows of which every seventh column holds its number, so that they fit a page of a server.
fn fill(count: usize, rows: usize) -> String {
    let values: String =
        (1..=count).map(|number| format!(", case i % 7 when {} then {number} end", number % 7)).collect();
    format!(
        "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows}) select i{values} from n;"
    )
}

/// Equal after one run, nothing to do in the next, and a change of the last column found.
fn check(desk: &Desk, name: &str, source: &Side, rows: u64, last: &str) {
    assert_eq!(desk.run(name).totals(), (rows, 0, 0), "{name}");
    assert_eq!(desk.run(name).totals(), (0, 0, 0), "{name}");
    source.run(desk, &format!("update t set {last} = 777 where id = 3; delete from t where id = 4"));
    assert_eq!(desk.run(name).totals(), (0, 1, 1), "{name}");
    assert_eq!(desk.verify_code(name), Some(0), "{name}");
}

/// Key and all: the most that a server's table has.
const MOST: usize = 1_600;

#[test]
fn a_table_of_as_many_columns_as_a_server_has_is_kept_equal_on_any_side() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("create table t (id integer primary key{});", columns(MOST - 1, "smallint")));
        source.run(&desk, &fill(MOST - 1, 300));
        desk.sync("wide", &source.url(&desk), &target.url(&desk), r#""tables": ["t"],"#);
        check(&desk, "wide", &source, 300, &format!("c{}", MOST - 1));
    }
}

#[test]
fn a_file_has_more_columns_than_a_server_which_is_refused_with_what_to_do() {
    let (desk, server) = (Desk::new(), Database::new());
    let source = Side::File("s.sqlite");
    source.run(
        &desk,
        &format!("create table t (id integer primary key{}); {}", columns(1_999, "integer"), fill(1_999, 20)),
    );
    desk.sync("files", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), "");
    check(&desk, "files", &source, 20, "c1999");
    desk.sync("server", &desk.sqlite("s.sqlite"), &server.url, "");
    let ended = desk.rowsync(&["run", "server.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let error = ended.report()["tables"][0]["errors"][0].clone();
    assert!(error["message"].as_str().unwrap().contains("has 2000 columns"), "{error}");
    assert!(error["remedy"].as_str().unwrap().contains("exclude_fields"), "{error}");
    desk.sync("part", &desk.sqlite("s.sqlite"), &server.url, r#""fields": ["id", "c1999"],"#);
    assert_eq!(desk.run("part").totals(), (19, 0, 0));
}

#[test]
fn rows_that_are_null_but_for_their_key_are_rows() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("create table t (id integer primary key{});", columns(50, "integer")));
        source.run(&desk, "insert into t (id) with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) select i from n");
        desk.sync("nulls", &source.url(&desk), &target.url(&desk), r#""tables": ["t"],"#);
        check(&desk, "nulls", &source, 3_000, "c50");
    }
}

#[test]
fn a_key_of_ten_columns_is_searched_and_written() {
    let names: Vec<String> = (1..=10).map(|number| format!("k{number}")).collect();
    let declared: String = names.iter().map(|name| format!("{name} integer not null, ")).collect();
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(
            &desk,
            &format!("create table t ({declared} id integer, v integer, primary key ({}));", names.join(", ")),
        );
        // All but the last parts of the key are equal for many rows.
        let parts: Vec<String> = (1..=10).map(|place| format!("i / {}", 3_u32.pow(10 - place))).collect();
        source.run(&desk, &format!(
            "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) select {}, i, i from n",
            parts.join(", ")
        ));
        desk.sync("ten", &source.url(&desk), &target.url(&desk), r#""tables": ["t"],"#);
        check(&desk, "ten", &source, 20_000, "v");
    }
}

#[test]
fn texts_of_a_megabyte_are_moved_and_compared() {
    for (source, target) in sides() {
        let desk = Desk::new();
        let is_file = matches!(source, Side::File(_));
        let text = if is_file { "replace(printf('%.*c', 1000000, 'x'), 'x', 'y')" } else { "repeat('y', 1000000)" };
        source.run(&desk, &format!(
            "create table t (id integer primary key, w text, v integer);
             insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 20) select i, {text} || i, i from n"
        ));
        desk.sync(
            "long",
            &source.url(&desk),
            &target.url(&desk),
            r#""tables": ["t"], "max_bytes_in_flight": "8 MiB","#,
        );
        check(&desk, "long", &source, 20, "v");
        source.run(&desk, "update t set w = w || '!' where id = 7");
        assert_eq!(desk.run("long").totals(), (0, 1, 0));
    }
}

#[test]
fn a_table_without_columns_is_refused_and_the_others_go_on() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql("create table none (); insert into none default values; create table t (id bigint primary key); insert into t values (1)");
    desk.sync("none", &source.url, &desk.sqlite("t.sqlite"), "");
    let ended = desk.rowsync(&["run", "none.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(1), (1, 0, 0)), "{}{}", ended.stdout, ended.stderr);
    let error = ended.report()["tables"][0]["errors"][0].clone();
    assert!(error["message"].as_str().unwrap().ends_with("none has no columns"), "{error}");
}

/// Bytes of a row that is larger than all that may be in flight, and how many of them are copied.
const ROW: u64 = 10 << 20;
const ROWS: u64 = 40;
#[test]
fn rows_larger_than_the_budget_take_the_memory_of_some_and_not_of_all() {
    for (source, target) in sides().into_iter().skip(1).take(2) {
        let desk = Desk::new();
        let (declared, bytes) = match source {
            Side::File(_) => ("blob", format!("zeroblob({ROW})")),
            Side::Server(_) => ("bytea", format!("decode(repeat('ab', {ROW}), 'hex')")),
        };
        let number = "n(i) as (select 1 union all select i + 1 from n where i";
        source.run(
            &desk,
            &format!(
                "create table t (id integer primary key, b {declared});
                 insert into t with recursive {number} < {ROWS}) select i, {bytes} from n"
            ),
        );
        let more = r#""max_bytes_in_flight": "8 MiB", "listen": "127.0.0.1:0","#;
        desk.sync("large", &source.url(&desk), &target.url(&desk), more);
        let server = Server::start(&desk, &["large.json"]);
        let before = server.memory_peak();
        let report = server.run("large");
        let table = &report["tables"][0];
        assert_eq!((&table["added"], &table["verified"]), (&ROWS.into(), &true.into()), "{report}");
        // A change is found by comparing all of them.
        source.run(&desk, "update t set b = null where id = 7");
        assert_eq!(server.run("large")["totals"]["modified"], 1);
        let taken = server.memory_peak() - before;
        // Every page that is read ahead holds one row, whatever the budget, and some buffers of it beside; measured were
        // about 15 to 25 times a row, for 8 rows as for 40.
        assert!(taken < ROWS * ROW / 4 * 3, "{} MiB", taken >> 20);
    }
}

/// Bytes of a value that is far larger than all that may be in flight, and how many of them there are.
const HUGE: u64 = 100 << 20;
const HUGE_ROWS: u64 = 2;
const BUDGET: u64 = 4 << 20;
/// Of such values a copy may hold so many at once, with the proof of the page before; measured were 3.4 to 6.5.
const HELD_BY_A_COPY: u64 = 8;
/// A compare that finds one changed holds rows of both sides; measured were 6.3 to 7.8.
const HELD_BY_A_COMPARE: u64 = 9;

#[test]
fn values_of_a_hundred_megabytes_are_copied_compared_and_proven_in_the_memory_of_some() {
    for (source, target) in sides() {
        let desk = Desk::new();
        let half = HUGE / 2;
        let (declared, bytes, changed) = match source {
            Side::File(_) => (
                "blob",
                format!("zeroblob({HUGE})"),
                format!("cast(zeroblob({half}) || x'07' || zeroblob({half} - 1) as blob)"),
            ),
            Side::Server(_) => {
                ("bytea", format!("decode(repeat('00', {HUGE}), 'hex')"), format!("set_byte(b, {half}, 7)"))
            }
        };
        let numbers = format!("n(i) as (select 1 union all select i + 1 from n where i < {HUGE_ROWS})");
        source.run(
            &desk,
            &format!(
                "create table t (id integer primary key, b {declared});
                 insert into t with recursive {numbers} select i, {bytes} from n"
            ),
        );
        let more = format!(r#""tables": ["t"], "max_bytes_in_flight": {BUDGET}, "listen": "127.0.0.1:0","#);
        desk.sync("huge", &source.url(&desk), &target.url(&desk), &more);
        let server = Server::start(&desk, &["huge.json"]);
        let before = server.memory_peak();
        let stays_within = |held: u64| {
            let taken = server.memory_peak() - before;
            assert!(taken < BUDGET + held * HUGE, "{} MiB", taken >> 20);
        };
        let report = server.run("huge");
        stays_within(HELD_BY_A_COPY);
        let table = &report["tables"][0];
        assert_eq!((&table["added"], &table["verified"]), (&HUGE_ROWS.into(), &true.into()), "{report}");
        assert_eq!(desk.verify_code("huge"), Some(0));
        // One byte in the middle.
        source.run(&desk, &format!("update t set b = {changed} where id = 2"));
        assert_eq!(desk.verify_code("huge"), Some(3));
        assert_eq!(server.run("huge")["totals"]["modified"], 1);
        stays_within(HELD_BY_A_COMPARE);
    }
}
