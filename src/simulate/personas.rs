//! The personas: who the simulated customers are, one table entry each.
//!
//! | persona | gets | spends on | what it is here for |
//! |---|---|---|---|
//! | salaried | a salary, monthly | dining, coffee, groceries, leisure | wins at restaurants; main account moving away; cars and furniture |
//! | student | an allowance | noodles, tea, books, now and then a laptop | wallets; small baskets; refunds; school fees |
//! | small merchant | card settlements | supplies, fuel, business dinners | a steady turnover; large payments whose reason nobody can know |
//! | traveller | a high salary | flights, hotels, restaurants | large baskets, instalments; shops abroad |
//! | saver | maturing deposits | little | chases yields: securities, funds, own account elsewhere; pays abroad |
//! | homemaker | the household's money | groceries, family, home, pets | abandoned baskets; renovation; bills and property fees |
//! | retiree | a pension | pharmacy, groceries, restaurants with friends | yields, gently; hospitals; help for the children |
//!
//! Of all of them some follow football and some run; some have fallen asleep, and some savers and retirees are leaving.
//!
//! Weights are relative to each other within one list; rates are in permille.

use super::amount::{Amounts, yuan};

/// What a customer may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Start a checkout.
    Checkout,
    /// Receive the income of the persona.
    Income,
    /// Pay a bill, or send a little to somebody.
    Payment,
    /// Move much to a higher yield elsewhere (scene 2a).
    Yield,
    /// Pay for something big by transfer (scene 2b).
    BigPurchase,
    /// Furnish: a checkout for the home, then a transfer to a craftsman (scene 2b, inferred).
    Renovation,
    /// Let the salary land, then move everything to the own account elsewhere (scene 2c).
    MovingAway,
    /// Send much to somebody for reasons that nobody knows (scene 2, unknown).
    Family,
    /// Open the app.
    Login,
    /// Get a bill that somebody has to pay (scene 6).
    BillDue,
    /// Pay the property fee (scenes 6 and 10).
    PropertyFee,
    /// See a doctor: register, or pay a fee (scene 7).
    Hospital,
    /// Be asked for a fee by a school (scene 8).
    Campus,
    /// Pay a school abroad, a migration agency, or for a home abroad (scene 9).
    StudyAbroad,
    Migration,
    PropertyAbroad,
    /// Pay in another country, or in a shop there that sells over the net (scene 9).
    TripAbroad,
    ShopAbroad,
    /// Register for a marathon (scene 11).
    Race,
}

/// Where income comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Income {
    /// Counterparty's category as rules see it; also the purpose of the movement.
    pub(super) category: &'static str,
    pub(super) amount: Amounts,
    /// How often in thirty days.
    pub(super) times_per_month: u32,
}

/// How customers take what is sent to them; each a permille of the stage before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) opens_permille: u32,
    pub(super) accepts_permille: u32,
    pub(super) declines_permille: u32,
}

/// One kind of customer.
#[derive(Debug)]
pub(super) struct Persona {
    pub(super) name: &'static str,
    /// Share of the population.
    pub(super) weight: u32,
    pub(super) ages: (i64, i64),
    pub(super) occupations: &'static [&'static str],
    pub(super) tiers: &'static [(&'static str, u32)],
    /// From 1 (cautious) to 5 (aggressive), as banks in China grade it.
    pub(super) risk_levels: (i64, i64),
    /// Unsecured credit; `None` where the bank grants none.
    pub(super) credit_limit: Option<Amounts>,
    pub(super) points: Amounts,
    pub(super) opening_balance: Amounts,
    pub(super) income: Income,
    pub(super) rent: Option<Amounts>,
    /// Baskets paid in thirty days of the warm-up history.
    pub(super) checkouts_per_month: u32,
    /// Categories of checkouts.
    pub(super) tastes: &'static [(&'static str, u32)],
    /// Tenders at partner merchants and elsewhere alike.
    pub(super) tenders: &'static [(&'static str, u32)],
    /// Size of baskets relative to the merchant's usual one.
    pub(super) basket_permille: i64,
    pub(super) abandons_permille: u32,
    pub(super) refunds_permille: u32,
    pub(super) activities: &'static [(Activity, u32)],
    pub(super) segments: &'static [&'static str],
    pub(super) habits: Habits,
}

