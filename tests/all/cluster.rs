//! A PostgreSQL server of a test's own, which it may kill and start again. On a free loopback port, with its data in a
//! fresh folder; gone with the value.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::psql;

/// The server for as long as its test lasts.
pub struct Cluster {
    server: Arc<Server>,
}

/// What others than the test may do with it.
pub struct Server {
    folder: TempDir,
    data: PathBuf,
    binaries: PathBuf,
    owner: Option<String>,
    port: u16,
    /// What stands before each of its commands.
    inside: Vec<String>,
    /// Held while it is started: one that somebody starts while the test ends must not outlive it.
    ended: Mutex<bool>,
}

/// What of a server lies elsewhere than in a folder of its own.
pub enum Place {
    Folder,
    /// All its data, in a folder that is to be made.
    Data(PathBuf),
    /// Its write-ahead log alone.
    Log(PathBuf),
}

/// Ports that are tried before the test gives up.
const PORTS_TRIED: usize = 10;
/// After `kill -9` the memory that the old processes shared is not free at once.
const STARTS_TRIED: usize = 100;

impl Cluster {
    pub fn start() -> Cluster {
        Cluster::start_inside(Vec::new(), Place::Folder)
    }

    /// Where it sees what others do not.
    pub fn start_inside(inside: Vec<String>, place: Place) -> Cluster {
        let folder = tempfile::Builder::new().prefix("rowsync-cluster.").tempdir().unwrap();
        let ended = Mutex::default();
        // Small pieces of the log: a disk need not be large to be too small.
        let (data, place) = match place {
            Place::Folder => (folder.path().join("data"), Vec::new()),
            Place::Data(data) => (data, vec!["--wal-segsize=1".to_owned()]),
            Place::Log(log) => {
                (folder.path().join("data"), vec!["--wal-segsize=1".to_owned(), format!("--waldir={}", log.display())])
            }
        };
        let mut server = Server { folder, data, binaries: binaries(), owner: owner(), port: 0, inside, ended };
        if let Some(owner) = &server.owner {
            assert!(Command::new("chown").arg(owner).arg(server.folder.path()).status().unwrap().success());
        }
        // Nobody but this machine reaches it, so nobody needs a password.
        let mut options = vec!["-U", "rowsync", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        options.extend(place.iter().map(String::as_str));
        expect(server.run("initdb", &options));
        for _ in 0..PORTS_TRIED {
            server.port = free_port();
            if server.try_to_start() {
                return Cluster { server: Arc::new(server) };
            }
        }
        panic!("{}", server.said());
    }

    /// For whoever does something to it while the test goes on.
    pub fn server(&self) -> Arc<Server> {
        Arc::clone(&self.server)
    }
}

impl Deref for Cluster {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Server {
    pub fn url(&self) -> String {
        format!("postgres://rowsync@127.0.0.1:{}/postgres", self.port)
    }

    pub fn sql(&self, sql: &str) -> String {
        psql(&self.url(), sql)
    }

    /// Waits until it has ended by itself.
    pub fn ends(&self) {
        let begun = Instant::now();
        while self.run("pg_ctl", &["status"]).status.success() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", self.said());
        }
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// `kill -9`; what was committed but not flushed is lost.
    pub fn kill(&self) {
        let pid_file = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        let pid = pid_file.lines().next().unwrap();
        // All of them at once, so that none lives on to write down what the others hold in memory.
        let _ = Command::new("pkill").args(["-KILL", "-P", pid]).status();
        expect(Command::new("kill").args(["-KILL", pid]).output().unwrap());
    }

    /// As an administrator does it: sessions are ended, and everything is written.
    pub fn stop(&self) {
        expect(self.run("pg_ctl", &["-m", "fast", "-w", "stop"]));
    }

    /// From the next start on it can only be read, as one that follows another server.
    pub fn follow(&self) {
        std::fs::write(self.data.join("standby.signal"), "").unwrap();
        if let Some(owner) = &self.owner {
            assert!(Command::new("chown").arg(owner).arg(self.data.join("standby.signal")).status().unwrap().success());
        }
    }

    /// Ends that.
    pub fn promote(&self) {
        expect(self.run("pg_ctl", &["-w", "promote"]));
    }

    pub fn start_again(&self) {
        assert!((0..STARTS_TRIED).any(|_| self.try_to_start()), "the server does not start again: {}", self.said());
    }

    fn try_to_start(&self) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!*ended, "the test is over");
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", self.port);
        let log = self.folder.path().join("log").display().to_string();
        self.run("pg_ctl", &["-w", "-t", "60", "-l", &log, "-o", &options, "start"]).status.success()
    }

    /// PostgreSQL refuses to run as root.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.binaries.join(program).display().to_string();
        let mut words = self.inside.clone();
        if let Some(owner) = &self.owner {
            words.extend(["setpriv", "--reuid", owner, "--regid", owner, "--clear-groups", "--"].map(str::to_owned));
        }
        words.push(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        // A server that is started here would keep the pipes of the test open.
        let output = self.folder.path().join("output");
        let file = std::fs::File::create(&output).unwrap();
        let status = command
            .arg("-D")
            .arg(&self.data)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .status()
            .unwrap();
        Output { status, stdout: Vec::new(), stderr: std::fs::read(output).unwrap() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let _ = self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }
}

fn expect(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The newest server that is installed: Debian keeps it out of the PATH.
fn binaries() -> PathBuf {
    let version =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok());
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    match installed.max_by_key(|path| version(path)) {
        Some(newest) => newest.join("bin"),
        None => {
            let found = Command::new("sh").args(["-c", "dirname \"$(command -v initdb)\""]).output().unwrap();
            PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
        }
    }
}

pub fn owner() -> Option<String> {
    let id = Command::new("id").arg("-u").output().unwrap();
    let is_root = String::from_utf8(id.stdout).unwrap().trim() == "0";
    let has_postgres = || Command::new("id").arg("postgres").output().unwrap().status.success();
    is_root.then(|| if has_postgres() { "postgres".to_owned() } else { "nobody".to_owned() })
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
