//! Serving over TLS, asked by a client that trusts nothing but the certificate of the test.

use std::io::{Read as _, Write as _};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::server::Server;
use crate::support::Desk;

fn certificate(desk: &Desk, name: &str) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=CA:FALSE",
        ])
        .arg("-keyout")
        .arg(desk.path(&format!("{name}.key")))
        .arg("-out")
        .arg(desk.path(&format!("{name}.pem")))
        .output()
        .expect("openssl is installed beside PostgreSQL");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn settings(desk: &Desk, key: &str) {
    desk.in_sqlite("shop", "create table if not exists item (id integer primary key)");
    let keys = format!(
        r#""listen": "127.0.0.1:0", "tls_cert": "one.pem", "tls_key": "{key}", "state": "sqlite:state.sqlite","#
    );
    desk.sync("shop", &desk.sqlite("shop"), &desk.sqlite("copy"), &keys);
}

#[test]
fn with_a_certificate_the_service_speaks_tls_and_nothing_else() {
    let desk = Desk::new();
    certificate(&desk, "one");
    settings(&desk, "one.key");
    let server = Server::start(&desk, &["shop.json"]);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(desk.path("one.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, server.connect());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let mut plain = server.connect();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    // Whether it ends with an alert or a reset is up to the system.
    let _ = plain.read_to_end(&mut bytes);
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused_at_the_start() {
    let desk = Desk::new();
    certificate(&desk, "one");
    certificate(&desk, "other");
    for (key, words) in
        [("other.key", "`tls_cert` one.pem"), ("none.key", "`tls_key` none.key"), ("one.pem", "`tls_key` one.pem")]
    {
        settings(&desk, key);
        let output = desk.command(&["serve", "shop.json"]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && told.contains(words), "{told}");
    }
}
