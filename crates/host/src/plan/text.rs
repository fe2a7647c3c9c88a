//! Plans and changes, for people.

use std::fmt;

use super::{Call, Plan};

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.words.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&crate::shell::quote(word))?;
        }
        Ok(())
    }
}

/// Exactly what would be written, linked, removed and called.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for directory in &self.directories {
            writeln!(f, "directory {}", directory.display())?;
        }
        if let Some(registration) = &self.registration {
            writeln!(f, "service {}", registration.name)?;
            for line in registration.to_string().lines() {
                writeln!(f, "    {line}")?;
            }
        }
        for file in &self.files {
            writeln!(f, "file {} (mode {:04o})", file.path.display(), file.mode)?;
            for line in file.text.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        for link in &self.links {
            let (path, target) = (link.path.display(), link.target.display());
            writeln!(f, "link {path} -> {target}")?;
        }
        for path in &self.removed {
            writeln!(f, "without {}", path.display())?;
        }
        for call in &self.calls {
            writeln!(f, "run {call}")?;
        }
        for path in &self.afterwards {
            writeln!(f, "then without {}", path.display())?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

/// How two texts differ, line by line: `- ` was there, `+ ` is there now; empty: they are the same.
#[must_use]
pub fn difference(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    // Lengths of the longest common subsequences of what is left of both.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut text = String::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if i < old.len()
            && (j == new.len() || common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            text.push_str(&format!("- {}\n", old[i]));
            i += 1;
        } else {
            text.push_str(&format!("+ {}\n", new[j]));
            j += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_shows_the_lines_that_differ_and_no_others() {
        assert_eq!(difference("a\nb\nc\n", "a\nb\nc\n"), "");
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\nd\n"), "- b\n+ x\n+ d\n");
        assert_eq!(difference("", "a\n"), "+ a\n");
        assert_eq!(difference("a\n", ""), "- a\n");
    }
}
