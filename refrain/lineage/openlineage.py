"""The lineage as events of OpenLineage 2 (https://openlineage.io), with column lineage, in a file or over HTTP.

Static lineage is a ``JobEvent`` for each view and each service: the job that makes it, its inputs, and in the facet
``columnLineage`` the columns behind each column, direct (values) or indirect (keys, filters, joins, times). A trained
version is a ``RunEvent`` whose run id follows from the version, so that the same lineage sent twice is the same.

The extra ``openlineage`` brings the package ``openlineage-python``; no serving process imports it.
"""

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from feature_repo.bundle import MANIFEST
from feature_repo.errors import InputError, StoreError
from feature_repo.extras import explained
from feature_repo.home import Home
from feature_repo.version import version
from refrain.lineage.graph import Lineage, Node, Use

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, JobEvent, OutputDataset, RunEvent
    from openlineage.client.generated.column_lineage_dataset import InputField

PRODUCER = f"https://refrain.invalid/refrain/{version()}"
"""URI of the program that makes the events, as the specification wants one."""

_TRANSFORMATIONS: dict[Use, tuple[str, str]] = {
    "value": ("DIRECT", "TRANSFORMATION"),
    "record": ("DIRECT", "TRANSFORMATION"),
    "group": ("INDIRECT", "GROUP_BY"),
    "filter": ("INDIRECT", "FILTER"),
    "join": ("INDIRECT", "JOIN"),
    "time": ("INDIRECT", "WINDOW"),
}
"""Use → type and subtype of a transformation."""

_COLUMNS = ("column", "feature")
_FOLDERS = {
    "table": "raw",
    "view": "features",
    "service": "services",
    "version": "models",
    "training set": "training_sets",
}


def events(home: Home, lineage: Lineage, now: datetime | None = None) -> "Iterator[JobEvent | RunEvent]":
    """Yields the events of a lineage: of each view, of each service, of each version of a model.

    Args:
        home: the data folder; its project and tenant are the namespace.
        lineage: of ``lineage_of``.
        now: the moment of the static events; now if None.

    Raises:
        MissingExtra: the extra ``openlineage`` is not installed.
    """
    with explained():
        from openlineage.client.event_v2 import JobEvent, Run, RunEvent, RunState, set_producer

    set_producer(PRODUCER)
    space, at = f"refrain://{home.project}", (now or datetime.now(UTC)).isoformat()
    for node in (*lineage.of_kind("view"), *lineage.of_kind("service")):
        output, inputs = _output(space, lineage, node), _inputs(space, lineage, node)
        job = _job(space, f"{'build' if node.kind == 'view' else 'service'}.{node.name}")
        yield JobEvent(eventTime=at, job=job, inputs=inputs, outputs=[output])
    for node in lineage.of_kind("version"):
        model, _, number = node.name.partition(":")
        digest = lineage.facts.get(node, {}).get("training_set", "")
        run = Run(runId=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{space}/{node.name}/{digest}")))
        manifest = home.bundles(model) / number / MANIFEST
        trained_at = datetime.fromtimestamp(manifest.stat().st_mtime, UTC).isoformat() if manifest.is_file() else at
        job, inputs = _job(space, f"train.{model}"), _inputs(space, lineage, node)
        outputs = [_output(space, lineage, node)]
        yield RunEvent(
            eventTime=trained_at, run=run, job=job, inputs=inputs, outputs=outputs, eventType=RunState.COMPLETE
        )


def send(events_: "Iterable[JobEvent | RunEvent]", target: str) -> int:
    """Sends events to a file of JSON lines, which appears when it is complete, or to a collector over HTTP.

    Args:
        events_: the events.
        target: path of the file, or URL of the collector, such as ``http://localhost:5000``.

    Returns:
        The number of events.

    Raises:
        InputError: the folder of the file does not exist, or the URL has no host.
        StoreError: the collector does not take an event; the number of those that it took is in the message.
        MissingExtra: the extra ``openlineage`` is not installed.
    """
    if target.startswith(("http://", "https://")):
        _check_url(target)
        return _post(events_, target)
    from openlineage.client.transport.file import FileConfig, FileTransport

    path = Path(target).expanduser().absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            expected="a file in a folder that is there, or a URL",
            found=target,
            next_command="refrain lineage export lineage.jsonl",
        )
    partial, count = path.with_name(f".partial-{path.name}"), 0
    partial.write_text("")
    try:
        transport = FileTransport(FileConfig(str(partial), append=True))
        for event in events_:
            transport.emit(event)
            count += 1
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _check_url(url: str) -> None:
    try:
        is_whole = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:  # a port that is no number, an address of IPv6 without its end
        is_whole = False
    if not is_whole:
        raise InputError(
            expected="the URL of a collector of OpenLineage, such as http://localhost:5000",
            found=url,
            next_command="refrain lineage export http://localhost:5000",
        )


