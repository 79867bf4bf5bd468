//! A PostgreSQL server of a test's own, which it may kill and start again. On a free loopback port, with its data in a
//! fresh folder; gone with the value.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::psql;

pub struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    owner: Option<String>,
    port: u16,
    /// What stands before each of its commands.
    inside: Vec<String>,
}

/// Ports that are tried before the test gives up.
const PORTS_TRIED: usize = 10;
/// After `kill -9` the memory that the old processes shared is not free at once.
const STARTS_TRIED: usize = 100;

impl Cluster {
    pub fn start() -> Cluster {
        Cluster::start_inside(Vec::new())
    }

    /// Where it sees what others do not.
    pub fn start_inside(inside: Vec<String>) -> Cluster {
        let folder = tempfile::Builder::new().prefix("rowsync-cluster.").tempdir().unwrap();
        let mut cluster = Cluster { folder, binaries: binaries(), owner: owner(), port: 0, inside };
        if let Some(owner) = &cluster.owner {
            assert!(Command::new("chown").arg(owner).arg(cluster.folder.path()).status().unwrap().success());
        }
        // Nobody but this machine reaches it, so nobody needs a password.
        expect(cluster.run("initdb", &["-U", "rowsync", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]));
        for _ in 0..PORTS_TRIED {
            cluster.port = free_port();
            if cluster.try_to_start() {
                return cluster;
            }
        }
        panic!("{}", std::fs::read_to_string(cluster.folder.path().join("log")).unwrap_or_default());
    }

    pub fn url(&self) -> String {
        format!("postgres://rowsync@127.0.0.1:{}/postgres", self.port)
    }

    pub fn sql(&self, sql: &str) -> String {
        psql(&self.url(), sql)
    }

    /// `kill -9`; what was committed but not flushed is lost.
    pub fn kill(&self) {
        let pid_file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = pid_file.lines().next().unwrap();
        // All of them at once, so that none lives on to write down what the others hold in memory.
        let _ = Command::new("pkill").args(["-KILL", "-P", pid]).status();
        expect(Command::new("kill").args(["-KILL", pid]).output().unwrap());
    }

    /// As an administrator does it: sessions are ended, and everything is written.
    pub fn stop(&self) {
        expect(self.run("pg_ctl", &["-m", "fast", "-w", "stop"]));
    }

    pub fn start_again(&self) {
        assert!((0..STARTS_TRIED).any(|_| self.try_to_start()), "the server does not start again");
    }

    fn try_to_start(&self) -> bool {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", self.port);
        let log = self.folder.path().join("log").display().to_string();
        self.run("pg_ctl", &["-w", "-t", "60", "-l", &log, "-o", &options, "start"]).status.success()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
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
            .arg(self.data())
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
