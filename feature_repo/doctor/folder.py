"""Checks that files, registry and manifest of a data folder are consistent."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo import clock, retractions
from feature_repo.compile_manifest import LeftToFeast, resolve_service, tables_of
from feature_repo.contract import contract_of
from feature_repo.days import files_in, strangers_in
from feature_repo.doctor.finding import Finding
from feature_repo.doctor.steps import APPLY, BUILD, MATERIALIZE
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.registered_views import features_of, views_of
from feature_repo.stores.source_files import is_feature_table

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

_BESIDE_DAYS = {"raw": ("month=",), "features": (), "tiles": ("before=", "closed", "retracted")}
"""Parent folder of tables → prefixes of other folders that may lie beside the days of a table."""

_WITHOUT_DAYS = ("text_scores",)
"""Tables whose folders are not days."""


def findings(home: Home, store: "FeatureStore") -> Iterator[Finding]:
    """Yields all findings. Unreadable views come first, each under its name."""
    views = views_of(store)
    for view in views:
        yield from _source_findings(home, store, view)
    yield from _definition_findings(home, views)
    yield from _manifest_findings(home, store)
    yield from _build_findings(home, [view.name for view in views])
    hint = clock.hint(home)
    if hint:
        yield Finding("events", hint.split(" To work")[0].rstrip("."), hint.rsplit(": ", 1)[1], is_fault=False)


def _source_findings(home: Home, store: "FeatureStore", view: "FeatureView") -> Iterator[Finding]:
    from feature_repo.stores.offline import AsOfOfflineStoreConfig
    from feature_repo.stores.view_histories import histories_of

    if not isinstance(store.config.offline_store, AsOfOfflineStoreConfig):
        return
    references = [f"{view.name}:{feature.name}" for feature in features_of(view)]
    try:
        history = histories_of(store.config, [view], references, False)[0]
    except StoreError as error:
        yield Finding(view.name, f"expected {error.expected}, found {error.found}", error.next_command)
        return
    table = home.features(view.name)
    tail = table.relative_to(home.root)
    for file in history.files[:1]:
        is_table = tail.as_posix() in Path(file).as_posix()
        if is_table and not Path(file).is_relative_to(table):
            yield Finding(view.name, f"its table is read from another data folder: {file}", APPLY)


def _definition_findings(home: Home, views: "list[FeatureView]") -> Iterator[Finding]:
    """Checks that the registry has the definitions of the code."""
    applied = {view.name: view for view in views}
    for name, declared in contract_of(home).views.items():
        registered = applied.get(name)
        if registered is None:
            yield Finding(name, "it is declared but not in the registry", APPLY)
        elif not _have_same_columns(registered, declared):
            yield Finding(name, "the registry and its declaration have different columns", APPLY)
        elif _path(registered) != _path(declared) and not is_feature_table(declared):
            yield Finding(name, f"the registry has the files {_path(registered)}, its declaration others", APPLY)


def _have_same_columns(registered: "FeatureView", declared: "FeatureView") -> bool:
    """Whether the columns agree, apart from those that a declaration leaves to Feast to infer from files."""
    stored, types = _column_types(registered), _column_types(declared)
    if any(stored.get(name) != dtype for name, dtype in types.items()):
        return False
    return not declared.features or stored.keys() - types.keys() <= {key.name for key in registered.entity_columns}


def _column_types(view: "FeatureView") -> dict[str, str]:
    return {field.name: str(field.dtype) for field in (*view.entity_columns, *view.features)}


def _path(view: "FeatureView") -> str | None:
    return getattr(view.batch_source, "path", None)


def _manifest_findings(home: Home, store: "FeatureStore") -> Iterator[Finding]:
    """Checks that the manifest matches the registry."""
    tables = tables_of(store)
    for service in store.list_feature_services():
        try:
            resolved = resolve_service(store, contract_of(home), service.name, tables)
        except LeftToFeast:
            continue
        try:
            compiled = load_service(home, service.name).fingerprint
        except StoreError as error:
            yield Finding("manifest", error.found, error.next_command)
            return
        if compiled != resolved.fingerprint:
            yield Finding("manifest", f"its {service.name} differs from the registry", APPLY)
            return


def _build_findings(home: Home, views: list[str]) -> Iterator[Finding]:
    """Finds interrupted or pending builds, and deleted files."""
    for name in views:
        closed = home.tiles(name) / "closed"
        if (closed / ".unsettled").exists():
            yield Finding(name, "rows that are gone have no closing rows yet: a build was interrupted", BUILD)
        if retractions.list_files(home, name):
            yield Finding(name, "keys that lost events have not been materialized since", MATERIALIZE)
        missing_days = _missing_days(home.features(name))
        if missing_days:
            yield Finding(name, f"files of its table are missing: {', '.join(missing_days[:3])}", BUILD)
    yield from _stray_findings(home)
    for folder in sorted(home.root.glob(f"raw/*/tenant={home.tenant}")):
        missing_days = _missing_days(folder)
        if missing_days:
            yield Finding(
                f"raw {folder.parent.name}",
                f"days were deleted since the last build: {', '.join(missing_days[:3])}",
                BUILD,
            )
    built = home.root / "features" / f".built-{home.tenant}"
    folders = home.root.glob(f"raw/*/tenant={home.tenant}")
    raw = [path.stat().st_mtime for folder in folders for path in files_in(folder)]
    if raw and (not built.exists() or max(raw) > built.stat().st_mtime):
        yield Finding("raw tables", "they are newer than the feature tables", BUILD)


def _stray_findings(home: Home) -> Iterator[Finding]:
    """Finds entries beside the days of tables that no reader uses."""
    for parent, allowed_prefixes in _BESIDE_DAYS.items():
        for folder in sorted(home.root.glob(f"{parent}/*/tenant={home.tenant}")):
            name = folder.parent.name
            if name in _WITHOUT_DAYS:
                continue
            for path in (path for path in strangers_in(folder) if not path.name.startswith(allowed_prefixes)):
                problem = f"{path} is not a day (a folder date=YYYY-MM-DD) and is not read"
                yield Finding(f"{parent} {name}", problem, f"mv {shlex.quote(str(path))} /elsewhere", is_fault=False)


def _missing_days(folder: Path) -> list[str]:
    """Lists days whose file existed at the last build and is now missing."""
    try:
        known_days = json.loads((folder / ".known-part-0.json").read_text())
    except (OSError, ValueError):
        return []
    if not isinstance(known_days, dict):
        return []
    return [day for day in sorted(known_days) if not (folder / f"date={day}" / "part-0.parquet").exists()]
