//! What was found on the machine, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::acl::Acl;

/// What is asked of the machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Questions {
    /// What is on the way to these.
    pub paths: BTreeSet<PathBuf>,
    /// What these, which are executed, begin with.
    pub programs: BTreeSet<PathBuf>,
    /// Accounts, by name or number.
    pub users: BTreeSet<String>,
    /// Groups, by name or number.
    pub groups: BTreeSet<String>,
}

/// The answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Facts {
    /// The way from the root to each path.
    pub trails: BTreeMap<PathBuf, Trail>,
    /// Of each program that could be read.
    pub contents: BTreeMap<PathBuf, Contents>,
    /// `None`: there is none.
    pub users: BTreeMap<String, Option<User>>,
    /// `None`: there is none.
    pub groups: BTreeMap<String, Option<u32>>,
    /// Who is in a group, by the group's number: names.
    pub members: BTreeMap<u32, BTreeSet<String>>,
    /// Names of accounts, by number.
    pub names: BTreeMap<u32, String>,
    /// The account of a service that names none.
    pub default_user: User,
    /// The machine's architecture, as ELF files name it; `None`: it executes others' too.
    pub elf_machine: Option<u16>,
    /// The number that stands for accounts which this user namespace cannot see (user_namespaces(7)).
    pub unseen: Option<u32>,
}

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Its other groups.
    pub groups: BTreeSet<u32>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            name: "root".to_owned(),
            uid: 0,
            gid: 0,
            groups: BTreeSet::new(),
        }
    }
}

/// What lies on the way to a path, links followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trail {
    /// Folders from the root on, those of links too, and what the path leads to, if it is there.
    pub nodes: Vec<Node>,
    /// What is at the end.
    pub end: End,
}

/// What is at the end of a trail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The last node is it.
    There,
    /// It, or a folder on the way to it, is not there.
    Missing,
    /// This process may not look.
    Hidden,
    /// Links that lead to each other.
    Loop,
}

/// A file or folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Node {
    pub path: PathBuf,
    pub kind: NodeKind,
    /// Permissions, `0o7777`.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// What says more than the mode.
    pub acl: Option<Acl>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NodeKind {
    Folder,
    File,
    Socket,
    Other,
}

/// What a program begins with, and where it lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Contents {
    pub head: Head,
    /// Its file system is mounted so that nothing on it can be executed.
    pub noexec: bool,
}

/// What a program begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Head {
    /// A binary of this architecture.
    Elf {
        /// `e_machine` (elf(5)).
        machine: u16,
    },
    /// `#!` and this; the way to it is among the trails if it is absolute.
    Script(String),
    /// Nothing at all.
    Empty,
    /// Something else.
    Unknown,
}

impl Node {
    /// Whether this account may execute the file, or enter the folder.
    pub(super) fn may_execute(&self, user: &User) -> bool {
        const EXECUTE: u32 = 0o1;
        if user.uid == 0 {
            // Root executes what somebody may execute.
            return self.kind == NodeKind::Folder || self.mode & 0o111 != 0;
        }
        let is_in = |group| group == user.gid || user.groups.contains(&group);
        let by_mode = if self.uid == user.uid {
            self.mode >> 6
        } else if self.acl.is_none() && is_in(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        let list = self.acl.as_ref().filter(|_| self.uid != user.uid);
        list.and_then(|list| list.allows(user.uid, is_in, self.gid, EXECUTE))
            .unwrap_or(by_mode & EXECUTE != 0)
    }

    /// Accounts and groups that may write to it, beside its owner and everybody.
    pub(super) fn writers(&self) -> (Vec<u32>, Vec<u32>) {
        match &self.acl {
            Some(list) => list.writers(self.gid),
            None if self.mode & 0o020 != 0 => (Vec::new(), vec![self.gid]),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// Its mode as `ls -l` shows it: with a sign where a list says more.
    pub(super) fn permissions(&self) -> String {
        let more = if self.acl.is_some() { "+" } else { "" };
        format!("{:04o}{more}", self.mode)
    }
}

impl Trail {
    /// What the path leads to.
    pub(super) fn last(&self) -> Option<&Node> {
        (self.end == End::There)
            .then(|| self.nodes.last())
            .flatten()
    }

    /// The folders on the way.
    pub(super) fn folders(&self) -> &[Node] {
        match self.end {
            End::There => self.nodes.split_last().map_or(&[], |(_, rest)| rest),
            _ => &self.nodes,
        }
    }
}

impl Facts {
    /// What a path leads to; `None` if it is not there, or was not asked for.
    pub(super) fn node(&self, path: &Path) -> Option<&Node> {
        self.trails.get(path)?.last()
    }

    /// It is known not to be there.
    pub(super) fn missing(&self, path: &Path) -> bool {
        self.trails
            .get(path)
            .is_some_and(|trail| matches!(trail.end, End::Missing | End::Loop))
    }

    /// A name for people.
    pub(super) fn name(&self, uid: u32) -> String {
        match self.names.get(&uid) {
            Some(name) => name.clone(),
            None if uid == 0 => "root".to_owned(),
            None => format!("user {uid}"),
        }
    }
}
