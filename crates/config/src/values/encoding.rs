//! `log.encoding`: `"utf-16"`, `"oem"`, `"cp850"`, or the number of a code page.

use abide_model::LogEncoding;
use toml::de::DeValue;

use super::{Int, Value, Wrong, show_text};

impl Value for LogEncoding {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let read = match value {
            DeValue::Integer(_) => {
                let number = Int::<1, 65535>::read(value)?.0;
                u16::try_from(number)
                    .map_err(|error| error.to_string())
                    .and_then(Self::code_page)
            }
            DeValue::String(text) => text.parse(),
            other => return Err(Wrong::kind(other, "a text or the number of a code page")),
        };
        read.map_err(|why| {
            Wrong::new(why).help(
                "write \"utf-8\", \"utf-16\", \"oem\", \"ansi\", or a code page such as \"cp850\"",
            )
        })
    }

    fn show(&self) -> String {
        show_text(&self.to_string())
    }
}
