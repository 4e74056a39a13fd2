//! The clockwork: who acts next, and which follow-ups are due.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::customer::{Basket, Bill, Customer};
use super::personas::Activity;
use super::random::Random;
use super::telling::Notice;
use super::trial::TrueEffect;
use super::wire::Movement;
use crate::clock::Millis;

/// How often another customer is asked when one has nothing to do.
const ATTEMPTS_MAX: u32 = 16;
/// The first goal, and the distance of those after it, in events: everybody sees them, so they are rare.
const GOAL_FIRST: u64 = 900;
const GOAL_EVERY: u64 = 3_000;
/// The generator's stream for the traffic; customers use 1 and up.
const TRAFFIC_STREAM: u64 = 0;

/// What a simulation is made of. The same settings and the same calls make the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct SimulationSettings {
    /// Decides everything that is random. Customers, and their ids, depend on nothing else.
    pub seed: u64,
    /// How many customers there are at a time; at least 1.
    pub customers: u32,
    /// Event time of the first event after the opening, milliseconds since the Unix epoch.
    pub start: Millis,
    /// How many days of history the opening tells; shorter than the engine's journal reaches back.
    pub warmup_days: u32,
    /// In how many of a thousand new stories somebody opens an account and another customer falls
    /// silent. Without newcomers, cooldowns and caps silence endless traffic in the end.
    pub newcomers_permille: u32,
}

impl SimulationSettings {
    /// A thousand customers with a hundred days of history, from `start` on.
    #[must_use]
    pub fn new(seed: u64, start: Millis) -> Self {
        Self {
            seed,
            customers: 1000,
            start,
            warmup_days: 100,
            newcomers_permille: 20,
        }
    }
}

/// Which moment of which scene an event is made to be; what rules make of it is their business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A profile: of everybody in the opening, of newcomers later.
    Profile,
    /// Before the start.
    History,
    /// What people do all day; no scene is in it.
    Everyday,
    /// Scene 1: a checkout of 100 or more is started at a partner restaurant with somebody else's tender.
    RivalTender,
    /// Scene 2a: much of the balance leaves for a higher yield.
    Yield,
    /// Scene 2b: much of the balance pays for something big.
    BigPurchase,
    /// Scene 2c: the salary landed, and everything leaves for the own account elsewhere.
    MovingAway,
    /// Scene 2, reason unknown: much of the balance leaves, nobody can tell why.
    UnknownOutflow,
    /// Scene 3: 100 or more paid from the account at a partner merchant by somebody with a credit limit.
    TillPurchase,
    /// Scene 5: a card settlement on a merchant's account.
    Settlement,
    /// Scene 6: a bill falls due, or is paid.
    Bill,
    /// Scene 7: an appointment at a hospital, or its fee.
    Hospital,
    /// Scene 8: a school asks for a fee.
    Campus,
    /// Scene 9: study, migration, a home, a journey, work or shopping abroad.
    Abroad,
    /// Scenes 6 and 10: a property fee is paid, so it is known where home is.
    PropertyFee,
    /// Scene 11: somebody registers for a marathon.
    Race,
    /// Scene 12: a goal, which has no customer.
    Goal,
    /// Scene 13: a salary arrives.
    FreshMoney,
    /// Scene 15: a checkout is given up.
    Abandoned,
    /// Scene 15: a checkout is started, and the customer wanders off without another word.
    WandersOff,
    /// What became of an action of the engine.
    Outcome,
}

impl Moment {
    /// The name of its scene, as the folder of its rules is called.
    #[must_use]
    pub fn scene(self) -> Option<&'static str> {
        match self {
            Self::RivalTender => Some("win-the-payment"),
            Self::Yield | Self::BigPurchase | Self::MovingAway | Self::UnknownOutflow => {
                Some("large-outflow")
            }
            Self::TillPurchase => Some("credit-at-the-till"),
            Self::Settlement => Some("small-merchant"),
            Self::Bill => Some("bills"),
            Self::Hospital => Some("health"),
            Self::Campus => Some("campus"),
            Self::Abroad => Some("abroad"),
            Self::PropertyFee => Some("neighbourhood"),
            Self::Race => Some("race-day"),
            Self::Goal => Some("hot-event"),
            Self::FreshMoney => Some("fresh-money"),
            Self::Abandoned | Self::WandersOff => Some("abandoned-basket"),
            Self::Profile | Self::History | Self::Everyday | Self::Outcome => None,
        }
    }
}

