use clap::{CommandFactory as _, Parser as _};

use super::*;

fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["abide"], line].concat())
}

#[test]
fn the_definitions_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_overview_names_every_command_and_none_that_is_not_there() {
    let help = Cli::command().render_help().to_string();
    let words: Vec<&str> = help
        .lines()
        .filter(|line| line.starts_with("  "))
        .flat_map(str::split_whitespace)
        .collect();
    for command in Cli::command().get_subcommands() {
        assert!(
            words.contains(&command.get_name())
                || help.contains(&format!("{} =", command.get_name())),
            "{} is not in the overview",
            command.get_name()
        );
    }
    for absent in ["convert", "advise"] {
        assert!(!words.contains(&absent), "{absent} is promised");
        assert_eq!(
            parse(&[absent]).expect_err("not there").kind(),
            clap::error::ErrorKind::InvalidSubcommand
        );
    }
}

#[test]
fn every_command_has_examples_and_takes_a_home() {
    for command in Cli::command()
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let examples = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            examples.contains("Example"),
            "{} has no example",
            command.get_name()
        );
    }
    for line in [
        &["status", "--home", "/h"][..],
        &["--home", "/h", "status"],
        &["logs", "-f", "--home=/h"],
    ] {
        let cli = parse(line).expect("valid");
        assert_eq!(
            cli.common.home.as_deref(),
            Some(std::path::Path::new("/h")),
            "{line:?}"
        );
    }
}

#[test]
fn a_command_may_have_options_of_its_own() {
    let cli = parse(&["run", "--name", "web", "--", "ls", "--home", "-l"]).expect("valid");
    let Some(Command::Run(args)) = cli.command else {
        panic!("{cli:?}")
    };
    assert_eq!(args.command, ["ls", "--home", "-l"]);
    assert_eq!(args.name.as_deref(), Some("web"));
    assert_eq!(cli.common.home, None);
    let cli = parse(&["run", "sleep", "60"]).expect("the -- may be left out");
    let Some(Command::Run(args)) = cli.command else {
        panic!("{cli:?}")
    };
    assert_eq!(args.command, ["sleep", "60"]);
}

#[test]
fn aliases_mean_what_they_stand_for() {
    for (alias, is) in [("ls", "status"), ("ps", "status"), ("list", "status")] {
        assert!(matches!(
            parse(&[alias]).expect(is).command,
            Some(Command::Status(_))
        ));
    }
    for alias in ["rm", "delete"] {
        assert!(matches!(
            parse(&[alias, "x"]).expect("remove").command,
            Some(Command::Remove(_))
        ));
    }
    assert!(matches!(
        parse(&["tail"]).expect("logs").command,
        Some(Command::Tail(_))
    ));
    assert!(matches!(
        parse(&["top"]).expect("status").command,
        Some(Command::Top(_))
    ));
}

#[test]
fn nonsense_is_refused() {
    for line in [
        &["start"][..],
        &["run"],
        &["run", "--"],
        &["scale", "web"],
        &["scale", "web=many"],
        &["scale", "=3"],
        &["signal", "NOPE", "web"],
        &["run", "--env", "X", "--", "ls"],
        &["run", "--restart", "sometimes", "--", "ls"],
        &["wait", "--for", "glory", "web"],
        &["wait", "--timeout", "soon", "web"],
        &["start", "web", "--no-wait", "--timeout", "3s"],
        &["logs", "--format", "xml"],
        &["logs", "-n", "-3"],
        &[
            "run",
            "--ready-tcp",
            ":1",
            "--ready-http",
            "http://x",
            "--",
            "ls",
        ],
        &["fly"],
    ] {
        let error = parse(line).expect_err(&line.join(" "));
        assert_eq!(error.exit_code(), 2, "{line:?}");
    }
}

#[test]
fn a_time_is_read_as_it_is_written() {
    for (text, millis) in [
        ("500ms", 500),
        ("30s", 30_000),
        ("2m", 120_000),
        ("1h30m", 5_400_000),
        ("1.5h", 5_400_000),
        ("7", 7000),
        ("1d", 86_400_000),
    ] {
        assert_eq!(
            parse_duration(text).map(|time| time.as_millis()),
            Ok(millis),
            "{text}"
        );
    }
    for bad in ["", "soon", "-1s", "3 fortnights", "s", "1e400"] {
        assert!(parse_duration(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn a_control_of_a_service_is_a_number_of_its_own_and_a_command() {
    let controls = |words: &[&str]| match parse(words).map(|cli| cli.command) {
        Ok(Some(Command::Host(args))) => args.managed.controls,
        other => panic!("{words:?}: {other:?}"),
    };
    let read = controls(&[
        "host",
        "web",
        "--control",
        "128=reload",
        "--control=255=read-files",
    ]);
    let codes: Vec<u8> = read.iter().map(|control| control.code).collect();
    assert_eq!(codes, [128, 255]);
    for wrong in ["127=reload", "256=reload", "128", "128=fly", "a=reload"] {
        let error = parse(&["host", "web", "--control", wrong]).expect_err(wrong);
        assert_eq!(error.exit_code(), 2, "{wrong}");
    }
}
