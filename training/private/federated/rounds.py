"""The rounds of a run that are done, on disk: a coordinator that was killed goes on with the next.

A folder a run: its terms, the sum of each round, and how often each was begun. All of it are sums and public messages.
"""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from feature_repo.encryption.stored_files import read_stored, write_stored
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.private.federated.agreement import Agreement
from training.private.federated.channel import Total
from transforms.pure import npz

FOLDER, TERMS, RESULT = "federated", "agreement.json", "result.npz"
SCOPE = "pipeline"


@dataclass(frozen=True)
class RoundTotal:
    """The sum of a round.

    Attributes:
        words: (n,) uint64.
        silos: names of the silos in it.
        dropped: names of those that are not.
    """

    words: np.ndarray
    silos: tuple[str, ...]
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, total: Total) -> "RoundTotal":
        """Copies the sum of a channel."""
        return cls(np.asarray(total.words, np.uint64), tuple(total.silos), tuple(total.dropped))


class Rounds:
    """The rounds of one run of a data folder.

    Args:
        home: the data folder of the coordinator.
        name: name of the run.

    >>> rounds = Rounds(Home.from_env(), "charts")                                   # doctest: +SKIP
    >>> rounds.read(0)                                                               # doctest: +SKIP
    """

    def __init__(self, home: Home, name: str) -> None:
        if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name.startswith("."):
            raise InputError(
                expected="a name of a run of letters, digits, - and _",
                found=repr(name[:100]),
                next_command="refrain model federate recommendation --name NAME",
            )
        self._home = home
        self.folder = home.pipeline / FOLDER / name

    def agree(self, terms: Agreement) -> Agreement:
        """The terms of the run on disk if they are these, but for their identifier; else these, for a new run.

        Raises:
            InputError: a run of this name has other terms, and is not done.
        """
        before = self.terms()
        if before is not None and _without_run(before) == _without_run(terms):
            return before
        if before is not None and not self.is_done:
            raise InputError(
                expected=f"the terms of the run {terms.name} that was begun",
                found=f"others, in {self.folder}",
                next_command="refrain model federate recommendation --name ANOTHER_NAME",
            )
        self.clear()
        write_stored(self.folder / TERMS, terms.to_bytes(), self._home, SCOPE)
        return terms

    def terms(self) -> Agreement | None:
        """The terms of the run on disk; None if there is none."""
        path = self.folder / TERMS
        return Agreement.from_bytes(read_stored(path, self._home)) if path.is_file() else None

    @property
    def is_done(self) -> bool:
        """Whether the run on disk has its result."""
        return (self.folder / RESULT).is_file()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other processes from coordinating the run meanwhile.

        Raises:
            InputError: another one does.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f".{self.folder.name}.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    expected=f"one coordinator of the run {self.folder.name}",
                    found=f"another process that coordinates it, in {self.folder}",
                    next_command="refrain model federate recommendation --name ANOTHER_NAME  (or wait for its end)",
                ) from None
            yield

    def clear(self) -> None:
        """Forgets all rounds."""
        for path in self.folder.glob("*") if self.folder.is_dir() else ():
            path.unlink()

    def attempt(self, number: int) -> int:
        """Notes that a round begins; returns how often it had begun before."""
        path = self.folder / f"attempts-{number}.json"
        before = int(json.loads(read_stored(path, self._home))) if path.is_file() else 0
        write_stored(path, json.dumps(before + 1).encode(), self._home, SCOPE)
        return before

    def read(self, number: int, question: str) -> RoundTotal | None:
        """The sum of a round that is done, None otherwise; of another question it counts as not done."""
        path = self.folder / f"round-{number}.npz"
        if not path.is_file():
            return None
        try:
            arrays: Mapping[str, np.ndarray] = npz.unpack(read_stored(path, self._home))
            if str(arrays["question"]) != question:
                return None
            silos, dropped = (tuple(map(str, arrays[name].tolist())) for name in ("silos", "dropped"))
            return RoundTotal(arrays["words"].astype(np.uint64), silos, dropped)
        except (ValueError, KeyError, EOFError, BadZipFile):  # a round that is asked again
            return None

    def write(self, number: int, question: str, total: RoundTotal) -> None:
        """Keeps the sum of a round."""
        content = npz.pack(
            {
                "words": total.words,
                "silos": np.array(total.silos, np.str_),
                "dropped": np.array(total.dropped, np.str_),
                "question": np.array(question),
            },
            compressed=False,
        )
        write_stored(self.folder / f"round-{number}.npz", content, self._home, SCOPE)

    def finish(self, result: bytes) -> Path:
        """Keeps the result of the run."""
        path = self.folder / RESULT
        write_stored(path, result, self._home, SCOPE)
        return path


def _without_run(terms: Agreement) -> dict[str, object]:
    record = json.loads(terms.to_bytes())
    record.pop("run")
    return dict(record)
