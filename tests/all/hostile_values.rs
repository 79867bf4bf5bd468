//! Values that the other side cannot hold: their rows are put aside with a reason that names key, column and rule, and
//! the others go on. `verify` finds the same rows.

use serde_json::Value;

use crate::support::{Database, Desk, Side};

/// A column of the source, what one of its rows holds there, a column of the target, and what is said of it.
struct Case {
    source: &'static str,
    value: &'static str,
    /// What another row has, which is fine.
    fine: &'static str,
    target: &'static str,
    says: &'static str,
}

const DEEP: &str = "printf('%.*c', 1000, '[') || printf('%.*c', 1000, ']')";

const IN_A_FILE: [Case; 14] = [
    case("text", "cast(x'736563726574ff' as text)", "'a'", "text", "(text that is not UTF-8)"),
    case("integer", "'secret'", "'7'", "bigint", "(text) that is no whole number of 64 bits"),
    case("integer", "x'00'", "7", "integer", "(bytes) that is no whole number of 64 bits"),
    case("integer", "2147483648", "2147483647", "integer", "a whole number beyond 32 bits"),
    case("integer", "-32769", "-32768", "smallint", "a whole number beyond 16 bits"),
    case("integer", "7.5", "7.0", "bigint", "(number) that is no whole number of 64 bits"),
    case("numeric", "12345.5", "1234.5", "numeric(5,1)", "a decimal with more than 4 digits before the point"),
    case("text", "'1e200000'", "'1e3'", "numeric", "(text) that is no decimal number"),
    case("text", "'300000-01-01 00:00:00'", "'294246-12-31 23:59:59'", "timestamp", "(text) that is no timestamp"),
    case("text", "'5874898-01-01'", "'5874897-12-31'", "date", "a date beyond the years of PostgreSQL"),
    case("text", "'2024-02-30'", "'2024-02-29'", "date", "(text) that is no date"),
    case("text", "'sec' || char(0) || 'ret'", "'a'", "text", "a text with a zero byte"),
    case("text", "'{\"secret'", DEEP, "jsonb", "(text) that is no JSON"),
    case("integer", "2", "1", "boolean", "(number) that is no boolean"),
];

impl Case {
    /// Whether the value is none of its column's domain; if not, the target alone refuses it.
    fn is_beside_its_type(&self) -> bool {
        self.says.starts_with('(') && !self.value.contains("NaN")
    }
}

const fn case(
    source: &'static str,
    value: &'static str,
    fine: &'static str,
    target: &'static str,
    says: &'static str,
) -> Case {
    Case { source, value, fine, target, says }
}

const ON_A_SERVER: [Case; 7] = [
    case("text", "'secret'", "'7'", "bigint", "(text) that is no whole number of 64 bits"),
    case("text", "'12.secret'", "'12.5'", "numeric", "(text) that is no decimal number"),
    case("bigint", "2147483648", "1", "integer", "a whole number beyond 32 bits"),
    case("integer", "2", "1", "boolean", "(number) that is no boolean"),
    case("text", "'{\"secret'", "repeat('[', 1000) || repeat(']', 1000)", "jsonb", "(text) that is no JSON"),
    case("numeric", "'NaN'", "1", "integer", "(decimal) that is no whole number of 64 bits"),
    // The server would cut spaces in silence, and the row be written anew by every run.
    case("text", "'ab  '", "'ab '", "varchar(3)", "a text of more than 3 characters"),
];

/// Row 700 of a thousand is bad; before the second run the target has a row of its key with another value.
fn check(desk: &Desk, source: &Side, target: &Database, case: &Case) {
    let Case { source: declared, value, fine, target: wanted, says } = case;
    let key = if matches!(source, Side::File(_)) { "integer" } else { "bigint" };
    source.run(
        desk,
        &format!(
            "drop table if exists t; create table t (id {key} primary key, v {declared});
             insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
               select i, {fine} from n;
             update t set v = {value} where id = 700"
        ),
    );
    target.sql(&format!("drop table if exists t; create table t (id bigint primary key, v {wanted})"));
    desk.sync("odd", &source.url(desk), &target.url, r#""tables": ["t"],"#);
    for (before, added) in [("", 999), ("insert into t select 700, v from t where id = 1", 0)] {
        if !before.is_empty() {
            target.sql(before);
        }
        let ended = desk.rowsync(&["run", "odd.json", "-v"]);
        assert_eq!(
            (ended.code, ended.totals()),
            (Some(1), (added, 0, 0)),
            "{value} {before}: {}{}",
            ended.stdout,
            ended.stderr
        );
        assert_eq!(ended.report()["totals"]["failed"], 1, "{value}: {}", ended.stdout);
        let error = ended.report()["tables"][0]["errors"][0].clone();
        assert_eq!((&error["class"], &error["key"]["id"]), (&"data".into(), &700.into()), "{value}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("column \"v\" cannot hold") && message.contains(says), "{value}: {message}");
        assert!(!ended.stdout.contains("secret") && !ended.stderr.contains("secret"), "{}", ended.stderr);
        let sample = verified(desk, if before.is_empty() { "missing" } else { "different" });
        assert_eq!(sample["key"]["id"], 700, "{value}: {sample}");
        // What the target alone refuses is a value like any other to a comparison.
        if case.is_beside_its_type() {
            let column = &sample["columns"][0];
            assert_eq!(column["column"], "v", "{value}: {sample}");
            assert!(column["rule"].as_str().unwrap().contains("that is none of these"), "{value}: {sample}");
        }
    }
}

