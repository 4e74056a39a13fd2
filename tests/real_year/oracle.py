#!/usr/bin/env python3
"""Says whether `onscene replay` was right about the real year: every window, every decision.

    onscene replay --rules tests/real_year/rules year.ndjson > actions.ndjson
    python3 tests/real_year/oracle.py actions.ndjson

The values are computed again by SQL straight from the data's own tables, and the decisions by a few
lines of Python for each rule of `rules/`; nothing is shared with the engine, its rule files or the
events that it read. All amounts are integers of cents until they are compared, as decimals.

What is assumed of the engine, beyond DESIGN:

* A window (t - w, t] holds what has arrived so far, so of two baskets at the same second the first to
  arrive does not see the second; `last` and `since` see what arrived before, at the same second too.
* `average`, `largest`, `share` and `spend` without anything in the window are 0; `preference` is null
  unless a category comes to more than 0; ties go to the first by name. Rounding is half-even.
* A cooldown is over, and a cap or `offers` no longer counts a decision, exactly w after it.
* Who came second in a group is told `arbitration`, whatever its own cooldown and cap would say.
"""

import environment

environment.enter()

import argparse  # noqa: E402  (only once the venv is entered)
import itertools  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
from collections import Counter, defaultdict  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from datetime import datetime  # noqa: E402
from decimal import Decimal  # noqa: E402
from typing import Callable, Optional  # noqa: E402

DIFFERENCES_SHOWN_MAX = 20
DAY_S = 86_400

# Verdicts that are no proposals: `replay --all` does not owe them.
NO_PROPOSAL = {"schedule", "audience", "rollout", "condition"}


# ---- What was known at each event: SQL over the data ----------------------------------------------

SETUP = """
CREATE TABLE basket AS
WITH line AS (
    SELECT t.household_id AS household, t.basket_id AS basket, t.store_id AS store,
           date_diff('second', TIMESTAMP '1970-01-01', t.transaction_timestamp) AS moment,
           t.sales_value::DECIMAL(18, 2) AS sales, coalesce(p.department, 'UNKNOWN') AS department
    FROM transactions t LEFT JOIN products p ON p.product_id = t.product_id
), department AS (
    SELECT basket, department, sum(sales) AS sales,
           row_number() OVER (PARTITION BY basket ORDER BY sum(sales) DESC, lower(department)) AS place
    FROM line GROUP BY basket, department
), whole AS (
    SELECT household, basket, store, moment, (sum(sales) * 100)::BIGINT AS cents
    FROM line GROUP BY household, basket, store, moment
)
SELECT whole.*, lower(department.department) AS category,
       row_number() OVER (PARTITION BY household ORDER BY moment, basket) AS seq
FROM whole JOIN department USING (basket) WHERE place = 1 AND {selected};

CREATE TABLE redemption AS
SELECT household_id AS household, coupon_upc AS coupon, 'campaign-' || campaign_id AS campaign,
       strftime(redemption_date, '%Y-%m-%d') AS day,
       date_diff('second', TIMESTAMP '1970-01-01', redemption_date) AS moment,
       row_number() OVER (PARTITION BY household_id
                          ORDER BY redemption_date, coupon_upc, campaign_id) AS seq
FROM coupon_redemptions WHERE household_id IN (SELECT household FROM basket);

CREATE TABLE member AS
SELECT household_id AS household, campaign_id AS campaign,
       date_diff('second', TIMESTAMP '1970-01-01', start_date) AS starts_at,
       date_diff('second', TIMESTAMP '1970-01-01', end_date) + 86400 AS ends_at
FROM campaigns JOIN campaign_descriptions USING (campaign_id)
WHERE household_id IN (SELECT household FROM basket);

CREATE TABLE person AS
SELECT household_id AS household, income, replace(household_size, '+', '')::INT AS household_size,
       kids_count <> '0' AS family,
       (SELECT date_diff('second', TIMESTAMP '1970-01-01', min(start_date))
        FROM campaigns JOIN campaign_descriptions USING (campaign_id)) AS known_at
FROM demographics WHERE household_id IN (SELECT household FROM basket);

CREATE TABLE first_seen AS
SELECT household, min(moment) AS moment FROM (
    SELECT household, moment FROM basket UNION ALL SELECT household, moment FROM redemption
    UNION ALL SELECT household, starts_at FROM member UNION ALL SELECT household, known_at FROM person
) GROUP BY household;
"""

