//! What stands in the log: where each line belongs, and no value of a row.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Database, Desk};

/// A run with all that may be logged, and its lines.
fn logged(desk: &Desk, arguments: &[&str]) -> (Value, Vec<Value>) {
    let ended = desk.rowsync(&[&["run", "shop.json", "--log-format", "json"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (ended.report(), ended.stderr.lines().map(line).collect())
}

/// The names of the spans that a line stands in, from the outermost on.
fn spans(line: &Value) -> Vec<&str> {
    line["spans"].as_array().map_or_else(Vec::new, |spans| spans.iter().map(|s| s["name"].as_str().unwrap()).collect())
}

fn shop() -> Desk {
    let desk = Desk::new();
    let (source, target) = (desk.sample("chinook.sqlite"), desk.sqlite("copy.sqlite"));
    desk.sync("shop", &source, &target, r#""sync_table": ["Artist", "Album"], "batch_size": 100,"#);
    desk
}

#[test]
fn every_batch_is_told_beneath_its_table_and_its_run_with_their_ids() {
    let desk = shop();
    let (report, lines) = logged(&desk, &["-v"]);
    let batches: Vec<&Value> = lines.iter().filter(|line| line["fields"]["message"] == "batch committed").collect();
    let mut seen = BTreeSet::new();
    for line in &batches {
        assert_eq!(spans(line), ["sync_run", "sync_table", "batch"], "{line}");
        assert_eq!(line["spans"][0]["execution"], report["execution_id"]);
        assert_eq!(line["spans"][0]["sync"], "shop");
        seen.insert((line["spans"][1]["table"].as_str().unwrap().to_owned(), line["spans"][2]["batch"].to_string()));
    }
    // 275 artists and 347 albums, 100 rows at once.
    assert_eq!((batches.len(), seen.len()), (7, 7), "{seen:?}");
}

#[test]
fn every_range_is_told_beneath_its_table_and_its_run() {
    let desk = shop();
    logged(&desk, &[]);
    desk.in_sqlite("copy.sqlite", "update Artist set Name = 'x' where ArtistId = 7");
    let (_, lines) = logged(&desk, &["-v"]);
    let ranges: Vec<&Value> = lines.iter().filter(|line| line["fields"]["message"] == "range compared").collect();
    assert!(ranges.iter().any(|line| line["fields"]["differing"] == 1), "{lines:#?}");
    for line in ranges {
        assert_eq!(spans(line), ["sync_run", "sync_table", "range"], "{line}");
    }
}

#[test]
fn nothing_is_told_outside_of_its_run_and_no_value_of_a_row_is_told_at_all() {
    let desk = shop();
    let (_, lines) = logged(&desk, &["-vv"]);
    let text = format!("{lines:?}");
    for value in ["AC/DC", "Balls to the Wall", "Aerosmith"] {
        assert!(!text.contains(value), "{value}");
    }
    let of_actors = lines.iter().filter(|line| line["target"].as_str().unwrap().starts_with("rowsync_actors"));
    let (inside, outside): (Vec<&Value>, Vec<&Value>) =
        of_actors.partition(|line| spans(line).first() == Some(&"sync_run"));
    assert!(inside.len() > 10, "{lines:#?}");
    assert!(outside.is_empty(), "{outside:#?}");
}

/// The statements of a log, each with what kind it is and the table that it belongs to.
fn statements(lines: &[Value]) -> BTreeSet<(String, String)> {
    let of_line = |line: &Value| {
        let kind = line["target"].as_str()?.strip_prefix("rowsync_sql::")?;
        let table = line["spans"].as_array()?.iter().find(|span| span["name"] == "sync_table")?;
        Some((kind.to_owned(), table["table"].as_str()?.to_owned()))
    };
    lines.iter().filter_map(of_line).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(kind, table)| ((*kind).to_owned(), (*table).to_owned())).collect()
}

#[test]
fn statements_are_told_of_the_tables_that_ask_for_them_and_only_the_kinds_that_they_ask_for() {
    let check = |keys: &str, expected: &[(&str, &str)]| {
        let desk = Desk::new();
        let (source, target) = (desk.sample("chinook.sqlite"), desk.sqlite("copy.sqlite"));
        desk.sync("shop", &source, &target, &format!(r#""tables": ["Artist", {{ "name": "Genre"{keys} }}],"#));
        let (_, lines) = logged(&desk, &[]);
        assert_eq!(statements(&lines), pairs(expected), "{keys}");
    };
    check("", &[]);
    check(r#", "show_sql": true"#, &[("reads", "Genre"), ("writes", "Genre")]);
    check(r#", "show_save_sql": true"#, &[("writes", "Genre")]);
    check(r#", "debug_sql": true"#, &[("reads", "Genre"), ("took", "Genre"), ("writes", "Genre")]);
}

#[test]
fn statements_are_told_where_only_errors_are_told_otherwise_and_tell_how_long_they_took() {
    let desk = shop();
    let (_, lines) = logged(&desk, &["--quiet", "--set", "debug_sql=true"]);
    assert_eq!(statements(&lines).len(), 6, "{lines:#?}");
    let took = lines.iter().filter(|line| line["target"] == "rowsync_sql::took");
    let seconds: Vec<f64> = took.map(|line| line["fields"]["seconds"].as_f64().unwrap()).collect();
    assert!(!seconds.is_empty() && seconds.iter().all(|seconds| (0.0..60.0).contains(seconds)), "{seconds:?}");
}

/// PostgreSQL is sent keys as part of the statement.
#[test]
fn statements_are_told_without_the_values_that_stand_in_them() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite(
        "shop.sqlite",
        "create table t (code text primary key, name text);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
         insert into t select printf('secret%05d', i), printf('silent%05d', i) from n",
    );
    desk.sync("shop", &desk.sqlite("shop.sqlite"), &target.url, r#""show_sql": true, "compare_method": "stream","#);
    logged(&desk, &["-vv"]);
    target.sql("update t set name = 'x' where code in ('secret00007', 'secret02900')");
    target.sql("delete from t where code = 'secret01500'");
    let (report, lines) = logged(&desk, &["-vv"]);
    assert_eq!((&report["totals"]["added"], &report["totals"]["modified"]), (&1.into(), &2.into()));
    let text = format!("{lines:?}");
    assert!(!text.contains("secret") && !text.contains("silent"), "{}", &text[text.find("secret").unwrap_or(0)..]);
    let asked =
        |words: &str| lines.iter().any(|line| line["fields"]["message"].as_str().is_some_and(|m| m.contains(words)));
    assert!(asked("COPY") && asked("?") && asked("\"code\""), "{lines:#?}");
}
