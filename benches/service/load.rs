//! Those who look on while a sync is at work: callers of the API, a Prometheus, and screens that follow the events slowly.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::line::Line;
use crate::serve::API;
use crate::world::SYNC;

const CALLERS: u32 = 8;
/// Of all callers together.
const REQUESTS_PER_SECOND: u32 = 200;
const SCRAPE_EVERY: Duration = Duration::from_secs(1);
const STREAMS: usize = 100;
/// What a slow caller reads at once, and how long all of them pause then.
const SIP: usize = 64;
const SIP_EVERY: Duration = Duration::from_millis(500);

/// What the callers saw.
#[derive(Default)]
pub struct Looked {
    waits: Vec<Duration>,
    pub scrapes: usize,
}

impl Looked {
    pub fn take_in(&mut self, other: Looked) {
        self.waits.extend(other.waits);
        self.scrapes += other.scrapes;
    }

    pub fn answers(&self) -> usize {
        self.waits.len()
    }

    /// So many of a hundred were answered within this.
    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.waits.sort_unstable();
        let place = (self.waits.len() * percent).div_ceil(100).saturating_sub(1);
        self.waits.get(place).copied().unwrap_or_default()
    }
}

/// Goes on until it is ended.
pub struct Load {
    /// Gone when it is to end.
    stops: Vec<Sender<()>>,
    threads: Vec<JoinHandle<Result<Looked, String>>>,
}

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

impl Load {
    pub fn begin(address: &str, execution: &str) -> Load {
        let mut load = Load { stops: Vec::new(), threads: Vec::new() };
        for caller in 0..CALLERS {
            load.spawn(address, execution, move |address, execution, stop| call(address, execution, stop, caller));
        }
        load.spawn(address, execution, |address, _, stop| scrape(address, stop));
        load.spawn(address, execution, follow_slowly);
        load
    }

    fn spawn(
        &mut self,
        address: &str,
        execution: &str,
        work: impl FnOnce(&str, &str, &Receiver<()>) -> Result<Looked> + Send + 'static,
    ) {
        let (address, execution) = (address.to_owned(), execution.to_owned());
        let (ends, stop) = channel();
        self.stops.push(ends);
        let worked = move || work(&address, &execution, &stop).map_err(|error| error.to_string());
        self.threads.push(thread::spawn(worked));
    }

    pub fn end(self) -> Result<Looked> {
        drop(self.stops);
        let mut all = Looked::default();
        for thread in self.threads {
            all.take_in(thread.join().map_err(|_| "a caller panicked")??);
        }
        Ok(all)
    }
}

/// Asks when it is time, however long the answer before took: who waits for a slow answer would otherwise ask less, and not
/// see how many more were slow. The wait counts from when it should have asked.
fn call(address: &str, execution: &str, stop: &Receiver<()>, caller: u32) -> Result<Looked> {
    let pause = Duration::from_secs(1) * CALLERS / REQUESTS_PER_SECOND;
    let paths = [
        format!("{API}/executions/{execution}"),
        format!("{API}/executions?limit=20"),
        format!("{API}/configurations/{SYNC}"),
        format!("{API}/configurations/{SYNC}/errors"),
        "/readyz".to_owned(),
    ];
    let mut line = Line::open(address)?;
    let mut looked = Looked::default();
    let mut due = Instant::now() + pause * caller / CALLERS;
    for path in paths.iter().cycle() {
        if !is_wanted_at(due, stop) {
            break;
        }
        let (status, body) = line.ask("GET", path)?;
        if status != 200 {
            return Err(format!("{path}: {status} {body}").into());
        }
        looked.waits.push(due.elapsed());
        due += pause;
    }
    Ok(looked)
}

/// Waits for the moment; false where nobody wants to know any more before it comes.
fn is_wanted_at(moment: Instant, stop: &Receiver<()>) -> bool {
    stop.recv_timeout(moment.saturating_duration_since(Instant::now())) == Err(RecvTimeoutError::Timeout)
}

fn scrape(address: &str, stop: &Receiver<()>) -> Result<Looked> {
    let mut line = Line::open(address)?;
    let mut looked = Looked::default();
    let mut due = Instant::now();
    while is_wanted_at(due, stop) {
        let (status, body) = line.ask("GET", "/metrics")?;
        if status != 200 || !body.contains("rowsync_records_total") {
            return Err(format!("a scrape found nothing: {status}").into());
        }
        looked.scrapes += 1;
        due += SCRAPE_EVERY;
    }
    Ok(looked)
}

fn follow_slowly(address: &str, execution: &str, stop: &Receiver<()>) -> Result<Looked> {
    let mut lines = Vec::new();
    for _ in 0..STREAMS {
        let mut line = Line::open(address)?;
        line.send("GET", &format!("{API}/executions/{execution}/events"))?;
        lines.push(line);
    }
    while is_wanted_at(Instant::now() + SIP_EVERY, stop) {
        for line in &mut lines {
            line.sip(&mut [0; SIP], Duration::from_millis(1))?;
        }
    }
    Ok(Looked::default())
}
