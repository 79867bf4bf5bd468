//! Columns whose values are made: `expressions`, defaults in place of NULL, and `on_lossy`.

use crate::support::{Database, Desk, Ended, Side, sides};

const PEOPLE: &str =
    "create table person (id integer primary key, first varchar(20), last varchar(20), doc text, born integer,
       modify_time timestamp);
     insert into person values (1, ' Ana ', 'Ölsson', '{\"a\": {\"b\": [\"x\", 7]}}', 1990, '2024-01-01 00:00:00'),
       (2, 'BEN', null, null, 1985, '2024-01-02 00:00:00');";
const MANY: &str = "insert into person select i, ' P' || i || ' ', 'Q' || i, '{\"a\": {\"b\": [\"y\", ' || i || ']}}', 1900, '2024-01-01 00:00:00'
     from (with recursive n(i) as (select 10 union all select i + 1 from n where i < 3009) select i from n) as n";
const CARDS: &str =
    "create table card (id integer primary key, whole varchar(60), low varchar(20), code varchar(20), kind varchar(20),
       part varchar(20), number integer, age integer, born integer, modify_time timestamp)";
const CARD: &str =
    "select id || '|' || coalesce(whole, '-') || '|' || coalesce(low, '-') || '|' || coalesce(code, '-') || '|' || kind
       || '|' || coalesce(part, '-') || '|' || coalesce(number, -1) || '|' || age || '|' || born from card";
const MADE: &str = r#""tables": [{ "name": "person", "target": "card", "create_missing_tables": false,
    "exclude_fields": ["first", "last", "doc"], "expressions": {
      "whole": { "concat": [{ "trim": "first" }, { "constant": " " }, "last"] },
      "LOW": { "lower": { "trim": "first" } }, "code": { "upper": { "coalesce": ["last", { "constant": "none" }] } },
      "kind": { "constant": "person" }, "part": { "json": "doc", "path": "a.b.0" }, "number": { "json": "doc", "path": "$.a.b.1" },
      "age": { "sql": "2024 - born -- in that year" } } }],"#;

/// Both sides with what has to be there, and a run that makes the target from it.
fn filled(source: &Side, target: &Side, tables: [&str; 2], name: &str, more: &str) -> Desk {
    let desk = Desk::new();
    source.run(&desk, tables[0]);
    target.run(&desk, tables[1]);
    desk.sync(name, &source.url(&desk), &target.url(&desk), more);
    desk
}

/// Nothing is left to do, by any way of looking.
fn is_equal(desk: &Desk, name: &str) {
    assert_eq!(desk.run(name).totals(), (0, 0, 0));
    let whole = desk.rowsync(&["run", &format!("{name}.json"), "--set", "sync_all=true"]);
    assert_eq!((whole.code, whole.totals()), (Some(0), (0, 0, 0)), "{}", whole.stdout);
    assert_eq!(desk.verify_code(name), Some(0));
}

#[test]
fn columns_are_made_of_what_the_source_has() {
    for (source, target) in sides() {
        let desk = filled(&source, &target, [PEOPLE, CARDS], "made", MADE);
        assert_eq!(desk.run("made").totals(), (2, 0, 0));
        let ana = "1|Ana Ölsson|ana|ÖLSSON|person|x|7|34|1990";
        assert_eq!(target.lines(&desk, &format!("{CARD} order by id")), [ana, "2|-|ben|NONE|person|-|-1|39|1985"]);
        is_equal(&desk, "made");
        // What makes no difference to what is made is none.
        source.run(&desk, "update person set first = 'Ana', doc = '{\"a\":{\"b\":[\"x\",7,8]}}' where id = 1");
        is_equal(&desk, "made");
        source.run(
            &desk,
            "update person set last = 'B' where id = 2; insert into person values (3, 'c', 'd', '{}', 2000, null)",
        );
        target.run(&desk, "update card set kind = 'changed', number = 8 where id = 1; insert into card (id, kind, age, born) values (9, 'x', 1, 1)");
        assert_eq!(desk.verify_code("made"), Some(3));
        assert_eq!(desk.run("made").totals(), (1, 2, 1));
        let rows = [ana, "2|BEN B|ben|B|person|-|-1|39|1985", "3|c d|c|D|person|-|-1|24|2000"];
        assert_eq!(target.lines(&desk, &format!("{CARD} order by id")), rows);
        is_equal(&desk, "made");
    }
}

