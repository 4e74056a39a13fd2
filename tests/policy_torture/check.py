#!/usr/bin/env python3
"""The policy torture test: fifty rules, many customers, sixty days, and a checker that knows nothing of the engine.

    python3 tests/policy_torture/check.py [--binary target/debug/onscene] [--customers 10000] [--days 60]

Draws a world (rules, contact policy, lists, events), has `onscene replay --all` decide about it, and goes through what came
out line by line: no cap, cooldown, quiet hour, consent, exclusion, budget, group or control group may be broken, and each
silence must have the reason that it names. Then it breaks each promise on purpose, to show that it would have been seen.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# Enough that every promise is put to the test.
PLANTED_CUSTOMERS = 24
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import checker  # noqa: E402
import lines as lines_of  # noqa: E402
import plant  # noqa: E402
import traffic  # noqa: E402
import world  # noqa: E402


def binary_of(options):
    repo = HERE.parent.parent
    target = Path(os.environ.get("CARGO_TARGET_DIR", repo / "target"))
    candidates = [Path(options.binary)] if options.binary else [target / "release" / "onscene", target / "debug" / "onscene"]
    for path in candidates:
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    sys.exit(f"no engine at {' or '.join(map(str, candidates))}: cargo build, or give its path with --binary")


def replay(binary, folder):
    """Has the engine decide."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONSCENE_")}
    out = folder / "lines.ndjson"
    with open(out, "wb") as file:
        command = [binary, "replay", "--rules", folder / "rules", "--all", folder / "events.ndjson"]
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, env=environment, cwd=folder, check=False)
    if done.returncode != 0:
        sys.exit(f"`onscene replay` failed:\n{done.stderr.decode()[-4_000:]}")
    return out


def decide(binary, folder, options, customers, days):
    """Draws a world, and has it decided about."""
    spec = world.draw(options.seed, options.rules, customers)
    world.write(folder, spec)
    events = list(traffic.Traffic(spec, options.seed, customers, days).events())
    traffic.write(folder / "events.ndjson", events)
    # What came back is about actions, so they must be known. Once it is there, others will be decided; it is for those
    # that are still the same.
    sent = [(line.at, line.customer, line.id) for line in lines_of.read_lines(replay(binary, folder)) if line.verdict == "sent"]
    traffic.write(folder / "events.ndjson", traffic.with_outcomes(events, sent, options.seed))
    del events, sent
    started = time.monotonic()
    lines = list(lines_of.read_lines(replay(binary, folder)))
    took = time.monotonic() - started
    return spec, lines_of.read_events(folder / "events.ndjson"), lines, took


def shows_that_it_can_fail(binary, folder, options):
    """Plants every kind of violation in a small world; each must be found."""
    spec, events, lines, _ = decide(binary, folder, options, PLANTED_CUSTOMERS, options.days)
    violations = checker.Checker(spec, events, lines).all()
    if violations:
        sys.exit(f"{len(violations):,} violations in the small world:\n{told(violations)}")
    found, missed = plant.Planter(spec, events, lines).all()
    never = [kind for kind in world.promises(spec) if kind not in found]
    if missed or never:
        sys.exit("\n".join(["the checker does not see everything:", *missed[:20], *(f"{kind}: never planted" for kind in never)]))
    print(f"result: policy torture: {sum(found.values())} planted violations of {len(found)} kinds, each found: "
          + ", ".join(sorted(found)))


def told(violations, most=12):
    kinds = Counter(kind for kind, _ in violations)
    shown = [f"  {kind}: {count}" for kind, count in kinds.most_common()]
    shown += [f"  {kind}: {what}" for kind, what in violations[:most]]
    return "\n".join(shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary")
    parser.add_argument("--customers", type=int, default=150)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--rules", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder to leave the files in")
    options = parser.parse_args()
    binary = binary_of(options)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        shows_that_it_can_fail(binary, folder / "small", options)
        spec, events, lines, took = decide(binary, folder, options, options.customers, options.days)
        violations = checker.Checker(spec, events, lines).all()
    verdicts = Counter(line.verdict for line in lines)
    print(f"{len(events):,} events of {options.customers:,} customers, {len(spec['rules'])} rules, {options.days} days: "
          f"{len(lines):,} proposals in {took:.1f} s")
    print("  " + ", ".join(f"{verdict} {count:,}" for verdict, count in verdicts.most_common()))
    if violations:
        sys.exit(f"{len(violations):,} violations:\n{told(violations)}")
    print(f"result: policy torture: 0 violations in {len(lines):,} proposals, {verdicts['sent']:,} sent")


if __name__ == "__main__":
    main()