# Each basket `b` beside every basket `e` of the household that had arrived, one year back at most.
WINDOWS = """
SELECT b.household, b.seq,
    {aggregates}
FROM basket b JOIN basket e ON e.household = b.household AND e.seq <= b.seq AND e.moment > b.moment - 365 * 86400
GROUP BY b.household, b.seq
"""

FAVOURITES = """
SELECT household, seq,
    first(category ORDER BY cents_30d DESC, category) FILTER (cents_30d > 0) AS preference_30d,
    first(category ORDER BY cents_90d DESC, category) FILTER (cents_90d > 0) AS preference_90d
FROM (
    SELECT b.household, b.seq, e.category, sum(e.cents) AS cents_90d,
           sum(e.cents) FILTER (e.moment > b.moment - 30 * 86400) AS cents_30d
    FROM basket b JOIN basket e
        ON e.household = b.household AND e.seq <= b.seq AND e.moment > b.moment - 90 * 86400
    GROUP BY b.household, b.seq, e.category
) GROUP BY household, seq
"""

# Coupons are redeemed at midnight and come before the baskets of that second.
COUPONS = """
SELECT b.household, b.seq,
    count(*) FILTER (r.moment > b.moment - 90 * 86400) AS coupons_90d,
    count(*) FILTER (r.moment > b.moment - 60 * 86400) AS coupons_60d,
    count(*) FILTER (r.moment > b.moment - 90 * 86400 AND r.campaign = 'campaign-18') AS coupons_campaign_18,
    max(r.moment) AS coupon_at, arg_max(r.campaign, r.seq) AS last_campaign
FROM basket b JOIN redemption r ON r.household = b.household AND r.moment <= b.moment
GROUP BY b.household, b.seq
"""

CHECKOUTS = """
SELECT b.household, b.moment, 4 AS rank, 'basket-' || b.basket AS trigger, b.cents, b.category,
    windows.* EXCLUDE (household, seq),
    favourites.* EXCLUDE (household, seq),
    coalesce(coupons_90d, 0) AS coupons_90d, coalesce(coupons_60d, 0) AS coupons_60d,
    coalesce(coupons_campaign_18, 0) AS coupons_campaign_18, last_campaign,
    lag(b.cents) OVER arrival AS last_cents, lag(b.category) OVER arrival AS last_category,
    'S' || lag(b.store) OVER arrival AS last_merchant,
    lag(b.moment) OVER arrival AS last_at,
    last_value(CASE WHEN b.category = 'fuel' THEN b.cents END IGNORE NULLS) OVER earlier AS last_fuel_cents,
    last_value(CASE WHEN b.category = 'fuel' THEN b.moment END IGNORE NULLS) OVER earlier AS last_fuel_at,
    coupon_at, first_seen.moment AS first_seen_at, income, household_size, coalesce(family, false) AS family,
    EXISTS (FROM member m WHERE m.household = b.household AND m.campaign IN (8, 13, 18, 27)
            AND m.starts_at <= b.moment AND b.moment < m.ends_at) AS in_large_campaign
FROM basket b
    JOIN windows ON windows.household = b.household AND windows.seq = b.seq
    JOIN favourites ON favourites.household = b.household AND favourites.seq = b.seq
    LEFT JOIN coupons ON coupons.household = b.household AND coupons.seq = b.seq
    JOIN first_seen ON first_seen.household = b.household
    LEFT JOIN person ON person.household = b.household
WINDOW arrival AS (PARTITION BY b.household ORDER BY b.seq),
       earlier AS (PARTITION BY b.household ORDER BY b.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
ORDER BY b.household, b.seq
"""

REDEEMED = """
SELECT r.household, r.moment, 3 AS rank,
    'coupon-H' || r.household || '-' || r.coupon || '-' || replace(r.campaign, 'campaign-', '')
        || '-' || r.day AS trigger,
    r.campaign,
    (SELECT count(*) FROM redemption e WHERE e.household = r.household AND e.campaign = r.campaign
        AND e.seq < r.seq) AS earlier_in_campaign,
    (SELECT count(*) FROM redemption e WHERE e.household = r.household AND e.campaign = r.campaign
        AND e.seq <= r.seq AND e.moment > r.moment - 30 * 86400) AS in_campaign_30d,
    r.moment - coalesce((SELECT max(moment) FROM basket b WHERE b.household = r.household AND b.moment < r.moment),
                    first_seen.moment) AS since_checkout
FROM redemption r JOIN first_seen USING (household)
ORDER BY r.household, r.seq
"""

