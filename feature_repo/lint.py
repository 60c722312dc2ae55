"""What is wrong with definitions that Feast accepts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.errors import StoreError
from feature_repo.on_demand import ON_DEMAND
from feature_repo.sources import WRITTEN_ON_CHANGE

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore, FeatureView

LABEL_NAMES = {"label", "labels", "target", "targets", "y", "outcome", "ground_truth"}
LABEL_PREFIXES = ("next_", "future_", "label_", "target_")


@dataclass(frozen=True)
class Finding:
    """One thing to put right.

    Attributes:
        severity: ``error`` gives wrong training sets; ``warning`` costs something.
        where: the view or service, and the feature.
        found: what is wrong.
        next_command: what to do.
    """

    severity: str
    where: str
    found: str
    next_command: str


def lint(store: "FeatureStore") -> list[Finding]:
    """Check everything in the registry.

    Errors are views without a created time (a correction cannot win, nor can anybody ask what was known), times in
    nanoseconds (engines cut or refuse them), tables that cannot be read, and services with a feature that looks like
    what they predict (their tag ``predicts``). Warnings are views without a ttl, unless their tag says that rows are
    written on change, and features that no service uses.
    """
    views, services = store.list_batch_feature_views(), store.list_feature_services()
    findings = [finding for view in views for finding in _of_view(store, view)]
    findings += [finding for service in services for finding in _labels(service)]
    findings += _unused(store, views, services)
    return sorted(findings, key=lambda finding: (finding.severity, finding.where))


def _of_view(store: "FeatureStore", view: "FeatureView") -> Iterator[Finding]:
    source = view.batch_source
    if source is None:
        yield Finding("error", view.name, "no batch source", "declare one, then: python -m feature_repo apply")
        return
    if not source.created_timestamp_column:
        again = "name the column in the source (created_timestamp_column), then: python -m feature_repo apply"
        yield Finding("error", view.name, "no created timestamp", again)
    if not view.ttl and not WRITTEN_ON_CHANGE.items() <= view.tags.items():
        tag = ", ".join(f"{name}: {value}" for name, value in WRITTEN_ON_CHANGE.items())
        yield Finding("warning", view.name, "no ttl", f"give it one, or the tag '{tag}' if its newest row stays true")
    yield from _of_table(store, view)


def _of_table(store: "FeatureStore", view: "FeatureView") -> Iterator[Finding]:
    from feature_repo.stores.offline import AsOfOfflineStoreConfig, histories_of

    if not isinstance(store.config.offline_store, AsOfOfflineStoreConfig):
        return
    references = [f"{view.name}:{feature.name}" for feature in view.features]
    try:
        history = histories_of(store.config, [view], references, False)[0]
    except StoreError as error:
        yield Finding("error", view.name, f"expected {error.expected}, found {error.found}", error.next_command)
        return
    if any("ns" in t for c in (history.time, history.created) if c for t in history.types_in_files()[c]):
        yield Finding("error", view.name, "times in nanoseconds", "write them in microseconds, UTC")


def _labels(service: "FeatureService") -> Iterator[Finding]:
    predicted = service.tags.get("predicts", "").lower()
    names = {predicted, f"is_{predicted}", f"was_{predicted}", f"has_{predicted}"} if predicted else set()
    for projection in service.feature_view_projections:
        for feature in projection.features:
            bare = feature.name.lower()
            if bare in LABEL_NAMES | names or bare.startswith(LABEL_PREFIXES):
                where = f"{service.name}: {projection.name_to_use()}:{feature.name}"
                what = f"looks like what the service predicts ({predicted})" if predicted else "looks like a label"
                yield Finding("error", where, what, "take it out of feature_repo/services.py; labels go into the spine")


def _unused(store: "FeatureStore", views: "list[FeatureView]", services: "list[FeatureService]") -> Iterator[Finding]:
    used = {
        (projection.name, feature.name)
        for service in services
        for projection in service.feature_view_projections
        for feature in projection.features
    }
    for on_demand in store.list_on_demand_feature_views():
        if on_demand.name in ON_DEMAND:  # which says what it reads; Feast knows but the whole views
            read = (column.split("__") for column in ON_DEMAND[on_demand.name].inputs.values() if "__" in column)
            used |= {(view, feature) for view, feature in read}
            continue
        for projection in on_demand.source_feature_view_projections.values():
            used |= {(projection.name, feature.name) for feature in projection.features}
    for view in views:
        unused = [feature.name for feature in view.features if (view.name, feature.name) not in used]
        if unused:
            found = f"no service uses {', '.join(unused)}"
            yield Finding("warning", view.name, found, "add them to a service, or drop them and what computes them")
