//! `record_type_field` and `record_types`: several kinds of record in one table, each kept equal on its own.

use crate::support::{Desk, Side, sides};

const TABLE: &str = "create table product (id integer primary key, record_type varchar(20), v varchar(40) unique);";
/// The target knows more of each product, and has others that refer to it.
const TARGET: &str = "create table product (id integer primary key, record_type varchar(20), v varchar(40) unique,
       shelf varchar(20) default 'none');
     create table stock (id integer primary key, product integer references product on delete cascade);";
const ROWS: &str = "select id || '|' || coalesce(record_type, '-') || '|' || v from product order by id";

const BY_KIND: &str = r#""tables": [{ "name": "product", "record_type_field": "RECORD_TYPE", "exclude_fields": [],
    "record_types": ["work", "material"], "max_delete_percent": 100 }],"#;

/// Rows of two kinds, of one that is not synced, and of none, in turns.
fn filled(rows: u32) -> String {
    format!(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i < {rows} - 1)
         insert into product (id, record_type, v)
           select i, case i % 4 when 0 then 'work' when 1 then 'material' when 2 then 'service' end, 'v' || i from n;"
    )
}

fn of_kinds(rows: Vec<String>) -> Vec<String> {
    rows.into_iter().filter(|row| row.contains("|work|") || row.contains("|material|")).collect()
}

fn others(rows: Vec<String>) -> Vec<String> {
    rows.into_iter().filter(|row| !(row.contains("|work|") || row.contains("|material|"))).collect()
}

#[test]
fn each_kind_is_planned_counted_and_reported_on_its_own() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} {}", filled(2000)));
        target.run(&desk, &format!("{TARGET} {}", filled(2000)));
        target.run(
            &desk,
            "delete from product where id in (4, 5); update product set v = 'old' where id = 8;
             update product set v = 'theirs' || id where id in (2, 3); delete from product where id in (6, 7);
             insert into product values (5000, 'material', 'x', 'a'), (5001, 'service', 'y', 'b'), (5002, null, 'z', 'c')",
        );
        let before = others(target.lines(&desk, ROWS));
        desk.sync("kinds", &source.url(&desk), &target.url(&desk), BY_KIND);
        let planned = desk.rowsync(&["plan", "kinds.json"]).report();
        let tables = planned["tables"].as_array().unwrap();
        let counts: Vec<_> = tables
            .iter()
            .map(|t| {
                (t["table"].as_str().unwrap(), t["plan"]["source_count"].as_u64(), t["plan"]["target_count"].as_u64())
            })
            .collect();
        assert_eq!(counts, [("product-work", Some(500), Some(499)), ("product-material", Some(500), Some(500))]);
        let ended = desk.run("kinds");
        assert_eq!((ended.table("product-work"), ended.table("product-material")), ((1, 1, 0), (1, 0, 1)));
        assert_eq!(of_kinds(target.lines(&desk, ROWS)), of_kinds(source.lines(&desk, ROWS)));
        assert_eq!(others(target.lines(&desk, ROWS)), before);
        assert_eq!(desk.verify_code("kinds"), Some(0));
        assert_eq!(desk.run("kinds").totals(), (0, 0, 0));
    }
}

/// Rows change their kind in both directions, beside rows that come and go; nothing that the target alone knows is lost.
fn moved(source: &Side, target: &Side, rows: u32, more: &str) {
    let desk = Desk::new();
    source.run(&desk, &format!("{TABLE} {}", filled(rows)));
    target.run(&desk, &format!("{TARGET} {}", filled(rows)));
    target.run(&desk, "update product set shelf = 'shelf ' || id; insert into stock select id, id from product");
    source.run(
        &desk,
        "update product set record_type = 'material' where id % 20 = 0; update product set record_type = 'work' where id % 20 = 5;
         update product set record_type = 'gone' where id = 9; delete from product where id = 12;
         insert into product values (90001, 'work', 'new'), (90002, 'material', 'new too')",
    );
    target.run(&desk, "delete from stock where id in (9, 12)");
    desk.sync("moved", &source.url(&desk), &target.url(&desk), &format!("{more} {BY_KIND}"));
    let ended = desk.run("moved");
    let (added, modified, deleted) = ended.totals();
    assert_eq!((added, u64::from(rows) / 10, deleted), (2, modified, 2), "{}", ended.stdout);
    let left = |row: &String| !row.contains("|gone|");
    let wanted: Vec<String> = of_kinds(source.lines(&desk, ROWS)).into_iter().filter(left).collect();
    assert_eq!(of_kinds(target.lines(&desk, ROWS)), wanted);
    let lost = "select count(*) || '' from product where shelf <> 'shelf ' || id and id < 90000";
    assert_eq!(target.lines(&desk, lost), ["0"]);
    let children = "select count(*) || '' from stock join product on product.id = stock.product";
    assert_eq!(target.lines(&desk, children), [(rows - 2).to_string()]);
    assert_eq!(desk.run("moved").totals(), (0, 0, 0));
}

