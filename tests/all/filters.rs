//! `where` and `target_where`: rows outside of them are neither read nor touched.

use crate::support::{Database, Desk, Ended, sides};

/// One line for each row, in the order of the key.
const ROWS: &str = "select id || '|' || coalesce(region, '-') || '|' || coalesce(v, '-') from t order by id";

const TABLE: &str = "create table t (id integer primary key, region text, v text unique);";

/// Rows of the regions a, b and none, in turns.
fn filled(rows: u32) -> String {
    format!(
        "{TABLE} with recursive n(i) as (select 0 union all select i + 1 from n where i < {rows} - 1)
         insert into t select i, case i % 3 when 0 then 'a' when 1 then 'b' end, 'v' || i from n;"
    )
}

const BY_REGION: &str = r#""tables": [{ "name": "t", "where": "region = 'a' -- the first",
    "target_where": "t.region = 'a'", "max_delete_percent": 100 }],"#;

fn refusal(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    &ended.stderr
}

#[test]
fn rows_outside_the_filter_are_never_touched() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &filled(3000));
        // Other rows of other regions, some with the keys of the source's; and of this one some too many, some too few.
        target.run(&desk, &filled(3000));
        target.run(
            &desk,
            "update t set v = 'theirs' || id where region = 'b' or region is null and id < 2000;
             delete from t where region is null and id > 2000; update t set v = 'old' || id where id in (0, 300, 600);
             delete from t where id in (3, 903, 2997); insert into t values (5001, 'a', 'x'), (5002, 'b', 'y'), (5003, null, 'z')",
        );
        let others = |rows: Vec<String>| rows.into_iter().filter(|row| !row.contains("|a|")).collect::<Vec<_>>();
        let before = others(target.lines(&desk, ROWS));
        desk.sync("filtered", &source.url(&desk), &target.url(&desk), BY_REGION);
        let planned = desk.rowsync(&["plan", "filtered.json"]).report();
        let plan = &planned["tables"][0]["plan"];
        assert_eq!((&plan["source_count"], &plan["target_count"]), (&1000.into(), &998.into()));
        let ended = desk.run("filtered");
        assert_eq!(ended.totals(), (3, 3, 1), "{}", ended.stdout);
        let after = target.lines(&desk, ROWS);
        let ours = |rows: &[String]| rows.iter().filter(|row| row.contains("|a|")).cloned().collect::<Vec<_>>();
        assert_eq!(ours(&after), ours(&source.lines(&desk, ROWS)));
        assert_eq!(others(after), before);
        assert_eq!(desk.verify_code("filtered"), Some(0));
        assert_eq!(desk.run("filtered").totals(), (0, 0, 0));
        // Rows that enter and leave the filter come and go.
        source.run(&desk, "update t set region = 'a' where id = 2501; update t set region = null where id = 6");
        target.run(&desk, "delete from t where id = 2501");
        assert_eq!(desk.run("filtered").totals(), (1, 0, 1));
    }
}

#[test]
fn a_first_copy_takes_the_filtered_rows_alone() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &filled(300));
        target.run(&desk, &format!("{TABLE} insert into t values (1, 'b', 'theirs'), (1000, null, 'too')"));
        desk.sync("first", &source.url(&desk), &target.url(&desk), BY_REGION);
        assert_eq!(desk.run("first").totals(), (100, 0, 0));
        assert_eq!(target.lines(&desk, ROWS).len(), 102);
    }
}

#[test]
fn a_row_whose_key_lies_outside_the_filter_of_the_target_is_put_aside() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &filled(9));
        target.run(&desk, &format!("{TABLE} insert into t values (3, 'b', 'theirs')"));
        desk.sync("aside", &source.url(&desk), &target.url(&desk), BY_REGION);
        let ended = desk.rowsync(&["run", "aside.json"]);
        assert_eq!((ended.code, ended.totals()), (Some(1), (2, 0, 0)), "{}", ended.stdout);
        let errors = ended.report()["tables"][0]["errors"].clone();
        assert_eq!((errors.as_array().unwrap().len(), &errors[0]["key"]["id"]), (1, &3.into()), "{errors}");
        assert!(target.lines(&desk, ROWS).contains(&"3|b|theirs".to_owned()));
    }
}

