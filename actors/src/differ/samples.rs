//! Some of the rows that differ, for the one who has to look at them.

use rowsync_engine::compare::{Findings, differing_columns};
use rowsync_engine::key::Key;
use rowsync_engine::report::{ColumnDifference, Sample, SampleKind};
use rowsync_engine::row::{RowPage, fields, key_bytes};
use rowsync_engine::schema::TableView;

use super::Desk;

/// At most so many, with the differing columns of each where an explanation is asked for.
pub(super) fn samples(
    desk: &Desk,
    findings: &Findings,
    target: &RowPage,
    samples_max: usize,
    explain: bool,
) -> Vec<Sample> {
    let view = &desk.pair.source;
    let mut samples = Vec::new();
    let key_len = desk.key_len();
    let sample = |kind, key: &Key, columns| Sample { kind, key: key_json(view, key), columns };
    for row in findings.changes.updates.rows().take(samples_max) {
        let key = Key::from_bytes(key_bytes(row, key_len));
        let other = target.rows().find(|candidate| candidate.starts_with(key.as_bytes()));
        let columns = other.filter(|_| explain).map(|other| explain_row(desk, row, other)).unwrap_or_default();
        samples.push(sample(SampleKind::Different, &key, columns));
    }
    for index in 0..findings.changes.inserts.len().min(samples_max) {
        samples.push(sample(SampleKind::Missing, &findings.changes.inserts.key(index), Vec::new()));
    }
    for key in findings.changes.deletes.iter().take(samples_max) {
        samples.push(sample(SampleKind::Extra, key, Vec::new()));
    }
    samples.truncate(samples_max);
    samples
}

fn key_json(view: &TableView, key: &Key) -> serde_json::Value {
    key.to_json(view.key_columns().iter().map(|column| column.column.name.as_str()))
}

fn explain_row(desk: &Desk, source: &[u8], target: &[u8]) -> Vec<ColumnDifference> {
    let domains = desk.domains();
    let places = differing_columns(source, target, &domains).unwrap_or_default();
    let value = |row: &[u8], place| {
        fields(row).nth(place).and_then(Result::ok).map_or(serde_json::Value::Null, |value| value.to_json())
    };
    let difference = |place: usize| ColumnDifference {
        column: desk.pair.source.columns[place].column.name.clone(),
        source: value(source, place),
        target: value(target, place),
        rule: domains[place].rule().to_owned(),
    };
    places.into_iter().map(difference).collect()
}
