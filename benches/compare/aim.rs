//! What the project set itself to reach, and whether a set of figures does.

use crate::sets::{HASH, ROWSYNC, STREAM, Set};

pub enum Aim {
    /// At most so many times the wall time of the floor.
    OfFloor(f64),
    /// So many times less wall time than this tool, and where it is said so many times less CPU, client and servers
    /// together.
    AheadOf { peer: &'static str, wall: f64, cpu: Option<f64> },
}

impl Aim {
    /// The contender in whose line it stands.
    pub fn contender(&self) -> &'static str {
        match self {
            Aim::OfFloor(_) => ROWSYNC,
            Aim::AheadOf { peer, .. } => peer,
        }
    }

    pub fn text(&self) -> String {
        match self {
            Aim::OfFloor(times) => format!("at most {times} x the floor"),
            Aim::AheadOf { wall, cpu: Some(cpu), .. } if wall == cpu => format!("rowsync {wall} x ahead"),
            Aim::AheadOf { wall, cpu: Some(cpu), .. } => format!("rowsync {wall} x ahead, CPU {cpu} x"),
            Aim::AheadOf { wall, cpu: None, .. } if *wall == 1.0 => "rowsync ahead".to_owned(),
            Aim::AheadOf { wall, cpu: None, .. } => format!("rowsync {wall} x ahead"),
        }
    }

    /// None where something was not measured.
    pub fn is_reached(&self, set: &Set) -> Option<bool> {
        let rowsync = set.of(ROWSYNC)?;
        match self {
            Aim::OfFloor(times) => Some(rowsync.wall_median()? <= times * set.of(set.floor)?.wall_median()?),
            Aim::AheadOf { peer, wall, cpu } => {
                let peer = set.of(peer)?;
                let in_wall = peer.wall_median()? >= wall * rowsync.wall_median()?;
                let in_cpu = match cpu {
                    Some(cpu) => peer.cpu_median()? >= cpu * rowsync.cpu_median()?,
                    None => true,
                };
                Some(in_wall && in_cpu)
            }
        }
    }
}

pub struct Aims {
    /// The floor that rowsync is held against.
    pub floor: &'static str,
    pub aims: Vec<Aim>,
}

/// Between two PostgreSQL servers, with so many differences; numbers that no aim names are measured for the curve.
pub fn aims_of_postgres(differing: u64) -> Aims {
    let ahead = |pg_comparator, reladiff| {
        let of = |peer, times| Aim::AheadOf { peer, wall: times, cpu: Some(times) };
        [of("pg_comparator", pg_comparator), of("reladiff, default", reladiff), of("reladiff, tuned", reladiff)]
    };
    let (floor, mut aims) = match differing {
        0 => (HASH, vec![Aim::OfFloor(1.3)]),
        100 => (HASH, vec![Aim::OfFloor(1.4)]),
        10_000.. => (STREAM, vec![Aim::OfFloor(1.2)]),
        _ => (HASH, Vec::new()),
    };
    match differing {
        0 => aims.extend(ahead(3.0, 3.0)),
        100 => aims.extend(ahead(4.0, 4.0)),
        10_000 => aims.extend(ahead(3.0, 8.0)),
        _ => {}
    }
    Aims { floor, aims }
}