/// The population.
pub(super) static PERSONAS: [Persona; 7] = [
    SALARIED,
    STUDENT,
    SMALL_MERCHANT,
    TRAVELLER,
    SAVER,
    HOMEMAKER,
    RETIREE,
];

/// Gets a salary here, pays rent, eats out, pays half of it with somebody else's card.
const SALARIED: Persona = Persona {
    name: "salaried",
    weight: 34,
    ages: (24, 55),
    occupations: &[
        "engineer",
        "nurse",
        "teacher",
        "accountant",
        "designer",
        "clerk",
    ],
    tiers: &[("standard", 60), ("silver", 25), ("gold", 15)],
    risk_levels: (2, 4),
    credit_limit: Some(yuan(30_000, 500)),
    points: yuan(4_000, 900),
    opening_balance: yuan(24_000, 700),
    income: Income {
        category: "salary",
        amount: yuan(14_500, 400),
        times_per_month: 1,
    },
    rent: Some(yuan(4_200, 350)),
    checkouts_per_month: 9,
    tastes: &[
        ("dining", 38),
        ("coffee", 12),
        ("groceries", 15),
        ("fashion", 8),
        ("leisure", 7),
        ("transport", 6),
        ("electronics", 6),
        ("home", 4),
        ("health", 4),
    ],
    tenders: &[("own_account", 46), ("other_bank", 34), ("wallet", 20)],
    basket_permille: 1000,
    abandons_permille: 160,
    refunds_permille: 25,
    activities: &[
        (Activity::Checkout, 74),
        (Activity::Payment, 8),
        (Activity::Income, 6),
        (Activity::MovingAway, 5),
        (Activity::BigPurchase, 3),
        (Activity::Renovation, 2),
        (Activity::Family, 2),
        (Activity::Login, 5),
        (Activity::BillDue, 3),
        (Activity::PropertyFee, 2),
        (Activity::Hospital, 2),
        (Activity::ShopAbroad, 2),
        (Activity::Race, 6),
    ],
    segments: &["payroll"],
    habits: Habits {
        opens_permille: 620,
        accepts_permille: 420,
        declines_permille: 110,
    },
};

/// Lives on an allowance and on noodles, pays with a wallet, changes their mind.
const STUDENT: Persona = Persona {
    name: "student",
    weight: 14,
    ages: (18, 25),
    occupations: &["student"],
    tiers: &[("standard", 100)],
    risk_levels: (1, 3),
    credit_limit: None,
    points: yuan(400, 900),
    opening_balance: yuan(2_900, 600),
    income: Income {
        category: "family",
        amount: yuan(2_400, 300),
        times_per_month: 1,
    },
    rent: None,
    checkouts_per_month: 8,
    tastes: &[
        ("dining", 40),
        ("coffee", 18),
        ("groceries", 12),
        ("education", 10),
        ("leisure", 8),
        ("fashion", 8),
        ("electronics", 4),
        ("pets", 4),
    ],
    tenders: &[("own_account", 35), ("other_bank", 15), ("wallet", 50)],
    basket_permille: 650,
    abandons_permille: 200,
    refunds_permille: 50,
    activities: &[
        (Activity::Checkout, 82),
        (Activity::Payment, 8),
        (Activity::Income, 10),
        (Activity::Login, 5),
        (Activity::Campus, 6),
        (Activity::ShopAbroad, 2),
        (Activity::Race, 2),
    ],
    segments: &["campus"],
    habits: Habits {
        opens_permille: 740,
        accepts_permille: 460,
        declines_permille: 160,
    },
};

