//! Which statements the log tells: those of the tables whose settings ask for it, whatever else is logged.

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// What the adapters tell of statements.
const STATEMENTS: &str = "rowsync_sql::";
/// The span that bears what its table's settings ask for.
const TABLE: &str = "sync_table";

/// What the settings of a table ask for.
#[derive(Clone, Copy, Default)]
struct Wanted {
    all: bool,
    writes: bool,
    times: bool,
}

impl Wanted {
    fn covers(self, target: &str) -> bool {
        match target.strip_prefix(STATEMENTS) {
            Some("reads") => self.all || self.times,
            Some("writes") => self.all || self.writes || self.times,
            Some("took") => self.times,
            _ => false,
        }
    }
}

impl Visit for Wanted {
    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "show_sql" => self.all = value,
            "show_save_sql" => self.writes = value,
            "debug_sql" => self.times = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Whether this is the span of a table, which has to be there whatever else is logged.
pub fn is_table(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.name() == TABLE
}

/// Remembers of each table what is wanted.
pub struct Remembering;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Remembering {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != TABLE {
            return;
        }
        let mut wanted = Wanted::default();
        attributes.record(&mut wanted);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(wanted);
        }
    }
}

/// Lets statements pass that are wanted, beside what another filter lets pass.
pub struct Statements<F>(pub F);

impl<S: Subscriber + for<'a> LookupSpan<'a>, F: Filter<S>> Filter<S> for Statements<F> {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        if metadata.target().starts_with(STATEMENTS) {
            let table = context.lookup_current().and_then(|span| span.scope().find(|span| span.name() == TABLE));
            let wanted = table.and_then(|table| table.extensions().get::<Wanted>().copied()).unwrap_or_default();
            return wanted.covers(metadata.target());
        }
        is_table(metadata) || self.0.enabled(metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target().starts_with(STATEMENTS) {
            return Interest::sometimes();
        }
        if is_table(metadata) { Interest::always() } else { self.0.callsite_enabled(metadata) }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0.max_level_hint().map(|level| level.max(LevelFilter::DEBUG))
    }

    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        event.metadata().target().starts_with(STATEMENTS) || self.0.event_enabled(event, context)
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.0.on_record(id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}
