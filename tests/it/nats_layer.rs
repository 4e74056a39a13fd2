//! The NATS layer on a real server: streams, reader, chain, dead letters.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use onscene::nats::dead_letters::DeadLetterFilter;
use onscene::nats::log_write::{HEADER_ID, HEADER_KIND, HEADER_OWNER};
use onscene::nats::{
    Chain, ChainError, ChainState, Connection, DeadLetterError, DeadLetters, EventPublisher,
    EventReader, Headers, LiveFeed, LogMessage, LogReader, LogWrite, StoredEvent, StreamSettings,
    StreamsError, SyncInterval, ensure_streams,
};
use onscene::partitioning::{bucket_of, partition_of};
use tokio::time::timeout;

use crate::kit::Nats;

const PATIENCE: Duration = Duration::from_secs(30);

fn write(id: impl ToString) -> LogWrite {
    LogWrite {
        channel: "push".to_owned(),
        id: id.to_string(),
        kind: "action",
        headers: vec![("Onscene-Rule".into(), "test".to_owned())],
        payload: Bytes::from(vec![b'x'; 400]),
    }
}

fn writes(ids: std::ops::Range<usize>) -> Vec<LogWrite> {
    ids.map(write).collect()
}

async fn log_of(nats: &Nats, partition: u16, until: u64) -> Vec<LogMessage> {
    let mut reader = LogReader::open(&nats.connect().await, partition, 0, until)
        .await
        .unwrap();
    let mut log = Vec::new();
    while let Some(batch) = timeout(PATIENCE, reader.next_batch(1_000))
        .await
        .unwrap()
        .unwrap()
    {
        log.extend(batch);
    }
    log
}

fn ids(log: &[LogMessage]) -> Vec<&str> {
    let actions = log
        .iter()
        .filter(|message| message.headers.get(HEADER_KIND) == Some("action"));
    actions
        .map(|message| message.headers.get(HEADER_ID).unwrap())
        .collect()
}

async fn publish(connection: &Connection, subject: &str, payload: impl Into<Bytes>) -> u64 {
    let publisher = EventPublisher::new(connection, 1);
    let sent = publisher
        .publish(subject, &[], payload.into())
        .await
        .unwrap();
    sent.stored().await.unwrap().sequence
}

async fn read(reader: &mut EventReader, count: usize) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        let batch = timeout(PATIENCE, reader.next_batch(1_000)).await;
        events.extend(batch.expect("events in time").unwrap());
    }
    events
}

#[tokio::test]
async fn streams_are_created_once_and_verified_ever_after() {
    let nats = Nats::start().await;
    let connection = nats.connect().await;
    let settings = StreamSettings {
        events_max_bytes: Some(1 << 30),
        ..StreamSettings::default()
    };
    let first = ensure_streams(&connection, &settings).await.unwrap();
    assert_eq!((first.partitions, first.events_last_sequence), (16, 0));
    publish(&connection, "scene.events.merchant.checkout.C1", "{}").await;
    let again = ensure_streams(&connection, &settings).await.unwrap();
    assert_eq!(again.events_last_sequence, 1);
}

#[tokio::test]
async fn a_stream_with_other_settings_is_an_error_that_names_each() {
    let nats = Nats::with_streams(16).await;
    let settings = StreamSettings {
        partitions: 8,
        events_max_age: Duration::from_secs(3600),
        ..StreamSettings::default()
    };
    let error = ensure_streams(&nats.connect().await, &settings)
        .await
        .unwrap_err();
    let text = error.to_string();
    let StreamsError::Differs {
        stream,
        differences,
        created,
    } = error
    else {
        panic!("{text}")
    };
    assert_eq!((stream, created), ("SCENE_EVENTS", false));
    let fields: Vec<_> = differences
        .iter()
        .map(|difference| difference.field)
        .collect();
    assert_eq!(
        fields,
        ["onscene.partitions", "subject_transform", "max_age"]
    );
    assert!(
        text.contains("onscene.partitions: have 16, want 8"),
        "{text}"
    );
    assert!(
        text.contains("max_age: have 604800 s, want 3600 s"),
        "{text}"
    );
}

