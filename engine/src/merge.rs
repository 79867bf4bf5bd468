//! The three-way merge of one row: what both sides have, against what they agreed on last.

use std::borrow::Cow;

use crate::canonical::NotCanonical;
use crate::conflict::{ConflictKind, Rules, later};
use crate::domain::Domain;
use crate::image::{Imprint, imprint};
use crate::remembered::{Remembered, column_imprints};
use crate::row::{fields, push_field};
use crate::search::SideName;

/// What both sides shall have in place of what they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate<'a> {
    Row(Cow<'a, [u8]>),
    Gone,
    /// Neither side is touched until a person has decided.
    Waits,
}

/// What both sides did to a row that they do not agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    pub kind: ConflictKind,
    /// The columns that both changed, where those are known.
    pub columns: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    pub fate: Fate<'a>,
    /// None where there was nothing to decide by a rule.
    pub clash: Option<Clash>,
}

impl<'a> Decision<'a> {
    fn clear(fate: Fate<'a>) -> Decision<'a> {
        Decision { fate, clash: None }
    }
}

/// Decides about one row. Rows are in `Fields` form; none is there where it is `None`.
///
/// # Errors
/// When a value has no canonical form.
pub fn decide<'a>(
    base: Option<&Remembered>,
    source: Option<&'a [u8]>,
    target: Option<&'a [u8]>,
    key_len: usize,
    domains: &[Domain],
    rules: &Rules,
) -> Result<Decision<'a>, NotCanonical> {
    let imprints = |row: Option<&[u8]>| row.map(|row| imprint(row, domains)).transpose();
    let (s, t) = (imprints(source)?, imprints(target)?);
    let unchanged = |row: Option<Imprint>| match (base, row) {
        (Some(base), Some(row)) => base.is(row),
        (None, None) => true,
        _ => false,
    };
    if s == t || unchanged(t) {
        return Ok(Decision::clear(fate(source)));
    }
    if unchanged(s) {
        return Ok(Decision::clear(fate(target)));
    }
    let kind = match (source, target, base) {
        (None, ..) => ConflictKind::SourceDeleted,
        (_, None, _) => ConflictKind::TargetDeleted,
        (_, _, None) => ConflictKind::BothInserted,
        _ => ConflictKind::BothChanged,
    };
    if let (true, Some(base), Some(source), Some(target)) = (rules.by_columns, base, source, target)
        && base.columns.len() + key_len == domains.len()
    {
        return by_columns(base, source, target, key_len, domains, rules);
    }
    let fate = match rules.winner(source, target) {
        Some(SideName::Source) => fate(source),
        Some(SideName::Target) => fate(target),
        None => Fate::Waits,
    };
    Ok(Decision { fate, clash: Some(Clash { kind, columns: Vec::new() }) })
}

fn fate(row: Option<&[u8]>) -> Fate<'_> {
    row.map_or(Fate::Gone, |row| Fate::Row(row.into()))
}

