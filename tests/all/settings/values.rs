//! What files mean.

use std::time::Duration;

use rowsync::settings::{ChangeTracking, Engine, SyncSettings, TableSelection, TableSettings};
use rowsync_engine::schedule::Rhythm;

use super::{Folder, load};

/// The example of the manual that users know, as far as this version goes.
const EXAMPLE: &str = r#"{
  "name": "chinook", // a comment
  "connections": {
    "erp":       { "url": "sqlite:config/data/chinook.sqlite" },
    "warehouse": { "url": "postgres://sync:${PGPASSWORD}@db.example/warehouse", "schema": "public",
                   "timeout": 300, "retry_count": 3, "retry_delay": 5000, "max_connections": 4 }
  },
  "source": "erp",
  "target": "warehouse",
  "state": "sqlite:chinook.state.sqlite",
  "create_missing_tables": true,
  "trust_modify_id": false,
  /* all
     tables */
  "tables": [
    "Artist",
    { "name": "Track", "target": "track", "primary_key_field": "TrackId", "modify_time_field": "modify_time",
      "field_mapping": { "TrackId": "track_id" }, "exclude_fields": ["Bytes"], "depends_on": ["Artist"] },
    { "name": "product", },
  ],
}"#;

const EXAMPLE_TOML: &str = r#"
name = "chinook"
source = "erp"
target = "warehouse"
state = "sqlite:chinook.state.sqlite"
create_missing_tables = true
trust_modify_id = false
tables = [
  "Artist",
  { name = "Track", target = "track", primary_key_field = "TrackId", modify_time_field = "modify_time", field_mapping = { TrackId = "track_id" }, exclude_fields = ["Bytes"], depends_on = ["Artist"] },
  { name = "product" },
]

[connections.erp]
url = "sqlite:config/data/chinook.sqlite"

[connections.warehouse]
url = "postgres://sync:${PGPASSWORD}@db.example/warehouse"
schema = "public"
timeout = 300
retry_count = 3
retry_delay = 5000
max_connections = 4
"#;

const EXAMPLE_YAML: &str = r#"
name: chinook
connections:
  erp: { url: "sqlite:config/data/chinook.sqlite" }
  warehouse:
    url: postgres://sync:${PGPASSWORD}@db.example/warehouse
    schema: public
    timeout: 300
    retry_count: 3
    retry_delay: 5000
    max_connections: 4
source: erp
target: warehouse
state: sqlite:chinook.state.sqlite
create_missing_tables: true
trust_modify_id: false
tables:
  - Artist
  - name: Track
    target: track
    primary_key_field: TrackId
    modify_time_field: modify_time
    field_mapping: { TrackId: track_id }
    exclude_fields: [Bytes]
    depends_on: [Artist]
  - name: product
"#;

fn example(file: &str, text: &str) -> SyncSettings {
    let folder = Folder::new().with(file, text);
    let mut settings = folder.load(file, &[("PGPASSWORD", "hunter2")], &[]).unwrap();
    settings.file = "".into();
    settings
}

fn tables(settings: &SyncSettings) -> &[TableSettings] {
    match &settings.tables {
        TableSelection::Named(tables) => tables,
        TableSelection::All => panic!("no tables are named"),
    }
}

#[test]
fn the_example_means_what_it_says() {
    let settings = example("x.json", EXAMPLE);
    assert_eq!((settings.source.name.as_str(), settings.source.engine), ("erp", Engine::Sqlite));
    assert_eq!((settings.target.name.as_str(), settings.target.engine), ("warehouse", Engine::Postgres));
    assert_eq!(settings.target.url.expose(), "postgres://sync:hunter2@db.example/warehouse");
    assert_eq!(settings.target.timeout, Duration::from_secs(300));
    assert_eq!(settings.target.max_connections.get(), 4);
    assert_eq!(settings.state.path(), std::path::Path::new("chinook.state.sqlite"));
    let names: Vec<_> = tables(&settings).iter().map(|table| (table.name.as_str(), table.target.as_str())).collect();
    assert_eq!(names, [("Artist", "Artist"), ("Track", "track"), ("product", "product")]);
    let track = &tables(&settings)[1];
    assert_eq!(track.depends_on, ["Artist"]);
    assert_eq!(track.tuning.primary_key_field.as_deref(), Some(&["TrackId".to_owned()][..]));
    assert_eq!(track.tuning.field_mapping["TrackId"], "track_id");
    assert_eq!(track.tuning.exclude_fields, ["Bytes"]);
}

