//! The tag: a number in `RLIMIT_LOCKS` that every descendant inherits (getrlimit(2)).
//!
//! ```text
//!   63     60 59        40 39         20 19          0
//!  ┌─────────┬────────────┬─────────────┬─────────────┐
//!  │ 5 or 4  │    home    │    unit     │     run     │
//!  └─────────┴────────────┴─────────────┴─────────────┘
//! ```
//!
//! The highest bit of the run's part tells an auxiliary command (a hook, a probe) from a run: it
//! carries its unit's number like a run does, and ending the one must not end the other. So runs have
//! 19 bits: a tag is shared by two runs of one unit only when half a million lie between them.
//!
//! Outermost, soft and hard limit are both the tag, with a 5 on top. Inside another abide the hard limit
//! is that one's tag already and stays, so that it still finds everything; ours goes into the soft
//! limit, with a 4 on top, which is always below. A third level has no number left: its runs
//! are untagged, and known by session and environment.
//!
//! A kernel of 32 bits takes a number that is larger than its own for no limit at all (kernel/sys.c). So an
//! abide of 32 bits uses both limits for one tag, which a process loses by lowering either, and has none left for a second level:
//!
//! ```text
//!         31     28 27        20 19         0
//!        ┌─────────┬────────────┬────────────┐
//!  hard  │    5    │ home, high │    unit    │
//!  soft  │    4    │ home, low  │    run     │
//!        └─────────┴────────────┴────────────┘
//! ```

use std::hash::Hasher;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use abide_model::{RunId, UnitId};
use rustix::process::{Resource, Rlimit, getrlimit};

const OUTER: u64 = 5;
const NESTED: u64 = 4;
const PART: u64 = 0xf_ffff;
/// In the run's part of a tag: an auxiliary command, not a run.
const AUXILIARY: u64 = 0x8_0000;
/// What is left of the run's part.
const RUN: u64 = AUXILIARY - 1;
/// What each half of a narrow tag has of the home.
const HALF: u64 = 0xff;

/// What a run's processes have as `RLIMIT_LOCKS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag {
    pub soft: u64,
    pub hard: u64,
}

impl Tag {
    /// The number is a tag of some abide, and not a limit that somebody meant.
    pub(crate) fn is_one(self) -> bool {
        self.hard >> 60 == OUTER || self.hard >> 28 == OUTER
    }

    /// A process that carries `other` belongs to the run of this tag. An outermost tag is told by the
    /// hard limit alone: inside an inner abide the soft limit is that one's.
    pub(super) fn covers(self, other: Self) -> bool {
        self == other || (self.soft == self.hard && self.hard == other.hard)
    }
}

/// The tags of one home.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tags {
    home: u64,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Outermost,
    /// Inside an abide whose tag is this.
    Nested(u64),
    /// Outermost, in two numbers of 32 bits.
    Narrow,
    None,
}

impl Tags {
    pub(super) fn new(home: &Path) -> Self {
        Self {
            home: home_number(home),
            place: place(
                getrlimit(Resource::Locks),
                cfg!(target_pointer_width = "32"),
            ),
        }
    }

    pub(super) fn home(&self) -> u64 {
        self.home
    }

    pub(super) fn tag(&self, unit: UnitId, run: RunId) -> Option<Tag> {
        let kind = if is_auxiliary(run) { AUXILIARY } else { 0 };
        let (unit, run) = (u64::from(unit.0) & PART, kind | run.0 & RUN);
        let rest = self.home << 40 | unit << 20 | run;
        match self.place {
            Place::Outermost => Some(Tag {
                soft: OUTER << 60 | rest,
                hard: OUTER << 60 | rest,
            }),
            Place::Nested(hard) => Some(Tag {
                soft: NESTED << 60 | rest,
                hard,
            }),
            Place::Narrow => Some(Tag {
                soft: narrow_half(NESTED, self.home) | run,
                hard: narrow_half(OUTER, self.home >> 8) | unit,
            }),
            Place::None => None,
        }
    }
}

