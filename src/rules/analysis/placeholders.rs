//! Texts with something to be filled in that nobody fills in: `${…}` between double quotes, `{…}` without
//! its dollar sign, and the `{{…}}` of other tools.

use super::findings::Fault;
use super::walk::Walker;
use crate::rules::catalogue::HELPERS;
use rhai::Position;
use std::ops::Range;

/// Longer texts are not repeated in a hint.
const SHOWN_MAX: usize = 80;

impl Walker<'_, '_> {
    /// Looks at a text, or at a part of one that stands between things that are filled in. `at` is where
    /// the whole text begins.
    pub(super) fn placeholders(&mut self, text: &str, at: Position) {
        if self.quiet || !text.contains('{') {
            return;
        }
        let Some(span) = self.file.marks().token(at) else {
            return;
        };
        let written = self.file.marks().slice(&span).to_owned();
        if let Some(inner) = inside(&written, '"') {
            self.in_double_quotes(inner, span.start + 1);
        } else if let Some(inner) = inside(&written, '`') {
            self.without_dollar(inner, span.start + 1);
        }
    }

    fn in_double_quotes(&mut self, inner: &str, start: usize) {
        let Some(found) = dollar(inner) else {
            return self.without_dollar(inner, start);
        };
        let part = &inner[found.clone()];
        let hint = if inner.len() <= SHOWN_MAX && !inner.contains(['\\', '`', '\n']) {
            format!("write `{inner}`, in back quotes")
        } else {
            "begin and end the text with a back quote ` instead".to_owned()
        };
        self.error(
            Some(start + found.start..start + found.end),
            Fault::new(
                "not-filled-in",
                format!("`{part}` is only filled in inside back quotes"),
                "customers would read it as it stands here",
                hint,
            ),
        );
    }

    /// `{name}` and `{{name}}`, which mean nothing here.
    fn without_dollar(&mut self, inner: &str, start: usize) {
        let mut at = 0;
        while let Some(opened) = inner[at..].find('{').map(|found| at + found) {
            if inner[..opened].ends_with('$') {
                at = end_of_filled(inner, opened);
                continue;
            }
            let double = inner[opened..].starts_with("{{");
            let close = if double { "}}" } else { "}" };
            let content = opened + if double { 2 } else { 1 };
            let Some(length) = inner[content..].find(close) else {
                return;
            };
            let end = content + length + close.len();
            let name = inner[content..content + length].trim();
            let asked = self.is_asked(name);
            if !name.is_empty() && (double || asked) {
                let hint = if asked {
                    format!("write `${{{name}}}`, in a text between back quotes")
                } else {
                    "write what is to stand there as `${event.merchant.name}`, in a text between back quotes"
                        .to_owned()
                };
                self.warning(
                    Some(start + opened..start + end),
                    Fault::new(
                        "not-filled-in",
                        format!("nothing is filled in for `{}`", &inner[opened..end]),
                        "customers would read it as it stands here",
                        hint,
                    ),
                );
            }
            at = end;
        }
    }

    /// Whether what stands in curly brackets begins with something that can be asked here.
    fn is_asked(&self, text: &str) -> bool {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        let helper = HELPERS.iter().any(|helper| helper.name == word);
        let own = self.file.function(word).is_some();
        self.scope.iter().any(|known| known.name == word)
            || (helper || own) && rest.starts_with('(')
    }
}

fn inside(written: &str, quote: char) -> Option<&str> {
    written.strip_prefix(quote)?.strip_suffix(quote)
}

/// The first `${…}`.
fn dollar(inner: &str) -> Option<Range<usize>> {
    let start = inner.find("${")?;
    let length = inner[start..].find('}')?;
    (length > 2).then(|| start..start + length + 1)
}

/// Where what is filled in ends, whose bracket opens at a place.
fn end_of_filled(inner: &str, opened: usize) -> usize {
    let mut depth = 0;
    for (at, c) in inner[opened..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return opened + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    inner.len()
}
