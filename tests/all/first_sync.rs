//! Real databases, end to end: a run makes them equal, a second run writes nothing, a third moves exactly the edits.

use crate::support::{CHINOOK, Database, Desk};

#[test]
fn chinook_from_sqlite_to_sqlite() {
    let desk = Desk::new();
    let source = desk.sample("chinook.sqlite");
    desk.sync("chinook", &source, &desk.sqlite("copy.sqlite"), "");
    assert_eq!(desk.run("chinook").totals(), (15_607, 0, 0));
    for table in CHINOOK {
        assert_eq!(desk.dump("copy.sqlite", table), desk.dump("chinook.sqlite", table), "{table}");
    }
    assert_eq!(desk.verify_code("chinook"), Some(0));
    assert_eq!(desk.run("chinook").totals(), (0, 0, 0));

    edit_chinook(&desk);
    assert_eq!(desk.verify_code("chinook"), Some(3));
    expect_chinook_edits(&desk, "chinook");
    for table in CHINOOK {
        assert_eq!(desk.dump("copy.sqlite", table), desk.dump("chinook.sqlite", table), "{table}");
    }
    assert_eq!(desk.run("chinook").totals(), (0, 0, 0));
}

/// An update, an insert, and the delete of a parent with its children.
fn edit_chinook(desk: &Desk) {
    desk.in_sqlite(
        "chinook.sqlite",
        "update Track set Name = 'Grüße, ''quoted''', UnitPrice = 1.5 where TrackId = 3000;
         insert into Genre values (26, 'Łódź Techno');
         delete from PlaylistTrack where PlaylistId = 17; delete from Playlist where PlaylistId = 17;",
    );
}

fn expect_chinook_edits(desk: &Desk, name: &str) {
    let third = desk.run(name);
    assert_eq!(third.table("Track"), (0, 1, 0));
    assert_eq!(third.table("Genre"), (1, 0, 0));
    assert_eq!(third.table("Playlist"), (0, 0, 1));
    assert_eq!(third.table("PlaylistTrack"), (0, 0, 26));
    assert_eq!(third.totals(), (1, 1, 27));
}

#[test]
fn chinook_from_sqlite_to_postgres_and_back() {
    let desk = Desk::new();
    let (warehouse, second) = (Database::new(), Database::new());
    let source = desk.sample("chinook.sqlite");
    desk.sync("out", &source, &warehouse.url, "");
    desk.sync("beside", &warehouse.url, &second.url, "");
    desk.sync("back", &warehouse.url, &desk.sqlite("back.sqlite"), "");
    assert_eq!(desk.run("out").totals(), (15_607, 0, 0));
    assert_eq!(desk.run("back").totals(), (15_607, 0, 0));
    for table in CHINOOK {
        assert_eq!(desk.dump("back.sqlite", table), desk.dump("chinook.sqlite", table), "{table}");
    }
    assert_eq!((desk.verify_code("out"), desk.verify_code("back")), (Some(0), Some(0)));
    assert_eq!((desk.run("out").totals(), desk.run("back").totals()), ((0, 0, 0), (0, 0, 0)));

    edit_chinook(&desk);
    expect_chinook_edits(&desk, "out");
    expect_chinook_edits(&desk, "back");
    for table in CHINOOK {
        assert_eq!(desk.dump("back.sqlite", table), desk.dump("chinook.sqlite", table), "{table}");
    }
    assert_eq!(desk.run("beside").totals(), (15_581, 0, 0));
    assert_eq!((desk.run("beside").totals(), desk.verify_code("beside")), ((0, 0, 0), Some(0)));
    // The foreign keys and indexes came along, and the target's own rules hold.
    let indexes = "select string_agg(indexdef, e'\\n' order by indexdef) from pg_indexes where schemaname = 'public'";
    assert_eq!(warehouse.sql(indexes), second.sql(indexes));
    assert_eq!(warehouse.sql("select count(*) from pg_indexes where indexname like 'IFK%'"), "11");
    assert_eq!(warehouse.sql("select count(*) from pg_constraint where contype = 'f'"), "11");
}

