//! Whatever two tables hold: a run makes them equal, and a second run writes nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rowsync_engine::report::TableStatus;
use rowsync_engine::value::Value;

use crate::world::{World, on_system, row, table};

type Rows = BTreeMap<i64, Option<String>>;

fn any_rows(most: usize) -> impl Strategy<Value = Rows> {
    prop::collection::btree_map(-60i64..60, prop::option::of("[ab]{0,2}"), 0..most)
}

fn values(rows: &Rows) -> Vec<Vec<Value>> {
    rows.iter().map(|(id, name)| row(*id, name.as_deref(), 0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_two_tables_become_equal_and_a_second_run_writes_nothing(
        source in any_rows(90),
        target in any_rows(90),
        leaf in 1u64..9, recent in prop::sample::select(vec![0u64, 3, 20]), min_rows in prop::sample::select(vec![0u64, 30, 1000]),
        keys_max in prop::sample::select(vec![0usize, 5, 25_000]), has_children: bool,
    ) {
        on_system(async {
            let mut tables = vec![table("t")];
            if has_children {
                tables.push(crate::ordering::child("c", "t"));
            }
            let mut world = World::new(tables).await;
            world.options.leaf_rows = leaf;
            world.options.recent_first = recent;
            world.options.search_min_rows = min_rows;
            world.options.keys_max = keys_max;
            world.source.fill("t", values(&source)).unwrap();
            world.target.fill("t", values(&target)).unwrap();
            let missing = source.keys().filter(|k| !target.contains_key(k)).count() as u64;
            let extra = target.keys().filter(|k| !source.contains_key(k)).count() as u64;
            let different = source.iter().filter(|(k, v)| target.get(k).is_some_and(|t| t != *v)).count() as u64;

            let first = &world.reports().await[0];
            prop_assert_eq!(world.target.rows("t"), world.source.rows("t"));
            prop_assert_eq!((first.added, first.modified, first.deleted, first.failed), (missing, different, extra, 0));
            prop_assert!(first.verified && first.status == TableStatus::Completed, "{:?}", first);

            let second = &world.reports().await[0];
            prop_assert_eq!((second.added, second.modified, second.deleted, second.bytes_written), (0, 0, 0, 0));
            prop_assert!(second.verified);
            Ok(())
        })?;
    }
}
