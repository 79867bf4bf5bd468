//! What stands in the log: where each line belongs, and no value of a row.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Desk;

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
    let of_actors =
        lines.iter().filter(|line| line["target"].as_str().is_some_and(|t| t.starts_with("rowsync_actors")));
    let outside: Vec<&Value> = of_actors.filter(|line| spans(line).first() != Some(&"sync_run")).collect();
    assert!(outside.is_empty(), "{outside:#?}");
}
