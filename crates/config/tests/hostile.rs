//! Whatever the text is: an answer, soon and short, and no panic.

use std::path::Path;

use abide_config::{Caller, RunOptions, load, parse, render_run};
use abide_model::{Command, Restart, Signal, UnitName};
use proptest::prelude::*;

const VALID: &str = include_str!("good/all.toml");

fn try_it(text: &str) -> String {
    match parse(text, Path::new("/etc/abide.toml"), &Caller::default()) {
        Ok(_) => String::new(),
        Err(mistakes) => {
            assert!(!mistakes.render(true).is_empty());
            mistakes.to_string()
        }
    }
}

#[test]
fn the_file_that_is_mutated_is_valid() {
    assert_eq!(try_it(VALID), "");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_an_answer(text in any::<String>()) {
        try_it(&text);
    }

    #[test]
    fn any_text_of_the_characters_of_toml_gets_an_answer(text in "[\\[\\]{}=.\"'#,\n a-z0-9_é\\\\]{0,200}") {
        try_it(&text);
    }

    #[test]
    fn a_valid_file_with_pieces_replaced_gets_an_answer(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..20, "[\\[\\]{}=.\"'#,\n a-z0-9é\\\\-]{0,8}"), 1..6)
    ) {
        let mut text: Vec<char> = VALID.chars().collect();
        for (at, length, piece) in edits {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, piece.chars());
            if text.is_empty() {
                text.push('x');
            }
        }
        let text: String = text.into_iter().collect();
        let shown = try_it(&text);
        prop_assert!(shown.len() < 100_000, "{} bytes of mistakes", shown.len());
    }

    #[test]
    fn what_run_writes_is_read_back(
        group in prop::option::of("[a-z_][a-z0-9.+-]{0,8}"),
        name in "[a-z0-9_é][a-zé0-9.+-]{0,8}",
        arguments in prop::collection::vec("[^\0]{0,12}|\\{instance\\}", 0..4),
        environment in prop::collection::vec(("[^=\0]{1,6}", "[^\0]{0,12}"), 0..4),
        description in prop::option::of("[^\\p{Cc}]{0,20}"),
        restart in prop::option::of(prop::sample::select(vec![Restart::Always, Restart::OnFailure, Restart::Never])),
        signal in prop::option::of(1_i32..32),
        seconds in prop::option::of(0_u64..100_000),
    ) {
        let full = group.map_or_else(|| name.clone(), |group| format!("{group}:{name}"));
        let own = std::env::current_exe().expect("this is a program");
        let mut command = vec![own.display().to_string()];
        command.extend(arguments);
        let mut options = RunOptions::new(UnitName::new(&full).expect("a name"), command.clone(), std::env::temp_dir());
        options.environment = environment;
        options.description = description;
        options.restart = restart;
        options.stop_signal = signal.map(Signal);
        options.stop_within = seconds.map(std::time::Duration::from_secs);
        let text = render_run(&options, "a test");
        let document = parse(&text, Path::new("/home/units/x.toml"), &Caller::default());
        let document = document.map_err(|mistakes| TestCaseError::fail(format!("{text}\n{mistakes}")))?;
        let spec = &document.units[0].spec;
        prop_assert_eq!(spec.name.as_str(), full);
        prop_assert_eq!(&spec.launch.command, &Command::Argv(command));
        prop_assert_eq!(&spec.description, &options.description);
        for (name, _) in &options.environment {
            let last = options.environment.iter().rfind(|(other, _)| other == name).map(|(_, value)| value.as_str());
            prop_assert_eq!(spec.launch.environment.get(name), last);
        }
        prop_assert_eq!(spec.policy.restart, restart.unwrap_or_default());
    }
}

/// A text of this many bytes that is like a configuration, but not one.
fn garbage(bytes: usize) -> String {
    let lines = [
        "[a.b.c",
        "key = = ]",
        "\"\"\"",
        "x = [[[[{",
        "[service.\"x\"]",
        "y = 'z",
        "\u{e9}\u{1b}[31m",
        "a.b.c.d = 1",
    ];
    let mut state = 7_u64;
    let mut text = String::new();
    while text.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.push_str(lines[(state >> 33) as usize % lines.len()]);
        text.push('\n');
    }
    text
}

#[test]
fn ten_megabytes_of_garbage_are_refused_in_a_few_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("garbage.toml");
    let noise: Vec<u8> = (0..10_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for bytes in [
        noise.clone(),
        noise[..1 << 20].to_vec(),
        garbage(10 << 20).into_bytes(),
        vec![b'['; 3 << 20],
    ] {
        std::fs::write(&path, &bytes).expect("written");
        let loaded = load(std::slice::from_ref(&path), &Caller::default());
        let shown = loaded.diagnostics.to_string();
        assert!(loaded.diagnostics.has_errors());
        assert!(shown.lines().count() < 20 && shown.len() < 2000, "{shown}");
    }
}

#[test]
fn garbage_just_below_the_limits_is_refused_too() {
    for size in [200 << 10, 3 << 20] {
        let shown = try_it(&garbage(size));
        assert!(
            !shown.is_empty() && shown.len() < 100_000,
            "{} bytes",
            shown.len()
        );
    }
}

