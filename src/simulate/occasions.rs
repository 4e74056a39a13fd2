//! What else happens in a life: bills, hospitals, schools, races, and payments abroad.

use serde_json::json;

use super::amount::{Amounts, YUAN, decimal, round_sum, yuan};
use super::customer::Bill;
use super::people::{HOSPITALS, RACES, SCHOOLS};
use super::personas::Activity;
use super::simulation::{Moment, SimulatedEvent, Simulation, Step};
use super::telling::Notice;
use super::wire::{Counterparty, Movement, rfc3339};
use crate::clock::{DAY, HOUR, Millis};

/// Bills fall due, visits and races take place a day and this many milliseconds after they were told
/// of (condensed from weeks), so that the day before is seconds away.
const DAY_BEFORE_MS: (i64, i64) = (3_000, 12_000);
/// Who pays a bill at once, does so after this many milliseconds; who waits for the reminder, later.
const PAYING_BILL_MS: (i64, i64) = (1_500, 4_000);
const PAYING_LATE_MS: (i64, i64) = (14_000, 20_000);
/// How many of a thousand bills are paid at once.
const PROMPT_PERMILLE: u32 = 450;
/// How long the course of a race is open.
const RACE_MS: i64 = 6 * HOUR;
/// When the finish is crossed after the start.
const FINISH_MS: (i64, i64) = (3 * HOUR, 5 * HOUR);
/// How many of a thousand visits, and of races, do not take place.
const CANCELLED_PERMILLE: u32 = 120;

/// Bills: kind, payee, amounts.
static KINDS: [((&str, &str, Amounts), u32); 3] = [
    (("utility", "城市供电", yuan(168, 400)), 45),
    (("telecom", "华讯通信", yuan(79, 300)), 40),
    (("traffic_fine", "交通管理局", yuan(200, 200)), 15),
];

/// The largest part of the balance that goes abroad at once, in permille, and the usual amounts: study,
/// migration, a home.
const ABROAD_SHARE_PERMILLE: i64 = 600;

impl Simulation {
    /// Begins one of these stories; `None` when this is not the time for it.
    pub(super) fn occasion(
        &mut self,
        slot: usize,
        activity: Activity,
        at: Millis,
    ) -> Option<SimulatedEvent> {
        match activity {
            Activity::Login => Some(self.tell_notice(slot, &login(), at)),
            Activity::BillDue => Some(self.bill_arrives(slot, at)),
            Activity::PropertyFee => {
                let bill = self.new_bill(("property_fee", "安居物业", yuan(260, 400)));
                self.pay_bill_of(slot, &bill, at)
            }
            Activity::Hospital => Some(self.see_a_doctor(slot, at)),
            Activity::Campus => Some(self.school_fee(slot, at)),
            Activity::Race => self.register_for_race(slot, at),
            Activity::StudyAbroad => self.pay_abroad(slot, "study_abroad", yuan(38_000, 500), at),
            Activity::Migration => self.pay_abroad(slot, "migration", yuan(22_000, 400), at),
            Activity::PropertyAbroad => {
                self.pay_abroad(slot, "property_abroad", yuan(120_000, 500), at)
            }
            _ => None,
        }
    }

    pub(super) fn new_bill(&mut self, of: (&'static str, &'static str, Amounts)) -> Bill {
        let (kind, payee, amounts) = of;
        Bill {
            number: self.next_id("bill"),
            kind,
            payee,
            cents: amounts.draw(&mut self.random),
        }
    }

    /// One of the bills that come again and again.
    pub(super) fn usual_bill(&mut self) -> Bill {
        let of = self.random.weighted(&KINDS[..2]);
        self.new_bill(of)
    }

