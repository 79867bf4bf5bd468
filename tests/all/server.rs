//! A running `rowsync serve`, and a client that shares nothing with it: requests are the bytes that a test writes.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Database, Desk};

pub const API: &str = "/api/v1/sync/sql-sync";
/// No answer of a service on the same machine takes as long, unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    pub address: String,
    log: Receiver<String>,
    seen: VecDeque<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Server {
    /// With settings files of the desk; they say on which port.
    pub fn start(desk: &Desk, files: &[&str]) -> Server {
        let mut command = desk.command(&["serve"]);
        Server::of(command.args(files))
    }

    pub fn of(command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (lines, log) = channel();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        // Read on and on, so that the process never waits for us; until nobody wants to know any more.
        std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                if lines.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        let mut server = Server { child, address: String::new(), log, seen: VecDeque::new() };
        let line = server.logged("listening on ");
        server.address = line.rsplit_once("://").unwrap().1.split(' ').next().unwrap().to_owned();
        server
    }

    /// Waits until the log says so.
    pub fn logged(&mut self, words: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("`{words}`: {error}; it said {:#?}", self.seen));
            if line.contains(words) {
                return line;
            }
            self.seen.push_back(line);
        }
    }

    /// Closes the end of the log that is read: whatever is written from now on fails.
    pub fn leave_the_log(&mut self) {
        // The next line finds nobody who takes it, and its reader goes.
        self.log = channel().1;
        self.signal("-HUP");
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes as they are, and reads to the end.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A service that refuses a body need not read all of it.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::of(&String::from_utf8_lossy(&bytes))
    }

    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let address = &self.address;
        self.raw(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
            )
            .as_bytes(),
        )
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(method, path, "Content-Type: application/json\r\n", &body.to_string())
    }

    /// Starts a sync and gives the id of its execution.
    pub fn execute(&self, id: &str) -> String {
        let answer = self.ask("POST", &format!("{API}/configurations/{id}/execute"), "", "");
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["execution_id"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of an execution, by its events.
    pub fn report(&self, execution: &str) -> Value {
        let answer = self.get(&format!("{API}/executions/{execution}/events"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let finished = answer.body.lines().skip_while(|line| *line != "event: finished").nth(1);
        let finished = finished.unwrap_or_else(|| panic!("{answer:?}"));
        serde_json::from_str(finished.strip_prefix("data: ").unwrap()).unwrap()
    }

    pub fn run(&self, id: &str) -> Value {
        self.report(&self.execute(id))
    }

    /// The most bytes of memory that it has had so far.
    pub fn memory_peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for the process to end by itself.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none() && self.get("/healthz").status == 200
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn of(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked { dechunked(body) } else { body.to_owned() };
        Answer { status, head: head.to_lowercase(), body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it is a refusal in the form that all have.
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{self:?}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = after[size..].strip_prefix("\r\n").unwrap_or_default();
    }
    body
}

/// A table that nobody can read or write until this is released: whoever is at work with it stays so.
pub struct Held {
    session: Child,
    input: Option<ChildStdin>,
}

impl Held {
    pub fn table(database: &Database, table: &str) -> Held {
        let mut session = Command::new("psql")
            .args(["-qXtA", "-v", "ON_ERROR_STOP=1", &database.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = session.stdin.take().unwrap();
        writeln!(input, "begin; lock table {table} in access exclusive mode; select 'held';").unwrap();
        let mut said = String::new();
        BufReader::new(session.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        Held { session, input: Some(input) }
    }

    pub fn release(mut self) {
        drop(self.input.take());
        self.session.wait().unwrap();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}
