//! The statement that made a table, as SQLite keeps it: checks and computed columns that no pragma tells, and the table
//! as a whole, for another file.

use rowsync_engine::rules::Check;

/// A sign of the statement, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sign<'a> {
    text: &'a str,
    from: usize,
    to: usize,
    /// Parentheses that are open around it.
    depth: u32,
}

impl Sign<'_> {
    /// Whether it is this word; one in quotes is a name.
    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// What stands behind the table's name, from the parenthesis of its columns on. `None` for a table that was made of a
/// query, or of anything else that was not foreseen.
pub fn behind_the_name(sql: &str) -> Option<&str> {
    let signs = signs(sql);
    let open = signs.iter().find(|sign| sign.text == "(")?;
    let is_before = |word: &str| signs.iter().take_while(|sign| sign.from < open.from).any(|sign| sign.is(word));
    (is_before("TABLE") && !is_before("VIRTUAL") && !is_before("AS")).then(|| &sql[open.from..])
}

/// What is said of the table as a whole, and of the numbers of its rows.
pub fn options(words: &str) -> Vec<String> {
    let signs = signs(words);
    let has = |word: &str, depth: u32| signs.iter().any(|sign| sign.depth == depth && sign.is(word));
    let said =
        [("STRICT", has("STRICT", 0)), ("WITHOUT ROWID", has("ROWID", 0)), ("AUTOINCREMENT", has("AUTOINCREMENT", 1))];
    said.into_iter().filter(|(_, is_said)| *is_said).map(|(word, _)| word.to_owned()).collect()
}

/// The checks of columns and of the table.
pub fn checks(words: &str) -> Vec<Check> {
    let signs = signs(words);
    let at = |place: usize| signs.get(place);
    let check = |place: usize| {
        let condition = inside(words, &signs, place + 1)?;
        let is_named = place >= 2 && signs[place - 2].is("CONSTRAINT");
        let name = is_named.then(|| unquoted(signs[place - 1].text));
        Some(Check { name, condition: format!("({condition})"), meaning: None })
    };
    let places = (0..signs.len()).filter(|place| at(*place).is_some_and(|sign| sign.depth == 1 && sign.is("CHECK")));
    places.filter_map(check).collect()
}

/// What computes the column.
pub fn computed(words: &str, column: &str) -> Option<String> {
    let signs = signs(words);
    let starts = |place: usize| place > 0 && signs[place].depth == 1 && matches!(signs[place - 1].text, "(" | ",");
    let own =
        (0..signs.len()).find(|place| starts(*place) && unquoted(signs[*place].text).eq_ignore_ascii_case(column))?;
    let next = (own + 1..signs.len()).find(|place| starts(*place)).unwrap_or(signs.len());
    let by = (own..next).find(|place| signs[*place].depth == 1 && signs[*place].is("AS"))?;
    inside(words, &signs, by + 1).map(str::to_owned)
}

/// The same without a word of foreign keys, and without the parenthesis at its end: more may be said of the table, and
/// what stands behind that parenthesis follows. `None` where it does not end as expected.
pub fn without_foreign_keys(words: &str) -> Option<(String, &str)> {
    let signs = signs(words);
    let end = signs.iter().find(|sign| sign.text == ")" && sign.depth == 1)?;
    let (mut kept, mut from) = (String::new(), 0);
    for (first, behind) in foreign_keys(&signs) {
        kept += &words[from..signs[first].from];
        from = signs[behind - 1].to;
    }
    kept += &words[from..end.from];
    Some((kept, &words[end.from..]))
}

