//! Sections, settings and words (systemd.syntax(7)).

use std::path::Path;

use crate::doctor::finding::{Check, Finding};

/// What the files of a unit set, later ones after earlier ones.
#[derive(Default, Debug)]
pub(super) struct Settings {
    sections: Vec<String>,
    /// Section, key, value.
    set: Vec<(String, String, String)>,
}

impl Settings {
    /// Takes one file in. What is no setting is a finding.
    pub(super) fn read(&mut self, file: &Path, text: &str, findings: &mut Vec<Finding>) {
        let mut section = String::new();
        let mut lines = text.lines().enumerate();
        if text.contains('\r') {
            findings.push(
                Finding::fault(
                    Check::Definition,
                    format!("{} has the line ends of Windows", file.display()),
                    format!("`sed -i 's/\\r$//' {}` takes them away", file.display()),
                )
                .about(file),
            );
        }
        while let Some((number, line)) = lines.next() {
            let mut line = line.trim().to_owned();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            while line.ends_with('\\') {
                line.pop();
                line.push(' ');
                // Comments may stand between the parts of a line.
                let next = lines.find(|(_, next)| !next.trim_start().starts_with(['#', ';']));
                let Some((_, next)) = next else { break };
                line.push_str(next.trim());
            }
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = name.to_owned();
                self.sections.push(section.clone());
                continue;
            }
            match line.split_once('=') {
                Some((key, value)) if !section.is_empty() => {
                    self.put(&section, key.trim(), value.trim())
                }
                _ => findings.push(
                    Finding::fault(
                        Check::Definition,
                        format!(
                            "line {} of {} is no setting: {line}",
                            number + 1,
                            file.display()
                        ),
                        "write KEY=VALUE below a [Section], or take it out",
                    )
                    .about(file),
                ),
            }
        }
    }

    fn put(&mut self, section: &str, key: &str, value: &str) {
        if value.is_empty() {
            // Lists begin anew.
            self.set
                .retain(|(of, name, _)| !(of == section && name == key));
        } else {
            self.set
                .push((section.to_owned(), key.to_owned(), value.to_owned()));
        }
    }

    /// There is such a section.
    pub(super) fn has(&self, section: &str) -> bool {
        self.sections.iter().any(|name| name == section)
    }

    /// All values of a setting that may be given more than once.
    pub(super) fn all(&self, section: &str, key: &str) -> Vec<&str> {
        self.set
            .iter()
            .filter(|(of, name, _)| of == section && name == key)
            .map(|(_, _, value)| value.as_str())
            .collect()
    }

    /// The value that counts.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<&str> {
        self.all(section, key).last().copied()
    }

    /// The words of all values.
    pub(super) fn words(&self, section: &str, key: &str) -> Vec<String> {
        self.all(section, key)
            .iter()
            .flat_map(|value| value.split_whitespace())
            .map(str::to_owned)
            .collect()
    }
}

/// The words of a command line, as systemd parts them; `None`: a quote does not end. Only the first command of
/// several.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        while letters.next_if(|c| c.is_whitespace()).is_some() {}
        if letters.peek().is_none() {
            return Some(words);
        }
        let mut word = String::new();
        let mut quoted = false;
        let mut quote = None;
        while let Some(c) = letters.next_if(|c| quote.is_some() || !c.is_whitespace()) {
            match (c, quote) {
                ('\\', _) => word.push(escaped(&mut letters)?),
                (c, Some(mark)) if c == mark => quote = None,
                // Inside of a word a quote is a letter like others.
                ('"' | '\'', None) if word.is_empty() => {
                    quote = Some(c);
                    quoted = true;
                }
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        if word == ";" && !quoted {
            return Some(words);
        }
        words.push(word);
    }
}

/// What an escape stands for; numbers are kept as they are, no path is written so.
fn escaped(letters: &mut impl Iterator<Item = char>) -> Option<char> {
    Some(match letters.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        's' => ' ',
        other => other,
    })
}