#[tokio::test]
async fn a_number_of_partitions_that_is_no_power_of_two_is_refused() {
    let nats = Nats::start().await;
    for partitions in [0, 12, 8192] {
        let settings = StreamSettings {
            partitions,
            ..StreamSettings::default()
        };
        let error = ensure_streams(&nats.connect().await, &settings)
            .await
            .unwrap_err();
        assert!(matches!(error, StreamsError::Partitions(_)), "{error}");
    }
}

#[tokio::test]
async fn an_event_lands_in_the_partition_and_bucket_that_we_compute() {
    let nats = Nats::with_streams(16).await;
    let connection = nats.connect().await;
    // "a.b c" as it stands in a subject.
    for token in ["a%2Eb%20c", "C1001", "客户", "x"] {
        let subject = format!("scene.events.merchant.checkout.{token}");
        let sequence = publish(&connection, &subject, token.to_owned()).await;
        let (partition, bucket) = (partition_of(token, 16), bucket_of(token));
        let mut reader = EventReader::open(&connection, partition, sequence)
            .await
            .unwrap();
        let events = read(&mut reader, 1).await;
        assert_eq!(
            events[0].subject,
            format!("scene.in.{partition}.{bucket}.merchant.checkout")
        );
        assert_eq!((events[0].sequence, events[0].pending), (sequence, 0));
        assert_eq!(events[0].payload, token.as_bytes());
        let age = onscene::clock::now_ms() - events[0].stored_at;
        assert!((-1_000..60_000).contains(&age), "stored {age} ms ago");
    }
}

