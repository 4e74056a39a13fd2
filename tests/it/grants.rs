//! The arithmetic of shared budgets, without a broker: several engines in one thread, whose every read
//! and write may come in any order, be lost, be answered late, or not at all.

use std::collections::BTreeMap;

use jiff::civil::Date;
use onscene::money::Money;
use onscene::state::{
    AccountKey, Answer, Claim, ClaimKind, Draw, Drawn, Epochs, GrantTerms, GrantsEntry, Ledger,
    Limits, Plan, Sight,
};
use onscene::terms::Budget;

use crate::kit::Random;

const PARTITIONS: u16 = 8;
/// Orders of steps that are tried.
const SEEDS: u64 = 400;

fn money(units: i64) -> Money {
    Money::from_ten_thousandths(units)
}

fn key() -> AccountKey {
    ("r".into(), None)
}

fn day(number: i8) -> Date {
    jiff::civil::date(2026, 11, number)
}

/// What is stored, and what really was spent.
#[derive(Default)]
struct World {
    revision: u64,
    entry: GrantsEntry,
    /// Writes that are under way still, although nobody waits for them: expected revision and value.
    adrift: Vec<(u64, GrantsEntry)>,
    epoch: u64,
    /// Who owns each partition: the epoch.
    owners: BTreeMap<u16, u64>,
    /// By partition and day: what its log says.
    log: BTreeMap<(u16, Date), i64>,
}

impl World {
    fn put(&mut self, expected: u64, entry: &GrantsEntry) -> bool {
        let taken = expected == self.revision;
        if taken {
            self.revision += 1;
            self.entry = entry.clone();
        }
        taken
    }

    fn spent(&self) -> i64 {
        self.log.values().sum()
    }

    fn spent_on(&self, on: Date) -> i64 {
        let of_day = self.log.iter().filter(|((_, day), _)| *day == on);
        of_day.map(|(_, cost)| cost).sum()
    }
}

/// An engine in the midst of changing the entry.
struct Attempt {
    revision: u64,
    plan: Plan,
    claims: Vec<Claim>,
}

struct Engine {
    ledger: Ledger,
    epochs: Epochs,
    seen: Option<(u64, GrantsEntry)>,
    in_doubt: bool,
    attempt: Option<Attempt>,
    limits: Limits,
    /// Drawn and not logged yet.
    drawn: Vec<(u16, Draw)>,
}

impl Engine {
    /// One that takes partitions over, knowing what their logs say.
    fn start(world: &mut World, partitions: &[u16], limits: Limits) -> Self {
        let ledger = Ledger::by_grant();
        let mut epochs = Epochs::new();
        for partition in partitions {
            world.epoch += 1;
            world.owners.insert(*partition, world.epoch);
            epochs.insert(*partition, world.epoch);
            let log = world.log.iter().filter(|((of, _), _)| of == partition);
            for ((_, day), cost) in log {
                ledger.add(*partition, &draw(*day, *cost));
            }
        }
        Self {
            ledger,
            epochs,
            seen: None,
            in_doubt: false,
            attempt: None,
            limits,
            drawn: Vec::new(),
        }
    }

    fn budget(&self) -> Budget {
        Budget {
            total: self.limits.total,
            daily: self.limits.daily,
            per: None,
        }
    }

    fn plan(&mut self, world: &World, claims: Vec<Claim>, release: bool) {
        let (sight, seen) = match self.seen.take() {
            Some(seen) => (Sight::Remembered, seen),
            None if self.in_doubt => (Sight::Doubtful, (world.revision, world.entry.clone())),
            None => (Sight::Fresh, (world.revision, world.entry.clone())),
        };
        let terms = GrantTerms {
            limits: self.limits,
            own: &self.epochs,
            partitions: PARTITIONS,
            release,
        };
        let plan = self.ledger.plan(&key(), &seen.1, &claims, terms, sight);
        if plan.write.is_some() {
            self.attempt = Some(Attempt {
                revision: seen.0,
                plan,
                claims,
            });
        } else if sight != Sight::Remembered {
            self.seen = Some(seen);
        }
    }

    /// The broker takes the write or refuses it; the answer comes or is lost.
    fn finish(&mut self, world: &mut World, fate: usize) -> Vec<Answer> {
        let Some(attempt) = self.attempt.take() else {
            return Vec::new();
        };
        let entry = attempt.plan.write.clone().unwrap();
        match fate {
            // Nobody knows whether it was taken: it was.
            0 => {
                world.put(attempt.revision, &entry);
                self.in_doubt = true;
            }
            // It was not, and may be later.
            1 => {
                world.adrift.push((attempt.revision, entry));
                self.in_doubt = true;
            }
            _ if world.put(attempt.revision, &entry) => {
                self.ledger.planned(&key(), &attempt.plan);
                self.seen = Some((world.revision, entry));
                self.in_doubt = false;
                let asked = attempt.claims.len();
                assert_eq!(attempt.plan.answers.len(), asked);
                return attempt.plan.answers;
            }
            _ => self.in_doubt = false,
        }
        Vec::new()
    }

    fn draw(&mut self, partition: u16, draw: Draw) -> Drawn {
        let drawn = self.ledger.draw(partition, &draw, &self.budget());
        if drawn == Drawn::Paid {
            self.drawn.push((partition, draw));
        }
        drawn
    }

