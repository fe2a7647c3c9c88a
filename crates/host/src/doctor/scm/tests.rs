//! Faults that are planted one at a time in a service that is sound.

use super::access::{EVERYONE, Entry, Security, Token};
use super::account::{Closed, LogOn};
use super::execution::{Found, Need, Node, Place, Program, Thing, What};
use super::*;
use crate::doctor::finding::Level;
use crate::service::{Access, Holder, RecoveryAction, Right};
use crate::{Kind, Manager, Scope, Service};

const PROGRAM: &str = r"C:\Program Files\shop\web.exe";
const WORKER: &str = r"D:\shop\worker.cmd";
const HOME: &str = r"C:\ProgramData\abide\hosted\shop";

const USERS: &str = "S-1-5-32-545";
const ADMINISTRATORS: &str = "S-1-5-32-544";
const SYSTEM: &str = "S-1-5-18";
const WEB: &str = "S-1-5-21-1-2-3-1001";

const ALL: u32 = 0x1f_01ff;
const CHANGE: u32 = 0x13_01bf;
const READ: u32 = 0x12_00a9;

fn line(allows: bool, sid: &str, rights: u32) -> Entry {
    Entry {
        allows,
        conditional: false,
        rights,
        sid: sid.to_owned(),
    }
}

/// As folders of programs have it; `more` stands before that.
fn security(more: &[Entry]) -> Security {
    let usual = [
        line(true, SYSTEM, ALL),
        line(true, ADMINISTRATORS, ALL),
        line(true, USERS, READ),
    ];
    Security {
        owner: Some(ADMINISTRATORS.to_owned()),
        entries: Some([more, &usual].concat()),
    }
}

fn thing(path: &str, found: Found) -> Thing {
    // Paths of Windows, on every system.
    let mut ends: Vec<usize> = path.match_indices('\\').map(|(at, _)| at.max(3)).collect();
    ends.push(path.len());
    let nodes = ends.iter().enumerate().map(|(n, end)| Node {
        path: path[..*end].into(),
        place: Place::of(ends.len() - 1 - n, n == 0),
        security: Some(security(&[])),
    });
    Thing {
        path: path.into(),
        found,
        way: nodes.collect(),
    }
}

/// One that abide made, with an account of its own, that hosts a unit.
fn sound() -> ScmFacts {
    let mut service = Service::new("shop", PROGRAM);
    service.dependencies = vec!["db".to_owned()];
    service.user = Some(r".\web".to_owned());
    service.environment = [("PORT".to_owned(), "80".to_owned())].into();
    service.scm.event_messages = Some(PROGRAM.to_owned());
    service.scm.rights = vec![Right {
        path: HOME.into(),
        access: Access::Change,
        holder: Holder::Account,
    }];
    let manager = Manager::below(Kind::Scm, Scope::System, Path::new("/")).expect("a manager");
    let plan = manager.plan_install(&service).expect("a plan");
    let registration = plan.registration.expect("there is one");
    let groups = Some(vec![USERS.to_owned()]);
    let token = account::token(&registration, WEB, groups, true, None);
    let mut home = thing(HOME, Found::Folder);
    home.way.last_mut().expect("itself").security = Some(security(&[line(true, WEB, CHANGE)]));
    let program = |by: &str, named: &str, found| Program {
        by: by.to_owned(),
        named: named.to_owned(),
        thing: Some(thing(named, found)),
        of_a_session: false,
        is_service: by == "ImagePath",
    };
    ScmFacts {
        execution: Execution {
            programs: vec![
                program("ImagePath", PROGRAM, Found::Program),
                program("the unit shop", WORKER, Found::Batch),
            ],
            needs: vec![
                Need {
                    what: What::GivenToChange,
                    thing: home,
                },
                Need {
                    what: What::Directory,
                    thing: thing(r"D:\shop", Found::Folder),
                },
                Need {
                    what: What::Definition,
                    thing: thing(r"D:\shop\abide.toml", Found::Other),
                },
            ],
            account: registration.account.clone(),
            token: Some(token),
            restricted: false,
            administrator: None,
            names: [(USERS.to_owned(), "Users".to_owned())].into(),
        },
        registration,
        ours: true,
        leaving: false,
        meant: None,
        account: Account {
            there: Some(true),
            is_windows_own: false,
            closed: Some(Closed::default()),
            log_on: Some(LogOn {
                given: true,
                denied: false,
                whole: true,
            }),
        },
        missing: Vec::new(),
        disabled: Vec::new(),
        texts: Some(true),
    }
}

