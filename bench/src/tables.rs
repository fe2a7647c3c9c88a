//! Tables in Markdown, from results.

use std::fmt::Write as _;

use crate::bars::{self, Figure, Row};
use crate::measure::{crash, death};
use crate::peers::NAMES;
use crate::results::Results;
use crate::statistics::shown;

/// Between these lines of a document stands what is made from results.
const BEGIN: &str = "<!-- figures: made by `cargo xtask bench`, not by hand -->";
const END: &str = "<!-- end of figures -->";

/// Puts tables in the place of those that a document has.
///
/// # Errors
/// The document has no place for them.
pub fn put(document: &str, tables: &str) -> Result<String, String> {
    let parts = document
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("there is no `{BEGIN}` … `{END}` in it"))?;
    Ok(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

/// They keep no programs.
const CATS: [&str; 2] = ["cat", "cat-wide"];
/// They capture no output.
const SILENT: [&str; 2] = ["floor", "dinit"];

/// All tables.
#[must_use]
pub fn all(results: &Results) -> String {
    let mut text = String::new();
    conditions(results, &mut text);
    let keepers = measured(results, |peer| !CATS.contains(&peer));
    table(
        "Keeping programs",
        results,
        bars::KEEPING,
        &keepers,
        &mut text,
    );
    let capturers = measured(results, |peer| !SILENT.contains(&peer));
    table(
        "Capturing what they write",
        results,
        bars::CAPTURING,
        &capturers,
        &mut text,
    );
    pipes(results, &mut text);
    deaths(results, &mut text);
    if !results.remarks.is_empty() {
        text.push_str("\n### What could not be measured\n\n");
        for remark in &results.remarks {
            let _ = writeln!(text, "- {remark}");
        }
    }
    text
}

/// Those of whom there is anything.
/// Those of [`NAMES`] that belong into a table and were measured.
fn measured(results: &Results, belongs: impl Fn(&str) -> bool) -> Vec<&'static str> {
    NAMES
        .iter()
        .copied()
        .filter(|name| belongs(name))
        .filter(|name| results.samples.iter().any(|samples| samples.peer == *name))
        .collect()
}

fn conditions(results: &Results, text: &mut String) {
    let c = &results.conditions;
    let _ = writeln!(
        text,
        "\n{}, {}: {}; {}; memory {}. Load average (1 and 5 min) before: {}; after: {}. Homes and logs on {}, the \
         rows \"on a disk\" on {}. {} rounds{}, {} min.\n",
        c.date,
        c.system,
        c.kernel,
        c.cores,
        c.memory,
        c.load_before,
        c.load_after,
        c.scratch,
        c.disk,
        c.rounds,
        if c.quick { " (quick mode)" } else { "" },
        c.seconds.div_ceil(60),
    );
    let versions: Vec<String> = c
        .versions
        .iter()
        .map(
            |(name, version)| match version.strip_prefix(name.as_str()) {
                Some(_) => version.clone(),
                None => format!("{name}: {version}"),
            },
        )
        .collect();
    let _ = writeln!(text, "{}.", versions.join("; "));
}

/// A figure, with its spread where there were rounds, and its ratio.
fn cell(results: &Results, row: &Row, peer: &str) -> String {
    let Some(value) = row.of(results, peer) else {
        return "–".to_owned();
    };
    let mut text = shown(value);
    let base = row.of(results, row.base).filter(|base| *base > 0.0);
    if let Some(base) = base.filter(|_| peer != row.base) {
        let _ = write!(text, " ({}×)", shown(value / base));
    }
    let spread = results.summary(peer, row.what, row.units);
    let few = |count: usize| row.what == crash::WHAT && row.figure == Figure::P99 && count < 300;
    if let Some(spread) = spread.filter(|spread| few(spread.count)) {
        let _ = write!(text, " of {} kills", spread.count);
    }
    if let Some(spread) = spread
        .filter(|s| row.figure == Figure::Median && s.count > 1 && s.max > s.min && peer == "abide")
    {
        let _ = write!(text, " [{}–{}]", shown(spread.min), shown(spread.max));
    }
    text
}

/// A table of those rows for which there is anything.
fn table(title: &str, results: &Results, rows: &[Row], peers: &[&str], text: &mut String) {
    let mut lines = String::new();
    for row in rows {
        let cells: Vec<String> = peers.iter().map(|peer| cell(results, row, peer)).collect();
        if cells.iter().all(|cell| cell == "–") {
            continue;
        }
        let value = row.of(results, "abide");
        let (bar, met) = bars::judge(row.bar, value, |peer| row.of(results, peer));
        let _ = writeln!(
            lines,
            "| {} | {} | {bar} | {} |",
            row.title,
            cells.join(" | "),
            verdict(&bar, met)
        );
    }
    if !lines.is_empty() {
        let _ = writeln!(
            text,
            "\n### {title}\n\n| | {} | bar | met |\n|---|{}---|---|",
            peers.join(" | "),
            "---|".repeat(peers.len())
        );
        text.push_str(&lines);
    }
}