#[test]
fn pagila_from_postgres_to_postgres() {
    let desk = Desk::new();
    let (source, target) = (Database::filled("pagila.postgres.sql"), Database::new());
    desk.sync("pagila", &source.url, &target.url, "");
    assert_eq!(desk.run("pagila").totals(), (46_273, 0, 0));
    assert_eq!(desk.verify_code("pagila"), Some(0));
    assert_same_pagila(&source, &target);
    assert_eq!(desk.run("pagila").totals(), (0, 0, 0));

    source.sql(
        "update film set length = 99, special_features = '{Trailers,Cut}' where film_id = 7;
         insert into actor (actor_id, first_name, last_name) values (201, 'ÅSA', 'ÖRN');
         delete from payment where rental_id in (select rental_id from rental where customer_id = 5);
         delete from payment where customer_id = 5;
         delete from rental where customer_id = 5; delete from customer where customer_id = 5;",
    );
    let third = desk.run("pagila");
    assert_eq!((third.table("film"), third.table("actor"), third.table("customer")), ((0, 1, 0), (1, 0, 0), (0, 0, 1)));
    assert_same_pagila(&source, &target);
    assert_eq!(desk.verify_code("pagila"), Some(0));
}

fn assert_same_pagila(source: &Database, target: &Database) {
    for table in ["actor", "film", "rental", "payment", "staff", "store", "customer", "inventory"] {
        let sql = format!("select count(*), md5(string_agg(t::text, '|' order by t::text)) from {table} t");
        let listed = source.sql(&columns_sql(table));
        assert_eq!(listed, target.sql(&columns_sql(table)), "{table}");
        assert_eq!(source.sql(&sql), target.sql(&sql), "{table}");
    }
}

fn columns_sql(table: &str) -> String {
    format!(
        "select string_agg(attname || ' ' || attnotnull, ', ' order by attnum) from pg_attribute
         where attrelid = '{table}'::regclass and attnum > 0"
    )
}

#[test]
fn pagila_from_postgres_to_sqlite_and_back() {
    let desk = Desk::new();
    let (source, back) = (Database::filled("pagila.postgres.sql"), Database::filled("pagila.postgres.sql"));
    desk.sync("out", &source.url, &desk.sqlite("pagila.sqlite"), "");
    assert_eq!(desk.run("out").totals(), (46_273, 0, 0));
    assert_eq!(desk.run("out").totals(), (0, 0, 0));
    // The way back compares types of PostgreSQL with what SQLite made of them: nothing may look changed.
    desk.sync("back", &desk.sqlite("pagila.sqlite"), &back.url, "");
    assert_eq!(desk.run("back").totals(), (0, 0, 0));
    back.sql(
        "update film set description = 'x', rating = 'R' where film_id < 4; delete from film_actor where film_id = 9",
    );
    let mended = desk.run("back");
    assert_eq!(mended.table("film"), (0, 3, 0));
    assert_same_pagila(&source, &back);
    // A server that has nothing yet makes tables like those of the file.
    let fresh = Database::new();
    desk.sync("fresh", &desk.sqlite("pagila.sqlite"), &fresh.url, "");
    assert_eq!(desk.run("fresh").totals(), (46_273, 0, 0));
    desk.in_sqlite(
        "pagila.sqlite",
        "update film set length = 99 where film_id < 4; delete from film_actor where film_id = 9",
    );
    let third = desk.run("fresh");
    assert_eq!((third.table("film"), third.table("film_actor").2 > 0), ((0, 3, 0), true));
    assert_eq!((desk.run("fresh").totals(), desk.verify_code("fresh")), ((0, 0, 0), Some(0)));
}

