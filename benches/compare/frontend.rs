//! What a client of PostgreSQL says, in a word or a line: enough to see in a trace which statement took a round trip.
//! Values that are bound to statements are passed over.

use std::collections::HashMap;

/// Of a statement, so many characters are told.
const STATEMENT_CHARS: usize = 110;
/// Longer messages are data that nobody needs to see; only their kind is told.
const KEPT_BYTES: usize = 64 << 10;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

#[derive(Default)]
pub struct Frontend {
    /// What is not a whole message yet.
    rest: Vec<u8>,
    /// Bytes of a message that is too long to keep.
    skipped: usize,
    /// Before the startup message, messages have no kind.
    started: bool,
    statements: HashMap<Vec<u8>, String>,
}

impl Frontend {
    /// The messages that these bytes complete.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        let skipped = self.skipped.min(bytes.len());
        self.skipped -= skipped;
        self.rest.extend_from_slice(&bytes[skipped..]);
        let mut told = Vec::new();
        while let Some(message) = self.next() {
            if !message.is_empty() {
                told.push(message);
            }
        }
        told
    }

    fn next(&mut self) -> Option<String> {
        let head = usize::from(self.started);
        let length = u32::from_be_bytes(self.rest.get(head..head + 4)?.try_into().ok()?) as usize;
        let whole = head + length.max(4);
        if whole > KEPT_BYTES.max(self.rest.len()) {
            let kind = self.rest[0];
            self.skipped = whole - self.rest.len();
            self.rest.clear();
            return Some(format!("{} of {whole} bytes", kind as char));
        }
        if self.rest.len() < whole {
            return None;
        }
        let message: Vec<u8> = self.rest.drain(..whole).collect();
        let body = &message[head + 4..];
        Some(if self.started { self.typed(message[0], body) } else { self.untyped(body) })
    }

    fn untyped(&mut self, body: &[u8]) -> String {
        let code = body.get(..4).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
        match code {
            Some(SSL_REQUEST) => "asks for TLS".into(),
            Some(GSS_REQUEST) => "asks for GSSAPI".into(),
            Some(CANCEL_REQUEST) => "cancel".into(),
            _ => {
                self.started = true;
                "startup".into()
            }
        }
    }

    fn typed(&mut self, kind: u8, body: &[u8]) -> String {
        let mut texts = body.split(|byte| *byte == 0);
        match kind {
            b'Q' => format!("query {}", line(body)),
            b'P' => {
                let (name, statement) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
                self.statements.insert(name.to_vec(), line(statement));
                format!("parse {}", line(statement))
            }
            b'B' => {
                let known = texts.nth(1).and_then(|name| self.statements.get(name));
                format!("bind {}", known.map_or("", |statement| statement.as_str()))
            }
            b'p' => "password".into(),
            b'd' => "copy data".into(),
            b'X' => "good-bye".into(),
            b'S' => "sync".into(),
            // Describe, execute, flush, close, end of copy: no question of their own.
            _ => String::new(),
        }
    }
}

/// A statement on one line, cut short.
fn line(statement: &[u8]) -> String {
    let text = String::from_utf8_lossy(statement);
    let words: Vec<&str> = text.trim_end_matches('\0').split_whitespace().collect();
    words.join(" ").chars().take(STATEMENT_CHARS).collect()
}
