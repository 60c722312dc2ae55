"""Training sets: for every row of a spine, each feature as it was at that row's time.

A spine is a table with the join keys of the feature service, ``event_timestamp``, and whatever else it carries
(labels, weights); all of it comes back, in its order. Times without a zone are UTC.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, View, resolve_service
from feature_repo.on_demand import ON_DEMAND, REQUEST_FIELDS
from feature_repo.store import open_store
from training.datasets.columns import to_numpy
from transforms import feature_tables, parquet
from transforms.raw.table import MICROSECONDS_UTC

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

Spine = "pl.DataFrame | pl.LazyFrame | pa.Table | pd.DataFrame | str | Path"

CHUNK_ROWS = 100_000
"""Distinct (key, time) rows that are joined at once; Feast's store needs about 1 GB for them."""
_FILES = ("manifest.json", "spine.parquet", "data.parquet")


@dataclass(frozen=True)
class TrainingSet:
    """The spine with its features, and the manifest that lets the same pull be repeated.

    Attributes:
        data: spine columns, then ``view__feature`` columns in the service's order.
        spine: as it was given.
        manifest: what was pulled from what: service and its fingerprint, digests of spine, feature files and result.
    """

    data: pl.DataFrame
    spine: pl.DataFrame
    manifest: dict[str, Any]

    def to_polars(self) -> pl.DataFrame:
        """As polars."""
        return self.data

    def to_arrow(self) -> "pa.Table":
        """As Arrow."""
        return self.data.to_arrow()

    def save(self, home: Home | None = None) -> Path:
        """Keep the set in the data folder, under its digest; saving twice keeps one."""
        folder = (home or Home.from_env()).training_sets / self.manifest["digest"][:16]
        parquet.write_whole(self.spine, folder / "spine.parquet")
        parquet.write_whole(self.data, folder / "data.parquet")
        (folder / "manifest.json").write_text(json.dumps(self.manifest, indent=1) + "\n")
        return folder


def training_set(
    feature_service: str,
    spine: Any,
    *,
    home: Home | None = None,
    as_known: bool = False,
    progress: Progress = silent,
) -> TrainingSet:
    """Pull a feature service for a spine, point-in-time-correct.

    Each feature is the newest row of its view at or before the spine row's time; the newest ``created_timestamp``
    wins among rows of one time. On-demand features are computed from those, with the spine's time as the request's
    unless the spine has a ``request_timestamp``.

    Args:
        feature_service: name of a service that was applied.
        spine: polars, pandas or Arrow table, or a Parquet or CSV file.
        home: the data folder; from the environment if None.
        as_known: use only rows that were created by the spine row's time.
        progress: told after each chunk.

    Returns:
        One row per row of the spine, in its order.

    Raises:
        InputError: the spine lacks a column, or its time is not a time.
        StoreError: there is no such service, or its tables are not built.
    """
    home = home or Home.from_env()
    store = open_store(home)
    service = resolve_service(store, feature_service)
    rows = _checked(spine, service)
    data = _pull(store, service, rows, as_known, progress)
    sources = {view.name: _snapshot(home, view) for view in service.views}
    cutoff = rows["event_timestamp"].max()
    manifest = {
        "feature_service": service.name,
        "fingerprint": service.fingerprint,
        "rows": rows.height,
        "as_known": as_known,
        "cutoff": None if cutoff is None else cutoff.isoformat(),  # type: ignore[union-attr]
        "spine_digest": digest(rows),
        "sources": sources,
        "digest": digest(data),
    }
    return TrainingSet(data, rows, manifest)


def repeat(folder: Path, *, home: Home | None = None) -> TrainingSet:
    """Pull a saved training set once more and prove that it is the same, bit for bit.

    Raises:
        InputError: there is no training set in the folder.
        StoreError: the service or the feature tables are not what they were, or the result differs.
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
    again = training_set(
        manifest["feature_service"],
        parquet.read_whole(folder / "spine.parquet", remedy="save the training set again"),
        home=home,
        as_known=manifest["as_known"],
    )
    for what in ("fingerprint", "spine_digest", "sources", "digest"):
        before, after = manifest[what], again.manifest[what]
        if before != after:
            raise StoreError(
                expected=f"the {what.replace('_', ' ')} of {folder.name}",
                found=_difference(before, after),
                next_command="pull a new set: training_set(…).save()",
            )
    return again


def digest(rows: pl.DataFrame) -> str:
    """SHA-256 of a table's content: equal rows in equal order give equal digests."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="uncompressed")
    return hashlib.sha256(buffer.getbuffer()).hexdigest()


def _difference(before: Any, after: Any) -> str:
    if not isinstance(before, dict):
        return f"{after} instead of {before}"
    changed = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    return f"other feature files now in {changed}"


def _snapshot(home: Home, view: View) -> str:
    """Digest over all files of one feature table."""
    folder = home.features(view.name)
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise StoreError(
            expected=f"a feature table in {folder}", found="none", next_command="python -m transforms build"
        )
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(folder)} {parquet.digest(file)}\n".encode())
    return total.hexdigest()