def _post(events_: "Iterable[JobEvent | RunEvent]", url: str) -> int:
    import requests
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    transport, count = HttpTransport(HttpConfig(url, retry={"total": 2, "backoff_factor": 0.1})), 0
    for event in events_:
        try:
            transport.emit(event)
        except requests.RequestException as error:
            raise StoreError(
                expected=f"a collector of OpenLineage at {url} that takes every event",
                found=f"{type(error).__name__} after {count} events: {str(error)[:200]}",
                next_command=f"refrain lineage export {url}  (events that were taken before are the same)",
            ) from error
        count += 1
    return count


def _job(space: str, name: str) -> "Job":  # type: ignore[name-defined]  # noqa: F821
    from openlineage.client.event_v2 import Job

    return Job(namespace=space, name=name)


def _dataset_name(node: Node) -> str:
    return f"{_FOLDERS[node.kind]}/{node.name}"


def _inputs(space: str, lineage: Lineage, node: Node) -> "list[InputDataset]":
    """Returns the datasets that a node is made of: the nearest tables, views, services and training sets."""
    from openlineage.client.event_v2 import InputDataset

    wholes = {place.whole or place for place in _nearest(lineage, node)}
    return [InputDataset(namespace=space, name=_dataset_name(one)) for one in sorted(wholes - {node})]


def _output(space: str, lineage: Lineage, node: Node) -> "OutputDataset":
    """Returns the dataset of a node with its columns, the columns behind each, and its digest as version."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.generated.column_lineage_dataset import ColumnLineageDatasetFacet, Fields
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields

    if node.kind == "service":  # takes features as they are
        names = {f"{one.name.replace(':', '__')}": [one] for one in lineage.upstream(node, 1) if one.kind == "feature"}
    else:
        parts = [part for part in lineage.parts(node) if part.kind == "feature"]
        names = {part.name.partition(":")[2]: [part] for part in parts}
    facets: dict = {}
    if names:
        facets["schema"] = SchemaDatasetFacet([SchemaDatasetFacetFields(name) for name in names])
        fields = {
            name: Fields(_fields(space, lineage, part, node.kind == "service")) for name, (part,) in names.items()
        }
        if field_lineage := {name: field for name, field in fields.items() if field.inputFields}:
            facets["columnLineage"] = ColumnLineageDatasetFacet(field_lineage)
    digest = lineage.facts.get(node, {}).get("training_set")
    if digest:
        facets["version"] = DatasetVersionDatasetFacet(digest)
    return OutputDataset(namespace=space, name=_dataset_name(node), facets=facets)


def _fields(space: str, lineage: Lineage, part: Node, as_is: bool) -> "list[InputField]":
    """Returns the columns behind a feature, each with the ways in which it is used."""
    from openlineage.client.generated.column_lineage_dataset import InputField, Transformation

    sources = {part: {("DIRECT", "IDENTITY")}} if as_is else {
        source: {_TRANSFORMATIONS[use] for use in uses} for source, uses in _columns_of(lineage, part).items()
    }  # fmt: skip
    fields = []
    for source, kinds in sorted(sources.items()):
        assert source.whole is not None
        name = source.name.removeprefix(source.whole.name)[1:]
        transformations = [Transformation(kind, subtype) for kind, subtype in sorted(kinds)]
        fields.append(InputField(space, _dataset_name(source.whole), name, transformations))
    return fields


def _columns_of(lineage: Lineage, part: Node) -> dict[Node, set[Use]]:
    """Returns the raw columns and features behind a feature, seen through its tiles."""
    uses: dict[Node, set[Use]] = {}
    for source in lineage.upstream(part, 1):
        if source.kind == "tile":
            for column in lineage.upstream(source, 1):
                if column.kind in _COLUMNS:
                    uses.setdefault(column, set()).update(lineage.uses(column, source))
        elif source.kind in _COLUMNS:
            uses.setdefault(source, set()).update(lineage.uses(source, part))
    return {source: kinds for source, kinds in uses.items() if kinds}


def _nearest(lineage: Lineage, node: Node) -> set[Node]:
    """Returns the nearest datasets upstream of a node: through tiles, outputs and models, which are none."""
    near: set[Node] = set()
    pending = set(lineage.upstream(node, 1))
    visited: set[Node] = set()
    while pending:
        source = pending.pop()
        visited.add(source)
        whole = source.whole or source
        if source.kind in ("tile", "output", "model"):
            pending |= set(lineage.upstream(source, 1)) - visited
        elif whole.kind in _FOLDERS:
            near.add(whole)
    return near
