"""Training sets: for every row of a spine, the value of each feature at that row's time.

A spine is a table with the join keys of the feature service, ``event_timestamp``, and any other columns
(labels, weights). All of them are in the result, in their order. Times without a zone are UTC.

Nothing is read before it is requested, and neither the spine nor the result must fit the memory: ``batches`` and
``to_parquet`` stream a set that lies in files.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from feature_repo.access.sight import REASON
from feature_repo.command_line import Progress, silent
from feature_repo.compile_manifest import resolve_service
from feature_repo.contract import contract_of
from feature_repo.encryption import parquet_files
from feature_repo.errors import AccessError, InputError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service
from feature_repo.registered_views import view_named
from feature_repo.store import open_store
from feature_repo.stores.parquet_files import write_tables
from feature_repo.version import version
from training.datasets import croissant
from training.datasets.access import SetAccess
from training.datasets.audit import write_pull
from training.datasets.consent import Permission
from training.datasets.digests import DIGEST_ROWS, TableDigest, digest
from training.datasets.history import kept_history
from training.datasets.read_spine import TIME
from training.datasets.retrieval import (
    CHUNK_ROWS,
    check_files,
    embedded_store_job,
    from_any_store,
    snapshot,
    with_on_demand,
)
from training.datasets.spine import SpineTable
from transforms.feature_types import feature_type

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from feast import FeatureStore

    from feature_repo.stores.spine import Spine

_FILES = ("manifest.json", "spine.parquet", "data.parquet")


class TrainingSet:
    """The spine with its features, pulled on first use, and a manifest with which the pull can be repeated.

    >>> pulled = training_set("listener_v1", spine)                                     # doctest: +SKIP
    >>> pulled                                                                          # doctest: +SKIP
    TrainingSet(listener_v1: 3 rows, not pulled yet; 2 features: user_history__plays, user_history__skips)
    >>> pulled.head(2), pulled.to_polars(), pulled.to_pandas(), pulled.to_arrow()       # doctest: +SKIP
    >>> pulled.spine, pulled.data, pulled.manifest["digest"]                            # doctest: +SKIP
    """

    def __init__(
        self,
        store: "FeatureStore",
        service: Service,
        spine: SpineTable,
        home: Home,
        as_known: bool,
        permission: Permission,
        access: SetAccess | None = None,
    ) -> None:
        self._store, self._service, self._home = store, service, home
        self._spine, self._as_known, self._permission, self._access = spine, as_known, permission, access
        self._sources: dict[str, str] | None = None
        self._digest: str | None = None
        self._data: pl.DataFrame | None = None
        self._job = embedded_store_job(store, service, spine, as_known)

    def __repr__(self) -> str:
        rows = self._spine.height()
        state = "not pulled yet" if self._data is None else "pulled"
        counted = "1 row" if rows == 1 else f"{rows:,} rows"
        return f"TrainingSet({self._service.name}: {counted}, {state}; {self._service.brief()})"

    @property
    def spine(self) -> pl.DataFrame:
        """The spine in memory, keys in their declared types and times in UTC."""
        return self._spine.collect()

    @property
    def data(self) -> pl.DataFrame:
        """Spine columns, then ``view__feature`` columns in the service's order; pulled once and kept."""
        if self._data is None:
            self._data = pl.concat(self._pull())
        return self._data

    def head(self, count: int = 5) -> pl.DataFrame:
        """Returns the first rows of the set; joins only these unless the whole set was pulled already.

        >>> training_set("listener_v1", spine).head(2)                                  # doctest: +SKIP
        """
        if self._data is not None:
            return self._data.head(count)
        first = self._spine.head(max(count, 0))
        return TrainingSet(
            self._store, self._service, first, self._home, self._as_known, self._permission, self._access
        ).data

    def to_polars(self) -> pl.DataFrame:
        """Returns the set as a polars frame in memory."""
        return self.data

    def to_pandas(self) -> "pd.DataFrame":
        """Returns the set as a pandas frame in memory: NaN for missing numbers, NaT for times, None for the rest."""
        return self.data.to_pandas()

    def to_arrow(self) -> "pa.Table":
        """Returns the set as an Arrow table in memory."""
        return self.data.to_arrow()

    def batches(self, rows: int = CHUNK_ROWS, progress: Progress = silent) -> Iterator[pl.DataFrame]:
        """Yields the set in batches; at least one, and the last may be shorter.

        Args:
            rows: rows of a batch. The offline store's memory limit decides how much is joined at once.
            progress: callback for the number of joined rows.

        >>> for batch in training_set("listener_v1", spine).batches(10_000):            # doctest: +SKIP
        ...     model.partial_fit(batch)
        """
        yield from rebatched(self._pull(progress) if self._data is None else [self._data], rows)

    def to_parquet(self, path: str | Path, progress: Progress = silent) -> Path:
        """Streams the set into one Parquet file, which appears under its name when it is complete.

        >>> training_set("listener_v1", "spine.parquet").to_parquet("set.parquet")      # doctest: +SKIP
        """
        target, total = Path(path), TableDigest()

        def tables() -> "Iterator[pa.Table]":
            for batch in self.batches(DIGEST_ROWS, progress):
                total.update(batch)
                yield batch.to_arrow(compat_level=pl.CompatLevel.oldest())

        write_tables(tables(), target, compression_level=1)
        self._digest = total.hexdigest()
        return target

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Sources of the pull: service and its fingerprint, digests of spine, feature files and result, and Refrain.

        Where rows need the consent of people, or are of people whose data may not be used, ``purposes`` are those that
        need it, and ``left_out`` is the number of rows that are not in the set, by reason.
        """
        if self._digest is None:
            self._digest = digest(self.batches(DIGEST_ROWS))
        rows, cutoff = self._spine.extent()
        return {
            "feature_service": self._service.name,
            "fingerprint": self._service.fingerprint,
            "rows": rows,
            "as_known": self._as_known,
            "cutoff": None if cutoff is None else cutoff.isoformat(),
            "spine_digest": digest(self._spine.batches(DIGEST_ROWS)),
            "sources": self._sources,
            "digest": self._digest,
            "refrain": version(),
            **self._left_out(),
            **({} if self._access is None else self._access.fields),
        }

    def save(self, home: Home | None = None, progress: Progress = silent) -> Path:
        """Saves the set in the data folder, under its digest, with its description in Croissant; the same set once.

        >>> repeat(training_set("listener_v1", spine).save())                           # doctest: +SKIP
        """
        folders = (home or self._home).training_sets
        partial = folders / f".{uuid.uuid4().hex}.parquet"
        try:
            self.to_parquet(partial, progress)
            folder = folders / self.manifest["digest"][:16]
            folder.mkdir(exist_ok=True)
            parquet_files.move(partial, folder / "data.parquet")
        finally:
            partial.unlink(missing_ok=True)
        self._spine.write(folder / "spine.parquet")
        (folder / "manifest.json").write_text(json.dumps(self.manifest, indent=1) + "\n")
        croissant.write(home or self._home, folder, self.manifest)
        return folder

    def _left_out(self) -> dict[str, Any]:
        permission = self._permission
        if not permission.concerns(list(self._spine.schema)):
            return {}
        return {"purposes": permission.purposes, "left_out": dict(permission.left_out)}

    def _pull(self, progress: Progress = silent) -> Iterator[pl.DataFrame]:
        names = [name for name, _ in self._service.features]
        sight = None if self._access is None else self._access.sight
        seen = [name for name in names if sight is None or name not in sight.refused]
        write_pull(self._home, self._service.name, seen, self._spine, {} if sight is None else sight.act_fields)
        self._sources = {view.name: snapshot(self._store, view) for view in self._service.views}
        spine = self._spine.schema
        if self._job is None:
            joined_tables = from_any_store(self._store, self._service, self._spine, self._as_known)
        else:
            joined_tables = (pl.DataFrame(table) for table in self._job.batches(progress=progress))
        types = {
            f"{view.name}__{feature}": polars_type
            for view in self._service.views
            for feature, dtype in view.features
            if (polars_type := feature_type(dtype)) is not None
        }
        for joined in joined_tables:
            typed = joined.with_columns(pl.col(name).cast(dtype) for name, dtype in {**spine, **types}.items())
            rows = with_on_demand(self._service, typed).select(*spine, *names)
            yield rows if self._access is None else self._access.applied(rows)


def training_set(
    feature_service: str,
    spine: Any,
    *,
    home: Home | None = None,
    as_known: bool = False,
) -> TrainingSet:
    """Joins the features of a service to a spine, point in time.

    Each feature is the newest row of its view at or before the spine row's time. Of several rows of one time, the
    newest ``created_timestamp`` counts. On-demand features are computed from those, with the spine's time as the
    request's unless the spine has a ``request_timestamp``.

    Rows of people who have not consented to the purpose of the service, or to training, and rows of people whose data
    may not be used, are left out (``training.datasets.consent``); ``manifest["left_out"]`` counts them. Where the
    project has ``[access]``, so are rows and features that the role of this process does not see, and others are
    masked (``training.datasets.access``). Every pull is in the audit log.

    Args:
        feature_service: name of an applied service.
        spine: polars (lazy or not), pandas or Arrow table, a mapping of columns, a file of Parquet, CSV or JSON
            lines, a folder of Parquet, or the result of ``all_keys``. Lazy frames and files are never read into memory
            as a whole. Keys are converted to the types of their entities (``feature_repo.keys``); times as text are
            ISO 8601.
        home: the data folder; from the environment if None.
        as_known: use only rows that were created by the spine row's time.

    Returns:
        One row per row of the spine that may be used, in its order; read on first use.

    Raises:
        AccessError: the role of this process does not have the service, or there is none.
        InputError: the spine lacks a column, a key cannot be converted to its type, or its time is not a time.
            Or it is before what is kept; see ``training.datasets.history``.
        StoreError: there is no such service, or its tables are not built.

    >>> spine = {"user_id": ["u000042"], "event_timestamp": ["2026-01-25T15:30:00Z"]}
    >>> training_set("listener_v1", spine).to_polars()                                  # doctest: +SKIP
    """
    home = home or Home.from_env()
    store = open_store(home)
    service = resolve_service(store, contract_of(home), feature_service)
    for view in service.views:
        check_files(store, view)
    spine_table = SpineTable.of(
        spine, service.key_types, [name for name, _ in service.features], contract_of(home).request_fields
    )
    _check_history(home, service, spine_table)
    permission = Permission.of(home, service.purpose)
    if permission.concerns(list(spine_table.schema)):
        spine_table = spine_table.keep(permission.kept)
    access = SetAccess.of(home, service)
    if access is not None and access.sight.conditions:
        spine_table = spine_table.keep(lambda rows: access.kept(store, rows, as_known=as_known))
    return TrainingSet(store, service, spine_table, home, as_known, permission, access)


def _check_history(home: Home, service: Service, spine: SpineTable) -> None:
    """Check that the features of a service are whole at all moments of a spine.

    Raises:
        InputError: a window would count events that were removed because of their age.
    """
    history = kept_history(home, [view.name for view in service.views])
    if history is None:
        return
    count, earliest = spine.before(history.begins)
    if earliest is not None:
        moment = history.begins.isoformat()
        raise InputError(
            expected=f"moments from {moment} on: before, {history.view} would count rows that are no longer kept",
            found=f"{count:,} rows of the spine before, the first at {earliest.isoformat()}",
            next_command=f"spine.filter(pl.col('{TIME}') >= datetime.fromisoformat('{moment}'))",
        )


def all_keys(
    feature_service: str,
    start: datetime | None,
    end: datetime,
    *,
    every: timedelta | None = None,
    home: Home | None = None,
) -> "Spine":
    """Makes a spine of all keys of a feature service.

    Args:
        feature_service: name of an applied service.
        start: start of the time range; the first row of all if None.
        end: end of the time range, included. Times without a zone are UTC.
        every: step of a grid. Without it, every key that has a row in the range stands once, at ``end``; with it,
            every key stands at ``start``, ``start + every``, … from its own first row on.
        home: the data folder; from the environment if None.

    Returns:
        A spine for ``training_set``, in a temporary file that lives as long as it; ``.table`` is a pyarrow dataset.
        Views with other keys than the rest add rows of their own, in which the keys that they lack are null.

    Raises:
        AccessError: the role of this process has conditions on rows, and must not learn which keys there are.
        InputError: the range or the step is invalid, or the offline store is not the embedded one.
        StoreError: there is no such service, or its tables are not built.

    >>> spine = all_keys("listener_v1", None, datetime(2026, 2, 1), every=timedelta(days=7))  # doctest: +SKIP
    >>> training_set("listener_v1", spine).to_parquet("set.parquet")                    # doctest: +SKIP
    """
    from feast.utils import make_tzaware

    from feature_repo.stores import keys
    from feature_repo.stores.offline import AsOfOfflineStoreConfig
    from feature_repo.stores.view_histories import histories_of

    home = home or Home.from_env()
    store = open_store(home)
    config = store.config
    if not isinstance(config.offline_store, AsOfOfflineStoreConfig):
        raise InputError(
            expected="the embedded offline store, which knows all keys",
            found=f"{config.offline_store.type}",
            next_command="unset REFRAIN_PROFILE, or bring a spine of your own",
        )
    service = resolve_service(store, contract_of(home), feature_service)
    access = SetAccess.of(home, service)
    if access is not None and access.sight.conditions:
        raise AccessError(
            expected="a role that sees all rows, for the keys of all", found=access.sight.role, next_command=REASON
        )
    histories = histories_of(config, [view_named(store, view.name) for view in service.views], [], True)
    return keys.all_keys(
        histories,
        None if start is None else make_tzaware(start),
        make_tzaware(end),
        every=every,
        limits=config.offline_store.limits(),
    )


def repeat(folder: Path, *, home: Home | None = None) -> TrainingSet:
    """Pulls a saved training set again and proves that it is the same, bit for bit.

    Raises:
        InputError: there is no training set in the folder.
        StoreError: the service or the feature tables have changed, or the result differs.

    >>> folder = training_set("listener_v1", spine).save()                              # doctest: +SKIP
    >>> repeat(folder).manifest["digest"]                                               # doctest: +SKIP
    """
    home = home or Home.from_env()
    for name in _FILES:
        if not (folder / name).is_file():
            raise InputError(
                expected=f"a saved training set in {folder}",
                found=f"no {name}",
                next_command=f"ls {home.training_sets}",
            )
    manifest = json.loads((folder / "manifest.json").read_text())
    repeated = training_set(
        manifest["feature_service"], folder / "spine.parquet", home=home, as_known=manifest["as_known"]
    )
    for field in ("fingerprint", "spine_digest", "sources", "digest"):
        before, after = manifest[field], repeated.manifest[field]
        if before != after:
            raise StoreError(
                expected=f"the {field.replace('_', ' ')} of {folder.name}",
                found=_difference(before, after),
                next_command="pull a new set: training_set(…).save()",
            )
    return repeated


def rebatched(tables: Iterator[pl.DataFrame] | Sequence[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Yields the same rows in tables of another height; at least one table."""
    pending: list[pl.DataFrame] = []
    size, is_first = 0, True
    for table in tables:
        rest = table
        while size + rest.height >= rows:
            yield pl.concat([*pending, rest[: rows - size]])
            rest, pending, size, is_first = rest[rows - size :], [], 0, False
        pending, size = [*pending, rest], size + rest.height
    if size or is_first:
        yield pl.concat(pending)


def _difference(before: Any, after: Any) -> str:
    if not isinstance(before, dict):
        return f"{after} instead of {before}"
    changed = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    return f"other feature files now in {changed}"
