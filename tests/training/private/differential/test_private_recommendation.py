"""``refrain model private recommendation``: paid for once, served as usual, and nothing of people in the bundle."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.__main__ import app
from training.private.differential.budget import Budget
from training.private.differential.ledger import BudgetSpent, Ledger
from training.private.differential.recommendation import run_private
from training.promotions import promote
from training.version_files import decision_of
from transforms.pure import npz
from transforms.raw.read import files, scan


def spends(home: Home) -> list[dict[str, object]]:
    """The lines of the ledger that spent something."""
    return [entry for entry in Ledger.open(home).entries() if entry["kind"] == "spend"]


@pytest.mark.journeys
def test_a_release_is_paid_for_once_and_served(own_world: Home) -> None:
    from inference import RecommendationEngine

    with pytest.raises(BudgetSpent):
        run_private(own_world, 4.0)
    Ledger.open(own_world).set(Budget("personalisation", "lifetime", 6.0, 2e-6))
    first, second = run_private(own_world, 4.0), run_private(own_world, 4.0)
    assert (first.is_new, second.is_new) == (True, False)
    assert [entry["rho"] for entry in spends(own_world)] == [first.statement.rho]
    folders = [own_world.bundles("recommendation") / str(result.version) for result in (first, second)]
    for file in ("similar.npz", "segments.npz"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    with pytest.raises(BudgetSpent):
        run_private(own_world, 5.0)
    assert len(spends(own_world)) == 1

    decision = decision_of(own_world, "recommendation", second.version)
    assert decision is not None
    assert not decision.may_serve  # without figures, a person decides
    promote(own_world, "recommendation", second.version, reason="test")
    engine = RecommendationEngine.load("recommendation", own_world)
    engine.check()
    for user, strategy in (("u000003", "hybrid"), ("u000003", "collaborative"), ("nobody", "cold_start")):
        assert len(engine.recommend(user, {"strategy": strategy}, count=5).items) == 5


@pytest.mark.journeys
def test_what_plays_say_of_an_artist_is_not_in_the_bundle(own_world: Home) -> None:
    home = own_world
    Ledger.open(home).set(Budget("personalisation", "lifetime", 6.0, 2e-6, people=1_000))
    with pytest.raises(InputError, match="1/1,000"):
        run_private(home, 4.0, 1e-2)
    path = files(home, "plays")[-1]
    rows = pl.read_parquet(path)
    assert rows["track_id"].is_in(scan(home, "tracks").select("track_id").collect()["track_id"].implode()).all()
    rows.with_columns(pl.lit("told by one person").alias("artist_id")).write_parquet(path)
    version = run_private(home, 4.0).version
    catalogue = json.loads((home.bundles("recommendation") / str(version) / "catalogue.json").read_text())
    assert "told by one person" not in catalogue["artist_ids"]
    assert any(catalogue["artist_ids"])


@pytest.mark.journeys
def test_the_bundle_holds_nothing_of_people(own_world: Home) -> None:
    Ledger.open(own_world).set(Budget("personalisation", "lifetime", 6.0, 2e-6))
    result = CliRunner().invoke(app, ["private", "recommendation", "--epsilon", "4"])
    assert result.exit_code == 0, result.output
    assert "ε = 4, δ = 1e-06 a person" in result.output
    versions = [path for path in own_world.bundles("recommendation").iterdir() if path.name.isdigit()]
    newest = max(versions, key=lambda path: int(path.name))
    manifest = json.loads((newest / "manifest.json").read_text())
    assert manifest["metrics"] == {}
    assert manifest["extra"]["privacy"]["epsilon"] == 4.0
    assert "request" not in manifest["extra"]["privacy"] or not manifest["extra"]["privacy"]["request"]
    assert not {"hybrid.onnx", "real_time.onnx", "evidence.npz", "sums.npz"} & {path.name for path in newest.iterdir()}
    outcomes = npz.unpack((newest / "outcomes.npz").read_bytes())
    assert not any(outcomes[name].any() for name in outcomes)
    assert "Not protected:" in (newest / "README.md").read_text()
