//! Keys of JSON documents that only the target has, and that are to stay.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::schema::TableView;
use crate::value::{Value, ValueRef};

/// What is looked up in the target for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptKeys {
    /// The target's key, and behind it its JSON columns.
    pub target: Arc<TableView>,
    /// Their places among the columns of the view behind the key.
    pub places: Vec<usize>,
}

/// The source's document with the members that only the target's has, at every depth. What is no object is the source's.
pub(super) fn with_kept(source: Value, target: ValueRef<'_>) -> Value {
    let (Value::Json(ours), ValueRef::Json(theirs)) = (&source, target) else { return source };
    let objects = (serde_json::from_str(ours), serde_json::from_str(theirs));
    let (Ok(Json::Object(mut ours)), Ok(Json::Object(theirs))) = objects else { return source };
    // A document to which nothing is added stays as it is spelled.
    if keep(&mut ours, theirs) { Value::Json(Json::Object(ours).to_string()) } else { source }
}

/// Whether anything was added.
fn keep(ours: &mut Map<String, Json>, theirs: Map<String, Json>) -> bool {
    let mut added = false;
    for (name, kept) in theirs {
        match (ours.get_mut(&name), kept) {
            (None, kept) => {
                ours.insert(name, kept);
                added = true;
            }
            (Some(Json::Object(ours)), Json::Object(theirs)) => added |= keep(ours, theirs),
            (Some(_), _) => {}
        }
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![Just(Json::Null), any::<i8>().prop_map(Json::from), "[a-c]{0,2}".prop_map(Json::from)];
        leaf.prop_recursive(3, 12, 3, |inside| {
            prop_oneof![
                prop::collection::vec(inside.clone(), 0..3).prop_map(Json::from),
                prop::collection::btree_map("[a-c]", inside, 0..3)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    fn merged(source: &Json, target: &Json) -> Json {
        let target = target.to_string();
        let Value::Json(text) = with_kept(Value::Json(source.to_string()), ValueRef::Json(&target)) else {
            panic!("a document stays one")
        };
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn keys_that_only_the_target_has_stay_at_every_depth() {
        use serde_json::json;
        let target = json!({"theirs": 1, "both": {"a": 1, "kept": [1]}, "list": [1, 2]});
        let source = json!({"both": {"a": 2}, "list": [3], "ours": null});
        let expected = json!({"theirs": 1, "both": {"a": 2, "kept": [1]}, "list": [3], "ours": null});
        assert_eq!(merged(&source, &target), expected);
        assert_eq!(merged(&json!([1]), &target), json!([1]));
        assert_eq!(with_kept(Value::Null, ValueRef::Json("{}")), Value::Null);
        assert_eq!(with_kept(Value::Json("{ }".into()), ValueRef::Json("{}")), Value::Json("{ }".into()));
    }

    proptest! {
        /// What a run has written is what the next one finds to be right.
        #[test]
        fn a_second_time_keeps_nothing_more(source in any_json(), target in any_json()) {
            let once = merged(&source, &target);
            prop_assert_eq!(merged(&source, &once), once);
        }
    }
}
