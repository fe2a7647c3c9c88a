/// What this machine calls itself.
pub(super) fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(all(test, feature = "log"))]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::{Arc, Mutex};

    use abide_host::log::{Client, Destination, Facility, Identity};
    use log::{Level, Log, Record};

    use crate::log::{Form, Inner, Logger};

    #[test]
    fn a_record_of_the_crate_log_reaches_the_system_log_with_its_level_and_target() {
        let place = tempfile::tempdir().expect("a folder");
        let socket = place.path().join("log");
        let administrator = UnixDatagram::bind(&socket).expect("a socket");
        let identity = Identity {
            host: "here".to_owned(),
            facility: Facility::DAEMON,
        };
        let logger = Logger {
            inner: Arc::new(Inner {
                name: "shop".to_owned(),
                instance: "1@here".to_owned(),
                form: Form::Logfmt,
                system: Some(Mutex::new(Client::new(
                    Destination::Local(socket),
                    identity,
                ))),
            }),
        };
        // 24 is the facility's part of the priority, 4 and 7 the severity's.
        for (level, priority) in [(Level::Warn, "<28>"), (Level::Trace, "<31>")] {
            let mut record = Record::builder();
            record.level(level).target("shop::till");
            record.args(format_args!("late by 17"));
            Log::log(&logger, &record.build());
            let mut bytes = [0; 1024];
            let length = administrator.recv(&mut bytes).expect("a message");
            let text = String::from_utf8_lossy(&bytes[..length]);
            assert!(text.starts_with(priority), "{text}");
            assert!(text.contains("late by 17"), "{text}");
            assert!(text.contains("target=\"shop::till\""), "{text}");
        }
    }
}
