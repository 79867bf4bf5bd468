//! The manual, the defaults and the starter say what the program knows.

use std::path::Path;

use rowsync::init::{self, STARTER};
use rowsync::settings::manual;

use super::{Folder, file_with};

/// Compares a file of the repository, or writes it where `UPDATE_DOCS` is set.
fn check(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{file} is not what the catalogue says; run: UPDATE_DOCS=1 cargo test -p rowsync");
}

#[test]
fn the_manual_is_up_to_date() {
    check("docs/configuration.md", &manual::configuration_md());
}

#[test]
fn the_page_about_failures_is_up_to_date() {
    check("docs/recovery.md", &rowsync::failures::recovery_md());
    check("docs/types.md", &rowsync_engine::pair::matrix::types_md());
}

#[test]
fn the_page_about_metrics_is_up_to_date() {
    check("docs/metrics.md", &rowsync::metrics_manual::metrics_md());
}

#[test]
fn the_defaults_are_up_to_date() {
    check("config/default.toml", &manual::default_toml());
}

#[test]
fn the_defaults_change_nothing() {
    let plain = Folder::new().with("a.json", &file_with(""));
    let with_defaults =
        Folder::new().with("a.json", &file_with("")).with("config/default.toml", &manual::default_toml());
    let load = |folder: &Folder| {
        let mut settings = folder.load("a.json", &[], &[]).unwrap();
        settings.file = "".into();
        settings
    };
    assert_eq!(load(&plain), load(&with_defaults));
}

/// Every default, typed in full, is still the default.
#[test]
fn the_defaults_can_be_typed() {
    let typed: String = manual::default_toml()
        .lines()
        .filter_map(|line| {
            line.strip_prefix("# ").filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(typed.contains("batch_size = 5000"));
    let folder = Folder::new().with("a.json", &file_with("")).with("config/default.toml", &typed);
    folder.load("a.json", &[], &[]).unwrap();
}

#[test]
fn the_example_of_the_manual_loads() {
    let manual = manual::configuration_md();
    let example = manual.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    Folder::new().with("a.json", example).load("a.json", &[("PGPASSWORD", "x")], &[]).unwrap();
}

#[test]
fn the_starter_loads_as_it_is() {
    let folder = Folder::new();
    let path = folder.path("rowsync.json");
    init::write_starter(&path).unwrap();
    folder.load("rowsync.json", &[], &[]).unwrap();
}

/// With its comments taken away line by line, the optional parts have to load too.
#[test]
fn the_starter_loads_with_its_optional_parts() {
    let uncommented: String = STARTER
        .lines()
        .map(|line| match line.trim_start().strip_prefix("// ") {
            Some(code) if code.trim_start().starts_with(['"', '{', ']']) => format!("{code}\n"),
            _ => format!("{line}\n"),
        })
        .collect::<String>()
        .replace("\"copy.sqlite\" }", "\"copy.sqlite\" },")
        .replace("{ \"url\": \"sqlite:copy.sqlite\" }", "{ \"url\": \"sqlite:copy.sqlite\" },");
    Folder::new().with("a.json", &uncommented).load("a.json", &[("PGPASSWORD", "x")], &[]).unwrap();
}

#[test]
fn the_starter_overwrites_nothing() {
    let folder = Folder::new().with("a.json", "mine");
    assert!(init::write_starter(&folder.path("a.json")).is_err());
    assert_eq!(std::fs::read_to_string(folder.path("a.json")).unwrap(), "mine");
    assert!(init::write_starter(&folder.path("a.toml")).is_err());
}