#[test]
fn made_columns_are_searched_replaced_and_followed_like_others() {
    for (source, target) in sides() {
        let desk = filled(&source, &target, [&format!("{PEOPLE} {MANY}"), CARDS], "made", MADE);
        assert_eq!(desk.run("made").totals(), (3002, 0, 0));
        source.run(&desk, "update person set last = 'new' where id = 1500");
        target.run(&desk, "update card set part = 'z' where id = 2500; delete from card where id = 20");
        for method in ["stream", "ordered"] {
            let looked = desk.rowsync(&[
                "run",
                "made.json",
                "--set",
                &format!("compare_method={method}"),
                "--set",
                "only_sync_plan=true",
            ]);
            assert_eq!(looked.code, Some(0), "{}", looked.stderr);
        }
        assert_eq!(desk.run("made").totals(), (1, 2, 0));
        assert_eq!(
            target.lines(&desk, &format!("{CARD} where id = 1500")),
            ["1500|P1500 new|p1500|NEW|person|y|1500|124|1900"]
        );
        is_equal(&desk, "made");
        target.run(&desk, "update card set low = 'z' where id = 30");
        let full = desk.rowsync(&["run", "made.json", "--set", "sync_strategy=full"]);
        assert_eq!(full.code, Some(0), "{}", full.stdout);
        is_equal(&desk, "made");
        source.run(&desk, "update person set last = 'later', modify_time = '2024-05-05 00:00:00' where id in (1, 40)");
        let followed = desk.rowsync(&["run", "made.json", "--set", "sync_strategy=incremental"]);
        assert_eq!((followed.code, followed.totals()), (Some(0), (0, 2, 0)), "{}", followed.stdout);
        is_equal(&desk, "made");
    }
}

