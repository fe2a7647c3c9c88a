//! What a person looks at: widths, colours, control characters, and the terminal itself.

mod console;
mod output;
mod screen;
mod style;
mod text;

pub use console::{Asked, Key, Signals};
pub use output::Output;
pub use screen::Screen;
pub use style::{Palette, Style};
pub use text::{escape, pad, padded, truncate, width, wrap};
