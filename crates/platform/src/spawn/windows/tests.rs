//! How a process is made for somebody else, as Windows is told. The stand-in logs on with our own token, so that all that
//! follows is done in earnest.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::sync::Arc;

use abide_model::{Command, ExitStatus, Launch, RunId, UnitId, UnitName};
use windows_sys::Win32::Security::TOKEN_QUERY;
use windows_sys::Win32::System::Threading::{GetCurrentThread, OpenThreadToken};

use super::create::{Create, Made, Making, System};
use super::{Begun, FLAGS, Logon, begin};
use crate::account::Disguise;
use crate::logon::tests::{Fake, WEB};
use crate::logon::{Machine, Sessions};
use crate::spawn::{Order, SpawnError, Step, tests};
use crate::tree::Trees;

/// Notes what is asked for, beside the logons.
#[derive(Default)]
struct Watched {
    accounts: Fake,
    sessions: Sessions,
    fail_to_act: bool,
    /// The number of Windows's error.
    fail_to_create: Option<i32>,
    made: RefCell<Vec<Call>>,
    acted: RefCell<usize>,
}

/// One CreateProcessW or CreateProcessAsUserW.
#[derive(Debug, PartialEq)]
struct Call {
    as_user: bool,
    /// The thread acts for the user.
    disguised: bool,
    /// Process and thread have an access list of their own.
    secured: bool,
    flags: u32,
    desktop: Option<Vec<u16>>,
    listed: bool,
}

impl Create for Watched {
    fn create(&self, token: Option<&OwnedHandle>, making: &mut Making<'_>) -> io::Result<Made> {
        let desktop = making.startup.StartupInfo.lpDesktop;
        let desktop = (!desktop.is_null()).then(|| {
            // SAFETY: it is a text that ends with a zero.
            (0..)
                .map(|n| unsafe { *desktop.add(n) })
                .take_while(|unit| *unit != 0)
                .collect()
        });
        self.made.borrow_mut().push(Call {
            as_user: token.is_some(),
            disguised: is_disguised(),
            secured: making.security.is_some(),
            flags: making.flags,
            desktop,
            listed: !making.startup.lpAttributeList.is_null(),
        });
        match self.fail_to_create {
            Some(number) => Err(io::Error::from_raw_os_error(number)),
            None => Machine.create(token, making),
        }
    }

    fn act_as(&self, token: &OwnedHandle) -> io::Result<Disguise> {
        *self.acted.borrow_mut() += 1;
        if self.fail_to_act {
            return Err(io::Error::from_raw_os_error(1346));
        }
        Machine.act_as(token)
    }
}

/// Whether this thread acts for somebody.
fn is_disguised() -> bool {
    let mut token = std::ptr::null_mut();
    // SAFETY: the token goes to a local, and is ours.
    unsafe {
        let there = OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &mut token) != 0;
        there && crate::win32::owned(token).is_ok()
    }
}

impl Watched {
    fn system(&self) -> System<'_> {
        System {
            accounts: &self.accounts,
            sessions: &self.sessions,
            processes: self,
        }
    }

    fn begin(&self, order: &Order) -> Result<Begun, SpawnError> {
        begin(order, &self.system(), Logon::Anew)
    }
}

fn order(trees: &Trees, user: Option<&str>) -> Order {
    let launch = Launch {
        command: Command::Shell("exit 7".to_owned()),
        user: user.map(str::to_owned),
        password_file: user.map(|_| r"C:\shop\web.password".into()),
        ..tests::launch(&[])
    };
    let (unit, run) = (UnitId(1), RunId(1));
    let tree = trees.run(unit, &UnitName::new("web").expect("a name"), run);
    Order::new(unit, run, Arc::new(launch), tree)
}

#[test]
fn a_process_is_made_with_the_users_token_desktop_and_rights() {
    let trees = Trees::reporting().expect("a port");
    for user in [None, Some(r"SHOP\web")] {
        let watched = Watched::default();
        let order = order(&trees, user);
        let spawned = watched.begin(&order).and_then(|begun| begun.go(&order));
        let spawned = spawned.expect("it is going");
        let expected = Call {
            as_user: user.is_some(),
            disguised: user.is_some(),
            secured: user.is_some(),
            flags: FLAGS,
            desktop: user.map(|_| Vec::new()),
            listed: true,
        };
        assert_eq!(*watched.made.borrow(), [expected]);
        // Once to look for directory and program, once to make the process.
        assert_eq!(*watched.acted.borrow(), if user.is_some() { 2 } else { 0 });
        assert!(!is_disguised());
        let ended = spawned
            .handle
            .exit(Some(std::time::Duration::from_secs(120)));
        assert_eq!(ended.expect("asked"), Some(ExitStatus::Code(7)));
    }
}

#[test]
fn who_cannot_be_made_a_process_for_leaves_nothing_behind() {
    let trees = Trees::reporting().expect("a port");
    let wrong = |change: &dyn Fn(&mut Watched)| {
        let mut watched = Watched::default();
        change(&mut watched);
        let order = order(&trees, Some(r"SHOP\web"));
        let refused = watched.begin(&order).and_then(|begun| begun.go(&order));
        let refused = refused.expect_err("it fails");
        assert!(order.tree.processes().expect("asked").is_empty());
        assert!(!is_disguised());
        let file = Some(Path::new(r"C:\shop\web.password"));
        watched.accounts.file = Some("nobody is to ask again");
        if let Ok(Some(whom)) = watched
            .sessions
            .log_on(&watched.accounts, r"SHOP\web", file, false)
        {
            assert_eq!(&*whom.sid, WEB);
            assert_eq!(Arc::strong_count(&whom.token), 2, "only the session has it");
        }
        (refused.step, refused.errno, refused.text)
    };
    let (step, _, text) = wrong(&|watched| watched.accounts.lacking = vec!["SeThis"]);
    assert_eq!(step, Step::User);
    assert!(text.contains("lacks SeThis"), "{text}");
    let (step, _, text) = wrong(&|watched| watched.accounts.file = Some("Everyone may read it"));
    assert_eq!(
        (step, &*text),
        (Step::User, r"log on as SHOP\web: Everyone may read it")
    );
    let (step, code, _) = wrong(&|watched| *watched.accounts.logons.borrow_mut() = [1331].into());
    assert_eq!((step, code), (Step::User, Some(1331)));
    let (step, code, text) = wrong(&|watched| watched.fail_to_act = true);
    assert_eq!((step, code), (Step::User, Some(1346)));
    assert!(text.starts_with("act for its user: "), "{text}");
    let (step, code, text) = wrong(&|watched| watched.fail_to_create = Some(5));
    assert_eq!((step, code), (Step::Execute, Some(5)));
    assert!(
        text.ends_with(r"; let SHOP\web read and execute it"),
        "{text}"
    );
}

#[test]
fn a_group_is_refused_with_the_reason() {
    let trees = Trees::reporting().expect("a port");
    let mut order = order(&trees, None);
    order.launch = Arc::new(Launch {
        group: Some("people".to_owned()),
        ..Launch::clone(&order.launch)
    });
    let watched = Watched::default();
    let refused = watched.begin(&order).map(drop).expect_err("it is refused");
    assert!(
        refused.text.contains("has the groups of its account"),
        "{}",
        refused.text
    );
    assert!(watched.made.borrow().is_empty());
}
