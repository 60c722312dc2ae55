"""Layouts before revision 2 of layout 2: fingerprints from real code of then, and folders that serve afterwards.

``manifest_layout_1.json`` is what the code of ``COMMIT`` compiled, ``manifest_layout_2_revision_1.json`` what that of
``COMMIT_OF_REVISION_1`` did, both without the columns and sources that nothing here reads.

The tests of the upgrade need services whose functions are as they were: when a function changes, its services drop out
of them, as they do out of the upgrade.
"""

import ast
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from feature_repo import layout
from feature_repo.bundle import ALIASES, MANIFEST
from feature_repo.errors import BundleError, HomeError
from feature_repo.home import REPOSITORY, Home
from feature_repo.manifest import VERSION, load_service
from feature_repo.on_demand import OnDemand
from feature_repo.upgrades import v2
from feature_repo.version import version
from inference.models import load_bundle
from refrain.cli import app
from training.bundle import write_bundle

COMMIT = "c30aaca"
"""The last commit of layout 1."""
COMPILED = Path(__file__).with_name("manifest_layout_1.json")
COMMIT_OF_REVISION_1 = "ce5fbb7"
"""The last commit of revision 1 of layout 2."""
COMPILED_IN_REVISION_1 = Path(__file__).with_name("manifest_layout_2_revision_1.json")

IN_LAYOUT_1 = """
import ast, hashlib, inspect, json, sys, textwrap
from functools import partial
from types import FunctionType, SimpleNamespace
exec(sys.argv[1])
from feature_repo.on_demand import ON_DEMAND
from feature_repo.windowed import WINDOWED
figures = {}
for name, service in json.load(open(sys.argv[2]))["services"].items():
    functions = {function: ON_DEMAND[function] for function in service["on_demand"]}
    views = [SimpleNamespace(**view) for view in service["views"]]
    fingerprint = fingerprint_before(views, functions, service["features"])
    views = [[view["name"], view["join_keys"], view["key_types"], view["features"]] for view in service["views"]]
    figures[name] = fingerprint, meaning(views, functions, service["features"])
print(json.dumps([figures, {name: table.fingerprint for name, table in WINDOWED.items()}]))
"""
"""Run with the code of layout 1: what today's migration says of its services and windowed tables."""