    fn bill_arrives(&mut self, slot: usize, at: Millis) -> SimulatedEvent {
        let of = self.random.weighted(&KINDS);
        let bill = self.new_bill(of);
        let due = at + DAY + self.random.between(DAY_BEFORE_MS.0, DAY_BEFORE_MS.1);
        let autopay = self.customers[slot].autopay;
        let prompt = autopay || self.random.chance(PROMPT_PERMILLE);
        let delay = if prompt {
            PAYING_BILL_MS
        } else {
            PAYING_LATE_MS
        };
        self.customers[slot].bill = Some(bill.clone());
        let notice = Notice {
            event_type: "bill.due",
            source: "billing",
            data: json!({
                "bill": bill.number, "kind": bill.kind, "payee": bill.payee, "currency": "CNY",
                "amount": decimal(bill.cents), "due": rfc3339(due), "autopay": autopay,
            }),
            story: format!("gets a {} bill of ¥{}", bill.kind, decimal(bill.cents)),
            kind: Moment::Bill,
        };
        self.later(slot, at, delay, Step::PayBill { bill });
        self.tell_notice(slot, &notice, at)
    }

    /// The bill is paid, unless that has happened already or there is too little on the account.
    pub(super) fn pay_open_bill(
        &mut self,
        slot: usize,
        bill: &Bill,
        at: Millis,
    ) -> Option<SimulatedEvent> {
        self.customers[slot].bill.take_if(|open| open == bill)?;
        self.pay_bill_of(slot, bill, at)
    }

    fn pay_bill_of(&mut self, slot: usize, bill: &Bill, at: Millis) -> Option<SimulatedEvent> {
        if bill.cents > self.customers[slot].balance_cents {
            return None;
        }
        let movement = bill_payment(bill);
        self.at_once(slot, Step::Move { movement });
        let notice = self.bill_paid(slot, bill);
        Some(self.tell_notice(slot, &notice, at))
    }

    pub(super) fn bill_paid(&self, slot: usize, bill: &Bill) -> Notice {
        let customer = &self.customers[slot];
        let home = bill.kind == "property_fee";
        Notice {
            event_type: "bill.paid",
            source: "billing",
            data: json!({
                "bill": bill.number, "kind": bill.kind, "payee": bill.payee, "currency": "CNY",
                "amount": decimal(bill.cents), "autopay": customer.autopay && !home,
                "community": home.then_some(customer.community),
            }),
            story: match home {
                true => format!("pays the property fee of {}", customer.community),
                false => format!("pays a {} bill of ¥{}", bill.kind, decimal(bill.cents)),
            },
            kind: if home {
                Moment::PropertyFee
            } else {
                Moment::Bill
            },
        }
    }

    fn see_a_doctor(&mut self, slot: usize, at: Millis) -> SimulatedEvent {
        let hospital = self.random.pick(&HOSPITALS);
        let notice = |event_type, data, story: String| Notice {
            event_type,
            source: "hospitals",
            data,
            story,
            kind: Moment::Hospital,
        };
        if self.random.chance(450) {
            let visit = at + DAY + self.random.between(DAY_BEFORE_MS.0, DAY_BEFORE_MS.1);
            if self.random.chance(CANCELLED_PERMILLE) {
                let data = json!({ "hospital": hospital });
                let cancelled = notice("health.cancelled", data, format!("cancels at {hospital}"));
                let notice = Box::new(cancelled);
                self.later(slot, at, PAYING_BILL_MS, Step::Tell { notice });
            }
            let data = json!({
                "hospital": hospital, "department": "general", "visit": rfc3339(visit),
            });
            let registered = notice(
                "health.registered",
                data,
                format!("makes an appointment at {hospital}"),
            );
            return self.tell_notice(slot, &registered, at);
        }
        let (kind, amounts) = if self.random.chance(600) {
            ("outpatient", yuan(420, 700))
        } else {
            ("inpatient", yuan(7_800, 600))
        };
        let cents = amounts.draw(&mut self.random);
        let data = json!({
            "hospital": hospital, "kind": kind, "amount": decimal(cents), "currency": "CNY",
        });
        let story = format!(
            "has paid an {kind} fee of ¥{} at {hospital}",
            decimal(cents)
        );
        self.tell_notice(slot, &notice("health.fee", data, story), at)
    }

