//! The file through which a home's processes are armed, and tell what they passed; its form is told
//! in `crates/platform/src/fault/mod.rs`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

#[path = "../../../crates/platform/src/fault/points.rs"]
mod points;

pub use points::POINTS;

/// As in the platform's crate.
const SLOT: u64 = 32;

/// What happens to who passes, or to others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Action {
    Kill = 1,
    Stop = 2,
    /// Until [`FaultFile::disarm`].
    Hang = 3,
}

pub struct FaultFile(File);

impl FaultFile {
    pub fn create(path: &Path) -> Result<Self, String> {
        let failed = |error| format!("cannot make {}: {error}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(path).map_err(failed)?;
        file.set_len(SLOT * POINTS.len() as u64).map_err(failed)?;
        Ok(Self(file))
    }

    fn get(&self, point: usize, field: u64) -> u32 {
        let mut number = [0; 4];
        // A file of ours that is there and long enough.
        let read = self
            .0
            .read_exact_at(&mut number, point as u64 * SLOT + field * 4);
        read.map_or(0, |()| u32::from_ne_bytes(number))
    }

    fn put(&self, point: usize, field: u64, number: u32) {
        let at = point as u64 * SLOT + field * 4;
        if let Err(error) = self.0.write_all_at(&number.to_ne_bytes(), at) {
            panic!("cannot write the file of faults: {error}");
        }
    }

    /// How often the point was passed.
    pub fn passed(&self, point: usize) -> u32 {
        self.get(point, 0)
    }

    /// How often somebody was struck at it.
    pub fn struck(&self, point: usize) -> u32 {
        self.get(point, 1)
    }

    /// At the `pass`-th pass from now, this happens to `targets`; 0: who passes.
    pub fn arm(&self, point: usize, action: Action, pass: u32, targets: [u32; 2]) {
        self.put(point, 4, targets[0]);
        self.put(point, 5, targets[1]);
        self.put(point, 3, pass);
        self.put(point, 2, action as u32);
    }

    /// Nothing happens at any point from now on.
    pub fn disarm(&self) {
        for point in 0..POINTS.len() {
            self.put(point, 2, 0);
        }
    }
}
