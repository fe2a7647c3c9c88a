//! What an account other than the machine's is given with a service, and what is taken away with it.

use super::super::Scm;
use super::{WITHIN, everything, fake, install, plain};
use crate::{Access, Holder, Right, Service, ServiceSid};

#[test]
fn another_account_gets_what_the_one_before_had() {
    let (fake, scm) = fake();
    install(&scm, &everything()).expect("it is installed");
    fake.log();
    let mut service = everything();
    service.user = Some(r"NT SERVICE\web".into());
    service.scm.password = None;
    service.scm.rights.truncate(1);
    let shown = Scm::plan(&service).expect("a plan").to_string();
    assert!(
        shown.ends_with("    right of NT SERVICE\\web = change C:\\homes\\web\n"),
        "a virtual account logs on by itself: {shown}"
    );
    install(&scm, &service).expect("it is changed");
    let log = fake.log();
    assert_eq!(
        log[1..],
        [
            r"log on as a service SHOP\web false",
            r"remove SYSTEM\CurrentControlSet\Services\web\Parameters\LogOnRightGivenTo",
            r"no more let SHOP\web change C:\homes\web",
            r"no more let SHOP\web read C:\notes\web",
            r"let NT SERVICE\web change C:\homes\web",
            r#"write SYSTEM\CurrentControlSet\Services\web\Parameters\Rights Texts(["change C:\\homes\\web"])"#,
        ],
        "{log:?}"
    );
    service.user = None;
    install(&scm, &service).expect("it is the machine's own");
    assert!(fake.inner().rights.is_empty(), "which needs none");
}

#[test]
fn an_account_that_another_service_has_keeps_its_right_to_log_on() {
    let (fake, scm) = fake();
    let second = Service {
        name: "till".into(),
        ..everything()
    };
    // Only the first one gives it.
    for service in [&everything(), &second] {
        install(&scm, service).expect("it is installed");
    }
    scm.remove("web", WITHIN).expect("it is removed");
    assert!(fake.inner().may_be_service.contains(r"SHOP\web"));
    // It was there before this one, which does not take it away either.
    scm.remove("till", WITHIN).expect("it is removed");
    assert!(fake.inner().may_be_service.contains(r"SHOP\web"));
}

#[test]
fn a_managed_account_must_be_let_log_on_too() {
    let (fake, scm) = fake();
    let mut service = plain();
    service.user = Some(r"SHOP\web$".into());
    install(&scm, &service).expect("it is installed");
    assert!(fake.inner().may_be_service.contains(r"SHOP\web$"));
    scm.remove("web", WITHIN).expect("it is removed");
    assert!(fake.inner().may_be_service.is_empty());
}

#[test]
fn what_cannot_be_taken_away_is_said_and_the_service_goes() {
    let (fake, scm) = fake();
    install(&scm, &everything()).expect("it is installed");
    fake.inner().refused.push(("no more let SHOP", 1332));
    let error = scm.remove("web", WITHIN).expect_err("something is left");
    let text = error.to_string();
    assert!(
        text.starts_with(
            "take away what was given with web, which is gone: let SHOP\\web use C:\\homes\\web: "
        ),
        "{text}"
    );
    assert!(fake.inner().services.is_empty());
}

#[test]
fn the_identifier_of_a_restricted_service_is_given_its_home_and_loses_it_with_it() {
    let (fake, scm) = fake();
    let mut service = plain();
    service.scm.sid = ServiceSid::Restricted;
    let right = |holder| Right {
        holder,
        path: r"C:\homes\web".into(),
        access: Access::Change,
    };
    // The machine's own account needs none.
    service.scm.rights = [Holder::Account, Holder::Identifier].map(right).into();
    let shown = Scm::plan(&service).expect("a plan").to_string();
    assert!(
        shown.ends_with("    right of NT SERVICE\\web = change C:\\homes\\web\n")
            && shown.matches("right of").count() == 1,
        "{shown}"
    );
    install(&scm, &service).expect("it is installed");
    let has = || fake.inner().rights.clone().into_iter().collect::<Vec<_>>();
    assert_eq!(has(), [r"NT SERVICE\web change C:\homes\web"]);
    fake.log();
    install(&scm, &service).expect("it is as it was");
    let again = r"let NT SERVICE\web change C:\homes\web";
    assert_eq!(fake.log(), [again], "a folder may be another one by now");

    // Another account has its own besides, and takes nothing of the identifier's along.
    service.user = Some("LocalService".into());
    install(&scm, &service).expect("it is changed");
    assert_eq!(has().len(), 2, "{:?}", has());
    service.user = None;
    install(&scm, &service).expect("it is changed back");
    assert_eq!(has(), [r"NT SERVICE\web change C:\homes\web"]);

    // No more restricted, and removed.
    let restricted = service.clone();
    service.scm.sid = ServiceSid::None;
    service.scm.rights.clear();
    install(&scm, &service).expect("it is changed");
    assert_eq!(has(), [""; 0]);
    install(&scm, &restricted).expect("it is changed back");
    scm.remove("web", WITHIN).expect("it is removed");
    assert_eq!(has(), [""; 0]);
}
