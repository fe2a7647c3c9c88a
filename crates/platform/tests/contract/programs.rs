//! The programs that are guarded.

#![allow(unsafe_code)] // fork, and leaving everything behind, is what these are for

use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, FromRawFd};
use std::os::unix::net::UnixDatagram;
use std::process::exit;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

pub fn main(arguments: &[String]) -> ! {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["exit", code] => exit(code.parse().expect("a number")),
        ["signal", signal] => {
            // SAFETY: kills this process.
            unsafe { libc::kill(libc::getpid(), signal.parse().expect("a number")) };
            idle()
        }
        ["idle"] => idle(),
        ["escape"] => {
            escape();
            idle()
        }
        ["hop"] => {
            escape();
            hop()
        }
        ["report", file] => report(file),
        ["serve", fd] => serve(fd.parse().expect("a number")),
        ["ready", fd] => ready(fd.parse().expect("a number")),
        ["notify", text] => notify(text),
        ["background", file] => background(file),
        _ => exit(64),
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that does nothing")]
fn idle() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Everything that a program does to get away.
fn escape() {
    // SAFETY: this process has one thread, so a forked child may go on as it likes.
    unsafe {
        libc::clearenv();
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        if libc::fork() != 0 {
            libc::_exit(0);
        }
        libc::setsid();
        if libc::fork() != 0 {
            libc::_exit(0);
        }
        libc::setsid();
        for fd in 0..1024 {
            libc::close(fd);
        }
        libc::chdir(c"/".as_ptr());
        libc::prctl(libc::PR_SET_NAME, c"innocent".as_ptr());
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
    }
}

/// For at most 20 s, so that a failing test leaves nothing for ever.
fn hop() -> ! {
    let end = std::time::Instant::now() + Duration::from_secs(20);
    // SAFETY: as above.
    unsafe {
        while std::time::Instant::now() < end {
            if libc::fork() != 0 {
                libc::_exit(0);
            }
            libc::setsid();
            libc::usleep(200);
        }
        libc::_exit(0)
    }
}

/// Answers each connection with its own number.
fn serve(fd: i32) -> ! {
    // SAFETY: it was passed to this program for this.
    let listener = unsafe { TcpListener::from_raw_fd(fd) };
    loop {
        let (mut stream, _) = listener.accept().expect("it blocks until somebody comes");
        write!(stream, "{}", std::process::id()).expect("somebody listens");
    }
}

fn ready(fd: i32) -> ! {
    // SAFETY: as above.
    let mut file = unsafe { std::fs::File::from_raw_fd(fd) };
    file.write_all(b"\n").expect("somebody reads");
    idle()
}

/// As sd_notify(3), with a descriptor along.
fn notify(text: &str) -> ! {
    let address = std::env::var("NOTIFY_SOCKET").expect("it is set");
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.connect(address).expect("somebody holds it");
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [writer.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    let part = [IoSlice::new(text.as_bytes())];
    sendmsg(&socket, &part, &mut control, SendFlags::empty()).expect("it is sent");
    idle()
}

/// Makes a process of its own session that goes on, and says which.
fn background(file: &str) -> ! {
    // SAFETY: as above.
    unsafe {
        if libc::fork() != 0 {
            idle()
        }
        libc::setsid();
    }
    let new = format!("{file}.new");
    std::fs::write(&new, std::process::id().to_string()).expect("it is written");
    std::fs::rename(&new, file).expect("it is there");
    idle()
}

/// Writes down what it finds itself in.
fn report(file: &str) -> ! {
    let mut fds: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .expect("proc")
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    fds.sort_unstable();
    // The one that looks through the directory.
    fds.retain(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok());
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let limits = std::fs::read_to_string("/proc/self/limits").expect("proc");
    let mut out = Vec::new();
    writeln!(out, "fds {fds:?}").expect("memory");
    writeln!(
        out,
        "cwd {}",
        std::env::current_dir().expect("a directory").display()
    )
    .expect("memory");
    for (name, value) in std::env::vars() {
        writeln!(out, "env {name}={value}").expect("memory");
    }
    // SAFETY: plain queries of this process.
    let (session, pid, nice) = unsafe {
        (
            libc::getsid(0),
            libc::getpid(),
            libc::getpriority(libc::PRIO_PROCESS, 0),
        )
    };
    writeln!(out, "leads {}", session == pid).expect("memory");
    writeln!(out, "nice {nice}").expect("memory");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(limits.as_bytes());
    let new = format!("{file}.new");
    std::fs::write(&new, out).expect("the report is written");
    std::fs::rename(&new, file).expect("the report is there");
    exit(0)
}
