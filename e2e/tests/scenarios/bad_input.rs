//! What is wrong is shown with its place and the way out; what runs, runs on.

use abide_e2e::Home;

/// A mistake, and what must be said about it.
struct Mistake {
    what: &'static str,
    text: &'static str,
    said: &'static [&'static str],
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        what: "an unknown key",
        text: "[service.x]\ncomand = \"true\"\n",
        said: &["bad.toml:2", "comand", "command"],
    },
    Mistake {
        what: "another tool's key",
        text: "[service.x]\ncommand = \"true\"\ndepends_on = [\"y\"]\n",
        said: &["bad.toml:3", "depends_on", "requires"],
    },
    Mistake {
        what: "a wrong type",
        text: "[service.x]\ncommand = 5\n",
        said: &["bad.toml:2"],
    },
    Mistake {
        what: "a bad duration",
        text: "[service.x]\ncommand = \"true\"\nstop = { within = \"ten seconds\" }\n",
        said: &["bad.toml:3", "ten seconds"],
    },
    Mistake {
        what: "a bad size",
        text: "[service.x]\ncommand = \"true\"\nlog = { max_size = \"50 parsec\" }\n",
        said: &["bad.toml:3", "50 parsec"],
    },
    Mistake {
        what: "a bad signal",
        text: "[service.x]\ncommand = \"true\"\nstop = { signal = \"SIGTREM\" }\n",
        said: &["bad.toml:3", "SIGTREM", "SIGTERM"],
    },
    Mistake {
        what: "an empty command",
        text: "[service.x]\ncommand = \"\"\n",
        said: &["bad.toml:2"],
    },
    Mistake {
        what: "no command",
        text: "[service.x]\nrestart = \"always\"\n",
        said: &["bad.toml:1", "command"],
    },
    Mistake {
        what: "a missing directory",
        text: "[service.x]\ncommand = \"true\"\ndirectory = \"/no/such/place\"\n",
        said: &["bad.toml:3", "/no/such/place"],
    },
    Mistake {
        what: "a missing user",
        text: "[service.x]\ncommand = \"true\"\nuser = \"no-such-user\"\n",
        said: &["bad.toml:3", "no-such-user"],
    },
    Mistake {
        what: "a circle",
        text: "[service.x]\ncommand = \"true\"\nrequires = [\"y\"]\n[service.y]\ncommand = \"true\"\nrequires = [\"x\"]\n",
        said: &["bad.toml", "x → y"],
    },
    Mistake {
        what: "a duplicate name",
        text: "[service.x]\ncommand = \"true\"\n[service.x]\ncommand = \"false\"\n",
        said: &["bad.toml:3"],
    },
    Mistake {
        what: "a name with a slash",
        text: "[service.\"a/b\"]\ncommand = \"true\"\n",
        said: &["bad.toml:1", "/"],
    },
    Mistake {
        what: "a name with a control character",
        text: "[service.\"a\\u0007b\"]\ncommand = \"true\"\n",
        said: &["bad.toml:1"],
    },
    Mistake {
        what: "a reserved table",
        text: "[service.x]\ncommand = \"true\"\n[gateway]\n",
        said: &["bad.toml:3", "gateway", "not in this version"],
    },
    Mistake {
        what: "a reserved key",
        text: "[service.x]\ncommand = \"true\"\nlease = \"y\"\n",
        said: &["bad.toml:3", "lease", "not in this version"],
    },
    Mistake {
        what: "an unknown dependency",
        text: "[service.x]\ncommand = \"true\"\nrequires = [\"nobody\"]\n",
        said: &["bad.toml:3", "nobody"],
    },
    Mistake {
        what: "broken syntax",
        text: "[service.x\ncommand = \"true\"\n",
        said: &["bad.toml:1"],
    },
    Mistake {
        what: "a newer abide",
        text: "abide = \">=99.0\"\n[service.x]\ncommand = \"true\"\nnovelty = 1\n",
        said: &["bad.toml:1", ">=99.0"],
    },
];

fn running_home() -> (Home, u32) {
    let home = Home::new("bad-input");
    home.write("good.toml", "[service.good]\ncommand = \"sleep 1000\"\n");
    home.ok(&["up", "good.toml"]);
    let pid = home.wait_running("good");
    (home, pid)
}

#[test]
fn every_mistake_is_shown_with_its_place_and_changes_nothing() {
    let (home, pid) = running_home();
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        home.write("bad.toml", mistake.text);
        for command in ["check", "plan", "up"] {
            let refused = home.abide(&[command, "bad.toml"]);
            let said = format!("{}{}", refused.stdout, refused.stderr);
            if refused.code != 2 {
                wrong.push(format!(
                    "{}: `{command}` ended with {}:\n{said}",
                    mistake.what, refused.code
                ));
            } else if let Some(missing) = mistake.said.iter().find(|word| !said.contains(**word)) {
                wrong.push(format!(
                    "{}: `{command}` does not say {missing:?}:\n{said}",
                    mistake.what
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(home.wait_running("good"), pid);
    assert_eq!(home.units().map(|units| units.len()), Some(1));
}

#[test]
fn every_mistake_of_a_file_is_shown_at_once() {
    let home = Home::new("mistakes");
    home.write("bad.toml", "[service.x]\ncomand = \"true\"\n\n[service.y]\ncommand = \"true\"\nstop = { within = \"soon\" }\nrestart = \"sometimes\"\n");
    let refused = home.abide(&["check", "bad.toml"]).expect(2);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    for place in ["bad.toml:2", "bad.toml:6", "bad.toml:7"] {
        assert!(said.contains(place), "{place} is missing:\n{said}");
    }
}

#[test]
fn ten_megabytes_of_garbage_are_refused() {
    let (home, pid) = running_home();
    let garbage: Vec<u8> = (0..10_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    std::fs::write(home.path("garbage.toml"), garbage).expect("the file can be written");
    for command in ["check", "plan", "up"] {
        let refused = home.abide(&[command, "garbage.toml"]).expect(2);
        assert!(
            refused.stderr.len() + refused.stdout.len() < 10_000,
            "too much is said about it"
        );
    }
    assert_eq!(home.wait_running("good"), pid);
}

#[test]
fn a_program_that_does_not_exist_is_named_and_others_start() {
    let (home, pid) = running_home();
    home.write(
        "ghost.toml",
        "[service.ghost]\ncommand = \"/no/such/program --x\"\n",
    );
    let up = home.abide(&["up", "ghost.toml"]);
    assert_ne!(up.code, 0, "{up:?}");
    assert!(
        format!("{}{}", up.stdout, up.stderr).contains("/no/such/program"),
        "{up:?}"
    );
    assert_eq!(home.wait_running("good"), pid);
}

#[test]
fn run_refuses_what_it_cannot_do() {
    let (home, pid) = running_home();
    let taken = home.abide(&["run", "--name", "good", "--", "sleep", "5"]);
    assert_ne!(taken.code, 0, "{taken:?}");
    assert!(taken.stderr.contains("good.toml"), "{taken:?}");
    for args in [
        &["run", "--name", "a/b", "--", "sleep", "5"][..],
        &["run", "--"],
        &["run", "--name", "x", "--", ""],
        &["nonsense"],
    ] {
        let refused = home.abide(args);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(!refused.stderr.is_empty());
    }
    assert_eq!(home.abide(&["start", "nobody"]).code, 1);
    assert_eq!(home.abide(&["signal", "SIGNOPE", "good"]).code, 2);
    assert_eq!(home.wait_running("good"), pid);
}
