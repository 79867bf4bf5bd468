//! The service over HTTP: its calls, and what stands before all of them. What is done is for [`crate::service`]; here it is
//! read, allowed, and answered.

mod answers;
mod auth;
mod body;
mod configurations;
mod conflicts;
mod events;
mod executions;
mod gate;
mod health;
mod limits;
mod openapi;
mod paging;
mod paths;
mod problem;
mod row_errors;
mod schedules;
mod schemas;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use crate::exposition::Exposition;
use crate::problem::Problem;
use crate::service::Service;
use answers::Answers;
use events::Streams;
use limits::Limits;

/// Answering is reading and writing a little; the work is done elsewhere, and needs the cores. One thread is woken less often
/// than two are for the same requests.
const WORKERS: usize = 1;
/// A connection that follows events stays for long.
const CONNECTIONS_MAX: usize = 1024;
/// Longest body that is read: a configuration with some thousand tables.
pub const BODY_MAX: usize = 1 << 20;
/// What is left of answers when the process ends, such as to callers who do not read them.
const FAREWELL_SECONDS: u64 = 3;
/// Between two requests on one connection.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A head that comes slower is none.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// A server that listens and is not running yet.
pub struct Listening {
    pub server: Server,
    pub address: SocketAddr,
    pub scheme: &'static str,
}

/// Listens as the settings say.
///
/// # Errors
/// When the address cannot be had, or the certificate cannot be used.
pub fn listen(service: &Arc<Service>, exposition: Exposition) -> Result<Listening, Problem> {
    let settings = service.settings();
    let cannot = |error: std::io::Error| Problem::Usage(format!("cannot listen on {}: {error}", settings.listen));
    let listener = TcpListener::bind(settings.listen).map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let (service, limits) = (web::Data::from(Arc::clone(service)), web::Data::new(Limits::default()));
    let exposition = web::Data::new(exposition);
    let streams = web::Data::new(Streams::default());
    let answers = web::Data::new(Answers::default());
    let app = move || {
        App::new()
            .app_data(service.clone())
            .app_data(limits.clone())
            .app_data(streams.clone())
            .app_data(answers.clone())
            .app_data(exposition.clone())
            .app_data(web::PayloadConfig::new(BODY_MAX))
            .wrap(from_fn(gate::pass))
            .configure(paths::all)
    };
    let server = HttpServer::new(app)
        .workers(WORKERS)
        .max_connections(CONNECTIONS_MAX)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_MAX)
        .shutdown_timeout(FAREWELL_SECONDS)
        .disable_signals();
    let (bound, scheme) = match &settings.tls {
        Some(files) => (server.listen_rustls_0_23(listener, tls::config(files)?), "https"),
        None => (server.listen(listener), "http"),
    };
    Ok(Listening { server: bound.map_err(cannot)?.run(), address, scheme })
}
