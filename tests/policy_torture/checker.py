"""Says which promises were broken, from the events that went in and the lines that came out, and nothing else.

It is meant to be slow and obvious: for each action it counts what was said before, by going through it.
"""

import itertools
from collections import Counter, defaultdict
from decimal import Decimal

from circle import Circle
from lines import FAILED
from people import Clock, contains, people_of


class Checker:
    """One look at one world."""

    def __init__(self, spec, events, lines):
        self.spec, self.lines = spec, lines
        self.rules = {rule["name"]: rule for rule in spec["rules"]}
        self.policy = spec["policy"]
        self.events = {event["id"]: event for event in events}
        self.actions = {line.id: line for line in lines if line.verdict == "sent"}
        # What was said again by another channel, since the first one failed: each with the first.
        self.stand_ins = {line.id: self.first_of(line) for line in lines if line.kind == FAILED}
        self.people = people_of(events, self.unsubscribed)
        self.refused = self.refusals(events)
        # A journey is called by the id of its first step, also when that was not said.
        self.journeys = {(line.customer, line.rule, line.trigger): line.id for line in lines if line.step == 0}
        self.clock = Clock(spec["zone"])
        self.violations = []

    def fault(self, kind, what):
        self.violations.append((kind, str(what)))

    def all(self, only=None):
        """All that was broken; of what is held against what was said before, only for those who share caps with some."""
        self.each_line()
        circles = defaultdict(list)
        for line in self.lines:
            circles[self.circle(line.customer)].append(line)
        some = {self.circle(customer) for customer in only} if only else circles
        for circle in some:
            Circle(self, circles[circle]).walk()
        self.budgets()
        self.control_group()
        self.holdouts()
        self.expected()
        return self.violations

    def profile(self, line):
        return self.people[line.customer].at(line.at)

    def circle(self, customer):
        """Those who share caps."""
        key = self.policy["household"]
        household = self.people[customer].profiles[-1]["attributes"].get(key) if key else None
        return ("household", household) if household else ("customer", customer)

    def household(self, customer, at):
        key = self.policy["household"]
        return self.people[customer].at(at)["attributes"].get(key) if key else None

    def answered(self, event):
        """The action that an outcome is about, if it had been sent to that customer by then."""
        line = self.actions.get(event["data"].get("action"))
        return line if line and line.customer == event["subject"] and line.at < event["at"] else None

    def unsubscribed(self, event):
        line = self.answered(event)
        return line.channel if line and self.policy["unsubscribed"] else None

    def first_of(self, line):
        """What a second try stands in for; None if it stands in for nothing."""
        event = self.events.get(line.trigger)
        first = self.actions.get(event["data"]["action"]) if event and event["type"] == FAILED else None
        return first if first and (first.customer, first.rule, first.step) == (line.customer, line.rule, line.step) else None

    def root(self, line):
        """The line whose words a line has: its own, unless it stands in for another."""
        while self.stand_ins.get(line.id):
            line = self.stand_ins[line.id]
        return line

    def refusals(self, events):
        """When each journey was refused."""
        refused = {}
        for event in events:
            if event["type"] in ("offer.declined", "offer.unsubscribed") and (line := self.answered(event)):
                root = self.root(line)
                refused.setdefault((root.customer, root.rule, root.trigger), event["at"])
        return refused

    # Each line by itself.

    def each_line(self):
        ids = set()
        for line in self.lines:
            rule = self.rules[line.rule]
            if line.spoke:
                if line.id in ids:
                    self.fault("twice", line)
                ids.add(line.id)
                self.speaks(line, rule)
            if line.step == 0 and not self.proposes(line, rule):
                self.fault("condition", line)

    def speaks(self, line, rule):
        profile = self.profile(line)
        if line.channel not in rule["channels"]:
            self.fault("channel", line)
        barred = self.barred(rule, profile, line.channel, line.at)
        if barred:
            self.fault(barred, line)
        if self.is_excluded(line.customer, profile):
            self.fault("excluded", line)
        if not self.is_scheduled(rule, line.at, profile):
            self.fault("schedule", line)
        root = self.root(line)
        if self.refused.get((root.customer, root.rule, root.trigger), line.at) < line.at:
            self.fault("refused", line)
        if rule["delay"] and line.kind != FAILED and not self.still(line):
            self.fault("still", line)
        cost = self.cost(rule, line)
        if cost != line.cost:
            self.fault("cost", line)
        if line.id in self.stand_ins:
            self.stands_in(line, self.stand_ins[line.id])

    def stands_in(self, line, first):
        """Only what failed is said again, within a day, by another channel."""
        if first is None or not first.at < self.events[line.trigger]["at"] <= line.at <= first.at + 86_400_000 \
                or line.channel in (first.channel, self.root(line).channel):
            self.fault("stand-in", line)

    def barred(self, rule, profile, channel, at):
        """Why a channel is closed to a rule, by what the customer wants and when; None if it is open."""
        consent, said = self.policy["consent"], profile["consents"]
        if rule["purpose"]:
            default = consent["purposes"].get(rule["purpose"], consent["default"])
            if not said.get(f"purpose:{rule['purpose']}", default):
                return "purpose"
        if not said.get(channel, consent["default"]):
            return "consent"
        if profile["reachable"].get(channel) is False:
            return "unreachable"
        if self.is_quiet(channel, at, profile):
            return "quiet"
        return None

    def channels(self, rule, profile):
        """The channels of a rule in the order in which they are tried."""
        order = self.policy["order"]
        channels = [channel for channel in order if channel in rule["channels"]]
        channels += [channel for channel in rule["channels"] if channel not in order]
        if self.policy["prefer_reachable"]:
            channels.sort(key=lambda channel: profile["reachable"].get(channel) is not True)
        return channels

    def is_quiet(self, channel, at, profile):
        local = self.clock.local(at, profile["zone"])
        return any((not quiet["channels"] or channel in quiet["channels"])
                   and local.weekday() in quiet["days"] and contains(quiet["hours"], local) for quiet in self.policy["quiet"])

    def is_excluded(self, customer, profile):
        return customer in self.policy["excluded"] or bool(profile["segments"] & self.policy["excluded_segments"]) \
            or any(profile["attributes"].get(name) is True for name in self.policy["excluded_attributes"])

    def still(self, line):
        """What rules with a delay ask when it is over."""
        return "silver" not in self.profile(line)["segments"]

    def is_scheduled(self, rule, at, profile):
        local = self.clock.local(at, profile["zone"])
        return (not rule["hours"] or contains(rule["hours"], local)) and (not rule["days"] or local.weekday() in rule["days"])

    def cost(self, rule, line):
        if rule["cost"] is None:
            return None
        if rule["cost"] == "amount":
            return Decimal(self.events[self.root(line).trigger]["data"]["amount"])
        return Decimal(rule["cost"])

    def holds(self, rule, event):
        """Whether a rule's condition holds for an event."""
        when, data = rule["when"], event["data"]
        return event["type"] == rule["on"] \
            and all(data.get(name) == when[name] for name in ("stage", "direction") if name in when) \
            and ("category" not in when or data["merchant"]["category"] == when["category"]) \
            and ("min" not in when or Decimal(data["amount"]) >= when["min"])

    def proposes(self, line, rule):
        """Whether a rule may speak about the trigger of a line at all."""
        kind = line.kind
        if kind == "timer.daily":
            return rule["on"] == kind
        if kind == FAILED:
            return self.first_of(line) is not None
        event = self.events.get(line.trigger)
        return event is not None and event.get("subject", line.customer) == line.customer and self.holds(rule, event)

    # Over all customers.

    def budgets(self):
        """Instant after instant: what was paid must have been there, and what was not paid must not."""
        spent = defaultdict(Decimal)
        heard = {(self.circle(line.customer), line.trigger) for line in self.lines if line.spoke}
        set_aside = Counter((line.rule, line.trigger) for line in self.lines if not line.spoke and line.verdict != "budget"
                            and (self.circle(line.customer), line.trigger) in heard)
        drawn = [line for line in self.lines if self.rules[line.rule]["budget"] and line.verdict in ("sent", "budget")
                 and line.id not in self.stand_ins]
        drawn.sort(key=lambda line: (line.at, line.order))
        for _, instant in itertools.groupby(drawn, key=lambda line: line.at):
            instant = list(instant)
            for line in instant:
                if line.verdict == "sent":
                    self.pay(line, spent)
            for line in instant:
                if line.verdict == "budget" and self.is_covered(line, spent, self.shared_out(line, set_aside)):
                    self.fault("silent without reason: budget", line)

    def accounts(self, line):
        """Which limits a line draws on: the limit's name, its account, and how much there is in all."""
        rule = self.rules[line.rule]
        merchant = self.merchant(rule, line)
        keys = {"total": (line.rule, merchant), "daily": (line.rule, merchant, self.clock.day(line.at, None))}
        return [(name, key, rule["budget"][name]) for name, key in keys.items() if rule["budget"][name] is not None]

    def pay(self, line, spent):
        for name, key, limit in self.accounts(line):
            spent[key] += line.cost or 0
            if spent[key] > limit:
                self.fault(f"budget {name}" + (" of a merchant" if key[1] else ""), line)

    def is_covered(self, line, spent, set_aside):
        cost = self.cost(self.rules[line.rule], line)
        return all(spent[key] + cost * (1 + set_aside) <= limit for _, key, limit in self.accounts(line))

    def shared_out(self, line, set_aside):
        """To how many customers of a broadcast or a day a scarce budget was shared out who then got something else instead, or
        somebody of their household did. It is shared out before anything is said, so that it goes to the same customers whatever the partitions are."""
        return set_aside[line.rule, line.trigger] if line.kind.startswith(("broadcast.", "timer.")) else 0

    def merchant(self, rule, line):
        if not rule["budget"]["per"]:
            return None
        return self.events[self.root(line).trigger]["data"]["merchant"]["id"]

    def control_group(self):
        """Nobody of the control group ever gets anything. Whoever is held out by a rule that holds nobody out is of it."""
        control = {line.customer for line in self.lines if line.verdict == "holdout" and not self.rules[line.rule]["holdout"]}
        for line in self.lines:
            if line.verdict == "sent" and line.customer in control:
                self.fault("control group", line)
        share = self.policy["control_group"]
        expected = len(self.people) * share / 100
        if share and not 0.4 * expected - 3 <= len(control) <= 1.6 * expected + 3:
            self.fault("control group size", f"{len(control)} of {len(self.people)} customers, not {share} %")
        if not share and control:
            self.fault("control group size", f"{len(control)} customers, and there is none")

    def holdouts(self):
        """Who is held out of a rule is always held out of it."""
        drawn = defaultdict(set)
        for line in self.lines:
            if line.spoke:
                drawn[line.rule, line.customer].add(line.verdict)
        for (rule, customer), verdicts in drawn.items():
            if len(verdicts) > 1:
                self.fault("holdout", f"{rule} to {customer}: now sent, now held out")

    # Silence has a line, and a line has a reason.

    def expected(self):
        """Every proposal has exactly one line of its entry."""
        entries = defaultdict(int)
        for line in self.lines:
            event = self.events.get(line.trigger)
            if line.step == 0 and event and line.at == event["at"]:
                entries[line.rule, line.trigger, line.customer] += 1
        for (rule, trigger, customer), count in entries.items():
            if count > 1:
                self.fault("twice", f"{rule} on {trigger} to {customer}: {count} lines")
        by_type = defaultdict(list)
        for rule in self.spec["rules"]:
            by_type[rule["on"]].append(rule)
        for event in self.events.values():
            for rule in by_type[event["type"]]:
                if not self.holds(rule, event):
                    continue
                audience = [event["subject"]] if "subject" in event else self.people
                for customer in audience:
                    if self.is_asked(rule, customer, event["at"]) and (rule["name"], event["id"], customer) not in entries:
                        self.fault("missing", f"{rule['name']} says nothing of {event['id']} to {customer}")

    def is_asked(self, rule, customer, at):
        person = self.people[customer]
        if person.since is None or person.since > at:
            return False
        profile = person.at(at)
        in_audience = not rule["audience"] or bool(profile["segments"] & set(rule["audience"]))
        return in_audience and self.is_scheduled(rule, at, profile)