/// The one row that a verification finds.
fn verified(desk: &Desk, kind: &str) -> Value {
    let ended = desk.rowsync(&["verify", "odd.json", "--explain"]);
    assert_eq!(ended.code, Some(3), "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    let table = ended.report()["tables"][0].clone();
    assert_eq!(table[kind], 1, "{table}");
    assert_eq!(table["samples"].as_array().unwrap().len(), 1, "{table}");
    table["samples"][0].clone()
}

#[test]
fn a_value_in_a_file_that_a_server_cannot_hold_costs_nobody_but_its_row() {
    let (desk, target) = (Desk::new(), Database::new());
    for case in &IN_A_FILE {
        check(&desk, &Side::File("s.sqlite"), &target, case);
    }
}

#[test]
fn a_value_of_one_server_that_another_cannot_hold_costs_nobody_but_its_row() {
    let (desk, source, target) = (Desk::new(), Side::Server(Database::new()), Database::new());
    for case in &ON_A_SERVER {
        check(&desk, &source, &target, case);
    }
}

/// How deep a server goes is known to it alone.
#[test]
fn a_document_that_is_nested_deeper_than_a_server_goes_costs_nobody_but_its_row() {
    let (desk, target) = (Desk::new(), Database::new());
    desk.in_sqlite(
        "s.sqlite",
        "create table t (id integer primary key, v text);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) insert into t select i, '[]' from n;
         update t set v = printf('%.*c', 200000, '[') || printf('%.*c', 200000, ']') where id = 700",
    );
    target.sql("create table t (id bigint primary key, v jsonb)");
    desk.sync("odd", &desk.sqlite("s.sqlite"), &target.url, "");
    let ended = desk.rowsync(&["run", "odd.json"]);
    assert_eq!((ended.code, ended.totals()), (Some(1), (999, 0, 0)), "{}{}", ended.stdout, ended.stderr);
    let error = ended.report()["tables"][0]["errors"][0].clone();
    assert_eq!((&error["class"], &error["key"]["id"]), (&"data".into(), &700.into()), "{error}");
    assert!(error["message"].as_str().unwrap().contains("stack depth"), "{error}");
    assert_eq!(verified(&desk, "missing")["key"]["id"], 700);
}

#[test]
fn a_target_that_holds_what_is_none_of_its_columns_type_is_mended() {
    let (desk, source) = (Desk::new(), Database::new());
    source.sql(
        "create table t (id bigint primary key, i bigint, d date, s text, j jsonb);
         insert into t select i, i, '2024-02-29', 's', '{}' from generate_series(1, 1000) i",
    );
    desk.sync("odd", &source.url, &desk.sqlite("t.sqlite"), "");
    desk.run("odd");
    desk.in_sqlite(
        "t.sqlite",
        "update t set i = 'secret' where id = 1; update t set d = 'secret' where id = 2; update t set j = '{' where id = 3;
         update t set s = cast(x'ff' as text) where id = 4; insert into t values (2000, 'x', x'00', x'00', 'x')",
    );
    let ended = desk.rowsync(&["verify", "odd.json", "--explain"]);
    let table = ended.report()["tables"][0].clone();
    assert_eq!((ended.code, &table["different"], &table["extra"]), (Some(3), &4.into(), &1.into()), "{table}");
    assert!(table["samples"].to_string().contains("the target holds a value (text that is not UTF-8)"), "{table}");
    assert_eq!(desk.run("odd").totals(), (0, 4, 1));
    assert_eq!(desk.verify_code("odd"), Some(0));
}

/// In raw bytes and value by value alike.
#[test]
fn a_text_that_is_none_is_put_aside_between_files_too() {
    for (declared, alike) in [("text", true), ("varchar(9)", false)] {
        let desk = Desk::new();
        desk.in_sqlite(
            "s.sqlite",
            "create table t (id integer primary key, v text);
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) insert into t select i, 'v' from n;
             update t set v = cast(x'736563726574ff' as text) where id = 700",
        );
        desk.in_sqlite("t.sqlite", &format!("create table t (id integer primary key, v {declared})"));
        desk.sync("odd", &desk.sqlite("s.sqlite"), &desk.sqlite("t.sqlite"), "");
        let ended = desk.rowsync(&["run", "odd.json"]);
        assert_eq!((ended.code, ended.totals()), (Some(1), (999, 0, 0)), "{alike}: {}{}", ended.stdout, ended.stderr);
        let error = ended.report()["tables"][0]["errors"][0].clone();
        assert_eq!(error["key"]["id"], 700, "{alike}: {error}");
        assert!(error["message"].as_str().unwrap().contains("column v holds a text that is not UTF-8"), "{error}");
        assert_eq!(verified(&desk, "missing")["key"]["id"], 700, "{alike}");
    }
}
