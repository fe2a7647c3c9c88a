//! The text of a message: assignments, one a line (sd_notify(3)).

use std::time::Duration;

/// The most of a status that is kept, in bytes.
pub const STATUS_MAX: usize = 1024;

/// What stored descriptors are called that came without `FDNAME=`.
pub const DEFAULT_STORE_NAME: &str = "stored";

/// The longest name of stored descriptors, in bytes.
const NAME_MAX: usize = 255;

/// How much of what makes no sense is repeated to people.
const SHOWN: usize = 64;

/// One thing that a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// `READY=1`: it is up, or through with a reload.
    Ready,
    /// `RELOADING=1`: it reads its configuration again; [`Notice::Ready`] follows.
    Reloading {
        /// `MONOTONIC_USEC=`: when it began, on `CLOCK_MONOTONIC`.
        since_boot: Option<Duration>,
    },
    /// `STOPPING=1`: it is on its way down.
    Stopping,
    /// `STATUS=`: one line for people, at most [`STATUS_MAX`] bytes, control characters and all: to be
    /// escaped by whoever shows it.
    Status(String),
    /// `ERRNO=`: what failed, as an error number.
    Errno(i32),
    /// `MAINPID=`: this is its main process from now on. Greater than 0.
    MainPid(u32),
    /// `WATCHDOG=1`: it lives.
    Watchdog,
    /// `WATCHDOG=trigger`: it wants to be taken for one that hangs.
    WatchdogTrigger,
    /// `WATCHDOG_USEC=`: from now on it says that it lives this often. Never zero.
    WatchdogInterval(Duration),
    /// `EXTEND_TIMEOUT_USEC=`: it starts, stops or reloads, and needs this long from now on.
    ExtendTimeout(Duration),
    /// `EXIT_STATUS=`: what it will exit with.
    ExitStatus(u8),
    /// `FDSTORE=1`: the descriptors of this message are to be kept for its next run.
    Store {
        /// `FDNAME=`, or [`DEFAULT_STORE_NAME`].
        name: String,
        /// They are to be dropped when they hang up or fail; not so with `FDPOLL=0`.
        watch: bool,
    },
    /// `FDSTOREREMOVE=1`: those of this name are not needed any more.
    Remove {
        /// `FDNAME=`.
        name: String,
    },
    /// `BARRIER=1`: the sender waits until the descriptor of this message is closed, and with it all that
    /// it said before is done. The only notice of its message.
    Barrier,
    /// A part of it, or all, makes no sense, and was left out.
    Malformed {
        /// What, in words for people; no control characters, of bounded length.
        what: String,
    },
}

/// Reads a message. What is not known is skipped, as newer programs say things that older managers need
/// not know; `BUSERROR=` and what else is of no use here, too. Of several `FDNAME=`, `FDPOLL=` or
/// `MONOTONIC_USEC=` the first counts.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<Notice> {
    // Programs in C send the terminating zero along.
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.contains(&0) {
        return vec![malformed("a message with a zero byte in it")];
    }
    let mut notices = Vec::new();
    let mut known = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
        match assignment(line) {
            Ok(pair) => known.push(pair),
            Err(what) => notices.push(Notice::Malformed { what }),
        }
    }
    if known.contains(&("BARRIER", b"1".as_slice())) {
        return if known.len() == 1 && notices.is_empty() {
            vec![Notice::Barrier]
        } else {
            vec![malformed("BARRIER=1 together with something else")]
        };
    }
    notices.extend(
        known
            .iter()
            .filter_map(|(key, value)| notice(key, value, &known)),
    );
    notices
}

/// Whether stored descriptors may be called that: up to 255 characters of ASCII, none of them a control
/// character or `:`, which separates the names in `LISTEN_FDNAMES` (sd_notify(3), `FDNAME=`).
#[must_use]
pub fn is_valid_store_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name
            .bytes()
            .all(|byte| byte.is_ascii() && !byte.is_ascii_control() && byte != b':')
}

type Pair<'a> = (&'a str, &'a [u8]);