/// One event to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEvent {
    /// Where to: `scene.events.<domain>.<kind>.<customer's token>`, or `scene.broadcast.<kind>`.
    pub subject: String,
    /// The customer's id; empty for a broadcast.
    pub customer: String,
    /// Event time, milliseconds since the Unix epoch.
    pub time: Millis,
    /// A CloudEvent in structured mode.
    pub payload: Vec<u8>,
    /// One line for a human.
    pub story: String,
    /// Which moment it is made to be.
    pub kind: Moment,
}

/// Something that happens later because of something that happened.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The open basket is paid, or else abandoned.
    Settle { basket: Basket, paid: bool },
    /// A basket is paid from the account after all, thanks to an offer.
    PayAfterAll { basket: Basket, action: String },
    /// The account is debited for a basket paid from it.
    CardPayment { basket: Basket },
    /// The goods come back.
    Refund { basket: Basket },
    /// A large outflow, of whatever is in the account by then.
    Outflow { activity: Activity },
    /// Any other movement.
    Move { movement: Movement },
    /// A bill is paid by hand, if it still is to be paid.
    PayBill { bill: Bill },
    /// A part of what is on the account goes into a product of ours.
    Invest { permille: i64 },
    /// An insurance is paid.
    Premium { cents: i64 },
    /// What somebody else has to tell.
    Tell { notice: Box<Notice> },
    /// What became of an action.
    Outcome {
        event_type: &'static str,
        action: String,
    },
}

/// A step with its due time; `order` keeps steps of one moment in the order of their making.
struct FollowUp {
    due: Millis,
    order: u64,
    customer: u64,
    step: Step,
}

impl FollowUp {
    fn key(&self) -> (Millis, u64) {
        (self.due, self.order)
    }
}

impl PartialEq for FollowUp {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for FollowUp {}

impl PartialOrd for FollowUp {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FollowUp {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// A population and what it is about to do.
pub struct Simulation {
    pub(super) settings: SimulationSettings,
    pub(super) random: Random,
    /// Slot `number % customers` holds the customer.
    pub(super) customers: Vec<Customer>,
    born: u64,
    /// How many customers' opening has been told.
    told: usize,
    events: u64,
    baskets: u64,
    steps: u64,
    /// How often the clockwork was asked for an event.
    turns: u64,
    follow_ups: BinaryHeap<Reverse<FollowUp>>,
    /// Steps that nothing may come before: the debit right after the payment.
    at_once: VecDeque<(u64, Step)>,
    /// What rules truly do, in a trial.
    pub(super) effects: Vec<TrueEffect>,
}

impl Simulation {
    /// A population that has not done anything yet.
    #[must_use]
    pub fn new(settings: SimulationSettings) -> Self {
        let count = u64::from(settings.customers.max(1));
        Self {
            settings,
            random: Random::new(settings.seed, TRAFFIC_STREAM),
            customers: (0..count)
                .map(|number| Customer::born(settings.seed, number))
                .collect(),
            born: count,
            told: 0,
            events: 0,
            baskets: 0,
            steps: 0,
            turns: 0,
            follow_ups: BinaryHeap::new(),
            at_once: VecDeque::new(),
            effects: Vec::new(),
        }
    }

