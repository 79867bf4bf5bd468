//! A link that is slower than the loopback: a relay between a client and a server, which delays every byte by half a
//! round trip, lets no more through than a line of so many bytes a second, and tells [`Traffic`] of all it sees.
//!
//! All connections share the line, each direction has one of its own. What a connection needs to be opened is one round
//! trip before its first byte. Headers of packets take no room, nothing is lost, and queues are long.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::harness::Result;
use crate::traffic::Traffic;

#[derive(Clone, Copy)]
pub struct Link {
    pub round_trip: Duration,
    pub bytes_per_second: f64,
}

impl Link {
    /// Only counts.
    pub const UNLIMITED: Link = Link { round_trip: Duration::ZERO, bytes_per_second: f64::INFINITY };
}

/// What is read at once: small enough that two connections share the line fairly.
const CHUNK_BYTES: usize = 16 << 10;
/// Chunks of a connection that are on their way in one direction.
const CHUNKS_MAX: usize = 256;

pub struct Relay {
    pub port: u16,
    wire: Arc<Wire>,
    runtime: Runtime,
}

impl Relay {
    /// Listens on a loopback port, and connects to the server once for each client.
    pub fn start(server: SocketAddr, link: Link) -> Result<Relay> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(Wire {
            link,
            up: Line::default(),
            down: Line::default(),
            traffic: Mutex::new(Traffic::new(Instant::now())),
        });
        runtime.spawn(accept(listener, server, Arc::clone(&wire)));
        Ok(Relay { port, wire, runtime })
    }

    /// Cuts what is still open, and tells what was seen.
    pub fn stop(self) -> Traffic {
        self.runtime.shutdown_background();
        let mut traffic = self.wire.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut traffic, Traffic::new(Instant::now()))
    }
}

struct Wire {
    link: Link,
    up: Line,
    down: Line,
    traffic: Mutex<Traffic>,
}

impl Wire {
    fn tell(&self, news: impl FnOnce(&mut Traffic)) {
        news(&mut self.traffic.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// One direction of the link, as the moment at which the last byte given to it has left.
#[derive(Default)]
struct Line {
    free_at: Mutex<Option<Instant>>,
}

impl Line {
    /// When so many bytes that are given to it now arrive.
    fn arrival(&self, link: Link, bytes: usize) -> Instant {
        let now = Instant::now();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = free_at.map_or(now, |free_at| free_at.max(now));
        let left = begins + Duration::from_secs_f64(bytes as f64 / link.bytes_per_second);
        *free_at = Some(left);
        left + link.round_trip / 2
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, wire: Arc<Wire>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(carry(client, server, Arc::clone(&wire)))),
            Err(error) => eprintln!("    the relay accepts no more: {error}"),
        }
    }
}

/// Carries one connection, until either side closes it.
async fn carry(client: TcpStream, server: SocketAddr, wire: Arc<Wire>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let plain = [client.set_nodelay(true), server.set_nodelay(true)];
    if plain.iter().any(std::result::Result::is_err) {
        return;
    }
    let mut number = 0;
    wire.tell(|traffic| number = traffic.asked_to_open());
    sleep(wire.link.round_trip).await;
    wire.tell(|traffic| traffic.opened(number));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (up, down) = (Arc::clone(&wire), Arc::clone(&wire));
    let upwards = pipe(
        from_client,
        to_server,
        move |bytes| {
            up.tell(|traffic| traffic.sent(number, bytes));
            up.up.arrival(up.link, bytes.len())
        },
        |_| {},
    );
    let counted = Arc::clone(&wire);
    let downwards = pipe(
        from_server,
        to_client,
        move |bytes| down.down.arrival(down.link, bytes.len()),
        move |bytes| counted.tell(|traffic| traffic.answered(number, bytes)),
    );
    tokio::join!(upwards, downwards);
}

/// Moves one direction: `leave` says when a chunk arrives, `arrive` is told when it does.
async fn pipe(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    leave: impl Fn(&[u8]) -> Instant,
    arrive: impl Fn(&[u8]),
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_MAX);
    let read = async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            let bytes = &chunk[..length];
            if sender.send((leave(bytes), bytes.to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((at, bytes)) = receiver.recv().await {
            sleep_until(at).await;
            // Told before the client can answer to it.
            arrive(&bytes);
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The other side hears of the end as it would without a relay; one that is gone already needs not.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
