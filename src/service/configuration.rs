//! A configuration: one sync that the service knows, from a file or made through the API.

use std::sync::Arc;

use serde::Serialize;

use super::Refusal;
use crate::settings::{Requests, SyncSettings};
use crate::state::StoredConfiguration;

#[derive(Clone, Debug)]
pub struct Configuration {
    /// Of a file its name, which no other has; of the others an id of its own.
    pub id: String,
    pub name: String,
    pub origin: Origin,
    /// What it means, or why it means nothing: the service's own file may have changed since it was made.
    pub settings: Result<Arc<SyncSettings>, String>,
    /// What the state holds of one that was made through the API.
    pub stored: Option<StoredConfiguration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    File,
    Api,
}

impl Configuration {
    pub fn of_file(settings: SyncSettings) -> Configuration {
        Configuration {
            id: settings.name.clone(),
            name: settings.name.clone(),
            origin: Origin::File,
            settings: Ok(Arc::new(settings)),
            stored: None,
        }
    }

    pub fn of_state(stored: StoredConfiguration, requests: &Requests) -> Configuration {
        let settings = requests.read(&stored.settings).map(Arc::new).map_err(|error| error.to_string());
        Configuration {
            id: stored.id.clone(),
            name: stored.name.clone(),
            origin: Origin::Api,
            settings,
            stored: Some(stored),
        }
    }

    /// What it means.
    ///
    /// # Errors
    /// When it means nothing.
    pub fn usable(&self) -> Result<Arc<SyncSettings>, Refusal> {
        self.settings.clone().map_err(|problem| Refusal::Wrong { sync: self.name.clone(), problem })
    }

    /// Whether it runs by itself.
    pub fn has_schedule(&self) -> bool {
        self.settings.as_ref().is_ok_and(|settings| settings.enabled && settings.schedule.is_some())
    }

    pub fn is_enabled(&self) -> bool {
        self.settings.as_ref().is_ok_and(|settings| settings.enabled)
    }
}
