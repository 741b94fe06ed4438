//! Imports only go down the layers, atomics come through one door and the system through another.

mod source;

use source::{code, is_of_name};

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

/// What only `os` may call.
const SYSTEM: [&str; 4] = ["libc::", "rustix::", "memmap2::", "std::fs"];

fn layer(module: &str) -> Result<usize, String> {
    LAYERS.iter().position(|layer| layer.contains(&module)).ok_or_else(|| format!("module {module} is in no layer"))
}

/// The modules of this crate that a line names, by their paths from the crate's root.
fn named(line: &str) -> Vec<&str> {
    let mut named = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        if line[..at].ends_with(is_of_name) {
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
        let ident = |path: &'_ str| path.find(|c| !is_of_name(c)).unwrap_or(path.len());
        named.extend(paths.into_iter().map(str::trim).map(|path| &path[..ident(path)]).filter(|name| !name.is_empty()));
    }
    named
}

/// The code of a file that is so many folders below the root, in one line, with every path up to the root as one from there.
///
/// Each module that stands in the file is a step more. (Where it ends, its indentation says.)
fn rooted(depth: usize, source: &str) -> String {
    let mut within = Vec::new();
    let mut lines = Vec::new();
    for line in code(source) {
        let indent = line.len() - line.trim_start().len();
        if !line.trim().is_empty() && line.trim() != "}" {
            within.retain(|&outer| outer < indent);
        }
        lines.push(line.replace(&"super::".repeat(depth + 1 + within.len()), "crate::"));
        let is_module = line.split_whitespace().any(|word| word == "mod") && line.ends_with('{');
        within.extend(is_module.then_some(indent));
    }
    lines.join(" ")
}

/// What is wrong with the source of one file of a module, `depth` folders below the root.
fn faults(module: &str, depth: usize, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let here = match layer(module) {
        Ok(here) => here,
        Err(fault) => return vec![fault],
    };
    // An import may be broken over lines; it ends with a semicolon. Comments import nothing.
    for statement in rooted(depth, source).split(';') {
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
        if module != "os" && SYSTEM.iter().any(|of_system| statement.contains(of_system)) {
            faults.push(format!("{module} goes round os to the system"));
        }
    }
    faults
}

#[test]
fn imports_go_down() {
    let mut found = Vec::new();
    for (path, source) in source::files() {
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        // A `mod.rs` is its folder.
        let depth = path.components().count() - 1 - usize::from(path.ends_with("mod.rs"));
        let faults = faults(module, depth, &source);
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
        ("segment", "use memmap2::MmapRaw;", "segment goes round os to the system"),
        ("list", "for entry in std::fs::read_dir(DIRECTORY) {}", "list goes round os to the system"),
        ("error", "macro_rules! f {\n    () => {\n        $crate::spsc::g()\n    };\n}", "error climbs to spsc"),
        ("wait", "mod tests {\n    use super::super::segment::Segment;\n}", "wait climbs to segment"),
        (
            "wait",
            "pub mod a {\n    mod b {\n        use super::super::super::list::f;\n    }\n}",
            "wait climbs to list",
        ),
        ("wait", "mod a {\n    fn f() {}\n}\n\nuse super::segment::Segment;", "wait climbs to segment"),
        ("wait", "fn f() {\n    super::segment::g()\n}", "wait climbs to segment"),
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
        ("wait", "mod tests {\n    use super::list;\n    use super::super::list;\n}"),
        ("wait", "mod tests {\n    mod more {\n        fn f() {}\n    }\n\n    use super::super::list;\n}"),
        ("sync", "macro_rules! f {\n    () => {\n        $crate::sync::g($crate::MOST)\n    };\n}"),
    ];
    for (module, source) in fine {
        assert!(faults(module, 1, source).is_empty(), "{source}");
    }
}