def _checked(spine: Any, service: Service) -> pl.DataFrame:
    rows = _read(spine)
    needed = [*service.join_keys, "event_timestamp"]
    absent = [name for name in needed if name not in rows.columns]
    if absent:
        raise InputError(
            expected=f"a spine with the columns {needed}",
            found=f"no {absent} among {rows.columns}",
            next_command=f"rename or add {absent[0]!r} in the spine",
        )
    if rows.schema["event_timestamp"] == pl.String:
        rows = rows.with_columns(pl.col("event_timestamp").str.to_datetime(time_zone="UTC", strict=False))
    time = rows.schema["event_timestamp"]
    if time not in (pl.Datetime, pl.Date) or rows["event_timestamp"].null_count():
        raise InputError(
            expected="a time in every row's event_timestamp",
            found=f"{rows['event_timestamp'].null_count()} rows without one (column type {time})",
            next_command="spine.drop_nulls('event_timestamp'), or cast it to a timestamp",
        )
    clash = [name for name, _ in service.features if name in rows.columns]
    if clash:
        raise InputError(
            expected="a spine without the service's own features",
            found=f"{clash}",
            next_command=f"drop {clash[0]!r} from the spine",
        )
    keys = [pl.col(key).cast(pl.String) for key in service.join_keys]
    return rows.with_columns(*keys, _utc("event_timestamp", rows.schema["event_timestamp"]))


def _read(spine: Any) -> pl.DataFrame:
    if isinstance(spine, str | Path):
        path = Path(spine)
        if not path.is_file():
            raise InputError(expected="a spine", found=f"no file {path}", next_command=f"ls {path.parent}")
        if path.suffix == ".csv":
            return pl.read_csv(path, try_parse_dates=True)
        return parquet.read_whole(path, remedy="write the spine again")
    if isinstance(spine, pl.LazyFrame):
        return spine.collect()
    return spine if isinstance(spine, pl.DataFrame) else pl.DataFrame(spine)


def _utc(name: str, dtype: pl.DataType) -> pl.Expr:
    zoned = isinstance(dtype, pl.Datetime) and dtype.time_zone
    time = pl.col(name).cast(pl.Datetime("us", dtype.time_zone if zoned else None))  # type: ignore[attr-defined]
    return time.dt.convert_time_zone("UTC") if zoned else time.dt.replace_time_zone("UTC")


def _pull(
    store: "FeatureStore", service: Service, spine: pl.DataFrame, as_known: bool, progress: Progress
) -> pl.DataFrame:
    """Views of the same keys are pulled together, on their distinct (key, time) rows only."""
    groups: dict[tuple[str, ...], list[View]] = {}
    for view in service.views:
        groups.setdefault(view.join_keys, []).append(view)
    wide = spine
    for place, (keys, views) in enumerate(groups.items()):
        on = [*keys, "event_timestamp"]
        distinct = spine.select(on).drop_nulls().unique(maintain_order=True)
        pieces = [
            _historical(store, views, distinct[start : start + CHUNK_ROWS], as_known)
            for start in range(0, max(distinct.height, 1), CHUNK_ROWS)
        ]
        wide = wide.join(pl.concat(pieces), on=on, how="left", maintain_order="left")
        progress(place + 1, len(groups), "+".join(keys))
    return _on_demand(service, wide).select(*spine.columns, *(name for name, _ in service.features))


def _historical(store: "FeatureStore", views: Sequence[View], rows: pl.DataFrame, as_known: bool) -> pl.DataFrame:
    """Feast's answer for distinct rows; ``view__feature`` columns beside the keys and the time."""
    references = [f"{view.name}:{feature}" for view in views for feature, _ in view.features]
    columns = [reference.replace(":", "__") for reference in references]
    types = [feature_tables.TYPES[dtype] for view in views for _, dtype in view.features]
    if rows.is_empty():
        return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in zip(columns, types, strict=True))
    job = store.get_historical_features(
        entity_df=rows.to_pandas(),
        features=references,
        full_feature_names=True,
        filter_by_created_timestamp=as_known,
    )
    answer = pl.DataFrame(job.to_arrow())
    features = [pl.col(name).cast(dtype) for name, dtype in zip(columns, types, strict=True)]
    return answer.select(*rows.columns[:-1], pl.col("event_timestamp").cast(MICROSECONDS_UTC), *features)


def _on_demand(service: Service, rows: pl.DataFrame) -> pl.DataFrame:
    if not service.on_demand:
        return rows
    given = {name: rows[name] for name in REQUEST_FIELDS if name in rows.columns}
    request = {
        name: given.get(name, rows["event_timestamp"] if name == "request_timestamp" else _nothing(rows))
        for name in service.request_fields
    }
    needed = {column for name in service.on_demand for column in ON_DEMAND[name].inputs.values()}
    columns = {name: to_numpy(request[name] if name in request else rows[name]) for name in sorted(needed)}
    computed = {
        f"{name}__{output}": pl.Series(values)
        for name in service.on_demand
        for output, values in ON_DEMAND[name].compute(columns).items()
    }
    return rows.with_columns(
        values.fill_nan(None).alias(name) if values.dtype.is_float() else values.alias(name)
        for name, values in computed.items()
    )


def _nothing(rows: pl.DataFrame) -> pl.Series:
    return pl.repeat(None, rows.height, dtype=pl.String, eager=True)
