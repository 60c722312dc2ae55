"""The feature rows that a look-up finds for the keys of answers at their moments, in the tables as they are."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl

from feature_repo.days import files_in
from feature_repo.home import Home
from feature_repo.manifest import Service, View
from refrain.lineage.logs import ServedAnswer

TIME, CREATED = "event_timestamp", "created_timestamp"


def feature_rows(home: Home, services: Sequence[Service], answers: Sequence[ServedAnswer]) -> pl.DataFrame:
    """Finds the rows that look-ups of answers find: the newest of each key at the moment.

    Returns:
        ``answer`` (place), ``view``, ``key`` (such as ``user_id=u1``), ``keys`` (their values, in the order of the
        view), ``event_timestamp`` in microseconds, and ``path``.
    """
    frames = [_empty_rows()]
    entities = _entities(home, answers)
    for view in views_of(services).values():
        keys = [name for name in view.join_keys if name in entities.columns]
        if len(keys) < len(view.join_keys):
            continue  # of candidates, say, whose keys the log does not have
        moments = entities.select("answer", "at", *keys).drop_nulls().unique()
        rows = _rows_of(home, view, moments)
        if rows is None:
            continue
        newest_rows = moments.sort("at").join_asof(
            rows.sort(TIME), left_on="at", right_on=TIME, by=keys or None, coalesce=False, check_sortedness=False
        )
        texts = [pl.format("{}={}", pl.lit(name), pl.col(name)) for name in keys]
        frames.append(
            newest_rows.filter(pl.col("path").is_not_null()).select(
                "answer",
                view=pl.lit(view.name),
                key=pl.concat_str(texts, separator=", ") if texts else pl.lit(""),
                keys=pl.concat_list(keys) if keys else pl.lit([], pl.List(pl.String)),
                event_timestamp=pl.col(TIME),
                path=pl.col("path"),
            )
        )
    return pl.concat(frames).sort("answer", "view", "key")


def views_of(services: Iterable[Service]) -> dict[str, View]:
    """Returns the views of some services, each with the features that any of them takes."""
    views: dict[str, View] = {}
    for service in services:
        for view in service.views:
            before = views.get(view.name)
            features = dict(before.features if before else ()) | dict(view.features)
            views[view.name] = View(view.name, view.join_keys, view.key_types, tuple(features.items()))
    return views


def _entities(home: Home, answers: Sequence[ServedAnswer]) -> pl.DataFrame:
    """Returns the keys of answers: ``answer``, ``at`` and the join keys, a row for each entity."""
    frames = []
    for place, answer in enumerate(answers):
        count = max((len(values) for values in answer.keys.values()), default=1)
        keys = {name: values * count if len(values) == 1 else values for name, values in answer.keys.items()}
        whole = {
            name: pl.Series(list(values), dtype=pl.String) for name, values in keys.items() if len(values) == count
        }
        frames.append(pl.DataFrame({"answer": [place] * count, "at": [answer.at] * count, **whole}))
    entities = pl.concat(frames, how="diagonal").with_columns(pl.col("answer").cast(pl.UInt32))
    entities = entities.with_columns(platform_id=pl.lit(home.tenant))
    files = files_in(home.features("track_catalogue"))
    if "track_id" in entities.columns and "artist_id" not in entities.columns and files:
        artists = (
            pl.scan_parquet(files, glob=False, hive_partitioning=False)
            .filter(pl.col("track_id").is_in(entities["track_id"].unique().implode()))
            .select("track_id", "artist_id", TIME)
            .collect()
        )
        newest_artists = artists.sort(TIME).unique("track_id", keep="last").drop(TIME)
        entities = entities.join(newest_artists, on="track_id", how="left")
    return entities


def _rows_of(home: Home, view: View, moments: pl.DataFrame) -> pl.DataFrame | None:
    """Returns keys, event time and path of the rows of the wanted keys up to the newest moment; None without files."""
    latest = max(moments["at"].to_list(), default=0)
    last_day = f"date={datetime.fromtimestamp(latest / 1e6, UTC).date()}"
    files = [
        path
        for path in files_in(home.features(view.name))
        if not path.parent.name.startswith("date=") or path.parent.name <= last_day
    ]
    if not files or moments.is_empty():
        return None
    keys = [pl.col(name).cast(pl.String) for name in view.join_keys]
    lazy_rows = pl.scan_parquet(files, glob=False, hive_partitioning=False, include_file_paths="path").select(
        *keys, pl.col(TIME).dt.timestamp("us"), pl.col(CREATED).dt.timestamp("us"), "path"
    )
    for name in view.join_keys:
        lazy_rows = lazy_rows.filter(pl.col(name).is_in(moments[name].unique().implode()))
    rows = lazy_rows.filter((pl.col(TIME) <= latest) & (pl.col(CREATED) <= latest)).collect()
    return rows.sort(CREATED).unique([*view.join_keys, TIME], keep="last", maintain_order=True).drop(CREATED)


def _empty_rows() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "answer": pl.UInt32,
            "view": pl.String,
            "key": pl.String,
            "keys": pl.List(pl.String),
            TIME: pl.Int64,
            "path": pl.String,
        }
    )
