//! The log: to stderr, around the progress bars, as text or JSON. Values of rows and secrets never reach it.

use std::io::{self, Write};

use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::cli::{CommonArgs, Output};
use crate::progress::Bars;
use crate::statement_log::{Remembering, Statements, is_table};

/// Starts the log. `RUST_LOG` says more than the flags where it is set.
pub fn start(common: &CommonArgs, bars: &Bars) {
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        // Nothing is drawn while a sync waits for its next cycle.
        (false, 0) if bars.are_shown() => "warn,rowsync::schedule=info,rowsync_connections=info",
        (false, 0) => "warn,rowsync=info,rowsync_actors=info,rowsync_stores=info,rowsync_connections=info",
        (false, 1) => "warn,rowsync=debug,rowsync_actors=debug,rowsync_stores=info,rowsync_connections=info",
        (false, _) => "info,rowsync=trace,rowsync_actors=trace,rowsync_stores=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let color =
        std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::IsTerminal::is_terminal(&io::stderr());
    let log =
        tracing_subscriber::fmt::layer().with_ansi(color).with_target(false).with_writer(AroundBars(bars.clone()));
    // A second start, as in tests, keeps the first log.
    let wanted = tracing_subscriber::registry()
        .with(Remembering.with_filter(filter_fn(is_table).with_max_level_hint(LevelFilter::INFO)));
    let _ = match common.log_format {
        Output::Json => wanted.with(log.json().with_target(true).with_filter(Statements(filter))).try_init(),
        Output::Text => wanted.with(log.with_filter(Statements(filter))).try_init(),
    };
}

/// Writes to stderr while the bars step aside.
#[derive(Clone)]
struct AroundBars(Bars);

impl Write for AroundBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A log whose reader has left is no reason to fail: told of it, the subscriber would panic over the same stderr.
        self.0.step_aside(|| drop(io::stderr().lock().write_all(line)));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

impl<'a> MakeWriter<'a> for AroundBars {
    type Writer = AroundBars;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}
