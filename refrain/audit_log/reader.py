"""The acts of the audit log, by time, kind, caller and person.

An act names up to ``feature_repo.audit_lines.MAX_KEYS`` values of a key. Of larger training sets it has the digest of
the spine: where the set was saved, its spine says who was in it; where it was not, the act is one that may be about the
person.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.clock import parse_time
from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.security.audit import acts

READS = frozenset(
    {
        "features",
        "recommendation",
        "prediction",
        "forecast",
        "detection",
        "training set",
        "person exported",
        "consent read",
        "answer traced",
        "manipulation reviewed",
        "plausibility reviewed",
    }
)
"""Acts that read data of people."""


@dataclass(frozen=True)
class Selection:
    """Which acts are asked for.

    Attributes:
        since: the oldest moment; None for all.
        act: kind of the act; empty for all.
        caller: id of a key, subject of a token or ``os:USER``; empty for all.
        role: role under which it was done; empty for all.
    """

    since: datetime | None = None
    act: str = ""
    caller: str = ""
    role: str = ""

    def has(self, entry: dict[str, Any]) -> bool:
        """Whether an act is among them.

        >>> Selection(act="features").has({"act": "features", "at": "2026-02-01T00:00:00+00:00"})
        True
        """
        wanted = {"act": self.act, "key": self.caller, "role": self.role}
        if any(value and entry.get(name) != value for name, value in wanted.items()):
            return False
        return self.since is None or _moment(entry) >= self.since


def select(home: Home, selection: Selection) -> list[dict[str, Any]]:
    """Returns the acts of a selection, oldest first.

    >>> select(Home.from_env(), Selection(act="features"))                        # doctest: +SKIP
    """
    return sorted((entry for entry in acts(home) if _is_act(entry) and selection.has(entry)), key=_moment)


def reads_of(home: Home, person: str, key: str, selection: Selection) -> Iterator[dict[str, Any]]:
    """Yields the acts that read a person's data, oldest first.

    Acts that may be about the person, as they do not name all of their people, have ``certain`` false.

    Args:
        home: the data folder.
        person: the id.
        key: its join key.
        selection: which acts.
    """
    spines = {digest: path for path in home.training_sets.glob("*/manifest.json") if (digest := _spine_digest(path))}
    for entry in select(home, selection):
        if entry["act"] not in READS:
            continue
        keys = entry.get("keys")
        values = keys.get(key) if isinstance(keys, dict) else None
        if isinstance(values, list) and person in map(str, values):
            yield entry | {"certain": True}
        elif "spine_digest" in entry:
            manifest = spines.get(entry["spine_digest"])
            if manifest is None:
                yield entry | {"certain": False}
            elif _is_in(manifest.with_name("spine.parquet"), person, key):
                yield entry | {"certain": True}
        elif entry.get("unnamed_keys"):
            yield entry | {"certain": False}


def parse_since(text: str, now: datetime) -> datetime | None:
    """Reads a moment or an age.

    Args:
        text: ISO 8601, or days, hours or minutes such as ``7d``, ``12h`` and ``30m``; empty for None.
        now: the moment from which ages count.

    Raises:
        InputError: it is neither.

    >>> parse_since("12h", datetime(2026, 2, 1, 12)).isoformat()
    '2026-02-01T00:00:00'
    """
    if not text:
        return None
    age = re.fullmatch(r"(\d{1,5})([dhm])", text)
    if age is None:
        return parse_time(text)
    unit = {"d": "days", "h": "hours", "m": "minutes"}[age[2]]
    return now - timedelta(**{unit: int(age[1])})


def _is_act(entry: dict[str, Any]) -> bool:
    try:
        return isinstance(entry.get("act"), str) and _moment(entry).tzinfo is not None
    except (KeyError, TypeError, ValueError):
        return False


def _moment(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])


def _spine_digest(manifest: Path) -> str:
    try:
        return str(json.loads(manifest.read_text())["spine_digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _is_in(spine: Path, person: str, key: str) -> bool:
    try:
        rows = parquet_files.scan(spine).filter(pl.col(key).cast(pl.String) == person)
        return not rows.head(1).collect().is_empty()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            expected=f"the spine of a training set in {spine}",
            found=str(error).splitlines()[0],
            next_command=f"ls {spine.parent}",
        ) from error