def functions_of_migration() -> str:
    """Returns the source of the digests of ``v2``, without annotations, which name types of today."""
    names = ("meaning", "_code", "_sources", "fingerprint_before")
    tree = ast.parse(Path(v2.__file__).read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    for node in functions:
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
    return "\n".join(map(ast.unparse, functions))


def test_fingerprints_and_meanings_are_those_of_the_code_of_layout_1(tmp_path: Path) -> None:
    archive = subprocess.run(
        ["git", "-C", REPOSITORY, "archive", COMMIT, "feature_repo"], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"the commit {COMMIT} is not in this clone")
    subprocess.run(["tar", "x", "-C", tmp_path], input=archive.stdout, check=True)
    command = [sys.executable, "-c", IN_LAYOUT_1, functions_of_migration(), str(COMPILED)]
    process = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    figures, windowed = json.loads(process.stdout)
    computed = {name: tuple(pair) for name, pair in figures.items()}
    compiled = json.loads(COMPILED.read_text())["services"]
    assert {name: fingerprint for name, (fingerprint, _) in computed.items()} == {
        name: service["fingerprint"] for name, service in compiled.items()
    }
    assert {name: computed[name] for name in v2.LAYOUT_1} == v2.LAYOUT_1
    assert windowed == v2.WINDOWED_1


# One function in several texts. What differs in ``SAME`` does not matter, what differs in ``OTHER`` does.
ORIGINAL = '''
import numpy as np
LIMIT = 3.0
def part(x):
    return x * LIMIT
def share(a, b):
    """What it says."""
    return {"share": part(a) / b}
'''
SAME = {
    "a docstring": ("What it says.", "What it says now."),
    "a comment": ("return x * LIMIT", "return x * LIMIT  # why"),
    "a layout": ("part(a) / b", "(part(a)\n        / b)"),
    "a declaration": ("LIMIT = 3.0", "LIMIT = 3.0\nOTHER = 5"),
    "an import": ("import numpy as np", "import numpy as np\nimport math"),
}
OTHER = {
    "its code": ("part(a) / b", "part(b) / a"),
    "a function that it calls": ("x * LIMIT", "x + LIMIT"),
    "a constant of that function": ("LIMIT = 3.0", "LIMIT = 4.0"),
    "the name of an output": ('"share"', '"Share"'),
}


def meaning_of_text(folder: Path, text: str, **declared: Any) -> str:
    """Writes a text as a module of feature_repo and returns the meaning of a service with its function."""
    module = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.py"
    module.write_text(text)
    names: dict[str, Any] = {"__name__": "feature_repo.definitions.on_demand.share"}
    exec(compile(text, str(module), "exec"), names)
    function = declared.pop("function", lambda share: share)(names["share"])
    values = {"inputs": {"a": "view__a", "b": "view__b"}, "outputs": {"share": "Float64"}, **declared}
    view = ["view", ["user_id"], ["String"], [["a", "Float64"], ["b", "Float64"]]]
    return v2.meaning([view], {"share": OnDemand("share", function, **values)}, [["share__share", "Float64"]])


@pytest.mark.parametrize("change", [*SAME, *OTHER])
def test_only_code_changes_the_meaning(tmp_path: Path, change: str) -> None:
    changed = ORIGINAL.replace(*{**SAME, **OTHER}[change])
    assert changed != ORIGINAL
    assert (meaning_of_text(tmp_path, ORIGINAL) == meaning_of_text(tmp_path, changed)) == (change in SAME)


@pytest.mark.parametrize(
    "declared",
    [
        {"settings": "other"},
        {"inputs": {"a": "view__b", "b": "view__a"}},
        {"function": lambda share: partial(share, b=np.ones(1))},
    ],
)
def test_settings_inputs_and_bound_arguments_belong_to_the_meaning(tmp_path: Path, declared: dict[str, Any]) -> None:
    assert meaning_of_text(tmp_path, ORIGINAL) != meaning_of_text(tmp_path, ORIGINAL, **declared)


def bundle(
    home: Home, model: str, service: str, fingerprint: str, extra: dict[str, Any] | None = None, version: int = 1
) -> Path:
    """Writes and promotes a bundle as layout 1 had it."""
    folder = home.bundles(model) / str(version)
    manifest = {
        **{"name": model, "version": version, "family": model, "feature_service": service, "fingerprint": fingerprint},
        **{"inputs": [], "outputs": [], "metrics": {}, "training_set": "", "cutoff": "", "extra": extra or {}},
    }
    write_bundle(folder, {"model.onnx": b"x"}, manifest)
    document = json.loads((folder / MANIFEST).read_text())
    del document["refrain"]
    (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n")
    (home.bundles(model) / ALIASES).write_text(json.dumps({"champion": version}))
    return folder / MANIFEST


@pytest.fixture
def old(home: Home) -> Home:
    """A folder of layout 1: a manifest, three models, MLflow's copy of one of them, and a training set."""
    home.root.mkdir()
    shutil.copy(COMPILED, home.manifest)
    old_fingerprints = {name: fingerprint for name, (fingerprint, _) in v2.LAYOUT_1.items()}
    extra = {"real_time": {"service": "listener_v1", "fingerprint": old_fingerprints["listener_v1"], "inputs": []}}
    bundle(home, "recommendation", "recommendation_v1", old_fingerprints["recommendation_v1"])
    bundle(home, "skip_model", "skip_v1", "0123456789abcdef")  # trained on features of its own
    fingerprint = json.loads(COMPILED.read_text())["services"]["track_plays_v1"]["fingerprint"]
    file = bundle(home, "plays_model", "track_plays_v1", fingerprint, extra)
    copy = home.mlflow / "artifacts" / "plays_model" / "a1" / "artifacts" / "bundle"
    copy.mkdir(parents=True)
    shutil.copy(file, copy)
    training_set = home.training_sets / "0a1b"
    training_set.mkdir(parents=True)
    document = {"feature_service": "listener_v1", "fingerprint": old_fingerprints["listener_v1"], "digest": "0a1b"}
    (training_set / "manifest.json").write_text(json.dumps(document))
    return home


def contents(home: Home) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}


@pytest.mark.journeys
def test_a_folder_of_layout_1_serves_after_the_upgrade(old: Home) -> None:
    with pytest.raises(HomeError, match="refrain upgrade"):
        load_bundle("recommendation", old)
    before = contents(old)
    planned = CliRunner().invoke(app, ["upgrade", "--dry-run"])
    assert planned.exit_code == 0, planned.output
    assert contents(old) == before

    done = CliRunner().invoke(app, ["upgrade"])
    assert done.exit_code == 0, done.output
    assert layout.of(old) == 2
    lines = [line for line in done.output.splitlines() if " UTC  upgrade: " not in line]  # without progress
    renewed = [
        "models/tenant=default/plays_model/1/manifest.json",
        "mlflow/artifacts/plays_model/a1/artifacts/bundle/manifest.json",
        "training_sets/tenant=default/0a1b/manifest.json",
    ]
    assert [line for line in lines if "the fingerprint in" in line] == [
        f"replaced the fingerprint in {place}" for place in renewed
    ]
    assert [line for line in lines if line.startswith("left to you")] == [
        f"left to you: {model} was trained on another {service}: "
        f"refrain model run {model} && refrain model promote {model}"
        for model, service in (("recommendation", "recommendation_v1"), ("skip_model", "skip_v1"))
    ]
    assert planned.output.count("replace the fingerprint in") == len(renewed)
    assert lines[2 + len(renewed)] in planned.output

    manifest = load_bundle("plays_model", old).manifest
    assert manifest["fingerprint"] == load_service(old, "track_plays_v1").fingerprint
    assert manifest["extra"]["real_time"]["fingerprint"] == load_service(old, "listener_v1").fingerprint
    with pytest.raises(BundleError, match="0123456789abcdef"):
        load_bundle("skip_model", old)
    training_set = json.loads((old.training_sets / "0a1b" / "manifest.json").read_text())
    assert training_set == {
        "feature_service": "listener_v1",
        "fingerprint": load_service(old, "listener_v1").fingerprint,
        "digest": "0a1b",
    }
    unchanged = {path for path, content in contents(old).items() if before.get(path) == content}
    assert {path for path in before if "model.onnx" in path.name or "skip_model" in str(path)} <= unchanged

    again = contents(old)
    repeated = CliRunner().invoke(app, ["upgrade"])
    assert "nothing to change" in repeated.output
    assert contents(old) == again


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda service: None,
    "a feature less": lambda service: service["features"].pop(),
    "a type": lambda service: service["features"][0].__setitem__(1, "String"),
    "the type of a column": lambda service: service["views"][0]["features"][0].__setitem__(1, "String"),
    "a key": lambda service: service["views"][0].update(join_keys=["artist_id"]),
    "the type of a key": lambda service: service["views"][0].update(key_types=["Int64"]),
    "a view less": lambda service: service["views"].pop(),
    "a function less": lambda service: service["on_demand"].pop(),
}


