//! Rows that a real target refuses: all others are written, the report names the bad ones and adds up, and the state
//! keeps them until they are mended.

use crate::support::{Database, Desk, Ended};

const ROWS: u64 = 5_000;

/// 5,000 good rows.
const FILL: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)";

/// A source of 5,000 rows `(id, v, p)` of which some are bad in one way.
fn source(desk: &Desk, spoil: &str) -> String {
    desk.in_sqlite(
        "s.sqlite",
        &format!(
            "drop table if exists t; create table t (id integer primary key, v text, p integer);
             {FILL} insert into t select i, 'v' || i, 1 from n; {spoil}"
        ),
    );
    desk.sqlite("s.sqlite")
}

fn table(ended: &Ended) -> serde_json::Value {
    ended.report()["tables"][0].clone()
}

fn failed(ended: &Ended) -> u64 {
    ended.report()["totals"]["failed"].as_u64().unwrap()
}

/// What the state keeps of failed rows.
fn kept(desk: &Desk, name: &str) -> Vec<String> {
    desk.dump(&format!("{name}.state.sqlite"), "sync_row_errors")
}

/// One of these makes row 700 fail, and the last column is what its error says.
const FAULTS: [(&str, &str, &str); 4] = [
    ("v text check (v <> 'secret')", "update t set v = 'secret' where id = 700", "t_v_check"),
    ("v text not null", "update t set v = null where id = 700", "cannot hold NULL"),
    ("v text unique", "update t set v = 'v701' where id = 700", "t_v_key"),
    ("v text", "update t set p = 77 where id = 700", "foreign key"),
];

#[test]
fn rows_that_failed_are_listed_and_replayed_without_the_other_tables() {
    check_that_rows_are_listed_and_replayed("");
}

