"""From a stranger's table to an answer: the commands of docs/podcasts.md, one after the other, on generated plays.

The table has 200,000 plays of 2,000 listeners and 300 shows in 120 days; listeners and shows differ in how often a play
is finished. Counted: the time of all commands, the commands, the files that ``refrain init`` wrote for a person to
edit, and the edits in Refrain, which is a working copy of the repository that is only imported.
"""

import argparse
import json
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.surroundings import MACHINE, judged
from feature_repo.home import REPOSITORY

PLAYS, QUICK_PLAYS = 200_000, 5_000
PAGE = REPOSITORY / "docs" / "podcasts.md"
SERVE_SECONDS = 60.0

Run = Callable[[list[str], Path], None]
"""Runs ``refrain`` with arguments in a folder; raises if it fails."""


def make_plays(path: Path, count: int, seed: int = 5) -> None:
    """Write a table of plays whose last one is an hour old."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    listener, show = rng.integers(2_000, size=count), rng.zipf(1.5, size=count) % 300
    seconds_ago = 3_600 + np.sort(rng.integers(120 * 86_400, size=count))[::-1]
    finishes = 1 / (1 + np.exp(-rng.normal(0, 1.5, 2_000)[listener] - rng.normal(0, 1, 300)[show]))
    at = (int(time.time()) - seconds_ago) * 1_000_000
    pl.DataFrame(
        {
            "listener": [f"l{number:05}" for number in listener],
            "show": [f"s{number:04}" for number in show],
            "episode": [f"e{number:06}" for number in rng.integers(9_000, size=count)],
            "seconds": rng.integers(20, 5_000, size=count),
            "finished": rng.random(count) < finishes,
            "at": pl.Series(at).cast(pl.Datetime("us", "UTC")),
        }
    ).write_parquet(path)


def lines() -> list[str]:
    """Read the commands of the page, with continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def run_refrain(words: list[str], folder: Path) -> None:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "refrain", *words]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def perform(folder: Path, count: int, run: Run = run_refrain) -> dict[str, Any]:
    """Perform the page in an empty folder.

    Args:
        folder: an empty folder.
        count: number of plays.
        run: runs all commands but the server.

    Returns:
        ``seconds`` by command, the ``answers`` of the server, and the ``project``'s folder.
    """
    make_plays(folder / "plays.parquet", count)
    here, seconds, answers, port = folder, {}, [], free_port()
    server: subprocess.Popen[bytes] | None = None
    try:
        for line in lines():
            started, (program, *words) = time.perf_counter(), shlex.split(line)
            if program == "cd":
                here = here / words[0]
            elif words[:1] == ["serve"]:
                server = start_server(here, port)
            elif program == "refrain":
                run(words, here)
            else:
                answers.append(ask(words, port))
            seconds[line] = round(time.perf_counter() - started, 2)
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        run(["redis", "stop"], here)
    return {"seconds": seconds, "answers": answers, "project": here}


def free_port() -> int:
    """Find a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start the server of a project, and wait until it is healthy."""
    command = [sys.executable, "-W", "ignore", "-m", "refrain", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + SERVE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1.0) as response:
                if response.status == 200:
                    return server
        except OSError:
            time.sleep(0.05)
    server.terminate()
    raise RuntimeError(f"no server on port {port} after {SERVE_SECONDS:g} s")


def ask(words: list[str], port: int) -> Any:
    """Send what a line with curl sends."""
    url = next(word for word in words if word.startswith("http"))
    body = words[words.index("-d") + 1].encode()
    address = re.sub(r":\d+/", f":{port}/", url, count=1)
    request = urllib.request.Request(address, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30.0) as response:
        return json.load(response)


def main() -> None:
    """Perform the page and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PLAYS:,} plays")
    count = QUICK_PLAYS if parser.parse_args().quick else PLAYS
    with tempfile.TemporaryDirectory() as folder:
        performed = perform(Path(folder), count)
        files = [path.name for path in performed["project"].iterdir() if path.is_file() and path.name[0] != "."]
    case = f"{count:,} plays"
    cases = [
        {"case": case, "metric": "seconds", "value": round(sum(performed["seconds"].values()), 1), "goal": "<= 300"},
        {"case": case, "metric": "commands", "value": len(performed["seconds"]), "goal": "<= 15"},
        {"case": case, "metric": "files to edit", "value": len(files), "goal": "<= 3"},
        {"case": case, "metric": "edits in Refrain", "value": 0, "goal": "== 0"},
    ]
    detail = performed["seconds"]
    print(json.dumps({"benchmark": "podcasts", "machine": MACHINE, "cases": judged(cases), "seconds": detail}))


if __name__ == "__main__":
    main()
