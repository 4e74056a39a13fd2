//! Where in stream and consumer a message stands, from its acknowledgement subject.

/// What the acknowledgement subject says of a message, in either format of ADR-15:
/// `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>[.<token>]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream_sequence: u64,
    pub(super) consumer_sequence: u64,
    pub(super) stored_at_ns: i64,
    pub(super) pending: u64,
}

impl Place {
    pub(super) fn parse(reply: &str) -> Option<Self> {
        let tokens = reply.strip_prefix("$JS.ACK.")?;
        let skip = match tokens.bytes().filter(|byte| *byte == b'.').count() {
            6 => 3,
            8.. => 5,
            _ => return None,
        };
        let mut numbers = tokens.split('.').skip(skip);
        Some(Self {
            stream_sequence: numbers.next()?.parse().ok()?,
            consumer_sequence: numbers.next()?.parse().ok()?,
            stored_at_ns: numbers.next()?.parse().ok()?,
            pending: numbers.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn both_formats_of_an_acknowledgement_subject_are_read() {
        let place = Place {
            stream_sequence: 100,
            consumer_sequence: 7,
            stored_at_ns: 1_790_230_470_084_404_000,
            pending: 42,
        };
        let short = "$JS.ACK.SCENE_EVENTS.abc.1.100.7.1790230470084404000.42";
        assert_eq!(Place::parse(short).as_ref(), Some(&place));
        for long in [
            "$JS.ACK._.hash.SCENE_EVENTS.abc.1.100.7.1790230470084404000.42",
            "$JS.ACK.hub.hash.SCENE_EVENTS.abc.1.100.7.1790230470084404000.42.token",
        ] {
            assert_eq!(Place::parse(long).as_ref(), Some(&place));
        }
        assert_eq!(Place::parse("$JS.ACK.SCENE_EVENTS.abc.1"), None);
        assert_eq!(Place::parse("_INBOX.x"), None);
    }
}