/// One of what is looked at, by its path.
fn at<'a>(facts: &'a mut ScmFacts, path: &str) -> &'a mut Thing {
    let execution = &mut facts.execution;
    let programs = execution.programs.iter_mut();
    let things = programs
        .filter_map(|program| program.thing.as_mut())
        .chain(execution.needs.iter_mut().map(|need| &mut need.thing));
    let mut found = things.filter(|thing| thing.path == Path::new(path));
    found.next().expect("it is looked at")
}

/// Plants lines in the access list of a folder or file on the way to something.
fn plant(facts: &mut ScmFacts, path: &str, on_the_way: &str, lines: &[Entry]) {
    let node = at(facts, path)
        .way
        .iter_mut()
        .find(|node| node.path == Path::new(on_the_way));
    node.expect("it is on the way").security = Some(security(lines));
}

fn closed(change: fn(&mut Closed)) -> impl Fn(&mut ScmFacts) {
    move |facts| change(facts.account.closed.as_mut().expect("it is known"))
}

#[test]
fn nothing_is_wrong_with_a_sound_service() {
    assert_eq!(judge(&sound()), []);
    // The same for those whom nobody needs to let log on.
    for (name, sid) in [
        ("LocalSystem", SYSTEM),
        (r"NT AUTHORITY\LocalService", "S-1-5-19"),
        (r"NT SERVICE\shop", "S-1-5-80-1-2-3-4-5"),
    ] {
        let mut facts = sound();
        facts.registration.account = name.to_owned();
        facts.account = Account {
            there: Some(true),
            is_windows_own: true,
            ..Account::default()
        };
        let token = account::token(&facts.registration, sid, None, false, None);
        facts.execution.token = Some(token);
        facts.execution.needs.remove(0);
        assert_eq!(judge(&facts), [], "{name}");
    }
}

