//! `rowsync schema`: the statements that `create_missing_tables` would run, for whoever wants to run them himself.

use std::collections::BTreeSet;

use rowsync_actors::leave::Unshared;
use rowsync_stores::Access;
use serde::Serialize;

use crate::ends::{Ends, told};
use crate::problem::Problem;
use crate::roster::{Missing, Roster, wished_foreign_keys, wished_table};
use crate::settings::SyncSettings;

/// The statements for all tables that the target lacks.
#[derive(Debug, Serialize)]
pub struct SchemaReport {
    pub sync: String,
    pub target: String,
    /// Parents before their children.
    pub tables: Vec<TableStatements>,
}

#[derive(Debug, Serialize)]
pub struct TableStatements {
    pub table: String,
    pub target: String,
    pub standing: Standing,
    /// Before the rows: types and the table.
    pub before: Vec<String>,
    /// Once the rows of all tables are there.
    pub after: Vec<String>,
    /// What the source's table has and the statements do not make.
    pub notes: Vec<String>,
    /// Why there are none, where the target cannot keep such a table.
    pub problem: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Missing,
    Exists,
}

impl SchemaReport {
    pub fn problems(&self) -> usize {
        self.tables.iter().filter(|table| table.problem.is_some()).count()
    }
}

/// Asks the target how it would make the tables that it lacks; writes nothing.
///
/// # Errors
/// When a database cannot be reached, or a table of the settings is not there.
pub async fn schema(settings: &SyncSettings) -> Result<SchemaReport, Problem> {
    let ends = Ends::connect(settings, Access::Look).await?;
    let roster = Roster::call(settings, &ends, Missing::Report, &Unshared, &mut BTreeSet::new()).await?;
    let (mut tables, mut said) = (Vec::new(), BTreeSet::new());
    for place in roster.order.waves.iter().flatten() {
        tables.push(table_statements(settings, &ends, &roster, *place, &mut said).await?);
    }
    Ok(SchemaReport { sync: settings.name.clone(), target: settings.target.url.to_string(), tables })
}

/// `said`: statements of the tables before, such as for a type that several tables have.
async fn table_statements(
    settings: &SyncSettings,
    ends: &Ends,
    roster: &Roster,
    place: usize,
    said: &mut BTreeSet<String>,
) -> Result<TableStatements, Problem> {
    let entry = &roster.entries[place];
    let mut statements = TableStatements {
        table: entry.settings.name.clone(),
        target: entry.settings.target.clone(),
        standing: if entry.target.is_some() { Standing::Exists } else { Standing::Missing },
        before: Vec::new(),
        after: Vec::new(),
        notes: Vec::new(),
        problem: None,
    };
    let like = wished_table(entry);
    if entry.target.is_some() {
        return Ok(statements);
    }
    if let Err(mismatch) = ends.target.capabilities().limits.check(&like) {
        statements.problem = Some(mismatch.to_string());
        return Ok(statements);
    }
    let creation = ends.target.creation(&like, &wished_foreign_keys(&roster.entries, place)).await;
    let creation = creation.map_err(|error| told("target", &settings.target, error))?;
    let mut unsaid = |all: Vec<String>| all.into_iter().filter(|one| said.insert(one.clone())).collect::<Vec<String>>();
    statements.notes = like.rules.left_behind.into_iter().chain(creation.notes).collect();
    statements.before = unsaid(creation.before);
    statements.after = unsaid(creation.after);
    Ok(statements)
}

/// A script that the target's own client can run.
pub fn text(report: &SchemaReport) -> String {
    let script = |of: fn(&TableStatements) -> &Vec<String>| -> String {
        report.tables.iter().flat_map(of).map(|statement| format!("{statement};\n")).collect()
    };
    let mut text = format!("-- target {}\n", report.target);
    for table in report.tables.iter().filter(|table| table.standing == Standing::Exists) {
        text += &format!("-- {} is there already\n", table.target);
    }
    for table in &report.tables {
        text += &table
            .problem
            .iter()
            .map(|problem| format!("-- {} cannot be made: {problem}\n", table.target))
            .collect::<String>();
    }
    let notes = report.tables.iter().flat_map(|table| table.notes.iter().map(move |note| (&table.target, note)));
    notes.for_each(|(table, note)| text += &format!("-- {table}: {}\n", note.replace('\n', " ")));
    text += &script(|table| &table.before);
    let after = script(|table| &table.after);
    if !after.is_empty() {
        text += "-- once the rows of all tables are there\n";
        text += &after;
    }
    text.trim_end().to_owned()
}
