//! `docs/parity.toml` against the code, and the page that is made from it.
//! `ABIDE_WRITE_DOCS=1 cargo test -p abide parity` writes the page anew.

use std::collections::BTreeSet;
use std::path::Path;

use abide_config::keys;
use abide_platform::absent;
use clap::CommandFactory as _;
use serde::Deserialize;

use super::Cli;

const DATA: &str = include_str!("../../../../docs/parity.toml");

const HEAD: &str = "\
# Linux and Windows, feature by feature

Made from [parity.toml](parity.toml), which a test holds against the code. What there is on Windows was shown under Wine, and not on a real Windows yet
([what Wine cannot show](known-gaps.md#not-shown-on-real-windows)). How it works there: [Windows](windows.md). Reasons in quotation marks are what
abide itself says.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parity {
    feature: Vec<Feature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    area: String,
    name: String,
    windows: There,
    #[serde(default)]
    how: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    commands: Vec<String>,
    #[serde(default)]
    reasons: Vec<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum There {
    Same,
    Differs,
    Absent,
}

fn features() -> Vec<Feature> {
    let parity: Parity = toml::from_str(DATA).expect("docs/parity.toml is valid");
    parity.feature
}

/// Everything of one kind that the data name; nothing may be named twice.
fn named(of: impl Fn(&Feature) -> &[String]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for feature in features() {
        for name in of(&feature) {
            assert!(all.insert(name.clone()), "{name} stands in two features");
        }
    }
    all
}

#[test]
fn every_key_stands_in_one_feature() {
    let there = keys::ALL.iter().map(|key| {
        let table = format!("{:?}", key.table).to_lowercase();
        format!("{table}.{}", key.name)
    });
    assert_eq!(named(|feature| &feature.keys), there.collect());
}

#[test]
fn every_command_stands_in_one_feature() {
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|c| !c.is_hide_set());
    let names = shown.map(|command| command.get_name().to_owned());
    assert_eq!(named(|feature| &feature.commands), names.collect());
}

#[test]
fn every_reason_of_the_code_stands_in_one_feature() {
    let reasons = absent::ON_WINDOWS
        .iter()
        .map(|absent| absent.name.to_owned());
    assert_eq!(named(|feature| &feature.reasons), reasons.collect());
}

#[test]
fn what_is_not_the_same_says_how_or_why() {
    for feature in features() {
        let explained = !feature.how.is_empty() || !feature.reasons.is_empty();
        let needed = feature.windows != There::Same;
        assert!(explained || !needed, "{} says not why", feature.name);
    }
}

/// The page, in Markdown.
fn page() -> String {
    let features = features();
    let mut page = vec![HEAD.to_owned()];
    let mut area = "";
    for feature in &features {
        if feature.area != area {
            area = &feature.area;
            page.push(format!(
                "\n## {area}\n\n| | on Windows | |\n|---|---|---|\n"
            ));
        }
        let there = match feature.windows {
            There::Same => "same",
            There::Differs => "differs",
            There::Absent => "not there",
        };
        page.push(format!(
            "| {} | {there} | {} |\n",
            title(feature),
            why(feature)
        ));
    }
    page.concat()
}

/// The name, with the commands and keys.
fn title(feature: &Feature) -> String {
    let keys = feature.keys.iter().map(|key| {
        let (table, name) = key.split_once('.').expect("TABLE.KEY");
        match table {
            "unit" | "file" => format!("`{name}`"),
            _ => format!("`{table}.{name}`"),
        }
    });
    let commands = feature
        .commands
        .iter()
        .map(|name| format!("`abide {name}`"));
    let named: Vec<String> = commands.chain(keys).collect();
    if named.is_empty() {
        return feature.name.clone();
    }
    format!("{}<br>{}", feature.name, named.join(", "))
}

fn why(feature: &Feature) -> String {
    let reasons = absent::ON_WINDOWS
        .iter()
        .filter(|absent| feature.reasons.iter().any(|name| name == absent.name));
    let said = reasons.map(|absent| format!("“{}”", absent.reason));
    let how = (!feature.how.is_empty()).then(|| feature.how.clone());
    how.into_iter().chain(said).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_page_is_made_from_the_data() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parity.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let page = page();
    if written == page {
        return;
    }
    if std::env::var_os("ABIDE_WRITE_DOCS").is_some() {
        std::fs::write(&path, page).expect("written");
    } else {
        panic!("docs/parity.md is out of date; ABIDE_WRITE_DOCS=1 writes it anew");
    }
}
