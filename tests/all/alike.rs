//! Tables that are made from one database to another of the same engine, with everything that the source says of them.

use crate::support::{Database, Desk, Side};

/// What only the statement says that made the table; `child` refers to a table that not every sync has.
const FILE: &str =
    "create table parent (id integer primary key autoincrement, name text collate nocase not null unique);
    create table child (a int not null, b text, c decimal(30, 10) constraint \"over 0\" check (c > 0),
      d as (c * 2), e int generated always as (a + 1) stored, p int references parent (id) on delete cascade,
      check (b <> 'CHECK (') /* ) */, primary key (a, b)) without rowid;
    create table strict_one (id integer primary key, v any, w text not null default 'it''s') strict;
    create index by_name on parent (name collate rtrim desc);
    insert into parent values (7, 'x'), (8, 'Y'); insert into child (a, b, c, p) values (1, 'b', 3, 7);
    insert into strict_one (v) values (1), ('1'), (x'31')";

const STATEMENTS: &str = "select replace(sql, '\"' || tbl_name || '\"', tbl_name) from sqlite_schema
    where sql is not null and name not like 'sqlite%' order by name";

#[test]
fn a_file_makes_the_tables_of_another_by_the_same_statements() {
    let (source, target) = (Side::File("s.sqlite"), Side::File("t.sqlite"));
    let desk = Desk::new();
    source.run(&desk, FILE);
    desk.sync("alike", &source.url(&desk), &target.url(&desk), "");
    let run = desk.run("alike");
    assert_eq!((run.totals(), run.stdout.contains("not carried over")), ((6, 0, 0), false), "{}", run.stdout);
    let told = |side: &Side| {
        let lines = side.lines(&desk, STATEMENTS);
        lines.iter().map(|sql| sql.to_lowercase().replace("\"by_name\"", "by_name")).collect::<Vec<_>>()
    };
    assert_eq!(told(&target), told(&source));
    assert_eq!((desk.run("alike").totals(), desk.verify_code("alike")), ((0, 0, 0), Some(0)));
    target.run(&desk, "insert into parent (name) values ('z')");
    assert_eq!(desk.run("alike").totals(), (0, 0, 1));
}

#[test]
fn a_table_whose_parent_stays_behind_is_made_without_the_foreign_key() {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", FILE);
    desk.sync("child", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), r#""tables": ["child"],"#);
    assert_eq!(desk.run("child").totals(), (1, 0, 0));
    let sql = &Side::File("t.sqlite").lines(&desk, STATEMENTS)[0];
    assert!(!sql.contains("references") && sql.contains("over 0") && sql.contains("without rowid"), "{sql}");
    assert_eq!(desk.verify_code("child"), Some(0));
}

#[test]
fn what_a_table_with_other_names_goes_without_is_told() {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", FILE);
    let tables = r#""tables": [{ "name": "child", "field_mapping": { "c": "amount" } },
        { "name": "parent", "field_mapping": { "name": "called" } },
        { "name": "strict_one", "field_mapping": { "v": "any" } }],"#;
    // A column of any type keeps texts that read as numbers, strict table or not.
    desk.sync("renamed", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), tables);
    let run = desk.run("renamed");
    for lost in ["check over 0", "computed column d", "WITHOUT ROWID", "STRICT", "AUTOINCREMENT", "index by_name"] {
        assert!(run.stdout.contains(&format!("{lost} of the source")), "{lost}: {}", run.stdout);
    }
    let columns = "select sql from sqlite_schema where name = 'parent'";
    assert!(Side::File("t.sqlite").lines(&desk, columns)[0].contains("nocase"), "a collation needs no other names");
    assert_eq!(desk.verify_code("renamed"), Some(0));
}

#[test]
fn a_server_gives_columns_the_collations_that_it_knows_and_tells_of_others() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(
        "create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         create table t (id int primary key, c text collate \"C\", l text collate loose, d text);
         insert into t values (1, 'a', 'b', 'c')",
    );
    desk.sync("sorted", &source.url, &target.url, "");
    let notes = desk.run("sorted").report()["tables"][0]["notes"].to_string();
    assert_eq!(notes.matches("collation").count(), 1, "{notes}");
    assert!(notes.contains("the collation public.loose of column l is not carried over"), "{notes}");
    let collations = "select string_agg(collname, ',' order by attnum) from pg_attribute
        join pg_collation c on c.oid = attcollation where attrelid = 't'::regclass";
    assert_eq!(target.sql(collations), "C,default,default");
}

#[test]
fn what_a_file_lacks_of_a_unique_constraint_that_ignores_case_is_told_with_the_statement() {
    let desk = Desk::new();
    desk.in_sqlite("s.sqlite", FILE);
    desk.in_sqlite("t.sqlite", "create table parent (id integer primary key, name text not null)");
    desk.sync("parent", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), r#""tables": ["parent"],"#);
    let told = |command: &str| desk.rowsync(&[command, "parent.json"]).stdout;
    let statement = r#"CREATE UNIQUE INDEX \"parent_key\" ON \"parent\" (\"name\" COLLATE \"nocase\")"#;
    assert!(told("check").contains(statement) && told("plan").contains(statement), "{}", told("check"));
    desk.in_sqlite("t.sqlite", &statement.replace('\\', ""));
    assert!(!told("check").contains("unique index"), "{}", told("check"));
}

#[test]
fn a_server_gets_exclusion_constraints_and_is_told_of_partitions() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(
        "create table t (id int primary key, r int4range, constraint apart exclude using gist (r with &&));
         create table p (id int, k int, primary key (id, k)) partition by range (k);
         create table p1 partition of p for values from (0) to (10);
         insert into t values (1, '[1,3)'), (2, '[3,5)'); insert into p values (1, 1)",
    );
    desk.sync("apart", &source.url, &target.url, "");
    let run = desk.run("apart");
    assert!(run.stdout.contains("has partitions by RANGE (k), and is made as one"), "{}", run.stdout);
    let constraint = "select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where contype = 'x'";
    assert_eq!(target.sql(constraint), "apart EXCLUDE USING gist (r WITH &&)");
    assert_eq!(desk.run("apart").totals(), (0, 0, 0));
    target.sql("alter table t drop constraint apart");
    let plan = desk.rowsync(&["plan", "apart.json"]).stdout;
    assert!(plan.contains("ADD CONSTRAINT \\\"apart\\\" EXCLUDE USING gist"), "{plan}");
}