    /// What was drawn is logged: by whoever owns the partition. A former owner's write is refused.
    fn log(&mut self, world: &mut World) {
        for (partition, draw) in self.drawn.drain(..) {
            if world.owners.get(&partition) == self.epochs.get(&partition) {
                *world.log.entry((partition, draw.day)).or_default() += draw.cost.ten_thousandths();
            }
        }
    }
}

fn draw(day: Date, cost: i64) -> Draw {
    Draw {
        rule: "r".into(),
        account: None,
        day,
        cost: money(cost),
    }
}

fn partitions_of(engine: usize) -> Vec<u16> {
    let first = u16::try_from(engine).unwrap() * 2;
    vec![first, first + 1]
}

/// Draws until nothing is left for anybody, as the engines' tasks do it, without accidents.
fn spend_the_rest(world: &mut World, engines: &mut [Engine], today: Date) {
    let mut in_vain = 0;
    for _ in 0..400 {
        let before = world.spent();
        for engine in engines.iter_mut() {
            let partitions: Vec<u16> = engine.epochs.keys().copied().collect();
            for partition in partitions {
                while engine.draw(partition, draw(today, 1)) == Drawn::Paid {}
                engine.log(world);
                engine.seen = None;
                let claim = Claim {
                    partition,
                    day: today,
                    cost: money(1),
                    kind: ClaimKind::Draw,
                };
                engine.plan(world, vec![claim], false);
                engine.finish(world, 9);
            }
        }
        in_vain = if world.spent() == before {
            in_vain + 1
        } else {
            0
        };
        // Whoever asks is granted something in the next round, or others give something back then.
        if in_vain > 3 {
            return;
        }
    }
    panic!("it never ends");
}

/// Four engines in any order of steps: nothing is overspent, ever; and when the accidents are over, the
/// budget is spent to the last unit.
#[test]
fn whatever_happens_the_sum_of_what_is_spent_stays_within_the_limits() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let (mut total, daily) = (200 + random.below(300), 80 + random.below(200));
        let limits = |total: usize| Limits {
            total: Some(money(i64::try_from(total).unwrap())),
            daily: Some(money(i64::try_from(daily).unwrap())),
        };
        let mut world = World::default();
        let mut engines: Vec<Engine> = (0..4)
            .map(|n| Engine::start(&mut world, &partitions_of(n), limits(total)))
            .collect();
        let mut zombies: Vec<Engine> = Vec::new();
        let (mut today, mut floor) = (day(1), 0);
        for _ in 0..400 {
            let number = random.below(4);
            let wakes = !zombies.is_empty() && random.below(5) == 0;
            let engine = if wakes {
                let at = random.below(zombies.len());
                &mut zombies[at]
            } else {
                &mut engines[number]
            };
            let partitions: Vec<u16> = engine.epochs.keys().copied().collect();
            let partition = partitions[random.below(2)];
            let cost = i64::try_from(1 + random.below(9)).unwrap();
            match random.below(20) {
                0..7 => {
                    engine.draw(partition, draw(today, cost));
                }
                7 => {
                    if let Some((of, draw)) = engine.drawn.pop() {
                        engine.ledger.give_back(of, &draw);
                    }
                }
                8..12 => engine.finish(&mut world, random.below(8)).truncate(0),
                12..15 if engine.attempt.is_none() => {
                    let claim = Claim {
                        partition,
                        day: today,
                        cost: money(cost),
                        kind: ClaimKind::Draw,
                    };
                    engine.plan(&world, vec![claim], false);
                }
                15 if engine.attempt.is_none() => engine.plan(&world, Vec::new(), true),
                16 => engine.log(&mut world),
                17 => {
                    if let Some((revision, entry)) = world.adrift.pop() {
                        world.put(revision, &entry);
                    }
                }
                18 => match random.below(8) {
                    // It is killed, or stopped and wakes up later: another one takes over.
                    0..2 if !wakes => {
                        let owned = partitions_of(number);
                        let new = Engine::start(&mut world, &owned, limits(total));
                        let old = std::mem::replace(&mut engines[number], new);
                        if random.below(2) == 0 {
                            zombies.push(old);
                        }
                    }
                    2 if today < day(4) => today = today.tomorrow().unwrap(),
                    3 => {
                        // What was spent under higher limits stays spent.
                        total = 150 + random.below(400);
                        for engine in engines.iter_mut().chain(&mut zombies) {
                            engine.limits = limits(total);
                            // As the engine does when it hears of it; an attempt under way was planned before.
                            engine.finish(&mut world, 1);
                        }
                        for engine in engines.iter_mut().chain(&mut zombies) {
                            engine.log(&mut world);
                        }
                        floor = world.spent();
                    }
                    _ => {}
                },
                _ => {}
            }
            let most = i64::try_from(total).unwrap().max(floor);
            assert!(
                world.spent() <= most,
                "seed {seed}: {} of {most}",
                world.spent()
            );
            for number in 1..=4 {
                let spent = world.spent_on(day(number));
                assert!(spent <= i64::try_from(daily).unwrap(), "seed {seed}");
            }
        }
        // Everybody starts once more, so that nothing is under way.
        let mut engines: Vec<Engine> = (0..4)
            .map(|n| Engine::start(&mut world, &partitions_of(n), limits(total)))
            .collect();
        spend_the_rest(&mut world, &mut engines, today);
        let left = i64::try_from(total).unwrap() - world.spent();
        let left_today = i64::try_from(daily).unwrap() - world.spent_on(today);
        assert!(
            left.min(left_today) <= 0,
            "seed {seed}: {left} and {left_today} of today are stranded"
        );
    }
}
