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
/// Orders of steps that are tried, if the variable does not say how many.
const SEEDS: u64 = 400;
const SEEDS_VARIABLE: &str = "TEST_GRANTS_SEEDS";

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
                for (claim, answer) in attempt.claims.iter().zip(&attempt.plan.answers) {
                    if let (ClaimKind::AtMost, Answer::Granted(amount)) = (claim.kind, answer) {
                        // It is drawn as soon as it is granted.
                        let draw = draw(claim.day, amount.ten_thousandths());
                        self.drawn.push((claim.partition, draw));
                    }
                }
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

/// Four engines that race, former ones that wake up, and what may happen to them.
struct Race {
    random: Random,
    world: World,
    engines: Vec<Engine>,
    zombies: Vec<Engine>,
    total: i64,
    daily: i64,
    today: Date,
    /// What had been spent when the limit was changed last: it stays spent.
    floor: i64,
}

impl Race {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut world = World::default();
        let total = 60 + i64::try_from(random.below(240)).unwrap();
        let daily = 40 + i64::try_from(random.below(200)).unwrap();
        let mut race = Self {
            engines: Vec::new(),
            zombies: Vec::new(),
            today: day(1),
            floor: 0,
            random,
            total,
            daily,
            world: World::default(),
        };
        let limits = race.limits();
        race.engines = (0..4)
            .map(|n| Engine::start(&mut world, &partitions_of(n), limits))
            .collect();
        race.world = world;
        race
    }

    fn limits(&self) -> Limits {
        Limits {
            total: Some(money(self.total)),
            daily: Some(money(self.daily)),
        }
    }

    /// One step of one engine, or something that happens.
    fn step(&mut self) {
        let number = self.random.below(4);
        let wakes = !self.zombies.is_empty() && self.random.chance(20);
        if self.random.chance(5) {
            self.happen(number);
            return;
        }
        let engine = if wakes {
            let at = self.random.below(self.zombies.len());
            &mut self.zombies[at]
        } else {
            &mut self.engines[number]
        };
        let (random, world, today) = (&mut self.random, &mut self.world, self.today);
        let partitions: Vec<u16> = engine.epochs.keys().copied().collect();
        let partition = random.pick(&partitions);
        let cost = i64::try_from(1 + random.below(9)).unwrap();
        match random.below(18) {
            0..7 => {
                engine.draw(partition, draw(today, cost));
            }
            7 => {
                if let Some((of, draw)) = engine.drawn.pop() {
                    engine.ledger.give_back(of, &draw);
                }
            }
            8..12 => {
                let fate = random.below(8);
                engine.finish(world, fate);
            }
            12..15 if engine.attempt.is_none() => {
                // Now and then a broadcast wants as much as there is.
                let is_large = random.chance(15);
                let claim = Claim {
                    partition,
                    day: today,
                    cost: money(if is_large { 1_000 } else { cost }),
                    kind: if is_large {
                        ClaimKind::AtMost
                    } else {
                        ClaimKind::Draw
                    },
                };
                engine.plan(world, vec![claim], false);
            }
            15 if engine.attempt.is_none() => engine.plan(world, Vec::new(), true),
            16 => engine.log(world),
            17 => {
                if let Some((revision, entry)) = world.adrift.pop() {
                    world.put(revision, &entry);
                }
            }
            _ => {}
        }
    }

    fn happen(&mut self, number: usize) {
        match self.random.below(8) {
            // An engine is killed, or is stopped and wakes up later: another one takes over.
            0..3 => {
                let limits = self.limits();
                let new = Engine::start(&mut self.world, &partitions_of(number), limits);
                let old = std::mem::replace(&mut self.engines[number], new);
                if self.random.chance(50) {
                    self.zombies.push(old);
                }
            }
            3 if self.today < day(4) => self.today = self.today.tomorrow().unwrap(),
            4 => self.change_limit(),
            _ => {}
        }
    }

    /// All run other rules from now on. What was planned before may still be under way.
    fn change_limit(&mut self) {
        self.total = 50 + i64::try_from(self.random.below(300)).unwrap();
        let limits = self.limits();
        for engine in self.engines.iter_mut().chain(&mut self.zombies) {
            engine.limits = limits;
            engine.finish(&mut self.world, 1);
            engine.log(&mut self.world);
        }
        self.floor = self.world.spent();
    }

    fn check(&self) {
        for engine in &self.engines {
            // What an engine may draw is never more than what the entry says that it may.
            let entries = self.world.entry.partitions.iter();
            let own = entries.filter(|(of, record)| engine.epochs.get(of) == Some(&record.epoch));
            let written = own.fold(0, |sum, (_, record)| {
                sum + record.total.granted.ten_thousandths()
            });
            let held = engine.ledger.granted("r").ten_thousandths();
            assert!(held <= written, "{held} held of {written} written");
        }
        let (spent, most) = (self.world.spent(), self.total.max(self.floor));
        assert!(spent <= most, "{spent} of {most}");
        for number in 1..=4 {
            let spent = self.world.spent_on(day(number));
            assert!(spent <= self.daily, "{spent} of {} a day", self.daily);
        }
    }

    /// Those who are there spend what is left: what was granted twice shows.
    fn spend_on(&mut self) {
        for engine in &mut self.engines {
            engine.finish(&mut self.world, 1);
        }
        spend_the_rest(&mut self.world, &mut self.engines, self.today);
        self.check();
    }

    /// Everybody starts once more, so that nothing is under way, and spends what is left.
    fn end(&mut self) {
        let limits = self.limits();
        self.engines = (0..4)
            .map(|n| Engine::start(&mut self.world, &partitions_of(n), limits))
            .collect();
        spend_the_rest(&mut self.world, &mut self.engines, self.today);
        self.check();
        let left = self.total - self.world.spent();
        let left_today = self.daily - self.world.spent_on(self.today);
        let stranded = left.min(left_today);
        assert!(
            stranded <= 0,
            "{left}, and {left_today} of today, are stranded"
        );
    }
}

/// Four engines in any order of steps: nothing is overspent, ever; and when the accidents are over, the
/// budget is spent to the last unit.
#[test]
fn whatever_happens_the_sum_of_what_is_spent_stays_within_the_limits() {
    let seeds = std::env::var(SEEDS_VARIABLE).map_or(SEEDS, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        println!("seed {seed}");
        let mut race = Race::new(seed);
        for _ in 0..100 + race.random.below(300) {
            race.step();
            race.check();
        }
        race.spend_on();
        race.end();
    }
}
