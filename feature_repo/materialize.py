"""Bring feature values online with Feast's materialize, and take them out again."""

import contextlib
import hashlib
import io
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo import clock
from feature_repo.days import files_in
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.erase import erase_entity, erase_view
from feature_repo.packed.freshness import freshness
from feature_repo.packed.server import WRITE_TIMEOUT, Server, open_server, persistent

if TYPE_CHECKING:
    from feast import FeatureStore

LONGEST_REST = timedelta(hours=1)
"""After which a stopped run is begun anew, for the moment that was now then is no longer."""


def newest_feature(home: Home) -> datetime:
    """Event time of the newest feature row of any view.

    Raises:
        StoreError: there are no feature tables.
    """
    import polars as pl

    schema = {"event_timestamp": pl.Datetime("us", "UTC")}
    rows = pl.scan_parquet(_tables_with_rows(home), glob=False, schema=schema, extra_columns="ignore")
    newest: datetime = rows.select(pl.col("event_timestamp").max()).collect().item()
    return newest


def _tables_with_rows(home: Home) -> list[Path]:
    """Files of feature tables that are not empty.

    Raises:
        StoreError: there are none.
    """
    import pyarrow.parquet as pq

    files = _feature_files(home)
    with_rows = [file for file in files if pq.read_metadata(file).num_rows]
    if not with_rows:
        raise StoreError(
            expected=f"feature tables in {home.root / 'features'}",
            found="none",
            next_command="python -m transforms build",
        )
    return with_rows


def _feature_files(home: Home) -> list[Path]:
    return [file for folder in sorted(home.root.glob(f"features/*/tenant={home.tenant}")) for file in files_in(folder)]


def materialize(
    home: Home,
    until: datetime | None,
    *,
    say: Callable[[str], None],
    now: datetime | None = None,
    anew: bool = False,
) -> datetime:
    """Write the newest value at or before ``until`` of every feature into the online store.

    What is online already and newer stays. A run that was stopped half-way is continued by the next one with the same
    ``until`` and the same tables: views that were finished are left out.

    Args:
        home: the data folder.
        until: moment of the values, now if None; one that has not come yet is now.
        say: told each view's result, and the whole.
        now: ``clock.now()`` if None.
        anew: take out what is online of each view before it is written, newer or not, and values of views that are
            gone; readers find nothing meanwhile.

    Returns:
        The moment of the values.

    Raises:
        InputError: it is a moment before there were values.
        StoreError: there are no tables, or they are damaged.
        OnlineUnavailable: the online store does not take the rows.
    """
    from feature_repo.store import open_store

    now = now or clock.now()
    advice = "python -m feature_repo materialize 2026-03-02T00:00:00"
    wanted = clock.not_before_beginning(min(until or now, now), "the moment of the values", next_command=advice)
    _tables_with_rows(home)
    if until is None and (hint := clock.hint(home)):
        say(hint)
    store = open_store(home)
    names = sorted(view.name for view in store.list_batch_feature_views())
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    run = f"{wanted.isoformat() if until else 'now'} {anew} {_tables(home, store)}"
    journal = _Journal(server, store.project, run, wanted)
    done, until = journal.read()
    if anew and not done:
        _erase_unknown(server, store.project, {*names, *(view.name for view in store.list_feature_views())})
    if done:
        say(f"going on where the last run was stopped: {len(done)} of {len(names)} views are done")
    for number, name in enumerate(names, start=1):
        if name in done:
            continue
        if anew:
            erase_view(server, store.project, name)
        started, before = time.monotonic(), _rows_written(server, store.project, name)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # Feast's own bars
            store.materialize(start_date=clock.BEGINNING, end_date=until, feature_views=[name])
        rows = _rows_written(server, store.project, name) - before
        journal.add(name)
        say(f"{number:3} of {len(names)}  {name}: {rows:,} rows in {time.monotonic() - started:.1f} s")
    journal.close()
    say(f"online as of {until:%Y-%m-%d %H:%M:%S} UTC: {len(names)} views")
    return until


def _erase_unknown(server: Server, project: str, known: set[str]) -> None:
    """Take out the values of views that the registry does not have."""
    pattern = entity_key.prefix(project, "").split(b":")[0] + b":*{*"
    views = {entity_key.view_of(name) for names in server.scan(pattern) for name in names}
    for view in views - known:
        erase_view(server, project, view)


def _rows_written(server: Server, project: str, view: str) -> int:
    return freshness(server, project, [view])[0].rows_written


def _tables(home: Home, store: "FeatureStore") -> str:
    """Digest of which files there are behind the views, and of which size and time."""
    from feature_repo.stores.source_files import files_at, is_feature_table, path_of

    files = set(_feature_files(home))
    for view in store.list_batch_feature_views():
        path = path_of(view, store.config)
        files |= set(files_at(path, is_table=is_feature_table(view))) if path else set()
    states = [(str(file), stat.st_size, stat.st_mtime_ns) for file in sorted(files) for stat in [file.stat()]]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


class _Journal:
    """Which views an unfinished run has done. It lies in the online store, so that both are lost together or not."""

    def __init__(self, server: Server, project: str, run: str, until: datetime) -> None:
        self._server, self._key, self._run, self._until = server, entity_key.journal(project), run, until
        self._done: list[str] = []

    def read(self) -> tuple[list[str], datetime]:
        """Views that are done, and the moment of the values: that of the run which is gone on with, if there is one."""
        content = self._send("GET", self._key)
        entry = json.loads(content) if content else {}
        if entry.get("run") == self._run:
            begun = clock.parse_time(entry["until"])
            if timedelta() <= self._until - begun <= LONGEST_REST:
                self._done, self._until = entry["done"], begun
        return list(self._done), self._until

    def add(self, view: str) -> None:
        self._done.append(view)
        entry = {"run": self._run, "until": self._until.isoformat(), "done": self._done}
        self._send("SET", self._key, json.dumps(entry))

    def close(self) -> None:
        self._send("DEL", self._key)

    def _send(self, *command: Any) -> Any:
        return persistent(self._server, lambda: self._server.send([command], [self._key])[0], tries=2)


def forget(home: Home, join_key: str, value: Any) -> int:
    """Take every row about one entity out of the online store, those of pairs that it is part of, too.

    The feature tables keep theirs: a later materialize brings them back.

    Returns:
        How many rows there were.

    Raises:
        InputError: no view has such a key, or the value cannot be one.
        OnlineUnavailable: the online store does not answer.
    """
    from feature_repo.store import open_store
    from feature_repo.stores.protobuf import key_types

    store = open_store(home)
    views = {view.name: key_types(view) for view in store.list_batch_feature_views()}
    known = sorted({key for keys in views.values() for key in keys})
    if join_key not in known:
        raise InputError(
            expected=f"a join key, one of {known}",
            found=repr(join_key),
            next_command=f"python -m feature_repo forget {known[0]} VALUE",
        )
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    journal = entity_key.journal(store.project)  # what a stopped run has done is no longer done
    persistent(server, lambda: server.send([("DEL", journal)], [journal])[0], tries=2)
    return erase_entity(server, store.project, views, join_key, value)
