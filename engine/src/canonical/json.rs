//! JSON in canonical form: the text that PostgreSQL prints of `jsonb`, with numbers by value. Members are sorted by the
//! length of their names and then by bytes, the last of equal names counts, and `1.50` and `15e-1` are `1.5`.
//!
//! The text is walked once, without a tree and without recursion: comparing tables of JSON spent most of its time on
//! allocating trees, and documents are as deep as PostgreSQL takes them.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{plain_number, push_number_text};

/// Whether a text is one JSON document.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Appends the canonical text; none where the text is not JSON.
pub(super) fn push_json(out: &mut Vec<u8>, text: &str) -> Option<()> {
    // Once it is known to be JSON, each token can be told by its first byte.
    let document: &RawValue = serde_json::from_str(text).ok()?;
    Walk { rest: document.get(), out, open: Vec::new() }.document()
}

/// An array or object that has not ended yet.
enum Open<'a> {
    Array,
    Object(Members<'a>),
}

/// The members of an object: the name of each, and where it stands in what is written.
struct Members<'a> {
    start: usize,
    written: Vec<(Cow<'a, str>, Range<usize>)>,
}

struct Walk<'a, 'o> {
    rest: &'a str,
    out: &'o mut Vec<u8>,
    open: Vec<Open<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn document(mut self) -> Option<()> {
        loop {
            self.value()?;
            if !self.another()? {
                return Some(());
            }
        }
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches(is_space);
        self.rest.as_bytes().first().copied()
    }

    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (token, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(token)
    }

    /// Opens arrays and objects as far as the first value that has nothing inside.
    fn value(&mut self) -> Option<()> {
        loop {
            match self.peek()? {
                b'[' => {
                    self.take(1)?;
                    self.out.push(b'[');
                    self.open.push(Open::Array);
                    if self.peek()? == b']' {
                        return Some(());
                    }
                }
                b'{' => {
                    self.take(1)?;
                    self.out.push(b'{');
                    let mut members = Members { start: self.out.len(), written: Vec::new() };
                    let is_empty = self.peek()? == b'}';
                    if !is_empty {
                        self.begin_member(&mut members)?;
                    }
                    self.open.push(Open::Object(members));
                    if is_empty {
                        return Some(());
                    }
                }
                b'"' => return self.string().map(drop),
                _ => return self.scalar(),
            }
        }
    }

    /// Ends what ends behind a value. Whether another value follows.
    fn another(&mut self) -> Option<bool> {
        while let Some(open) = self.open.pop() {
            let byte = self.peek()?;
            self.take(1)?;
            match (open, byte) {
                (Open::Array, b',') => {
                    self.out.extend_from_slice(b", ");
                    self.open.push(Open::Array);
                    return Some(true);
                }
                (Open::Array, b']') => self.out.push(b']'),
                (Open::Object(mut members), b',') => {
                    members.end_last(self.out.len());
                    self.begin_member(&mut members)?;
                    self.open.push(Open::Object(members));
                    return Some(true);
                }
                (Open::Object(mut members), b'}') => {
                    members.end_last(self.out.len());
                    members.sort(self.out);
                    self.out.push(b'}');
                }
                _ => return None,
            }
        }
        Some(false)
    }

    fn begin_member(&mut self, members: &mut Members<'a>) -> Option<()> {
        if !members.written.is_empty() {
            self.out.extend_from_slice(b", ");
        }
        let start = self.out.len();
        self.peek()?;
        let name = self.string()?;
        self.peek()?;
        self.take(1)?;
        self.out.extend_from_slice(b": ");
        members.written.push((name, start..start));
        Some(())
    }

