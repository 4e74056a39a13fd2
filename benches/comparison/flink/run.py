#!/usr/bin/env python3
"""Flink and Onscene at the same work, in turns: the same events, customers, rules and daily caps, in process.

    python3 benches/comparison/flink/run.py                  # everything; about twenty minutes
    python3 benches/comparison/flink/run.py --quick          # a smoke run
    python3 benches/comparison/flink/run.py --rules 1000 --kind sums --form array,classes

Needs a JDK (17 or later) and fetches Flink once, from PyPI, into a cache folder. First both decide on a short stream,
and the actions of both must be the very same; then they take turns, and the median of the rounds is shown.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FLINK = "2.3.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "onscene" / "bench"
# What Flink's own start scripts open to it, as far as this job needs it.
OPENS = ["lang", "util", "time", "util.concurrent", "util.concurrent.atomic", "net", "nio"]
# Live events of one run of Flink, by rules: about ten seconds.
EVENTS = {10: 6_000_000, 1_000: 2_000_000, 10_000: 400_000}
# The first part of Flink's live events, in which the JIT compiles, does not count.
WARM_UP = 0.25
ENTRIES = 8
LOGGING = """rootLogger.level = ERROR
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %m%n
"""


def tool(name):
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / name)) if home else shutil.which(name)
    if not found:
        sys.exit(f"{name} was not found: install a JDK, 17 or later, or set JAVA_HOME")
    return found


def run(*command, **more):
    return subprocess.run([str(part) for part in command], check=True, text=True, **more)


def jars():
    """Flink's jars, fetched once."""
    venv = CACHE / f"flink-{FLINK}"
    found = lambda: sorted(venv.glob("lib/*/site-packages/pyflink/lib"))
    if not found():
        print(f"Fetching Flink {FLINK} from PyPI into {venv}", file=sys.stderr)
        run(sys.executable, "-m", "venv", venv)
        # Its jars alone: the Python side of Flink is not used.
        run(venv / "bin/pip", "install", "--quiet", "--no-deps", f"apache-flink-libraries=={FLINK}")
    return found()[0]