EVENT_COUNT = """
SELECT (SELECT count(*) FROM basket) + (SELECT count(*) FROM redemption) + (SELECT count(*) FROM person)
     + (SELECT count(*) FILTER (starts_at <= last_at) + count(*) FILTER (ends_at <= last_at)
        FROM member, (SELECT date_diff('second', TIMESTAMP '1970-01-01', max(transaction_timestamp)) AS last_at
                      FROM transactions))
"""


def window_columns():
    """SQL for each window value: name -> aggregate over the `e` of WINDOWS."""
    def within(seconds, condition="true"):
        return f"FILTER (e.moment > b.moment - {seconds} AND {condition})"

    columns = {}
    for name, seconds in {"10m": 600, "24h": DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S, "60d": 60 * DAY_S,
                          "90d": 90 * DAY_S, "180d": 180 * DAY_S}.items():
        columns[f"cents_{name}"] = f"sum(e.cents) {within(seconds)}"
    for name, days, condition in [
        ("cents_grocery_7d", 7, "e.category = 'grocery'"), ("cents_grocery_30d", 30, "e.category = 'grocery'"),
        ("cents_grocery_90d", 90, "e.category = 'grocery'"), ("cents_drug_90d", 90, "e.category = 'drug gm'"),
        ("cents_fuel_30d", 30, "e.category = 'fuel'"), ("cents_fuel_90d", 90, "e.category = 'fuel'"),
        ("cents_here_30d", 30, "e.category = b.category"),
    ]:
        columns[name] = f"coalesce(sum(e.cents) {within(days * DAY_S, condition)}, 0)"
    columns["count_90s"] = f"count(*) {within(90)}"
    for name, days, condition in [
        ("count_7d", 7, "true"), ("count_30d", 30, "true"), ("count_60d", 60, "true"), ("count_365d", 365, "true"),
        ("count_fuel_30d", 30, "e.category = 'fuel'"), ("count_grocery_90d", 90, "e.category = 'grocery'"),
        ("count_store_30d", 30, "e.store = b.store"), ("count_store_90d", 90, "e.store = b.store"),
    ]:
        columns[name] = f"count(*) {within(days * DAY_S, condition)}"
    for name, days, what in [("merchants_30d", 30, "store"), ("merchants_90d", 90, "store"),
                             ("categories_14d", 14, "category"), ("categories_90d", 90, "category")]:
        columns[name] = f"count(DISTINCT e.{what}) {within(days * DAY_S)}"
    columns["largest_60d"] = f"max(e.cents) {within(60 * DAY_S)}"
    columns["largest_90d"] = f"max(e.cents) {within(90 * DAY_S)}"
    fuel = within(90 * DAY_S, "e.category = 'fuel'")
    columns["largest_fuel_90d"] = f"coalesce(max(e.cents) {fuel}, 0)"
    return columns


def load(options):
    """The database with all that was known at each event."""
    database = environment.connect("transactions", "products", "demographics", "campaigns",
                                   "campaign_descriptions", "coupon_redemptions")
    limit = f"LIMIT {options.households}" if options.households else ""
    selected = (f"household IN (SELECT DISTINCT household_id FROM transactions "
                f"WHERE household_id >= {options.household_first} ORDER BY household_id {limit})")
    database.execute(SETUP.format(selected=selected))
    aggregates = ",\n    ".join(f"{sql} AS {name}" for name, sql in window_columns().items())
    database.execute(f"CREATE TABLE windows AS {WINDOWS.format(aggregates=aggregates)}")
    database.execute(f"CREATE TABLE favourites AS {FAVOURITES}")
    database.execute(f"CREATE TABLE coupons AS {COUPONS}")
    return database


def rows(database, query):
    """The rows of a query as dicts, a household at a time: (household, [row, …])."""
    result = database.cursor().execute(query)
    names = [column[0] for column in result.description]
    batches = iter(lambda: result.fetchmany(10_000), [])
    found = (dict(zip(names, row)) for batch in batches for row in batch)
    return itertools.groupby(found, key=lambda row: row["household"])


