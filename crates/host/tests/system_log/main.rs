//! The clients of the system's logs, against receivers that are played by the test.
#![cfg(target_os = "linux")]

mod journald;
mod syslog;

use std::time::Duration;

use abide_host::log::{Client, Destination, Entry, Facility, Identity, SendError};

/// How long something may take that takes no time.
const SOON: Duration = Duration::from_secs(120);

fn client(destination: Destination) -> Client {
    let identity = Identity {
        host: "web-1".to_owned(),
        facility: Facility::DAEMON,
    };
    Client::new(destination, identity)
}

fn entry(message: &[u8]) -> Entry<'_> {
    Entry {
        time: 1_767_225_600_123_456_789,
        message,
        service: "shop:web",
        instance: "shop:web@1/7/web-1",
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
        ..Entry::default()
    }
}

/// Sends and sees to it that it is with the system; a receiver that is away is tried again.
fn deliver(client: &mut Client, message: &[u8]) {
    let until = std::time::Instant::now() + SOON;
    loop {
        let sent = client
            .send(&entry(message), SOON)
            .and_then(|()| client.flush(SOON));
        match sent {
            Ok(()) => return,
            Err(SendError::Away { retry_at, reason }) => {
                assert!(retry_at < until, "it does not come back: {reason}");
                let pause = retry_at.saturating_duration_since(std::time::Instant::now());
                std::thread::park_timeout(pause);
            }
            Err(SendError::Full) => panic!("it takes nothing"),
        }
    }
}
