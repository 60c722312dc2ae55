"""Layout 2: on-demand functions lie among the definitions of a project; fingerprints cover what is behind a view.

With layout 1 the functions lay in ``feature_repo/on_demand``. The move changed the text of their modules, and so the
fingerprints of the services that take them, but no value. With revision 1 of layout 2, as with layout 1, a fingerprint
did not depend on the definitions behind the views: windows, conditions, aggregates, sources. Two things follow:

- The registry names modules that are gone, and the manifest has fingerprints that are gone: the definitions are
  applied again, for each tenant.
- Bundles and training sets record the fingerprint of their service, and serving refuses a bundle with another than the
  manifest's. A recorded fingerprint is replaced where the service still means the same: equal views, keys, types and
  features, equal code of its functions, wherever it lies, and equal definitions. These are compared with those of the
  last apply; a manifest of layout 1 does not have them, which were the definitions of music then. The other models are
  listed: they have to be trained again.
"""

import ast
import hashlib
import inspect
import json
import os
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

from feature_repo.bundle import ALIASES, CHAMPION, MANIFEST
from feature_repo.command_line import Progress
from feature_repo.contract import contract_of
from feature_repo.errors import RefrainError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import Service, View, load_service, load_sources
from feature_repo.on_demand import OnDemand
from feature_repo.whole_files import write_whole
from feature_repo.windows import moment

ABOUT = (
    "on-demand functions lie among the definitions of a project; fingerprints of services cover what is behind views"
)
IS_QUICK = False  # applying imports Feast

LAYOUT_1 = {
    "listener_v1": ("41b53c8629afb60a", "c3bd1b95ed9381a7"),
    "performance_anomaly_v1": ("95b101673f6ad104", "462e82ec62725e72"),
    "real_time_recommendation_v1": ("0a6fe46c8585d7ec", "47e065ad18decb51"),
    "recommendation_v1": ("7aa8a6eb16671428", "591bcf558c277234"),
    "skip_v1": ("75ae574c1ae3cf2c", "7646d99a1642c37e"),
    "system_anomaly_v1": ("a39a356f032974d5", "8a132c1c15762298"),
    "user_anomaly_v1": ("c74f1fd963c2c8dd", "2df87f33f9f6cabb"),
}
"""Service whose fingerprint changed with the move → its fingerprint before, and its ``meaning`` then.

``tests/feature_repo/upgrades/test_v2.py`` computes both again from the code of layout 1, and ``WINDOWED_1``.
"""

WINDOWED_1 = {
    "access_security": "46a8a22b874ee125",
    "account_security": "68cf5001f15d1e18",
    "artist_popularity": "e9e61fb25699efff",
    "client_activity": "1ccad01c06ded524",
    "endpoint_performance": "53b183ac899e523a",
    "host_health": "19ef367323ad2a07",
    "host_logs": "a7c1e84e1d805186",
    "platform_activity": "2e6942c657e09f14",
    "platform_load": "16ba712e42d27075",
    "track_popularity": "5f7eff16befc6db6",
    "user_artist_affinity": "2da9705d7cbc7399",
    "user_behavior": "d233ea3147d32004",
    "user_feedback": "f92e787ab54c8f5d",
    "user_history": "661af68ec931d977",
    "user_listening": "98bd0f51df7d7b4b",
    "user_session": "e89f92b51d88187b",
}
"""Windowed table of layout 1 → the fingerprint of its declaration."""

_FIRST_MANIFEST = 4
"""First version of the manifest whose fingerprints cover what is behind the views."""

_KEPT = ".before"
"""End of the name of a file with an old manifest."""

_RECORDS = (
    f"models/tenant=*/*/*/{MANIFEST}",
    f"mlflow/artifacts/*/*/artifacts/bundle/{MANIFEST}",
    "training_sets/tenant=*/*/manifest.json",
)
"""Files that record fingerprints: bundles, MLflow's copies of them, training sets."""


def is_needed(home: Home) -> bool:
    """Whether a tenant has a manifest with old fingerprints, or anything records one that went with the move."""
    return bool(_tenants(home))


def plan(home: Home, progress: Progress) -> list[str]:
    """Returns what ``upgrade`` would do; definitions are applied to a temporary folder for that."""
    lines = []
    for tenant in _tenants(home):
        lines.append(f"apply the definitions of tenant {tenant.tenant}: registry and {tenant.manifest.name}")
        with tempfile.TemporaryDirectory() as folder:
            applied = replace(tenant, root=Path(folder))
            progress(0, 0, f"definitions of tenant {tenant.tenant}")
            _apply(applied)
            renewed = _renewed(_manifest_before(tenant), applied)
            lines += [f"replace the fingerprint in {_place(home, path)}" for path in _outdated(home, tenant, renewed)]
            lines += _models_to_train(tenant, applied, renewed)
    return list(dict.fromkeys(lines))