fn assignment(line: &[u8]) -> Result<Pair<'_>, String> {
    let equals = line.iter().position(|byte| *byte == b'=');
    let (key, value) = equals
        .and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?)))
        .ok_or_else(|| format!("{} without `=`", shown(line)))?;
    match std::str::from_utf8(key) {
        Ok("") => Err(format!("{} without a name before `=`", shown(line))),
        Ok(key) => Ok((key, value)),
        Err(_) => Err(format!("{}, whose name is not UTF-8", shown(line))),
    }
}

/// What one assignment says, in the light of the others; `None`: nothing of its own.
fn notice(key: &str, value: &[u8], all: &[Pair<'_>]) -> Option<Notice> {
    let only_one = |notice: Notice| match value {
        b"1" => notice,
        _ => malformed(&format!("{key}={}: only 1 means something", shown(value))),
    };
    Some(match key {
        "READY" => only_one(Notice::Ready),
        "STOPPING" => only_one(Notice::Stopping),
        "RELOADING" => match first(all, "MONOTONIC_USEC").map(|v| micros("MONOTONIC_USEC", v)) {
            Some(Err(what)) => Notice::Malformed { what },
            Some(Ok(since_boot)) => only_one(Notice::Reloading {
                since_boot: Some(since_boot),
            }),
            None => only_one(Notice::Reloading { since_boot: None }),
        },
        "STATUS" => Notice::Status(bounded(value, STATUS_MAX)),
        "ERRNO" => number(key, value, i32::MAX as u64)
            .and_then(|n| i32::try_from(n).map_err(|e| e.to_string()))
            .map_or_else(Notice::bad, Notice::Errno),
        "MAINPID" => number(key, value, i32::MAX as u64)
            .and_then(|n| match u32::try_from(n) {
                Ok(pid) if pid > 0 => Ok(pid),
                _ => Err("MAINPID=0: no process has this number".to_owned()),
            })
            .map_or_else(Notice::bad, Notice::MainPid),
        "WATCHDOG" => match value {
            b"1" => Notice::Watchdog,
            b"trigger" => Notice::WatchdogTrigger,
            _ => malformed(&format!(
                "WATCHDOG={}: only 1 and trigger mean something",
                shown(value)
            )),
        },
        "WATCHDOG_USEC" => match micros(key, value) {
            Ok(Duration::ZERO) => malformed("WATCHDOG_USEC=0: it cannot be switched off like that"),
            other => other.map_or_else(Notice::bad, Notice::WatchdogInterval),
        },
        "EXTEND_TIMEOUT_USEC" => micros(key, value).map_or_else(Notice::bad, Notice::ExtendTimeout),
        "EXIT_STATUS" => number(key, value, u64::from(u8::MAX))
            .and_then(|n| u8::try_from(n).map_err(|e| e.to_string()))
            .map_or_else(Notice::bad, Notice::ExitStatus),
        "FDSTORE" => only_one(match store_name(all) {
            Some(Err(what)) => Notice::Malformed { what },
            name => Notice::Store {
                name: name
                    .and_then(Result::ok)
                    .unwrap_or_else(|| DEFAULT_STORE_NAME.to_owned()),
                watch: first(all, "FDPOLL") != Some(b"0"),
            },
        }),
        "FDSTOREREMOVE" => only_one(match store_name(all) {
            Some(Ok(name)) => Notice::Remove { name },
            Some(Err(what)) => Notice::Malformed { what },
            None => malformed("FDSTOREREMOVE=1 without FDNAME="),
        }),
        _ => return None,
    })
}

impl Notice {
    fn bad(what: String) -> Self {
        Self::Malformed { what }
    }
}

fn malformed(what: &str) -> Notice {
    Notice::bad(what.to_owned())
}

fn first<'a>(all: &[Pair<'a>], wanted: &str) -> Option<&'a [u8]> {
    all.iter()
        .find(|(key, _)| *key == wanted)
        .map(|(_, value)| *value)
}

