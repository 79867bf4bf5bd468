//! What holds for the service as a whole: where it listens, who may call it, and where it remembers. Any of its files may
//! say so; those that do agree.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::keys::RawSettings;
use super::problem::{Problem, SettingsError};
use super::provenance::Provenance;
use super::secret::SecretText;
use super::sync::StateSettings;
use super::tuning::set;

/// How the service is reached, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    pub listen: SocketAddr,
    /// Always there where `listen` leads beyond this machine.
    pub api_token: Option<SecretText>,
    /// `/metrics`, `/healthz` and `/readyz` ask for no token.
    pub metrics_open: bool,
    pub tls: Option<TlsFiles>,
    /// What one caller may ask in a second.
    pub requests_per_second: u32,
    /// Where configurations made through the API are kept.
    pub state: StateSettings,
}

/// A certificate with its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What one file says about the service; nothing of what it leaves out.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceKeys {
    listen: Option<Said<SocketAddr>>,
    api_token: Option<Said<SecretText>>,
    metrics_open: Option<Said<bool>>,
    tls: Option<Said<TlsFiles>>,
    requests_per_second: Option<Said<u32>>,
}

/// A value with what brought it in.
#[derive(Clone, Debug)]
struct Said<T> {
    value: T,
    origin: String,
}

impl ServiceKeys {
    pub(super) fn new(raw: &RawSettings, provenance: &mut Provenance) -> ServiceKeys {
        ServiceKeys {
            listen: read_listen(raw, provenance),
            api_token: read_token(raw, provenance),
            metrics_open: raw.metrics_open.and_then(|value| said("metrics_open", value, provenance)),
            tls: read_tls(raw, provenance),
            requests_per_second: raw
                .max_requests_per_second
                .and_then(|value| said("max_requests_per_second", value, provenance)),
        }
    }
}

/// Nothing where only the built-in default says so.
fn said<T>(path: &str, value: T, provenance: &Provenance) -> Option<Said<T>> {
    provenance.origin(path).map(|origin| Said { value, origin: origin.to_owned() })
}

fn read_listen(raw: &RawSettings, provenance: &mut Provenance) -> Option<Said<SocketAddr>> {
    let typed = raw.listen.as_deref()?;
    match address_of(typed) {
        Some(address) => said("listen", address, provenance),
        None => {
            let shown = provenance.shown("listen", typed);
            let message = format!("expected an address with its port, such as \"127.0.0.1:8080\", found {shown:?}");
            provenance.refuse("listen", message);
            None
        }
    }
}

fn address_of(typed: &str) -> Option<SocketAddr> {
    let here =
        || Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), typed.strip_prefix("localhost:")?.parse().ok()?));
    typed.parse().ok().or_else(here)
}

/// What cannot stand in a header could never be sent.
fn read_token(raw: &RawSettings, provenance: &mut Provenance) -> Option<Said<SecretText>> {
    let token = raw.api_token.clone()?;
    if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        provenance.refuse("api_token", "a token holds only letters, digits and signs of ASCII, and no blanks");
        return None;
    }
    said("api_token", token, provenance)
}

fn read_tls(raw: &RawSettings, provenance: &mut Provenance) -> Option<Said<TlsFiles>> {
    match (&raw.tls_cert, &raw.tls_key) {
        (Some(certificate), Some(key)) => {
            said("tls_cert", TlsFiles { certificate: certificate.into(), key: key.into() }, provenance)
        }
        (Some(_), None) => {
            provenance.refuse("tls_cert", "the certificate has no key; name its file in `tls_key`");
            None
        }
        (None, Some(_)) => {
            provenance.refuse("tls_key", "the key has no certificate; name its file in `tls_cert`");
            None
        }
        (None, None) => None,
    }
}

impl ServiceSettings {
    /// What all files together say. `presets` are those of any of them.
    ///
    /// # Errors
    /// When two of them disagree, or what they say together cannot be.
    pub(super) fn agreed(
        files: &[ServiceKeys],
        presets: &RawSettings,
        state: StateSettings,
    ) -> Result<ServiceSettings, SettingsError> {
        let mut problems = Vec::new();
        let listen = agree(files, "listen", |keys| keys.listen.as_ref(), &mut problems);
        let api_token = agree(files, "api_token", |keys| keys.api_token.as_ref(), &mut problems);
        let metrics_open = agree(files, "metrics_open", |keys| keys.metrics_open.as_ref(), &mut problems);
        let tls = agree(files, "tls_cert", |keys| keys.tls.as_ref(), &mut problems);
        let per_second =
            agree(files, "max_requests_per_second", |keys| keys.requests_per_second.as_ref(), &mut problems);
        if let Some(listen) = &listen
            && !listen.value.ip().is_loopback()
            && api_token.is_none()
        {
            let message = "others than this machine can reach the service there; set `api_token`, so that not everybody may use it";
            problems.push(Problem {
                origin: listen.origin.clone(),
                path: "listen".to_owned(),
                message: message.to_owned(),
            });
        }
        if !problems.is_empty() {
            return Err(SettingsError { problems });
        }
        let usual = || address_of(presets.listen.as_deref()?);
        Ok(ServiceSettings {
            listen: listen.map(|said| said.value).or_else(usual).unwrap_or(NOWHERE_ELSE),
            api_token: api_token.map(|said| said.value),
            metrics_open: metrics_open.is_some_and(|said| said.value),
            tls: tls.map(|said| said.value),
            requests_per_second: per_second.map_or_else(|| set(presets.max_requests_per_second), |said| said.value),
            state,
        })
    }
}

/// Any port of this machine.
const NOWHERE_ELSE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What the first file says that says anything; a later one that says something else is told.
fn agree<T: Clone + PartialEq>(
    files: &[ServiceKeys],
    key: &str,
    of: impl Fn(&ServiceKeys) -> Option<&Said<T>>,
    problems: &mut Vec<Problem>,
) -> Option<Said<T>> {
    let mut all = files.iter().filter_map(of);
    let first = all.next()?;
    for other in all.filter(|other| other.value != first.value) {
        let message = format!("{} says something else; say it in one file", first.origin);
        problems.push(Problem { origin: other.origin.clone(), path: key.to_owned(), message });
    }
    Some(first.clone())
}
