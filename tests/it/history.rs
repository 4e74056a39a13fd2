//! A stream's history on a real server: all of it, once, in order, and only what was there at the start.

use std::time::Duration;

use onscene::nats::{Connection, Edge, EventPublisher, History, Period, StoredMessage, Whose};
use onscene::partitioning::{CustomerId, bucket_of, partition_of};

use crate::kit::Nats;

const PARTITIONS: u16 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

async fn publish(connection: &Connection, subjects: impl Iterator<Item = String>) -> u64 {
    let publisher = EventPublisher::new(connection, 256);
    let mut sent = Vec::new();
    for subject in subjects {
        sent.push(publisher.publish(&subject, &[], "{}".into()).await.unwrap());
    }
    let mut last = 0;
    for sent in sent {
        last = sent.stored().await.unwrap().sequence;
    }
    last
}

/// Checkouts of so many customers in turn, each tenth a broadcast.
fn mixed(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| match number % 10 {
        9 => "scene.broadcast.goal".to_owned(),
        _ => format!("scene.events.merchant.checkout.C{}", number % 97),
    })
}

async fn rest(history: &mut History) -> Vec<StoredMessage> {
    let mut all = Vec::new();
    let reading = async {
        while let Some(batch) = history.next_batch(700).await.unwrap() {
            assert!(batch.len() <= 700);
            all.extend(batch);
            let progress = history.progress();
            assert_eq!(progress.next, all.last().unwrap().sequence + 1);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    assert!(all.is_sorted_by(|a, b| a.sequence < b.sequence));
    all
}

async fn read(connection: &Connection, whose: &Whose, period: Period) -> Vec<StoredMessage> {
    let mut history = History::events(connection, whose, period).await.unwrap();
    rest(&mut history).await
}

fn sequences(messages: &[StoredMessage]) -> Vec<u64> {
    messages.iter().map(|message| message.sequence).collect()
}

fn between(from: Edge, to: Edge) -> Period {
    Period {
        from: Some(from),
        to: Some(to),
    }
}

/// How many consumers a stream has.
async fn consumers(nats: &Nats, stream: &str) -> usize {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream(stream).await;
    stream.unwrap().cached_info().state.consumer_count
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_there_at_the_start_is_read_once_in_order_and_no_consumer_is_left() {
    let nats = Nats::with_streams(PARTITIONS).await;
    let connection = nats.connect().await;
    assert!(
        read(&connection, &Whose::All, Period::default())
            .await
            .is_empty()
    );
    assert_eq!(publish(&connection, mixed(5_000)).await, 5_000);
    let mut all = History::events(&connection, &Whose::All, Period::default())
        .await
        .unwrap();
    assert_eq!(publish(&connection, mixed(1_000)).await, 6_000);
    assert_eq!(
        sequences(&rest(&mut all).await),
        (1..=5_000).collect::<Vec<_>>()
    );
    assert_eq!(all.progress().next, 5_001);
    assert!(all.next_batch(1).await.unwrap().is_none(), "it stays ended");
    let mut left = History::events(&connection, &Whose::Partition(1), Period::default())
        .await
        .unwrap();
    left.next_batch(10).await.unwrap().unwrap();
    assert_eq!(consumers(&nats, "SCENE_EVENTS").await, 2);
    left.close().await;
    assert_eq!(consumers(&nats, "SCENE_EVENTS").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_and_a_customer_have_their_own_events_and_all_broadcasts() {
    let nats = Nats::with_streams(PARTITIONS).await;
    let connection = nats.connect().await;
    publish(&connection, mixed(3_000)).await;
    let all = read(&connection, &Whose::All, Period::default()).await;
    let expected = |prefix: &str| -> Vec<u64> {
        let own = |m: &&StoredMessage| {
            m.subject.starts_with(prefix) || m.subject.starts_with("scene.broadcast.")
        };
        all.iter().filter(own).map(|m| m.sequence).collect()
    };
    let mut customers = 0;
    for partition in 0..PARTITIONS {
        let own = read(&connection, &Whose::Partition(partition), Period::default()).await;
        assert_eq!(sequences(&own), expected(&format!("scene.in.{partition}.")));
        customers += own.len() - 300;
    }
    assert_eq!(customers, 2_700, "each customer is in one partition");
    let whose = Whose::Customer {
        id: CustomerId::new("C8").unwrap(),
        partitions: PARTITIONS,
    };
    let own = read(&connection, &whose, Period::default()).await;
    let (partition, bucket) = (partition_of("C8", PARTITIONS), bucket_of("C8"));
    assert_eq!(
        sequences(&own),
        expected(&format!("scene.in.{partition}.{bucket}."))
    );
    assert!(own.len() > 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_begins_and_ends_by_sequence_or_by_store_time() {
    let nats = Nats::with_streams(PARTITIONS).await;
    let connection = nats.connect().await;
    for _ in 0..5 {
        publish(&connection, mixed(200)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let all = read(&connection, &Whose::All, Period::default()).await;
    let part = between(Edge::Sequence(17), Edge::Sequence(430));
    let read_part = read(&connection, &Whose::All, part).await;
    assert_eq!(sequences(&read_part), (17..=430).collect::<Vec<_>>());
    for (from, to) in [(200, 600), (1, 999), (333, 777)] {
        let (from, to) = (all[from].stored_at, all[to].stored_at);
        let expected: Vec<u64> = all
            .iter()
            .filter(|m| (from..to).contains(&m.stored_at))
            .map(|m| m.sequence)
            .collect();
        let part = between(Edge::Time(from), Edge::Time(to));
        assert_eq!(
            sequences(&read(&connection, &Whose::All, part).await),
            expected
        );
    }
    let later = between(Edge::Time(i64::MAX), Edge::Sequence(u64::MAX));
    assert!(read(&connection, &Whose::All, later).await.is_empty());
    let earlier = between(Edge::Time(0), Edge::Time(1));
    assert!(read(&connection, &Whose::All, earlier).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_goes_on_where_it_stood_when_the_server_is_killed() {
    let mut nats = Nats::with_streams(PARTITIONS).await;
    let connection = nats.connect().await;
    publish(&connection, mixed(4_000)).await;
    // What was acknowledged may not be on the disk yet.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let whose = Whose::Partition(2);
    let expected = read(&connection, &whose, Period::default()).await;
    let mut history = History::events(&connection, &whose, Period::default())
        .await
        .unwrap();
    let mut all = history.next_batch(50).await.unwrap().unwrap();
    nats.kill().await.unwrap();
    nats.restart().await.unwrap();
    all.extend(rest(&mut history).await);
    assert_eq!(sequences(&all), sequences(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_grown_too_old_meanwhile_is_not_waited_for() {
    let nats = Nats::with_streams(PARTITIONS).await;
    let connection = nats.connect().await;
    publish(&connection, mixed(5_000)).await;
    let mut history = History::events(&connection, &Whose::All, Period::default())
        .await
        .unwrap();
    let first = history.next_batch(10).await.unwrap().unwrap();
    assert!((1..=10).contains(&first.len()));
    let client = async_nats::connect(nats.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client)
        .get_stream("SCENE_EVENTS")
        .await;
    stream.unwrap().purge().await.unwrap();
    let rest = rest(&mut history).await;
    assert!(
        rest.len() < 5_000,
        "what was on its way at most: {}",
        rest.len()
    );
    assert_eq!(history.progress().next, 5_001);
}
