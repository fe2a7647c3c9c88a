//! `log.sync`: `"never"`, `"rotate"`, or a duration.

use std::time::Duration;

use abide_model::LogSync;
use toml::de::DeValue;

use super::{Value, Wrong};

/// Writing through more often than this keeps a disk from anything else.
const SHORTEST: Duration = Duration::from_millis(100);

impl Value for LogSync {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let foreign = |say: &str| Err(Wrong::new("not a way to sync").label(say.to_owned()));
        match value.as_str() {
            Some("never") => return Ok(Self::Never),
            Some("rotate") => return Ok(Self::Rotate),
            Some("no" | "off" | "none" | "false") => return foreign("write \"never\""),
            Some("seal" | "close") => return foreign("write \"rotate\""),
            Some("always" | "everysec" | "yes" | "line") => {
                return foreign("write how long output may be unsynced: \"1s\"");
            }
            _ => {}
        }
        let every = Duration::read(value).map_err(|wrong| {
            wrong.help("write \"never\", \"rotate\", or a duration such as \"1s\"")
        })?;
        if every < SHORTEST {
            return Err(Wrong::new("too often")
                .label("less than 100ms")
                .help("each sync waits for the disk; write it such as \"1s\""));
        }
        Ok(Self::Every(every))
    }

    fn show(&self) -> String {
        match self {
            Self::Never => "\"never\"".into(),
            Self::Rotate => "\"rotate\"".into(),
            Self::Every(every) => every.show(),
        }
    }
}
