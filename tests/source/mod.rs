//! The library's own source, for tests that read it.

use std::path::{Path, PathBuf};

/// Every file under `src/`, by its path from there, and what stands in it.
pub fn files() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    find(&src, &mut paths);
    assert!(paths.len() > 20, "the sources are where they were");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&src).unwrap().to_owned(), text)
    };
    paths.into_iter().map(read).collect()
}

fn find(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => find(&path, into),
            path if path.extension().is_some_and(|extension| extension == "rs") => into.push(path),
            _ => {}
        }
    }
}

/// The lines without their comments.
pub fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().map(|line| line.split("//").next().unwrap_or(""))
}

/// Whether a character may stand in a name.
pub fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
