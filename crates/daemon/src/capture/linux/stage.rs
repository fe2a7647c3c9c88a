//! The stage of a stream: the pipe between its FIFO and its segment, there while something is moved.
//!
//! ```text
//!          a program is started                    output comes
//!  Away ──────────────────────► Spare ─┐    ┌─────────────────────► Held ─┐
//!    ▲                                 │    │  the keeper has it first    │
//!    └──────── it has it now ◄─────────┘   Away                           │
//!    └───────────────── nothing for REST, and it is empty ◄───────────────┘
//! ```
//!
//! What is on its way must outlive every death, and three may hold it: this process, the keeper, and the
//! program, which is all that is left when the other two are killed at once. A quiet stream has its stage
//! only in its program, where it costs us no descriptor. When output comes it is taken from there
//! (pidfd_getfd(2)) and given to the keeper, *before* its first byte; when the stream is quiet again both
//! let go of it, which is safe since it is empty.
//!
//! Where it cannot be taken from a program (an old kernel, another user's program in a container, ptrace for
//! descendants only), the keeper and this process hold it from the start, and do not let go of it. Where no program has it (it has closed its descriptors, it has ended), a new one is made.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use abide_log::Stream;
use abide_model::UnitId;
use abide_platform::fault::point;
use abide_platform::pipe;

use super::super::{Holder, held};

/// Where the stage is.
enum Place {
    /// Not here. Its number, if that is known: that of the one which the program has.
    Away(Option<u64>),
    /// Here, for a program that is being started; nothing is in it.
    Spare(Arc<OwnedFd>),
    /// Here and with the keeper.
    Held(Arc<OwnedFd>),
}

/// The keeper, until everything that it held is handed over to another one.
pub struct Keeper {
    holder: Box<dyn Holder>,
    over: AtomicBool,
}

impl Keeper {
    pub fn new(holder: Box<dyn Holder>) -> Self {
        Self {
            holder,
            over: AtomicBool::new(false),
        }
    }

    /// From now on no stage is given to it: a stage that is here by now is all that is to be handed over.
    pub fn is_over(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    fn hold(&self, unit: UnitId, stream: Stream, stage: BorrowedFd<'_>) -> io::Result<()> {
        if self.over.load(Ordering::SeqCst) {
            return Err(io::Error::other("the keeper is gone"));
        }
        self.holder.hold(unit, stream, stage)
    }
}

/// One stream's.
pub struct Stage {
    unit: UnitId,
    stream: Stream,
    /// Taken for moments only, and never while a disk could block.
    place: Mutex<Place>,
    /// It cannot be had from its program again: it is not let go of.
    stays: AtomicBool,
}

impl Stage {
    /// `left`: what the keeper held, which may have something in it.
    pub fn new(unit: UnitId, stream: Stream, left: Option<OwnedFd>) -> Self {
        let place = left.map_or(Place::Away(None), |stage| Place::Held(Arc::new(stage)));
        Self {
            unit,
            stream,
            place: Mutex::new(place),
            stays: AtomicBool::new(false),
        }
    }

    /// Its place among a program's stages.
    fn place_there(&self) -> u8 {
        match self.stream {
            Stream::Out => 0,
            Stream::Err => 1,
        }
    }

    /// The one that is here, and may have something in it.
    pub fn here(&self) -> Option<Arc<OwnedFd>> {
        match &*held(&self.place) {
            Place::Held(stage) => Some(Arc::clone(stage)),
            Place::Away(_) | Place::Spare(_) => None,
        }
    }

    /// It is here for as long as there is output.
    pub fn is_on_loan(&self) -> bool {
        !self.stays.load(Ordering::Relaxed) && self.here().is_some()
    }

