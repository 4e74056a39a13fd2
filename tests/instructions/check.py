#!/usr/bin/env python3
"""How many instructions an event takes, by callgrind: the same on a busy machine, so a regression shows in CI.

    python3 tests/instructions/check.py [--binary target/debug/onscene] [--record]

Each case is replayed twice, with a short history and a longer one; the difference is what the events between took, and
starting up is not in it. Fails if a case takes more than it did when `recorded.json` was written (`--record` does so), by
more than the allowance there. It holds for the profile of the tests: the figures are to be compared with one another, not
with a release build's.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
RECORDED = HERE / "recorded.json"
SHORT, LONG = 500, 1_500
CUSTOMERS = 50
ALLOWANCE = 0.10
SILENT = 'const RULE = #{ on: "account.movement", channels: ["push"] };\nfn when(event, customer) { event.amount > 0 }\n'
SPEAKS = 'fn action(event, customer) { #{ kind: "offer", text: #{ "en": "x" } } }\n'


def generated(kind, rules):
    def write(folder):
        command = [sys.executable, REPO / "benches/comparison/generate.py", "--kind", kind, "--rules", rules]
        subprocess.run([str(part) for part in [*command, "--rhai", folder]], check=True)

    return write


def another_type(folder):
    (folder / "silent.rhai").write_text(SILENT + SPEAKS)


def coupon(folder):
    shutil.copy(REPO / "benches/rules/coupon.rhai", folder)


# What is replayed: rules, the tender of the checkouts, and whether Rhai is asked for each condition.
CASES = {
    "no rule listens": (another_type, "other_bank", False),
    "one rule, never met": (coupon, "cash", False),
    "one rule, never met, asked in Rhai": (coupon, "cash", True),
    "one rule, always met": (coupon, "other_bank", False),
    "1,000 rules, none met": (generated("sums", 1_000), "cash", False),
}


def event(number, tender):
    """A checkout; the next one is ten seconds later."""
    seconds = number * 10
    day, clock = divmod(seconds, 86_400)
    hour, minute, second = clock // 3_600, clock // 60 % 60, clock % 60
    return json.dumps({
        "specversion": "1.0", "type": "merchant.checkout", "source": "till", "id": f"e{number}",
        "subject": f"c{number % CUSTOMERS}", "time": f"2026-03-{1 + day:02}T{hour:02}:{minute:02}:{second:02}Z",
        "data": {
            "stage": "started", "tender": tender, "amount": f"{150 + number % 100}.00", "currency": "CNY",
            "merchant": {"id": f"m{number % 7}", "name": "Noodles", "category": "dining", "partner": True},
        },
    })


def instructions(binary, folder, rules, events, is_plain):
    history = folder / "history.ndjson"
    history.write_text("\n".join(events) + "\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONSCENE_")}
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'callgrind.out'}"]
    command += [binary, "replay", "--rules", rules, *(["--plain"] if is_plain else []), history]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=folder, env=environment)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        sys.exit(f"`{' '.join(map(str, command))}` failed:\n{done.stderr[-4_000:]}")
    return int(collected[1]), len(done.stdout.splitlines())


def measure(binary):
    found = {}
    for name, (write, tender, is_plain) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            rules = folder / "rules"
            rules.mkdir()
            write(rules)
            counts = [
                instructions(binary, folder, rules, [event(n, tender) for n in range(events)], is_plain)
                for events in (SHORT, LONG)
            ]
        (short, _), (long, actions) = counts
        expected = LONG if name == "one rule, always met" else 0
        if actions != expected:
            sys.exit(f"instructions: `{name}` led to {actions} actions instead of {expected}: it measures something else")
        found[name] = round((long - short) / (LONG - SHORT))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=REPO / "target/debug/onscene")
    parser.add_argument("--record", action="store_true", help="write what was measured to recorded.json")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("SKIPPED: valgrind is not installed, so instructions were NOT counted. To count them: apt-get install valgrind")
        return
    found = measure(options.binary.resolve())
    if options.record:
        RECORDED.write_text(json.dumps(found, indent=1) + "\n")
    recorded = json.loads(RECORDED.read_text())
    ratios = {name: count / recorded[name] for name, count in found.items()}
    for name, count in found.items():
        print(f"{count:>10,} instructions an event, {ratios[name]:.3f} of what was recorded: {name}")
    worse = [name for name, ratio in ratios.items() if ratio > 1 + ALLOWANCE]
    if worse:
        sys.exit(
            f"more than {ALLOWANCE:.0%} above {RECORDED.relative_to(REPO)}: {', '.join(worse)}. Find what costs it"
            " (callgrind_annotate); if it is worth it, write the new figures with --record"
        )


if __name__ == "__main__":
    main()
