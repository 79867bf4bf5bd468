//! What tests of the whole program share: a folder, the program, throwaway databases, and dumps as an oracle.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use serde_json::Value;
use tempfile::TempDir;

/// A working folder with the program in it.
pub struct Desk {
    folder: TempDir,
}

pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(command: &mut Command) -> Ended {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Added, modified, deleted of a whole run.
    pub fn totals(&self) -> (u64, u64, u64) {
        let totals = &self.report()["totals"];
        let number = |name: &str| totals[name].as_u64().unwrap();
        (number("added"), number("modified"), number("deleted"))
    }

    /// The same of one table.
    pub fn table(&self, name: &str) -> (u64, u64, u64) {
        let report = self.report();
        let table = report["tables"].as_array().unwrap().iter().find(|t| t["table"] == name).unwrap().clone();
        let number = |name: &str| table[name].as_u64().unwrap();
        (number("added"), number("modified"), number("deleted"))
    }
}

impl Desk {
    pub fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn sqlite(&self, name: &str) -> String {
        format!("sqlite:{}", self.path(name).display())
    }

    /// A copy of one of the sample databases.
    pub fn sample(&self, name: &str) -> String {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/data").join(name);
        std::fs::copy(from, self.path(name)).unwrap();
        self.sqlite(name)
    }

    /// Writes a settings file for a sync from one URL to another, with more keys as they are.
    pub fn sync(&self, name: &str, source: &str, target: &str, more: &str) {
        let text = format!(
            r#"{{ "connections": {{ "a": {{ "url": "{source}" }}, "b": {{ "url": "{target}" }} }},
                 "source": "a", "target": "b", "create_missing_tables": true, {more} "name": "{name}" }}"#
        );
        std::fs::write(self.path(&format!("{name}.json")), text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rowsync"));
        command.args(arguments).current_dir(self.folder.path()).env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    /// Runs the program to its end, with a JSON report.
    pub fn rowsync(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).args(["--output", "json"]))
    }

    /// Runs a sync and expects that all went well.
    pub fn run(&self, name: &str) -> Ended {
        let ended = self.rowsync(&["run", &format!("{name}.json")]);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
        let report = ended.report();
        assert!(report["tables"].as_array().unwrap().iter().all(|t| t["verified"] == true), "{}", ended.stdout);
        ended
    }

    pub fn verify_code(&self, name: &str) -> Option<i32> {
        self.rowsync(&["verify", &format!("{name}.json")]).code
    }

    /// A statement in one of the SQLite files.
    pub fn in_sqlite(&self, name: &str, sql: &str) {
        let connection = rusqlite::Connection::open(self.path(name)).unwrap();
        // Not the statement: it may be a megabyte.
        connection.execute_batch(sql).map_err(|error| error.to_string().chars().take(500).collect::<String>()).unwrap();
    }

    /// All rows of a table as text, in the order of its first columns: an oracle that shares nothing with rowsync.
    pub fn dump(&self, name: &str, table: &str) -> Vec<String> {
        let connection = rusqlite::Connection::open(self.path(name)).unwrap();
        let mut statement = connection.prepare(&format!("select * from \"{table}\" order by 1, 2")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let value = |i| format!("{:?}", row.get::<_, rusqlite::types::Value>(i).unwrap());
            Ok((0..columns).map(value).collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

pub const CHINOOK: [&str; 11] = [
    "Album",
    "Artist",
    "Customer",
    "Employee",
    "Genre",
    "Invoice",
    "InvoiceLine",
    "MediaType",
    "Playlist",
    "PlaylistTrack",
    "Track",
];

/// A database of its own on the throwaway server; gone with the value.
pub struct Database {
    pub url: String,
    name: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

fn server() -> String {
    std::env::var("ROWSYNC_TEST_POSTGRES")
        .expect("these tests need PostgreSQL: run `make test`, or tests/with-postgres.sh cargo test")
}

impl Database {
    pub fn new() -> Database {
        let name = format!("whole_{}_{}", std::process::id(), NUMBER.fetch_add(1, SeqCst));
        psql(&server(), &format!("create database {name}"));
        Database { url: format!("{}/{name}", server().rsplit_once('/').unwrap().0), name }
    }

    /// With a script that `psql` reads.
    pub fn filled(script: &str) -> Database {
        let database = Database::new();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/data").join(script);
        let status = Command::new("psql")
            .args(["-qX", "-v", "ON_ERROR_STOP=1", &database.url, "-f"])
            .arg(path)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        database
    }

    /// Runs what psql reads from its input, which may be too long for a command line.
    pub fn script(&self, sql: &str) -> String {
        let mut psql = Command::new("psql")
            .args(["-qXtA", "-v", "ON_ERROR_STOP=1", &self.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut input, sql) = (psql.stdin.take().unwrap(), sql.to_owned());
        let writing = std::thread::spawn(move || input.write_all(sql.as_bytes()));
        let output = psql.wait_with_output().unwrap();
        assert!(output.status.success());
        writing.join().unwrap().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn sql(&self, sql: &str) -> String {
        psql(&self.url, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        psql(&server(), &format!("drop database {} with (force)", self.name));
    }
}

/// A side of a sync: a file, or a database on the server.
pub enum Side {
    File(&'static str),
    Server(Database),
}

impl Side {
    pub fn url(&self, desk: &Desk) -> String {
        match self {
            Side::File(name) => desk.sqlite(name),
            Side::Server(database) => database.url.clone(),
        }
    }

    pub fn run(&self, desk: &Desk, sql: &str) {
        match self {
            Side::File(name) => desk.in_sqlite(name, sql),
            Side::Server(database) => drop(database.script(sql)),
        }
    }

    /// The answer to a question for one text in each row.
    pub fn lines(&self, desk: &Desk, sql: &str) -> Vec<String> {
        match self {
            Side::File(name) => {
                let connection = rusqlite::Connection::open(desk.path(name)).unwrap();
                let mut rows = connection.prepare(sql).unwrap();
                rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            Side::Server(database) => database.sql(sql).lines().map(str::to_owned).collect(),
        }
    }
}

/// Every pair of engines, each with databases of its own.
pub fn sides() -> Vec<(Side, Side)> {
    vec![
        (Side::File("s.sqlite"), Side::File("t.sqlite")),
        (Side::File("s.sqlite"), Side::Server(Database::new())),
        (Side::Server(Database::new()), Side::File("t.sqlite")),
        (Side::Server(Database::new()), Side::Server(Database::new())),
    ]
}

pub fn psql(url: &str, sql: &str) -> String {
    let output = Command::new("psql")
        .args(["-qXtA", "-v", "ON_ERROR_STOP=1", url, "-c", sql])
        .output()
        .expect("psql is installed");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
