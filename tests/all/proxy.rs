//! A proxy of the tests' own between rowsync and a real server: it counts what is said and what comes back, and breaks
//! connections where the test wants it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the proxy does when the client says something for the n-th time.
pub struct Rule {
    /// A part of a statement.
    pub says: &'static str,
    pub nth: usize,
    pub act: Act,
}

/// What it does when a connection has brought so many bytes from the server: in the midst of a long answer.
struct Quota {
    bytes: usize,
    act: Act,
}

pub enum Act {
    /// The connection is closed before the server hears it.
    Cut,
    /// The server hears and answers, and the connection is closed instead of handing the answer over.
    CutTheAnswer,
    /// Nothing comes through any more in either direction, and nothing is closed.
    Silence,
    /// Something of the test's, before the server hears it.
    Call(Box<dyn FnOnce() + Send>),
    /// Every connection is closed, and so is every further one.
    Shut,
}

pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    rules: Mutex<Vec<(Rule, usize)>>,
    quota: Mutex<Option<Quota>>,
    latency: Mutex<Duration>,
    /// Bytes a second of each connection and direction; 0 where there is no limit.
    width: AtomicUsize,
    shut: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    /// Rules that were carried out.
    done: AtomicUsize,
}

impl Proxy {
    /// Between the tests and the server of this URL.
    pub fn before(url: &str) -> Proxy {
        let (start, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            rules: Mutex::default(),
            quota: Mutex::default(),
            latency: Mutex::default(),
            width: AtomicUsize::new(0),
            shut: AtomicBool::new(false),
            open: Mutex::default(),
            done: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                serving.serve(client.unwrap());
            }
        });
        Proxy { url: format!("{start}@127.0.0.1:{port}/{database}"), shared }
    }

    pub fn when(self, says: &'static str, nth: usize, act: Act) -> Proxy {
        self.shared.rules.lock().unwrap().push((Rule { says, nth, act }, 0));
        self
    }

    /// Before the server's byte of this number comes through on a connection.
    pub fn after(self, bytes: usize, act: Act) -> Proxy {
        *self.shared.quota.lock().unwrap() = Some(Quota { bytes, act });
        self
    }

    /// Holds back each piece of data for so long.
    pub fn slow(self, latency: Duration) -> Proxy {
        *self.shared.latency.lock().unwrap() = latency;
        self
    }

    /// Lets through no more than so many bytes a second, of each connection and direction.
    pub fn narrow(self, width: usize) -> Proxy {
        self.shared.width.store(width, SeqCst);
        self
    }

    /// Closes every connection and every further one, until it is opened again.
    pub fn shut(&self) {
        self.shared.shut();
    }

    pub fn open_again(&self) {
        self.shared.shut.store(false, SeqCst);
    }

    /// How many connections were opened since it was opened.
    pub fn connections(&self) -> usize {
        self.shared.open.lock().unwrap().len() / 2
    }

    /// How many of the rules were carried out; a test whose fault never happened has proven nothing.
    pub fn done(&self) -> usize {
        self.shared.done.load(SeqCst)
    }
}

/// Of one connection.
#[derive(Default)]
struct Pair {
    silent: AtomicBool,
    answer_is_cut: AtomicBool,
}

impl Shared {
    fn serve(self: &Arc<Shared>, client: TcpStream) {
        if self.shut.load(SeqCst) {
            return;
        }
        // A server that is down refuses, and so do we.
        let Ok(server) = TcpStream::connect(&self.server) else { return };
        let pair = Arc::new(Pair::default());
        let clone = |stream: &TcpStream| stream.try_clone().unwrap();
        self.open.lock().unwrap().extend([clone(&client), clone(&server)]);
        let (shared, from, to, both) = (Arc::clone(self), clone(&client), clone(&server), Arc::clone(&pair));
        std::thread::spawn(move || shared.pump(from, to, &both, true));
        let shared = Arc::clone(self);
        std::thread::spawn(move || shared.pump(server, client, &pair, false));
    }

    fn shut(&self) {
        self.shut.store(true, SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, pair: &Pair, from_client: bool) {
        let mut buffer = vec![0; 64 * 1024];
        let mut passed = 0;
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let said = &buffer[..length];
            if from_client && !self.obey(said, pair) {
                break;
            }
            passed += length;
            if !from_client && (!self.spend(passed, pair) || pair.answer_is_cut.load(SeqCst)) {
                break;
            }
            let pause = *self.latency.lock().unwrap() + self.passage(length);
            if !pause.is_zero() {
                std::thread::park_timeout(pause);
            }
            if !pair.silent.load(SeqCst) && to.write_all(said).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    /// How long so many bytes take on a narrow line.
    fn passage(&self, length: usize) -> Duration {
        match self.width.load(SeqCst) {
            0 => Duration::ZERO,
            width => Duration::from_secs_f64(length as f64 / width as f64),
        }
    }

    /// Whether the connection goes on.
    fn obey(&self, said: &[u8], pair: &Pair) -> bool {
        let mut rules = self.rules.lock().unwrap();
        let mut due = None;
        for (index, (rule, heard)) in rules.iter_mut().enumerate() {
            if said.windows(rule.says.len()).any(|window| window == rule.says.as_bytes()) {
                *heard += 1;
                due = due.or((*heard == rule.nth).then_some(index));
            }
        }
        let Some((rule, _)) = due.map(|index| rules.remove(index)) else { return true };
        drop(rules);
        self.carry_out(rule.act, pair)
    }

    /// Whether the connection goes on that has brought so many bytes.
    fn spend(&self, passed: usize, pair: &Pair) -> bool {
        let due = self.quota.lock().unwrap().take_if(|quota| passed >= quota.bytes);
        due.is_none_or(|quota| self.carry_out(quota.act, pair))
    }

    fn carry_out(&self, act: Act, pair: &Pair) -> bool {
        match act {
            Act::Cut => {
                self.done.fetch_add(1, SeqCst);
                return false;
            }
            Act::CutTheAnswer => pair.answer_is_cut.store(true, SeqCst),
            Act::Call(call) => call(),
            Act::Silence => pair.silent.store(true, SeqCst),
            Act::Shut => self.shut(),
        }
        self.done.fetch_add(1, SeqCst);
        true
    }
}

/// Does something again and again, with a pause between, until it is dropped.
pub struct Again {
    _stop: Sender<()>,
}

impl Again {
    pub fn and_again(pause: Duration, mut work: impl FnMut() + Send + 'static) -> Again {
        let (stop, stopped) = channel();
        std::thread::spawn(move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                work();
            }
        });
        Again { _stop: stop }
    }
}
