#!/usr/bin/env python3
"""Runs the producers' examples as README shows them, and checks that JetStream stored each event.

    python3 tests/examples/run.py --nats nats://127.0.0.1:4222

The engine must have made its streams there. An example whose language is not installed is skipped, and said
so loudly; the exit code is 1 only if one that ran did not do what it should.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys

import environment

CUSTOMER = "C1"
KIND = "merchant.checkout"
NODE_MIN = 18
COMMAND_TIMEOUT_S = 60
NPM_TIMEOUT_S = 300
FILES_JS = ("package.json", "package-lock.json", ".npmrc", "producer.mjs")


class Skipped(Exception):
    """The language is not here; how to get it."""


def python_example():
    return [sys.executable, str(environment.HERE / "producer.py")], None


def version_of(command):
    """The first number a command's `--version` tells, or None if it is not there or does not run."""
    if shutil.which(command) is None:
        return None
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+", done.stdout)
    return int(found.group()) if done.returncode == 0 and found else None


def javascript_example():
    node = version_of("node")
    if node is None or node < NODE_MIN or version_of("npm") is None:
        raise Skipped(f"install Node.js {NODE_MIN} or newer with npm")
    folder = environment.TOOLS / "examples-js"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES_JS:
        shutil.copyfile(environment.HERE / name, folder / name)
    stamp = folder / "stamp"
    locked = (folder / "package-lock.json").read_text(encoding="utf-8")
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != locked:
        print("examples: fetching the JavaScript client (1 MB, once)", file=sys.stderr, flush=True)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder, capture_output=True, text=True, timeout=NPM_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Skipped(f"`npm ci` failed, make sure that npm reaches a registry:\n{done.stderr.strip()}")
        stamp.write_text(locked, encoding="utf-8")
    return ["node", "producer.mjs"], folder


def command_line_example():
    if shutil.which("nats") is None or shutil.which("uuidgen") is None:
        raise Skipped("put the nats command line tool (natscli) and uuidgen on the PATH")
    return ["sh", str(environment.HERE / "producer.sh")], None


def execute(command, folder, url):
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "NATS_URL": url}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


async def last_event(jetstream):
    """The newest event of the type: its sequence and its message; (0, None) if there is none."""
    from nats.js.errors import NotFoundError

    try:
        message = await jetstream.get_last_msg("SCENE_EVENTS", f"scene.in.*.*.{KIND}")
    except NotFoundError:
        return 0, None
    return message.seq, message


async def check(example, url):
    """Runs one example; what it printed must be the acknowledgement of an event that is stored now."""
    import nats

    command, folder = example()
    connection = await nats.connect(url)
    try:
        jetstream = connection.jetstream()
        before, _ = await last_event(jetstream)
        printed = execute(command, folder, url)
        sequence, message = await last_event(jetstream)
        assert sequence > before, f"nothing was stored; it printed:\n{printed}"
        event = json.loads(message.data)
        assert (event["type"], event["subject"]) == (KIND, CUSTOMER), event
        assert event["data"]["amount"] == "128.50", event
        assert "SCENE_EVENTS" in printed, f"no acknowledgement was printed:\n{printed}"
        assert str(sequence) in printed, f"{sequence} is not the acknowledged sequence:\n{printed}"
        return event
    finally:
        await connection.close()


def main():
    parser = argparse.ArgumentParser(description="Run the producers' examples against a running engine.")
    parser.add_argument("--nats", required=True, metavar="URL", help="where the engine's NATS is")
    arguments = parser.parse_args()
    examples = {
        "Python": python_example,
        "JavaScript": javascript_example,
        "nats": command_line_example,
    }
    failed = 0
    for name, example in examples.items():
        try:
            event = asyncio.run(check(example, arguments.nats))
            print(f"ok       {name}: event {event['id']} is stored")
        except Skipped as how:
            print(f"SKIPPED  {name}: THIS EXAMPLE WAS NOT TRIED. To try it: {how}")
        except (AssertionError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAILED   {name}: {error}")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    environment.enter()
    sys.exit(main())
