"""The incremental batch run: raw tables to feature tables.

Every file of a feature table carries a fingerprint of what it was computed from: the bytes of the raw days in its
reach and the code. A run recomputes the files whose fingerprint no longer fits (new days, days that late events
touched, changed code), removes files that no day asks for any more, and leaves the rest. So it can be killed at any
moment and run again, and running it twice does nothing the second time.
"""

import fcntl
import hashlib
import inspect
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from transforms import feature_tables, parquet
from transforms.features import popularity, windows
from transforms.features.artist_popularity import artist_popularity
from transforms.features.platform_activity import platform_activity
from transforms.features.track_catalogue import track_catalogue
from transforms.features.track_popularity import track_popularity
from transforms.features.user_artist_affinity import user_artist_affinity
from transforms.features.user_history import user_history
from transforms.features.user_listening import user_listening
from transforms.features.user_profile import user_profile
from transforms.raw.read import plays, scan

if TYPE_CHECKING:
    from feast import FeatureView

Compute = Callable[[pl.DataFrame, Sequence[date]], pl.DataFrame]

CHUNK_MIDNIGHTS = 31
CHUNK_PLAYS = 4_000_000
"""A chunk of work ends at this many midnights or plays, whichever comes first; memory is bounded by it."""


@dataclass
class ViewReport:
    """What a run did to one table."""

    rows: int = 0
    days: int = 0
    rebuilt: list[date] = field(default_factory=list)
    removed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class RawDays:
    """The days of plays: their files, sizes and digests."""

    paths: dict[date, Path]
    rows: dict[date, int]
    digests: dict[date, str]

    @classmethod
    def of(cls, home: Home) -> "RawDays":
        """Look at the raw plays.

        Raises:
            StoreError: there are none, or a file is damaged.
        """
        plays(home)
        paths = {date.fromisoformat(day): path for day, path in parquet.dates(home.raw("plays")).items()}
        return cls(
            paths,
            {day: pq.read_metadata(path).num_rows for day, path in paths.items()},
            {day: parquet.digest(path) for day, path in paths.items()},
        )

    def between(self, first: date, last: date) -> list[date]:
        """Days with plays from ``first`` up to, but without, ``last``."""
        return [day for day in self.paths if first <= day < last]

    def load(self, days: Iterable[date]) -> pl.DataFrame:
        """The plays of some days."""
        paths = [self.paths[day] for day in days]
        return pl.scan_parquet(paths, hive_partitioning=False, glob=False).collect()


def build(home: Home, *, progress: Progress = silent) -> dict[str, ViewReport]:
    """Bring every feature table up to date with the raw tables.

    Args:
        home: the data folder.
        progress: told after each chunk of each view.

    Returns:
        A report per view.

    Raises:
        StoreError: there are no plays, or a raw file is damaged.
    """
    days = RawDays.of(home)
    views = feature_tables.tables()
    windowed: dict[str, Compute] = {
        "user_listening": user_listening,
        "track_popularity": track_popularity,
        "artist_popularity": artist_popularity,
        "user_artist_affinity": user_artist_affinity,
        "platform_activity": partial(platform_activity, tenant=home.tenant),
    }
    changing = {"user_profile": ("users", user_profile), "track_catalogue": ("tracks", track_catalogue)}
    steps = len(windowed) + len(changing) + 1
    reports: dict[str, ViewReport] = {}
    with _lock(home):
        for step, (name, compute) in enumerate(windowed.items()):
            tell = _nested(progress, step, steps, name)
            reports[name] = _windowed(home, views[name], days, compute, tell)
        tell = _nested(progress, len(windowed), steps, "user_history")
        reports["user_history"] = _lifetime(home, views["user_history"], days, user_history, tell)
        for step, (name, (table, function)) in enumerate(changing.items(), start=len(windowed) + 1):
            reports[name] = _changing(home, views[name], table, function)
            progress(step + 1, steps, name)
        for view in views.values():
            feature_tables.write_empty(home, view)
    return reports


def _windowed(home: Home, view: "FeatureView", days: RawDays, compute: Compute, tell: Progress) -> ViewReport:
    """A view of trailing windows: a midnight depends on the 29 days before it (28, and the one that just left)."""
    reach = timedelta(days=windows.LONGEST + 1)
    horizon = max(days.paths) + timedelta(days=1)
    midnights = [midnight for midnight in windows.change_days(days.paths) if midnight <= horizon]
    inputs = {midnight: days.between(midnight - reach, midnight) for midnight in midnights}
    return _bring_up_to_date(home, view, days, inputs, compute, tell)


