#!/usr/bin/env python3
"""Has a real engine decide about the real year on a real nats-server, then tries the same rules again on that history.

    python3 tests/real_year/live.py [--binary target/release/onscene] [--households 100]

The year is moved so that it ends now, and published as fast as the server acknowledges; the rules beside this file are
copied with `fresh: "400d"`, since most of the year is long past. When the engine has decided about everything, it is
stopped, and `onscene backtest` must find no difference: not with what was decided, on one thread or on several, nor in a
second half whose beginning is put together from checkpoints and from the log. Exits 0 only then.
"""

import environment

environment.enter()

import argparse  # noqa: E402  (only once the venv is entered)
import asyncio  # noqa: E402
import contextlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import urllib.error  # noqa: E402
import urllib.request  # noqa: E402
from pathlib import Path  # noqa: E402

import check  # noqa: E402

HERE = environment.HERE
PATIENCE_S = 60
DECIDE_TIMEOUT_S = 1_800
BACKTEST_TIMEOUT_S = 1_800
QUIET_S = 3


def until(what, look, timeout=PATIENCE_S):
    """Waits for the first true answer."""
    ends = time.monotonic() + timeout
    while time.monotonic() < ends:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    sys.exit(f"real year: {what} did not come within {timeout} s")


@contextlib.contextmanager
def process(command, **more):
    """Runs a command; whatever happens, it is gone in the end."""
    running = subprocess.Popen([str(part) for part in command], **more)
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()


def server_command(folder):
    script = environment.REPO / "deploy" / "nats-server.py"
    binary = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True).stdout.strip()
    config = folder / "nats.conf"
    config.write_text(f'host: 127.0.0.1\nport: -1\nports_file_dir: "{folder}"\njetstream {{ store_dir: "{folder}/store" }}\n')
    return [binary, "--config", config]


def server_url(folder):
    for path in folder.glob("*.ports"):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(path.read_text())["nats"][0]
    return None


def copy_rules(folder):
    rules = folder / "rules"
    shutil.copytree(HERE / "rules", rules)
    for path in rules.rglob("*.rhai"):
        text = path.read_text()
        path.write_text(text.replace("const RULE = #{\n", 'const RULE = #{\n    fresh: "400d",\n', 1))
    return rules


def page(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return ""


def address_of(log):
    found = re.search(r"http=(\S+)", re.sub(r"\x1b\[[0-9;]*m", "", log.read_text()))
    return found and found.group(1)


def wait_decided(address):
    """Until nothing is pending and nothing has been stepped for a while."""
    seen = {"steps": None, "since": time.monotonic()}

    def is_quiet():
        metrics = page(address, "/metrics")
        pending = re.search(r"^onscene_pending_events (\S+)", metrics, re.M)
        steps = re.search(r"^onscene_step_seconds_count (\S+)", metrics, re.M)
        if not pending or not steps or steps.group(1) != seen["steps"]:
            seen.update(steps=steps and steps.group(1), since=time.monotonic())
        return pending and float(pending.group(1)) == 0 and time.monotonic() - seen["since"] > QUIET_S

    until("the last decision", is_quiet, DECIDE_TIMEOUT_S)
    return seen["since"]


def decide_live(binary, folder, url, rules, options):
    """Runs the engine while the year is published; returns how long it took to decide about all of it."""
    log = folder / "log"
    command = [binary, "run", "--nats", url, "--rules", rules, "--data", folder / "data", "--http", "127.0.0.1:0"]
    often = {**os.environ, "ONSCENE_CHECKPOINTS_INTERVAL_S": "1", "ONSCENE_CHECKPOINTS_KEEP": "100"}
    with open(log, "wb") as output, process(command, cwd=folder, stderr=output, env=often) as engine:
        address = until("the engine", lambda: address_of(log))
        until("readiness", lambda: page(address, "/readyz"))
        began = time.monotonic()
        check.run([sys.executable, HERE / "completejourney.py", "publish", "--nats", url, "--shift-to-now",
                   *check.selection(options)])
        took = wait_decided(address) - began
        engine.send_signal(signal.SIGTERM)
        if engine.wait(PATIENCE_S) != 0:
            sys.exit(f"real year: the engine failed:\n{log.read_text()}")
    return took


def backtest(binary, folder, url, rules, *more):
    """What a backtest finds, and how long it took."""
    command = [binary, "backtest", "--nats", url, "--rules", rules, "--format", "json", *more]
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], cwd=folder, stdout=subprocess.PIPE, timeout=BACKTEST_TIMEOUT_S)
    if done.returncode != 0:
        sys.exit("real year: the backtest failed")
    return json.loads(done.stdout), time.monotonic() - began


def demand_equal(found, what):
    differences = found["differences"]
    if any(differences.values()) or not found["same"]:
        print(json.dumps(found["examples"][:5], indent=2))
        sys.exit(f"real year: {what}: {found['same']} decisions the same, differing {differences}, {found['causes']}")


async def stored_halfway(url):
    """When the middle one of all events was stored."""
    import nats

    client = await nats.connect(url)
    try:
        last = (await client.jetstream().stream_info("SCENE_EVENTS")).state.last_seq
        asked = json.dumps({"seq": last // 2}).encode()
        answer = await client.request("$JS.API.STREAM.MSG.GET.SCENE_EVENTS", asked, timeout=PATIENCE_S)
        return json.loads(answer.data)["message"]["time"]
    finally:
        await client.close()


def second_half(binary, folder, url, rules):
    """What was published last, begun from checkpoints and from the log alone."""
    middle = asyncio.run(stored_halfway(url))
    for data in (folder / "data", folder / "nowhere"):
        found, _ = backtest(binary, folder, url, rules, "--from", middle, "--data", data)
        if not found["events"]["before"] and data.name == "nowhere":
            sys.exit(f"real year: nothing was known before {middle}")
        print(f"from {middle}: {found['same']} decisions the same; begun with {found['start']}")
        demand_equal(found, f"the second half, {found['start']}")


def arguments():
    parser = argparse.ArgumentParser(description="Decide the real year live, then backtest it.")
    parser.add_argument("--binary", metavar="PATH", help="the engine (default: the release build, else the debug build)")
    parser.add_argument("--households", type=int, default=0, metavar="N", help="only N households (default: all 2,469)")
    parser.add_argument("--household-first", type=int, default=1, metavar="ID", help="start at this household id")
    return parser.parse_args()


def main():
    options = arguments()
    binary = check.binary_of(options).resolve()
    with tempfile.TemporaryDirectory(prefix="onscene-real-year-") as name:
        folder = Path(name)
        rules = copy_rules(folder)
        with process(server_command(folder), stderr=subprocess.DEVNULL):
            url = until("the server", lambda: server_url(folder))
            live = decide_live(binary, folder, url, rules, options)
            found, again = backtest(binary, folder, url, rules)
            demand_equal(found, "what was decided live")
            alone, _ = backtest(binary, folder, url, rules, "--threads", "1")
            if alone != found:
                sys.exit("real year: one thread finds something else than several")
            events = found["events"]["decided"]
            print(f"result: {events} events of the real year decided live in {live:.1f} s and again in {again:.1f} s, "
                  f"{live / again:.1f} times as fast; {found['same']} decisions the same, 0 differ")
            for line in found["rules"]:
                print(f"  {line['rule']}: {line['figures']['after']['sent']} sent")
            second_half(binary, folder, url, rules)


if __name__ == "__main__":
    main()