#[test]
fn each_planted_fault_is_found_and_nothing_else() {
    type Plant = Box<dyn Fn(&mut ScmFacts)>;
    let found = |path: &'static str, found: Found| -> Plant {
        Box::new(move |f| at(f, path).found = found)
    };
    let lines = |path: &'static str, way: &'static str, lines: Vec<Entry>| -> Plant {
        Box::new(move |f| plant(f, path, way, &lines))
    };
    let faults: Vec<(Check, Plant, &str)> = vec![
        (
            Check::Registered,
            Box::new(|f| f.leaving = true),
            "marked for deletion",
        ),
        (
            Check::Definition,
            Box::new(|f| {
                f.registration.image_path.clear();
                f.execution.programs.remove(0);
            }),
            "ImagePath is empty",
        ),
        (
            Check::Definition,
            Box::new(|f| f.registration.start = 0),
            "only drivers",
        ),
        (
            Check::Definition,
            Box::new(|f| f.registration.kind = 1),
            "no service that is a process",
        ),
        (
            Check::Quoting,
            Box::new(|f| f.meant = Some((PROGRAM.into(), r"C:\Program".into()))),
            r"Windows tries C:\Program.exe first",
        ),
        (
            Check::Program,
            found(PROGRAM, Found::Nothing),
            "is not there",
        ),
        (Check::Program, found(PROGRAM, Found::Folder), "is a folder"),
        (
            Check::Program,
            found(PROGRAM, Found::Other),
            "is no program",
        ),
        (
            Check::Program,
            found(PROGRAM, Found::Library),
            "is a library",
        ),
        (
            Check::Program,
            found(PROGRAM, Found::Foreign),
            "another kind of processor",
        ),
        (
            Check::Program,
            found(PROGRAM, Found::Batch),
            "can be no service",
        ),
        (
            Check::Program,
            Box::new(|f| f.execution.programs[0].of_a_session = true),
            "on a drive of your session",
        ),
        (
            Check::Program,
            found(WORKER, Found::Nothing),
            "which the unit shop executes, is not there",
        ),
        (
            Check::Program,
            Box::new(|f| f.execution.programs[1].thing = None),
            "is in no folder of PATH",
        ),
        (
            Check::Executable,
            lines(PROGRAM, PROGRAM, vec![line(false, WEB, 0x20)]),
            r".\web may not execute C:\Program Files\shop\web.exe: its access list has that denied to it",
        ),
        (
            Check::Executable,
            Box::new(|f| {
                let node = at(f, WORKER).way.last_mut().expect("itself");
                let list = [line(true, SYSTEM, ALL), line(true, USERS, 0x12_0080)];
                node.security = Some(Security {
                    owner: Some(SYSTEM.to_owned()),
                    entries: Some(list.into()),
                });
            }),
            "its access list has that given to others only",
        ),
        (
            Check::Writable,
            lines(
                PROGRAM,
                r"C:\Program Files\shop",
                vec![line(true, USERS, CHANGE)],
            ),
            r"C:\Program Files\shop, on the way to C:\Program Files\shop\web.exe, which is executed, can be written to by Users",
        ),
        (
            Check::Writable,
            lines(WORKER, r"D:\shop", vec![line(true, USERS, 0x2)]),
            "can be written to by Users",
        ),
        (
            Check::Writable,
            lines(PROGRAM, r"C:\Program Files", vec![line(true, USERS, 0x40)]),
            "can be written to by Users",
        ),
        (
            Check::Writable,
            lines(WORKER, WORKER, vec![line(true, EVERYONE, CHANGE)]),
            "can be written to by S-1-1-0",
        ),
        (
            Check::Writable,
            lines(
                r"D:\shop\abide.toml",
                r"D:\shop\abide.toml",
                vec![line(true, USERS, 0x2)],
            ),
            "abide.toml, which says what is executed, can be written to by Users",
        ),
        (
            Check::Directory,
            found(r"D:\shop", Found::Nothing),
            r"its working directory, D:\shop, is not there",
        ),
        (
            Check::Directory,
            found(r"D:\shop", Found::Other),
            "is no directory",
        ),
        (
            Check::Directory,
            lines(r"D:\shop", r"D:\shop", vec![line(false, USERS, 0x20)]),
            r".\web may not enter its working directory, D:\shop",
        ),
        (
            Check::Directory,
            lines(HOME, HOME, vec![]),
            r".\web may not use its home, C:\ProgramData\abide\hosted\shop",
        ),
        (
            Check::Dependency,
            Box::new(|f| f.missing = vec!["db".into()]),
            "db, which it needs",
        ),
        (
            Check::Dependency,
            Box::new(|f| f.disabled = vec!["db".into()]),
            "is disabled",
        ),
        (
            Check::Dependency,
            Box::new(|f| f.registration.dependencies.push("Shop".into())),
            "needs itself",
        ),
        (
            Check::Account,
            Box::new(|f| f.account.there = Some(false)),
            "there is no account",
        ),
        (
            Check::Account,
            Box::new(closed(|c| c.disabled = true)),
            "is switched off",
        ),
        (
            Check::Account,
            Box::new(closed(|c| c.locked = true)),
            "is locked",
        ),
        (
            Check::Account,
            Box::new(closed(|c| c.expired = true)),
            "has expired",
        ),
        (
            Check::Account,
            Box::new(closed(|c| c.password_expired = true)),
            "must be changed first",
        ),
        (
            Check::Account,
            Box::new(|f| f.account.log_on.iter_mut().for_each(|it| it.given = false)),
            "was not given the right to log on as a service",
        ),
        (
            Check::Account,
            Box::new(|f| f.account.log_on.iter_mut().for_each(|it| it.denied = true)),
            "is denied the right to log on as a service",
        ),
        (
            Check::Log,
            Box::new(|f| f.texts = Some(false)),
            "has no texts",
        ),
        (
            Check::Log,
            Box::new(|f| {
                f.registration.event_messages = None;
                f.texts = None;
            }),
            "has no source",
        ),
    ];
    for (check, plant, words) in faults {
        let mut facts = sound();
        plant(&mut facts);
        let found = judge(&facts);
        assert_eq!(found.len(), 1, "{words}: {found:#?}");
        assert_eq!((found[0].check, found[0].level), (check, Level::Fault));
        assert!(found[0].what.contains(words), "{words}: {}", found[0].what);
        assert!(!found[0].fix.is_empty());
    }
}

