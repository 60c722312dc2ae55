"""From a served answer to the feature rows and raw files that it came from, and from a raw file to answers.

The log of an answer has keys and a moment. The feature rows are those that a look-up at the moment finds in the
feature tables as they are; the raw files are those with events of the row's keys within the windows of its features,
and all files up to the row of tables that one function computes. What a model learned from is its training set.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from feature_repo.bundle import MANIFEST
from feature_repo.contract import contract_of
from feature_repo.days import days_in, files_in
from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home
from feature_repo.manifest import Service, UnknownService, View, load_service
from feature_repo.windows import WindowedTable
from refrain.lineage.graph import Lineage, Node
from refrain.lineage.logs import ServedAnswer, newest
from transforms import parquet

PROMOTIONS = "promotions.jsonl"
"""File beside the versions of a model, which training writes: which became champion when."""
_FOREVER = -(1 << 62)
TIME, CREATED = "event_timestamp", "created_timestamp"


@dataclass(frozen=True)
class AnswerLineage:
    """Where an answer comes from.

    Attributes:
        answer: the answer.
        version: version of the model, such as ``recommendation:3``; empty without a model, or if it is not known.
        facts: digests of version and training set, by name.
        missing: what is not there any more, in words, each with what to do.
        rows: ``view``, ``key``, ``event_timestamp``, ``path`` and ``digest`` of each feature row.
        raw: ``table``, ``path``, ``rows`` (of its keys; null for all) and ``digest`` of each raw file.
    """

    answer: ServedAnswer
    version: str
    facts: Mapping[str, str]
    missing: tuple[str, ...]
    rows: pl.DataFrame
    raw: pl.DataFrame


def trace(home: Home, lineage: Lineage, answer: ServedAnswer) -> AnswerLineage:
    """Returns where an answer comes from.

    Args:
        home: the data folder.
        lineage: of ``lineage_of``.
        answer: of ``find_answer``.
    """
    version = version_of(home, answer)
    node = Node("version", version)
    facts, missing = dict(lineage.facts.get(node, {})), []
    if version and node not in lineage:
        missing.append(f"the bundle of {version} was deleted: refrain model list {answer.model_name}")
    for source in lineage.upstream(node, depth=1) if node in lineage else ():
        if source.kind == "training set":
            facts |= {f"training set {source.name}": lineage.facts[source].get("digest", source.name)}
    services, unknown = _services(home, lineage, answer, version)
    missing += [f"the service {name} is not there any more: refrain apply" for name in unknown]
    rows = feature_rows(home, services, [answer])
    raw = raw_files(home, lineage, services, rows)
    return AnswerLineage(answer, version, facts, tuple(missing), _digested(home, rows), _digested(home, raw))


def version_of(home: Home, answer: ServedAnswer) -> str:
    """Returns the version that answered: as logged, or the champion at the moment; empty if it is not known."""
    if not answer.model or ":" in answer.model:
        return answer.model
    file = home.bundles(answer.model) / PROMOTIONS
    promotions = [json.loads(line) for line in file.read_text().splitlines() if line] if file.is_file() else []
    before = [
        entry
        for entry in promotions
        if entry["version"] is not None and datetime.fromisoformat(entry["at"]).timestamp() * 1e6 <= answer.at
    ]
    return f"{answer.model}:{before[-1]['version']}" if before else ""


def answers_from(home: Home, lineage: Lineage, path: str) -> list[ServedAnswer]:
    """Returns the logged answers whose feature rows came from a raw file, newest first.

    Args:
        home: the data folder.
        lineage: of ``lineage_of``.
        path: the file or its folder, such as ``plays/date=2026-03-01``, or a path of it.

    Raises:
        InputError: there is no such raw file.
    """
    table, file = raw_file(home, path)
    day = file.parent.name.removeprefix("date=") if file.parent.name.startswith("date=") else ""
    since = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1e6) if day else 0
    answers = newest(home, since=since)
    places: set[int] = set()
    for services, group in _by_services(home, lineage, answers):
        rows = feature_rows(home, services, [answers[place] for place in group])
        files = raw_files(home, lineage, services, rows, only=(table, file))
        places |= {group[place] for place in files["answer"].to_list()}
    return [answers[place] for place in sorted(places)]


def raw_file(home: Home, path: str) -> tuple[str, Path]:
    """Returns table and file of a raw file, by its path or by table and day.

    Raises:
        InputError: there is no such file.
    """
    folder = home.raw("any").parent.parent
    given = Path(path).expanduser()
    table, _, day = path.strip("/").partition("/")
    places = [given, given / parquet.PART, home.raw(table) / day / parquet.PART, home.root / path]
    for place in places:
        absolute = place.absolute()
        if absolute.is_file() and absolute.is_relative_to(folder):
            return absolute.relative_to(folder).parts[0], absolute
    days = sorted(days_in(home.raw(table)))
    raise InputError(
        expected="a raw file, such as plays/date=2026-03-01"
        + (f"; {table} has {days[0]} to {days[-1]}" if days else f" below {folder}"),
        found=repr(path),
        next_command=f"refrain lineage file {table}/date={days[-1]}" if days else "refrain lineage list",
    )


def feature_rows(home: Home, services: Sequence[Service], answers: Sequence[ServedAnswer]) -> pl.DataFrame:
    """Finds the rows that look-ups of answers find: the newest of each key at the moment.

    Returns:
        ``answer`` (place), ``view``, ``key`` (such as ``user_id=u1``), ``keys`` (their values, in the order of the
        view), ``event_timestamp`` in microseconds, and ``path``.
    """
    frames = [_empty_rows()]
    entities = _entities(home, answers)
    for view in _views(services).values():
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


def raw_files(
    home: Home,
    lineage: Lineage,
    services: Sequence[Service],
    rows: pl.DataFrame,
    *,
    only: tuple[str, Path] | None = None,
) -> pl.DataFrame:
    """Finds the raw files that feature rows came from.

    Args:
        home: the data folder.
        lineage: of ``lineage_of``.
        services: services that were read.
        rows: of ``feature_rows``.
        only: table and file, if others do not matter.

    Returns:
        ``answer``, ``table``, ``path``, and ``rows``: the events of the keys in it, null where all count.
    """
    windowed = contract_of(home).windowed
    frames = [_no_files()]
    events = _Events(home, only)
    for view in _views(services).values():
        view_rows = rows.filter(pl.col("view") == view.name)
        if view_rows.is_empty():
            continue
        if view.name in windowed:
            frames.append(events.of(windowed[view.name], [name for name, _ in view.features], view_rows))
        last = view_rows.group_by("answer").agg(pl.col(TIME).max())
        for table in _whole_tables(lineage, view.name, windowed):
            files = _files_of(home, table, only)
            frames.append(
                last.join(files, how="cross")
                .filter(pl.col("begins") <= pl.col(TIME))
                .select("answer", pl.lit(table).alias("table"), "path", rows=pl.lit(None, pl.UInt32))
            )
    raw = pl.concat(frames).group_by("answer", "table", "path").agg(pl.col("rows").max())
    return raw.sort("answer", "table", "path")


class _Events:
    """Events of raw tables that rows of windowed tables count, by file."""

    def __init__(self, home: Home, only: tuple[str, Path] | None) -> None:
        self._home, self._only = home, only

    def of(self, table: WindowedTable, columns: Iterable[str], rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the files with events of the keys of rows, within the windows of some of their features."""
        windows = [table.features_by_column[name][1] for name in columns]
        hops = [window.width + window.hop for window in windows]
        width = None if any(window.is_lifetime for window in windows) else max(hops, default=0)
        rows = rows.with_columns(start=pl.lit(_FOREVER) if width is None else pl.col(TIME) - width)
        files = _files_of(self._home, table.source.name, self._only)
        files = files.filter((pl.col("begins") <= rows[TIME].max()) & (pl.col("ends") >= rows["start"].min()))
        keys = [key for key in table.keys if key in table.source.columns]
        own_keys = [pl.col("keys").list.get(sorted(table.keys).index(key)).alias(key) for key in keys]
        rows = rows.select("answer", "start", pl.col(TIME).alias("stamp"), *own_keys)
        if files.is_empty():
            return _no_files()
        lazy_rows = pl.scan_parquet(
            files["path"].to_list(), glob=False, hive_partitioning=False, include_file_paths="path"
        ).select(*(pl.col(key).cast(pl.String) for key in keys), pl.col(TIME).dt.timestamp("us"), "path")
        for key in keys:
            lazy_rows = lazy_rows.filter(pl.col(key).is_in(rows[key].unique().implode()))
        events = lazy_rows.collect()
        if self._only is not None:  # one file: whether there are any events is enough
            events = events.group_by(*keys, "path").agg(pl.col(TIME).min().alias(TIME), last=pl.col(TIME).max())
        else:
            events = events.with_columns(last=pl.col(TIME))
        row_events = rows.join(events, on=keys) if keys else rows.join(events, how="cross")
        events_in_windows = row_events.filter((pl.col(TIME) <= pl.col("stamp")) & (pl.col("last") >= pl.col("start")))
        return events_in_windows.group_by("answer", "path").agg(pl.len().alias("rows")).select(
            "answer", pl.lit(table.source.name).alias("table"), "path", "rows"
        )  # fmt: skip


