//! Colours, where they are wanted.

use std::fmt;

use crate::args::ColorWhen;

/// How a text looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Busy,
    Bad,
    /// One of six colours that tell names apart.
    Name(u8),
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Busy => "33",
            Self::Bad => "31",
            Self::Name(n) => ["36", "35", "34", "32", "33", "96"][usize::from(n % 6)],
        }
    }
}

/// Whether colours are used on one output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Palette {
    on: bool,
}

impl Palette {
    /// No colours.
    #[must_use]
    pub const fn plain() -> Self {
        Self { on: false }
    }

    /// What `--color`, NO_COLOR (<https://no-color.org>), TERM and the output say, which is a `terminal` or not.
    #[must_use]
    pub fn choose(when: ColorWhen, terminal: bool) -> Self {
        let on = match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                terminal
                    && !set("NO_COLOR")
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Self { on }
    }

    /// Colours are used.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.on
    }

    /// `text` in this style.
    pub fn paint<T: fmt::Display>(self, style: Style, text: T) -> Painted<T> {
        Painted {
            code: if self.on { style.code() } else { "" },
            text,
        }
    }
}

/// A text with its colour around it.
pub struct Painted<T> {
    code: &'static str,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_empty() {
            self.text.fmt(f)
        } else {
            write!(f, "\x1b[{}m", self.code)?;
            self.text.fmt(f)?;
            f.write_str("\x1b[0m")
        }
    }
}