#[test]
fn a_state_in_postgresql_lists_and_replays_rows_that_failed() {
    let state = Database::new();
    check_that_rows_are_listed_and_replayed(&format!(r#""state": "{}","#, state.url));
    let commands = state.sql("select string_agg(command, ' ' order by id) from sync_executions");
    assert_eq!(commands, "run replay replay");
}

fn check_that_rows_are_listed_and_replayed(state: &str) {
    let (desk, target) = (Desk::new(), target("v text check (v <> 'secret')"));
    let source = source(&desk, "update t set v = 'secret' where id = 700; create table u (id integer primary key);");
    desk.sync("bad", &source, &target.url, &format!(r#"{state} "tables": ["t", "u"],"#));
    let nothing = desk.rowsync(&["errors", "bad.json", "replay"]);
    assert_eq!((nothing.code, nothing.report()["errors"].as_array().unwrap().len()), (Some(0), 0));
    let run = desk.rowsync(&["run", "bad.json"]);
    let list = desk.rowsync(&["errors", "bad.json"]);
    let error = &list.report()["errors"][0];
    assert_eq!(
        (list.code, &error["table"], &error["key"]["id"]),
        (Some(0), &"t".into(), &700.into()),
        "{}",
        list.stdout
    );
    assert_eq!((&error["failures"], &error["row"]["v"]), (&1.into(), &"secret".into()));
    assert_eq!(error["execution_id"], run.report()["execution_id"]);
    let refused = desk.rowsync(&["errors", "bad.json", "replay"]);
    assert_eq!((refused.code, failed(&refused)), (Some(1), 1), "{}", refused.stdout);
    target.sql("alter table t drop constraint t_v_check");
    let replayed = desk.rowsync(&["errors", "bad.json", "replay"]);
    assert_eq!((replayed.code, replayed.totals()), (Some(0), (1, 0, 0)), "{}", replayed.stdout);
    assert_eq!(replayed.report()["tables"].as_array().unwrap().len(), 1);
    let history = desk.rowsync(&["history", "bad.json"]).report()["executions"].clone();
    assert_eq!([&history[0]["command"], &history[2]["command"]], ["replay", "run"]);
    assert_eq!(target.sql("select v from t where id = 700"), "secret");
    assert_eq!(desk.rowsync(&["errors", "bad.json"]).report()["errors"].as_array().unwrap().len(), 0);
}

/// The keys say where they are; what else has changed is for the next cycle.
#[test]
fn a_replay_reads_and_writes_no_row_but_those_that_failed() {
    let (desk, target) = (Desk::new(), target("v text check (v <> 'secret')"));
    let spoil = "update t set v = 'secret' where id in (700, 800, 900);";
    desk.sync("bad", &source(&desk, spoil), &target.url, r#""tables": ["t"], "min_rows_to_sync": 2,"#);
    assert_eq!(failed(&desk.rowsync(&["run", "bad.json"])), 3);
    // One may be written by now, one is still refused, and one is gone.
    desk.in_sqlite(
        "s.sqlite",
        "update t set v = 'mended' where id = 700; delete from t where id = 800; update t set v = 'later' where id = 5",
    );
    let replayed = desk.rowsync(&["errors", "bad.json", "replay"]);
    let table = table(&replayed);
    assert_eq!((replayed.code, replayed.totals(), failed(&replayed)), (Some(1), (1, 0, 0), 1), "{}", replayed.stdout);
    assert_eq!(
        (&table["plan"]["reason"], &table["verified"]),
        (&"replay => rows that failed before".into(), &false.into())
    );
    assert_eq!(target.sql("select v from t where id in (5, 700) order by id"), "v5\nmended");
    let left = desk.rowsync(&["errors", "bad.json"]).report()["errors"].clone();
    assert_eq!(
        (left.as_array().unwrap().len(), &left[0]["key"]["id"], &left[0]["failures"]),
        (1, &900.into(), &2.into())
    );
    desk.in_sqlite("s.sqlite", "update t set v = 'mended' where id = 900");
    let replayed = desk.rowsync(&["errors", "bad.json", "replay"]);
    assert_eq!((replayed.code, replayed.totals()), (Some(0), (1, 0, 0)), "{}", replayed.stdout);
    assert_eq!(desk.run("bad").totals(), (0, 1, 0));
}

/// A blob and a text are shown alike, so the table is compared.
#[test]
fn a_replay_of_rows_whose_keys_cannot_be_read_back_compares_the_table() {
    let desk = Desk::new();
    desk.in_sqlite(
        "s.sqlite",
        "create table t (k blob primary key, v text) without rowid; insert into t values (x'01', 'secret'), ('b', 'x')",
    );
    desk.in_sqlite("t.sqlite", "create table t (k blob primary key, v text check (v <> 'secret')) without rowid");
    desk.sync("bad", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), r#""tables": ["t"],"#);
    assert_eq!(failed(&desk.rowsync(&["run", "bad.json"])), 1);
    desk.in_sqlite("s.sqlite", "update t set v = 'mended'");
    let replayed = desk.rowsync(&["errors", "bad.json", "replay"]);
    assert_eq!((replayed.code, replayed.totals()), (Some(0), (1, 1, 0)), "{}", replayed.stdout);
    assert_eq!(desk.dump("t.sqlite", "t"), desk.dump("s.sqlite", "t"));
}

fn target(column: &str) -> Database {
    let target = Database::new();
    target.sql(&format!(
        "create table p (id bigint primary key); insert into p values (1);
         create table t (id bigint primary key, {column}, p bigint references p)"
    ));
    target
}

/// The target takes a page while the one before commits, and the rows of both are in each other's way.
#[test]
fn a_value_that_two_neighbouring_pages_hold_costs_one_row_whenever_it_is_seen() {
    for unique in ["unique", "unique deferrable initially deferred"] {
        let (desk, target) = (Desk::new(), target(&format!("v text {unique}")));
        let source = source(&desk, "update t set v = 'v797' where id = 700");
        desk.sync("bad", &source, &target.url, r#""tables": ["t"], "batch_size": 97,"#);
        let ended = desk.rowsync(&["run", "bad.json"]);
        assert_eq!((ended.code, ended.totals(), failed(&ended)), (Some(1), (ROWS - 1, 0, 0), 1), "{}", ended.stderr);
        assert_eq!(table(&ended)["errors"][0]["key"]["id"], 797, "{unique}: {}", ended.stdout);
        assert_eq!(target.sql("select count(*), min(id), max(id) from t"), "4999|1|5000");
    }
}

#[test]
fn one_bad_row_of_five_thousand_costs_nobody_but_itself() {
    for (column, spoil, says) in FAULTS {
        let (desk, target) = (Desk::new(), target(column));
        desk.sync("bad", &source(&desk, spoil), &target.url, r#""tables": ["t"],"#);
        let ended = desk.rowsync(&["run", "bad.json"]);
        assert_eq!((ended.code, ended.totals(), failed(&ended)), (Some(1), (ROWS - 1, 0, 0), 1), "{}", ended.stderr);
        let table = table(&ended);
        assert_eq!(
            (table["status"].as_str(), table["verified"].as_bool()),
            (Some("completed_with_errors"), Some(false))
        );
        let error = &table["errors"][0];
        // Of two rows with one unique value the later one fails.
        let bad = if says == "t_v_key" { 701 } else { 700 };
        assert_eq!((&error["class"], &error["key"]["id"]), (&"data".into(), &bad.into()), "{error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert!(!error["remedy"].as_str().unwrap().is_empty() && !ended.stderr.contains("secret"), "{}", ended.stderr);
        assert_eq!(kept(&desk, "bad").len(), 1);

        // The next cycle tries it again, and says the same as long as it is bad.
        let again = desk.rowsync(&["run", "bad.json"]);
        assert_eq!((again.code, again.totals(), failed(&again)), (Some(1), (0, 0, 0), 1), "{}", again.stderr);
        desk.in_sqlite("s.sqlite", "update t set v = 'v' || id, p = 1");
        // The row that came first with the unique value has to be mended as well.
        assert_eq!(desk.run("bad").totals(), (1, u64::from(bad == 701), 0));
        assert!(kept(&desk, "bad").is_empty());
    }
}

#[test]
fn a_bad_row_among_changed_ones_and_one_that_others_need_are_left_alone() {
    let (desk, target) = (Desk::new(), target("v text check (v <> 'secret')"));
    desk.sync("changes", &source(&desk, ""), &target.url, r#""tables": ["t"],"#);
    desk.run("changes");
    target.sql("create table c (t bigint references t); insert into c values (9), (10)");
    desk.in_sqlite(
        "s.sqlite",
        "update t set v = v || '!' where id % 50 = 0; update t set v = 'secret' where id = 700; delete from t where id < 12",
    );
    let ended = desk.rowsync(&["run", "changes.json"]);
    assert_eq!((ended.code, ended.totals(), failed(&ended)), (Some(1), (0, 99, 9), 3), "{}", ended.stdout);
    let errors = table(&ended)["errors"].clone();
    let keys: Vec<u64> = errors.as_array().unwrap().iter().map(|error| error["key"]["id"].as_u64().unwrap()).collect();
    assert_eq!(keys, [9, 10, 700]);
    assert!(errors[0]["remedy"].as_str().unwrap().contains("still refer"), "{errors}");
    assert_eq!(target.sql("select count(*) from t"), (ROWS - 9).to_string());
}

/// The same faults, of every row that a condition names.
const MANY_FAULTS: [(&str, &str); 4] = [
    ("v text check (v <> 'secret')", "v = 'secret'"),
    ("v text not null", "v = null"),
    ("v text unique", "v = 'v' || (id - 1)"),
    ("v text", "p = 77"),
];

#[test]
fn the_maximum_stops_a_table_and_what_is_below_it_does_not() {
    for ((column, spoil), (bad, reached)) in
        MANY_FAULTS.iter().flat_map(|fault| [(24, false), (25, true), (26, true)].map(|many| (fault, many)))
    {
        let (desk, target) = (Desk::new(), target(column));
        let spoil = format!("update t set {spoil} where id % 190 = 0 and id <= {}", 190 * bad);
        desk.sync("most", &source(&desk, &spoil), &target.url, r#""tables": ["t"], "batch_size": 1000,"#);
        let ended = desk.rowsync(&["run", "most.json"]);
        let (added, ..) = ended.totals();
        assert_eq!((ended.code, added + failed(&ended)), (Some(1), ROWS), "{spoil}: {}", ended.stdout);
        assert_eq!(target.sql("select count(*) from t"), added.to_string());
        let told = "maximum error count 25 was reached";
        assert_eq!((ended.stdout.contains(told), ended.stderr.contains(told)), (reached, reached), "{}", ended.stderr);
        // Where it stops, some of what lies behind may have been written before; below it nothing is left out.
        assert!(reached || added == ROWS - bad);
        assert_eq!(kept(&desk, "most").len() as u64, bad.min(25));
    }
}

#[test]
fn the_errors_are_told_as_a_numbered_list() {
    let (desk, target) = (Desk::new(), target("v text not null"));
    desk.sync(
        "list",
        &source(&desk, "update t set v = null where id in (5, 6, 4000)"),
        &target.url,
        r#""tables": ["t"],"#,
    );
    let output = desk.command(&["run", "list.json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Sync completed with 3 errors:\n  1. t: {\"id\":5} "), "{text}");
    assert!(text.contains("\n  3. t: {\"id\":4000} ") && text.contains(", 3 failed"), "{text}");
}

#[test]
fn values_are_kept_in_the_state_alone_and_only_where_they_may_be() {
    for (more, kept_value) in [("", true), (r#""keep_failed_rows": false,"#, false)] {
        let (desk, target) = (Desk::new(), target("v text check (v <> 'secret')"));
        let source = source(&desk, "update t set v = 'secret' where id = 3");
        desk.sync("kept", &source, &target.url, &format!(r#""tables": ["t"], {more}"#));
        let ended = desk.rowsync(&["run", "kept.json", "-v"]);
        assert!(!ended.stdout.contains("secret") && !ended.stderr.contains("secret"), "{}", ended.stderr);
        assert_eq!(kept(&desk, "kept")[0].contains("secret"), kept_value);
    }
}

#[test]
fn rows_between_two_servers_of_one_version_are_put_aside_as_well() {
    let (desk, from, to) = (Desk::new(), Database::new(), target("v text check (v <> 'secret')"));
    from.sql(&format!(
        "create table t (id bigint primary key, v text, p bigint);
         insert into t select i, case i when 700 then 'secret' else 'v' || i end, 1 from generate_series(1, {ROWS}) i"
    ));
    desk.sync("servers", &from.url, &to.url, r#""tables": ["t"], "batch_size": 500,"#);
    let ended = desk.rowsync(&["run", "servers.json"]);
    assert_eq!((ended.code, ended.totals(), failed(&ended)), (Some(1), (ROWS - 1, 0, 0), 1), "{}", ended.stderr);
    assert_eq!(table(&ended)["errors"][0]["key"]["id"], 700);
    // Only the page of the bad row was looked at twice.
    assert!(!ended.stderr.contains("the rest of the table is compared"), "{}", ended.stderr);

    from.sql("update t set v = 'secret' where id % 100 = 0");
    to.sql("truncate t");
    let ended = desk.rowsync(&["run", "servers.json"]);
    assert!(ended.stdout.contains("maximum error count 25 was reached"), "{}", ended.stdout);
    assert_eq!(ended.totals().0 + failed(&ended), ROWS);
}

#[test]
fn a_file_refuses_rows_in_the_same_way() {
    let desk = Desk::new();
    desk.in_sqlite(
        "t.sqlite",
        "create table p (id integer primary key); insert into p values (1);
         create table t (id integer primary key, v text not null check (v <> 'secret'), p integer references p, unique (v))",
    );
    let spoil = "update t set v = 'secret' where id = 1; update t set v = null where id = 2; update t set v = 'v4' where id = 5;
        update t set p = 9 where id = 5000";
    desk.sync("file", &source(&desk, spoil), &desk.sqlite("t.sqlite"), r#""tables": ["t"],"#);
    let ended = desk.rowsync(&["run", "file.json"]);
    assert_eq!((ended.code, ended.totals(), failed(&ended)), (Some(1), (ROWS - 4, 0, 0), 4), "{}", ended.stderr);
    assert_eq!(desk.dump("t.sqlite", "t").len() as u64, ROWS - 4);
    desk.in_sqlite("s.sqlite", "update t set v = 'v' || id, p = 1");
    assert_eq!(desk.run("file").totals(), (4, 0, 0));
}

#[test]
fn rows_that_come_before_those_that_they_need_are_written_in_the_end() {
    let (desk, target) = (Desk::new(), Database::new());
    target.sql("create table node (id bigint primary key, parent bigint references node (id))");
    desk.in_sqlite(
        "s.sqlite",
        "create table node (id integer primary key, parent integer);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) insert into node select i, null from n;
         update node set parent = id + 200 where id <= 20",
    );
    desk.sync("tree", &desk.sqlite("s.sqlite"), &target.url, r#""batch_size": 50,"#);
    assert_eq!(desk.run("tree").totals(), (300, 0, 0));
}

/// One of a gigabyte was too much for the state, which then kept nothing of the run.
#[test]
fn a_large_row_that_failed_is_kept_by_its_key_alone() {
    let (desk, target) = (Desk::new(), target("v text check (length(v) < 100)"));
    let large = "update t set v = hex(zeroblob(400)) where id = 7; update t set v = hex(zeroblob(600000)) where id = 8";
    let source = source(&desk, large);
    desk.sync("bad", &source, &target.url, "");
    let ended = desk.rowsync(&["run", "bad.json"]);
    assert_eq!((ended.code, failed(&ended)), (Some(1), 2), "{}", ended.stdout);
    let kept = kept(&desk, "bad");
    let with = |row: &&String| row.contains("00000000");
    assert_eq!((kept.len(), kept.iter().filter(with).count()), (2, 1));
}

/// A row that never comes out equal has the table compared several times, and each refuses the others once more.
#[test]
fn a_row_that_is_refused_by_several_compares_of_a_run_is_counted_once() {
    let (desk, source, target) = (Desk::new(), Database::new(), Database::new());
    source.sql(
        "create table t (id int primary key, v text); insert into t values (1, 'fine'), (2, 'changed'), (3, null)",
    );
    target.sql(
        "create table t (id int primary key, v text not null);
         create function meddle() returns trigger language plpgsql as
           $$ begin new.v := replace(new.v, 'changed', 'other'); return new; end $$;
         create trigger meddling before insert or update on t for each row execute function meddle()",
    );
    desk.sync("meddled", &source.url, &target.url, "");
    let ended = desk.rowsync(&["run", "meddled.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let table = ended.report()["tables"][0].clone();
    assert!(table["notes"].to_string().contains("rows read back unequal"), "{table}");
    assert_eq!(table["failed"], 1, "{table}");
}