def upgrade(home: Home, progress: Progress) -> list[str]:
    """Applies the definitions of every tenant, and replaces recorded fingerprints of services that mean the same."""
    lines = []
    tenants = _tenants(home)
    for number, tenant in enumerate(tenants):
        progress(number, len(tenants), f"definitions of tenant {tenant.tenant}")
        before, kept = _manifest_before(tenant), _kept(tenant)
        write_whole(kept, json.dumps(before))
        _apply(tenant)
        lines.append(f"applied the definitions of tenant {tenant.tenant}")
        renewed = _renewed(before, tenant)
        for path in _outdated(home, tenant, renewed):
            _rewrite(path, renewed)
            lines.append(f"replaced the fingerprint in {_place(home, path)}")
        lines += _models_to_train(tenant, tenant, renewed)
        kept.unlink()
    return lines


def meaning(views: list[Any], functions: Mapping[str, OnDemand], features: list[Any]) -> str:
    """Returns a digest of what a service means, wherever the code of its functions lies.

    Args:
        views: name, join keys, types of the keys, and features with types of every view.
        functions: on-demand functions by name, in the order of the service.
        features: name and type of every feature that the service returns.
    """
    code = [[name, *_code(function), sorted(function.inputs.items())] for name, function in functions.items()]
    return hashlib.sha256(json.dumps([views, code, features]).encode()).hexdigest()[:16]


def _code(declared: OnDemand) -> list[str]:
    """Returns the code of a function and of everything of Refrain that it calls, and its settings."""
    function, settings = declared.function, [declared.settings]
    while isinstance(function, partial):
        settings.append(repr((function.args, function.keywords)))
        function = function.func
    return [*_sources(function, set()), *settings]


def _sources(function: Callable[..., Any], seen: set[Any]) -> Iterator[str]:
    """Yields the code of a function without comments and docstring, then the functions and constants that it uses."""
    if not isinstance(function, FunctionType) or function in seen:
        return
    seen.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:] or [ast.Pass()]
    yield ast.unparse(tree)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        if isinstance(value, FunctionType) and value.__module__.startswith("feature_repo."):
            yield from _sources(value, seen)
        elif isinstance(value, int | float | str | tuple | dict):
            yield f"{name} = {value!r}"


def _tenants(home: Home) -> list[Home]:
    """Returns the data folder for each tenant that has to be applied again."""
    files = [path for path in home.root.glob("manifest-*.json") if not _is_new(path)]
    files += home.root.glob(f"manifest-*.json{_KEPT}")
    outdated = {path.name.removesuffix(_KEPT).removesuffix(".json").removeprefix("manifest-") for path in files}
    old_fingerprints = {fingerprint for fingerprint, _ in LAYOUT_1.values()}
    for path in _records(home):
        if {fingerprint for _, fingerprint in _recorded(_read(path))} & old_fingerprints:
            tenant = next((part for part in path.parts if part.startswith("tenant=")), f"tenant={home.tenant}")
            outdated.add(tenant.removeprefix("tenant="))
    return [replace(home, tenant=tenant) for tenant in sorted(outdated)]


def _kept(tenant: Home) -> Path:
    """Returns the file with the old manifest, which is kept until all records are renewed."""
    return tenant.manifest.with_name(tenant.manifest.name + _KEPT)


def _manifest_before(tenant: Home) -> dict[str, Any]:
    """Returns the old manifest, also after an upgrade that was killed; empty if there is none."""
    return _read(_kept(tenant) if _is_new(tenant.manifest) else tenant.manifest)


def _is_new(manifest: Path) -> bool:
    """Whether a manifest has fingerprints that cover what is behind the views."""
    number = _read(manifest).get("version")
    return isinstance(number, int) and number >= _FIRST_MANIFEST


def _apply(tenant: Home) -> None:
    """Applies the definitions in a process of its own, as Feast keeps what it imported.

    Raises:
        StoreError: they cannot be applied.
    """
    environment = {**os.environ, "REFRAIN_HOME": str(tenant.root), "REFRAIN_TENANT": tenant.tenant}
    if tenant.project_folder is not None:
        environment["REFRAIN_PROJECT"] = str(tenant.project_folder)
    command = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise StoreError(
            expected=f"definitions of tenant {tenant.tenant} that can be applied",
            found=(process.stderr or process.stdout).strip()[-1_000:],
            next_command="correct what was found, then: refrain upgrade",
        )


def _renewed(before: Mapping[str, Any], tenant: Home) -> dict[tuple[str, str], str]:
    """Returns service and old fingerprint → fingerprint of the manifest, for services that mean the same.

    Args:
        before: the old manifest; empty if there is none.
        tenant: a data folder with the manifest of today.
    """
    changed, renewed = _changed_views(before, tenant), {}
    for name in _read(tenant.manifest)["services"]:
        service = load_service(tenant, name)
        if not changed & {view.name for view in service.views}:
            functions = _functions_before(service, tenant)
            renewed[name, fingerprint_before(service.views, functions, service.features)] = service.fingerprint
            fingerprint, old_meaning = LAYOUT_1.get(name, ("", ""))
            if meaning_of(service, functions) == old_meaning:
                renewed[name, fingerprint] = service.fingerprint
    return renewed


