//! Parents and children as a value: what both sides hold, what people do to it, and the statements that do so. Each side
//! alone keeps its foreign keys.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::merge::Side;

pub const TABLES: &str = "
    create table parent (id bigint primary key, name text, note text, updated_at timestamp);
    create table child (id bigint primary key, parent bigint not null references parent (id), tag text,
        updated_at timestamp);";
pub const NAMES: [&str; 2] = ["parent", "child"];
const COLUMNS: [[&str; 3]; 2] = [["name", "note", "updated_at"], ["parent", "tag", "updated_at"]];
/// The column that tells when a row was changed.
pub const CLOCK: usize = 2;

/// Families that both sides edit at once, but whose parent nobody deletes; the others come and go as a whole.
const SHARED: i64 = 4;
const FAMILIES: i64 = 8;
const CHILDREN: i64 = 3;

/// The columns behind the key, as text.
pub type Row = [String; 3];
/// By table and key.
pub type Place = (usize, i64);
pub type Rows = BTreeMap<Place, Row>;

/// The parents that nobody deletes.
pub fn first(dice: &mut Rng) -> Rows {
    (0..SHARED).map(|family| ((0, family), parent(dice))).collect()
}

pub fn set(rows: &mut Rows, place: Place, row: Option<Row>) {
    match row {
        Some(row) => drop(rows.insert(place, row)),
        None => drop(rows.remove(&place)),
    }
}

/// Statements that bring a side from one state to another, in an order that its foreign keys allow.
pub fn statements(before: &Rows, after: &Rows) -> String {
    let mut sql: Vec<String> = Vec::new();
    for place in before.keys().rev().filter(|place| !after.contains_key(place)) {
        sql.push(format!("delete from {} where id = {};", NAMES[place.0], place.1));
    }
    for (place, row) in after {
        let (table, id) = (NAMES[place.0], place.1);
        let pairs: Vec<String> =
            COLUMNS[place.0].iter().zip(row).map(|(column, value)| format!("{column} = '{value}'")).collect();
        match before.get(place) {
            None => sql.push(format!("insert into {table} values ({id}, '{}');", row.join("', '"))),
            Some(old) if old != row => sql.push(format!("update {table} set {} where id = {id};", pairs.join(", "))),
            Some(_) => {}
        }
    }
    sql.concat()
}

fn parent(dice: &mut Rng) -> Row {
    [word(dice), word(dice), moment(dice)]
}

fn child(family: i64, dice: &mut Rng) -> Row {
    [family.to_string(), word(dice), moment(dice)]
}

fn word(dice: &mut Rng) -> String {
    ["a", "b", "c"][dice.usize(..3)].to_owned()
}

fn moment(dice: &mut Rng) -> String {
    format!("2026-01-0{} 00:00:00", dice.u8(1..5))
}

/// What happens to the rows of one side, or of two, before a cycle.
pub fn edit(sides: &mut [Rows], dice: &mut Rng) {
    for family in 0..SHARED {
        for side in &mut *sides {
            edit_shared(side, family, dice);
        }
    }
    for family in SHARED..FAMILIES {
        let side = dice.usize(..sides.len());
        if dice.bool() {
            edit_whole(&mut sides[side], family, dice);
        }
    }
}

fn edit_shared(side: &mut Rows, family: i64, dice: &mut Rng) {
    let parent = side.get_mut(&(0, family)).unwrap();
    if dice.bool() {
        let column = dice.usize(..3);
        parent[column] = if column == CLOCK { moment(dice) } else { word(dice) };
    }
    let place = (1, family * CHILDREN + dice.i64(..CHILDREN));
    set(side, place, (dice.u8(..3) > 0).then(|| child(family, dice)));
}

/// A family comes, changes or goes.
fn edit_whole(side: &mut Rows, family: i64, dice: &mut Rng) {
    let stays = dice.u8(..3) > 0;
    set(side, (0, family), stays.then(|| parent(dice)));
    for number in 0..CHILDREN {
        set(side, (1, family * CHILDREN + number), (stays && dice.bool()).then(|| child(family, dice)));
    }
}

/// Where a run may be killed; it need not come so far.
pub fn moment_of_a_batch(dice: &mut Rng) -> String {
    let phase = ["BatchBegun", "BatchWritten", "BatchCommitted"][dice.usize(..3)];
    format!("{phase}:{}", dice.u8(1..5))
}

pub fn held(side: &Side<'_>) -> Rows {
    let mut rows = Rows::new();
    for (table, columns) in COLUMNS.iter().enumerate() {
        for line in side.read(&format!("select id, {} from {}", columns.join(", "), NAMES[table])) {
            let mut fields = line.split('|').map(str::to_owned);
            let id = fields.next().unwrap().parse().unwrap();
            rows.insert((table, id), std::array::from_fn(|_| fields.next().unwrap()));
        }
    }
    rows
}