# ---- Numbers --------------------------------------------------------------------------------------

def money(cents):
    return None if cents is None else Decimal(cents).scaleb(-2)


def quotient(numerator, denominator, digits):
    """An exact division of integers, rounded half-even; 0 where there is nothing to divide by."""
    if denominator == 0:
        return Decimal(0)
    whole, rest = divmod(numerator * 10**digits, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1):
        whole += 1
    return Decimal(whole).scaleb(-digits)


# ---- The rules, told again ------------------------------------------------------------------------

def offers(sent, rule, row, days):
    return sum(1 for at in sent[rule] if at > row["moment"] - days * DAY_S)


def probe_body(row, sent):
    def since(at):
        return row["moment"] - (row["first_seen_at"] if at is None else at)

    windows = {f"spend_{name}": money(row[f"cents_{name}"]) for name in (
        "10m", "24h", "7d", "30d", "90d", "180d", "grocery_30d", "drug_90d", "fuel_90d", "here_30d")}
    same = {name: row[name] for name in (
        "category", "count_90s", "count_7d", "count_30d", "count_365d", "count_fuel_30d", "count_store_30d",
        "coupons_90d", "coupons_campaign_18", "merchants_30d", "merchants_90d", "categories_90d",
        "last_category", "last_merchant", "last_campaign", "preference_30d", "preference_90d",
        "household_size", "family")}
    return windows | same | {
        "code": "PROBE",
        "amount": money(row["cents"]),
        "count_paid_store_90d": row["count_store_90d"],
        "average_30d": quotient(row["cents_30d"], 100 * row["count_30d"], 4),
        "average_grocery_90d": quotient(row["cents_grocery_90d"], 100 * row["count_grocery_90d"], 4),
        "largest_90d": money(row["largest_90d"]),
        "largest_fuel_90d": money(row["largest_fuel_90d"]),
        "last_amount": money(row["last_cents"]),
        "last_fuel_amount": money(row["last_fuel_cents"]),
        "since_last": since(row["last_at"]),
        "since_fuel": since(row["last_fuel_at"]),
        "since_coupon": since(row["coupon_at"]),
        "share_grocery_90d": quotient(row["cents_grocery_90d"], row["cents_90d"], 6),
        "share_fuel_30d": quotient(row["cents_fuel_30d"], row["cents_30d"], 6),
        "offers_comeback_90d": offers(sent, "comeback", row, 90),
        "offers_nudge_30d": offers(sent, "campaign/nudge", row, 30),
        "offers_probe_7d": offers(sent, "probe", row, 7),
        "income_band": row["income"],
    }


@dataclass
class Rule:
    name: str
    on: int
    when: Callable
    body: Callable
    priority: int = 50
    group: Optional[str] = None
    cooldown_s: int = 0
    cap: Optional[tuple] = None  # (how many, within how many seconds)
    channel: str = "push"


CHECKOUT, COUPON = 4, 3

