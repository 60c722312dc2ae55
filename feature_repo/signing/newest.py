"""The newest statement seen of each thing that changes, so that an older one, validly signed, cannot replace it.

A process remembers what it verified. ``REFRAIN_SIGNING_STATE`` names a file that remembers it over restarts and between
processes; it belongs where whoever can write the data folder cannot write.
"""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

from feature_repo.signing.statement import Statement
from feature_repo.whole_files import write_whole

STATE = "REFRAIN_SIGNING_STATE"
"""Environment variable with the file that remembers."""

_newest: dict[str, str] = {}
_lock = threading.Lock()


def check_newest(statement: Statement, place: str, refuse: Callable[[str, str], Exception]) -> None:
    """Refuses a statement that is older than the newest one seen of the same thing, and remembers a newer one.

    Args:
        statement: a verified statement.
        place: the data folder that it is of.
        refuse: makes the error.

    Raises:
        Exception: that of ``refuse``.
    """
    thing = f"{place} {statement.kind} {statement.tenant} {statement.name}"
    signed_at = statement.signed_at.isoformat(timespec="microseconds")
    with _lock:
        path = os.environ.get(STATE)
        stored = _read(Path(path), refuse) if path else {}
        newest = max(_newest.get(thing, ""), stored.get(thing, ""))
        if signed_at < newest:
            raise refuse(f"nothing older than what was signed at {newest}", f"a signature of {signed_at}")
        _newest[thing] = signed_at
        if path and stored.get(thing) != signed_at:
            write_whole(Path(path), json.dumps(stored | {thing: signed_at}, indent=1) + "\n", is_secret=True)


def _read(path: Path, refuse: Callable[[str, str], Exception]) -> dict[str, str]:
    """Reads what is remembered; a damaged file is refused, for it would forget everything."""
    try:
        stored = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise refuse(f"what {STATE} remembers, in {path}", str(error)) from error
    if not isinstance(stored, dict) or not all(isinstance(value, str) for value in stored.values()):
        raise refuse(f"what {STATE} remembers, in {path}", "another content")
    return stored
