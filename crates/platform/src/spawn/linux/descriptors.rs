//! Which descriptors a program finds, and under which numbers: planned before the child exists, laid
//! out by the child.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

use crate::notify::is_valid_store_name;
use crate::pipe;
use crate::spawn::{ENDS, FIRST_SOCKET, Order, READ_END, STAGE_END, SpawnError, Step};

const LISTEN_PID: &[u8] = b"LISTEN_PID=";

/// The line, ten digits, and the zero at its end.
const LINE: usize = 24;

/// One descriptor of the program's.
struct Place {
    /// Its number in this process; changed by the child when it has to move it out of the way.
    from: AtomicI32,
    to: RawFd,
    /// The number is used by nothing else in this process, or is one of the standard streams', which
    /// stay open there for good.
    reserved: bool,
}

/// The ends of its output that a run gets, open until its program is executed.
pub(super) enum Ends<'a> {
    /// Given with the order.
    Given(&'a Order),
    /// Opened for this run.
    Own {
        writers: Vec<OwnedFd>,
        readers: Vec<OwnedFd>,
        stages: Vec<Arc<OwnedFd>>,
    },
}

impl<'a> Ends<'a> {
    /// Errors: no descriptor is to be had.
    pub(super) fn open(order: &'a Order) -> Result<Self, SpawnError> {
        if order.fifos.is_empty() {
            return Ok(Self::Given(order));
        }
        let open = |end: fn(BorrowedFd<'_>) -> io::Result<OwnedFd>| {
            let fifos = order.fifos.iter();
            fifos
                .map(|fifo| end(fifo.as_fd()))
                .collect::<io::Result<Vec<_>>>()
        };
        let failed = |error: io::Error| SpawnError {
            step: Step::Prepare,
            errno: error.raw_os_error(),
            text: format!("open its FIFOs and stages: {error}"),
            recorded: false,
        };
        Ok(Self::Own {
            writers: open(pipe::writer).map_err(failed)?,
            readers: open(pipe::reader).map_err(failed)?,
            stages: order.stages.make().map_err(failed)?,
        })
    }

    fn stdout(&self) -> Option<RawFd> {
        match self {
            Self::Given(order) => order.stdout.as_ref().map(AsRawFd::as_raw_fd),
            Self::Own { writers, .. } => writers.first().map(AsRawFd::as_raw_fd),
        }
    }

    fn stderr(&self) -> Option<RawFd> {
        match self {
            Self::Given(order) => order.stderr.as_ref().map(AsRawFd::as_raw_fd),
            Self::Own { writers, .. } => writers.get(1).map(AsRawFd::as_raw_fd),
        }
    }

    fn readers(&self) -> Vec<RawFd> {
        match self {
            Self::Given(order) => order.read_ends.iter().map(|end| end.as_raw_fd()).collect(),
            Self::Own { readers, .. } => readers.iter().map(AsRawFd::as_raw_fd).collect(),
        }
    }

    fn stages(&self) -> &[Arc<OwnedFd>] {
        match self {
            Self::Given(_) => &[],
            Self::Own { stages, .. } => stages,
        }
    }
}

/// All descriptors that a program finds.
pub(super) struct Layout {
    places: Vec<Place>,
    /// Above all numbers that the program finds.
    above: RawFd,
}

impl Layout {
    /// `null`: an open `/dev/null`. Errors: why that cannot be laid out, after "cannot".
    pub(super) fn new(order: &Order, ends: &Ends<'_>, null: RawFd) -> Result<Self, String> {
        let stdin = order.stdin.as_ref().map_or(null, |fd| fd.as_raw_fd());
        let stdout = ends.stdout().unwrap_or(null);
        let stderr = ends.stderr().unwrap_or(stdout);
        let place = |from: RawFd, to: RawFd, reserved: bool| Place {
            from: AtomicI32::new(from),
            to,
            reserved,
        };
        let mut places = vec![
            place(stdin, 0, true),
            place(stdout, 1, true),
            place(stderr, 2, true),
        ];
        let most = READ_END - FIRST_SOCKET;
        let count = RawFd::try_from(order.sockets.len()).unwrap_or(RawFd::MAX);
        if count > most {
            return Err(format!(
                "pass {count} sockets and stored descriptors to it: {most} is the most, since the numbers from {READ_END} on have another use; let it store fewer (`fd_store`), or listen on fewer addresses"
            ));
        }
        for ((socket, name), to) in order.sockets.iter().zip(FIRST_SOCKET..) {
            if !is_valid_store_name(name) {
                return Err(format!(
                    "pass a descriptor called {name:?} to it: names are up to 255 ASCII characters, none of them `:` or a control character"
                ));
            }
            places.push(place(socket.as_raw_fd(), to, false));
        }
        if let Some((number, end)) = &order.ready_fd {
            let to = ready_number(*number, count)?;
            places.push(place(end.as_raw_fd(), to, false));
        }
        for (end, to) in ends.readers().into_iter().zip([READ_END, READ_END + 1]) {
            places.push(place(end, to, true));
        }
        for (stage, to) in ends.stages().iter().zip([STAGE_END, STAGE_END + 1]) {
            places.push(place(stage.as_raw_fd(), to, true));
        }
        let highest = places.iter().map(|place| place.to).max().unwrap_or(0);
        Ok(Self {
            places,
            above: highest.max(STAGE_END + 1).saturating_add(1),
        })
    }