/// The clauses of foreign keys, as the places of their first sign and of the one behind them.
fn foreign_keys(signs: &[Sign<'_>]) -> Vec<(usize, usize)> {
    let (mut found, mut place) = (Vec::new(), 0);
    while place < signs.len() {
        let is_own = signs[place].depth == 1 && signs[place].is("FOREIGN");
        let is_columns = signs[place].depth == 1 && signs[place].is("REFERENCES");
        if !is_own && !is_columns {
            place += 1;
            continue;
        }
        let is_named = place >= 2 && signs[place - 2].is("CONSTRAINT");
        let first = if is_named { place - 2 } else { place };
        let references = (place..signs.len()).find(|place| signs[*place].is("REFERENCES")).unwrap_or(place);
        let behind = behind_reference(signs, references);
        // A constraint of the table goes with the comma in front of it.
        found.push((if is_own { first.saturating_sub(1) } else { first }, behind));
        place = behind;
    }
    found
}

/// The place behind a clause that begins with REFERENCES.
fn behind_reference(signs: &[Sign<'_>], references: usize) -> usize {
    let mut place = references + 2;
    if signs.get(place).is_some_and(|sign| sign.text == "(") {
        place = behind_parentheses(signs, place);
    }
    let is = |place: usize, word: &str| signs.get(place).is_some_and(|sign| sign.is(word));
    loop {
        if is(place, "ON") && (is(place + 1, "DELETE") || is(place + 1, "UPDATE")) {
            let is_two_words = is(place + 2, "SET") || is(place + 2, "NO");
            place += if is_two_words { 4 } else { 3 };
        } else if is(place, "MATCH") || is(place, "INITIALLY") || is(place, "NOT") && is(place + 1, "DEFERRABLE") {
            place += 2;
        } else if is(place, "DEFERRABLE") {
            place += 1;
        } else {
            return place.min(signs.len());
        }
    }
}

/// The place behind the parenthesis that closes the one at this place.
fn behind_parentheses(signs: &[Sign<'_>], open: usize) -> usize {
    let depth = signs[open].depth;
    let closes = |place: &usize| signs[*place].text == ")" && signs[*place].depth == depth + 1;
    (open..signs.len()).find(closes).map_or(signs.len(), |place| place + 1)
}

/// What stands in the parentheses at this place.
fn inside<'a>(words: &'a str, signs: &[Sign<'a>], open: usize) -> Option<&'a str> {
    let begins = signs.get(open).filter(|sign| sign.text == "(")?;
    let behind = behind_parentheses(signs, open);
    words.get(begins.to..signs.get(behind - 1)?.from).map(str::trim)
}

/// A name as it is called.
fn unquoted(name: &str) -> String {
    let mut inside = name.chars();
    match (inside.next(), inside.next_back()) {
        (Some('['), Some(']')) => inside.as_str().to_owned(),
        (Some(first @ ('"' | '`' | '\'')), Some(last)) if first == last => {
            inside.as_str().replace(&format!("{first}{first}"), &first.to_string())
        }
        _ => name.to_owned(),
    }
}

/// Words, numbers, texts, names in quotes and single signs, without spaces and remarks. An opening parenthesis stands
/// outside of what it opens, a closing one inside.
fn signs(sql: &str) -> Vec<Sign<'_>> {
    let (mut signs, mut depth, mut from) = (Vec::new(), 0_u32, 0);
    while let Some(first) = sql[from..].chars().next() {
        let to = from + length(&sql[from..], first);
        let text = &sql[from..to];
        let is_remark = text.starts_with("--") || text.starts_with("/*");
        if !first.is_whitespace() && !is_remark {
            signs.push(Sign { text, from, to, depth });
        }
        match text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        from = to;
    }
    signs
}

/// Bytes of the sign that `rest` begins with.
fn length(rest: &str, first: char) -> usize {
    let through = |end: &str| rest[1..].find(end).map_or(rest.len(), |at| 1 + at + end.len());
    match first {
        '\'' | '"' | '`' => quoted_length(rest, first),
        '[' => through("]"),
        '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |at| at + 1),
        '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |at| at + 4),
        _ if is_letter(first) => rest.find(|c| !is_letter(c)).unwrap_or(rest.len()),
        _ => first.len_utf8(),
    }
}

/// A quote that stands twice is part of what is quoted.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(next) = rest[at..].find(quote) {
        at += next + 1;
        if !rest[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    rest.len()
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word that the parts are told by stands once where it means nothing.
    const ODD: &str = r#"CREATE TABLE "a (b" ( -- CHECK (1), FOREIGN KEY
        id INTEGER PRIMARY KEY AUTOINCREMENT, [check] TEXT DEFAULT 'CHECK (it''s)' CHECK (length("check") < 9),
        p INT CONSTRAINT up REFERENCES p (id) ON DELETE NO ACTION ON UPDATE CASCADE NOT NULL DEFAULT 1,
        "as" INT REFERENCES "references" DEFERRABLE INITIALLY DEFERRED, twice INT AS (p * (2 + 0)) STORED,
        CONSTRAINT small CHECK (p < 5 /* ) */ OR p IN (7, 8)), CONSTRAINT up2 FOREIGN KEY (p, "as") REFERENCES q (a, b),
        UNIQUE (p)) STRICT"#;

    fn words() -> &'static str {
        behind_the_name(ODD).unwrap()
    }

    #[test]
    fn checks_are_found_with_their_names() {
        let check = |name: Option<&str>, condition: &str| Check {
            name: name.map(str::to_owned),
            condition: condition.into(),
            meaning: None,
        };
        let expected =
            [check(None, r#"(length("check") < 9)"#), check(Some("small"), "(p < 5 /* ) */ OR p IN (7, 8))")];
        assert_eq!(checks(words()), expected);
    }

    #[test]
    fn computed_columns_are_found() {
        assert_eq!(computed(words(), "TWICE").as_deref(), Some("p * (2 + 0)"));
        assert_eq!(computed(words(), "as"), None);
    }

    #[test]
    fn what_is_said_of_the_whole_table_is_found() {
        assert_eq!(options(words()), ["STRICT", "AUTOINCREMENT"]);
        assert_eq!(options("(rowid int, strict int) without rowid"), ["WITHOUT ROWID"]);
    }

    #[test]
    fn foreign_keys_can_be_left_out() {
        let (kept, rest) = without_foreign_keys(words()).unwrap();
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection
            .execute_batch(&format!("CREATE TABLE t {kept}, FOREIGN KEY (p) REFERENCES other (x){rest}"))
            .unwrap();
        let told = "SELECT count(*) || ' ' || max(\"table\") FROM pragma_foreign_key_list('t')";
        assert_eq!(connection.query_row(told, [], |row| row.get::<_, String>(0)).unwrap(), "1 other");
        let columns = "SELECT group_concat(name || ' ' || \"notnull\", ', ') FROM pragma_table_xinfo('t')";
        let columns: String = connection.query_row(columns, [], |row| row.get(0)).unwrap();
        assert_eq!(columns, "id 0, check 0, p 1, as 0, twice 0");
    }

    #[test]
    fn a_table_of_a_query_and_a_virtual_one_are_not_taken_apart() {
        assert_eq!(behind_the_name("CREATE TABLE t AS SELECT (1)"), None);
        assert_eq!(behind_the_name("CREATE VIRTUAL TABLE t USING fts5(a)"), None);
    }
}
