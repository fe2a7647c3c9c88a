//! `on_silent`: a command that is run when a service of another machine falls silent.

use std::path::PathBuf;
use std::sync::Arc;

use abide_model::{EventKind, Hook, Wall};
use tokio::sync::Semaphore;

use super::Key;
use crate::assist::{Assistants, Errand};
use crate::handle::Handle;

/// So many at once: when a network is cut, thousands fall silent in one moment.
const AT_ONCE: usize = 8;

/// Who fell silent, and what is to be run.
pub(super) struct Silence {
    pub key: Key,
    /// When it was last heard.
    pub last: Wall,
    pub hook: Hook,
    /// The file of the `[monitor]` table; its folder is where the command runs.
    pub file: PathBuf,
}

/// Runs them.
pub(super) struct Hooks {
    handle: Handle,
    assistants: Option<Assistants>,
    places: Arc<Semaphore>,
}

impl Hooks {
    pub(super) fn new(handle: Handle, assistants: Option<Assistants>) -> Self {
        Self {
            handle,
            assistants,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Runs it when there is a place; how it went wrong is told in the events.
    pub(super) fn run(&self, silence: Silence) {
        let Some(assistants) = self.assistants.clone() else {
            return;
        };
        let places = Arc::clone(&self.places);
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let Ok(_place) = places.acquire().await else {
                return;
            };
            let key = silence.key.clone();
            if let Err(reason) = assistants.errand(errand(silence)).await {
                let text = format!("the hook on_silent for {key} failed: {reason}");
                let at = abide_platform::clock::now().wall;
                let kind = EventKind::Warning { text };
                handle.events().record(at, None, None, kind);
            }
        });
    }
}

fn errand(silence: Silence) -> Errand {
    let Silence {
        key,
        last,
        hook,
        file,
    } = silence;
    let seen = jiff::Timestamp::from_nanosecond(i128::from(last.0));
    let mut variables = vec![
        ("ABIDE_HOOK".to_owned(), "on_silent".to_owned()),
        ("ABIDE_SERVICE".to_owned(), key.service.to_string()),
        (
            "ABIDE_HOST".to_owned(),
            key.host.clone().unwrap_or_default(),
        ),
    ];
    if let Ok(seen) = seen {
        variables.push(("ABIDE_LAST_SEEN".to_owned(), format!("{seen:.3}")));
    }
    Errand {
        name: key.service,
        directory: file.parent().map_or_else(|| "/".into(), Into::into),
        command: hook.command,
        variables,
        timeout: hook.timeout,
        stdout: None,
    }
}
