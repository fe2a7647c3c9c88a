//! The thread that writes, so that the driver never waits for a disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use abide_model::EffectId;

use super::entry::{Entry, Key};
use super::journal::{Journal, encode};

/// How often what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// The result of a write that somebody waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The effect that asked for it.
    pub effect: EffectId,
    /// Why it could not be done; it is tried again later all the same.
    pub failure: Option<String>,
}

struct Write {
    entry: Entry,
    durable: bool,
    effect: Option<EffectId>,
}

/// The driver's end. Dropping it writes what is left and ends the thread.
pub struct Store {
    /// Not given to the thread yet.
    queued: RefCell<Vec<Write>>,
    sender: Option<Sender<Vec<Write>>>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Starts the thread. On it `before` is called before lines are written: what they say is not to be
    /// known to a new daemon before what `before` waits for. `report` is called for every write that
    /// names an effect, and `trouble` for every change between working and failing (`Err` with the
    /// reason, then `Ok`).
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        journal: Journal,
        before: impl Fn() + Send + 'static,
        report: impl Fn(Written) + Send + 'static,
        trouble: impl Fn(Result<(), String>) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("store".into())
            .stack_size(256 << 10)
            .spawn(move || {
                Writer {
                    journal,
                    unwritten: BTreeMap::new(),
                }
                .run(&receiver, &before, &report, &trouble)
            })?;
        Ok(Self {
            queued: RefCell::default(),
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Queues a line, to be written in the order they come, after the next [`Store::flush`]: to wake the
    /// thread costs a system call and a processor, which a restart needs first.
    pub fn write(&self, entry: Entry, durable: bool, effect: Option<EffectId>) {
        self.queued.borrow_mut().push(Write {
            entry,
            durable,
            effect,
        });
    }

    /// Something waits for [`Store::flush`].
    pub fn is_queued(&self) -> bool {
        !self.queued.borrow().is_empty()
    }

    /// Has all that is queued written. Blocks for nothing.
    pub fn flush(&self) {
        let queued = self.queued.take();
        if let Some(sender) = &self.sender
            && !queued.is_empty()
        {
            // The thread ends only after this sender is gone.
            let _ = sender.send(queued);
        }
    }

    /// Writes all that is queued, and ends.
    pub fn close(&mut self) {
        self.flush();
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic in there has already been printed; there is nothing left to save.
            let _ = thread.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

struct Writer {
    journal: Journal,
    /// The newest line of each key that could not be written yet.
    unwritten: BTreeMap<Key, Vec<u8>>,
}

impl Writer {
    fn run(
        mut self,
        receiver: &Receiver<Vec<Write>>,
        before: &dyn Fn(),
        report: &dyn Fn(Written),
        trouble: &dyn Fn(Result<(), String>),
    ) {
        let mut failing = false;
        loop {
            let first = if self.unwritten.is_empty() {
                match receiver.recv() {
                    Ok(write) => Some(write),
                    Err(_) => return,
                }
            } else {
                match receiver.recv_timeout(RETRY) {
                    Ok(write) => Some(write),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => {
                        let _ = self.append(Vec::new(), true);
                        return;
                    }
                }
            };
            let (mut lines, mut effects, mut durable) = (Vec::new(), Vec::new(), false);
            for write in first.into_iter().chain(receiver.try_iter()).flatten() {
                let mut line = Vec::new();
                if let Err(e) = encode(&write.entry, &mut line) {
                    tracing::error!(error = %e, "cannot encode a line of the state");
                    continue;
                }
                lines.push((write.entry.key(), line));
                effects.extend(write.effect);
                durable |= write.durable;
            }
            before();
            let result = self.append(lines, durable).map_err(|e| e.to_string());
            if result.is_err() != failing {
                failing = result.is_err();
                trouble(result.clone());
            }
            for effect in effects {
                report(Written {
                    effect,
                    failure: result.clone().err(),
                });
            }
            if !failing
                && self.journal.is_long()
                && let Err(e) = self.journal.compact()
            {
                tracing::warn!(error = %e, "cannot write the journal anew; the old one goes on");
            }
        }
    }

    /// Writes what is left over, then `lines`, as one. On failure all of it is left over.
    fn append(&mut self, lines: Vec<(Key, Vec<u8>)>, durable: bool) -> io::Result<()> {
        let mut text: Vec<u8> = self.unwritten.values().flatten().copied().collect();
        for (_, line) in &lines {
            text.extend_from_slice(line);
        }
        match self.journal.append(&text, durable) {
            Ok(()) => {
                self.unwritten.clear();
                Ok(())
            }
            Err(e) => {
                self.unwritten.extend(lines);
                Err(e)
            }
        }
    }
}
