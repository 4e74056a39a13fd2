#!/usr/bin/env python3
"""Shows that a producer which is not ours gets exactly one action, and exactly the promised one.

    python3 tests/examples/must_show_2.py --nats URL --onscene BINARY --rules tests/examples/rules

An engine must run at that NATS with these rules. A checkout is published with nats-py to
`scene.events.merchant.checkout.C1`; its action must arrive on `scene.live.push.>` and stand in SCENE_ACTIONS,
once, with every field as promised and as `onscene schema action` says. The same event published again must
lead to nothing more.
"""

import argparse
import asyncio
import datetime
import hashlib
import json
import subprocess
import sys
import time
import uuid
from decimal import Decimal

import environment

CUSTOMER = "C1"
RULE = "win-the-payment/checkout"
SUBJECT = f"scene.events.merchant.checkout.{CUSTOMER}"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ACTION_TIMEOUT_S = 10
SILENCE_S = 2
EXPIRES = datetime.timedelta(minutes=10)


def checkout():
    """The checkout of the contract, happening now, in Shanghai."""
    zone = datetime.timezone(datetime.timedelta(hours=8))
    now = datetime.datetime.now(zone).isoformat(timespec="milliseconds")
    return {
        "specversion": "1.0", "id": f"co-{uuid.uuid4()}", "source": "till-9", "type": "merchant.checkout",
        "subject": CUSTOMER, "time": now, "traceparent": TRACE,
        "data": {
            "stage": "started", "amount": "128.50", "currency": "CNY", "tender": "other_bank",
            "merchant": {"id": "M7", "name": "Old Street Noodles", "category": "dining", "mcc": "5812",
                         "city": "Shanghai", "partner": True},
            "items": [],
        },
    }  # fmt: skip


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def decision_id(event, rule, step=0):
    """The id of the decision, computed on our own."""
    parts = [event["subject"], event["source"], event["id"], rule]
    hashed = hashlib.sha256()
    for part in (text.encode() for text in parts):
        hashed.update(len(part).to_bytes(8, "little") + part)
    hashed.update(step.to_bytes(4, "little"))
    return hashed.digest()[:16].hex()


def partition_of(token, partitions):
    """FNV-1a with 32 bits, modulo."""
    value = 0x811C9DC5
    for byte in token.encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value % partitions


def utc(moment):
    """A time as the engine writes it: UTC with milliseconds."""
    moment = moment.astimezone(datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def expected(event, sequence, generation, action, policy_time):
    """The whole CloudEvent. Only the wall clock's reading is taken over from the action, and checked apart."""
    value = Decimal("12.85")
    return {
        "specversion": "1.0",
        "id": decision_id(event, RULE),
        "source": "onscene",
        "type": "scene.action",
        "subject": CUSTOMER,
        "time": action["time"],
        "datacontenttype": "application/json",
        "expirytime": utc(policy_time + EXPIRES),
        "traceparent": TRACE,
        "data": {
            "kind": "offer",
            "channel": "push",
            "rule": RULE,
            "generation": generation,
            "variant": "default",
            "step": 0,
            "verdict": "sent",
            "trigger": {
                "id": event["id"],
                "source": event["source"],
                "type": event["type"],
                "time": utc(datetime.datetime.fromisoformat(event["time"])),
                "sequence": sequence,
            },
            "body": {
                "code": "DINE",
                "cost": str(value),
                "expires": "10m",
                "text": {"en": f"Pay with your account and save ¥{value}, within 10 minutes."},
                "value": str(value),
            },
            "decided_at": action["time"],
        },
    }


def expected_headers(action, sequence, policy_time):
    milliseconds = (policy_time - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)) // (
        datetime.timedelta(milliseconds=1)
    )
    return {
        "Onscene-Id": action["id"],
        "Onscene-Kind": "action",
        "Onscene-Customer": CUSTOMER,
        "Onscene-Rule": RULE,
        "Onscene-Action": "offer",
        "Onscene-Channel": "push",
        "Onscene-Verdict": "sent",
        "Onscene-Trigger": str(sequence),
        "Onscene-Policy-Time": str(milliseconds),
        "Onscene-Part": "0/1",
        "Onscene-Expires": action["expirytime"],
        "traceparent": TRACE,
    }


def equal(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what} differs\n  found:  {json.dumps(found, ensure_ascii=False)}\n  wanted: {json.dumps(wanted, ensure_ascii=False)}")


def answers(message, event):
    return json.loads(message.data)["data"]["trigger"]["id"] == event["id"]