#[test]
fn a_row_whose_kind_changed_moves_with_all_that_the_target_knows_of_it() {
    for (source, target) in sides() {
        moved(&source, &target, 100, "");
    }
}

#[test]
fn many_rows_change_their_kind_one_table_at_a_time_or_both_at_once() {
    let ways = [r#""max_parallel_tables": 1,"#, r#""batch_size": 50,"#];
    for ((source, target), more) in sides().into_iter().zip(ways.iter().cycle()) {
        moved(&source, &target, 4000, more);
    }
}

#[test]
fn a_move_is_undone_like_any_other_change() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} {}", filled(40)));
        target.run(&desk, &format!("{TARGET} {} update product set shelf = 'shelf ' || id", filled(40)));
        source.run(&desk, "update product set record_type = 'material' where id = 4");
        let all = "select id || '|' || coalesce(record_type, '-') || '|' || v || '|' || shelf from product order by id";
        let before = target.lines(&desk, all);
        desk.sync("undone", &source.url(&desk), &target.url(&desk), &format!(r#""undo": true, {BY_KIND}"#));
        let ended = desk.run("undone");
        assert_eq!(ended.totals(), (0, 1, 0), "{}", ended.stdout);
        assert_ne!(target.lines(&desk, all), before);
        let id = ended.report()["execution_id"].as_str().unwrap().to_owned();
        let undone = desk.rowsync(&["undo", "undone.json", &id]);
        assert_eq!(undone.code, Some(0), "{}{}", undone.stdout, undone.stderr);
        assert_eq!(target.lines(&desk, all), before);
    }
}

#[test]
fn kinds_are_made_filled_and_run_alone_by_their_names() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} {}", filled(40)));
        target.run(&desk, "create table other (id integer primary key)");
        desk.sync("alone", &source.url(&desk), &target.url(&desk), BY_KIND);
        let ended = desk.rowsync(&["run", "alone.json", "--table", "product-material"]);
        assert_eq!((ended.code, ended.totals()), (Some(0), (10, 0, 0)), "{}{}", ended.stdout, ended.stderr);
        let ended = desk.rowsync(&["run", "alone.json", "--table", "product"]);
        assert_eq!((ended.code, ended.totals()), (Some(0), (10, 0, 0)), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(target.lines(&desk, ROWS), of_kinds(source.lines(&desk, ROWS)));
    }
}

#[test]
fn kinds_that_nothing_tells_apart_are_refused_before_anything_is_touched() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} {}", filled(8)));
        target.run(&desk, TARGET);
        let tables = BY_KIND.replace("RECORD_TYPE", "sort");
        desk.sync("apart", &source.url(&desk), &target.url(&desk), &tables);
        let ended = desk.rowsync(&["run", "apart.json"]);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains("record_type_field"), "{}", ended.stderr);
        desk.sync("left", &source.url(&desk), &target.url(&desk), &BY_KIND.replace("[]", r#"["record_type"]"#));
        let checked = desk.rowsync(&["check", "left.json"]);
        assert_eq!(checked.code, Some(2));
        assert!(checked.stdout.contains("does not take part"), "{}", checked.stdout);
        assert_eq!(target.lines(&desk, ROWS).len(), 0);
    }
}

/// It was told that foreign keys were the reason, where there were none.
#[test]
fn kinds_are_compared_instead_of_replaced_and_that_is_told() {
    for (source, target) in sides() {
        let desk = Desk::new();
        source.run(&desk, &format!("{TABLE} {}", filled(40)));
        let full = BY_KIND.replace("\"max_delete", "\"sync_strategy\": \"full\", \"max_delete");
        desk.sync("kinds", &source.url(&desk), &target.url(&desk), &full);
        let run = desk.run("kinds");
        assert_eq!(run.totals(), (20, 0, 0));
        let told = |words: &str| run.stdout.matches(words).count();
        assert_eq!((told("changed their kind would be there twice"), told("foreign keys refer to")), (2, 0));
    }
}
