//! Texts that must not be seen: they are used by `expose`, and print with `***` everywhere else.

use std::fmt;

use serde::Deserialize;

/// What stands where a secret was.
pub const MASK: &str = "***";

/// A text of which nothing is shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: impl Into<String>) -> SecretText {
        SecretText(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A URL whose password, and whatever came from the environment, is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    exposed: String,
    shown: String,
}

impl SecretUrl {
    /// `typed` is the text as it stood in the file, before `${NAME}` was replaced.
    pub fn new(exposed: impl Into<String>, typed: &str) -> SecretUrl {
        SecretUrl { exposed: exposed.into(), shown: masked(&super::variables::masked(typed)) }
    }

    /// The whole URL, to be handed to a driver and to nobody else.
    pub fn expose(&self) -> &str {
        &self.exposed
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Hides the password. Works on text, because a password with an unescaped `/` or `?` is no valid URL, and it is in the
/// error about it that the password would show. So everything up to the last `@` is taken for the user's part.
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return mask_parameters(url) };
    let Some((user, host)) = rest.rsplit_once('@') else { return mask_parameters(url) };
    let user = match user.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}"),
        None => user.to_owned(),
    };
    mask_parameters(&format!("{scheme}://{user}@{host}"))
}

/// Parameters whose name tells that their value is a secret.
fn mask_parameters(url: &str) -> String {
    let Some((base, query)) = url.split_once('?') else { return url.to_owned() };
    let parameters: Vec<String> = query.split('&').map(mask_parameter).collect();
    format!("{base}?{}", parameters.join("&"))
}

fn mask_parameter(parameter: &str) -> String {
    const SECRET: [&str; 5] = ["pass", "pwd", "token", "secret", "key"];
    match parameter.split_once('=') {
        Some((name, _)) if SECRET.iter().any(|part| name.to_lowercase().contains(part)) => format!("{name}={MASK}"),
        _ => parameter.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, shown: &str) {
        let url = SecretUrl::new(url, url);
        assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
    }

    #[test]
    fn passwords_are_not_shown() {
        check("postgres://sync:hunter2@db.example/w", "postgres://sync:***@db.example/w");
        check("postgres://sync:a/b?c#d@e@db/w", "postgres://sync:***@db/w");
        check(
            "postgres://sync@db/w?password=hunter2&sslmode=require",
            "postgres://sync@db/w?password=***&sslmode=require",
        );
        check("sqlite:config/data/chinook.sqlite", "sqlite:config/data/chinook.sqlite");
    }

    #[test]
    fn what_came_from_the_environment_is_not_shown() {
        let url = SecretUrl::new("postgres://joe:pw@db/w", "postgres://${USER}:${PASSWORD}@${HOST}/w");
        assert_eq!(url.to_string(), "postgres://***:***@***/w");
        assert_eq!(SecretUrl::new("sqlite:x", "${URL}").to_string(), "***");
    }
}
