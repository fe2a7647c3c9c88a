//! Signals by name or number.

use abide_model::Signal;
use toml::de::DeValue;

use super::Wrong;
use crate::keys::nearest;
use crate::source::quoted;

pub(super) fn read(value: &DeValue<'_>) -> Result<Signal, Wrong> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.to_string(),
        other => return Err(Wrong::kind(other, "a signal").help("such as \"SIGTERM\"")),
    };
    text.parse().map_err(|_| {
        let wrong = Wrong::new(format!("{} is not a signal", quoted(&text)));
        let bare = text.trim().to_ascii_uppercase();
        let bare = bare.strip_prefix("SIG").unwrap_or(&bare);
        match nearest(bare, Signal::names()) {
            Some(near) => wrong.label(format!("did you mean \"SIG{near}\"?")),
            None => wrong.label("a name such as \"SIGTERM\", \"SIGINT\" or \"SIGUSR1\""),
        }
    })
}
