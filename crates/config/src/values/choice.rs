//! One word out of a few.

use toml::de::DeValue;

use super::Wrong;
use crate::keys::nearest;
use crate::source::quoted;

pub(crate) fn read<T: Copy>(
    value: &DeValue<'_>,
    what: &str,
    words: &[(&str, T)],
    foreign: &[(&str, &str)],
) -> Result<T, Wrong> {
    let list = || {
        words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let text = match value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        other => return Err(Wrong::kind(other, &format!("one of {}", list()))),
    };
    if let (DeValue::String(_), Some((_, found))) =
        (value, words.iter().find(|(word, _)| *word == text))
    {
        return Ok(*found);
    }
    let wrong = Wrong::new(format!("{} is not {what}", quoted(text)));
    if let Some((_, ours)) = foreign
        .iter()
        .find(|(theirs, _)| theirs.eq_ignore_ascii_case(text))
    {
        return Err(wrong.label("another tool's word").help(*ours));
    }
    match nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(near) => Err(wrong.label(format!("did you mean \"{near}\"?"))),
        None => Err(wrong.label(format!("one of {}", list()))),
    }
}
