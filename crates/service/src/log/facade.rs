//! Records of the crate `log`, in the service's log.

use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

use super::{Logger, Severity};

impl Logger {
    /// Has what this program says with the macros of the crate `log` written here, down to `level`: errors as
    /// [`Error`](Severity::Error), and so on; `trace` as [`Debug`](Severity::Debug). The record's target is a field. Once in the
    /// life of a process.
    ///
    /// ```
    /// use abide_service::Service;
    ///
    /// let service = Service::new("shop");
    /// service.logger().take_records(log::LevelFilter::Info)?;
    /// log::info!("open");
    /// # Ok::<(), log::SetLoggerError>(())
    /// ```
    ///
    /// # Errors
    /// There is a logger already.
    pub fn take_records(&self, level: LevelFilter) -> Result<(), SetLoggerError> {
        log::set_boxed_logger(Box::new(self.clone()))?;
        log::set_max_level(level);
        Ok(())
    }
}

/// Its level is that of the whole program ([`log::max_level`]).
impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let target = [("target", record.target().to_owned())];
        let text = record.args().to_string();
        self.write(severity(record.level()), &text, &target);
    }

    /// Nothing waits.
    fn flush(&self) {}
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::Error,
        Level::Warn => Severity::Warning,
        Level::Info => Severity::Info,
        Level::Debug | Level::Trace => Severity::Debug,
    }
}