RULES = [
    Rule("probe", CHECKOUT, priority=100, channel="inapp", when=lambda row, sent: True, body=probe_body),
    Rule("comeback", CHECKOUT, priority=80, group="till", cap=(4, 180 * DAY_S),
         when=lambda row, sent: row["last_at"] is not None and row["moment"] - row["last_at"] >= 14 * DAY_S,
         body=lambda row, sent: {"code": "COMEBACK", "value": 5, "seconds_away": row["moment"] - row["last_at"]}),
    Rule("fuel_regular", CHECKOUT, priority=60, group="till", cooldown_s=14 * DAY_S, cap=(3, 90 * DAY_S),
         when=lambda row, sent: (row["category"] == "fuel" and row["count_fuel_30d"] >= 3
                                 and row["cents_fuel_30d"] >= 6_000),
         body=lambda row, sent: {"code": "FUEL", "value": quotient(row["cents_fuel_30d"] * 5, 10_000, 2)}),
    Rule("big_basket", CHECKOUT, priority=60, group="till", cooldown_s=7 * DAY_S,
         when=lambda row, sent: (row["cents"] >= 4_000 and row["cents"] == row["largest_60d"]
                                 and money(row["cents"]) >= 2 * quotient(row["cents_60d"], 100 * row["count_60d"], 2)),
         body=lambda row, sent: {"code": "INSTALMENT", "value": quotient(row["cents"], 400, 2)}),
    Rule("explorer", CHECKOUT, priority=40, group="till", cap=(2, 30 * DAY_S),
         when=lambda row, sent: row["merchants_30d"] >= 3 or row["categories_14d"] >= 4,
         body=lambda row, sent: {"code": "EXPLORER", "value": row["merchants_30d"]}),
    Rule("family", CHECKOUT, group="till", cooldown_s=10 * DAY_S,
         when=lambda row, sent: (row["family"] and row["household_size"] >= 3 and row["preference_90d"] == "grocery"
                                 and row["cents_grocery_90d"] * 10 >= row["cents_90d"] * 7
                                 and row["cents_grocery_7d"] >= 7_500),
         body=lambda row, sent: {"code": "FAMILY",
                                 "value": quotient(row["cents_grocery_90d"] * 100, row["cents_90d"], 2)}),
    Rule("campaign/nudge", CHECKOUT, cooldown_s=5 * DAY_S,
         when=lambda row, sent: (row["in_large_campaign"] and row["coupons_60d"] == 0
                                 and offers(sent, "campaign/nudge", row, 180) < 3),
         body=lambda row, sent: {"code": "NUDGE", "value": offers(sent, "campaign/nudge", row, 180) + 1}),
    Rule("campaign/thanks", COUPON, cooldown_s=DAY_S, cap=(2, 60 * DAY_S),
         when=lambda row, sent: row["earlier_in_campaign"] == 0 or row["since_checkout"] >= 7 * DAY_S,
         body=lambda row, sent: {"code": "THANKS", "campaign": row["campaign"], "value": row["in_campaign_30d"]}),
]


@dataclass
class Expected:
    rule: str
    trigger: str
    moment: int
    verdict: str
    channel: str
    body: dict = field(default_factory=dict)


def verdict_of(rule, at, sent, groups_won):
    if rule.group in groups_won:
        return "arbitration"
    if any(earlier > at - rule.cooldown_s for earlier in sent[rule.name]):
        return "cooldown"
    if rule.cap and sum(1 for earlier in sent[rule.name] if earlier > at - rule.cap[1]) >= rule.cap[0]:
        return "cap"
    return "sent"


def decide(events):
    """All proposals of one household, in order, with their verdicts."""
    sent = defaultdict(list)
    found = []
    for row in events:
        # Conditions are asked before any decision of this event; bodies too, as `offers` is about before.
        proposals = [rule for rule in RULES if rule.on == row["rank"] and rule.when(row, sent)]
        proposals.sort(key=lambda rule: (-rule.priority, rule.name))
        bodies = [rule.body(row, sent) for rule in proposals]
        groups_won = set()
        for rule, body in zip(proposals, bodies):
            verdict = verdict_of(rule, row["moment"], sent, groups_won)
            if verdict == "sent":
                sent[rule.name].append(row["moment"])
                if rule.group:
                    groups_won.add(rule.group)
            found.append(Expected(rule.name, row["trigger"], row["moment"], verdict, rule.channel, body))
    return found


# ---- The comparison -------------------------------------------------------------------------------

