//! Settings, from files to what they mean. What the user reads is a snapshot.

mod documents;
mod errors;
mod layers;
mod secrets;
mod values;

use std::path::PathBuf;

use rowsync::settings::{self, Environment, SettingsError, SyncSettings};
use tempfile::TempDir;

/// A folder with files, which are loaded from there.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn with(self, name: &str, text: &str) -> Folder {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, name: &str, environment: &[(&str, &str)], sets: &[&str]) -> Result<SyncSettings, SettingsError> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let environment = environment.iter().copied().collect::<Environment>();
        settings::load(&self.path(name), &environment, &sets)
    }

    /// The error's text, with the folder left out of it.
    fn error(&self, name: &str, environment: &[(&str, &str)], sets: &[&str]) -> String {
        let error = self.load(name, environment, sets).unwrap_err();
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// A file that has all it needs, and these keys beside.
fn file_with(keys: &str) -> String {
    format!(
        r#"{{ "connections": {{ "erp": {{ "url": "sqlite:erp.sqlite" }}, "copy": {{ "url": "sqlite:copy.sqlite" }} }},
             "source": "erp", "target": "copy", {keys} }}"#
    )
}

fn load(keys: &str) -> SyncSettings {
    Folder::new().with("shop.json", &file_with(keys)).load("shop.json", &[], &[]).unwrap()
}

fn error(keys: &str) -> String {
    Folder::new().with("shop.json", &file_with(keys)).error("shop.json", &[], &[])
}
