//! The compare of two pages that hold the same range of keys: what the target lacks, what differs, what it has too much.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::canonical::{NotCanonical, write_canonical};
use crate::change::Changes;
use crate::domain::Domain;
use crate::key::Key;
use crate::row::{FieldsError, Form, RowPage, fields, key_bytes};
use crate::sightings::Sightings;
use crate::value::ValueRef;

/// What the compare of a range found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Rows to insert, rows to update, and the keys that only the target has; with what was seen of the rows to update.
    pub changes: Changes,
    /// What was seen of the rows that only the target has, which may be deleted at another time.
    pub extras: Sightings,
    pub equal: u64,
}

impl Findings {
    pub fn new(key_len: usize) -> Findings {
        let changes = Changes { seen: Some(Arc::default()), ..Changes::new(key_len) };
        Findings { changes, extras: Sightings::default(), equal: 0 }
    }

    /// All changes in one set.
    pub fn into_changes(self) -> Changes {
        let mut changes = self.changes;
        let seen = changes.seen.get_or_insert_default();
        Arc::make_mut(seen).absorb(self.extras);
        changes
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompareError {
    #[error("{0} has two rows with the same key")]
    DuplicateKey(&'static str),
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

/// Compares two complete pages of one range, both in `Fields` form.
///
/// The pages are merged by the bytes of their keys. Those are the same for equal keys on both sides, which is all that
/// a merge of complete ranges needs; the databases' own order, which depends on collations, is not needed.
///
/// # Errors
/// When a key comes twice on one side, or a value has no canonical form.
pub fn compare(source: &RowPage, target: &RowPage, domains: &[Domain]) -> Result<Findings, CompareError> {
    let mut same = Sameness::new(domains);
    merge(source, target, |wanted, found| same.same(wanted, found))
}

/// The same where rows with equal keys need not be looked at, and those of the source may be keys alone.
///
/// # Errors
/// When a key comes twice on one side.
pub fn compare_keys(source: &RowPage, target: &RowPage) -> Result<Findings, CompareError> {
    merge(source, target, |_, _| Ok(true))
}

fn merge(
    source: &RowPage,
    target: &RowPage,
    mut same: impl FnMut(&[u8], &[u8]) -> Result<bool, NotCanonical>,
) -> Result<Findings, CompareError> {
    debug_assert!(source.form == Form::Fields && target.form == Form::Fields, "raw rows are never compared");
    let sources = by_key(source, "source")?;
    let targets = by_key(target, "target")?;
    let mut findings = Findings::new(source.key_len);
    let mut seen = Sightings::default();
    let (mut s, mut t) = (sources.iter().peekable(), targets.iter().peekable());
    loop {
        let order = match (s.peek(), t.peek()) {
            (Some(a), Some(b)) => a.0.cmp(b.0),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        match order {
            Ordering::Less => s.next().into_iter().for_each(|(_, row)| findings.changes.inserts.push_row(row)),
            Ordering::Greater => {
                if let Some((key, found)) = t.next() {
                    findings.changes.deletes.push(Key::from_bytes(key));
                    findings.extras.note(found);
                }
            }
            Ordering::Equal => {
                if let (Some((_, wanted)), Some((_, found))) = (s.next(), t.next()) {
                    if same(wanted, found)? {
                        findings.equal += 1;
                    } else {
                        findings.changes.updates.push_row(wanted);
                        seen.note(found);
                    }
                }
            }
        }
    }
    findings.changes.seen = Some(Arc::new(seen));
    Ok(findings)
}

type KeyedRow<'a> = (&'a [u8], &'a [u8]);

fn by_key<'a>(page: &'a RowPage, side: &'static str) -> Result<Vec<KeyedRow<'a>>, CompareError> {
    let mut rows: Vec<KeyedRow<'a>> = page.rows().map(|row| (key_bytes(row, page.key_len), row)).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    match rows.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        true => Err(CompareError::DuplicateKey(side)),
        false => Ok(rows),
    }
}

/// Whether two rows are equal in their domains, with buffers that are used again.
struct Sameness<'a> {
    domains: &'a [Domain],
    left: Vec<u8>,
    right: Vec<u8>,
}

impl<'a> Sameness<'a> {
    fn new(domains: &'a [Domain]) -> Self {
        Sameness { domains, left: Vec::new(), right: Vec::new() }
    }

    fn same<'b>(&mut self, a: &'b [u8], b: &'b [u8]) -> Result<bool, NotCanonical> {
        if a == b {
            return Ok(true);
        }
        // Most rows that differ do so in a few fields, and telling what a value is takes longer than comparing bytes.
        let (mut ours, mut theirs) = (fields(a), fields(b));
        for domain in self.domains {
            let broken = |_| NotCanonical { kind: "broken row", domain: *domain };
            let (a, b) = (ours.next_bytes().map_err(broken)?, theirs.next_bytes().map_err(broken)?);
            if a == b {
                continue;
            }
            let value = |bytes: Option<&'b [u8]>| fields(bytes.unwrap_or_default()).next().ok_or(FieldsError).flatten();
            if !self.same_value(value(a).map_err(broken)?, value(b).map_err(broken)?, *domain)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn same_value(&mut self, a: ValueRef<'_>, b: ValueRef<'_>, domain: Domain) -> Result<bool, NotCanonical> {
        match (a, b) {
            // What is large is mostly one of these, and need not be spelled to be compared.
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => Ok(a == b),
            (ValueRef::Text(a), ValueRef::Text(b)) if domain != Domain::PaddedText => Ok(a == b),
            _ => {
                self.left.clear();
                self.right.clear();
                write_canonical(&mut self.left, a, domain)?;
                write_canonical(&mut self.right, b, domain)?;
                Ok(self.left == self.right)
            }
        }
    }
}

/// The places of the columns in which two rows with the same key differ.
///
/// # Errors
/// When a value has no canonical form.
pub fn differing_columns(source: &[u8], target: &[u8], domains: &[Domain]) -> Result<Vec<usize>, NotCanonical> {
    let mut differing = Vec::new();
    for (place, ((a, b), domain)) in fields(source).zip(fields(target)).zip(domains).enumerate() {
        let spelled = |field: Result<ValueRef<'_>, _>| {
            let mut out = Vec::new();
            let value = field.map_err(|_| NotCanonical { kind: "broken row", domain: *domain })?;
            write_canonical(&mut out, value, *domain).map(|()| out)
        };
        if spelled(a)? != spelled(b)? {
            differing.push(place);
        }
    }
    Ok(differing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const DOMAINS: [Domain; 2] = [Domain::Int, Domain::Decimal { scale: None }];

    fn page(rows: &BTreeMap<i64, Option<u8>>) -> RowPage {
        let mut page = RowPage::new(Form::Fields, 1);
        for (key, value) in rows {
            page.push_key(ValueRef::Int(*key));
            match value {
                Some(v) => page.push(ValueRef::Decimal(&format!("{v}.0"))),
                None => page.push(ValueRef::Null),
            }
            page.end_row();
        }
        page.finish();
        page
    }

    #[test]
    fn spelling_is_no_difference_but_null_is() {
        let mut spelled = RowPage::new(Form::Fields, 1);
        spelled.push_key(ValueRef::Int(1));
        spelled.push(ValueRef::Decimal("7"));
        spelled.end_row();
        let found = compare(&page(&[(1, Some(7))].into()), &spelled, &DOMAINS).unwrap();
        assert_eq!((found.equal, found.changes.len()), (1, 0));
        let found = compare(&page(&[(1, None)].into()), &spelled, &DOMAINS).unwrap();
        assert_eq!(found.changes.updates.len(), 1);
        assert_eq!(differing_columns(found.changes.updates.row(0), spelled.row(0), &DOMAINS).unwrap(), [1]);
    }

    #[test]
    fn the_rows_that_differ_are_remembered_as_they_were() {
        let target = page(&[(1, Some(1)), (2, Some(2)), (3, Some(3))].into());
        let found = compare(&page(&[(1, Some(9)), (2, Some(2))].into()), &target, &DOMAINS).unwrap();
        let seen = found.changes.seen.clone().unwrap();
        assert_eq!([0, 1, 2].map(|row| seen.holds(target.row(row))), [true, false, false]);
        assert_eq!([0, 1, 2].map(|row| found.extras.holds(target.row(row))), [false, false, true]);
        let all = found.into_changes();
        assert_eq!((all.len(), all.that_fit(&target).1), (2, 0));
    }

    #[test]
    fn keys_alone_tell_what_is_missing_and_what_is_too_much() {
        let mut keys = RowPage::new(Form::Fields, 1);
        for key in [1, 2] {
            keys.push_key(ValueRef::Int(key));
            keys.end_row();
        }
        let target = page(&[(2, Some(2)), (3, None)].into());
        let found = compare_keys(&keys, &target).unwrap();
        assert_eq!((found.changes.inserts.len(), found.changes.updates.len(), found.equal), (1, 0, 1));
        assert_eq!(found.changes.deletes, [target.key(1)]);
        assert!(found.extras.holds(target.row(1)));
    }

    #[test]
    fn a_key_that_comes_twice_is_refused() {
        let mut twice = page(&[(1, None)].into());
        let row = twice.row(0).to_vec();
        twice.push_row(&row);
        let empty = page(&BTreeMap::new());
        assert_eq!(compare(&empty, &twice, &DOMAINS).unwrap_err(), CompareError::DuplicateKey("target"));
    }

    proptest! {
        #[test]
        fn findings_are_exactly_the_differences(
            source: BTreeMap<i64, Option<u8>>,
            target: BTreeMap<i64, Option<u8>>,
        ) {
            let found = compare(&page(&source), &page(&target), &DOMAINS).unwrap();
            let missing = source.keys().filter(|k| !target.contains_key(k)).count();
            let extra = target.keys().filter(|k| !source.contains_key(k)).count();
            let different = source.iter().filter(|(k, v)| target.get(k).is_some_and(|t| t != *v)).count();
            prop_assert_eq!(found.changes.inserts.len(), missing);
            prop_assert_eq!(found.changes.deletes.len(), extra);
            prop_assert_eq!(found.changes.updates.len(), different);
            prop_assert_eq!(found.equal as usize, source.len() - missing - different);
        }
    }
}
