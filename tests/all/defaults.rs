//! `set_default_value` and `default_values`: columns that only the target has.

use crate::support::{Desk, sides};

const SOURCE: &str =
    "create table t (id integer primary key, v text); insert into t values (1, 'a'), (2, 'b'), (3, 'c')";
const TARGET: &str =
    "create table t (id integer primary key, v text, state varchar(10) not null, rank integer not null,
       price numeric(6, 2) not null, live boolean not null, more varchar(10) default 'own')";
const ROWS: &str =
    "select id || v || '|' || state || '|' || rank || '|' || price || '|' || coalesce(more, '-') from t order by id";
const VALUES: &str = r#""tables": [{ "name": "t", "set_default_value": true, "default_values":
    { "STATE": "it's", "rank": 7, "price": 1.25, "live": true, "more": null } }],"#;

#[test]
fn added_rows_get_values_in_columns_that_the_source_lacks() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, SOURCE);
        target.run(&desk, TARGET);
        desk.sync("lacking", &source.url(&desk), &target.url(&desk), "");
        let checked = desk.rowsync(&["check", "lacking.json"]);
        assert_eq!(checked.code, Some(2));
        assert!(checked.stdout.contains("default_values"), "{}", checked.stdout);
        desk.sync("given", &source.url(&desk), &target.url(&desk), VALUES);
        assert_eq!(desk.run("given").totals(), (3, 0, 0));
        let all = ["1a", "2b", "3c"].map(|row| format!("{row}|it's|7|1.25|-"));
        assert_eq!(target.lines(&desk, ROWS), all);
        // What is there is left alone, and does not differ.
        target.run(&desk, "update t set state = 'theirs' where id = 1; delete from t where id = 3");
        source.run(&desk, "update t set v = 'x' where id = 1");
        assert_eq!(desk.run("given").totals(), (1, 1, 0));
        assert_eq!(target.lines(&desk, ROWS), ["1x|theirs|7|1.25|-", &all[1], &all[2]]);
        assert_eq!(desk.verify_code("given"), Some(0));
        assert_eq!(target.lines(&desk, "select count(*) || '' from t where live"), ["3"]);
    }
}

#[test]
fn a_row_that_is_put_back_has_the_values_that_it_had() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, SOURCE);
        target.run(&desk, TARGET);
        target.run(&desk, "insert into t values (9, 'z', 'theirs', 1, 2.5, false, 'x')");
        let before = target.lines(&desk, ROWS);
        desk.sync("kept", &source.url(&desk), &target.url(&desk), &format!(r#""undo": true, {VALUES}"#));
        let ended = desk.run("kept");
        assert_eq!(ended.totals(), (3, 0, 1));
        let id = ended.report()["execution_id"].as_str().unwrap().to_owned();
        let undone = desk.rowsync(&["undo", "kept.json", &id]);
        assert_eq!(undone.code, Some(0), "{}{}", undone.stdout, undone.stderr);
        assert_eq!(target.lines(&desk, ROWS), before);
    }
}
