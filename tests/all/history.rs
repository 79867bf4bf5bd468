//! What is remembered of executions, and told again.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Database, Desk};

/// A sync of one table; two rows to begin with.
fn shop(desk: &Desk, state: &str, more: &str) {
    desk.in_sqlite(
        "shop",
        "create table item (id integer primary key, v text); insert into item values (1, 'a'), (2, 'b')",
    );
    desk.sync("sync", &desk.sqlite("shop"), &desk.sqlite("copy"), &format!("\"state\": \"{state}\", {more}"));
}

fn text(desk: &Desk, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = desk.command(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn executions(desk: &Desk) -> Vec<Value> {
    let ended = desk.rowsync(&["history", "sync.json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.report()["executions"].as_array().unwrap().clone()
}

fn statuses(desk: &Desk) -> Vec<String> {
    executions(desk).iter().map(|execution| execution["status"].as_str().unwrap().to_owned()).collect()
}

/// The same of both kinds of state.
fn check(test: impl Fn(&Desk, &str)) {
    let desk = Desk::new();
    test(&desk, &desk.sqlite("state"));
    let (desk, state) = (Desk::new(), Database::new());
    test(&desk, &state.url);
}

#[test]
fn the_report_of_an_execution_is_shown_again_as_it_was_printed() {
    check(|desk, state| {
        shop(desk, state, "");
        let json = desk.rowsync(&["run", "sync.json"]);
        let id = json.report()["execution_id"].as_str().unwrap().to_owned();
        desk.in_sqlite("shop", "insert into item values (3, 'c'); update item set v = 'z' where id = 1");
        let (code, printed, _) = text(desk, &["verify", "sync.json", "--explain"]);
        assert_eq!(code, Some(3));
        desk.in_sqlite("copy", "create trigger t before insert on item begin select raise(abort, 'no'); end");
        let (code, failed, _) = text(desk, &["run", "sync.json"]);
        assert_eq!(code, Some(1));

        let again = desk.rowsync(&["history", "sync.json", &id]);
        assert_eq!((again.code, again.stdout), (Some(0), json.stdout));
        let all = executions(desk);
        assert_eq!(all.len(), 3);
        let shown = |at: usize| text(desk, &["history", "sync.json", all[at]["execution_id"].as_str().unwrap()]);
        assert_eq!(shown(0), (Some(0), failed, String::new()));
        assert_eq!(shown(1), (Some(0), printed, String::new()));
    });
}

#[test]
fn the_list_tells_the_newest_first_and_what_each_did() {
    check(|desk, state| {
        shop(desk, state, "");
        assert_eq!(text(desk, &["history", "sync.json"]).1, "sync `sync` remembers no execution yet\n");
        desk.run("sync");
        desk.in_sqlite("shop", "insert into item values (3, 'c'); update item set v = 'z' where id = 1");
        assert_eq!(desk.verify_code("sync"), Some(3));
        desk.run("sync");
        // Whoever only plans leaves no trace.
        assert_eq!(desk.rowsync(&["plan", "sync.json"]).code, Some(0));

        let all = executions(desk);
        let told: Vec<_> =
            all.iter().map(|e| (e["command"].as_str().unwrap(), e["totals"]["added"].as_u64())).collect();
        assert_eq!(told, [("run", Some(1)), ("verify", None), ("run", Some(2))]);
        assert_eq!((&all[0]["totals"]["modified"], &all[1]["differences"]), (&Value::from(1), &Value::from(2)));
        assert!(all[0]["seconds"].as_f64().unwrap() > 0.0, "{all:#?}");

        let (code, list, _) = text(desk, &["history", "sync.json", "--limit", "2"]);
        assert_eq!(code, Some(0));
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), 3, "{list}");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(lines[0]).join(" "), "id started (UTC) took status added changed deleted differ");
        // Behind the id, the day, the minute and the duration.
        assert_eq!(words(lines[1])[4..], ["completed", "1", "1", "0", "-"]);
        assert_eq!(words(lines[2])[4..], ["completed", "-", "-", "-", "2"]);
        // The id as it is listed is enough.
        let (code, report, stderr) = text(desk, &["history", "sync.json", &words(lines[1])[0]]);
        assert!(code == Some(0) && report.contains("1 added, 1 modified"), "{report}{stderr}");
    });
}

#[test]
fn an_id_that_nobody_has_or_several_is_refused() {
    let desk = Desk::new();
    shop(&desk, &desk.sqlite("state"), "");
    desk.run("sync");
    desk.run("sync");
    let (code, stdout, stderr) = text(&desk, &["history", "sync.json", "nobody"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("remembers no execution `nobody`") && stderr.contains("rowsync history sync.json"),
        "{stderr}"
    );
    let (code, _, stderr) = text(&desk, &["history", "sync.json", "0"]);
    assert!(code == Some(2) && stderr.contains("several executions begin with `0`"), "{stderr}");
    // A part of an id that would mean anything to SQL means nothing here.
    assert_eq!(text(&desk, &["history", "sync.json", "%"]).0, Some(2));
    assert_eq!(text(&desk, &["history", "sync.json", "--limit", "0"]).0, Some(2));
}

#[test]
fn looking_makes_no_state() {
    let desk = Desk::new();
    shop(&desk, &desk.sqlite("state"), "");
    assert_eq!(text(&desk, &["history", "sync.json"]).0, Some(0));
    assert_eq!(desk.verify_code("sync"), Some(3));
    assert!(!desk.path("state").exists());
}

#[test]
fn too_many_executions_are_forgotten_and_what_was_learned_from_them_is_not() {
    check(|desk, state| {
        shop(desk, state, "\"history_keep_count\": 3,");
        desk.in_sqlite("shop", "alter table item add column modify_time text");
        desk.in_sqlite("shop", "create table bad (id integer primary key, v text); insert into bad values (1, 'x')");
        assert_eq!(desk.rowsync(&["run", "sync.json"]).code, Some(0));
        desk.in_sqlite("copy", "create trigger t before update on bad begin select raise(abort, 'no'); end");
        desk.in_sqlite("shop", "update bad set v = 'y'");
        for _ in 0..4 {
            assert_eq!(desk.rowsync(&["run", "sync.json"]).code, Some(1));
        }
        assert_eq!(statuses(desk), ["completed_with_errors"; 3]);
        // `bad` was in line last in an execution that is forgotten by now.
        let sql =
            "select table_name || ' ' || (select failures from sync_row_errors) from sync_change_tracking order by 1";
        let kept = match state.strip_prefix("sqlite:") {
            Some(_) => {
                let state = rusqlite::Connection::open(desk.path("state")).unwrap();
                let mut select = state.prepare(sql).unwrap();
                let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
                rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
            }
            None => crate::support::psql(state, sql),
        };
        assert_eq!(kept, "bad 4\nitem 4");
    });
}

#[test]
fn old_executions_are_forgotten_except_the_newest() {
    check(|desk, state| {
        shop(desk, state, "\"history_keep_days\": 30,");
        for _ in 0..3 {
            desk.run("sync");
        }
        let age = |days: i64| {
            let then = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(24 * days)).unwrap();
            let sql = format!("update sync_executions set started_at = '{then}'");
            match state.strip_prefix("sqlite:") {
                Some(_) => desk.in_sqlite("state", &sql),
                None => drop(crate::support::psql(state, &sql)),
            }
        };
        age(29);
        desk.run("sync");
        assert_eq!(executions(desk).len(), 4);
        age(31);
        // Whoever only looks, and finds nothing wrong, is an execution too.
        assert_eq!(desk.verify_code("sync"), Some(0));
        assert_eq!(executions(desk).len(), 1);
    });
}

#[test]
fn a_run_that_found_no_way_to_begin_tells_so_in_the_history() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite("shop", "create table item (id integer primary key, v text)");
    let more = "\"tables\": [\"item\", \"nothing\"],";
    desk.sync("sync", &desk.sqlite("shop"), &target.url, more);
    let ended = desk.rowsync(&["run", "sync.json"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let all = executions(&desk);
    assert_eq!((all.len(), all[0]["status"].as_str()), (1, Some("failed")));
    let (_, report, _) = text(&desk, &["history", "sync.json", all[0]["execution_id"].as_str().unwrap()]);
    assert!(report.contains("Sync failed") && report.contains("nothing"), "{report}");
}

#[test]
fn an_execution_that_was_killed_is_interrupted_and_one_at_work_is_running() {
    let (desk, state) = (Desk::new(), Database::new());
    let source = Database::new();
    source.sql("create table item (id int primary key); insert into item values (1)");
    // Whoever reads the table waits.
    let mut psql = std::process::Command::new("psql")
        .args(["-qX", &source.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut hand = psql.stdin.take().unwrap();
    std::io::Write::write_all(&mut hand, b"begin; lock table item in access exclusive mode; \\echo locked\n").unwrap();
    std::io::Write::flush(&mut hand).unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(psql.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(line.trim(), "locked");
    for state in [desk.sqlite("state"), state.url.clone()] {
        desk.sync("sync", &source.url, &desk.sqlite("copy"), &format!("\"state\": \"{state}\","));
        let mut run = desk.command(&["run", "sync.json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It writes itself down before it reads.
        while statuses(&desk).is_empty() {}
        assert_eq!(statuses(&desk), ["running"]);
        let id = executions(&desk)[0]["execution_id"].as_str().unwrap().to_owned();
        let shown = text(&desk, &["history", "sync.json", &id]);
        assert!(shown.1.contains(&format!("execution {id} is at work since")), "{shown:?}");
        run.kill().unwrap();
        run.wait().unwrap();
        assert_eq!(statuses(&desk), ["interrupted"]);
        let shown = text(&desk, &["history", "sync.json", &id]);
        assert!(shown.0 == Some(0) && shown.1.contains("was interrupted"), "{shown:?}");
    }
    drop(hand);
    psql.wait().unwrap();
    desk.run("sync");
    assert_eq!(statuses(&desk), ["completed", "interrupted"]);
}
