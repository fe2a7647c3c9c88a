//! Looking at the control groups of many runs: what they have in common is opened, and asked, once.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;

use super::limited::number_in;
use super::{RunTree, group, room};
use crate::kernel_file;
use crate::limits::Controller;

/// The groups of a home at the moment of a look.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The home's group of v2.
    path: PathBuf,
    /// The same, open: the way to each unit's file is two names long then.
    home: Option<OwnedFd>,
    /// No program has made a group below its own.
    flat: bool,
    memory: bool,
    io: bool,
}

/// Memory that is used from one file to the next.
#[derive(Default, Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    pub text: Vec<u8>,
}

impl Survey {
    /// Begins a look at runs of the home that this run is of.
    pub(crate) fn begin(run: &RunTree) -> Self {
        let groups = &run.0.groups;
        let mut survey = Self {
            path: PathBuf::new(),
            home: None,
            flat: false,
            memory: groups.legacy.is_used(Controller::Memory),
            io: groups.legacy.is_used(Controller::Io),
        };
        if let Ok(home) = &groups.unified {
            survey.path = home.path().to_path_buf();
            survey.home = group::open(home.path()).ok();
            survey.flat = is_flat(home.path());
            let counts = |controller| room::is_passed_on(home.path(), controller);
            survey.memory |= counts(Controller::Memory);
            survey.io |= counts(Controller::Io);
        }
        survey
    }

    /// Whether this controller may count the run. Where it limits no unit it mostly counts none.
    pub(crate) fn counts(&self, run: &RunTree, controller: Controller) -> bool {
        let here = match controller {
            Controller::Memory => self.memory,
            Controller::Io => self.io,
            // Time is counted in every group of v2.
            Controller::Cpu | Controller::Processes => true,
        };
        here || run.0.group.as_deref().is_some_and(|group| !self.has(group))
    }

    /// A daemon before this one may have been started elsewhere, and made its groups there.
    fn has(&self, group: &Path) -> bool {
        self.home.is_some() && group.starts_with(&self.path)
    }

    /// The processes of the run, if it has a control group.
    pub(crate) fn members(&self, run: &RunTree, scratch: &mut Scratch) -> Option<Vec<u32>> {
        let group = run.0.group.as_deref()?;
        if !self.flat || !self.has(group) {
            return Some(group::all_members(group));
        }
        // A group that is gone has no members.
        let text = self.read(group, "cgroup.procs", scratch).unwrap_or("");
        Some(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// What is in a file of the run's group of v2.
    pub(crate) fn file<'s>(
        &self,
        run: &RunTree,
        file: &str,
        scratch: &'s mut Scratch,
    ) -> Option<&'s str> {
        self.read(run.0.group.as_deref()?, file, scratch)
    }

    fn read<'s>(&self, group: &Path, file: &str, scratch: &'s mut Scratch) -> Option<&'s str> {
        let inside = group.strip_prefix(&self.path);
        let (directory, group): (BorrowedFd<'_>, _) = match (&self.home, inside) {
            (Some(home), Ok(inside)) => (home.as_fd(), inside),
            _ => (CWD, group),
        };
        scratch.path.clear();
        scratch.path.push(group);
        scratch.path.push(file);
        kernel_file::bytes_at(directory, &scratch.path, &mut scratch.text).ok()?;
        std::str::from_utf8(&scratch.text).ok()
    }
}

/// Every group below this one is directly below it: a directory of the kernel's has a link for itself, one
/// in its parent and one for each directory in it.
fn is_flat(home: &Path) -> bool {
    let children = std::fs::metadata(home).map(|home| home.nlink().saturating_sub(2));
    let all = kernel_file::text(&home.join("cgroup.stat")).ok();
    let all = all.and_then(|text| number_in(&text, "nr_descendants"));
    children.is_ok_and(|children| all == Some(children))
}
