//! What Rhai's parser says, in words that a marketer can act on: the slips that people make most.

mod ends;
mod quotes;

use super::diagnostic::Diagnostic;
use super::sources::Source;
use ends::{joined, needless, semicolon, unclosed};
use rhai::{LexError, ParseError, ParseErrorType};
use std::ops::Range;

/// What was meant: a place, what is wrong there, and what to write.
struct Slip {
    at: Range<usize>,
    message: String,
    hint: String,
}

/// Words of other languages, and what they are here.
const WORDS: &[(&str, &str)] = &[
    ("and", "write `&&` for \"and\""),
    ("AND", "write `&&` for \"and\""),
    ("or", "write `||` for \"or\""),
    ("OR", "write `||` for \"or\""),
    ("not", "write `!` for \"not\": `!(…)`"),
    ("NOT", "write `!` for \"not\": `!(…)`"),
    ("is", "write `==` for \"is\"; `== ()` for \"is missing\""),
    (
        "then",
        "write what follows in curly brackets: `if … { … } else { … }`",
    ),
    ("elif", "write `else if`"),
    ("elseif", "write `else if`"),
    ("elsif", "write `else if`"),
    ("function", "write `fn`"),
    ("func", "write `fn`"),
    ("def", "write `fn`"),
    (
        "null",
        "write `()` for something that is missing: `x == ()`",
    ),
    ("var", "write `let`"),
    ("between", "write `x >= 50 && x <= 100`"),
    ("case", "write `switch x { \"a\" => …, _ => … }`"),
    ("match", "write `switch x { \"a\" => …, _ => … }`"),
];

/// Signs that word processors and other keyboards make, and what they are here.
const SIGNS: &[(char, &str, &str)] = &[
    ('“', "a printed quotation mark", "\""),
    ('”', "a printed quotation mark", "\""),
    ('„', "a printed quotation mark", "\""),
    ('‘', "a printed quotation mark", "\""),
    ('’', "a printed quotation mark", "\""),
    ('「', "a printed quotation mark", "\""),
    ('」', "a printed quotation mark", "\""),
    ('，', "a full-width comma", ","),
    ('、', "an ideographic comma", ","),
    ('；', "a full-width semicolon", ";"),
    ('：', "a full-width colon", ":"),
    ('（', "a full-width bracket", "("),
    ('）', "a full-width bracket", ")"),
    ('【', "a full-width bracket", "["),
    ('】', "a full-width bracket", "]"),
    ('｛', "a full-width bracket", "{"),
    ('｝', "a full-width bracket", "}"),
    ('！', "a full-width exclamation mark", "!"),
    ('＝', "a full-width sign", "="),
    ('＞', "a full-width sign", ">"),
    ('＜', "a full-width sign", "<"),
    ('＆', "a full-width sign", "&"),
    ('≥', "a printed sign", ">="),
    ('≤', "a printed sign", "<="),
    ('≠', "a printed sign", "!="),
    ('×', "a printed sign", "*"),
    ('÷', "a printed sign", "/"),
    ('–', "a printed dash", "-"),
    ('−', "a printed sign", "-"),
];

/// A parse error as a diagnostic.
pub(super) fn explain(source: &Source, error: &ParseError) -> Diagnostic {
    let text = &*source.text;
    let plain = Diagnostic::whole(&source.path, &source.text, "").code("syntax");
    let position = error.position();
    let placed = plain.clone().at(position
        .line()
        .zip(position.position().map(|column| column.max(1))));
    let at = placed.span().map_or(text.len(), |span| span.start);
    if let Some(slip) = slip(text, at, error.err_type()) {
        return Diagnostic {
            message: slip.message,
            ..plain.over(slip.at).hint(slip.hint)
        };
    }
    let (message, hint) = plainly(error.err_type());
    Diagnostic { message, ..placed }.hint(hint)
}

