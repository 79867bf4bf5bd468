//! Conflicts that wait for a person: both rows stay, the rest of the table goes on, and a decision reaches both sides.

use serde_json::Value;

use crate::merge::{Side, agreed, each_pair, rows, two_files};
use crate::support::{Desk, Ended};

pub const MANUAL: &str = r#""conflict_resolution": "manual","#;

fn run(desk: &Desk) -> Ended {
    desk.rowsync(&["run", "shop.json"])
}

fn conflicts(desk: &Desk, arguments: &[&str]) -> Ended {
    desk.rowsync(&[&["conflicts", "shop.json"], arguments].concat())
}

fn waiting(desk: &Desk) -> Vec<Value> {
    conflicts(desk, &["list"]).report()["conflicts"].as_array().unwrap().clone()
}

fn resolve(desk: &Desk, id: &str, choice: &str) -> Ended {
    conflicts(desk, &["resolve", id, "--use", choice])
}

/// 1 is changed on both sides, 2 is changed and deleted, 3 is inserted on both, and 4 is changed on one side alone.
fn in_conflict(desk: &Desk, a: &Side<'_>, b: &Side<'_>) {
    in_conflict_with(desk, a, b, "");
}

/// With more keys.
pub fn in_conflict_with(desk: &Desk, a: &Side<'_>, b: &Side<'_>, more: &str) {
    agreed(desk, a, b, 4, &format!("{MANUAL} {more}"));
    a.sql("delete from t where id = 3");
    assert_eq!(run(desk).code, Some(0));
    a.sql(
        "update t set a = 'left' where id = 1; delete from t where id = 2; insert into t values (3, 'left', '', null);
        update t set a = 'only' where id = 4;",
    );
    b.sql(
        "update t set a = 'right' where id = 1; update t set b = 'right' where id = 2;
        insert into t values (3, 'right', '', null);",
    );
}

#[test]
fn both_rows_stay_and_the_rest_goes_on() {
    each_pair(|desk, a, b| {
        in_conflict(desk, a, b);
        let ended = run(desk);
        let report = ended.report();
        assert_eq!(
            (ended.code, &report["totals"]["conflicts"], &report["status"]),
            (Some(1), &3.into(), &"completed".into())
        );
        assert_eq!(rows(a), ["1|left|b", "3|left|", "4|only|b"].map(str::to_owned));
        assert_eq!(rows(b), ["1|right|b", "2|a|right", "3|right|", "4|only|b"].map(str::to_owned));
        let found = waiting(desk);
        let told: Vec<_> =
            found.iter().map(|one| (one["key"]["id"].as_i64().unwrap(), one["kind"].as_str().unwrap())).collect();
        assert_eq!(told, [(1, "both_changed"), (2, "source_deleted"), (3, "both_inserted")]);
        assert_eq!(
            (&found[0]["columns"], &found[0]["source"]["a"], &found[0]["target"]["a"]),
            (&serde_json::json!(["a"]), &"left".into(), &"right".into())
        );
        assert_eq!(found[1]["source"], Value::Null);
        // Another cycle changes nothing, and the entries are the same ones.
        let again = run(desk);
        assert_eq!((again.code, again.totals()), (Some(1), (0, 0, 0)), "{}", again.stdout);
        let numbers = |found: &[Value]| {
            found.iter().map(|one| (one["id"].clone(), one["changed_at"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&waiting(desk)), numbers(&found));
    });
}

#[test]
fn a_decision_reaches_both_sides() {
    each_pair(|desk, a, b| {
        in_conflict(desk, a, b);
        run(desk);
        for (id, choice) in [("1", r#"{"a": "both"}"#), ("2", "target"), ("3", "source")] {
            let resolved = resolve(desk, id, choice);
            assert_eq!(
                (resolved.code, &resolved.report()["status"]),
                (Some(0), &"resolved".into()),
                "{}",
                resolved.stderr
            );
        }
        let expected = ["1|both|b", "2|a|right", "3|left|", "4|only|b"].map(str::to_owned).to_vec();
        assert_eq!((rows(a), rows(b), waiting(desk).len()), (expected.clone(), expected, 0));
        // A delete right after that is one of a row that both had.
        b.sql("delete from t where id in (2, 3)");
        let next = run(desk);
        assert_eq!((next.code, next.totals(), rows(a).len()), (Some(0), (0, 0, 2), 2), "{}", next.stdout);
        let again = resolve(desk, "1", "source");
        assert_eq!(again.code, Some(2));
        assert!(again.stderr.contains("does not wait any more"), "{}", again.stderr);
    });
}

#[test]
fn a_row_may_go_by_a_decision() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    in_conflict(&desk, &a, &b);
    run(&desk);
    // The source has deleted it, and a row that is null is none.
    for (id, choice) in [("2", "source"), ("1", "null")] {
        assert_eq!(resolve(&desk, id, choice).code, Some(0));
    }
    assert_eq!((rows(&a), rows(&b).len()), (["3|left|", "4|only|b"].map(str::to_owned).to_vec(), 2));
    let next = run(&desk);
    assert_eq!((next.code, next.totals()), (Some(1), (0, 0, 0)), "{}", next.stdout);
}

#[test]
fn rows_that_were_changed_since_they_were_shown_are_not_overwritten() {
    each_pair(|desk, a, b| {
        in_conflict(desk, a, b);
        run(desk);
        b.sql("update t set a = 'later' where id = 1");
        let refused = resolve(desk, "1", "source");
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("not those any more that were shown"), "{}", refused.stderr);
        assert_eq!((rows(a)[0].as_str(), rows(b)[0].as_str()), ("1|left|b", "1|later|b"));
        // The next cycle shows them as they are now, under the same number.
        let before = waiting(desk);
        run(desk);
        let after = waiting(desk);
        assert_eq!((&after[0]["id"], &after[0]["target"]["a"]), (&before[0]["id"], &"later".into()));
        assert_eq!(resolve(desk, "1", "target").code, Some(0));
        assert_eq!(rows(a)[0], "1|later|b");
    });
}

#[test]
fn a_conflict_that_somebody_settled_by_hand_is_closed() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    in_conflict(&desk, &a, &b);
    run(&desk);
    a.sql("update t set a = 'right' where id = 1; insert into t values (2, 'a', 'right', '2026-01-01 00:00:00'); delete from t where id = 3;");
    b.sql("delete from t where id = 3");
    let ended = run(&desk);
    assert_eq!((ended.code, waiting(&desk).len(), rows(&a)), (Some(0), 0, rows(&b)), "{}", ended.stdout);
    let all = conflicts(&desk, &["list", "--all"]).report();
    assert!(all["conflicts"].as_array().unwrap().iter().all(|one| one["status"] == "gone"), "{all}");
}

