//! Faults that are planted one at a time in a service that is sound.

mod launchd;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::doctor::acl::Acl;
use crate::doctor::definition::{Definition, systemd};
use crate::doctor::facts::{Contents, Head, Node, Trail};
use crate::doctor::finding::Level;

const UNIT: &str = "/etc/systemd/system/shop.service";

const SOUND: &str = "[Unit]
Description=the shop
Requires=db.service
[Service]
Type=notify
ExecStart=/opt/shop/web --port 80
User=shop
WorkingDirectory=/srv/shop
EnvironmentFile=/etc/shop.env
StandardOutput=append:/var/log/shop/out.log
[Install]
WantedBy=multi-user.target
";

const X86_64: u16 = 62;

/// A machine of paper.
struct World {
    unit: String,
    facts: Facts,
    absent: Vec<&'static str>,
}

impl World {
    /// Everything that the sound unit names is there, and nobody else's.
    fn sound() -> Self {
        let mut world = Self {
            unit: SOUND.to_owned(),
            facts: Facts {
                elf_machine: Some(X86_64),
                ..Facts::default()
            },
            absent: Vec::new(),
        };
        let names = [(0, "root"), (1000, "bob"), (999, "shop")];
        world.facts.names = names.map(|(uid, name)| (uid, name.to_owned())).into();
        world.user("shop", 999);
        world.folder("/srv/shop", 0o755, 999);
        world.folder("/var/log/shop", 0o755, 0);
        world.program("/opt/shop/web", 0o755, X86_64);
        for (path, mode) in [(UNIT, 0o644), ("/etc/shop.env", 0o600)] {
            world.put(path, NodeKind::File, mode, 0);
        }
        world
    }

    fn user(&mut self, name: &str, uid: u32) {
        let user = User {
            name: name.to_owned(),
            uid,
            gid: uid,
            groups: BTreeSet::new(),
        };
        self.facts.users.insert(name.to_owned(), Some(user));
    }

    fn folder(&mut self, path: &str, mode: u32, uid: u32) {
        self.put(path, NodeKind::Folder, mode, uid);
    }

    fn program(&mut self, path: &str, mode: u32, machine: u16) {
        self.put(path, NodeKind::File, mode, 0);
        let contents = Contents {
            head: Head::Elf { machine },
            noexec: false,
        };
        self.facts.contents.insert(path.into(), contents);
    }

    /// A thing with sound folders above it.
    fn put(&mut self, path: &str, kind: NodeKind, mode: u32, uid: u32) {
        let path = PathBuf::from(path);
        let mut nodes: Vec<Node> = path
            .ancestors()
            .skip(1)
            .map(|folder| Node {
                path: folder.to_owned(),
                kind: NodeKind::Folder,
                mode: 0o755,
                uid: 0,
                gid: 0,
                acl: None,
            })
            .collect();
        nodes.reverse();
        nodes.push(Node {
            path: path.clone(),
            kind,
            mode,
            uid,
            gid: uid,
            acl: None,
        });
        let end = End::There;
        self.facts.trails.insert(path, Trail { nodes, end });
    }

    fn remove(&mut self, path: &str) {
        let trail = self.facts.trails.get_mut(Path::new(path)).expect("a path");
        trail.nodes.pop();
        trail.end = End::Missing;
    }

    /// Changes what is known of a folder or file wherever it is met.
    fn change(&mut self, path: &str, change: impl Fn(&mut Node)) {
        let nodes = self
            .facts
            .trails
            .values_mut()
            .flat_map(|trail| &mut trail.nodes);
        nodes
            .filter(|node| node.path == Path::new(path))
            .for_each(change);
    }

    fn set(&mut self, old: &str, new: &str) {
        assert!(self.unit.contains(old), "{old}");
        self.unit = self.unit.replace(old, new);
    }

    fn findings(&mut self) -> Vec<Finding> {
        let around = systemd::Around {
            name: "shop",
            pulled_in: false,
            ours: false,
        };
        let definition = systemd::read(&[(UNIT.into(), self.unit.clone())], &around);
        self.answer_the_rest(&definition);
        let present = definition
            .dependencies
            .iter()
            .map(|dependency| {
                let there = !self.absent.contains(&dependency.name.as_str());
                (dependency.name.clone(), there)
            })
            .collect();
        service(&definition, &self.facts, &present)
    }

