//! What a copy proves: pages behind the first are read back in the target's own bytes.

use crate::support::{Database, Desk};

/// Pages of a hundred rows, so that most of a thousand are read back byte by byte.
const SMALL_PAGES: &str = r#""batch_size": 100,"#;

const ITEMS: &str = "create table items (id integer primary key, name text, price numeric(12,2), seen timestamp)";

fn fill_sqlite(desk: &Desk, file: &str) {
    desk.in_sqlite(
        file,
        &format!(
            "{ITEMS}; with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
             insert into items select i, 'name ' || i, i / 4.0, datetime(i * 1000, 'unixepoch') from n"
        ),
    );
}

fn filled_postgres() -> Database {
    let database = Database::new();
    database.sql(&format!(
        "{ITEMS}; insert into items
         select i, 'name ' || i, i / 4.0, timestamp '1970-01-01' + i * interval '1000 s' from generate_series(1, 1000) i"
    ));
    database
}

/// Empty, and changes one of the rows that come: not one of the first page.
fn meddling_postgres() -> Database {
    let database = Database::new();
    database.sql(&format!(
        "{ITEMS}; create function meddle() returns trigger language plpgsql as
         'begin if new.id = 901 then new.price := new.price + 0.01; end if; return new; end';
         create trigger meddle before insert on items for each row execute function meddle()"
    ));
    database
}

fn meddling_sqlite(desk: &Desk, file: &str) -> String {
    desk.in_sqlite(
        file,
        &format!(
            "{ITEMS}; create trigger meddle after insert on items when new.id = 901
             begin update items set price = price + 0.01 where id = 901; end"
        ),
    );
    desk.sqlite(file)
}

#[test]
fn a_row_that_the_target_changes_while_it_is_copied_is_found_and_mended() {
    let desk = Desk::new();
    fill_sqlite(&desk, "source.sqlite");
    let (lite, source) = (desk.sqlite("source.sqlite"), filled_postgres());
    let (first, second) = (meddling_postgres(), meddling_postgres());
    for (name, from, to) in [
        ("lite_to_pg", &lite, &first.url),
        ("pg_to_pg", &source.url, &second.url),
        ("lite_to_lite", &lite, &meddling_sqlite(&desk, "first.sqlite")),
        ("pg_to_lite", &source.url, &meddling_sqlite(&desk, "second.sqlite")),
    ] {
        desk.sync(name, from, to, SMALL_PAGES);
        assert_eq!(desk.run(name).totals(), (1000, 1, 0), "{name}");
        assert_eq!(desk.verify_code(name), Some(0), "{name}");
    }
    assert_eq!(first.sql("select price from items where id = 901"), "225.25");
}

#[test]
fn values_that_the_target_spells_otherwise_are_equal_after_a_copy() {
    let desk = Desk::new();
    let target = Database::new();
    // The server orders the keys of jsonb, and puts spaces between them.
    target.sql("create table items (id bigint primary key, j jsonb, n numeric, c char(5), t time(0))");
    desk.in_sqlite(
        "source.sqlite",
        r#"create table items (id integer primary key, j json, n numeric, c text, t time);
           with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
           insert into items select i, '{"zz":' || i || ',"a":[1.0,1e2]}', i / 8.0, substr('abcde', 1, i % 6), '10:00:00' from n"#,
    );
    desk.sync("spelled", &desk.sqlite("source.sqlite"), &target.url, SMALL_PAGES);
    assert_eq!(desk.run("spelled").totals(), (1000, 0, 0));
    desk.sync("back", &target.url, &desk.sqlite("back.sqlite"), SMALL_PAGES);
    assert_eq!(desk.run("back").totals(), (1000, 0, 0));
    assert_eq!((desk.verify_code("spelled"), desk.verify_code("back")), (Some(0), Some(0)));
}

#[test]
fn a_file_is_copied_class_by_class() {
    let desk = Desk::new();
    desk.in_sqlite(
        "source.sqlite",
        "create table loose (id text primary key, any, n numeric, r real, t text);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
         insert into loose select 'k' || i, case i % 5 when 0 then i when 1 then i / 2.0 when 2 then '0' || i
            when 3 then x'00ff' end, i / 2.0, i, i from n",
    );
    desk.sync("loose", &desk.sqlite("source.sqlite"), &desk.sqlite("copy.sqlite"), SMALL_PAGES);
    assert_eq!(desk.run("loose").totals(), (1000, 0, 0));
    assert_eq!(desk.dump("copy.sqlite", "loose"), desk.dump("source.sqlite", "loose"));
}

