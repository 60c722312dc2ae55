"""Materializes feature values to the online store, and erases them."""

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
from feature_repo.contract import contract_of
from feature_repo.days import files_in
from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.erase import erase_entity, erase_view
from feature_repo.packed.freshness import freshness
from feature_repo.packed.server import WRITE_TIMEOUT, Server, open_server, raise_errors, retry

if TYPE_CHECKING:
    from feast import FeatureStore

DEFINITION = "definition"
"""Field of a view's status in Redis: the fingerprint of the windowed table whose values are online."""

LONGEST_REST = timedelta(hours=1)
"""Maximum age of an interrupted run that is continued. An older one restarts, because its moment is out of date."""


def newest_feature(home: Home) -> datetime:
    """Returns the newest event time of all feature tables.

    Raises:
        StoreError: there are no feature tables.
    """
    import polars as pl

    schema = {"event_timestamp": pl.Datetime("us", "UTC")}
    rows = parquet_files.scan(_tables_with_rows(home), schema=schema, extra_columns="ignore")
    newest: datetime = rows.select(pl.col("event_timestamp").max()).collect().item()
    return newest


def _tables_with_rows(home: Home) -> list[Path]:
    """Lists the non-empty files of feature tables.

    Raises:
        StoreError: there are none.
    """

    files = _feature_files(home)
    with_rows = [file for file in files if parquet_files.metadata(file).num_rows]
    if not with_rows:
        raise StoreError(
            expected=f"feature tables in {home.root / 'features'}",
            found="none",
            next_command="refrain build",
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
    """Writes the newest value at or before ``until`` of every feature to the online store.

    Newer online values are kept. The next run with the same ``until`` and the same tables continues an interrupted one:
    it skips the views that were finished.

    Args:
        home: the data folder.
        until: moment of the values; now if None or in the future.
        say: callback for messages: the result of each view, and a summary.
        now: current time; ``clock.now()`` if None.
        anew: whether to erase all online values of each view before it is written, and values of views that are not in
            the registry. Lookups find nothing meanwhile.

    Returns:
        The moment of the values.

    Raises:
        InputError: the moment is before ``clock.BEGINNING``.
        StoreError: there are no tables, or they are damaged.
        OnlineUnavailable: the online store does not accept the rows.
    """
    from feature_repo.registered_views import views_of
    from feature_repo.store import open_store
    from feature_repo.stores.source_files import is_feature_table

    now = now or clock.now()
    advice = "refrain materialize 2026-03-02T00:00:00"
    moment = clock.not_before_beginning(min(until or now, now), "the moment of the values", next_command=advice)
    try:
        store = open_store(home)
    except StoreError:
        contract = contract_of(home)
        if len(contract.views) == len(contract.feature_tables):  # plain views have rows without any build
            _tables_with_rows(home)
        raise
    views = views_of(store)
    if all(is_feature_table(view) for view in views):
        _tables_with_rows(home)
    if until is None and (hint := clock.hint(home)):
        say(hint)
    names = sorted(view.name for view in views if view.online)
    windowed = contract_of(home).windowed
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    run = f"{moment.isoformat() if until else 'now'} {anew} {_tables(home, store)}"
    journal = _Journal(server, store.project, run, moment)
    done, until = journal.read()
    if anew and not done:
        _erase_unknown(server, store.project, {view.name for view in views})
    if done:
        say(f"continuing an interrupted run: {len(done)} of {len(names)} views are done")
    for number, name in enumerate(names, start=1):
        if name in done:
            continue
        definition = windowed[name].fingerprint if name in windowed else ""
        has_changed = _definition(server, store.project, name) not in ("", definition)
        if anew or has_changed:  # a row of another definition may be newer than every row of this one
            erase_view(server, store.project, name)
        started_s, rows_before = time.monotonic(), _rows_written(server, store.project, name)
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):  # hides Feast's progress bars
            store.materialize(start_date=clock.BEGINNING, end_date=until, feature_views=[name])
        rows = _rows_written(server, store.project, name) - rows_before
        if definition and rows:
            _set_definition(server, store.project, name, definition)
        journal.add(name)
        remark = "; its definition has changed, so all its values were replaced" if has_changed else ""
        say(f"{number:3} of {len(names)}  {name}: {rows:,} rows in {time.monotonic() - started_s:.1f} s{remark}")
    journal.close()
    say(f"online as of {until:%Y-%m-%d %H:%M:%S} UTC: {len(names)} views")
    return until


