//! Entries of a partition's log as messages.

use crate::action::Decision;
use crate::durable::log;
use crate::nats::LogWrite;
use crate::partition::{ControlRecord, LogEntry, Place, QuarantineRecord, SweepKey, TimerChange};
use bytes::Bytes;
use serde::Serialize;
use std::borrow::Cow;

/// The channel of records: state that is not an action.
pub(super) const RECORD_CHANNEL: &str = "_record";

pub(super) fn write_of(entry: &LogEntry) -> LogWrite {
    match entry {
        LogEntry::Decision(decision) => action(decision),
        LogEntry::Timer(timer) => {
            let (what, at) = match &timer.change {
                TimerChange::Armed { next, .. } => ("armed", next.to_string()),
                TimerChange::Moved { next, .. } => ("moved", next.to_string()),
                TimerChange::Ended { .. } => ("ended", timer.at.to_string()),
            };
            let id = format!("timer/{}/{what}/{at}", timer.entry);
            record(id, log::KIND_TIMER, timer.place, timer)
        }
        LogEntry::Conversion(conversion) => {
            let id = format!("conversion/{}", conversion.decision);
            record(id, log::KIND_CONVERSION, conversion.place, conversion)
        }
        LogEntry::Outcome(outcome) => {
            let id = format!("outcome/{}/{}", outcome.decision, outcome.outcome);
            record(id, log::KIND_OUTCOME, outcome.place, outcome)
        }
        LogEntry::Sweep(sweep) => {
            let id = format!("sweep/{}/{}", occasion(&sweep.key), sweep.done);
            record(id, log::KIND_SWEEP, sweep.place, sweep)
        }
        LogEntry::Progress(progress) => {
            let (run, taken) = (progress.run, progress.taken);
            let id = format!("progress/{}/{run}/{taken}", occasion(&progress.key));
            record(id, log::KIND_PROGRESS, progress.place, progress)
        }
        LogEntry::Quarantine(held) => quarantine(held),
        LogEntry::Control(changed) => switched(changed),
    }
}

fn occasion(key: &SweepKey) -> String {
    match key {
        SweepKey::Broadcast(sequence) => sequence.to_string(),
        SweepKey::Daily { zone, due, .. } => {
            format!("{due}/{}", zone.as_deref().unwrap_or("-"))
        }
    }
}

fn switched(changed: &ControlRecord) -> LogWrite {
    let revision = changed.switches.revision;
    let id = format!("control/{}/{revision}", changed.switches.created);
    let mut write = record(id, log::KIND_CONTROL, changed.place, changed);
    let told = (Cow::Borrowed(log::SWITCHES_HEADER), revision.to_string());
    write.headers.push(told);
    write
}

fn quarantine(held: &QuarantineRecord) -> LogWrite {
    let id = format!(
        "quarantine/{}/{:016x}/{}",
        held.rule, held.digest, held.until
    );
    record(id, log::KIND_QUARANTINE, held.place, held)
}

fn action(decision: &Decision) -> LogWrite {
    LogWrite {
        channel: decision.subject_channel().to_owned(),
        id: decision.id.to_string(),
        kind: log::KIND_ACTION,
        headers: decision
            .headers()
            .into_iter()
            .map(|(name, value)| (Cow::Borrowed(name), value))
            .collect(),
        payload: Bytes::from(decision.to_cloudevent()),
    }
}