/// Keeps a shop: settlements come in every day, suppliers are paid, and it is not our business whom.
const SMALL_MERCHANT: Persona = Persona {
    name: "small merchant",
    weight: 10,
    ages: (28, 60),
    occupations: &[
        "restaurant owner",
        "shop owner",
        "petrol station owner",
        "hairdresser",
    ],
    tiers: &[("silver", 60), ("gold", 40)],
    risk_levels: (2, 4),
    credit_limit: Some(yuan(60_000, 500)),
    points: yuan(6_000, 900),
    opening_balance: yuan(52_000, 700),
    income: Income {
        category: "settlement",
        amount: yuan(3_800, 500),
        times_per_month: 12,
    },
    rent: Some(yuan(9_500, 400)),
    checkouts_per_month: 5,
    tastes: &[
        ("supplies", 45),
        ("dining", 25),
        ("transport", 20),
        ("groceries", 10),
    ],
    tenders: &[("own_account", 55), ("other_bank", 30), ("wallet", 15)],
    basket_permille: 1300,
    abandons_permille: 90,
    refunds_permille: 20,
    activities: &[
        (Activity::Checkout, 45),
        (Activity::Income, 34),
        (Activity::Payment, 12),
        (Activity::Family, 6),
        (Activity::BigPurchase, 3),
        (Activity::Login, 3),
        (Activity::BillDue, 3),
        (Activity::Hospital, 1),
    ],
    segments: &["merchant-owner"],
    habits: Habits {
        opens_permille: 500,
        accepts_permille: 350,
        declines_permille: 150,
    },
};

/// Flies often, sleeps in hotels, dines well, and owns more cards than one.
const TRAVELLER: Persona = Persona {
    name: "traveller",
    weight: 10,
    ages: (26, 58),
    occupations: &["consultant", "sales manager", "photographer", "tour guide"],
    tiers: &[("silver", 30), ("gold", 50), ("platinum", 20)],
    risk_levels: (2, 5),
    credit_limit: Some(yuan(60_000, 500)),
    points: yuan(18_000, 900),
    opening_balance: yuan(46_000, 700),
    income: Income {
        category: "salary",
        amount: yuan(24_000, 400),
        times_per_month: 1,
    },
    rent: Some(yuan(6_500, 350)),
    checkouts_per_month: 10,
    tastes: &[
        ("travel", 34),
        ("dining", 34),
        ("coffee", 10),
        ("transport", 12),
        ("fashion", 10),
    ],
    tenders: &[("own_account", 42), ("other_bank", 43), ("wallet", 15)],
    basket_permille: 1150,
    abandons_permille: 190,
    refunds_permille: 45,
    activities: &[
        (Activity::Checkout, 82),
        (Activity::Payment, 7),
        (Activity::Income, 5),
        (Activity::MovingAway, 3),
        (Activity::BigPurchase, 3),
        (Activity::Login, 3),
        (Activity::BillDue, 2),
        (Activity::TripAbroad, 10),
        (Activity::ShopAbroad, 3),
        (Activity::Race, 6),
    ],
    segments: &["frequent-traveller"],
    habits: Habits {
        opens_permille: 560,
        accepts_permille: 400,
        declines_permille: 130,
    },
};

