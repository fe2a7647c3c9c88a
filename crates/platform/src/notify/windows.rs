#![allow(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BROKEN_PIPE, ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_MORE_DATA,
    ERROR_NO_DATA, ERROR_PIPE_BUSY, ERROR_PIPE_CONNECTED,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_NAME_INFO, FileNameInfo,
    GetFileInformationByHandleEx, PIPE_ACCESS_INBOUND, ReadFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, DisconnectNamedPipe, GetNamedPipeClientProcessId,
    GetNamedPipeHandleStateW, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_MESSAGE,
    PIPE_WAIT, PeekNamedPipe,
};
use windows_sys::Win32::System::Threading::CreateEventW;

use super::{Datagram, Fault, MESSAGE_MAX, Sender};
use crate::logon::Owner;
use crate::private::Descriptor;
use crate::win32::{checked, code, owned, raw, wide};

/// Where the names of pipes begin.
const PLACE: &str = r"\\.\pipe\";

/// How many bytes of messages may wait in the pipe.
const BUFFER: u32 = 16 * MESSAGE_MAX as u32;

/// The end that is read: a pipe of messages, with one instance. Who sends opens it, writes, and closes; the next
/// one's turn comes then. Never blocks, is not inherited by programs.
///
/// Its handle ([`AsHandle`]) is an event: set when there may be a message.
#[derive(Debug)]
pub struct NotifySocket {
    pipe: OwnedHandle,
    event: OwnedHandle,
    address: String,
    wait: RefCell<Wait>,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum For {
    /// Somebody who sends.
    Sender,
    /// Their next message.
    Message,
}

struct Wait {
    what: For,
    /// The system was asked, and says when it has come.
    asked: bool,
    /// Known to the system while something is waited for: stays where it is.
    place: Box<OVERLAPPED>,
}

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.what.fmt(f)
    }
}

// SAFETY: the system writes to the OVERLAPPED from no thread of ours, and knows its address only.
unsafe impl Send for NotifySocket {}

impl NotifySocket {
    /// Makes one, whose name is `name`; `path` is where other systems have it. Beside whoever may command abide `owner` may write
    /// to it, and nobody else.
    ///
    /// # Errors
    /// `AddrInUse` if somebody has the name; others of CreateNamedPipeW.
    pub fn bind(_path: Option<&Path>, name: &str, owner: Option<&Owner>) -> io::Result<Self> {
        let address = format!("{PLACE}{}", name.replace(['\\', '/'], "-"));
        let descriptor = match owner {
            None => Descriptor::of_object(),
            Some(Owner(sid)) => Descriptor::of_pipe_for(sid),
        }?;
        let attributes = descriptor.attributes();
        // SAFETY: the name ends with a zero, the attributes outlive the call, the handle is ours.
        let pipe = unsafe {
            owned(CreateNamedPipeW(
                wide(&address)?.as_ptr(),
                PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                1,
                0,
                BUFFER,
                0,
                &attributes,
            ))
        };
        let pipe = pipe.map_err(|error| match code(&error) {
            Some(ERROR_ACCESS_DENIED | ERROR_PIPE_BUSY) => io::ErrorKind::AddrInUse.into(),
            _ => error,
        })?;
        Self::listening(pipe, address)
    }

    /// One that the keeper held. What was sent meanwhile is in it.
    ///
    /// # Errors
    /// `InvalidInput` if it is no pipe.
    pub fn from_held(pipe: OwnedHandle) -> io::Result<Self> {
        let name = name_of(&pipe)?;
        Self::listening(pipe, format!("{PLACE}{name}"))
    }

    fn listening(pipe: OwnedHandle, address: String) -> io::Result<Self> {
        // SAFETY: it has no name and no attributes; the handle is ours. It is set until it is reset.
        let event = unsafe { owned(CreateEventW(null(), 1, 0, null())) }?;
        let place = Box::new(OVERLAPPED {
            hEvent: raw(&event),
            ..OVERLAPPED::default()
        });
        let socket = Self {
            pipe,
            event,
            address,
            wait: RefCell::new(Wait {
                what: For::Sender,
                asked: false,
                place,
            }),
        };
        socket.listen()?;
        Ok(socket)
    }