    /// The numbers in this process of what the program finds.
    pub(super) fn sources(&self) -> impl Iterator<Item = &AtomicI32> {
        self.places.iter().map(|place| &place.from)
    }

    /// In the child, when all is close-on-exec: puts everything in its place. What this process has
    /// under one of those numbers goes elsewhere first: it may be what belongs in another place, the
    /// keeper's socket, or the home's lock, which are needed until the program is executed. Errors: the
    /// error number.
    ///
    /// # Safety
    /// To be called by a child that has its own table of descriptors, and may only make system calls.
    pub(super) unsafe fn lay_out(&self, keeper: Option<&AtomicI32>) -> Result<(), i32> {
        for place in self.places.iter().filter(|place| !place.reserved) {
            // SAFETY: fcntl takes numbers.
            let moved = unsafe { libc::fcntl(place.to, libc::F_DUPFD_CLOEXEC, self.above) };
            if moved < 0 {
                match super::child::errno() {
                    // Nothing is there.
                    libc::EBADF => continue,
                    error => return Err(error),
                }
            }
            let sources = self.places.iter().map(|place| &place.from).chain(keeper);
            for source in sources {
                if source.load(Ordering::Relaxed) == place.to {
                    source.store(moved, Ordering::Relaxed);
                }
            }
        }
        for place in &self.places {
            // SAFETY: dup2 takes numbers. No source is the number of a place any more, so none is
            // overwritten before its turn, and each copy is one that stays open.
            if unsafe { libc::dup2(place.from.load(Ordering::Relaxed), place.to) } < 0 {
                return Err(super::child::errno());
            }
        }
        Ok(())
    }
}

fn ready_number(number: u32, sockets: RawFd) -> Result<RawFd, String> {
    let after = FIRST_SOCKET + sockets;
    let reason = match RawFd::try_from(number) {
        Ok(n) if n < FIRST_SOCKET => "it is one of the standard streams".to_owned(),
        Ok(n) if n < after => format!(
            "its sockets are there, from {FIRST_SOCKET} to {}",
            after - 1
        ),
        Ok(n) if ENDS.contains(&n) => "abide needs it for the program's output".to_owned(),
        Ok(n) if n < 1 << 20 => return Ok(n),
        _ => "no process has so many descriptors".to_owned(),
    };
    Err(format!(
        "give it descriptor {number} to say on that it is ready: {reason}; choose another number for `ready.fd`"
    ))
}

/// The variables of sd_listen_fds(3), but for `LISTEN_PID`.
pub(super) fn listen_variables(order: &Order) -> Vec<(String, String)> {
    if order.sockets.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = order.sockets.iter().map(|(_, name)| &**name).collect();
    vec![
        ("LISTEN_FDS".to_owned(), order.sockets.len().to_string()),
        ("LISTEN_FDNAMES".to_owned(), names.join(":")),
    ]
}

/// `LISTEN_PID=` and a number that only the child knows.
pub(super) struct PidLine(Box<[AtomicU8; LINE]>);

impl PidLine {
    pub(super) fn new() -> Self {
        let line = Self(Box::new([const { AtomicU8::new(0) }; LINE]));
        for (place, byte) in line.0.iter().zip(LISTEN_PID) {
            place.store(*byte, Ordering::Relaxed);
        }
        line
    }

    /// Ends with a zero, whatever the number.
    pub(super) fn as_ptr(&self) -> *const libc::c_char {
        self.0.as_ptr().cast()
    }

    /// Allocates nothing.
    pub(super) fn set(&self, pid: u32) {
        let mut divisor = 1_000_000_000;
        let digits = std::iter::from_fn(|| {
            let digit = pid.checked_div(divisor)? % 10;
            divisor /= 10;
            Some(b'0' + digit as u8)
        });
        let number = digits.skip_while(|digit| *digit == b'0');
        let places = self.0.iter().skip(LISTEN_PID.len());
        for (place, byte) in places.zip(number.chain(std::iter::repeat(0))) {
            place.store(byte, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_the_number_and_ends() {
        let line = PidLine::new();
        for (pid, wanted) in [(u32::MAX, "4294967295"), (4_194_304, "4194304"), (1, "1")] {
            line.set(pid);
            // SAFETY: the line ends with a zero.
            let text = unsafe { std::ffi::CStr::from_ptr(line.as_ptr()) };
            assert_eq!(text.to_str(), Ok(&*format!("LISTEN_PID={wanted}")));
        }
    }

    #[test]
    fn a_number_that_has_another_use_is_refused_in_words() {
        assert_eq!(ready_number(3, 0), Ok(3));
        assert_eq!(ready_number(5, 2), Ok(5));
        for (number, sockets, wanted) in [
            (2, 0, "standard streams"),
            (4, 2, "from 3 to 4"),
            (200, 0, "output"),
            (201, 0, "output"),
            (u32::MAX, 0, "so many"),
        ] {
            let error = ready_number(number, sockets).expect_err("it is taken");
            assert!(error.contains(wanted), "{error}");
        }
    }
}
