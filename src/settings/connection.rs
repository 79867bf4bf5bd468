//! How to reach a database, and which of them this version can talk to.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{RawConnection, RawLink};
use super::problem::{did_you_mean, listed};
use super::provenance::{Provenance, member};
use super::secret::SecretUrl;
use super::tuning::set;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The name under `connections`.
    pub name: String,
    pub engine: Engine,
    /// Of the engine's scheme, and readable.
    pub url: SecretUrl,
    /// Only for engines with schemas.
    pub schema: Option<String>,
    pub timeout: Duration,
    pub retry_count: u32,
    pub retry_delay: Duration,
    pub reconnect_wait: Duration,
    pub max_connections: NonZeroU32,
    /// Whether the log tells when it is opened, lost and found again.
    pub tells_changes: bool,
}

/// The databases that this version talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

const SCHEMES: [(&str, Engine); 3] =
    [("sqlite", Engine::Sqlite), ("postgres", Engine::Postgres), ("postgresql", Engine::Postgres)];
const SCHEMES_NOT_YET: [&str; 6] = ["mysql", "4d", "4drest+http", "4drest+https", "rest+http", "rest+https"];

impl ConnectionSettings {
    /// Nothing where the URL is not good; the reason is told.
    pub(super) fn new(
        name: &str,
        raw: &RawConnection,
        top: &RawLink,
        provenance: &mut Provenance,
    ) -> Option<ConnectionSettings> {
        let path = member("connections", name);
        let (engine, url) = read_url(raw, &member(&path, "url"), provenance)?;
        if engine == Engine::Sqlite && raw.schema.is_some() {
            provenance.refuse(&member(&path, "schema"), "SQLite has no schemas; remove it");
        }
        Some(ConnectionSettings {
            name: name.to_owned(),
            engine,
            url,
            schema: raw.schema.clone(),
            timeout: Duration::from_secs_f64(set(raw.link.timeout.or(top.timeout))),
            retry_count: set(raw.link.retry_count.or(top.retry_count)),
            retry_delay: Duration::from_millis(set(raw.link.retry_delay.or(top.retry_delay))),
            reconnect_wait: Duration::from_secs_f64(set(raw
                .link
                .reconnect_wait_seconds
                .or(top.reconnect_wait_seconds))),
            max_connections: set(raw.link.max_connections.or(top.max_connections)),
            tells_changes: set(raw.link.debug_connection_change.or(top.debug_connection_change)),
        })
    }

    /// Whether both lead to the same tables, as far as can be told without connecting.
    pub(super) fn is_same_place(&self, other: &ConnectionSettings) -> bool {
        let same_url = match (self.sqlite_file(), other.sqlite_file()) {
            (Some(file), Some(other)) => file == other,
            _ => self.url.expose() == other.url.expose(),
        };
        same_url && self.schema == other.schema
    }

    /// The whole path of a SQLite file.
    fn sqlite_file(&self) -> Option<PathBuf> {
        let (_, rest) = self.url.expose().split_once(':').filter(|_| self.engine == Engine::Sqlite)?;
        std::path::absolute(sqlite_path(rest)).ok()
    }
}

fn read_url(raw: &RawConnection, path: &str, provenance: &mut Provenance) -> Option<(Engine, SecretUrl)> {
    let Some(typed) = &raw.url else {
        provenance.miss(
            path,
            "the connection has no `url`; add one, such as \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"",
        );
        return None;
    };
    let exposed = typed.expose().trim().to_owned();
    let url = SecretUrl::new(exposed.clone(), provenance.typed(path, &exposed));
    match engine_of(&url) {
        Ok(engine) => Some((engine, url)),
        Err(message) => {
            provenance.refuse(path, message);
            None
        }
    }
}

/// The engine that a URL names, once the URL is known to be readable.
pub(super) fn engine_of(url: &SecretUrl) -> Result<Engine, String> {
    let known = || listed(&SCHEMES.map(|(scheme, _)| scheme));
    let Some((scheme, rest)) = url.expose().split_once(':') else {
        return Err(format!("the URL has no scheme; it has to start with one of {}, and a colon", known()));
    };
    let scheme = scheme.to_lowercase();
    if SCHEMES_NOT_YET.contains(&scheme.as_str()) {
        return Err(format!("`{scheme}:` is known but not in this version yet; use one of {}", known()));
    }
    let engine = SCHEMES.iter().find(|(known, _)| *known == scheme).map(|(_, engine)| *engine);
    match engine {
        Some(Engine::Sqlite) if sqlite_path(rest).is_empty() => {
            Err("the URL names no file; write it behind the colon: \"sqlite:PATH\"".to_owned())
        }
        Some(Engine::Postgres) => match url::Url::parse(url.expose()) {
            Ok(_) if rest.starts_with("//") => Ok(Engine::Postgres),
            Ok(_) => Err("the URL has no `//` behind its scheme".to_owned()),
            Err(error) => {
                Err(format!("the URL cannot be read: {error}; special characters of a password are written as %XX"))
            }
        },
        Some(engine) => Ok(engine),
        None => Err(format!("unknown scheme{}; known are {}", shown_scheme(url, &scheme), known())),
    }
}

/// The scheme and its nearest neighbour, unless it came from the environment.
fn shown_scheme(url: &SecretUrl, scheme: &str) -> String {
    if !url.to_string().to_lowercase().starts_with(&format!("{scheme}:")) {
        return String::new();
    }
    format!(" `{scheme}`{}", did_you_mean(scheme, SCHEMES.iter().map(|(known, _)| *known)))
}

/// The file of what stands behind `sqlite:`, without parameters.
pub(super) fn sqlite_path(rest: &str) -> &str {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    path.split_once('?').map_or(path, |(path, _)| path)
}
