//! Mistakes as people read them.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet as Source};

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
    let file = item.file.display().to_string();
    let mut first =
        level
            .primary_title(item.message.clone())
            .element(origin(&file, item.line, item.column));
    if let Some(snippet) = &item.snippet {
        first = first.element(source(
            snippet,
            item.line,
            AnnotationKind::Primary,
            &item.label,
        ));
    }
    let mut groups: Vec<Group<'_>> = vec![first];
    for note in &item.notes {
        groups.push(
            Level::NOTE
                .secondary_title(note.label.clone())
                .element(origin(
                    &note.file.display().to_string(),
                    note.line,
                    note.column,
                ))
                .element(source(
                    &note.snippet,
                    note.line,
                    AnnotationKind::Primary,
                    "",
                )),
        );
    }
    if let Some(help) = &item.help {
        groups.push(Group::with_title(Level::HELP.secondary_title(help.clone())));
    }
    renderer.render(&groups)
}

fn origin<'a>(file: &str, line: u32, column: u32) -> Origin<'a> {
    let origin = Origin::path(file.to_owned());
    if line == 0 {
        origin
    } else {
        origin.line(line as usize).char_column(column as usize)
    }
}

fn source<'a>(
    snippet: &Snippet,
    line: u32,
    kind: AnnotationKind,
    label: &str,
) -> Source<'a, annotate_snippets::Annotation<'a>> {
    let mut annotation = kind.span(snippet.mark.clone());
    if !label.is_empty() {
        annotation = annotation.label(label.to_owned());
    }
    Source::source(snippet.text.clone())
        .line_start(line as usize)
        .path(None::<String>)
        .annotation(annotation)
}