    fn school_fee(&mut self, slot: usize, at: Millis) -> SimulatedEvent {
        let school = self.random.pick(&SCHOOLS);
        let (kind, amounts) = self.random.weighted(&[
            (("tuition", yuan(5_600, 300)), 50),
            (("accommodation", yuan(1_900, 400)), 30),
            (("materials", yuan(380, 500)), 20),
        ]);
        let cents = round_sum(amounts.draw(&mut self.random));
        let paid = self.random.chance(400);
        let freshman = self.customers[slot].age <= 19;
        let notice = Notice {
            event_type: "campus.fee",
            source: "schools",
            data: json!({
                "school": school, "kind": kind, "amount": decimal(cents), "currency": "CNY",
                "freshman": freshman, "paid": paid,
            }),
            story: format!(
                "{} ¥{} of {kind} at {school}",
                if paid { "has paid" } else { "is asked for" },
                decimal(cents)
            ),
            kind: Moment::Campus,
        };
        self.tell_notice(slot, &notice, at)
    }

    fn register_for_race(&mut self, slot: usize, at: Millis) -> Option<SimulatedEvent> {
        if !self.customers[slot].runner {
            return None;
        }
        let race = self.random.pick(&RACES);
        let starts = at + DAY + self.random.between(DAY_BEFORE_MS.0, DAY_BEFORE_MS.1);
        if !self.random.chance(CANCELLED_PERMILLE) {
            let minutes = self.random.between(FINISH_MS.0, FINISH_MS.1) / 60_000;
            let finished = Notice {
                event_type: "race.finished",
                source: "races",
                data: json!({ "race": race, "minutes": minutes }),
                story: format!("finishes {race} in {minutes} minutes"),
                kind: Moment::Everyday,
            };
            let after = starts - at + minutes * 60_000;
            let notice = Box::new(finished);
            self.later(slot, at, (after, after), Step::Tell { notice });
        }
        let notice = Notice {
            event_type: "race.registered",
            source: "races",
            data: json!({
                "race": race, "fee": "180.00", "currency": "CNY",
                "race_date": rfc3339(starts), "race_ends": rfc3339(starts + RACE_MS),
            }),
            story: format!("registers for {race}"),
            kind: Moment::Race,
        };
        Some(self.tell_notice(slot, &notice, at))
    }

    fn pay_abroad(
        &mut self,
        slot: usize,
        purpose: &'static str,
        amounts: Amounts,
        at: Millis,
    ) -> Option<SimulatedEvent> {
        let balance = self.customers[slot].balance_cents;
        let most = round_sum(balance * ABROAD_SHARE_PERMILLE / 1000);
        let cents = amounts.round(&mut self.random).min(most);
        if cents < 5_000 * YUAN {
            return None;
        }
        let name = match purpose {
            "study_abroad" => "University of Westport",
            "migration" => "Northern Migration Services",
            _ => "Harbourfront Residences",
        };
        let movement = Movement {
            incoming: false,
            cents,
            counterparty: Counterparty {
                name: name.to_owned(),
                bank: Some(self.customers[slot].other_bank),
                category: None,
            },
            channel: "mobile",
            purpose,
        };
        Some(self.book(slot, &movement, at, Moment::Abroad))
    }
}

/// Somebody opens the app.
pub(super) fn login() -> Notice {
    Notice {
        event_type: "app.login",
        source: "app",
        data: json!({ "device": "phone" }),
        story: "opens the app".to_owned(),
        kind: Moment::Everyday,
    }
}

/// The debit of a bill that was paid.
pub(super) fn bill_payment(bill: &Bill) -> Movement {
    let category = match bill.kind {
        "utility" => Some("utilities"),
        "telecom" => Some("telecom"),
        "property_fee" => Some("property_fee"),
        _ => None,
    };
    Movement {
        incoming: false,
        cents: bill.cents,
        counterparty: Counterparty {
            name: bill.payee.to_owned(),
            bank: None,
            category,
        },
        channel: "mobile",
        purpose: "bill",
    }
}
