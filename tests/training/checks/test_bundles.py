"""Bundle checks: every bundle that the tests train passes, and each broken bundle fails the matching check."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feature_repo.bundle import GOLDEN, MANIFEST, Bundle
from feature_repo.errors import BundleError, StoreError
from feature_repo.home import Home
from feature_repo.version import version
from training.bundle import amend
from training.checks import CHECKS, check_bundle
from training.validation.evidence import EVIDENCE, MODEL_KEY
from training.version_files import DECISION, champion_of, decision_of, evidence_of


def _bundles(home: Home) -> list[Path]:
    return sorted(path.parent for path in home.bundles("any").parent.glob(f"*/*/{MANIFEST}"))


@pytest.mark.parametrize("world_of", ["world", "telemetry", "written", "sounding"])
def test_every_model_that_the_tests_train_passes(world_of: str, request: pytest.FixtureRequest) -> None:
    home = request.getfixturevalue(world_of)
    folders = _bundles(home)
    assert folders
    for folder in folders:
        manifest = json.loads((folder / MANIFEST).read_text())
        bundle = Bundle(folder, manifest)
        for check in CHECKS:
            if check.__name__ != "files_are_whole":  # pages of forecasters are written after registration
                check(bundle, home)
        assert {DECISION, "card.html", "model_card.md", "annex_iv.md", "lineage.json"} <= set(manifest["files"])
        assert manifest["refrain"] == version()
        assert f"<td>Refrain<td>{version()}" in (folder / "card.html").read_text()
        assert decision_of(home, manifest["name"], manifest["version"]) is not None
        evidence = evidence_of(home, manifest["name"], manifest["version"])
        if manifest["name"] not in ("text_embedder",):  # too few artists have tags in the small world
            assert evidence is not None, manifest["name"]
            assert np.isfinite(evidence.figure(MODEL_KEY).mean)
            assert evidence.baselines
        assert champion_of(home, manifest["name"])


@pytest.fixture
def bundle(world: Home, tmp_path: Path) -> tuple[Path, Home]:
    """A copy of a bundle that a test may break."""
    folder = tmp_path / "1"
    shutil.copytree(world.bundles("recommendation") / "1", folder)
    return folder, world


def _change_manifest(folder: Path, change: Callable[[dict], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _change_golden(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    import io

    with np.load(folder / GOLDEN) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    amend(folder, {GOLDEN: buffer.getvalue()})


def _shift_outputs(arrays: dict[str, np.ndarray]) -> None:
    arrays["hybrid__outputs"] = arrays["hybrid__outputs"] + 0.1


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "tampered": (lambda folder: (folder / "hybrid.onnx").write_bytes(b"another"), "found another content"),
    "lost": (lambda folder: (folder / "hybrid.onnx").unlink(), "hybrid.onnx"),
    "smuggled": (lambda folder: (folder / "more.bin").write_bytes(b"more"), "not in the manifest"),
    "pickle": (lambda folder: amend(folder, {"weights": b"\x80\x04K\x01."}), "weights is a pickle"),
    "format of programs": (lambda folder: amend(folder, {"model.pkl": b"data"}), "is of a format of programs"),
    "no model": (lambda folder: amend(folder, {"hybrid.onnx": b"nothing"}), "an ONNX model in hybrid.onnx"),
    "other answers": (
        lambda folder: _change_golden(folder, _shift_outputs),
        "answers of hybrid as when it was trained",
    ),
    "no outputs": (lambda folder: _change_manifest(folder, lambda manifest: manifest.update(outputs=[])), "outputs"),
    "twice": (
        lambda folder: _change_manifest(
            folder, lambda manifest: manifest.update(inputs=[*manifest["inputs"], manifest["inputs"][0]])
        ),
        "named once",
    ),
    "infinite": (
        lambda folder: _change_manifest(
            folder, lambda manifest: manifest["metrics"].update(odd={"loss": float("inf")})
        ),
        "figures that are numbers",
    ),
    "no cutoff": (
        lambda folder: _change_manifest(folder, lambda manifest: manifest.update(cutoff="soon")),
        "a cutoff as ISO 8601",
    ),
    "another service": (
        lambda folder: _change_manifest(folder, lambda manifest: manifest.update(fingerprint="other")),
        "as it was when recommendation was trained",
    ),
    "service gone": (
        lambda folder: _change_manifest(folder, lambda manifest: manifest.update(feature_service="gone_v1")),
        "gone_v1",
    ),
    "strange input": (
        lambda folder: _change_manifest(
            folder, lambda manifest: manifest["inputs"].append(["user_listening__gone", "float32"])
        ),
        "inputs of recommendation that are features",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_bundle_fails_the_check_that_is_for_it(bundle: tuple[Path, Home], case: str) -> None:
    folder, home = bundle
    (folder / "report.html").read_bytes()
    check_bundle(folder, home)
    break_it, message = BROKEN[case]
    break_it(folder)
    with pytest.raises((BundleError, StoreError)) as error:
        check_bundle(folder, home)
    assert message in str(error.value)
    assert "refrain " in error.value.next_command
    assert EVIDENCE in json.loads((folder / MANIFEST).read_text())["files"]
