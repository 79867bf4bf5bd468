//! The starter file: a settings file that loads as it is, with comments that say what to change.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// What `rowsync init` writes.
pub const STARTER: &str = include_str!("init/starter.json");
/// Where it is written, unless told otherwise.
pub const STARTER_PATH: &str = "rowsync.json";

#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("{} is there already and is left as it is; name another file", .0.display())]
    Exists(PathBuf),
    #[error("{} cannot be the starter file, which is JSON with comments; name it .json or .jsonc", .0.display())]
    NotJson(PathBuf),
    #[error("{} cannot be written: {source}", .path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

/// Writes the starter file. A file that is there already is never touched.
///
/// # Errors
/// All of them are for the user, and mean that nothing was written.
pub fn write_starter(path: &Path) -> Result<(), InitError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    if !matches!(extension.as_deref(), Some("json" | "jsonc")) {
        return Err(InitError::NotJson(path.to_owned()));
    }
    let unwritable = |source| InitError::Unwritable { path: path.to_owned(), source };
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(InitError::Exists(path.to_owned())),
        Err(error) => return Err(unwritable(error)),
    };
    file.write_all(STARTER.as_bytes()).map_err(unwritable)
}