def _no_files() -> pl.DataFrame:
    return pl.DataFrame(schema={"answer": pl.UInt32, "table": pl.String, "path": pl.String, "rows": pl.UInt32})


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


def _whole_tables(lineage: Lineage, view: str, windowed: Mapping[str, WindowedTable]) -> set[str]:
    """Returns the raw tables of which all rows count: those of one function, and the dimensions of a windowed table."""
    node = Node("view", view)
    depth = 2 if view in windowed else 1
    above = lineage.upstream(node, depth) if node in lineage else {}
    tables = {source.whole.name for source in above if source.kind == "column" and source.whole is not None}
    return tables - ({windowed[view].source.name} if view in windowed else set())


def _files_of(home: Home, table: str, only: tuple[str, Path] | None) -> pl.DataFrame:
    """Returns the files of a raw table: ``path``, and when their day ``begins`` and ``ends`` in microseconds."""
    places = []
    for day, folder in days_in(home.raw(table)).items():
        begins = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1e6)
        places.append((f"{folder}/{parquet.PART}", begins, begins + 86_400_000_000))
    whole = home.raw(table) / parquet.PART
    places += [(str(whole), _FOREVER, -_FOREVER)] if whole.is_file() else []
    files = pl.DataFrame(places, schema={"path": pl.String, "begins": pl.Int64, "ends": pl.Int64}, orient="row")
    if only is None:
        return files
    return files.filter(pl.lit(table == only[0]) & (pl.col("path") == str(only[1])))


