//! What the runs say, beside what is aimed at.

use std::time::Duration;

use crate::beside::Runs;
use crate::harness::figures::{columns, median, spread};

/// Share of the time that a sync takes longer, and the slowest answer but one in a hundred.
const SLOWDOWN_MAX: f64 = 0.05;
const P99_MAX: Duration = Duration::from_millis(50);

type Line = [String; 3];

pub fn print([alone, control, mut callers]: [Runs; 3]) {
    let mut lines = seconds(&alone, &control, &callers);
    lines.extend(cpu(&alone, &control, &callers));
    lines.extend(answers(&mut callers));
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    lines.extend([
        line("peak memory alone", mebibytes(alone.peak_bytes)),
        line("peak memory with callers", mebibytes(callers.peak_bytes)),
    ]);
    columns(&lines, "  ").iter().for_each(|line| println!("{}", line.trim_end()));
}

fn line(what: &str, measured: String) -> Line {
    [what.to_owned(), measured, String::new()]
}

fn aimed(what: &str, measured: String, aim: String, met: bool) -> Line {
    [what.to_owned(), measured, format!("aim {aim}: {}", if met { "met" } else { "MISSED" })]
}

fn seconds(alone: &Runs, control: &Runs, callers: &Runs) -> Vec<Line> {
    let aim = |what: &str, over: &Runs| {
        let (ratio, max) = (ratio(callers, over), 1.0 + SLOWDOWN_MAX);
        aimed(what, format!("{ratio:.3}"), format!("< {max}"), ratio < max)
    };
    vec![
        line("sync alone, s", spread(&alone.seconds)),
        line("sync beside the control, s", spread(&control.seconds)),
        line("sync with callers, s", spread(&callers.seconds)),
        aim("with callers / alone", alone),
        aim("with callers / beside the control", control),
        line("beside the control / alone", format!("{:.3}", ratio(control, alone))),
    ]
}

/// Of two runs of each round: the machine is not the same an hour later.
fn ratio(one: &Runs, other: &Runs) -> f64 {
    let of_rounds: Vec<f64> = one.seconds.iter().zip(&other.seconds).map(|(one, other)| one / other).collect();
    median(&of_rounds).unwrap_or(f64::NAN)
}

fn cpu(alone: &Runs, control: &Runs, callers: &Runs) -> [Line; 6] {
    [
        line("CPU of the service alone, s", spread(&alone.service_cpu)),
        line("CPU of the service beside the control, s", spread(&control.service_cpu)),
        line("CPU of the service with callers, s", spread(&callers.service_cpu)),
        line("CPU of the callers, s", spread(&callers.callers_cpu)),
        line("CPU of the callers of the control, s", spread(&control.callers_cpu)),
        line("CPU of the control, s", spread(&control.control_cpu)),
    ]
}

fn answers(callers: &mut Runs) -> [Line; 3] {
    let (p50, p99) = (callers.looked.percentile(50), callers.looked.percentile(99));
    let asked = format!("{} of the API, {} scrapes", callers.looked.answers(), callers.looked.scrapes);
    [
        line("answers", asked),
        line("answered within, p50", format!("{p50:?}")),
        aimed("answered within, p99", format!("{p99:?}"), format!("< {P99_MAX:?}"), p99 < P99_MAX),
    ]
}
