//! What engines obey, as it is written in the bucket: read once at the start, and then whenever it changes.

use super::approvals::{self, Approved};
use super::keys;
use super::pins::{self, Pin};
use super::switches::{self, Changed};
use crate::nats::{Connection, ReadError, RulesEntry, RulesWatch, rules_created};
use crate::policy::Switches;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governed {
    /// What people have switched off.
    pub switches: Arc<Switches>,
    /// The generation that stays live, if there is one.
    pub pin: Option<Arc<Pin>>,
    /// The texts that were approved, by rule.
    pub approved: Arc<BTreeMap<Box<str>, Approved>>,
}

/// Follows what is written.
pub struct Board {
    watch: RulesWatch,
    governed: Governed,
    /// What is written from now on is news.
    is_news: bool,
}

impl Board {
    /// Reads everything that is in force now. Waits for the broker if it is away.
    ///
    /// # Errors
    /// When reading can never succeed.
    pub async fn open(connection: &Connection) -> Result<Self, ReadError> {
        let watch = RulesWatch::open(connection, keys::GOVERN).await?;
        let switches = Switches {
            created: rules_created(connection).await?,
            ..Switches::default()
        };
        let mut board = Self {
            watch,
            governed: Governed {
                switches: Arc::new(switches),
                ..Governed::default()
            },
            is_news: false,
        };
        while board.watch.pending() > 0 {
            board.changed().await?;
        }
        board.is_news = true;
        Ok(board)
    }

    /// What is in force.
    #[must_use]
    pub fn governed(&self) -> &Governed {
        &self.governed
    }

    /// Waits until something was written. Cancel safe.
    ///
    /// # Errors
    /// When reading can never succeed.
    pub async fn changed(&mut self) -> Result<&Governed, ReadError> {
        for entry in self.watch.next().await? {
            self.take(&entry);
        }
        Ok(&self.governed)
    }

    fn take(&mut self, entry: &RulesEntry) {
        let taken = if keys::is_switch(&entry.key) {
            switches::decode(entry).map(|changed| {
                if self.is_news {
                    tell(&changed);
                }
                let now = (self.governed.switches).with(&changed.change, changed.revision);
                self.governed.switches = Arc::new(now);
            })
        } else if entry.key == keys::PIN {
            pins::decode(entry).map(|pin| {
                self.governed.pin = pin.generation.is_some().then(|| Arc::new(pin));
            })
        } else if keys::is_approval(&entry.key) {
            approvals::decode(entry).map(|approval| {
                let all = Arc::make_mut(&mut self.governed.approved);
                match approval.approved {
                    Some(approved) => all.insert(approval.rule, approved),
                    None => all.remove(&approval.rule),
                };
            })
        } else {
            // Of a later version.
            Ok(())
        };
        if let Err(error) = taken {
            tracing::error!(%error, "something in SCENE_RULES cannot be obeyed: what was in force before stays; a newer engine may understand it");
        }
    }
}

fn tell(changed: &Changed) {
    let change = &changed.change;
    tracing::warn!(
        what = %change.target,
        to = change.position.word(),
        by = %change.signed.by,
        reason = %change.signed.reason,
        revision = changed.revision,
        "a switch was changed"
    );
}
