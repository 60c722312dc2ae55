"""What did not pass its gates serves only with a mark on card and record, and a champion can be taken down."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from feature_repo.errors import BundleError
from feature_repo.home import Home
from training import promotions, registry, version_files
from training.__main__ import app
from training.bundle import BundleManifest, write_bundle
from training.card import CARD
from training.mlflow_client import client
from training.pipeline.forgetting import artifacts_of
from training.validation.evidence import MODEL_KEY, Evidence

NAME = "made_up"


def _register(
    home: Home, loss: float, units: int = 200, name: str = NAME, extra: Mapping[str, object] | None = None
) -> int:
    def write(folder: Path, version: int) -> BundleManifest:
        fields = {
            "name": name,
            "version": version,
            "family": "text",
            "feature_service": "",
            "fingerprint": "",
            "inputs": [],
            "outputs": [("number", "float32")],
            "metrics": {},
            "training_set": "",
            "cutoff": "2026-01-01T00:00:00+00:00",
            "extra": dict(extra or {}),
        }
        return write_bundle(folder, {"README.md": b"made up"}, fields)

    rng = np.random.default_rng(0)
    values = {MODEL_KEY: rng.normal(loss, 0.1, units), "constant": rng.normal(1.0, 0.1, units)}
    evidence = Evidence.of("loss", range(units), values)
    return registry.register(home, name, parameters={}, metrics={}, write=write, evidence=evidence)


def _run(home: Home, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments], env={"REFRAIN_HOME": str(home.root)})
    return result.exit_code, re.sub(r"\s+", " ", result.output)


def _card(home: Home, version: int) -> str:
    return (home.bundles(NAME) / str(version) / CARD).read_text()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A data folder with an MLflow of its own; each test registers versions under its own name."""
    home = Home(tmp_path_factory.mktemp("promotion") / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(home.root))
        yield home


def test_what_failed_serves_only_with_a_mark(data: Home) -> None:
    home = data
    good, worse, few = _register(home, 0.5), _register(home, 1.2), _register(home, 0.5, units=6)
    assert [version.answer for version in registry.versions(home)] == ["undecided", "fail", "pass"]

    for version, words in ((worse, "worse than constant by 0."), (few, "is undecided: baseline constant")):
        code, output = _run(home, "promote", NAME, str(version))
        assert code == 1
        assert words in output
        assert "--anyway" in output
        assert version_files.champion_of(home, NAME) is None
        decision = version_files.decision_of(home, NAME, version)
        assert promotions.promote_by_itself(home, NAME, version, decision, "nightly").startswith("kept None")

    assert _run(home, "promote", NAME, str(worse), "--anyway", "--because", "to <compare>")[0] == 0
    assert "Promoted anyway</b> (to &lt;compare&gt;), against its gates: baseline constant" in _card(home, worse)
    assert version_files.promotions(home, NAME)[-1]["anyway"][0].startswith(
        "baseline constant: worse than constant by "
    )
    tags = client(home).get_model_version(NAME, str(worse)).tags
    assert tags["promoted_anyway"].startswith("to <compare>: baseline constant")
    assert "failed a gate, promoted anyway" in _run(home, "list")[1]
    assert _run(home, "promote", NAME, str(worse), "--anyway")[0] == 0
    assert _card(home, worse).count("Promoted anyway") == 1

    # the first champion is taken down: nothing serves, and nothing promotes it by itself again
    assert "no version serves" in _run(home, "demote", NAME, "--because", "it is worse")[1]
    assert version_files.champion_of(home, NAME) is None
    assert client(home).get_registered_model(NAME).aliases.keys() == {"challenger"}
    assert version_files.rolled_back(home, NAME) == {worse}
    assert version_files.promotions(home, NAME)[-1]["reason"] == "it is worse"
    code, output = _run(home, "demote", NAME)
    assert code == 1
    assert "a champion of 'made_up'" in output

    assert _run(home, "promote", NAME, str(good))[0] == 0
    assert "Promoted anyway" not in _card(home, good)
    assert "anyway" not in version_files.promotions(home, NAME)[-1]
    with pytest.raises(BundleError, match="before the one that serves"):  # what was taken down stays down
        promotions.rollback(home, NAME)


def test_a_private_champion_is_not_replaced_by_itself(data: Home) -> None:
    name = "made_up_private"
    private = {"privacy": {"epsilon": 1.0, "delta": 1e-6}}
    first, ordinary, second = (_register(data, 0.5, name=name, extra=extra) for extra in (private, None, private))
    promotions.promote(data, name, first)
    decision = version_files.decision_of(data, name, ordinary)
    said = promotions.promote_by_itself(data, name, ordinary, decision, "nightly")
    assert said.startswith(f"kept {first}: it is differentially private")
    assert version_files.champion_of(data, name) == first
    assert promotions.promote_by_itself(data, name, second, decision, "nightly") == f"promoted {second}"
    promotions.promote(data, name, ordinary)  # a person may
    assert promotions.promote_by_itself(data, name, first, decision, "nightly") == f"promoted {first}"


def test_a_version_that_is_removed_leaves_no_file(data: Home) -> None:
    first, second = _register(data, 0.5, name="removed"), _register(data, 0.4, name="removed")
    promotions.promote(data, "removed", second)
    with pytest.raises(BundleError, match="that does not serve"):
        registry.remove(data, "removed", second)
    folders = artifacts_of(data, f"removed:{first}")
    assert len(folders) == 1 and folders[0].is_dir() and folders != artifacts_of(data, f"removed:{second}")
    for _ in range(2):  # repeated, there is nothing to do
        registry.remove(data, "removed", first, folders)
        assert [each.version for each in registry.versions(data) if each.name == "removed"] == [second]
        assert not folders[0].exists() and [path.name for path in data.bundles("removed").glob("[0-9]*")] == [
            str(second)
        ]
    with pytest.raises(BundleError):
        promotions.promote(data, "removed", first)