    /// One to be filled: held by the keeper when this returns, and by the stream's program, the process
    /// `program`, where that can be.
    ///
    /// # Errors
    /// There is no descriptor to be had (with `few`, one that is not here is not asked for), or the keeper
    /// does not answer. Nothing is changed then.
    pub fn lease(
        &self,
        program: Option<u32>,
        few: bool,
        keeper: &Keeper,
    ) -> io::Result<Arc<OwnedFd>> {
        let mut place = held(&self.place);
        let stage = match &*place {
            Place::Held(stage) => return Ok(Arc::clone(stage)),
            Place::Spare(stage) => Arc::clone(stage),
            Place::Away(_) if few => {
                return Err(io::Error::other("too many others wait for their disks"));
            }
            Place::Away(number) => Arc::new(match self.with_program(program, *number) {
                Ok(Some(stage)) => stage,
                // What it has cannot be had: then at least this process and the keeper have it.
                Ok(None) | Err(_) => pipe::stage()?,
            }),
        };
        point("stage.taken");
        keeper.hold(self.unit, self.stream, stage.as_fd())?;
        point("stage.held");
        *place = Place::Held(Arc::clone(&stage));
        Ok(stage)
    }

    /// The stage that the program has, if it is this stream's.
    fn with_program(
        &self,
        program: Option<u32>,
        known: Option<u64>,
    ) -> io::Result<Option<OwnedFd>> {
        let Some(program) = program else {
            return Ok(None);
        };
        let found = pipe::stage_of(program, self.place_there())?;
        Ok(found.filter(|stage| {
            let number = pipe::number(stage.as_fd()).ok();
            known.is_none() || known == number
        }))
    }

    /// Lets go of it, which is empty, if another can be had when there is something to move again.
    pub fn let_go(&self, program: Option<u32>, keeper: &Keeper) {
        let mut place = held(&self.place);
        let Place::Held(stage) = &*place else {
            return;
        };
        let Ok(number) = pipe::number(stage.as_fd()) else {
            return;
        };
        let there = self.with_program(program, Some(number));
        self.stays.store(there.is_err(), Ordering::Relaxed);
        let Ok(there) = there else { return };
        // If nobody has it, whatever the program has is looked for the next time: what is filled then must
        // not be lost with the keeper and us.
        let known = there.map(|_| number);
        point("stage.empty");
        // A keeper that does not answer goes on holding it, and so do we.
        if keeper.holder.release(self.unit, self.stream).is_ok() {
            *place = Place::Away(known);
            point("stage.released");
        }
    }

    /// The stream is no more: whatever is in it is lost.
    pub fn forget(&self, keeper: &Keeper) {
        let mut place = held(&self.place);
        if matches!(*place, Place::Held(_))
            && let Err(error) = keeper.holder.release(self.unit, self.stream)
        {
            tracing::warn!(unit = %self.unit, %error, "the keeper goes on holding its stage");
        }
        *place = Place::Away(None);
    }

    /// For a program that is about to be started, to hold it too.
    ///
    /// # Errors
    /// There is no descriptor to be had.
    pub fn for_program(&self, size: usize) -> io::Result<Arc<OwnedFd>> {
        let mut place = held(&self.place);
        if let Place::Held(stage) | Place::Spare(stage) = &*place {
            return Ok(Arc::clone(stage));
        }
        let stage = Arc::new(pipe::stage()?);
        if size != pipe::USUAL_SIZE {
            // What cannot be made smaller works as it is.
            let _ = pipe::set_size(stage.as_fd(), size);
        }
        *place = Place::Spare(Arc::clone(&stage));
        Ok(stage)
    }

    /// The program was started, or was not: what was here for it alone is with it, if it can be had again;
    /// else the keeper holds it from now on, since no later daemon could find it.
    pub fn started(&self, program: Option<u32>, keeper: &Keeper) {
        let mut place = held(&self.place);
        let Place::Spare(stage) = &*place else {
            return;
        };
        let number = pipe::number(stage.as_fd()).ok();
        let stays = self.with_program(program, number).is_err();
        self.stays.store(stays, Ordering::Relaxed);
        if !stays {
            *place = Place::Away(number);
        } else if keeper.hold(self.unit, self.stream, stage.as_fd()).is_ok() {
            *place = Place::Held(Arc::clone(stage));
        }
    }
}
