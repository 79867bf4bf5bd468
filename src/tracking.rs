//! The logs of changes that this sync's runs follow: whose they are, and what of them is not needed any more.

use rowsync_actors::messages::TableOutcome;
use rowsync_engine::change_log::LogStanding;
use rowsync_engine::plan::Strategy;
use rowsync_engine::store::Store;

use crate::roster::Roster;
use crate::settings::{ChangeTracking, TuningSettings};
use crate::state::Place;

/// Whose log a table's changes are written to, where they may be followed by one. The kinds of record of one table would
/// share its log, and what one of them has read is not what all of them have.
pub fn log_owner(tuning: &TuningSettings, place: &Place) -> Option<String> {
    let by_log = matches!(tuning.change_tracking, ChangeTracking::Auto | ChangeTracking::Triggers);
    (tuning.sync_strategy == Strategy::Incremental && by_log && tuning.record_types.is_empty()).then(|| owner(place))
}

/// A log belongs to one sync between two databases: what one target has, another one need not have.
pub fn owner(place: &Place) -> String {
    format!("{}\n{}", place.sync, place.ends)
}

/// Tables whose target holds all that their logs told, by their names.
pub fn logs_read(outcomes: &[TableOutcome]) -> Vec<(String, LogStanding)> {
    let read = outcomes.iter().filter_map(|outcome| Some((outcome.report.table.clone(), outcome.log.clone()?)));
    read.filter(|(_, log)| log.pending > 0).collect()
}

/// Forgets what is in the target and remembered. Where that fails the next run reads it again, which does no harm.
pub async fn acknowledge(source: &dyn Store, roster: &Roster, place: &Place, logs: &[(String, LogStanding)]) {
    for (table, log) in logs {
        let entry = roster.entries.iter().find(|entry| entry.settings.name == *table);
        let Some(Ok(pair)) = entry.map(|entry| &entry.pair) else { continue };
        if let Err(error) = source.acknowledge(pair.source.stored(), &owner(place), &log.through).await {
            tracing::warn!(%table, %error, "the log of changes was not pruned; the next run reads it again");
        }
    }
}
