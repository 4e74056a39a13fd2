//! The shops where simulated customers pay.

use super::amount::{Amounts, yuan};
use super::people::Name;

/// A chain with a branch in every city.
#[derive(Debug)]
pub(super) struct Merchant {
    pub(super) name: Name,
    /// What rules see as `merchant.category`.
    pub(super) category: &'static str,
    /// The card schemes' merchant category code (ISO 18245).
    pub(super) mcc: &'static str,
    /// Whether it has a contract with the bank.
    pub(super) partner: bool,
    /// What one basket costs there.
    pub(super) basket: Amounts,
    /// Where it is (ISO 3166), and the code of its city; `None` for a branch in the customer's city.
    pub(super) abroad: Option<(&'static str, &'static str)>,
    /// Whether it sells over the net.
    pub(super) online: bool,
}

/// A shop in another country, or one there that sells over the net.
const fn foreign(place: (&'static str, &'static str), online: bool, shop: Merchant) -> Merchant {
    Merchant {
        abroad: Some(place),
        online,
        ..shop
    }
}

const fn shop(
    (hanzi, latin): (&'static str, &'static str),
    category: &'static str,
    mcc: &'static str,
    partner: bool,
    basket: Amounts,
) -> Merchant {
    Merchant {
        name: Name { hanzi, latin },
        category,
        mcc,
        partner,
        basket,
        abroad: None,
        online: false,
    }
}

