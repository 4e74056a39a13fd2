//! Faults in the bytes of the payload.

use crate::kit::Random;
use onscene::decode::{Decoder, Reason};

type Spoil = fn(&mut Random, &mut Vec<u8>) -> Reason;

/// A name, and what to do to the payload of a structured event; returns what decoding must say.
pub(super) const BYTE_FAULTS: &[(&str, Spoil)] = &[
    ("truncated", truncated),
    ("truncated", truncated),
    ("truncated", truncated),
    ("empty", |_, payload| {
        payload.clear();
        Reason::NotJson
    }),
    ("something after the end", |random, payload| {
        payload
            .extend_from_slice(random.pick::<&[u8]>(&[b" x", b"{}", b",", b"}", b"\0", b"null"]));
        Reason::NotJson
    }),
    ("not UTF-8", not_utf8),
    ("UTF-16", utf16),
    ("byte order mark", |_, payload| {
        payload.splice(0..0, *b"\xef\xbb\xbf");
        Reason::NotJson
    }),
    ("no JSON literal", no_literal),
    ("no JSON literal", no_literal),
    ("no JSON at all", |random, payload| {
        let texts: [&[u8]; 6] = [
            b"hello",
            b"<event/>",
            b"id=1&x=2",
            b"---\na: 1",
            b"{'id': 1}",
            b" ",
        ];
        *payload = random.pick(&texts).to_vec();
        Reason::NotJson
    }),
    ("raw control character in text", |_, payload| {
        insert_before_end(payload, b",\"note\":\"a\x01b\"");
        Reason::NotJson
    }),
    ("half a surrogate pair", |_, payload| {
        insert_before_end(payload, br#","note":"\ud83d""#);
        Reason::NotJson
    }),
    ("duplicate key", duplicate_key),
    ("duplicate key", duplicate_key),
    ("not an object", |random, payload| {
        let texts: [&[u8]; 7] = [b"[]", b"\"text\"", b"5", b"null", b"true", b"[{}]", b"-1.5"];
        *payload = random.pick(&texts).to_vec();
        Reason::NotCloudevent
    }),
    ("too deep", |random, payload| {
        let levels = random.pick(&[32, 33, 64, 127, 128, 129, 5_000, 100_000]);
        let (open, close) = random.pick(&[("[", "]"), ("{\"a\":", "}")]);
        let closed = if random.chance(50) {
            close.repeat(levels)
        } else {
            String::new()
        };
        let deep = format!(",\"deep\":{}1{closed}", open.repeat(levels));
        insert_before_end(payload, deep.as_bytes());
        Reason::TooDeep
    }),
    ("number out of range", |random, payload| {
        let number = random.pick(&[
            "1e400",
            "-1e99999",
            "123456789012345678901234567890123",
            "1e29",
        ]);
        insert_before_end(payload, format!(",\"number\":{number}").as_bytes());
        Reason::InvalidValue
    }),
    ("huge", huge),
];

fn truncated(random: &mut Random, payload: &mut Vec<u8>) -> Reason {
    payload.truncate(random.below(payload.len()));
    match std::str::from_utf8(payload) {
        Ok(_) => Reason::NotJson,
        Err(_) => Reason::NotUtf8,
    }
}

fn not_utf8(random: &mut Random, payload: &mut Vec<u8>) -> Reason {
    let wrong: &[u8] =
        random.pick::<&[u8]>(&[b"\xff", b"\xc0\xaf", b"\x80", b"\xed\xa0\x80", b"\xf8"]);
    // Between two characters, so that it cannot complete one.
    let text = std::str::from_utf8(payload).unwrap();
    let ascii: Vec<usize> = text
        .char_indices()
        .filter(|(_, c)| c.is_ascii())
        .map(|(at, _)| at)
        .collect();
    let at = random.pick(&ascii);
    payload.splice(at..at, wrong.iter().copied());
    Reason::NotUtf8
}

fn utf16(_: &mut Random, payload: &mut Vec<u8>) -> Reason {
    let text = String::from_utf8(std::mem::take(payload)).unwrap();
    payload.extend_from_slice(b"\xff\xfe");
    payload.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    Reason::NotUtf8
}

fn no_literal(random: &mut Random, payload: &mut Vec<u8>) -> Reason {
    let literal = random.pick(&[
        "NaN",
        "Infinity",
        "-Infinity",
        "0x1F",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "--1",
        "True",
        "None",
        "undefined",
        "'text'",
        "1_000",
        "",
        "1,",
        "/* 1 */ 1",
        "\"\\x41\"",
        "nul",
        "tru",
        "- 1",
    ]);
    insert_before_end(payload, format!(",\"amount\":{literal}").as_bytes());
    Reason::NotJson
}

fn duplicate_key(random: &mut Random, payload: &mut Vec<u8>) -> Reason {
    let text = String::from_utf8(std::mem::take(payload)).unwrap();
    let again = random.pick(&[
        "\"id\":\"another\"",
        "\"type\":\"merchant.checkout\"",
        "\"\\u0069d\":\"another\"",
        "\"\\u0069\\u0064\":null",
        "\"note\":1,\"note\":1",
        "\"客\":1,\"\\u5ba2\":2",
        "\"\":1,\"\":2",
        "\"nested\":{\"a\":[{\"amount\":1,\"\\u0061mount\":2}]}",
    ]);
    *payload = text.into_bytes();
    insert_before_end(payload, format!(",{again}").as_bytes());
    Reason::DuplicateKey
}

fn huge(random: &mut Random, payload: &mut Vec<u8>) -> Reason {
    let max = Decoder::default().payload_bytes_max;
    // Mostly the smaller neighbour: a corpus of thousands must fit into memory.
    if !random.chance(5) {
        payload.truncate(payload.len() - 1);
        return Reason::NotJson;
    }
    let note = ",\"note\":\"\"".len();
    let over = random.pick(&[1, 2, 40_000]);
    let filler = "x".repeat(max - payload.len() - note + over);
    insert_before_end(payload, format!(",\"note\":\"{filler}\"").as_bytes());
    Reason::TooLarge
}

/// Puts members behind the last one of the outermost object.
fn insert_before_end(payload: &mut Vec<u8>, members: &[u8]) {
    let at = payload.len() - 1;
    payload.splice(at..at, members.iter().copied());
}