    /// The value of `NOTIFY_PIPE`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// For the keeper to hold: what is sent while there is no daemon waits in it.
    #[must_use]
    pub fn held(&self) -> BorrowedHandle<'_> {
        self.pipe.as_handle()
    }

    /// The next message, which stays in the pipe until [`NotifySocket::consume`]: should the daemon die before
    /// it has done what it says, the next one finds it again. `None`: there is none now.
    ///
    /// # Errors
    /// Those of PeekNamedPipe; the next call may succeed.
    pub fn peek(&self) -> io::Result<Option<Datagram>> {
        loop {
            let what = self.wait.borrow().what;
            match (what, self.ended()) {
                (_, Ok(false)) => return Ok(None),
                (For::Sender, Ok(true)) => self.await_message()?,
                (For::Message, Ok(true)) => return self.look().map(Some),
                (_, Err(_)) => self.next_sender()?,
            }
        }
    }

    /// Removes the message that [`NotifySocket::peek`] told. Nothing there: nothing is done.
    ///
    /// # Errors
    /// Those of ReadFile.
    pub fn consume(&self) -> io::Result<()> {
        let is_there = self.wait.borrow().what == For::Message && matches!(self.ended(), Ok(true));
        if !is_there {
            return Ok(());
        }
        let mut text = [0_u8; MESSAGE_MAX];
        // The rest of one that is too long goes with it.
        while self.read(&mut text)? {}
        self.await_message()
    }

    /// The next message, removed from the pipe. `None`: there is none now.
    ///
    /// # Errors
    /// Those of [`NotifySocket::peek`] and [`NotifySocket::consume`].
    pub fn recv(&self) -> io::Result<Option<Datagram>> {
        let message = self.peek()?;
        if message.is_some() {
            self.consume()?;
        }
        Ok(message)
    }

    /// Waits for somebody who sends; they may be there already, and gone again.
    fn listen(&self) -> io::Result<()> {
        let mut wait = self.wait.borrow_mut();
        wait.what = For::Sender;
        // SAFETY: pipe and event are ours; the OVERLAPPED stays where it is until the call is through or
        // was cancelled (see `drop`).
        let answer = checked(unsafe { ConnectNamedPipe(raw(&self.pipe), &mut *wait.place) });
        let Err(error) = answer else {
            wait.asked = true;
            return Ok(());
        };
        wait.asked = code(&error) == Some(ERROR_IO_PENDING);
        drop(wait);
        match code(&error) {
            Some(ERROR_IO_PENDING) => Ok(()),
            Some(ERROR_PIPE_CONNECTED | ERROR_NO_DATA) => self.await_message(),
            _ => Err(error),
        }
    }

    /// Waits for a message of whoever is connected; if they have gone, for somebody else.
    fn await_message(&self) -> io::Result<()> {
        let mut wait = self.wait.borrow_mut();
        wait.what = For::Message;
        let mut nothing = 0_u8;
        // SAFETY: as for `listen`; nothing is read, so that the message stays.
        let answer = checked(unsafe {
            ReadFile(
                raw(&self.pipe),
                &raw mut nothing,
                0,
                null_mut(),
                &mut *wait.place,
            )
        });
        wait.asked = match &answer {
            Ok(()) => true,
            Err(error) => matches!(code(error), Some(ERROR_IO_PENDING | ERROR_MORE_DATA)),
        };
        let asked = wait.asked;
        drop(wait);
        if asked { Ok(()) } else { self.next_sender() }
    }

    fn next_sender(&self) -> io::Result<()> {
        // SAFETY: the handle is borrowed. That nobody is connected is no mistake here.
        unsafe { DisconnectNamedPipe(raw(&self.pipe)) };
        self.listen()
    }

    /// Whether what is waited for has come.
    ///
    /// # Errors
    /// The sender has gone.
    fn ended(&self) -> io::Result<bool> {
        let wait = self.wait.borrow();
        if !wait.asked {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let mut length = 0;
        // SAFETY: the OVERLAPPED is that of the call which is waited for.
        let answer =
            checked(unsafe { GetOverlappedResult(raw(&self.pipe), &*wait.place, &mut length, 0) });
        match answer {
            Ok(()) => Ok(true),
            Err(error) => match code(&error) {
                Some(ERROR_IO_INCOMPLETE) => Ok(false),
                Some(ERROR_MORE_DATA) => Ok(true),
                _ => Err(error),
            },
        }
    }

    /// The message that is there.
    fn look(&self) -> io::Result<Datagram> {
        let mut text = vec![0_u8; MESSAGE_MAX];
        let (mut length, mut rest, mut pid) = (0, 0, 0);
        // SAFETY: the buffer is as long as is said, the numbers go to locals.
        unsafe {
            checked(PeekNamedPipe(
                raw(&self.pipe),
                text.as_mut_ptr().cast(),
                MESSAGE_MAX as u32,
                &mut length,
                null_mut(),
                &mut rest,
            ))?;
            checked(GetNamedPipeClientProcessId(raw(&self.pipe), &mut pid))?;
        }
        text.truncate(length as usize);
        Ok(Datagram {
            text,
            sender: Some(Sender {
                pid,
                uid: u32::MAX,
                gid: u32::MAX,
            }),
            descriptors: Vec::new(),
            fault: (rest > 0).then_some(Fault::TooLong),
        })
    }

    /// Takes bytes of the message that is there; whether there are more of it.
    fn read(&self, text: &mut [u8]) -> io::Result<bool> {
        // SAFETY: it has no name and no attributes; the handle is ours.
        let event = unsafe { owned(CreateEventW(null(), 1, 0, null())) }?;
        let mut place = OVERLAPPED {
            hEvent: raw(&event),
            ..OVERLAPPED::default()
        };
        let mut length = 0;
        // SAFETY: the buffer is as long as is said; it and the OVERLAPPED outlive the call, which is waited
        // for here.
        let answer = unsafe {
            let begun = checked(ReadFile(
                raw(&self.pipe),
                text.as_mut_ptr(),
                text.len() as u32,
                null_mut(),
                &mut place,
            ));
            match begun {
                Err(error) if code(&error) == Some(ERROR_IO_PENDING) => {
                    checked(GetOverlappedResult(raw(&self.pipe), &place, &mut length, 1))
                }
                answer => answer,
            }
        };
        match answer {
            Ok(()) => Ok(false),
            Err(error) => match code(&error) {
                Some(ERROR_MORE_DATA) => Ok(true),
                Some(ERROR_BROKEN_PIPE) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

impl AsHandle for NotifySocket {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.event.as_handle()
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        let wait = self.wait.get_mut();
        if !wait.asked {
            return;
        }
        let mut length = 0;
        // SAFETY: the OVERLAPPED is that of the call which is waited for; it is freed after that is through.
        unsafe {
            CancelIoEx(raw(&self.pipe), &*wait.place);
            GetOverlappedResult(raw(&self.pipe), &*wait.place, &mut length, 1);
        }
    }
}

/// The name of a pipe, without its place.
fn name_of(pipe: &OwnedHandle) -> io::Result<String> {
    const ROOM: usize = 512;
    let wrong = || io::Error::from(io::ErrorKind::InvalidInput);
    let mut instances = 0;
    // SAFETY: the handle is borrowed, the number goes to a local.
    checked(unsafe {
        GetNamedPipeHandleStateW(
            raw(pipe),
            null_mut(),
            &mut instances,
            null_mut(),
            null_mut(),
            null_mut(),
            0,
        )
    })
    .map_err(|_| wrong())?;
    let mut buffer = [0_u32; ROOM];
    // SAFETY: the buffer is aligned for it and as long as is said; the name's length stands before it, and is
    // looked at before the name is.
    let name = unsafe {
        checked(GetFileInformationByHandleEx(
            raw(pipe),
            FileNameInfo,
            buffer.as_mut_ptr().cast(),
            size_of_val(&buffer) as u32,
        ))?;
        let info = buffer.as_ptr().cast::<FILE_NAME_INFO>();
        let length = (*info).FileNameLength as usize / 2;
        let most = (size_of_val(&buffer) - size_of::<u32>()) / 2;
        String::from_utf16_lossy(std::slice::from_raw_parts(
            (&raw const (*info).FileName).cast(),
            length.min(most),
        ))
    };
    let name = name.rsplit('\\').next().unwrap_or_default().to_owned();
    if name.is_empty() {
        Err(wrong())
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::win32::wait;

    const AT_MOST: Option<Duration> = Some(Duration::from_secs(60));

    /// As a program would, waiting for its turn.
    fn send(address: &str, message: &[u8]) -> io::Result<()> {
        super::super::send(address, message, Duration::from_secs(60))
    }

    fn bound(what: &str) -> NotifySocket {
        let name = format!("abide-test-{}-{what}", std::process::id());
        NotifySocket::bind(None, &name, None).expect("it is bound")
    }

    fn next(socket: &NotifySocket) -> Datagram {
        loop {
            assert!(wait(socket, AT_MOST).expect("it can be waited for"));
            if let Some(message) = socket.recv().expect("it works") {
                return message;
            }
        }
    }

    #[test]
    fn a_message_tells_its_sender_and_waits_until_it_is_taken() {
        let socket = bound("sender");
        assert!(socket.recv().expect("it works").is_none());
        assert!(!wait(&socket, Some(Duration::ZERO)).expect("it can be waited for"));
        send(socket.address(), b"READY=1\nSTATUS=up").expect("sent");
        for _ in 0..3 {
            assert!(wait(&socket, AT_MOST).expect("it can be waited for"));
            let message = socket.peek().expect("it works").expect("a message");
            assert_eq!(message.text, b"READY=1\nSTATUS=up");
            let sender = message.sender.expect("the system says");
            assert_eq!(sender.pid, std::process::id());
            assert_eq!(message.fault, None);
        }
        socket.consume().expect("it works");
        assert!(socket.recv().expect("it works").is_none());
        send(socket.address(), b"STOPPING=1").expect("the next one has its turn");
        assert_eq!(next(&socket).text, b"STOPPING=1");
    }

    #[test]
    fn many_who_send_at_once_are_all_heard() {
        let socket = bound("many");
        let address = socket.address().to_owned();
        let senders: Vec<_> = (0..8_u8)
            .map(|number| {
                let address = address.clone();
                std::thread::spawn(move || {
                    for _ in 0..10 {
                        send(&address, &[b'a' + number]).expect("sent");
                    }
                })
            })
            .collect();
        let mut heard = [0; 8];
        for _ in 0..80 {
            let message = next(&socket);
            assert_eq!(message.text.len(), 1, "each is whole and by itself");
            heard[usize::from(message.text[0] - b'a')] += 1;
        }
        assert_eq!(heard, [10; 8]);
        for sender in senders {
            sender.join().expect("it has sent");
        }
    }

    #[test]
    fn one_who_keeps_the_pipe_open_sends_several_messages() {
        let socket = bound("several");
        let mut pipe = OpenOptions::new()
            .write(true)
            .open(socket.address())
            .expect("it is there");
        for text in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
            assert_eq!(pipe.write(text.as_bytes()).expect("sent"), text.len());
        }
        for text in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
            assert_eq!(next(&socket).text, text.as_bytes());
        }
        assert!(socket.recv().expect("it works").is_none());
        drop(pipe);
        let address = socket.address().to_owned();
        let other = std::thread::spawn(move || send(&address, b"READY=1"));
        assert_eq!(next(&socket).text, b"READY=1", "it is another one's turn");
        other.join().expect("it ran").expect("it has sent");
    }

    #[test]
    fn one_who_goes_without_a_word_holds_up_nobody() {
        let socket = bound("silent");
        for _ in 0..3 {
            drop(
                OpenOptions::new()
                    .write(true)
                    .open(socket.address())
                    .expect("it is there"),
            );
            while socket.wait.borrow().what == For::Sender {
                assert!(wait(&socket, AT_MOST).expect("it can be waited for"));
                assert!(socket.recv().expect("it works").is_none());
                if socket.ended().is_ok_and(|ended| !ended) {
                    break;
                }
            }
            send(socket.address(), b"READY=1").expect("sent");
            assert_eq!(next(&socket).text, b"READY=1");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_told_and_the_next_one_is_whole() {
        let socket = bound("long");
        send(socket.address(), &[b'x'; 3 * MESSAGE_MAX]).expect("sent");
        assert_eq!(next(&socket).fault, Some(Fault::TooLong));
        send(socket.address(), &[b'y'; MESSAGE_MAX]).expect("sent");
        let message = next(&socket);
        assert_eq!((message.fault, message.text.len()), (None, MESSAGE_MAX));
    }

    #[test]
    fn what_was_sent_while_nobody_listened_is_found_by_the_next_daemon() {
        let socket = bound("held");
        let address = socket.address().to_owned();
        let held = socket.held().try_clone_to_owned().expect("a duplicate");
        drop(socket);
        send(&address, b"READY=1").expect("it waits in the pipe");
        let socket = NotifySocket::from_held(held).expect("it is one");
        assert_eq!(socket.address(), address);
        assert_eq!(next(&socket).text, b"READY=1");
    }

    #[test]
    fn a_name_that_is_taken_is_refused_and_one_where_nobody_listens_told() {
        let socket = bound("taken");
        let name = socket.address().rsplit('\\').next().expect("a name");
        let taken = NotifySocket::bind(None, name, None).expect_err("it is taken");
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let address = socket.address().to_owned();
        drop(socket);
        let gone = send(&address, b"READY=1").expect_err("nobody listens");
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
