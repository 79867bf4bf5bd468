//! Sources and targets that are no plain tables, or have no plain columns: views, partitions, heirs, tables without a
//! rowid, columns that the database fills, types that somebody made.

use crate::support::{Database, Desk, Side, sides};

const ROWS: &str = "select id || '|' || coalesce(v, '-') from t order by id";

/// What a run brings, what the next one does, and what changes bring.
fn check(desk: &Desk, name: &str, rows: u64, change: impl Fn(), changed: (u64, u64, u64)) {
    assert_eq!(desk.run(name).totals(), (rows, 0, 0), "{name}");
    assert_eq!(desk.run(name).totals(), (0, 0, 0), "{name}");
    change();
    assert_eq!(desk.run(name).totals(), changed, "{name}");
    assert_eq!(desk.verify_code(name), Some(0), "{name}");
}

const PRODUCTS: &str = "create table product (id integer primary key, v varchar(40) collate \"C\", gone boolean);
     create view shown as select id, v, upper(v) as loud from product where not gone;
     insert into product with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
       select i, 'v' || i, i % 3 = 0 from n;";

#[test]
fn a_view_is_a_source_once_its_key_is_named() {
    for (source, target) in sides() {
        let desk = Desk::new();
        let file = matches!(source, Side::File(_));
        source
            .run(&desk, &if file { PRODUCTS.replace("collate \"C\"", "collate nocase") } else { PRODUCTS.to_owned() });
        for (table, key) in [("by_id", "id"), ("by_text", "v")] {
            let unkeyed = format!(r#""tables": [{{ "name": "shown", "target": "{table}" }}],"#);
            desk.sync("unkeyed", &source.url(&desk), &target.url(&desk), &unkeyed);
            let ended = desk.rowsync(&["plan", "unkeyed.json"]);
            assert!(ended.stdout.contains("primary_key_field"), "{}{}", ended.stdout, ended.stderr);
            let keyed = format!(
                r#""tables": [{{ "name": "shown", "target": "{table}", "primary_key_field": "{key}" }}], "max_delete_percent": 100,"#
            );
            desk.sync(table, &source.url(&desk), &target.url(&desk), &keyed);
            assert!(!desk.rowsync(&["check", &format!("{table}.json")]).stdout.contains("INDEX"));
            let change = || {
                source.run(
                    &desk,
                    "update product set gone = true where id = 1; update product set gone = false where id = 3;
                    update product set v = 'V2' where id = 2",
                );
            };
            let changed = if key == "id" { (1, 1, 1) } else { (2, 0, 2) };
            check(&desk, table, 2000, change, changed);
            source.run(&desk, "update product set gone = id % 3 = 0; update product set v = 'v' || id");
        }
    }
}

#[test]
fn a_key_that_does_not_tell_the_rows_of_a_view_apart_is_told() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(
            &desk,
            "create table p (id integer primary key, k integer, v varchar(9)); insert into p values (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');
             create view shown as select k, v from p",
        );
        desk.sync(
            "double",
            &source.url(&desk),
            &target.url(&desk),
            r#""tables": [{ "name": "shown", "primary_key_field": "k" }],"#,
        );
        let ended = desk.rowsync(&["run", "double.json"]);
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        let table = ended.report()["tables"][0].clone();
        assert_eq!(
            (&table["verified"], table["errors"].as_array().unwrap().is_empty()),
            (&false.into(), false),
            "{table}"
        );
    }
}

#[test]
fn a_view_is_no_target() {
    for target in [Side::File("t.sqlite"), Side::Server(Database::new())] {
        let desk = Desk::new();
        desk.in_sqlite("s.sqlite", "create table t (id integer primary key, v text); insert into t values (1, 'a')");
        target.run(&desk, "create table p (id integer primary key, v varchar(9)); create view t as select id, v from p group by id, v");
        desk.sync("view", &desk.sqlite("s.sqlite"), &target.url(&desk), r#""primary_key_field": "id","#);
        let ended = desk.rowsync(&["run", "view.json"]);
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        let error = ended.report()["tables"][0]["errors"][0].clone();
        assert!(error.to_string().contains("view"), "{error}");
        assert_eq!(error["class"], "schema", "{error}");
    }
}

#[test]
fn a_materialized_view_is_a_source() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql(
        "create table p (id bigint primary key, v text); insert into p select i, 'v' || i from generate_series(1, 2000) i;
         create materialized view t as select * from p; create unique index on t (id)",
    );
    desk.sync(
        "kept",
        &source.url,
        &desk.sqlite("t.sqlite"),
        r#""tables": [{ "name": "t", "primary_key_field": "id" }],"#,
    );
    let change = || drop(source.sql("update p set v = 'new' where id = 7; refresh materialized view t"));
    check(&desk, "kept", 2000, change, (0, 1, 0));
}