/// What the parser says, when nothing is known of what was meant.
fn plainly(error: &ParseErrorType) -> (String, String) {
    let message = error.to_string();
    let forbidden = ["import", "export", "eval"]
        .iter()
        .any(|word| message.contains(&format!("'{word}'")));
    let hint = match error {
        _ if forbidden => {
            "a rule cannot load or make code: functions that several rules share stand in lib/<file>.rhai and are called as <file>::<function>(…)"
        }
        ParseErrorType::VariableUndefined(name) if ["event", "customer"].contains(&&**name) => {
            return (
                format!("this function is not handed `{name}`"),
                "a function sees only what it is given: write `(event, customer)` behind its name"
                    .to_owned(),
            );
        }
        ParseErrorType::VariableUndefined(name) => {
            return (
                format!("nothing is called `{name}` here"),
                format!(
                    "a function sees only what it is given: is `event.{name}` or `customer.{name}` meant?"
                ),
            );
        }
        ParseErrorType::ExprTooDeep => "take it apart into functions of its own",
        ParseErrorType::DuplicatedProperty(name) => {
            return (
                format!("the key `{name}` is written twice"),
                "take one of the two out".to_owned(),
            );
        }
        ParseErrorType::Reserved(word) => {
            return (
                format!("`{word}` is a word of the language itself"),
                "choose another name".to_owned(),
            );
        }
        _ => "the place is where reading stopped: the slip is there or just before",
    };
    (format!("this cannot be read: {message}"), hint.to_owned())
}

fn slip(text: &str, at: usize, error: &ParseErrorType) -> Option<Slip> {
    let slip = |at: Range<usize>, message: String, hint: String| Some(Slip { at, message, hint });
    let rest = text.get(at..)?;
    if let Some(slip) = quotes::back_quote(text, at) {
        return Some(slip);
    }
    let word = word_at(rest);
    if let Some((_, hint)) = WORDS.iter().find(|(known, _)| *known == word) {
        let message = format!("`{word}` is no word of the language");
        return slip(at..at + word.len(), message, (*hint).to_owned());
    }
    if let Some(slip) = unit(text, at, word) {
        return Some(slip);
    }
    match error {
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            let end = rest.find('\n').map_or(text.len(), |line| at + line);
            slip(
                at..end,
                "the text that begins here does not end".to_owned(),
                "close it with a double quote on the same line".to_owned(),
            )
        }
        ParseErrorType::BadInput(LexError::MalformedChar(_)) => {
            let end = rest[1..].find('\'').map_or(1, |end| end + 2);
            let inner = rest[..end].trim_matches('\'');
            slip(
                at..at + end,
                "texts do not stand in single quotes".to_owned(),
                format!("write \"{inner}\""),
            )
        }
        ParseErrorType::UnexpectedEOF => unclosed(text),
        ParseErrorType::VariableUndefined(name) => map_without_sign(text, at, name),
        ParseErrorType::MissingToken(token, why) if token == ":" => colon(text, at, why),
        ParseErrorType::MissingToken(token, why) if token == "," => quotes::inner_quote(text, at)
            .or_else(|| single_equals(text, at))
            .or_else(|| comma(text, at, why)),
        ParseErrorType::MissingToken(token, _) if token == ")" => {
            single_equals(text, at).or_else(|| unclosed(text))
        }
        ParseErrorType::PropertyExpected => decimal_comma(text, at),
        _ => sign(text, at)
            .or_else(|| quotes::inner_quote(text, at))
            .or_else(|| operator(text, at))
            .or_else(|| single_equals(text, at))
            .or_else(|| semicolon(text, at, error))
            .or_else(|| unclosed(text))
            .or_else(|| needless(text))
            .or_else(|| joined(text, at, error)),
    }
}

fn word_at(rest: &str) -> &str {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    &rest[..end.unwrap_or(rest.len())]
}

