//! The staging table: where rows wait for the statement that merges them, and where texts become values of types that
//! only the server can read.

use rowsync_engine::change::Applied;
use rowsync_engine::row::RowPage;
use rowsync_engine::schema::TableView;
use rowsync_engine::sightings::Mark;
use rowsync_engine::store::Result;

use super::filter;
use super::link::Lease;
use super::literal::{identifier, identifiers, spelled, table, text_literal};
use super::mark::written_before;
use super::rows::RowEncoder;
use super::select::is_spelled;
use super::write::{copy_rows, staged};

const NAME: &str = "pg_temp.rowsync_stage";

/// One temporary table in a transaction; it goes with the transaction.
pub struct Stage {
    /// Of each column of the view: its type, if it is staged as text.
    declared: Vec<Option<String>>,
    made: bool,
}

impl Stage {
    pub fn new(view: &TableView) -> Stage {
        let declared =
            view.columns.iter().enumerate().map(|(index, column)| {
                is_spelled(column, index < view.key_len).then(|| column.column.declared.clone())
            });
        Stage { declared: declared.collect(), made: false }
    }

    /// Whether some column can only be written as text.
    pub fn spells(&self) -> bool {
        self.declared.iter().any(Option::is_some)
    }

    /// Puts the rows into the table, in place of what it held.
    pub async fn fill(&mut self, lease: &mut Lease, view: &TableView, rows: &RowPage) -> Result<Applied> {
        let preparing = if self.made { format!("TRUNCATE {NAME}") } else { self.create(view) };
        lease.execute(&preparing).await?;
        self.made = true;
        let columns = identifiers(view.columns.iter().map(|column| column.column.name.as_str()));
        let statement = format!("COPY {NAME} ({columns}) FROM STDIN (FORMAT binary)");
        let copied = copy_rows(lease, &statement, rows, RowEncoder::new(view)).await?;
        Ok(Applied { bytes_written: copied.bytes, queries: 2, ..Applied::default() })
    }

    fn create(&self, view: &TableView) -> String {
        let columns = view.columns.iter().zip(&self.declared).map(|(column, declared)| {
            let name = identifier(&column.column.name);
            if declared.is_some() { format!("{name}::text AS {name}") } else { name }
        });
        format!(
            "CREATE TEMPORARY TABLE rowsync_stage ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            columns.collect::<Vec<_>>().join(", "),
            table(&view.table)
        )
    }

    fn values(&self, view: &TableView) -> Vec<(String, String)> {
        let pairs = view.columns.iter().zip(&self.declared);
        pairs
            .map(|(column, declared)| {
                (identifier(&column.column.name), staged(&column.column.name, declared.as_deref()))
            })
            .collect()
    }

    /// Replaces the rows of the same keys; only those that nobody else has written since a moment, where there is one.
    pub fn update(&self, view: &TableView, since: Option<Mark>) -> String {
        let values = self.values(view);
        let (keys, others) = values.split_at(view.key_len);
        let set: Vec<String> = others.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let same: Vec<String> = keys.iter().map(|(name, value)| format!("rowsync_t.{name} = {value}")).collect();
        format!(
            "UPDATE {} AS rowsync_t SET {} FROM {NAME} AS rowsync_s WHERE {}{}{}",
            table(&view.table),
            set.join(", "),
            same.join(" AND "),
            filter::also(view),
            since.map(written_before).unwrap_or_default()
        )
    }

    /// Gives rows of the same keys these values where they are to change.
    pub fn park(&self, view: &TableView, parked: &[(&str, String)]) -> String {
        let values = self.values(view);
        let (keys, others) = values.split_at(view.key_len);
        let same: Vec<String> = keys.iter().map(|(name, value)| format!("rowsync_t.{name} = {value}")).collect();
        let set: Vec<String> =
            parked.iter().map(|(column, value)| format!("{} = {value}", identifier(column))).collect();
        let is_parked = |name: &String| parked.iter().any(|(column, _)| identifier(column) == *name);
        let changes: Vec<String> = others
            .iter()
            .filter(|(name, _)| is_parked(name))
            .map(|(name, value)| format!("rowsync_t.{name} IS DISTINCT FROM {value}"))
            .collect();
        format!(
            "UPDATE {} AS rowsync_t SET {} FROM (SELECT *, row_number() OVER () AS rowsync_n FROM {NAME}) AS rowsync_s \
             WHERE {} AND ({}){}",
            table(&view.table),
            set.join(", "),
            same.join(" AND "),
            changes.join(" OR "),
            filter::also(view)
        )
    }

    /// Inserts the rows, with what every row gets. Numbers of identity columns are kept, as they are values like others.
    pub fn insert(&self, view: &TableView) -> String {
        let given = view.given.iter().map(|given| {
            let value = spelled(given.value.as_ref()).map_or("NULL".into(), |text| text_literal(&text));
            (identifier(&given.column.name), format!("{value}::{}", given.column.declared))
        });
        let (names, values): (Vec<String>, Vec<String>) = self.values(view).into_iter().chain(given).unzip();
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {NAME} AS rowsync_s",
            table(&view.table),
            names.join(", "),
            values.join(", ")
        )
    }
}