class Comparison:
    def __init__(self, with_suppressed):
        self.with_suppressed = with_suppressed
        self.households = self.values = self.decisions = self.differences = 0
        self.verdicts = Counter()
        self.ids = set()

    def differ(self, text):
        self.differences += 1
        if self.differences <= DIFFERENCES_SHOWN_MAX:
            print(f"difference: {text}")
        elif self.differences == DIFFERENCES_SHOWN_MAX + 1:
            print("… more differences follow, only counted")

    def household(self, household, expected, lines):
        """Compares all decisions of one household with the engine's lines about it."""
        self.households += 1
        if not self.with_suppressed:
            expected = [one for one in expected if one.verdict == "sent"]
        actual = self.parse(household, lines)
        for one in expected:
            where = f"H{household} {one.trigger} {one.rule}"
            found = actual.pop((one.trigger, one.rule), [])
            if len(found) != 1:
                self.differ(f"{where}: expected once ({one.verdict}), the engine has it {len(found)} times")
            if found:
                self.one(where, one, found[0])
        for (trigger, rule), found in actual.items():
            self.differ(f"H{household} {trigger} {rule}: the engine has {found[0].get('verdict')}, none was expected")

    def parse(self, household, lines):
        """The engine's decisions by (trigger, rule); tells of doubled ids and of a wrong order."""
        actual = defaultdict(list)
        latest = ""
        for line in lines:
            action = json.loads(line, parse_float=Decimal)
            data = action["data"]
            if data.get("verdict") in NO_PROPOSAL:
                continue
            if action["type"] != "scene.action":
                self.differ(f"H{household}: an action of type {action['type']}")
            if action["id"] in self.ids:
                self.differ(f"H{household}: decision id {action['id']} twice")
            self.ids.add(action["id"])
            stamp = data["trigger"]["time"]
            if stamp < latest:
                self.differ(f"H{household} {data['trigger']['id']}: came after a later event's decision")
            latest = stamp
            actual[data["trigger"]["id"], data["rule"]].append(data)
        return actual

    def one(self, where, expected, data):
        self.decisions += 1
        self.verdicts[expected.verdict] += 1
        moment = datetime.fromisoformat(data["trigger"]["time"].replace("Z", "+00:00")).timestamp()
        self.value(f"{where} trigger.time", expected.moment, moment)
        self.value(f"{where} verdict", expected.verdict, data.get("verdict"))
        if expected.verdict != "sent":
            return
        self.value(f"{where} channel", expected.channel, data.get("channel"))
        body = data.get("body") or {}
        for name, value in expected.body.items():
            self.value(f"{where} {name}", value, body.get(name))

    def value(self, where, expected, actual):
        self.values += 1
        if not same(expected, actual):
            self.differ(f"{where}: engine {actual!r}, expected {str(expected)!r}")


def same(expected, actual):
    """Equal as decimals where a number is expected, whether the engine wrote text or a number."""
    if expected is None or isinstance(expected, (bool, str)):
        return type(actual) is type(expected) and actual == expected
    if isinstance(actual, bool):
        return False
    try:
        return Decimal(expected) == Decimal(str(actual))
    except ArithmeticError:
        return False


SUBJECT = re.compile(rb'"subject"\s*:\s*"H(\d+)"')


def by_household(path):
    """The engine's lines, not yet parsed, by household: parsed all at once they would fill memory."""
    found = defaultdict(list)
    with (sys.stdin.buffer if path == "-" else open(path, "rb")) as file:
        for number, line in enumerate(file, 1):
            match = SUBJECT.search(line)
            if not match:
                environment.fail(f"{path} line {number} has no subject of the form H<household>",
                                 "give the standard output of `onscene replay`, alone")
            found[int(match[1])].append(line)
    return found


def arguments():
    parser = argparse.ArgumentParser(description="Compare `onscene replay` of the real year with an independent computation.")
    parser.add_argument("actions", metavar="ACTIONS", help="the replay's output; - for standard input")
    parser.add_argument("--all", action="store_true", help="the output is of `replay --all`: compare suppressed proposals too")
    parser.add_argument("--households", type=int, default=0, metavar="N", help="as given to completejourney.py")
    parser.add_argument("--household-first", type=int, default=1, metavar="ID", help="as given to completejourney.py")
    return parser.parse_args()


def main():
    options = arguments()
    lines = by_household(options.actions)
    database = load(options)
    redeemed = {household: list(found) for household, found in rows(database, REDEEMED)}
    comparison = Comparison(options.all)
    for household, found in rows(database, CHECKOUTS):
        events = sorted([*found, *redeemed.pop(household, [])], key=lambda row: (row["moment"], row["rank"]))
        comparison.household(household, decide(events), lines.pop(household, []))
    for household, left in lines.items():
        comparison.differ(f"H{household}: {len(left)} decisions for a household that was not expected")

    events = database.execute(EVENT_COUNT).fetchone()[0]
    verdicts = ", ".join(f"{name} {count}" for name, count in sorted(comparison.verdicts.items()))
    print(f"verdicts: {verdicts}")
    print(f"households {comparison.households}, events {events}, values compared {comparison.values}, "
          f"decisions {comparison.decisions}, differences {comparison.differences}")
    sys.exit(1 if comparison.differences else 0)


if __name__ == "__main__":
    main()
