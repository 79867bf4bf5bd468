//! `rowsync track`: makes and removes the triggers that log which rows of the source change, and tells how they stand.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rowsync_actors::leave::Unshared;
use rowsync_engine::store::{Consistency, Snapshot};
use rowsync_stores::Access;
use serde::Serialize;

use crate::cli::TrackAction;
use crate::ends::{Ends, told};
use crate::execute::place_of;
use crate::problem::Problem;
use crate::roster::{Entry, Missing, Roster};
use crate::settings::SyncSettings;
use crate::tracking::{log_owner, owner};

#[derive(Debug, Serialize)]
pub struct TrackReport {
    pub sync: String,
    pub source: String,
    pub tables: Vec<Tracked>,
}

#[derive(Debug, Serialize)]
pub struct Tracked {
    pub table: String,
    pub standing: Standing,
    /// Changes in the log.
    pub pending: u64,
    /// What a person has to know: a gap, changes that are not seen, why nothing was done.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The log tells all changes.
    Tracked,
    /// It does not; the next run compares.
    Gap,
    NotTracked,
    /// Triggers and log are gone.
    Removed,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Standing::Tracked => "tracked",
            Standing::Gap => "gap",
            Standing::NotTracked => "not tracked",
            Standing::Removed => "removed",
        }
    }
}

/// Does it for every table of the sync that may be followed by a log.
///
/// # Errors
/// When a database cannot be reached, a table is not there, or the source refuses.
pub async fn track(settings: &SyncSettings, action: TrackAction) -> Result<TrackReport, Problem> {
    let ends = Ends::connect(settings, Access::Look).await?;
    let roster = Roster::call(settings, &ends, Missing::Report, &Unshared, &mut BTreeSet::new()).await?;
    let mut tables = Vec::new();
    for entry in &roster.entries {
        tables.push(track_table(settings, &ends, entry, action).await?);
    }
    Ok(TrackReport { sync: settings.name.clone(), source: settings.source.url.to_string(), tables })
}

async fn track_table(
    settings: &SyncSettings,
    ends: &Ends,
    entry: &Entry,
    action: TrackAction,
) -> Result<Tracked, Problem> {
    let place = place_of(settings);
    let mut tracked =
        Tracked { table: entry.settings.name.clone(), standing: Standing::NotTracked, pending: 0, notes: Vec::new() };
    let pair = match &entry.pair {
        Ok(pair) => pair,
        Err(mismatch) => {
            tracked.notes.push(mismatch.to_string());
            return Ok(tracked);
        }
    };
    let failed = |error| told("source", &settings.source, error);
    match action {
        TrackAction::Install if log_owner(&entry.settings.tuning, &place).is_none() => {
            tracked.notes.push(NOT_FOLLOWED.into());
            return Ok(tracked);
        }
        TrackAction::Install => {
            tracked.notes = ends.source.install_log(pair.source.stored(), &owner(&place)).await.map_err(failed)?;
        }
        TrackAction::Remove => {
            if ends.source.remove_log(pair.source.stored(), &owner(&place)).await.map_err(failed)? {
                tracked.standing = Standing::Removed;
            }
            return Ok(tracked);
        }
        TrackAction::Status => {}
    }
    let latest = ends.source.snapshot(Consistency::Latest).await.map_err(failed)?;
    let standing = Snapshot::log(&*latest, pair.source.stored(), &owner(&place)).await.map_err(failed)?;
    if let Some(log) = standing {
        tracked.standing = if log.gap.is_some() { Standing::Gap } else { Standing::Tracked };
        tracked.pending = log.pending;
        tracked.notes.extend(log.gap);
    }
    Ok(tracked)
}

const NOT_FOLLOWED: &str = "left alone: its changes would be logged and never read; set `sync_strategy` to \"incremental\", and `change_tracking` \
     to \"auto\" or \"triggers\"";

/// The report as people read it.
pub fn text(report: &TrackReport) -> String {
    let mut text = format!("source {}\n", report.source);
    for table in &report.tables {
        let _ = write!(text, "{:12} {}", table.standing.word(), table.table);
        if matches!(table.standing, Standing::Tracked | Standing::Gap) {
            let _ = write!(text, " ({} changes in the log)", table.pending);
        }
        text.push('\n');
        table.notes.iter().for_each(|note| text += &format!("             note: {note}\n"));
    }
    text.trim_end().to_owned()
}
