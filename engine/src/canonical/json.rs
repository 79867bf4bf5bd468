//! JSON in canonical form: members sorted by name, the last of equal names alone, numbers by value.
//!
//! The text is walked level by level with borrowed pieces instead of being built up as a tree: comparing tables of JSON
//! spent most of its time on allocating trees.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{plain_number, push_decimal, push_text};

/// Most levels that a document may have, as many as serde_json itself allows.
const DEPTH_MAX: usize = 127;

/// Appends the canonical form; none where the text is not JSON.
pub(super) fn push_json(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let document: &RawValue = serde_json::from_str(text).ok()?;
    let start = out.len();
    out.push(b'j');
    out.extend([0; 8]);
    push_value(out, document.get(), DEPTH_MAX)?;
    let length = (out.len() - start - 9) as u64;
    out[start + 1..start + 9].copy_from_slice(&length.to_le_bytes());
    Some(())
}

/// `text` is one JSON value without spaces around it.
fn push_value(out: &mut Vec<u8>, text: &str, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match text.as_bytes().first()? {
        b'n' => out.push(b'n'),
        b't' => out.extend([b'b', 1]),
        b'f' => out.extend([b'b', 0]),
        b'"' => push_text(out, b't', &serde_json::from_str::<Name<'_>>(text).ok()?.0),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            out.push(b'[');
            out.extend((items.len() as u64).to_le_bytes());
            for item in items {
                push_value(out, item.get(), depth)?;
            }
        }
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            out.push(b'{');
            out.extend((members.len() as u64).to_le_bytes());
            for (name, member) in members {
                push_text(out, b't', &name);
                push_value(out, member.get(), depth)?;
            }
        }
        _ if text.contains(['e', 'E']) => push_decimal(out, &plain_number(text)),
        _ => push_decimal(out, text),
    }
    Some(())
}

/// A string, borrowed where it holds no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}

/// The members of an object, sorted by name.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
            members.push((name, value));
        }
        // Of equal names the last one counts, as in PostgreSQL's jsonb: the sort keeps their order, turned round.
        members.reverse();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members.dedup_by(|later, kept| later.0 == kept.0);
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spelled(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        push_json(&mut out, text).map(|()| out)
    }

    #[test]
    fn spelling_does_not_count_and_values_do() {
        assert_eq!(
            spelled(r#" {"a": 1.0, "\u0062": [1e2, null, "\u00e9"]} "#),
            spelled(r#"{"b":[100,null,"é"],"a":1}"#)
        );
        assert_eq!(spelled(r#"{"a":1,"a":2}"#), spelled(r#"{"a":2}"#));
        assert_ne!(spelled(r#"{"a":1,"b":2}"#), spelled(r#"{"a":2,"b":1}"#));
        assert_ne!(spelled("[[],1]"), spelled("[[1]]"));
        assert_ne!(spelled(r#""1""#), spelled("1"));
        assert_eq!(spelled("-0.0"), spelled("0"));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "[1,]", "nul", "01", "'a'", "{\"a\"}", "1 2"] {
            assert_eq!(spelled(text), None, "{text}");
        }
        assert_eq!(spelled(&format!("{}{}", "[".repeat(500), "]".repeat(500))), None);
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text: String) {
            let _ = spelled(&text);
        }

        #[test]
        fn a_document_survives_being_printed_in_another_way(numbers: Vec<i64>, name: String, text: String) {
            let document = serde_json::json!({ name: numbers, "z": { "text": text } });
            prop_assert_eq!(spelled(&document.to_string()), spelled(&serde_json::to_string_pretty(&document).unwrap()));
        }
    }
}
