//! Tells several tasks the latest news.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Those who listen, each by a channel of its own, told in the order in which they came. A channel with several
/// receivers wakes them in a random order, so that a simulation could not be repeated.
#[derive(Debug)]
pub(super) struct Listeners<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    latest: T,
    senders: Vec<watch::Sender<T>>,
}

impl<T: Clone> Listeners<T> {
    pub(super) fn new(latest: T) -> Self {
        let senders = Vec::new();
        Self(Mutex::new(Inner { latest, senders }))
    }

    /// From now on one more is told; what is known already counts as seen.
    pub(super) fn listen(&self) -> watch::Receiver<T> {
        let mut inner = self.lock();
        let (sender, receiver) = watch::channel(inner.latest.clone());
        inner.senders.push(sender);
        receiver
    }

    /// Tells everybody. Those who are gone are forgotten.
    pub(super) fn tell(&self, news: T) {
        let mut inner = self.lock();
        inner
            .senders
            .retain(|sender| sender.send(news.clone()).is_ok());
        inner.latest = news;
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