#[test]
fn what_will_bite_some_day_is_a_warning() {
    type Plant = fn(&mut ScmFacts);
    let warnings: [(Check, Plant, &str); 8] = [
        (Check::Boot, |f| f.registration.start = 4, "is disabled"),
        (
            Check::Definition,
            |f| f.registration.recovery.actions.clear(),
            "nothing starts it again",
        ),
        (
            Check::Definition,
            |f| f.registration.recovery.actions[0].kind = RecoveryKind::Run,
            "FailureCommand",
        ),
        (
            Check::Definition,
            |f| {
                let last = RecoveryAction {
                    kind: RecoveryKind::None,
                    after: Duration::ZERO,
                };
                f.registration.recovery.actions.push(last);
                f.registration.recovery.reset = Duration::ZERO;
            },
            "only the first action",
        ),
        (
            Check::Definition,
            |f| f.registration.kind = 0x110,
            "show windows",
        ),
        (
            Check::Definition,
            |f| f.registration.preshutdown = Some(Duration::ZERO),
            "no time to stop",
        ),
        (
            Check::Environment,
            |f| f.registration.environment.push("DEBUG".into()),
            "sets nothing: DEBUG",
        ),
        (
            Check::Account,
            |f| {
                f.account.log_on = Some(LogOn::default());
            },
            "unless a group of its domain was",
        ),
    ];
    for (check, plant, words) in warnings {
        let mut facts = sound();
        plant(&mut facts);
        let found = judge(&facts);
        assert_eq!(found.len(), 1, "{words}: {found:#?}");
        assert_eq!((found[0].check, found[0].level), (check, Level::Warning));
        assert!(found[0].what.contains(words), "{words}: {}", found[0].what);
        assert!(!found[0].fix.is_empty());
    }
}

#[test]
fn what_is_not_known_of_an_account_is_not_held_against_it() {
    // Of a domain: its groups there are not known.
    let mut facts = sound();
    let token = account::token(&facts.registration, WEB, None, false, None);
    assert!(!token.whole);
    facts.execution.token = Some(token);
    let group = "S-1-5-21-9-9-9-1500";
    let others = Security {
        owner: Some(ADMINISTRATORS.to_owned()),
        entries: Some(vec![line(true, SYSTEM, ALL), line(true, group, READ)]),
    };
    at(&mut facts, PROGRAM)
        .way
        .last_mut()
        .expect("itself")
        .security = Some(others);
    assert_eq!(judge(&facts), []);
    // Nobody knows who it is, or nothing can be seen.
    let mut facts = sound();
    facts.execution.token = None;
    facts.account = Account::default();
    at(&mut facts, WORKER).found = Found::Hidden;
    at(&mut facts, PROGRAM)
        .way
        .iter_mut()
        .for_each(|node| node.security = None);
    assert_eq!(judge(&facts), []);
}

#[test]
fn a_service_s_own_account_may_write_to_its_program() {
    let mut facts = sound();
    plant(&mut facts, PROGRAM, PROGRAM, &[line(true, WEB, CHANGE)]);
    assert_eq!(judge(&facts), []);
    facts.execution.token = Some(Token {
        user: "S-1-5-21-1-2-3-1002".to_owned(),
        ..Token::default()
    });
    let found = judge(&facts);
    assert!(
        found.iter().any(|it| it.check == Check::Writable),
        "{found:?}"
    );
}

#[test]
fn who_may_only_add_something_above_the_folder_takes_nothing_s_place() {
    let mut facts = sound();
    // As Windows itself has it: whoever logs on may make folders in the root of a disk.
    plant(&mut facts, PROGRAM, r"C:\", &[line(true, USERS, 0x6)]);
    plant(
        &mut facts,
        PROGRAM,
        r"C:\Program Files",
        &[line(true, USERS, 0x6)],
    );
    assert_eq!(judge(&facts), []);
}