def write_applied(home: Home, compiled: dict[str, Any]) -> None:
    """Writes the manifest of a data folder as today's apply would, with the services of an older one."""
    for name, service in compiled["services"].items():
        service["fingerprint"] = f"today's of {name}"
        for view in service["views"]:
            view["definition"] = ""
    home.ensure().manifest.write_text(json.dumps({**compiled, "version": VERSION}))


SHARES_UNBOUNDED = {"recommendation_v1", "real_time_recommendation_v1"}
"""Services of layout 1 with ``popularity_share``, which since counts a bounded number of plays a listener."""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("compiled", [COMPILED, COMPILED_IN_REVISION_1], ids=["layout 1", "revision 1"])
def test_a_service_that_changed_since_keeps_its_fingerprint(home: Home, compiled: Path, change: str) -> None:
    before, applied = json.loads(compiled.read_text()), json.loads(compiled.read_text())
    CHANGES[change](applied["services"]["skip_v1"])
    write_applied(home, applied)
    renewed = v2._renewed(before, home)
    same = {*before["services"]} - SHARES_UNBOUNDED - ({"skip_v1"} if change != "nothing" else set())
    recorded = {(name, before["services"][name]["fingerprint"]): f"today's of {name}" for name in before["services"]}
    assert {pair: renewed[pair] for pair in recorded if pair in renewed} == {
        pair: new for pair, new in recorded.items() if pair[0] in same
    }


DEFINITIONS: dict[str, tuple[Callable[[dict[str, Any]], object], set[str]]] = {
    "a windowed table": (lambda before: before["windowed"].update(track_popularity="other"), {"track_popularity"}),
    "a windowed table that was not there": (lambda before: before["windowed"].pop("host_health"), {"host_health"}),
    "the files of a plain view": (lambda before: before["sources"].update(track_audio="/b"), {"track_audio"}),
    "a plain view that was none": (lambda before: before.update(sources={}), {"track_audio"}),
    "no record of definitions, so those of layout 1": (lambda before: before.pop("windowed"), set()),
}


