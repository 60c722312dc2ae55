"""The filter in the product: features of listeners, sums without who was left out, the command for a reviewer."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.home import Home
from refrain.cli import app
from tests.fake_accounts import listeners_of_six_tastes
from training.datasets import Interactions
from training.models.recommendation.ials import IALS
from training.models.recommendation.trust import VIEW, describe_left_out, judge, not_learned_from
from training.shilling.detection import Detection
from training.shilling.profiles import add_fakes
from transforms import feature_tables


@pytest.fixture(scope="module")
def attacked() -> Interactions:
    plays = listeners_of_six_tastes()
    return add_fakes(plays, [np.append(np.arange(0, 150, 6), 239)] * 3, np.random.default_rng(1))


def test_what_was_seen_is_a_feature_as_of_the_cutoff(own_world: Home, attacked: Interactions) -> None:
    plays = replace(attacked, user_ids=[f"v{number:03}" for number in range(attacked.shape[0])])
    cutoffs = [int(np.quantile(plays.time, share)) for share in (0.5, 1.0)]
    cutoffs[1] += 1
    for cutoff in cutoffs:
        assessment = judge(own_world, plays, cutoff, Detection())
        ids = [plays.user_ids[user] for user in np.flatnonzero(assessment.left_out)]
        assert not_learned_from(own_world, plays.user_ids, cutoff) == set(ids)
    assert {"v160", "v161", "v162"} <= not_learned_from(own_world, plays.user_ids, cutoffs[1])
    assert not_learned_from(own_world, ["v160"], cutoffs[1]) == {"v160"}
    assert not_learned_from(own_world, plays.user_ids, cutoffs[1] + 1) == set()
    rows = feature_tables.scan(own_world, VIEW).filter(pl.col("user_id") == "v160").collect()
    assert rows["weight"].to_list()[-1] == 0 and rows["score"].max() > 1
    judge(own_world, plays, cutoffs[1], None)
    assert not_learned_from(own_world, plays.user_ids, cutoffs[1]) == set()


def test_vectors_of_tracks_are_those_of_a_world_without_who_is_left_out(attacked: Interactions) -> None:
    end = int(attacked.time.max()) + 1
    left_out = np.arange(attacked.shape[0]) >= 160
    model = IALS(factors=8, iterations=3, half_life_days=None)
    everybody, nobody, filtered = (
        model.fit(attacked, end),
        model.fit(attacked, end, left_out=np.zeros_like(left_out)),
        model.fit(attacked, end, left_out=left_out),
    )
    without = model.fit(attacked.only(~left_out[attacked.user]), end)
    assert everybody.track.tobytes() == nobody.track.tobytes() != filtered.track.tobytes()
    assert filtered.track.tobytes() == without.track.tobytes()
    np.testing.assert_allclose(filtered.user[:160], without.user[:160], atol=1e-4)
    assert np.any(filtered.user[160:] != 0, axis=1).all() and not without.user[160:].any()


def test_a_reviewer_lists_accounts_with_reasons(world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(world.root))
    raw = sorted(path for path in world.raw("plays").rglob("*") if path.is_file())
    shown = CliRunner().invoke(app, ["model", "manipulation", "--most", "1"], catch_exceptions=False)
    assert shown.exit_code == 0 and "nothing is deleted" in shown.output
    report = json.loads(CliRunner().invoke(app, ["model", "manipulation", "--json"]).output)
    assert report["listeners"] >= len(report["accounts"])
    assert all(account["reasons"] and account["score"] > 1 for account in report["accounts"])
    assert sorted(path for path in world.raw("plays").rglob("*") if path.is_file()) == raw
    assert "why: refrain model manipulation" in describe_left_out(2, 150)
    assert "nobody is judged" in describe_left_out(0, 40_000)
    assert describe_left_out(0, 150) == "learned from all 150 listeners"