#[test]
fn all_formats_mean_the_same() {
    let json = example("x.json", EXAMPLE);
    assert_eq!(json, example("x.jsonc", EXAMPLE));
    assert_eq!(json, example("x.json5", &EXAMPLE.replace("\"name\"", "name")));
    assert_eq!(json, example("x.toml", EXAMPLE_TOML));
    assert_eq!(json, example("x.yaml", EXAMPLE_YAML));
    assert_eq!(json, example("x.YML", EXAMPLE_YAML));
}

#[test]
fn what_is_left_out_has_its_default() {
    let settings = load("");
    assert_eq!(settings.name, "shop");
    assert_eq!(settings.state.url.to_string(), "sqlite:shop.state.sqlite");
    assert_eq!(settings.tables, TableSelection::All);
    assert_eq!(settings.max_bytes_in_flight.get(), 256 * 1024 * 1024);
    assert_eq!(settings.max_parallel_tables.get(), 4);
    let tuning = &settings.tuning;
    assert_eq!(tuning.change_tracking, ChangeTracking::Auto);
    assert_eq!(tuning.modify_time_field, "modify_time");
    assert_eq!((tuning.batch_size.get(), tuning.delete_batch_size.get()), (5000, 1000));
    assert_eq!((tuning.max_delete_percent, tuning.binary_search_recent_first), (50, 5000));
    assert!(settings.enabled && tuning.binary_search_for_add && !tuning.create_missing_tables);
}

#[test]
fn a_table_says_otherwise_for_itself_alone() {
    let settings =
        load(r#""batch_size": 7, "max_delete_percent": 10, "tables": ["a", { "name": "b", "batch_size": 8 }]"#);
    let sizes: Vec<_> =
        tables(&settings).iter().map(|t| (t.tuning.batch_size.get(), t.tuning.max_delete_percent)).collect();
    assert_eq!(sizes, [(7, 10), (8, 10)]);
}

#[test]
fn a_connection_says_otherwise_for_itself_alone() {
    let keys = r#""timeout": 9, "max_connections": 2"#;
    let folder = Folder::new().with("x.json", &super::file_with(keys));
    let settings = folder.load("x.json", &[], &["connections.copy.timeout=11"]).unwrap();
    assert_eq!((settings.source.timeout.as_secs(), settings.target.timeout.as_secs()), (9, 11));
    assert_eq!(settings.target.max_connections.get(), 2);
}

#[test]
fn sizes_come_with_and_without_units() {
    for (typed, bytes) in [("64", 64), ("\"64\"", 64), ("\"64 MiB\"", 64 << 20), ("\"256MB\"", 256_000_000)] {
        let settings = load(&format!(r#""max_bytes_in_flight": {typed}"#));
        assert_eq!(settings.max_bytes_in_flight.get(), bytes, "{typed}");
    }
}

#[test]
fn null_is_a_key_left_out() {
    assert_eq!(load(r#""batch_size": null, "tables": null"#).tuning.batch_size.get(), 5000);
}

#[test]
fn keys_without_effect_may_say_their_default() {
    load(
        r#""retry_count": 3, "copy_all_json_keys": true, "max_sleep_chunk_seconds": 3600, "sync_strategy": "compare""#,
    );
}

#[test]
fn a_schedule_is_a_pause_or_a_time_of_day() {
    assert_eq!(load("").schedule, None);
    for keys in [r#""sleep_seconds": 60"#, r#""sync_interval_seconds": 60"#] {
        let schedule = load(keys).schedule.unwrap();
        assert_eq!(schedule.rhythm, Rhythm::Pause(Duration::from_secs(60)));
        assert_eq!((schedule.chunk_max, schedule.jitter_max), (Duration::from_secs(3600), Duration::ZERO));
    }
    let keys = r#""run_at_time": "02:30", "time_zone": "Europe/Zurich", "max_sleep_chunk_seconds": 60,
                  "schedule_jitter_seconds": 90"#;
    let schedule = load(keys).schedule.unwrap();
    let zone = jiff::tz::TimeZone::get("Europe/Zurich").unwrap();
    assert_eq!(schedule.rhythm, Rhythm::Daily { at: jiff::civil::time(2, 30, 0, 0), zone });
    assert_eq!((schedule.chunk_max.as_secs(), schedule.jitter_max.as_secs()), (60, 90));
    assert!(load(r#""run_at_time": "02:30:15""#).schedule.is_some());
}