const PARTITIONED: &str = "create table t (id bigint, v text, primary key (id)) partition by range (id);
     create table t_low partition of t for values from (minvalue) to (1000);
     create table t_high partition of t for values from (1000) to (maxvalue) partition by hash (id);
     create table t_h0 partition of t_high for values with (modulus 2, remainder 0);
     create table t_h1 partition of t_high for values with (modulus 2, remainder 1);";

#[test]
fn a_partitioned_table_is_one_table_on_either_side() {
    let (desk, parts, plain) = (Desk::new(), Database::new(), Database::new());
    parts.sql(&format!("{PARTITIONED} insert into t select i, 'v' || i from generate_series(1, 3000) i"));
    desk.sync("from", &parts.url, &plain.url, "");
    let change = |database: &Database| {
        drop(database.sql(
            "update t set v = 'new' where id = 999; update t set id = 5000 where id = 1; delete from t where id = 2000",
        ));
    };
    check(&desk, "from", 3000, || change(&parts), (1, 1, 2));
    let back = Database::new();
    back.sql(PARTITIONED);
    desk.sync("to", &plain.url, &back.url, "");
    check(
        &desk,
        "to",
        2999,
        || drop(plain.sql("update t set v = 'newer' where id = 998; update t set id = 1 where id = 5000")),
        (1, 1, 1),
    );
    assert_eq!(
        back.sql("select count(*) from only t_h0").parse::<u64>().unwrap()
            + back.sql("select count(*) from t_h1").parse::<u64>().unwrap(),
        2000
    );
    desk.sync(
        "file",
        &back.url,
        &desk.sqlite("t.sqlite"),
        r#""tables": ["t", { "name": "t_low", "primary_key_field": "id" }],"#,
    );
    check(&desk, "file", 2999 + 999, || change(&plain), (0, 0, 0));
}

/// As every query has them; here both are tables of the sync.
#[test]
fn rows_of_heirs_are_rows_of_their_parent() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql(
        "create table t (id bigint primary key, v text); create table heir (more text, primary key (id)) inherits (t);
         insert into t select i, 'v' || i from generate_series(1, 10) i; insert into heir select i, 'h' || i, 'm' from generate_series(11, 20) i",
    );
    desk.sync("heirs", &source.url, &desk.sqlite("t.sqlite"), "");
    let change = || drop(source.sql("update t set v = 'new' where id in (1, 11)"));
    check(&desk, "heirs", 30, change, (0, 3, 0));
    assert_eq!(Side::File("t.sqlite").lines(&desk, ROWS).len(), 20);
}

#[test]
fn tables_without_a_rowid_and_strict_ones_are_either_side() {
    for (kind, key) in [("without rowid", "integer"), ("strict", "integer"), ("strict, without rowid", "text")] {
        let (desk, server) = (Desk::new(), Database::new());
        let odd = format!("create table t (id {key} primary key, v text, b blob, r real) {kind};");
        let fill = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
            insert into t select i, 'v' || i, x'00ff', i / 2.0 from n;";
        desk.in_sqlite("s.sqlite", &format!("{odd} {fill}"));
        desk.in_sqlite("t.sqlite", &odd);
        desk.sync("out", &desk.sqlite("s.sqlite"), &server.url, "");
        desk.sync("back", &server.url, &desk.sqlite("t.sqlite"), "");
        let change = || {
            desk.in_sqlite("s.sqlite", "update t set v = 'new', r = null where id = '7'; delete from t where id = '8'")
        };
        check(&desk, "out", 2000, change, (0, 1, 1));
        check(&desk, "back", 1999, || drop(server.sql("update t set b = null where id = '9'")), (0, 1, 0));
        assert_eq!(desk.dump("t.sqlite", "t")[6], desk.dump("s.sqlite", "t")[6], "{kind}");
    }
}

