"""Fifty rules and a contact policy, drawn from a seed: as plain data for the checker, and as files for the engine."""

import random
from decimal import Decimal

from traffic import CATEGORIES, SEGMENTS

CHANNELS = ["push", "im", "sms", "call"]
PURPOSES = ["credit", "savings"]
SCENES = [f"scene-{number}" for number in range(6)]
GROUPS = ["g0", "g1", "g2"]
# Of how many rules each shape is.
SHAPES = ["event"] * 5 + ["delay", "journey"] + ["event"] * 5 + ["delay", "journey", "broadcast"] + ["event"] * 4 \
    + ["delay", "journey", "daily", "event", "broadcast", "event"]
LENGTHS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def length(text):
    """`30d` in milliseconds."""
    return int(text[:-1]) * LENGTHS[text[-1]]


class Rules:
    """Draws the rules."""

    def __init__(self, seed, customers):
        self.random = random.Random(f"{seed}/rules")
        # Budgets that are scarce for so many, and not gone on the first day.
        self.scale = max(1, customers // 20)

    def all(self, count):
        rules = []
        for number in range(count):
            rules.append(self.rule(f"r{number:02d}", SHAPES[number % len(SHAPES)]))
        return rules

    def rule(self, name, shape):
        pick = self.random
        rule = {
            "name": name, "shape": shape, "scene": pick.choice(SCENES), "purpose": pick.choice([None, None, *PURPOSES]),
            "channels": pick.sample(CHANNELS, pick.randrange(1, 4)), "priority": pick.randrange(100),
            "group": pick.choice([None, None, *GROUPS]) if shape != "daily" else None,
            "quiet": pick.choice(["drop", "defer"]), "holdout": pick.choice([0, 0, 0, 20]), "audience": [],
            "cooldown": pick.choice([None, None, "6h", "2d", "7d"]), "cap": pick.choice([None, None, (2, "10d"), (4, "30d")]),
            "budget": None, "cost": None, "delay": None, "steps": [], "hours": None, "days": None,
        }
        if pick.random() < 0.2:
            rule["audience"] = [pick.choice(SEGMENTS)]
        if pick.random() < 0.2:
            rule["hours"] = pick.choice([("09:00", "18:00"), ("17:00", "02:00"), ("00:00", "12:00")])
        if pick.random() < 0.15:
            rule["days"] = pick.choice([[0, 1, 2, 3, 4], [5, 6]])
        if pick.random() < 0.4:
            self.add_budget(rule)
        getattr(self, f"shape_{shape}")(rule)
        return rule

    def add_budget(self, rule):
        pick = self.random
        rule["cost"] = pick.choice(["1", "2.50", "amount"])
        each = {"1": 1, "2.50": 3, "amount": 100}[rule["cost"]] * self.scale
        rule["budget"] = {"total": Decimal(each * pick.randrange(6, 20)), "daily": None, "per": None}
        if pick.random() < 0.6:
            rule["budget"]["daily"] = Decimal(each * pick.randrange(1, 4))
        if pick.random() < 0.3:
            rule["budget"].update(per="merchant", total=Decimal(each * pick.randrange(1, 6)))

    def shape_event(self, rule):
        pick = self.random
        if pick.random() < 0.65:
            rule["on"] = "merchant.checkout"
            rule["when"] = {"stage": pick.choice(["started", "paid"]), "min": pick.randrange(60, 180)}
            if pick.random() < 0.4:
                rule["when"]["category"] = pick.choice(CATEGORIES)
        elif pick.random() < 0.7:
            rule["on"] = "account.movement"
            rule["when"] = {"direction": pick.choice(["in", "out"]), "min": pick.randrange(1_500, 4_500)}
        else:
            rule["on"], rule["when"] = "app.login", {}
        self.fit_budget(rule)

    def shape_delay(self, rule):
        self.shape_event(rule)
        rule["delay"] = self.random.choice(["10m", "3h"])

    def shape_journey(self, rule):
        self.shape_event(rule)
        rule["steps"] = self.random.choice([["0s", "1d", "3d"], ["0s", "8h"], ["2h", "26h"]])

    def shape_daily(self, rule):
        rule.update(on="timer.daily", when={}, audience=["morning"], hours=self.random.choice([("09:00", "12:00"), ("20:00", "23:30")]))
        rule["cooldown"] = rule["cooldown"] or "3d"
        self.fit_budget(rule)

    def shape_broadcast(self, rule):
        rule.update(on="broadcast.goal", when={}, quiet="drop")
        self.fit_budget(rule)

    def fit_budget(self, rule):
        """Only a checkout has a merchant, and only it and a movement have an amount."""
        if rule["budget"] and rule["on"] != "merchant.checkout":
            if rule["budget"]["per"] or rule["cost"] == "amount":
                scale = self.scale
                rule["budget"], rule["cost"] = {"total": Decimal(15 * scale), "daily": Decimal(3 * scale), "per": None}, "1"


def condition(when):
    parts = [f'event.{name} == "{when[name]}"' for name in ("stage", "direction") if name in when]
    if "category" in when:
        parts.append(f'event.merchant.category == "{when["category"]}"')
    if "min" in when:
        parts.append(f"event.amount >= {when['min']}")
    return " && ".join(parts) or "true"


def span(hours):
    return f"{hours[0]}-{hours[1]}"


DAY_NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def rule_text(rule):
    """The rule as the engine reads it."""
    terms = [f'on: "{rule["on"]}"', f'scene: "{rule["scene"]}"', f'priority: {rule["priority"]}', 'fresh: "1h"',
             "channels: [" + ", ".join(f'"{channel}"' for channel in rule["channels"]) + "]", f'quiet: "{rule["quiet"]}"']
    for name in ("purpose", "group", "cooldown", "delay"):
        if rule[name]:
            terms.append(f'{name}: "{rule[name]}"')
    if rule["cap"]:
        terms.append(f'cap: "{rule["cap"][0]} per {rule["cap"][1]}"')
    if rule["holdout"]:
        terms.append(f'holdout: {rule["holdout"]}')
    if rule["audience"]:
        terms.append("audience: [" + ", ".join(f'"{segment}"' for segment in rule["audience"]) + "]")
    if rule["hours"]:
        terms.append(f'hours: "{span(rule["hours"])}"')
    if rule["days"]:
        terms.append(f'days: "{",".join(DAY_NAMES[day] for day in rule["days"])}"')
    if rule["steps"]:
        terms.append("steps: [" + ", ".join(f'#{{ after: "{after}" }}' for after in rule["steps"]) + "]")
    if rule["budget"]:
        parts = [f"{name}: {rule['budget'][name]}" for name in ("total", "daily") if rule["budget"][name] is not None]
        if rule["budget"]["per"]:
            parts.append(f'per: "{rule["budget"]["per"]}"')
        terms.append("budget: #{ " + ", ".join(parts) + " }")
    body = ['kind: "message"', f'code: "{rule["name"].upper()}"', 'text: #{ "en": `Hello` }']
    if rule["cost"]:
        body.append("cost: " + ("event.amount" if rule["cost"] == "amount" else rule["cost"]))
    if rule["budget"] and rule["budget"]["per"]:
        body.append("merchant: event.merchant.id")
    still = 'fn still(event, customer) { !customer.in_segment("silver") }\n' if rule["delay"] else ""
    arguments = "event, customer, variant, step" if rule["steps"] else "event, customer, variant"
    return (f"const RULE = #{{ {', '.join(terms)} }};\n"
            f"fn when(event, customer) {{ {condition(rule['when'])} }}\n{still}"
            f"fn action({arguments}) {{ #{{ {', '.join(body)} }} }}\n")


SCHEMA = """\
[attributes]
household = "text"
do_not_disturb = "boolean"

[events."app.login"]

[events."broadcast.goal"]
"""


LISTED = "do-not-contact"

CAPS = [
    {"count": 4, "per": "day"},
    {"count": 14, "per": "7d"},
    {"count": 1, "per": "24h", "channel": "sms"},
    {"count": 2, "per": "week", "channel": "call"},
    {"count": 3, "per": "14d", "scene": "scene-1"},
    {"count": 2, "per": "30d", "rule": "r05"},
    {"count": 20, "per": "month", "household": True},
    {"count": 3, "per": "48h", "channel": "im", "household": True},
    {"count": 1, "per": "6d", "scene": "scene-2", "channel": "push"},
    {"count": 1, "per": "10m", "channel": "push", "is_cooldown": True},
    {"count": 2, "per": "1h"},
    {"count": 1, "per": "2d", "scene": "scene-3", "is_cooldown": True},
    {"count": 1, "per": "2h", "channel": "call", "household": True, "is_cooldown": True},
]


def policy(pick, customers, rules):
    """The contact policy."""
    caps = []
    # One that speaks often, so that its cap matters.
    free = [rule for rule in rules if rule["on"] == "merchant.checkout" and rule["shape"] == "event" and "im" in rule["channels"]
            and not (rule["cap"] or rule["audience"] or rule["purpose"])]
    free = free or [rule for rule in rules if "min" in rule["when"]]
    often = min(free, key=lambda rule: (rule["when"]["min"], rule["name"]))["name"]
    for number, cap in enumerate(CAPS):
        if cap.get("rule"):
            cap = {**cap, "rule": often}
        name = ("cooldown" if cap.get("is_cooldown") else "cap") + f" {number}"
        caps.append({"name": name, "channel": None, "scene": None, "rule": None, "household": False, "is_cooldown": False, **cap})
    return {
        "quiet": [
            {"hours": ("21:30", "08:00"), "days": list(range(7)), "channels": ["push", "sms", "call"]},
            {"hours": ("12:00", "14:00"), "days": [5, 6], "channels": []},
        ],
        "consent": {"default": False, "purposes": {"credit": False, "savings": True}},
        "excluded": {f"C{number}" for number in pick.sample(range(customers), max(1, customers // 30))},
        "excluded_segments": {"complaint-open"}, "excluded_attributes": {"do_not_disturb"},
        "order": ["im", "push"], "prefer_reachable": True, "caps": caps, "household": "household", "per_event": 2,
        "control_group": 12, "unsubscribed": True,
    }


def quoted(names):
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def policy_text(policy):
    """The contact policy as the engine reads it."""
    word = {True: "allow", False: "refuse"}
    lines = ["[consent]", f'default = "{word[policy["consent"]["default"]]}"', "[consent.purposes]"]
    lines += [f'{purpose} = "{word[allowed]}"' for purpose, allowed in policy["consent"]["purposes"].items()]
    lines += ["[exclusions]", f"segments = {quoted(policy['excluded_segments'])}",
              f"attributes = {quoted(policy['excluded_attributes'])}", f"lists = {quoted([LISTED])}",
              "[channels]", f"order = {quoted(policy['order'])}", f"prefer_reachable = {str(policy['prefer_reachable']).lower()}"]
    for quiet in policy["quiet"]:
        lines += ["[[quiet_hours]]", f'hours = "{span(quiet["hours"])}"', f'days = "{",".join(DAY_NAMES[day] for day in quiet["days"])}"']
        lines += [f"channels = {quoted(quiet['channels'])}"] if quiet["channels"] else []
    for cap in policy["caps"]:
        lines += ["[[cooldown]]", f'length = "{cap["per"]}"'] if cap["is_cooldown"] else \
            ["[[cap]]", f"count = {cap['count']}", f'per = "{cap["per"]}"']
        lines += [f'{key} = "{cap[key]}"' for key in ("channel", "scene", "rule") if cap[key]]
        lines += ["household = true"] if cap["household"] else []
    lines += ["[household]", f'attribute = "{policy["household"]}"', "[arbitration]", f"per_event = {policy['per_event']}"]
    if policy["control_group"]:
        lines += ["[control_group]", f"percent = {policy['control_group']}", 'salt = "torture"']
    return "\n".join(lines) + "\n"


def draw(seed, count, customers):
    """A world."""
    pick = random.Random(f"{seed}/policy")
    rules = Rules(seed, customers).all(count)
    return {"rules": rules, "policy": policy(pick, customers, rules), "channels": CHANNELS, "purposes": PURPOSES,
            "zone": "Asia/Shanghai"}


def promises(spec):
    """The kinds of violation that must be found when they are planted."""
    kinds = ["twice", "channel", "missing", "condition", "cost", "silent without reason: consent", "cooldown", "cap", "still",
             "schedule", "unreachable", "quiet", "consent", "group", "channel order", "budget total", "budget daily", "budget total of a merchant",
             "holdout", "refused", "stand-in"]
    policy = spec["policy"]
    kinds += [f"policy {cap['name']}" for cap in policy["caps"]]
    kinds += ["per event"] if policy["per_event"] else []
    kinds += ["control group"] if policy["control_group"] else []
    kinds += ["excluded"] if policy["excluded"] else []
    kinds += ["purpose"] if spec["purposes"] else []
    return kinds


def write(folder, spec):
    """The files that the engine reads."""
    rules = folder / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    for rule in spec["rules"]:
        (rules / f"{rule['name']}.rhai").write_text(rule_text(rule), encoding="utf-8")
    (rules / "schema.toml").write_text(SCHEMA, encoding="utf-8")
    (rules / "lists").mkdir(exist_ok=True)
    listed = ["# Who asked us to", "", *sorted(spec["policy"]["excluded"])]
    (rules / "lists" / f"{LISTED}.txt").write_text("\n".join(listed) + "\n", encoding="utf-8")
    (rules / "policy.toml").write_text(policy_text(spec["policy"]), encoding="utf-8")