    /// What was asked for and was not planted is not there; accounts, likewise.
    fn answer_the_rest(&mut self, definition: &Definition) {
        let questions = definition.questions();
        for path in questions.paths {
            let socket = path.starts_with("/run/systemd/journal");
            if !self.facts.trails.contains_key(&path) && !socket {
                let end = End::Missing;
                let nodes = Vec::new();
                self.facts.trails.insert(path, Trail { nodes, end });
            }
        }
        for name in questions.users {
            self.facts.users.entry(name).or_default();
        }
        for name in questions.groups {
            self.facts.groups.entry(name).or_default();
        }
    }

    /// The one finding, which is a fault.
    #[track_caller]
    fn has_only(&mut self, check: Check, words: &str) -> Finding {
        only(self.findings(), (check, Level::Fault), words)
    }
}

/// The one finding, of this check and level, with these words and a way out.
#[track_caller]
fn only(findings: Vec<Finding>, of: (Check, Level), words: &str) -> Finding {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let found = findings.into_iter().next().expect("one");
    assert_eq!((found.check, found.level), of, "{found:#?}");
    assert!(found.what.contains(words), "{found:#?}");
    assert!(!found.fix.is_empty());
    found
}

#[test]
fn nothing_is_found_in_a_sound_service() {
    assert_eq!(World::sound().findings(), []);
}

#[test]
fn an_unquoted_path_with_a_blank_is_found() {
    let mut world = World::sound();
    world.set("/opt/shop/web", "/opt/my shop/web");
    world.program("/opt/my shop/web", 0o755, X86_64);
    world.folder("/opt/my shop", 0o755, 0);
    let found = world.has_only(Check::Quoting, "stands without quotes");
    assert_eq!(found.fix, "write \"/opt/my shop/web\"");
    // What would be executed instead does not make it sound: that is the hole.
    world.program("/opt/my", 0o755, X86_64);
    world.has_only(Check::Quoting, "executes /opt/my");
    world.remove("/opt/my");
    world.remove("/opt/my shop/web");
    world.has_only(Check::Quoting, "stands without quotes");
    let mut world = World::sound();
    world.set("/opt/shop/web --port", "\"/opt/my shop/web\" --port");
    world.program("/opt/my shop/web", 0o755, X86_64);
    assert_eq!(world.findings(), []);
}

#[test]
fn a_folder_or_a_program_that_others_can_write_to_is_a_hole() {
    for place in ["/opt", "/opt/shop", "/opt/shop/web", UNIT, "/etc/systemd"] {
        let mut world = World::sound();
        world.change(place, |node| node.mode |= 0o002);
        let found = world.findings();
        assert!(!found.is_empty(), "{place}");
        assert!(
            found.iter().all(|found| found.check == Check::Writable),
            "{found:#?}"
        );
        assert_eq!(found[0].fix, format!("`chmod o-w {place}`"));
    }
    let mut world = World::sound();
    world.change("/opt/shop", |node| node.uid = 1000);
    world.has_only(Check::Writable, "belongs to bob");
    let mut world = World::sound();
    world.facts.members = [(50, ["bob".to_owned()].into())].into();
    world.change("/opt/shop", |node| {
        node.mode = 0o775;
        node.gid = 50;
    });
    world.has_only(Check::Writable, "can be written to by bob");
}

fn list(users: &[(u32, u32)], groups: &[(u32, u32)], mask: u32) -> Acl {
    Acl {
        users: users.to_vec(),
        group: 0,
        groups: groups.to_vec(),
        mask,
    }
}

