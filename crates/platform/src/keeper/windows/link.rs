//! The daemon's end of the line to its keeper.

use std::collections::VecDeque;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use abide_model::{RunId, UnitId};

use super::channel::{Channel, Operation, Received, Sent};
use super::handles::{give, inherited, received};
use super::kept::{self, JOB, PROCESS, is_of_run, key};
use super::{KEEPER_FD, KEEPER_PROCESS, READY_FD, hand_over};
use crate::absent;
use crate::identity;
use crate::keeper::told::{Told, event};
use crate::keeper::wire::{Frame, Kind, VERSION};
use crate::keeper::{KeeperEvent, Key, Launch, LinkError, Table};
use crate::win32::wait;

/// How long a daemon that leaves waits for its keeper to hear it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for those who have to be answered at once.
const MOMENT: Duration = Duration::from_millis(200);

/// The first version of what is spoken that has upgrades, and the first
/// [`crate::keeper::KEEPER_VERSION`] that can do them here.
const UPGRADES: u32 = 2;
const REPLACES_ITS_DAEMON: u32 = 2;

/// The daemon's end of the line to its keeper. Nothing here blocks but [`Link::connect`] and
/// [`Link::leaving`]: what is said waits here until [`Link::flush`], to be called when nothing else is
/// to be done for now, and again, while [`Link::wants_write`], when something was read or a moment has passed.
///
/// Its handle is signalled while there is something to be received.
pub struct Link {
    channel: Channel,
    socket: KeeperSocket,
    events: VecDeque<KeeperEvent>,
    lost: bool,
    /// The keeper knows how to replace its daemon.
    upgrades: bool,
}

/// What [`crate::spawn`] needs of the link. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeeperSocket(Arc<Ends>);

#[derive(Debug)]
struct Ends {
    pipe: Arc<OwnedHandle>,
    /// The keeper's process.
    keeper: OwnedHandle,
}

impl KeeperSocket {
    /// Has the keeper hold a duplicate of `handle` under `key`, which nobody says anything about over the
    /// [`Link`]. Once this returns it is held, whatever becomes of this process. Waits for a moment
    /// while the pipe takes nothing; a keeper that is gone is told by the [`Link`].
    ///
    /// # Errors
    /// `TimedOut`: the keeper does not read. Those of DuplicateHandle.
    pub fn hold(&self, key: Key, handle: BorrowedHandle<'_>) -> io::Result<()> {
        self.tell(&self.held(key, &handle)?)
    }

    /// Has the keeper close what it holds under `key` by [`KeeperSocket::hold`].
    ///
    /// # Errors
    /// As there.
    pub fn release(&self, key: Key) -> io::Result<()> {
        self.tell(&[Frame::of_key(Kind::RELEASE, key, 0)])
    }

    /// Has it hold a run that has not begun yet, until [`Link::taken`].
    pub(crate) fn hold_run(
        &self,
        run: (UnitId, RunId),
        process: &impl AsHandle,
        job: &impl AsHandle,
    ) -> io::Result<()> {
        let mut frames = self.held(key(PROCESS, run), process)?;
        frames.extend(self.held(key(JOB, run), job)?);
        self.tell(&frames)?;
        for (kind, handle) in [(PROCESS, process.as_handle()), (JOB, job.as_handle())] {
            kept::note(key(kind, run), handle.try_clone_to_owned()?);
        }
        Ok(())
    }

