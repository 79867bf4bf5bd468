//! How a table is worked on: what stands at the top, with what its entry says instead.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use rowsync_actors::job::StatementLog;
use rowsync_engine::conflict::Resolution;
use rowsync_engine::cost::CompareMethod;
use rowsync_engine::derived::{Expression, OnLossy, Operand};
use rowsync_engine::digest::DigestKind;
use rowsync_engine::plan::Strategy;

use super::keys::RawTuning;
use super::making;
use super::problem::listed;
use super::provenance::{Provenance, member};

/// Tuning, resolved for one table. The manual of each is in [`super::keys`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuningSettings {
    pub sync_strategy: Strategy,
    pub conflict_resolution: Resolution,
    /// The name in the source. Tables without such a column do without it.
    pub timestamp_field: String,
    pub merge_columns: bool,
    pub truncate_target: bool,
    pub change_tracking: ChangeTracking,
    /// Names of source columns; none where the table's own key is meant.
    pub primary_key_field: Option<Vec<String>>,
    /// The name in the source. Tables without such a column do without it.
    pub modify_time_field: String,
    pub modify_time_overlap: Duration,
    /// Source name to target name; no target name stands twice.
    pub field_mapping: BTreeMap<String, String>,
    /// None where all columns take part.
    pub fields: Option<Vec<String>>,
    /// None of these is among `fields`.
    pub exclude_fields: Vec<String>,
    /// Which rows of the source take part, in its SQL.
    pub source_where: Option<String>,
    /// Which rows of the target take part, in its SQL. Set wherever `source_where` is.
    pub target_where: Option<String>,
    /// The source's column that tells kinds of records apart; set where `record_types` are.
    pub record_type_field: Option<String>,
    /// None stands twice; empty: the table is taken as a whole.
    pub record_types: Vec<String>,
    /// What added rows get in target columns that the source lacks; nothing where `set_default_value` is off.
    pub default_values: BTreeMap<String, serde_json::Value>,
    /// What the values of target columns are made of.
    pub expressions: BTreeMap<String, Expression<Operand>>,
    pub copy_all_json_keys: bool,
    /// What is done with values that target columns cannot hold.
    pub on_lossy: BTreeMap<String, OnLossy>,
    pub create_missing_tables: bool,
    pub add_missing_columns: bool,
    pub trust_modify_id: bool,
    pub sync_all: bool,
    pub check_all_tables: bool,
    pub min_rows_to_sync: u64,
    pub only_sync_plan: bool,
    pub batch_size: NonZeroUsize,
    pub delete_batch_size: NonZeroUsize,
    pub id_array_batch_size: NonZeroUsize,
    pub binary_search_for_add: bool,
    pub binary_search_for_delete: bool,
    pub binary_search_min_table_size: u64,
    /// 0 to 100.
    pub binary_search_max_diff_percent: u8,
    pub binary_search_read_batch: NonZeroUsize,
    /// None: the cheapest way.
    pub compare_method: Option<CompareMethod>,
    pub max_parallel_ranges: NonZeroUsize,
    /// 0 where the newest are not searched first.
    pub binary_search_recent_first: u64,
    pub fallback_full_compare_on_mismatch: bool,
    /// 0 to 100.
    pub max_delete_percent: u8,
    pub max_error_count: u64,
    pub continue_on_error: bool,
    pub keep_failed_rows: bool,
    pub statements: StatementLog,
}

/// The check let only known words pass.
fn resolution(name: &str) -> Resolution {
    match name {
        "target_wins" => Resolution::TargetWins,
        "timestamp" => Resolution::Timestamp,
        "manual" => Resolution::Manual,
        _ => Resolution::SourceWins,
    }
}

/// How changes since the last run are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeTracking {
    /// The best way that the table offers.
    Auto,
    /// By the log that triggers write.
    Triggers,
    ModifyTime,
    /// Not at all: every row counts as changed.
    None,
}

impl ChangeTracking {
    fn named(name: &str) -> ChangeTracking {
        match name {
            "triggers" => ChangeTracking::Triggers,
            "modify_time" => ChangeTracking::ModifyTime,
            "none" => ChangeTracking::None,
            // The check let only known words pass.
            _ => ChangeTracking::Auto,
        }
    }
}

/// The check let only known words pass.
fn strategy(name: &str) -> Strategy {
    match name {
        "full" => Strategy::Full,
        "incremental" => Strategy::Incremental,
        "merge" => Strategy::Merge,
        _ => Strategy::Compare,
    }
}

/// None for `auto`; the check let only known words pass.
fn compare_method(name: &str) -> Option<CompareMethod> {
    let digests =
        [DigestKind::Server, DigestKind::Portable, DigestKind::Stream, DigestKind::Raw].map(CompareMethod::Digests);
    digests.into_iter().chain([CompareMethod::OrderedStream]).find(|method| method.name() == name)
}

