//! The threads that write segments through to their disk, where a unit asks for it: one a disk, there
//! only while there is something to do, so that a slow disk delays neither the draining nor another disk.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::engine::Engine;
use super::held;
use super::state::{Device, Key};

const STACK: usize = 64 << 10;

/// Streams to write through, by disk. A disk is here while it has a thread.
#[derive(Default)]
pub struct Syncing(Mutex<HashMap<Device, VecDeque<Key>>>);

impl Syncing {
    /// Write through what this stream has taken. Does not block.
    pub fn ask(&self, engine: &Arc<Engine>, key: Key) {
        let Some(device) = engine.device(key) else {
            return;
        };
        let mut disks = held(&self.0);
        if let Some(queue) = disks.get_mut(&device) {
            queue.push_back(key);
            return;
        }
        let engine = Arc::clone(engine);
        let thread = std::thread::Builder::new()
            .name("sync".to_owned())
            .stack_size(STACK);
        match thread.spawn(move || engine.syncing.run(&engine, device)) {
            Ok(_) => {
                disks.insert(device, VecDeque::from([key]));
            }
            // The stream stays marked: its next output asks again.
            Err(error) => tracing::warn!(%error, "cannot start the thread that syncs logs"),
        }
    }

    fn run(&self, engine: &Engine, device: Device) {
        loop {
            let key = {
                let mut disks = held(&self.0);
                match disks.get_mut(&device).and_then(VecDeque::pop_front) {
                    Some(key) => key,
                    None => {
                        disks.remove(&device);
                        return;
                    }
                }
            };
            let Some((stream, from)) = engine.take_unsynced(key) else {
                continue;
            };
            if let Err(error) = abide_log::sync(&stream.dir, stream.stream, from) {
                tracing::warn!(
                    unit = %stream.unit.name, %error, dir = %stream.dir.display(),
                    "cannot write its log through to the disk"
                );
                engine.put_unsynced(key, from);
            }
        }
    }
}
