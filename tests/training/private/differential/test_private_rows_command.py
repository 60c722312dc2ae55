"""``refrain model private churn_model``: paid for once, served as usual, and nothing of people's rows in the bundle."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from feature_repo.bundle import BACKGROUND, GOLDEN
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.cli import app
from training.models.behavior.churn_model import MODEL as CHURN
from training.models.served import ServedTabular
from training.private.differential.budget import Budget
from training.private.differential.ledger import BudgetSpent, Ledger
from training.private.differential.rows.run import run_private_rows
from training.private.differential.run import run_private_model
from training.private.leaks import private_rows
from training.private.leaks.records import read
from training.promotions import promote
from training.robustness.subject import Request
from training.robustness.subjects.rows import targets
from training.version_files import decision_of
from transforms.pure import npz


def spends(home: Home) -> list[dict[str, object]]:
    """The lines of the ledger that spent something."""
    return [entry for entry in Ledger.open(home).entries() if entry["kind"] == "spend"]


@pytest.mark.journeys
def test_a_model_of_rows_is_paid_for_once_and_served(own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_rows, "PEOPLE", 200)
    with pytest.raises(BudgetSpent):
        run_private_rows(own_world, "churn_model", 4.0)
    Ledger.open(own_world).set(Budget("analytics", "lifetime", 6.0, 2e-6, 20_000))
    result = CliRunner().invoke(app, ["model", "private", "churn_model", "--epsilon", "4"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    for text in ("ε = 4, δ = 1e-06 a person", "paid for now", "1/20,000", "without user_profile__country", "lira on"):
        assert text in result.output
    second = run_private_rows(own_world, "churn_model", 4.0)
    assert not second.is_new
    assert [entry["rho"] for entry in spends(own_world)] == [second.statement.rho]
    folders = [own_world.bundles("churn_model") / str(second.version - back) for back in (1, 0)]
    assert (folders[0] / "model.onnx").read_bytes() == (folders[1] / "model.onnx").read_bytes()
    with pytest.raises(BudgetSpent):
        run_private_rows(own_world, "churn_model", 5.0)
    assert len(spends(own_world)) == 1
    assert {leak.attack for leak in read(own_world, "churn_model", second.version - 1)} == {"lira", "loss_threshold"}
    card = CliRunner().invoke(app, ["model", "card", f"churn_model:{second.version - 1}"]).output
    assert "answers of the private linear" in card
    assert "Not protected:" in card

    decision = decision_of(own_world, "churn_model", second.version)
    assert decision is not None
    assert not decision.may_serve  # without figures, a person decides
    with pytest.raises(InputError, match="without a stated ε"):
        targets(Request(own_world, CHURN, second.version))
    promote(own_world, "churn_model", second.version, reason="test")
    check_bundle(own_world, second.version)
    check_answers(own_world)


def check_bundle(home: Home, version: int) -> None:
    """Nothing of people's rows is in the bundle: no row, no figure, no number of rows."""
    folder = home.bundles("churn_model") / str(version)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["metrics"], manifest["training_set"]) == ({}, "")
    assert manifest["extra"]["privacy"] == json.loads((folder / "privacy.json").read_text())
    assert not manifest["extra"]["privacy"]["request"]
    assert "rows" not in manifest["extra"]
    assert not {"evidence.npz", "training_sets.npz", "sums.npz", "native"} & set(manifest["files"])
    served = ServedTabular.load(home, f"churn_model:{version}")
    rows = CHURN.pull_rows(home, CHURN.rows(home))
    learned = served.layout.matrix(rows.features)
    golden = npz.unpack((folder / GOLDEN).read_bytes())["churn_model__inputs"]
    for kept in (golden, npz.unpack((folder / BACKGROUND).read_bytes())["inputs"]):
        assert len(kept)
        assert not any(np.isclose(learned, row, equal_nan=True).mean(axis=1).max() > 0.7 for row in kept)


def check_answers(home: Home) -> None:
    """What is served is what the release says of the same features."""
    from inference.rows import RowModel

    served, online = ServedTabular.load(home, "churn_model"), RowModel.load("churn_model", home)
    answers = online.predict({"user_id": ["u000003", "u000007", "nobody"]})
    assert answers.known.tolist() == [True, True, False]
    assert answers.values == pytest.approx(served.onnx.predict(answers.inputs), abs=1e-6)
    rows = CHURN.pull_rows(home, CHURN.rows(home).tail(50))
    assert np.std(served.predict(rows)) > 0


def test_what_has_no_private_version_is_refused_by_name(own_world: Home) -> None:
    for name in ("sentiment", "no_such_model", "system_anomaly_detector"):
        with pytest.raises(InputError, match="recommendation, churn_model, skip_model"):
            run_private_model(own_world, name, 4.0)
    with pytest.raises(InputError, match="learner"):
        run_private_model(own_world, "recommendation", 4.0, learner="linear")
    with pytest.raises(InputError, match="linear or network"):
        run_private_model(own_world, "churn_model", 4.0, learner="forest")
    with pytest.raises(InputError):
        run_private_model(own_world, "churn_model", -1.0)
    assert spends(own_world) == []
