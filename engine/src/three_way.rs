//! Two pages of one range and what is remembered of it, merged: what each side has to write, and what is remembered then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::canonical::NotCanonical;
use crate::change::Changes;
use crate::compare::CompareError;
use crate::conflict::{Conflict, Rules};
use crate::domain::Domain;
use crate::image::imprint;
use crate::key::Key;
use crate::merge::{Clash, Decision, Fate, decide};
use crate::remembered::Remembered;
use crate::row::{RowPage, key_bytes};

/// What is known of the rows of a range, by their keys.
pub type Memory = BTreeMap<Key, Remembered>;

/// What a merge of a range found.
#[derive(Clone, Debug)]
pub struct Merged {
    pub to_source: Changes,
    pub to_target: Changes,
    pub rows: Vec<MergedRow>,
    pub waiting: Vec<Conflict>,
    /// Conflicts that were decided by a rule.
    pub decided: u64,
    /// Rows to delete on the source and on the target that were left for later.
    pub put_off: (u64, u64),
}

/// What is remembered of one row.
#[derive(Clone, Debug)]
pub struct MergedRow {
    pub key: Key,
    pub before: Option<Remembered>,
    /// Once all that has to be written is written.
    pub after: Option<Remembered>,
    /// Whether anything has to be.
    pub writes: bool,
}

impl Merged {
    pub fn changes(&self) -> u64 {
        (self.to_source.len() + self.to_target.len()) as u64
    }
}

/// How pages are merged.
#[derive(Clone, Debug)]
pub struct Merging {
    pub rules: Rules,
    pub key_len: usize,
    pub domains: Arc<[Domain]>,
}

impl Merging {
    /// Merges two complete pages of one range, both in `Fields` form. Takes what is known of their rows out of `memory`.
    /// Deletes are only counted where `deletes` says so; their rows stay remembered as they were.
    ///
    /// # Errors
    /// When a key comes twice on one side, or a value has no canonical form.
    pub fn merge(
        &self,
        source: &RowPage,
        target: &RowPage,
        memory: &mut Memory,
        deletes: bool,
    ) -> Result<Merged, CompareError> {
        let (sources, targets) = (by_key(source, "source")?, by_key(target, "target")?);
        let nothing = || Changes { seen: Some(Arc::default()), ..Changes::new(self.key_len) };
        let mut merged = Merged {
            to_source: nothing(),
            to_target: nothing(),
            rows: Vec::with_capacity(sources.len().max(targets.len())),
            waiting: Vec::new(),
            decided: 0,
            put_off: (0, 0),
        };
        let keys: BTreeSet<&[u8]> = sources.keys().chain(targets.keys()).copied().collect();
        for bytes in keys {
            let key = Key::from_bytes(bytes);
            let before = memory.remove(&key);
            let rows = (sources.get(bytes).copied(), targets.get(bytes).copied());
            self.merge_row(&mut merged, key, before, rows, deletes)?;
        }
        Ok(merged)
    }

    fn merge_row(
        &self,
        merged: &mut Merged,
        key: Key,
        before: Option<Remembered>,
        (source, target): (Option<&[u8]>, Option<&[u8]>),
        deletes: bool,
    ) -> Result<(), NotCanonical> {
        let written = merged.changes();
        let Decision { fate, clash } =
            decide(before.as_ref(), source, target, self.key_len, &self.domains, &self.rules)?;
        let after = match &fate {
            Fate::Waits => {
                if let Some(Clash { kind, columns }) = clash {
                    let (source, target) = (source.map(<[u8]>::to_vec), target.map(<[u8]>::to_vec));
                    merged.waiting.push(Conflict { key: key.clone(), kind, columns, source, target });
                }
                before.clone()
            }
            Fate::Gone if !deletes => {
                merged.put_off.0 += u64::from(source.is_some());
                merged.put_off.1 += u64::from(target.is_some());
                before.clone()
            }
            Fate::Gone => {
                merged.decided += u64::from(clash.is_some());
                self.write(&mut merged.to_source, &key, None, source)?;
                self.write(&mut merged.to_target, &key, None, target)?;
                None
            }
            Fate::Row(row) => {
                merged.decided += u64::from(clash.is_some());
                let after = Remembered::of(row, self.key_len, &self.domains, self.rules.by_columns)?;
                self.write(&mut merged.to_source, &key, Some((row, &after)), source)?;
                self.write(&mut merged.to_target, &key, Some((row, &after)), target)?;
                Some(after)
            }
        };
        let writes = merged.changes() > written;
        merged.rows.push(MergedRow { key, before, after, writes });
        Ok(())
    }

    /// What one side has to write to have the row in place of what it has.
    fn write(
        &self,
        changes: &mut Changes,
        key: &Key,
        wanted: Option<(&[u8], &Remembered)>,
        found: Option<&[u8]>,
    ) -> Result<(), NotCanonical> {
        match (wanted, found) {
            (None, None) => return Ok(()),
            (None, Some(_)) => changes.deletes.push(key.clone()),
            (Some((row, _)), None) => changes.inserts.push_row(row),
            (Some((row, after)), Some(found)) => {
                if after.is(imprint(found, &self.domains)?) {
                    return Ok(());
                }
                changes.updates.push_row(row);
            }
        }
        if let (Some(found), Some(seen)) = (found, &mut changes.seen) {
            Arc::make_mut(seen).note(found);
        }
        Ok(())
    }
}