/// `30d` where `"30d"` is meant, or a letter after a number.
fn unit(text: &str, at: usize, word: &str) -> Option<Slip> {
    let digit = |c: char| c.is_ascii_digit() || c == '.';
    let before = &text[..at];
    let start = before.rfind(|c| !digit(c)).map_or(0, |at| at + 1);
    let joined = before.ends_with(|c: char| c.is_ascii_digit());
    if word.is_empty() || !joined || text[..start].ends_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let number = &text[start..at];
    let is_length = ["s", "m", "h", "d"].contains(&word) && !number.contains('.');
    Some(Slip {
        at: start..at + word.len(),
        message: if is_length {
            format!("the length {number}{word} is not in double quotes")
        } else {
            format!("a number is followed by `{word}`")
        },
        hint: if is_length {
            format!("write \"{number}{word}\"")
        } else {
            format!("write {number} alone, or with an operator between")
        },
    })
}

/// Signs that look right and are others.
fn sign(text: &str, at: usize) -> Option<Slip> {
    let rest = &text[at..];
    let first = rest.chars().next()?;
    let slip = |length: usize, message: &str, hint: &str| {
        Some(Slip {
            at: at..at + length,
            message: message.to_owned(),
            hint: hint.to_owned(),
        })
    };
    if let Some((_, what, meant)) = SIGNS.iter().find(|(sign, _, _)| *sign == first) {
        let message = format!("`{first}` is {what}");
        return slip(first.len_utf8(), &message, &format!("write `{meant}`"));
    }
    if ['¥', '￥', '$', '€', '£'].contains(&first) {
        return slip(
            first.len_utf8(),
            &format!("amounts are written without `{first}`"),
            "write the number alone: amounts are in the base currency",
        );
    }
    let before = text[..at].trim_end();
    if first == '#' && !rest.starts_with("#{") {
        return slip(
            1,
            "`#` does not begin a comment",
            "write `//` before a comment; a map begins with `#{`",
        );
    }
    if rest.starts_with("=>") {
        return slip(2, "`=>` does not compare", "write `>=` for \"at least\"");
    }
    if rest.starts_with("=<") {
        return slip(2, "`=<` does not compare", "write `<=` for \"at most\"");
    }
    if rest.starts_with("<>") || first == '>' && before.ends_with('<') {
        let start = if first == '<' { at } else { before.len() - 1 };
        return Some(Slip {
            at: start..start + 2,
            message: "`<>` does not compare".to_owned(),
            hint: "write `!=` for \"is not\"".to_owned(),
        });
    }
    let number = before
        .strip_suffix('%')
        .filter(|before| before.ends_with(|c: char| c.is_ascii_digit()))?;
    let digits = number
        .rfind(|c: char| !(c.is_ascii_digit() || c == '.'))
        .map_or(0, |at| at + 1);
    let percent: rust_decimal::Decimal = number[digits..].parse().ok()?;
    let part = (percent / rust_decimal::Decimal::ONE_HUNDRED).normalize();
    Some(Slip {
        at: digits..before.len(),
        message: "`%` is not percent here".to_owned(),
        hint: format!("write {part} for {percent} percent"),
    })
}

/// Something that wants more before or after.
fn operator(text: &str, at: usize) -> Option<Slip> {
    let (before, rest) = (text[..at].trim_end(), &text[at..]);
    let after_digit = before.ends_with(|c: char| c.is_ascii_digit());
    if rest.starts_with(',') && after_digit && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return Some(number_with_comma(text, before.len()));
    }
    for operator in ["&&", "||", "==", "!=", ">=", "<=", ">", "<", "+", "-", "*"] {
        if before.ends_with(operator) && rest.starts_with(['}', ')', ';', '&', '|']) {
            let start = before.len() - operator.len();
            return Some(Slip {
                at: start..before.len(),
                message: format!("nothing follows `{operator}`"),
                hint: format!("write what is missing after it, or take `{operator}` out"),
            });
        }
    }
    None
}

/// `5,000` as the value of a key: what follows the comma is read as the next key.
fn decimal_comma(text: &str, at: usize) -> Option<Slip> {
    let digit = |c: char| c.is_ascii_digit();
    let before = text[..at].strip_suffix(',')?;
    (before.ends_with(digit) && text[at..].starts_with(digit))
        .then(|| number_with_comma(text, before.len()))
}

