//! `abide plan`: what would change, as a diff.

use std::fmt::Write as _;

use abide_model::api::{Plan, PlanAction, PlanChange};

use crate::term::{Palette, Style, escape, pad, width};

/// One line for each unit that would change, its settings below it, and a summary; ends in a newline.
#[must_use]
pub fn plan(plan: &Plan, palette: Palette) -> String {
    let mut text = String::new();
    for change in &plan.changes {
        let (sign, style, what) = match change.action {
            PlanAction::Add => ("+", Style::Good, "add and start"),
            PlanAction::Change => ("~", Style::Busy, "change, without a restart"),
            PlanAction::Restart => ("~", Style::Busy, "change and restart"),
            PlanAction::Remove => ("-", Style::Bad, "stop and remove"),
            PlanAction::Unchanged => continue,
        };
        let head = format!("{sign} {}", escape(&change.unit));
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{}  {what}", palette.paint(style, head));
        fields(&mut text, change, palette);
    }
    let _ = writeln!(text, "{}", summary(plan));
    text
}

fn fields(text: &mut String, change: &PlanChange, palette: Palette) {
    let column = change
        .fields
        .iter()
        .map(|field| width(&field.key))
        .max()
        .unwrap_or(0);
    for field in &change.fields {
        let key = pad(&field.key, column, false);
        let value = |value: &Option<String>| {
            value
                .as_deref()
                .map_or_else(|| "(not set)".to_owned(), |text| escape(text).into_owned())
        };
        let arrow = palette.paint(Style::Dim, "→");
        let _ = writeln!(
            text,
            "    {key}  {} {arrow} {}",
            value(&field.from),
            value(&field.to)
        );
    }
}

fn summary(plan: &Plan) -> String {
    let count = |action| {
        plan.changes
            .iter()
            .filter(|change| change.action == action)
            .count()
    };
    let parts: Vec<String> = [
        (count(PlanAction::Add), "to add"),
        (count(PlanAction::Restart), "to change and restart"),
        (count(PlanAction::Change), "to change"),
        (count(PlanAction::Remove), "to remove"),
        (count(PlanAction::Unchanged), "unchanged"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let unchanged = count(PlanAction::Unchanged) == plan.changes.len();
    match (parts.is_empty(), unchanged) {
        (true, _) => "nothing to do: no units".to_owned(),
        (false, true) => format!("nothing to do: {}", parts.join(", ")),
        (false, false) => parts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::api::PlanField;

    #[test]
    fn a_plan_reads_like_a_diff() {
        let change =
            |unit: &str, action, fields: &[(&str, Option<&str>, Option<&str>)]| PlanChange {
                unit: unit.into(),
                action,
                fields: fields
                    .iter()
                    .map(|(key, from, to)| PlanField {
                        key: (*key).into(),
                        from: from.map(Into::into),
                        to: to.map(Into::into),
                    })
                    .collect(),
            };
        let shown = super::plan(
            &Plan {
                changes: vec![
                    change("api", PlanAction::Add, &[]),
                    change("db", PlanAction::Unchanged, &[]),
                    change("old", PlanAction::Remove, &[]),
                    change(
                        "web",
                        PlanAction::Restart,
                        &[
                            ("command", Some("./a"), Some("./b\u{1b}")),
                            ("environment.PORT", None, Some("8000")),
                        ],
                    ),
                ],
            },
            Palette::plain(),
        );
        assert_eq!(
            shown,
            "\
+ api  add and start
- old  stop and remove
~ web  change and restart
    command           ./a → ./b\\u{1b}
    environment.PORT  (not set) → 8000
1 to add, 1 to change and restart, 1 to remove, 1 unchanged
"
        );
        assert_eq!(
            super::plan(&Plan::default(), Palette::plain()),
            "nothing to do: no units\n"
        );
    }
}
