//! The order in which both sides walk the key.

use super::columns::Matched;
use crate::schema::{DataType, KeyOrder};

pub(super) fn key_order(keys: &[Matched], same_engine: bool) -> KeyOrder {
    let alike = |(s, t): &Matched| match (&s.collation, &t.collation) {
        _ if has_own_order(&s.data_type) || has_own_order(&t.data_type) => {
            same_engine && s.declared == t.declared && s.data_type == t.data_type
        }
        (None, None) => true,
        (a, b) => same_engine && a == b,
    };
    if keys.iter().all(alike) { KeyOrder::Native } else { KeyOrder::Bytewise }
}

/// Whether values are sorted neither as numbers nor as texts: labels by their place, opaque types as they please.
fn has_own_order(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Enum { .. } | DataType::Other | DataType::Local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::PairOptions;
    use crate::pair::testing::{column, lay, table};

    #[test]
    fn collations_that_differ_are_walked_byte_by_byte() {
        let keyed = |collation: Option<&str>| {
            let mut t = table(vec![column("id", DataType::Text { max_chars: None }, "text")]);
            t.columns[0].collation = collation.map(Into::into);
            t
        };
        let order = |a, b| lay(&keyed(a), &keyed(b), &PairOptions::default()).unwrap().source.key_order;
        assert_eq!(order(None, None), KeyOrder::Native);
        assert_eq!(order(Some("de"), Some("de")), KeyOrder::Native);
        assert_eq!(order(Some("de"), Some("en")), KeyOrder::Bytewise);
        assert_eq!(order(Some("de"), None), KeyOrder::Bytewise);
    }

    #[test]
    fn what_sorts_by_rules_of_its_own_is_walked_byte_by_byte_beside_anything_else() {
        let order = |a: (DataType, &str), b: (DataType, &str)| {
            let [a, b] = [a, b].map(|(data_type, declared)| table(vec![column("id", data_type, declared)]));
            lay(&a, &b, &PairOptions::default()).unwrap().source.key_order
        };
        let mood = |labels: [&str; 2]| (DataType::Enum { labels: labels.map(Into::into).into() }, "mood");
        let text = || (DataType::Text { max_chars: None }, "text");
        assert_eq!(order(mood(["z", "a"]), mood(["z", "a"])), KeyOrder::Native);
        assert_eq!(order(mood(["z", "a"]), mood(["a", "z"])), KeyOrder::Bytewise);
        assert_eq!(order(mood(["z", "a"]), text()), KeyOrder::Bytewise);
        assert_eq!(order((DataType::Other, "inet"), (DataType::Other, "inet")), KeyOrder::Native);
        assert_eq!(order((DataType::Other, "inet"), (DataType::Other, "cidr")), KeyOrder::Bytewise);
        assert_eq!(order(text(), (DataType::Local, "mood[]")), KeyOrder::Bytewise);
    }
}
