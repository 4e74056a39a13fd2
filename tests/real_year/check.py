#!/usr/bin/env python3
"""Replays the real year and compares all of it with the independent computation.

    python3 tests/real_year/check.py [--binary target/release/onscene]

Makes the events (once; kept in .tools/real-year), runs `onscene replay` on them with the rules beside
this file, says how many events a second that was, and hands the decisions to oracle.py. Exits 0 only
if no value and no decision differs.
"""

import environment

environment.enter()

import argparse  # noqa: E402  (only once the venv is entered)
import hashlib  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

HERE = environment.HERE
REPLAY_TIMEOUT_S = 600


def binary_of(options):
    target = Path(os.environ.get("CARGO_TARGET_DIR", environment.REPO / "target"))
    candidates = [Path(options.binary)] if options.binary else [
        target / "release" / "onscene", target / "debug" / "onscene"]
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    environment.fail(f"no engine at {' or '.join(map(str, candidates))}",
                     "cargo build --release, or give its path with --binary")


def selection(options):
    return ["--households", str(options.households), "--household-first", str(options.household_first)]


def events_file(options):
    """The events, made anew only when what makes them has changed."""
    made_by = b"".join(path.read_bytes() for path in (HERE / "completejourney.py", environment.REQUIREMENTS))
    name = f"events-{options.households or 'all'}-from-{options.household_first}"
    path = environment.TOOLS / f"{name}-{hashlib.sha256(made_by).hexdigest()[:12]}.ndjson"
    if not path.exists():
        for outdated in environment.TOOLS.glob(f"{name}-*.ndjson"):
            outdated.unlink()
        run([sys.executable, HERE / "completejourney.py", "events", "--out", path, *selection(options)])
    return path


def run(command, **more):
    result = subprocess.run([str(part) for part in command], **more)
    if result.returncode != 0:
        sys.exit(result.returncode if result.returncode > 0 else 1)


def replay(binary, events, actions, options):
    command = [binary, "replay", "--rules", HERE / "rules", *(["--all"] if options.all else []), events]
    print(f"replaying with {binary.name} ({binary.parent.name} build)", flush=True)
    began = time.monotonic()
    try:
        with open(actions, "wb") as output:
            run(command, stdout=output, timeout=REPLAY_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        environment.fail(f"the replay did not end within {REPLAY_TIMEOUT_S} s", "use a release build")
    took = time.monotonic() - began
    with open(events, "rb") as file:
        count = sum(1 for _ in file)
    print(f"replayed {count} events in {took:.2f} s: {count / took:.0f} events/s, "
          f"reading, deciding and writing {actions.stat().st_size / 1e6:.0f} MB of decisions", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description="Replay the real year and compare it with an independent computation.")
    parser.add_argument("--binary", metavar="PATH", help="the engine (default: the release build, else the debug build)")
    parser.add_argument("--sent-only", dest="all", action="store_false",
                        help="compare what was sent, not also the verdicts of what was suppressed")
    parser.add_argument("--households", type=int, default=0, metavar="N", help="only N households (default: all 2,469)")
    parser.add_argument("--household-first", type=int, default=1, metavar="ID", help="start at this household id")
    return parser.parse_args()


def main():
    options = arguments()
    binary = binary_of(options)
    events = events_file(options)
    actions = environment.TOOLS / f"actions-{os.getpid()}.ndjson"
    try:
        replay(binary, events, actions, options)
        run([sys.executable, HERE / "oracle.py", *(["--all"] if options.all else []), *selection(options), actions])
    finally:
        actions.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
