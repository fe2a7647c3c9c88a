//! What an executable says of itself before anything is entrusted to it.
//!
//! `BINARY __upgrade-check HOME` prints one line of JSON, an [`Answer`], and exits with 0. It reads the
//! home's state and nothing else, writes nothing and takes no lock, so it runs beside the daemon.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use abide_platform::keeper::KEEPER_VERSION;
use serde::{Deserialize, Serialize};

use super::version_text;
use crate::home::Home;
use crate::store::format::{FORMAT, OLDEST};
use crate::store::look;

/// The first argument of an executable that is asked. Never typed by people; the same for ever.
pub const MARK: &str = "__upgrade-check";

/// What it says. Fields are only ever added, each with a serde default.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Always "upgrade-check": whatever else prints JSON is not meant.
    pub abide: String,
    /// Its version.
    pub version: String,
    /// Its build, where that was known when it was built.
    #[serde(default)]
    pub build: Option<String>,
    /// The version of its keeper.
    pub keeper: u32,
    /// The oldest and the newest format of the state that it reads.
    pub formats: (u32, u32),
    /// It can go on with this home's state.
    pub readable: bool,
    /// If not: why. Reads after "it cannot read the state: ".
    #[serde(default)]
    pub reason: Option<String>,
}

impl Answer {
    /// Of this executable, about a home.
    #[must_use]
    pub fn here(home: &Path, build: Option<&str>) -> Self {
        let reason = unreadable(&Home::new(home.to_owned()).state());
        Self {
            abide: "upgrade-check".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            build: build.map(Into::into),
            keeper: KEEPER_VERSION,
            formats: (OLDEST, FORMAT),
            readable: reason.is_none(),
            reason,
        }
    }

    /// What an executable printed. `None`: nothing that is meant for us.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
        let answer: Self = serde_json::from_str(line).ok()?;
        (answer.abide == "upgrade-check").then_some(answer)
    }

    /// For people.
    #[must_use]
    pub fn version_text(&self) -> String {
        version_text(&self.version, self.build.as_deref())
    }

    /// Why it cannot take over from a daemon that writes [`FORMAT`].
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let (oldest, newest) = self.formats;
        let range = if oldest == newest {
            format!("format {newest}")
        } else {
            format!("formats {oldest} to {newest}")
        };
        if newest < FORMAT {
            return Some(format!(
                "it is abide {}, which reads the state in {range}, and here it is in format {FORMAT}: it is too old",
                self.version_text()
            ));
        }
        if oldest > FORMAT {
            return Some(format!(
                "it is abide {}, which reads the state in {range}, and here it is in format {FORMAT}: \
                 take a release in between first",
                self.version_text()
            ));
        }
        let why = self.reason.as_deref().unwrap_or("it does not say why");
        (!self.readable).then(|| {
            format!(
                "it is abide {}, and cannot read the state here: {why}",
                self.version_text()
            )
        })
    }
}

/// Why this executable cannot go on with a state.
fn unreadable(dir: &Path) -> Option<String> {
    match look(dir) {
        Ok((_, loss)) if loss.foreign > 0 => Some(format!(
            "{} lines of it are of a kind that it has no word for",
            loss.foreign
        )),
        Ok(_) => None,
        // A home in which no daemon ever ran.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(error.to_string()),
    }
}

/// If this process was started to be asked: the home that it is asked about.
#[must_use]
pub fn asked(mut arguments: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    (arguments.next()? == MARK).then_some(())?;
    arguments.next().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let dir = tempfile::tempdir().expect("dir");
        Answer::here(dir.path(), Some("abc"))
    }

    #[test]
    fn an_answer_is_read_back_also_with_what_a_later_version_adds() {
        let answer = answer();
        let mut value = serde_json::to_value(&answer).expect("json");
        value["later"] = 1.into();
        assert_eq!(Answer::read(&format!("{value}\n")), Some(answer));
        assert_eq!(Answer::read(""), None);
        assert_eq!(Answer::read("{\"version\": \"1\"}"), None);
    }

    #[test]
    fn what_reads_other_formats_only_is_refused_with_both() {
        let mut other = answer();
        assert_eq!(other.refusal(), None);
        other.formats = (1, FORMAT - 1);
        let why = other.refusal().expect("refused");
        assert!(why.contains("too old") && why.contains("(abc)"), "{why}");
        other.formats = (FORMAT + 1, FORMAT + 3);
        let why = other.refusal().expect("refused");
        assert!(why.contains("a release in between"), "{why}");
        other.formats = (1, FORMAT + 3);
        assert_eq!(other.refusal(), None);
    }
}
