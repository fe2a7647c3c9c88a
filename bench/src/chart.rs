//! Charts as SVG: bars on a logarithmic scale, readable on light and dark grounds, with the figures as text.

use std::fmt::Write as _;

use crate::results::Results;
use crate::statistics::shown;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 90.0;
const LINE: f64 = 22.0;

/// One chart: a title for each group of bars, and a name and a value for each bar.
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// Title, and bars.
    pub groups: Vec<(String, Vec<(String, f64)>)>,
}

/// A group: the medians of those of whom there is one, smallest first.
#[must_use]
pub fn group(
    results: &Results,
    title: &str,
    what: &str,
    units: usize,
) -> (String, Vec<(String, f64)>) {
    let mut bars: Vec<(String, f64)> = crate::peers::NAMES
        .iter()
        .filter_map(|peer| {
            let summary = results.summary(peer, what, units)?;
            Some(((*peer).to_owned(), summary.median))
        })
        .filter(|(_, value)| *value > 0.0)
        .collect();
    bars.sort_by(|one, two| one.1.total_cmp(&two.1));
    (title.to_owned(), bars)
}

/// The picture. Colours are of middle lightness, so that no ground hides them; text takes the ground's own.
#[must_use]
pub fn svg(chart: &Chart) -> String {
    let groups: Vec<_> = chart
        .groups
        .iter()
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    let lines: usize = groups.iter().map(|(_, bars)| bars.len() + 2).sum();
    let height = 44.0 + LINE * lines as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n\
         <style>\n\
         text {{ font: 13px system-ui, sans-serif; fill: #24292f; }}\n\
         .title {{ font-weight: 600; }}\n\
         .bar {{ fill: #8c959f; }}\n\
         .abide {{ fill: #2da44e; }}\n\
         .floor {{ fill: #bf8700; }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3; }} }}\n\
         </style>\n\
         <text class=\"title\" x=\"10\" y=\"24\">{title}</text>\n",
        title = escaped(chart.title)
    );
    let mut y = 44.0;
    for (title, bars) in groups {
        let _ = writeln!(
            text,
            "<text class=\"title\" x=\"10\" y=\"{:.1}\">{}</text>",
            y + 15.0,
            escaped(title)
        );
        y += LINE;
        let values = bars.iter().map(|(_, value)| *value);
        let most = values.clone().fold(f64::MIN, f64::max);
        let least = values.fold(f64::MAX, f64::min);
        for (name, value) in bars {
            let class = match name.as_str() {
                "abide" => "bar abide",
                "floor" | "cat" | "cat-wide" => "bar floor",
                _ => "bar",
            };
            let width = (WIDTH - LEFT - RIGHT) * length(*value, least, most);
            let _ = writeln!(
                text,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 8.0,
                y + 15.0,
                escaped(name),
                y + 3.0,
                LINE - 6.0,
                LEFT + width + 6.0,
                y + 15.0,
                shown(*value)
            );
            y += LINE;
        }
        y += LINE;
    }
    text.push_str("</svg>\n");
    text
}

/// From 0 to 1, by the logarithm; the smallest bar is to be seen too.
fn length(value: f64, least: f64, most: f64) -> f64 {
    if most <= least {
        return 1.0;
    }
    0.06 + 0.94 * (value / least).ln() / (most / least).ln()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The charts of a run: file names and pictures.
#[must_use]
pub fn all(results: &Results) -> Vec<(&'static str, String)> {
    let keeping = Chart {
        title: "Keeping programs (logarithmic scale, less is better)",
        groups: vec![
            group(
                results,
                "memory with 1,000 services, MiB",
                "memory MiB",
                1000,
            ),
            group(results, "launch of 1,000, s", "launch s", 1000),
            group(
                results,
                "crash to main() of the successor, median, ms",
                "crash ms",
                200,
            ),
            group(results, "status of 200, ms", "status ms", 200),
        ],
    };
    let capturing = Chart {
        title: "Capturing output (logarithmic scale)",
        groups: vec![
            group(
                results,
                "one writer, MB/s (more is better)",
                "capture 1 writer, 64 KiB MB/s",
                1,
            ),
            group(
                results,
                "CPU seconds per GiB (less is better)",
                "capture 1 writer, 64 KiB CPU s/GiB",
                1,
            ),
        ],
    };
    vec![
        ("keeping.svg", svg(&keeping)),
        ("capturing.svg", svg(&capturing)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_bar_and_a_figure_for_each_and_fits() {
        let mut results = Results::default();
        results.add("floor", "launch s", 1000, 1, &[0.4]);
        results.add("pm2", "launch s", 1000, 1, &[14.6]);
        results.add("abide", "launch s", 1000, 1, &[0.45]);
        let chart = Chart {
            title: "less <is> better",
            groups: vec![group(&results, "launch", "launch s", 1000)],
        };
        let text = svg(&chart);
        assert_eq!(text.matches("<rect").count(), 3);
        assert!(text.contains(">14.6</text>") && text.contains("less &lt;is&gt; better"));
        assert!(
            text.find(">floor<") < text.find(">abide<"),
            "smallest first"
        );
        let longest = length(14.6, 0.4, 14.6);
        assert!((longest - 1.0).abs() < 1e-9);
        assert!(length(0.4, 0.4, 14.6) > 0.0);
    }

    #[test]
    fn what_was_not_measured_has_no_group() {
        let text = svg(&Chart {
            title: "nothing",
            groups: vec![("empty".to_owned(), Vec::new())],
        });
        assert!(!text.contains("empty"));
    }
}
