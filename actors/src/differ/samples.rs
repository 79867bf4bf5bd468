//! Some of the rows that differ, for the one who has to look at them.

use rowsync_engine::compare::{Findings, differing_columns};
use rowsync_engine::domain::Domain;
use rowsync_engine::key::Key;
use rowsync_engine::report::{ColumnDifference, Sample, SampleKind};
use rowsync_engine::row::{RowPage, fields, key_bytes};
use rowsync_engine::schema::TableView;
use rowsync_engine::value::ValueRef;

use super::Desk;

/// At most so many, of each kind as many as of the others where there are so many; with the differing columns of each
/// where an explanation is asked for.
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
    let changes = &findings.changes;
    let [different, missing, extra] =
        shares([changes.updates.len(), changes.inserts.len(), changes.deletes.len()], samples_max);
    for row in changes.updates.rows().take(different) {
        let key = Key::from_bytes(key_bytes(row, key_len));
        let other = target.rows().find(|candidate| candidate.starts_with(key.as_bytes()));
        let columns = other.filter(|_| explain).map(|other| explain_row(desk, row, other)).unwrap_or_default();
        samples.push(sample(SampleKind::Different, &key, columns));
    }
    for index in 0..missing {
        let columns = if explain { unfit_columns(desk, changes.inserts.row(index)) } else { Vec::new() };
        samples.push(sample(SampleKind::Missing, &changes.inserts.key(index), columns));
    }
    for key in changes.deletes.iter().take(extra) {
        samples.push(sample(SampleKind::Extra, key, Vec::new()));
    }
    samples
}

/// How many of each kind there is room for, one of each in turn.
pub(crate) fn shares<const N: usize>(there: [usize; N], room: usize) -> [usize; N] {
    let mut shares = [0; N];
    let wanted = there.iter().sum::<usize>().min(room);
    let mut given = 0;
    while given < wanted {
        for (share, there) in shares.iter_mut().zip(there) {
            if *share < there && given < wanted {
                *share += 1;
                given += 1;
            }
        }
    }
    shares
}

fn key_json(view: &TableView, key: &Key) -> serde_json::Value {
    key.to_json(view.key_columns().iter().map(|column| column.column.name.as_str()))
}

fn explain_row(desk: &Desk, source: &[u8], target: &[u8]) -> Vec<ColumnDifference> {
    let domains = desk.domains();
    let places = differing_columns(source, target, &domains).unwrap_or_default();
    let value = |row: &[u8], place| at(row, place).map_or(serde_json::Value::Null, ValueRef::to_json);
    let difference = |place: usize| ColumnDifference {
        column: desk.pair.source.columns[place].column.name.clone(),
        source: value(source, place),
        target: value(target, place),
        rule: rule(domains[place], [at(source, place), at(target, place)]),
    };
    places.into_iter().map(difference).collect()
}

fn at(row: &[u8], place: usize) -> Option<ValueRef<'_>> {
    fields(row).nth(place).and_then(Result::ok)
}

/// The rule of the domain, and what is none of its values.
fn rule(domain: Domain, [source, target]: [Option<ValueRef<'_>>; 2]) -> String {
    let mut rule = domain.rule().to_owned();
    for (side, value) in [("source", source), ("target", target)] {
        if let Some(value @ ValueRef::Unfit(..)) = value {
            rule += &format!("; the {side} holds a value ({}) that is none of these", value.kind());
        }
    }
    rule
}

/// Why a row that only the source has cannot be written.
fn unfit_columns(desk: &Desk, row: &[u8]) -> Vec<ColumnDifference> {
    let columns = desk.pair.source.columns.iter().zip(fields(row));
    let unfit = columns.filter_map(|(column, value)| match value {
        Ok(value @ ValueRef::Unfit(..)) => Some(ColumnDifference {
            column: column.column.name.clone(),
            source: value.to_json(),
            target: serde_json::Value::Null,
            rule: rule(column.domain, [Some(value), None]),
        }),
        _ => None,
    });
    unfit.collect()
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn each_kind_of_difference_is_shown_where_there_is_room_for_one() {
        assert_eq!(shares([4, 1, 1], 5), [3, 1, 1]);
        assert_eq!(shares([100, 0, 100], 5), [3, 0, 2]);
        assert_eq!(shares([1, 2, 0], 10), [1, 2, 0]);
        assert_eq!(shares([5, 5, 5], 0), [0, 0, 0]);
    }
}
