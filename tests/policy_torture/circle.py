"""What is held against what was said before: to a customer, and to those who share caps."""

import itertools
from collections import defaultdict

from lines import FAILED
from world import length


def period(per, day):
    """What a calendar's period is called that a day belongs to."""
    return {"day": day, "week": day.isocalendar()[:2], "month": (day.year, day.month)}[per]


class Circle:
    """Those who share caps, line after line."""

    def __init__(self, checker, lines):
        self.checker, self.policy = checker, checker.policy
        self.lines = sorted(lines, key=self.place)
        self.said = []
        self.waiting = {}
        self.per_event = defaultdict(list)

    def place(self, line):
        """The order in which things are decided at one moment: what was due, by customer and journey, then daily rules, and then
        the event's proposals by priority. What is decided about all customers at once comes in an order that only the engine
        knows: what was said comes as it was written, and silence is held against all of it."""
        rule = self.checker.rules[line.rule]
        event = self.checker.events.get(line.trigger)
        if line.kind == "timer.daily" and line.at == line.since:
            return line.at, 2, not line.spoke, line.order
        if event and line.at == event["at"]:
            if "subject" not in event:
                return line.at, 3, not line.spoke, line.order
            return line.at, 3, -rule["priority"], line.rule, line.order
        journey = self.checker.journeys.get((line.customer, line.rule, line.trigger), "")
        return line.at, 1, line.customer, journey, line.step, line.order

    def fault(self, kind, line):
        self.checker.fault(kind, line)

    def walk(self):
        for line in self.lines:
            rule = self.checker.rules[line.rule]
            is_entry = line.step == 0 and (line.customer, line.rule, line.trigger) not in self.waiting
            if line.spoke:
                self.spoke(line, rule, is_entry)
            else:
                self.silent(line, rule, is_entry)
            self.note(line, rule, is_entry)

    def note(self, line, rule, is_entry):
        """Keeps who waits: from the entry on, until the last step has been looked at."""
        key = (line.customer, line.rule, line.trigger)
        if line.id in self.checker.stand_ins:
            return
        begun = line.since
        goes_on = any(begun + length(after) > line.at for after in rule["steps"][line.step + 1:])
        if line.verdict == "deferred" or (goes_on and self.has_begun(line, is_entry)):
            self.waiting.setdefault(key, line.at)
        else:
            self.waiting.pop(key, None)

    def has_begun(self, line, is_entry):
        return not is_entry or line.verdict not in ("cooldown", "cap", "arbitration")

    # What was said to a customer, and counts.

    def entries(self, line, window):
        """How often the rule began to speak to the customer within a window, or, when it is asked for the first time, waits to."""
        journey = (line.customer, line.rule, line.trigger)
        firsts = {}
        for one in self.said:
            if (one.customer, one.rule) == journey[:2] and one.id not in self.checker.stand_ins:
                firsts.setdefault((one.customer, one.rule, one.trigger), one.at)
        times = [at for other, at in firsts.items() if other != journey]
        if journey not in self.waiting:
            times += [at for other, at in self.waiting.items()
                      if other[:2] == journey[:2] and other not in firsts and not self.is_over(other, line.at)]
        return sum(1 for at in times if line.at - window < at <= line.at)

    def is_at_its_step(self, line, rule):
        """Whether it comes at the time of its step: a journey's cooldown and cap are looked at when it begins."""
        return bool(rule["steps"]) and line.at == line.since + length(rule["steps"][line.step])

    def has_spoken(self, line):
        return any((one.customer, one.rule, one.trigger) == (line.customer, line.rule, line.trigger) for one in self.said)

    def is_over(self, journey, at):
        """Whether a journey has ended because it was refused."""
        return self.checker.refused.get(journey, at) < at

    def counted(self, line, cap, channel):
        """How much of a cap of the contact policy is used up; None if it does not concern the line."""
        checker = self.checker
        fits = {"channel": lambda one: one.channel == cap["channel"], "rule": lambda one: one.rule == cap["rule"],
                "scene": lambda one: checker.rules[one.rule]["scene"] == cap["scene"]}
        if cap["channel"] not in (None, channel) or any(cap[key] and not fits[key](line) for key in ("scene", "rule")):
            return None
        if cap["household"]:
            household = checker.household(line.customer, line.at)
            if household is None:
                return None
            said = [one for one in self.said if checker.household(one.customer, one.at) == household]
        else:
            said = [one for one in self.said if one.customer == line.customer]
        said = [one for one in said if all(fits[key](one) for key in fits if cap[key])]
        if not cap["channel"]:
            # What is said again by another channel counts for that channel alone.
            if line.id in checker.stand_ins:
                return None
            said = [one for one in said if one.id not in checker.stand_ins]
        if cap["per"] in ("day", "week", "month"):
            zone = checker.profile(line)["zone"]
            name = lambda at: period(cap["per"], checker.clock.day(at, zone))
            return sum(1 for one in said if name(one.at) == name(line.at))
        return sum(1 for one in said if line.at - length(cap["per"]) < one.at <= line.at)

    def full(self, line, channel):
        """The caps of the contact policy that leave no room for one more by a channel."""
        full = []
        for cap in self.policy["caps"]:
            used = self.counted(line, cap, channel)
            if used is not None and used >= cap["count"]:
                full.append(cap["name"])
        return full

    # Spoken.

    def spoke(self, line, rule, is_entry):
        if line.id in self.checker.stand_ins:
            pass
        elif is_entry or not (self.has_spoken(line) or self.is_at_its_step(line, rule)):
            if rule["cooldown"] and self.entries(line, length(rule["cooldown"])) > 0:
                self.fault("cooldown", line)
            if rule["cap"] and self.entries(line, length(rule["cap"][1])) >= rule["cap"][0]:
                self.fault("cap", line)
        for name in self.full(line, line.channel):
            self.fault(f"policy {name}", line)
        before = [] if line.id in self.checker.stand_ins else itertools.takewhile(lambda channel: channel != line.channel, self.checker.channels(rule, self.checker.profile(line)))
        if any(self.reason(line, rule, channel) is None for channel in before):
            self.fault("channel order", line)
        event = (line.customer, line.trigger)
        if self.is_at_once(line) and line.id not in self.checker.stand_ins:
            others = self.per_event[event]
            if rule["group"] and any(self.checker.rules[one.rule]["group"] == rule["group"] for one in others):
                self.fault("group", line)
            if self.policy["per_event"] and len(others) >= self.policy["per_event"]:
                self.fault("per event", line)
            others.append(line)
        self.said.append(line)

    def is_at_once(self, line):
        event = self.checker.events.get(line.trigger)
        return bool(event) and line.at == event["at"] and line.step == 0 and line.kind != FAILED

    # Silent.

    def silent(self, line, rule, is_entry):
        if line.kind == FAILED:
            # Which channels were left is not in the line, so it cannot be said why none of them was taken.
            return
        judge = getattr(self, f"because_{line.verdict}", None)
        if judge is None:
            self.fault(f"unknown verdict {line.verdict}", line)
        elif not judge(line, rule):
            self.fault(f"silent without reason: {line.verdict}", line)
        if line.verdict == "deferred" and self.is_at_once(line):
            self.per_event[line.customer, line.trigger].append(line)

    def because_cooldown(self, line, rule):
        return rule["cooldown"] and self.entries(line, length(rule["cooldown"])) > 0

    def because_cap(self, line, rule):
        return rule["cap"] and self.entries(line, length(rule["cap"][1])) >= rule["cap"][0]

    def because_schedule(self, line, rule):
        return not self.checker.is_scheduled(rule, line.at, self.checker.profile(line))

    def because_still(self, line, rule):
        return rule["delay"] and not self.is_at_once(line) and not self.checker.still(line)

    def because_budget(self, line, rule):
        # Looked at over all customers.
        return rule["budget"] is not None

    def because_excluded(self, line, rule):
        return self.checker.is_excluded(line.customer, self.checker.profile(line))

    def because_deferred(self, line, rule):
        if self.is_at_once(line) and (rule["delay"] or rule["steps"]):
            return True
        return rule["quiet"] == "defer" and any(reason == "quiet" for reason in self.reasons(line, rule))

    def because_arbitration(self, line, rule):
        others = self.per_event[line.customer, line.trigger]
        is_full = self.policy["per_event"] and len(others) >= self.policy["per_event"]
        return is_full or (rule["group"] and any(self.checker.rules[one.rule]["group"] == rule["group"] for one in others))

    def reason(self, line, rule, channel):
        """Why a channel is closed; None if it is open."""
        profile = self.checker.profile(line)
        return self.checker.barred(rule, profile, channel, line.at) or ("caps" if self.full(line, channel) else None)

    def reasons(self, line, rule):
        return [self.reason(line, rule, channel) for channel in self.checker.channels(rule, self.checker.profile(line))]

    def closed(self, line, rule, *reasons):
        """Whether every channel is closed, none of them only for now, and the first for one of these reasons."""
        found = self.reasons(line, rule)
        return None not in found and found[0] in reasons and not (rule["quiet"] == "defer" and "quiet" in found)

    def because_consent(self, line, rule):
        return self.closed(line, rule, "consent", "purpose")

    def because_unreachable(self, line, rule):
        return self.closed(line, rule, "unreachable")

    def because_quiet_hours(self, line, rule):
        return self.closed(line, rule, "quiet")

    def because_policy_cap(self, line, rule):
        return self.closed(line, rule, "caps")
