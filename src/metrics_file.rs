//! The metrics of this process in a file, for the textfile collector of node_exporter: a run that ends before anybody could
//! ask it still tells.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::exposition::{Exposition, expect};
use crate::problem::Problem;
use crate::settings::SyncSettings;

/// How often it is written anew: more often than anybody collects it, so that what is collected is not old already.
const EVERY: Duration = Duration::from_secs(5);

/// Keeps the file up to date as long as it lives, and leaves the last word in it.
pub struct MetricsFile {
    exposition: Exposition,
    path: PathBuf,
    _writing: AbortOnDropHandle<()>,
}

impl MetricsFile {
    /// Counts from here on what these syncs do, where there is a file for it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn keep(path: Option<&Path>, syncs: &[SyncSettings]) -> Result<Option<MetricsFile>, Problem> {
        let Some(path) = path else { return Ok(None) };
        let exposition = Exposition::start()?;
        for settings in syncs {
            expect(settings).await;
        }
        write(&exposition, path)
            .map_err(|error| Problem::Usage(format!("`--metrics-file` {}: {error}", path.display())))?;
        let (again, to) = (exposition.clone(), path.to_owned());
        let writing = tokio::spawn(async move {
            let mut tick = tokio::time::interval(EVERY);
            loop {
                tick.tick().await;
                write_or_tell(&again, &to);
            }
        });
        Ok(Some(MetricsFile { exposition, path: path.to_owned(), _writing: AbortOnDropHandle::new(writing) }))
    }
}

impl Drop for MetricsFile {
    fn drop(&mut self) {
        write_or_tell(&self.exposition, &self.path);
    }
}

fn write_or_tell(exposition: &Exposition, path: &Path) {
    if let Err(error) = write(exposition, path) {
        tracing::warn!(%error, path = %path.display(), "the file of the metrics could not be written");
    }
}

/// Under another name first, since a file that is half written would be read.
fn write(exposition: &Exposition, path: &Path) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Names that do not end in `.prom` are not collected.
    name.push(format!(".{}", std::process::id()));
    let half = path.with_file_name(name);
    std::fs::write(&half, exposition.text())?;
    std::fs::rename(&half, path).inspect_err(|_| drop(std::fs::remove_file(&half)))
}
