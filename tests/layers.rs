//! Imports only go down the layers, atomics come through one door and the system through another.

use std::path::{Path, PathBuf};

/// The layers from top to bottom. Modules of one line may import each other; a folder's files belong to it.
const LAYERS: &[&[&str]] = &[
    &["lib"],
    &["stream", "value"],
    &["spsc", "mpmc"],
    &["shmem"],
    &["open", "list"],
    &["stats"],
    &["options"],
    &["loan", "received", "ledger"],
    &["attachment"],
    &["reactor"],
    &["bodies"],
    &["registry"],
    &["slots"],
    &["segment"],
    &["ring"],
    &["roster"],
    &["wait", "pace"],
    &["layout"],
    &["message"],
    &["os"],
    &["owner"],
    &["error"],
    &["sync"],
];

fn layer(module: &str) -> Result<usize, String> {
    LAYERS.iter().position(|layer| layer.contains(&module)).ok_or_else(|| format!("module {module} is in no layer"))
}

/// The modules of this crate that a line names, by their paths from the crate's root.
fn named(line: &str) -> Vec<&str> {
    let mut named = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        if line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let path = &line[at + "crate::".len()..];
        let paths = match path.strip_prefix('{') {
            None => vec![path],
            // `use crate::{loan, received::Run}`: what stands deeper in brackets is not a module of the root.
            Some(group) => {
                let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            paths.push(&group[start..at]);
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            paths.push(&group[start..at]);
                            start = at + 1;
                        }
                        _ => {}
                    }
                }
                paths
            }
        };
        let ident = |path: &'_ str| path.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(path.len());
        named.extend(paths.into_iter().map(str::trim).map(|path| &path[..ident(path)]).filter(|name| !name.is_empty()));
    }
    named
}

/// What is wrong with the source of one file of a module, `depth` folders below the root.
fn faults(module: &str, depth: usize, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let here = match layer(module) {
        Ok(here) => here,
        Err(fault) => return vec![fault],
    };
    // An import may be broken over lines; it ends with a semicolon. Comments import nothing.
    let code = source.lines().map(|line| line.split("//").next().unwrap_or(""));
    // From a file, so many steps up are the root. (What is indented may stand in a module within the file.)
    let root = "super::".repeat(depth + 1);
    let code: Vec<_> =
        code.map(|line| if line.starts_with(' ') { line.to_owned() } else { line.replace(&root, "crate::") }).collect();
    for statement in code.join(" ").split(';') {
        for name in named(statement) {
            // Macros and constants of the root are not modules.
            let is_module = name.starts_with(|first: char| first.is_lowercase());
            match layer(name) {
                Ok(there) if there < here => faults.push(format!("{module} climbs to {name}")),
                Err(fault) if is_module => faults.push(format!("{module}: {fault}")),
                _ => {}
            }
        }
        if module != "sync" && statement.contains("sync::atomic") {
            faults.push(format!("{module} goes round sync to atomics"));
        }
        if module != "os" && (statement.contains("libc::") || statement.contains("rustix::")) {
            faults.push(format!("{module} goes round os to the system"));
        }
    }
    faults
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => sources(&path, into),
            path if path.extension().is_some_and(|extension| extension == "rs") => into.push(path),
            _ => {}
        }
    }
}

#[test]
fn imports_go_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 20, "the sources are where they were");
    let mut found = Vec::new();
    for file in files {
        let path = file.strip_prefix(&src).unwrap();
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        let depth = path.components().count() - 1;
        let faults = faults(module, depth, &std::fs::read_to_string(&file).unwrap());
        found.extend(faults.into_iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_check_can_fail() {
    let climbing = [
        ("wait", "use crate::segment::Segment;", "wait climbs to segment"),
        ("error", "pub use crate::os;", "error climbs to os"),
        ("ring", "use crate::{\n    owner::Owner,\n    slots::Slots,\n};", "ring climbs to slots"),
        ("ring", "use crate::{sync::{fence, lib}, mpmc};", "ring climbs to mpmc"),
        ("layout", "fn f() { crate::registry::g() }", "layout climbs to registry"),
        ("sync", "use crate::error::Stop;", "sync climbs to error"),
        ("spsc", "use crate::stream::Writer;", "spsc climbs to stream"),
        ("wait", "use super::segment::Segment;", "wait climbs to segment"),
        ("slots", "use crate::helper::f;", "slots: module helper is in no layer"),
        ("helper", "", "module helper is in no layer"),
        ("wait", "use std::sync::atomic::AtomicU32;", "wait goes round sync to atomics"),
        ("segment", "let pid = unsafe { libc::getpid() };", "segment goes round os to the system"),
        ("attachment", "use rustix::fs::open;", "attachment goes round os to the system"),
    ];
    for (module, source, fault) in climbing {
        assert_eq!(faults(module, 0, source), [fault], "{source}");
    }
    let fine = [
        ("segment", "use crate::os::file;\nuse crate::sync::{AtomicU64, Ordering::*};"),
        ("spsc", "use crate::{loan, received};"),
        ("mpmc", "use super::end::End; use crate::error::*;"),
        ("wait", "/// See [`crate::mpmc`]. // use crate::open;"),
        ("os", "let pid = unsafe { libc::getpid() };"),
        ("sync", "pub use core::sync::atomic::fence;"),
    ];
    for (module, source) in fine {
        assert!(faults(module, 1, source).is_empty(), "{source}");
    }
}
