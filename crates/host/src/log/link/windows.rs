//! From Windows: its Event Log.

use std::io;
use std::time::Instant;

use abide_platform::event_log::Source;

use crate::log::{Destination, Entry, Identity, eventlog};

/// The log of this machine.
pub fn of_this_machine() -> Option<Destination> {
    Some(Destination::EventLog(eventlog::SOURCE.to_owned()))
}

/// The local service of the Event Log, which takes an event or says no; nothing is under way.
#[derive(Debug)]
pub struct Link {
    source: Source,
    lost: u64,
}

/// ERROR_INVALID_PARAMETER and RPC_X_BAD_STUB_DATA: this event will never be taken.
const NEVER: [i32; 2] = [87, 1783];

impl Link {
    pub fn open(destination: &Destination) -> io::Result<Self> {
        match destination {
            Destination::EventLog(source) => Ok(Self {
                source: Source::open(source)?,
                lost: 0,
            }),
            other => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("this version of abide sends to {other} on Linux only"),
            )),
        }
    }

    pub fn send(&mut self, entry: &Entry<'_>, _: &Identity, _: Instant) -> io::Result<()> {
        let report = eventlog::report(entry);
        match self.source.report(report.kind, report.id, &report.strings) {
            Err(error)
                if error
                    .raw_os_error()
                    .is_some_and(|code| NEVER.contains(&code)) =>
            {
                self.lost += 1;
                Ok(())
            }
            answer => answer,
        }
    }

    pub fn flush(&mut self, _: Instant) -> io::Result<()> {
        Ok(())
    }

    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}