    /// Puts it into the keeper; what is to be said of it. Nothing, if the keeper is gone.
    fn held(&self, key: Key, handle: &impl AsHandle) -> io::Result<Vec<Frame>> {
        match give(handle, &self.0.keeper) {
            Ok(number) => Ok(vec![Frame::of_key(Kind::HOLD, key, number)]),
            Err(_) if self.is_gone() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn is_gone(&self) -> bool {
        wait(&self.0.keeper, Some(Duration::ZERO)).unwrap_or(false)
    }

    fn tell(&self, frames: &[Frame]) -> io::Result<()> {
        let message: Vec<u8> = frames.iter().copied().flat_map(Frame::to_bytes).collect();
        if message.is_empty() {
            return Ok(());
        }
        let mut writing = Operation::new(&self.0.pipe)?;
        if writing.write(&message).is_ok() && !writing.wait(Some(MOMENT))? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Link {
    /// Meets the keeper that started this process and takes over its table. To be called once, after
    /// the home's lock is held.
    ///
    /// # Errors
    /// [`LinkError`]. After [`LinkError::Replaced`], for which `launch` is needed, this process is to end.
    pub fn connect(launch: &Launch) -> Result<(Self, Table), LinkError> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let [pipe, keeper] = [KEEPER_FD, KEEPER_PROCESS].map(std::env::var);
        let (Ok(pipe), Ok(keeper)) = (pipe, keeper) else {
            return Err(LinkError::NoKeeper);
        };
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Err(LinkError::NoKeeper);
        }
        let (Some(pipe), Some(keeper)) = (inherited(&pipe), inherited(&keeper)) else {
            return Err(LinkError::NoKeeper);
        };
        let pipe = Arc::new(pipe);
        let mut link = Self {
            channel: Channel::new(&pipe)?,
            socket: KeeperSocket(Arc::new(Ends { pipe, keeper })),
            events: VecDeque::new(),
            lost: false,
            upgrades: false,
        };
        link.push(Frame::new(Kind::HELLO, VERSION, [0; 4]));
        link.flush();
        let mut table = Table::default();
        let complete = link.read_table(&mut table)?;
        let mut held = Vec::new();
        for (key, handle) in std::mem::take(&mut table.descriptors) {
            if is_of_run(key) {
                kept::note(key, handle);
            } else {
                held.push((key, handle));
            }
        }
        table.descriptors = held;
        if complete {
            link.upgrades &= table.keeper_version >= REPLACES_ITS_DAEMON;
            return Ok((link, table));
        }
        let held = table.descriptors.iter();
        let held: Vec<_> = held.map(|(key, fd)| (*key, fd.as_handle())).collect();
        hand_over(launch, &held)?;
        Err(LinkError::Replaced)
    }

    /// False: the keeper died in the middle of it. One that is suspended is waited for.
    fn read_table(&mut self, table: &mut Table) -> Result<bool, LinkError> {
        let mut complete = false;
        while !complete {
            let frames = match self.channel.receive() {
                Received::Message(frames) => frames,
                Received::Nothing => {
                    wait(&self.channel.readable(), None)?;
                    continue;
                }
                Received::End => return Ok(false),
            };
            for frame in frames {
                if complete {
                    self.events.extend(event(&frame));
                    continue;
                }
                let [_, number, ..] = frame.numbers;
                let handle = (frame.kind == Kind::HOLD).then(|| received(number));
                match table.take(&frame, handle.flatten())? {
                    Told::Version(version) => self.upgrades = version >= UPGRADES,
                    Told::Entry => {}
                    Told::All => complete = true,
                    Told::Other => self.events.extend(event(&frame)),
                }
            }
        }
        Ok(true)
    }

    /// For spawns.
    #[must_use]
    pub fn socket(&self) -> KeeperSocket {
        self.socket.clone()
    }

    /// Has the keeper hold a duplicate of `handle` under `key`, instead of what it held there.
    ///
    /// # Errors
    /// When the handle cannot be duplicated.
    pub fn hold(&mut self, key: Key, handle: BorrowedHandle<'_>) -> io::Result<()> {
        for frame in self.socket.held(key, &handle)? {
            self.push(frame);
        }
        self.flush();
        Ok(())
    }

    /// Has the keeper close what it holds under `key`.
    pub fn release(&mut self, key: Key) {
        self.push(Frame::of_key(Kind::RELEASE, key, 0));
    }

    /// The exit of this run is known for good: the keeper may forget it. Also right for a run that is
    /// still alive in the keeper's table and no longer of interest.
    pub fn taken(&mut self, unit: UnitId, run: RunId) {
        kept::forget((unit, run));
        self.push(Frame::about((unit, run), Kind::TAKEN, [0; 4]));
    }

    /// From now on `pid` is the main process of this run: its exit is the run's exit. Remembered by the keeper
    /// over the daemon's death; the run's record file is for [`crate::identity::Record::change_main`]. Of one
    /// that has ended nothing changes.
    pub fn main_changed(&mut self, unit: UnitId, run: RunId, pid: u32) {
        let key = key(PROCESS, (unit, run));
        let Ok(main) = identity::Handle::open(pid) else {
            return;
        };
        if self.hold(key, main.as_handle()).is_ok()
            && let Ok(copy) = main.as_handle().try_clone_to_owned()
        {
            kept::note(key, copy);
        }
    }

    /// The daemon serves: whoever waits for it is told, and from now on it is brought back whatever
    /// its exit code, but for 0 and [`crate::keeper::EXIT_REFUSED`].
    pub fn ready(&mut self) {
        self.push(Frame::new(Kind::READY, 0, [0; 4]));
        self.flush();
        write_to_starter("ready\n");
    }

    /// The daemon will exit on purpose: the keeper ends with it, with the same code. Does not
    /// return before the keeper was told, or is gone.
    pub fn leaving(&mut self) {
        self.push(Frame::new(Kind::LEAVING, 0, [0; 4]));
        while self.channel.flush() == Sent::Later {
            let through = self.channel.writable();
            let taken = through.is_none_or(|event| wait(&event, Some(PATIENCE)).unwrap_or(false));
            if !taken {
                return;
            }
        }
    }

    /// Asks for the executable `exe`, an open file, to be the daemon: the keeper starts it beside this one. What
    /// becomes of it is told as [`KeeperEvent::Yield`] or [`KeeperEvent::UpgradeFailed`].
    ///
    /// # Errors
    /// The keeper is too old for it; [`io::ErrorKind::Unsupported`]: it is to be renewed, which Windows cannot do;
    /// those of DuplicateHandle.
    pub fn upgrade(&mut self, exe: BorrowedHandle<'_>, renew: bool) -> io::Result<()> {
        if renew {
            return Err(absent::KEEPER_RENEWAL.error());
        }
        if !self.upgrades {
            return Err(io::Error::other(
                "the keeper is of a version that cannot replace its daemon; `abide down`, then `abide up`",
            ));
        }
        let number = give(&exe, &self.socket.0.keeper)?;
        self.push(Frame::new(Kind::UPGRADE, 0, [0, number, 0, 0]));
        self.flush();
        Ok(())
    }

    /// The next event, if there is one. To be called until `None` whenever the handle is
    /// signalled, and once after [`Link::connect`].
    pub fn recv(&mut self) -> Option<KeeperEvent> {
        while self.events.is_empty() && !self.lost {
            match self.channel.receive() {
                Received::Message(frames) => self.events.extend(frames.iter().filter_map(event)),
                Received::Nothing => return None,
                Received::End => {
                    self.lost = true;
                    return Some(KeeperEvent::Lost);
                }
            }
        }
        self.events.pop_front()
    }

    fn push(&mut self, frame: Frame) {
        self.channel.push(frame);
    }

    /// Something waits to be sent.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.channel.wants_write()
    }

    /// Sends what the pipe takes now, as many frames in a message as it may have.
    pub fn flush(&mut self) {
        // A keeper that is gone is told by `recv`.
        let _ = self.channel.flush();
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Signalled when there is something to be received.
impl AsHandle for Link {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.channel.readable()
    }
}

/// In the daemon: tells whoever waits for it why it does not start, as a text that reads after
/// "cannot". To be called before it exits with an error; does nothing when nobody waits.
pub fn tell_starter(error: &str) {
    write_to_starter(&format!("error: {error}\n"));
}

fn write_to_starter(text: &str) {
    if let Some(pipe) = take_starter() {
        tell(pipe, text);
    }
}

/// Writes to whoever waits. A starter that does not wait any longer need not know.
pub(super) fn tell(pipe: OwnedHandle, text: &str) {
    let pipe = Arc::new(pipe);
    for part in text.as_bytes().chunks(1024) {
        let through = Operation::new(&pipe).and_then(|mut writing| {
            writing.write(part)?;
            writing.wait(Some(MOMENT))
        });
        if !matches!(through, Ok(true)) {
            return;
        }
    }
}

/// Where somebody waits for this daemon, until that was told something.
pub(super) fn take_starter() -> Option<OwnedHandle> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number = std::env::var(READY_FD).ok()?;
    if TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    inherited(&number)
}
