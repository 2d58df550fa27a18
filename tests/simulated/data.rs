//! Where production traces are.

use std::path::PathBuf;

/// A file of the folder that `HERDER_DATA` names; none, and a word of it, where it is not there.
pub(crate) fn data(file: &str) -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data"));
    let path = std::env::var_os("HERDER_DATA").map_or_else(default, PathBuf::from).join(file);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}
