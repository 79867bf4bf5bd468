//! `rowsync serve`: the service from its first file to its last batch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::MachineClock;
use crate::company;
use crate::exposition::{Exposition, expect, expect_tables};
use crate::http::{self, Listening};
use crate::problem::Problem;
use crate::scheduler::Scheduler;
use crate::service::Service;
use crate::settings::{self, Environment, ServiceFiles, SyncSettings};

/// How long it takes at most until a configuration is known here that another process made which shares the state.
const LOOK_AROUND: Duration = Duration::from_secs(30);

/// What is read at the start, and again on SIGHUP.
pub struct Sources {
    pub files: Vec<PathBuf>,
    pub overrides: Vec<String>,
}

impl Sources {
    fn read(&self) -> Result<ServiceFiles, Problem> {
        let files = settings::load_service(&self.files, &Environment::of_process(), &self.overrides)?;
        company::check(&files.syncs)?;
        Ok(files)
    }
}

/// Serves until `stop` is cancelled. Then nothing new is begun, what is at work ends after the batch in hand, and the
/// callers who wait for an answer get it.
///
/// # Errors
/// When it cannot begin: the files are wrong, the state cannot be used, or the address is taken.
pub async fn serve(sources: Sources, stop: CancellationToken) -> Result<(), Problem> {
    // Before a state is waited for: by itself the signal ends a process.
    let mut hangups = signal(SignalKind::hangup()).map_err(|error| Problem::Internal(error.to_string()))?;
    let service = Service::start(sources.read()?, stop.clone()).await?;
    let exposition = Exposition::start()?;
    let Listening { server, address, scheme } = http::listen(&service, exposition.clone())?;
    let _expecting = AbortOnDropHandle::new(actix::spawn(expect_all(Arc::clone(&service), exposition.clone())));
    let handle = server.handle();
    let serving = actix::spawn(server);
    tracing::info!(syncs = service.configurations().len(), "listening on {scheme}://{address}");
    let scheduler = Scheduler::new(Arc::clone(&service), Arc::new(MachineClock::new()), stop.clone());
    let _scheduling = AbortOnDropHandle::new(actix::spawn(Arc::new(scheduler).keep()));
    let mut look_around = tokio::time::interval(LOOK_AROUND);
    look_around.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = hangups.recv() => reload(&service, &sources),
            _ = look_around.tick() => {
                exposition.add_up();
                refresh(&service).await;
                exposition.keep_syncs(&counted(&service));
            }
        }
    }
    service.idle().await;
    handle.stop(true).await;
    // It ends with its handle; an error of the last connection is nobody's any more.
    let _ = serving.await;
    Ok(())
}

async fn refresh(service: &Service) {
    if let Err(error) = service.refresh().await {
        tracing::warn!(%error, "the configurations could not be read again");
    }
}

/// The syncs that have metrics: those that run, and those that nobody can read, which should.
fn counted(service: &Service) -> BTreeSet<String> {
    let configurations = service.configurations();
    let wanted =
        configurations.iter().filter(|configuration| configuration.settings.is_err() || configuration.is_enabled());
    let at_work = service.all_running();
    wanted
        .map(|wanted| wanted.name.clone())
        .chain(at_work.iter().map(|running| running.settings.name.clone()))
        .collect()
}

/// Every sync has its metrics before it runs for the first time, and none that is gone.
async fn expect_all(service: Arc<Service>, exposition: Exposition) {
    let mut changes = service.changes();
    let mut expected: BTreeMap<String, Arc<SyncSettings>> = BTreeMap::new();
    loop {
        let counted = counted(&service);
        exposition.keep_syncs(&counted);
        expected.retain(|name, _| counted.contains(name));
        for configuration in service.configurations() {
            let Some(settings) = configuration.settings.as_ref().ok().filter(|settings| settings.enabled) else {
                continue;
            };
            match expected.insert(configuration.name.clone(), Arc::clone(settings)) {
                None => expect(settings).await,
                Some(before) if !Arc::ptr_eq(&before, settings) => expect_tables(settings),
                Some(_) => {}
            }
        }
        // The sender lives as long as this does.
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// The old files hold where the new ones are wrong.
fn reload(service: &Service, sources: &Sources) {
    let before = service.settings();
    let read = sources.read().and_then(|files| {
        let is_rebound = files.service.listen != before.listen || files.service.tls != before.tls;
        let is_moved = files.service.state != before.state;
        service.reload(files)?;
        Ok(is_rebound || is_moved)
    });
    match read {
        Ok(needs_restart) => {
            tracing::info!(syncs = service.configurations().len(), "the files were read again");
            if needs_restart {
                tracing::warn!(
                    "`listen`, `tls_cert`, `tls_key` and the `state` of the service take effect when it is started again"
                );
            }
        }
        Err(problem) => tracing::error!("the files were not taken over, and the old ones hold: {problem}"),
    }
}
