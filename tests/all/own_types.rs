//! Types of a server's own, made in another server, and columns of them.

use crate::support::{Database, Desk, Side};

const TYPES: &str = r#"create type mood as enum ('sad', 'it''s'); create domain small as int default 3 check (value < 100);
    create type "a ""spot""" as (x small, "y, z" varchar(9), m mood[]);
    create type span as range (subtype = numeric); create type shape as (corners "a ""spot"""[], within span, at timestamptz(3));"#;
const COLUMNS: &str = r#"s shape, ss shape[], p "a ""spot""", r span, many span_multirange, ms mood[], ns small[]"#;
const VALUES: &str = r#"row(array[row(1, 'a,"b"', '{sad}')::"a ""spot"""], '[1,2.5)', '2024-01-01')::shape,
    array[null, row(null, null, null)::shape], row(7, ' ', null), '(,3]', '{[1,2],[5,6]}', '{it''s}', '{1,null}'"#;

/// Every type of the schema as the server prints it.
const TOLD: &str = "select string_agg(told, e'\\n' order by told) from (
    select concat_ws(' ', typname, typtype, format_type(nullif(typbasetype, 0), typtypmod), typdefault,
      (select string_agg(attname || format_type(atttypid, atttypmod), ',' order by attnum) from pg_attribute
        where attrelid = typrelid),
      (select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid)) told
    from pg_type t where typnamespace = 'public'::regnamespace and typname not like '\\_%'
    union all select pg_get_constraintdef(oid) from pg_constraint where contypid <> 0) told";

fn source() -> Database {
    let source = Database::new();
    source.script(&format!(
        "{TYPES} create table t (id int primary key, {COLUMNS}); insert into t values (1, {VALUES}); insert into t values (2)"
    ));
    source
}

#[test]
fn composites_ranges_and_arrays_of_own_types_are_made_whatever_they_are_made_of() {
    for by_hand in [false, true] {
        let (desk, source, target) = (Desk::new(), source(), Database::new());
        desk.sync("own", &source.url, &target.url, "");
        if by_hand {
            let printed = Side::Server(source);
            let script = desk.command(&["schema", "own.json"]).output().unwrap();
            target.script(&String::from_utf8(script.stdout).unwrap());
            assert_eq!(target.sql(TOLD), printed.lines(&desk, TOLD).join("\n"));
            assert_eq!(desk.run("own").totals(), (2, 0, 0));
            continue;
        }
        let run = desk.run("own");
        assert_eq!((run.totals(), run.stdout.contains("not carried over")), ((2, 0, 0), false), "{}", run.stdout);
        assert_eq!(target.sql(TOLD), source.sql(TOLD));
        let rows = "select t::text from t order by id";
        assert_eq!(target.sql(rows), source.sql(rows));
        source.sql("update t set p.x = 8 where id = 1; update t set r = '[7,8]' where id = 2");
        assert_eq!((desk.run("own").totals(), desk.run("own").totals()), ((0, 2, 0), (0, 0, 0)));
        assert_eq!(target.sql(rows), source.sql(rows));
    }
}

#[test]
fn columns_that_come_later_have_own_types_too() {
    let (desk, source, target) = (Desk::new(), source(), Database::new());
    source.sql("create domain named as text not null; alter table t add d small, add n named default 'n', add m mood");
    target.sql("create table t (id int primary key)");
    desk.sync("later", &source.url, &target.url, r#""add_missing_columns": true,"#);
    assert_eq!(desk.run("later").totals(), (2, 0, 0));
    let types = "select string_agg(format_type(atttypid, atttypmod), ',' order by attnum) from pg_attribute
        where attrelid = 't'::regclass and attnum > 0";
    assert_eq!(
        target.sql(types),
        r#"integer,shape,shape[],"a ""spot""",span,span_multirange,mood[],small[],small,text,mood"#
    );
    let rows = "select t::text from t order by id";
    assert_eq!((target.sql(rows), desk.run("later").totals()), (source.sql(rows), (0, 0, 0)));
}

/// A type that the target cannot have: over a function of one's own, over a name that is another type there, refused.
#[test]
fn a_type_that_cannot_be_made_gives_way_to_texts_and_is_told() {
    let function = "create function own(int) returns bool language sql immutable as $$ select true $$;
        create domain small as int check (own(value)); create type spot as (x small);";
    let cases = [(function, "spot", ""), (TYPES, "mood[]", "create domain mood as int"), (TYPES, "span", REFUSES)];
    for (types, column, in_target) in cases {
        let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
        source.script(&format!(
            "{types} create table t (id int primary key, c {column}); insert into t values (1, null)"
        ));
        target.script(in_target);
        desk.sync("texts", &source.url, &target.url, "");
        let run = desk.run("texts");
        let told = format!("the type {column} of column c is not carried over: it is made of texts");
        if in_target.contains("domain") {
            // Of numbers; a mood that comes is set aside.
            assert_eq!(target.sql("select format_type(atttypid, -1) from pg_attribute where attname = 'c'"), "mood[]");
        } else {
            assert_eq!(run.stdout.matches(&told).count(), 1, "{}", run.stdout);
        }
        assert_eq!((run.totals(), desk.run("texts").totals()), ((1, 0, 0), (0, 0, 0)));
    }
}

const REFUSES: &str =
    "create function refuse() returns event_trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create event trigger no_types on ddl_command_start when tag in ('CREATE TYPE') execute function refuse()";

#[test]
fn a_file_holds_texts_of_own_types_and_that_is_told() {
    let (desk, source) = (Desk::new(), source());
    desk.sync("file", &source.url, &desk.sqlite("t.sqlite"), "");
    let run = desk.run("file");
    assert!(
        run.stdout.contains("the type shape[] of column ss is not carried over: it is made of texts"),
        "{}",
        run.stdout
    );
    desk.sync("back", &desk.sqlite("t.sqlite"), &source.url, "");
    assert_eq!((run.totals(), desk.run("back").totals()), ((2, 0, 0), (0, 0, 0)));
}

/// It ended the whole run, of which no table was made.
#[test]
fn an_enum_that_the_target_has_with_fewer_labels_gives_way_to_texts() {
    for (labels, expected) in [("'sad', 'more', 'it''s'", "mood"), ("'sad'", "text")] {
        let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
        source
            .script(&format!("{TYPES} create table t (id int primary key, m mood); insert into t values (1, 'it''s')"));
        target.sql(&format!("create type mood as enum ({labels})"));
        desk.sync("moods", &source.url, &target.url, "");
        let run = desk.run("moods");
        assert_eq!(target.sql("select concat(pg_typeof(m), m) from t"), format!("{expected}it's"));
        let told = run.stdout.matches("the type mood of column m is not carried over: it is made of texts").count();
        assert_eq!((told, desk.run("moods").totals()), (usize::from(expected == "text"), (0, 0, 0)), "{}", run.stdout);
    }
}
