//! Where generated text stands: between two marks, and what stands there is replaced.

/// The two lines that generated text stands between.
pub struct Marks {
    pub begin: &'static str,
    pub end: &'static str,
}

impl Marks {
    /// What is before the text between the marks, that text, and what is after it.
    fn parts<'a>(&self, text: &'a str) -> Result<[&'a str; 3], String> {
        let Self { begin, end } = self;
        let missing = || format!("the text has no line \"{begin}\" with a line \"{end}\" after it");
        let (before, rest) = text.split_once(begin).ok_or_else(missing)?;
        let (between, after) = rest.split_once(end).ok_or_else(missing)?;
        Ok([before, between, after])
    }

    /// What stands between the marks.
    pub fn between<'a>(&self, text: &'a str) -> Result<&'a str, String> {
        self.parts(text).map(|[_, between, _]| between)
    }

    /// The text with something else between the marks.
    pub fn insert(&self, text: &str, new: &str) -> Result<String, String> {
        let [before, _, after] = self.parts(text)?;
        let Self { begin, end } = self;
        Ok(format!("{before}{begin}\n\n{new}\n{end}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_replaced_and_nothing_else() {
        const MARKS: Marks = Marks { begin: "<!-- a -->", end: "<!-- b -->" };
        let Marks { begin, end } = MARKS;
        let text = format!("above\n{begin}\nold\n{end}\nbelow\n");
        assert_eq!(MARKS.between(&text).expect("the marks are there"), "\nold\n");
        let once = MARKS.insert(&text, "new\n").expect("the marks are there");
        assert!(
            once.starts_with("above\n") && once.ends_with("below\n") && once.contains("new") && !once.contains("old")
        );
        assert_eq!(MARKS.insert(&once, "new\n").expect("the marks are there"), once);
        assert!(MARKS.insert("nothing", "new").is_err());
        assert!(MARKS.insert(&format!("{end}\n{begin}"), "new").is_err());
    }
}
