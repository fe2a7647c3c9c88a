//! Mistakes as people read them.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet as Source, Title};
use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Snippet};

/// Wide enough for what a file usually holds; longer lines are trimmed around the mark.
const WIDTH: usize = 120;

/// All of them, and a last line that counts them.
pub(crate) fn render(diagnostics: &Diagnostics, colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(WIDTH).decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for item in &diagnostics.items {
        text.push_str(&one(&renderer, item));
        text.push_str("\n\n");
    }
    let (errors, warnings) = (diagnostics.error_count(), diagnostics.warning_count());
    if errors + warnings > 0 {
        text.push_str(&count(errors, "error"));
        if errors > 0 && warnings > 0 {
            text.push_str(", ");
        }
        text.push_str(&count(warnings, "warning"));
        if diagnostics.hidden > 0 {
            text.push_str(&format!(" ({} not shown)", diagnostics.hidden));
        }
        text.push('\n');
    }
    text
}

fn count(n: usize, what: &str) -> String {
    match n {
        0 => String::new(),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

fn one(renderer: &Renderer, item: &Diagnostic) -> String {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let first = level.primary_title(item.message.clone());
    let first = match &item.snippet {
        Some(snippet) => place(
            first,
            snippet,
            &item.file,
            item.line,
            item.column,
            &item.label,
        ),
        None => first.element(Origin::path(item.file.display().to_string())),
    };
    let mut groups: Vec<Group<'_>> = vec![first];
    for note in &item.notes {
        let title = Level::NOTE.secondary_title(note.label.clone());
        groups.push(place(
            title,
            &note.snippet,
            &note.file,
            note.line,
            note.column,
            "",
        ));
    }
    if let Some(help) = &item.help {
        groups.push(Group::with_title(Level::HELP.secondary_title(help.clone())));
    }
    renderer.render(&groups)
}

/// Where it is and how that looks.
fn place<'a>(
    title: Title<'a>,
    snippet: &Snippet,
    file: &Path,
    line: u32,
    column: u32,
    label: &str,
) -> Group<'a> {
    let file = file.display().to_string();
    let mut mark = AnnotationKind::Primary.span(snippet.mark.clone());
    if !label.is_empty() {
        mark = mark.label(label.to_owned());
    }
    let source = Source::source(snippet.text.clone())
        .line_start(line as usize)
        .annotation(mark);
    // The renderer counts the column in the snippet, which is not the file's when a long line was cut.
    let counted = snippet
        .text
        .get(..snippet.mark.start)
        .map_or(0, |before| before.chars().count() + 1);
    if counted == column as usize {
        title.element(source.path(file))
    } else {
        let origin = Origin::path(file)
            .line(line as usize)
            .char_column(column as usize);
        title.element(origin).element(source.path(None::<String>))
    }
}
