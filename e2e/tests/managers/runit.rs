//! A real runsvdir.

use abide_e2e::wait::{GENEROUS, until};

use crate::machine::{Init, Machine, assert_same};

#[test]
fn a_hosted_program_lives_as_runsvdir_wants() {
    let Some(machine) = Machine::boot("runit", Init::Runsvdir) else {
        return;
    };
    let before = machine.files();
    let place = "/counts/runit";
    machine.must(&["abide", "install", "--name", "kept", "--", "counter", place]);
    assert_eq!(machine.counts(place), (0, 0), "nobody has started it");
    machine.must(&["abide", "start", "kept", "--timeout", "30s"]);
    machine.until_counts(place, (1, 0));
    machine.must(&["abide", "restart", "kept", "--timeout", "30s"]);
    machine.until_counts(place, (2, 1));
    let status = machine.must(&["abide", "status", "kept", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(
        (&status[0]["state"], &status[0]["enabled"]),
        (&"running".into(), &true.into())
    );
    machine.must(&["abide", "reload", "kept", "--timeout", "30s"]);
    // The machine's own tool does the same.
    machine.must(&["sv", "-w", "30", "stop", "kept"]);
    machine.until_counts(place, (2, 2));
    machine.must(&["sv", "-w", "30", "start", "kept"]);
    machine.until_counts(place, (3, 2));
    // The keeper dies: runsv starts another, which finds the program as it is.
    let keeper =
        std::fs::read_to_string(machine.path("/etc/sv/kept/supervise/pid")).expect("a pid");
    machine.must(&["kill", "-9", keeper.trim()]);
    until("another keeper", GENEROUS, || {
        let now = std::fs::read_to_string(machine.path("/etc/sv/kept/supervise/pid")).ok()?;
        (!now.trim().is_empty() && now != keeper).then_some(())
    });
    until("the program to be kept again", GENEROUS, || {
        let said = machine.run(&["abide", "status", "kept"]);
        (said.code == Some(0)).then_some(())
    });
    assert!(machine.alive(place));
    machine.must(&["abide", "disable", "kept"]);
    assert!(machine.path("/etc/sv/kept/down").exists());
    machine.must(&["abide", "uninstall", "kept", "--timeout", "30s"]);
    until("the program to be gone", GENEROUS, || {
        (!machine.alive(place)).then_some(())
    });
    assert_same(&before, &machine.files());
}
