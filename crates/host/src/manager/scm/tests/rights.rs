//! What an account other than the machine's is given with a service, and what is taken away with it.

use super::super::Scm;
use super::{WITHIN, everything, fake, install, plain};
use crate::Service;

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