def _services(home: Home, lineage: Lineage, answer: ServedAnswer, version: str) -> tuple[list[Service], list[str]]:
    """Returns the services that an answer read, and the names of those that are not there any more."""
    names = list(answer.services)
    if not names and (home.bundles(answer.model_name) / version.partition(":")[2] / MANIFEST).is_file():
        sets = [node for node in lineage.upstream(Node("version", version), depth=2) if node.kind == "service"]
        names = [node.name for node in sets]
    model = Node("model", answer.model_name)
    if not names and model in lineage:
        names = [node.name for node in lineage.upstream(model, depth=1) if node.kind == "service"]
    services, unknown = [], []
    for name in dict.fromkeys(names):
        try:
            services.append(load_service(home, name))
        except UnknownService:
            unknown.append(name)
    return services, unknown


def _by_services(
    home: Home, lineage: Lineage, answers: Sequence[ServedAnswer]
) -> Iterator[tuple[list[Service], list[int]]]:
    """Yields the services of answers, and the places of the answers that read them."""
    groups: dict[tuple[str, ...], tuple[list[Service], list[int]]] = {}
    services_by_kind: dict[tuple[str, tuple[str, ...]], list[Service]] = {}
    for place, answer in enumerate(answers):
        kind = (answer.model, answer.services)
        if kind not in services_by_kind:
            try:
                services_by_kind[kind] = _services(home, lineage, answer, version_of(home, answer))[0]
            except RefrainError:
                services_by_kind[kind] = []
        names = tuple(service.name for service in services_by_kind[kind])
        groups.setdefault(names, (services_by_kind[kind], []))[1].append(place)
    yield from groups.values()


def _views(services: Iterable[Service]) -> dict[str, View]:
    """Returns the views of some services, each with the features that any of them takes."""
    views: dict[str, View] = {}
    for service in services:
        for view in service.views:
            before = views.get(view.name)
            features = dict(before.features if before else ()) | dict(view.features)
            views[view.name] = View(view.name, view.join_keys, view.key_types, tuple(features.items()))
    return views


def _digested(home: Home, frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the SHA-256 of the files; paths count from the data folder."""
    digests = {path: parquet.digest(Path(path)) for path in frame["path"].unique().to_list()}
    short = {path: Path(path).relative_to(home.root).as_posix() for path in digests}
    return frame.drop("answer", "keys", strict=False).with_columns(
        digest=pl.col("path").replace_strict(digests, return_dtype=pl.String),
        path=pl.col("path").replace_strict(short, return_dtype=pl.String),
    )
