"""Finds problems in definitions that Feast accepts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.errors import StoreError
from feature_repo.on_demand import OnDemand
from feature_repo.purpose_checks import PurposeDeclarations, violations
from feature_repo.registered_views import features_of, views_of
from feature_repo.sources import WRITTEN_ON_CHANGE

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore, FeatureView

LABEL_NAMES = {"label", "labels", "target", "targets", "y", "outcome", "ground_truth"}
LABEL_PREFIXES = ("next_", "future_", "label_", "target_")


@dataclass(frozen=True)
class Finding:
    """One problem in the definitions.

    Attributes:
        severity: ``error`` if training sets may be wrong; ``warning`` for a cost or a risk.
        where: the view or service, and the feature.
        found: description of the problem.
        next_command: the remedy.
    """

    severity: str
    where: str
    found: str
    next_command: str


def lint(store: "FeatureStore", functions: Mapping[str, OnDemand]) -> list[Finding]:
    """Checks all views and services in the registry; ``functions`` are the on-demand functions of the contract.

    Errors: views without a created time (rows with equal event times tie, corrections cannot win, and training sets as
    known are impossible), names that differ only by case (most engines confuse them), times in nanoseconds (engines
    truncate or reject them), unreadable tables, and services with a feature that looks like their label (tag
    ``predicts``).

    Warnings: views without a ttl, unless a tag says that rows are written on change; columns with several types in the
    files of a table; keys in the paths of files; features that no service uses.
    """
    views, services = views_of(store), store.list_feature_services()
    findings = [finding for view in views for finding in _view_findings(store, view)]
    findings += [finding for service in services for finding in _label_findings(service)]
    findings += _unused_findings(store, functions, views, services)
    return sorted(findings, key=lambda finding: (finding.severity, finding.where))


def purpose_findings(declared: PurposeDeclarations) -> list[Finding]:
    """Finds services that read tables which may not be used for their purpose, and unknown purposes; all are errors."""
    return [
        Finding("error", one.where, f"expected {one.expected}, found {one.found}", one.next_command)
        for one in violations(declared)
    ]


def _view_findings(store: "FeatureStore", view: "FeatureView") -> Iterator[Finding]:
    source = view.batch_source
    if source is None:
        yield Finding("error", view.name, "no batch source", "declare one, then: refrain apply")
        return
    if not source.created_timestamp_column:
        remedy = "name the column in the source (created_timestamp_column), then: refrain apply"
        problem = "no created timestamp (of rows with equal key and time, the last in the files counts)"
        yield Finding("error", view.name, problem, remedy)
    if not view.ttl and not WRITTEN_ON_CHANGE.items() <= view.tags.items():
        tag = ", ".join(f"{name}: {value}" for name, value in WRITTEN_ON_CHANGE.items())
        yield Finding("warning", view.name, "no ttl", f"give it one, or the tag '{tag}' if its newest row stays true")
    yield from _name_findings(view)
    yield from _table_findings(store, view)


def _table_findings(store: "FeatureStore", view: "FeatureView") -> Iterator[Finding]:
    from feature_repo.stores.offline import AsOfOfflineStoreConfig
    from feature_repo.stores.view_histories import histories_of

    if not isinstance(store.config.offline_store, AsOfOfflineStoreConfig):
        return
    references = [f"{view.name}:{feature.name}" for feature in features_of(view)]
    try:
        history = histories_of(store.config, [view], references, False)[0]
    except StoreError as error:
        yield Finding("error", view.name, f"expected {error.expected}, found {error.found}", error.next_command)
        return
    types = history.types_in_files()
    nanoseconds = sorted(column for column, problem in types.items() if any("[ns" in dtype for dtype in problem))
    if nanoseconds:
        problem = f"times in nanoseconds ({', '.join(nanoseconds)}; they are rounded down to microseconds)"
        yield Finding("error", view.name, problem, "write them in microseconds, UTC")
    for column, files in types.items():
        if len(files) > 1:
            types_in_files = "; ".join(f"{dtype} in {Path(file).name}" for dtype, file in files.items())
            remedy = f"write {column!r} in one type, which every engine reads, and faster"
            yield Finding("warning", view.name, f"several types of the column {column!r} ({types_in_files})", remedy)
    for key in sorted(set(history.keys.values()).intersection(history.in_paths)):
        problem = f"the key {key!r} is encoded in the paths (engines differ in whether {key}=007 is a text or a number)"
        yield Finding("warning", view.name, problem, f"write {key!r} as a column of the files")


def _name_findings(view: "FeatureView") -> Iterator[Finding]:
    """Finds names that clash in case-insensitive engines: DuckDB, Spark, most databases."""
    by_folded: dict[str, list[str]] = {}
    for field in (*view.entity_columns, *features_of(view)):
        by_folded.setdefault(field.name.casefold(), []).append(field.name)
    for names in by_folded.values():
        if len(names) > 1:
            problem = f"names that differ by case alone ({', '.join(names)})"
            yield Finding("error", view.name, problem, "rename all but one in the view and its table")


def _label_findings(service: "FeatureService") -> Iterator[Finding]:
    predicted = service.tags.get("predicts", "").lower()
    names = {predicted, f"is_{predicted}", f"was_{predicted}", f"has_{predicted}"} if predicted else set()
    for projection in service.feature_view_projections:
        for feature in projection.features:
            name = feature.name.lower()
            if name in LABEL_NAMES | names or name.startswith(LABEL_PREFIXES):
                where = f"{service.name}: {projection.name_to_use()}:{feature.name}"
                problem = f"looks like what the service predicts ({predicted})" if predicted else "looks like a label"
                yield Finding("error", where, problem, "take it out of the service; labels go into the spine")


def _unused_findings(
    store: "FeatureStore",
    functions: Mapping[str, OnDemand],
    views: "list[FeatureView]",
    services: "list[FeatureService]",
) -> Iterator[Finding]:
    used = {
        (projection.name, feature.name)
        for service in services
        for projection in service.feature_view_projections
        for feature in projection.features
    }
    for on_demand in store.list_on_demand_feature_views():
        if on_demand.name in functions:  # it declares the features that it reads; Feast knows only the views
            references = (column.split("__") for column in functions[on_demand.name].inputs.values() if "__" in column)
            used |= {(view, feature) for view, feature in references}
            continue
        for projection in on_demand.source_feature_view_projections.values():
            used |= {(projection.name, feature.name) for feature in projection.features}
    for view in views:
        unused = [feature.name for feature in features_of(view) if (view.name, feature.name) not in used]
        if unused:
            problem = f"no service uses {', '.join(unused)}"
            yield Finding("warning", view.name, problem, "add them to a service, or drop them and what computes them")