fn store_name(all: &[Pair<'_>]) -> Option<Result<String, String>> {
    let value = first(all, "FDNAME")?;
    Some(
        match std::str::from_utf8(value).map(|name| (name, is_valid_store_name(name))) {
            Ok((name, true)) => Ok(name.to_owned()),
            _ => Err(format!(
                "FDNAME={}: a name is up to {NAME_MAX} ASCII characters, none of them `:` or a control character",
                shown(value)
            )),
        },
    )
}

fn micros(key: &str, value: &[u8]) -> Result<Duration, String> {
    number(key, value, u64::MAX).map(Duration::from_micros)
}

fn number(key: &str, value: &[u8], most: u64) -> Result<u64, String> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(format!("{key}={}: not a number", shown(value)));
    }
    match text.parse() {
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("{key}={}: more than {most}", shown(value))),
    }
}

/// At most so many bytes, and whole characters.
fn bounded(text: &[u8], most: usize) -> String {
    let mut kept = String::new();
    for character in String::from_utf8_lossy(text).chars() {
        if kept.len() + character.len_utf8() > most {
            break;
        }
        kept.push(character);
    }
    kept
}

/// As much as people need to find it in their program.
fn shown(text: &[u8]) -> String {
    let shown = bounded(text, SHOWN).escape_debug().to_string();
    if text.len() > SHOWN {
        format!("{shown}…")
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_malformed(text: &[u8], wanted: &str) {
        match &parse(text)[..] {
            [Notice::Malformed { what }] => assert!(what.contains(wanted), "{what}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn the_examples_of_the_manual_are_understood() {
        assert_eq!(parse(b"READY=1"), [Notice::Ready]);
        assert_eq!(
            parse(b"READY=1\nSTATUS=Processing requests...\nMAINPID=4711"),
            [
                Notice::Ready,
                Notice::Status("Processing requests...".into()),
                Notice::MainPid(4711)
            ]
        );
        assert_eq!(
            parse(b"STATUS=Failed to start up: No such file or directory\nERRNO=2"),
            [
                Notice::Status("Failed to start up: No such file or directory".into()),
                Notice::Errno(2)
            ]
        );
        assert_eq!(
            parse(b"FDSTORE=1\nFDNAME=foobar"),
            [Notice::Store {
                name: "foobar".into(),
                watch: true
            }]
        );
        assert_eq!(
            parse(b"RELOADING=1\nMONOTONIC_USEC=1500000\nSTATUS=Reloading"),
            [
                Notice::Reloading {
                    since_boot: Some(Duration::from_millis(1500))
                },
                Notice::Status("Reloading".into())
            ]
        );
        assert_eq!(parse(b"BARRIER=1"), [Notice::Barrier]);
    }

    #[test]
    fn everything_else_that_a_program_may_say_is_understood() {
        assert_eq!(
            parse(b"STOPPING=1\nWATCHDOG=1\nWATCHDOG=trigger\nWATCHDOG_USEC=20000000\nEXTEND_TIMEOUT_USEC=5\nEXIT_STATUS=7\n"),
            [
                Notice::Stopping,
                Notice::Watchdog,
                Notice::WatchdogTrigger,
                Notice::WatchdogInterval(Duration::from_secs(20)),
                Notice::ExtendTimeout(Duration::from_micros(5)),
                Notice::ExitStatus(7)
            ]
        );
        assert_eq!(
            parse(b"FDSTORE=1\nFDPOLL=0"),
            [Notice::Store {
                name: "stored".into(),
                watch: false
            }]
        );
        assert_eq!(
            parse(b"FDNAME=a b\nFDSTOREREMOVE=1"),
            [Notice::Remove { name: "a b".into() }]
        );
        assert_eq!(
            parse(b"RELOADING=1"),
            [Notice::Reloading { since_boot: None }]
        );
    }

    #[test]
    fn what_is_of_no_use_is_skipped() {
        assert_eq!(parse(b""), []);
        assert_eq!(
            parse(b"X_MINE=2\nBUSERROR=org.x.Y\nNOTIFYACCESS=all\n\n"),
            []
        );
        assert_eq!(parse(b"READY=1\n\0"), [Notice::Ready]);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        is_malformed(b"READY", "READY without `=`");
        is_malformed(b"=1", "without a name");
        is_malformed(b"\xff\xfe=1", "not UTF-8");
        is_malformed(b"READY=yes", "READY=yes");
        is_malformed(b"READY=1\0STATUS=x", "zero byte");
        is_malformed(b"MAINPID=0", "no process");
        is_malformed(b"MAINPID=-1", "not a number");
        is_malformed(b"MAINPID=99999999999999999999", "more than");
        is_malformed(b"MAINPID=", "not a number");
        is_malformed(b"WATCHDOG_USEC=18446744073709551616", "more than");
        is_malformed(b"WATCHDOG_USEC=0", "switched off");
        is_malformed(b"EXIT_STATUS=256", "more than 255");
        is_malformed(b"WATCHDOG=2", "trigger");
        is_malformed(b"BARRIER=1\nREADY=1", "together");
        is_malformed(b"FDSTOREREMOVE=1", "without FDNAME");
        is_malformed(b"FDSTORE=1\nFDNAME=a:b", "FDNAME=a:b");
        is_malformed(b"RELOADING=1\nMONOTONIC_USEC=x", "MONOTONIC_USEC=x");
        is_malformed("ERRNO=\u{7}".as_bytes(), "ERRNO=\\u{7}");
    }

    #[test]
    fn a_bad_line_does_not_spoil_the_others() {
        let notices = parse(b"garbage\nREADY=1");
        assert!(matches!(notices[0], Notice::Malformed { .. }));
        assert_eq!(notices[1..], [Notice::Ready]);
    }

    #[test]
    fn a_status_is_bounded_and_always_text() {
        let long = [b"STATUS=".as_slice(), "é".repeat(2000).as_bytes()].concat();
        assert_eq!(parse(&long), [Notice::Status("é".repeat(512))]);
        assert_eq!(
            parse(b"STATUS=a\xffb"),
            [Notice::Status("a\u{fffd}b".into())]
        );
        assert_eq!(parse(b"STATUS="), [Notice::Status(String::new())]);
    }

    #[test]
    fn names_of_stored_descriptors_are_those_that_fit_a_list() {
        assert!(is_valid_store_name("web-1 (main)"));
        assert!(is_valid_store_name(&"x".repeat(255)));
        assert!(!is_valid_store_name(&"x".repeat(256)));
        for bad in ["a:b", "a\nb", "é", "\u{7f}"] {
            assert!(!is_valid_store_name(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_message_is_read_without_harm(text in proptest::collection::vec(any::<u8>(), 0..5000)) {
            for notice in parse(&text) {
                match notice {
                    Notice::Status(text) => prop_assert!(text.len() <= STATUS_MAX),
                    Notice::Malformed { what } => {
                        prop_assert!(what.len() < 1000 && !what.chars().any(char::is_control));
                    }
                    Notice::Store { name, .. } | Notice::Remove { name } => {
                        prop_assert!(is_valid_store_name(&name));
                    }
                    _ => {}
                }
            }
        }

        #[test]
        fn any_assignments_are_read_without_harm(
            lines in proptest::collection::vec((0_usize..16, "[ -~é]{0,300}"), 0..12)
        ) {
            const KEYS: [&str; 16] = [
                "READY", "RELOADING", "MONOTONIC_USEC", "STOPPING", "STATUS", "ERRNO", "MAINPID",
                "WATCHDOG", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "EXIT_STATUS", "FDSTORE",
                "FDSTOREREMOVE", "FDNAME", "FDPOLL", "BARRIER",
            ];
            let text: String = lines.iter().map(|(key, value)| format!("{}={value}\n", KEYS[*key])).collect();
            let notices = parse(text.as_bytes());
            prop_assert!(notices.len() <= lines.len());
            for notice in notices {
                if let Notice::MainPid(pid) = notice {
                    prop_assert!(pid > 0 && i32::try_from(pid).is_ok());
                }
            }
        }

        #[test]
        fn numbers_are_read_back(pid in 1..=i32::MAX as u32, micros in 1..u64::MAX) {
            let text = format!("MAINPID={pid}\nWATCHDOG_USEC={micros}\nEXTEND_TIMEOUT_USEC={micros}");
            prop_assert_eq!(
                parse(text.as_bytes()),
                vec![
                    Notice::MainPid(pid),
                    Notice::WatchdogInterval(Duration::from_micros(micros)),
                    Notice::ExtendTimeout(Duration::from_micros(micros)),
                ]
            );
        }
    }
}
