//! Faults that are planted one at a time in a service that is sound.

use super::*;
use crate::doctor::finding::Level;
use crate::{Kind, Manager, Scope, Service};

const PROGRAM: &str = r"C:\Program Files\shop\web.exe";

fn sound() -> ScmFacts {
    let mut service = Service::new("shop", PROGRAM);
    service.dependencies = vec!["db".to_owned()];
    service.scm.event_messages = Some(PROGRAM.to_owned());
    let manager = Manager::below(Kind::Scm, Scope::System, Path::new("/")).expect("a manager");
    let plan = manager.plan_install(&service).expect("a plan");
    ScmFacts {
        registration: plan.registration.expect("there is one"),
        ours: true,
        program: Some(PROGRAM.into()),
        found: Found::Program,
        meant: None,
        changers: Vec::new(),
        account: Some(true),
        missing: Vec::new(),
        texts: Some(true),
    }
}

#[test]
fn nothing_is_wrong_with_a_sound_service() {
    assert_eq!(judge(&sound()), []);
}

#[test]
fn each_planted_fault_is_found_and_nothing_else() {
    type Plant = fn(&mut ScmFacts);
    let faults: [(Check, Plant, &str); 11] = [
        (
            Check::Definition,
            |f| f.program = None,
            "ImagePath is empty",
        ),
        (
            Check::Quoting,
            |f| {
                f.program = Some(r"C:\Program".into());
                f.found = Found::Nothing;
                f.meant = Some(PROGRAM.into());
            },
            r"Windows tries C:\Program.exe first",
        ),
        (Check::Program, |f| f.found = Found::Nothing, "is not there"),
        (Check::Program, |f| f.found = Found::Folder, "is a folder"),
        (Check::Program, |f| f.found = Found::Other, "is no program"),
        (
            Check::Dependency,
            |f| f.missing = vec!["db".into()],
            "db, which it needs",
        ),
        (
            Check::Account,
            |f| f.account = Some(false),
            "there is no account",
        ),
        (
            Check::Writable,
            |f| f.changers = vec![(r"C:\Program Files\shop".into(), vec!["Users".into()])],
            "can be written to by Users",
        ),
        (Check::Log, |f| f.texts = Some(false), "has no texts"),
        (
            Check::Log,
            |f| {
                f.registration.event_messages = None;
                f.texts = None;
            },
            "has no source",
        ),
        (
            Check::Definition,
            |f| f.registration.start = 0,
            "only drivers",
        ),
    ];
    for (check, plant, words) in faults {
        let mut facts = sound();
        plant(&mut facts);
        let found = judge(&facts);
        assert_eq!(found.len(), 1, "{words}: {found:?}");
        assert_eq!((found[0].check, found[0].level), (check, Level::Fault));
        assert!(found[0].what.contains(words), "{words}: {}", found[0].what);
        assert!(!found[0].fix.is_empty());
    }
}

#[test]
fn what_will_bite_some_day_is_a_warning() {
    let mut facts = sound();
    facts.registration.start = 4;
    let found = judge(&facts);
    assert_eq!(
        (found[0].check, found[0].level),
        (Check::Boot, Level::Warning)
    );
    let mut facts = sound();
    facts.registration.recovery.actions.clear();
    assert_eq!(judge(&facts)[0].level, Level::Warning);
}
