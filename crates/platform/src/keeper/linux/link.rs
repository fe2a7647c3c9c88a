//! The daemon's end of the line to its keeper.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abide_model::{RunId, UnitId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

use super::inherited::{Base, descriptor};
use super::socket::{Out, Received, Sent, receive, send};
use super::{KEEPER_FD, READY_FD, hand_over};
use crate::keeper::told::{Told, event};
use crate::keeper::wire::{BATCH, Frame, Kind, OLDEST, VERSION};
use crate::keeper::{KeeperEvent, Key, Launch, LinkError, Table};

/// How long a daemon that leaves waits for its keeper to hear it.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// The same for those who have to be answered at once.
const MOMENT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// The daemon's end of the line to its keeper. Nothing here blocks but [`Link::connect`] and
/// [`Link::leaving`]: what is said waits here until [`Link::flush`], to be called when nothing else is
/// to be done for now, and again, while [`Link::wants_write`], once the descriptor is writable. So a
/// keeper is woken once for all that a hundred exits let it forget.
#[derive(Debug)]
pub struct Link {
    socket: Arc<OwnedFd>,
    out: VecDeque<(Frame, Option<OwnedFd>)>,
    events: VecDeque<KeeperEvent>,
    lost: bool,
    /// Spoken by both ends.
    version: u32,
}

/// What [`crate::spawn`] needs of the link. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeeperSocket {
    socket: Arc<OwnedFd>,
    base: Base,
}

