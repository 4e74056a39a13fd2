"""What customers do for some days: profiles that change, checkouts, movements, logins, and a few broadcasts.

Every choice is drawn from one seed, so that the same arguments give the same bytes.
"""

import json
import random
from datetime import datetime, timezone

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

# Clocks are put back or forth in the sixty days from here in Europe, both Americas and the south of the Pacific.
START = int(datetime(2026, 9, 20, tzinfo=timezone.utc).timestamp() * 1_000)

ZONES = [
    "Asia/Shanghai", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Pacific/Auckland",
    "America/Los_Angeles", "Asia/Kolkata", "America/Santiago", "Australia/Lord_Howe", "Europe/London", None,
]
CATEGORIES = ["dining", "grocery", "travel", "fashion"]
STAGES = ["started", "paid", "paid", "abandoned"]
MERCHANTS = [f"M{number}" for number in range(8)]
SEGMENTS = ["gold", "silver", "morning"]


def rfc3339(ms):
    seconds, rest = divmod(ms, 1_000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def event(kind, number, at, customer, data):
    made = {"specversion": "1.0", "id": f"e{number}", "source": "torture", "type": kind, "time": rfc3339(at)}
    if customer is not None:
        made["subject"] = customer
    made["data"] = data
    return made


class Traffic:
    """Draws the events of one world."""

    def __init__(self, spec, seed, customers, days):
        self.spec, self.customers, self.days = spec, customers, days
        self.random = random.Random(f"{seed}/traffic")

    def events(self):
        """All events in order, each at a time of its own."""
        drawn = []
        for number in range(self.customers):
            customer = f"C{number}"
            first = START + number % HOUR
            drawn.append((first, "customer.profile", customer, self.first_profile(number)))
            drawn += self.life(customer, first)
        for day in range(3, self.days, 7):
            at = START + day * DAY + self.random.randrange(DAY)
            drawn.append((at, "broadcast.goal", None, {}))
        drawn.sort(key=lambda one: one[0])
        last = 0
        for number, (at, kind, customer, data) in enumerate(drawn):
            last = max(at, last + 1)
            yield event(kind, number, last, customer, data)

    def first_profile(self, number):
        pick = self.random
        data = {
            "consents": {channel: pick.random() < 0.85 for channel in self.spec["channels"] if pick.random() < 0.9},
            "reachable": {channel: pick.random() < 0.9 for channel in self.spec["channels"] if pick.random() < 0.3},
            "segments": {"add": [segment for segment in SEGMENTS if pick.random() < 0.5]},
            "attributes": {"do_not_disturb": True} if pick.random() < 0.03 else {},
        }
        zone = pick.choice(ZONES)
        if zone:
            data["time_zone"] = zone
        if pick.random() < 0.6:
            data["attributes"]["household"] = f"H{number // 3}"
        for purpose in self.spec["purposes"]:
            if pick.random() < 0.9:
                data["consents"][f"purpose:{purpose}"] = pick.random() < 0.85
        return data

    def changed_profile(self):
        pick = self.random
        what = pick.randrange(7)
        if what == 0:
            return {"time_zone": pick.choice([zone for zone in ZONES if zone])}
        if what == 1:
            return {"reachable": {pick.choice(self.spec["channels"]): pick.random() < 0.5}}
        if what == 2:
            return {"segments": {pick.choice(["add", "remove"]): [pick.choice(SEGMENTS)]}}
        if what == 5:
            return {"segments": {pick.choice(["add", "remove", "remove"]): ["complaint-open"]}}
        if what == 6:
            return {"attributes": {"do_not_disturb": pick.random() < 0.3}}
        if what == 3 and self.spec["purposes"]:
            return {"consents": {f"purpose:{pick.choice(self.spec['purposes'])}": pick.random() < 0.7}}
        return {"consents": {pick.choice(self.spec["channels"]): pick.random() < 0.6}}

    def life(self, customer, first):
        """One customer's events: some do something twice a week, some ten times a day, often within minutes."""
        pick = self.random
        end = START + self.days * DAY
        rate = pick.choice([0.1, 0.2, 0.2, 0.3, 0.3, 0.5, 1, 4])
        at = first
        while True:
            at += 1 + int(pick.expovariate(rate) * DAY)
            if at >= end:
                return
            for _ in range(1 if pick.random() < 0.7 else pick.randrange(2, 6)):
                kind = pick.random()
                if kind < 0.05:
                    yield at, "customer.profile", customer, self.changed_profile()
                elif kind < 0.65:
                    yield at, "merchant.checkout", customer, self.checkout()
                elif kind < 0.9:
                    yield at, "account.movement", customer, self.movement()
                else:
                    yield at, "app.login", customer, {}
                at += pick.randrange(SECOND, 20 * MINUTE)
                if at >= end:
                    return

    def checkout(self):
        pick = self.random
        return {
            "stage": pick.choice(STAGES), "amount": self.amount(200), "currency": "CNY",
            "merchant": {"id": pick.choice(MERCHANTS), "category": pick.choice(CATEGORIES)},
        }

    def movement(self):
        pick = self.random
        return {"account": "A", "direction": pick.choice(["in", "out"]), "amount": self.amount(5_000), "currency": "CNY"}

    def amount(self, largest):
        return f"{self.random.randrange(100, largest * 100) / 100:.2f}"


OUTCOMES = ["delivered", "opened", "accepted", "declined", "declined", "unsubscribed", "failed", "failed", "failed"]


def with_outcomes(events, actions, seed):
    """The same events with what came back about some actions, each given as its time, its customer and its id."""
    pick = random.Random(f"{seed}/outcomes")
    outcomes = []
    for at, customer, action in actions:
        if pick.random() < 0.1:
            kind = f"offer.{pick.choice(OUTCOMES)}"
            when = at + pick.randrange(MINUTE, DAY)
            outcomes.append((when, event(kind, f"-of-{action}", when, customer, {"action": action})))
    merged = [(parse(one["time"]), one) for one in events] + outcomes
    merged.sort(key=lambda one: one[0])
    last = 0
    for at, one in merged:
        last = max(at, last + 1)
        yield {**one, "time": rfc3339(last)}


def parse(text):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1_000 + 0.5)


def write(path, events):
    with open(path, "w", encoding="utf-8") as file:
        for one in events:
            file.write(json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n")