def _changed_views(before: Mapping[str, Any], tenant: Home) -> set[str]:
    """Returns windowed tables with another declaration than in the old manifest, and plain views with other files."""
    declarations, files = before.get("windowed", WINDOWED_1), before.get("sources", {})
    tables, sources = contract_of(tenant).windowed, load_sources(tenant)
    changed = {name for name, table in tables.items() if declarations.get(name) != table.fingerprint}
    return changed | {view for view, path in sources.items() if view not in files or files[view] != path}


def _functions_before(service: Service, tenant: Home) -> dict[str, OnDemand]:
    """Returns the on-demand functions of a service with settings as of before: of windowed tables, all of them."""
    settings = {moment.name_of(table): table.fingerprint for table in contract_of(tenant).windowed.values()}
    return {
        name: replace(function, settings=settings.get(name, function.settings))
        for name, function in service.functions.items()
    }


def fingerprint_before(views: Iterable[View], functions: Mapping[str, OnDemand], features: Iterable[Any]) -> str:
    """Returns the fingerprint of a service as it was computed before it covered the definitions behind its views."""
    code = [inspect.getsource(function.module) + function.settings for function in functions.values()]
    content = [[(view.name, view.join_keys, view.features) for view in views], code, list(features)]
    keys = [list(view.key_types) for view in views]
    if any(dtype != "String" for types in keys for dtype in types):
        content.append(keys)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def meaning_of(service: Service, functions: Mapping[str, OnDemand]) -> str:
    """Returns the ``meaning`` of a service as it is in the manifest."""
    views = [[view.name, view.join_keys, view.key_types, view.features] for view in service.views]
    return meaning(views, functions, list(service.features))


def _records(home: Home) -> Iterator[Path]:
    for pattern in _RECORDS:
        yield from sorted(home.root.glob(pattern))


def _outdated(home: Home, tenant: Home, renewed: Mapping[tuple[str, str], str]) -> Iterator[Path]:
    """Yields the records of a tenant, and MLflow's of all tenants, with a fingerprint that is to be replaced."""
    for path in _records(home):
        folder = next((part for part in path.parts if part.startswith("tenant=")), None)
        if folder in (None, f"tenant={tenant.tenant}") and set(_recorded(_read(path))) & renewed.keys():
            yield path


def _recorded(node: Any) -> Iterator[tuple[str, str]]:
    """Yields every service with its fingerprint that a document records, at any depth."""
    if isinstance(node, dict) and (recorded := _recorded_here(node)):
        yield recorded
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _recorded(child)


def _recorded_here(node: Mapping[str, Any]) -> tuple[str, str] | None:
    """Returns the service and the fingerprint that an object of a document records; None if it records none."""
    service, fingerprint = node.get("feature_service") or node.get("service"), node.get("fingerprint")
    return (service, fingerprint) if isinstance(service, str) and isinstance(fingerprint, str) else None


def _replaced(node: Any, renewed: Mapping[tuple[str, str], str]) -> Any:
    """Returns a document with its recorded fingerprints replaced."""
    if isinstance(node, list):
        return [_replaced(child, renewed) for child in node]
    if not isinstance(node, dict):
        return node
    document = {name: _replaced(child, renewed) for name, child in node.items()}
    recorded = _recorded_here(node)
    if recorded is not None and recorded in renewed:
        document["fingerprint"] = renewed[recorded]
    return document


def _rewrite(path: Path, renewed: Mapping[tuple[str, str], str]) -> None:
    """Replaces the fingerprints of one record, atomically. No digest covers these files."""
    write_whole(path, json.dumps(_replaced(_read(path), renewed), indent=1) + "\n")


def _models_to_train(tenant: Home, applied: Home, renewed: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Yields a line with the commands for each champion that serving refuses after the upgrade."""
    for aliases in sorted(tenant.bundles("x").parent.glob(f"*/{ALIASES}")):
        version = _read(aliases).get(CHAMPION)
        if version is None:  # it was demoted
            continue
        manifest = _read(aliases.parent / str(version) / MANIFEST)
        refused = [
            service
            for service, fingerprint in dict.fromkeys(_recorded(manifest))
            if renewed.get((service, fingerprint), fingerprint) != _fingerprint(applied, service)
        ]
        if refused:
            model, prefix = aliases.parent.name, _environment(tenant)
            yield (
                f"left to you: {model} was trained on another {', '.join(refused)}: "
                f"{prefix}refrain model run {manifest['family']} && {prefix}refrain model promote {model}"
            )


def _environment(tenant: Home) -> str:
    """Returns the start of a command line that works on another tenant than the default one."""
    return "" if tenant.tenant == "default" else f"REFRAIN_TENANT={shlex.quote(tenant.tenant)} "


def _fingerprint(applied: Home, service: str) -> str | None:
    try:
        return load_service(applied, service).fingerprint
    except RefrainError:
        return None


def _place(home: Home, path: Path) -> str:
    return str(path.relative_to(home.root))


def _read(path: Path) -> dict[str, Any]:
    """Reads a JSON document; empty if it is missing or damaged, which the reader of that file reports."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