impl KeeperSocket {
    pub(crate) fn raw(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Has the keeper hold a duplicate of `fd` under `key`, which nobody says anything about over the
    /// [`Link`]. Once this returns it is held, whatever becomes of this process. Waits for a moment
    /// while the socket takes nothing; a keeper that is gone is told by the [`Link`].
    ///
    /// # Errors
    /// `TimedOut`: the keeper does not read.
    pub fn hold(&self, key: Key, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.tell(Frame::of_key(Kind::HOLD, key, 0), Some(fd))
    }

    /// Has the keeper close what it holds under `key` by [`KeeperSocket::hold`].
    ///
    /// # Errors
    /// As there.
    pub fn release(&self, key: Key) -> io::Result<()> {
        self.tell(Frame::of_key(Kind::RELEASE, key, 0), None)
    }

    fn tell(&self, frame: Frame, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        while send(self.socket.as_fd(), frame, fd) == Sent::Later {
            let mut fds = [PollFd::new(&*self.socket, PollFlags::OUT)];
            match poll(&mut fds, Some(&MOMENT)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What programs get that do not ask for another one: that of before the keeper lowered its own.
    pub(crate) fn oom_score(&self) -> Option<i32> {
        self.base.oom_score
    }

    /// The same for the limits of open files, soft and hard.
    pub(crate) fn open_files(&self) -> Option<(u64, u64)> {
        self.base.open_files
    }
}

impl Link {
    /// Meets the keeper that started this process and takes over its table. To be called once, after
    /// the home's lock is held (only then are all records of the last daemon's children written), and
    /// after [`crate::signals::Signals::new`]: from now on the keeper passes signals on.
    ///
    /// # Errors
    /// [`LinkError`]. After [`LinkError::Replaced`], for which `launch` is needed, this process is to end.
    pub fn connect(launch: &Launch) -> Result<(Self, Table), LinkError> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let number = std::env::var(KEEPER_FD).map_err(|_| LinkError::NoKeeper)?;
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Err(LinkError::NoKeeper);
        }
        let socket = descriptor(&number).ok_or(LinkError::NoKeeper)?;
        if socket_type(&socket).ok() != Some(SocketType::SEQPACKET) {
            return Err(LinkError::NoKeeper);
        }
        let mut link = Self {
            socket: Arc::new(socket),
            out: VecDeque::new(),
            events: VecDeque::new(),
            lost: false,
            version: OLDEST,
        };
        link.push(Frame::new(Kind::HELLO, VERSION, [0; 4]));
        link.flush();
        let mut table = Table::default();
        if link.read_table(&mut table)? {
            return Ok((link, table));
        }
        let held = table.descriptors.iter();
        let held: Vec<_> = held.map(|(key, fd)| (*key, fd.as_fd())).collect();
        hand_over(launch, &held)?;
        Err(LinkError::Replaced)
    }

    /// False: the keeper died in the middle of it. One that is stopped is waited for.
    fn read_table(&mut self, table: &mut Table) -> Result<bool, LinkError> {
        let mut complete = false;
        while !complete {
            let mut fds = [PollFd::new(&*self.socket, PollFlags::IN)];
            match poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(LinkError::Io(e.into())),
            }
            let message = match receive(self.socket.as_fd()) {
                Received::Message(message) => message,
                Received::Nothing => continue,
                Received::End => return Ok(false),
            };
            for (frame, fd) in message.into_frames() {
                if complete {
                    self.events.extend(event(&frame));
                    continue;
                }
                match table.take(&frame, fd)? {
                    Told::Version(version) => self.version = version,
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
        let base = Base::from_environment().unwrap_or_default();
        KeeperSocket {
            socket: Arc::clone(&self.socket),
            base,
        }
    }

    /// Has the keeper hold a duplicate of `fd` under `key`, instead of what it held there.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated.
    pub fn hold(&mut self, key: Key, fd: BorrowedFd<'_>) -> io::Result<()> {
        let frame = Frame::of_key(Kind::HOLD, key, 0);
        self.flush();
        if self.out.is_empty() && send(self.socket.as_fd(), frame, Some(fd)) != Sent::Later {
            return Ok(());
        }
        self.out.push_back((frame, Some(fd.try_clone_to_owned()?)));
        Ok(())
    }

    /// Has the keeper close what it holds under `key`.
    pub fn release(&mut self, key: Key) {
        self.push(Frame::of_key(Kind::RELEASE, key, 0));
    }

    /// The exit of this run is known for good: the keeper may forget it. Also right for a run that is
    /// still alive in the keeper's table and no longer of interest.
    pub fn taken(&mut self, unit: UnitId, run: RunId) {
        self.push(Frame::about((unit, run), Kind::TAKEN, [0; 4]));
    }

    /// From now on `pid` is the main process of this run: its exit is the run's exit, that of the one
    /// before is dropped. Also right after that one has ended, as programs do that go to the background;
    /// the run is alive again then. Remembered by the keeper over the daemon's death; the run's record
    /// file is for [`crate::identity::Record::change_main`].
    ///
    /// To be called for a process that was just seen alive ([`crate::identity::Handle::open`]) and belongs
    /// to the run ([`crate::tree::RunTree::contains`]). If it has ended meanwhile, that is told as an exit
    /// ([`crate::keeper::RunState::Vanished`]). While its parent is another process than the keeper
    /// ([`crate::identity::parent`]), that one may reap it, and the keeper never hears of its exit: then
    /// the daemon sees it by the pidfd, and says [`Link::taken`].
    pub fn main_changed(&mut self, unit: UnitId, run: RunId, pid: u32) {
        self.push(Frame::about((unit, run), Kind::MAIN, [pid, 0, 0, 0]));
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
        self.flush();
        while self.wants_write() {
            let waited = poll(
                &mut [PollFd::new(&*self.socket, PollFlags::OUT)],
                Some(&PATIENCE),
            );
            if waited == Ok(0) {
                return;
            }
            self.flush();
        }
    }

    /// Asks for the executable `exe` to be the daemon: the keeper starts it beside this one. What becomes
    /// of it is told as [`KeeperEvent::Yield`] or [`KeeperEvent::UpgradeFailed`]. Once the new daemon is
    /// ready, a keeper of another [`crate::keeper::KEEPER_VERSION`] executes that file itself, in place;
    /// with `renew` it does so whatever its version.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] with a keeper that is too old for it; or the descriptor cannot be
    /// duplicated.
    pub fn upgrade(&mut self, exe: BorrowedFd<'_>, renew: bool) -> io::Result<()> {
        if self.version < 2 {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the keeper is of a version that cannot replace its daemon; `abide down`, then `abide up`",
            ));
        }
        let frame = Frame::new(Kind::UPGRADE, u32::from(renew), [0; 4]);
        self.out.push_back((frame, Some(exe.try_clone_to_owned()?)));
        self.flush();
        Ok(())
    }

    /// The next event, if there is one. To be called until `None` whenever the descriptor is
    /// readable, and once after [`Link::connect`].
    pub fn recv(&mut self) -> Option<KeeperEvent> {
        while self.events.is_empty() && !self.lost {
            match receive(self.socket.as_fd()) {
                Received::Message(message) => {
                    let frames = message.into_frames();
                    self.events
                        .extend(frames.filter_map(|(frame, _)| event(&frame)));
                }
                Received::Nothing => return None,
                Received::End => {
                    self.lost = true;
                    self.out.clear();
                    return Some(KeeperEvent::Lost);
                }
            }
        }
        self.events.pop_front()
    }

    fn push(&mut self, frame: Frame) {
        self.out.push_back((frame, None));
    }

    /// Something waits to be sent.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.out.is_empty()
    }

    /// Sends what the socket takes now, as many frames in a message as it may have: keepers of every
    /// version read them one after the other.
    pub fn flush(&mut self) {
        while !self.out.is_empty() {
            let mut message = Out::to(self.socket.as_fd());
            for (frame, fd) in self.out.iter().take(BATCH) {
                message.push(*frame, fd.as_ref().map(AsFd::as_fd));
            }
            if message.send() == Sent::Later {
                return;
            }
            // A keeper that is gone is told by `recv`.
            self.out.drain(..BATCH.min(self.out.len()));
        }
        // After the descriptors of many units.
        self.out = VecDeque::new();
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// In the daemon: tells whoever waits for it why it does not start, as a text that reads after
/// "cannot". To be called before it exits with an error; does nothing when nobody waits.
pub fn tell_starter(error: &str) {
    write_to_starter(&format!("error: {error}\n"));
}

fn write_to_starter(text: &str) {
    if let Some(fd) = take_starter() {
        // A starter that does not wait any longer need not know.
        let _ = std::fs::File::from(fd).write_all(text.as_bytes());
    }
}

/// Where somebody waits for this daemon, until that was told something.
pub(super) fn take_starter() -> Option<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number = std::env::var(READY_FD).ok()?;
    if TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    descriptor(&number)
}
