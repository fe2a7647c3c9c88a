//! Slots for those who are in a pass, and what the daemon before has left in its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use abide_log::Stream;
use abide_model::UnitId;
use abide_platform::pipe::Slot;

use super::super::{Holder, held};

/// A slot's file is called this, and its number.
const NAME: &str = "slot-";

/// Who holds what is on its way: the slots' files.
pub struct Keeper {
    folder: PathBuf,
    /// Of files that nobody has; the highest number in use.
    last: AtomicUsize,
    free: Mutex<Vec<Slot>>,
    /// With something in them, until their streams are there.
    left: Mutex<Vec<Slot>>,
}

/// The number of a stream in a slot.
pub fn number(stream: Stream) -> u32 {
    match stream {
        Stream::Out => 0,
        Stream::Err => 1,
    }
}

/// A folder for slots that nobody keeps, of one capture alone: a process may have several, and two that move by one
/// slot lose what both move. What is there is of a process that had this one's number.
fn unkept() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("abide-slots-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    // Usually there is none.
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

impl Keeper {
    pub fn new(holder: Box<dyn Holder>) -> Self {
        let folder = holder.slots().map_or_else(unkept, Path::to_owned);
        let keeper = Self {
            folder,
            last: AtomicUsize::new(0),
            free: Mutex::default(),
            left: Mutex::default(),
        };
        if let Err(error) = keeper.look() {
            tracing::error!(%error, folder = %keeper.folder.display(), "cannot look for output that was on its way");
        }
        keeper
    }

    /// What an earlier daemon has left.
    fn look(&self) -> io::Result<()> {
        let files = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            files => files?,
        };
        for file in files {
            let file = file?;
            let name = file.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(NAME));
            let Some(number) = number.and_then(|number| number.parse().ok()) else {
                continue;
            };
            self.last.fetch_max(number, Ordering::Relaxed);
            let slot = Slot::open(&file.path())?;
            let list = if slot.left().is_some() {
                &self.left
            } else {
                &self.free
            };
            held(list).push(slot);
        }
        Ok(())
    }

    /// Slots are files of the home: a new keeper has nothing to hold.
    pub fn is_over(&self) {}

    /// What was on its way of this stream.
    pub fn left(&self, unit: UnitId, stream: Stream) -> Option<Slot> {
        let mut left = held(&self.left);
        let its = |slot: &Slot| {
            let place = slot.left().map(|left| left.place);
            place.is_some_and(|place| (place.unit, place.stream) == (unit.0, number(stream)))
        };
        let at = left.iter().position(its)?;
        Some(left.swap_remove(at))
    }

    /// It could not be finished.
    pub fn put_back(&self, slot: Slot) {
        held(&self.left).push(slot);
    }

    /// One for a pass.
    pub fn lease(&self) -> io::Result<Slot> {
        if let Some(slot) = held(&self.free).pop() {
            return Ok(slot);
        }
        std::fs::create_dir_all(&self.folder)?;
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        Slot::open(&self.folder.join(format!("{NAME}{number}")))
    }

    /// It is empty again.
    pub fn free(&self, slot: Slot) {
        held(&self.free).push(slot);
    }
}