#[test]
fn columns_that_the_database_fills_are_left_to_it_or_keep_the_sources_numbers() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(
        "create table t (id bigint generated always as identity primary key, n int, v text, twice int generated always as (n * 2) stored,
            number int generated by default as identity);
         insert into t (n, v) select i, 'v' || i from generate_series(1, 2000) i; delete from t where id % 7 = 0",
    );
    desk.sync("out", &source.url, &target.url, "");
    target.sql(
        "create table t (id bigint generated always as identity primary key, n int, v text, twice int generated always as (n * 3) stored,
            number int generated by default as identity)",
    );
    let rows = 2000 - 2000 / 7;
    check(
        &desk,
        "out",
        rows,
        || drop(source.sql("update t set n = 0 where id = 1; insert into t (n) values (1)")),
        (1, 1, 0),
    );
    assert_eq!(target.sql("select twice || '|' || id from t order by id desc limit 1"), "3|2001");
    // The next number is one that nobody has.
    target.sql("insert into t (n) values (5)");
    assert_eq!(target.sql("select max(id) from t"), "2002");
    desk.in_sqlite(
        "t.sqlite",
        "create table t (id integer primary key autoincrement, n int, v text, twice int as (n + 1) virtual, thrice int as (n + 2) stored,
            number int)",
    );
    desk.sync("file", &source.url, &desk.sqlite("t.sqlite"), r#""exclude_fields": ["twice"],"#);
    assert_eq!(desk.run("file").totals(), (rows + 1, 0, 0));
    desk.sync("back", &desk.sqlite("t.sqlite"), &target.url, r#""max_delete_percent": 100,"#);
    assert_eq!(desk.run("back").totals(), (0, 0, 1));
}

#[test]
fn types_that_somebody_made_are_moved_and_compared() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    let types = "create type mood as enum ('sad', 'Ok', 'it''s'); create domain small as int check (value < 100);
        create domain named as text not null default 'x' collate \"C\"; create domain smaller as small;
        create type spot as (x int, y text); create type span as range (subtype = float8);
        create domain moody as mood;";
    let table = "create table t (id smaller primary key, m mood, n named, s smaller, p spot, r span, a int[][], ms mood[], ps spot[],
        d moody, ns small[]);";
    let fill = "insert into t select i, (enum_range(null::mood))[1 + i % 3], 'n' || i, i, row(i, 'a,\"b\" (c)'::text)::spot, span(i, i + 0.5), '{{1,2},{3,null}}',
        '{sad,NULL}', array[row(1, 'x')::spot, null], 'it''s', '{1,2}' from generate_series(1, 99) i; update t set m = null, p = null where id = 5;";
    source.sql(&format!("{types} {table} {fill}"));
    target.sql(types);
    desk.sync("types", &source.url, &target.url, "");
    let change = || {
        drop(source.sql("update t set p.x = 7 where id = 1; update t set ms = '{}' where id = 2; update t set d = 'sad' where id = 3"))
    };
    check(&desk, "types", 99, change, (0, 3, 0));
    let dump = |database: &Database| database.sql("select t::text from t order by id");
    assert_eq!(dump(&source), dump(&target));
    desk.sync("file", &target.url, &desk.sqlite("t.sqlite"), "");
    desk.sync("again", &desk.sqlite("t.sqlite"), &source.url, "");
    assert_eq!(desk.run("file").totals(), (99, 0, 0));
    assert_eq!(desk.run("again").totals(), (0, 0, 0));
    // A domain's own rule is one of the target.
    desk.in_sqlite(
        "t.sqlite",
        "update t set s = 100 where id = 50; update t set m = 'new' where id = 51; update t set p = '(' where id = 52",
    );
    let ended = desk.rowsync(&["run", "again.json"]);
    assert_eq!(
        (ended.code, ended.totals(), &ended.report()["totals"]["failed"]),
        (Some(1), (0, 0, 0), &3.into()),
        "{}",
        ended.stdout
    );
}

/// SQLite makes 1.0 of a 1 there.
#[test]
fn a_boolean_in_a_column_of_floats_is_still_one() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql(
        "create table t (id bigint primary key, v boolean); insert into t values (1, true), (2, false), (3, null)",
    );
    desk.in_sqlite("t.sqlite", "create table t (id integer primary key, v real)");
    desk.sync("real", &source.url, &desk.sqlite("t.sqlite"), "");
    check(&desk, "real", 3, || drop(source.sql("update t set v = not v where id = 1")), (0, 1, 0));
}
