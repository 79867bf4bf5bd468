//! What does not go together with a strategy.

use rowsync_engine::conflict::Resolution;
use rowsync_engine::plan::Strategy;

use super::keys::RawSettings;
use super::provenance::{Provenance, entry, member};
use super::table::TableSelection;
use super::tuning::TuningSettings;

const IDLE_RULE: &str =
    "only a merge knows conflicts; set `sync_strategy` to `merge`, or leave this out: the source wins";
const FILTERED: &str = "a merge cannot tell a row that left the filter from one that was deleted; merge the whole table, or leave this out";

/// `top` is what holds for tables without an entry.
pub(super) fn check_strategies(
    raw: &RawSettings,
    tables: &TableSelection,
    top: &TuningSettings,
    provenance: &mut Provenance,
) {
    let merges_any = match tables {
        TableSelection::All => merges(top),
        TableSelection::Named(tables) => tables.iter().any(|table| merges(&table.tuning)),
    };
    if top.conflict_resolution != Resolution::SourceWins && !merges(top) && !merges_any {
        provenance.refuse("conflict_resolution", IDLE_RULE);
    }
    if matches!(tables, TableSelection::All) {
        refuse_filter("", top, provenance);
    }
    for (index, table) in raw.tables.iter().flatten().enumerate() {
        let (path, tuning) = (entry("tables", index), TuningSettings::resolve(&raw.tuning, &table.tuning));
        let rules = table.tuning.conflict_resolution.is_some() && tuning.conflict_resolution != Resolution::SourceWins;
        if rules && !merges(&tuning) {
            provenance.refuse(&member(&path, "conflict_resolution"), IDLE_RULE);
        }
        refuse_filter(&path, &tuning, provenance);
    }
}

fn merges(tuning: &TuningSettings) -> bool {
    tuning.sync_strategy == Strategy::Merge
}

fn refuse_filter(path: &str, tuning: &TuningSettings, provenance: &mut Provenance) {
    let filters = [("where", &tuning.source_where), ("target_where", &tuning.target_where)];
    for (key, _) in filters.iter().filter(|(_, filter)| merges(tuning) && filter.is_some()) {
        provenance.refuse(&member(path, key), FILTERED);
    }
}