    /// Profiles and history, customer by customer, each customer's in the order of event time and all
    /// of it before the start. To be told once, before [`Self::next`].
    pub fn opening(&mut self) -> impl Iterator<Item = SimulatedEvent> + '_ {
        let mut waiting = VecDeque::new();
        std::iter::from_fn(move || {
            if waiting.is_empty() && self.told < self.customers.len() {
                waiting.extend(self.life_before(self.told));
                self.told += 1;
            }
            waiting.pop_front()
        })
    }

    /// The next event of the endless traffic, at the moment `at` (milliseconds since the Unix epoch,
    /// not earlier than the one before): a follow-up that is due, or else a new story.
    pub fn next(&mut self, at: Millis) -> SimulatedEvent {
        self.turns += 1;
        // Not between a payment and its debit.
        if self.turns % GOAL_EVERY == GOAL_FIRST && self.at_once.is_empty() {
            return self.tell_goal(at);
        }
        while let Some((customer, step)) = self.take_due(at) {
            if let Some(event) = self.follow_up(customer, step, at) {
                return event;
            }
        }
        if self.random.chance(self.settings.newcomers_permille)
            && let Some(event) = self.newcomer(at)
        {
            return event;
        }
        let mut slot = 0;
        for _ in 0..ATTEMPTS_MAX {
            slot = self.random.below(self.customers.len() as u64) as usize;
            let activity = self
                .random
                .weighted(self.customers[slot].persona.activities);
            if let Some(event) = self.begin(slot, activity, at) {
                return event;
            }
        }
        self.receive_income(slot, at)
    }

    fn take_due(&mut self, at: Millis) -> Option<(u64, Step)> {
        if let Some(first) = self.at_once.pop_front() {
            return Some(first);
        }
        let due = self
            .follow_ups
            .peek()
            .is_some_and(|Reverse(next)| next.due <= at);
        due.then(|| self.follow_ups.pop())
            .flatten()
            .map(|Reverse(next)| (next.customer, next.step))
    }

    /// Somebody opens an account; whoever had the slot falls silent. Nobody leaves with an open basket.
    fn newcomer(&mut self, at: Millis) -> Option<SimulatedEvent> {
        let slot = (self.born % self.customers.len() as u64) as usize;
        if self.customers[slot].open.is_some() {
            return None;
        }
        self.customers[slot] = Customer::born(self.settings.seed, self.born);
        self.born += 1;
        Some(self.tell_profile(slot, at))
    }

    /// Puts a step off by something between two delays, in milliseconds.
    pub(super) fn later(&mut self, slot: usize, at: Millis, delay: (i64, i64), step: Step) {
        let due = at + self.random.between(delay.0, delay.1);
        let customer = self.customers[slot].number;
        self.steps += 1;
        self.follow_ups.push(Reverse(FollowUp {
            due,
            order: self.steps,
            customer,
            step,
        }));
    }

    /// Makes a step the very next event.
    pub(super) fn at_once(&mut self, slot: usize, step: Step) {
        self.at_once.push_back((self.customers[slot].number, step));
    }

    /// The slot of a customer who is still here.
    pub(super) fn slot_of(&self, number: u64) -> Option<usize> {
        let slot = (number % self.customers.len() as u64) as usize;
        (self.customers[slot].number == number).then_some(slot)
    }

    /// A number for a new basket.
    pub(super) fn next_basket(&mut self) -> u64 {
        self.baskets += 1;
        self.baskets
    }

    /// An event id, unique per source also across other seeds and starts.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.events += 1;
        let SimulationSettings { seed, start, .. } = self.settings;
        format!("{prefix}-{seed:x}.{start:x}-{}", self.events)
    }

    pub(super) fn event(
        &self,
        slot: usize,
        event_type: &str,
        time: Millis,
        payload: Vec<u8>,
        (kind, story): (Moment, String),
    ) -> SimulatedEvent {
        let customer = self.customers[slot].id.clone();
        // Ids of simulated customers have no byte that NATS reserves: the token is the id.
        let subject = format!("scene.events.{event_type}.{customer}");
        SimulatedEvent {
            subject,
            customer,
            time,
            payload,
            story,
            kind,
        }
    }
}
