"""The feature rows that a look-up finds for the keys of answers at their moments, in the tables as they are."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import polars as pl

from feature_repo.days import files_in
from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from feature_repo.manifest import Service, UnknownService, View, load_service
from refrain.lineage.logs import ServedAnswer

TIME, CREATED = "event_timestamp", "created_timestamp"
CONSENT = "consent_v1"
"""Service of the consent of people (docs/consent.md)."""


def feature_rows(home: Home, services: Sequence[Service], answers: Sequence[ServedAnswer]) -> pl.DataFrame:
    """Finds the rows that look-ups of answers find: the newest of each key at the moment.

    Returns:
        ``answer`` (place), ``view``, ``key`` (such as ``user_id=u1``), ``keys`` (their values, in the order of the
        view), ``event_timestamp`` in microseconds, and ``path``.
    """
    if not services:
        return _empty_rows()
    frames = [_empty_rows()]
    keys_of_answers = _Keys(home, answers)
    for view in views_of(services).values():
        keys = list(view.join_keys)
        moments = keys_of_answers.of(keys)
        if moments.is_empty():
            continue  # of candidates, say, whose keys the log does not have
        rows = _rows_of(home, view, moments)
        if rows is None:
            continue
        newest_rows = _newest_rows(moments, rows, keys)
        if view.ttl:  # a look-up takes an older row for none
            newest_rows = newest_rows.filter(pl.col(TIME) >= pl.col("at") - view.ttl * 1e6)
        texts = [pl.format("{}={}", pl.lit(name), pl.col(name)) for name in keys]
        frames.append(
            newest_rows.select(
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
            views[view.name] = View(view.name, view.join_keys, view.key_types, tuple(features.items()), ttl=view.ttl)
    return views


class _Keys:
    """The keys of answers, as far as their logs have them.

    Args:
        home: the data folder.
        answers: the answers.
    """

    def __init__(self, home: Home, answers: Sequence[ServedAnswer]) -> None:
        person = _person(home) if any(answer.withheld for answer in answers) else ""
        self._withheld = {place: answer.withheld.get(person, ()) for place, answer in enumerate(answers)}
        self._person = person
        tracks = {track for answer in answers for track in answer.keys.get("track_id", ())}
        artists = _artists(home, tracks)
        frames = [pl.DataFrame(schema={"answer": pl.UInt32, "at": pl.Int64})]
        self._unpaired: dict[int, tuple[int, dict[str, tuple[str, ...]]]] = {}
        for place, answer in enumerate(answers):
            people = answer.keys.get(person, ())
            if answer.kind != "features" and people and set(people) <= set(self._withheld[place]):
                continue  # nothing at all was read
            keys = {**answer.keys, "platform_id": (home.tenant,)}
            count = max(map(len, keys.values()))
            if sum(len(values) > 1 for values in keys.values()) < 2 or answer.rows == count == min(
                len(values) for values in keys.values() if len(values) > 1
            ):
                row_keys = {name: values * count if len(values) == 1 else values for name, values in keys.items()}
                columns = {name: pl.Series(list(values), dtype=pl.String) for name, values in row_keys.items()}
                frames.append(pl.DataFrame({"answer": [place] * count, "at": [answer.at] * count, **columns}))
            else:  # the log has each value once, and not which ones were together
                if "artist_id" not in keys and "track_id" in keys and artists is not None:
                    keys["artist_id"] = tuple(artists.filter(pl.col("track_id").is_in(keys["track_id"]))["artist_id"])
                self._unpaired[place] = (answer.at, keys)
        paired = pl.concat(frames, how="diagonal_relaxed").with_columns(pl.col("answer").cast(pl.UInt32))
        if "track_id" in paired.columns and "artist_id" not in paired.columns and artists is not None:
            paired = paired.join(artists, on="track_id", how="left")
        self._paired = paired

    def of(self, keys: Sequence[str]) -> pl.DataFrame:
        """Returns ``answer``, ``at`` and some join keys, a row for each entity of which a look-up may have been."""
        frames = [pl.DataFrame(schema={"answer": pl.UInt32, "at": pl.Int64, **dict.fromkeys(keys, pl.String)})]
        if all(key in self._paired.columns for key in keys):
            frames.append(self._paired.select("answer", "at", *keys))
        for place, (at, values) in self._unpaired.items():
            if all(key in values for key in keys):
                frame = pl.DataFrame({"answer": [place], "at": [at]}, schema_overrides={"answer": pl.UInt32})
                for key in keys:
                    frame = frame.join(pl.DataFrame({key: values[key]}, schema={key: pl.String}), how="cross")
                frames.append(frame)
        moments = pl.concat(frames).drop_nulls().unique()
        withheld = [(place, value) for place, values in self._withheld.items() for value in values]
        if self._person not in keys or not withheld:
            return moments
        denied = pl.DataFrame(withheld, schema={"answer": pl.UInt32, self._person: pl.String}, orient="row")
        return moments.join(denied, on=["answer", self._person], how="anti")


def _person(home: Home) -> str:
    """Returns the join key of the people whose consent is asked for; empty if nobody's is asked for any more."""
    try:
        keys = load_service(home, CONSENT).join_keys
    except UnknownService:
        return ""
    return next((key for key in keys if key != "purpose"), "")


def _artists(home: Home, tracks: Collection[str]) -> pl.DataFrame | None:
    """Returns the newest ``artist_id`` of each ``track_id``; None without a catalogue."""
    files = files_in(home.features("track_catalogue"))
    if not tracks or not files:
        return None
    artists = (
        parquet_files.scan(files, hive_partitioning=False)
        .filter(pl.col("track_id").is_in(list(tracks)))
        .select("track_id", "artist_id", TIME)
        .collect()
    )
    return artists.sort(TIME).unique("track_id", keep="last").drop(TIME)


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
    lazy_rows = parquet_files.scan(files, hive_partitioning=False, include_file_paths="path").select(
        *keys, pl.col(TIME).dt.timestamp("us"), pl.col(CREATED).dt.timestamp("us"), "path"
    )
    for name in view.join_keys:
        lazy_rows = lazy_rows.filter(pl.col(name).is_in(moments[name].unique().implode()))
    rows = lazy_rows.filter((pl.col(TIME) <= latest) & (pl.col(CREATED) <= latest)).collect()
    return rows.sort(TIME, CREATED)


def _newest_rows(moments: pl.DataFrame, rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Returns the newest row of each moment's key that was known then, beside the moment; not those without a row."""
    newest = moments.sort("at").join_asof(
        rows, left_on="at", right_on=TIME, by=keys or None, coalesce=False, check_sortedness=False
    )
    newest = newest.filter(pl.col("path").is_not_null())
    is_known = pl.col(CREATED) <= pl.col("at")
    later = newest.filter(~is_known).select(moments.columns)  # found a row, or a correction, that was written later
    if later.is_empty():
        return newest
    pairs = later.join(rows, on=keys) if keys else later.join(rows, how="cross")
    earlier = pairs.filter(is_known & (pl.col(TIME) <= pl.col("at"))).sort(TIME, CREATED)
    known = earlier.unique(moments.columns, keep="last", maintain_order=True)
    return pl.concat([newest.filter(is_known), known.select(newest.columns)])


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
