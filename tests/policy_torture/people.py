"""What is known of customers at any time, from the events alone."""

from bisect import bisect_right
from datetime import datetime
from zoneinfo import ZoneInfo

EMPTY = {"consents": {}, "reachable": {}, "segments": frozenset(), "zone": None, "attributes": {}}


def parse_time(text):
    """RFC 3339 with `Z` in milliseconds."""
    whole = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(whole.timestamp()) * 1_000 + whole.microsecond // 1_000


class Person:
    """A customer: profiles in the order of time, each valid from its time on."""

    def __init__(self):
        self.times, self.profiles = [], []

    def at(self, time):
        index = bisect_right(self.times, time)
        return self.profiles[index - 1] if index else EMPTY

    @property
    def since(self):
        return self.times[0] if self.times else None

    def change(self, time, data):
        old = self.profiles[-1] if self.profiles else EMPTY
        segments = data.get("segments", {})
        self.times.append(time)
        self.profiles.append({
            "consents": {**old["consents"], **data.get("consents", {})},
            "reachable": {**old["reachable"], **data.get("reachable", {})},
            "segments": (old["segments"] | set(segments.get("add", []))) - set(segments.get("remove", [])),
            "zone": data.get("time_zone", old["zone"]),
            "attributes": {**old["attributes"], **data.get("attributes", {})},
        })


class Clock:
    """Local times."""

    def __init__(self, default):
        self.default, self.zones = default, {}

    def local(self, time, zone):
        name = zone or self.default
        if name not in self.zones:
            self.zones[name] = ZoneInfo(name)
        return datetime.fromtimestamp(time // 1_000, self.zones[name])

    def day(self, time, zone):
        return self.local(time, zone).date()


def contains(hours, local):
    """Whether a local time lies in hours such as ("22:00", "08:00"); the end is not part."""
    at = f"{local:%H:%M}"
    start, end = hours
    if end == "24:00":
        return at >= start
    return start <= at < end if start < end else at >= start or at < end


def people_of(events, answered):
    """Everybody, by what the events say. `answered` says by which channel the action of an outcome went out."""
    people = {}
    for event in events:
        if "subject" in event:
            person = people.setdefault(event["subject"], Person())
            if event["type"] == "customer.profile":
                person.change(event["at"], event["data"])
            elif event["type"] == "offer.unsubscribed" and answered(event):
                person.change(event["at"], {"consents": {answered(event): False}})
            elif not person.times:
                person.change(event["at"], {})
    return people