/// One half of a narrow tag, but for its lowest part.
fn narrow_half(top: u64, home: u64) -> u64 {
    top << 28 | (home & HALF) << 20
}

impl Tags {
    /// The auxiliary command of this home that a process with this tag belongs to.
    pub(super) fn auxiliary(&self, tag: Tag) -> Option<(UnitId, RunId)> {
        let (number, top) = match self.place {
            Place::Outermost => (tag.hard, OUTER),
            Place::Nested(hard) if tag.hard == hard => (tag.soft, NESTED),
            Place::Narrow => return self.narrow_auxiliary(tag),
            Place::Nested(_) | Place::None => return None,
        };
        let ours = number >> 40 == top << 20 | self.home && number & AUXILIARY != 0;
        let unit = u32::try_from(number >> 20 & PART).ok()?;
        let n = u32::try_from(number & RUN).ok()?;
        ours.then(|| (UnitId(unit), auxiliary_run(n)))
    }

    fn narrow_auxiliary(&self, tag: Tag) -> Option<(UnitId, RunId)> {
        let (unit, run) = (tag.hard & PART, tag.soft & PART);
        let ours = tag.hard == narrow_half(OUTER, self.home >> 8) | unit
            && tag.soft == narrow_half(NESTED, self.home) | run
            && run & AUXILIARY != 0;
        let unit = u32::try_from(unit).ok()?;
        let n = u32::try_from(run & RUN).ok()?;
        ours.then(|| (UnitId(unit), auxiliary_run(n)))
    }
}

/// Above every number that a run will ever have.
const AUXILIARY_RUN: u64 = 1 << 63;

/// The number by which the tree of an auxiliary command is known where a run's is asked for.
pub(super) fn auxiliary_run(n: u32) -> RunId {
    RunId(AUXILIARY_RUN | u64::from(n) & RUN)
}

pub(super) fn is_auxiliary(run: RunId) -> bool {
    run.0 & AUXILIARY_RUN != 0
}

/// The `n` of [`auxiliary_run`].
pub(super) fn number_of(run: RunId) -> u64 {
    run.0 & RUN
}

/// `narrow`: limits may have only 32 bits here.
fn place(limit: Rlimit, narrow: bool) -> Place {
    let hard = limit.maximum.unwrap_or(u64::MAX);
    match hard >> 60 {
        OUTER => match limit.current.map(|soft| soft >> 60) {
            Some(OUTER) => Place::Nested(hard),
            _ => Place::None,
        },
        above if above > OUTER && narrow => Place::Narrow,
        above if above > OUTER => Place::Outermost,
        // Somebody has set a real limit, below any tag; or it is a narrow one.
        _ => Place::None,
    }
}

/// A number for a home, the same for every daemon of it: from its place and its inode.
fn home_number(home: &Path) -> u64 {
    // FNV-1a: must not differ between versions of the standard library.
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    let real = std::fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    hash.write(real.as_os_str().as_bytes());
    if let Ok(meta) = std::fs::metadata(&real) {
        hash.write(&meta.dev().to_ne_bytes());
        hash.write(&meta.ino().to_ne_bytes());
    }
    (hash.0 ^ hash.0 >> 20 ^ hash.0 >> 40) & PART
}

/// Reads the tag out of `/proc/PID/limits` (proc_pid_limits(5)). `None`: no number there.
pub(super) fn parse_limits(text: &[u8]) -> Option<Tag> {
    let at = memory_find(text, b"Max file locks")?;
    let mut words = text
        .get(at..)?
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty())
        .skip(3);
    let mut number = || -> Option<u64> { std::str::from_utf8(words.next()?).ok()?.parse().ok() };
    Some(Tag {
        soft: number()?,
        hard: number()?,
    })
}

