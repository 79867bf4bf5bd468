//! Checks of tables that a run makes, in whatever engine.

use crate::support::{Database, Desk, Side, sides};

const TABLE: &str = "create table t (id int primary key, n int check (n between 1 and 9), price numeric(9, 2),
      state varchar(9) not null check (state in ('new', 'it''s')), code varchar(9), day date,
      constraint dear check (price > -1.5 or price is null), constraint named check (length(code) > 2 and code <> 'none'),
      constraint sorted check (code < 'x'));
    insert into t values (1, 1, 2.5, 'new', 'abc', '2024-01-01'), (2, null, null, 'it''s', null, null)";

/// Rows that one check after the other refuses.
const REFUSED: [&str; 5] = [
    "insert into t values (9, 10, 1, 'new', 'abc', null)",
    "insert into t values (9, 9, -2, 'new', 'abc', null)",
    "insert into t values (9, 9, 1, 'old', 'abc', null)",
    "insert into t values (9, 9, 1, 'new', 'ab', null)",
    "insert into t values (9, 9, 1, 'new', 'none', null)",
];

const TRIES: &str = "create or replace function refuses(given text) returns boolean language plpgsql as $$
    begin execute given; return false; exception when check_violation then return true; end $$";

fn is_refused(desk: &Desk, side: &Side, row: &str) -> bool {
    match side {
        Side::File(name) => {
            let connection = rusqlite::Connection::open(desk.path(name)).unwrap();
            connection.execute(row, []).is_err_and(|error| error.to_string().contains("CHECK"))
        }
        Side::Server(database) => {
            database.sql(TRIES);
            database.sql(&format!("select refuses($row${row}$row$)")) == "t"
        }
    }
}

#[test]
fn checks_go_over_where_they_mean_the_same_and_others_are_told() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, TABLE);
        desk.sync("t", &source.url(&desk), &target.url(&desk), "");
        let foreseen = desk.rowsync(&["check", "t.json"]).stdout;
        let run = desk.run("t");
        let is_alike =
            matches!((&source, &target), (Side::File(_), Side::File(_)) | (Side::Server(_), Side::Server(_)));
        assert_eq!(run.stdout.contains("check sorted of the source is not carried over"), !is_alike, "{}", run.stdout);
        let told = |text: &str| text.matches("not carried over").count();
        assert_eq!(
            (told(&run.stdout), told(&foreseen)),
            (usize::from(!is_alike), usize::from(!is_alike)),
            "{foreseen}"
        );
        for row in REFUSED {
            assert!(is_refused(&desk, &target, row), "{row}");
        }
        assert_eq!(is_refused(&desk, &target, "insert into t values (9, 9, 1, 'new', 'xyz', null)"), is_alike);
        assert_eq!((desk.run("t").table("t").0, desk.verify_code("t")), (0, Some(0)));
    }
}

#[test]
fn checks_follow_columns_to_other_names() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(TABLE);
    let renamed = r#""tables": [{ "name": "t", "field_mapping": { "n": "number", "state": "the \"state\"" } }],"#;
    desk.sync("t", &source.url, &target.url, renamed);
    desk.run("t");
    let checks = "select string_agg(pg_get_constraintdef(oid), ' ' order by conname) from pg_constraint where conrelid = 't'::regclass and contype = 'c'";
    let told = target.sql(checks);
    assert!(told.contains("((number >= 1) AND (number <= 9))") && told.contains(r#""the ""state""""#), "{told}");
    assert_eq!(told.matches("CHECK").count(), 4, "{told}");
}
