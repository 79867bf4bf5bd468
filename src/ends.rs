//! Both ends of a sync: the stores that its connections name.

use std::sync::Arc;
use std::time::Instant;

use rowsync_actors::end::CONNECTIONS;
use rowsync_engine::cost::LinkSpeed;
use rowsync_engine::store::Store;
use rowsync_stores::{Access, Connection, resolve};

use crate::problem::Problem;
use crate::settings::{ConnectionSettings, SyncSettings};

/// The two databases of a sync, connected.
pub struct Ends {
    pub source: Arc<dyn Store>,
    pub target: Arc<dyn Store>,
    /// The ways to both, once they are measured; until then those of the same machine.
    pub links: Links,
}

#[derive(Clone, Copy)]
pub struct Links {
    pub source: LinkSpeed,
    pub target: LinkSpeed,
}

impl Ends {
    /// Connects both. The source is only written to where a table is merged both ways; the target only where
    /// `target_access` says so.
    ///
    /// # Errors
    /// When one of them cannot be reached or refuses, with its name and the remedy.
    pub async fn connect(settings: &SyncSettings, target_access: Access) -> Result<Ends, Problem> {
        // One after the other: a source that is not there must not leave a new, empty target behind.
        let mut source = open("source", &settings.source, Access::Read).await?;
        if target_access == Access::Write && settings.merges() {
            // It is there, so this makes none.
            source = open("source", &settings.source, Access::Write).await?;
        }
        let target = open("target", &settings.target, target_access).await?;
        Ok(Ends { source, target, links: Links { source: LinkSpeed::LOCAL, target: LinkSpeed::LOCAL } })
    }

    /// Measures the ways to both.
    ///
    /// # Errors
    /// When one of them does not answer.
    pub async fn measure(&self, settings: &SyncSettings) -> Result<Links, Problem> {
        let (source, target) = tokio::join!(self.source.measure_link(), self.target.measure_link());
        Ok(Links {
            source: source.map_err(|error| told("source", &settings.source, error))?,
            target: target.map_err(|error| told("target", &settings.target, error))?,
        })
    }
}

async fn open(side: &'static str, settings: &ConnectionSettings, access: Access) -> Result<Arc<dyn Store>, Problem> {
    let connection = Connection {
        url: settings.url.expose().to_owned(),
        schema: settings.schema.clone(),
        timeout: settings.timeout,
        connections_max: settings.max_connections.get(),
        access,
    };
    let begun = Instant::now();
    let opened = resolve::open(&connection).await.map_err(|error| told(side, settings, error))?;
    if settings.tells_changes {
        let (name, url, took) = (&settings.name, &settings.url, begun.elapsed());
        tracing::info!(target: CONNECTIONS, side, name, %url, ?took, "sync connection is opened");
    }
    Ok(opened)
}

/// An error of one end, with the name that the user gave it.
pub fn told(side: &'static str, settings: &ConnectionSettings, error: rowsync_engine::error::StoreError) -> Problem {
    Problem::Store { side, name: settings.name.clone(), error: Box::new(error) }
}
