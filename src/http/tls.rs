//! Serving over TLS.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::problem::Problem;
use crate::settings::TlsFiles;

/// # Errors
/// When a file cannot be read, holds nothing of its kind, or the two do not belong together.
pub fn config(files: &TlsFiles) -> Result<ServerConfig, Problem> {
    let unusable = |key: &str, path: &std::path::Path, error: &dyn std::fmt::Display| {
        Problem::Usage(format!("`{key}` {}: {error}", path.display()))
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&files.certificate).and_then(|certificates| certificates.collect());
    let chain = chain.map_err(|error| unusable("tls_cert", &files.certificate, &error))?;
    if chain.is_empty() {
        return Err(unusable("tls_cert", &files.certificate, &"the file holds no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable("tls_key", &files.key, &error))?;
    // Named, since other crates of this process may bring providers of their own.
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Problem::Internal(error.to_string()))?;
    config
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unusable("tls_cert", &files.certificate, &error))
}
