//! A child process with what it used. Not from `getrusage`: its peak counts the memory of the parent that forked, and
//! the parent here holds a million rows.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::Result;

/// How often a running child is looked at. The kernel keeps the peak itself, so only what is reached within the last
/// of these is not seen.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The unit of CPU times under /proc, the same on every Linux that programs get to see.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process used; CPU seconds and peak memory only where the system tells them under /proc.
#[derive(Clone, Copy)]
pub struct Usage {
    pub wall: Duration,
    pub cpu_seconds: Option<f64>,
    pub peak_bytes: Option<u64>,
}

/// Runs a command to its end. A command that failed is an output too. No other child may end meanwhile.
pub fn watch(command: &mut Command) -> Result<(Output, Usage)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let reaped_before = cpu_seconds("self").map(|(_, reaped)| reaped);
    let start = Instant::now();
    let child = command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let process = child.id();
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let output = child.wait_with_output();
        // The other end waits until it has this.
        let _ = ended.send((start.elapsed(), output));
    });
    let mut peak = None;
    loop {
        match end.recv_timeout(LOOK_EVERY) {
            Ok((wall, output)) => {
                let reaped = cpu_seconds("self").map(|(_, reaped)| reaped);
                let cpu_seconds = reaped.zip(reaped_before).map(|(after, before)| after - before);
                return Ok((output?, Usage { wall, cpu_seconds, peak_bytes: peak }));
            }
            Err(RecvTimeoutError::Timeout) => peak = peak_bytes(process).or(peak),
            Err(RecvTimeoutError::Disconnected) => return Err("the thread that waits for the child is gone".into()),
        }
    }
}

/// The high-water mark of resident memory; a process that has ended has none.
fn peak_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// User and system time of a process with all of its threads, and of its children that have ended and were waited for.
pub fn cpu_seconds(process: &str) -> Option<(f64, f64)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Fields are counted from behind the name, which may hold anything; utime, stime, cutime and cstime are the 14th to
    // the 17th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    let [user, system, reaped_user, reaped_system] = ticks.try_into().ok()?;
    Some(((user + system) / TICKS_PER_SECOND, (reaped_user + reaped_system) / TICKS_PER_SECOND))
}

/// Runs a command to its end and hands back what it wrote to stdout; anything but success is an error with its stderr.
pub fn expect_success(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(complaint(command, &output).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The end of what a failed command said, without its arguments, which may hold passwords.
pub fn complaint(command: &Command, output: &Output) -> String {
    const LINES: usize = 20;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n    ");
    format!("{} ended with {}:\n    {last}", command.get_program().display(), output.status)
}

/// Has the system write what it holds back, so that one run does not pay for the one before it.
pub fn settle_disk() -> Result<()> {
    expect_success(&mut Command::new("sync")).map(|_| ())
}
