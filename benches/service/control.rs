//! A server that knows nothing and answers at once, in a process of its own. What a sync loses beside its callers it loses to
//! them, and not to what `rowsync serve` does for them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::harness::Result;
use crate::harness::process::cpu_seconds;

/// As long as what the service says of an execution with four tables, and of `/metrics`.
const ANSWER: usize = 1_300;
const SCRAPE: usize = 35_000;
/// What those who scrape look for.
const NAME: &str = "rowsync_records_total";

pub struct Control {
    child: Child,
    pub address: String,
}

impl Control {
    pub fn start() -> Result<Control> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("--control").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().ok_or("the control has no stdout")?;
        let mut control = Control { child, address: String::new() };
        BufReader::new(said).read_line(&mut control.address)?;
        control.address = control.address.trim().to_owned();
        Ok(control)
    }

    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&self.child.id().to_string()).map_or(f64::NAN, |(own, _)| own)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It ends by nothing else.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process does that is started so: it tells its address and serves until it is killed.
pub fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let (answer, scrape) = (answer(&"x".repeat(ANSWER)), answer(&NAME.repeat(SCRAPE / NAME.len())));
    for stream in listener.incoming() {
        let (stream, answer, scrape) = (stream?, answer.clone(), scrape.clone());
        // Whoever leaves in the midst of an answer leaves.
        thread::spawn(move || drop(converse(&stream, &answer, &scrape)));
    }
    Ok(())
}

fn answer(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Answers one request after the other. Those who follow events get a head and wait.
fn converse(mut stream: &TcpStream, answer: &[u8], scrape: &[u8]) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(request) = lines.next().transpose()? {
        for line in lines.by_ref() {
            if line?.is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path {
            "/metrics" => stream.write_all(scrape)?,
            path if path.ends_with("/events") => stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?,
            _ => stream.write_all(answer)?,
        }
    }
    Ok(())
}
