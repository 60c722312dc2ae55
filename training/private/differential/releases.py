"""Releases: a noisy answer that is paid for once and kept, so that asking again costs nothing and tells nothing new.

The answer is on the disk, and its digest in the ledger, before anybody reads it. Who is killed after the payment asks
again with the same id: if no answer was kept, nobody has seen one, and noise is drawn anew for the same price.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from feature_repo import clock
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from training.private.differential.ledger import Entry, Ledger
from training.private.differential.ledger_lines import LedgerDamaged


@dataclass(frozen=True)
class Releases:
    """The releases of a data folder's tenant.

    Attributes:
        ledger: where they are paid for.
    """

    ledger: Ledger

    @classmethod
    def open(cls, home: Home) -> "Releases":
        """The releases of a data folder."""
        return cls(Ledger.open(home))

    def once(
        self,
        request: str,
        make: Callable[[], bytes],
        *,
        purpose: str,
        rho: float,
        what: str,
        failure: float = 0.0,
    ) -> bytes:
        """Returns the answer of a release; it is made and paid for by the first who asks, and kept.

        Of several at once, all get the same answer.

        Args:
            request: id of the release: what it is of, and of which days.
            make: draws the noise and returns the answer, as bytes; it must publish it nowhere else.
            purpose: whose budget is spent.
            rho: the cost.
            what: what is published, in words.
            failure: δ of a threshold.

        Raises:
            BudgetSpent: the budget does not have so much.
            InputError: the id was that of another release.
            LedgerDamaged: the answer was changed or is gone; it is never made anew.

        >>> Releases.open(home).once("plays 2026-11-29", make, purpose="analytics", rho=0.001,      # doctest: +SKIP
        ...                          what="plays by country")
        """
        self.ledger.spend(purpose, rho, what, request=request, failure=failure)
        kept = self.kept(request)
        if kept is not None:
            return kept
        answer = make()
        file = self.ledger.file
        with file.locked():
            entries = file.read()
            if answer_of(entries, request) is None:
                write_whole(self.path(request), answer, is_secret=True)
                digest = hashlib.sha256(answer).hexdigest()
                at = clock.now().astimezone(UTC).isoformat()
                file.append(entries, {"at": at, "kind": "answer", "request": request, "sha256": digest})
                return answer
        return self._read(request, entries)

    def kept(self, request: str) -> bytes | None:
        """Returns the answer of a release; None if it was not made.

        Raises:
            LedgerDamaged: the answer was changed or is gone.
        """
        entries = self.ledger.entries()
        return None if answer_of(entries, request) is None else self._read(request, entries)

    def of(self, prefix: str) -> list[bytes]:
        """Returns the answers of all releases whose ids begin alike, in the order in which they were made.

        Raises:
            LedgerDamaged: an answer was changed or is gone.
        """
        entries = self.ledger.entries()
        requests = [entry["request"] for entry in entries if entry["kind"] == "answer"]
        return [self._read(request, entries) for request in requests if request.startswith(prefix)]

    def path(self, request: str) -> Path:
        """The file of an answer."""
        name = hashlib.sha256(request.encode()).hexdigest()[:32]
        return self.ledger.home.privacy / "answers" / name

    def _read(self, request: str, entries: list[Entry]) -> bytes:
        path = self.path(request)
        line = answer_of(entries, request)
        try:
            answer = path.read_bytes()
        except FileNotFoundError:
            answer = b""
        if line is None or hashlib.sha256(answer).hexdigest() != line["sha256"]:
            raise LedgerDamaged(
                expected=f"the answer of the release {request!r} in {path}, as it was kept",
                found="a changed one" if answer else "none",
                next_command="restore it from a backup, or publish with an id of its own, which costs again",
            )
        return answer


def answer_of(entries: list[Entry], request: str) -> Entry | None:
    """Returns the line of a release's answer; None if it was not made."""
    return next((entry for entry in entries if entry["kind"] == "answer" and entry["request"] == request), None)
