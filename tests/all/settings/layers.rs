//! Which layer wins, and how the names in it are found.

use rowsync::settings::TableSelection;

use super::{Folder, file_with};

fn batch_size(folder: &Folder, file: &str, environment: &[(&str, &str)], sets: &[&str]) -> usize {
    folder.load(file, environment, sets).unwrap().tuning.batch_size.get()
}

#[test]
fn later_layers_win() {
    let defaults = "batch_size = 2\nid_array_batch_size = 2";
    let folder = Folder::new().with("config/default.toml", defaults).with("a.json", &file_with(""));
    let folder = folder.with("b.json", &file_with(r#""batch_size": 3"#));
    assert_eq!(batch_size(&folder, "a.json", &[], &[]), 2);
    assert_eq!(batch_size(&folder, "b.json", &[], &[]), 3);
    assert_eq!(batch_size(&folder, "b.json", &[("ROWSYNC__BATCH_SIZE", "4")], &[]), 4);
    assert_eq!(batch_size(&folder, "b.json", &[("ROWSYNC__BATCH_SIZE", "4")], &["batch_size=5", "batch_size=6"]), 6);
    assert_eq!(folder.load("b.json", &[], &[]).unwrap().tuning.id_array_batch_size.get(), 2);
}

#[test]
fn defaults_lie_beside_files_in_a_config_folder() {
    let folder = Folder::new().with("config/default.toml", "batch_size = 2").with("config/a.json", &file_with(""));
    assert_eq!(batch_size(&folder, "config/a.json", &[], &[]), 2);
}

#[test]
fn names_keep_their_case() {
    let keys = r#""tables": [{ "name": "Track", "field_mapping": { "TrackId": "Track_ID" } }]"#;
    let folder = Folder::new().with("a.json", &file_with(keys).replace("\"erp\"", "\"ERP Live\""));
    let environment =
        [("ROWSYNC__CONNECTIONS__ERP LIVE__TIMEOUT", "7"), ("ROWSYNC__TABLES__TRACK__FIELD_MAPPING__AlbumId", "a")];
    let settings = folder.load("a.json", &environment, &["tables.Track.field_mapping.TRACKID=t"]).unwrap();
    assert_eq!((settings.source.name.as_str(), settings.source.timeout.as_secs()), ("ERP Live", 7));
    let TableSelection::Named(tables) = settings.tables else { panic!("no tables are named") };
    let mapping: Vec<_> = tables[0].tuning.field_mapping.iter().collect();
    assert_eq!(format!("{mapping:?}"), r#"[("AlbumId", "a"), ("TrackId", "t")]"#);
}

#[test]
fn tables_are_set_by_name_or_index() {
    let folder = Folder::new().with("a.json", &file_with(r#""tables": ["Artist", "Album"]"#));
    let sets = ["tables.Album.batch_size=1", "tables[0].batch_size=2", "sync_table=[\"album\"]"];
    let settings = folder.load("a.json", &[], &sets).unwrap();
    let TableSelection::Named(tables) = settings.tables else { panic!("no tables are named") };
    assert_eq!(tables.iter().map(|table| table.tuning.batch_size.get()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(settings.sync_table.unwrap(), ["Album"]);
}

#[test]
fn texts_that_look_like_numbers_stay_texts() {
    let folder = Folder::new().with("a.json", &file_with(""));
    let settings = folder.load("a.json", &[("ROWSYNC__NAME", "2026")], &["primary_key_field=1"]).unwrap();
    assert_eq!(settings.name, "2026");
    assert_eq!(settings.tuning.primary_key_field.unwrap(), ["1"]);
}

#[test]
fn variables_fill_in_texts_numbers_and_flags() {
    let keys = r#""name": "${A}-$${A}", "batch_size": "${SIZE}", "trust_modify_id": "${TRUST}""#;
    let folder = Folder::new().with("a.json", &file_with(keys));
    let settings = folder.load("a.json", &[("A", "x"), ("SIZE", "12"), ("TRUST", "true")], &[]).unwrap();
    assert_eq!((settings.name.as_str(), settings.tuning.batch_size.get()), ("x-${A}", 12));
    assert!(settings.tuning.trust_modify_id);
}
