"""Breaks each promise on purpose in lines that kept it, and shows that the checker sees each.

Most silences are proof of a promise: turned into an action, each must be found under the name of the promise that it kept.
"""

import copy
from collections import defaultdict

import checker as checking
from circle import Circle
from lines import FAILED

# How many of each kind are broken.
EACH = 2


class Planter:
    """Plants one fault at a time."""

    def __init__(self, spec, events, lines):
        self.spec, self.events, self.lines = spec, events, lines
        self.judge = checking.Checker(spec, events, lines)
        self.found = defaultdict(int)
        self.missed = []

    def look(self, planted, expected):
        known = set(map(id, self.lines))
        touched = {line.customer for line in planted if id(line) not in known}
        kept = set(map(id, planted))
        touched |= {line.customer for line in self.lines if id(line) not in kept}
        kinds = {kind for kind, _ in checking.Checker(self.spec, self.events, planted).all(only=touched)}
        for kind in expected:
            if kind in kinds:
                self.found[kind] += 1
            else:
                self.missed.append(f"{kind} was planted, and found was {sorted(kinds) or 'nothing'}")

    def replaced(self, line, **changes):
        changed = copy.copy(line)
        for name, value in changes.items():
            setattr(changed, name, value)
        return [changed if one is line else one for one in self.lines]

    def spoken(self, line, channel):
        """The lines, if this one had been said."""
        rule = self.judge.rules[line.rule]
        merchant = self.judge.merchant(rule, line) if rule["budget"] else None
        return self.replaced(line, verdict="sent", channel=channel, cost=self.judge.cost(rule, line), merchant=merchant)

    def all(self):
        self.silences()
        self.policy_caps()
        self.others()
        return self.found, self.missed

    def some(self, holds):
        """A few lines, spread over all, for which something holds."""
        all_lines = [line for line in self.lines if holds(line)]
        return all_lines[:: max(1, len(all_lines) // EACH)][:EACH]

    def silences(self):
        """Each verdict that says no, said all the same."""
        by_verdict = {
            "cooldown": "cooldown", "cap": "cap", "still": "still", "schedule": "schedule", "excluded": "excluded",
            "unreachable": "unreachable", "quiet_hours": "quiet",
        }
        for verdict, kind in by_verdict.items():
            for line in self.some(lambda line, verdict=verdict: line.verdict == verdict):
                self.look(self.spoken(line, self.first_channel(line)), [kind])
        for line in self.some(lambda line: line.verdict == "deferred" and self.first_barred(line) == "quiet"
                              and not self.judge.rules[line.rule]["delay"] and not self.judge.rules[line.rule]["steps"]):
            self.look(self.spoken(line, self.first_channel(line)), ["quiet"])
        for kind in ("consent", "purpose"):
            for line in self.some(lambda line, kind=kind: line.verdict == "consent" and self.first_barred(line) == kind):
                self.look(self.spoken(line, self.first_channel(line)), [kind])
        self.arbitrations()
        self.overdrawn()
        self.held_out()

    def first_barred(self, line):
        return self.judge.barred(self.judge.rules[line.rule], self.judge.profile(line), self.first_channel(line), line.at)

    def first_channel(self, line):
        return self.judge.channels(self.judge.rules[line.rule], self.judge.profile(line))[0]

    def open_channel(self, line):
        rule = self.judge.rules[line.rule]
        profile = self.judge.profile(line)
        for channel in rule["channels"]:
            if self.judge.barred(rule, profile, channel, line.at) is None:
                return channel
        return self.first_channel(line)

    def arbitrations(self):
        spoken = defaultdict(list)
        for line in self.lines:
            if line.spoke and line.step == 0 and line.at == self.at_of(line):
                spoken[line.customer, line.trigger].append(line)

        def lost(line, in_group):
            if line.verdict != "arbitration" or self.judge.rules[line.rule]["delay"]:
                return False
            group = self.judge.rules[line.rule]["group"]
            winners = spoken[line.customer, line.trigger]
            same = any(group and self.judge.rules[one.rule]["group"] == group for one in winners)
            return same if in_group else not same and len(winners) == self.spec["policy"]["per_event"]

        for in_group, kind in ((True, "group"), (False, "per event")):
            for line in self.some(lambda line, in_group=in_group: lost(line, in_group)):
                self.look(self.spoken(line, self.open_channel(line)), [kind])

    def at_of(self, line):
        event = self.judge.events.get(line.trigger)
        return event["at"] if event else None

    def overdrawn(self):
        for per in (False, True):
            for name in ("total", "daily"):
                kind = f"budget {name}" + (" of a merchant" if per else "")
                for line in self.some(lambda line, name=name, per=per: line.verdict == "budget" and self.is_over(line, name, per)):
                    self.look(self.spoken(line, self.open_channel(line)), [kind])

    def is_over(self, line, name, per):
        """Whether a budget has nothing left for this line, by what was spent before."""
        rule = self.judge.rules[line.rule]
        budget = rule["budget"]
        if bool(budget["per"]) != per or budget[name] is None:
            return False
        merchant, day = self.judge.merchant(rule, line), self.judge.clock.day(line.at, None)
        paid = [one for one in self.lines if one.rule == line.rule and one.verdict == "sent" and one.at < line.at
                and one.id not in self.judge.stand_ins
                and self.judge.merchant(rule, one) == merchant
                and (name == "total" or self.judge.clock.day(one.at, None) == day)]
        return sum(one.cost for one in paid) + self.judge.cost(rule, line) > budget[name]

    def held_out(self):
        often = defaultdict(int)
        for line in self.lines:
            often[line.rule, line.customer] += line.verdict == "holdout"
        control = {line.customer for line in self.lines if line.verdict == "holdout" and not self.judge.rules[line.rule]["holdout"]}
        for line in self.some(lambda line: line.verdict == "holdout" and often[line.rule, line.customer] > 1):
            self.look(self.replaced(line, verdict="sent"), ["holdout"])
        for line in self.some(lambda line: line.verdict == "holdout" and line.customer in control):
            self.look(self.replaced(line, verdict="sent"), ["control group"])

    def policy_caps(self):
        """Each cap of the contact policy by itself: a silence that it is the reason for, said all the same."""
        wanted = {cap["name"]: [] for cap in self.spec["policy"]["caps"]}
        circles = defaultdict(list)
        for line in self.lines:
            circles[self.judge.circle(line.customer)].append(line)
        for lines in circles.values():
            circle = Watching(self.judge, lines, wanted)
            circle.walk()
        for name, places in wanted.items():
            for line, channel in places[:: max(1, len(places) // EACH)][:EACH]:
                self.look(self.spoken(line, channel), [f"policy {name}"])

    def others(self):
        sent = lambda line: line.verdict == "sent"
        at_once = lambda line: sent(line) and line.step == 0 and line.at == self.at_of(line)
        for line in self.some(sent):
            self.look([*self.lines, copy.copy(line)], ["twice"])
            self.look(self.replaced(line, channel="letter"), ["channel"])
        for line in self.some(at_once):
            self.look([one for one in self.lines if one is not line], ["missing"])
            self.look(self.replaced(line, verdict="consent", channel=None), ["silent without reason: consent"])
            if "subject" in self.judge.events[line.trigger]:
                self.look(self.replaced(line, customer=self.somebody_else(line)), ["condition"])
        failed = [event for event in self.events if event["type"] == FAILED and self.judge.answered(event)]
        for event in failed[:EACH]:
            again = copy.copy(self.judge.answered(event))
            again.at = again.since = event["at"]
            again.trigger, again.kind, again.id = event["id"], FAILED, f"{again.id}-again"
            self.look([*self.lines, again], ["stand-in"])
        for line in self.some(lambda line: sent(line) and len(self.judge.rules[line.rule]["channels"]) > 1
                              and line.channel == self.first_channel(line)):
            other = self.judge.channels(self.judge.rules[line.rule], self.judge.profile(line))[-1]
            self.look(self.replaced(line, channel=other), ["channel order"])
        for (customer, rule, trigger), at in list(self.judge.refused.items())[:EACH]:
            line = next(one for one in self.lines if one.spoke and (one.customer, one.rule, one.trigger) == (customer, rule, trigger))
            later = copy.copy(line)
            later.at, later.step, later.id = at + 1, line.step + 1, f"{line.id}-later"
            self.look([*self.lines, later], ["refused"])
        for line in self.some(lambda line: sent(line) and line.cost):
            self.look(self.replaced(line, cost=line.cost / 2), ["cost"])

    def somebody_else(self, line):
        return next(line_.customer for line_ in self.lines if line_.customer != line.customer)


class Watching(Circle):
    """Notes which silences each cap is the reason for."""

    def __init__(self, judge, lines, wanted):
        super().__init__(judge, lines)
        self.wanted = wanted

    def silent(self, line, rule, is_entry):
        if line.verdict == "policy_cap":
            profile = self.checker.profile(line)
            for channel in rule["channels"]:
                if self.checker.barred(rule, profile, channel, line.at) is None:
                    for name in self.full(line, channel):
                        self.wanted[name].append((line, channel))
        super().silent(line, rule, is_entry)
