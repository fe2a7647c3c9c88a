//! Looking at a file. Its disk may hang, so that is done on a thread that may.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use abide_model::{RunId, UnitId};
use abide_platform::file;

use super::tcp::words;
use crate::assist::{Assistants, Blocks, Report};

/// Times of files are those of the kernel's last tick (Linux: 10 ms at most, Windows: 15.6), so a file may look older
/// than what was there before it.
const TICK: Duration = Duration::from_millis(16);

/// A file is looked at no more often than this, whatever the interval of the beats.
const SHORTEST: Duration = Duration::from_millis(50);

/// The file exists, and was written to since then.
pub async fn is_there(
    assistants: &Assistants,
    path: PathBuf,
    since: SystemTime,
) -> Result<(), String> {
    let looked = assistants
        .floor()
        .block(Blocks::File, move || std::fs::metadata(path)?.modified());
    match looked.await? {
        Ok(modified) if is_new(modified, since) => Ok(()),
        Ok(_) => Err("it is older than this run".into()),
        Err(error) => Err(words(&error)),
    }
}

fn is_new(modified: SystemTime, since: SystemTime) -> bool {
    modified >= since.checked_sub(TICK).unwrap_or(since)
}

/// What changes when a file is touched. Not "is newer": the calendar may be set back.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    file: (u64, u64),
}

/// Tells of each time that the file was seen touched, for ever.
pub async fn watch_beats(assistants: Assistants, watch: super::BeatFile) {
    let pause = (watch.every / 2).max(SHORTEST);
    let (unit, run): (UnitId, RunId) = (watch.unit, watch.run);
    let mut seen: Option<Stamp> = None;
    loop {
        let path = watch.path.clone();
        let looked = assistants.floor().block(Blocks::File, move || {
            let meta = std::fs::metadata(path).ok()?;
            Some(Stamp {
                modified: meta.modified().ok()?,
                file: file::number(&meta),
            })
        });
        // A file that is not there, or cannot be seen, is one that is not touched.
        if let Ok(Some(stamp)) = looked.await {
            let touched = match seen {
                Some(before) => before != stamp,
                None => is_new(stamp.modified, watch.since),
            };
            seen = Some(stamp);
            if touched {
                assistants.report(Report::Beat { unit, run });
            }
        }
        tokio::time::sleep(pause).await;
    }
}