impl TuningSettings {
    /// `own` is what the table's entry says; nothing for tables without one.
    pub(super) fn resolve(top: &RawTuning, own: &RawTuning) -> TuningSettings {
        macro_rules! of {
            ($key:ident) => {
                own.$key.clone().or_else(|| top.$key.clone())
            };
        }
        // An entry's filter does not go with the mirror of another.
        let filters = if own.r#where.is_some() || own.target_where.is_some() { own } else { top };
        TuningSettings {
            source_where: filters.r#where.clone(),
            target_where: filters.target_where.clone(),
            sync_strategy: strategy(&set(of!(sync_strategy))),
            conflict_resolution: resolution(&set(of!(conflict_resolution))),
            timestamp_field: set(of!(timestamp_field)),
            merge_columns: set(of!(merge_columns)),
            truncate_target: set(of!(truncate_target)),
            change_tracking: ChangeTracking::named(&set(of!(change_tracking))),
            primary_key_field: of!(primary_key_field),
            modify_time_field: set(of!(modify_time_field)),
            modify_time_overlap: Duration::from_secs(set(of!(modify_time_overlap_seconds))),
            field_mapping: of!(field_mapping).unwrap_or_default(),
            fields: of!(fields),
            exclude_fields: of!(exclude_fields).unwrap_or_default(),
            record_type_field: of!(record_type_field),
            record_types: of!(record_types).unwrap_or_default(),
            default_values: of!(default_values).filter(|_| set(of!(set_default_value))).unwrap_or_default(),
            expressions: making::expressions(&of!(expressions).unwrap_or_default()),
            copy_all_json_keys: set(of!(copy_all_json_keys)),
            on_lossy: making::on_lossy(&of!(on_lossy).unwrap_or_default()),
            create_missing_tables: set(of!(create_missing_tables)),
            add_missing_columns: set(of!(add_missing_columns)),
            trust_modify_id: set(of!(trust_modify_id)),
            sync_all: set(of!(sync_all)),
            check_all_tables: set(of!(check_all_tables)),
            min_rows_to_sync: set(of!(min_rows_to_sync)),
            only_sync_plan: set(of!(only_sync_plan)),
            batch_size: set(of!(batch_size)),
            delete_batch_size: set(of!(delete_batch_size)),
            id_array_batch_size: set(of!(id_array_batch_size)),
            binary_search_for_add: set(of!(binary_search_for_add)),
            binary_search_for_delete: set(of!(binary_search_for_delete)),
            binary_search_min_table_size: set(of!(binary_search_min_table_size)),
            binary_search_max_diff_percent: set(of!(binary_search_max_diff_percent)),
            binary_search_read_batch: set(of!(binary_search_read_batch)),
            compare_method: compare_method(&set(of!(compare_method))),
            max_parallel_ranges: set(of!(max_parallel_ranges)),
            binary_search_recent_first: set(of!(binary_search_recent_first)),
            fallback_full_compare_on_mismatch: set(of!(fallback_full_compare_on_mismatch)),
            max_delete_percent: set(of!(max_delete_percent)),
            max_error_count: set(of!(max_error_count)),
            continue_on_error: set(of!(continue_on_error)),
            keep_failed_rows: set(of!(keep_failed_rows)),
            statements: StatementLog {
                all: set(of!(show_sql)),
                writes: set(of!(show_save_sql)),
                times: set(of!(debug_sql)),
            },
        }
    }

    /// Refuses columns that are said to be two things at once. `path` is the table's, or empty for the top.
    pub(super) fn check_columns(&self, path: &str, provenance: &mut Provenance) {
        self.check_excluded(path, provenance);
        self.check_mapping(path, provenance);
    }

    /// Refuses a filter whose mirror is missing: rows of the target outside of it would be deleted, which may be meant or
    /// not.
    pub(super) fn check_filter(&self, path: &str, provenance: &mut Provenance) {
        if self.source_where.is_some() && self.target_where.is_none() {
            let message = "`where` needs its mirror `target_where`, so that rows of the target outside of it are left alone: \
                often the same condition, or `\"true\"` where the target is to hold nothing else";
            provenance.refuse(&member(path, "where"), message);
        }
    }

    /// Refuses kinds of records that nothing tells apart.
    pub(super) fn check_kinds(&self, path: &str, provenance: &mut Provenance) {
        let types = member(path, "record_types");
        match (&self.record_type_field, self.record_types.is_empty()) {
            (None, false) => provenance.refuse(&types, "name the column that tells them apart in `record_type_field`"),
            (Some(_), true) => {
                let field = member(path, "record_type_field");
                provenance.refuse(&field, "list the kinds of records in `record_types`");
            }
            _ => {}
        }
        let mut seen = BTreeSet::new();
        if !self.record_types.iter().all(|kind| seen.insert(kind)) {
            provenance.refuse(&types, "a kind stands twice; remove one of them");
        }
    }

    fn check_excluded(&self, path: &str, provenance: &mut Provenance) {
        let excluded = &self.exclude_fields;
        let path = member(path, "exclude_fields");
        let both = self.fields.iter().flatten().filter(|field| excluded.contains(field));
        let both: Vec<&str> = both.map(String::as_str).collect();
        if !both.is_empty() {
            let both = listed(&provenance.shown_names(both));
            provenance.refuse(&path, format!("{both} stands in `fields` too; remove it from one of them"));
        }
        let keys = self.primary_key_field.iter().flatten().filter(|field| excluded.contains(field));
        let keys: Vec<&str> = keys.map(String::as_str).collect();
        if !keys.is_empty() {
            let keys = listed(&provenance.shown_names(keys));
            provenance.refuse(
                &path,
                format!("{keys} stands in `primary_key_field` too; rows cannot be told apart without it"),
            );
        }
    }

    fn check_mapping(&self, path: &str, provenance: &mut Provenance) {
        let mut sources: BTreeMap<&str, &str> = BTreeMap::new();
        let path = member(path, "field_mapping");
        for (source, target) in &self.field_mapping {
            if let Some(other) = sources.insert(target, source) {
                let path = member(&path, source);
                let shown = provenance.shown(&path, target);
                provenance.refuse(
                    &path,
                    format!("`{other}` goes to {shown:?} already; give each column a target of its own"),
                );
            }
        }
    }
}

/// A key that has a default is always there at the top.
pub(super) fn set<T>(value: Option<T>) -> T {
    value.expect("the first layer holds every default, and the check puts it back where a value was refused")
}