class Flink:
    def __init__(self, arguments):
        self.name = "Flink"
        self.arguments = arguments
        self.path = f"{jars()}/*"
        self.work = CACHE / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        (self.work / "log4j2.properties").write_text(LOGGING)
        self.classes = self.compile([HERE / "Comparison.java"], [])

    def compile(self, sources, path):
        """Compiles once what has not changed."""
        text = b"".join(source.read_bytes() for source in sources)
        out = self.work / f"classes-{hashlib.sha256(text).hexdigest()[:16]}"
        if not (out / "done").exists():
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            given = out / "sources"
            given.write_text("\n".join(str(source) for source in sources))
            path = ":".join([*map(str, path), self.path])
            run(tool("javac"), "-J-Xmx4g", "-nowarn", "-d", out, "-cp", path, f"@{given}")
            (out / "done").touch()
        return out

    def measure(self, kind, rules, form, customers, events, warm_up):
        table = self.work / f"{kind}-{rules}.table"
        generate = [sys.executable, HERE.parent / "generate.py", "--rules", rules, "--kind", kind]
        path = [self.classes]
        if form == "classes":
            java = self.work / f"{kind}-{rules}"
            run(*generate, "--java", java)
            path.append(self.compile(sorted(java.glob("*.java")), [self.classes]))
        run(*generate, "--table", table)
        opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in OPENS]
        output = run(
            tool("java"), "-Xmx6g", *opens, f"-Dlog4j2.configurationFile={self.work / 'log4j2.properties'}",
            "-cp", ":".join([*map(str, path), self.path]), "Comparison",
            form, kind, table, customers, ENTRIES, events, self.arguments.threads, warm_up,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        return json.loads(output.stdout.splitlines()[-1])


class Onscene:
    def __init__(self, arguments):
        self.arguments = arguments
        self.binary = arguments.binary or self.build()

    @staticmethod
    def build():
        print("Building benches/scale", file=sys.stderr)
        command = ["cargo", "bench", "--locked", "--no-run", "--bench", "scale", "--message-format=json"]
        messages = run(*command, cwd=ROOT, stdout=subprocess.PIPE).stdout.splitlines()
        built = [json.loads(line) for line in messages if line.startswith("{")]
        return [message["executable"] for message in built if message.get("executable")][-1]

    def measure(self, kind, rules, customers, events=None):
        length = ["--events", events] if events else ["--seconds", self.arguments.seconds]
        output = run(
            self.binary, "--json", "--kind", kind, "--rules", rules, "--customers", customers,
            "--entries", ENTRIES, "--threads", self.arguments.threads, *length,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        return json.loads(output.stdout)


def check(flink, onscene, arguments):
    """Both must decide the same: the same actions of the same rules for the same customers at the same times."""
    for kind in arguments.kind:
        for form in arguments.form:
            for rules, events in [(10, 40_000), (1_000, 20_000)]:
                theirs = flink.measure(kind, rules, form, 1_000, events, 0)
                ours = onscene.measure(kind, rules, 1_000, events)
                same = (theirs["fired"], theirs["checksum"]) == (ours["fired"], ours["checksum"])
                told = f"{kind}, {rules} rules ({form}): {theirs['fired']} and {ours['fired']} actions"
                if not same or not ours["fired"]:
                    sys.exit(f"not the same work: {told}, checksums {theirs['checksum']} and {ours['checksum']}")
                print(f"  the same decisions: {told}", file=sys.stderr)


def measure(flink, onscene, arguments):
    rows = []
    for kind in arguments.kind:
        for rules in arguments.rules:
            events = EVENTS.get(rules, min(EVENTS.values()))
            events = events // 20 if arguments.quick else events
            speeds = {name: [] for name in [*arguments.form, "onscene"]}
            for round in range(arguments.rounds):
                for form in arguments.form:
                    theirs = flink.measure(kind, rules, form, arguments.customers, events, WARM_UP)
                    speeds[form].append(theirs["events_per_second"])
                ours = onscene.measure(kind, rules, arguments.customers)
                speeds["onscene"].append(ours["events_per_second"])
                shown = ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in speeds.items())
                print(f"  round {round + 1}: {kind}, {rules} rules: {shown}", file=sys.stderr)
            rows.append((kind, rules, speeds))
    return rows


def show(values):
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}–{max(values):,.0f})"


def report(rows, arguments):
    forms = {"array": "Flink, rules as an array", "classes": "Flink, a class a rule"}
    head = ["rules", "how many", *(forms[form] for form in arguments.form), "Onscene"]
    head += [f"of {forms[form]}" for form in arguments.form]
    lines = []
    for kind, rules, speeds in rows:
        ratios = (
            statistics.median(ours / theirs for ours, theirs in zip(speeds["onscene"], speeds[form]))
            for form in arguments.form
        )
        cells = [show(speeds[name]) for name in [*arguments.form, "onscene"]]
        lines.append([kind, f"{rules:,}", *cells, *(f"{ratio:.3g}" for ratio in ratios)])
    widths = [max(len(line[at]) for line in [head, *lines]) for at in range(len(head))]
    print(f"Flink {FLINK} and Onscene, events/s; {arguments.customers:,} customers, parallelism {arguments.threads}\n")
    for line in [head, ["-" * width for width in widths], *lines]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")


def main():
    words = lambda text: text.split(",")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=lambda text: [int(n) for n in text.split(",")], default=[10, 1_000, 10_000])
    parser.add_argument("--kind", type=words, default=["sums", "ranges", "windows"])
    parser.add_argument("--form", type=words, default=["array"], help="array: one evaluator over an array of parameters; classes: a Java class a rule")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2, help="Flink's parallelism, and Onscene's threads")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of Onscene's runs")
    parser.add_argument("--binary", help="the built benches/scale, if it need not be built")
    parser.add_argument("--quick", action="store_true", help="a smoke run whose numbers mean little")
    parser.add_argument("--json", type=Path, help="also writes the results there")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.rules, arguments.customers = 1, [10, 1_000], 10_000
    tool("javac")
    flink, onscene = Flink(arguments), Onscene(arguments)
    check(flink, onscene, arguments)
    rows = measure(flink, onscene, arguments)
    report(rows, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps([dict(zip(["kind", "rules", "speeds"], row)) for row in rows]) + "\n")


if __name__ == "__main__":
    main()
