//! What the service knows by heart: its configurations, what is at work, and what ended lately.

use std::collections::VecDeque;
use std::sync::Arc;

use super::configuration::{Configuration, Origin};
use super::executions::{Ended, Running};
use crate::settings::{Problem, Requests, ServiceFiles, ServiceSettings, SettingsError, SyncSettings};
use crate::state::StoredConfiguration;

/// Reports kept beside the history, for those that it does not hold: of plans, and where the state fails.
const RECENT_MAX: usize = 200;

pub struct Books {
    pub service: Arc<ServiceSettings>,
    pub requests: Arc<Requests>,
    pub configurations: Vec<Arc<Configuration>>,
    pub running: Vec<Arc<Running>>,
    /// The newest last.
    pub recent: VecDeque<Arc<Ended>>,
}

impl Books {
    pub fn new(files: ServiceFiles) -> Books {
        let ServiceFiles { service, syncs, requests } = files;
        let configurations = syncs.into_iter().map(|sync| Arc::new(Configuration::of_file(sync))).collect();
        let (service, requests) = (Arc::new(service), Arc::new(requests));
        Books { service, requests, configurations, running: Vec::new(), recent: VecDeque::new() }
    }

    pub fn find(&self, id: &str) -> Option<Arc<Configuration>> {
        self.configurations.iter().find(|configuration| configuration.id == id).cloned()
    }

    pub fn running_of(&self, sync: &str) -> Option<&Arc<Running>> {
        self.running.iter().find(|running| running.settings.name == sync)
    }

    pub fn end(&mut self, running: &Running, ended: Arc<Ended>) {
        self.running.retain(|other| other.id != running.id);
        self.recent.push_back(ended);
        while self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }

    /// Takes what the state holds, for the first time.
    ///
    /// # Errors
    /// When a file is a sync of a name that is taken there.
    pub fn begin(&mut self, stored: Vec<StoredConfiguration>) -> Result<(), SettingsError> {
        let files: Vec<&SyncSettings> =
            self.configurations.iter().filter_map(|configuration| configuration.settings.as_deref().ok()).collect();
        refuse_namesakes(&files, &stored)?;
        self.take_stored(stored);
        Ok(())
    }

    /// Takes the files' syncs in place of those that were there.
    ///
    /// # Errors
    /// As at the beginning; then all stays as it was.
    pub fn reload(&mut self, files: ServiceFiles) -> Result<(), SettingsError> {
        let stored: Vec<StoredConfiguration> =
            self.configurations.iter().filter_map(|configuration| configuration.stored.clone()).collect();
        refuse_namesakes(&files.syncs.iter().collect::<Vec<_>>(), &stored)?;
        let ServiceFiles { service, syncs, requests } = files;
        // What is listened on and remembered in stays until the process begins anew.
        self.service = Arc::new(ServiceSettings {
            listen: self.service.listen,
            tls: self.service.tls.clone(),
            state: self.service.state.clone(),
            ..service
        });
        self.requests = Arc::new(requests);
        self.configurations = syncs.into_iter().map(|sync| Arc::new(Configuration::of_file(sync))).collect();
        self.take_stored(stored);
        Ok(())
    }

    /// Takes what the state holds in place of what was known of it. True where something is new.
    pub fn take_stored(&mut self, stored: Vec<StoredConfiguration>) -> bool {
        let known: Vec<&StoredConfiguration> =
            self.configurations.iter().filter_map(|configuration| configuration.stored.as_ref()).collect();
        if known.iter().copied().eq(stored.iter()) {
            return false;
        }
        self.configurations.retain(|configuration| configuration.origin == Origin::File);
        let requests = Arc::clone(&self.requests);
        self.configurations
            .extend(stored.into_iter().map(|stored| Arc::new(Configuration::of_state(stored, &requests))));
        true
    }
}

/// The history goes by the name.
fn refuse_namesakes(files: &[&SyncSettings], stored: &[StoredConfiguration]) -> Result<(), SettingsError> {
    let is_taken = |sync: &&&SyncSettings| stored.iter().any(|stored| stored.name == sync.name);
    let problem = |sync: &&SyncSettings| Problem {
        origin: sync.file.display().to_string(),
        path: "name".to_owned(),
        message: "a configuration made through the API has this name; remove it there, or call the sync otherwise"
            .to_owned(),
    };
    let problems: Vec<Problem> = files.iter().filter(is_taken).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(SettingsError { problems }) }
}
