//! Names in the file system for queues that need one, each used once and gone with its value.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::*};

/// A path in memory that nobody else uses. Whatever stands there is removed with this value, and not by forked copies of it.
pub struct Name {
    path: PathBuf,
    process: u32,
}

impl Name {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let process = std::process::id();
        let path = PathBuf::from(format!("/dev/shm/compare-{process}-{}", NEXT.fetch_add(1, Relaxed)));
        Self { path, process }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last part of the path, which is unique itself.
    pub fn stem(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).expect("made of letters")
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            return;
        }
        let folder = self.path.parent().expect("in a folder");
        // Some peers add to the name, at either end.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let file = entry.file_name();
            let after = file.to_str().and_then(|file| file.split_once(self.stem())).map(|(_, after)| after);
            if after.is_some_and(|after| !begins_with_digit(after)) {
                let path = entry.path();
                let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            }
        }
    }
}

fn begins_with_digit(rest: &str) -> bool {
    rest.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_leaves_goes_with_it() {
        let (one, other) = (Name::new(), Name::new());
        assert_ne!(one.path(), other.path());
        let longer = PathBuf::from(format!("{}7", one.path().display()));
        let added = PathBuf::from(format!("{}.lock", one.path().display()));
        let before = PathBuf::from(format!("/dev/shm/sem.{}", one.stem()));
        for path in [one.path(), other.path(), &longer, &added, &before] {
            std::fs::write(path, b"here").expect("a file");
        }
        let gone = one.path().to_owned();
        drop(one);
        assert!(!gone.exists() && !added.exists() && !before.exists(), "left behind");
        assert!(other.path().exists() && longer.exists(), "took another one's");
        std::fs::remove_file(longer).expect("the longer one");
    }
}