#[tokio::test]
async fn every_partition_reads_broadcasts_in_order_with_its_own_events() {
    let nats = Nats::with_streams(2).await;
    let connection = nats.connect().await;
    let of = |partition| {
        let token = (0..)
            .map(|n| format!("C{n}"))
            .find(|token| partition_of(token, 2) == partition);
        format!("scene.events.a.b.{}", token.unwrap())
    };
    for subject in [
        &of(1),
        "scene.broadcast.goal",
        &of(0),
        &of(1),
        &of(0),
        &of(0),
    ] {
        publish(&connection, subject, "{}").await;
    }
    let mut readers = EventReader::open_all(&connection, &[(1, 0), (0, 4)])
        .await
        .unwrap();
    let mut second = readers.pop().unwrap();
    let mut first = readers.pop().unwrap();
    let sequences = |events: Vec<StoredEvent>| {
        events
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>()
    };
    let events = read(&mut first, 3).await;
    assert_eq!(events[1].subject, "scene.broadcast.goal");
    assert_eq!(sequences(events), [1, 2, 4]);
    // From its own sequence on.
    assert_eq!(sequences(read(&mut second, 2).await), [5, 6]);
    // Both have passed all, though the last ones were not the first one's.
    for reader in [&first, &second] {
        timeout(PATIENCE, async {
            while (reader.next_sequence(), reader.pending()) != (7, 0) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    }
    assert_eq!(first.last_sequence().await.unwrap(), Some(6));
    // One that is gone holds up nobody.
    drop(first);
    for _ in 0..2 {
        publish(&connection, "scene.broadcast.goal", "{}").await;
    }
    assert_eq!(sequences(read(&mut second, 2).await), [7, 8]);
}

#[tokio::test]
async fn a_reader_of_its_own_gets_its_partition_only() {
    let nats = Nats::with_streams(2).await;
    let connection = nats.connect().await;
    for n in 0..20 {
        publish(&connection, &format!("scene.events.a.b.C{n}"), "{}").await;
    }
    let mine = (0..20)
        .filter(|n| partition_of(&format!("C{n}"), 2) == 1)
        .count();
    let mut reader = EventReader::open(&connection, 1, 1).await.unwrap();
    assert_eq!(reader.pending(), u64::try_from(mine).unwrap());
    assert_eq!(read(&mut reader, mine).await.last().unwrap().pending, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_neither_loses_nor_doubles_events_when_the_server_is_killed() {
    let mut nats = Nats::with_streams(1).await;
    let reading = nats.connect().await;
    let mut reader = EventReader::open_all(&reading, &[(0, 1)])
        .await
        .unwrap()
        .remove(0);
    let publishing = nats.connect().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let publisher = tokio::spawn(async move {
        let publisher = EventPublisher::new(&publishing, 256);
        let mut sent = Vec::new();
        while !*stopped.borrow() {
            for _ in 0..200 {
                let event =
                    publisher.publish("scene.events.a.b.C1", &[], Bytes::from_static(b"{}"));
                sent.push(event.await.unwrap().stored());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Whatever was not acknowledged may or may not be stored: only the acknowledged must come.
        let answers = futures_util::future::join_all(sent).await;
        answers
            .into_iter()
            .filter_map(Result::ok)
            .map(|event| event.sequence)
            .max()
    });
    let collecting = tokio::spawn(async move {
        let mut sequences = Vec::new();
        // Polled for a short while again and again, as an engine with a timer does.
        loop {
            match timeout(Duration::from_millis(5), reader.next_batch(500)).await {
                Ok(batch) => sequences.extend(batch.unwrap().iter().map(|event| event.sequence)),
                Err(_) if publisher.is_finished() && reader.pending() == 0 => break,
                Err(_) => {}
            }
        }
        let acknowledged = publisher.await.unwrap();
        (
            sequences,
            acknowledged,
            reader.reopened(),
            reader.last_sequence().await.unwrap(),
        )
    });
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        nats.kill().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        nats.restart().await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.send_replace(true);
    let done = timeout(PATIENCE, collecting).await.unwrap().unwrap();
    let (sequences, acknowledged, reopened, last) = done;
    assert!(reopened >= 1, "reopened {reopened} times");
    assert!(
        acknowledged > Some(1_000) && acknowledged <= last,
        "{acknowledged:?} of {last:?}"
    );
    // Every sequence from the first to the last, each once, in order.
    let all: Vec<u64> = (1..=last.unwrap()).collect();
    assert!(
        sequences == all,
        "{} events read, {} stored",
        sequences.len(),
        all.len()
    );
}

#[tokio::test]
async fn an_event_that_the_client_library_cannot_parse_stops_nobody() {
    let nats = Nats::with_streams(1).await;
    let connection = nats.connect().await;
    publish(&connection, "scene.events.a.b.C1", "before").await;
    publish_raw(
        nats.port(),
        b"scene.events.a.b.C1",
        b"NATS/1.0\r\nce-id: 7\r\nbad: \xff\r\n\r\n",
        b"one",
    )
    .await;
    publish_raw(
        nats.port(),
        b"scene.events.a.b.C1",
        b"NATS/1.0\r\nno colon here\r\n\r\n",
        b"two",
    )
    .await;
    publish_raw(
        nats.port(),
        b"scene.events.a.\xff.C1",
        b"NATS/1.0\r\n\r\n",
        b"three",
    )
    .await;
    publish(&connection, "scene.events.a.b.C1", "after").await;
    let mut reader = EventReader::open(&connection, 0, 1).await.unwrap();
    let events = read(&mut reader, 5).await;
    let payloads: Vec<_> = events.iter().map(|event| event.payload.as_ref()).collect();
    assert_eq!(
        payloads,
        [&b"before"[..], b"one", b"two", b"three", b"after"]
    );
    assert_eq!(events[1].headers.get("ce-id"), Some("7"));
    assert_eq!(events[3].subject.split('.').nth(5), Some("\u{fffd}"));
    // And the connection reads on.
    publish(&nats.connect().await, "scene.events.a.b.C1", "later").await;
    assert_eq!(read(&mut reader, 1).await[0].payload, "later");
}

/// Publishes bytes that the client library would not send, and waits until the server has taken them.
async fn publish_raw(port: u16, subject: &[u8], headers: &[u8], payload: &[u8]) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let mut sent = b"CONNECT {\"verbose\":false,\"headers\":true}\r\nHPUB ".to_vec();
    sent.extend_from_slice(subject);
    let lengths = format!(" {} {}\r\n", headers.len(), headers.len() + payload.len());
    sent.extend_from_slice(lengths.as_bytes());
    sent.extend_from_slice(headers);
    sent.extend_from_slice(payload);
    sent.extend_from_slice(b"\r\nPING\r\n");
    socket.write_all(&sent).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"PONG") {
        let mut part = [0; 4096];
        let count = socket.read(&mut part).await.unwrap();
        assert!(count > 0, "closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..count]);
    }
}

#[tokio::test]
async fn a_second_owner_fences_the_first() {
    let nats = Nats::with_streams(4).await;
    let (one, two) = (nats.connect().await, nats.connect().await);
    let (mut first, start) = Chain::take_over(&one, 3, "engine-1", b"{}".to_vec())
        .await
        .unwrap();
    let stored = first.commit(writes(0..3)).await.unwrap();
    assert_eq!(stored, [start + 1, start + 2, start + 3]);
    let (mut second, taken) = Chain::take_over(&two, 3, "engine-2", b"{}".to_vec())
        .await
        .unwrap();
    for _ in 0..2 {
        let error = first.commit(writes(3..6)).await.unwrap_err();
        assert!(
            matches!(&error, ChainError::Fenced { by, partition: 3 } if by == "engine-2"),
            "{error}"
        );
    }
    assert_eq!(*first.watch_state().borrow(), ChainState::Fenced);
    second.commit(writes(6..8)).await.unwrap();
    // A batch of a former owner is refused as a whole.
    let mut reader = LogReader::open(&one, second.partition(), 0, second.tail())
        .await
        .unwrap();
    let mut log = Vec::new();
    while let Some(batch) = reader.next_batch(2).await.unwrap() {
        log.extend(batch);
    }
    assert_eq!(ids(&log), ["0", "1", "2", "6", "7"]);
    assert_eq!(log[4].sequence, taken);
    assert_eq!(log[4].headers.get(HEADER_OWNER), Some("engine-2"));
    assert_eq!(log[4].subject, "scene.actions._record.3");
}

#[tokio::test]
async fn a_batch_is_stored_whole_in_order_and_is_refused_whole_after_a_take_over() {
    let nats = Nats::with_streams(4).await;
    let connection = nats.connect().await;
    let (mut chain, start) = Chain::take_over(&connection, 1, "e1", Vec::new())
        .await
        .unwrap();
    let stored = chain.commit(writes(0..2_500)).await.unwrap();
    assert_eq!(stored, (start + 1..=start + 2_500).collect::<Vec<_>>());
    let (_, taken) = Chain::take_over(&connection, 1, "e2", Vec::new())
        .await
        .unwrap();
    let error = chain.commit(writes(2_500..3_000)).await.unwrap_err();
    assert!(matches!(error, ChainError::Fenced { .. }), "{error}");
    let log = log_of(&nats, 1, taken).await;
    let expected: Vec<String> = (0..2_500).map(|id| id.to_string()).collect();
    assert!(
        ids(&log) == expected,
        "{} ids for {}",
        ids(&log).len(),
        expected.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_chains_write_batches_at_once_and_keep_their_order() {
    let nats = Nats::with_streams(16).await;
    let connection = nats.connect().await;
    let tasks = (0..16).map(|partition| {
        let connection = connection.clone();
        tokio::spawn(async move {
            let (mut chain, _) = Chain::take_over(&connection, partition, "e1", Vec::new())
                .await
                .unwrap();
            let mut stored = Vec::new();
            for start in (0..600).step_by(100) {
                stored.extend(chain.commit(writes(start..start + 100)).await.unwrap());
                stored.extend(
                    chain
                        .commit(vec![write(format!("single-{start}"))])
                        .await
                        .unwrap(),
                );
            }
            (partition, stored)
        })
    });
    for done in futures_util::future::join_all(tasks).await {
        let (partition, stored) = done.unwrap();
        let log = log_of(&nats, partition, *stored.last().unwrap()).await;
        let sequences: Vec<u64> = log.iter().skip(1).map(|message| message.sequence).collect();
        assert_eq!(sequences, stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_neither_loses_nor_doubles_writes_when_the_server_is_killed() {
    let mut nats = Nats::with_streams(4).await;
    let connection = nats.connect().await;
    let (mut chain, _) = Chain::take_over(&connection, 2, "e1", Vec::new())
        .await
        .unwrap();
    let state = chain.watch_state();
    let writing = tokio::spawn(async move {
        let mut stored = Vec::new();
        let mut next = 0;
        // Singles, small commits and batches in turn.
        for length in [1, 3, 120, 1, 40].into_iter().cycle() {
            if next >= 4_000 {
                break;
            }
            stored.extend(chain.commit(writes(next..next + length)).await.unwrap());
            next += length;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (next, stored)
    });
    let mut waited = false;
    for pause in [150, 230, 310] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        nats.kill().await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        waited |= state.borrow().waiting().is_some();
        nats.restart().await.unwrap();
    }
    let (count, stored) = timeout(PATIENCE, writing).await.unwrap().unwrap();
    assert!(waited, "the state tells that the broker is awaited");
    assert_eq!(*state.borrow(), ChainState::Flowing);
    let log = log_of(&nats, 2, *stored.last().unwrap()).await;
    let expected: Vec<String> = (0..count).map(|id| id.to_string()).collect();
    assert!(
        ids(&log) == expected,
        "{} ids for {}",
        ids(&log).len(),
        expected.len()
    );
    let sequences: Vec<u64> = log.iter().skip(1).map(|message| message.sequence).collect();
    assert_eq!(sequences, stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_dropped_half_way_can_be_repeated_without_doubling() {
    let nats = Nats::with_streams(1).await;
    let connection = nats.connect().await;
    let (mut chain, _) = Chain::take_over(&connection, 0, "e1", Vec::new())
        .await
        .unwrap();
    let mut expected = Vec::new();
    for round in 0..60_u64 {
        let length = if round % 2 == 0 { 10 } else { 60 };
        let ids = (0..length)
            .map(|n| format!("{round}-{n}"))
            .collect::<Vec<_>>();
        let batch = || ids.iter().map(write).collect::<Vec<_>>();
        let limit = Duration::from_micros(round * 100);
        if timeout(limit, chain.commit(batch())).await.is_err() {
            let stored = chain.commit(batch()).await.unwrap();
            assert_eq!(stored.len(), ids.len());
        }
        expected.extend(ids);
    }
    let log = log_of(&nats, 0, chain.tail()).await;
    assert!(
        ids(&log) == expected,
        "{} ids for {}",
        ids(&log).len(),
        expected.len()
    );
}

#[tokio::test]
async fn a_write_that_is_too_large_is_named_and_the_chain_goes_on() {
    let nats = Nats::with_streams(1).await;
    let connection = nats.connect().await;
    let (mut chain, _) = Chain::take_over(&connection, 0, "e1", Vec::new())
        .await
        .unwrap();
    for count in [2, 40] {
        let mut batch = writes(0..count);
        batch[1].payload = vec![0; 2 * 1024 * 1024].into();
        let error = chain.commit(batch).await.unwrap_err();
        assert!(
            matches!(&error, ChainError::TooLarge { id, .. } if id == "1"),
            "{error}"
        );
    }
    chain.commit(vec![write("last")]).await.unwrap();
    assert_eq!(ids(&log_of(&nats, 0, chain.tail()).await), ["0", "last"]);
}

#[tokio::test]
async fn the_live_feed_shows_what_was_stored() {
    let nats = Nats::with_streams(1).await;
    let connection = nats.connect().await;
    let mut feed = LiveFeed::subscribe(&connection, Some("push"))
        .await
        .unwrap();
    let (mut chain, _) = Chain::take_over(&connection, 0, "e1", Vec::new())
        .await
        .unwrap();
    chain.commit(vec![write("a")]).await.unwrap();
    chain.commit(writes(0..50)).await.unwrap();
    for expected in std::iter::once("a".to_owned()).chain((0..50).map(|id| id.to_string())) {
        let message = timeout(PATIENCE, feed.next()).await.unwrap().unwrap();
        assert_eq!(message.subject, "scene.live.push.0");
        assert_eq!(message.headers.get(HEADER_ID), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn a_rejected_event_is_kept_listed_retried_and_then_gone() {
    let nats = Nats::with_streams(1).await;
    let connection = nats.connect().await;
    let publisher = EventPublisher::new(&connection, 8);
    let headers = [("ce-id", "7"), ("Nats-Msg-Id", "mine")];
    let sent = publisher.publish(
        "scene.events.a.b.C1",
        &headers,
        Bytes::from_static(b"\xff{"),
    );
    let stored = sent.await.unwrap().stored().await.unwrap();
    let mut reader = EventReader::open(&connection, 0, 1).await.unwrap();
    let event = read(&mut reader, 1).await.remove(0);

    let letters = DeadLetters::new(&connection);
    let error = "line 1\nis not UTF-8";
    let kept = letters
        .publish("not_utf8", &event, error, Some("C1"))
        .await
        .unwrap();
    // A repetition is dropped.
    assert_eq!(
        letters
            .publish("not_utf8", &event, error, Some("C1"))
            .await
            .unwrap(),
        kept
    );
    let other = StoredEvent {
        sequence: 99,
        ..event.clone()
    };
    letters
        .publish("not_json", &other, "no", None)
        .await
        .unwrap();

    assert_eq!(
        letters.known_since(0).await.unwrap(),
        HashSet::from([stored.sequence, 99])
    );
    assert_eq!(letters.known_since(50).await.unwrap(), HashSet::from([99]));
    assert_eq!(
        letters
            .list(&DeadLetterFilter::default())
            .await
            .unwrap()
            .len(),
        2
    );
    let filter = DeadLetterFilter {
        reason: Some("not_utf8".to_owned()),
        ..Default::default()
    };
    let letter = letters.list(&filter).await.unwrap().remove(0);
    assert_eq!(
        (letter.reason.as_str(), letter.sequence),
        ("not_utf8", kept)
    );
    assert_eq!(letter.error, "line 1 is not UTF-8");
    assert_eq!(letter.stored_sequence, stored.sequence);
    assert_eq!(
        (letter.stored_at, &letter.stored_subject),
        (event.stored_at, &event.subject)
    );
    assert_eq!(letter.customer_token.as_deref(), Some("C1"));
    assert_eq!(letter.payload, &b"\xff{"[..]);
    assert_eq!(
        letter.headers,
        [("ce-id", "7")].into_iter().collect::<Headers>()
    );

    let again = letters.retry(&letter, "scene.events.a.b.C1").await.unwrap();
    let event = read(&mut reader, 1).await.remove(0);
    assert_eq!((event.sequence, &event.payload), (again, &letter.payload));
    assert_eq!(event.headers.get("ce-id"), Some("7"));
    let error = letters.get(kept).await.unwrap_err();
    assert!(matches!(error, DeadLetterError::NotThere(_)), "{error}");
    assert_eq!(letters.known_since(0).await.unwrap(), HashSet::from([99]));
}

#[tokio::test]
async fn a_server_stops_and_starts_again_with_its_store_and_settings() {
    let mut nats = Nats::start_with(|options| {
        options.sync_interval = SyncInterval::Always;
        options.max_payload_bytes = 4 * 1024 * 1024;
    })
    .await;
    let connection = nats.connect().await;
    assert_eq!(connection.max_payload(), 4 * 1024 * 1024);
    ensure_streams(&connection, &StreamSettings::default())
        .await
        .unwrap();
    publish(&connection, "scene.events.a.b.C1", "{}").await;
    let port = nats.port();
    nats.stop().await.unwrap();
    assert_eq!(nats.pid(), None);
    nats.restart().await.unwrap();
    assert_eq!(nats.port(), port);
    let streams = ensure_streams(&nats.connect().await, &StreamSettings::default())
        .await
        .unwrap();
    assert_eq!(streams.events_last_sequence, 1);
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_says_where_and_hides_the_password() {
    let error = Connection::open("nats://me:secret@127.0.0.1:9", "test")
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("nats://127.0.0.1:9") && !text.contains("secret"),
        "{text}"
    );
}