#[test]
fn made_columns_follow_a_log_of_changes() {
    for (source, target) in sides() {
        let followed = format!(r#""sync_strategy": "incremental", "change_tracking": "triggers", {MADE}"#);
        let desk = filled(&source, &target, [PEOPLE, CARDS], "made", &followed);
        let tracked = desk.rowsync(&["track", "made.json", "install"]);
        assert_eq!(tracked.code, Some(0), "{}{}", tracked.stdout, tracked.stderr);
        desk.run("made");
        source.run(&desk, "update person set first = 'Eva' where id = 1; delete from person where id = 2");
        let ended = desk.run("made");
        assert_eq!((ended.totals(), ended.report()["tables"][0]["method"].as_str()), ((0, 1, 1), Some("incremental")));
        assert_eq!(target.lines(&desk, CARD), ["1|Eva Ölsson|eva|ÖLSSON|person|x|7|34|1990"]);
        is_equal(&desk, "made");
    }
}

#[test]
fn a_row_whose_made_value_does_not_fit_is_put_aside() {
    for (source, target) in sides().into_iter().filter(|(_, target)| matches!(target, Side::Server(_))) {
        let desk = filled(
            &source,
            &target,
            [PEOPLE, "create table card (id integer primary key, age integer, born integer)"],
            "odd",
            r#""tables": [{ "name": "person", "target": "card", "fields": ["id", "born"], "expressions": { "age": "first" } }],"#,
        );
        source.run(&desk, "update person set first = ' 41 ' where id = 1");
        let ended = desk.rowsync(&["run", "odd.json"]);
        assert_eq!((ended.code, ended.totals()), (Some(1), (1, 0, 0)), "{}", ended.stdout);
        assert_eq!(target.lines(&desk, "select id || '|' || age from card"), ["1|41"]);
    }
}

fn refused(desk: &Desk, source: &Side, target: &Side, more: &str) -> Ended {
    desk.sync("wrong", &source.url(desk), &target.url(desk), more);
    desk.rowsync(&["check", "wrong.json"])
}

#[test]
fn what_cannot_be_made_is_refused_before_anything_is_touched() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, PEOPLE);
        let table = PEOPLE.split("insert").next().unwrap();
        target.run(&desk, &table.replace("born integer", "born integer not null"));
        let check = |keys: &str, expected: &str| {
            let more = format!(r#""tables": [{{ "name": "person", {keys} }}],"#);
            let ended = refused(&desk, &source, &target, &more);
            assert_eq!(ended.code, Some(2), "{keys}: {}", ended.stdout);
            let told = format!("{}{}", ended.stdout, ended.stderr);
            assert!(told.contains(expected), "{keys}: {told}");
        };
        check(r#""expressions": { "first": { "sql": "nobody + 1" } }"#, "expressions.first");
        check(r#""expressions": { "first": { "sql": "count(*)" } }"#, "expressions.first");
        check(r#""expressions": { "first": { "trimm": "first" } }"#, "expected a column of the source");
        check(r#""expressions": { "first": "nobody" }"#, "no column nobody for the expression of first");
        check(r#""expressions": { "nobody": "first" }"#, "no column nobody");
        check(r#""expressions": { "id": { "constant": 1 } }"#, "key");
        check(r#""expressions": { "modify_time": { "constant": null } }"#, "tells when a row");
        check(r#""expressions": { "last": "first" }, "sync_strategy": "merge""#, "one direction");
        check(
            r#""expressions": { "last": "first" }, "record_type_field": "last", "record_types": ["a"]"#,
            "kinds of records",
        );
        check(r#""on_lossy": { "first": "ignore" }"#, "expected one of `error`, `round`, `null`");
        check(r#""on_lossy": { "nobody": "round" }"#, "no column nobody");
        check(r#""on_lossy": { "id": "round" }"#, "key");
        check(r#""set_default_value": true, "default_values": { "born": { "a": 1 } }"#, "none of its values");
    }
}

#[test]
fn null_becomes_the_default_where_the_target_takes_none() {
    const SOURCE: &str = "create table t (id integer primary key, v varchar(9), n integer); insert into t values (1, null, 1), (2, 'b', null)";
    const TARGET: &str = "create table t (id integer primary key, v varchar(9) not null, n integer)";
    for (source, target) in sides() {
        let desk = filled(
            &source,
            &target,
            [SOURCE, TARGET],
            "nulls",
            r#""tables": [{ "name": "t", "set_default_value": true, "default_values": { "v": "none", "n": 5 } }],"#,
        );
        let ended = desk.run("nulls");
        assert_eq!(ended.totals(), (2, 0, 0));
        let lines = || target.lines(&desk, "select id || v || coalesce(n, -1) from t order by id");
        // What may be NULL stays NULL.
        assert_eq!(lines(), ["1none1", "2b-1"]);
        is_equal(&desk, "nulls");
        source.run(&desk, "update t set v = null where id = 2");
        assert_eq!(desk.run("nulls").totals(), (0, 1, 0));
        assert_eq!(lines(), ["1none1", "2none-1"]);
        is_equal(&desk, "nulls");
    }
}

const PRICES: &str = "create table t (id integer primary key, price numeric(12, 4), name varchar(20));
     insert into t values (1, 1.2345, 'four'), (2, 2.5, 'ok'), (3, 123456.25, 'wide'), (4, null, null)";
const NARROW: &str = "create table t (id integer primary key, price numeric(6, 2), name varchar(3))";
const LINES: &str = "select id || '|' || coalesce(price, -1) || '|' || coalesce(name, '-') from t order by id";

fn on_lossy(words: &str) -> String {
    format!(r#""tables": [{{ "name": "t", "on_lossy": {{ {words} }} }}],"#)
}

#[test]
fn what_does_not_fit_is_null_where_its_column_says_so() {
    for (source, target) in sides() {
        let desk = filled(&source, &target, [PRICES, NARROW], "null", &on_lossy(r#""PRICE": "null", "name": "null""#));
        assert_eq!(desk.run("null").totals(), (4, 0, 0));
        let lines: Vec<String> =
            target.lines(&desk, LINES).into_iter().map(|line| line.replace("2.50|", "2.5|")).collect();
        assert_eq!(lines, ["1|-1|-", "2|2.5|ok", "3|-1|-", "4|-1|-"]);
        is_equal(&desk, "null");
        source.run(&desk, "update t set price = 1.5 where id = 1");
        assert_eq!(desk.run("null").totals(), (0, 1, 0));
        is_equal(&desk, "null");
    }
}

/// Whatever a type does not take, also where it has no bounds that could be written down.
#[test]
fn what_is_none_of_its_type_is_null_where_its_column_says_so() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(
        "create table t (id int primary key, price numeric, code text, yes int, doc text);
         insert into t values (1, 'Infinity', 'none', 2, '{'), (2, '-Infinity', null, 0, null),
           (3, 'NaN', '00000000-0000-0000-0000-000000000001', 1, '{}')",
    );
    target.sql("create table t (id int primary key, price numeric(6, 2), code uuid, yes bool, doc jsonb)");
    let words = r#""price": "null", "code": "null", "yes": "null", "doc": "null""#;
    desk.sync("none", &source.url, &target.url, &on_lossy(words));
    assert_eq!(desk.run("none").totals(), (3, 0, 0));
    let row = "select string_agg(concat_ws('|', id, price, code, yes, doc), ' ' order by id) from t";
    assert_eq!(target.sql(row), "1 2|f 3|NaN|00000000-0000-0000-0000-000000000001|t|{}");
    is_equal(&desk, "none");
}

#[test]
fn what_does_not_fit_is_rounded_where_its_column_says_so() {
    for (source, target) in sides() {
        let desk =
            filled(&source, &target, [PRICES, NARROW], "round", &on_lossy(r#""price": "round", "name": "round""#));
        source.run(&desk, "update t set price = 9 where id = 3");
        assert_eq!(desk.run("round").totals(), (4, 0, 0));
        assert_eq!(
            target.lines(&desk, "select id || name from t where price < 1.235 or price between 2.4 and 9 order by id"),
            ["1fou", "2ok", "3wid"]
        );
        is_equal(&desk, "round");
        source.run(&desk, "update t set price = 1.2349, name = 'fours' where id = 1");
        is_equal(&desk, "round");
    }
}

#[test]
fn what_does_not_fit_is_an_error_of_its_row_where_its_column_says_so() {
    for (source, target) in sides() {
        let desk =
            filled(&source, &target, [PRICES, NARROW], "strict", &on_lossy(r#""price": "error", "name": "error""#));
        for added in [2, 0] {
            let ended = desk.rowsync(&["run", "strict.json"]);
            assert_eq!((ended.code, ended.totals()), (Some(1), (added, 0, 0)), "{}", ended.stdout);
            let report = ended.report();
            assert_eq!(report["tables"][0]["failed"], 2, "{}", ended.stdout);
            let error = &report["tables"][0]["errors"][0];
            assert_eq!(error["class"], "data", "{error}");
            assert!(error["message"].as_str().unwrap().contains("without a loss"), "{error}");
        }
        assert_eq!(target.lines(&desk, "select id || '' from t order by id"), ["2", "4"]);
        assert_eq!(desk.verify_code("strict"), Some(3));
        // One that fits by now is taken, and one that does not any more is left as it was.
        source.run(&desk, "update t set price = 1.5, name = 'one' where id = 1; update t set price = 2.512 where id = 2; delete from t where id = 3");
        let ended = desk.rowsync(&["run", "strict.json"]);
        assert_eq!((ended.code, ended.totals()), (Some(1), (1, 0, 0)), "{}", ended.stdout);
        assert_eq!(target.lines(&desk, "select id || '' from t where price = 2.5"), ["2"]);
    }
}

const DOCUMENTS: &str = "create table t (id integer primary key, doc json)";
const DOCUMENT_ROWS: &str = "select id || '|' || coalesce(replace(doc || '', ' ', ''), '-') from t order by id";

#[test]
fn keys_of_documents_that_only_the_target_has_stay() {
    for (source, target) in sides() {
        let desk = filled(&source, &target, [DOCUMENTS, DOCUMENTS], "kept", r#""copy_all_json_keys": false,"#);
        source.run(&desk, r#"insert into t values (1, '{"a": 1, "in": {"b": 2}}'), (2, '{"a": 1}'), (3, '[1]'), (4, null), (5, '{"a": 5}')"#);
        target.run(&desk, r#"insert into t values (1, '{"in": {"mine": 3}, "z": 1.50}'), (2, '{"a": 1, "z": 2}'), (3, '{"z": 3}'), (4, '{"z": 4}')"#);
        assert_eq!(desk.run("kept").totals(), (1, 3, 0));
        let rows = || target.lines(&desk, DOCUMENT_ROWS);
        let merged = r#"1|{"a":1,"in":{"b":2,"mine":3},"z":1.50}"#;
        assert_eq!(rows(), [merged, r#"2|{"a":1,"z":2}"#, "3|[1]", "4|-", r#"5|{"a":5}"#]);
        is_equal(&desk, "kept");
        // Another key of the target's makes no difference, another value of the source's does.
        target.run(&desk, r#"update t set doc = '{"a": 5, "q": 1}' where id = 5"#);
        is_equal(&desk, "kept");
        source.run(&desk, r#"update t set doc = '{"a": 6}' where id = 5; delete from t where id = 2"#);
        assert_eq!(desk.verify_code("kept"), Some(3));
        assert_eq!(desk.run("kept").totals(), (0, 1, 1));
        assert_eq!(rows(), [merged, "3|[1]", "4|-", r#"5|{"a":6,"q":1}"#]);
        is_equal(&desk, "kept");
        let full = desk.rowsync(&["check", "kept.json", "--set", "sync_strategy=full"]);
        assert_eq!(full.code, Some(2), "{}", full.stdout);
    }
}

#[test]
fn a_table_that_is_made_has_the_columns_that_only_expressions_name() {
    for (source, target) in sides() {
        let desk =
            filled(&source, &target, [PEOPLE, ""], "made", &MADE.replace("\"create_missing_tables\": false,", ""));
        assert!(desk.rowsync(&["schema", "made.json"]).stdout.contains("whole"));
        assert_eq!(desk.run("made").totals(), (2, 0, 0));
        let card = CARD.replace("coalesce(number, -1)", "coalesce(number, '-1')").replace("low", "\"LOW\"");
        let rows = ["1|Ana Ölsson|ana|ÖLSSON|person|x|7|34|1990", "2|-|ben|NONE|person|-|-1|39|1985"];
        assert_eq!(target.lines(&desk, &format!("{card} order by id")), rows);
        is_equal(&desk, "made");
    }
}