def _erase_unknown(server: Server, project: str, known_views: set[str]) -> None:
    """Erases the values of views that are not in the registry."""
    pattern = entity_key.prefix(project, "").split(b":")[0] + b":*{*"
    views = {entity_key.view_of(name) for names in server.scan(pattern) for name in names}
    for view in views - known_views:
        erase_view(server, project, view)


def _definition(server: Server, project: str, view: str) -> str:
    """Returns the fingerprint of the definition whose values of a view are online; empty if it is unknown."""
    key = entity_key.status(project, view)
    content = retry(server, lambda: raise_errors(server.send([("HGET", key, DEFINITION)], [key]))[0], tries=2)
    return content.decode() if content else ""


def _set_definition(server: Server, project: str, view: str, fingerprint: str) -> None:
    key = entity_key.status(project, view)
    retry(server, lambda: raise_errors(server.send([("HSET", key, DEFINITION, fingerprint)], [key])), tries=2)


def _rows_written(server: Server, project: str, view: str) -> int:
    return freshness(server, project, [view])[0].rows_written


def _tables(home: Home, store: "FeatureStore") -> str:
    """Computes a digest of the paths, sizes and modification times of the files behind all views."""
    from feature_repo.registered_views import views_of
    from feature_repo.stores.source_files import files_at, is_feature_table, path_of

    files = set(_feature_files(home))
    for view in views_of(store):
        path = path_of(view, store.config)
        files |= set(files_at(path, is_table=is_feature_table(view))) if path else set()
    states = [(str(file), stat.st_size, stat.st_mtime_ns) for file in sorted(files) for stat in [file.stat()]]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


class _Journal:
    """Journal of the views that an unfinished run has written. It is kept in the online store, to share its fate."""

    def __init__(self, server: Server, project: str, run: str, until: datetime) -> None:
        self._server, self._key, self._run, self._until = server, entity_key.journal(project), run, until
        self._done: list[str] = []

    def read(self) -> tuple[list[str], datetime]:
        """Returns the finished views and the moment of the values, both of the interrupted run if there is one."""
        content = self._send("GET", self._key)
        entry = json.loads(content) if content else {}
        if entry.get("run") == self._run:
            earlier_moment = clock.parse_time(entry["until"])
            if timedelta() <= self._until - earlier_moment <= LONGEST_REST:
                self._done, self._until = entry["done"], earlier_moment
        return list(self._done), self._until

    def add(self, view: str) -> None:
        self._done.append(view)
        entry = {"run": self._run, "until": self._until.isoformat(), "done": self._done}
        self._send("SET", self._key, json.dumps(entry))

    def close(self) -> None:
        self._send("DEL", self._key)

    def _send(self, *command: Any) -> Any:
        return retry(self._server, lambda: self._server.send([command], [self._key])[0], tries=2)


def forget(home: Home, join_key: str, value: Any) -> int:
    """Erases every row of one entity from the online store, including rows of pairs with this entity.

    The feature tables are unchanged, so a later materialize writes the rows again.

    Returns:
        Number of erased rows.

    Raises:
        InputError: no view has this join key, or the value cannot be converted to its type.
        OnlineUnavailable: the online store does not answer.
    """
    from feature_repo.registered_views import views_of
    from feature_repo.store import open_store
    from feature_repo.stores.protobuf import key_types

    store = open_store(home)
    views = {view.name: key_types(view) for view in views_of(store)}
    join_keys = sorted({key for keys in views.values() for key in keys})
    if join_key not in join_keys:
        raise InputError(
            expected=f"a join key, one of {join_keys}",
            found=repr(join_key),
            next_command=f"refrain forget {join_keys[0]} VALUE",
        )
    server = open_server(home, store.config.online_store.address(), WRITE_TIMEOUT)
    journal = entity_key.journal(store.project)  # an interrupted run must write its views again
    retry(server, lambda: server.send([("DEL", journal)], [journal])[0], tries=2)
    return erase_entity(server, store.project, views, join_key, value)