#[test]
fn keys_of_every_sort_are_searched_and_moved() {
    let desk = Desk::new();
    let (source, target) = (Database::new(), Database::new());
    source.sql(
        r#"create table texts (id text collate "en-x-icu" primary key, v int);
           insert into texts select case when i % 2 = 0 then 'Ä' else 'a' end || md5(i::text), i from generate_series(1, 3000) i;
           create table uuids (id uuid primary key, v int);
           insert into uuids select md5(i::text)::uuid, i from generate_series(1, 3000) i;
           create table pairs (a int, b varchar(40), v int, primary key (a, b));
           insert into pairs select i % 7 - 3, 'x' || i, i from generate_series(1, 3000) i;
           create table negatives (id int primary key, v numeric);
           insert into negatives select -i * 1000, i / 7.0 from generate_series(1, 3000) i;"#,
    );
    desk.sync("pg", &source.url, &target.url, "");
    desk.sync("lite", &source.url, &desk.sqlite("keys.sqlite"), "");
    for name in ["pg", "lite"] {
        assert_eq!(desk.run(name).totals(), (12_000, 0, 0));
        assert_eq!(desk.run(name).totals(), (0, 0, 0));
    }
    source.sql(
        "update texts set v = -1 where v in (1, 1500, 3000); update uuids set v = -1 where v = 77;
         delete from pairs where v between 100 and 104; insert into negatives values (5, 1.10), (-1500, null);",
    );
    for name in ["pg", "lite"] {
        let third = desk.run(name);
        let tables = ["texts", "uuids", "pairs", "negatives"].map(|table| third.table(table));
        assert_eq!(tables, [(0, 3, 0), (0, 1, 0), (0, 0, 5), (2, 0, 0)], "{name}");
        assert_eq!(desk.verify_code(name), Some(0));
    }
}

/// Pages that were exactly full, and did not know that nothing follows, once kept both sides asking for ever.
#[test]
fn half_of_a_table_is_changed_page_by_full_page() {
    let desk = Desk::new();
    let (source, target) = (Database::new(), Database::new());
    for (database, change) in [(&source, 0), (&target, 1)] {
        database.sql(&format!(
            "create table t (id int primary key, v text);
             insert into t select i, 'v' || i + (i % 2) * {change} from generate_series(1, 6000) i;"
        ));
    }
    desk.sync("half", &source.url, &target.url, r#""batch_size": 500,"#);
    assert_eq!(desk.run("half").totals(), (0, 3000, 0));
    assert_eq!(desk.verify_code("half"), Some(0));
}

#[test]
fn a_mapped_part_of_a_table_is_kept_equal() {
    let desk = Desk::new();
    let source = desk.sample("chinook.sqlite");
    let target = Database::new();
    target
        .sql("create table track (track_id int primary key, name text, price numeric(10,2), note text default 'kept')");
    let tables = r#""tables": [{ "name": "Track", "target": "track", "fields": ["TrackId", "Name", "UnitPrice"],
        "field_mapping": { "TrackId": "track_id", "UnitPrice": "price" } }],"#;
    desk.sync("part", &source, &target.url, tables);
    assert_eq!(desk.run("part").totals(), (3503, 0, 0));
    target.sql("update track set note = 'mine', name = 'wrong' where track_id = 5");
    assert_eq!(desk.run("part").totals(), (0, 1, 0));
    assert_eq!(target.sql("select note from track where track_id = 5"), "mine");
}

#[test]
fn a_trusted_sync_remembers_the_newest_change() {
    let desk = Desk::new();
    let (source, target) = (Database::new(), Database::new());
    source.sql(
        "create table t (id int primary key, v text, modify_time timestamptz not null);
         insert into t select i, 'x', timestamptz '2024-01-01' + i * interval '1 second' from generate_series(1, 5000) i",
    );
    desk.sync("trusted", &source.url, &target.url, r#""trust_modify_id": true,"#);
    assert_eq!(desk.run("trusted").totals(), (5000, 0, 0));
    let nothing = desk.run("trusted").report();
    assert_eq!(nothing["tables"][0]["plan"]["reason"], "no changes");
    source.sql("update t set v = 'y', modify_time = '2025-01-01' where id in (3, 4000); insert into t values (9999, 'z', '2025-01-02')");
    let third = desk.run("trusted");
    assert_eq!(third.report()["tables"][0]["plan"]["operations"], serde_json::json!(["add", "incremental"]));
    assert_eq!(third.totals(), (1, 2, 0));
    source.sql("update t set v = 'w', modify_time = '2025-02-01' where id = 7");
    let fourth = desk.run("trusted").report();
    assert_eq!((&fourth["tables"][0]["method"], &fourth["tables"][0]["modified"]), (&"incremental".into(), &1.into()));
    assert_eq!(desk.verify_code("trusted"), Some(0));
}
