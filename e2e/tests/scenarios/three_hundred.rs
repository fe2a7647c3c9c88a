//! A configuration of three hundred units; one of them is edited.

use std::collections::BTreeMap;
use std::fmt::Write;

use abide_e2e::{Home, wait};

const UNITS: usize = 300;

fn configuration(edited: bool) -> String {
    let mut text = String::from("group = \"many\"\n\n");
    for n in 0..UNITS {
        let seconds = if edited && n == 123 { 7777 } else { 8888 };
        let _ = writeln!(
            text,
            "[service.unit-{n}]\ncommand = [\"sleep\", \"{seconds}\"]"
        );
        if n % 10 != 0 {
            let _ = writeln!(text, "requires = [\"unit-{}\"]", n - n % 10);
        }
        text.push('\n');
    }
    text
}

fn pids(home: &Home) -> BTreeMap<String, u64> {
    let units = wait::until("the daemon answers", wait::GENEROUS, || home.units());
    assert_eq!(units.len(), UNITS);
    units
        .iter()
        .map(|unit| {
            let name = unit["name"].as_str().expect("a unit has a name").to_owned();
            assert_eq!(unit["state"], "running", "{name}");
            (
                name,
                unit["pid"].as_u64().expect("a running unit has a pid"),
            )
        })
        .collect()
}

#[test]
fn editing_one_unit_of_three_hundred_touches_that_one_as_plan_said() {
    let home = Home::new("many");
    home.write("abide.toml", &configuration(false));
    home.ok(&["check", "abide.toml"]);
    home.ok(&["up"]);
    let first = pids(&home);
    let status = home.ok(&["status"]);
    assert!(
        (0..UNITS).all(|n| status.contains(&format!("many:unit-{n}"))),
        "{status}"
    );

    home.ok(&["restart", "all"]);
    let second = pids(&home);
    assert!(
        first.iter().all(|(name, pid)| second[name] != *pid),
        "`restart all` left a unit out"
    );

    home.write("abide.toml", &configuration(true));
    let plan = home.ok(&["plan", "abide.toml"]);
    assert!(plan.contains("many:unit-123"), "{plan}");
    assert!(!plan.contains("many:unit-124"), "{plan}");
    home.ok(&["up", "abide.toml"]);
    let third = pids(&home);
    let touched: Vec<&String> = second
        .iter()
        .filter(|(name, pid)| third[*name] != **pid)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(touched, ["many:unit-123"]);

    home.ok(&["up", "abide.toml"]);
    assert_eq!(pids(&home), third, "an unchanged file changes nothing");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
