//! Gives the compiled classes the documentation that is written once, in `ringmail/_native.pyi`, where editors read it: as a macro
//! `doc!("Class.method")`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

const STUB: &str = "ringmail/_native.pyi";

fn main() {
    println!("cargo::rerun-if-changed={STUB}");
    println!("cargo::rerun-if-changed=build.rs");
    let stub = fs::read_to_string(STUB).expect(STUB);
    let mut arms = String::new();
    for (name, text) in documented(&stub) {
        // To a string it adds nothing.
        let _ = writeln!(arms, "    ({name:?}) => {{ {text:?} }};");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("OUT_DIR is set by cargo"));
    let code = format!("/// What the stub says of a class, method or function.\nmacro_rules! doc {{\n{arms}}}\n");
    fs::write(out.join("doc.rs"), code).expect("OUT_DIR is there to be written to");
}

/// What has a docstring in the stub, and the docstring.
fn documented(stub: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut class, mut subject) = (String::new(), None);
    let mut lines = stub.lines();
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(rest) = code.strip_prefix("class ") {
            class = word(rest);
            subject = Some(class.clone());
        } else if let Some(rest) = code.strip_prefix("def ") {
            subject = Some(if indent == 0 { word(rest) } else { format!("{class}.{}", word(rest)) });
        } else if let Some(first) = code.strip_prefix("\"\"\"")
            && let Some(subject) = subject.take()
        {
            found.push((subject, docstring(first, indent, &mut lines)));
        }
        if code.is_empty() || code.ends_with("...") {
            subject = None;
        }
    }
    found
}

/// The name that something starts with.
fn word(code: &str) -> String {
    code.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// The rest of a docstring, without the indentation.
fn docstring<'a>(first: &'a str, indent: usize, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut line = first;
    loop {
        if let Some(last) = line.strip_suffix("\"\"\"") {
            text.push_str(last);
            return text.trim_end().to_owned();
        }
        text.push_str(line);
        text.push('\n');
        let next = lines.next().expect("a docstring ends");
        line = next.get(indent..).unwrap_or("");
    }
}