/// A number with commas, of which the first stands at a place.
fn number_with_comma(text: &str, comma: usize) -> Slip {
    let part = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let start = text[..comma].rfind(|c| !part(c)).map_or(0, |at| at + 1);
    let length = text[start..].find(|c| !part(c));
    let written = &text[start..length.map_or(text.len(), |length| start + length)];
    let number = written.trim_end_matches(['.', ',']);
    let (whole, last) = number.rsplit_once(',').unwrap_or((number, ""));
    let decimals = last.len() != 3 && !last.contains('.');
    let plain = |text: &str| text.replace(',', "");
    let (message, hint) = if decimals {
        let whole = plain(whole).replace('.', "");
        (
            "a number's decimals stand behind a point",
            format!("write {whole}.{last}"),
        )
    } else {
        (
            "numbers have no comma between thousands",
            format!("write {}", plain(number)),
        )
    };
    Slip {
        at: start..start + number.len(),
        message: message.to_owned(),
        hint,
    }
}

/// `=` where `==` is meant, on the line of the error before it, or at it.
fn single_equals(text: &str, at: usize) -> Option<Slip> {
    let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let end = (at + 1).min(text.len());
    let part = text.get(line..end)?;
    let trimmed = part.trim_start();
    if ["let ", "const ", "//"]
        .iter()
        .any(|word| trimmed.starts_with(word))
    {
        return None;
    }
    let bytes = text.as_bytes();
    let alone = |at: &usize| {
        let before = at.checked_sub(1).map(|at| bytes[at]);
        let joined = before.is_some_and(|b| b"=!<>+-*/%".contains(&b));
        !joined && !matches!(bytes.get(at + 1), Some(b'=' | b'>' | b'<'))
    };
    let found = (line..end).filter(|at| bytes[*at] == b'=').find(alone)?;
    Some(Slip {
        at: found..found + 1,
        message: "`=` does not compare".to_owned(),
        hint: "write `==` for \"is\"".to_owned(),
    })
}

/// `{ kind: … }` where `#{ kind: … }` is meant.
fn map_without_sign(text: &str, at: usize, name: &str) -> Option<Slip> {
    let before = text[..at].trim_end();
    let after = text[at + name.len()..].trim_start();
    let opened = before.strip_suffix('{')?;
    (after.starts_with(':') && !after.starts_with("::")).then(|| Slip {
        at: opened.len()..before.len(),
        message: "a map begins with `#{`".to_owned(),
        hint: format!("write `#{{ {name}: …`"),
    })
}

fn colon(text: &str, at: usize, why: &str) -> Option<Slip> {
    let key = why.split('\'').nth(1)?;
    let rest = &text[at..];
    let start = text[..at].trim_end().rfind(key)?;
    let named = start..start + key.len();
    let hint = format!("write `{key}: …`");
    if rest.starts_with('=') {
        return Some(Slip {
            at: at..at + 1,
            message: format!("in a map, `:` follows the key `{key}`, not `=`"),
            hint,
        });
    }
    if rest.starts_with('-') {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '-'));
        let whole = &text[start..at + end.unwrap_or(rest.len())];
        return Some(Slip {
            at: start..start + whole.len(),
            message: "a key with a hyphen stands in double quotes".to_owned(),
            hint: format!("write `\"{whole}\": …`"),
        });
    }
    Some(Slip {
        at: named,
        message: format!("a colon is missing after the key `{key}`"),
        hint,
    })
}

fn comma(text: &str, at: usize, why: &str) -> Option<Slip> {
    let next = word_at(&text[at..]);
    if next.is_empty() && !text[at..].starts_with(['"', '`', '#', '[', '(']) {
        return None;
    }
    let what = if why.contains("map") {
        "between two keys of a map"
    } else if why.contains("array") {
        "between two items of a list"
    } else {
        "between two things in the brackets"
    };
    let end = text[..at].trim_end().len();
    let start = text[..end].char_indices().next_back()?.0;
    Some(Slip {
        at: start..end,
        message: format!("a comma is missing {what}"),
        hint: "write `,` after this".to_owned(),
    })
}