#[test]
fn a_filter_that_is_none_is_refused_before_anything_is_touched() {
    let wrong =
        ["region = ", "\\\"regoin\\\" = 'a'", "region = 'a'); delete from t; select (1", "region = $1", "region = ?1"];
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &filled(9));
        target.run(&desk, &filled(3));
        for filter in wrong {
            for (key, filters) in [
                ("where", format!(r#""where": "{filter}", "target_where": "true""#)),
                ("target_where", format!(r#""target_where": "{filter}""#)),
            ] {
                let tables = format!(r#""tables": [{{ "name": "t", {filters} }}],"#);
                desk.sync("wrong", &source.url(&desk), &target.url(&desk), &tables);
                let others: &[&str] = if filter == wrong[0] { &["plan", "verify", "check"] } else { &[] };
                for command in others.iter().chain(&["run"]) {
                    let ended = desk.rowsync(&[command, "wrong.json"]);
                    let told = refusal(&ended);
                    assert!(told.contains(&format!("`{key}` of table `t`")), "{command} {filter}: {told}");
                }
            }
        }
        assert_eq!((source.lines(&desk, ROWS).len(), target.lines(&desk, ROWS).len()), (9, 3));
    }
}

#[test]
fn what_is_neither_true_nor_false_does_not_match() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &filled(9));
        target.run(&desk, &format!("{TABLE} insert into t values (100, null, 'theirs')"));
        let tables = r#""tables": [{ "name": "t", "where": "region <> 'b'", "target_where": "region <> 'b'" }],"#;
        desk.sync("unknown", &source.url(&desk), &target.url(&desk), tables);
        assert_eq!(desk.run("unknown").totals(), (3, 0, 0));
        assert!(target.lines(&desk, ROWS).contains(&"100|-|theirs".to_owned()));
    }
}

#[test]
fn what_a_run_remembers_holds_for_its_filter_alone() {
    for (source, target) in sides() {
        let desk = Desk::new();
        let table = "create table t (id integer primary key, region text, v text, modify_time timestamp);";
        let rows = "insert into t values (1, 'a', 'x', '2026-01-02 00:00:00'), (2, 'b', 'y', '2026-01-01 00:00:00')";
        source.run(&desk, &format!("{table} {rows}"));
        target.run(&desk, &format!("{table} insert into t values (2, 'b', 'old', '2026-01-01 00:00:00')"));
        let by = |region: &str| {
            let filter = format!("region = '{region}'");
            let tables = format!(r#""tables": [{{ "name": "t", "where": "{filter}", "target_where": "{filter}" }}],"#);
            desk.sync(
                "trusted",
                &source.url(&desk),
                &target.url(&desk),
                &format!(r#""trust_modify_id": true, {tables}"#),
            );
        };
        by("a");
        assert_eq!(desk.run("trusted").totals(), (1, 0, 0));
        by("b");
        assert_eq!(
            desk.run("trusted").totals(),
            (0, 1, 0),
            "a change that is older than the newest of the other filter"
        );
    }
}

#[test]
fn two_tables_share_a_target_by_their_filters() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite(
        "s.sqlite",
        "create table north (id integer primary key, region text, v text);
         insert into north values (1, 'n', 'a'), (2, 'n', 'b');
         create table south (id integer primary key, region text, v text); insert into south values (11, 's', 'c')",
    );
    target.sql(&format!("{TABLE} insert into t values (5, 'n', 'gone'), (15, 's', 'gone too'), (20, 'w', 'stays')"));
    let entry = |name: &str| {
        let letter = &name[..1];
        format!(r#"{{ "name": "{name}", "target": "t", "target_where": "region = '{letter}'" }}"#)
    };
    let tables = format!(r#""tables": [{}, {}],"#, entry("north"), entry("south"));
    desk.sync("shared", &desk.sqlite("s.sqlite"), &target.url, &tables);
    let ended = desk.run("shared");
    assert_eq!((ended.table("north"), ended.table("south")), ((2, 0, 1), (1, 0, 1)));
    assert_eq!(target.sql("select string_agg(id || v, ' ' order by id) from t"), "1a 2b 11c 20stays");
}
