//! Rust files as the rules need them: without comments, without what stands in quotes, and knowing
//! which part is for tests.

use std::path::PathBuf;
use std::process::Command;

/// One Rust file.
pub(super) struct Source {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
    original: String,
    /// The same length and lines; comments and the insides of quotes are blanks.
    pub(super) masked: String,
    /// Bytes of items under `#[cfg(test)]`.
    test_parts: Vec<std::ops::Range<usize>>,
}

/// One function with a body.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) lines: usize,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that git tracks or would track.
pub(super) fn tracked() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files failed");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let existing = listed.lines().filter(|path| root().join(path).is_file());
    existing.map(str::to_owned).collect()
}

/// Every tracked file that is UTF-8 text.
pub(super) fn text_files() -> Vec<(String, String)> {
    tracked()
        .into_iter()
        .filter_map(|path| {
            let bytes = std::fs::read(root().join(&path)).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            (!text.contains('\0')).then_some((path, text))
        })
        .collect()
}

impl Source {
    /// Every Rust file of the crate.
    pub(super) fn all() -> Vec<Self> {
        let rust = tracked().into_iter().filter(|path| {
            path.ends_with(".rs")
                && ["src/", "tests/", "benches/"]
                    .iter()
                    .any(|dir| path.starts_with(dir))
        });
        rust.map(|path| {
            let text = std::fs::read_to_string(root().join(&path)).unwrap();
            Self::new(path, text)
        })
        .collect()
    }

    pub(super) fn new(path: String, original: String) -> Self {
        let masked = mask(&original);
        // The simulation is a test that needs to be inside of the engine.
        let whole = path.starts_with("tests/")
            || path.ends_with("/tests.rs")
            || ["/tests/", "/simulation/"]
                .iter()
                .any(|dir| path.contains(dir));
        let test_parts = if whole && path.starts_with("src/") {
            std::iter::once(0..masked.len()).collect()
        } else {
            test_parts(&masked)
        };
        Self {
            path,
            original,
            masked,
            test_parts,
        }
    }

    fn is_test(&self, at: usize) -> bool {
        self.test_parts.iter().any(|part| part.contains(&at))
    }

    /// Lines outside of tests: number from 1, masked text, original text.
    pub(super) fn lines_of_code(&self) -> Vec<(usize, &str, &str)> {
        let mut at = 0;
        let mut lines = Vec::new();
        let pairs = self
            .masked
            .split_inclusive('\n')
            .zip(self.original.split_inclusive('\n'));
        for (number, (masked, original)) in pairs.enumerate() {
            if !self.is_test(at + masked.len() - masked.trim_start().len()) {
                lines.push((number + 1, masked.trim_end(), original.trim_end()));
            }
            at += masked.len();
        }
        lines
    }

    /// Whether a text stands in it anywhere.
    pub(super) fn has(&self, text: &str) -> bool {
        self.original.contains(text)
    }

    /// How many lines it has without its tests.
    pub(super) fn lines_without_tests(&self) -> usize {
        self.lines_of_code().len()
    }

    /// The masked text outside of tests.
    pub(super) fn code(&self) -> String {
        let lines = self.lines_of_code();
        lines
            .iter()
            .map(|(_, masked, _)| format!("{masked}\n"))
            .collect()
    }

    /// Every function with a body, those of tests included.
    pub(super) fn functions(&self) -> Vec<Function> {
        let text = &self.masked;
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(at) = text[from..].find("fn ").map(|at| at + from) {
            from = at + 3;
            let word = at == 0 || !is_word(text.as_bytes()[at - 1]);
            let name: String = text[from..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if !word || name.is_empty() {
                continue;
            }
            // `;` inside of brackets is an array's length, not the end of a declaration.
            let mut depth = 0;
            let body = text[from..].char_indices().find_map(|(offset, c)| {
                match c {
                    '(' | '[' => depth += 1,
                    ')' | ']' => depth -= 1,
                    '{' if depth == 0 => return Some(Some(from + offset)),
                    ';' if depth == 0 => return Some(None),
                    _ => {}
                }
                None
            });
            if let Some(Some(body)) = body {
                let end = closing(text, body);
                let line_of = |at: usize| text[..at].matches('\n').count() + 1;
                found.push(Function {
                    name,
                    line: line_of(at),
                    lines: line_of(end) - line_of(at) + 1,
                });
            }
        }
        found
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The place of the bracket that closes the one at `open`.
fn closing(masked: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in masked[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return open + offset;
                }
            }
            _ => {}
        }
    }
    masked.len()
}

fn test_parts(masked: &str) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(at) = masked[from..].find("#[cfg(test)]").map(|at| at + from) {
        let end = masked[at..]
            .char_indices()
            .find_map(|(offset, c)| match c {
                '{' => Some(closing(masked, at + offset)),
                ';' => Some(at + offset),
                _ => None,
            })
            .unwrap_or(masked.len());
        parts.push(at..end + 1);
        from = end;
    }
    parts
}

/// Blanks out comments and the insides of string and character literals, keeping every newline and
/// the place of all else.
pub(super) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + end_of_block_comment(rest)
        } else if let Some(length) = raw_string(bytes, at) {
            at + length
        } else if rest[0] == b'"' {
            at + end_of_quotes(rest)
        } else if let Some(length) = character(rest) {
            at + length
        } else {
            at += 1;
            continue;
        };
        let end = end.min(bytes.len());
        // The quotes themselves stay, so that a call with text still looks like one.
        let quoted = rest[0] == b'"' || rest[0] == b'\'';
        let (from, until) = if quoted {
            (at + 1, end.saturating_sub(1))
        } else {
            (at, end)
        };
        for byte in &mut out[from.min(until)..until] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("only whole characters are blanked")
}

fn end_of_block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn end_of_quotes(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if rest[0] != b'r' || (at > 0 && is_word(bytes[at - 1]) && bytes[at - 1] != b'b') {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let from = 2 + hashes;
    let found = rest[from..].windows(close.len()).position(|w| w == close);
    Some(found.map_or(rest.len(), |found| from + found + close.len()))
}

/// The length of a character literal; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest[0] != b'\'' {
        return None;
    }
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|b| *b == b'\'')?;
        return Some(close + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)]);
    let text = match text {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&rest[1..1 + error.valid_up_to()]).ok()?,
    };
    let first = text.chars().next()?;
    (rest.get(1 + first.len_utf8()) == Some(&b'\'')).then_some(2 + first.len_utf8())
}

#[test]
fn the_masking_knows_quotes_comments_lifetimes_and_tests() {
    let text = "fn a<'x>(s: &'x str) -> char { // fn b() {\n  let q = \"}\\\"{\"; '{' }\n#[cfg(test)]\nmod t {\n  fn c() { r#\"}\"}\"#; '\\''; }\n}\nfn d();\n";
    let source = Source::new("src/x.rs".to_owned(), text.to_owned());
    assert_eq!(source.masked.len(), text.len());
    let names: Vec<_> = source.functions().iter().map(|f| f.name.clone()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(source.lines_without_tests(), 3);
}