#[test]
fn a_list_beside_the_mode_can_be_a_hole_unless_its_mask_closes_it() {
    let with = |acl: Acl, mode| {
        let mut world = World::sound();
        world.facts.members = [(50, ["bob".to_owned()].into())].into();
        world.change("/opt/shop", |node| {
            node.acl = Some(acl.clone());
            node.mode = mode;
        });
        world
    };
    for (acl, fix) in [
        (list(&[(1000, 0o7)], &[], 0o7), "-x u:bob"),
        (list(&[], &[(50, 0o7)], 0o7), "-x g:50"),
    ] {
        let mut world = with(acl, 0o775);
        let found = world.has_only(Check::Writable, "can be written to by bob (0775+)");
        assert_eq!(found.fix, format!("`setfacl {fix} /opt/shop`"));
    }
    // The mask; the account itself; an own group that may read only, though the mode's middle shows the mask.
    for acl in [
        list(&[(1000, 0o7)], &[(50, 0o7)], 0o5),
        list(&[(999, 0o7)], &[], 0o7),
        list(&[(1000, 0o5)], &[(50, 0o5)], 0o7),
    ] {
        assert_eq!(with(acl.clone(), 0o775).findings(), [], "{acl:?}");
    }
}

#[test]
fn a_list_beside_the_mode_lets_an_account_in_or_keeps_it_out() {
    let mut world = World::sound();
    world.change("/opt/shop/web", |node| {
        node.mode = 0o750;
        node.acl = Some(list(&[(999, 0o5)], &[], 0o5));
    });
    assert_eq!(world.findings(), []);
    world.change("/opt/shop/web", |node| {
        node.mode = 0o755;
        node.acl = Some(list(&[(999, 0)], &[], 0o5));
    });
    let found = world.has_only(
        Check::Executable,
        "shop may not execute /opt/shop/web (0755+ root)",
    );
    assert_eq!(found.fix, "`setfacl -m u:shop:rx /opt/shop/web`");
    let mut world = World::sound();
    world.change("/srv/shop", |node| {
        node.uid = 0;
        node.acl = Some(list(&[(999, 0o5)], &[], 0o4));
    });
    let found = world.has_only(Check::Directory, "/srv/shop is 0755+ root");
    assert!(
        found.fix.contains("setfacl -m u:shop:x /srv/shop"),
        "{found:?}"
    );
}

#[test]
fn what_is_only_its_own_is_no_hole() {
    let mut world = World::sound();
    // The account's own, a group that nobody is in, and a folder in which nobody can take another's things away.
    world.change("/opt/shop/web", |node| node.uid = 999);
    world.change("/opt/shop", |node| {
        node.mode = 0o775;
        node.gid = 50;
    });
    world.change("/opt", |node| node.mode = 0o1777);
    assert_eq!(world.findings(), []);
}

#[test]
fn a_missing_binary_is_found() {
    let mut world = World::sound();
    world.remove("/opt/shop/web");
    world.has_only(
        Check::Program,
        "/opt/shop/web, which ExecStart= executes, is not there",
    );
    let mut world = World::sound();
    world.set("/opt/shop/web", "shop-web");
    let found = world.has_only(Check::Program, "shop-web");
    assert!(found.fix.contains("/usr/bin"), "{found:?}");
}

#[test]
fn a_binary_that_is_not_executable_or_not_by_the_account_is_found() {
    let mut world = World::sound();
    world.change("/opt/shop/web", |node| node.mode = 0o644);
    world.has_only(Check::Executable, "is not executable (0644)");
    let mut world = World::sound();
    world.change("/opt/shop/web", |node| node.mode = 0o750);
    world.has_only(
        Check::Executable,
        "shop may not execute /opt/shop/web (0750 root)",
    );
    let mut world = World::sound();
    world.change("/opt", |node| node.mode = 0o700);
    world.has_only(Check::Executable, "may not enter /opt (0700 root)");
}

#[test]
fn a_wrong_account_is_found() {
    let mut world = World::sound();
    world.set("User=shop", "User=shoop");
    let found = world.has_only(Check::Account, "no user shoop");
    assert!(found.fix.contains("useradd"), "{found:?}");
    let mut world = World::sound();
    world.set("User=shop", "User=shop\nGroup=shops");
    world.has_only(Check::Account, "no group shops");
    let mut world = World::sound();
    world.set("User=shop", "User=made-up\nDynamicUser=yes");
    assert_eq!(world.findings(), []);
}

#[test]
fn a_missing_dependency_is_found() {
    let mut world = World::sound();
    world.absent.push("db.service");
    world.has_only(Check::Dependency, "db.service, which it needs (Requires=)");
}

