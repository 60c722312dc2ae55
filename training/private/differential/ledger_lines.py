"""The file of a ledger: lines that are appended, chained and never changed; and the mark that says how far it was.

Each line has its number and the SHA-256 of the line before, so that a line that was changed, left out or put in is
noticed. The mark lies in another folder and names the last line: a ledger that ends before it was cut off, or is an
older copy. ``REFRAIN_PRIVACY_MARK`` names a folder for the mark on another disk; without it, whoever puts back the
whole data folder, or rewrites ledger and mark, is not noticed. Nor is who holds a copy of both and can run code.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.whole_files import append_at_once, write_whole

MARK = "REFRAIN_PRIVACY_MARK"
"""Environment variable: a folder for the mark, better not on the disk of the data folder."""


class LedgerDamaged(StoreError):
    """The ledger of privacy budgets was changed, cut off or put back: nothing is spent until that is explained."""


@dataclass(frozen=True)
class LedgerFile:
    """The lines of one tenant's ledger.

    Attributes:
        path: the file of lines.
        mark: the file that says how far it was.
        tenant: name of the tenant; it begins the chain, so that no other tenant's lines fit.
    """

    path: Path
    mark: Path
    tenant: str

    @classmethod
    def of(cls, home: Home) -> "LedgerFile":
        """The ledger of a data folder's tenant."""
        elsewhere = os.environ.get(MARK)
        mark = Path(elsewhere).expanduser().absolute() / home.privacy_mark.name if elsewhere else home.privacy_mark
        return cls(home.privacy / "ledger.jsonl", mark, home.tenant)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the ledger: of several processes and threads, one at a time reads and appends.

        The folder itself is what is locked, so that a ledger on a disk that cannot be written can be read.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read(self) -> list[dict[str, Any]]:
        """Returns the lines, oldest first, each checked against the one before, and the whole against the mark.

        A last line without its end was not finished, and counts for nothing: who wrote it was not answered.

        Raises:
            LedgerDamaged: a line was changed, or the file ends before the mark.
        """
        lines = self._complete().split(b"\n")[:-1]
        entries, before, digests = [], self._beginning(), [self._beginning()]
        for number, line in enumerate(lines, start=1):
            entry = self._entry(line, number)
            if entry.get("number") != number or entry.get("before") != before:
                raise self._damaged(f"line {number} does not continue the one before it")
            before = hashlib.sha256(line).hexdigest()
            digests.append(before)
            entries.append(entry)
        self._check_mark(digests)
        return entries

    def append(self, entries: list[dict[str, Any]], entry: dict[str, Any]) -> dict[str, Any]:
        """Appends a line; it is on the disk, and marked, when this returns. The lock is held.

        Lines that were read and not marked are marked first: there is never more than one of them.

        Args:
            entries: the lines, as ``read`` gave them.
            entry: fields of the new line.

        Raises:
            OSError: the disk is full, or a file cannot be written.
        """
        complete = self._complete()
        before = hashlib.sha256(complete[:-1].rpartition(b"\n")[2]).hexdigest() if entries else self._beginning()
        if entries:
            self._write_mark(len(entries), before)
        entry = {"number": len(entries) + 1, **entry, "before": before}
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode()
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, len(complete))
            append_at_once(handle, line + b"\n", self.path)
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync_folder(self.path.parent)
        self._write_mark(entry["number"], hashlib.sha256(line).hexdigest())
        return entry

    def _write_mark(self, lines: int, last: str) -> None:
        """Says how far the ledger is, unless that is said already."""
        content = json.dumps({"lines": lines, "last": last}).encode()
        if not self.mark.exists() or self.mark.read_bytes() != content:
            write_whole(self.mark, content, is_secret=True)

    def _complete(self) -> bytes:
        """The bytes up to the end of the last complete line."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return b""
        return content[: content.rfind(b"\n") + 1]

    def _beginning(self) -> str:
        return hashlib.sha256(f"privacy ledger of {self.tenant}".encode()).hexdigest()

    def _entry(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise self._damaged(f"line {number} is no JSON") from error
        if not isinstance(entry, dict):
            raise self._damaged(f"line {number} is no object")
        return entry

    def _check_mark(self, digests: list[str]) -> None:
        """Compares the digests of all lines, that of the beginning first, with the mark."""
        try:
            content = json.loads(self.mark.read_bytes())
            lines, last = int(content["lines"]), str(content["last"])
        except FileNotFoundError:
            if len(digests) > 2:  # a single line may have been written by one who was killed before the mark
                raise self._damaged(f"its mark {self.mark} is gone") from None
            return
        except (ValueError, TypeError, KeyError) as error:
            raise self._damaged(f"its mark {self.mark} cannot be read") from error
        if not 0 < lines < len(digests):
            raise self._damaged(f"{len(digests) - 1} lines, of which there were {lines} already: an older copy")
        if digests[lines] != last:
            raise self._damaged(f"line {lines} is not the one that was written")

    def _damaged(self, what: str) -> LedgerDamaged:
        return LedgerDamaged(
            expected=f"the ledger of privacy budgets as it was written: {self.path}",
            found=what,
            next_command="restore the newest copy of the ledger and its mark; then: refrain privacy budget log",
        )


def _sync_folder(folder: Path) -> None:
    """Puts the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