#[test]
fn a_text_that_is_none_is_told_with_its_column() {
    let desk = Desk::new();
    desk.in_sqlite(
        "source.sqlite",
        "create table t (id integer primary key, name text); insert into t values (1, cast(x'ff' as text))",
    );
    desk.sync("broken", &desk.sqlite("source.sqlite"), &desk.sqlite("copy.sqlite"), "");
    let ended = desk.rowsync(&["run", "broken.json"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("column name holds a text that is not UTF-8"), "{}", ended.stdout);
}

/// Its rows are counted on their way; what the server believes beforehand decides nothing.
#[test]
fn a_large_table_whose_statistics_are_wrong_is_copied_whole() {
    let desk = Desk::new();
    let (source, target) = (Database::new(), Database::new());
    source.sql(
        "create table t (id bigint primary key, v text, seen timestamptz);
         insert into t select i, md5(i::text), now() from generate_series(1, 150000) i; analyze t;
         delete from t where id % 10 = 7",
    );
    target.sql("create table t (id bigint primary key, v text, seen timestamptz)");
    desk.sync("large", &source.url, &target.url, "");
    let first = desk.run("large");
    assert_eq!(first.totals(), (135_000, 0, 0));
    // The log tells the plan before anybody has counted.
    assert!(first.stderr.contains("source=about 150000 target=0"), "{}", first.stderr);
    let report = first.report();
    assert_eq!(report["tables"][0]["verified"], true);
    assert_eq!(report["tables"][0]["plan"]["source_count"], 135_000);
    assert_eq!(report["tables"][0]["plan"]["changed"], 135_000);
    assert_eq!(target.sql("select count(*) from t"), "135000");
    assert_eq!(desk.run("large").totals(), (0, 0, 0));
}

/// Its statistics are of no use where the target is not empty.
#[test]
fn a_large_target_that_is_not_empty_is_counted() {
    let desk = Desk::new();
    let (source, target) = (Database::new(), Database::new());
    let create = "create table t (id bigint primary key, v text);
        insert into t select i, md5(i::text) from generate_series(1, 150000) i; analyze t";
    source.sql(create);
    target.sql(create);
    target.sql("delete from t where id > 1");
    desk.sync("large", &source.url, &target.url, "");
    assert_eq!(desk.run("large").totals(), (149_999, 0, 0));
    assert_eq!(desk.verify_code("large"), Some(0));
}

/// By its statistics it has 150,000 rows, and so would be worth a run.
#[test]
fn whether_a_first_copy_is_worth_it_is_decided_by_counting() {
    let desk = Desk::new();
    let (source, target) = (Database::new(), Database::new());
    let create = "create table t (id bigint primary key) with (autovacuum_enabled = false)";
    source.sql(&format!(
        "{create}; insert into t select generate_series(1, 150000); analyze t; delete from t where id <= 50000"
    ));
    target.sql(create);
    desk.sync("few", &source.url, &target.url, r#""min_rows_to_sync": 120000,"#);
    let ended = desk.rowsync(&["run", "few.json"]);
    assert_eq!(ended.report()["tables"][0]["status"], "skipped");
    assert_eq!(target.sql("select count(*) from t"), "0");
}

/// Each page would be a scan of the whole table, were it a statement of its own.
#[test]
fn a_table_without_an_index_on_its_key_is_scanned_once_and_not_for_each_page() {
    let (desk, source) = (Desk::new(), filled_postgres());
    source.sql(
        "alter table items drop constraint items_pkey; alter table items alter column id set not null; analyze items",
    );
    let scans = "select seq_scan from pg_stat_user_tables where relname = 'items'";
    let before: u32 = source.sql(scans).parse().unwrap();
    let keyed = format!(r#"{SMALL_PAGES} "tables": [{{ "name": "items", "primary_key_field": "id" }}],"#);
    desk.sync("s", &source.url, &desk.sqlite("target.sqlite"), &keyed);
    assert_eq!(desk.run("s").totals(), (1000, 0, 0));
    // A server tells what its connections did when they have ended.
    while source.sql("select count(*) from pg_stat_activity where application_name = 'rowsync'") != "0" {
        std::thread::yield_now();
    }
    let scanned = source.sql(scans).parse::<u32>().unwrap() - before;
    assert!((1..=5).contains(&scanned), "{scanned} scans for ten pages");
}