/// Puts together what both sides changed, column by column. The winner of a conflict decides about the columns that both
/// changed, and about no other ones.
fn by_columns<'a>(
    base: &Remembered,
    source: &'a [u8],
    target: &'a [u8],
    key_len: usize,
    domains: &[Domain],
    rules: &Rules,
) -> Result<Decision<'a>, NotCanonical> {
    let (s, t) = (column_imprints(source, key_len, domains)?, column_imprints(target, key_len, domains)?);
    let disputed = |column: usize| {
        let (at, b) = (column - key_len, base.columns[column - key_len]);
        s[at] != t[at] && s[at] != b && t[at] != b
    };
    let columns: Vec<usize> =
        (key_len..domains.len()).filter(|column| disputed(*column) && !rules.clocks.contains(column)).collect();
    let clash = (!columns.is_empty()).then(|| Clash { kind: ConflictKind::BothChanged, columns: columns.clone() });
    let winner = match (&clash, rules.winner(Some(source), Some(target))) {
        (Some(_), None) => return Ok(Decision { fate: Fate::Waits, clash }),
        (_, winner) => winner.unwrap_or(SideName::Source),
    };
    let mut row = Vec::with_capacity(source.len());
    for (column, (ours, theirs)) in fields(source).zip(fields(target)).enumerate() {
        let broken = |_| NotCanonical { kind: "broken row", domain: domains[column] };
        let (ours, theirs) = (ours.map_err(broken)?, theirs.map_err(broken)?);
        let from = match column.checked_sub(key_len) {
            None => SideName::Source,
            Some(_) if columns.contains(&column) => winner,
            Some(_) if disputed(column) => later(ours, theirs),
            Some(at) if s[at] == base.columns[at] => SideName::Target,
            Some(_) => SideName::Source,
        };
        push_field(&mut row, if from == SideName::Source { ours } else { theirs });
    }
    Ok(Decision { fate: Fate::Row(row.into()), clash })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::Resolution;
    use crate::value::ValueRef;

    const DOMAINS: [Domain; 3] = [Domain::Int; 3];
    const KEY: i64 = 7;

    /// A row of two columns behind the key.
    type Cells = Option<(i64, i64)>;

    fn bytes((a, b): (i64, i64)) -> Vec<u8> {
        let mut row = Vec::new();
        [KEY, a, b].iter().for_each(|value| push_field(&mut row, ValueRef::Int(*value)));
        row
    }

    fn cells(row: &[u8]) -> (i64, i64) {
        let values: Vec<ValueRef<'_>> = fields(row).map(Result::unwrap).collect();
        match values.as_slice() {
            [ValueRef::Int(KEY), ValueRef::Int(a), ValueRef::Int(b)] => (*a, *b),
            other => panic!("{} values", other.len()),
        }
    }

    fn rules(resolution: Resolution, by_columns: bool) -> Rules {
        Rules { resolution, by_columns, timestamp: None, clocks: Vec::new() }
    }

    /// `None`: it waits.
    fn merged(base: Cells, source: Cells, target: Cells, rules: &Rules) -> (Option<Cells>, Option<ConflictKind>) {
        let known = base.map(|row| Remembered::of(&bytes(row), 1, &DOMAINS, rules.by_columns).unwrap());
        let (source, target) = (source.map(bytes), target.map(bytes));
        let decision = decide(known.as_ref(), source.as_deref(), target.as_deref(), 1, &DOMAINS, rules).unwrap();
        let kind = decision.clash.map(|clash| clash.kind);
        match decision.fate {
            Fate::Row(row) => (Some(Some(cells(&row))), kind),
            Fate::Gone => (Some(None), kind),
            Fate::Waits => (None, kind),
        }
    }

    fn every_row() -> Vec<Cells> {
        let values = (0..3).flat_map(|a| (0..3).map(move |b| Some((a, b))));
        values.chain([None]).collect()
    }

    fn each_case(mut check: impl FnMut(Cells, Cells, Cells)) {
        for base in every_row() {
            for source in every_row() {
                every_row().into_iter().for_each(|target| check(base, source, target));
            }
        }
    }

    #[test]
    fn what_one_side_changed_is_taken_over_and_what_both_changed_alike_stays() {
        for rules in [rules(Resolution::Manual, false), rules(Resolution::TargetWins, true)] {
            each_case(|base, source, target| {
                let merged = merged(base, source, target, &rules);
                if source == target || target == base {
                    assert_eq!(merged, (Some(source), None));
                } else if source == base {
                    assert_eq!(merged, (Some(target), None));
                }
            });
        }
    }

    #[test]
    fn every_conflict_has_its_kind_and_ends_by_its_rule() {
        use ConflictKind::{BothChanged, BothInserted, SourceDeleted, TargetDeleted};
        each_case(|base, source, target| {
            if source == target || target == base || source == base {
                return;
            }
            let kind = match (base, source, target) {
                (None, ..) => BothInserted,
                (_, None, _) => SourceDeleted,
                (.., None) => TargetDeleted,
                _ => BothChanged,
            };
            for (resolution, fate) in [
                (Resolution::SourceWins, Some(source)),
                (Resolution::TargetWins, Some(target)),
                (Resolution::Manual, None),
            ] {
                assert_eq!(merged(base, source, target, &rules(resolution, false)), (fate, Some(kind)));
            }
        });
    }

    #[test]
    fn changes_of_different_columns_are_put_together_and_one_of_the_same_column_is_a_conflict() {
        each_case(|base, source, target| {
            let (Some(b), Some(s), Some(t)) = (base, source, target) else { return };
            let column = |b: i64, s: i64, t: i64| match (s == b, t == b || s == t) {
                (true, _) => Some(t),
                (_, true) => Some(s),
                _ => None,
            };
            let (x, y) = (column(b.0, s.0, t.0), column(b.1, s.1, t.1));
            let whole = x.zip(y);
            let kind = whole.is_none().then_some(ConflictKind::BothChanged);
            let ends = |x: Option<i64>, y: Option<i64>, winner: (i64, i64)| {
                Some(Some((x.unwrap_or(winner.0), y.unwrap_or(winner.1))))
            };
            for (resolution, fate) in [
                (Resolution::SourceWins, ends(x, y, s)),
                (Resolution::TargetWins, ends(x, y, t)),
                (Resolution::Manual, whole.map(Some)),
            ] {
                assert_eq!(merged(base, source, target, &rules(resolution, true)), (fate, kind), "{b:?} {s:?} {t:?}");
            }
        });
    }

    #[test]
    fn both_sides_come_to_the_same_end_whichever_is_called_the_source() {
        for by_columns in [false, true] {
            each_case(|base, source, target| {
                let one = merged(base, source, target, &rules(Resolution::SourceWins, by_columns)).0;
                let other = merged(base, target, source, &rules(Resolution::TargetWins, by_columns)).0;
                assert_eq!(one, other);
            });
        }
    }

    #[test]
    fn what_was_merged_needs_no_further_merge() {
        for resolution in [Resolution::SourceWins, Resolution::TargetWins, Resolution::Timestamp] {
            let rules = rules(resolution, true);
            each_case(|base, source, target| {
                let end = merged(base, source, target, &rules).0.unwrap();
                assert_eq!(merged(end, end, end, &rules), (Some(end), None));
                // After a crash between the commits and the memory.
                assert_eq!(merged(base, end, end, &rules), (Some(end), None));
            });
        }
    }

    #[test]
    fn a_column_that_only_tells_when_is_no_conflict_and_the_later_one_stays() {
        let rules = Rules { clocks: vec![2], ..rules(Resolution::Manual, true) };
        assert_eq!(merged(Some((0, 0)), Some((1, 1)), Some((0, 2)), &rules), (Some(Some((1, 2))), None));
        assert_eq!(merged(Some((0, 0)), Some((1, 2)), Some((0, 1)), &rules), (Some(Some((1, 2))), None));
        let both = merged(Some((0, 0)), Some((1, 1)), Some((2, 2)), &rules);
        assert_eq!(both, (None, Some(ConflictKind::BothChanged)));
    }

    #[test]
    fn a_row_that_was_known_with_other_columns_is_neither_deleted_nor_brought_back() {
        let known = Remembered { row: None, columns: Box::default() };
        let row = bytes((1, 1));
        let decision = decide(Some(&known), None, Some(&row), 1, &DOMAINS, &rules(Resolution::Manual, true)).unwrap();
        let clash = Clash { kind: ConflictKind::SourceDeleted, columns: Vec::new() };
        assert_eq!(decision, Decision { fate: Fate::Waits, clash: Some(clash) });
    }
}