fn by_key<'a>(page: &'a RowPage, side: &'static str) -> Result<BTreeMap<&'a [u8], &'a [u8]>, CompareError> {
    let rows: BTreeMap<&[u8], &[u8]> = page.rows().map(|row| (key_bytes(row, page.key_len), row)).collect();
    if rows.len() == page.len() { Ok(rows) } else { Err(CompareError::DuplicateKey(side)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::Resolution;
    use crate::row::{Form, fields};
    use crate::value::ValueRef;
    use proptest::prelude::*;

    type Table = BTreeMap<i64, i64>;

    fn merging(resolution: Resolution) -> Merging {
        let rules = Rules { resolution, by_columns: false, timestamp: None, clocks: Vec::new() };
        Merging { rules, key_len: 1, domains: [Domain::Int; 2].into() }
    }

    fn page(table: &Table) -> RowPage {
        let mut page = RowPage::new(Form::Fields, 1);
        for (id, value) in table {
            page.push_key(ValueRef::Int(*id));
            page.push(ValueRef::Int(*value));
            page.end_row();
        }
        page.finish();
        page
    }

    fn number(value: Option<Result<ValueRef<'_>, crate::row::FieldsError>>) -> i64 {
        let Some(Ok(ValueRef::Int(number))) = value else { panic!("a number is expected") };
        number
    }

    fn apply(table: &mut Table, changes: &Changes) {
        for key in &changes.deletes {
            assert!(table.remove(&number(fields(key.as_bytes()).next())).is_some(), "a row that is not there");
        }
        for row in changes.updates.rows() {
            let old = table.insert(number(fields(row).next()), number(fields(row).nth(1)));
            assert!(old.is_some(), "an update of a row that is not there");
        }
        for row in changes.inserts.rows() {
            let old = table.insert(number(fields(row).next()), number(fields(row).nth(1)));
            assert!(old.is_none(), "an insert of a row that is there");
        }
    }

    fn cycle(merging: &Merging, source: &mut Table, target: &mut Table, memory: &mut Memory) -> Merged {
        let merged = merging.merge(&page(source), &page(target), memory, true).unwrap();
        apply(source, &merged.to_source);
        apply(target, &merged.to_target);
        // What is left of the memory is gone on both sides.
        *memory = merged.rows.iter().filter_map(|row| Some((row.key.clone(), row.after.clone()?))).collect();
        merged
    }

    fn tables() -> impl Strategy<Value = Table> {
        prop::collection::btree_map(0i64..12, 0i64..4, 0..12)
    }

    proptest! {
        #[test]
        fn both_sides_are_equal_after_a_cycle_and_a_further_one_changes_nothing(
            mut source in tables(), mut target in tables(), next_source in tables(), next_target in tables(), target_wins: bool,
        ) {
            let rule = if target_wins { Resolution::TargetWins } else { Resolution::SourceWins };
            let (merging, mut memory) = (merging(rule), Memory::new());
            cycle(&merging, &mut source, &mut target, &mut memory);
            prop_assert_eq!(&source, &target);
            let agreed = source.clone();
            (source, target) = (next_source.clone(), next_target.clone());
            cycle(&merging, &mut source, &mut target, &mut memory);
            prop_assert_eq!(&source, &target);
            for id in 0..12 {
                let (base, s, t) = (agreed.get(&id), next_source.get(&id), next_target.get(&id));
                let winner = if target_wins { t } else { s };
                let expected = if s == base { t } else if t == base { s } else { winner };
                prop_assert_eq!(source.get(&id), expected, "row {}", id);
            }
            prop_assert_eq!(cycle(&merging, &mut source, &mut target, &mut memory).changes(), 0);
        }

        #[test]
        fn a_conflict_that_waits_touches_neither_side_and_nothing_else_waits(
            mut source in tables(), mut target in tables(), next_source in tables(), next_target in tables(),
        ) {
            let mut memory = Memory::new();
            cycle(&merging(Resolution::SourceWins), &mut source, &mut target, &mut memory);
            let agreed = source.clone();
            (source, target) = (next_source.clone(), next_target.clone());
            let waiting = cycle(&merging(Resolution::Manual), &mut source, &mut target, &mut memory).waiting;
            for id in 0..12 {
                let (base, s, t) = (agreed.get(&id), next_source.get(&id), next_target.get(&id));
                let waits = s != t && s != base && t != base;
                prop_assert_eq!(waiting.iter().any(|one| one.key == Key::new([ValueRef::Int(id)])), waits);
                let (s_now, t_now) = (source.get(&id), target.get(&id));
                prop_assert_eq!(if waits { (s, t) } else { (s_now, s_now) }, (s_now, t_now));
            }
            // The same ones wait as long as nobody decides.
            let again = cycle(&merging(Resolution::Manual), &mut source, &mut target, &mut memory);
            prop_assert_eq!((again.changes(), again.waiting), (0, waiting));
        }
    }

    #[test]
    fn deletes_that_are_put_off_are_counted_and_found_again() {
        let (merging, mut memory) = (merging(Resolution::SourceWins), Memory::new());
        let (mut source, mut target) = (Table::from([(1, 1), (2, 2)]), Table::new());
        cycle(&merging, &mut source, &mut target, &mut memory);
        source.remove(&1);
        let merged = merging.merge(&page(&source), &page(&target), &mut memory, false).unwrap();
        assert_eq!((merged.changes(), merged.put_off), (0, (0, 1)));
        memory.extend(merged.rows.into_iter().filter_map(|row| Some((row.key, row.after?))));
        let merged = cycle(&merging, &mut source, &mut target, &mut memory);
        assert_eq!((merged.changes(), target), (1, Table::from([(2, 2)])));
    }
}