fn verdict(bar: &str, met: Option<bool>) -> &'static str {
    match met {
        _ if bar.is_empty() => "",
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "not known",
    }
}

/// How large abide's pipe was.
fn pipes(results: &Results, text: &mut String) {
    let sizes: Vec<String> = results
        .samples
        .iter()
        .filter(|samples| samples.what.ends_with("pipe KiB") && samples.round == 1)
        .filter_map(|samples| {
            let name = samples.what.strip_suffix(" pipe KiB")?;
            Some(format!("{name}: {} KiB", shown(*samples.values.first()?)))
        })
        .collect();
    if !sizes.is_empty() {
        let _ = writeln!(text, "\nabide's pipe under load: {}.", sizes.join("; "));
    }
}

fn deaths(results: &Results, text: &mut String) {
    let mut seen: Vec<(String, String)> = Vec::new();
    for samples in &results.samples {
        let name = samples
            .what
            .strip_prefix("death of ")
            .and_then(|rest| Some(rest.split_once(": ")?.0.to_owned()));
        if let Some(name) = name {
            let key = (samples.peer.clone(), name);
            if !seen.contains(&key) {
                seen.push(key);
            }
        }
    }
    if seen.is_empty() {
        return;
    }
    text.push_str(
        "\n### `kill -9` of the supervisor\n\n\
         | who | dies | copies | units restarted | lines lost | nobody minds for, ms |\n\
         |---|---|---|---|---|---|\n",
    );
    let order = |peer: &str| crate::peers::NAMES.iter().position(|name| *name == peer);
    seen.sort_by_key(|(peer, _)| order(peer));
    for (peer, name) in seen {
        let units = results
            .samples
            .iter()
            .find(|samples| samples.peer == peer && samples.what.starts_with("death of "))
            .map_or(0, |samples| samples.units);
        let of = |what: &str| {
            let summary = results.summary(&peer, &format!("death of {name}: {what}"), units);
            summary.map(|summary| (summary.median, summary.max))
        };
        let cells: Vec<String> = bars::DEATH
            .iter()
            .map(|(what, bar)| {
                let figure = of(what);
                let worst = if *what == death::GAP {
                    figure.map(|figure| figure.0)
                } else {
                    figure.map(|figure| figure.1)
                };
                let shown = worst.map_or_else(|| "–".to_owned(), shown);
                let (bar, met) = bars::judge(*bar, worst, |_| None);
                if peer == "abide" && met == Some(false) {
                    format!("**{shown}** ({bar} not met)")
                } else {
                    shown
                }
            })
            .collect();
        let _ = writeln!(text, "| {peer} | {name} | {} |", cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let mut results = Results::default();
        for (peer, seconds) in [("floor", 0.4), ("abide", 0.45), ("dinit", 0.5)] {
            results.add(peer, "launch s", 1000, 1, &[seconds]);
            results.add(peer, "launch s", 1000, 2, &[seconds + 0.02]);
        }
        results.add("abide", "death of daemon: copies", 201, 1, &[1.0]);
        results.add("abide", "death of daemon: lines lost", 201, 1, &[3.0]);
        results
    }

    #[test]
    fn a_row_has_figures_ratios_bar_and_verdict() {
        let text = all(&results());
        let row = text
            .lines()
            .find(|line| line.contains("launch of 1,000"))
            .expect("it was measured");
        assert!(
            row.contains("0.41 | 0.46 (1.12×) [0.45–0.47] | 0.51"),
            "{row}"
        );
        assert!(row.ends_with("| < dinit, ≤ 1.25 × floor | yes |"), "{row}");
        assert!(!text.contains("memory, 10 services"), "{text}");
    }

    #[test]
    fn a_lost_line_is_not_hidden() {
        let text = all(&results());
        assert!(text.contains("**3** (≤ 0 not met)"), "{text}");
    }

    #[test]
    fn tables_take_the_place_of_older_ones() {
        let document = format!("# Title\n{BEGIN}\nold\n{END}\nafter\n");
        let new = put(&document, "new").expect("there is a place");
        assert_eq!(new, format!("# Title\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert_eq!(put(&new, "new"), Ok(new.clone()));
        assert!(put("# Title\n", "new").is_err());
    }
}
