//! One simulated customer: who they are, and what their account and their basket hold.

use super::amount::{Amounts, YUAN, round_sum};
use super::merchants::{MERCHANTS, Merchant, abroad, of_category};
use super::people::{CITIES, COMMUNITIES, EMPLOYERS, FAMILY_NAMES, GIVEN_NAMES, Name, OTHER_BANKS};
use super::personas::{PERSONAS, Persona};
use super::random::Random;

/// What somebody is about to pay, or has paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Basket {
    /// Counted over the whole simulation.
    pub(super) number: u64,
    /// Index into [`MERCHANTS`].
    pub(super) merchant: usize,
    pub(super) cents: i64,
    pub(super) tender: &'static str,
}

impl Basket {
    pub(super) fn merchant(&self) -> &'static Merchant {
        &MERCHANTS[self.merchant]
    }
}

/// How many of a thousand customers never pay from our account unless asked.
const STRAYS_PERMILLE: u32 = 90;
/// How many of a thousand have fallen asleep; of savers and retirees, how many take their money away.
const ASLEEP_PERMILLE: u32 = 40;
const LEAVING_PERMILLE: u32 = 90;
/// How many of a thousand follow football, and how many run.
const FANS_PERMILLE: u32 = 260;
const RUNNERS_PERMILLE: u32 = 200;

/// Whether somebody still banks with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attachment {
    /// Does what their persona does.
    Lively,
    /// Has not opened the app for two months, and does nothing of themselves.
    Asleep,
    /// Has taken most of the money away within three months, and does nothing of themselves.
    Leaving,
}

/// One customer.
#[derive(Clone, Debug)]
pub(super) struct Customer {
    /// Counted from 0 over the whole simulation; newcomers go on counting.
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) family: Name,
    pub(super) given: Name,
    pub(super) persona: &'static Persona,
    pub(super) age: i64,
    pub(super) city: &'static str,
    pub(super) occupation: &'static str,
    pub(super) tier: &'static str,
    pub(super) risk_level: i64,
    pub(super) credit_limit_cents: Option<i64>,
    pub(super) points: i64,
    pub(super) locale: &'static str,
    /// Whether push, IM, SMS and calls are consented to.
    pub(super) consents: [bool; 4],
    /// Whether the app is installed, so that push and IM arrive.
    pub(super) has_app: bool,
    pub(super) dining_lover: bool,
    /// Has our account, and a habit of paying with anything else.
    pub(super) strays: bool,
    pub(super) payer: Name,
    pub(super) other_bank: Name,
    pub(super) monthly_income_cents: i64,
    /// What the account holds; in cents, never below 0.
    pub(super) balance_cents: i64,
    /// Started, neither paid nor abandoned yet.
    pub(super) open: Option<Basket>,
    /// Given up last.
    pub(super) lost: Option<Basket>,
    /// Paid last.
    pub(super) paid: Option<Basket>,
    /// Left the account last in one large sum, and may come back; in cents.
    pub(super) left_cents: Option<i64>,
    pub(super) attachment: Attachment,
    pub(super) football_fan: bool,
    pub(super) runner: bool,
    /// Where they live, and pay a property fee.
    pub(super) community: &'static str,
    /// Pays bills without doing anything.
    pub(super) autopay: bool,
    /// The latest bill that waits to be paid.
    pub(super) bill: Option<Bill>,
}

/// A bill of a household.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bill {
    pub(super) number: String,
    /// `utility`, `telecom`, `property_fee` or `traffic_fine`.
    pub(super) kind: &'static str,
    pub(super) payee: &'static str,
    pub(super) cents: i64,
}

impl Customer {
    /// Customer `number` of the simulation `seed`: the same person whenever it starts.
    pub(super) fn born(seed: u64, number: u64) -> Self {
        let random = &mut Random::new(seed, number + 1);
        let shares = PERSONAS.each_ref().map(|persona| (persona, persona.weight));
        let persona = random.weighted(&shares);
        let payer = match persona.income.category {
            "salary" => random.pick(&EMPLOYERS),
            "pension" => Name {
                hanzi: "社会保险",
                latin: "Social Insurance",
            },
            "settlement" => Name {
                hanzi: "收单清算",
                latin: "Card Settlement",
            },
            "term_deposit" => Name {
                hanzi: "定期存款",
                latin: "Term Deposit",
            },
            _ => random.pick(&FAMILY_NAMES),
        };
        let has_app = random.chance(880);
        Self {
            number,
            id: format!("C{seed}-{number:05}"),
            family: random.pick(&FAMILY_NAMES),
            given: random.pick(&GIVEN_NAMES),
            persona,
            age: random.between(persona.ages.0, persona.ages.1),
            city: random.weighted(&CITIES),
            occupation: random.pick(persona.occupations),
            tier: random.weighted(persona.tiers),
            risk_level: random.between(persona.risk_levels.0, persona.risk_levels.1),
            credit_limit_cents: persona
                .credit_limit
                .map(|limit| limit.draw(random) / (1_000 * YUAN) * 1_000 * YUAN),
            points: persona.points.draw(random) / YUAN,
            locale: if random.chance(80) { "en" } else { "zh-CN" },
            consents: [
                random.chance(930),
                random.chance(900),
                random.chance(850),
                random.chance(350),
            ],
            has_app,
            dining_lover: persona.tastes[0].0 == "dining" && random.chance(600),
            strays: random.chance(STRAYS_PERMILLE),
            payer,
            other_bank: random.pick(&OTHER_BANKS),
            monthly_income_cents: persona.income.amount.draw(random),
            balance_cents: persona.opening_balance.draw(random),
            open: None,
            lost: None,
            paid: None,
            left_cents: None,
            attachment: Attachment::draw(persona, random),
            football_fan: random.chance(FANS_PERMILLE),
            runner: random.chance(RUNNERS_PERMILLE),
            community: random.pick(&COMMUNITIES),
            autopay: random.chance(250),
            bill: None,
        }
    }