#[test]
fn a_decision_that_makes_no_row_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    in_conflict(&desk, &a, &b);
    run(&desk);
    let before = (rows(&a), rows(&b));
    for (choice, expected) in [
        (r#"{"colour": "red"}"#, "there is no column `colour`"),
        (r#"{"b": "x"}"#, "the rows differ in a"),
        (r#"{"id": 9, "a": "x"}"#, "the key cannot be another one"),
        ("sauce", "expected `source`, `target`"),
    ] {
        let refused = resolve(&desk, "1", choice);
        assert_eq!((refused.code, refused.stderr.contains(expected)), (Some(2), true), "{}", refused.stderr);
    }
    assert_eq!(conflicts(&desk, &["show", "99"]).code, Some(2));
    assert_eq!((rows(&a), rows(&b)), before);
}

#[test]
fn conflicts_are_kept_in_postgresql_as_in_a_file() {
    let (desk, state) = (Desk::new(), crate::support::Database::new());
    let (a, b) = two_files(&desk);
    agreed(&desk, &a, &b, 2, &format!(r#"{MANUAL} "state": "{}","#, state.url));
    a.sql("update t set a = 'left' where id = 1");
    b.sql("update t set a = 'right' where id = 1");
    assert_eq!((run(&desk).code, run(&desk).code), (Some(1), Some(1)));
    assert_eq!(resolve(&desk, "1", "source").code, Some(0));
    assert_eq!((rows(&b)[0].as_str(), run(&desk).code), ("1|left|b", Some(0)));
    assert_eq!(state.sql("select status, resolution from sync_conflicts"), "resolved|source");
}

#[test]
fn text_shows_both_rows_and_how_to_go_on() {
    let desk = Desk::new();
    let (a, b) = two_files(&desk);
    in_conflict(&desk, &a, &b);
    let text = |arguments: &[&str]| Ended::of(&mut desk.command(arguments)).stdout;
    assert!(text(&["run", "shop.json"]).contains("3 conflicts wait for a decision"));
    assert!(text(&["conflicts", "shop.json"]).contains(r#"1  t {"id":1}: both sides changed a"#));
    let shown = text(&["conflicts", "shop.json", "show", "2"]);
    assert!(
        shown.contains("the source deleted what the target changed") && shown.contains("source: no row"),
        "{shown}"
    );
    assert_eq!(text(&["conflicts", "shop.json", "--table", "t"]).lines().count(), 3);
}