fn memory_find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNLIMITED: Rlimit = Rlimit {
        current: None,
        maximum: None,
    };

    #[test]
    fn a_tag_is_found_in_the_text_of_proc() {
        let text =
            b"Max locked memory         8388608              8388608              bytes     \n\
            Max address space         unlimited            unlimited            bytes     \n\
            Max file locks            5764607523034234887  5764607523034234888  locks     \n\
            Max pending signals       unlimited            95000                signals   \n";
        let tag = Tag {
            soft: 5_764_607_523_034_234_887,
            hard: 5_764_607_523_034_234_888,
        };
        assert_eq!(parse_limits(text), Some(tag));
        assert_eq!(
            parse_limits(b"Max file locks            unlimited            unlimited   locks"),
            None
        );
        assert_eq!(parse_limits(b""), None);
    }

    #[test]
    fn an_auxiliary_command_is_told_from_a_run_of_the_same_unit_and_number() {
        let tags = Tags {
            home: 0xabcde,
            place: Place::Outermost,
        };
        let tag = |run| tags.tag(UnitId(7), run).expect("nothing is in the way");
        let (run, auxiliary) = (tag(RunId(3)), tag(auxiliary_run(3)));
        assert!(!run.covers(auxiliary) && !auxiliary.covers(run));
        assert_eq!(
            tags.auxiliary(auxiliary),
            Some((UnitId(7), auxiliary_run(3)))
        );
        assert_eq!(tags.auxiliary(run), None);
        let other = Tags {
            home: 0xabcdf,
            ..tags
        };
        assert_eq!(other.auxiliary(auxiliary), None);
        // A run of so high a number is still a run.
        assert_eq!(tags.auxiliary(tag(RunId(0xf_ffff))), None);
    }

    #[test]
    fn an_inner_abide_leaves_the_outer_ones_tag_in_place() {
        let outer = Tags {
            home: 0xabcde,
            place: place(UNLIMITED, false),
        };
        let tag = outer
            .tag(UnitId(7), RunId(3))
            .expect("nothing is in the way");
        assert_eq!(tag.soft, tag.hard);
        let limit = Rlimit {
            current: Some(tag.soft),
            maximum: Some(tag.hard),
        };
        let inner = Tags {
            home: 1,
            place: place(limit, false),
        };
        let nested = inner
            .tag(UnitId(7), RunId(3))
            .expect("one level of nesting has a number");
        assert_eq!(nested.hard, tag.hard);
        assert!(nested.soft < nested.hard);
        let third = Rlimit {
            current: Some(nested.soft),
            maximum: Some(nested.hard),
        };
        assert_eq!(place(third, false), Place::None);
    }

    #[test]
    fn where_limits_have_32_bits_a_tag_is_two_of_them() {
        let tags = Tags {
            home: 0xabcde,
            place: place(UNLIMITED, true),
        };
        let tag = |unit, run| tags.tag(UnitId(unit), run).expect("nothing is in the way");
        let (run, auxiliary) = (tag(7, RunId(3)), tag(7, auxiliary_run(3)));
        for tag in [run, auxiliary] {
            assert!(tag.soft < tag.hard && tag.hard <= u64::from(u32::MAX));
            assert!(tag.is_one());
        }
        assert!(run.covers(run));
        for other in [auxiliary, tag(8, RunId(3)), tag(7, RunId(4))] {
            assert!(!run.covers(other) && !other.covers(run), "{other:?}");
        }
        assert_eq!(
            tags.auxiliary(auxiliary),
            Some((UnitId(7), auxiliary_run(3)))
        );
        assert_eq!(tags.auxiliary(run), None);
        // Either half of the home is another.
        for home in [0xabcdf, 0xacdde] {
            let other = Tags { home, ..tags };
            assert_eq!(other.auxiliary(auxiliary), None);
            assert_ne!(other.tag(UnitId(7), RunId(3)), Some(run));
        }
        let inner = Rlimit {
            current: Some(run.soft),
            maximum: Some(run.hard),
        };
        assert_eq!(place(inner, true), Place::None);
        assert_eq!(place(inner, false), Place::None);
    }
}
