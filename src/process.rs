//! Processes: which one this is, and whether another one still lives.
//!
//! A number alone says little: it means nothing on another machine or in another container, and is given again. Where
//! the system does not tell the rest, nobody is said to be gone.

use std::fs;
use std::sync::LazyLock;

/// A process, as others can find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub host: String,
    /// Where numbers of processes mean the same: one start of one machine, and the container. None where that cannot be
    /// told.
    pub machine: Option<String>,
    pub number: u32,
    /// When it began, in ticks since its machine was started.
    pub began: Option<i64>,
}

impl Process {
    /// This one; asked for at every look into the history, so the system is asked once.
    pub fn own() -> Process {
        static OWN: LazyLock<Process> = LazyLock::new(|| {
            let number = std::process::id();
            Process {
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                machine: machine(),
                number,
                began: stat(number).and_then(|stat| began(&stat)),
            }
        });
        OWN.clone()
    }

    /// Whether it has ended for sure, as seen from another one.
    pub fn is_gone(&self, seen_from: &Process) -> bool {
        let near = self.machine.is_some() && self.machine == seen_from.machine;
        near && self.began.is_some() && !lives(self)
    }
}

/// The kernel's own numbers: host names are given twice, and containers number their processes from 1.
fn machine() -> Option<String> {
    let start = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let container = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", start.trim(), container.display()))
}

fn lives(process: &Process) -> bool {
    stat(process.number).is_some_and(|stat| !has_ended(&stat) && began(&stat) == process.began)
}

fn stat(number: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{number}/stat")).ok()
}

/// What stands behind the name, which is in brackets and may hold brackets and blanks itself.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

/// It is dead, and only its parent has not asked yet.
fn has_ended(stat: &str) -> bool {
    matches!(fields(stat).next(), Some("Z" | "X"))
}

/// The 22nd field of all, the 20th behind the name.
fn began(stat: &str) -> Option<i64> {
    fields(stat).nth(19)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_is_not_gone() {
        assert!(Process::own().began.is_some());
        assert!(!Process::own().is_gone(&Process::own()));
    }

    #[test]
    fn a_process_that_was_killed_is_gone_before_and_after_its_parent_asks() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let own = Process::own();
        let began = stat(child.id()).and_then(|stat| began(&stat));
        let process = Process { number: child.id(), began, ..own.clone() };
        assert!(!process.is_gone(&own));
        child.kill().unwrap();
        while !process.is_gone(&own) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(process.is_gone(&own));
    }

    #[test]
    fn a_number_that_was_given_again_is_another_process() {
        let own = Process::own();
        assert!(Process { began: own.began.map(|began| began - 1), ..own.clone() }.is_gone(&own));
    }

    #[test]
    fn nobody_knows_of_processes_elsewhere() {
        let own = Process::own();
        let elsewhere = Process { machine: Some("elsewhere".into()), number: 1, began: Some(0), ..own.clone() };
        assert!(!elsewhere.is_gone(&own));
        assert!(!Process { machine: None, ..elsewhere.clone() }.is_gone(&Process { machine: None, ..own }));
    }

    #[test]
    fn names_with_brackets_and_blanks_do_not_shift_the_fields() {
        let stat = "7 (a ) Z (b) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1";
        assert_eq!((has_ended(stat), began(stat)), (false, Some(4711)));
    }
}
