"""From a served answer to the feature rows and raw files that it came from, and from a raw file to answers.

The log of an answer has keys and a moment, from which its rows (``feature_rows``) and files (``raw_files``) follow.
What a model learned from is its training set.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from feature_repo.bundle import MANIFEST
from feature_repo.days import days_in
from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home
from feature_repo.manifest import Service, UnknownService, load_service
from refrain.lineage.feature_rows import feature_rows, views_of
from refrain.lineage.graph import Lineage, Node
from refrain.lineage.logs import ServedAnswer, newest
from refrain.lineage.raw_files import raw_files
from transforms import parquet

PROMOTIONS = "promotions.jsonl"
"""File beside the versions of a model, which training writes: which became champion when."""


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
    missing += [
        f"rows of {key}={value}: nothing of people who had not consented was read"
        for key, values in answer.withheld.items()
        for value in values
    ]
    missing += [
        f"rows of {name}: they are in files of your own, which are not searched"
        for name in views_of(services)
        if Node("view", name) in lineage and not lineage.upstream(Node("view", name), depth=1)
    ]
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


def _digested(home: Home, frame: pl.DataFrame) -> pl.DataFrame:
    """Adds the SHA-256 of the files; paths count from the data folder."""
    digests = {path: parquet.digest(Path(path)) for path in frame["path"].unique().to_list()}
    short = {path: Path(path).relative_to(home.root).as_posix() for path in digests}
    return frame.drop("answer", "keys", strict=False).with_columns(
        digest=pl.col("path").replace_strict(digests, return_dtype=pl.String),
        path=pl.col("path").replace_strict(short, return_dtype=pl.String),
    )
