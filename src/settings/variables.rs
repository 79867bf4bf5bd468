//! `${NAME}` in a value: replaced by the environment's value; `$${` is a plain `${`.

use super::secret::MASK;

/// A text with its variables filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct Filled {
    pub text: String,
    /// Whether anything came from the environment.
    pub has_variables: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum VariableError {
    Missing(String),
    Unclosed,
}

/// Fills in the variables. What they hold is not looked at again, so a value with `${` in it stays what it is.
pub fn fill(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<Filled, VariableError> {
    let mut filled = Filled { text: String::with_capacity(text.len()), has_variables: false };
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            filled.text.push_str(&rest[..at]);
            filled.text.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        let (name, after) = rest[at + 2..].split_once('}').ok_or(VariableError::Unclosed)?;
        filled.text.push_str(&rest[..at]);
        filled.text.push_str(&lookup(name).ok_or_else(|| VariableError::Missing(name.to_owned()))?);
        filled.has_variables = true;
        rest = after;
    }
    filled.text.push_str(rest);
    Ok(filled)
}

/// The typed text with a mask in place of each variable; all of it masked where it cannot be read.
pub fn masked(typed: &str) -> String {
    fill(typed, |_| Some(MASK.to_owned())).map_or_else(|_| MASK.to_owned(), |filled| filled.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, VariableError>) {
        let lookup = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "NESTED" => Some("${A}".to_owned()),
            _ => None,
        };
        assert_eq!(fill(text, lookup).map(|filled| filled.text), expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn variables_are_filled_in_once() {
        check("plain $ {x}", Ok("plain $ {x}"));
        check("a${A}b${A}", Ok("a1b1"));
        check("$${A} ${A}", Ok("${A} 1"));
        check("${NESTED}", Ok("${A}"));
        check("${B}", Err(VariableError::Missing("B".to_owned())));
        check("${A", Err(VariableError::Unclosed));
    }
}