@pytest.mark.parametrize("change", DEFINITIONS)
def test_a_service_with_another_definition_keeps_its_fingerprint(home: Home, change: str) -> None:
    before, applied = (json.loads(COMPILED_IN_REVISION_1.read_text()) for _ in range(2))
    before["sources"] = {"track_audio": "/a"}
    write_applied(home, {**applied, "sources": {"track_audio": "/a"}})
    edit, views = DEFINITIONS[change]
    edit(before)
    reading = {
        name for name, service in before["services"].items() if views & {view["name"] for view in service["views"]}
    }
    assert {name for name, _ in v2._renewed(before, home)} == {*before["services"]} - reading


@pytest.fixture
def revision_1(home: Home) -> Home:
    """A folder of revision 1 of layout 2: its manifest, and four models.

    One was trained on other features, and one takes a table whose definition has changed since the last apply.
    """
    home.root.mkdir()
    (home.root / layout.FILE).write_text('{"layout": 2, "refrain": "0.1.0"}\n')
    document = json.loads(COMPILED_IN_REVISION_1.read_text())
    document["windowed"]["access_security"] = "another"
    home.manifest.write_text(json.dumps(document))
    services = document["services"]
    bundle(home, "security_model", "security_anomaly_v1", services["security_anomaly_v1"]["fingerprint"])
    bundle(home, "plays_model", "track_plays_v1", services["track_plays_v1"]["fingerprint"])
    bundle(home, "skip_model", "skip_v1", services["skip_v1"]["fingerprint"])
    bundle(home, "audio_model", "track_audio_v1", "0123456789abcdef")
    return home


@pytest.mark.journeys
def test_a_folder_of_revision_1_serves_after_the_upgrade(revision_1: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        with pytest.raises(HomeError, match=r"layout 2, revision 2.*layout 2, revision 1.*next: refrain upgrade"):
            load_bundle("plays_model", revision_1)

    with monkeypatch.context() as patch:
        patch.setattr(v2, "_rewrite", lambda path, renewed: 1 / 0)  # as if it was killed there
        assert CliRunner().invoke(app, ["upgrade"]).exit_code != 0
    with pytest.raises(HomeError, match="refrain upgrade"):
        load_bundle("plays_model", revision_1)
    monkeypatch.setattr(v2, "_apply", lambda tenant: None)  # it was applied before
    done = CliRunner().invoke(app, ["upgrade"])
    assert done.exit_code == 0, done.output
    assert "skip_model was" not in done.output
    assert list(revision_1.root.glob("*.before")) == []

    for model, service in (("plays_model", "track_plays_v1"), ("skip_model", "skip_v1")):
        assert load_bundle(model, revision_1).manifest["fingerprint"] == load_service(revision_1, service).fingerprint
    for model in ("audio_model", "security_model"):
        assert f"left to you: {model} was trained on another" in done.output
        with pytest.raises(BundleError, match=f"was trained on fingerprint .*; next: refrain model run {model}"):
            load_bundle(model, revision_1)
    assert "nothing to change" in CliRunner().invoke(app, ["upgrade"]).output


def test_a_folder_of_revision_1_without_manifests_needs_no_upgrade(home: Home) -> None:
    home.root.mkdir()
    (home.root / layout.FILE).write_text('{"layout": 2, "refrain": "0.1.0"}\n')
    assert not v2.is_needed(home)
    home.check_layout()
    assert layout.read(home.root) == layout.Stamp(2, version(), 2)


def test_every_tenant_with_something_of_before_is_upgraded(old: Home) -> None:
    fingerprint = v2.LAYOUT_1["skip_v1"][0]
    bundle(replace(old, tenant="label_b"), "skip_model", "skip_v1", fingerprint)
    bundle(replace(old, tenant="label_c"), "skip_model", "skip_v1", "0123456789abcdef")
    shutil.copy(COMPILED, old.root / "manifest-label_d.json")
    (old.root / "manifest-label_e.json").write_text('{"version": 3, "refrain": "0.1.0", "services": {}}')
    (old.root / "manifest-label_f.json").write_text(f'{{"version": {VERSION}, "services": {{}}}}')
    (old.root / "manifest-label_g.json").write_text(f'{{"version": {VERSION}, "services": {{}}}}')
    (old.root / "manifest-label_g.json.before").write_text("{}")
    tenants = [tenant.tenant for tenant in v2._tenants(old)]
    assert tenants == ["default", "label_b", "label_d", "label_e", "label_g"]


def test_damaged_records_are_left_to_their_readers(old: Home) -> None:
    place = old.bundles("recommendation") / "1" / MANIFEST
    for content in ("", "{", "[1]", '{"feature_service": 3, "fingerprint": []}'):
        place.write_text(content)
        assert v2.is_needed(old)
        assert not list(v2._recorded(v2._read(place)))
