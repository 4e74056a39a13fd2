//! Random conditions: what the native code knows, what it does not, and what Rhai itself refuses.

/// A small, seeded generator (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(super) fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.below(from.len())]
    }
}

pub(super) const LIBRARY: &str = r#"
fn is_large(event) { event.stage == "started" && event.amount >= 100 }
fn double(x) { x * 2 }
fn kind(event, customer) {
    let what = event.merchant.category;
    if what in ["dining", "coffee"] { return "food"; }
    if what == () { return "nothing"; }
    if customer.spend("dining", "30d") > 500 { "taste" } else { "other" }
}
fn spends(customer, category) { customer.spend(category, "30d") > 100 && twice(customer.count("merchant.checkout", "7d")) > 3 }
fn twice(n) { n + n }
fn endless(n) { endless(n + 1) }
fn shout(text) { text.to_upper() }
"#;

pub(super) const SCHEMA: &str = r#"
[attributes]
tier = "text"
age = "number"
limit = "number"
vip = "boolean"
[events."app.login"]
device = { type = "text", keep = true }
seconds = "number"
"#;

const NUMBERS: [&str; 36] = [
    r#"customer.count("merchant.checkout", "30d", #{ category: event.merchant.category, stage: "paid" })"#,
    r#"customer.since("app.login", #{ device: event.tender })"#,
    "0",
    "1",
    "2",
    "100",
    "-3",
    "9223372036854775807",
    "0.5",
    "12.50",
    "128.50",
    "200",
    "1000000000000000000000.1",
    "event.amount",
    "event.amount",
    "event.amount",
    "event.balance",
    "event.time",
    "customer.age",
    "customer.limit",
    "customer.balance",
    r#"customer.spend("30d")"#,
    r#"customer.spend("dining", "7d")"#,
    r#"customer.average("dining", "30d")"#,
    r#"customer.largest("90d")"#,
    r#"customer.inflow("salary", "35d")"#,
    r#"customer.outflow("30d")"#,
    r#"customer.balance_change("30d")"#,
    r#"customer.count("merchant.checkout", "30d")"#,
    r#"customer.count("merchant.checkout", "90d", #{ stage: "paid", category: "dining" })"#,
    r#"customer.count("app.login", "60d", #{ device: "ios" })"#,
    r#"customer.distinct("merchant", "90d")"#,
    r#"customer.share("dining", "90d")"#,
    r#"customer.since("merchant.checkout")"#,
    r#"customer.since("app.login", #{ device: "web" })"#,
    r#"customer.offers("base", "90d")"#,
];
const TEXTS: [&str; 15] = [
    r#""started""#,
    r#""dining""#,
    r#""other_bank""#,
    r#""gold""#,
    r#""""#,
    "event.stage",
    "event.tender",
    "event.merchant.category",
    "event.merchant.mcc",
    "event.type",
    "event.id",
    "customer.tier",
    "customer.locale",
    r#"customer.preference("90d")"#,
    "customer.time_zone",
];
const TRUTHS: [&str; 14] = [
    "true",
    "false",
    "event.merchant.partner",
    "event.merchant.partner",
    "customer.vip",
    r#"customer.in_segment("runner")"#,
    r#"customer.in_segment("nobody")"#,
    r#"customer.consents("push")"#,
    r#"customer.accepted("CODE")"#,
    "lib::is_large(event)",
    r#"lib::spends(customer, "dining")"#,
    r#"event.merchant.category in ["dining", "coffee", "pets"]"#,
    "event.amount in [100, 128.5, 300]",
    r#"event.tender in ["wallet", 3, "other_bank"]"#,
];
/// What the native code leaves to Rhai, and what no Rhai can answer.
const STRANGE: [&str; 18] = [
    "event.stage.len() > 4",
    r#"event["stage"] == "started""#,
    r#"event?.stage == "paid""#,
    "type_of(event.amount) == \"i64\"",
    "`a${event.stage}` == \"astarted\"",
    r#"switch event.stage { "started" => true, _ => false }"#,
    r#"customer.last("merchant.checkout") != ()"#,
    r#"lib::shout(event.stage) == "PAID""#,
    "lib::endless(1) > 0",
    "event.nothing",
    "event.merchant.city.street",
    "customer.spend(event.stage) > 0",
    r#"customer.spend("3 days") > 0"#,
    "event.merchant == ()",
    "event.items == ()",
    r#"event.merchant != "x""#,
    "[1, 2].contains(event.amount)",
    "throw \"no\"",
];

/// Writes conditions.
pub(super) struct Writer<'r> {
    pub(super) random: &'r mut Random,
    names: Vec<String>,
}

