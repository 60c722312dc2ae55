"""The commands of docs/fairness.md, as they are shown there."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_repo.home import Home
from refrain.cli import app
from training import registry
from training.fairness.figure import FAIRNESS


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_gaps_are_shown_of_listeners_and_of_artists(in_world: Home) -> None:
    shown = run("model", "fairness", "recommendation", "--groups")
    assert "recommendation 1, by group; ndcg_at_10" in shown
    for words in ("gender:", "age:", "popularity_lift", "attention of tail", "exposure_ratio", "genre_miscalibration"):
        assert words in shown
    assert "too small to tell" in shown
    brief = run("model", "fairness", "recommendation:1")
    assert "attention of tail" not in brief
    assert "gini" in brief


def test_all_figures_are_json(in_world: Home) -> None:
    report = json.loads(run("model", "fairness", "recommendation", "--json"))
    assert (report["name"], report["version"], report["checks"]) == ("recommendation", 1, [])
    stored = json.loads((in_world.bundles("recommendation") / "1" / FAIRNESS).read_bytes())
    assert report["figures"] == stored
    assert all(figure["interval"] is None or figure["clusters"] >= 20 for figure in stored)


def test_versions_are_shown_over_time(in_world: Home) -> None:
    shown = run("model", "fairness", "recommendation", "--versions")
    assert "exposure_ratio by popularity:\n  version 1 " in shown
    report = json.loads(run("model", "fairness", "recommendation", "--versions", "--json"))
    stored = json.loads((in_world.bundles("recommendation") / "1" / FAIRNESS).read_bytes())
    assert report == {"name": "recommendation", "versions": [{"version": 1, "figures": stored}]}


def test_an_empty_id_is_no_listener(in_world: Home) -> None:
    assert "a listener with plays" in run("model", "explain", "recommendation", "--listener", "", code=1)


def test_the_card_has_a_section_by_group(world: Home) -> None:
    card = (world.bundles("recommendation") / "1" / "card.html").read_text()
    assert "<h2>By group</h2>" in card
    assert "exposure ratio" in card


def test_an_unknown_model_names_the_next_command(in_world: Home) -> None:
    assert "refrain model run no_model" in run("model", "fairness", "no_model", code=1)
    assert "no version one" in run("model", "fairness", "recommendation:one", code=1)


def test_a_version_beyond_a_limit_is_not_promoted(
    own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "radio"
    folder.mkdir()
    limits = "[fairness.recommendation]\nexposure_to_catalogue_ratio = 0.99\ngini = 0.01\n"
    (folder / "refrain.toml").write_text(f'name = "radio"\nextends = ["music"]\n{limits}')
    monkeypatch.setenv("REFRAIN_PROJECT", str(folder))
    assert "fairness: gini" in run("model", "promote", "recommendation", "1", code=1)
    assert "FAILED    fairness: gini: " in run("model", "fairness", "recommendation")
    decision = registry.decision_now(Home.from_env(), "recommendation", 1)
    assert decision is not None
    assert decision.answer == "fail"
    monkeypatch.delenv("REFRAIN_PROJECT")
    before = registry.decision_now(own_world, "recommendation", 1)
    assert before is not None
    assert not [check for check in before.checks if check.name.startswith("fairness")]


def test_a_listener_is_explained_by_the_fewest_plays(in_world: Home) -> None:
    shown = run("model", "explain", "recommendation", "--listener", "u000007")
    assert "first by the tracks that are played together:" in shown
    assert "would have come first" in shown


def test_an_answer_is_explained_where_it_is_asked_for(in_world: Home) -> None:
    assert "would have come first" not in run("recommend", "u000007")
    shown = run("recommend", "u000007", "--explain")
    assert "would have come first" in shown or "nothing was found" in shown
    run("recommend", "u000007", "--long-tail", "0.15")
