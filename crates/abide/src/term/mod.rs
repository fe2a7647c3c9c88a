//! What a person looks at: widths, colours, control characters, and the terminal itself.

mod output;
mod screen;
mod style;
mod text;

pub use output::Output;
pub use screen::{Asked, Key, Screen, Signals};
pub use style::{Palette, Style};
pub use text::{escape, pad, padded, truncate, width, wrap};