    /// Writes a string, and says what it means.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        let mut escaped = false;
        while *bytes.get(end)? != b'"' {
            let is_escape = bytes[end] == b'\\';
            escaped |= is_escape;
            end += if is_escape { 2 } else { 1 };
        }
        let token = self.take(end + 1)?;
        let inner = Cow::Borrowed(&token[1..end]);
        // Half a surrogate pair is no text; it stays as it is spelled.
        match escaped.then(|| serde_json::from_str::<String>(token)) {
            Some(Ok(meant)) => {
                serde_json::to_writer(&mut *self.out, &meant).ok()?;
                Some(Cow::Owned(meant))
            }
            Some(Err(_)) | None => {
                self.out.extend_from_slice(token.as_bytes());
                Some(inner)
            }
        }
    }

    fn scalar(&mut self) -> Option<()> {
        let end = self.rest.find(|c| is_space(c) || matches!(c, ',' | ']' | '}')).unwrap_or(self.rest.len());
        let token = self.take(end)?;
        match token.as_bytes().first()? {
            b't' | b'f' | b'n' => self.out.extend_from_slice(token.as_bytes()),
            _ if token.contains(['e', 'E']) => push_number_text(self.out, &plain_number(token)),
            _ => push_number_text(self.out, token),
        }
        Some(())
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

impl Members<'_> {
    fn end_last(&mut self, end: usize) {
        if let Some((_, place)) = self.written.last_mut() {
            place.end = end;
        }
    }

    /// Sorts what is written. What PostgreSQL prints, and most of what programs print, is sorted already.
    fn sort(mut self, out: &mut Vec<u8>) {
        if self.written.is_sorted_by(|(a, _), (b, _)| (a.len(), a.as_bytes()) < (b.len(), b.as_bytes())) {
            return;
        }
        // Of equal names the last one counts: the sort keeps their order, turned round.
        self.written.reverse();
        self.written.sort_by(|(a, _), (b, _)| (a.len(), a.as_bytes()).cmp(&(b.len(), b.as_bytes())));
        self.written.dedup_by(|later, kept| later.0 == kept.0);
        let members: Vec<&[u8]> = self.written.iter().map(|(_, place)| &out[place.clone()]).collect();
        let sorted = members.join(&b", "[..]);
        out.truncate(self.start);
        out.extend_from_slice(&sorted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spelled(text: &str) -> Option<String> {
        let mut out = Vec::new();
        push_json(&mut out, text).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn documents_are_spelled_as_postgresql_prints_them_with_numbers_by_value() {
        let check = |text, expected: &str| assert_eq!(spelled(text).as_deref(), Some(expected), "{text}");
        check(
            r#" {"bb": 1.0, "a":[ 1e2 ,null,{},[] ], "\u0061b": "\u00e9\n\/"} "#,
            r#"{"a": [100, null, {}, []], "ab": "é\n/", "bb": 1}"#,
        );
        check(r#"{"a":1,"b":3,"a":2}"#, r#"{"a": 2, "b": 3}"#);
        check(r#"[-0.0, 15e-1, 1.50, 0.050, true, "1.0"]"#, r#"[0, 1.5, 1.5, 0.05, true, "1.0"]"#);
        check(r#""\u0000\ud83d\ude00\u001f""#, "\"\\u0000😀\\u001f\"");
        check(r#"{"\ud800": "\ud800"}"#, r#"{"\ud800": "\ud800"}"#);
    }

    #[test]
    fn spelling_does_not_count_and_values_do() {
        assert_eq!(
            spelled(r#" {"a": 1.0, "\u0062": [1e2, null, "\u00e9"]} "#),
            spelled(r#"{"b":[100,null,"é"],"a":1}"#)
        );
        assert_ne!(spelled(r#"{"a":1,"b":2}"#), spelled(r#"{"a":2,"b":1}"#));
        assert_ne!(spelled("[[],1]"), spelled("[[1]]"));
        assert_ne!(spelled(r#""1""#), spelled("1"));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "[1,]", "nul", "01", "'a'", "{\"a\"}", "1 2", "[1}", "\"\u{1}\""] {
            assert_eq!(spelled(text), None, "{text}");
            assert!(!is_json(text), "{text}");
        }
    }

    /// serde_json itself gives up behind 128 levels; PostgreSQL takes thousands.
    #[test]
    fn documents_may_be_deep() {
        let deep = format!("{}1.0{}", "[{\"a\": ".repeat(5_000), "}]".repeat(5_000));
        assert_eq!(spelled(&deep), Some(deep.replace("1.0", "1")));
        assert!(is_json(&deep));
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text: String) {
            prop_assert_eq!(spelled(&text).is_some(), is_json(&text));
        }

        #[test]
        fn what_is_spelled_is_the_same_document_and_its_own_spelling(text in "[\\[\\]{}:, \"\\\\u0e1.\\-a]{0,12}") {
            if let Some(once) = spelled(&text) {
                prop_assert_eq!(spelled(&once), Some(once));
            }
        }

        #[test]
        fn a_document_survives_being_printed_in_another_way(numbers: Vec<i64>, name: String, text: String) {
            let document = serde_json::json!({ name: numbers, "z": { "text": text } });
            prop_assert_eq!(spelled(&document.to_string()), spelled(&serde_json::to_string_pretty(&document).unwrap()));
        }
    }
}
