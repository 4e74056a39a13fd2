//! What waits for the broker, why, and since when: told in `/readyz` and in the metrics.

use tokio::sync::watch;

use crate::clock::{Millis, now_ms};

/// Why the broker does not do what it is asked. What an operator does about it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitCause {
    /// The connection is down.
    Disconnected,
    /// A limit of the stream or of the account, or the disk, leaves no room.
    NoRoom,
    /// The server answers, JetStream does not: it was switched off (after a disk error, for one), has no leader now, or
    /// has not found the stream yet.
    Unavailable,
    /// No answer came in time.
    NoAnswer,
    /// Anything else; the reason says what.
    Other,
}

/// What the server and the client library say, and what it means.
const PHRASES: [(&str, WaitCause); 21] = [
    ("not connected", WaitCause::Disconnected),
    ("connection broke", WaitCause::Disconnected),
    ("connection closed", WaitCause::Disconnected),
    ("maximum bytes exceeded", WaitCause::NoRoom),
    ("maximum messages exceeded", WaitCause::NoRoom),
    ("maximum messages per subject", WaitCause::NoRoom),
    ("resource limits exceeded", WaitCause::NoRoom),
    ("insufficient resources", WaitCause::NoRoom),
    ("insufficient storage", WaitCause::NoRoom),
    ("insufficient memory", WaitCause::NoRoom),
    ("no space left", WaitCause::NoRoom),
    ("no responders", WaitCause::Unavailable),
    ("not enabled", WaitCause::Unavailable),
    ("temporarily unavailable", WaitCause::Unavailable),
    ("stream is offline", WaitCause::Unavailable),
    ("no leader", WaitCause::Unavailable),
    ("not there", WaitCause::Unavailable),
    ("ends before", WaitCause::Unavailable),
    ("timed out", WaitCause::NoAnswer),
    ("time-out", WaitCause::NoAnswer),
    ("silent", WaitCause::NoAnswer),
];

impl WaitCause {
    /// All of them: the values of a metric's label.
    pub const ALL: [Self; 5] = [
        Self::Disconnected,
        Self::NoRoom,
        Self::Unavailable,
        Self::NoAnswer,
        Self::Other,
    ];

    /// Its word in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::NoRoom => "no_room",
            Self::Unavailable => "unavailable",
            Self::NoAnswer => "no_answer",
            Self::Other => "other",
        }
    }

    /// What the words of the server or of the client library mean.
    fn of(reason: &str) -> Self {
        let reason = reason.to_ascii_lowercase();
        let known = PHRASES.iter().find(|(phrase, _)| reason.contains(phrase));
        known.map_or(Self::Other, |(_, cause)| *cause)
    }

    /// What an operator looks at first; nothing where the reason says it all.
    fn hint(self) -> &'static str {
        match self {
            Self::NoRoom => "; make room, or raise the limit",
            Self::Unavailable => "; JetStream is off or has no leader: see the server's log",
            // nats-server 2.15.1 answers no write to a stream after a disk error, until it is restarted.
            Self::NoAnswer => {
                "; see the server's log: after a disk error it takes no writes until there is room and it is restarted"
            }
            Self::Disconnected | Self::Other => "",
        }
    }
}

/// Something waits for the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Why, as a class.
    pub cause: WaitCause,
    /// Why, as the server or the client library says it.
    pub reason: String,
    /// Since when, wall clock.
    pub since: Millis,
}

impl Waiting {
    /// Goes on waiting, or begins to: the reason is the latest, the time is the first.
    pub(super) fn go_on(before: Option<&Self>, reason: &str) -> Self {
        Self {
            cause: WaitCause::of(reason),
            reason: reason.to_owned(),
            since: before.map_or_else(now_ms, |before| before.since),
        }
    }

    /// The reason, what to look at, and for how long, for a person.
    #[must_use]
    pub fn text(&self, now: Millis) -> String {
        let seconds = now.saturating_sub(self.since).max(0) / 1_000;
        format!("{} (since {seconds} s{})", self.reason, self.cause.hint())
    }
}

/// Notes that something waits, and says whether that, or its cause, is news.
pub(super) fn wait(board: &watch::Sender<Option<Waiting>>, reason: &str) -> bool {
    let mut news = false;
    board.send_if_modified(|waiting| {
        let next = Waiting::go_on(waiting.as_ref(), reason);
        news = waiting
            .as_ref()
            .is_none_or(|before| before.cause != next.cause);
        let changed = waiting.as_ref() != Some(&next);
        *waiting = Some(next);
        changed
    });
    news
}

/// Notes that it waits no longer, and says whether it did.
pub(super) fn go_on(board: &watch::Sender<Option<Waiting>>) -> bool {
    board.send_if_modified(|waiting| waiting.take().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_told_apart_by_what_to_do_about_it() {
        for (reason, cause) in [
            (
                "maximum bytes exceeded (error code 10077)",
                WaitCause::NoRoom,
            ),
            (
                "resource limits exceeded for account (error code 10002)",
                WaitCause::NoRoom,
            ),
            (
                "write /x/1.blk: no space left on device (error code 10077)",
                WaitCause::NoRoom,
            ),
            ("no responders", WaitCause::Unavailable),
            (
                "JetStream system temporarily unavailable",
                WaitCause::Unavailable,
            ),
            ("request timed out", WaitCause::NoAnswer),
            ("connection broke", WaitCause::Disconnected),
            ("something new", WaitCause::Other),
        ] {
            assert_eq!(WaitCause::of(reason), cause, "{reason}");
        }
    }

    #[test]
    fn waiting_keeps_its_beginning_and_tells_the_latest_reason() {
        let first = Waiting {
            since: 1_000,
            ..Waiting::go_on(None, "connection broke")
        };
        let then = Waiting::go_on(Some(&first), "maximum bytes exceeded");
        assert_eq!((then.since, then.cause), (1_000, WaitCause::NoRoom));
        assert_eq!(
            then.text(13_400),
            "maximum bytes exceeded (since 12 s; make room, or raise the limit)"
        );
    }
}