fn record(id: String, kind: &'static str, place: Place, payload: &impl Serialize) -> LogWrite {
    let mut headers = vec![(Cow::Borrowed("Onscene-After"), place.after.to_string())];
    if let Some((at, of)) = place.part {
        headers.push((Cow::Borrowed("Onscene-Part"), format!("{at}/{of}")));
    }
    LogWrite {
        channel: RECORD_CHANNEL.to_owned(),
        id,
        kind,
        headers,
        payload: serde_json::to_vec(payload)
            .expect("invariant: text and numbers serialise")
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Body, Next, Trigger, Verdict};
    use crate::durable::LogItem;
    use crate::event::{Occasion, Value};
    use crate::partition::{
        ConversionRecord, OutcomeRecord, ProgressRecord, SweepRecord, TimerRecord,
    };
    use crate::partitioning::CustomerId;
    use crate::policy::{Change, Position, Signed, Switches, Target};
    use crate::state::{DecisionId, Delivery, Remembered, Wait};
    use std::sync::Arc;

    const NEXT: Next = Next {
        step: 2,
        due: 1_795_312_800_000,
        wait: Wait::Step,
    };

    fn decision() -> Decision {
        let body = Value::Record(vec![
            ("kind".into(), Value::Text("offer".into())),
            ("code".into(), Value::Text("DINE".into())),
            ("value".into(), Value::Decimal("12.85".parse().unwrap())),
            ("cost".into(), Value::Int(3)),
        ]);
        Decision {
            id: DecisionId([1; 16]),
            entry: DecisionId([2; 16]),
            next: Some(NEXT),
            customer: CustomerId::new("客 1.*").unwrap(),
            rule: "a/b c".into(),
            generation: "0123456789abcdef".into(),
            channel: "push".into(),
            variant: "rich".into(),
            step: 1,
            verdict: Verdict::Holdout,
            control: true,
            scene: Some("win the payment".into()),
            household: Some("户 1".into()),
            fallback_of: Some(DecisionId([5; 16])),
            channels_left: vec!["sms".into(), "im".into()],
            trigger: Trigger {
                id: "1".into(),
                source: "till".into(),
                kind: "merchant.checkout".into(),
                time: 1_795_312_000_123,
                sequence: 7,
            },
            body: Body::check(body).unwrap(),
            account: Some("M 7 商户".into()),
            decided_at: 5,
            policy_time: 1_795_312_700_000,
            time: 1_795_312_700_000,
            traceparent: None,
            after: 9,
            part: None,
        }
    }

    fn timer(change: TimerChange) -> LogEntry {
        LogEntry::Timer(TimerRecord {
            entry: DecisionId([3; 16]),
            customer: "C 1".into(),
            rule: "r".into(),
            at: 17,
            change,
            place: Place {
                after: 9,
                part: Some((0, 2)),
            },
        })
    }

    fn daily() -> SweepKey {
        SweepKey::Daily {
            date: "2026-11-22".to_owned(),
            time: "09:30".to_owned(),
            zone: Some("Asia/Shanghai".into()),
            due: 99,
        }
    }

    fn sweep(key: SweepKey) -> LogEntry {
        LogEntry::Sweep(SweepRecord {
            key,
            at: 17,
            done: true,
            place: Place {
                after: 9,
                part: None,
            },
        })
    }

    fn switches() -> Switches {
        let change = Change {
            target: Target::Rule("a/b".into()),
            position: Position::Paused { until: Some(99) },
            signed: Signed {
                by: "Li".into(),
                reason: "wrong amount".into(),
                at: 7,
            },
        };
        Switches::default().with(&change, 3)
    }

    fn control() -> LogEntry {
        LogEntry::Control(ControlRecord {
            switches: Arc::new(switches()),
            at: 8,
            place: Place {
                after: 9,
                part: None,
            },
        })
    }

    fn entries() -> Vec<LogEntry> {
        let mut entries = said_and_awaited();
        entries.extend(noted());
        entries
    }

    fn noted() -> [LogEntry; 3] {
        [
            LogEntry::Quarantine(QuarantineRecord {
                rule: "a/b".into(),
                digest: u64::MAX - 1,
                until: 1_795_312_760_000,
                times: 2,
                place: Place {
                    after: 9,
                    part: None,
                },
            }),
            LogEntry::Conversion(ConversionRecord {
                decision: DecisionId([4; 16]),
                customer: "C 1".into(),
                rule: "r".into(),
                event: "e".into(),
                source: "s".into(),
                time: 1,
                at: 2,
                value: Some(crate::money::Money::from_ten_thousandths(125_000)),
                variant: "rich".into(),
                delivery: Delivery::Control,
                place: Place {
                    after: 9,
                    part: Some((1, 2)),
                },
            }),
            LogEntry::Outcome(OutcomeRecord {
                decision: DecisionId([4; 16]),
                customer: "C 1".into(),
                rule: "r".into(),
                variant: "rich".into(),
                outcome: "accepted".into(),
                event: "e".into(),
                source: "s".into(),
                time: 1,
                at: 2,
                place: Place {
                    after: 9,
                    part: Some((1, 2)),
                },
            }),
        ]
    }

    fn said_and_awaited() -> Vec<LogEntry> {
        let occasion = Occasion {
            id: "1".into(),
            source: "till".into(),
            kind: "merchant.checkout".into(),
            time: 3,
            traceparent: None,
            data: Value::Record(vec![
                ("amount".into(), Value::Decimal("100".parse().unwrap())),
                ("count".into(), Value::Int(100)),
                ("note".into(), Value::Text("\"quoted\"\n".into())),
            ]),
        };
        let trigger = Arc::new(Remembered::new(&occasion, 8));
        assert_eq!(trigger.occasion(), occasion);
        let at_once = Decision {
            entry: DecisionId([1; 16]),
            next: None,
            verdict: Verdict::Shadow,
            control: false,
            scene: None,
            household: None,
            fallback_of: None,
            channels_left: Vec::new(),
            account: None,
            time: 1_795_312_000_123,
            after: 7,
            part: Some((1, 3)),
            ..decision()
        };
        let verdict = "still".to_owned();
        vec![
            LogEntry::Decision(Box::new(decision())),
            LogEntry::Decision(Box::new(at_once)),
            timer(TimerChange::Armed {
                next: NEXT,
                trigger,
            }),
            timer(TimerChange::Moved {
                next: NEXT,
                verdict: verdict.clone(),
            }),
            timer(TimerChange::Ended { verdict }),
            sweep(SweepKey::Broadcast(12)),
            sweep(daily()),
            LogEntry::Progress(ProgressRecord {
                key: daily(),
                at: 99,
                taken: 512,
                run: 1,
                place: Place {
                    after: 9,
                    part: None,
                },
            }),
        ]
    }

    /// What is read from the log is what state took when it was decided, of every kind of entry.
    #[test]
    fn an_entry_is_read_back_as_it_was_decided() {
        // An amount may be text, as `money` makes it.
        let body = Value::Record(vec![
            ("kind".into(), Value::Text("offer".into())),
            ("value".into(), Value::Text("6.70".into())),
        ]);
        let with_text = Decision {
            body: Body::check(body).unwrap(),
            ..decision()
        };
        let with_text = LogEntry::Decision(Box::new(with_text));
        for entry in entries().into_iter().chain([control(), with_text]) {
            let write = write_of(&entry);
            let header = |name: &str| {
                if name == "Onscene-Kind" {
                    return Some(write.kind);
                }
                let mut headers = write.headers.iter();
                headers
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| &**value)
            };
            let item = log::read(1, header, &write.payload).unwrap();
            let mut expected = entry.logged();
            forget_place(&mut expected);
            let wanted = LogItem::Entry {
                logged: expected,
                place: entry.place(),
            };
            assert_eq!(item, wanted);
        }
    }

    /// The place is told by headers alone.
    fn forget_place(logged: &mut crate::partition::Logged) {
        use crate::partition::Logged;
        match logged {
            Logged::Decision(_) => {}
            Logged::Timer(record) => record.place = Place::default(),
            Logged::Conversion(record) => record.place = Place::default(),
            Logged::Outcome(record) => record.place = Place::default(),
            Logged::Sweep(record) => record.place = Place::default(),
            Logged::Progress(record) => record.place = Place::default(),
            Logged::Quarantine(record) => record.place = Place::default(),
            Logged::Control(record) => record.place = Place::default(),
        }
    }

    #[test]
    fn no_two_entries_have_the_same_id() {
        let entries = entries();
        let mut ids: Vec<String> = entries.iter().skip(1).map(|e| write_of(e).id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), entries.len() - 1);
    }

    /// The bytes of a quarantine, and how an engine takes them that does not know the kind.
    #[test]
    fn a_quarantine_is_read_as_it_is_written_and_passed_over_by_those_who_do_not_know_it() {
        let payload =
            br#"{"rule":"a/b","digest":"fffffffffffffffe","until":1795312760000,"times":2}"#;
        let known = entries();
        let quarantine = known.iter().find(|e| matches!(e, LogEntry::Quarantine(_)));
        let write = write_of(quarantine.unwrap());
        assert_eq!(&write.payload[..], payload);
        let read = |kind: &'static str| {
            let header = move |name: &str| match name {
                "Onscene-Kind" => Some(kind),
                "Onscene-After" => Some("9"),
                _ => None,
            };
            log::read(1, header, payload).unwrap()
        };
        assert!(matches!(
            read("quarantine"),
            LogItem::Entry { place, .. } if (place.after, place.part) == (9, None)
        ));
        // What is of no kind that is known changes nothing: neither what is done nor what was answered.
        assert_eq!(read("of-later"), LogItem::Unknown("of-later".to_owned()));
    }

    /// The payload that version 0.1.0 wrote of a conversion.
    #[test]
    fn a_conversion_of_the_first_version_is_still_read() {
        let payload = br#"{"decision":"04040404040404040404040404040404","customer":"C 1","rule":"r","event":"e","source":"s","time":1,"at":2}"#;
        let header = |name: &str| match name {
            "Onscene-Kind" => Some("conversion"),
            "Onscene-After" => Some("9"),
            _ => None,
        };
        let item = log::read(1, header, payload).unwrap();
        let LogItem::Entry { logged, .. } = item else {
            panic!("an entry");
        };
        let crate::partition::Logged::Conversion(record) = logged else {
            panic!("a conversion");
        };
        assert_eq!((record.value, &*record.variant), (None, ""));
        assert_eq!(record.delivery, Delivery::Sent);
    }

    /// What is written now, byte for byte: whoever changes it keeps these bytes in a test.
    #[test]
    fn headers_and_records_are_written_as_they_are_known() {
        let entries = entries();
        let written: String = entries
            .iter()
            .map(|entry| {
                let write = write_of(entry);
                let headers: String = (write.headers.iter())
                    .map(|(name, value)| format!("{name}: {value}\n"))
                    .collect();
                let payload = String::from_utf8_lossy(&write.payload);
                format!("{} {}\n{headers}{payload}\n\n", write.channel, write.id)
            })
            .collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/log/v2.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &written).unwrap();
        }
        assert_eq!(written, std::fs::read_to_string(path).unwrap());
    }

    /// The bytes of a change of switches, and what the command line looks for in its headers.
    #[test]
    fn switches_are_written_to_the_log_with_their_revision() {
        let payload = br#"{"switches":{"created":0,"revision":3,"rules":{"a/b":{"until":99,"signed":{"by":"Li","reason":"wrong amount","at":7}}}},"at":8}"#;
        let write = write_of(&control());
        assert_eq!(&write.payload[..], payload);
        let told = ("Onscene-Switches".into(), "3".to_owned());
        assert!(write.headers.contains(&told), "{:?}", write.headers);
    }

    /// Bytes that version 0.1.0 wrote: an action without the place of its own.
    #[test]
    fn an_action_of_the_first_version_is_still_read() {
        let payload = br#"{"specversion":"1.0","id":"50e2d06b64890ecad5c4a00b5ab693a8","source":"onscene","type":"scene.action","subject":"C1","time":"2026-11-22T07:54:12.964Z","datacontenttype":"application/json","data":{"kind":"offer","channel":"push","rule":"a/b","generation":"0123456789abcdef","variant":"default","step":0,"verdict":"sent","trigger":{"id":"1","source":"till-9","type":"merchant.checkout","time":"2026-11-22T07:54:12.000Z","sequence":4},"body":{"code":"DINE","value":"12.85"},"decided_at":"2026-11-22T07:54:12.964Z"}}"#;
        let header = |name: &str| match name {
            "Onscene-Kind" => Some("action"),
            "Onscene-Trigger" => Some("4"),
            "Onscene-Policy-Time" => Some("1795334052964"),
            "Onscene-Part" => Some("0/1"),
            _ => None,
        };
        let LogItem::Entry { logged, place } = log::read(1, header, payload).unwrap() else {
            panic!("an action");
        };
        assert_eq!((place.after, place.part), (4, Some((0, 1))));
        let crate::partition::Logged::Decision(decision) = logged else {
            panic!("a decision");
        };
        assert_eq!(decision.entry, decision.id);
        assert_eq!(decision.delivery, Delivery::Sent);
        assert_eq!((decision.scene, decision.household), (None, None));
        assert_eq!(decision.value.unwrap().to_string(), "12.85");
    }
}