#[test]
fn a_dead_place_for_its_output_is_found() {
    let mut world = World::sound();
    world.remove("/var/log/shop");
    world.has_only(
        Check::Log,
        "/var/log/shop/out.log, whose folder is not there",
    );
    let mut world = World::sound();
    world.set("append:/var/log/shop/out.log", "journal");
    let socket = PathBuf::from("/run/systemd/journal/stdout");
    let (nodes, end) = (Vec::new(), End::Missing);
    world.facts.trails.insert(socket, Trail { nodes, end });
    world.has_only(Check::Log, "nobody listens");
}

#[test]
fn a_unit_that_nothing_starts_at_boot_is_found() {
    let mut world = World::sound();
    world.set("WantedBy=multi-user.target\n", "");
    world.has_only(Check::Boot, "no WantedBy=");
    let mut world = World::sound();
    world.set("multi-user.target", "multi-user.taget");
    world.absent.push("multi-user.taget");
    world.has_only(Check::Boot, "there is no such target");
}

#[test]
fn a_type_that_does_not_exist_is_found() {
    let mut world = World::sound();
    world.set("Type=notify", "Type=notifiy");
    world.has_only(Check::Definition, "Type=notifiy");
    let mut world = World::sound();
    world.set("Type=notify", "Type=notify\nNotifyAccess=none");
    world.has_only(Check::Definition, "nobody hears that it is ready");
}

#[test]
fn a_relative_path_and_a_unit_without_a_program_are_found() {
    let mut world = World::sound();
    world.set("/opt/shop/web", "shop/web");
    world.has_only(Check::Definition, "no absolute path");
    let mut world = World::sound();
    world.set("ExecStart=/opt/shop/web --port 80\n", "");
    world.has_only(Check::Definition, "no ExecStart=");
}

#[test]
fn a_working_directory_that_is_not_there_or_closed_is_found() {
    let mut world = World::sound();
    world.remove("/srv/shop");
    world.has_only(Check::Directory, "/srv/shop, is not there");
    let mut world = World::sound();
    world.change("/srv/shop", |node| {
        node.mode = 0o700;
        node.uid = 0;
    });
    world.has_only(Check::Directory, "shop may not enter its working directory");
}

#[test]
fn a_missing_environment_file_is_found() {
    let mut world = World::sound();
    world.remove("/etc/shop.env");
    world.has_only(Check::Environment, "/etc/shop.env");
    let mut world = World::sound();
    world.set("=/etc/shop.env", "=-/etc/no-shop.env");
    assert_eq!(world.findings(), []);
}

#[test]
fn a_program_that_this_machine_cannot_execute_is_found() {
    let begins = |head: Head, noexec: bool| {
        let mut world = World::sound();
        let contents = Contents { head, noexec };
        world
            .facts
            .contents
            .insert("/opt/shop/web".into(), contents);
        world
    };
    let arm = Head::Elf { machine: 183 };
    begins(arm, false).has_only(Check::Program, "another kind of processor");
    let forerunner = Head::Elf { machine: 3 };
    assert_eq!(begins(forerunner, false).findings(), []);
    begins(Head::Empty, false).has_only(Check::Program, "is empty");
    begins(Head::Unknown, false).has_only(Check::Program, "does it begin with #!");
    begins(Head::Elf { machine: X86_64 }, true).has_only(Check::Program, "noexec");
    let mut world = begins(Head::Script("/usr/bin/pythn".into()), false);
    let (nodes, end) = (Vec::new(), End::Missing);
    world
        .facts
        .trails
        .insert("/usr/bin/pythn".into(), Trail { nodes, end });
    world.has_only(Check::Program, "#!/usr/bin/pythn, which is not there");
}

#[test]
fn the_first_fault_is_of_the_registration_then_of_rights_then_of_the_path() {
    let mut world = World::sound();
    world.remove("/var/log/shop");
    world.remove("/srv/shop");
    world.change("/opt/shop/web", |node| node.mode = 0o644);
    world.set("User=shop", "User=shoop");
    world.absent.push("db.service");
    let checks: Vec<Check> = world.findings().iter().map(|found| found.check).collect();
    assert_eq!(
        checks,
        [
            Check::Dependency,
            Check::Account,
            Check::Executable,
            Check::Directory,
            Check::Log
        ]
    );
}
