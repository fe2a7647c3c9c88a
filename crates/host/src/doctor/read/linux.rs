//! Files, accounts and sockets of a Unix system.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};

use super::accounts::Accounts;
use crate::Error;
use crate::doctor::acl::Acl;
use crate::doctor::facts::{Contents, End, Facts, Head, Node, NodeKind, Questions, Trail, User};
use crate::doctor::ports::{self, Listener};
use crate::plan::Call;

/// As many links as the kernel follows (path_resolution(7)).
const LINKS: u32 = 40;

/// How long a directory server may take to say whether it knows an account.
const ANSWER: Duration = Duration::from_secs(10);

/// Answers all of them.
pub(in crate::doctor) fn facts(questions: &Questions) -> Result<Facts, Error> {
    let mut facts = Facts {
        trails: trails(questions.paths.iter()),
        default_user: myself(&Accounts::default()),
        elf_machine: elf_machine(),
        unseen: unseen(),
        ..Facts::default()
    };
    for program in &questions.programs {
        let Some(node) = facts.node(program) else {
            continue;
        };
        if node.kind != NodeKind::File {
            continue;
        }
        let Some(head) = head(program) else { continue };
        if let Head::Script(interpreter) = &head
            && interpreter.starts_with('/')
        {
            facts
                .trails
                .extend(trails([PathBuf::from(interpreter)].iter()));
        }
        let flags = statvfs(program).map(|found| found.f_flag);
        let noexec = flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::NOEXEC));
        facts
            .contents
            .insert(program.clone(), Contents { head, noexec });
    }
    let accounts = accounts(questions)?;
    facts.default_user = myself(&accounts);
    for name in &questions.users {
        facts.users.insert(name.clone(), accounts.user(name));
    }
    for name in &questions.groups {
        facts.groups.insert(name.clone(), accounts.group(name));
    }
    facts.members = accounts.members();
    facts.names = accounts.names();
    Ok(facts)
}

/// The machine's accounts, with those that only a directory server knows and that were asked for.
fn accounts(questions: &Questions) -> Result<Accounts, Error> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (mut passwd, mut group) = (read("/etc/passwd"), read("/etc/group"));
    let known = Accounts::parse(&passwd, &group);
    let ask = |database: &str, name: &str| -> Result<String, Error> {
        match Call::new(["getent", database, name]).run(ANSWER) {
            Ok(said) => Ok(format!("\n{}", said.out)),
            // Without that program there is no directory server.
            Err(Error::Failed { .. }) => Ok(String::new()),
            Err(error) => Err(error),
        }
    };
    for name in &questions.users {
        if known.user(name).is_none() {
            passwd.push_str(&ask("passwd", name)?);
        }
    }
    for name in &questions.groups {
        if known.group(name).is_none() {
            group.push_str(&ask("group", name)?);
        }
    }
    Ok(Accounts::parse(&passwd, &group))
}

fn myself(accounts: &Accounts) -> User {
    let uid = crate::process::user();
    accounts.user(&uid.to_string()).unwrap_or_default()
}

fn trails<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> BTreeMap<PathBuf, Trail> {
    paths.map(|path| (path.clone(), trail(path))).collect()
}

/// Every folder that is gone through on the way to a path, as the kernel goes.
fn trail(path: &Path) -> Trail {
    let mut nodes = Vec::new();
    if let Ok(root) = fs::metadata("/") {
        nodes.push(node(PathBuf::from("/"), &root));
    }
    let parts = |path: &Path| -> VecDeque<OsString> {
        path.components()
            .filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
            .map(|part| part.as_os_str().to_owned())
            .collect()
    };
    let mut here = PathBuf::from("/");
    let mut rest = parts(path);
    let mut links = 0;
    let end = loop {
        let Some(part) = rest.pop_front() else {
            break End::There;
        };
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        let meta = match fs::symlink_metadata(&next) {
            Ok(meta) => meta,
            Err(e) if is_missing(&e) => break End::Missing,
            Err(_) => break End::Hidden,
        };
        if !meta.is_symlink() {
            nodes.push(node(next.clone(), &meta));
            here = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            break End::Loop;
        }
        let Ok(target) = fs::read_link(&next) else {
            break End::Hidden;
        };
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        let mut through = parts(&target);
        through.extend(rest);
        rest = through;
    };
    Trail { nodes, end }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn node(path: PathBuf, meta: &fs::Metadata) -> Node {
    let kind = meta.file_type();
    Node {
        acl: acl(&path),
        path,
        kind: if kind.is_dir() {
            NodeKind::Folder
        } else if kind.is_file() {
            NodeKind::File
        } else if kind.is_socket() {
            NodeKind::Socket
        } else {
            NodeKind::Other
        },
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
    }
}

/// The list that a file has beside its mode. One that cannot be read is none.
fn acl(path: &Path) -> Option<Acl> {
    // No attribute is longer (`XATTR_SIZE_MAX`).
    let mut bytes = Vec::with_capacity(1 << 16);
    getxattr(path, "system.posix_acl_access", spare_capacity(&mut bytes)).ok()?;
    Acl::parse(&bytes)
}

/// What a file begins with; `None`: it cannot be read.
fn head(path: &Path) -> Option<Head> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(256).read_to_end(&mut bytes).ok()?;
    if bytes.is_empty() {
        return Some(Head::Empty);
    }
    if bytes.starts_with(b"\x7fELF") {
        let machine = bytes.get(18..20)?.try_into().ok()?;
        // Byte 5 says in which order the others stand (elf(5)).
        let machine = if bytes.get(5) == Some(&2) {
            u16::from_be_bytes(machine)
        } else {
            u16::from_le_bytes(machine)
        };
        return Some(Head::Elf { machine });
    }
    let Some(line) = bytes.strip_prefix(b"#!") else {
        return Some(Head::Unknown);
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
    let line = String::from_utf8_lossy(line);
    let interpreter = line.trim_start_matches([' ', '\t']);
    let interpreter = interpreter.split([' ', '\t']).next().unwrap_or_default();
    Some(Head::Script(interpreter.to_owned()))
}

/// What this machine executes; `None`: other kinds too, through an emulator.
fn elf_machine() -> Option<u16> {
    let emulators = fs::read_dir("/proc/sys/fs/binfmt_misc")
        .into_iter()
        .flatten();
    if emulators
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("qemu-"))
    {
        return None;
    }
    match head(Path::new("/proc/self/exe"))? {
        Head::Elf { machine } => Some(machine),
        _ => None,
    }
}

