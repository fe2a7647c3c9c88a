//! What the streams of one unit share: its counters and its followers.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use abide_log::Removed;
use abide_model::{LogSpec, Mono, UnitId, UnitName, WhenFull};
use abide_platform::clock;

use super::held;

const AUTO: u8 = 0;
const BLOCK: u8 = 1;
const DROP: u8 = 2;

fn number(when_full: WhenFull) -> u8 {
    match when_full {
        WhenFull::Auto => AUTO,
        WhenFull::Block => BLOCK,
        WhenFull::Drop => DROP,
    }
}

/// Is told what becomes of a unit's output. Called by the capture's threads: must not block.
pub trait Watcher: Send + Sync {
    /// Bytes are in a segment.
    fn wrote(&self);
    /// A segment is about to be removed.
    fn removing(&self, _: Removed) {}
}

/// What is shared. Read by the API while capture threads write.
pub struct Unit {
    pub id: UnitId,
    pub name: UnitName,
    pub bytes: AtomicU64,
    pub lost: AtomicU64,
    /// The process that has its stages; 0: none that is known of.
    program: AtomicU32,
    /// When it wrote last, or else since when this is here, in nanoseconds of [`Mono`].
    last: AtomicU64,
    spec: Mutex<Arc<LogSpec>>,
    /// That of the spec, for those who look at many units.
    when_full: AtomicU8,
    /// How many are in `watchers`: nobody follows most units, and then nothing is locked.
    followers: AtomicUsize,
    watchers: Mutex<Vec<Weak<dyn Watcher>>>,
}

impl Unit {
    pub fn new(id: UnitId, name: UnitName, spec: Arc<LogSpec>) -> Self {
        Self {
            id,
            name,
            bytes: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            program: AtomicU32::new(0),
            last: AtomicU64::new(clock::now().mono.0),
            when_full: AtomicU8::new(number(spec.when_full)),
            spec: Mutex::new(spec),
            followers: AtomicUsize::new(0),
            watchers: Mutex::new(Vec::new()),
        }
    }

    /// Its main process, as far as it is known.
    #[allow(dead_code, reason = "only systems with stages ask for it")]
    pub fn program(&self) -> Option<u32> {
        Some(self.program.load(Ordering::Relaxed)).filter(|pid| *pid > 0)
    }

    pub fn set_program(&self, program: Option<u32>) {
        self.program.store(program.unwrap_or(0), Ordering::Relaxed);
    }

    pub fn spec(&self) -> Arc<LogSpec> {
        Arc::clone(&held(&self.spec))
    }

    pub fn set_spec(&self, spec: Arc<LogSpec>) {
        self.when_full
            .store(number(spec.when_full), Ordering::Relaxed);
        *held(&self.spec) = spec;
    }

    /// Whether the program waits for its log.
    pub fn when_full(&self) -> WhenFull {
        match self.when_full.load(Ordering::Relaxed) {
            BLOCK => WhenFull::Block,
            DROP => WhenFull::Drop,
            _ => WhenFull::Auto,
        }
    }

    /// Somebody follows it, or has to be told of its losses.
    pub fn is_remembered(&self) -> bool {
        self.followers.load(Ordering::SeqCst) > 0 || self.lost.load(Ordering::Relaxed) > 0
    }

    pub fn last_output(&self) -> Mono {
        Mono(self.last.load(Ordering::Relaxed))
    }

    pub fn watch(&self, watcher: &Arc<dyn Watcher>) {
        let mut watchers = held(&self.watchers);
        watchers.retain(|known| known.strong_count() > 0);
        let here =
            |known: &Weak<dyn Watcher>| std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(watcher));
        if !watchers.iter().any(here) {
            watchers.push(Arc::downgrade(watcher));
        }
        // After this, whoever wrote something and does not see us wrote it before we read.
        self.followers.store(watchers.len(), Ordering::SeqCst);
    }

    /// Bytes are in a segment: wake whoever follows.
    pub fn wrote(&self, bytes: u64) {
        self.last.store(clock::now().mono.0, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.tell(|watcher| watcher.wrote());
    }

    /// A segment is about to be removed.
    pub fn removing(&self, removed: Removed) {
        self.tell(|watcher| watcher.removing(removed));
    }

    fn tell(&self, what: impl Fn(&dyn Watcher)) {
        if self.followers.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut watchers = held(&self.watchers);
        watchers.retain(|watcher| {
            watcher.upgrade().is_some_and(|watcher| {
                what(&*watcher);
                true
            })
        });
        self.followers.store(watchers.len(), Ordering::SeqCst);
    }
}