async def stored_actions(jetstream, event):
    """Every action in the stream that answers the event, by whatever channel."""
    import nats

    found = []
    consumer = await jetstream.pull_subscribe("scene.actions.>", stream="SCENE_ACTIONS")
    try:
        while True:
            for message in await consumer.fetch(500, timeout=1):
                is_record = message.subject.startswith("scene.actions._record.")
                if not is_record and answers(message, event):
                    found.append(message)
    except (nats.errors.TimeoutError, asyncio.TimeoutError):
        return found
    finally:
        await consumer.unsubscribe()


async def show(url, onscene, rules):
    import jsonschema
    import nats

    schemas = {
        name: json.loads(output(onscene, "schema", "--rules", rules, name)) for name in ("event", "action")
    }
    generation = output(onscene, "check", rules).split()[-1]
    event = checkout()
    jsonschema.Draft202012Validator(schemas["event"]).validate(event)

    connection = await nats.connect(url)
    jetstream = connection.jetstream()
    live = await connection.subscribe("scene.live.push.>")
    await connection.flush()
    payload = json.dumps(event).encode()
    started = time.monotonic()
    acknowledged = await jetstream.publish(SUBJECT, payload)
    equal("the stream", acknowledged.stream, "SCENE_EVENTS")
    message = None
    while message is None or not answers(message, event):
        try:
            message = await live.next_msg(timeout=ACTION_TIMEOUT_S)
        except (nats.errors.TimeoutError, asyncio.TimeoutError):
            sys.exit(f"no action arrived within {ACTION_TIMEOUT_S} s: does an engine run there with {rules}?")
    milliseconds = (time.monotonic() - started) * 1e3
    action = json.loads(message.data)

    jsonschema.Draft202012Validator(schemas["action"]).validate(action)
    store = await jetstream.stream_info("SCENE_EVENTS")
    partitions = int(store.config.metadata["onscene.partitions"])
    partition = partition_of(CUSTOMER, partitions)
    source = await jetstream.get_msg("SCENE_EVENTS", acknowledged.seq)
    policy_time = source.time.replace(microsecond=source.time.microsecond // 1000 * 1000)
    equal("the action", action, expected(event, acknowledged.seq, generation, action, policy_time))
    equal("the live subject", message.subject, f"scene.live.push.{partition}")
    decided = datetime.datetime.fromisoformat(action["time"].replace("Z", "+00:00"))
    age = abs((datetime.datetime.now(datetime.timezone.utc) - decided).total_seconds())
    equal("the decision's time is now", age < 60, True)

    stored = await stored_actions(jetstream, event)
    equal("the number of actions in the stream", len(stored), 1)
    equal("the stored action's bytes", stored[0].data.decode(), message.data.decode())
    equal("the stored subject", stored[0].subject, f"scene.actions.push.{partition}")
    headers = {
        name: value for name, value in stored[0].headers.items() if not name.startswith("Nats-")
    }
    owner = headers.pop("Onscene-Owner", "")
    link = headers.pop("Onscene-Chain", "")
    equal("an owner is named", bool(owner), True)
    equal("the headers", headers, expected_headers(action, acknowledged.seq, policy_time))

    again = await jetstream.publish(SUBJECT, payload)
    equal("the repetition is stored anew", again.seq > acknowledged.seq, True)
    until = time.monotonic() + SILENCE_S
    while (left := until - time.monotonic()) > 0:
        try:
            extra = await live.next_msg(timeout=left)
        except (nats.errors.TimeoutError, asyncio.TimeoutError):
            break
        equal("an action for the repetition", answers(extra, event), False)
    equal("the number of actions after a repetition", len(await stored_actions(jetstream, event)), 1)
    await connection.close()
    print(
        f"ok: one action {action['id']}, as promised, {milliseconds:.1f} ms after publishing; "
        f"the repetition led to nothing within {SILENCE_S} s"
    )


def main():
    parser = argparse.ArgumentParser(description="Show Must show 2 with a producer that is not ours.")
    parser.add_argument("--nats", required=True, metavar="URL", help="where the engine's NATS is")
    parser.add_argument("--onscene", required=True, metavar="BINARY", help="the onscene binary")
    parser.add_argument("--rules", required=True, metavar="DIR", help="the rules that the engine runs with")
    arguments = parser.parse_args()
    asyncio.run(show(arguments.nats, arguments.onscene, arguments.rules))


if __name__ == "__main__":
    environment.enter()
    main()
