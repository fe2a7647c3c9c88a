//! Windows's registry, below `HKEY_LOCAL_MACHINE`: values of keys, keys of keys. Linux has none.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Value, delete_tree, delete_value, keys, set, value};
