//! `docs/ordering.md` names every function that asks for more than `Relaxed`, beside its file, and nothing that is not there.

mod source;

use source::{code, is_of_name};
use std::collections::BTreeSet;
use std::path::Path;

/// What is stronger than `Relaxed`.
const STRONG: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];

/// Names on the page that are not of this crate: of atomics and of processors.
const FOREIGN: [&str; 5] = ["compiler_fence", "fence", "fetch_or", "casal", "ldar"];

/// The words of a line of code, or of a span on the page.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_of_name(c)).filter(|word| !word.is_empty())
}

/// The code of a file without the tests at its foot.
fn productive(source: &str) -> impl Iterator<Item = &str> {
    code(source).take_while(|line| !(line.starts_with("#[cfg(") && words(line).any(|word| word == "test")))
}

/// The functions of a file that ask for more than `Relaxed`.
fn strong(source: &str) -> BTreeSet<&str> {
    let (mut function, mut imports) = (None, false);
    let mut strong = BTreeSet::new();
    for line in productive(source) {
        if let Some(name) = words(line).skip_while(|&word| word != "fn").nth(1) {
            function = Some(name);
        }
        imports |= line.starts_with("use ");
        if !imports && words(line).any(|word| STRONG.contains(&word)) {
            strong.insert(function.expect("in no function"));
        }
        imports &= !line.contains(';');
    }
    strong
}

/// What a file declares: functions, fields and constants; and what can have something in it, which is types and modules.
fn declared<'a>(source: &'a str, names: &mut BTreeSet<&'a str>, holders: &mut BTreeSet<&'a str>) {
    for line in productive(source) {
        let mut before = "";
        for word in words(line) {
            match before {
                "fn" | "const" | "static" => _ = names.insert(word),
                "struct" | "enum" | "trait" | "type" | "mod" => _ = holders.insert(word),
                _ => {}
            }
            before = word;
        }
        let line = line.trim_start().trim_start_matches("pub").trim_start();
        let (name, rest) = line.split_at(line.find(|c| !is_of_name(c)).unwrap_or(line.len()));
        if rest.starts_with(": ") && !name.is_empty() {
            names.insert(name);
        }
    }
}

/// What stands between backticks on a part of the page, but for what it shows in blocks.
fn spans(page: &str) -> Vec<&str> {
    page.split("```").step_by(2).flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// What the page leaves out, and what it says that is not so.
fn faults(page: &str, files: &[(&str, &str)]) -> Vec<String> {
    let (mut names, mut holders) = (BTreeSet::from(FOREIGN), BTreeSet::new());
    files.iter().for_each(|(_, source)| declared(source, &mut names, &mut holders));
    let mut faults = Vec::new();
    let sections: Vec<_> = page.split("\n## ").skip(1).map(spans).collect();
    for (path, source) in files {
        let of_file = || sections.iter().filter(|spans| spans.contains(path));
        let named: BTreeSet<_> = of_file().flatten().flat_map(|span| words(span)).collect();
        let missing = strong(source).into_iter().filter(|function| !named.contains(function));
        faults.extend(missing.map(|function| format!("{path}: {function} is not on the page")));
    }
    // In a path, all but the last are types or modules; a word with a capital else is a verdict, a state or an ordering.
    for span in spans(page).into_iter().filter(|span| !span.contains(['/', '.'])) {
        let (path, last) = span.rsplit_once("::").unwrap_or(("", span));
        let in_path = words(path).filter(|word| !holders.contains(word));
        let at_end = words(last).filter(|word| word.starts_with(char::is_lowercase) && !names.contains(word));
        faults.extend(in_path.chain(at_end).map(|word| format!("{word} is not in the source")));
    }
    faults
}

#[test]
fn the_page_is_complete_and_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ordering.md");
    let page = std::fs::read_to_string(page).unwrap();
    let files: Vec<_> =
        source::files().into_iter().map(|(path, source)| (format!("src/{}", path.display()), source)).collect();
    // What stands in for atomics asks for what it is asked for.
    let ours = files.iter().filter(|(path, _)| !path.starts_with("src/sync/"));
    let files: Vec<_> = ours.map(|(path, source)| (&**path, &**source)).collect();
    assert!(files.iter().map(|(_, source)| strong(source).len()).sum::<usize>() > 50, "it finds the functions");
    let faults = faults(&page, &files);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_check_can_fail() {
    let source = "use crate::sync::{\n    Ordering::Acquire,\n    fence,\n};\nstruct Ring {\n    tail: u64,\n}\nimpl Ring {\n    \
        fn look(&self) {\n        self.tail.load(Acquire); // not SeqCst\n    }\n\n    fn guess(&self) {\n        \
        self.tail.load(Relaxed);\n    }\n}\n\n#[cfg(test)]\nmod tests {\n    fn f() {\n        fence(SeqCst);\n    }\n}\n";
    let page = |section: &str| faults(&format!("# Page\n\n## Section\n\n{section}\n"), &[("src/ring.rs", source)]);
    for fine in [
        "`src/ring.rs`: `Ring::look` loads `tail`, `guess` too, `Relaxed`.",
        "| `src/ring.rs` | `look`: `fence(SeqCst)` |\n\n```text\nfuture\n```",
    ] {
        assert!(page(fine).is_empty(), "{fine}");
    }
    let look = "src/ring.rs: look is not on the page";
    for (wrong, faults) in [
        ("`src/ring.rs`", &[look][..]),
        ("`look`", &[look]),
        ("`src/ring.rs`\n\n## Another\n\n`look`", &[look]),
        ("`src/ring.rs`: `look`, `stare`", &["stare is not in the source"]),
        ("`src/ring.rs`: `Ball::look`", &["Ball is not in the source"]),
    ] {
        assert_eq!(page(wrong), faults, "{wrong}");
    }
}
