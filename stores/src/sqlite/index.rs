//! Indexes: which there are, and whether one serves a view.

use rowsync_engine::schema::{Filled, KeyOrder, TableView};
use rusqlite::Connection;

use super::schema::{Result, all, is_view};
use super::sql::quoted;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    PrimaryKey,
    /// A UNIQUE constraint, or CREATE INDEX.
    Other,
}

#[derive(Clone, Debug)]
pub struct Index {
    pub name: String,
    pub unique: bool,
    pub origin: Origin,
    /// It leaves out rows.
    pub partial: bool,
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    /// `None`: an expression.
    column: Option<String>,
    backwards: bool,
    collation: String,
}

impl Index {
    /// The columns in their order, if there is no expression among them.
    pub fn column_names(&self) -> Option<Vec<String>> {
        self.terms.iter().map(|term| term.column.clone()).collect()
    }

    /// The same, each with its collation.
    pub fn collated_columns(&self) -> Option<Vec<(String, String)>> {
        self.terms.iter().map(|term| Some((term.column.clone()?, term.collation.clone()))).collect()
    }

    /// The columns and whether each is sorted downwards, where that says all about the index.
    pub fn plain_columns(&self) -> Option<Vec<(String, bool)>> {
        let is_plain = !self.partial && self.terms.iter().all(|term| term.collation.eq_ignore_ascii_case("BINARY"));
        let columns = self.terms.iter().map(|term| Some((term.column.clone()?, term.backwards)));
        if is_plain { columns.collect() } else { None }
    }

    /// Its columns in parentheses, in SQLite's words; none where it has an expression.
    pub fn terms(&self) -> Option<String> {
        let term = |term: &Term| {
            let downwards = if term.backwards { " DESC" } else { "" };
            Some(format!("{} COLLATE {}{downwards}", quoted(term.column.as_ref()?), quoted(&term.collation)))
        };
        Some(format!("({})", self.terms.iter().map(term).collect::<Option<Vec<_>>>()?.join(", ")))
    }

    /// Whether walking it is walking the view's key in order.
    fn serves(&self, view: &TableView) -> bool {
        let key = view.key_columns();
        let one_way = self.terms.iter().take(key.len()).all(|term| term.backwards == self.terms[0].backwards);
        !self.partial
            && self.terms.len() >= key.len()
            && one_way
            && key.iter().zip(&self.terms).all(|(column, term)| {
                let collation = match view.key_order {
                    KeyOrder::Native => column.column.collation.as_deref().unwrap_or("BINARY"),
                    KeyOrder::Bytewise => "BINARY",
                };
                term.column.as_ref() == Some(&column.column.name) && term.collation.eq_ignore_ascii_case(collation)
            })
    }
}

/// Whether an index begins with a column, so that it leads to the highest values of it.
pub fn leads_to(connection: &Connection, table: &str, column: &str) -> Result<bool> {
    let begins = |index: &Index| {
        let first = index.terms.first().and_then(|term| term.column.as_deref());
        !index.partial && first.is_some_and(|name| name.eq_ignore_ascii_case(column))
    };
    Ok(indexes(connection, table)?.iter().any(begins))
}

pub fn indexes(connection: &Connection, table: &str) -> Result<Vec<Index>> {
    let text = "SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1) ORDER BY seq";
    let found = all(connection, text, table, |row| {
        let origin: String = row.get(2)?;
        let origin = if origin == "pk" { Origin::PrimaryKey } else { Origin::Other };
        Ok(Index { name: row.get(0)?, unique: row.get(1)?, origin, partial: row.get(3)?, terms: Vec::new() })
    })?;
    found.into_iter().map(|index| Ok(Index { terms: terms(connection, &index.name)?, ..index })).collect()
}

fn terms(connection: &Connection, index: &str) -> Result<Vec<Term>> {
    let text = "SELECT name, \"desc\", coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno";
    all(connection, text, index, |row| Ok(Term { column: row.get(0)?, backwards: row.get(1)?, collation: row.get(2)? }))
}

/// The statement that would serve reading by this view, where there is no index for it.
pub fn missing_index(connection: &Connection, view: &TableView) -> Result<Option<String>> {
    if is_view(connection, &view.table.name)? {
        return Ok(None);
    }
    let is_rowid = view.key_len == 1 && view.columns[0].column.filled == Filled::ByIdentity;
    if is_rowid || indexes(connection, &view.table.name)?.iter().any(|index| index.serves(view)) {
        return Ok(None);
    }
    let terms: Vec<String> = view
        .key_columns()
        .iter()
        .map(|column| match (&column.column.collation, view.key_order) {
            (Some(_), KeyOrder::Bytewise) => format!("{} COLLATE BINARY", quoted(&column.column.name)),
            _ => quoted(&column.column.name),
        })
        .collect();
    let name = quoted(&format!("{}_key", view.table.name));
    Ok(Some(format!("CREATE UNIQUE INDEX {name} ON {} ({})", quoted(&view.table.name), terms.join(", "))))
}
