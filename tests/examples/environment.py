"""Gives the examples' tests the packages of requirements.txt, in a venv of their own.

Called first by each script: makes `<repo>/.tools/examples-py` once, then executes the script again inside
it, so that `python3 script.py` is all that a person or a harness has to say. Only the standard library is
imported here, because nothing else is there yet.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
TOOLS = REPO / ".tools"
VENV = TOOLS / "examples-py"
REQUIREMENTS = HERE / "requirements.txt"
PYTHON_MIN = (3, 9)
INSTALL_TRIES = 3


def fail(message, mend):
    """Ends the script with what is wrong and how to mend it."""
    sys.exit(f"examples: {message}\n  to mend: {mend}")


def enter():
    """Returns at once inside the venv; otherwise makes it if needed and never returns."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return
    if sys.version_info < PYTHON_MIN:
        wanted = ".".join(map(str, PYTHON_MIN))
        fail(f"Python {sys.version.split()[0]} is too old", f"run it with Python {wanted} or newer")
    python = VENV / "bin" / "python"
    TOOLS.mkdir(parents=True, exist_ok=True)
    with open(TOOLS / "examples-py.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(python):
            build(python)
    os.execv(python, [str(python), *sys.argv])


def fingerprint():
    """Changes whenever the requirements or the Python that made the venv change."""
    pinned = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{pinned} {sys.version.split()[0]} {VENV}\n"


def is_current(python):
    stamp = VENV / "stamp"
    return python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint()


def build(python):
    print("examples: fetching nats-py and jsonschema (1 MB, once)", file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        fail(
            f"cannot make a venv: {(made.stderr or made.stdout).strip()}",
            "install Python's venv module (Debian: apt-get install python3-venv) and run it again",
        )
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]  # fmt: skip
    for attempt in range(INSTALL_TRIES):
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode == 0:
            (VENV / "stamp").write_text(fingerprint(), encoding="utf-8")
            return
        time.sleep(attempt)
    last_lines = "\n    ".join(installed.stderr.strip().splitlines()[-5:])
    fail(
        f"pip could not install {REQUIREMENTS.relative_to(REPO)}:\n    {last_lines}",
        "make sure that pip reaches a package index (`pip download --no-deps nats-py` shows it), then run it "
        f"again; `rm -r {VENV.relative_to(REPO)}` starts over",
    )
