//! A status in brief: what a table shows.

use abide_model::UnitStatus;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// A status without the figures of block devices, how it was last stopped and where its spec stands, and without what is null or
/// empty: a third of the bytes, and a file less to read for each process. It is read as a [`UnitStatus`].
#[derive(Debug)]
pub(super) struct Brief<'a>(pub &'a UnitStatus);

impl Serialize for Brief<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unit = self.0;
        let mut map = serializer.serialize_map(None)?;
        macro_rules! always {
            ($($field:ident)*) => {$( map.serialize_entry(stringify!($field), &unit.$field)?; )*};
        }
        macro_rules! unless_empty {
            ($($field:ident)*) => {$(
                if !is_empty(&unit.$field) {
                    map.serialize_entry(stringify!($field), &unit.$field)?;
                }
            )*};
        }
        always!(name kind enabled desired state health ready restarts crash_looping mode);
        unless_empty!(group instance state_since pid run_id started_at last_exit next_start reason);
        unless_empty!(cpu_percent memory_bytes processes os_state status_text heartbeat health_check);
        unless_empty!(sockets fds_stored refused log limits_unsupported host);
        map.end()
    }
}

/// What is read from nothing.
fn is_empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `abide status --json` shows a unit with something in every field.
    const FULL: &str = r#"{"name":"g:web@1","group":"g","instance":"1","kind":"service","enabled":false,
        "desired":"up","state":"backoff","state_since":"2026-01-31T14:05:00Z","health":"unhealthy",
        "ready":true,"pid":7,"run_id":3,"started_at":"2026-01-31T14:05:00Z","restarts":4,
        "crash_looping":true,"last_exit":{"code":1,"signal":null,"at":"2026-01-31T14:05:00Z",
        "reason":"exited with 1","run_id":2},"next_start":"2026-01-31T14:05:01Z","reason":"exited",
        "cpu_percent":0.5,"memory_bytes":4096,"processes":2,"os_state":"sleeping","io_read_bytes":null,
        "io_write_bytes":null,"status_text":"well","heartbeat":{"last_at":null,"missed":1,
        "drift_ms":null},"health_check":{"failures":1,"last_error":"refused"},"sockets":["[::]:80"],
        "fds_stored":1,"refused":{"beats":1,"notifications":0},"log":{"bytes_lost":1,"trouble":null},
        "limits_unsupported":[{"limit":"memory","reason":"none"}],"source":null,"mode":"guard",
        "host":"ada"}"#;

    #[test]
    fn a_brief_status_is_read_as_the_whole_one() {
        let full: UnitStatus = serde_json::from_str(FULL).unwrap();
        let brief = serde_json::to_string(&Brief(&full)).unwrap();
        assert_eq!(serde_json::from_str::<UnitStatus>(&brief).unwrap(), full);
    }

    #[test]
    fn of_a_unit_with_nothing_to_say_little_is_said() {
        let mut few = serde_json::from_str::<serde_json::Value>(FULL).unwrap();
        for (_, value) in few.as_object_mut().unwrap() {
            match value {
                serde_json::Value::Array(items) => items.clear(),
                serde_json::Value::Object(_) => *value = serde_json::Value::Null,
                _ => {}
            }
        }
        few["refused"] = serde_json::json!({"beats": 0, "notifications": 0});
        few["log"] = serde_json::json!({"bytes_lost": 0, "trouble": null});
        few["fds_stored"] = 0.into();
        let few: UnitStatus = serde_json::from_value(few).unwrap();
        let brief = serde_json::to_string(&Brief(&few)).unwrap();
        for absent in ["refused", "log", "sockets", "last_exit", "null", "source"] {
            assert!(!brief.contains(absent), "{absent} in {brief}");
        }
        assert_eq!(serde_json::from_str::<UnitStatus>(&brief).unwrap(), few);
    }
}
