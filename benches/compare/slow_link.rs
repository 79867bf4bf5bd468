//! Comparing over a link that is slower than the loopback: bytes, round trips and seconds.

use std::net::SocketAddr;

use crate::differences::expected;
use crate::harness::Result;
use crate::harness::figures::median;
use crate::harness::process::Usage;
use crate::peers::{OF_POSTGRES, Peer};
use crate::relay::{Link, Relay};
use crate::sets::ROWSYNC;
use crate::traffic::{Traffic, breakdown, trace};
use crate::world::World;

/// One run through the relay.
pub struct Crossing {
    pub usage: Usage,
    pub traffic: Traffic,
}

/// What somebody needed over the link.
pub struct Crossed {
    pub name: &'static str,
    pub differing: u64,
    pub rows: u64,
    pub crossings: std::result::Result<Vec<Crossing>, String>,
}

/// What the project set itself to reach over the link.
pub struct LinkAim {
    pub bytes: u64,
    pub in_a_row: Option<u64>,
    pub seconds: Option<f64>,
}

impl LinkAim {
    pub fn of(name: &str, differing: u64) -> Option<LinkAim> {
        match (name, differing) {
            (ROWSYNC, 0) => Some(LinkAim { bytes: 100_000, in_a_row: None, seconds: None }),
            (ROWSYNC, 100) => Some(LinkAim { bytes: 500_000, in_a_row: Some(12), seconds: Some(4.0) }),
            _ => None,
        }
    }

    pub fn is_reached(&self, crossed: &Crossed) -> Option<bool> {
        let crossings = crossed.crossings.as_ref().ok()?;
        let bytes = crossings.iter().map(|crossing| crossing.traffic.bytes()).max()?;
        let in_a_row = crossings.iter().map(|crossing| crossing.traffic.round_trips_in_a_row()).max()?;
        let seconds = crossed.seconds()?;
        Some(
            bytes < self.bytes
                && self.in_a_row.is_none_or(|most| in_a_row <= most)
                && self.seconds.is_none_or(|most| seconds < most),
        )
    }
}

impl Crossed {
    pub fn seconds(&self) -> Option<f64> {
        let crossings = self.crossings.as_ref().ok()?;
        median(&crossings.iter().map(|crossing| crossing.usage.wall.as_secs_f64()).collect::<Vec<_>>())
    }
}

/// The source lies behind the link, the target is near. The other tools run once.
pub fn measure(world: &World, link: Link, runs: u32, rows: u64, differing: u64, peers: bool) -> Result<Vec<Crossed>> {
    world.differ_in_postgres(rows, differing)?;
    let to = world.target.url.as_str();
    let verify = |from: &str| world.task(from, to).verify(expected(differing));
    let mut all = vec![cross(world, link, runs, ROWSYNC, (rows, differing), &verify)];
    for peer in OF_POSTGRES.into_iter().filter(|peer| peers && *peer != Peer::ReladiffDefault) {
        match peer.program() {
            None => eprintln!("    {} is absent; `make setup-bench` installs it", peer.name()),
            Some(program) => {
                let compare = |from: &str| peer.compare(&program, from, to, differing);
                all.push(cross(world, link, 1, peer.name(), (rows, differing), &compare));
            }
        }
    }
    Ok(all)
}

fn cross(
    world: &World,
    link: Link,
    runs: u32,
    name: &'static str,
    (rows, differing): (u64, u64),
    run: &dyn Fn(&str) -> Result<Usage>,
) -> Crossed {
    let crossings: Result<Vec<Crossing>> = (0..runs).map(|_| behind(world, link, run)).collect();
    match &crossings {
        Ok(crossings) => crossings.iter().for_each(|crossing| tell(name, crossing)),
        Err(error) => eprintln!("    {name}: FAILED: {error}"),
    }
    Crossed { name, differing, rows, crossings: crossings.map_err(|error| error.to_string()) }
}

fn tell(name: &str, Crossing { usage, traffic }: &Crossing) {
    eprintln!(
        "    {name}: {:.3} s, {} bytes, {} round trips in a row",
        usage.wall.as_secs_f64(),
        traffic.bytes(),
        traffic.round_trips_in_a_row()
    );
}

/// One run with the source behind a link of its own.
pub fn behind(world: &World, link: Link, run: impl Fn(&str) -> Result<Usage>) -> Result<Crossing> {
    let mut url = world.source.url.clone();
    let port = url.port().ok_or("the server's URL names no port")?;
    let relay = Relay::start(SocketAddr::from(([127, 0, 0, 1], port)), link)?;
    url.set_port(Some(relay.port)).map_err(|()| "the server's URL takes no port")?;
    let usage = run(url.as_str());
    let traffic = relay.stop();
    Ok(Crossing { usage: usage?, traffic })
}

/// Of the first run that came through, which statements took the round trips.
pub fn traced(crossed: &Crossed) -> Option<String> {
    let traffic = &crossed.crossings.as_ref().ok()?.first()?.traffic;
    Some(format!("{}\n{}", trace(traffic), breakdown(traffic)))
}
