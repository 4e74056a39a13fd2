#!/usr/bin/env python3
"""Writes the rules of the comparison: the same ones as Rhai files, as a table, and as Java classes.

    generate.py --rules 1000 --kind sums --rhai FOLDER --table FILE --java FOLDER

Kinds:
  sums     five conjuncts: three equalities, an amount, and what was spent in one category in 30 days
  ranges   two ranges, of an amount and of a balance: nothing to look up by equality, and no state but the cap
  windows  as sums, but the sum is any of 500: 20 categories in 25 lengths, and not of the event's own category

Every rule may act once a day for a customer. How narrow the conditions are depends on how many rules there are, so that
about one event in ten to one in fifty is answered however many there are: what is compared is the cost of rules that exist.
"""

import argparse
import json
import math
import random
import shutil
from pathlib import Path

CATEGORIES = 20
TENDERS = 3
DAYS = 30
# Window lengths of the kind `windows`, in days.
LENGTHS = [2 + 2 * n for n in range(25)]
# A movement's amount and balance are below this.
RANGE = 1_000_000
# From how many rules on, what must have been spent: from, to.
SPENT = {
    "sums": [(0, 1, 500), (300, 1_500, 3_500), (3_000, 2_500, 6_000)],
    "windows": [(0, 1, 1_500), (300, 3_000, 6_000), (3_000, 5_000, 9_000)],
}
CLASSES_IN_A_FILE = 250
FIELDS = ["tender", "category", "days", "amount", "amount_below", "balance", "balance_below", "spent"]


def rule(kind, rules, number, chance):
    """The parameters of a rule; 0 for what its kind does not use."""
    if kind == "ranges":
        width = lambda: max(1, round(RANGE * math.sqrt(0.1 / rules) * chance.uniform(0.5, 1.5)))
        amount, balance = chance.randrange(RANGE), chance.randrange(RANGE)
        values = [0, 0, 0, amount, amount + width(), balance, balance + width(), 0]
    else:
        _, least, most = [row for row in SPENT[kind] if row[0] <= rules][-1]
        days = DAYS if kind == "sums" else LENGTHS[number // CATEGORIES % len(LENGTHS)]
        category = chance.randrange(CATEGORIES) if kind == "sums" else number % CATEGORIES
        spent = chance.randrange(least, most)
        values = [chance.randrange(TENDERS), category, days, chance.randrange(100, 1_500), 0, 0, 0, spent]
    return dict(zip(FIELDS, values))


def rhai(kind, number, rule):
    if kind == "ranges":
        on = "account.movement"
        condition = (
            "event.amount >= {amount} && event.amount < {amount_below}\n"
            "        && event.balance >= {balance} && event.balance < {balance_below}"
        )
    else:
        on = "merchant.checkout"
        own = '&& event.merchant.category == "c{category:02}"\n        ' if kind == "sums" else ""
        condition = (
            'event.stage == "started" && event.tender == "t{tender}" ' + own + "&& event.amount >= {amount}"
            ' && customer.spend("c{category:02}", "{days}d") >= {spent}'
        )
    return f"""const RULE = #{{ on: "{on}", channels: ["push"], cap: "1 per 1d" }};

fn when(event, customer) {{
    {condition.format(**rule)}
}}

fn action(event, customer) {{
    let value = min(event.amount * 0.1, 30);
    #{{ kind: "offer", code: "R{number}", value: value, cost: value, expires: "10m",
        text: #{{ "en": `${{money(value)}} off` }} }}
}}
"""


def java(kind, number, rule):
    if kind == "ranges":
        condition = (
            "e.amount >= {amount}0000L && e.amount < {amount_below}0000L"
            " && e.balance >= {balance}0000L && e.balance < {balance_below}0000L"
        )
    else:
        own = " && e.category == {category}" if kind == "sums" else ""
        condition = (
            "e.stage == 1 && e.tender == {tender}" + own + " && e.amount >= {amount}0000L"
            " && s.spent({category}, {days}) >= {spent}0000L"
        )
    return (
        f"    static final class R{number} extends Comparison.Rule {{\n"
        f"        boolean when(Comparison.Event e, Comparison.Sums s) {{ return {condition.format(**rule)}; }}\n"
        "    }\n"
    )


def write_java(folder, kind, rules):
    """A class for each rule, some hundred in a file, and one that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(rules), CLASSES_IN_A_FILE)
    for start in starts:
        part = list(enumerate(rules))[start : start + CLASSES_IN_A_FILE]
        body = "".join(java(kind, number, rule) for number, rule in part)
        fill = "".join(f"        rules[{number}] = new R{number}();\n" for number, _ in part)
        text = f"final class Rules{start} {{\n{body}    static void fill(Comparison.Rule[] rules) {{\n{fill}    }}\n}}\n"
        (folder / f"Rules{start}.java").write_text(text)
    fill = "".join(f"        Rules{start}.fill(rules);\n" for start in starts)
    text = (
        "final class Classes implements Comparison.Compiled {\n    public Comparison.Rule[] rules() {\n"
        f"        Comparison.Rule[] rules = new Comparison.Rule[{len(rules)}];\n{fill}        return rules;\n    }}\n}}\n"
    )
    (folder / "Classes.java").write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, required=True)
    parser.add_argument("--kind", choices=["sums", "ranges", "windows"], required=True)
    parser.add_argument("--rhai", type=Path, help="a folder of rule files, emptied first")
    parser.add_argument("--table", type=Path, help="the parameters, a rule a line")
    parser.add_argument("--json", type=Path, help="the parameters as JSON")
    parser.add_argument("--java", type=Path, help="a folder of Java files")
    arguments = parser.parse_args()
    chance = random.Random(f"{arguments.kind}-{arguments.rules}")
    rules = [rule(arguments.kind, arguments.rules, number, chance) for number in range(arguments.rules)]
    if arguments.rhai:
        shutil.rmtree(arguments.rhai, ignore_errors=True)
        for number, each in enumerate(rules):
            path = arguments.rhai / f"g{number // 500}" / f"{number:05}.rhai"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rhai(arguments.kind, number, each))
    if arguments.table:
        lines = [" ".join(str(each[field]) for field in FIELDS) for each in rules]
        arguments.table.write_text("\n".join(lines) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps({"kind": arguments.kind, "rules": rules}, indent=1) + "\n")
    if arguments.java:
        write_java(arguments.java, arguments.kind, rules)


if __name__ == "__main__":
    main()
