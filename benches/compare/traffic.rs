//! What crosses the relay: bytes, and how many questions had to wait for an answer.
//!
//! A *round trip* is one alternation on a connection: the client has sent something and then gets something back. To
//! open a connection is one, too. Questions that leave without waiting for each other are one.
//!
//! *In a row* are those of which each began after the one before it was answered, on whatever connection: a question
//! counts one more than the deepest answer that had arrived when it left. Where connections work side by side on
//! unlike things this says more than had to be, since it takes everything that was known for the reason to ask; the
//! longest chain of a single connection is told beside it, and the truth lies between. What a connection says until it is
//! ready waits for that connection alone, from the moment at which somebody began to open it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::frontend::Frontend;

pub struct Traffic {
    started: Instant,
    connections: Vec<Connection>,
    /// Round trips behind the deepest answer so far.
    depth: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub questions: Vec<Question>,
}

#[derive(Default)]
struct Connection {
    frontend: Frontend,
    /// The question that is under way or was answered last.
    question: Option<usize>,
    /// How deep its last answer was.
    depth: u64,
    round_trips: u64,
}

/// What a client says before it asks anything.
const PREPARATIONS: [&str; 6] =
    ["asks for", "startup", "password", "query SELECT set_config(", "query SET ", "query BEGIN"];

/// What a client sent at once, and the way of its answer.
pub struct Question {
    pub at: Duration,
    /// The first byte of the answer; none where nobody answered, as to a good-bye.
    pub answered: Option<Duration>,
    pub connection: usize,
    pub depth: u64,
    pub what: Vec<String>,
    pub bytes_up: u64,
    pub bytes_down: u64,
}

impl Traffic {
    pub fn new(started: Instant) -> Traffic {
        Traffic { started, connections: Vec::new(), depth: 0, bytes_up: 0, bytes_down: 0, questions: Vec::new() }
    }

    /// A client connects. Returns the number of the connection.
    pub fn asked_to_open(&mut self) -> usize {
        let number = self.connections.len();
        self.connections.push(Connection::default());
        self.ask(number);
        if let Some(question) = self.questions.last_mut() {
            question.what.push("open".to_owned());
            question.depth = self.depth + 1;
        }
        number
    }

    pub fn opened(&mut self, connection: usize) {
        self.answered(connection, &[]);
    }

    /// Bytes of a client set out.
    pub fn sent(&mut self, connection: usize, bytes: &[u8]) {
        self.bytes_up += bytes.len() as u64;
        if !self.is_under_way(connection) {
            self.ask(connection);
        }
        let deepest = self.depth;
        let Connection { frontend, question, depth, .. } = &mut self.connections[connection];
        let Some(question) = question.map(|place| &mut self.questions[place]) else { return };
        question.bytes_up += bytes.len() as u64;
        question.what.extend(frontend.read(bytes));
        let reason = if is_preparing(&question.what) { *depth } else { deepest };
        question.depth = question.depth.max(reason + 1);
    }

    /// Bytes of a server arrive at the client.
    pub fn answered(&mut self, connection: usize, bytes: &[u8]) {
        self.bytes_down += bytes.len() as u64;
        let now = self.started.elapsed();
        let connection = &mut self.connections[connection];
        let Some(question) = connection.question.map(|place| &mut self.questions[place]) else { return };
        question.bytes_down += bytes.len() as u64;
        if question.answered.is_none() {
            question.answered = Some(now);
            connection.round_trips += 1;
            connection.depth = question.depth;
            self.depth = self.depth.max(question.depth);
        }
    }

    fn is_under_way(&self, connection: usize) -> bool {
        let question = self.connections[connection].question.map(|place| &self.questions[place]);
        question.is_some_and(|question| question.answered.is_none())
    }

    fn ask(&mut self, connection: usize) {
        self.connections[connection].question = Some(self.questions.len());
        self.questions.push(Question {
            at: self.started.elapsed(),
            answered: None,
            connection,
            depth: 0,
            what: Vec::new(),
            bytes_up: 0,
            bytes_down: 0,
        });
    }

    pub fn bytes(&self) -> u64 {
        self.bytes_up + self.bytes_down
    }

    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Of all connections together.
    pub fn round_trips(&self) -> u64 {
        self.connections.iter().map(|connection| connection.round_trips).sum()
    }

    pub fn round_trips_in_a_row(&self) -> u64 {
        self.depth
    }

    pub fn round_trips_of_one_connection(&self) -> u64 {
        self.connections.iter().map(|connection| connection.round_trips).max().unwrap_or_default()
    }
}

fn is_preparing(what: &[String]) -> bool {
    let is_preparation = |what: &String| PREPARATIONS.iter().any(|beginning| what.starts_with(beginning));
    !what.is_empty() && what.iter().all(is_preparation)
}

/// So many characters of a question tell its kind.
const KIND_CHARS: usize = 60;

/// One line for each kind of question: how many there were, at how many places in the row, and their bytes.
pub fn breakdown(traffic: &Traffic) -> String {
    let mut kinds: BTreeMap<String, Vec<&Question>> = BTreeMap::new();
    for question in traffic.questions.iter().filter(|question| question.answered.is_some()) {
        let kind = question.what.first().map_or(String::new(), |what| what.chars().take(KIND_CHARS).collect());
        kinds.entry(kind).or_default().push(question);
    }
    let line = |(kind, questions): (&String, &Vec<&Question>)| {
        let places: BTreeSet<u64> = questions.iter().map(|question| question.depth).collect();
        let [up, down] = [|question: &&Question| question.bytes_up, |question: &&Question| question.bytes_down]
            .map(|bytes| questions.iter().map(bytes).sum::<u64>());
        let (count, places) = (questions.len(), places.len());
        format!("{count:4} times, at {places:3} places in a row, {up:7} B up, {down:8} B down: {kind}\n")
    };
    kinds.iter().map(line).collect()
}

/// One line for each question: when it left, when its answer began to arrive, and what it was.
pub fn trace(traffic: &Traffic) -> String {
    let line = |question: &Question| {
        let answered = question.answered.map_or("never".to_owned(), |at| format!("{:.3}", at.as_secs_f64()));
        format!(
            "{:7.3} s, answered {answered:>7}, connection {}, number {:2} in a row, {:6} B up, {:7} B down: {}\n",
            question.at.as_secs_f64(),
            question.connection,
            question.depth,
            question.bytes_up,
            question.bytes_down,
            question.what.join("; ")
        )
    };
    traffic.questions.iter().map(line).collect()
}
