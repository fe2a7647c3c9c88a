//! Init scripts, on a system that nobody manages.

use crate::machine::{Init, Machine, assert_same};

#[test]
fn an_init_script_does_as_the_linux_standard_base_says() {
    let Some(machine) = Machine::boot("sysv", Init::Nobody) else {
        return;
    };
    let said = machine.run(&[
        "abide",
        "install",
        "--name",
        "old",
        "--",
        "counter",
        "/counts/old",
    ]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("container"), "{}", said.err);
    let before = machine.files();
    let place = "/counts/old";
    machine.must(&[
        "abide",
        "install",
        "--manager",
        "sysv",
        "--name",
        "old",
        "--",
        "counter",
        place,
    ]);
    assert!(
        machine.path("/etc/rc3.d/S01old").exists() || machine.path("/etc/rc3.d/S20old").exists()
    );
    let script = |verb: &str| machine.run(&["/etc/init.d/old", verb]).code;
    assert_eq!(script("status"), Some(3));
    machine.must(&["abide", "start", "old", "--timeout", "30s"]);
    machine.until_counts(place, (1, 0));
    assert_eq!((script("status"), script("start")), (Some(0), Some(0)));
    assert_eq!(machine.counts(place), (1, 0), "it ran already");
    machine.must(&["abide", "restart", "old", "--timeout", "30s"]);
    machine.until_counts(place, (2, 1));
    machine.must(&["service", "old", "stop"]);
    machine.until_counts(place, (2, 2));
    assert_eq!(
        (script("stop"), script("status"), script("nonsense")),
        (Some(0), Some(3), Some(2))
    );
    machine.must(&["abide", "disable", "old"]);
    assert!(
        !machine.path("/etc/rc3.d/S01old").exists() && !machine.path("/etc/rc3.d/S20old").exists()
    );
    machine.must(&["abide", "uninstall", "old", "--timeout", "30s"]);
    assert_same(&before, &machine.files());
}
