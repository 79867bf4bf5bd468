//! Interrupts: the first one lets the batch in hand end and reports; a second one means now.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::problem::Exit;

/// Listens for SIGINT and SIGTERM until the handle is dropped.
///
/// # Errors
/// When the system does not let us listen.
pub fn listen(stop: CancellationToken) -> std::io::Result<AbortOnDropHandle<()>> {
    let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(AbortOnDropHandle::new(tokio::spawn(obey(interrupt, terminate, stop))))
}

async fn obey(mut interrupt: Signal, mut terminate: Signal, stop: CancellationToken) {
    either(&mut interrupt, &mut terminate).await;
    // First of all: telling it must not be able to keep it from happening.
    stop.cancel();
    tracing::warn!("stopping after the batch in hand; interrupt again to stop at once");
    either(&mut interrupt, &mut terminate).await;
    std::process::exit(Exit::Interrupted as i32);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