def _lifetime(home: Home, view: "FeatureView", days: RawDays, compute: Compute, tell: Progress) -> ViewReport:
    """A view of everything since the beginning: a midnight depends on all days before it."""
    midnights = [day + timedelta(days=1) for day in days.paths]
    inputs = {midnight: days.between(date.min, midnight) for midnight in midnights}
    return _bring_up_to_date(home, view, days, inputs, compute, tell)


def _bring_up_to_date(
    home: Home,
    view: "FeatureView",
    days: RawDays,
    inputs: dict[date, list[date]],
    compute: Compute,
    tell: Progress,
) -> ViewReport:
    started = time.perf_counter()
    code = _code(compute)
    folder = home.features(view.name)
    present = parquet.dates(folder)
    wanted = {midnight: _fingerprint(code, days, used) for midnight, used in inputs.items()}
    orphans = [path for day, path in present.items() if date.fromisoformat(day) not in wanted]
    stale = [
        midnight
        for midnight, fingerprint in wanted.items()
        if parquet.metadata(folder / f"date={midnight}" / parquet.PART).get(feature_tables.INPUTS) != fingerprint
    ]
    done = 0
    for chunk in _chunks(stale, inputs, days):
        used = sorted({day for midnight in chunk for day in inputs[midnight]})
        rows = compute(days.load(used), chunk)
        at = pl.col("event_timestamp").dt.date()
        for midnight in chunk:
            mine = rows.filter(at == midnight)
            feature_tables.write_partition(home, view, mine, date=str(midnight), inputs=wanted[midnight])
        done += len(chunk)
        tell(done, len(stale), view.name)
    for path in orphans:
        path.unlink()
        path.parent.rmdir()
    return ViewReport(
        rows=_rows(folder),
        days=len(wanted),
        rebuilt=stale,
        removed=len(orphans),
        seconds=time.perf_counter() - started,
    )


def _chunks(stale: list[date], inputs: dict[date, list[date]], days: RawDays) -> Iterator[list[date]]:
    chunk: list[date] = []
    loaded: set[date] = set()
    for midnight in stale:
        grown = loaded | set(inputs[midnight])
        too_much = sum(days.rows[day] for day in grown) > CHUNK_PLAYS or len(chunk) >= CHUNK_MIDNIGHTS
        if chunk and (too_much or loaded.isdisjoint(inputs[midnight])):
            yield chunk
            chunk, grown = [], set(inputs[midnight])
        chunk, loaded = [*chunk, midnight], grown
    if chunk:
        yield chunk


def _changing(
    home: Home, view: "FeatureView", table: str, compute: Callable[[pl.DataFrame], pl.DataFrame]
) -> ViewReport:
    """A view of what changes slowly: one file, from one raw file."""
    started = time.perf_counter()
    source = home.raw(table) / parquet.PART
    target = home.features(view.name) / parquet.PART
    digest = parquet.digest(source) if source.is_file() else "none"
    fingerprint = hashlib.sha256(f"{_code(compute)} {digest}".encode()).hexdigest()
    report = ViewReport(days=1)
    if parquet.metadata(target).get(feature_tables.INPUTS) != fingerprint:
        rows = compute(scan(home, table).collect())
        feature_tables.write_partition(home, view, rows, date=None, inputs=fingerprint)
        report.rebuilt = [datetime.now(UTC).date()]
    report.rows, report.seconds = _rows(target.parent), time.perf_counter() - started
    return report


def _rows(folder: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in folder.rglob(parquet.PART))


def _code(compute: Callable[..., pl.DataFrame]) -> str:
    """Fingerprint of the code behind a view: its own module and those that all views share."""
    function = compute.func if isinstance(compute, partial) else compute
    modules = (sys.modules[function.__module__], windows, popularity)
    return hashlib.sha256("".join(inspect.getsource(module) for module in modules).encode()).hexdigest()


def _fingerprint(code: str, days: RawDays, used: list[date]) -> str:
    lines = [code, *(f"{day} {days.digests[day]}" for day in used)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _nested(progress: Progress, step: int, steps: int, name: str) -> Progress:
    def tell(done: float, total: float, note: str = "") -> None:
        progress(step + done / max(total, 1), steps, f"{name} {done:.0f}/{total:.0f}")

    return tell


@contextmanager
def _lock(home: Home) -> Iterator[None]:
    folder = home.ensure().root / "features"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        parquet.sweep(folder)
        yield
