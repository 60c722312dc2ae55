"""A trial on one machine: the people of one data folder, divided into silos, each a process of its own.

The coordinator is this process; silos reach it over HTTP, with keys that are drawn for the trial. What each process
reads is the same folder, so that it shows how a run works and what comes out, and protects nobody.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from feature_repo.command_line import PARENT
from feature_repo.signing.private_key import COMMAND, FILE, PEM, write_private_key
from feature_repo.signing.public_keys import public_key_of
from training.private.secure_aggregation.coordinator import Coordinator
from training.private.secure_aggregation.roster import Roster

LAST_LINES = 3
"""Lines of a silo's errors that are shown."""


@dataclass(frozen=True)
class Trial:
    """The parties of a trial.

    Attributes:
        coordinator: the coordinator, with its key.
        start: starts the silos, given the coordinator's address.
        wait: waits for the silos; silo → the end of what it printed as an error, for those that failed.
    """

    coordinator: Coordinator
    start: Callable[[str], None]
    wait: Callable[[float], dict[str, str]]


@contextmanager
def trial(silos: int) -> Iterator[Trial]:
    """Draws keys, writes a roster, and ends all silos afterwards.

    Args:
        silos: number of silos.
    """
    with tempfile.TemporaryDirectory(prefix="refrain-silos-") as name:
        folder = Path(name)
        identity = write_private_key(folder / "coordinator.pem")
        names = [f"silo_{number:03}" for number in range(silos)]
        keys = {silo: public_key_of(write_private_key(folder / f"{silo}.pem")) for silo in names}
        roster = Roster(public_key_of(identity), keys)
        lines = [
            f'coordinator = "{roster.coordinator}"',
            "[silos]",
            *(f'{silo} = "{key}"' for silo, key in keys.items()),
        ]
        file = folder / "silos.toml"
        file.write_text("\n".join([*lines, ""]))
        file.chmod(0o600)
        processes: dict[str, subprocess.Popen[bytes]] = {}

        def start(url: str) -> None:
            for number, silo in enumerate(names):
                environment = {key: value for key, value in os.environ.items() if key not in (PEM, COMMAND)}
                environment |= {FILE: str(folder / f"{silo}.pem"), PARENT: str(os.getpid()), "OMP_NUM_THREADS": "1"}
                words = ["federate", "join", url, "--silo", silo, "--silos", str(file), "--no-register"]
                with (folder / f"{silo}.err").open("wb") as errors:
                    processes[silo] = subprocess.Popen(
                        [sys.executable, "-m", "training", *words, "--part", f"{number + 1}/{silos}"],
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=errors,
                    )

        def wait(timeout_s: float) -> dict[str, str]:
            problems = {}
            for silo, process in processes.items():
                try:
                    code = process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    code = -1
                if code:
                    lines = (folder / f"{silo}.err").read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
                    problems[silo] = "; ".join(lines) or f"exit code {code}"
            return problems

        try:
            yield Trial(Coordinator(roster, identity), start, wait)
        finally:
            for process in processes.values():
                if process.poll() is None:
                    process.terminate()
                    process.wait()