impl<'r> Writer<'r> {
    pub(super) fn new(random: &'r mut Random) -> Self {
        Self {
            random,
            names: Vec::new(),
        }
    }

    fn two(&mut self, depth: usize, of: fn(&mut Self, usize) -> String) -> (String, String) {
        (of(self, depth), of(self, depth))
    }

    fn number(&mut self, depth: usize) -> String {
        if self.random.one_in(40) {
            return self.text(0);
        }
        if depth == 0 || self.random.one_in(2) {
            if !self.names.is_empty() && self.random.one_in(4) {
                let at = self.random.below(self.names.len());
                return self.names[at].clone();
            }
            return self.random.pick(&NUMBERS).to_owned();
        }
        let (a, b) = self.two(depth - 1, Self::number);
        match self.random.below(10) {
            0..=4 => format!("({a} {} {b})", self.random.pick(&["+", "-", "*", "/", "%"])),
            5 => format!("-({a})"),
            6 => format!("{}({a}, {b})", self.random.pick(&["min", "max", "round"])),
            7 => format!("lib::double({a})"),
            8 => format!("({a} ?? {b})"),
            _ => format!("if {} {{ {a} }} else {{ {b} }}", self.truth(depth - 1)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.random.below(16) {
            0 => self.random.pick(&NUMBERS).to_owned(),
            1 => "lib::kind(event, customer)".to_owned(),
            2 if depth > 0 => format!("({} ?? {})", self.text(depth - 1), self.text(depth - 1)),
            _ => self.random.pick(&TEXTS).to_owned(),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        match self.random.below(60) {
            0 => return self.random.pick(&STRANGE).to_owned(),
            1 => return self.number(0),
            _ => {}
        }
        if depth == 0 {
            return self.random.pick(&TRUTHS).to_owned();
        }
        let compare = ["==", "!=", "<", "<=", ">", ">="];
        match self.random.below(12) {
            0..=3 => {
                let (a, b) = self.two(depth - 1, Self::number);
                format!("{a} {} {b}", self.random.pick(&compare))
            }
            4 | 5 => {
                let (a, b) = self.two(depth - 1, Self::text);
                format!("{a} {} {b}", self.random.pick(&compare))
            }
            6 => format!("{} {} ()", self.text(0), self.random.pick(&compare)),
            7 => format!("!({})", self.truth(depth - 1)),
            8 => {
                let (a, b) = self.two(depth - 1, Self::truth);
                format!("({a} {} {b})", self.random.pick(&["&&", "||"]))
            }
            9 => format!(
                "{} {}in {}",
                self.number(0),
                self.random.pick(&["", "!"]),
                self.random.pick(&["1..10", "0..=128", "[0, 1, 128.5]"])
            ),
            10 => format!(
                "{} {} {}",
                self.truth(0),
                self.random.pick(&["==", "!="]),
                self.random.pick(&["true", "false"])
            ),
            _ => self.random.pick(&TRUTHS).to_owned(),
        }
    }

    fn conjunction(&mut self) -> String {
        let parts = 1 + self.random.below(5);
        let parts: Vec<String> = (0..parts)
            .map(|_| {
                let depth = self.random.below(3);
                let part = self.truth(depth);
                if part.contains("||") || part.starts_with("if") || part.starts_with("switch") {
                    format!("({part})")
                } else {
                    part
                }
            })
            .collect();
        parts.join(" && ")
    }

    /// The body of `when`.
    pub(super) fn body(&mut self) -> String {
        let mut body = String::new();
        for at in 0..self.random.below(8).saturating_sub(5) {
            let word = self.random.pick(&["let", "const"]);
            let value = self.number(2);
            // A name that is given again hides the one before.
            let name = format!("x{}", if self.random.one_in(3) { 0 } else { at });
            body += &format!("{word} {name} = {value}; ");
            self.names.push(name);
        }
        match self.random.below(12) {
            0 => body += &format!("if {} {{ return {}; }} ", self.truth(1), self.truth(1)),
            1 => {
                body += &format!(
                    "if {} {{ return {}; }} else {{ let y = 1; }} ",
                    self.truth(1),
                    self.truth(1)
                )
            }
            2 => body += "let y = 1; y += 1; ",
            _ => {}
        }
        let last = match self.random.below(12) {
            0 => format!("return {};", self.conjunction()),
            1 => format!(
                "if {} {{ {} }} else {{ {} }}",
                self.truth(1),
                self.conjunction(),
                self.conjunction()
            ),
            2 => format!("{} || {}", self.truth(1), self.conjunction()),
            _ => self.conjunction(),
        };
        body.push_str(&last);
        body
    }
}