/// All of them; a category has at least one.
pub(super) static MERCHANTS: [Merchant; 37] = [
    shop(
        ("老码头火锅", "Laomatou Hotpot"),
        "dining",
        "5812",
        true,
        yuan(268, 450),
    ),
    shop(
        ("外婆桥小馆", "Waipoqiao Kitchen"),
        "dining",
        "5812",
        true,
        yuan(196, 450),
    ),
    shop(
        ("蜀香楼", "Shuxiang House"),
        "dining",
        "5812",
        true,
        yuan(235, 450),
    ),
    shop(
        ("三湾海鲜", "Sanwan Seafood"),
        "dining",
        "5812",
        true,
        yuan(420, 500),
    ),
    shop(
        ("面对面", "Noodle to Noodle"),
        "dining",
        "5814",
        false,
        yuan(42, 400),
    ),
    shop(
        ("早安豆浆", "Good Morning Soymilk"),
        "dining",
        "5814",
        false,
        yuan(23, 400),
    ),
    shop(
        ("白鹭咖啡", "Egret Coffee"),
        "coffee",
        "5814",
        true,
        yuan(36, 350),
    ),
    shop(
        ("喜叶茶", "Happy Leaf Tea"),
        "coffee",
        "5814",
        false,
        yuan(24, 350),
    ),
    shop(
        ("大润仓", "Darun Market"),
        "groceries",
        "5411",
        true,
        yuan(176, 600),
    ),
    shop(
        ("鲜到家", "Fresh at Home"),
        "groceries",
        "5411",
        true,
        yuan(92, 600),
    ),
    shop(
        ("转角便利", "Corner Store"),
        "groceries",
        "5499",
        false,
        yuan(27, 500),
    ),
    shop(
        ("云裳百货", "Yunshang Department Store"),
        "fashion",
        "5311",
        true,
        yuan(468, 700),
    ),
    shop(
        ("素衣", "Plain Clothes"),
        "fashion",
        "5651",
        false,
        yuan(239, 600),
    ),
    shop(
        ("童年树", "Childhood Tree"),
        "family",
        "5641",
        true,
        yuan(218, 600),
    ),
    shop(
        ("星球乐园", "Planet Playground"),
        "family",
        "7996",
        true,
        yuan(328, 500),
    ),
    shop(
        ("极客数码", "Geek Digital"),
        "electronics",
        "5732",
        true,
        yuan(2_680, 700),
    ),
    shop(
        ("智电城", "Smart Power City"),
        "electronics",
        "5732",
        true,
        yuan(1_580, 800),
    ),
    shop(
        ("居然有家", "Home After All"),
        "home",
        "5712",
        true,
        yuan(1_960, 800),
    ),
    shop(
        ("木与光", "Wood and Light"),
        "home",
        "5719",
        true,
        yuan(880, 700),
    ),
    shop(
        ("南天航空", "Southern Sky Airlines"),
        "travel",
        "4511",
        true,
        yuan(1_120, 600),
    ),
    shop(
        ("栖木酒店", "Perch Hotels"),
        "travel",
        "7011",
        true,
        yuan(560, 600),
    ),
    shop(
        ("行者旅行", "Walker Travel"),
        "travel",
        "4722",
        false,
        yuan(1_850, 700),
    ),
    shop(
        ("迅行出行", "Swift Rides"),
        "transport",
        "4121",
        false,
        yuan(31, 500),
    ),
    shop(
        ("中源加油", "Zhongyuan Fuel"),
        "transport",
        "5541",
        true,
        yuan(310, 300),
    ),
    shop(
        ("百康药房", "Baikang Pharmacy"),
        "health",
        "5912",
        true,
        yuan(118, 600),
    ),
    shop(
        ("仁和诊所", "Renhe Clinic"),
        "health",
        "8011",
        false,
        yuan(285, 600),
    ),
    shop(
        ("书山书店", "Book Mountain"),
        "education",
        "5942",
        true,
        yuan(96, 500),
    ),
    shop(
        ("跃动健身", "Bounce Fitness"),
        "leisure",
        "7997",
        true,
        yuan(380, 600),
    ),
    shop(
        ("光影院线", "Light and Shadow Cinema"),
        "leisure",
        "7832",
        true,
        yuan(88, 350),
    ),
    shop(
        ("万货批发", "Ten Thousand Goods Wholesale"),
        "supplies",
        "5300",
        true,
        yuan(1_350, 700),
    ),
    shop(
        ("毛球宠物", "Furball Pets"),
        "pets",
        "5995",
        true,
        yuan(138, 600),
    ),
    shop(
        ("青松动物医院", "Green Pine Animal Hospital"),
        "pets",
        "0742",
        false,
        yuan(260, 600),
    ),
    foreign(
        ("JP", "NRT"),
        false,
        shop(
            ("浅草寿司", "Asakusa Sushi"),
            "dining",
            "5812",
            false,
            yuan(310, 500),
        ),
    ),
    foreign(
        ("SG", "SIN"),
        false,
        shop(
            ("滨海酒店", "Bayfront Hotel"),
            "travel",
            "7011",
            false,
            yuan(1_450, 500),
        ),
    ),
    foreign(
        ("FR", "PAR"),
        false,
        shop(
            ("左岸百货", "Rive Gauche"),
            "fashion",
            "5311",
            false,
            yuan(1_900, 700),
        ),
    ),
    foreign(
        ("US", "NYC"),
        true,
        shop(
            ("环球优选", "Global Picks"),
            "fashion",
            "5311",
            false,
            yuan(760, 600),
        ),
    ),
    foreign(
        ("JP", "TYO"),
        true,
        shop(
            ("东京药妆", "Tokyo Drugstore"),
            "health",
            "5912",
            false,
            yuan(430, 600),
        ),
    ),
];

/// The shops in other countries.
pub(super) fn abroad(online: bool) -> impl Iterator<Item = (usize, &'static Merchant)> {
    MERCHANTS
        .iter()
        .enumerate()
        .filter(move |(_, merchant)| merchant.abroad.is_some() && merchant.online == online)
}

/// The shops of a category, at home.
pub(super) fn of_category(category: &str) -> impl Iterator<Item = (usize, &'static Merchant)> {
    MERCHANTS
        .iter()
        .enumerate()
        .filter(move |(_, merchant)| merchant.category == category && merchant.abroad.is_none())
}
