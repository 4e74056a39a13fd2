"""The lines that `onscene replay --all` writes, and the events that it reads."""

import json
import sys
from decimal import Decimal

from people import parse_time

SPOKE = ("sent", "holdout")
FAILED = "offer.failed"


class Line:
    """One line of the output: an action, or a proposal that did not go out."""

    __slots__ = ("id", "customer", "rule", "trigger", "kind", "since", "step", "verdict", "at", "channel", "cost", "merchant",
                 "order")

    def __init__(self, order, made):
        data = made["data"]
        body, trigger = data.get("body") or {}, data["trigger"]
        self.order, self.id, self.customer = order, made["id"], sys.intern(made["subject"])
        self.rule, self.step, self.verdict = sys.intern(data["rule"]), data["step"], sys.intern(data["verdict"])
        self.trigger, self.kind, self.since = trigger["id"], sys.intern(trigger["type"]), parse_time(trigger["time"])
        self.at, self.channel = parse_time(data["decided_at"]), data.get("channel")
        self.cost = Decimal(str(body["cost"])) if "cost" in body else None
        self.merchant = body.get("merchant")

    @property
    def spoke(self):
        return self.verdict in SPOKE

    def __str__(self):
        return f"{self.rule} to {self.customer} at {self.at} ({self.verdict}, step {self.step}, on {self.trigger}, by {self.channel})"


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        for order, text in enumerate(file):
            yield Line(order, json.loads(text))


def read_events(path):
    events = []
    with open(path, encoding="utf-8") as file:
        for text in file:
            event = json.loads(text)
            event["at"] = parse_time(event["time"])
            events.append(event)
    return events
