//! One connection to the service, on which one question comes after the other: what a browser or a script does, in bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::Result;

/// Nothing takes as long, unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(600);

pub struct Line {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Line {
    pub fn open(address: &str) -> Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Line { address: address.to_owned(), stream: BufReader::new(stream) })
    }

    /// Asks and reads the whole answer: its status and its body.
    pub fn ask(&mut self, method: &str, path: &str) -> Result<(u16, String)> {
        self.send(method, path)?;
        let (status, length) = self.head()?;
        let mut body = vec![0; length.ok_or("an answer without a length")?];
        self.stream.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }

    pub fn send(&mut self, method: &str, path: &str) -> Result<()> {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.address);
        Ok(self.stream.get_mut().write_all(head.as_bytes())?)
    }

    /// The status, and how long the body is, where that is said.
    pub fn head(&mut self) -> Result<(u16, Option<usize>)> {
        let (mut first, mut length) = (String::new(), None);
        self.stream.read_line(&mut first)?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        loop {
            let line = self.next()?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
        Ok((status.ok_or_else(|| format!("no answer: {first:?}"))?, length))
    }

    /// The next line, without its end; an error where there is none any more.
    pub fn next(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err("the service closed the connection".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// At most so many bytes of what is there already or comes soon.
    pub fn sip(&mut self, bytes: &mut [u8], wait: Duration) -> Result<usize> {
        self.stream.get_ref().set_read_timeout(Some(wait))?;
        match self.stream.get_mut().read(bytes) {
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                Ok(0)
            }
            read => Ok(read?),
        }
    }
}
