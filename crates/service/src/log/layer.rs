//! Events of the crate `tracing`, in the service's log.

use std::fmt::{self, Write};

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;

use super::{Logger, Severity};

/// A layer for `tracing-subscriber` that writes events to the service's log, with their fields and
/// their target. Made by [`Logger::layer`].
#[derive(Clone, Debug)]
pub struct Layer {
    log: Logger,
}

impl Logger {
    /// A layer that writes the events of the crate `tracing` here; errors as
    /// [`Error`](Severity::Error), and so on; `trace` as [`Debug`](Severity::Debug).
    ///
    /// ```
    /// use abide_service::Service;
    /// use tracing_subscriber::prelude::*;
    ///
    /// let service = Service::new("shop");
    /// let subscriber = tracing_subscriber::registry().with(service.logger().layer());
    /// # let _ = subscriber;
    /// ```
    #[must_use]
    pub fn layer(&self) -> Layer {
        Layer { log: self.clone() }
    }
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for Layer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let severity = match *metadata.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            _ => Severity::Debug,
        };
        let mut read = Read::default();
        event.record(&mut read);
        read.fields.push(("target", metadata.target().to_owned()));
        self.log.write(severity, &read.message, &read.fields);
    }
}

#[derive(Default)]
struct Read {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Read {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Fails only if the value's own formatting does; then there is what it wrote until then.
        let _written = write!(text, "{value:?}");
        self.keep(field, text);
    }
}

impl Read {
    fn keep(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.push((field.name(), value));
        }
    }
}