/// Has money and watches the tenth of a percent: leaves for securities, funds, or another bank.
const SAVER: Persona = Persona {
    name: "saver",
    weight: 10,
    ages: (35, 68),
    occupations: &["physician", "manager", "lawyer", "landlord"],
    tiers: &[("gold", 60), ("platinum", 40)],
    risk_levels: (3, 5),
    credit_limit: Some(yuan(50_000, 500)),
    points: yuan(22_000, 900),
    opening_balance: yuan(190_000, 600),
    income: Income {
        category: "term_deposit",
        amount: yuan(80_000, 500),
        times_per_month: 1,
    },
    rent: None,
    checkouts_per_month: 4,
    tastes: &[
        ("groceries", 34),
        ("dining", 30),
        ("health", 18),
        ("education", 8),
        ("travel", 10),
    ],
    tenders: &[("own_account", 60), ("other_bank", 30), ("wallet", 10)],
    basket_permille: 1000,
    abandons_permille: 120,
    refunds_permille: 15,
    activities: &[
        (Activity::Checkout, 52),
        (Activity::Yield, 26),
        (Activity::Income, 12),
        (Activity::Payment, 8),
        (Activity::Family, 2),
        (Activity::Login, 3),
        (Activity::BillDue, 2),
        (Activity::PropertyFee, 2),
        (Activity::Hospital, 1),
        (Activity::StudyAbroad, 3),
        (Activity::Migration, 2),
        (Activity::PropertyAbroad, 3),
    ],
    segments: &["yield-seeker"],
    habits: Habits {
        opens_permille: 580,
        accepts_permille: 380,
        declines_permille: 170,
    },
};

/// Runs a household: markets, children, furniture; compares, and leaves baskets behind.
const HOMEMAKER: Persona = Persona {
    name: "homemaker",
    weight: 14,
    ages: (27, 52),
    occupations: &["homemaker", "part-time clerk"],
    tiers: &[("standard", 45), ("silver", 40), ("gold", 15)],
    risk_levels: (1, 3),
    credit_limit: Some(yuan(15_000, 400)),
    points: yuan(7_000, 900),
    opening_balance: yuan(21_000, 600),
    income: Income {
        category: "family",
        amount: yuan(8_000, 350),
        times_per_month: 2,
    },
    rent: None,
    checkouts_per_month: 12,
    tastes: &[
        ("groceries", 40),
        ("family", 20),
        ("dining", 16),
        ("home", 9),
        ("fashion", 10),
        ("health", 5),
        ("pets", 16),
    ],
    tenders: &[("own_account", 48), ("other_bank", 22), ("wallet", 30)],
    basket_permille: 1050,
    abandons_permille: 260,
    refunds_permille: 60,
    activities: &[
        (Activity::Checkout, 82),
        (Activity::Payment, 8),
        (Activity::Income, 6),
        (Activity::Renovation, 3),
        (Activity::Family, 1),
        (Activity::Login, 4),
        (Activity::BillDue, 4),
        (Activity::PropertyFee, 4),
        (Activity::Hospital, 3),
        (Activity::Campus, 3),
        (Activity::ShopAbroad, 2),
    ],
    segments: &["family"],
    habits: Habits {
        opens_permille: 680,
        accepts_permille: 520,
        declines_permille: 90,
    },
};

/// Draws a pension, meets friends for lunch, keeps savings, helps the children to a flat.
const RETIREE: Persona = Persona {
    name: "retiree",
    weight: 8,
    ages: (58, 82),
    occupations: &["retired"],
    tiers: &[("standard", 30), ("silver", 40), ("gold", 30)],
    risk_levels: (1, 2),
    credit_limit: None,
    points: yuan(9_000, 900),
    opening_balance: yuan(86_000, 600),
    income: Income {
        category: "pension",
        amount: yuan(5_600, 250),
        times_per_month: 1,
    },
    rent: None,
    checkouts_per_month: 6,
    tastes: &[
        ("groceries", 40),
        ("health", 26),
        ("dining", 28),
        ("leisure", 6),
        ("pets", 14),
    ],
    tenders: &[("own_account", 62), ("other_bank", 28), ("wallet", 10)],
    basket_permille: 850,
    abandons_permille: 80,
    refunds_permille: 20,
    activities: &[
        (Activity::Checkout, 68),
        (Activity::Income, 10),
        (Activity::Payment, 10),
        (Activity::Yield, 6),
        (Activity::Family, 6),
        (Activity::Login, 2),
        (Activity::BillDue, 3),
        (Activity::PropertyFee, 3),
        (Activity::Hospital, 5),
    ],
    segments: &["pensioner"],
    habits: Habits {
        opens_permille: 380,
        accepts_permille: 360,
        declines_permille: 60,
    },
};
