//! Texts whose quotes do not fit.

use super::Slip;

/// A text between back quotes that does not end. Since such texts may have several lines, reading goes on
/// to the next back quote, far from the slip: it is on the first line that leaves one open.
pub(super) fn back_quote(text: &str, at: usize) -> Option<Slip> {
    let mut start = 0;
    let mut open = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(quote) = left_open(line) {
            open.push(start + quote..start + line.trim_end().len());
        }
        start += line.len();
    }
    let first = open.first().filter(|_| open.len() % 2 == 1)?.clone();
    (first.start <= at).then(|| Slip {
        at: first,
        message: "the text that begins here does not end".to_owned(),
        hint: "close it with a back quote `".to_owned(),
    })
}

/// The back quote of a line that is not closed on it.
fn left_open(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '/') if line[at..].starts_with("//") => break,
            (None, '"' | '`') => quote = Some((c, at)),
            (Some(('"', _)), '\\') => {
                chars.next();
            }
            (Some((open, _)), c) if open == c => quote = None,
            _ => {}
        }
    }
    quote.filter(|(c, _)| *c == '`').map(|(_, at)| at)
}

/// `"Say "hi" now"`: the second quote ends the text.
pub(super) fn inner_quote(text: &str, at: usize) -> Option<Slip> {
    let (before, rest) = (&text[..at], &text[at..]);
    let joined = before.ends_with('"') && rest.starts_with(char::is_alphanumeric);
    let word = &rest[..rest.find('"')?];
    let plain = joined && !word.contains([':', ',', '\n', '{', '}']);
    plain.then(|| Slip {
        at: at - 1..at + word.len() + 1,
        message: "a double quote inside of a text ends it".to_owned(),
        hint: format!("write \\\"{word}\\\", or put the whole text between back quotes"),
    })
}
