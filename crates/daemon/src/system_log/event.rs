//! An event as a message.

use abide_host::log::{Entry, Severity};
use abide_model::{Event, EventKind};

use super::line::Whose;
use crate::events::in_words;

/// The MESSAGE_ID of an event is this, with the event's number ([`EventKind::number`]) in the last 16 bits.
const MESSAGE_ID: u128 = 0xb2c1_f7a8_5d0e_4c63_9e41_7a3d_90f4_0000;

/// What abide itself is called where a unit's name stands.
const ABIDE: &str = "abide";

/// Has the event as a message.
pub(super) fn with_entry<T>(event: &Event, host: &str, then: impl FnOnce(&Entry<'_>) -> T) -> T {
    let whose = event.unit.as_ref().map(|unit| Whose {
        unit,
        run: event.run,
        process: None,
        host,
    });
    let instance = match whose {
        Some(whose) => whose.instance(),
        None => format!("{ABIDE}/-/{host}"),
    };
    let trace_id = match &event.kind {
        EventKind::Exited { trace_ids, .. } => trace_ids.last(),
        _ => None,
    };
    let process = match &event.kind {
        EventKind::Started { pid }
        | EventKind::Adopted { pid }
        | EventKind::MainChanged { pid }
        | EventKind::DaemonStarted { pid, .. }
        | EventKind::DaemonRecovered { pid, .. } => Some(*pid),
        _ => None,
    };
    let number = event.kind.number();
    let (event_id, cursor) = (number.to_string(), format!("event:{}", event.seq));
    let fields: [(&str, &[u8]); 2] = [
        ("event_id", event_id.as_bytes()),
        ("cursor", cursor.as_bytes()),
    ];
    let message = in_words(&event.kind);
    then(&Entry {
        severity: severity(event.kind.severity()),
        time: event.at.0,
        message: message.as_bytes(),
        kind: event.kind.name(),
        message_id: Some(MESSAGE_ID | u128::from(number)),
        service: whose.as_ref().map_or(ABIDE, Whose::service),
        instance: &instance,
        trace_id: trace_id.map(String::as_str),
        process,
        fields: &fields,
    })
}

fn severity(of: abide_model::Severity) -> Severity {
    match of {
        abide_model::Severity::Error => Severity::Error,
        abide_model::Severity::Warning => Severity::Warning,
        abide_model::Severity::Good => Severity::Notice,
        abide_model::Severity::Info => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::{ExitStatus, RunId, Wall};

    #[test]
    fn an_event_is_sent_with_its_number_and_in_words() {
        let event = Event {
            seq: 42,
            at: Wall(1_769_868_301_234_000_000),
            unit: Some("shop:web@2".parse().expect("a name")),
            run: Some(RunId(7)),
            kind: EventKind::Exited {
                status: ExitStatus::Code(1),
                reason: "exit 1 after 3 min".into(),
                trace_ids: vec!["a1".into(), "4bf92f35".into()],
                output_may_be_lost: false,
            },
        };
        with_entry(&event, "web-1", |entry| {
            assert_eq!(entry.severity, Severity::Warning);
            assert_eq!(entry.message, b"exit 1 after 3 min");
            assert_eq!((entry.kind, entry.service), ("exited", "shop:web"));
            assert_eq!(entry.instance, "shop:web@2/7/web-1");
            assert_eq!(entry.trace_id, Some("4bf92f35"));
            let expected: [(&str, &[u8]); 2] = [("event_id", b"6"), ("cursor", b"event:42")];
            assert_eq!(entry.fields, expected);
            let id = entry.message_id.expect("there is one");
            assert_eq!(format!("{id:032x}"), "b2c1f7a85d0e4c639e417a3d90f40006");
        });
    }
}