    /// The segments that the bank knows them in.
    pub(super) fn segments(&self) -> Vec<&'static str> {
        let travels_for_work = self.persona.segments.contains(&"frequent-traveller")
            && ["consultant", "sales manager"].contains(&self.occupation);
        let more = [
            (self.dining_lover, "dining-lover"),
            (travels_for_work, "business-traveller"),
            (self.football_fan, "football-fan"),
            (self.runner, "runner"),
        ];
        let more = more.into_iter().filter(|(is_in, _)| *is_in);
        let mut all = self.persona.segments.to_vec();
        all.extend(more.map(|(_, segment)| segment));
        all
    }

    /// What a small merchant sells.
    pub(super) fn trade(&self) -> Option<&'static str> {
        match self.occupation {
            "restaurant owner" => Some("restaurant"),
            "shop owner" => Some("daily_goods"),
            "petrol station owner" => Some("petrol_station"),
            "hairdresser" => Some("services"),
            _ => None,
        }
    }

    /// The name in Chinese characters: 王伟.
    pub(super) fn hanzi(&self) -> String {
        format!("{}{}", self.family.hanzi, self.given.hanzi)
    }

    /// For a human who reads the feed: `Wang Wei (salaried)`.
    pub(super) fn introduction(&self) -> String {
        format!(
            "{} {} ({})",
            self.family.latin, self.given.latin, self.persona.name
        )
    }

    /// The account's number at the bank.
    pub(super) fn account(&self) -> String {
        format!("A-{}", &self.id[1..])
    }

    /// Whether the salary lands here, which makes it the main account.
    pub(super) fn is_salary_account(&self) -> bool {
        self.persona.income.category == "salary"
    }

    /// Draws a basket to the persona's taste; the tender is the one preferred, whatever the balance.
    pub(super) fn fill_basket(&self, number: u64, random: &mut Random) -> Basket {
        let category = random.weighted(self.persona.tastes);
        self.fill_basket_with(category, number, random)
    }

    /// Draws a basket of one category.
    pub(super) fn fill_basket_with(
        &self,
        category: &str,
        number: u64,
        random: &mut Random,
    ) -> Basket {
        let shops = of_category(category).count() as u64;
        let nth = random.below(shops) as usize;
        let chosen = of_category(category)
            .nth(nth)
            .expect("invariant: every taste has a merchant");
        self.fill_basket_at(chosen, number, random)
    }

    /// Draws a basket in another country, or in a shop there that sells over the net.
    pub(super) fn fill_basket_abroad(
        &self,
        online: bool,
        number: u64,
        random: &mut Random,
    ) -> Basket {
        let nth = random.below(abroad(online).count() as u64) as usize;
        let chosen = abroad(online)
            .nth(nth)
            .expect("invariant: there are shops abroad of both kinds");
        self.fill_basket_at(chosen, number, random)
    }

    fn fill_basket_at(
        &self,
        (merchant, shop): (usize, &Merchant),
        number: u64,
        random: &mut Random,
    ) -> Basket {
        let amount = Amounts {
            median_cents: shop.basket.median_cents * self.persona.basket_permille / 1000,
            ..shop.basket
        };
        let tender = match random.weighted(self.persona.tenders) {
            "own_account" if self.strays => "other_bank",
            tender => tender,
        };
        Basket {
            number,
            merchant,
            cents: amount.price(random),
            tender,
        }
    }

    /// What can be paid from the account: a basket above it goes to another bank's card.
    pub(super) fn tender_for(&self, basket: &Basket) -> &'static str {
        if basket.tender == "own_account" && basket.cents > self.balance_cents {
            "other_bank"
        } else {
            basket.tender
        }
    }

    /// One payment of the persona's income, in cents.
    pub(super) fn income_cents(&self, random: &mut Random) -> i64 {
        match self.persona.income.category {
            // Employers and the state pay the same each month; the rest varies.
            "salary" | "pension" => self.monthly_income_cents,
            "settlement" => self.persona.income.amount.draw(random),
            _ => round_sum(self.persona.income.amount.draw(random)),
        }
    }
}

impl Attachment {
    fn draw(persona: &Persona, random: &mut Random) -> Self {
        let may_leave = ["saver", "retiree"].contains(&persona.name);
        if may_leave && random.chance(LEAVING_PERMILLE) {
            Self::Leaving
        } else if random.chance(ASLEEP_PERMILLE) {
            Self::Asleep
        } else {
            Self::Lively
        }
    }
}
