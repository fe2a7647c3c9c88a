//! The keeper executes its daemon's file: the same process and the same children, other code.
//!
//! Its table goes along as frames in a sealed memfd, its descriptors under their numbers. What happens
//! meanwhile waits: exits as zombies, messages in the sockets, signals as pending.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::super::{KEEPER, TABLE_FD};
use super::system::{execute, inherit};
use super::tell::Talk;
use super::upgrade::Upgrade;
use super::{Held, Keeper, Process, Program};
use crate::fault::point;
use crate::keeper::KEEPER_VERSION;
use crate::keeper::wire::{Frame, Kind, SIZE, TABLE};

/// More than the arguments and the environment of a process may take (execve(2): a quarter of the stack).
const STRINGS: usize = 4 << 20;

/// What a descriptor of a [`Kind::KEPT`] is.
const DAEMON: u32 = 0;
const OLD: u32 = 1;
const LOCK: u32 = 2;

impl Keeper {
    /// Once the daemon has been told all there is, so that nothing of that has to go along.
    pub(super) fn renew_when_settled(&mut self) {
        let told = matches!(self.talk, Talk::Live) && self.news.is_empty();
        let quiet = self.stopped.is_none() && self.pending == 0 && !self.short;
        let ready = self.renew && matches!(self.upgrade, Upgrade::No);
        if !(told && quiet && ready && self.answers.is_empty()) {
            return;
        }
        self.renew = false;
        point("keeper.renew");
        let error = self.execute_daemons_file();
        // Here it goes on as it was.
        self.each_descriptor(|fd, _| {
            inherit(fd, false);
            Ok(())
        })
        .unwrap_or(());
        let errno = error.raw_os_error().unwrap_or(0).cast_unsigned();
        self.answer(Frame::new(Kind::NOT_RENEWED, errno, [0; 4]));
        self.tell();
    }

    /// Every descriptor that goes along, and how the table names it.
    fn each_descriptor(
        &self,
        mut each: impl FnMut(&OwnedFd, Frame) -> io::Result<()>,
    ) -> io::Result<()> {
        let daemon = self.daemon.iter().filter_map(|d| d.socket.as_ref());
        let kept = daemon.map(|fd| (fd, DAEMON));
        let kept = kept.chain(self.old.iter().map(|fd| (fd, OLD)));
        for (fd, what) in kept.chain([(&self.lock, LOCK)]) {
            let number = fd.as_raw_fd().cast_unsigned();
            each(fd, Frame::new(Kind::KEPT, what, [number, 0, 0, 0]))?;
        }
        for (_, key, fd) in self.descriptors.from(0) {
            let number = fd.as_raw_fd().cast_unsigned();
            each(fd, Frame::of_key(Kind::HOLD, *key, number))?;
        }
        Ok(())
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
        let all = self.each_descriptor(|fd, _| {
            inherit(fd, true);
            Ok(())
        });
        all.unwrap_or(());
        let mut environment = self.program.environment.clone();
        let number = CString::new(format!("{TABLE_FD}={}", table.as_raw_fd()));
        environment.extend(number.ok());
        inherit(&table, true);
        let mut argv = self
            .program
            .argv
            .iter()
            .take(1)
            .cloned()
            .collect::<Vec<_>>();
        argv.extend([
            KEEPER.to_owned(),
            self.program.home.clone(),
            c"-".into(),
            c"-".into(),
        ]);
        argv.extend(self.program.argv.iter().skip(1).cloned());
        let exe = self.exe.as_ref().map(std::os::fd::AsFd::as_fd);
        execute(exe, &argv, &environment).into()
    }

    fn write_table(&self) -> io::Result<OwnedFd> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = io::BufWriter::new(File::from(memfd_create("abide-table", flags)?));
        let daemon = self.daemon.as_ref().map_or(0, |daemon| daemon.pid);
        let numbers = [daemon, self.restarts.starts, KEEPER_VERSION, 0];
        file.write_all(&Frame::new(Kind::HEAD, TABLE, numbers).to_bytes())?;
        self.each_descriptor(|_, frame| file.write_all(&frame.to_bytes()))?;
        for (_, id, held) in self.runs.from(0) {
            file.write_all(&Frame::of_run(held.entry(*id)).to_bytes())?;
        }
        file.write_all(&Frame::new(Kind::END, 0, [0; 4]).to_bytes())?;
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
        let [pid, starts, _, _] = head.numbers;
        if head.kind != Kind::HEAD || head.unit > TABLE {
            return Err(broken());
        }
        let (mut lock, mut socket) = (None, None);
        let mut entries = Vec::new();
        let mut held = Vec::new();
        let mut old = Vec::new();
        loop {
            let frame = next()?;
            let [number, fd, ..] = frame.numbers;
            match (frame.kind, frame.unit) {
                (Kind::KEPT, DAEMON) => socket = Some(take(number).ok_or_else(broken)?),
                (Kind::KEPT, LOCK) => lock = Some(take(number).ok_or_else(broken)?),
                (Kind::KEPT, _) => old.push(take(number).ok_or_else(broken)?),
                (Kind::HOLD, _) => held.push((frame.key(), take(fd).ok_or_else(broken)?)),
                (Kind::RUN, _) => entries.push(frame.entry().ok_or_else(broken)?),
                (Kind::END, _) => break,
                _ => {}
            }
        }
        let mut keeper = Self::new(program, lock.ok_or_else(broken)?, None, None);
        keeper.old = old;
        keeper.daemon = Some(Process { pid, socket });
        keeper.talk = Talk::Live;
        (keeper.restarts.starts, keeper.restarts.was_ready) = (starts.max(1), true);
        keeper.restarts.is_ready = true;
        let room = keeper.descriptors.room(held.len()) && keeper.runs.room(entries.len());
        if !(room && keeper.by_pid.room(entries.len()) && keeper.room()) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        for (key, fd) in held {
            keeper.descriptors.insert(key, fd);
        }
        for entry in entries {
            let (pid, state) = (entry.pid, entry.state);
            let id = (entry.unit, entry.run);
            if state == crate::keeper::RunState::Running {
                keeper.by_pid.insert(pid, id);
            }
            keeper.runs.insert(id, Held::new(pid, state));
        }
        keeper.answer(Frame::new(Kind::RENEWED, KEEPER_VERSION, [0; 4]));
        Ok(keeper)
    }
}