/// The account that stands for those which this user namespace does not have (user_namespaces(7)).
fn unseen() -> Option<u32> {
    let map = fs::read_to_string("/proc/self/uid_map").ok()?;
    let all: u64 = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
        .sum();
    if all >= u64::from(u32::MAX) {
        return None;
    }
    let number = fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
    number.trim().parse().ok()
}

/// Who listens on TCP on this machine.
pub(in crate::doctor) fn listeners() -> Result<Vec<Listener>, Error> {
    let mut listeners = Vec::new();
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A system without the one or the other has no such sockets.
        found.extend(ports::parse(&fs::read_to_string(table).unwrap_or_default()));
    }
    let owners = owners(found.iter().map(|(_, inode)| *inode).collect());
    for (address, inode) in found {
        listeners.push(Listener {
            address,
            who: owners.get(&inode).cloned(),
        });
    }
    Ok(listeners)
}

/// The processes that have these sockets, as far as they may be looked at.
fn owners(inodes: Vec<u64>) -> BTreeMap<u64, String> {
    let mut owners = BTreeMap::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = process.file_name();
        let Some(pid) = pid.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        let descriptors = fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten();
        for target in descriptors
            .flatten()
            .filter_map(|fd| fs::read_link(fd.path()).ok())
        {
            let target = target.to_string_lossy();
            let inode = target
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']')?.parse().ok());
            let Some(inode) = inode.filter(|inode| inodes.contains(inode)) else {
                continue;
            };
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            owners
                .entry(inode)
                .or_insert_with(|| format!("{} ({pid})", name.trim()));
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::doctor::acl::attribute;

    #[test]
    fn a_trail_follows_links_and_names_every_folder_on_the_way() {
        let place = tempfile::tempdir().expect("a directory");
        let place = place.path().canonicalize().expect("a path");
        fs::create_dir_all(place.join("real/bin")).expect("mkdir");
        fs::write(place.join("real/bin/tool"), "#!/bin/sh\n").expect("write");
        fs::set_permissions(place.join("real/bin"), fs::Permissions::from_mode(0o750))
            .expect("chmod");
        symlink("real", place.join("current")).expect("link");
        symlink(place.join("loop"), place.join("loop")).expect("link");
        let found = trail(&place.join("current/bin/tool"));
        assert_eq!(found.end, End::There);
        let last = found.last().expect("the file");
        assert_eq!(last.path, place.join("real/bin/tool"));
        assert_eq!(found.folders().last().map(|node| node.mode), Some(0o750));
        assert_eq!(trail(&place.join("current/nothing")).end, End::Missing);
        assert_eq!(trail(&place.join("real/bin/tool/below")).end, End::Missing);
        assert_eq!(trail(&place.join("loop")).end, End::Loop);
    }

    #[test]
    fn a_list_that_a_file_has_beside_its_mode_is_read() {
        const NONE: u32 = u32::MAX;
        let place = tempfile::tempdir().expect("a directory");
        let set = |entries: &[(u16, u16, u32)]| {
            let bytes = attribute(entries, 0o5);
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(place.path(), "system.posix_acl_access", &bytes, flags)
        };
        // An account and a group may write.
        let entries = [
            (0x02, 0o7, 4711),
            (0x04, 0o5, NONE),
            (0x08, 0o6, 4712),
            (0x10, 0o7, NONE),
        ];
        if let Err(error) = set(&entries) {
            // A file system without lists.
            assert_eq!(error, rustix::io::Errno::OPNOTSUPP);
            return;
        }
        let found = trail(place.path());
        let found = found.last().expect("the folder");
        assert_eq!(found.permissions(), "0775+");
        assert_eq!(found.writers(), (vec![4711], vec![4712]));
        set(&[(0x04, 0o5, NONE)]).expect("it is taken away");
        let found = trail(place.path());
        assert_eq!(found.last().expect("the folder").permissions(), "0755");
    }

    #[test]
    fn a_program_is_told_by_what_it_begins_with() {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("file");
        let head_of = |bytes: &[u8]| {
            fs::write(&file, bytes).expect("write");
            head(&file)
        };
        assert_eq!(head_of(b""), Some(Head::Empty));
        assert_eq!(head_of(b"echo hi\n"), Some(Head::Unknown));
        assert_eq!(
            head_of(b"#! /usr/bin/env python3\nimport os\n"),
            Some(Head::Script("/usr/bin/env".into()))
        );
        assert_eq!(
            head_of(b"#!/bin/sh\r\n"),
            Some(Head::Script("/bin/sh\r".into()))
        );
        let own = head(Path::new("/proc/self/exe"));
        assert!(
            matches!(own, Some(Head::Elf { machine }) if machine != 0),
            "{own:?}"
        );
    }
}