#[test]
fn a_key_of_a_million_parts_does_not_exhaust_the_stack() {
    for text in [
        format!("{}a = 1\n", "a.".repeat(1_000_000)),
        format!("[{}a]\n", "a . ".repeat(500_000)),
        format!("x = {{ {}a = 1 }}\n", "\"a\".".repeat(500_000)),
        format!("x = {}\n", "[".repeat(1_000_000)),
        format!("x = {}\n", "{a=".repeat(1_000_000)),
    ] {
        // A small stack, as the daemon's threads have.
        let worker = std::thread::Builder::new()
            .stack_size(1 << 20)
            .spawn(move || try_it(&text));
        let shown = worker.expect("a thread").join().expect("no panic");
        assert!(shown.len() < 5000, "{shown}");
    }
}

#[test]
fn a_thousand_mistakes_are_counted_and_not_all_shown() {
    let text: String = (0..1000)
        .map(|n| format!("[service.s{n}]\ncommand = \"sleep 1\"\nfrobnicate = {n}\n"))
        .collect();
    let shown = try_it(&text);
    assert!(
        shown.ends_with("1000 errors (950 not shown)\n"),
        "{}",
        &shown[shown.len() - 200..]
    );
}

#[cfg(unix)]
#[test]
fn a_fifo_or_a_folder_in_the_place_of_a_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = load(&[folder.path().to_owned()], &Caller::default())
        .diagnostics
        .to_string();
    assert!(shown.contains("holds no configuration"), "{shown}");
    let shown = load(
        &["/dev/null".into(), "/no/such/file.toml".into()],
        &Caller::default(),
    )
    .diagnostics
    .to_string();
    assert!(
        shown.contains("not a regular file") && shown.contains("no such file"),
        "{shown}"
    );
}

#[test]
fn a_pattern_that_is_short_and_huge_is_refused_soon() {
    let repeated = format!(
        "{}a{}",
        "(".repeat(30),
        "{9}){9}".repeat(30).trim_end_matches("{9}")
    );
    for pattern in [
        "((a{900}){900}){900}".to_owned(),
        "(\\\\p{L}{1000}){1000}".to_owned(),
        "\\\\w{100000}".to_owned(),
        "(".repeat(2000),
        format!("{}{}", "(".repeat(2000), ")".repeat(2000)),
        "a|".repeat(10_000),
        "x{4294967295}".to_owned(),
        repeated,
    ] {
        for key in [
            "ready = { log = ",
            "health = { http = \"http://[::1]/\", body = ",
        ] {
            let text = format!(
                "[service.a]\ncommand = \"sleep 1\"\ninstances = 1000\n{key}\"{pattern}\" }}\n"
            );
            let shown = try_it(&text);
            assert!(
                shown.ends_with("1 error\n") && shown.len() < 3000,
                "{shown}"
            );
        }
    }
}

#[test]
fn ten_thousand_copies_of_a_huge_unit_are_refused() {
    let text = "x".repeat(1 << 20);
    for line in [
        format!("environment = {{ A = \"{text}\" }}"),
        format!("before_start = \"true {text}\""),
        format!("ready = {{ exec = [\"true\", \"{text}\"] }}"),
    ] {
        let shown = try_it(&format!(
            "[service.a]\ncommand = \"sleep 1\"\ninstances = 10000\n{line}\n"
        ));
        assert!(shown.contains("10000 copies of a unit of"), "{shown}");
    }
}

#[test]
fn a_hundred_thousand_sockets_hooks_and_probes_are_refused_in_a_few_lines() {
    let many =
        |item: &dyn Fn(usize) -> String| (0..100_000).map(|n| item(n) + ", ").collect::<String>();
    for line in [
        format!(
            "socket = {{ listen = [{}] }}",
            many(&|n| format!("\"127.0.0.{}:{}\"", n / 50_000, n % 50_000 + 2000))
        ),
        format!(
            "socket = {{ listen = [{}] }}",
            many(&|_| "{ name = \"\" }".into())
        ),
        format!("before_start = [{}]", many(&|_| "{ x = 1 }".into())),
        format!(
            "ready = {{ http = \"http://h/\", status = [{}] }}",
            many(&|_| "0".into())
        ),
        format!("health = {{ exec = [{}] }}", many(&|_| "1".into())),
    ] {
        let shown = try_it(&format!("[service.a]\ncommand = \"sleep 1\"\n{line}\n"));
        assert!(
            !shown.is_empty() && shown.len() < 100_000,
            "{}",
            shown.len()
        );
    }
    let deep = format!(
        "[service.a]\ncommand = \"sleep 1\"\nhealth = {{ on_unhealthy = {}{} }}\n",
        "[".repeat(60),
        "]".repeat(60)
    );
    assert!(try_it(&deep).contains("health.on_unhealthy"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pattern_address_and_command_gets_an_answer(text in any::<String>(), close in "[\\[\\](){}*+?|\\\\^$.a-c0-9:/@,-]{0,30}") {
        for value in [text, close] {
            let value = toml::Value::String(value).to_string();
            try_it(&format!(
                "[service.a]\ncommand = \"sleep 1\"\nready = {{ log = {value} }}\nsocket = {{ listen = {value} }}\n\
                 health = {{ tcp = {value}, http = {value}, body = {value}, on_unhealthy = {value} }}\nbefore_start = {value}\n\
                 [report]\nurl = {value}\nhost = {value}\n[monitor]\nservices = [{value}]\n"
            ));
        }
    }
}
