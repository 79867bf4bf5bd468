//! Progress on the terminal: one line for each table at work, with its rate and the time left.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rowsync_actors::board::{Board, Progress};
use tokio_util::task::AbortOnDropHandle;

use crate::cli::CommonArgs;

/// Fast enough to look alive, slow enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(120);
/// A rate of less time than this says nothing.
const RATE_AFTER: Duration = Duration::from_secs(1);
/// Fits 80 columns with numbers of nine digits.
const TEMPLATE: &str = "{prefix:20!} {bar:16} {human_pos}/{human_len} {rate:>12} {eta:>4}";

/// The bars on stderr; none where stderr is no terminal or nobody wants them.
#[derive(Clone)]
pub struct Bars {
    all: MultiProgress,
    shown: bool,
}

impl Bars {
    pub fn new(common: &CommonArgs) -> Bars {
        let shown = !common.quiet && !common.no_progress && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Bars { all: MultiProgress::with_draw_target(target), shown }
    }

    pub fn are_shown(&self) -> bool {
        self.shown
    }

    /// Does something with the terminal while the bars are out of the way.
    pub fn step_aside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.all.suspend(work)
    }

    /// Draws the board until the handle is dropped, and takes its lines away then. Where several syncs are at work, its
    /// tables bear the name of their sync.
    pub fn follow(&self, board: &Board, sync: Option<&str>) -> Option<AbortOnDropHandle<()>> {
        let (bars, board, sync) = (self.clone(), board.clone(), sync.map(str::to_owned));
        self.shown.then(|| AbortOnDropHandle::new(tokio::spawn(bars.draw(board, sync))))
    }

    async fn draw(self, board: Board, sync: Option<String>) {
        let mut drawn = Drawn { all: self.all.clone(), lines: BTreeMap::new() };
        let mut tick = tokio::time::interval(REDRAW);
        loop {
            tick.tick().await;
            for (table, progress) in board.all() {
                let name = sync.as_ref().map_or_else(|| table.clone(), |sync| format!("{sync}/{table}"));
                let line = drawn.lines.entry(name).or_insert_with_key(|name| self.line(name));
                update(line, &progress);
            }
        }
    }

    fn line(&self, name: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        // The style's own rate prints ten digits behind the point.
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // Of what was there when the line was first drawn nobody knows how long it took.
            if state.elapsed() < RATE_AFTER {
                return;
            }
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        });
        self.all.add(ProgressBar::new(0).with_style(style).with_prefix(name.to_owned()))
    }

    /// Takes the bars away, so that the report stands alone.
    pub fn clear(&self) {
        // Fails only where the terminal is gone, and then there is nothing to clear.
        let _ = self.all.clear();
    }
}

/// The lines of one board. The next cycle draws its own.
struct Drawn {
    all: MultiProgress,
    lines: BTreeMap<String, ProgressBar>,
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.lines.values().for_each(|line| self.all.remove(line));
    }
}

fn update(line: &ProgressBar, progress: &Progress) {
    let total = progress.rows_total.load(Relaxed);
    line.set_length(total);
    line.set_position(progress.rows_done.load(Relaxed).min(total));
    if progress.finished.load(Relaxed) && !line.is_finished() {
        line.set_position(total);
        line.finish();
    }
}
