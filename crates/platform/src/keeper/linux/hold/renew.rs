//! The keeper executes its daemon's file: the same process and the same children, other code.
//!
//! Its table goes along as a daemon would get it, as frames in a sealed memfd; its descriptors keep their
//! numbers. What happens meanwhile waits: exits as zombies, messages in the sockets, signals as pending.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::super::{KEEPER, TABLE_FD};
use super::runs::Held;
use super::system::{execute, inherit};
use super::tell::Talk;
use super::{Keeper, Line, Map, Program};
use crate::fault::point;
use crate::keeper::wire::{Frame, Kind, SIZE, TABLE};
use crate::keeper::{KEEPER_VERSION, RunState};

/// More than the arguments and the environment of a process may take (execve(2): a quarter of the stack).
const STRINGS: usize = 4 << 20;

/// What a descriptor of a [`Kind::KEPT`] is.
const DAEMON: u32 = 0;
const OLD: u32 = 1;
const LOCK: u32 = 2;

impl Keeper {
    /// Once the daemon has been told all there is, so that nothing of that has to go along.
    pub(super) fn renew_when_settled(&mut self) {
        let told = self.talk == Talk::Live && self.news.is_empty();
        let quiet = self.stopped.is_none() && !self.pending.contains(&true) && !self.short;
        if !(self.renew && self.upgrade.is_none() && told && quiet) {
            return;
        }
        self.renew = false;
        point("keeper.renew");
        let error = self.execute_daemons_file();
        // Here it goes on as it was.
        self.inherited(false);
        let errno = error.raw_os_error().unwrap_or(0).cast_unsigned();
        self.say(Frame::new(Kind::NOT_RENEWED, errno, [0; 4]));
        self.tell();
    }

    /// Whether the file that is executed has the descriptors.
    fn inherited(&self, inherits: bool) {
        let lines = self.lines.iter().map(|line| &line.socket);
        for fd in lines.chain([&self.lock]).chain(self.descriptors.values()) {
            inherit(fd, inherits);
        }
    }

    /// Returns only when it cannot be done.
    fn execute_daemons_file(&self) -> io::Error {
        // More than the few strings below need, and they are all that is allocated.
        if Vec::<u8>::new().try_reserve_exact(STRINGS).is_err() {
            return io::ErrorKind::OutOfMemory.into();
        }
        let table = match self.write_table() {
            Ok(table) => table,
            Err(error) => return error,
        };
        point("keeper.written");
        self.inherited(true);
        inherit(&table, true);
        let Program { argv, home, .. } = &self.program;
        let mut environment = self.program.environment.clone();
        environment.extend(CString::new(format!("{TABLE_FD}={}", table.as_raw_fd())));
        let own = [KEEPER, home.as_c_str(), c"-", c"-"].map(CString::from);
        let (name, rest) = argv.split_at(1.min(argv.len()));
        let argv = [name, own.as_slice(), rest].concat();
        execute(self.exe.as_ref().map(AsFd::as_fd), &argv, &environment).into()
    }

    fn write_table(&self) -> io::Result<OwnedFd> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = io::BufWriter::new(File::from(memfd_create("abide-table", flags)?));
        let daemon = self.daemon.unwrap_or(0);
        let head = [daemon, self.restarts.starts, KEEPER_VERSION, 0];
        let kept = |what, fd: &OwnedFd| {
            Frame::new(Kind::KEPT, what, [fd.as_raw_fd().cast_unsigned(), 0, 0, 0])
        };
        let lines = self.lines.iter().map(|line| {
            let daemons = Some(line.pid) == self.daemon;
            kept(if daemons { DAEMON } else { OLD }, &line.socket)
        });
        let head = [Frame::new(Kind::HEAD, TABLE, head), kept(LOCK, &self.lock)];
        for frame in head.into_iter().chain(lines).chain(self.table()) {
            file.write_all(&frame.to_bytes())?;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let seals = SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
        fcntl_add_seals(&file, seals)?;
        Ok(file.into())
    }

    /// The keeper that this process was before it executed this file. `take`: makes a descriptor of a
    /// number that was passed, and has it close on exec.
    ///
    /// # Errors
    /// The table is not whole: whoever has the descriptors, it is not this process.
    pub(in super::super) fn again(
        program: Program,
        table: OwnedFd,
        mut take: impl FnMut(u32) -> Option<OwnedFd>,
    ) -> io::Result<Self> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let mut file = File::from(table);
        file.rewind()?;
        let mut file = io::BufReader::new(file);
        let mut next = || -> io::Result<Frame> {
            let mut bytes = [0; SIZE];
            file.read_exact(&mut bytes)?;
            Ok(Frame::from_bytes(bytes))
        };
        let head = next()?;
        let [daemon, starts, ..] = head.numbers;
        if head.kind != Kind::HEAD || head.unit > TABLE {
            return Err(broken());
        }
        let (mut lock, mut lines) = (None, Vec::new());
        let (mut runs, mut by_pid) = (Map::default(), Map::default());
        let mut descriptors = Map::default();
        loop {
            let frame = next()?;
            let [number, fd, ..] = frame.numbers;
            let mut taken = |number| take(number).ok_or_else(broken);
            match (frame.kind, frame.unit) {
                (Kind::KEPT, LOCK) => lock = Some(taken(number)?),
                (Kind::KEPT, what) => {
                    let pid = if what == DAEMON { daemon } else { 0 };
                    let socket = taken(number)?;
                    lines.push(Line { pid, socket });
                }
                (Kind::HOLD, _) => drop(descriptors.insert(frame.key(), taken(fd)?)),
                (Kind::RUN, _) => {
                    let entry = frame.entry().ok_or_else(broken)?;
                    if entry.state == RunState::Running {
                        by_pid.insert(entry.pid, frame.id());
                    }
                    let named = false;
                    runs.insert(frame.id(), Held { entry, named });
                }
                (Kind::END, _) => break,
                _ => {}
            }
        }
        lines.sort_by_key(|line| line.pid);
        let mut keeper = Self {
            daemon: Some(daemon),
            talk: Talk::Live,
            descriptors,
            runs,
            by_pid,
            lines,
            ..Self::new(program, lock.ok_or_else(broken)?, None, None)
        };
        let restarts = &mut keeper.restarts;
        (restarts.starts, restarts.was_ready, restarts.is_ready) = (starts.max(1), true, true);
        if !keeper.room() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        keeper.say(Frame::new(Kind::RENEWED, KEEPER_VERSION, [0; 4]));
        Ok(keeper)
    }
}
